import { stretchOf } from '../calendar-store.ts';
import type { StoredEvent } from '../calendar-store.ts';
import { jsonAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { ListedCalendar, Person } from '../people.ts';
import { badRequest, notFound } from './errors.ts';
import { page, readQuery, readZone, writeTime } from './query.ts';

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

/**
 * GET calendars/{id}/events. `timeMin` bounds the events' ends and `timeMax` their starts, both exclusive.
 * Pages may be shorter than asked: only `nextPageToken` tells whether there are more.
 */
export function listEvents(ask: Ask, person: Person, id: string): Answer {
  const entry = person.calendar(id);
  if (entry === undefined) throw notFound();
  if (entry.accessRole === 'freeBusyReader') {
    throw notFound();
  }
  const query = readQuery(ask, KNOWN, ['eventTypes']);
  const singleEvents = query.flag('singleEvents', false);
  const orderBy = query.choice('orderBy', ['startTime', 'updated']);
  if (orderBy === 'startTime' && !singleEvents) {
    throw badRequest(
      'badRequest',
      'The requested ordering is not available for the particular query.',
      'orderBy',
    );
  }
  const afterMs = query.time('timeMin') ?? Number.NEGATIVE_INFINITY;
  const beforeMs = query.time('timeMax') ?? Number.POSITIVE_INFINITY;
  if (beforeMs <= afterMs) {
    throw badRequest('timeRangeEmpty', 'The specified time range is empty.', 'timeMax', 'calendar');
  }
  const timeZone = readZone(query.text('timeZone') ?? entry.timeZone, 'timeZone');
  const kinds = ask.url.searchParams.getAll('eventTypes');
  const found = [...entry.calendar.events.values()]
    .filter((event) => event.status !== 'cancelled' || query.flag('showDeleted', false))
    .filter((event) => (query.text('iCalUID') ?? event.iCalUid) === event.iCalUid)
    .filter((event) => event.updatedMs >= (query.time('updatedMin') ?? Number.NEGATIVE_INFINITY))
    .filter((event) => kinds.length === 0 || kinds.includes(eventType(event)))
    .filter((event) => mentions(event, query.text('q')))
    .filter((event) => {
      const { startMs, endMs } = stretchOf(event.span, entry.timeZone);
      return endMs > afterMs && startMs < beforeMs;
    })
    .toSorted((one, other) => order(one, orderBy, entry) - order(other, orderBy, entry));
  const asked = new URLSearchParams(ask.url.search);
  asked.delete('pageToken');
  const { items, ...more } = page(
    found,
    query.count('maxResults', 250, 2500),
    query.text('pageToken'),
    `${entry.id} ${asked.toString()}`,
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

/** An event as Google tells it, its times in `timeZone`. */
export function eventResource(
  event: StoredEvent,
  entry: ListedCalendar,
  person: Person,
  timeZone: string,
): object {
  const organized = event.response === 'organizer';
  const ends = (which: 'start' | 'end'): object => {
    const { span } = event;
    if (span.kind === 'all-day') return { date: which === 'start' ? span.startDate : span.endDate };
    const atMs = which === 'start' ? span.startMs : span.endMs;
    return { dateTime: writeTime(atMs, timeZone), timeZone: span.timeZone };
  };
  const mine = { email: entry.calendar.ownerEmail, ...(entry.primary ? { self: true } : {}) };
  const someone = organized ? mine : { email: 'organizer@elsewhere.invalid' };
  return {
    kind: 'calendar#event',
    etag: `"${String(event.revision)}${String(event.updatedMs)}"`,
    id: event.id,
    status: event.status,
    htmlLink: `https://www.google.com/calendar/event?eid=${Buffer.from(`${event.id} ${entry.id}`).toString('base64url')}`,
    created: new Date(event.createdMs).toISOString(),
    updated: new Date(event.updatedMs).toISOString(),
    summary: event.summary,
    ...(event.description === undefined ? {} : { description: event.description }),
    ...(event.location === undefined ? {} : { location: event.location }),
    creator: someone,
    organizer: someone,
    start: ends('start'),
    end: ends('end'),
    ...(event.showAs === 'free' || event.showAs === 'workingElsewhere'
      ? { transparency: 'transparent' }
      : {}),
    ...(event.isPrivate ? { visibility: 'private' } : {}),
    iCalUID: event.iCalUid,
    sequence: 0,
    ...(organized ? {} : { attendees: attendees(event, person) }),
    reminders: { useDefault: true },
    eventType: eventType(event),
  };
}

function attendees(event: StoredEvent, person: Person): object[] {
  const answers = {
    organizer: 'accepted',
    accepted: 'accepted',
    declined: 'declined',
    tentative: 'tentative',
  };
  const answer = event.response === 'none' ? 'needsAction' : answers[event.response];
  return [
    { email: 'organizer@elsewhere.invalid', organizer: true, responseStatus: 'accepted' },
    { email: person.email, self: true, responseStatus: answer },
  ];
}

function eventType(event: StoredEvent): string {
  if (event.showAs === 'oof') return 'outOfOffice';
  return event.showAs === 'workingElsewhere' ? 'workingLocation' : 'default';
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
