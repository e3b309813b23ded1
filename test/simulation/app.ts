import type { BreakerSettings, Lease, LeaseRequest, WindowLimit } from '../../src/domain/lease.ts';
import { ProviderApp } from '../../src/provider-app/provider-app.ts';
import { createShelf } from '../provider-app/memory-shelf.ts';
import { CallCount } from './call-count.ts';
import type { Scheduler } from './scheduler.ts';
import type { Blame } from './verdicts.ts';

/** What the provider app of a world is made of. */
export interface SimulatedAppOptions {
  /** The calls of all connectors together; absent: more than a world can make. */
  limit?: WindowLimit;
  breaker: BreakerSettings;
  scheduler: Scheduler;
  note: (label: string) => void;
  blame: Blame;
}

const AMPLE: WindowLimit = { limit: 1_000_000, windowMs: 600_000 };

/**
 * What all connectors of a world share at their provider: the real core on shelves that outlive it. It may
 * be evicted at any time, and it watches that no more calls leave than were allowed.
 */
export class SimulatedApp {
  readonly #options: SimulatedAppOptions;
  readonly #shelves = {
    quota: createShelf(),
    breaker: createShelf(),
    throttle: createShelf(),
    'roll-up': createShelf(),
  };
  readonly #count: CallCount;
  #core: ProviderApp | undefined;

  constructor(options: SimulatedAppOptions) {
    this.#options = options;
    this.#count = new CallCount(options.limit ?? AMPLE, options.scheduler.now);
  }

  /** Whether its limit can be met: then nobody may go on without it. */
  get isLimited(): boolean {
    return this.#options.limit !== undefined;
  }

  /** Takes a report in, and grants permits. */
  lease(request: LeaseRequest): Lease {
    const { note } = this.#options;
    this.#core ??= this.#open();
    const lease = this.#core.lease(request);
    const { granted, breaker } = lease;
    note(`the app grants ${request.connectorId} ${granted} of ${request.want}, breaker ${breaker}`);
    return lease;
  }

  /** What it has in memory is gone. */
  evict(): void {
    if (this.#core === undefined) return;
    this.#options.note('the app is evicted');
    this.#core = undefined;
  }

  /** A call of a connector leaves, which counts as so many. */
  noteCall(calls: number): void {
    const excess = this.#count.add(calls);
    if (excess !== undefined) this.#options.blame('app-limit', excess);
  }

  #open(): ProviderApp {
    const { limit = AMPLE, breaker, scheduler, note } = this.#options;
    const core: ProviderApp = new ProviderApp({
      window: limit,
      breaker,
      shelves: this.#shelves,
      now: scheduler.now,
      later: (ms, work) => {
        scheduler.after(ms, '', () => {
          if (this.#core === core) work();
        });
      },
      onBreaker: (state) => note(`the breaker is ${state}`),
    });
    return core;
  }
}
