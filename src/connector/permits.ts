import { fail, ok, type Outcome } from '../domain/failure.ts';
import type { Lease, LeaseRequest } from '../domain/lease.ts';
import type { Tallies } from './tallies.ts';
import { backOffMs } from './verdict.ts';

/** The most permits asked for at once. */
const MOST_AT_ONCE = 64;
/** Trouble at the provider is reported no more often than this. */
const REPORT_PAUSE_MS = 5_000;
/** How long calls go on without permits when nobody answers who could give them. */
const UNANSWERED_MS = 5_000;
/** A throttle of the whole app of which the provider does not say how long it lasts. */
const APP_THROTTLE_MS = 30_000;
const SHORTEST_THROTTLE_MS = 1_000;
/** After so long without a call, what is left goes back. Longer would keep the object awake for nothing. */
const QUIET_MS = 1_000;

interface Refusal {
  retryAtMs: number;
  isDown: boolean;
}

/** What permits are made of. */
export interface PermitsOptions {
  connectorId: string;
  /** Asks the object that all connectors of this app share; throws when it cannot be reached. */
  ask: (request: LeaseRequest) => Promise<Lease>;
  /** What is counted of the connector's work goes along. */
  tallies: Pick<Tallies, 'take' | 'putBack' | 'isEmpty'>;
  now: () => number;
  /** Uniform in [0, 1). */
  random: () => number;
  sleep: (ms: number) => Promise<void>;
  onError: (where: string, thrown: unknown) => void;
  /** The connector has fallen quiet. */
  onQuiet: () => void;
}

/**
 * The calls that the app as a whole allows this connector: leased in batches that grow with use, so that a
 * busy connector asks rarely and a quiet one takes little; what is left when it falls quiet goes back. How
 * the provider answers goes along; while the provider is known to be down, no call is allowed but the single
 * probe.
 */
