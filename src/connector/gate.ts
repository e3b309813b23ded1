import { fail, ok, type Outcome } from '../domain/failure.ts';
import type { CallWindow } from './call-window.ts';
import { readFact, THROTTLE, writeFact } from './facts.ts';
import type { OpenCalls } from './open-calls.ts';
import type { Permits } from './permits.ts';
import type { Store } from './store.ts';
import { backOffMs } from './verdict.ts';

/**
 * Who waits for a call, most urgent first: a caller; what a notification has brought about; a task of the queue;
 * nobody, for `upkeep` is what the worker does of itself.
 */
export const LANES = ['interactive', 'webhook', 'background', 'upkeep'] as const;
export type Lane = (typeof LANES)[number];

/** Calls of these lanes have nobody who asked for them. */
const UNASKED: ReadonlySet<Lane> = new Set(['webhook', 'upkeep']);

/** A wait up to this long is sat out in memory; a longer one ends the call with `throttled`. */
const LONGEST_WAIT_MS = 2_000;

/** What a call amounts to: how many of its parts run at once, and as how many calls it counts. */
export interface Load {
  weight: number;
  calls: number;
}

interface Waiting {
  places: number;
  enter: () => void;
}

/** What a gate is made of. */
export interface GateOptions {
  store: Store;
  /** Simultaneous provider calls of this connector. */
  maxConcurrent: number;
  openCalls: Pick<OpenCalls, 'ghosts' | 'fewerAt' | 'remember' | 'settle'>;
  window: Pick<CallWindow, 'roomAt' | 'note'>;
  permits: Pick<Permits, 'spend' | 'obtain'>;
  now: () => number;
  random: () => number;
  sleep: (ms: number) => Promise<void>;
}

/**
 * Every provider call of a connector passes here. It holds the number of simultaneous calls (a batch
 * weighs as many as run in it at once; those of a life that has crashed count), the calls in any stretch of
 * time, and the share in what the app as a whole may do; lets the urgent lanes in first; and holds
 * everything back until a throttle has passed. All of it is remembered across evictions and crashes.
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #waiting: Record<Lane, Waiting[]> = { interactive: [], webhook: [], background: [], upkeep: [] };
  #open = 0;
  #blockedUntilMs: number;
  #strikes: number;
  #backOffMs = 0;

  constructor(options: GateOptions) {
    this.#options = options;
    const throttle = readFact(options.store, THROTTLE);
    this.#blockedUntilMs = throttle?.blockedUntilMs ?? 0;
    this.#strikes = throttle?.strikes ?? 0;
  }

  /**
   * Runs `call` once a place is free and nothing holds it back. Fails without calling: with `throttled`
   * when what holds it back lasts longer than is worth sitting out, or the app's quota is used up; with
   * `unavailable` while the provider is known to be down.
   */
  async pass<T>(lane: Lane, { weight, calls }: Load, call: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    const { maxConcurrent, openCalls, window, permits, now } = this.#options;
    const places = Math.min(Math.max(1, weight), maxConcurrent);
    // Not in the queue: what waits for the calls of a former life must not keep lighter calls from passing.
    const haunted = await this.#sitOut(() => openCalls.fewerAt(maxConcurrent - places));
    if (!haunted.ok) return haunted;
    await this.#enter(lane, places);
    try {
      const clearAt = () => Math.max(this.#blockedUntilMs, window.roomAt(calls));
      // Everything is looked at in one breath, and the call leaves in it: while it waits for one thing, another
      // may change. A throttle comes, or a call that waited for the same room is faster.
      while (clearAt() > now() || !permits.spend(calls, UNASKED.has(lane))) {
        // oxlint-disable-next-line no-await-in-loop
        const cleared = await (clearAt() > now()
          ? this.#sitOut(clearAt)
          : permits.obtain(calls, UNASKED.has(lane)));
        if (!cleared.ok) return cleared;
      }
      window.note(calls);
      openCalls.remember(this.#open);
      return await call();
    } finally {
      this.#leave(places);
    }
  }

  /** Waits until the instant that `until` names, as often as it names a later one; fails when that is too long. */
  async #sitOut(until: () => number): Promise<Outcome<void>> {
    const { now, sleep } = this.#options;
    for (;;) {
      const retryAtMs = until();
      const waitMs = retryAtMs - now();
      if (waitMs <= 0) return ok(undefined);
      if (waitMs > LONGEST_WAIT_MS) {
        return fail({ kind: 'throttled', scope: 'user', retryAtMs, unsent: true });
      }
      // oxlint-disable-next-line no-await-in-loop
      await sleep(waitMs);
    }
  }

  /**
   * Holds every call back after a throttle: until the provider's own minimum, and on top of it a
   * back-off that grows while throttles follow each other.
   */
  holdBack({ retryAtMs }: { retryAtMs?: number }): void {
    const { now, random, store } = this.#options;
    // Calls that were under way together are refused together, and a refusal may be told twice: one strike.
    if (now() >= this.#blockedUntilMs) {
      this.#strikes += 1;
      this.#backOffMs = backOffMs(this.#strikes, random);
    }
    const untilMs = Math.max(retryAtMs ?? 0, now()) + this.#backOffMs;
    if (untilMs <= this.#blockedUntilMs) return;
    this.#blockedUntilMs = untilMs;
    writeFact(store, THROTTLE, { blockedUntilMs: this.#blockedUntilMs, strikes: this.#strikes });
  }

  /** It has been quiet for a while: what is remembered of open calls is put right. */
  settle(): void {
    if (this.#open === 0) this.#options.openCalls.settle();
  }

  /** A call went through: the next throttle starts from the beginning. */
  relax(): void {
    if (this.#strikes === 0 || this.#blockedUntilMs > this.#options.now()) return;
    this.#strikes = 0;
    writeFact(this.#options.store, THROTTLE, { blockedUntilMs: this.#blockedUntilMs, strikes: 0 });
  }

  /** Resolves when the places are taken. The head of the most urgent lane goes first, so a heavy call is not starved. */
  #enter(lane: Lane, places: number): Promise<void> {
    return new Promise((enter) => {
      this.#waiting[lane].push({ places, enter });
      this.#admit();
    });
  }

  #leave(places: number): void {
    this.#open -= places;
    this.#admit();
  }

  #admit(): void {
    for (;;) {
      const lane = LANES.find((candidate) => this.#waiting[candidate].length > 0);
      const next = lane === undefined ? undefined : this.#waiting[lane][0];
      if (lane === undefined || next === undefined) return;
      const { maxConcurrent, openCalls } = this.#options;
      if (this.#open + openCalls.ghosts() + next.places > maxConcurrent) return;
      this.#waiting[lane].shift();
      this.#open += next.places;
      next.enter();
    }
  }
}
