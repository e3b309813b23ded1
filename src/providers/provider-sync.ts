import type { WorkingHours } from '../domain/availability.ts';
import type { Outcome } from '../domain/failure.ts';
import type { Interval } from '../domain/interval.ts';
import type { MirroredCalendar, MirroredEvent } from '../domain/mirror.ts';
import type { Access } from './provider.ts';

/** The account's calendars, and the working hours that the provider knows its person by. */
export interface CalendarList {
  calendars: MirroredCalendar[];
  workingHours?: WorkingHours[];
}

/** What is to be read of one calendar. */
export interface ChangesRequest {
  calendar: MirroredCalendar;
  /** Where an earlier reading came to, opaque. Absent: the calendar as it is, all of `window`. */
  position?: string;
  /** What is to be covered at least. Counts where `position` is absent. */
  window: Interval;
  /** By how much the page is to be smaller than the provider's pages are otherwise, in events: 1, 2, 4 and so on. */
  divisor: number;
  /** A series of this calendar as it is known from before: what its occurrences do not say is read from it. */
  findSeries: (seriesId: string) => MirroredEvent | undefined;
}

/** One page of what has changed. Nothing in it depends on pages to come; duplicates and replays are harmless. */
export interface ChangesPage {
  /** New or changed, whole. An event that has left the window may be among them. */
  events: MirroredEvent[];
  /**
   * Ids of what is gone: with a series, all its occurrences. An id may be unknown here. To be applied before `events`,
   * which may tell the same id anew: so a series is told whose occurrences are others now.
   */
  removed: string[];
  /** Where the next reading begins. */
  position: string;
  /** Everything until the time of this call has been told: the next reading tells what changes from now on. */
  isComplete: boolean;
}

/** Where the provider is to tell of changes of one calendar. */
export interface WatchRequest {
  calendarId: string;
  /** A fresh name for the channel. */
  channelId: string;
  /** The URL that is called. */
  address: string;
  /** Comes back with every notification; 64 characters at most, letters and digits. */
  secret: string;
  lifetimeMs: number;
}

/** A channel through which the provider tells of changes. */
export interface Watch {
  /** What the provider calls it: notifications carry it. */
  watchId: string;
  /** What else its provider needs to stop it. */
  resourceId?: string;
  expiresAtMs: number;
}

/** What one notification says. None says what has changed. */
export interface PushNotice {
  watchId: string;
  /** As `Watch` has it, where the notification tells it. */
  resourceId?: string;
  /** What the watch was made with: whoever does not know it is not the provider. */
  secret: string;
  /**
   * `changed`: read the changes; `hello`: the channel has begun; `missed`: notifications were lost; `renew`: it
   * wants to be renewed now; `ended`: it tells no more.
   */
  kind: 'changed' | 'hello' | 'missed' | 'renew' | 'ended';
  /** Rises from one notification of a watch to the next, with gaps; where the provider counts them. */
  number?: number;
}

/** A call of the webhook as it came. Names of headers are lower-case. */
export interface PushCall {
  headers: ReadonlyMap<string, string>;
  query: URLSearchParams;
  body: string;
}

/** What a call of the webhook is: a question to be answered with this text, or notifications. */
export type PushReading = { answer: string } | { notices: PushNotice[] };

/** How a provider tells what has changed since. Nothing here retries. */
export interface ProviderSync {
  /** Reads the calendar list, those that do not count included. All or nothing. */
  readCalendars(access: Access): Promise<Outcome<CalendarList>>;
  /**
   * Reads the next page of each of several calendars, in batches where there are several. Each has its own outcome, at its
   * own place. Fails with `cursor-expired` when `position` is no longer known: the calendar is to be read anew;
   * with `not-found` when the calendar is gone, with `unsupported` where the provider tells no changes of it.
   */
  readChanges(requests: readonly ChangesRequest[], access: Access): Promise<Outcome<ChangesPage>[]>;
  /** Opens a channel. Fails with `unsupported` where the provider offers none for this calendar or address. */
  watch(request: WatchRequest, access: Access): Promise<Outcome<Watch>>;
  /** Gives a channel a longer life; absent where only a new channel will do. `not-found`: it is gone. */
  renewWatch?(watch: Watch, lifetimeMs: number, access: Access): Promise<Outcome<Watch>>;
  /** Closes a channel; success when it was gone. */
  stopWatch(watch: Watch, access: Access): Promise<Outcome<void>>;
  /** The longest life of a channel that is worth asking for. */
  readonly watchLifetimeMs: number;
  /** Reads a call of the webhook, pure. Undefined: it is no notification of this provider. */
  readPush(call: PushCall): PushReading | undefined;
}
