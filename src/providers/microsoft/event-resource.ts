import type { Attendee, Event, ItemBody } from '@microsoft/microsoft-graph-types';
import * as z from 'zod';
import type { EventDraft, EventRecord } from '../../domain/event.ts';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { formatInstant } from '../../domain/time-zone.ts';
import type { Account, Creation } from '../provider.ts';
import { writeTimes, writeZonedTimes } from './event-times.ts';
import { toPatternedRecurrence } from './recurrence.ts';
import { graphTimeSchema, toDate, toIanaZone, toInstantMs } from './time-zones.ts';

/**
 * The extended property in which an event keeps the key of its creation. It can be searched for, which
 * a `transactionId` cannot; nobody sees it. The GUID is this project's own and must never change.
 */
export const KEY_PROPERTY = 'String {7d02d5a8-877c-4cd0-9577-461dc7180c17} Name huddle-key';

/** The extended property in which the event of a hold keeps the hold's id, to be found by. */
export const HOLD_PROPERTY = 'String {7d02d5a8-877c-4cd0-9577-461dc7180c17} Name huddle-hold';

const textSchema = z.string().nullish().catch(null);

/** An event of Graph, as far as it is read here: whatever may be missing or odd without harm, may be. */
export const graphEventSchema = z.object({
  id: z.string().min(1),
  '@odata.etag': z.string().min(1),
  subject: textSchema,
  iCalUId: textSchema,
  webLink: textSchema,
  onlineMeeting: z.object({ joinUrl: textSchema }).nullish().catch(null),
  isOnlineMeeting: z.boolean().nullish().catch(null),
  isAllDay: z.boolean().nullish().catch(null),
  isCancelled: z.boolean().nullish().catch(null),
  isOrganizer: z.boolean().nullish().catch(null),
  showAs: textSchema,
  type: textSchema,
  start: graphTimeSchema,
  end: graphTimeSchema,
  originalStartTimeZone: textSchema,
  recurrence: z
    .object({ range: z.object({ startDate: textSchema }).nullish() })
    .nullish()
    .catch(null),
  // Loose: an attendee who stays is sent back as Graph described them.
  attendees: z
    .array(z.looseObject({ emailAddress: z.looseObject({ address: z.string().nullish() }).nullish() }))
    .nullish(),
});
export type GraphEvent = z.infer<typeof graphEventSchema>;

/** An event, or what is to change in one, as it is sent to Graph. */
export type EventBody = Omit<Event, 'attendees' | 'body'> & {
  body?: ItemBody;
  attendees?: (Attendee | NonNullable<GraphEvent['attendees']>[number])[];
};

/**
 * The event as callers are told of it. Times are told with the offset of `timeZone`, or where that is
 * absent of the zone that the event was made in, UTC where that is not known. `malformed` when they
 * cannot be read.
 */
export function readRecord(
  event: GraphEvent,
  { calendarId, timeZone }: { calendarId: string; timeZone?: string },
): Outcome<EventRecord> {
  const times = readTimes(event, timeZone);
  if (times === undefined) return fail({ kind: 'malformed', at: 'event.start' });
  const conferenceLink = event.onlineMeeting?.joinUrl ?? '';
  const webLink = event.webLink ?? '';
  return ok({
    eventId: event.id,
    calendarId,
    iCalUid: event.iCalUId ?? '',
    etag: event['@odata.etag'],
    ...(webLink !== '' && { webLink }),
    ...(conferenceLink !== '' && { conferenceLink }),
    ...times,
    status: statusOf(event),
  });
}

/** What an event's state is called outside of Graph. */
export function statusOf({
  isCancelled,
  showAs,
}: Pick<GraphEvent, 'isCancelled' | 'showAs'>): EventRecord['status'] {
  if (isCancelled === true) return 'cancelled';
  return showAs === 'tentative' ? 'tentative' : 'confirmed';
}

/** All-day events come as the midnights of their dates, whatever zone is asked for. */
function readTimes(event: GraphEvent, timeZone?: string): { start: string; end: string } | undefined {
  if (event.isAllDay === true) {
    const [start, end] = [toDate(event.start), toDate(event.end)];
    return start === undefined || end === undefined ? undefined : { start, end };
  }
  const [startMs, endMs] = [toInstantMs(event.start), toInstantMs(event.end)];
  if (startMs === undefined || endMs === undefined) return undefined;
  const zone = timeZone ?? toIanaZone(event.originalStartTimeZone ?? '') ?? 'UTC';
  return { start: formatInstant(startMs, zone), end: formatInstant(endMs, zone) };
}

/**
 * The event to post, or `unsupported`: silence towards attendees (Graph invites them, always), a
 * conference in a personal account (there is no Teams for it), or a recurrence or zone that Graph
 * cannot tell.
 */
export function writeDraft(draft: EventDraft, { key }: Creation, account: Account): Outcome<EventBody> {
  const { attendees, notify, conference, recurrence, time, description, location, holdId } = draft;
  if (notify === 'none' && attendees.length > 0) return silent();
  if (conference && account.kind === 'personal') {
    const detail = 'Microsoft offers no Teams meetings to personal accounts';
    return fail({ kind: 'unsupported', field: 'conference', detail });
  }
  const when = recurrence.length === 0 ? writeTimes(time) : writeSeries(draft);
  if (!when.ok) return when;
  return ok({
    subject: draft.summary,
    ...when.value,
    ...(holdId === undefined ? { showAs: 'busy' } : HELD),
    attendees: attendees.map(invite),
    ...(description !== undefined && { body: textBody(description) }),
    ...(location !== undefined && { location: { displayName: location } }),
    ...(conference && { isOnlineMeeting: true, onlineMeetingProvider: 'teamsForBusiness' }),
    transactionId: transactionIdOf(key),
    singleValueExtendedProperties: [
      { id: KEY_PROPERTY, value: key },
      ...(holdId === undefined ? [] : [{ id: HOLD_PROPERTY, value: holdId }]),
    ],
  });
}

/** How an event shows while it is only held, and how once it is what it was held for. */
const HELD = { showAs: 'tentative', sensitivity: 'private', isReminderOn: false } as const;
export const CONFIRMED = { showAs: 'busy', sensitivity: 'normal', isReminderOn: true } as const;

function writeSeries({ recurrence, time }: EventDraft): Outcome<EventBody> {
  const zoned = writeZonedTimes(time);
  if (!zoned.ok) return zoned;
  const { zoneName, ...times } = zoned.value;
  const pattern = toPatternedRecurrence(recurrence, time, zoneName);
  return pattern.ok ? ok({ ...times, recurrence: pattern.value }) : pattern;
}

/** Graph tells attendees whatever happens to a meeting: nothing in a request keeps it quiet. */
export function silent(): ReturnType<typeof fail> {
  const detail = 'Microsoft always tells the attendees: only an event without any can be silent';
  return fail({ kind: 'unsupported', field: 'notify', detail });
}

/** An attendee to invite. */
export function invite(address: string): Attendee {
  return { emailAddress: { address }, type: 'required' };
}

/** A description as the body of an event. */
export function textBody(content: string): ItemBody {
  return { contentType: 'text', content };
}

/** In the form of a GUID, as Outlook's own clients send it: half of the key is unique enough. */
function transactionIdOf(key: string): string {
  return key.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
