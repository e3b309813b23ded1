import { Temporal } from 'temporal-polyfill';
import { stretchOf } from '../calendar-store.ts';
import type { OriginalStart, StoredEvent } from '../calendar-store.ts';
import type { Answer, Ask } from '../exchange.ts';
import { eventById, isMaster, occurrenceId, occurrencesWithin } from '../occurrences.ts';
import type { ListedCalendar, Person } from '../people.ts';
import { badRequest, notFound } from './errors.ts';
import { readWindow, tellEvents } from './events.ts';
import { readQuery, readTime } from './query.ts';

const KNOWN = [
  'alwaysIncludeEmail',
  'maxAttendees',
  'maxResults',
  'originalStart',
  'pageToken',
  'showDeleted',
  'timeMax',
  'timeMin',
  'timeZone',
];

/**
 * GET calendars/{id}/events/{eventId}/instances: the occurrences of a series as they are now, by their start. An
 * event that is no series has none.
 */
export function listInstances(
  ask: Ask,
  person: Person,
  id: string,
  { eventId }: { eventId: string },
): Answer {
  const entry = person.calendar(id);
  if (entry === undefined || entry.accessRole === 'freeBusyReader') throw notFound();
  const query = readQuery(ask, KNOWN);
  const { calendar, timeZone } = entry;
  const master = eventById(calendar, eventId);
  if (master === undefined) throw notFound();
  const window = readWindow(query);
  const asked = query.text('originalStart');
  const all =
    asked === undefined
      ? occurrencesWithin(calendar, master, window, timeZone)
      : instanceOf(entry, master, readOriginalStart(asked)).filter((event) => {
          const { startMs, endMs } = stretchOf(event.span, timeZone);
          return startMs < window.endMs && endMs > window.startMs;
        });
  const showDeleted = query.flag('showDeleted', false);
  const found = all.filter(({ status }) => status !== 'cancelled' || showDeleted);
  return tellEvents(ask, person, entry, query, found);
}

function instanceOf(
  { calendar }: ListedCalendar,
  master: StoredEvent,
  original: OriginalStart,
): StoredEvent[] {
  const found = isMaster(master) ? eventById(calendar, occurrenceId(master.id, original)) : undefined;
  return found === undefined ? [] : [found];
}

function readOriginalStart(text: string): OriginalStart {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return { kind: 'timed', startMs: readTime(text, 'originalStart') };
  try {
    return { kind: 'all-day', date: Temporal.PlainDate.from(text).toString() };
  } catch {
    throw badRequest('invalid', 'Invalid Value', 'originalStart');
  }
}
