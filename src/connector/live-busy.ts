import { type AvailabilityQuestion, type BusyReport, DEFAULT_STALENESS_MS } from '../domain/availability.ts';
import type { Outcome } from '../domain/failure.ts';
import type { Provider } from '../providers/provider.ts';
import type { Account } from './account.ts';
import type { Lane } from './gate.ts';

/** What the provider says, or why it says nothing, as of the instant before it was first called (epoch milliseconds). */
export interface LiveReading {
  report: Outcome<BusyReport>;
  asOfMs: number;
}

/** A reading that is under way. */
interface Flight {
  asOfMs: number;
  reading: Promise<LiveReading>;
}

/** What reading needs. */
export interface LiveBusyOptions {
  account: Pick<Account, 'use'>;
  provider: Pick<Provider, 'readBusy'>;
  /** Whether a reading of that instant knows of everything that we have written ourselves. */
  isCurrent: (asOfMs: number) => boolean;
  now: () => number;
}

/**
 * Reads busy times from the provider. Whoever asks the same while it is being read shares the reading, as
 * long as that is not staler by then than they can bear, and nothing has been written here since it began.
 */
export class LiveBusy {
  readonly #options: LiveBusyOptions;
  readonly #flights = new Map<string, Flight>();

  constructor(options: LiveBusyOptions) {
    this.#options = options;
  }

  /** What the provider says of a question's range and calendars. */
  async read(
    { range, calendars, maxStalenessMs = DEFAULT_STALENESS_MS }: Omit<AvailabilityQuestion, 'timeZone'>,
    lane: Lane,
  ): Promise<LiveReading> {
    const { account, provider, isCurrent, now } = this.#options;
    const question = { range, ...(calendars !== undefined && { calendars }) };
    // Not across lanes: a caller who waits is not to stand behind what can.
    const key = JSON.stringify([lane, range.startMs, range.endMs, calendars?.toSorted()]);
    const known = this.#flights.get(key);
    const isShared = known !== undefined && now() - known.asOfMs <= maxStalenessMs && isCurrent(known.asOfMs);
    if (isShared) return await known.reading;
    const asOfMs = now();
    const reading = account
      .use(lane, (access) => provider.readBusy(question, access))
      .then((report) => ({ report, asOfMs }))
      .finally(() => {
        if (this.#flights.get(key)?.reading === reading) this.#flights.delete(key);
      });
    this.#flights.set(key, { asOfMs, reading });
    return await reading;
  }
}