export class Permits {
  readonly #options: PermitsOptions;
  #left = 0;
  #untilMs = 0;
  #giveBack = 0;
  #size = 1;
  #health = { successes: 0, failures: 0 };
  /** The provider has throttled the app as a whole: no call here before then. */
  #throttledUntilMs = -Infinity;
  /** Until when the provider said so, while the app is yet to be told. */
  #throttleToTellMs = -Infinity;
  #isProbing = false;
  #reportedAtMs = 0;
  #unansweredUntilMs = 0;
  /** Why there were none at last, by whether somebody had asked for the calls. */
  readonly #refused: Record<'asked' | 'unasked', Refusal | undefined> = {
    asked: undefined,
    unasked: undefined,
  };
  #asking: Promise<void> | undefined;
  #busyAtMs = 0;
  #isWatching = false;

  constructor(options: PermitsOptions) {
    this.#options = options;
  }

  /**
   * Spends permits on `calls` that leave now; false: there are too few, or none for those that nobody has asked for:
   * `obtain` them. Where nobody answers who could give permits, calls go on without: the provider's own limits hold.
   */
  spend(calls: number, isUnasked = false): boolean {
    this.touch();
    this.#dropLapsed();
    if (this.#isThrottled || (isUnasked && this.#refusalOf(true) !== undefined)) return false;
    if (this.#left >= calls) {
      this.#left -= calls;
      // A probe is one call, however many permits came with it.
      if (this.#isProbing) this.#drop();
      return true;
    }
    return this.#options.now() < this.#unansweredUntilMs;
  }

  /**
   * Asks for permits for `calls`; others may have spent them by the time it resolves. Fails with `throttled`
   * (the app's quota is used up, for `isUnasked` calls: but for what is left to others) or `unavailable` (the
   * provider is down), each with when to ask again.
   */
  async obtain(calls: number, isUnasked = false): Promise<Outcome<void>> {
    // Whoever comes meanwhile waits for the same answer.
    if (this.#refusalOf(isUnasked) === undefined) {
      this.#asking ??= this.#lease(calls, isUnasked).finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
    }
    const refused = this.#refusalOf(isUnasked);
    if (refused === undefined) return ok(undefined);
    const { retryAtMs, isDown } = refused;
    return isDown
      ? fail({ kind: 'unavailable', ambiguous: false, retryAtMs, unsent: true })
      : fail({ kind: 'throttled', scope: 'app', retryAtMs, unsent: true });
  }

  /** Why there are none at present. What is refused to everybody is to those whom nobody has asked, too. */
  #refusalOf(isUnasked: boolean): Refusal | undefined {
    const { asked, unasked } = this.#refused;
    const nowMs = this.#options.now();
    const throttle = { retryAtMs: this.#throttledUntilMs, isDown: false };
    return [throttle, asked, isUnasked ? unasked : undefined].find(
      (refusal) => refusal !== undefined && nowMs < refusal.retryAtMs,
    );
  }

  /** How the provider has answered a call. Trouble, and what a probe has found, are told at once. */
  note(isUp: boolean): void {
    const { now } = this.#options;
    this.touch();
    if (isUp) this.#health.successes += 1;
    else this.#health.failures += 1;
    const isNews = !isUp && now() - this.#reportedAtMs >= REPORT_PAUSE_MS;
    if (!isNews && !this.#isProbing) return;
    this.#isProbing = false;
    this.#reportedAtMs = now();
    void this.#request(0);
  }

  /**
   * The provider has throttled the app as a whole: told at once, so that no other connector runs into it. No call is
   * allowed before that has passed; what was leased goes back.
   */
  noteAppThrottle({ retryAtMs }: { retryAtMs?: number }): void {
    const { now } = this.#options;
    this.touch();
    const untilMs = Math.max(retryAtMs ?? now() + APP_THROTTLE_MS, now() + SHORTEST_THROTTLE_MS);
    this.#throttleToTellMs = Math.max(this.#throttleToTellMs, untilMs);
    this.#throttledUntilMs = Math.max(this.#throttledUntilMs, untilMs);
    this.#drop();
    void this.#request(0);
  }

  /** Another connector has met a throttle of the whole app. Not all of them begin again at the same instant. */
  #hearOfThrottle(untilMs: number): void {
    if (untilMs > this.#throttledUntilMs)
      this.#throttledUntilMs = untilMs + backOffMs(1, this.#options.random);
    this.#drop();
  }

  get #isThrottled(): boolean {
    return this.#options.now() < this.#throttledUntilMs;
  }

  /** Something has happened that is to be reported once the connector falls quiet. */
  touch(): void {
    this.#busyAtMs = this.#options.now();
    if (!this.#isWatching) void this.#reportWhenQuiet();
  }

  async #reportWhenQuiet(): Promise<void> {
    const { now, sleep, tallies } = this.#options;
    this.#isWatching = true;
    for (;;) {
      const waitMs = this.#busyAtMs + QUIET_MS - now();
      if (waitMs <= 0) break;
      // oxlint-disable-next-line no-await-in-loop
      await sleep(waitMs);
    }
    this.#isWatching = false;
    this.#options.onQuiet();
    this.#drop();
    const { successes, failures } = this.#health;
    const hasNews =
      this.#throttleToTellMs > now() || this.#giveBack + successes + failures > 0 || !tallies.isEmpty;
    if (hasNews) await this.#request(0);
  }

  #dropLapsed(): void {
    if (this.#left > 0 && this.#options.now() >= this.#untilMs) this.#drop();
  }

  /** Fewer permits were needed than asked for: the next lease is a smaller one. */
  #drop(): void {
    if (this.#left > 0) this.#size = Math.max(1, Math.floor(this.#size / 2));
    this.#giveBack += this.#left;
    this.#left = 0;
    this.#untilMs = 0;
  }

  async #lease(calls: number, isUnasked: boolean): Promise<void> {
    const { now, random } = this.#options;
    const isUsedUp = this.#untilMs > now();
    if (isUsedUp) this.#size = Math.min(this.#size * 2, MOST_AT_ONCE);
    const want = Math.max(this.#size, calls);
    const lease = await this.#request(want, calls, isUnasked);
    if (lease === undefined) {
      this.#unansweredUntilMs = now() + UNANSWERED_MS;
      return;
    }
    const { granted, untilMs, breaker, retryAtMs } = lease;
    this.#left += granted;
    this.#untilMs = untilMs;
    this.#isProbing = granted > 0 && breaker === 'half-open';
    const isShort = this.#left < calls;
    // Fewer than one call needs are of no use: they go back.
    if (isShort) {
      this.#giveBack += this.#left;
      this.#left = 0;
    }
    this.#refused[isUnasked ? 'unasked' : 'asked'] = isShort
      ? {
          // Not all connectors of the app at the same instant.
          retryAtMs: Math.max(retryAtMs ?? 0, now()) + backOffMs(1, random),
          isDown: breaker !== 'closed',
        }
      : undefined;
  }

  /** One request, with all there is to report; undefined when nobody answers. */
  async #request(want: number, need = 0, isUnasked = false): Promise<Lease | undefined> {
    const { connectorId, ask, tallies, now, onError } = this.#options;
    const [health, giveBack, tally] = [this.#health, this.#giveBack, tallies.take()];
    const throttledUntilMs = this.#throttleToTellMs;
    this.#health = { successes: 0, failures: 0 };
    this.#giveBack = 0;
    this.#throttleToTellMs = -Infinity;
    try {
      const lease = await ask({
        connectorId,
        want,
        need,
        isUnasked,
        giveBack,
        health,
        tally,
        ...(throttledUntilMs > now() && { throttledUntilMs }),
      });
      // What was leased before the provider went down is not for calls now.
      if (lease.breaker === 'open') this.#drop();
      if (lease.throttledUntilMs !== undefined) this.#hearOfThrottle(lease.throttledUntilMs);
      return lease;
    } catch (thrown) {
      this.#giveBack += giveBack;
      this.#throttleToTellMs = Math.max(this.#throttleToTellMs, throttledUntilMs);
      this.#health.successes += health.successes;
      this.#health.failures += health.failures;
      tallies.putBack(tally);
      onError('lease of permits', thrown);
      return undefined;
    }
  }
}
