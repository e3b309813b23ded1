import { fail, type Failure, ok, type Outcome } from '../domain/failure.ts';
import type { Interval } from '../domain/interval.ts';
import type { RecordEvent } from '../metrics.ts';
import type { ChangesPage } from '../providers/provider-sync.ts';
import type { Provider } from '../providers/provider.ts';
import type { Account } from './account.ts';
import { FIRST_SYNC, forgetFact, readFact, SYNC, WORKING_HOURS, writeFact } from './facts.ts';
import { type Lane, LANES } from './gate.ts';
import type { CalendarState } from './calendar-book.ts';
import type { Store } from './store.ts';
import { DOUBT_MS, Doubts } from './sync-doubts.ts';
import { Findings, type FindingsOptions, type SyncReport } from './sync-findings.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** What the mirror covers when a calendar is read from the start: 31 days back and 180 ahead are promised. */
const BEHIND_MS = 32 * DAY_MS;
const AHEAD_MS = 201 * DAY_MS;
const PROMISED_AHEAD_MS = 180 * DAY_MS;
/** The calendar list is read again after so long, where somebody waits for an answer, and where nobody does. */
const LIST_KEPT_MS = 15 * MINUTE_MS;
const LIST_KEPT_UNASKED_MS = 6 * 60 * MINUTE_MS;
/** A reading that does not end is given up after so many pages of one calendar. */
const MOST_PAGES = 2_000;

/** A page that is too large is asked for in ever smaller ones, down to a single event. */
const LARGEST_DIVISOR = 512;

/** A run that threw, over an event perhaps that is there the next time, too: it counts as one that has failed. */
const FAULT: Failure = { kind: 'malformed', at: 'mirror' };

/** What the sync is made of. */
export interface SyncOptions extends FindingsOptions {
  connectorId: string;
  store: Store;
  account: Pick<Account, 'use'>;
  provider: Pick<Provider, 'sync'>;
  now: () => number;
  record: RecordEvent;
  /** A fresh name. */
  randomId: () => string;
  /** Why nothing may be asked of the account now, if so. */
  obstacle: () => Failure | undefined;
  /**
   * There is something to be told: everything that the run has found until now. Called in the same step of the
   * storage in which that is taken in, for no later run finds it again.
   */
  onFound: (report: SyncReport) => void;
  /**
   * A run has ended; it may be the first. Called before those who wait for it are answered, with what it came to:
   * also one that has failed may have found what is to be told.
   */
  onEnd: (outcome: Outcome<SyncReport>, report: SyncReport) => void;
}

/** One calendar on its way through a run. */
interface Reading {
  state: CalendarState;
  position?: string;
  window: Interval;
  /** The instant before the first call of the reading: what it tells is never older. */
  asOfMs: number;
  /** It begins from the start: what it does not tell of is gone. The ids that it has told. */
  seen?: Set<string>;
  hasStartedOver: boolean;
  pages: number;
  /** Its pages are smaller by so much than others: one was too large to be read. */
  divisor: number;
}

/**
 * Brings the mirror up to date: the calendar list where it is old, then every calendar that counts, all of their
 * pages. However many ask for it at once, there is one run under way and one to come: whoever asks during a run
 * may have seen what that run has read past already.
 */
