/** Retries that may be made at once, before any call has gone well. */
const RESERVE = 3;
/** What a call that goes well adds: retries are at most a tenth of the calls. */
const PER_SUCCESS = 0.1;
const MOST = 10;

/**
 * How many prompt retries a connector may make: a tenth of its calls, and a few to begin with. In an outage
 * the rest is tried ever more rarely, so that retries do not keep a provider down. In memory: a life that
 * begins anew begins with the reserve.
 */
export class RetryBudget {
  #left = RESERVE;

  /** A call has gone well. */
  earn(): void {
    this.#left = Math.min(MOST, this.#left + PER_SUCCESS);
  }

  /** Spends one retry; false when there is none. */
  spend(): boolean {
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
