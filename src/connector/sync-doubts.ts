import type { Interval } from '../domain/interval.ts';
import type { MirroredEvent } from '../domain/mirror.ts';
import type { CalendarState } from './calendar-book.ts';
import type { Mirror } from './mirror.ts';

/** A reading that says so much less than is known is read again after so long, before it is believed. */
export const DOUBT_MS = 5_000;
/** So many events that vanish together are doubted, when they are more than half of all. */
const MANY = 10;
/** So many events that all are said to be gone at once are doubted. */
const FEW = 3;

/** A reading from the start that has come to its end. */
export interface WholeReading {
  state: CalendarState;
  /** When it began. */
  asOfMs: number;
  /** The ids that it has told. */
  seen: ReadonlySet<string>;
  /** Known events that it should have told and has not; `due`: how many it should have told. */
  vanished: number;
  due: number;
}

/** Which readings are not to be believed yet: a calendar that is suddenly empty may be a fault of its provider. */
export class Doubts {
  readonly #mirror: Mirror;
  /** When a calendar was first doubted, as far as this life knows. */
  readonly #sinceMs = new Map<string, number>();

  constructor(mirror: Mirror) {
    this.#mirror = mirror;
  }

  /** A calendar is doubted from now on, and is to be read from the start; what is known of it stays. */
  raise(calendarId: string, nowMs: number): void {
    if (!this.#sinceMs.has(calendarId)) this.#sinceMs.set(calendarId, nowMs);
    this.#mirror.startOver(calendarId, true);
  }

  /** A calendar has been read to its end, and that was believed. */
  settle(calendarId: string): void {
    this.#sinceMs.delete(calendarId);
  }

  /** Whether a reading is so much emptier than what is known that another must say the same, and has not yet. */
  isSuspicious({ state, asOfMs, seen, vanished, due }: WholeReading): boolean {
    const seemsEmptied = vanished > 0 && (seen.size === 0 || (vanished >= MANY && vanished * 2 > due));
    // The second to say so, and not at once after the first.
    const sinceMs = this.#sinceMs.get(state.calendar.id) ?? -Infinity;
    const isConfirmed = state.isDoubted && asOfMs >= sinceMs + DOUBT_MS;
    return seemsEmptied && !isConfirmed;
  }

  /** Whether a page of changes takes everything away from a calendar that has had something. */
  emptiesAll(calendarId: string, events: readonly MirroredEvent[], removed: readonly string[]): boolean {
    const known = this.#mirror.idsOf(calendarId);
    if (known.length < FEW || events.length > 0) return false;
    const gone = new Set(removed);
    return known.every((id) => {
      const seriesId = this.#mirror.seriesOf(calendarId, id);
      return gone.has(id) || (seriesId !== undefined && gone.has(seriesId));
    });
  }

  /** What a reading of `window` from the start has to tell, as far as is known. */
  dueIn(calendarId: string, window: Interval): string[] {
    const placed = this.#mirror.within(calendarId, window);
    return placed?.map(({ eventId }) => eventId) ?? this.#mirror.idsOf(calendarId);
  }
}
