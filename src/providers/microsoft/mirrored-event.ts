import * as z from 'zod';
import type { EventTime, OriginalStart } from '../../domain/event.ts';
import type { EventDetails, MirroredEvent } from '../../domain/mirror.ts';
import { parseInstant } from '../../domain/time-zone.ts';
import { blockDates, isBusy, readDates } from './calendar-view.ts';
import { statusOf } from './event-resource.ts';
import { dateOfMidnight } from './occurrences.ts';
import { graphTimeSchema, toIanaZone, toInstantMs } from './time-zones.ts';

const textSchema = z.string().nullish().catch(null);
const flagSchema = z.boolean().nullish().catch(null);
const personSchema = z
  .object({ emailAddress: z.object({ address: textSchema, name: textSchema }).nullish() })
  .nullish()
  .catch(null);

/** An event as delta tells it: of a plain occurrence no more than its id, its series and its times. */
export const syncedEventSchema = z.object({
  id: z.string().min(1),
  start: graphTimeSchema,
  end: graphTimeSchema,
  '@odata.etag': textSchema,
  type: textSchema,
  seriesMasterId: textSchema,
  isAllDay: flagSchema,
  isCancelled: flagSchema,
  showAs: textSchema,
  sensitivity: textSchema,
  responseStatus: z.object({ response: textSchema }).nullish().catch(null),
  originalStartTimeZone: textSchema,
  originalStart: textSchema,
  subject: textSchema,
  bodyPreview: textSchema,
  location: z.object({ displayName: textSchema }).nullish().catch(null),
  organizer: personSchema,
  attendees: z
    .array(
      z
        .object({
          emailAddress: z.object({ address: textSchema, name: textSchema }).nullish(),
          status: z.object({ response: textSchema }).nullish().catch(null),
        })
        .nullable()
        .catch(null),
    )
    .nullish()
    .catch(null),
  iCalUId: textSchema,
  webLink: textSchema,
  onlineMeeting: z.object({ joinUrl: textSchema }).nullish().catch(null),
});
export type SyncedEvent = z.infer<typeof syncedEventSchema>;

/** What is to be selected of an event so that it says all that is read here; its etag comes unasked. */
export const SYNCED_FIELDS = Object.keys(syncedEventSchema.shape)
  .filter((name) => !name.startsWith('@'))
  .join();

/** As much as a plain occurrence has. */
const bareSchema = syncedEventSchema.pick({
  id: true,
  start: true,
  end: true,
  type: true,
  seriesMasterId: true,
  isAllDay: true,
  originalStart: true,
});

/** What is to be selected of occurrences so that they say when they are. */
export const BARE_FIELDS = Object.keys(bareSchema.shape).join();

/** What an occurrence takes from its series where it does not say it itself. */
export interface SeriesFacts {
  /** Absent: not known. */
  isAllDay?: boolean;
  /** IANA. */
  timeZone?: string;
}

/** What a series says, as Graph tells it. */
export function factsOf({ isAllDay, originalStartTimeZone }: SyncedEvent): SeriesFacts {
  const zone = toIanaZone(originalStartTimeZone ?? '');
  return { isAllDay: isAllDay === true, ...(zone !== undefined && { timeZone: zone }) };
}

/** What a series says, as a mirror keeps it; `calendarZone` as in `toMirroredEvent`. */
export function factsOfKnown({ time }: MirroredEvent, calendarZone: string | undefined): SeriesFacts {
  if (time.kind === 'all-day') return { isAllDay: true, timeZone: time.timeZone };
  // Where no zone is known, an all-day event is kept as a timed one.
  return { ...(calendarZone !== undefined && { isAllDay: false }), timeZone: time.timeZone };
}

/** The series that an event is an occurrence of. */
export function seriesIdOf({ type, seriesMasterId }: SyncedEvent): string | undefined {
  if (type === 'seriesMaster' || type === 'singleInstance') return undefined;
  return seriesMasterId === null || seriesMasterId === '' ? undefined : seriesMasterId;
}

/** Whether an event cannot be understood without its series. */
export function needsSeries(event: SyncedEvent): boolean {
  return seriesIdOf(event) !== undefined && (!saysAll(event) || !isTold(event.isAllDay));
}

/** An occurrence that says this much says everything; one that was changed does so in any case. */
function saysAll({ type, showAs, isAllDay }: SyncedEvent): boolean {
  return type === 'exception' || (isTold(showAs) && isTold(isAllDay));
}

