import { stretchOf } from '../calendar-store.ts';
import type { Mark, StoredEvent, Stretch } from '../calendar-store.ts';
import { jsonAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import { calendarAt, reachesBack } from '../journal.ts';
import { expandedWithin, isMaster, occurrencesWithin } from '../occurrences.ts';
import type { ListedCalendar, Person } from '../people.ts';
import { badRequest, fullSyncRequired, notFound } from './errors.ts';
import { eventResource, eventType, goneResource } from './event-resource.ts';
import { changedEvents } from './event-changes.ts';
import { page, readPlace, readQuery, readZone } from './query.ts';
import type { Place, Query } from './query.ts';
import { readSyncToken, writeSyncToken } from './sync-token.ts';

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
  'syncToken',
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

// A list that was asked for with one of these tells no sync token; with a sync token none of them may come.
const NO_SYNC = ['iCalUID', 'orderBy', 'q', 'updatedMin', ...MARKS.map(({ parameter }) => parameter)];
const WINDOW = ['timeMin', 'timeMax'];
// What must be the same from the first reading on. Page sizes and partial replies may differ.
const SAME = ['eventTypes', 'maxAttendees', 'showHiddenInvitations', 'singleEvents', 'timeZone'];

/**
 * GET calendars/{id}/events. `timeMin` bounds the events' ends and `timeMax` their starts, both exclusive.
 * A series is told as its master with its exceptions, or with `singleEvents` as its occurrences; with `syncToken` what
 * has changed since. Pages may be shorter than asked: only `nextPageToken` tells whether there are more. All pages
 * tell the calendar as it was when the first was asked for; what changes meanwhile is told by the next sync.
 */
export function listEvents(ask: Ask, person: Person, id: string): Answer {
  const entry = readable(person, id);
  const query = readListQuery(ask);
  const place = readPlace(query.text('pageToken'), askedOf(ask), entry.calendar.revision);
  if (!reachesBack(entry.calendar, place.revision)) throw fullSyncRequired();
  const then: ListedCalendar = { ...entry, calendar: calendarAt(entry.calendar, place.revision) };
  const token = query.text('syncToken');
  const since = token === undefined ? undefined : readSyncToken(token, then, sameOf(ask));
  const window = since?.window ?? readWindow(query);
  const timeZone = readZone(query.text('timeZone') ?? entry.timeZone, 'timeZone');
  const items =
    since === undefined
      ? eventsFound(ask, then, query, window).map((event) => eventResource(event, entry, person, timeZone))
      : changedEvents(then, since, {
          singleEvents: query.flag('singleEvents', false),
          isWanted: isOfKinds(ask),
        }).map(({ event, isGone }) =>
          isGone ? goneResource(event, timeZone) : eventResource(event, entry, person, timeZone),
        );
  const tellsToken = NO_SYNC.every((name) => !ask.url.searchParams.has(name));
  const nextSyncToken = writeSyncToken(then, window, sameOf(ask));
  return tellEvents(ask, then, query, items, place, tellsToken ? { nextSyncToken } : {});
}

/** A calendar whose events the person may read. */
export function readable(person: Person, id: string): ListedCalendar {
  const entry = person.calendar(id);
  if (entry === undefined || entry.accessRole === 'freeBusyReader') throw notFound();
  return entry;
}

/** The query of a list of events, as it is taken by a list and by a watch. */
export function readListQuery(ask: Ask): Query {
  const query = readQuery(ask, KNOWN, ['eventTypes', ...MARKS.map(({ parameter }) => parameter)]);
  if (
    query.choice('orderBy', ['startTime', 'updated']) === 'startTime' &&
    !query.flag('singleEvents', false)
  ) {
    throw badRequest(
      'badRequest',
      'The requested ordering is not available for the particular query.',
      'orderBy',
    );
  }
  if (query.text('syncToken') === undefined) return query;
  const forbidden = [...NO_SYNC, ...WINDOW].find((name) => ask.url.searchParams.has(name));
  if (forbidden !== undefined) {
    const what = forbidden === 'orderBy' ? 'non-default ordering' : forbidden;
    throw badRequest('invalid', `Sync token cannot be used with ${what}.`, forbidden);
  }
  if (!query.flag('showDeleted', true)) {
    throw badRequest('invalid', 'Sync token cannot be used with showDeleted=false.', 'showDeleted');
  }
  return query;
}

function eventsFound(
  ask: Ask,
  { calendar, timeZone }: ListedCalendar,
  query: Query,
  window: Stretch,
): StoredEvent[] {
  const wanted = wantedMarks(ask);
  const singleEvents = query.flag('singleEvents', false);
  const orderBy = query.choice('orderBy', ['startTime', 'updated']);
  const all = singleEvents
    ? expandedWithin(calendar, window, timeZone)
    : [...calendar.events.values()].filter((event) => {
        if (isMaster(event)) return occurrencesWithin(calendar, event, window, timeZone).length > 0;
        const { startMs, endMs } = stretchOf(event.span, timeZone);
        return endMs > window.startMs && startMs < window.endMs;
      });
  // Whoever expands series alone needs to know which occurrences are gone.
  const standsIn = ({ occurrence }: StoredEvent): boolean =>
    !singleEvents &&
    occurrence !== undefined &&
    calendar.events.get(occurrence.masterId)?.status !== 'cancelled';
  return all
    .filter((event) => event.status !== 'cancelled' || query.flag('showDeleted', false) || standsIn(event))
    .filter((event) => wanted.every((mark) => hasMark(event, mark)))
    .filter((event) => (query.text('iCalUID') ?? event.iCalUid) === event.iCalUid)
    .filter((event) => event.updatedMs >= (query.time('updatedMin') ?? Number.NEGATIVE_INFINITY))
    .filter(isOfKinds(ask))
    .filter((event) => mentions(event, query.text('q')))
    .toSorted((one, other) => order(one, orderBy, timeZone) - order(other, orderBy, timeZone));
}

function isOfKinds(ask: Ask): (event: StoredEvent) => boolean {
  const kinds = ask.url.searchParams.getAll('eventTypes');
  return (event) => kinds.length === 0 || kinds.includes(eventType(event));
}

function sameOf({ url }: Ask): string {
  return JSON.stringify(SAME.map((name) => url.searchParams.getAll(name)));
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

/** What was asked for, but for the page of it. */
export function askedOf({ url }: Ask): string {
  const asked = new URLSearchParams(url.search);
  asked.delete('pageToken');
  return `${url.pathname} ${asked.toString()}`;
}

/** The page of `found` that was asked for, in the shape of a list of events; `atEnd` comes with the last. */
export function tellEvents(
  ask: Ask,
  entry: ListedCalendar,
  query: Query,
  found: readonly Record<string, unknown>[],
  place: Place,
  atEnd: { nextSyncToken?: string } = {},
): Answer {
  const size = query.count('maxResults', 250, 2500);
  const { items, ...more } = page(ask, found, size, place, askedOf(ask));
  const changes = [...entry.calendar.events.values()].map(({ updatedMs }) => updatedMs);
  return jsonAnswer(200, {
    kind: 'calendar#events',
    etag: `"p${String(entry.calendar.revision)}"`,
    summary: entry.name,
    updated: new Date(changes.reduce((last, next) => Math.max(last, next), 0)).toISOString(),
    timeZone: readZone(query.text('timeZone') ?? entry.timeZone, 'timeZone'),
    accessRole: entry.accessRole,
    defaultReminders: entry.primary ? [{ method: 'popup', minutes: 10 }] : [],
    ...(more.nextPageToken === undefined ? atEnd : more),
    items,
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

function order(event: StoredEvent, by: 'startTime' | 'updated' | undefined, timeZone: string): number {
  if (by === 'startTime') return stretchOf(event.span, timeZone).startMs;
  return by === 'updated' ? event.updatedMs : event.revision;
}
