import * as z from 'zod';
import { connectorIdSchema } from './connector.ts';
import { findRuleProblem } from './recurrence.ts';
import {
  addYears,
  formatInstant,
  INSTANT_MESSAGES,
  instantOrDateTextSchema,
  isDate,
  parseInstant,
  timeZoneSchema,
} from './time-zone.ts';

export const eventTimeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('timed'), startMs: z.number(), endMs: z.number(), timeZone: z.string() }),
  z.object({
    kind: z.literal('all-day'),
    startDate: z.string(),
    endDate: z.string(),
    timeZone: z.string(),
  }),
]);
/** When an event is. Timed: epoch milliseconds; all-day: dates `YYYY-MM-DD`, the end exclusive. */
export type EventTime = z.infer<typeof eventTimeSchema>;

export const originalStartSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('timed'), startMs: z.number() }),
  z.object({ kind: z.literal('all-day'), date: z.string() }),
]);
/** Which occurrence of a series: when it would start by the rule, wherever it was moved since. */
export type OriginalStart = z.infer<typeof originalStartSchema>;

/** An event to create. */
export interface EventDraft {
  summary: string;
  description?: string;
  location?: string;
  time: EventTime;
  /** Mail addresses. */
  attendees: string[];
  /** RFC 5545 `RRULE:` and `EXDATE:` lines; empty for a single event. */
  recurrence: string[];
  /** Absent: the account's primary calendar. */
  calendarId?: string;
  /** Whether the provider sends invitations and updates to the attendees. */
  notify: 'all' | 'none';
  /** Whether the provider is asked for a video conference (Google Meet, Microsoft Teams). */
  conference: boolean;
  /** The hold that the event is: tentative, private, and marked with this id so that it can be found. */
  holdId?: string;
}

/** What is to change in an event: a field that is absent stays as it is. */
export interface EventChange {
  eventId: string;
  calendarId?: string;
  /** Only this occurrence of the series `eventId`; absent: the event, which may be a whole series. */
  occurrence?: OriginalStart;
  summary?: string;
  description?: string;
  location?: string;
  time?: EventTime;
  attendees?: string[];
  notify: 'all' | 'none';
  /** The version that the caller has seen: a change of any other is a conflict. */
  etag?: string;
  /** The event is a hold and becomes what it was held for. One that has become so already is left as it is. */
  confirms?: boolean;
}

/** An event to cancel. */
export interface EventCancellation {
  eventId: string;
  /** The version that the caller has seen: any other is left alone. */
  etag?: string;
  calendarId?: string;
  /** Only this occurrence of the series `eventId`; absent: the event, which may be a whole series. */
  occurrence?: OriginalStart;
  notify: 'all' | 'none';
}

export const eventRecordSchema = z.object({
  eventId: z.string(),
  calendarId: z.string(),
  iCalUid: z.string(),
  etag: z.string(),
  webLink: z.exactOptional(z.string()),
  conferenceLink: z.exactOptional(z.string()),
  start: z.string(),
  end: z.string(),
  status: z.enum(['confirmed', 'tentative', 'cancelled']),
});
/** An event as a provider holds it, and as callers are told of it. `start` and `end`: RFC 3339, or dates when all-day. */
export type EventRecord = z.infer<typeof eventRecordSchema>;

/** How an event's times are told: an instant with the offset of the zone, a date as it is. */
export function presentTime(time: EventTime): { start: string; end: string } {
  return time.kind === 'timed'
    ? { start: formatInstant(time.startMs, time.timeZone), end: formatInstant(time.endMs, time.timeZone) }
    : { start: time.startDate, end: time.endDate };
}

const NOT_WELL_FORMED = 'must be well-formed Unicode';

/** Half a character cannot be encoded, in an address or anywhere. */
function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}

/** One line of text: control characters could become headers or calendar lines of somebody's making. */
export function line(longest: number) {
  return z
    .string()
    .max(longest, `must have at most ${longest} characters`)
    .regex(/^[^\p{Cc}\u2028\u2029]*$/u, 'must hold no line break or other control character')
    .refine(isWellFormed, NOT_WELL_FORMED);
}

const MOST_ATTENDEES = 200;
// What callers may write of an event.
export const summarySchema = line(1_024).min(1, 'must not be empty');
export const descriptionSchema = z
  .string()
  .max(8_192, 'must have at most 8192 characters')
  .regex(/^[^\p{Cc}]*(?:[\n\t][^\p{Cc}]*)*$/u, 'must hold no control character but line feed and tab')
  .refine(isWellFormed, NOT_WELL_FORMED);
