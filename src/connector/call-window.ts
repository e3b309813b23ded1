import type { WindowLimit } from '../domain/lease.ts';
import { CALL_WINDOW, readFact, writeFact } from './facts.ts';
import type { Store } from './store.ts';

/** A window is counted in so many parts; the oldest counts whole, so a little less than the limit is let through. */
const PARTS = 10;
/** The most of the limit that may be used without being written down, as a share: one in so many. */
const UNWRITTEN_SHARE = 20;
/** The first reserve of a life; each that is used up is followed by one of twice the size. */
const FIRST_RESERVE = 8;

/**
 * Counts the calls of one account against the limit that its provider sets for any stretch of time. The
 * count outlives evictions and crashes, though few calls write a row: calls are written down in reserves,
 * which grow with use, and what is left of one when its life ends is presumed to have been used. It grows from
 * little, for lives may be many and short: an object is evicted after seconds without work.
 */
export class CallWindow {
  readonly #store: Store;
  readonly #limit: WindowLimit;
  readonly #now: () => number;
  readonly #partMs: number;
  readonly #longestReserve: number;
  #parts: { startMs: number; calls: number }[];
  /** How many calls may go unwritten, as the row has it, and how many have. Nothing of this life is in the row yet. */
  #reserve = 0;
  #unwritten = 0;

  constructor({ store, limit, now }: { store: Store; limit: WindowLimit; now: () => number }) {
    this.#store = store;
    this.#limit = limit;
    this.#now = now;
    this.#partMs = Math.ceil(limit.windowMs / PARTS);
    this.#longestReserve = Math.floor(limit.limit / UNWRITTEN_SHARE);
    const known = readFact(store, CALL_WINDOW) ?? { parts: [], reserve: 0 };
    const { parts, reserve } = Array.isArray(known) ? { parts: known, reserve: this.#longestReserve } : known;
    this.#parts = parts.map((part) => ({ ...part }));
    if (reserve > 0) this.#count(reserve);
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
    if (this.#unwritten <= this.#reserve) return;
    this.#reserve = Math.min(this.#longestReserve, Math.max(FIRST_RESERVE, this.#reserve * 2));
    const parts = this.#parts.map((part) => ({ ...part }));
    writeFact(this.#store, CALL_WINDOW, { parts, reserve: this.#reserve });
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
