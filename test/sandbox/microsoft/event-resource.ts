import { Temporal } from 'temporal-polyfill';
import type { Attendee, StoredEvent } from '../calendar-store.ts';
import type { ListedCalendar, Person } from '../people.ts';
import type { Preferences } from './odata.ts';
import { outlookTime } from './time-zones.ts';
import { zoneName } from './working-hours.ts';

/** The ETag of an event: another after every change. */
export function etagOf(event: StoredEvent): string {
  return `W/"${changeKey(event)}"`;
}

/**
 * An event as Outlook tells it. An all-day event runs from midnight to midnight of its own dates in whatever zone
 * was asked for, UTC included: Outlook gives the dates and does not convert them. The zone in which its owner
 * means them is that of the mailbox, told by `originalStartTimeZone`.
 */
export function eventResource(
  event: StoredEvent,
  entry: ListedCalendar,
  person: Person,
  { zone, immutableIds }: Preferences,
): Record<string, unknown> {
  const { span } = event;
  const ends = (which: 'start' | 'end'): { dateTime: string; timeZone: string } => {
    if (span.kind === 'all-day') {
      const date = which === 'start' ? span.startDate : span.endDate;
      return { dateTime: `${date}T00:00:00.0000000`, timeZone: zone.name };
    }
    return {
      dateTime: outlookTime(which === 'start' ? span.startMs : span.endMs, zone.iana),
      timeZone: zone.name,
    };
  };
  const originalZone = zoneName(person, span.kind === 'timed' ? span.timeZone : person.timeZone);
  const organizer =
    event.response === 'organizer'
      ? { name: entry.calendar.ownerName, address: entry.calendar.ownerEmail }
      : { name: 'Someone Else', address: 'organizer@elsewhere.invalid' };
  const responses = { tentative: 'tentativelyAccepted', none: 'notResponded' } as const;
  const response =
    event.response === 'tentative' || event.response === 'none' ? responses[event.response] : event.response;
  return {
    '@odata.etag': etagOf(event),
    id: eventId(event, entry, immutableIds),
    createdDateTime: stamp(event.createdMs),
    lastModifiedDateTime: stamp(event.updatedMs),
    changeKey: changeKey(event),
    categories: [],
    transactionId: event.key ?? null,
    originalStartTimeZone: originalZone,
    originalEndTimeZone: originalZone,
    // An occurrence has one of its own.
    iCalUId: event.occurrence === undefined ? event.iCalUid : `${event.id}:${event.iCalUid}`,
    reminderMinutesBeforeStart: 15,
    isReminderOn: span.kind === 'timed',
    hasAttachments: false,
    subject: event.summary,
    bodyPreview: preview(event.description),
    importance: 'normal',
    sensitivity: event.isPrivate ? 'private' : 'normal',
    isAllDay: span.kind === 'all-day',
    isCancelled: event.status === 'cancelled',
    isOrganizer: event.response === 'organizer',
    isDraft: false,
    responseRequested: true,
    seriesMasterId: null,
    showAs: event.showAs,
    type: 'singleInstance',
    webLink: `https://outlook.office365.com/owa/?itemid=${encodeURIComponent(eventId(event, entry, false))}`,
    onlineMeetingUrl: null,
    isOnlineMeeting: false,
    onlineMeetingProvider: 'unknown',
    allowNewTimeProposals: true,
    hideAttendees: false,
    recurrence: null,
    responseStatus: { response, time: '0001-01-01T00:00:00Z' },
    body: { contentType: 'text', content: event.description ?? '' },
    start: ends('start'),
    end: ends('end'),
    location: { displayName: event.location ?? '', locationType: 'default' },
    locations: event.location === undefined ? [] : [{ displayName: event.location, locationType: 'default' }],
    attendees: (event.attendees ?? []).map(attendeeResource),
    organizer: { emailAddress: organizer },
    onlineMeeting: null,
    ...event.own,
    ...occurrenceProperties(event, entry, person, immutableIds),
  };
}

// The original start of a whole day is its midnight in the mailbox's zone.
function occurrenceProperties(
  { id, occurrence }: StoredEvent,
  entry: ListedCalendar,
  person: Person,
  immutableIds: boolean,
): object {
  if (occurrence === undefined) return {};
  const { masterId, original } = occurrence;
  const startMs =
    original.kind === 'timed'
      ? original.startMs
      : Temporal.PlainDate.from(original.date).toZonedDateTime(person.timeZone).epochMilliseconds;
  return {
    type: entry.calendar.events.has(id) ? 'exception' : 'occurrence',
    seriesMasterId: eventId({ id: masterId }, entry, immutableIds),
    originalStart: new Date(startMs).toISOString().replace('.000Z', 'Z'),
    recurrence: null,
  };
}

/** The usual id names the folder too, so it changes when the event moves; the immutable one does not. */
export function eventId(event: { id: string }, entry: ListedCalendar, immutable: boolean): string {
  const inner = immutable ? `immutable ${event.id}` : `${entry.id.slice(0, 24)} ${event.id}`;
  return `${immutable ? 'AAkALgAA' : 'AAMkADAA'}${Buffer.from(inner).toString('base64url')}AAA=`;
}

/** The id inside the sandbox that an id of either kind stands for; undefined when it stands for none. */
export function innerId(id: string): string | undefined {
  const encoded = /^(?:AAkALgAA|AAMkADAA)(.*)AAA=$/.exec(id)?.[1];
  if (encoded === undefined) return undefined;
  return /^\S+ (.+)$/.exec(Buffer.from(encoded, 'base64url').toString('utf8'))?.[1];
}

function stamp(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.(\d{3})Z$/, '.$10000Z');
}

function changeKey(event: StoredEvent): string {
  return Buffer.from(`${event.id} ${String(event.revision)}`).toString('base64');
}

function attendeeResource({ email, name, kind, response }: Attendee): object {
  const responses = {
    accepted: 'accepted',
    declined: 'declined',
    tentative: 'tentativelyAccepted',
    none: 'none',
  };
  return {
    type: kind,
    status: { response: responses[response], time: '0001-01-01T00:00:00Z' },
    emailAddress: { name: name ?? email, address: email },
  };
}

function preview(text = ''): string {
  return text
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 255);
}
