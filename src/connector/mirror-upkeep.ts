import { fail, type Failure, type Outcome } from '../domain/failure.ts';
import type { PushNotice } from '../providers/provider-sync.ts';
import type { Agenda } from './agenda.ts';
import type { BackgroundWork } from './background-work.ts';
import type { ChannelUpkeep } from './channel-upkeep.ts';
import type { Channels } from './channels.ts';
import { ANNOUNCED, forgetFact, LAST_USE, readFact, writeFact } from './facts.ts';
import type { Lane } from './gate.ts';
import type { CalendarState } from './calendar-book.ts';
import type { Mirror } from './mirror.ts';
import type { Notices } from './notices.ts';
import type { OwnWrites } from './own-writes.ts';
import type { Store } from './store.ts';
import { SyncDisplay, type SyncDisplayOptions } from './sync-display.ts';
import type { SyncReport } from './sync-findings.ts';
import { Sync, type SyncOptions } from './sync.ts';
import { decide } from './verdict.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
/** A run that takes longer is looked after by the alarm: only a crash makes it so. */
const WATCH_MS = 2 * MINUTE_MS;
/** How often is looked for changes where channels tell of them, and where they do not or have gone silent. */
const POLL_HEALTHY_MS = 30 * MINUTE_MS;
const POLL_BLIND_MS = 5 * MINUTE_MS;
/** And for a connector that nobody has used for a day. */
const POLL_IDLE_MS = 24 * HOUR_MS;
const IN_USE_MS = 24 * HOUR_MS;
/** A mirror in use is never older, but for a failure: one that is has slept, or was looked after rarely. */
const SLEPT_MS = 35 * MINUTE_MS;
/** A change that a run finds was told of when its calendar was announced so lately. Less than a poll. */
const ANNOUNCED_MS = 20 * MINUTE_MS;
/** A mirror that nobody has asked for so long is kept up no more, until somebody does. */
const ASLEEP_AFTER_MS = 7 * 24 * HOUR_MS;
/** Runs that notifications bring about are so far apart: the farther, the longer they keep coming. */
const SHORTEST_GAP_MS = 2 * SECOND_MS;
const LONGEST_GAP_MS = MINUTE_MS;
/** After so many failures in a row what nobody uses is tried at the pace of a poll: more often would be no use. */
const PROMPT_RETRIES = 8;
/** What so many questions since the last run have been answered from is read again before it is too old. */
const WORTHWHILE = 2;
const READ_AHEAD_MS = 45 * SECOND_MS;
/** A mirror that is not older is brought up to date for a question, in place of asking apart from it. */
const KEPT_UP_MS = 10 * MINUTE_MS;

/** What the upkeep is made of. */
export interface MirrorUpkeepOptions
  extends Omit<SyncOptions, 'isOwn' | 'isOwnRemoval' | 'onFound' | 'onEnd'>, BackgroundWork {
  store: Store;
  mirror: Mirror;
  channels: Pick<Channels, 'suspect' | 'areHealthy'>;
  channelUpkeep: Pick<ChannelUpkeep, 'hear' | 'plan' | 'resume'>;
  ownWrites: OwnWrites;
  agenda: Agenda;
  notices: Notices;
  show: SyncDisplayOptions['show'];
}

/**
 * When the mirror is brought up to date: when somebody asks, when the provider tells of a change, and by the
 * clock, the more rarely the better its channels work and the less it is used. It begins with the first who asks.
 */
export class MirrorUpkeep {
  readonly #options: MirrorUpkeepOptions;
  readonly #sync: Sync;
  readonly #display: SyncDisplay;
  /** When each calendar was last said to have changed, and whether it has been read from there on. */
  readonly #announcements = new Map<string, { atMs: number; isRead: boolean }>();
  /** Those that came before the run under way, which reads what they tell of. */
  #beingRead: { isRead: boolean }[] = [];
  /** No run has begun since. */
  #isAnnounced: boolean;
  /** A former life was told of a change, and it is not known of which calendar: none is fresh until they are read. */
  #isOutOfDate: boolean;
  /** When a run last began or ended. */
  #ranAtMs = -Infinity;
  #gapMs = SHORTEST_GAP_MS;
  /** Answers since the last run. */
  #served = 0;
  /** A further run has been asked for while one is under way. */
  #isFollowed = false;
  /** Nothing is read before, unless somebody waits for it: the last run has failed. */
  #restUntilMs = -Infinity;
  #isClosed = false;

