import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';
import type { Attendee, EventContent, EventSpan, Mark, Recurrence } from '../calendar-store.ts';
import { badRequest, unknownZone } from './errors.ts';
import { checkRecurrence, PatternedRecurrence, recurrenceZone, ruleOf } from './patterned-recurrence.ts';
import { ianaZone, outlookMoment } from './time-zones.ts';

const Text = z.string().nullish();
const Flag = z.boolean().nullish();
const OutlookTime = z.strictObject({ dateTime: z.string(), timeZone: Text });
const EmailAddress = z.strictObject({ address: Text, name: Text });
const Location = z.strictObject({
  displayName: Text,
  locationEmailAddress: Text,
  locationUri: Text,
  locationType: z
    .enum([
      'default',
      'conferenceRoom',
      'homeAddress',
      'businessAddress',
      'geoCoordinates',
      'streetAddress',
      'hotel',
      'restaurant',
      'localBusiness',
      'postalAddress',
    ])
    .nullish(),
  uniqueId: Text,
  uniqueIdType: z.enum(['unknown', 'locationStore', 'directory', 'private', 'bing']).nullish(),
  address: z
    .strictObject({ street: Text, city: Text, state: Text, countryOrRegion: Text, postalCode: Text })
    .nullish(),
  coordinates: z
    .strictObject({
      accuracy: z.number().nullish(),
      altitude: z.number().nullish(),
      altitudeAccuracy: z.number().nullish(),
      latitude: z.number().nullish(),
      longitude: z.number().nullish(),
    })
    .nullish(),
});
const Guest = z.strictObject({
  emailAddress: EmailAddress,
  type: z.enum(['required', 'optional', 'resource']).nullish(),
  status: z.strictObject({ response: Text, time: Text }).nullish(),
  proposedNewTime: z.unknown().optional(),
});

// The forms of an extended property's id: by name or by number in a property set, or by its own tag.
const GUID = '\\{[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\\}';
const KIND = '(?:String|Integer|Boolean|Double|Float|Long|Short|SystemTime|CLSID|Currency|Binary)';
const PROPERTY_ID = new RegExp(`^${KIND} (?:${GUID} (?:Name .+|Id 0x[0-9A-Fa-f]+)|0x[0-9A-Fa-f]+)$`);

/** What a client may write of an event, at any time. */
export const EventPatch = z.strictObject({
  subject: Text,
  body: z
    .strictObject({
      contentType: z
        .string()
        .transform((kind) => kind.toLowerCase())
        .pipe(z.enum(['text', 'html']))
        .nullish(),
      content: Text,
    })
    .nullish(),
  start: OutlookTime.optional(),
  end: OutlookTime.optional(),
  isAllDay: Flag,
  location: Location.nullish(),
  locations: z.array(Location).nullish(),
  attendees: z.array(Guest).nullish(),
  showAs: z.enum(['unknown', 'free', 'tentative', 'busy', 'oof', 'workingElsewhere']).nullish(),
  sensitivity: z.enum(['normal', 'personal', 'private', 'confidential']).nullish(),
  importance: z.enum(['low', 'normal', 'high']).nullish(),
  categories: z.array(z.string()).nullish(),
  isReminderOn: Flag,
  reminderMinutesBeforeStart: z.int().nullish(),
  responseRequested: Flag,
  allowNewTimeProposals: Flag,
  hideAttendees: Flag,
  isOnlineMeeting: Flag,
  onlineMeetingProvider: z
    .enum(['unknown', 'skypeForBusiness', 'skypeForConsumer', 'teamsForBusiness'])
    .nullish(),
  recurrence: PatternedRecurrence.nullish(),
  singleValueExtendedProperties: z
    .array(z.strictObject({ id: z.string().regex(PROPERTY_ID), value: z.string() }))
    .nullish(),
});

/** A new event: its transactionId can be given only now. */
export const NewEvent = z.strictObject({ ...EventPatch.shape, transactionId: Text });

/** An event's body as it was read. */
export type EventPatch = z.infer<typeof EventPatch>;

// Told back as they were written.
const KEPT = [
  'importance',
  'categories',
  'isReminderOn',
  'reminderMinutesBeforeStart',
  'responseRequested',
  'allowNewTimeProposals',
  'hideAttendees',
] as const;

/**
 * What an event's whole body says, held to Outlook's rules. The online meeting is the caller's. A series must begin
 * with its event, unless it was not part of what is written: then it `follows` the event.
 */
