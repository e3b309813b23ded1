import {
  addTally,
  count,
  createTally,
  isEmptyTally,
  observe,
  statusClassOf,
  type Tally,
} from '../domain/tally.ts';
import { type MetricEvent, tallyEvent } from '../metrics.ts';
import type { Lane } from './gate.ts';

/**
 * What is counted of a connector's work until it is reported. In memory: a figure that a crash takes along is
 * no loss worth a row.
 */
export class Tallies {
  #tally: Tally = createTally();

  /** Something has happened. */
  note(event: MetricEvent): void {
    tallyEvent(this.#tally, event);
  }

  /** A call to the provider has ended; no `status`: without a reply. */
  noteCall(status: number | undefined, ms: number): void {
    observe(this.#tally, 'providerCalls', { status: statusClassOf(status) }, ms);
  }

  /** A call has stood at the gate for so long. */
  noteWait(lane: Lane, ms: number): void {
    observe(this.#tally, 'gateWaits', { lane }, ms);
  }

  /** The provider has throttled: this account, or all of the app. */
  noteThrottle(scope: 'user' | 'app'): void {
    count(this.#tally, 'rateLimitHits', { scope });
  }

  /** True when there is nothing to report. */
  get isEmpty(): boolean {
    return isEmptyTally(this.#tally);
  }

  /** What has been counted since the last time. */
  take(): Tally {
    const taken = this.#tally;
    this.#tally = createTally();
    return taken;
  }

  /** What was taken did not arrive. */
  putBack(taken: Tally): void {
    addTally(this.#tally, taken);
  }
}
