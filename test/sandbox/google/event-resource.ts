import type { EventSpan, StoredEvent } from '../calendar-store.ts';
import type { ListedCalendar, Person } from '../people.ts';
import { writeTime } from './query.ts';

/** The ETag of an event: another after every change. */
export function etagOf(event: StoredEvent): string {
  return `"${String(event.revision)}${String(event.updatedMs)}"`;
}

/** An event as Google tells it, its times in `timeZone`. */
export function eventResource(
  event: StoredEvent,
  entry: ListedCalendar,
  person: Person,
  timeZone: string,
): Record<string, unknown> {
  const organized = event.response === 'organizer';
  const ends = (which: 'start' | 'end'): object => {
    const { span } = event;
    if (span.kind === 'all-day') return { date: which === 'start' ? span.startDate : span.endDate };
    const atMs = which === 'start' ? span.startMs : span.endMs;
    return { dateTime: writeTime(atMs, timeZone), timeZone: span.timeZone };
  };
  const mine = { email: entry.calendar.ownerEmail, ...(entry.primary ? { self: true } : {}) };
  const someone = organized ? mine : { email: 'organizer@elsewhere.invalid' };
  const { sequence = 0, ...own } = event.own ?? {};
  return {
    kind: 'calendar#event',
    etag: etagOf(event),
    id: event.id,
    status: event.status,
    htmlLink: `https://www.google.com/calendar/event?eid=${Buffer.from(`${event.id} ${entry.id}`).toString('base64url')}`,
    created: new Date(event.createdMs).toISOString(),
    updated: new Date(event.updatedMs).toISOString(),
    ...(event.summary === '' ? {} : { summary: event.summary }),
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
    ...(event.recurrence === undefined ? {} : { recurrence: event.recurrence.lines }),
    ...series(event, timeZone),
    iCalUID: event.iCalUid,
    sequence,
    ...attendees(event, person),
    ...extendedProperties(event),
    reminders: { useDefault: true },
    eventType: eventType(event),
    ...own,
  };
}

/** All that is told of an event that is gone; of an occurrence also which one it was. */
export function goneResource(event: StoredEvent, timeZone: string): Record<string, unknown> {
  const { id, status } = { ...event, status: 'cancelled' };
  return { kind: 'calendar#event', etag: etagOf(event), id, status, ...series(event, timeZone) };
}

function series({ occurrence, span }: StoredEvent, timeZone: string): object {
  if (occurrence === undefined) return {};
  const { masterId, original } = occurrence;
  const originalStartTime =
    original.kind === 'all-day'
      ? { date: original.date }
      : { dateTime: writeTime(original.startMs, timeZone), timeZone: zoneOf(span) ?? timeZone };
  return { recurringEventId: masterId, originalStartTime };
}

function zoneOf(span: EventSpan): string | undefined {
  return span.kind === 'timed' ? span.timeZone : undefined;
}

/** The kind of event, as Google tells kinds apart. */
export function eventType(event: StoredEvent): string {
  if (event.showAs === 'oof') return 'outOfOffice';
  return event.showAs === 'workingElsewhere' ? 'workingLocation' : 'default';
}

function attendees(event: StoredEvent, person: Person): { attendees?: object[] } {
  const answers = {
    organizer: 'accepted',
    accepted: 'accepted',
    declined: 'declined',
    tentative: 'tentative',
    none: 'needsAction',
  };
  if (event.attendees !== undefined) {
    if (event.attendees.length === 0) return {};
    return {
      attendees: event.attendees.map(({ email, name, kind, response }) => ({
        email,
        ...(name === undefined ? {} : { displayName: name }),
        ...(kind === 'optional' ? { optional: true } : {}),
        ...(kind === 'resource' ? { resource: true } : {}),
        ...(email.toLowerCase() === person.email.toLowerCase() ? { self: true } : {}),
        responseStatus: answers[response],
      })),
    };
  }
  if (event.response === 'organizer') return {};
  return {
    attendees: [
      { email: 'organizer@elsewhere.invalid', organizer: true, responseStatus: 'accepted' },
      { email: person.email, self: true, responseStatus: answers[event.response] },
    ],
  };
}

function extendedProperties(event: StoredEvent): { extendedProperties?: object } {
  if (event.marks === undefined || event.marks.length === 0) return {};
  const of = (room: 'private' | 'shared'): object => {
    const mine = event.marks?.filter(({ id }) => id.startsWith(`${room}/`)) ?? [];
    const values = mine.map(({ id, value }) => [id.slice(room.length + 1), value]);
    return mine.length === 0 ? {} : { [room]: Object.fromEntries(values) };
  };
  return { extendedProperties: { ...of('private'), ...of('shared') } };
}
