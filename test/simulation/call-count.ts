import type { WindowLimit } from '../../src/domain/lease.ts';

/** Counts calls against a limit for any stretch of time, as a provider does. */
export class CallCount {
  readonly #limit: WindowLimit;
  readonly #now: () => number;
  #recent: { atMs: number; calls: number }[] = [];

  constructor(limit: WindowLimit, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  /** Calls leave: what is wrong with that, if anything. */
  add(calls: number): string | undefined {
    const { limit, windowMs } = this.#limit;
    this.#recent.push({ atMs: this.#now(), calls });
    this.#recent = this.#recent.filter(({ atMs }) => atMs > this.#now() - windowMs);
    const count = this.#recent.reduce((sum, recent) => sum + recent.calls, 0);
    return count > limit ? `${count} calls within ${windowMs} ms, ${limit} allowed` : undefined;
  }
}