function isTold(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/**
 * The event as a mirror keeps it; undefined when its time cannot be read, so that it could be anywhere.
 *
 * It takes the time that `readViewEvents` gives it. An all-day event whose zone is known from nowhere, and
 * one of which it is not known whether it is all-day, is a timed one that covers wherever it could be.
 * A series tells no recurrence: its occurrences are told one by one.
 *
 * The key of a creation is not told: Graph shows the property that holds it to none but those who ask for it,
 * which delta does not let them.
 *
 * @param calendarZone IANA: where the calendar's all-day events block their dates, if known.
 * @param series what is known of its series, where it has one. Without, an occurrence that says nothing
 *   keeps the person busy.
 */
export function toMirroredEvent(
  event: SyncedEvent,
  calendarZone: string | undefined,
  series?: SeriesFacts,
): MirroredEvent | undefined {
  const time = readTime(event, calendarZone, series);
  if (time === undefined) return undefined;
  const seriesId = seriesIdOf(event);
  if (seriesId === undefined) {
    const kind = event.type === 'seriesMaster' ? 'series' : 'single';
    return { eventId: event.id, kind, time, details: readDetails(event) };
  }
  const originalStart = readOriginalStart(event, series);
  return {
    eventId: event.id,
    kind: 'occurrence',
    seriesId,
    ...(originalStart !== undefined && { originalStart }),
    time,
    ...((series === undefined || saysAll(event)) && { details: readDetails(event) }),
  };
}

function readTime(
  event: SyncedEvent,
  calendarZone: string | undefined,
  series: SeriesFacts | undefined,
): EventTime | undefined {
  const madeIn = toIanaZone(event.originalStartTimeZone ?? '');
  const isAllDay = event.isAllDay ?? series?.isAllDay;
  const dates = isAllDay === false ? undefined : readDates(event);
  if (dates !== undefined) {
    const ofSeries = series?.isAllDay === true ? series.timeZone : undefined;
    const zone = isAllDay === true ? (calendarZone ?? madeIn ?? ofSeries) : undefined;
    return zone === undefined
      ? { kind: 'timed', ...blockDates(dates, undefined), timeZone: 'UTC' }
      : { kind: 'all-day', ...dates, timeZone: zone };
  }
  const [startMs, endMs] = [toInstantMs(event.start), toInstantMs(event.end)];
  if (startMs === undefined || endMs === undefined) return undefined;
  return { kind: 'timed', startMs, endMs, timeZone: madeIn ?? series?.timeZone ?? 'UTC' };
}

/** Where Graph does not tell it: an occurrence that was never changed is where it began. */
function readOriginalStart(event: SyncedEvent, series: SeriesFacts | undefined): OriginalStart | undefined {
  const isAllDay = series?.isAllDay ?? event.isAllDay ?? undefined;
  const isUnchanged = event.type === 'occurrence';
  const toldMs = parseInstant(event.originalStart ?? '');
  const originalMs = typeof toldMs === 'number' ? toldMs : isUnchanged ? toInstantMs(event.start) : undefined;
  const dates = readDates(event);
  if (isAllDay === true) {
    const zones = [series?.timeZone ?? toIanaZone(event.originalStartTimeZone ?? '') ?? 'UTC', 'UTC'];
    const midnight = typeof toldMs === 'number' ? dateOfMidnight(toldMs, zones) : undefined;
    const date = isUnchanged ? dates?.startDate : midnight;
    return date === undefined ? undefined : { kind: 'all-day', date };
  }
  const mayBeAllDay = isAllDay === undefined && dates !== undefined;
  return originalMs === undefined || mayBeAllDay ? undefined : { kind: 'timed', startMs: originalMs };
}

function readDetails(event: SyncedEvent): EventDetails {
  const summary = event.subject ?? '';
  const description = event.bodyPreview ?? '';
  const location = event.location?.displayName ?? '';
  const organizer = readPerson(event.organizer?.emailAddress);
  const attendees = (event.attendees ?? []).flatMap((attendee) => {
    const who = readPerson(attendee?.emailAddress);
    return who === undefined ? [] : [{ ...who, response: readResponse(attendee?.status?.response) }];
  });
  const iCalUid = event.iCalUId ?? '';
  const etag = event['@odata.etag'] ?? '';
  const webLink = event.webLink ?? '';
  const conferenceLink = event.onlineMeeting?.joinUrl ?? '';
  return {
    status: statusOf(event),
    isBusy: isBusy(event),
    isPrivate: event.sensitivity === 'private' || event.sensitivity === 'confidential',
    ...(summary !== '' && { summary }),
    ...(description !== '' && { description }),
    ...(location !== '' && { location }),
    ...(organizer !== undefined && { organizer }),
    ...(attendees.length > 0 && { attendees }),
    ...(iCalUid !== '' && { iCalUid }),
    ...(etag !== '' && { etag }),
    ...(webLink !== '' && { webLink }),
    ...(conferenceLink !== '' && { conferenceLink }),
  };
}

/** Undefined for somebody of whom nothing is told. */
function readPerson(
  person: { address?: string | null | undefined; name?: string | null | undefined } | null | undefined,
): { email?: string; name?: string } | undefined {
  const [email, name] = [person?.address ?? '', person?.name ?? ''];
  if (email === '' && name === '') return undefined;
  return { ...(email !== '' && { email }), ...(name !== '' && { name }) };
}

type Attendee = NonNullable<EventDetails['attendees']>[number];

function readResponse(response: string | null | undefined): Attendee['response'] {
  const told = response ?? '';
  switch (told) {
    case 'accepted':
    case 'declined':
    case 'organizer':
      return told;
    case 'tentativelyAccepted':
      return 'tentative';
    default:
      return 'none';
  }
}
