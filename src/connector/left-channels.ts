import type { Failure } from '../domain/failure.ts';
import type { Agenda } from './agenda.ts';
import type { Channels } from './channels.ts';
import { inTime } from './in-time.ts';

const MINUTE_MS = 60_000;
/** What a crash cuts off, or what has failed, is tried again after so long. */
const RETRY_MS = 10 * MINUTE_MS;
/** How long a disconnect waits for them to close; what is left ends by itself. */
const LONGEST_RELEASE_MS = 10_000;

/** What closing is made of. */
export interface LeftChannelsOptions {
  channels: Pick<Channels, 'tend' | 'closeAll' | 'nextDueAt'>;
  agenda: Pick<Agenda, 'hasten' | 'schedule' | 'strike'>;
  now: () => number;
  /** Why nothing may be asked of the account now, if so. */
  obstacle: () => Failure | undefined;
}

/** The channels of a mirror that is kept no more: closed, for they tell of changes that nobody reads. */
export class LeftChannels {
  readonly #options: LeftChannelsOptions;

  constructor(options: LeftChannelsOptions) {
    this.#options = options;
  }

  /** Puts what is left on the agenda; costs nothing where there is nothing. */
  plan(): void {
    const { channels, agenda, now } = this.#options;
    if (channels.nextDueAt() !== undefined) agenda.hasten('channels', now());
  }

  /** They are due. */
  async close(): Promise<void> {
    const { channels, agenda, now, obstacle } = this.#options;
    if (obstacle() !== undefined) return agenda.strike('channels');
    agenda.schedule('channels', now() + RETRY_MS);
    const failure = await channels.tend([]);
    const nextMs = failure === undefined ? channels.nextDueAt() : now() + RETRY_MS;
    if (nextMs === undefined) agenda.strike('channels');
    else agenda.schedule('channels', nextMs);
  }

  /** The account is about to be given up. */
  async release(): Promise<void> {
    const { channels, obstacle } = this.#options;
    if (obstacle() === undefined) await inTime(channels.closeAll(), LONGEST_RELEASE_MS, () => undefined);
  }
}
