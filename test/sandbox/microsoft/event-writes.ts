import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';
import { guestsOf, stretchOf } from '../calendar-store.ts';
import type { Attendee, EventContent, OriginalStart, StoredEvent } from '../calendar-store.ts';
import type { NewEffect } from '../effects.ts';
import { jsonAnswer, Refused } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import { dropStrays, eventById, exceptionsOf, occurrencesWithin } from '../occurrences.ts';
import type { ListedCalendar, Person } from '../people.ts';
import type { World } from '../world.ts';
import { badRequest, graphError, itemNotFound } from './errors.ts';
import { EventPatch, NewEvent, readContent } from './event-body.ts';
import { etagOf, eventId, eventResource, innerId } from './event-resource.ts';
import { expanded, mergeMarks, readExpand } from './extended-properties.ts';
import { readJson } from './json-body.ts';
import { readOptions, readPreferences, select } from './odata.ts';
import type { Preferences } from './odata.ts';

// A day and its neighbours, whatever the zone.
const NEIGHBOUR_MS = 48 * 3_600_000;

/** An event and the calendar it is in. */
export interface EventPlace {
  readonly entry: ListedCalendar;
  readonly event: StoredEvent;
}

/** The event or occurrence that an id means, either kind of id; a deleted one is found no more. */
export function findEvent(entries: readonly ListedCalendar[], id: string): EventPlace {
  if (!/^[A-Za-z0-9_=+/-]{20,}$/.test(id)) throw badRequest('ErrorInvalidIdMalformed', 'Id is malformed.');
  const inner = innerId(id) ?? '';
  for (const entry of entries) {
    const event = eventById(entry.calendar, inner);
    if (event === undefined || event.status === 'cancelled') continue;
    if (eventId(event, entry, false) === id || eventId(event, entry, true) === id) return { entry, event };
  }
  throw itemNotFound();
}

/** GET …/events/{id}. */
export function getEvent(world: World, ask: Ask, person: Person, at: EventPlace): Answer {
  const options = readOptions(ask, ['$select', '$expand']);
  const expand = readExpand(options.text('$expand'));
  return told(world, person, at, {
    status: 200,
    preferences: readPreferences(ask),
    shape: (whole) => ({
      ...select({ ...whole, ...onSelect(at, options.text('$select')) }, options.text('$select'), 'event'),
      ...expanded(at.event, expand),
    }),
  });
}

// Told only of a series, and only when it is selected.
function onSelect({ entry, event }: EventPlace, selected = ''): object {
  if (!selected.toLowerCase().split(',').includes('cancelledoccurrences')) return {};
  const gone = exceptionsOf(entry.calendar, event).filter(({ status }) => status === 'cancelled');
  return {
    cancelledOccurrences: gone.map(
      ({ occurrence }) => `OID.${eventId(event, entry, false)}.${dayOf(event, occurrence?.original)}`,
    ),
  };
}

// The day of a start on the clock of its series.
function dayOf({ recurrence }: StoredEvent, original: OriginalStart | undefined): string {
  if (original === undefined || original.kind === 'all-day') return original?.date ?? '';
  return Temporal.Instant.fromEpochMilliseconds(original.startMs)
    .toZonedDateTimeISO(recurrence?.timeZone ?? 'UTC')
    .toPlainDate()
    .toString();
}

/** POST …/events. A transactionId that comes again makes no second event. */
export function createEvent(world: World, ask: Ask, person: Person, entry: ListedCalendar): Answer {
  readOptions(ask, []);
  const preferences = readPreferences(ask);
  checkWritable(entry);
  const { transactionId, ...body } = readJson(ask, NewEvent);
  const content = readContent(body);
  const reply = { status: 201, preferences };
  const key = typeof transactionId === 'string' && transactionId !== '' ? transactionId : undefined;
  const before = key === undefined ? undefined : person.transactions.get(key);
  const asked = canonical({ ...body, calendar: entry.id });
  if (before !== undefined) {
    const event = entry.calendar.events.get(before.eventId);
    const same = before.content === asked && event !== undefined && event.status !== 'cancelled';
    if (!same || person.repeatedTransactionId === 'conflict') {
      const message = 'Your request cannot be completed: the transaction ID has been used already.';
      throw new Refused(graphError(409, 'ErrorDuplicateTransactionId', message));
    }
    return told(world, person, { entry, event }, reply);
  }
  const event = world.store.insert(
    entry.calendar,
    {},
    {
      ...withMeeting(content, body, person, world, undefined),
      ...(key === undefined ? {} : { key }),
    },
  );
  if (key !== undefined) {
    person.transactions.set(key, { calendarId: entry.id, eventId: event.id, content: asked });
  }
  note(world, 'created', person, { entry, event }, event.attendees);
  return told(world, person, { entry, event }, reply);
}

