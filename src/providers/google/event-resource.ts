import * as z from 'zod';
import {
  type EventChange,
  type EventDraft,
  type EventRecord,
  type EventTime,
  presentTime,
} from '../../domain/event.ts';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { formatInstant, isDate, isTimeZone, parseInstant } from '../../domain/time-zone.ts';
import type { Creation } from '../provider.ts';

/** When an event starts or ends (discovery document: EventDateTime). */
export const endSchema = z
  .object({ date: z.string().optional(), dateTime: z.string().optional(), timeZone: z.string().optional() })
  .optional();

/** An event in a reply, as far as a record needs it (discovery document: Event). Only the id is always there. */
export const eventSchema = z.object({
  id: z.string().min(1),
  status: z.enum(['confirmed', 'tentative', 'cancelled']).optional(),
  etag: z.string().min(1).optional(),
  iCalUID: z.string().optional(),
  htmlLink: z.string().optional().catch(undefined),
  hangoutLink: z.string().optional().catch(undefined),
  start: endSchema,
  end: endSchema,
});

const attendeeSchema = z.looseObject({
  email: z.string().optional(),
  organizer: z.boolean().optional(),
});

/** An attendee as Google holds it, with everything it says of them (discovery document: EventAttendee). */
export type Attendee = z.infer<typeof attendeeSchema>;

/** An event that is about to be changed: with its attendees, who are written back. */
export const heldEventSchema = eventSchema.extend({
  summary: z.string().optional(),
  attendees: z.array(attendeeSchema).optional(),
  attendeesOmitted: z.boolean().optional(),
});

/**
 * The body that creates an event under an id of our choosing, the creation's key. The key also stands
 * in the event's private properties, by which own writes are recognised.
 */
export function writeDraft(draft: EventDraft, { key }: Creation): object {
  const { summary, description, location, time, attendees, recurrence, conference, holdId } = draft;
  return {
    id: key,
    summary,
    ...(description !== undefined && { description }),
    ...(location !== undefined && { location }),
    ...writeTime(time),
    ...(attendees.length > 0 && { attendees: mergeAttendees([], attendees) }),
    ...(recurrence.length > 0 && { recurrence }),
    ...(conference && {
      conferenceData: {
        // A request id that was seen before is ignored: a repeat asks for no second conference.
        createRequest: { requestId: key, conferenceSolutionKey: { type: 'hangoutsMeet' } },
      },
    }),
    ...(holdId !== undefined && HELD),
    extendedProperties: {
      private: { huddleKey: key, ...(holdId !== undefined && { huddleHold: holdId }) },
    },
  };
}

/** How an event shows while it is only held, and how once it is what it was held for. */
const HELD = { status: 'tentative', visibility: 'private', reminders: { useDefault: false } };
const CONFIRMED = { status: 'confirmed', visibility: 'default', reminders: { useDefault: true } };

/** Whether an event is already what this change makes of a hold. */
export function isConfirmed(event: z.infer<typeof heldEventSchema>, change: EventChange): boolean {
  const { confirms, summary, attendees: asked = [] } = change;
  const there = new Set(event.attendees?.map(({ email }) => email?.toLowerCase()));
  return (
    confirms === true &&
    event.status !== 'tentative' &&
    event.summary === summary &&
    asked.every((email) => there.has(email.toLowerCase()))
  );
}

/** The body that patches an event whose attendees are `held`: what the change names and nothing else. */
export function writeChange(change: EventChange, held: readonly Attendee[]): object {
  const { summary, description, location, time, attendees, confirms } = change;
  return {
    ...(confirms === true && CONFIRMED),
    ...(summary !== undefined && { summary }),
    ...(description !== undefined && { description }),
    ...(location !== undefined && { location }),
    ...(time !== undefined && replaceTime(time)),
    ...(attendees !== undefined && { attendees: mergeAttendees(held, attendees) }),
  };
}

/** Instants in UTC, or dates, with the zone in which a recurrence is expanded. */
function writeTime(time: EventTime): { start: object; end: object } {
  const { timeZone } = time;
  return time.kind === 'timed'
    ? {
        start: { dateTime: new Date(time.startMs).toISOString(), timeZone },
        end: { dateTime: new Date(time.endMs).toISOString(), timeZone },
      }
    : { start: { date: time.startDate, timeZone }, end: { date: time.endDate, timeZone } };
}

/** A patch is merged into what is there: the time of the other kind has to be taken out. */
function replaceTime(time: EventTime): { start: object; end: object } {
  const other = time.kind === 'timed' ? { date: null } : { dateTime: null };
  const { start, end } = writeTime(time);
  return { start: { ...other, ...start }, end: { ...other, ...end } };
}

/**
 * The attendees `asked` for, each once, whatever the case of the address. Who is held already stays as
 * held, answer and all. The organizer's own entry stays, and stays first, though nobody asks for it: to
 * organize is not to be invited.
 */
export function mergeAttendees(held: readonly Attendee[], asked: readonly string[]): Attendee[] {
  const merged = new Map<string, Attendee>();
  for (const attendee of held)
    if (attendee.organizer === true) merged.set(attendee.email?.toLowerCase() ?? '', attendee);
  for (const email of asked) {
    const name = email.toLowerCase();
    if (merged.has(name)) continue;
    merged.set(name, held.find((attendee) => attendee.email?.toLowerCase() === name) ?? { email });
  }
  return [...merged.values()];
}

/**
 * What callers are told of an event on the calendar asked for as `calendarId`: its times in its own
 * zone. Of a cancelled event Google promises only the id: what it leaves out is empty, and its times are
 * those of `asked`. Of any other, what is missing is `malformed`.
 */
export function readRecord(
  event: z.infer<typeof eventSchema>,
  calendarId: string,
  asked?: EventTime,
): Outcome<EventRecord> {
  const { id, status = 'confirmed', htmlLink, hangoutLink } = event;
  const isCancelled = status === 'cancelled';
  const spare = isCancelled && asked !== undefined ? presentTime(asked) : undefined;
  const etag = event.etag ?? (isCancelled ? '' : undefined);
  const iCalUid = event.iCalUID ?? (isCancelled ? '' : undefined);
  const start = presentEnd(event.start) ?? spare?.start;
  const end = presentEnd(event.end) ?? spare?.end;
  if (etag === undefined) return malformed('etag');
  if (iCalUid === undefined) return malformed('iCalUID');
  if (start === undefined) return malformed('start');
  if (end === undefined) return malformed('end');
  return ok({
    eventId: id,
    calendarId,
    iCalUid,
    etag,
    start,
    end,
    status,
    ...(htmlLink !== undefined && { webLink: htmlLink }),
    ...(hangoutLink !== undefined && { conferenceLink: hangoutLink }),
  });
}

/** Google tells times in the calendar's zone and names the event's. Undefined when it is no time. */
function presentEnd(end: z.infer<typeof endSchema>): string | undefined {
  const { date, dateTime, timeZone } = end ?? {};
  if (date !== undefined) return isDate(date) ? date : undefined;
  if (dateTime === undefined) return undefined;
  const zone = timeZone !== undefined && isTimeZone(timeZone) ? timeZone : undefined;
  const atMs = parseInstant(dateTime, zone);
  if (typeof atMs !== 'number') return undefined;
  // Imported events may name a zone of their own: the time is good as it stands then.
  return zone === undefined ? dateTime : formatInstant(atMs, zone);
}

function malformed(place: string): Outcome<never> {
  return fail({ kind: 'malformed', at: `event.${place}` });
}
