import { stretchOf } from '../calendar-store.ts';
import type { Mark, StoredEvent, Stretch } from '../calendar-store.ts';
import { jsonAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import { expandedWithin, isMaster, occurrencesWithin } from '../occurrences.ts';
import type { ListedCalendar, Person } from '../people.ts';
import { badRequest, notFound } from './errors.ts';
import { eventResource, eventType } from './event-resource.ts';
import { page, readQuery, readZone } from './query.ts';
import type { Query } from './query.ts';

const KNOWN = [
  'alwaysIncludeEmail',
  'iCalUID',
  'maxAttendees',
  'maxResults',
  'orderBy',
  'pageToken',
  'q',
  'showDeleted',
  'showHiddenInvitations',
  'singleEvents',
  'timeMax',
  'timeMin',
  'timeZone',
  'updatedMin',
];

// Extended properties to look for, and how the store names them.
const MARKS = [
  { parameter: 'privateExtendedProperty', prefix: 'private/' },
  { parameter: 'sharedExtendedProperty', prefix: 'shared/' },
] as const;

/**
 * GET calendars/{id}/events. `timeMin` bounds the events' ends and `timeMax` their starts, both exclusive.
 * A series is told as its master with its exceptions, or with `singleEvents` as its occurrences.
 * Pages may be shorter than asked: only `nextPageToken` tells whether there are more.
 */
export function listEvents(ask: Ask, person: Person, id: string): Answer {
  const entry = person.calendar(id);
  if (entry === undefined) throw notFound();
  if (entry.accessRole === 'freeBusyReader') {
    throw notFound();
  }
  const query = readQuery(ask, KNOWN, ['eventTypes', ...MARKS.map(({ parameter }) => parameter)]);
  const wanted = wantedMarks(ask);
  const singleEvents = query.flag('singleEvents', false);
  const orderBy = query.choice('orderBy', ['startTime', 'updated']);
  if (orderBy === 'startTime' && !singleEvents) {
    throw badRequest(
      'badRequest',
      'The requested ordering is not available for the particular query.',
      'orderBy',
    );
  }
  const window = readWindow(query);
  const { calendar } = entry;
  const kinds = ask.url.searchParams.getAll('eventTypes');
  const all = singleEvents
    ? expandedWithin(calendar, window, entry.timeZone)
    : [...calendar.events.values()].filter((event) => {
        if (isMaster(event)) return occurrencesWithin(calendar, event, window, entry.timeZone).length > 0;
        const { startMs, endMs } = stretchOf(event.span, entry.timeZone);
        return endMs > window.startMs && startMs < window.endMs;
      });
  // Whoever expands series alone needs to know which occurrences are gone.
  const standsIn = ({ occurrence }: StoredEvent): boolean =>
    !singleEvents &&
    occurrence !== undefined &&
    calendar.events.get(occurrence.masterId)?.status !== 'cancelled';
  const found = all
    .filter((event) => event.status !== 'cancelled' || query.flag('showDeleted', false) || standsIn(event))
    .filter((event) => wanted.every((mark) => hasMark(event, mark)))
    .filter((event) => (query.text('iCalUID') ?? event.iCalUid) === event.iCalUid)
    .filter((event) => event.updatedMs >= (query.time('updatedMin') ?? Number.NEGATIVE_INFINITY))
    .filter((event) => kinds.length === 0 || kinds.includes(eventType(event)))
    .filter((event) => mentions(event, query.text('q')))
    .toSorted((one, other) => order(one, orderBy, entry) - order(other, orderBy, entry));
  return tellEvents(ask, person, entry, query, found);
}

/** The window of `timeMin` and `timeMax`, without an end where they are left out. */
export function readWindow(query: Query): Stretch {
  const startMs = query.time('timeMin') ?? Number.NEGATIVE_INFINITY;
  const endMs = query.time('timeMax') ?? Number.POSITIVE_INFINITY;
  if (endMs <= startMs) {
    throw badRequest('timeRangeEmpty', 'The specified time range is empty.', 'timeMax', 'calendar');
  }
  return { startMs, endMs };
}

/** The page of `found` that was asked for, in the shape of a list of events. */
export function tellEvents(
  ask: Ask,
  person: Person,
  entry: ListedCalendar,
  query: Query,
  found: readonly StoredEvent[],
): Answer {
  const timeZone = readZone(query.text('timeZone') ?? entry.timeZone, 'timeZone');
  const asked = new URLSearchParams(ask.url.search);
  asked.delete('pageToken');
  const { items, ...more } = page(
    found,
    query.count('maxResults', 250, 2500),
    query.text('pageToken'),
    `${ask.url.pathname} ${asked.toString()}`,
  );
  return jsonAnswer(200, {
    kind: 'calendar#events',
    etag: `"p${String(entry.calendar.revision)}"`,
    summary: entry.name,
    updated: new Date(Math.max(0, ...found.map(({ updatedMs }) => updatedMs))).toISOString(),
    timeZone,
    accessRole: entry.accessRole,
    defaultReminders: entry.primary ? [{ method: 'popup', minutes: 10 }] : [],
    ...more,
    items: items.map((event) => eventResource(event, entry, person, timeZone)),
  });
}

function wantedMarks(ask: Ask): Mark[] {
  return MARKS.flatMap(({ parameter, prefix }) =>
    ask.url.searchParams.getAll(parameter).map((text) => {
      const equals = text.indexOf('=');
      if (equals < 1) throw badRequest('invalid', 'Invalid Value', parameter);
      return { id: prefix + text.slice(0, equals), value: text.slice(equals + 1) };
    }),
  );
}

function hasMark(event: StoredEvent, wanted: Mark): boolean {
  return event.marks?.some(({ id, value }) => id === wanted.id && value === wanted.value) === true;
}

function mentions(event: StoredEvent, words: string | undefined): boolean {
  const text = `${event.summary} ${event.description ?? ''} ${event.location ?? ''}`.toLowerCase();
  return (
    words === undefined ||
    words
      .toLowerCase()
      .split(/\s+/)
      .every((word) => text.includes(word))
  );
}

function order(event: StoredEvent, by: 'startTime' | 'updated' | undefined, entry: ListedCalendar): number {
  if (by === 'startTime') return stretchOf(event.span, entry.timeZone).startMs;
  return by === 'updated' ? event.updatedMs : event.revision;
}
