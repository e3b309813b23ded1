import type { Failure } from '../domain/failure.ts';

/** What everything is given that an actor does of itself, with nobody who waits for it. */
export interface BackgroundWork {
  now: () => number;
  /** Uniform in [0, 1). */
  random: () => number;
  onError: (where: string, thrown: unknown) => void;
  /** Why nothing may be asked of the account now, if so. */
  obstacle: () => Failure | undefined;
  /** Something has failed in a way that may concern the whole connector. */
  onFailure: (failure: Failure) => void;
  /** The next due time may have changed. */
  rearm: () => void;
}
