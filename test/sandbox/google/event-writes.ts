import { guestsOf } from '../calendar-store.ts';
import type { Attendee, EventContent, StoredEvent } from '../calendar-store.ts';
import type { NewEffect } from '../effects.ts';
import { jsonAnswer, Refused } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import { dropStrays, eventById } from '../occurrences.ts';
import type { ListedCalendar, Person } from '../people.ts';
import type { World } from '../world.ts';
import { conferenceOf } from './conference.ts';
import { badRequest, calendarError, notFound } from './errors.ts';
import { EventBody, readContent } from './event-body.ts';
import { etagOf, eventResource } from './event-resource.ts';
import { readJson } from './json-body.ts';
import { readQuery, readZone } from './query.ts';

interface Call {
  readonly world: World;
  readonly eventId: string;
}

const MAIL = ['sendNotifications', 'sendUpdates'];
const WRITE = [...MAIL, 'conferenceDataVersion', 'eventLabelVersion', 'maxAttendees', 'supportsAttachments'];

/** What a write asks for beside its body. */
interface Wishes {
  readonly mail: 'all' | 'externalOnly' | 'none';
  readonly conferenceVersion: number;
  readonly maxAttendees: number;
  readonly attachments: boolean;
}

/** GET calendars/{id}/events/{eventId}. A deleted event is there still, as cancelled. */
export function getEvent(ask: Ask, person: Person, id: string, { eventId }: Call): Answer {
  const entry = person.calendar(id);
  if (entry === undefined || entry.accessRole === 'freeBusyReader') throw notFound();
  const query = readQuery(ask, ['alwaysIncludeEmail', 'maxAttendees', 'timeZone']);
  query.flag('alwaysIncludeEmail', false);
  const event = eventById(entry.calendar, eventId);
  if (event === undefined) throw notFound();
  const timeZone = readZone(query.text('timeZone') ?? entry.timeZone, 'timeZone');
  return told(event, entry, person, { maxAttendees: readMost(query), timeZone });
}

/** POST calendars/{id}/events. The client may choose the id; one used before is refused, deleted or not. */
export function insertEvent(ask: Ask, person: Person, id: string, { world }: Call): Answer {
  const entry = writable(person, id);
  const wishes = readWishes(ask, WRITE);
  const body = readJson(ask, EventBody);
  if (typeof body.id === 'string' && !/^[a-v0-9]{5,1024}$/.test(body.id)) {
    throw badRequest('invalid', 'Invalid resource id value.', 'id');
  }
  if (typeof body.id === 'string' && typeof body.iCalUID === 'string') {
    throw badRequest('invalid', 'Only one of id and iCalUID may be given.', 'iCalUID');
  }
  if (body.status === 'cancelled') throw badRequest('invalid', 'A new event cannot be cancelled.', 'status');
  const content = contentOf(body, wishes, entry, world, undefined);
  if (typeof body.id === 'string' && entry.calendar.events.has(body.id)) {
    throw new Refused(calendarError(409, 'duplicate', 'The requested identifier already exists.'));
  }
  const names = {
    ...(typeof body.id === 'string' ? { id: body.id, iCalUid: `${body.id}@google.com` } : {}),
    ...(typeof body.iCalUID === 'string' ? { iCalUid: body.iCalUID } : {}),
  };
  const key = typeof body.id === 'string' ? { key: body.id } : {};
  const event = world.store.insert(entry.calendar, names, { ...content, ...key });
  note(world, 'created', person, entry, event, mailsTo(event.attendees, entry, wishes, world));
  return told(event, entry, person, wishes);
}

/** PATCH calendars/{id}/events/{eventId}: what is left out stays, null clears, lists are replaced whole. */
export function patchEvent(ask: Ask, person: Person, id: string, { world, eventId }: Call): Answer {
  const entry = writable(person, id);
  const wishes = readWishes(ask, [...WRITE, 'alwaysIncludeEmail']);
  const patch = readJson(ask, EventBody);
  const event = changeable(ask, entry, eventId);
  const zone = event.span.kind === 'timed' ? event.span.timeZone : entry.timeZone;
  const whole = EventBody.parse(merge(eventResource(event, entry, person, zone), patch));
  return change(whole, wishes, { world, person, entry, event });
}

/** PUT calendars/{id}/events/{eventId}: what is left out is gone. */
export function updateEvent(ask: Ask, person: Person, id: string, { world, eventId }: Call): Answer {
  const entry = writable(person, id);
  const wishes = readWishes(ask, [...WRITE, 'alwaysIncludeEmail']);
  const body = readJson(ask, EventBody);
  const event = changeable(ask, entry, eventId);
  if (event.response !== 'organizer') {
    const message = 'Shared properties can only be changed by the organizer of the event.';
    throw new Refused(calendarError(403, 'forbiddenForNonOrganizer', message, { domain: 'calendar' }));
  }
  return change(body, wishes, { world, person, entry, event });
}

/** DELETE calendars/{id}/events/{eventId}: the event, the whole series, or one occurrence by its own id. */
export function deleteEvent(ask: Ask, person: Person, id: string, { world, eventId }: Call): Answer {
  const entry = writable(person, id);
  const wishes = readWishes(ask, MAIL);
  const event = eventById(entry.calendar, eventId);
  if (event === undefined) throw notFound();
  if (event.status === 'cancelled') {
    throw new Refused(calendarError(410, 'deleted', 'Resource has been deleted'));
  }
  checkMatch(ask, event);
  world.store.remove(entry.calendar, event);
  note(world, 'deleted', person, entry, event, mailsTo(event.attendees, entry, wishes, world));
  return { status: 204 };
}

