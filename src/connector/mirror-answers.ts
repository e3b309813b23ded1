import {
  type AvailabilityQuestion,
  type BusyReport,
  type CalendarReading,
  DEFAULT_STALENESS_MS,
} from '../domain/availability.ts';
import { fail, ok, type Outcome } from '../domain/failure.ts';
import {
  type ChangesAnswer,
  type EventsAnswer,
  type EventsQuestion,
  type ListedChange,
  listEvent,
  type ListedEvent,
} from '../domain/event-list.ts';
import type { Interval } from '../domain/interval.ts';
import { formatInstant } from '../domain/time-zone.ts';
import { readFact, SYNC, WORKING_HOURS } from './facts.ts';
import type { Lane } from './gate.ts';
import type { CalendarState } from './calendar-book.ts';
import type { ChangeRecord, Mirror } from './mirror.ts';
import type { MirrorUpkeep } from './mirror-upkeep.ts';
import type { Store } from './store.ts';

/** The most events in one answer; who has more asks for a shorter range. */
const MOST_EVENTS = 5_000;
/** The most changes in one page. */
const MOST_CHANGES = 500;
/** The longest answer, in characters of JSON: the platform hands over 32 MiB at most. */
const LONGEST_ANSWER = 4 * 1024 * 1024;

/** What an answer from the mirror is made of. `wasAsked`: the provider was asked for this very question. */
export interface MirrorReading {
  report: BusyReport;
  asOfMs: number;
  wasAsked: boolean;
}

/** What answering needs. */
export interface MirrorAnswersOptions {
  store: Store;
  mirror: Mirror;
  upkeep: Pick<
    MirrorUpkeep,
    | 'isBegun'
    | 'isFresh'
    | 'hasOwnWrites'
    | 'isWorthReading'
    | 'isKeptUp'
    | 'isOfNoUse'
    | 'bringUpToDate'
    | 'refresh'
    | 'noteServed'
    | 'noteUsed'
  >;
  now: () => number;
  /** Whether the connector is asked more than once in a while: for a single question a mirror is not worth it. */
  isInUse: () => boolean;
}

/** A calendar as a question names it. */
interface Named {
  id: string;
  state: CalendarState;
}

/** Answers from the mirror, and says of which instant the answer tells. */
export class MirrorAnswers {
  readonly #options: MirrorAnswersOptions;
  /** What questions wait for, by their lane: however many do, the mirror is brought up to date once. */
  readonly #updating = new Map<Lane, Promise<boolean>>();

  constructor(options: MirrorAnswersOptions) {
    this.#options = options;
  }

