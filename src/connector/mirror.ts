import * as z from 'zod';
import type { Interval } from '../domain/interval.ts';
import {
  type EventDetails,
  eventDetailsSchema,
  eventSlotSchema,
  type MirroredCalendar,
  type MirroredEvent,
  slotOf,
} from '../domain/mirror.ts';
import { CalendarBook, type CalendarState, unread } from './calendar-book.ts';
import { MirrorIndex, type Placed } from './mirror-index.ts';
import type { Store } from './store.ts';

const slotRowsSchema = z.array(
  z.object({ calendar_id: z.string(), event_id: z.string(), seq: z.number(), slot: z.string().nullable() }),
);
const detailsRowsSchema = z.array(z.object({ details: z.string().nullable() }));
const goneRowsSchema = z.array(z.object({ calendar_id: z.string(), event_id: z.string(), seq: z.number() }));

/** How long it is remembered that an event is gone, for those who ask what has changed. */
const GONE_KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/** What has changed, in the order in which it did: an event as it is now, or that it is gone. */
export interface ChangeRecord {
  seq: number;
  calendarId: string;
  eventId: string;
  event?: MirroredEvent;
}

/** What a page has come to: the ids of what has changed, and what is gone. */
export interface Applied {
  changed: string[];
  removed: { eventId: string; seriesId?: string }[];
}

/** What is kept in memory of all this. */
interface Memory {
  /** Of what state of the storage: what was noted in a transaction that was undone is not so. */
  undone: number;
  indexes: Map<string, MirrorIndex>;
  lastSeq: number;
}

/**
 * The account's calendars as they were when they were last read. What has changed is written, and what has
 * not costs no row. When events are is kept in memory, too: questions are answered from there.
 */
export class Mirror {
  readonly #store: Store;
  readonly #calendars: CalendarBook;
  #known: Memory | undefined;

  constructor(store: Store) {
    this.#store = store;
    this.#calendars = new CalendarBook(store);
  }

  /** The calendars of the account, as far as they are known. */
  calendars(): CalendarState[] {
    return this.#calendars.all();
  }

  /** One of them. */
  find(calendarId: string): CalendarState | undefined {
    return this.#calendars.find(calendarId);
  }

  /** How many events a calendar has. */
  sizeOf(calendarId: string): number {
    return this.#index(calendarId).size;
  }

  /** The ids of a calendar's events. */
  idsOf(calendarId: string): string[] {
    return this.#index(calendarId).ids();
  }

  /** The series that an event is an occurrence of, if any. */
  seriesOf(calendarId: string, eventId: string): string | undefined {
    return this.#index(calendarId).find(eventId)?.seriesId;
  }

  /** When the person is busy in a calendar; undefined when the mirror cannot tell. */
  busy(calendarId: string, range: Interval): Interval[] | undefined {
    return this.#index(calendarId).busy(range);
  }

  /** The events of a calendar within `range`; undefined when the mirror cannot tell. */
  within(calendarId: string, range: Interval): Placed[] | undefined {
    return this.#index(calendarId).within(range);
  }

  /** An event whole; an occurrence that says nothing of its own has no details. */
  findEvent(calendarId: string, eventId: string): MirroredEvent | undefined {
    const entry = this.#index(calendarId).find(eventId);
    if (entry === undefined) return undefined;
    const { kind, seriesId, originalStart, time, recurrence } = entry;
    const details = this.#detailsOf(calendarId, eventId);
    return {
      eventId,
      kind,
      time,
      ...(seriesId !== undefined && { seriesId }),
      ...(originalStart !== undefined && { originalStart }),
      ...(recurrence !== undefined && { recurrence }),
      ...(details !== undefined && { details }),
    };
  }