export const locationSchema = line(1_024);
export const attendeesSchema = z
  .array(
    z.strictObject({
      email: z.email({ pattern: z.regexes.html5Email, error: 'must be a mail address' }).max(320),
    }),
  )
  .max(MOST_ATTENDEES, `must name at most ${MOST_ATTENDEES} people`)
  .transform((attendees) => [
    // The same address, whatever its case, is one person.
    ...new Map(attendees.map(({ email }) => [email.toLowerCase(), email])).values(),
  ]);
export const idSchema = line(1_024).min(1, 'must not be empty');
export const notifySchema = z.enum(['all', 'none']);
const recurrenceSchema = z
  .array(
    z
      .string()
      .max(2_048, 'must have at most 2048 characters')
      .regex(/^(RRULE|EXDATE)[:;][\x21-\x7e]+$/, 'must be an RRULE or EXDATE line of RFC 5545'),
  )
  .max(20, 'must have at most 20 lines')
  .refine(
    (lines) => lines.filter((one) => one.startsWith('RRULE')).length === (lines.length === 0 ? 0 : 1),
    'must hold exactly one RRULE',
  )
  .superRefine((lines, context) => {
    for (const [index, one] of lines.entries()) {
      const message = one.startsWith('RRULE:') ? findRuleProblem(one) : undefined;
      if (message !== undefined) context.issues.push({ code: 'custom', path: [index], message, input: one });
    }
  });

/** Reads `start`, `end` and `timeZone`; every problem names its field. Two dates make an all-day event. */
export function readTime(
  wire: { start: string; end: string; timeZone: string },
  context: z.core.$RefinementCtx,
): EventTime | undefined {
  const refuse = (field: 'start' | 'end', message: string) => {
    context.issues.push({ code: 'custom', path: [field], message, input: wire[field] });
    return undefined;
  };
  const { start, end, timeZone } = wire;
  if (isDate(start) || isDate(end)) {
    if (!isDate(start)) return refuse('start', 'must be a date, as end is: an all-day event has two');
    if (!isDate(end)) return refuse('end', 'must be a date, as start is: an all-day event has two');
    if (end <= start)
      return refuse('end', 'must be a later date than start: the end of an all-day event is exclusive');
    return { kind: 'all-day', startDate: start, endDate: end, timeZone };
  }
  const startMs = parseInstant(start, timeZone);
  if (typeof startMs !== 'number') return refuse('start', INSTANT_MESSAGES[startMs]);
  const endMs = parseInstant(end, timeZone);
  if (typeof endMs !== 'number') return refuse('end', INSTANT_MESSAGES[endMs]);
  if (endMs <= startMs) return refuse('end', 'must be after start');
  if (endMs > addYears(startMs, 1, timeZone)) return refuse('end', 'must be within a year of start');
  return { kind: 'timed', startMs, endMs, timeZone };
}

/** Reads which occurrence is meant; a problem names the field. `timeZone`: for a time without an offset. */
function readOccurrence(
  text: string,
  timeZone: string | undefined,
  context: z.core.$RefinementCtx,
): OriginalStart | undefined {
  if (isDate(text)) return { kind: 'all-day', date: text };
  const startMs = parseInstant(text, timeZone);
  if (typeof startMs === 'number') return { kind: 'timed', startMs };
  const message = `${INSTANT_MESSAGES[startMs]}${startMs === 'not-a-time' ? ', or a date' : ''}`;
  context.issues.push({ code: 'custom', path: ['occurrence'], message, input: text });
  return undefined;
}

/** When something is, as it is asked for. */
export const timeFields = {
  start: instantOrDateTextSchema,
  end: instantOrDateTextSchema,
  timeZone: timeZoneSchema,
};

