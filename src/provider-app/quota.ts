import * as z from 'zod';
import type { WindowLimit } from '../domain/lease.ts';
import type { Shelf } from './shelf.ts';

/** A window is this many buckets long: how much of it may count longer than it must. */
const BUCKETS = 60;
/** The longest that a permit is good for. */
const LONGEST_LEASE_MS = 60_000;
/** A connector's permits are remembered for so long after they lapsed: until then they can be given back. */
const MEMORY_MS = 600_000;
/** Of the whole limit, at most this part is reserved ahead: what a kill can cost. */
const MOST_AHEAD = 0.01;

/** What was granted from `startMs` on, for the length of a bucket. */
interface Bucket {
  startMs: number;
  granted: number;
}

/** Permits that a connector got from a bucket, and may give back. */
interface Holding {
  bucket: Bucket;
  permits: number;
  lapsesAtMs: number;
}

const storedSchema = z.object({
  version: z.literal(1),
  /** `[startMs, permits granted or reserved]`, oldest first. */
  buckets: z.array(z.tuple([z.number(), z.number()])),
});

/** What became of a request for permits. */
export interface Grant {
  granted: number;
  /** When permits become free again; there when fewer were granted than wanted. */
  retryAtMs?: number;
}

/** How long a permit is good for: a twentieth of the window, within 1 and 60 seconds. */
export function leaseLengthOf(windowMs: number): number {
  return Math.min(Math.max(1_000, Math.floor(windowMs / 20)), LONGEST_LEASE_MS);
}

/**
 * Permits in a sliding window. A bucket counts whole, from its first permit until the last call that any of
 * its permits can have allowed is out of the provider's window: at no time can more than `limit` calls lie
 * within `windowMs`.
 *
 * Storage is ahead of memory: a permit is granted only when it is written down as reserved, and after an
 * eviction all that was reserved counts as granted. More is reserved at a time the more is asked for, so rows
 * are written far more rarely than permits are granted; `settle` takes the rest of a reserve back.
 */
export class Quota {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #bucketMs: number;
  readonly #shelf: Shelf;
  /** Oldest first. */
  #buckets: Bucket[];
  /** What storage has in the newest bucket beyond what was granted. */
  #ahead = 0;
  /** Storage has more in an older bucket than was granted and kept. */
  #isOverstated = false;
  #grantedSinceWoken = 0;
  readonly #holdings = new Map<string, Holding[]>();

  /** How long a permit is good for, milliseconds. */
  readonly leaseMs: number;