function change(
  body: EventBody,
  wishes: Wishes,
  at: { world: World; person: Person; entry: ListedCalendar; event: StoredEvent },
): Answer {
  const { world, person, entry, event } = at;
  const { occurrence } = event;
  if (occurrence !== undefined && (body.recurrence ?? []).length > 0) {
    throw badRequest('invalid', 'An instance of a recurring event has no recurrence.', 'recurrence');
  }
  const content = contentOf(body, wishes, entry, world, event);
  const self = content.attendees?.find(({ email }) => email.toLowerCase() === person.email.toLowerCase());
  const response = event.response === 'organizer' ? 'organizer' : (self?.response ?? event.response);
  const key = event.key === undefined ? {} : { key: event.key };
  const written = world.store.replace(entry.calendar, event, {
    ...content,
    response,
    ...key,
    ...(occurrence === undefined ? {} : { occurrence }),
  });
  dropStrays(world.store, entry.calendar, written);
  const isGone = written.status === 'cancelled';
  const changed = isGone ? world.store.remove(entry.calendar, written) : written;
  const everyone = [...(content.attendees ?? []), ...(event.attendees ?? [])];
  const guests = everyone.filter(
    ({ email }, index) => everyone.findIndex((one) => one.email === email) === index,
  );
  note(world, isGone ? 'deleted' : 'updated', person, entry, changed, mailsTo(guests, entry, wishes, world));
  return told(changed, entry, person, wishes);
}

function contentOf(
  body: EventBody,
  wishes: Wishes,
  entry: ListedCalendar,
  world: World,
  before: StoredEvent | undefined,
): EventContent {
  const content = readContent(body, entry.timeZone);
  const { conferenceData, hangoutLink, attachments, sequence } = before?.own ?? {};
  const conference = conferenceOf(
    body.conferenceData,
    wishes.conferenceVersion,
    conferenceData === undefined ? {} : { conferenceData, hangoutLink },
    world.dice,
  );
  const files = wishes.attachments ? body.attachments : attachments;
  const moved = before !== undefined && JSON.stringify(before.span) !== JSON.stringify(content.span);
  return {
    ...content,
    own: {
      ...content.own,
      ...conference,
      ...(files === undefined || files === null ? {} : { attachments: files }),
      // Google counts the times an event was moved.
      sequence: Number(sequence ?? 0) + (moved ? 1 : 0),
    },
  };
}

function writable(person: Person, id: string): ListedCalendar {
  const entry = person.calendar(id);
  if (entry === undefined || entry.accessRole === 'freeBusyReader') throw notFound();
  if (entry.accessRole === 'reader') {
    const message = 'You need to have writer access to this calendar.';
    throw new Refused(calendarError(403, 'requiredAccessLevel', message, { domain: 'calendar' }));
  }
  return entry;
}

function changeable(ask: Ask, entry: ListedCalendar, eventId: string): StoredEvent {
  const event = eventById(entry.calendar, eventId);
  if (event === undefined) throw notFound();
  if (event.status === 'cancelled') throw new Refused(calendarError(403, 'forbidden', 'Forbidden'));
  checkMatch(ask, event);
  return event;
}

function checkMatch(ask: Ask, event: StoredEvent): void {
  const match = ask.headers.get('if-match');
  if (match === null || match === '*' || match === etagOf(event)) return;
  throw new Refused(
    calendarError(412, 'conditionNotMet', 'Precondition Failed', {
      place: { location: 'If-Match', locationType: 'header' },
    }),
  );
}

function readWishes(ask: Ask, known: readonly string[]): Wishes {
  const query = readQuery(ask, known);
  const version = query.text('conferenceDataVersion') ?? '0';
  if (!/^[01]$/.test(version)) {
    throw badRequest('invalidParameter', `Invalid integer value: '${version}'.`, 'conferenceDataVersion');
  }
  const all = query.flag('sendNotifications', false);
  const mail = query.choice('sendUpdates', ['all', 'externalOnly', 'none'] as const);
  return {
    mail: mail ?? (all ? 'all' : 'none'),
    conferenceVersion: Number(version),
    maxAttendees: readMost(query),
    attachments: query.flag('supportsAttachments', false),
  };
}

function readMost(query: ReturnType<typeof readQuery>): number {
  return query.count('maxAttendees', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}

function told(
  event: StoredEvent,
  entry: ListedCalendar,
  person: Person,
  { maxAttendees, timeZone = entry.timeZone }: { maxAttendees: number; timeZone?: string },
): Answer {
  const whole = eventResource(event, entry, person, timeZone);
  const { attendees } = whole;
  const many = Array.isArray(attendees) && attendees.length > maxAttendees;
  const some = many ? { attendees: attendees.slice(0, maxAttendees), attendeesOmitted: true } : {};
  return jsonAnswer(200, { ...whole, ...some }, { headers: { etag: etagOf(event) } });
}

function mailsTo(
  attendees: readonly Attendee[] | undefined,
  entry: ListedCalendar,
  { mail }: Wishes,
  world: World,
): number {
  if (mail === 'none') return 0;
  const guests = guestsOf(entry.calendar, attendees);
  if (mail === 'all') return guests.length;
  return guests.filter(({ email }) => world.people.get(email, 'google') === undefined).length;
}

function note(
  world: World,
  deed: NewEffect['deed'],
  person: Person,
  entry: ListedCalendar,
  event: StoredEvent,
  mails: number,
): void {
  world.effect({
    deed,
    provider: 'google',
    person: person.email,
    calendarId: entry.id,
    eventId: event.id,
    ...(event.key === undefined ? {} : { key: event.key }),
    mails,
  });
}

// JSON merge: objects into each other, everything else replaced.
function merge(before: Record<string, unknown>, patch: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...before };
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    const old = merged[name];
    merged[name] = isObject(old) && isObject(value) ? merge(old, value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
