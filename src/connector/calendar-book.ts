import * as z from 'zod';
import type { Interval } from '../domain/interval.ts';
import { type MirroredCalendar, mirroredCalendarSchema } from '../domain/mirror.ts';
import type { Store } from './store.ts';

const rowsSchema = z.array(
  z.object({
    id: z.string(),
    info: z.string(),
    place: z.number(),
    position: z.string().nullable(),
    as_of: z.number().nullable(),
    from_at: z.number().nullable(),
    until_at: z.number().nullable(),
    doubted: z.number(),
    mixed: z.number(),
  }),
);

/** A calendar as it is mirrored. Times are epoch milliseconds. */
export interface CalendarState {
  calendar: MirroredCalendar;
  /** Where it is in the account's list. */
  place: number;
  /** Where the next reading begins; absent: it is to be read from the start. */
  position?: string;
  /** What has been read of it to the end, and of which instant that tells, never a later one. Absent: nothing yet. */
  known?: { asOfMs: number; window: Interval };
  /** A reading has come out so much emptier than what is known that another must say the same to be believed. */
  isDoubted: boolean;
  /** A reading of several pages has been taken in up to one of them: what is here was never so at one instant. */
  isMixed: boolean;
}

/** A calendar of which nothing has been read, or nothing that counts. */
export function unread(calendar: MirroredCalendar, place: number): CalendarState {
  return { calendar, place, isDoubted: false, isMixed: false };
}

/** The mirrored calendars, as they are recorded: read once in a life, and kept in memory. */
export class CalendarBook {
  readonly #store: Store;
  #known: { states: Map<string, CalendarState>; undone: number } | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** All of them, in the order of the account's list. */
  all(): CalendarState[] {
    return [...this.#states().values()].toSorted((a, b) => a.place - b.place);
  }

  /** One of them. */
  find(calendarId: string): CalendarState | undefined {
    return this.#states().get(calendarId);
  }

  /** Enters a calendar, or what has become of it: a row. */
  write(state: CalendarState): void {
    const { calendar, place, position, known, isDoubted, isMixed } = state;
    this.#store.query(
      `INSERT OR REPLACE INTO mirrored_calendar
         (id, info, place, position, as_of, from_at, until_at, doubted, mixed)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      calendar.id,
      JSON.stringify(calendar),
      place,
      position ?? null,
      known?.asOfMs ?? null,
      known?.window.startMs ?? null,
      known?.window.endMs ?? null,
      isDoubted ? 1 : 0,
      isMixed ? 1 : 0,
    );
    this.#states().set(calendar.id, state);
  }

  /** Takes a calendar off. */
  forget(calendarId: string): void {
    this.#store.query('DELETE FROM mirrored_calendar WHERE id = ?', calendarId);
    this.#states().delete(calendarId);
  }

  #states(): Map<string, CalendarState> {
    const { undone } = this.#store;
    // What was noted in a transaction that was undone is not so.
    if (this.#known?.undone !== undone) this.#known = { states: this.#read(), undone };
    return this.#known.states;
  }

  #read(): Map<string, CalendarState> {
    const rows = rowsSchema.parse(this.#store.query('SELECT * FROM mirrored_calendar'));
    return new Map(
      rows.map((row) => [
        row.id,
        {
          calendar: mirroredCalendarSchema.parse(JSON.parse(row.info)),
          place: row.place,
          isDoubted: row.doubted === 1,
          isMixed: row.mixed === 1,
          ...(row.position !== null && { position: row.position }),
          ...(row.as_of !== null &&
            row.from_at !== null &&
            row.until_at !== null && {
              known: { asOfMs: row.as_of, window: { startMs: row.from_at, endMs: row.until_at } },
            }),
        },
      ]),
    );
  }
}
