import { Temporal } from 'temporal-polyfill';
import { stretchOf } from '../calendar-store.ts';
import type { OriginalStart, StoredEvent } from '../calendar-store.ts';
import type { Answer, Ask } from '../exchange.ts';
import { calendarAt, reachesBack } from '../journal.ts';
import { eventById, isMaster, occurrenceId, occurrencesWithin } from '../occurrences.ts';
import type { ListedCalendar, Person } from '../people.ts';
import { badRequest, notFound } from './errors.ts';
import { eventResource } from './event-resource.ts';
import { askedOf, readable, readWindow, tellEvents } from './events.ts';
import { readPlace, readQuery, readTime, readZone } from './query.ts';

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
  const now = readable(person, id);
  const query = readQuery(ask, KNOWN);
  const place = readPlace(query.text('pageToken'), askedOf(ask), now.calendar.revision);
  if (!reachesBack(now.calendar, place.revision)) throw badRequest('invalid', 'Invalid Value', 'pageToken');
  const entry: ListedCalendar = { ...now, calendar: calendarAt(now.calendar, place.revision) };
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
  const zone = readZone(query.text('timeZone') ?? timeZone, 'timeZone');
  const items = found.map((event) => eventResource(event, now, person, zone));
  return tellEvents(ask, entry, query, items, place);
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