  constructor(options: MirrorUpkeepOptions) {
    this.#options = options;
    const { ownWrites, store } = options;
    this.#isAnnounced = readFact(store, ANNOUNCED) !== undefined;
    this.#isOutOfDate = this.#isAnnounced;
    this.#display = new SyncDisplay(options);
    this.#sync = new Sync({
      ...options,
      isOwn: (event) => ownWrites.recognises(event),
      isOwnRemoval: (eventId) => ownWrites.hasRemoved(eventId),
      onFound: ({ calendarIds, goneCalendarIds, changed, removed }) => {
        const about = { calendarIds: [...calendarIds, ...goneCalendarIds], changed, removed };
        options.notices.draft({ type: 'calendar-changed', result: about });
      },
      onEnd: (outcome, report) => this.#ended(outcome, report),
    });
  }

  /** True once somebody has asked for what the mirror holds. */
  get isBegun(): boolean {
    return this.#sync.isBegun;
  }

  /** Everything until now taken in. `mustList`: also what calendars there are. */
  async bringUpToDate(lane: Lane, mustList = false): Promise<Outcome<SyncReport>> {
    const { agenda, now } = this.#options;
    if (this.#isClosed) return fail({ kind: 'grant-revoked', detail: 'the account is being disconnected' });
    // The alarm goes on with it should this life end: at once, or from when the run under way has ended.
    if (this.#sync.isRunning) this.#isFollowed = true;
    else {
      this.#noteBegun();
      agenda.schedule('sync', now() + WATCH_MS);
    }
    return await this.#sync.request(lane, mustList);
  }

  /** The same for nobody who waits; a run that has failed is left to the agenda. */
  refresh(lane: Lane): void {
    if (this.#options.now() >= this.#restUntilMs) this.#run(lane);
  }

  #run(lane: Lane): void {
    void this.bringUpToDate(lane)
      .catch((thrown: unknown) => this.#options.onError('sync', thrown))
      .then(() => this.#options.rearm());
  }

  #noteBegun(): void {
    const nowMs = this.#options.now();
    if (this.#isAnnounced) {
      const isStream = nowMs - this.#ranAtMs < 2 * this.#gapMs;
      this.#gapMs = isStream ? Math.min(2 * this.#gapMs, LONGEST_GAP_MS) : SHORTEST_GAP_MS;
    }
    this.#isAnnounced = false;
    this.#ranAtMs = nowMs;
    this.#beingRead = [...this.#announcements.values()].filter(({ isRead }) => !isRead);
  }

  /** Whether what is known of a calendar is no older than that, and nothing newer is known to be. */
  isFresh({ calendar, known, isDoubted, isMixed }: CalendarState, maxStalenessMs: number): boolean {
    const { now, ownWrites } = this.#options;
    if (known === undefined || isDoubted || isMixed) return false;
    if (this.#isOutOfDate) return false;
    const { asOfMs } = known;
    // Within a millisecond the order of the two is known of a run that has ended well.
    const announced = this.#announcements.get(calendar.id);
    const isRead = announced === undefined || announced.isRead || announced.atMs < asOfMs;
    return now() - asOfMs <= maxStalenessMs && isRead && ownWrites.areKnownAt(asOfMs);
  }

  /** Whether all that we have written is surely in what is known of a calendar. */
  hasOwnWrites({ known }: CalendarState): boolean {
    return known !== undefined && this.#options.ownWrites.areKnownAt(known.asOfMs);
  }

  /**
   * Whether these calendars are to be read for what we have written: at once where nothing has been read since, again
   * after a moment where a reading has missed it, and not while the last run has failed and rests.
   */
  isWorthReading(states: readonly CalendarState[]): boolean {
    const { now, ownWrites } = this.#options;
    if (now() < this.#restUntilMs) return false;
    const isUnread = states.some(({ known }) => known !== undefined && ownWrites.areUnreadAt(known.asOfMs));
    return isUnread || now() - this.#ranAtMs >= SHORTEST_GAP_MS;
  }

  /** Whether reading these calendars again now would not make them fresh: what we have written is not told of yet. */
  isOfNoUse(states: readonly CalendarState[]): boolean {
    return states.some(
      ({ known }) => known !== undefined && this.#options.ownWrites.arePending(known.asOfMs),
    );
  }

  /** Whether a calendar has been kept up, so that bringing it up to date costs no more than asking would. */
  isKeptUp({ known, isDoubted }: CalendarState): boolean {
    return known !== undefined && !isDoubted && this.#options.now() - known.asOfMs <= KEPT_UP_MS;
  }

  /**
   * When somebody is busy has been told from the mirror, to one who takes it at this age. Where that is worth it, the
   * next finds it as fresh; the poll is soon enough for who takes what is older than that.
   */
  noteServed(asOfMs: number, maxStalenessMs: number): void {
    const { agenda, now } = this.#options;
    this.noteUsed(asOfMs);
    if (maxStalenessMs > POLL_BLIND_MS) return;
    this.#served += 1;
    if (this.#served !== WORTHWHILE || this.#isClosed || this.#sync.isRunning || now() < this.#restUntilMs)
      return;
    agenda.hasten('sync', asOfMs + READ_AHEAD_MS);
  }

  /** Something has been told from a mirror of this instant, however old that is: it is kept up again. */
  noteUsed(asOfMs: number): void {
    if (this.#options.now() - asOfMs > SLEPT_MS && !this.#sync.isRunning) this.refresh('upkeep');
  }

  /**
   * The provider has told something. However much it tells at once, there is one run for it, and one after that, a
   * little later: where a calendar changes all the time, its changes are read together.
   */
  hear(notices: readonly PushNotice[]): void {
    const { agenda, channelUpkeep, now } = this.#options;
    if (this.#isClosed) return;
    const changed = channelUpkeep.hear(notices).filter(({ mayHaveChanged }) => mayHaveChanged);
    for (const { calendarId } of changed) this.#announcements.set(calendarId, { atMs: now(), isRead: false });
    if (changed.length === 0 || !this.isBegun) return;
    this.#isAnnounced = true;
    // Otherwise looked at again when that run has ended, and when what holds it back has passed.
    if (this.#sync.isRunning || now() < this.#restUntilMs) return;
    const dueAtMs = this.#ranAtMs + this.#gapMs;
    if (now() >= dueAtMs) return this.#run('webhook');
    agenda.hasten('sync', dueAtMs);
    this.#keepInMind();
  }

  /** That a change waits to be read, for should this life end meanwhile. */
  #keepInMind(): void {
    const { store, now } = this.#options;
    if (readFact(store, ANNOUNCED) === undefined) writeFact(store, ANNOUNCED, { atMs: now() });
  }

  /** The run that the agenda has down is due. Returns at once. */
  syncDue(): void {
    const { agenda, now } = this.#options;
    if (this.#isClosed) return;
    agenda.schedule('sync', now() + WATCH_MS);
    if (!this.#sync.isRunning) this.#run(this.#isAnnounced ? 'webhook' : 'upkeep');
  }

  /** The account can be reached again: what was missed meanwhile is read. */
  resume(): void {
    const { agenda, channelUpkeep, now } = this.#options;
    if (this.#isClosed || !this.isBegun) return;
    agenda.schedule('sync', now());
    channelUpkeep.resume();
  }

  /** The storage is about to go: nothing is written any more. */
  close(): void {
    this.#isClosed = true;
    this.#sync.close();
  }

  /** The storage stayed after all. */
  reopen(): void {
    this.#isClosed = false;
    this.#sync.reopen();
  }

  /** The calendars that are to have a channel. */
  calendarsToWatch(): string[] {
    return this.#isAsleep() ? [] : this.#mirrored();
  }

  #mirrored(): string[] {
    return this.#options.mirror
      .calendars()
      .filter(({ calendar }) => calendar.counts && calendar.isReadable)
      .map(({ calendar }) => calendar.id);
  }

  /** What follows from a run. */
  #ended(outcome: Outcome<SyncReport>, { calendarIds }: SyncReport): void {
    if (this.#isClosed) return;
    const { agenda, channels, channelUpkeep, notices, now, onFailure, store } = this.#options;
    this.#served = 0;
    this.#ranAtMs = now();
    if (!outcome.ok) onFailure(outcome.failure);
    else {
      for (const announced of this.#beingRead) announced.isRead = true;
      this.#isOutOfDate = false;
    }
    if (this.#isAnnounced) this.#keepInMind();
    else if (outcome.ok && readFact(store, ANNOUNCED) !== undefined) forgetFact(store, ANNOUNCED);
    // Also of a run that has failed: what it has taken in, no later one finds again.
    notices.completeDraft();
    for (const id of calendarIds) if (!this.#wasAnnounced(id)) channels.suspect(id);
    channelUpkeep.plan();
    // By what the run has found of the channels.
    const retryAtMs = outcome.ok ? undefined : this.#retryAt(outcome.failure);
    const nextAtMs = outcome.ok ? this.#nextAt() : this.#slowDown(retryAtMs);
    this.#restUntilMs = retryAtMs ?? -Infinity;
    const dueAtMs = this.#isFollowed ? now() + WATCH_MS : nextAtMs;
    if (this.#isFollowed) this.#noteBegun();
    this.#isFollowed = false;
    if (dueAtMs === undefined) agenda.strike('sync');
    else agenda.schedule('sync', dueAtMs);
    const { failedRuns } = this.#sync;
    void this.#display.note({ outcome, hasFound: calendarIds.length > 0, failedRuns, nextAtMs });
  }

  /** Whether a change that a run has found was told of before. */
  #wasAnnounced(calendarId: string): boolean {
    const announced = this.#announcements.get(calendarId);
    return announced !== undefined && this.#options.now() - announced.atMs < ANNOUNCED_MS;
  }

  #isAsleep(): boolean {
    return this.#unusedMs() > ASLEEP_AFTER_MS;
  }

  #unusedMs(): number {
    const { store, now } = this.#options;
    return now() - (readFact(store, LAST_USE)?.atMs ?? now());
  }

  /** When the next run is due after one that went well; undefined: not until somebody asks. */
  #nextAt(): number | undefined {
    const pollAtMs = this.#nextPollAt();
    if (!this.#isAnnounced) return pollAtMs;
    // Told of during the run, which may have read past it already.
    return Math.min(pollAtMs ?? Infinity, this.#ranAtMs + this.#gapMs);
  }

  /** When to look by the clock; undefined: not until somebody asks. */
  #nextPollAt(): number | undefined {
    const { channels, now, random } = this.#options;
    if (this.#isAsleep()) return undefined;
    const pollMs =
      this.#unusedMs() > IN_USE_MS
        ? POLL_IDLE_MS
        : channels.areHealthy(this.#mirrored())
          ? POLL_HEALTHY_MS
          : POLL_BLIND_MS;
    return now() + pollMs * (0.9 + 0.2 * random());
  }

  /** When to try again; undefined: when the person has connected anew. */
  #retryAt(failure: Failure): number | undefined {
    const { now, random, obstacle } = this.#options;
    const verdict = decide(failure, {
      attempts: Math.max(1, this.#sync.failedRuns),
      deadlineMs: Infinity,
      nowMs: now(),
      random,
      isRefreshed: true,
      isWithinBudget: true,
    });
    switch (verdict.act) {
      case 'retry':
        return verdict.atMs;
      case 'park':
        return obstacle() === undefined ? this.#nextPollAt() : undefined;
      case 'refresh':
      case 'resync':
      case 'give-up':
        return this.#nextPollAt();
    }
  }

  /** When to try again of itself: never more often, for a connector that nobody uses, than what works is read. */
  #slowDown(retryAtMs: number | undefined): number | undefined {
    if (retryAtMs === undefined || this.#unusedMs() <= IN_USE_MS) return retryAtMs;
    const pollAtMs = this.#nextPollAt();
    if (pollAtMs === undefined) return undefined;
    return this.#sync.failedRuns < PROMPT_RETRIES ? retryAtMs : Math.max(retryAtMs, pollAtMs);
  }
}
