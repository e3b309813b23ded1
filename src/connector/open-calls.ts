import { OPEN_CALLS, readFact, writeFact } from './facts.ts';
import type { Store } from './store.ts';

/** How many calls go side by side in an ordinary question. */
const USUAL_WEIGHT = 2;

/** What the memory of open calls is made of. Times are milliseconds. */
export interface OpenCallsOptions {
  store: Store;
  /** Simultaneous provider calls of this connector. */
  maxConcurrent: number;
  /** The longest a call may stay open at the provider after it began here. */
  callLifeMs: number;
  /** What is written down of open calls covers those that begin within so long, so that not each costs a row. */
  grainMs: number;
  /** When the tasks were accepted that have not ended or failed yet: each may have had a call open. */
  freshTasks: () => number[];
  /** How many tasks are under way that were accepted within the grain: the ledger remembers a call of each. */
  covered: () => number;
  now: () => number;
}

/**
 * Remembers across a crash how many calls may be open at the provider: a dead actor's calls go on there.
 * The ledger remembers one for each task that has just been accepted, for nothing; what goes beyond is
 * written down before it begins, in one row at most every `grainMs`.
 */
export class OpenCalls {
  readonly #options: OpenCallsOptions;
  /** Calls of a former life: so many may be open until then. */
  readonly #former: { count: number; untilMs: number };
  readonly #formerTasks: number[];
  #written: { count: number; untilMs: number };

  constructor(options: OpenCallsOptions) {
    this.#options = options;
    const { store, callLifeMs, grainMs, freshTasks } = options;
    this.#written = readFact(store, OPEN_CALLS) ?? { count: 0, untilMs: 0 };
    this.#former = this.#written;
    this.#formerTasks = freshTasks().map((acceptedAtMs) => acceptedAtMs + grainMs + callLifeMs);
    const most = this.ghosts();
    // Only a crash leaves such tasks. Soon they are run again, and the ledger tells a third life nothing of the first.
    if (this.#formerTasks.length > 0 && most > 0) {
      this.#written = { count: most, untilMs: Math.max(this.#former.untilMs, ...this.#formerTasks) };
      writeFact(store, OPEN_CALLS, this.#written);
    }
  }

  /** How many calls of a former life may still be open. */
  ghosts(): number {
    return this.#ghostsAt(this.#options.now());
  }

  #ghostsAt(atMs: number): number {
    const { count, untilMs } = this.#former;
    const ofTasks = this.#formerTasks.filter((endsAtMs) => endsAtMs > atMs).length;
    return Math.max(untilMs > atMs ? count : 0, ofTasks);
  }

  /** When at most `most` calls of a former life are open, epoch milliseconds; the past when that is so now. */
  fewerAt(most: number): number {
    const { now } = this.#options;
    if (this.#ghostsAt(now()) <= most) return now();
    const ends = [this.#former.untilMs, ...this.#formerTasks].toSorted((a, b) => a - b);
    return ends.find((endsAtMs) => endsAtMs > now() && this.#ghostsAt(endsAtMs) <= most) ?? now();
  }

  /**
   * No call of this life is open: the next life, which does not know how this one ends, takes none for open. A row, and
   * only where what is written would leave the next life less room than nearly every call needs.
   */
  settle(): void {
    const { store, maxConcurrent, now } = this.#options;
    const { count, untilMs } = this.#written;
    if (untilMs <= now() || count + USUAL_WEIGHT <= maxConcurrent) return;
    const ghosts = this.ghosts();
    // Those of a former life are still remembered.
    const stays = Math.max(this.#former.untilMs, ...this.#formerTasks);
    if (ghosts > 0 && this.#written.count === ghosts && this.#written.untilMs === stays) return;
    this.#written = ghosts > 0 ? { count: ghosts, untilMs: stays } : { count: 0, untilMs: 0 };
    writeFact(store, OPEN_CALLS, this.#written);
  }

  /** Makes sure that a crash from here on remembers that `open` calls are open. */
  remember(open: number): void {
    const { store, callLifeMs, grainMs, covered, now } = this.#options;
    const ghosts = this.ghosts();
    const needed = open + ghosts;
    // A task that covers a call of its own may end, and a ghost does not end with it.
    if (ghosts === 0 && covered() >= needed) return;
    const { count, untilMs } = this.#written;
    if (count >= needed && untilMs >= now() + callLifeMs) return;
    // What is written now stands in for what was written before, which may not have ended yet.
    const stillOpen = untilMs > now() ? count : 0;
    this.#written = { count: Math.max(needed, stillOpen), untilMs: now() + callLifeMs + grainMs };
    writeFact(store, OPEN_CALLS, this.#written);
  }
}
