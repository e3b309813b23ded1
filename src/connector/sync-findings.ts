import type { MirroredEvent } from '../domain/mirror.ts';
import type { CalendarState } from './calendar-book.ts';
import type { Applied, Mirror } from './mirror.ts';

/** What a run of the sync came to. */
export interface SyncReport {
  /** Calendars in which somebody else has changed something, and how many events that were. */
  calendarIds: string[];
  changed: number;
  removed: number;
  /** Calendars that are in the list no more. */
  goneCalendarIds: string[];
}

/** What telling own changes from those of others takes. */
export interface FindingsOptions {
  mirror: Mirror;
  /** Whether this change is one that we have made ourselves, so that nobody needs to be told. */
  isOwn: (event: MirroredEvent) => boolean;
  isOwnRemoval: (eventId: string) => boolean;
}

/** What the sync has found and nobody has been told yet. */
export class Findings {
  readonly #options: FindingsOptions;
  #report = emptyReport();

  constructor(options: FindingsOptions) {
    this.#options = options;
  }

  /** Everything since it was last taken; undefined: nothing. */
  get untold(): SyncReport | undefined {
    const { changed, removed, goneCalendarIds } = this.#report;
    return changed + removed + goneCalendarIds.length > 0 ? this.#report : undefined;
  }

  /** Everything since it was last taken. */
  take(): SyncReport {
    const report = this.#report;
    this.#report = emptyReport();
    return report;
  }

  /** These calendars are gone from the list. */
  noteGone(calendarIds: readonly string[]): void {
    this.#report.goneCalendarIds.push(...calendarIds);
  }

  /**
   * Notes what has come of a page: not what was never known before, and not what we have done ourselves.
   *
   * @returns whether there is something to be told in it.
   */
  note({ calendar, known }: CalendarState, done: Applied, events: readonly MirroredEvent[]): boolean {
    const { isOwnRemoval } = this.#options;
    if (known === undefined) return false;
    const told = new Map(events.map((event) => [event.eventId, event]));
    const changedEvents = done.changed.flatMap((id) => told.get(id) ?? []);
    const changed = changedEvents.length - this.#countOwn(calendar.id, changedEvents);
    const removed = done.removed.filter(
      // With a series go its occurrences.
      ({ eventId, seriesId = eventId }) => !isOwnRemoval(eventId) && !isOwnRemoval(seriesId),
    ).length;
    if (changed + removed === 0) return false;
    const report = this.#report;
    report.changed += changed;
    report.removed += removed;
    if (!report.calendarIds.includes(calendar.id)) report.calendarIds.push(calendar.id);
    return true;
  }

  /** How many of these are our own doing: an occurrence that says nothing of its own has changed with its series. */
  #countOwn(calendarId: string, events: readonly MirroredEvent[]): number {
    const { mirror, isOwn } = this.#options;
    const sayers = new Map<string, boolean>();
    const isOwnSeries = (seriesId: string) => {
      const series = mirror.findEvent(calendarId, seriesId);
      return series !== undefined && isOwn(series);
    };
    return events.filter((event) => {
      const { details, seriesId } = event;
      if (details !== undefined || seriesId === undefined) return isOwn(event);
      const known = sayers.get(seriesId) ?? isOwnSeries(seriesId);
      sayers.set(seriesId, known);
      return known;
    }).length;
  }
}

function emptyReport(): SyncReport {
  return { calendarIds: [], changed: 0, removed: 0, goneCalendarIds: [] };
}