export class Sync {
  readonly #options: SyncOptions;
  #running: Promise<Outcome<SyncReport>> | undefined;
  #next: { lane: Lane; mustList: boolean; done: Promise<Outcome<SyncReport>> } | undefined;
  readonly #findings: Findings;
  readonly #doubts: Doubts;
  #isClosed = false;

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#findings = new Findings(options);
    this.#doubts = new Doubts(options.mirror);
  }

  /** True once somebody has asked for what the mirror holds. */
  get isBegun(): boolean {
    return readFact(this.#options.store, SYNC) !== undefined;
  }

  /** True while a run is under way. */
  get isRunning(): boolean {
    return this.#running !== undefined || this.#next !== undefined;
  }

  /** How many runs in a row have failed. */
  get failedRuns(): number {
    const { store } = this.#options;
    return (readFact(store, SYNC) ?? readFact(store, FIRST_SYNC))?.attempts ?? 0;
  }

  /** Everything until now taken in: by a run that begins now, or by the one after that which is under way. */
  request(lane: Lane, mustList = false): Promise<Outcome<SyncReport>> {
    const next = this.#next;
    if (next !== undefined) {
      // The run to come goes in the most urgent lane of those who wait for it.
      if (LANES.indexOf(lane) < LANES.indexOf(next.lane)) next.lane = lane;
      next.mustList ||= mustList;
      return next.done;
    }
    if (this.#running === undefined) return this.#start(lane, mustList);
    const startNext = () => this.#startNext();
    // Also after one that threw: nobody who waits for the next is to hear of that.
    this.#next = { lane, mustList, done: this.#running.then(startNext, startNext) };
    return this.#next.done;
  }

  /** The storage is about to go: nothing is written any more. */
  close(): void {
    this.#isClosed = true;
  }

  /** The storage stayed after all. */
  reopen(): void {
    this.#isClosed = false;
  }

  #startNext(): Promise<Outcome<SyncReport>> {
    const { lane = 'upkeep', mustList = false } = this.#next ?? {};
    this.#next = undefined;
    return this.#start(lane, mustList);
  }

  #start(lane: Lane, mustList: boolean): Promise<Outcome<SyncReport>> {
    const running = this.#run(lane, mustList).finally(() => {
      this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #run(lane: Lane, mustList: boolean): Promise<Outcome<SyncReport>> {
    const { now, record, connectorId, onEnd } = this.#options;
    const startedAtMs = now();
    const tally = { pages: 0, changed: 0, removed: 0 };
    const end = await this.#proceed(lane, mustList, tally).then(
      (failed) => ({ failure: failed }),
      (thrown: unknown) => ({ failure: FAULT, thrown }),
    );
    const { failure } = end;
    if (this.#isClosed) return fail({ kind: 'grant-revoked', detail: 'the account is being disconnected' });
    const report = this.#findings.take();
    const outcome = failure === undefined ? ok(report) : fail(failure);
    this.#noteAttempt(failure !== undefined);
    record({
      event: 'sync',
      connectorId,
      outcome: failure === undefined ? 'done' : failure.kind,
      ...tally,
      ms: now() - startedAtMs,
    });
    onEnd(outcome, report);
    if ('thrown' in end) throw end.thrown;
    return outcome;
  }

  #noteAttempt(hasFailed: boolean): void {
    const { store } = this.#options;
    const known = readFact(store, SYNC);
    if (known === undefined) {
      const { attempts = 0 } = readFact(store, FIRST_SYNC) ?? {};
      if (hasFailed) writeFact(store, FIRST_SYNC, { attempts: attempts + 1 });
      return;
    }
    const attempts = hasFailed ? known.attempts + 1 : 0;
    if (attempts !== known.attempts) writeFact(store, SYNC, { ...known, attempts });
  }

  /** Everything in its order; the failure that has kept something from being read, if any. */
  async #proceed(
    lane: Lane,
    mustList: boolean,
    tally: { pages: number; changed: number; removed: number },
  ): Promise<Failure | undefined> {
    const { obstacle, mirror } = this.#options;
    // A run that was to follow the one under way: there may be no storage any more.
    if (this.#isClosed) return undefined;
    const blocked = obstacle();
    if (blocked !== undefined) return blocked;
    const listed = await this.#list(lane, mustList);
    if (!listed.ok) return listed.failure;
    if (this.#isClosed) return undefined;
    let open = mirror
      .calendars()
      .filter(({ calendar }) => calendar.counts && calendar.isReadable)
      .map((state) => this.#begin(state));
    let failure: Failure | undefined;
    while (open.length > 0) {
      // A page tells where the next one is.
      // oxlint-disable-next-line no-await-in-loop
      const pages = await this.#readPages(open, lane);
      if (this.#isClosed) return undefined;
      if (!pages.ok) return pages.failure;
      const still: Reading[] = [];
      for (const [place, reading] of open.entries()) {
        const page = pages.value[place] ?? fail({ kind: 'malformed', at: 'changes' });
        tally.pages += 1;
        const next = page.ok ? this.#take(reading, page.value, tally) : this.#judge(reading, page.failure);
        if (next.act === 'go-on') still.push(next.reading);
        if (next.act === 'fail') failure ??= next.failure;
      }
      open = still;
    }
    return failure;
  }

  /** Reads the calendar list, unless that was done lately. */
  async #list(lane: Lane, mustList: boolean): Promise<Outcome<void>> {
    const { store, mirror, account, provider, now, randomId } = this.#options;
    const known = readFact(store, SYNC);
    const keptMs = lane === 'interactive' ? LIST_KEPT_MS : LIST_KEPT_UNASKED_MS;
    if (known !== undefined && !mustList && now() - known.listedAtMs < keptMs) return ok(undefined);
    const listedAtMs = now();
    const list = await account.use(lane, (access) => provider.sync.readCalendars(access));
    if (!list.ok || this.#isClosed) return list.ok ? ok(undefined) : list;
    const { calendars, workingHours } = list.value;
    // Nobody can give up their last calendar.
    if (calendars.length === 0 && mirror.calendars().length > 0)
      return fail({ kind: 'malformed', at: 'calendars' });
    store.transaction(() => {
      const goneIds = mirror.adoptList(calendars, now());
      if (workingHours === undefined) forgetFact(store, WORKING_HOURS);
      else writeFact(store, WORKING_HOURS, workingHours);
      forgetFact(store, FIRST_SYNC);
      const { epoch = randomId(), attempts = 0, forgottenSeq = 0 } = known ?? {};
      const forgotten = mirror.forgetGone(now()) ?? forgottenSeq;
      writeFact(store, SYNC, { epoch, attempts, listedAtMs, forgottenSeq: forgotten });
      this.#findings.noteGone(goneIds);
      this.#tell(goneIds.length > 0);
    });
    return ok(undefined);
  }

  #begin(state: CalendarState): Reading {
    const { now } = this.#options;
    const nowMs = now();
    const { position, known } = state;
    const reaches = known !== undefined && known.window.endMs - nowMs >= PROMISED_AHEAD_MS;
    // What the mirror covers moves along: read from the start again before it ends too soon.
    if (position === undefined || !reaches) return this.#fromTheStart(state, false);
    const { window } = known;
    return { state, position, window, asOfMs: nowMs, hasStartedOver: false, pages: 0, divisor: 1 };
  }

  #fromTheStart(state: CalendarState, hasStartedOver: boolean, divisor = 1): Reading {
    const nowMs = this.#options.now();
    const window = { startMs: nowMs - BEHIND_MS, endMs: nowMs + AHEAD_MS };
    return { state, window, asOfMs: nowMs, seen: new Set(), hasStartedOver, pages: 0, divisor };
  }

  /** The next page of each; fails as a whole where the token is refused, so that it is refreshed. */
  async #readPages(open: readonly Reading[], lane: Lane): Promise<Outcome<Outcome<ChangesPage>[]>> {
    const { account, provider, mirror } = this.#options;
    return await account.use(lane, async (access) => {
      const pages = await provider.sync.readChanges(
        open.map(({ state: { calendar }, position, window, divisor }) => ({
          calendar,
          window,
          divisor,
          ...(position !== undefined && { position }),
          findSeries: (seriesId) => mirror.findEvent(calendar.id, seriesId),
        })),
        access,
      );
      const refused = pages.find((page) => !page.ok && page.failure.kind === 'token-rejected');
      return refused !== undefined && !refused.ok ? refused : ok(pages);
    });
  }

  /** Takes one page in: its events, and with the last one where the next reading begins, in one transaction. */
  #take(
    reading: Reading,
    { events, removed, position, isComplete }: ChangesPage,
    tally: { changed: number; removed: number },
  ): Next {
    const { store, mirror, now } = this.#options;
    const { state, window, asOfMs, seen } = reading;
    const { id } = state.calendar;
    if (seen === undefined && this.#doubts.emptiesAll(id, events, removed)) return this.#doubt(id);
    // A series of which an occurrence is told is there, though it may not be told for itself.
    for (const { eventId, seriesId } of events) seen?.add(eventId).add(seriesId ?? eventId);
    const vanished =
      isComplete && seen !== undefined ? mirror.idsOf(id).filter((known) => !seen.has(known)) : [];
    // What lies outside of the window would not be told though it is there: nobody has removed it.
    const due = new Set(vanished.length === 0 ? [] : this.#doubts.dueIn(id, window));
    const passed = new Set(vanished.filter((known) => !due.has(known)));
    const missing = vanished.length - passed.size;
    const whole = { state, asOfMs, vanished: missing, due: due.size };
    if (seen !== undefined && this.#doubts.isSuspicious({ ...whole, seen })) return this.#doubt(id);
    const done = store.transaction(() => {
      const applied = mirror.apply(id, { events, removed: [...removed, ...vanished] }, now());
      if (isComplete) mirror.settle(id, position, { asOfMs, window });
      else mirror.mix(id);
      const told = applied.removed.filter(({ eventId }) => !passed.has(eventId));
      this.#tell(this.#findings.note(state, { changed: applied.changed, removed: told }, events));
      return applied;
    });
    tally.changed += done.changed.length;
    tally.removed += done.removed.length;
    if (isComplete) {
      this.#doubts.settle(id);
      return { act: 'done' };
    }
    const pages = reading.pages + 1;
    return pages < MOST_PAGES
      ? { act: 'go-on', reading: { ...reading, position, pages } }
      : { act: 'fail', failure: { kind: 'malformed', at: 'changes' } };
  }

  #tell(hasMore: boolean): void {
    const { untold } = this.#findings;
    if (hasMore && untold !== undefined) this.#options.onFound(untold);
  }

  /** What is known stays, and is not answered from, until another reading from the start has said the same. */
  #doubt(calendarId: string): Next {
    const { now } = this.#options;
    this.#doubts.raise(calendarId, now());
    this.#note(calendarId, 'doubted');
    return {
      act: 'fail',
      failure: { kind: 'unavailable', ambiguous: false, retryAtMs: now() + DOUBT_MS },
    };
  }

  /** What the failure of one calendar's page leads to. */
  #judge(reading: Reading, failure: Failure): Next {
    const { mirror, now } = this.#options;
    const { state } = reading;
    const { id } = state.calendar;
    switch (failure.kind) {
      case 'cursor-expired':
        // Never silent, and once a run: a provider that calls every cursor expired is not asked for ever.
        this.#note(id, 'cursor-expired');
        mirror.startOver(id, state.isDoubted);
        if (reading.hasStartedOver) return { act: 'fail', failure: { kind: 'malformed', at: 'changes' } };
        return { act: 'go-on', reading: this.#fromTheStart(state, true, reading.divisor) };
      case 'unsupported':
      case 'not-found':
      case 'consent-missing':
        // Answered live from now on; what the list says of it is looked at again when it is next read.
        this.#note(id, failure.kind);
        mirror.markUnreadable(id, now());
        return { act: 'done' };
      case 'malformed':
        if (failure.isTooLarge === true && reading.divisor < LARGEST_DIVISOR)
          return { act: 'go-on', reading: { ...reading, divisor: reading.divisor * 2 } };
        return { act: 'fail', failure };
      case 'throttled':
      case 'unavailable':
      case 'token-rejected':
      case 'grant-revoked':
      case 'misconfigured':
      case 'rejected':
      case 'conflict':
      case 'unknown-busy':
      case 'hold-over':
      case 'mismatch':
      case 'changed':
        return { act: 'fail', failure };
    }
  }

  /** What an operator should see of a single calendar, which is not named: its id may be a mail address. */
  #note(calendarId: string, outcome: string): void {
    const { record, connectorId, mirror } = this.#options;
    const events = mirror.sizeOf(calendarId);
    record({ event: 'resync', connectorId, outcome, events });
  }
}

/** What follows from a page. */
type Next = { act: 'done' } | { act: 'go-on'; reading: Reading } | { act: 'fail'; failure: Failure };
