import type { WindowLimit } from '../domain/lease.ts';
import { CALL_WINDOW, readFact, writeFact } from './facts.ts';
import type { Store } from './store.ts';

/** A window is counted in so many parts; the oldest counts whole, so a little less than the limit is let through. */
const PARTS = 10;
/** The share of the limit that may be used without being written down: it is presumed used after a crash. */
const UNWRITTEN_SHARE = 20;

/**
 * Counts the calls of one account against the limit that its provider sets for any stretch of time. The
 * count outlives evictions and crashes, though only one call in twenty writes a row: what may not have
 * been written is presumed to have been used.
 */
export class CallWindow {
  readonly #store: Store;
  readonly #limit: WindowLimit;
  readonly #now: () => number;
  readonly #partMs: number;
  readonly #mayBeUnwritten: number;
  #parts: { startMs: number; calls: number }[];
  #unwritten: number;

  constructor({ store, limit, now }: { store: Store; limit: WindowLimit; now: () => number }) {
    this.#store = store;
    this.#limit = limit;
    this.#now = now;
    this.#partMs = Math.ceil(limit.windowMs / PARTS);
    this.#mayBeUnwritten = Math.floor(limit.limit / UNWRITTEN_SHARE);
    this.#parts = readFact(store, CALL_WINDOW) ?? [];
    this.#unwritten = 0;
    // A former life may have used so much without writing it down; this life writes it with its first call.
    if (this.#mayBeUnwritten > 0) {
      this.#count(this.#mayBeUnwritten);
      this.#unwritten = this.#mayBeUnwritten;
    }
  }

  /** When `calls` more may be made, epoch milliseconds; the present when that is so now. */
  roomAt(calls: number): number {
    this.#drop();
    const nowMs = this.#now();
    let left = this.#parts.reduce((sum, part) => sum + part.calls, 0);
    // More than the whole limit at once: let through when nothing else is.
    const most = Math.max(this.#limit.limit - calls, 0);
    if (left <= most) return nowMs;
    for (const { startMs, calls: used } of this.#parts) {
      left -= used;
      if (left <= most) return this.#endOf(startMs);
    }
    return nowMs;
  }

  /** These calls are about to be made. */
  note(calls: number): void {
    this.#drop();
    this.#count(calls);
    this.#unwritten += calls;
    if (this.#unwritten <= this.#mayBeUnwritten) return;
    writeFact(this.#store, CALL_WINDOW, this.#parts);
    this.#unwritten = 0;
  }

  #count(calls: number): void {
    const startMs = Math.floor(this.#now() / this.#partMs) * this.#partMs;
    const last = this.#parts.at(-1);
    if (last !== undefined && last.startMs >= startMs) last.calls += calls;
    else this.#parts.push({ startMs, calls });
  }

  #drop(): void {
    const nowMs = this.#now();
    this.#parts = this.#parts.filter(({ startMs }) => this.#endOf(startMs) > nowMs);
  }

  /** When the last call that a part may hold has left the window. */
  #endOf(startMs: number): number {
    return startMs + this.#partMs + this.#limit.windowMs;
  }
}
