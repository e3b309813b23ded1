import type {
  BreakerSettings,
  BreakerState,
  Health,
  Lease,
  LeaseRequest,
  ShardReport,
  WindowLimit,
} from '../domain/lease.ts';
import { count, createTally } from '../domain/tally.ts';
import { AppThrottle } from './app-throttle.ts';
import { Breaker } from './breaker.ts';
import { Quota } from './quota.ts';
import { RollUp } from './roll-up.ts';
import type { Shelf } from './shelf.ts';

/** The most permits of one lease. */
const MOST_PERMITS = 1_000;
/** Of the limit, so much is kept from calls that nobody has asked for: what the worker does of itself takes the rest at most. */
const KEPT_FOR_ASKED = 0.4;
/** The roll-up is written down at most this often. */
export const FLUSH_MS = 5_000;

/** What a provider app is made of. */
export interface ProviderAppParts {
  /** This shard's part of the app's limit. */
  window: WindowLimit;
  breaker: BreakerSettings;
  shelves: Record<'quota' | 'breaker' | 'throttle' | 'roll-up', Shelf>;
  now: () => number;
  /** Calls `work` once, `ms` from now; what is not called because of a kill is not missed. */
  later: (ms: number, work: () => void) => void;
  /** The breaker has changed its state. */
  onBreaker: (state: BreakerState) => void;
}

/** What all connectors of one app registration (and shard) share: its quota, its breaker, its figures. */
export class ProviderApp {
  readonly #parts: ProviderAppParts;
  readonly #quota: Quota;
  readonly #breaker: Breaker;
  readonly #throttle: AppThrottle;
  readonly #rollUp: RollUp;
  #state: BreakerState;
  #isScheduled = false;
  #lastLeaseMs = 0;
  #flushedAtMs = -Infinity;

  constructor(parts: ProviderAppParts) {
    this.#parts = parts;
    this.#quota = new Quota(parts.window, parts.shelves.quota);
    this.#breaker = new Breaker(parts.breaker, parts.shelves.breaker);
    this.#throttle = new AppThrottle(parts.shelves.throttle);
    this.#rollUp = new RollUp(parts.shelves['roll-up']);
    this.#state = this.#breaker.state(parts.now());
  }

  /** Takes a connector's report in, then grants it what the breaker and the window allow. */
  lease(request: LeaseRequest): Lease {
    const { connectorId, want, need, isUnasked, giveBack, health, throttledUntilMs = 0, tally } = request;
    const nowMs = this.#parts.now();
    this.#lastLeaseMs = nowMs;
    this.#throttle.note(wholeOf(throttledUntilMs), nowMs);
    const returned = this.#quota.giveBack(connectorId, wholeOf(giveBack), nowMs);
    this.#breaker.report(connectorId, wholeHealth(health), wholeOf(giveBack), nowMs);
    const most = Math.min(wholeOf(want), MOST_PERMITS);
    const call = Math.min(Math.max(1, wholeOf(need)), most);
    const lease = this.#grant(connectorId, { want: most, call, asked: want, isUnasked }, nowMs);
    const own = createTally();
    if (lease.granted > 0) count(own, 'permitsGranted', {}, lease.granted);
    if (returned > 0) count(own, 'permitsReturned', {}, returned);
    this.#rollUp.add(tally);
    this.#rollUp.add(own);
    this.#noteState(lease.breaker);
    this.#schedule();
    return lease;
  }

  /** How this shard stands. Its totals are written down first, unless that was a moment ago. */
  report(): ShardReport {
    const nowMs = this.#parts.now();
    if (nowMs - this.#flushedAtMs >= FLUSH_MS) this.#flush(nowMs);
    const breaker = this.#breaker.state(nowMs);
    this.#noteState(breaker);
    return {
      breaker,
      limit: this.#parts.window.limit,
      remaining: this.#quota.remaining(nowMs),
      tally: this.#rollUp.totals,
    };
  }

  #grant(
    connectorId: string,
    { want, call, asked, isUnasked }: { want: number; call: number; asked: number; isUnasked: boolean },
    nowMs: number,
  ): Lease {
    const kept = isUnasked ? Math.ceil(this.#parts.window.limit * KEPT_FOR_ASKED) : 0;
    const admission = this.#breaker.admit(nowMs);
    const untilMs = nowMs + this.#quota.leaseMs;
    const throttledUntilMs = this.#throttle.endsAtMs(nowMs);
    if (want === 0 || throttledUntilMs !== undefined) {
      return {
        granted: 0,
        untilMs,
        breaker: this.#breaker.state(nowMs),
        ...(throttledUntilMs !== undefined && { throttledUntilMs, retryAtMs: throttledUntilMs }),
      };
    }
    switch (admission.most) {
      case 'none': {
        const { retryAtMs } = admission;
        return { granted: 0, untilMs, breaker: this.#breaker.state(nowMs), retryAtMs };
      }
      case 'one': {
        const { granted, retryAtMs } = this.#quota.take(connectorId, call, nowMs, kept);
        if (granted > 0) this.#breaker.probe(connectorId, admission.lapsesAtMs, nowMs);
        return {
          granted,
          untilMs: Math.min(untilMs, admission.lapsesAtMs),
          breaker: 'half-open',
          ...(granted < asked && { retryAtMs: retryAtMs ?? admission.retryAtMs }),
        };
      }
      case 'any': {
        const { granted, retryAtMs } = this.#quota.take(connectorId, want, nowMs, kept);
        // More than one lease may hold: the rest can be had at once.
        return {
          granted,
          untilMs,
          breaker: 'closed',
          ...(granted < asked && { retryAtMs: retryAtMs ?? nowMs }),
        };
      }
    }
  }

  #noteState(state: BreakerState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#parts.onBreaker(state);
  }

  #schedule(): void {
    if (this.#isScheduled || !(this.#rollUp.isBehind || this.#quota.isAhead)) return;
    this.#isScheduled = true;
    this.#parts.later(FLUSH_MS, () => {
      this.#isScheduled = false;
      const nowMs = this.#parts.now();
      this.#flush(nowMs);
      this.#quota.forget(nowMs);
      // While leases come, the reserve is about to be used: it is taken back when they stop.
      if (nowMs - this.#lastLeaseMs >= FLUSH_MS) this.#quota.settle();
      this.#schedule();
    });
  }

  #flush(nowMs: number): void {
    if (this.#rollUp.isBehind) this.#flushedAtMs = nowMs;
    this.#rollUp.flush();
  }
}

function wholeOf(amount: number): number {
  return Number.isFinite(amount) ? Math.max(0, Math.floor(amount)) : 0;
}

function wholeHealth({ successes, failures }: Health): Health {
  return { successes: wholeOf(successes), failures: wholeOf(failures) };
}
