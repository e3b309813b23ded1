import type { Failure } from '../domain/failure.ts';
import type { PushNotice } from '../providers/provider-sync.ts';
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
  channels: Pick<Channels, 'tend' | 'closeAll' | 'nextDueAt' | 'cover' | 'hear' | 'close' | 'reopen'>;
  agenda: Pick<Agenda, 'hasten' | 'schedule' | 'strike'>;
  now: () => number;
  onError: (where: string, thrown: unknown) => void;
  /** Why nothing may be asked of the account now, if so. */
  obstacle: () => Failure | undefined;
  /** Closing has failed in a way that may concern the whole connector. */
  onFailure: (failure: Failure) => void;
  /** The next due time may have changed. */
  rearm: () => void;
}

/** The channels of a mirror that is kept no more: closed, for they tell of changes that nobody reads. */
export class LeftChannels {
  readonly #options: LeftChannelsOptions;
  #restUntilMs = -Infinity;
  #isClosing = false;
  #isShut = false;

  constructor(options: LeftChannelsOptions) {
    this.#options = options;
  }

  /** Puts what is left on the agenda; costs nothing where there is nothing. */
  plan(): void {
    const { channels, agenda, now } = this.#options;
    const nextMs = channels.nextDueAt();
    if (nextMs === undefined || this.#isClosing) return;
    // Of those that may not even be open it is waited what they say.
    const dueAtMs = channels.cover([]) ? nextMs : now();
    agenda.hasten('channels', Math.max(dueAtMs, this.#restUntilMs));
  }

  /** One of them has told something: by that it may be known for the first time that it is open. */
  hear(notices: readonly PushNotice[]): void {
    for (const notice of notices) this.#options.channels.hear(notice);
    this.plan();
  }

  /** They are due. Returns at once. */
  closeDue(): void {
    const { agenda, now, onError, rearm, obstacle } = this.#options;
    if (this.#isShut) return;
    // Looked at again when the person has connected anew.
    if (obstacle() !== undefined) return agenda.strike('channels');
    agenda.schedule('channels', now() + RETRY_MS);
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#close()
      .catch((thrown: unknown) => onError('channels', thrown))
      .finally(() => {
        this.#isClosing = false;
        rearm();
      });
  }

  async #close(): Promise<void> {
    const { channels, agenda, now, onFailure } = this.#options;
    const failure = await channels.tend([]);
    if (this.#isShut) return;
    if (failure !== undefined) onFailure(failure);
    const namedMs = failure !== undefined && 'retryAtMs' in failure ? (failure.retryAtMs ?? 0) : 0;
    this.#restUntilMs = failure === undefined ? -Infinity : Math.max(now() + RETRY_MS, namedMs);
    const nextMs = channels.nextDueAt();
    if (nextMs === undefined) agenda.strike('channels');
    else agenda.schedule('channels', Math.max(nextMs, this.#restUntilMs));
  }

  /** The account is about to be given up. */
  async release(): Promise<void> {
    const { channels, obstacle } = this.#options;
    if (obstacle() === undefined) await inTime(channels.closeAll(), LONGEST_RELEASE_MS, () => undefined);
  }

  /** The storage is about to go: nothing is written any more. */
  shut(): void {
    this.#isShut = true;
    this.#options.channels.close();
  }

  /** The storage stayed after all. */
  reopen(): void {
    this.#isShut = false;
    this.#options.channels.reopen();
  }
}
