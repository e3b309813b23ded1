import type { Failure } from '../domain/failure.ts';
import type { PushNotice } from '../providers/provider-sync.ts';
import type { Agenda } from './agenda.ts';
import type { BackgroundWork } from './background-work.ts';
import type { Announcement, Channels } from './channels.ts';
import { inTime } from './in-time.ts';
import { backOffMs } from './verdict.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
/** Tending that takes longer is looked after by the alarm: only a crash makes it so. */
const WATCH_MS = 2 * MINUTE_MS;
/** Nobody waits for a channel: the first retry is as late as if so many attempts had failed before. */
const FAILURES_AHEAD = 5;
/** How long a disconnect waits for the channels to close; what is left of them ends by itself. */
const LONGEST_RELEASE_MS = 10 * SECOND_MS;

/** What the upkeep of channels is made of. */
export interface ChannelUpkeepOptions extends BackgroundWork {
  channels: Pick<Channels, 'tend' | 'closeAll' | 'nextDueAt' | 'cover' | 'hear' | 'close' | 'reopen'>;
  /** The calendars that are to have a channel now; none, where no mirror is kept: what is left is closed. */
  wanted: () => string[];
  agenda: Pick<Agenda, 'schedule' | 'strike'>;
}

/** When channels are tended to: opened where they are wanted, renewed, and closed where they are wanted no more. */
export class ChannelUpkeep {
  readonly #options: ChannelUpkeepOptions;
  /** When they are on the agenda; undefined: not known. */
  #plannedMs: number | undefined;
  #restUntilMs = -Infinity;
  #failures = 0;
  #isTending = false;
  #isShut = false;

  constructor(options: ChannelUpkeepOptions) {
    this.#options = options;
  }

  /** Puts them on the agenda for when something is to be done about them; costs nothing where they are. */
  plan(): void {
    if (this.#isShut || this.#options.obstacle() !== undefined) return;
    const atMs = this.#nextAt();
    // Who is tending to them plans anew.
    if (atMs !== undefined && atMs !== this.#plannedMs && !this.#isTending) this.#put(atMs);
  }

  /** They have told something: what that means for which calendar, of those that are known. */
  hear(notices: readonly PushNotice[]): Announcement[] {
    if (this.#isShut) return [];
    const heard = notices.flatMap((notice) => this.#options.channels.hear(notice) ?? []);
    this.plan();
    return heard;
  }

  /** The account can be reached again. */
  resume(): void {
    if (this.#isShut) return;
    this.#restUntilMs = -Infinity;
    this.#put(this.#options.now());
  }

  /** They are due. Returns at once. */
  due(): void {
    const { now, onError, rearm } = this.#options;
    if (this.#isShut) return;
    this.#put(now() + WATCH_MS);
    if (this.#isTending) return;
    this.#isTending = true;
    this.#tend()
      .catch((thrown: unknown) => onError('channels', thrown))
      .finally(() => {
        this.#isTending = false;
        rearm();
      });
  }

  async #tend(): Promise<void> {
    const { channels, wanted, now, obstacle, onFailure } = this.#options;
    // Looked at again when the person has connected anew.
    if (obstacle() !== undefined) return this.#put(undefined);
    const failure = await channels.tend(wanted());
    if (this.#isShut) return;
    if (failure !== undefined) onFailure(failure);
    this.#failures = failure === undefined ? 0 : this.#failures + 1;
    this.#restUntilMs = failure === undefined ? now() + SECOND_MS : this.#retryAt(failure);
    this.#put(this.#nextAt());
  }

  #retryAt(failure: Failure): number {
    const { now, random } = this.#options;
    const namedMs = 'retryAtMs' in failure ? (failure.retryAtMs ?? 0) : 0;
    return Math.max(now() + MINUTE_MS, namedMs) + backOffMs(this.#failures + FAILURES_AHEAD, random);
  }

  #nextAt(): number | undefined {
    const { channels, wanted, now } = this.#options;
    const nextMs = channels.cover(wanted()) ? channels.nextDueAt() : now();
    return nextMs === undefined ? undefined : Math.max(nextMs, this.#restUntilMs);
  }

  #put(atMs: number | undefined): void {
    const { agenda } = this.#options;
    this.#plannedMs = atMs;
    if (atMs === undefined) agenda.strike('channels');
    else agenda.schedule('channels', atMs);
  }

  /** The account is about to be given up: they are closed. */
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