/** The specification's CreateEventRequest, and beyond it recurrence, calendar, silence and conference. */
export const createEventRequestSchema = z
  .strictObject({
    connectorId: connectorIdSchema.optional(),
    summary: summarySchema,
    description: descriptionSchema.optional(),
    ...timeFields,
    attendees: attendeesSchema.optional(),
    location: locationSchema.optional(),
    recurrence: recurrenceSchema.optional(),
    calendarId: idSchema.optional(),
    notify: notifySchema.optional(),
    conference: z.boolean().optional(),
  })
  .transform((wire, context): { connectorId?: string; draft: EventDraft } => {
    const time = readTime(wire, context);
    if (time === undefined) return z.NEVER;
    const { connectorId, summary, description, location, attendees, recurrence, calendarId } = wire;
    return {
      ...(connectorId !== undefined && { connectorId }),
      draft: {
        summary,
        time,
        attendees: attendees ?? [],
        recurrence: recurrence ?? [],
        notify: wire.notify ?? 'all',
        conference: wire.conference ?? false,
        ...(description !== undefined && { description }),
        ...(location !== undefined && { location }),
        ...(calendarId !== undefined && { calendarId }),
      },
    };
  });

const changeFields = {
  calendarId: idSchema.optional(),
  occurrence: z.string().optional(),
  summary: summarySchema.optional(),
  description: descriptionSchema.optional(),
  location: locationSchema.optional(),
  start: instantOrDateTextSchema.optional(),
  end: instantOrDateTextSchema.optional(),
  timeZone: timeZoneSchema.optional(),
  attendees: attendeesSchema.optional(),
  notify: notifySchema.optional(),
};

/** The body of `PATCH …/events/:eventId`: the id comes from the path, the version from `If-Match`. */
export const eventChangeBodySchema = z.strictObject(changeFields);

/**
 * The payload of `update-event`. Times change together, with their zone; alone, the zone is that of `occurrence`.
 */
export const updateEventRequestSchema = z
  .strictObject({
    connectorId: connectorIdSchema.optional(),
    eventId: idSchema,
    etag: line(1_024).optional(),
    ...changeFields,
  })
  .transform((wire, context): { connectorId?: string; change: EventChange } => {
    const { connectorId, eventId, start, end, timeZone, ...rest } = wire;
    let occurrence: OriginalStart | undefined;
    if (rest.occurrence !== undefined) {
      occurrence = readOccurrence(rest.occurrence, timeZone, context);
      if (occurrence === undefined) return z.NEVER;
    }
    let time: EventTime | undefined;
    if (start !== undefined || end !== undefined || (timeZone !== undefined && occurrence === undefined)) {
      for (const [field, value] of Object.entries({ start, end, timeZone })) {
        if (value !== undefined) continue;
        const message = 'is needed: start, end and timeZone change together';
        context.issues.push({ code: 'custom', path: [field], message, input: undefined });
      }
      if (start === undefined || end === undefined || timeZone === undefined) return z.NEVER;
      time = readTime({ start, end, timeZone }, context);
      if (time === undefined) return z.NEVER;
    }
    const { calendarId, summary, description, location, attendees, etag } = rest;
    if ([summary, description, location, attendees, time].every((field) => field === undefined)) {
      context.issues.push({ code: 'custom', path: [], message: 'must change something', input: wire });
      return z.NEVER;
    }
    return {
      ...(connectorId !== undefined && { connectorId }),
      change: {
        eventId,
        notify: rest.notify ?? 'all',
        ...(occurrence !== undefined && { occurrence }),
        ...(calendarId !== undefined && { calendarId }),
        ...(summary !== undefined && { summary }),
        ...(description !== undefined && { description }),
        ...(location !== undefined && { location }),
        ...(time !== undefined && { time }),
        ...(attendees !== undefined && { attendees }),
        ...(etag !== undefined && { etag }),
      },
    };
  });

/** The payload of `cancel-event`. */
export const cancelEventRequestSchema = z
  .strictObject({
    connectorId: connectorIdSchema.optional(),
    eventId: idSchema,
    calendarId: idSchema.optional(),
    occurrence: z.string().optional(),
    notify: notifySchema.optional(),
    etag: line(1_024).optional(),
  })
  .transform((wire, context): { connectorId?: string; cancellation: EventCancellation } => {
    const { connectorId, eventId, calendarId, notify, etag } = wire;
    let occurrence: OriginalStart | undefined;
    if (wire.occurrence !== undefined) {
      occurrence = readOccurrence(wire.occurrence, undefined, context);
      if (occurrence === undefined) return z.NEVER;
    }
    return {
      ...(connectorId !== undefined && { connectorId }),
      cancellation: {
        eventId,
        notify: notify ?? 'all',
        ...(calendarId !== undefined && { calendarId }),
        ...(occurrence !== undefined && { occurrence }),
        ...(etag !== undefined && { etag }),
      },
    };
  });