export function readContent(body: EventPatch, { follows = false } = {}): EventContent {
  const span = readSpan(body);
  const recurrence = body.recurrence ?? undefined;
  if (recurrence !== undefined) {
    const zone = recurrenceZone(recurrence);
    const startDate =
      span.kind === 'all-day' || zone === undefined
        ? (body.start?.dateTime.slice(0, 10) ?? '')
        : Temporal.Instant.fromEpochMilliseconds(span.startMs)
            .toZonedDateTimeISO(zone)
            .toPlainDate()
            .toString();
    if (follows) recurrence.range.startDate = startDate;
    checkRecurrence(recurrence, startDate);
  }
  const kept = KEPT.map((name) => [name, body[name]] as const);
  const sensitivity = body.sensitivity ?? 'normal';
  const location = body.location ?? body.locations?.[0];
  const place = location?.displayName ?? undefined;
  return {
    summary: body.subject ?? '',
    ...(typeof body.body?.content === 'string' ? { description: body.body.content } : {}),
    ...(place === undefined || place === '' ? {} : { location: place }),
    span,
    status: 'confirmed',
    showAs: body.showAs ?? 'busy',
    response: 'organizer',
    isPrivate: sensitivity === 'private',
    attendees: (body.attendees ?? []).map(readGuest),
    marks: readMarks(body),
    ...(recurrence === undefined ? {} : { recurrence: seriesOf(recurrence, span) }),
    own: {
      ...Object.fromEntries(kept.filter(([, value]) => value !== undefined && value !== null)),
      sensitivity,
      body: { contentType: body.body?.contentType ?? 'text', content: body.body?.content ?? '' },
      ...(place === undefined || place === '' ? {} : { location: { locationType: 'default', ...location } }),
      ...(recurrence === undefined ? {} : { recurrence, type: 'seriesMaster' }),
    },
  };
}

function seriesOf(recurrence: PatternedRecurrence, span: EventSpan): Recurrence {
  const timeZone = recurrenceZone(recurrence) ?? (span.kind === 'timed' ? span.timeZone : 'UTC');
  return { lines: [ruleOf(recurrence)], timeZone, startsWithEvent: false };
}

function readMarks(body: EventPatch): Mark[] {
  return (body.singleValueExtendedProperties ?? []).map(({ id, value }) => ({ id, value }));
}

function readGuest({ emailAddress: { address, name }, type, status }: z.infer<typeof Guest>): Attendee {
  if (typeof address !== 'string' || !z.email().safeParse(address).success) {
    throw badRequest('ErrorInvalidRecipients', 'At least one recipient is not valid.');
  }
  const responses = new Map<string, Attendee['response']>([
    ['accepted', 'accepted'],
    ['declined', 'declined'],
    ['tentativelyAccepted', 'tentative'],
  ]);
  return {
    email: address,
    ...(typeof name === 'string' && name !== '' ? { name } : {}),
    kind: type ?? 'required',
    response: responses.get(status?.response ?? '') ?? 'none',
  };
}

function readSpan({ start, end, isAllDay }: EventPatch): EventSpan {
  if (start === undefined || end === undefined) {
    throw invalid(`The Event.${start === undefined ? 'Start' : 'End'} property is required.`);
  }
  const from = readMoment(start, 'Start');
  const to = readMoment(end, 'End');
  if (isAllDay === true) {
    for (const [name, { dateTime }] of Object.entries({ Start: start, End: end })) {
      if (!/^\d{4}-\d\d-\d\d(T00:00(:00(\.0+)?)?Z?)?$/.test(dateTime)) {
        throw invalid(`The Event.${name} property for an all-day event needs to be set to midnight.`);
      }
    }
    if (from.zone !== to.zone) throw invalid('The time zones of an all-day event must be the same.');
    const [startDate, endDate] = [start.dateTime.slice(0, 10), end.dateTime.slice(0, 10)];
    if (endDate <= startDate) throw invalid('The duration of an all-day event must be at least 24 hours.');
    return { kind: 'all-day', startDate, endDate };
  }
  if (to.atMs < from.atMs) {
    throw badRequest('ErrorCalendarEndDateIsEarlierThanStartDate', 'End date is earlier than start date.');
  }
  return { kind: 'timed', startMs: from.atMs, endMs: to.atMs, timeZone: from.zone };
}

function readMoment(
  { dateTime, timeZone }: z.infer<typeof OutlookTime>,
  name: string,
): { atMs: number; zone: string } {
  if (typeof timeZone !== 'string') throw invalid(`The Event.${name} property needs a time zone.`);
  const zone = ianaZone(timeZone);
  if (zone === undefined) throw unknownZone(timeZone);
  const atMs = outlookMoment(dateTime, zone);
  if (atMs === undefined) throw invalid(`The Event.${name} property is no local date and time.`);
  return { atMs, zone };
}

function invalid(message: string): Error {
  return badRequest('ErrorPropertyValidationFailure', message);
}
