import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';
import type { Attendee, EventContent, EventSpan, Mark, ShowAs } from '../calendar-store.ts';
import { badRequest } from './errors.ts';
import { readZone } from './query.ts';
import { checkRecurrence } from './recurrence.ts';

const Text = z.string().nullish();
const Flag = z.boolean().nullish();
// What only the server writes: taken and passed over, so that an event can be sent back as it was read.
const ReadOnly = z.unknown().optional();

const When = z.strictObject({ date: Text, dateTime: Text, timeZone: Text }).nullish();
const Texts = z.record(z.string(), z.string().nullable()).nullish();
const Guest = z.strictObject({
  id: ReadOnly,
  email: Text,
  displayName: Text,
  optional: Flag,
  resource: Flag,
  organizer: ReadOnly,
  self: ReadOnly,
  responseStatus: z.enum(['needsAction', 'declined', 'tentative', 'accepted']).nullish(),
  comment: Text,
  additionalGuests: z.int().min(0).nullish(),
  asyncOperation: ReadOnly,
});
const Reminders = z.strictObject({
  useDefault: z.boolean().optional(),
  overrides: z
    .array(z.strictObject({ method: z.enum(['email', 'popup']), minutes: z.int().min(0).max(40_320) }))
    .max(5)
    .optional(),
});
const Conference = z.strictObject({
  createRequest: z
    .strictObject({
      requestId: z.string().min(1).optional(),
      conferenceSolutionKey: z.strictObject({ type: z.string().optional() }).optional(),
      status: ReadOnly,
    })
    .nullish(),
  conferenceId: Text,
  conferenceSolution: z.unknown().optional(),
  entryPoints: z.array(z.unknown()).nullish(),
  notes: Text,
  parameters: z.unknown().optional(),
  signature: Text,
});

/** The body of an event, as insert, update and patch take it. */
export const EventBody = z.strictObject({
  id: Text,
  iCalUID: Text,
  summary: Text,
  description: Text,
  location: Text,
  colorId: z
    .string()
    .regex(/^([1-9]|1[01])$/)
    .nullish(),
  start: When,
  end: When,
  originalStartTime: When,
  endTimeUnspecified: ReadOnly,
  recurrence: z.array(z.string()).nullish(),
  status: z.enum(['confirmed', 'tentative', 'cancelled']).nullish(),
  transparency: z.enum(['opaque', 'transparent']).nullish(),
  visibility: z.enum(['default', 'public', 'private', 'confidential']).nullish(),
  attendees: z.array(Guest).nullish(),
  attendeesOmitted: Flag,
  anyoneCanAddSelf: Flag,
  guestsCanInviteOthers: Flag,
  guestsCanModify: Flag,
  guestsCanSeeOtherGuests: Flag,
  reminders: Reminders.nullish(),
  extendedProperties: z.strictObject({ private: Texts, shared: Texts }).nullish(),
  conferenceData: Conference.nullish(),
  source: z.strictObject({ title: Text, url: Text }).nullish(),
  attachments: z
    .array(
      z.strictObject({
        fileUrl: z.string(),
        title: Text,
        mimeType: Text,
        iconLink: Text,
        fileId: ReadOnly,
      }),
    )
    .max(25)
    .nullish(),
  sequence: z.int().min(0).nullish(),
  eventType: z.enum(['default', 'outOfOffice', 'focusTime', 'workingLocation']).nullish(),
  eventLabelId: Text,
  gadget: z.unknown().optional(),
  focusTimeProperties: z.unknown().optional(),
  outOfOfficeProperties: z.unknown().optional(),
  workingLocationProperties: z.unknown().optional(),
  birthdayProperties: z.unknown().optional(),
  kind: ReadOnly,
  etag: ReadOnly,
  htmlLink: ReadOnly,
  created: ReadOnly,
  updated: ReadOnly,
  creator: ReadOnly,
  organizer: ReadOnly,
  hangoutLink: ReadOnly,
  locked: ReadOnly,
  privateCopy: ReadOnly,
  recurringEventId: ReadOnly,
});

/** An event's body as it was read. */
export type EventBody = z.infer<typeof EventBody>;

// Told back as they were written.
const KEPT = [
  'colorId',
  'visibility',
  'anyoneCanAddSelf',
  'guestsCanInviteOthers',
  'guestsCanModify',
  'guestsCanSeeOtherGuests',
  'reminders',
  'source',
] as const;

/** What an event's body says, held to Google's rules. `zone` is the calendar's. */
export function readContent(body: EventBody, zone: string): EventContent {
  const recurrence = body.recurrence ?? [];
  checkRecurrence(recurrence);
  const attendees = (body.attendees ?? []).map(readGuest);
  const visibility = body.visibility ?? 'default';
  const marks = (['private', 'shared'] as const).flatMap((room) => readMarks(room, body));
  const kept = KEPT.map((name) => [name, body[name]] as const);
  const span = readSpan(body, recurrence.length > 0, zone);
  const timeZone = span.kind === 'timed' ? span.timeZone : zone;
  return {
    summary: body.summary ?? '',
    ...(given(body.description) ? { description: body.description } : {}),
    ...(given(body.location) ? { location: body.location } : {}),
    span,
    ...(recurrence.length === 0
      ? {}
      : { recurrence: { lines: recurrence, timeZone, startsWithEvent: true } }),
    status: body.status ?? 'confirmed',
    showAs: showAs(body),
    response: 'organizer',
    isPrivate: visibility === 'private' || visibility === 'confidential',
    attendees,
    marks,
    own: Object.fromEntries(kept.filter(([, value]) => value !== undefined && value !== null)),
  };
}