/** PATCH …/events/{id}: what is left out stays. */
export function updateEvent(world: World, ask: Ask, person: Person, { entry, event }: EventPlace): Answer {
  readOptions(ask, []);
  const preferences = readPreferences(ask);
  checkWritable(entry);
  const patch = readJson(ask, EventPatch);
  checkMatch(ask, event);
  const { occurrence } = event;
  if (occurrence !== undefined && (patch.recurrence ?? undefined) !== undefined) {
    throw badRequest('ErrorPropertyValidationFailure', 'An occurrence has no recurrence of its own.');
  }
  const written = Object.entries(patch).filter(([, value]) => value !== undefined);
  const body = { ...bodyOf(event, entry, person), ...Object.fromEntries(written) };
  const follows = patch.recurrence === undefined;
  const content = withMeeting(readContent(EventPatch.parse(body), { follows }), patch, person, world, event);
  checkNeighbours(entry, event, content, person);
  const changed = world.store.replace(entry.calendar, event, {
    ...content,
    response: event.response,
    status: event.status,
    marks: mergeMarks(event.marks ?? [], patch.singleValueExtendedProperties ?? []),
    ...(event.key === undefined ? {} : { key: event.key }),
    ...(occurrence === undefined ? {} : { occurrence }),
  });
  dropStrays(world.store, entry.calendar, changed);
  const all = [...(event.attendees ?? []), ...(changed.attendees ?? [])];
  const guests = all.filter(({ email }, index) => all.findIndex((one) => one.email === email) === index);
  note(world, 'updated', person, { entry, event: changed }, guests);
  return told(world, person, { entry, event: changed }, { status: 200, preferences });
}

/** DELETE …/events/{id}. An organizer's guests are told that it is off. */
export function deleteEvent(world: World, ask: Ask, person: Person, at: EventPlace): Answer {
  readOptions(ask, []);
  checkWritable(at.entry);
  checkMatch(ask, at.event);
  remove(world, person, at);
  return { status: 204 };
}

/** POST …/events/{id}/cancel: the organizer calls the meeting off, with a word to the guests. */
export function cancelEvent(world: World, ask: Ask, person: Person, at: EventPlace): Answer {
  readOptions(ask, []);
  checkWritable(at.entry);
  if (ask.body !== '') readJson(ask, z.strictObject({ comment: z.string().nullish() }));
  if (at.event.response !== 'organizer') {
    throw badRequest(
      'ErrorInvalidRequest',
      "Your request can't be completed. You need to be an organizer to cancel a meeting.",
    );
  }
  remove(world, person, at);
  return { status: 202 };
}

function remove(world: World, person: Person, { entry, event }: EventPlace): void {
  world.store.remove(entry.calendar, event);
  note(world, 'deleted', person, { entry, event }, event.response === 'organizer' ? event.attendees : []);
}

function told(
  world: World,
  person: Person,
  { entry, event }: EventPlace,
  reply: {
    status: number;
    preferences: Preferences;
    shape?: (whole: Record<string, unknown>) => object;
  },
): Answer {
  const { status, preferences, shape = (whole) => whole } = reply;
  const origin = world.origin();
  const id = eventId(event, entry, preferences.immutableIds);
  const location = { location: `${origin}/v1.0/users('${person.id}')/events('${id}')` };
  return jsonAnswer(
    status,
    {
      '@odata.context': `${origin}/v1.0/$metadata#users('${person.id}')/events/$entity`,
      ...shape(eventResource(event, entry, person, preferences)),
    },
    { headers: { ...preferences.applied, etag: etagOf(event), ...(status === 201 ? location : {}) } },
  );
}

