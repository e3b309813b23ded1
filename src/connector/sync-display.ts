import { describeFailure, type Outcome } from '../domain/failure.ts';
import type { SyncStatus } from '../domain/mirror.ts';
import { describeThrown } from '../metrics.ts';
import type { Mirror } from './mirror.ts';

/** A new position alone is shown no more often. */
const POSITION_GRAIN_MS = 60 * 60_000;

/** What showing is made of. */
export interface SyncDisplayOptions {
  mirror: Pick<Mirror, 'calendars'>;
  /** Shows outside how the mirror stands. */
  show: (status: SyncStatus) => Promise<void>;
  now: () => number;
  onError: (where: string, thrown: unknown) => void;
}

/** What a run has come to. */
export interface RunEnd {
  outcome: Outcome<unknown>;
  /** It has found changes. */
  hasFound: boolean;
  /** Runs that have failed in a row, this one included. */
  failedRuns: number;
  /** When the next is due, epoch milliseconds; undefined: not until somebody asks. */
  nextAtMs: number | undefined;
}

/** How the mirror stands, as it is shown outside: where that is other than before, once a run at most. */
export class SyncDisplay {
  readonly #options: SyncDisplayOptions;
  /** How it was last shown to stand, and when. */
  #shown: { state: string; cursor: string | null; atMs: number } | undefined;

  constructor(options: SyncDisplayOptions) {
    this.#options = options;
  }

  /** A run has ended. Never fails: what could not be shown is by the next run. */
  async note({ outcome, hasFound, failedRuns, nextAtMs }: RunEnd): Promise<void> {
    const { mirror, show, now, onError } = this.#options;
    const positions = Object.fromEntries(
      mirror
        .calendars()
        .flatMap(({ calendar, position }) => (position === undefined ? [] : [[calendar.id, position]])),
    );
    const status: SyncStatus = {
      cursor: JSON.stringify(positions),
      status: outcome.ok ? 'idle' : 'error',
      lastError: outcome.ok ? null : describeFailure(outcome.failure).message,
      retryCount: failedRuns,
      nextRetryAtMs: outcome.ok ? null : (nextAtMs ?? null),
    };
    const { cursor, nextRetryAtMs, ...rest } = status;
    const state = JSON.stringify({ ...rest, isRetried: nextRetryAtMs !== null });
    const before = this.#shown;
    // Some providers name another position each time, though there is nothing new.
    const isNews = hasFound || before === undefined || now() - before.atMs >= POSITION_GRAIN_MS;
    if (state === before?.state && (cursor === before.cursor || !isNews)) return;
    try {
      await show(status);
      this.#shown = { state, cursor, atMs: now() };
    } catch (thrown) {
      this.#shown = undefined;
      onError('sync state', describeThrown(thrown));
    }
  }
}