function given(text: string | null | undefined): text is string {
  return text !== undefined && text !== null && text !== '';
}

function showAs(body: EventBody): ShowAs {
  if (body.eventType === 'outOfOffice') return 'oof';
  if (body.eventType === 'workingLocation') return 'workingElsewhere';
  if (body.transparency === 'transparent') return 'free';
  return body.status === 'tentative' ? 'tentative' : 'busy';
}

function readMarks(room: 'private' | 'shared', body: EventBody): Mark[] {
  return Object.entries(body.extendedProperties?.[room] ?? {}).flatMap(([name, value]) => {
    if (value === null) return [];
    // The published limits: 44 characters of name, 1024 of value.
    if (name.length > 44 || value.length > 1024) {
      throw badRequest('invalid', 'An extended property is too long.', 'extendedProperties');
    }
    return [{ id: `${room}/${name}`, value }];
  });
}

function readGuest(guest: z.infer<typeof Guest>): Attendee {
  if (!given(guest.email)) throw badRequest('required', 'Missing attendee email.', 'attendees.email');
  if (!z.email().safeParse(guest.email).success) {
    throw badRequest('invalid', 'Invalid attendee email.', 'attendees.email', 'calendar');
  }
  const responses = {
    accepted: 'accepted',
    declined: 'declined',
    tentative: 'tentative',
    needsAction: 'none',
  };
  const kind = guest.resource === true ? 'resource' : guest.optional === true ? 'optional' : 'required';
  return {
    email: guest.email,
    ...(given(guest.displayName) ? { name: guest.displayName } : {}),
    kind,
    response: z
      .enum(['accepted', 'declined', 'tentative', 'none'])
      .parse(responses[guest.responseStatus ?? 'needsAction']),
  };
}

function readSpan(body: EventBody, recurring: boolean, zone: string): EventSpan {
  const { start, end } = body;
  for (const [name, side] of [
    ['start', start],
    ['end', end],
  ] as const) {
    if (!given(side?.date) && !given(side?.dateTime))
      throw badRequest('required', `Missing ${name} time.`, name);
    if (given(side?.date) && given(side.dateTime)) throw badRequest('invalid', `Invalid ${name} time.`, name);
  }
  if (given(start?.date) !== given(end?.date)) {
    throw badRequest('invalid', 'Start and end times must either both be date or both be dateTime.', 'start');
  }
  const span = given(start?.date)
    ? {
        kind: 'all-day' as const,
        startDate: readDate(start.date, 'start'),
        endDate: readDate(end?.date, 'end'),
      }
    : readTimes(body, recurring, zone);
  const empty = span.kind === 'all-day' ? span.endDate <= span.startDate : span.endMs <= span.startMs;
  if (empty) throw badRequest('timeRangeEmpty', 'The specified time range is empty.', 'end', 'calendar');
  return span;
}

function readTimes({ start, end }: EventBody, recurring: boolean, zone: string): EventSpan {
  const startMs = readMoment(start, 'start', recurring);
  const endMs = readMoment(end, 'end', recurring);
  return { kind: 'timed', startMs, endMs, timeZone: start?.timeZone ?? end?.timeZone ?? zone };
}

function readMoment(side: z.infer<typeof When>, name: 'start' | 'end', recurring: boolean): number {
  const text = side?.dateTime ?? '';
  const parts = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)?$/.exec(text);
  if (parts === null) throw badRequest('invalid', `Invalid value for: ${name}.dateTime`, name);
  const zone = given(side?.timeZone) ? readZone(side.timeZone, `${name}.timeZone`) : undefined;
  const offset = parts[1] !== undefined;
  if (zone === undefined && (recurring || !offset)) {
    throw badRequest('required', `Missing time zone definition for ${name} time.`, name);
  }
  try {
    return offset
      ? Temporal.Instant.from(text).epochMilliseconds
      : Temporal.PlainDateTime.from(text).toZonedDateTime(zone ?? 'UTC').epochMilliseconds;
  } catch {
    throw badRequest('invalid', `Invalid value for: ${name}.dateTime`, name);
  }
}

function readDate(text: string | null | undefined, name: string): string {
  try {
    if (/^\d{4}-\d\d-\d\d$/.test(text ?? '')) return Temporal.PlainDate.from(text ?? '').toString();
  } catch {
    // Falls through to the refusal.
  }
  throw badRequest('invalid', `Invalid value for: ${name}.date`, name);
}