// Teams makes the meeting; a personal account has none, and an event once online stays so.
function withMeeting(
  content: EventContent,
  body: EventPatch,
  person: Person,
  world: World,
  before: StoredEvent | undefined,
): EventContent {
  const old = before?.own ?? {};
  if (old['isOnlineMeeting'] === true) {
    const { isOnlineMeeting, onlineMeetingProvider, onlineMeeting } = old;
    return { ...content, own: { ...content.own, isOnlineMeeting, onlineMeetingProvider, onlineMeeting } };
  }
  const provider = body.onlineMeetingProvider ?? 'teamsForBusiness';
  const wanted =
    body.isOnlineMeeting === true && person.account === 'work' && provider === 'teamsForBusiness';
  if (!wanted) return content;
  const joinUrl = `https://teams.microsoft.com/l/meetup-join/19%3ameeting_${world.dice.text(32)}%40thread.v2/0`;
  const online = { isOnlineMeeting: true, onlineMeetingProvider: provider, onlineMeeting: { joinUrl } };
  return { ...content, own: { ...content.own, ...online } };
}

// What a client could have written to get the event as it is.
function bodyOf(event: StoredEvent, entry: ListedCalendar, person: Person): Record<string, unknown> {
  const { span } = event;
  const zone = span.kind === 'timed' ? span.timeZone : 'UTC';
  const plain: Preferences = {
    zone: { name: zone, iana: zone },
    immutableIds: false,
    pageSize: undefined,
    applied: {},
  };
  const whole = eventResource(event, entry, person, plain);
  const writable = Object.keys(EventPatch.shape).filter((name) => whole[name] !== undefined);
  return Object.fromEntries(writable.map((name) => [name, whole[name]]));
}

function checkWritable(entry: ListedCalendar): void {
  if (entry.accessRole === 'owner' || entry.accessRole === 'writer') return;
  throw new Refused(
    graphError(403, 'ErrorAccessDenied', 'Access is denied. Check credentials and try again.'),
  );
}

// Outlook moves an occurrence neither to the day of one beside it nor past it.
function checkNeighbours(
  { calendar }: ListedCalendar,
  event: StoredEvent,
  { span }: EventContent,
  person: Person,
): void {
  const master = calendar.events.get(event.occurrence?.masterId ?? '');
  if (master === undefined || JSON.stringify(span) === JSON.stringify(event.span)) return;
  const day = (startMs: number): string =>
    Temporal.Instant.fromEpochMilliseconds(startMs)
      .toZonedDateTimeISO(person.timeZone)
      .toPlainDate()
      .toString();
  const startOf = (one: Pick<StoredEvent, 'span'>): number => stretchOf(one.span, person.timeZone).startMs;
  const [fromMs, toMs] = [startOf(event), startOf({ span })];
  const between = {
    startMs: Math.min(fromMs, toMs) - NEIGHBOUR_MS,
    endMs: Math.max(fromMs, toMs) + NEIGHBOUR_MS,
  };
  const crossed = occurrencesWithin(calendar, master, between, person.timeZone)
    .filter(({ id, status }) => id !== event.id && status !== 'cancelled')
    .map((other) => startOf(other))
    .some((otherMs) => (otherMs < fromMs ? day(toMs) <= day(otherMs) : day(toMs) >= day(otherMs)));
  if (!crossed) return;
  const message = 'Modified occurrence is crossing or overlapping adjacent occurrence.';
  throw new Refused(graphError(400, 'ErrorOccurrenceCrossingBoundary', message));
}

function checkMatch(ask: Ask, event: StoredEvent): void {
  const match = ask.headers.get('if-match');
  if (match === null || match === '*' || match === etagOf(event)) return;
  const message =
    'The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.';
  throw new Refused(graphError(412, 'ErrorIrresolvableConflict', message));
}

function note(
  world: World,
  deed: NewEffect['deed'],
  person: Person,
  { entry, event }: EventPlace,
  attendees: readonly Attendee[] | undefined,
): void {
  world.effect({
    deed,
    provider: 'microsoft',
    person: person.email,
    calendarId: entry.id,
    eventId: event.id,
    ...(event.key === undefined ? {} : { key: event.key }),
    mails: guestsOf(entry.calendar, attendees).length,
  });
}

// The same for the same content, whatever order its properties came in.
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) => {
    const object = z.record(z.string(), z.unknown()).safeParse(inner);
    if (!object.success) return inner;
    const entries = Object.entries(object.data).toSorted(([one], [other]) => (one < other ? -1 : 1));
    return Object.fromEntries(entries);
  });
}