  /**
   * When the person is busy; undefined: the provider is to be asked, for the mirror is too old, does not reach so
   * far, or does not have all that the question is about. One that has been kept up is brought up to date for the
   * question; any other is for the next, behind the caller's back.
   */
  async busy(question: AvailabilityQuestion, lane: Lane): Promise<MirrorReading | undefined> {
    const { upkeep, isInUse } = this.#options;
    const { range, calendars, maxStalenessMs = DEFAULT_STALENESS_MS } = question;
    if (maxStalenessMs === 0) return undefined;
    const named = this.#name(calendars);
    if (named === undefined) {
      // Where the list is known it would tell nothing of what is asked.
      if (!upkeep.isBegun && isInUse()) upkeep.refresh('upkeep');
      return undefined;
    }
    const isKeptUp = named.every(({ state }) => upkeep.isKeptUp(state));
    // Bringing up to date makes it reach no farther, but for one that has been left alone for long.
    if (named.some(({ state }) => state.known !== undefined && !covers(state, range))) {
      if (!isKeptUp && isInUse()) upkeep.refresh('upkeep');
      return undefined;
    }
    if (this.#areFresh(named, maxStalenessMs)) {
      const known = this.#report(named, range);
      if (known !== undefined) upkeep.noteServed(known.asOfMs, maxStalenessMs);
      return known === undefined ? undefined : { ...known, wasAsked: false };
    }
    if (!isKeptUp) {
      if (isInUse()) upkeep.refresh('upkeep');
      return undefined;
    }
    if (upkeep.isOfNoUse(named.map(({ state }) => state))) return undefined;
    if (!(await this.#update(lane))) return undefined;
    const renamed = this.#name(calendars);
    if (renamed === undefined || !this.#areFresh(renamed, maxStalenessMs)) return undefined;
    const read = this.#report(renamed, range);
    return read === undefined ? undefined : { ...read, wasAsked: true };
  }

  /**
   * One reading for all questions that wait at once; each looks whether what it asks for is fresh enough then, for it may
   * be another calendar that has failed. False: who is no longer connected is told nothing.
   */
  #update(lane: Lane): Promise<boolean> {
    const updating =
      this.#updating.get(lane) ??
      this.#options.upkeep
        .bringUpToDate(lane)
        .then((done) => done.ok || done.failure.kind !== 'grant-revoked')
        .finally(() => this.#updating.delete(lane));
    this.#updating.set(lane, updating);
    return updating;
  }

  #areFresh(named: readonly Named[], maxStalenessMs: number): boolean {
    return named.every(({ state }) => this.#options.upkeep.isFresh(state, maxStalenessMs));
  }

  /** When the person is busy in these calendars, as far as they are known; undefined when not all of it is. */
  #report(named: readonly Named[], range: Interval): { report: BusyReport; asOfMs: number } | undefined {
    const { mirror, store } = this.#options;
    const readings: CalendarReading[] = [];
    for (const { id, state } of named) {
      const busy = covers(state, range) ? mirror.busy(state.calendar.id, range) : undefined;
      if (busy === undefined) return undefined;
      readings.push({ id, busy: ok(busy) });
    }
    const workingHours = readFact(store, WORKING_HOURS);
    return {
      report: { calendars: readings, ...(workingHours !== undefined && { workingHours }) },
      asOfMs: oldestOf(named.map(({ state }) => state)),
    };
  }

  /** The calendars that a question is about; undefined when one of them is not in the mirror. */
  #name(calendars: readonly string[] | undefined): Named[] | undefined {
    const { mirror } = this.#options;
    const known = mirror.calendars();
    const counting = known.filter(({ calendar }) => calendar.counts);
    if (calendars === undefined) {
      const isWhole = counting.length > 0 && counting.every(({ calendar }) => calendar.isReadable);
      return isWhole ? counting.map((state) => ({ id: state.calendar.id, state })) : undefined;
    }
    const named: Named[] = [];
    for (const id of calendars) {
      const state = counting.find(
        ({ calendar }) => calendar.id === id || (id === 'primary' && calendar.isPrimary),
      );
      if (state?.calendar.isReadable !== true) return undefined;
      named.push({ id, state });
    }
    return named;
  }

  /** The events within a range, occurrences each for itself. Fails where the mirror could not be filled. */
  async events(question: EventsQuestion): Promise<Outcome<EventsAnswer>> {
    const { range, timeZone, calendars, maxStalenessMs = Infinity } = question;
    const ready = await this.#prepare(() => this.#askedFor(calendars), maxStalenessMs);
    if (!ready.ok) return ready;
    const asked = calendars ?? this.#counting().map(({ calendar }) => calendar.id);
    const told: EventsAnswer['calendars'] = [];
    // A calendar that is named twice, by its id and as the primary one, is told once.
    const listed = new Map<CalendarState, ListedEvent[]>();
    for (const id of asked) {
      const [named] = this.#name([id]) ?? [];
      const found = named === undefined ? undefined : this.#list(named.state, range);
      if (named === undefined || found === undefined) {
        told.push({ id, status: 'unavailable', error: this.#isListed(id) ? NOT_MIRRORED : NOT_LISTED });
        continue;
      }
      told.push({ id, status: 'ok' });
      listed.set(named.state, found);
    }
    const events = [...listed.values()].flat();
    if (events.length > MOST_EVENTS)
      return fail({
        kind: 'unsupported',
        field: 'timeMax',
        detail: `there are more than ${MOST_EVENTS} events: ask for a shorter range`,
      });
    if (events.reduce((sum, event) => sum + JSON.stringify(event).length, 0) > LONGEST_ANSWER)
      return fail({
        kind: 'unsupported',
        field: 'timeMax',
        detail: 'there is too much in these events for one answer: ask for a shorter range',
      });
    events.sort((a, b) => Date.parse(a.start) - Date.parse(b.start));
    const freshness = this.#freshnessOf([...listed.keys()], timeZone);
    return ok({ events, calendars: told, freshness });
  }

  #isListed(id: string): boolean {
    return id === 'primary' || this.#options.mirror.calendars().some(({ calendar }) => calendar.id === id);
  }

  /** What touches a range that the mirror covers; undefined when it does not know. */
  #list(state: CalendarState, range: Interval): ListedEvent[] | undefined {
    const { mirror } = this.#options;
    const { id } = state.calendar;
    if (state.known === undefined || !covers(state, range)) return undefined;
    return mirror.within(id, range)?.flatMap(({ eventId, occurrence, time }) => {
      const event = mirror.findEvent(id, eventId);
      if (event === undefined) return [];
      const series = event.seriesId === undefined ? undefined : mirror.findEvent(id, event.seriesId);
      return [listEvent(id, event, series, { time, ...(occurrence !== undefined && { occurrence }) })];
    });
  }

  /**
   * What has changed since `cursor`; without one, everything that is. Fails with `cursor-expired` when not all of it
   * is known any more, with `mismatch` for what is no cursor.
   */
  async changes(cursor: string | undefined): Promise<Outcome<ChangesAnswer>> {
    const read = cursor === undefined ? undefined : readCursor(cursor);
    if (cursor !== undefined && read === undefined) return fail({ kind: 'mismatch', what: 'cursor' });
    const ready = await this.#prepare(() => this.#readable(), Infinity);
    if (!ready.ok) return ready;
    const { store, mirror } = this.#options;
    const sync = readFact(store, SYNC);
    if (sync === undefined) return fail({ kind: 'unavailable', ambiguous: false });
    const { epoch, forgottenSeq } = sync;
    const isKnown = read === undefined || (read.epoch === epoch && read.seq <= mirror.lastSeq);
    if (!isKnown) return fail({ kind: 'cursor-expired' });
    // Whoever began before something was forgotten may have what is gone.
    const begun = read?.begun ?? mirror.lastSeq;
    if (begun < forgottenSeq) return fail({ kind: 'cursor-expired' });
    const since = read?.seq ?? 0;
    const page = mirror.changesSince(since, MOST_CHANGES);
    const records = this.#fit(page.records);
    const hasMore = page.hasMore || records.length < page.records.length;
    const cursorAt = hasMore ? `${records.at(-1)?.seq ?? since}.${begun}` : String(mirror.lastSeq);
    return ok({
      changes: records.flatMap(({ told }) => told),
      cursor: `v1.${epoch}.${cursorAt}`,
      hasMore,
      freshness: this.#freshnessOf(this.#readable(), 'UTC'),
    });
  }

  /** As many of these as one answer holds, told; those of one change stay together. */
  #fit(records: readonly ChangeRecord[]): { seq: number; told: ListedChange[] }[] {
    const fitting: { seq: number; told: ListedChange[] }[] = [];
    let length = 0;
    for (const record of records) {
      const told = this.#tell(record);
      length += JSON.stringify(told).length;
      const isNew = fitting.length > 0 && fitting.at(-1)?.seq !== record.seq;
      if (isNew && length > LONGEST_ANSWER) break;
      fitting.push({ seq: record.seq, told });
    }
    return fitting;
  }

