import type { Tally } from './tally.ts';

/** `closed`: calls may go; `open`: none may; `half-open`: one at a time may, to see whether the provider is back. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** What a connector's calls since its last request say about the provider as a whole. */
export interface Health {
  /** Calls that the provider answered, whatever it said. */
  successes: number;
  /** Calls that failed in a provider-wide way: 5xx, network, time-out. */
  failures: number;
}

/** What a connector asks of the provider app: permits, one for each call that it is about to make. */
export interface LeaseRequest {
  connectorId: string;
  /** Permits wanted; 0 only reports. */
  want: number;
  /** Of those, the ones that the call at hand takes, which may be a batch of many: what a probe gets. */
  need: number;
  /** Nobody waits for these calls: they leave a part of the limit to those that somebody has asked for. */
  isUnasked: boolean;
  /** Permits of earlier leases that were not used, and will not be. */
  giveBack: number;
  health: Health;
  /** The provider has throttled the app as a whole until then, epoch milliseconds. */
  throttledUntilMs?: number;
  /** What was counted since the last request. */
  tally: Tally;
}

/** What the provider app answers. */
export interface Lease {
  /** Permits granted, from 0 to `want`. */
  granted: number;
  /** When the granted permits lapse, epoch milliseconds; at most 60 seconds ahead. */
  untilMs: number;
  breaker: BreakerState;
  /** The provider has throttled the app as a whole until then, epoch milliseconds: what was leased before is not for now. */
  throttledUntilMs?: number;
  /** When to ask again, epoch milliseconds; there whenever fewer permits are granted than wanted. */
  retryAtMs?: number;
}

/** How one shard of a provider app stands. */
export interface ShardReport {
  breaker: BreakerState;
  /** The permits of one window. */
  limit: number;
  /** The permits that could be granted now. */
  remaining: number;
  /** All that connectors reported to this shard since it exists, as it is stored: it never decreases. */
  tally: Tally;
}

/** How many permits one app registration has in all, in any window of `windowMs`. */
export interface WindowLimit {
  limit: number;
  windowMs: number;
}

/** When a breaker opens and closes. */
export interface BreakerSettings {
  /** How far back reports count. */
  windowMs: number;
  /** At least so many connectors must have failed, 2 or more: one alone never opens it. */
  failingConnectors: number;
  /** At least this share of the reported calls must have failed, 0 to 1, the loudest connector left out. */
  failingShare: number;
  /** How long it is open at first; doubled while probes fail, up to `maxOpenMs`. */
  openMs: number;
  maxOpenMs: number;
  /** How long a probe may be out before another may go. */
  probeMs: number;
}
