import type { Calendar, StoredEvent, Stretch } from '../calendar-store.ts';
import { calendarAt, changesSince } from '../journal.ts';
import type { Change } from '../journal.ts';
import { eventById, isMaster, occurrencesWithin } from '../occurrences.ts';
import type { ListedCalendar } from '../people.ts';
import type { Since } from './sync-token.ts';

/** An event to tell a client of that knows how it was. */
export interface ChangedEvent {
  readonly event: StoredEvent;
  /** It is deleted, no longer an occurrence, or no longer of a kind that was asked for. */
  readonly isGone: boolean;
}

/** How changes are to be told. */
interface Telling {
  readonly singleEvents: boolean;
  readonly isWanted: (event: StoredEvent) => boolean;
}

/**
 * What has changed since a revision: single events wherever they are; series as masters and exceptions or, with
 * `singleEvents`, as their occurrences, of which those within the window count.
 */
export function changedEvents(
  { calendar, timeZone }: ListedCalendar,
  { revision, window }: Since,
  telling: Telling,
): ChangedEvent[] {
  const changes = [...(changesSince(calendar, revision)?.values() ?? [])];
  if (!telling.singleEvents) {
    const lost = lostExceptions(calendar, changes);
    const before = calendarAt(calendar, revision);
    return [
      ...changes
        .filter(({ id }) => !lost.has(id))
        .flatMap((change) => changeOf(change.before, change.after, telling)),
      ...Array.from(lost, (id) => changeOf(eventById(before, id), eventById(calendar, id), telling)).flat(),
    ];
  }
  const before = calendarAt(calendar, revision);
  const standsAlone = (event: StoredEvent | undefined): StoredEvent | undefined =>
    event === undefined || isMaster(event) || event.occurrence !== undefined ? undefined : event;
  const alone = changes.flatMap((change) =>
    changeOf(standsAlone(change.before), standsAlone(change.after), telling),
  );
  const series = new Set(
    changes.flatMap((change) => [change.before, change.after].flatMap((event) => seriesOf(event) ?? [])),
  );
  const expand = (at: Calendar, id: string): Map<string, StoredEvent> => expanded(at, id, window, timeZone);
  const occurrences = Array.from(series, (id) => {
    const [old, now] = [expand(before, id), expand(calendar, id)];
    return Array.from(new Set([...old.keys(), ...now.keys()]), (one) => {
      // One that was moved out of the window is told too, and so is one that was moved into it.
      const is = now.get(one) ?? eventById(calendar, one);
      const was = old.get(one) ?? eventById(before, one);
      return is?.revision === was?.revision && is?.status === was?.status ? [] : changeOf(was, is, telling);
    }).flat();
  }).flat();
  return [...alone, ...occurrences];
}

// An exception that its series lost was told as gone. From then on its occurrence, which comes back when the series has
// that start again, is told for itself whenever the series changes: who left it out would go on leaving it out.
function lostExceptions(calendar: Calendar, changes: readonly Change[]): Set<string> {
  const series = new Set(
    changes.flatMap(({ before, after }) => [before, after].flatMap((event) => seriesOf(event) ?? [])),
  );
  const lost = calendar.journal.filter(
    ({ before, after }) => after === undefined && series.has(before?.occurrence?.masterId ?? ''),
  );
  return new Set(lost.map(({ id }) => id).filter((id) => !calendar.events.has(id)));
}

// Nobody needs to know of what came and went meanwhile, but a deletion is always told.
function changeOf(
  before: StoredEvent | undefined,
  after: StoredEvent | undefined,
  { isWanted }: Telling,
): ChangedEvent[] {
  if (after?.status === 'cancelled') return [{ event: after, isGone: true }];
  if (after !== undefined && isWanted(after)) return [{ event: after, isGone: false }];
  return before !== undefined && isWanted(before) ? [{ event: after ?? before, isGone: true }] : [];
}

function seriesOf(event: StoredEvent | undefined): string | undefined {
  if (event === undefined) return undefined;
  return isMaster(event) ? event.id : event.occurrence?.masterId;
}

function expanded(
  calendar: Calendar,
  id: string,
  window: Stretch,
  timeZone: string,
): Map<string, StoredEvent> {
  const master = calendar.events.get(id);
  const all = master === undefined ? [] : occurrencesWithin(calendar, master, window, timeZone);
  return new Map(all.map((event) => [event.id, event]));
}