  #tell({ calendarId, eventId, event }: ChangeRecord): ListedChange[] {
    if (event === undefined) return [{ change: 'removed', eventId, calendarId }];
    const series =
      event.seriesId === undefined ? undefined : this.#options.mirror.findEvent(calendarId, event.seriesId);
    return [{ change: 'changed', ...listEvent(calendarId, event, series) }];
  }

  #counting(): CalendarState[] {
    return this.#options.mirror.calendars().filter(({ calendar }) => calendar.counts);
  }

  #readable(): CalendarState[] {
    return this.#counting().filter(({ calendar }) => calendar.isReadable);
  }

  /** The mirrored calendars that a question for events is about. */
  #askedFor(calendars: readonly string[] | undefined): CalendarState[] {
    if (calendars === undefined) return this.#readable();
    return calendars.flatMap((id) => this.#name([id]) ?? []).map(({ state }) => state);
  }

  /**
   * Sees to it that there is something to tell of these calendars, and that it is not older than asked. What we have
   * written ourselves is looked for in any case; while the provider cannot be reached, what is there is told without.
   */
  async #prepare(calendars: () => CalendarState[], maxStalenessMs: number): Promise<Outcome<void>> {
    const { upkeep } = this.#options;
    const areReady = (isFresh: (one: CalendarState) => boolean) =>
      upkeep.isBegun && calendars().every((one) => one.known !== undefined && !one.isMixed && isFresh(one));
    const isFreshEnough = (one: CalendarState) =>
      maxStalenessMs === Infinity ? upkeep.hasOwnWrites(one) : upkeep.isFresh(one, maxStalenessMs);
    // Any age will do, and there is something: it is only looked for what we have written, where that is worth it.
    const isOldEnough = (one: CalendarState) => maxStalenessMs === Infinity || isFreshEnough(one);
    if (areReady(isFreshEnough) || (areReady(isOldEnough) && !upkeep.isWorthReading(calendars()))) {
      upkeep.noteUsed(oldestOf(calendars()));
      return ok(undefined);
    }
    const done = await upkeep.bringUpToDate('interactive');
    if (done.ok) return ok(undefined);
    // Another calendar may be what has failed. Who is no longer connected is told nothing.
    return done.failure.kind !== 'grant-revoked' && areReady(isOldEnough) ? ok(undefined) : done;
  }

  /** Nothing that is told of these calendars is older. */
  #freshnessOf(states: readonly CalendarState[], timeZone: string): EventsAnswer['freshness'] {
    const asOfMs = states.length === 0 ? this.#options.now() : oldestOf(states);
    return { source: 'mirror', asOf: formatInstant(asOfMs, timeZone) };
  }
}

const NOT_MIRRORED = {
  code: 'provider_unavailable',
  message: 'The events of this calendar in this range are not known.',
} as const;

const NOT_LISTED = {
  code: 'not_found',
  message: 'This calendar is not on the list of the account.',
} as const;

function covers({ known }: CalendarState, range: Interval): boolean {
  return known !== undefined && known.window.startMs <= range.startMs && range.endMs <= known.window.endMs;
}

/** The instant of which all of them tell at least. */
function oldestOf(states: readonly CalendarState[]): number {
  return Math.min(...states.map(({ known }) => known?.asOfMs ?? -Infinity));
}

/**
 * A cursor as `changes` writes it: up to which change its holder has been told, and, between the pages of a reading,
 * what the last change was when that began (else the same).
 */
function readCursor(cursor: string): { epoch: string; seq: number; begun: number } | undefined {
  const [, epoch, seq, begun = seq] =
    /^v1\.([0-9a-zA-Z-]{1,64})\.(\d{1,15})(?:\.(\d{1,15}))?$/.exec(cursor) ?? [];
  return epoch === undefined || seq === undefined
    ? undefined
    : { epoch, seq: Number(seq), begun: Number(begun) };
}
