import { eventsWithin, stretchOf } from '../calendar-store.ts';
import type { StoredEvent, Stretch } from '../calendar-store.ts';
import { jsonAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { ListedCalendar, Person } from '../people.ts';
import type { World } from '../world.ts';
import { badRequest } from './errors.ts';
import { pageOf, readMoment, readOptions, readPreferences, select } from './odata.ts';
import type { Preferences } from './odata.ts';
import { outlookTime } from './time-zones.ts';
import { zoneName } from './working-hours.ts';

const RANGE_CAP_DAYS = 1825;
const DAY_MS = 24 * 3_600_000;
const DEFAULT_PAGE = 10;

/** GET …/calendarView: every event that touches the window, page by page. */
export function calendarView(world: World, ask: Ask, person: Person, entry: ListedCalendar): Answer {
  const options = readOptions(ask, ['startDateTime', 'endDateTime', '$top', '$skip', '$select', '$orderby']);
  const preferences = readPreferences(ask);
  const start = options.text('startDateTime');
  const end = options.text('endDateTime');
  if (start === undefined || end === undefined) {
    throw badRequest(
      'ErrorInvalidParameter',
      'This request requires a time window specified by the query string parameters StartDateTime and EndDateTime.',
    );
  }
  const window = { startMs: readMoment(start, 'startDateTime'), endMs: readMoment(end, 'endDateTime') };
  if (window.endMs < window.startMs) {
    throw badRequest('ErrorInvalidParameter', 'The end of the window is before its start.');
  }
  if (window.endMs - window.startMs > RANGE_CAP_DAYS * DAY_MS) {
    throw badRequest(
      'ErrorInvalidRequest',
      `The range between the start and end dates is greater than the allowed range. Maximum number of days: ${String(RANGE_CAP_DAYS)}`,
    );
  }
  const at = {
    top: options.count('$top', preferences.pageSize ?? DEFAULT_PAGE, { least: 1, most: 1000 }),
    skip: options.count('$skip', 0, { least: 0, most: 999_999 }),
  };
  const all = ordered(
    eventsWithin(entry.calendar, window, person.timeZone),
    options.text('$orderby'),
    person,
  );
  const { value, ...more } = pageOf(all, ask, world.origin(), at);
  return jsonAnswer(
    200,
    {
      '@odata.context': `${world.origin()}/v1.0/$metadata#users('${person.id}')/calendarView`,
      ...more,
      value: value.map((event) =>
        select(eventResource(event, entry, person, preferences), options.text('$select'), 'event'),
      ),
    },
    { headers: preferences.applied },
  );
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
    '@odata.etag': `W/"${Buffer.from(`${event.id} ${String(event.revision)}`).toString('base64')}"`,
    id: eventId(event, entry, immutableIds),
    createdDateTime: stamp(event.createdMs),
    lastModifiedDateTime: stamp(event.updatedMs),
    changeKey: Buffer.from(`${event.id} ${String(event.revision)}`).toString('base64'),
    categories: [],
    transactionId: null,
    originalStartTimeZone: originalZone,
    originalEndTimeZone: originalZone,
    iCalUId: event.iCalUid,
    reminderMinutesBeforeStart: 15,
    isReminderOn: span.kind === 'timed',
    hasAttachments: false,
    subject: event.summary,
    bodyPreview: event.description ?? '',
    importance: 'normal',
    sensitivity: event.isPrivate ? 'private' : 'normal',
    isAllDay: span.kind === 'all-day',
    isCancelled: false,
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
    attendees: [],
    organizer: { emailAddress: organizer },
    onlineMeeting: null,
  };
}

// The usual id names the folder too, so it changes when the event moves; the immutable one does not.
function eventId(event: StoredEvent, entry: ListedCalendar, immutable: boolean): string {
  const inner = immutable ? `immutable ${event.id}` : `${entry.id.slice(0, 24)} ${event.id}`;
  return `${immutable ? 'AAkALgAA' : 'AAMkADAA'}${Buffer.from(inner).toString('base64url')}AAA=`;
}

function stamp(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.(\d{3})Z$/, '.$10000Z');
}

function ordered(events: StoredEvent[], orderBy: string | undefined, person: Person): StoredEvent[] {
  if (orderBy === undefined) return events;
  const clause =
    /^(start\/dateTime|end\/dateTime|subject|createdDateTime|lastModifiedDateTime)(?:\s+(asc|desc))?$/i.exec(
      orderBy.trim(),
    );
  if (clause === null) throw badRequest('BadRequest', `The $orderby '${orderBy}' is not supported.`);
  const stretch = (event: StoredEvent): Stretch => stretchOf(event.span, person.timeZone);
  const keys: Record<string, (event: StoredEvent) => string | number> = {
    'start/datetime': (event) => stretch(event).startMs,
    'end/datetime': (event) => stretch(event).endMs,
    subject: (event) => event.summary,
    createddatetime: (event) => event.createdMs,
    lastmodifieddatetime: (event) => event.updatedMs,
  };
  const key = keys[clause[1]?.toLowerCase() ?? ''] ?? ((event) => event.id);
  const sign = clause[2]?.toLowerCase() === 'desc' ? -1 : 1;
  return events.toSorted((one, other) => {
    const [left, right] = [key(one), key(other)];
    return left === right ? 0 : sign * (left < right ? -1 : 1);
  });
}