  #detailsOf(calendarId: string, eventId: string): EventDetails | undefined {
    const [row] = detailsRowsSchema.parse(
      this.#store.query(
        'SELECT details FROM mirrored_event WHERE calendar_id = ? AND event_id = ?',
        calendarId,
        eventId,
      ),
    );
    return row?.details == null ? undefined : eventDetailsSchema.parse(JSON.parse(row.details));
  }

  /**
   * The account has these calendars. One that is gone, or counts no more, takes its events along; one whose zone has
   * changed is to be read anew, for its all-day events block other stretches now.
   *
   * @returns the ids of those that are gone.
   */
  adoptList(list: readonly MirroredCalendar[], nowMs: number): string[] {
    const listed = new Set(list.map(({ id }) => id));
    const gone = this.calendars()
      .map(({ calendar }) => calendar.id)
      .filter((id) => !listed.has(id));
    for (const id of gone) {
      this.#remove(id, this.idsOf(id), nowMs);
      this.#calendars.forget(id);
    }
    for (const [place, calendar] of list.entries()) {
      const known = this.find(calendar.id);
      const isSame = JSON.stringify(known?.calendar) === JSON.stringify(calendar);
      if (known !== undefined && isSame && known.place === place) continue;
      // What it holds is told to nobody any more.
      if (!calendar.counts || !calendar.isReadable) this.#remove(calendar.id, this.idsOf(calendar.id), nowMs);
      const isSameZone = known?.calendar.timeZone === calendar.timeZone;
      const isKept = isSameZone && calendar.counts && calendar.isReadable;
      this.#calendars.write(
        known !== undefined && isKept ? { ...known, calendar, place } : unread(calendar, place),
      );
    }
    return gone;
  }

  /** The provider tells only when this calendar is busy, or tells no changes of it: nothing of it is kept. */
  markUnreadable(calendarId: string, nowMs: number): void {
    const known = this.find(calendarId);
    if (known?.calendar.isReadable !== true) return;
    this.#remove(calendarId, this.idsOf(calendarId), nowMs);
    this.#calendars.write(unread({ ...known.calendar, isReadable: false }, known.place));
  }

  /** Everything until `asOfMs` has been taken in, for all of `window`: the next reading begins at `position`. A row. */
  settle(calendarId: string, position: string, known: { asOfMs: number; window: Interval }): void {
    const state = this.find(calendarId);
    if (state !== undefined)
      this.#calendars.write({ ...unread(state.calendar, state.place), position, known });
  }

  /** A page that is not the last of its reading is about to be taken in: nothing is answered from that. */
  mix(calendarId: string): void {
    const state = this.find(calendarId);
    if (state?.isMixed === false) this.#calendars.write({ ...state, isMixed: true });
  }

  /** The calendar is to be read from the start; what is known of it stays until that is done. */
  startOver(calendarId: string, isDoubted: boolean): void {
    const state = this.find(calendarId);
    if (state === undefined) return;
    const { position: _, ...kept } = state;
    this.#calendars.write({ ...kept, isDoubted });
  }

  /**
   * Takes a page of changes in; an event that is as it was costs nothing. Ids that are not known are passed over,
   * and of an event that is told twice the last counts.
   */
  apply(
    calendarId: string,
    { events, removed }: { events: readonly MirroredEvent[]; removed: readonly string[] },
    nowMs: number,
  ): Applied {
    const index = this.#index(calendarId);
    const told = new Map(events.map((event) => [event.eventId, event]));
    const gone = new Map<string, Applied['removed'][number]>();
    for (const eventId of removed.flatMap((id) => [id, ...index.occurrencesOf(id)])) {
      const known = told.has(eventId) ? undefined : index.find(eventId);
      if (known === undefined) continue;
      const { seriesId } = known;
      gone.set(eventId, { eventId, ...(seriesId !== undefined && { seriesId }) });
    }
    this.#remove(calendarId, [...gone.keys()], nowMs);
    const changed: string[] = [];
    for (const event of told.values()) {
      const { eventId, seriesId = '', details } = event;
      // It has lost what it said, though it is told as before.
      const isOrphaned = details === undefined && gone.has(seriesId);
      if (this.#put(calendarId, event, isOrphaned)) changed.push(eventId);
    }
    return { changed, removed: [...gone.values()] };
  }

  /** True when it was not known, or other than it is. */
  #put(calendarId: string, event: MirroredEvent, hasChanged: boolean): boolean {
    const { eventId } = event;
    const slot = slotOf(event);
    const slotText = JSON.stringify(slot);
    const details = event.details === undefined ? null : JSON.stringify(event.details);
    if (!hasChanged && this.#isKnown(calendarId, eventId, slotText, details)) return false;
    const seq = this.#nextSeq();
    this.#store.query(
      `INSERT OR REPLACE INTO mirrored_event (calendar_id, event_id, seq, slot, details) VALUES (?, ?, ?, ?, ?)`,
      calendarId,
      eventId,
      seq,
      slotText,
      details,
    );
    this.#index(calendarId).set(eventId, slot, seq);
    return true;
  }

  #isKnown(calendarId: string, eventId: string, slot: string, details: string | null): boolean {
    return (
      this.#index(calendarId).find(eventId) !== undefined &&
      this.#store.query(
        'SELECT seq FROM mirrored_event WHERE calendar_id = ? AND event_id = ? AND slot = ? AND details IS ?',
        calendarId,
        eventId,
        slot,
        details,
      ).length > 0
    );
  }

  #remove(calendarId: string, ids: readonly string[], nowMs: number): void {
    for (const id of ids) {
      this.#index(calendarId).delete(id);
      this.#store.query(
        `UPDATE mirrored_event SET seq = ?, slot = NULL, details = NULL, gone_at = ?
         WHERE calendar_id = ? AND event_id = ?`,
        this.#nextSeq(),
        nowMs,
        calendarId,
        id,
      );
    }
  }

  /** The number of the last change. */
  get lastSeq(): number {
    return this.#memory().lastSeq;
  }

  /**
   * The first `most` of what has changed after `seq`, in order, and those under the number of the last of them:
   * of each event only what has become of it.
   */
  changesSince(seq: number, most: number): { records: ChangeRecord[]; hasMore: boolean } {
    const { indexes } = this.#memory();
    const living = [...indexes].flatMap(([calendarId, index]) =>
      index.since(seq).map((one) => ({ ...one, calendarId })),
    );
    const gone = goneRowsSchema
      .parse(
        this.#store.query(
          'SELECT calendar_id, event_id, seq FROM mirrored_event WHERE slot IS NULL AND seq > ?',
          seq,
        ),
      )
      .map((row) => ({ calendarId: row.calendar_id, eventId: row.event_id, seq: row.seq }));
    const all = [...living, ...gone].toSorted((a, b) => a.seq - b.seq);
    const lastSeq = all[most - 1]?.seq ?? Infinity;
    const page = all.filter((one) => one.seq <= lastSeq);
    const records = page.map(({ calendarId, eventId, seq: at }) => {
      const event = this.findEvent(calendarId, eventId);
      return { seq: at, calendarId, eventId, ...(event !== undefined && { event }) };
    });
    return { records, hasMore: page.length < all.length };
  }

  /**
   * Forgets what has been gone for a month; the number up to which changes are no longer all known, where
   * anything was forgotten.
   */
  forgetGone(nowMs: number): number | undefined {
    const [oldest] = goneRowsSchema.parse(
      this.#store.query(
        `SELECT calendar_id, event_id, MAX(seq) AS seq FROM mirrored_event
         WHERE gone_at < ? AND seq < ? GROUP BY slot`,
        nowMs - GONE_KEPT_MS,
        // The last number stays known, so that it is not given again.
        this.lastSeq,
      ),
    );
    if (oldest === undefined) return undefined;
    this.#store.query(
      'DELETE FROM mirrored_event WHERE gone_at < ? AND seq <= ?',
      nowMs - GONE_KEPT_MS,
      oldest.seq,
    );
    return oldest.seq;
  }

  #nextSeq(): number {
    const memory = this.#memory();
    memory.lastSeq += 1;
    return memory.lastSeq;
  }

  #index(calendarId: string): MirrorIndex {
    const { indexes } = this.#memory();
    const known = indexes.get(calendarId);
    if (known !== undefined) return known;
    const index = new MirrorIndex();
    indexes.set(calendarId, index);
    return index;
  }

  #memory(): Memory {
    const { undone } = this.#store;
    if (this.#known?.undone !== undone) this.#known = { ...this.#read(), undone };
    return this.#known;
  }

  #read(): Omit<Memory, 'undone'> {
    const indexes = new Map<string, MirrorIndex>();
    let lastSeq = 0;
    const rows = slotRowsSchema.parse(
      this.#store.query('SELECT calendar_id, event_id, seq, slot FROM mirrored_event'),
    );
    for (const { calendar_id: calendarId, event_id: eventId, seq, slot } of rows) {
      lastSeq = Math.max(lastSeq, seq);
      if (slot === null) continue;
      const index = indexes.get(calendarId) ?? new MirrorIndex();
      index.set(eventId, eventSlotSchema.parse(JSON.parse(slot)), seq);
      indexes.set(calendarId, index);
    }
    return { indexes, lastSeq };
  }
}