  constructor({ limit, windowMs }: WindowLimit, shelf: Shelf) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#bucketMs = Math.max(1, Math.ceil(windowMs / BUCKETS));
    this.leaseMs = leaseLengthOf(windowMs);
    this.#shelf = shelf;
    const stored = shelf.read();
    this.#buckets =
      stored === undefined
        ? []
        : storedSchema.parse(stored).buckets.map(([startMs, granted]) => ({ startMs, granted }));
  }

  /** Grants up to `want` permits, good until `leaseMs` from now: as many as the window has room for beyond `kept`. */
  take(connectorId: string, want: number, nowMs: number, kept = 0): Grant {
    this.#advance(nowMs);
    const room = Math.max(0, this.#room() - kept);
    const granted = Math.min(want, room);
    if (granted > 0) {
      const bucket = this.#newest(nowMs);
      if (granted > this.#ahead) {
        const most = Math.ceil(this.#limit * MOST_AHEAD);
        this.#ahead = granted + Math.min(room - granted, this.#grantedSinceWoken, most);
        this.#write();
      }
      this.#ahead -= granted;
      bucket.granted += granted;
      this.#grantedSinceWoken += granted;
      const holding = { bucket, permits: granted, lapsesAtMs: nowMs + this.leaseMs };
      this.#holdings.set(connectorId, [...(this.#holdings.get(connectorId) ?? []), holding]);
    }
    return granted === want ? { granted } : { granted, retryAtMs: this.#freesAtMs(nowMs, kept) };
  }

  /**
   * Takes up to `permits` back that a connector has not used; what is not known to be its own is ignored.
   * They return to its oldest bucket that is known: which of its permits were used is not, and so none counts
   * for a shorter time than it must.
   *
   * @returns how many came back.
   */
  giveBack(connectorId: string, permits: number, nowMs: number): number {
    this.#advance(nowMs);
    let left = permits;
    const kept = this.#known(connectorId, nowMs).flatMap(({ bucket, permits: held, lapsesAtMs }) => {
      const back = Math.min(held, left);
      left -= back;
      bucket.granted -= back;
      if (bucket === this.#buckets.at(-1)) this.#ahead += back;
      else if (back > 0) this.#isOverstated = true;
      return held > back ? [{ bucket, permits: held - back, lapsesAtMs }] : [];
    });
    if (kept.length > 0) this.#holdings.set(connectorId, kept);
    else this.#holdings.delete(connectorId);
    return permits - left;
  }

  /** The permits that could be granted now. */
  remaining(nowMs: number): number {
    this.#advance(nowMs);
    return this.#room();
  }

  /** True when storage says more than was granted: worth a `settle` when things are quiet. */
  get isAhead(): boolean {
    return this.#ahead > 0 || this.#isOverstated;
  }

  /** Forgets permits that nobody can give back any more. */
  forget(nowMs: number): void {
    for (const connectorId of this.#holdings.keys()) {
      const kept = this.#known(connectorId, nowMs);
      if (kept.length > 0) this.#holdings.set(connectorId, kept);
      else this.#holdings.delete(connectorId);
    }
  }

  /** Writes down what was really granted, if storage says more: one row. */
  settle(): void {
    if (!this.isAhead) return;
    this.#ahead = 0;
    this.#write();
  }

  /** Drops what no longer counts. */
  #advance(nowMs: number): void {
    const currentMs = this.#startOf(nowMs);
    for (const bucket of this.#buckets) {
      // The clock went back: what lies ahead of it was granted by now at the latest.
      if (bucket.startMs > currentMs) bucket.startMs = currentMs;
    }
    this.#buckets = this.#buckets.filter((bucket) => this.#endOf(bucket) > nowMs);
  }

  /** The bucket of now. */
  #newest(nowMs: number): Bucket {
    const newest = this.#buckets.at(-1);
    const startMs = this.#startOf(nowMs);
    if (newest?.startMs === startMs) return newest;
    const bucket = { startMs, granted: 0 };
    this.#buckets.push(bucket);
    // What was left of the older one's reserve goes with the write that the new one needs.
    this.#ahead = 0;
    return bucket;
  }

  #room(): number {
    return Math.max(0, this.#limit - this.#buckets.reduce((sum, { granted }) => sum + granted, 0));
  }

  /** When there is room again for one beyond `kept`. */
  #freesAtMs(nowMs: number, kept: number): number {
    let used = this.#buckets.reduce((sum, { granted }) => sum + granted, 0);
    for (const bucket of this.#buckets) {
      used -= bucket.granted;
      if (bucket.granted > 0 && used < this.#limit - kept) return this.#endOf(bucket);
    }
    return nowMs + this.#windowMs;
  }

  #startOf(nowMs: number): number {
    return Math.floor(nowMs / this.#bucketMs) * this.#bucketMs;
  }

  /** From when on a bucket counts no more: its last permit has lapsed, and the window has passed it. */
  #endOf({ startMs }: Bucket): number {
    return startMs + this.#bucketMs + this.leaseMs + this.#windowMs;
  }

  /** A connector's permits that may still come back, oldest first. */
  #known(connectorId: string, nowMs: number): Holding[] {
    return (this.#holdings.get(connectorId) ?? []).filter(
      ({ bucket, lapsesAtMs }) => lapsesAtMs + MEMORY_MS > nowMs && this.#endOf(bucket) > nowMs,
    );
  }

  #write(): void {
    const newest = this.#buckets.at(-1);
    const buckets = this.#buckets.map((bucket) => [
      bucket.startMs,
      bucket.granted + (bucket === newest ? this.#ahead : 0),
    ]);
    this.#shelf.write({ version: 1, buckets });
    this.#isOverstated = false;
  }
}
