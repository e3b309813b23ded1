import * as z from 'zod';
import type { EventTime, OriginalStart } from '../../domain/event.ts';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import type { EventDetails, MirroredEvent } from '../../domain/mirror.ts';
import { isDate, isTimeZone, parseInstant } from '../../domain/time-zone.ts';
import { endSchema } from './event-resource.ts';

const text = z.string().optional().catch(undefined);
const flag = z.boolean().optional().catch(undefined);
const whoSchema = z.object({ email: text, displayName: text });
const attendeeSchema = whoSchema.extend({ self: flag, organizer: flag, responseStatus: text });

/**
 * An event in a list (discovery document: Event). Strict where its time hangs on it; anything else that cannot
 * be read is as if it were not there, and takes no time away.
 */
export const listedEventSchema = z.object({
  id: z.string().min(1),
  status: z.enum(['confirmed', 'tentative', 'cancelled']).optional(),
  start: endSchema,
  end: endSchema,
  recurrence: z.array(z.string()).optional(),
  recurringEventId: z.string().min(1).optional(),
  originalStartTime: endSchema,
  transparency: text,
  eventType: text,
  visibility: text,
  summary: text,
  description: text,
  location: text,
  organizer: whoSchema.optional().catch(undefined),
  attendees: z.array(attendeeSchema).optional().catch(undefined),
  iCalUID: text,
  etag: text,
  htmlLink: text,
  hangoutLink: text,
  extendedProperties: z
    .object({ private: z.object({ huddleKey: text }).optional().catch(undefined) })
    .optional()
    .catch(undefined),
});
type ListedEvent = z.infer<typeof listedEventSchema>;

/**
 * What one entry of a list says: an event, or, undefined, that its id is gone. A cancelled occurrence is an
 * event for as long as its series lives: it takes the time of its original start out of it.
 *
 * @param zone IANA: the calendar's, where its all-day events block their dates
 * @param at names the entry: `malformed` names the place in it where a time cannot be read, for what is
 *   dropped would be free
 */
export function mirrorEvent(
  event: ListedEvent,
  zone: string,
  at: string,
): Outcome<MirroredEvent | undefined> {
  const { id, status = 'confirmed', recurringEventId, originalStartTime, recurrence = [] } = event;
  const isCancelled = status === 'cancelled';
  if (isCancelled && (recurringEventId === undefined || originalStartTime === undefined))
    return ok(undefined);
  const originalStart = readPoint(originalStartTime);
  if (originalStartTime !== undefined && originalStart === undefined)
    return malformed(at, 'originalStartTime');
  const time = isCancelled
    ? readTime(originalStartTime, undefined, zone)
    : readTime(event.start, event.end, zone);
  if (typeof time === 'string') return malformed(at, time);
  const details = readDetails(event, status);
  if (recurringEventId !== undefined)
    return ok({
      eventId: id,
      kind: 'occurrence',
      seriesId: recurringEventId,
      ...(originalStart !== undefined && { originalStart }),
      time,
      details,
    });
  if (recurrence.length === 0) return ok({ eventId: id, kind: 'single', time, details });
  // By another zone's clock its occurrences would be at other times than they are.
  const clock = event.start?.timeZone;
  if (time.kind === 'timed' && clock !== undefined && !isTimeZone(clock))
    return malformed(at, 'start.timeZone');
  return ok({ eventId: id, kind: 'series', time, recurrence, details });
}

/**
 * The time from `start` to `end`. Without an end, or with one that is no later, it is over where it starts, and
 * a day is over with itself (RFC 5545 §3.6.1). The name of the end that cannot be read, if one cannot.
 */
function readTime(
  start: ListedEvent['start'],
  end: ListedEvent['end'],
  zone: string,
): EventTime | 'start' | 'end' {
  const from = readPoint(start);
  if (from === undefined) return 'start';
  const to = end === undefined ? from : readPoint(end);
  if (from.kind === 'all-day') {
    if (to?.kind !== 'all-day') return 'end';
    const endDate = to.date > from.date ? to.date : dayAfter(from.date);
    return { kind: 'all-day', startDate: from.date, endDate, timeZone: zone };
  }
  if (to?.kind !== 'timed') return 'end';
  const named = start?.timeZone;
  return {
    kind: 'timed',
    startMs: from.startMs,
    endMs: Math.max(from.startMs, to.startMs),
    // Imported events may name a zone of their own: their instants are good all the same.
    timeZone: named !== undefined && isTimeZone(named) ? named : zone,
  };
}

/** A date or an instant; undefined when it is neither. */
function readPoint(point: ListedEvent['start']): OriginalStart | undefined {
  const { date, dateTime, timeZone } = point ?? {};
  if (date !== undefined) return isDate(date) ? { kind: 'all-day', date } : undefined;
  const startMs = dateTime === undefined ? undefined : parseInstant(dateTime, timeZone);
  return typeof startMs === 'number' ? { kind: 'timed', startMs } : undefined;
}

function dayAfter(date: string): string {
  return new Date(Date.parse(date) + 24 * 60 * 60 * 1000).toISOString().slice(0, 10);
}

function readDetails(event: ListedEvent, status: EventDetails['status']): EventDetails {
  const { summary, description, location, organizer, attendees, iCalUID, etag, htmlLink, hangoutLink } =
    event;
  const creationKey = event.extendedProperties?.private?.huddleKey;
  return {
    status,
    isBusy: status !== 'cancelled' && isBusy(event),
    isPrivate: event.visibility === 'private' || event.visibility === 'confidential',
    ...(summary !== undefined && { summary }),
    ...(description !== undefined && { description }),
    ...(location !== undefined && { location }),
    ...(organizer !== undefined && { organizer: readWho(organizer) }),
    ...(attendees !== undefined && {
      attendees: attendees.map((attendee) => ({ ...readWho(attendee), response: readResponse(attendee) })),
    }),
    ...(iCalUID !== undefined && { iCalUid: iCalUID }),
    ...(etag !== undefined && { etag }),
    ...(htmlLink !== undefined && { webLink: htmlLink }),
    ...(hangoutLink !== undefined && { conferenceLink: hangoutLink }),
    ...(creationKey !== undefined && { creationKey }),
  };
}

/** As Google's free/busy counts: all but what is shown as free, where somebody works, and what they declined. */
function isBusy({ transparency, eventType, attendees = [] }: ListedEvent): boolean {
  if (transparency === 'transparent' || eventType === 'workingLocation') return false;
  return !attendees.some(({ self, responseStatus }) => self === true && responseStatus === 'declined');
}

function readWho({ email, displayName }: z.infer<typeof whoSchema>): { email?: string; name?: string } {
  return { ...(email !== undefined && { email }), ...(displayName !== undefined && { name: displayName }) };
}

const ANSWERS = ['accepted', 'declined', 'tentative'] as const;

function readResponse({
  organizer,
  responseStatus,
}: z.infer<typeof attendeeSchema>): (typeof ANSWERS)[number] | 'organizer' | 'none' {
  if (organizer === true) return 'organizer';
  return ANSWERS.find((answer) => answer === responseStatus) ?? 'none';
}

function malformed(at: string, place: string): Outcome<never> {
  return fail({ kind: 'malformed', at: `${at}.${place}` });
}
