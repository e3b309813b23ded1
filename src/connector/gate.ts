import { fail, type Outcome } from '../domain/failure.ts';
import { readFact, THROTTLE, writeFact } from './facts.ts';
import type { Store } from './store.ts';
import { backOffMs } from './verdict.ts';

/** Who waits for a call, most urgent first. */
export const LANES = ['interactive', 'webhook', 'background'] as const;
export type Lane = (typeof LANES)[number];

/** A wait up to this long is sat out in memory; a longer one ends the call with `throttled`. */
const LONGEST_WAIT_MS = 2_000;

interface Waiting {
  weight: number;
  enter: () => void;
}

/** What a gate is made of. */
export interface GateOptions {
  store: Store;
  /** Simultaneous provider calls of this connector. */
  maxConcurrent: number;
  now: () => number;
  random: () => number;
  sleep: (ms: number) => Promise<void>;
}

/**
 * Every provider call of a connector passes here. It holds the number of simultaneous calls (a batch
 * weighs as many as run in it at once), lets the urgent lanes in first, and holds everything back
 * until a throttle has passed. A throttle is remembered across evictions.
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #waiting: Record<Lane, Waiting[]> = { interactive: [], webhook: [], background: [] };
  #open = 0;
  #blockedUntilMs: number;
  #strikes: number;

  constructor(options: GateOptions) {
    this.#options = options;
    const throttle = readFact(options.store, THROTTLE);
    this.#blockedUntilMs = throttle?.blockedUntilMs ?? 0;
    this.#strikes = throttle?.strikes ?? 0;
  }

  /**
   * Runs `call` once a place is free and no throttle stands. Fails with `throttled`, without
   * calling, when the throttle lasts longer than is worth sitting out.
   */
  async pass<T>(lane: Lane, weight: number, call: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    const places = Math.min(Math.max(1, weight), this.#options.maxConcurrent);
    await this.#enter(lane, places);
    try {
      // Looked at again after each sleep: a throttle may have been prolonged by a call that was under way.
      for (;;) {
        const waitMs = this.#blockedUntilMs - this.#options.now();
        if (waitMs <= 0) break;
        if (waitMs > LONGEST_WAIT_MS) {
          return fail({ kind: 'throttled', scope: 'user', retryAtMs: this.#blockedUntilMs });
        }
        await this.#options.sleep(waitMs);
      }
      return await call();
    } finally {
      this.#leave(places);
    }
  }

  /**
   * Holds every call back after a throttle: until the provider's own minimum, and on top of it a
   * back-off that grows while throttles follow each other.
   */
  holdBack({ retryAtMs }: { retryAtMs?: number }): void {
    const { now, random, store } = this.#options;
    // Calls that were under way together are refused together: one strike.
    if (now() >= this.#blockedUntilMs) this.#strikes += 1;
    const untilMs = Math.max(retryAtMs ?? 0, now()) + backOffMs(this.#strikes, random);
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs, untilMs);
    writeFact(store, THROTTLE, { blockedUntilMs: this.#blockedUntilMs, strikes: this.#strikes });
  }

  /** A call went through: the next throttle starts from the beginning. */
  relax(): void {
    if (this.#strikes === 0 || this.#blockedUntilMs > this.#options.now()) return;
    this.#strikes = 0;
    writeFact(this.#options.store, THROTTLE, { blockedUntilMs: this.#blockedUntilMs, strikes: 0 });
  }

  /** Resolves when the places are taken. The head of the most urgent lane goes first, so a heavy call is not starved. */
  #enter(lane: Lane, weight: number): Promise<void> {
    return new Promise((enter) => {
      this.#waiting[lane].push({ weight, enter });
      this.#admit();
    });
  }

  #leave(weight: number): void {
    this.#open -= weight;
    this.#admit();
  }

  #admit(): void {
    for (;;) {
      const lane = LANES.find((candidate) => this.#waiting[candidate].length > 0);
      const next = lane === undefined ? undefined : this.#waiting[lane][0];
      if (lane === undefined || next === undefined) return;
      if (this.#open + next.weight > this.#options.maxConcurrent) return;
      this.#waiting[lane].shift();
      this.#open += next.weight;
      next.enter();
    }
  }
}
