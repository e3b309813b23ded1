import type { Answer, Ask } from '../exchange.ts';
import type { ListedCalendar, Person } from '../people.ts';
import type { World } from '../world.ts';
import { calendarViewDelta } from './calendar-view-delta.ts';
import { calendarView, listInstances } from './calendar-view.ts';
import { getCalendar, getMailboxSettings, getMe, listCalendars } from './calendars.ts';
import { graphError, itemNotFound } from './errors.ts';
import { listEvents } from './event-list.ts';
import { cancelEvent, createEvent, deleteEvent, findEvent, getEvent, updateEvent } from './event-writes.ts';
import type { EventPlace } from './event-writes.ts';
import { findMeetingTimes } from './find-meeting-times.ts';
import { getSchedule } from './get-schedule.ts';
import { REQUEST_SCOPES } from './scopes.ts';
import {
  createSubscription,
  deleteSubscription,
  getSubscription,
  listSubscriptions,
  reauthorizeSubscription,
  renewSubscription,
} from './subscription-requests.ts';

/** One sort of request to Graph, and what answers it. */
export interface GraphRequest {
  readonly operation: string;
  readonly method: string;
  /** Tested without regard to case; ids are taken from the path as they are. */
  readonly path: RegExp;
  readonly scopes: readonly string[];
  readonly workOnly?: true;
  answer(world: World, ask: Ask, person: Person, segment: string, eventId: string): Answer | Promise<Answer>;
}

const EVENTS_PATH = /^\/me\/(?:calendar\/|calendars\/([^/]+)\/)?events$/i;
const SUBSCRIPTION_PATH = /^\/subscriptions\/([^/]+)$/i;
const EVENT_PATH = /^\/me\/(?:calendar\/|calendars\/([^/]+)\/)?events\/([^/]+)$/i;

/** Everything that Graph answers, but for batches. */
export const GRAPH: readonly GraphRequest[] = [
  { operation: 'graph.me', method: 'GET', path: /^\/me$/i, scopes: REQUEST_SCOPES.me, answer: getMe },
  {
    operation: 'graph.calendars',
    method: 'GET',
    path: /^\/me\/calendars$/i,
    scopes: REQUEST_SCOPES.calendars,
    answer: listCalendars,
  },
  {
    operation: 'graph.calendar',
    method: 'GET',
    path: /^\/me\/(?:calendar|calendars\/([^/]+))$/i,
    scopes: REQUEST_SCOPES.calendars,
    answer: inCalendar(getCalendar),
  },
  {
    operation: 'graph.calendarView',
    method: 'GET',
    path: /^\/me\/(?:calendar\/|calendars\/([^/]+)\/)?calendarView$/i,
    scopes: REQUEST_SCOPES.calendars,
    answer: inCalendar(calendarView),
  },
  {
    operation: 'graph.calendarView.delta',
    method: 'GET',
    path: /^\/me\/(?:calendar\/|calendars\/([^/]+)\/)?calendarView\/(?:microsoft\.graph\.)?delta(?:\(\))?$/i,
    scopes: REQUEST_SCOPES.changes,
    answer: inCalendar(calendarViewDelta),
  },
  {
    operation: 'graph.getSchedule',
    method: 'POST',
    path: /^\/me\/calendar\/(?:microsoft\.graph\.)?getSchedule$/i,
    scopes: REQUEST_SCOPES.calendars,
    workOnly: true,
    answer: getSchedule,
  },
  {
    operation: 'graph.findMeetingTimes',
    method: 'POST',
    path: /^\/me\/(?:microsoft\.graph\.)?findMeetingTimes$/i,
    scopes: REQUEST_SCOPES.findMeetingTimes,
    workOnly: true,
    answer: findMeetingTimes,
  },
  {
    operation: 'graph.mailboxSettings',
    method: 'GET',
    path: /^\/me\/mailboxSettings(?:\/(timeZone|workingHours))?$/i,
    scopes: REQUEST_SCOPES.mailboxSettings,
    answer: getMailboxSettings,
  },
  {
    operation: 'graph.events.list',
    method: 'GET',
    path: EVENTS_PATH,
    scopes: REQUEST_SCOPES.calendars,
    answer: inCalendar(listEvents),
  },
  {
    operation: 'graph.events.create',
    method: 'POST',
    path: EVENTS_PATH,
    scopes: REQUEST_SCOPES.writeEvents,
    answer: inCalendar(createEvent),
  },
  {
    operation: 'graph.events.get',
    method: 'GET',
    path: EVENT_PATH,
    scopes: REQUEST_SCOPES.calendars,
    answer: ofEvent(getEvent),
  },
  {
    operation: 'graph.events.instances',
    method: 'GET',
    path: /^\/me\/(?:calendar\/|calendars\/([^/]+)\/)?events\/([^/]+)\/instances$/i,
    scopes: REQUEST_SCOPES.calendars,
    answer: ofEvent(listInstances),
  },
  {
    operation: 'graph.events.update',
    method: 'PATCH',
    path: EVENT_PATH,
    scopes: REQUEST_SCOPES.writeEvents,
    answer: ofEvent(updateEvent),
  },
  {
    operation: 'graph.events.delete',
    method: 'DELETE',
    path: EVENT_PATH,
    scopes: REQUEST_SCOPES.writeEvents,
    answer: ofEvent(deleteEvent),
  },
  {
    operation: 'graph.events.cancel',
    method: 'POST',
    path: /^\/me\/(?:calendar\/|calendars\/([^/]+)\/)?events\/([^/]+)\/(?:microsoft\.graph\.)?cancel$/i,
    scopes: REQUEST_SCOPES.writeEvents,
    answer: ofEvent(cancelEvent),
  },
  {
    operation: 'graph.subscriptions.create',
    method: 'POST',
    path: /^\/subscriptions$/i,
    scopes: REQUEST_SCOPES.changes,
    answer: createSubscription,
  },
  {
    operation: 'graph.subscriptions.list',
    method: 'GET',
    path: /^\/subscriptions$/i,
    scopes: REQUEST_SCOPES.changes,
    answer: listSubscriptions,
  },
  {
    operation: 'graph.subscriptions.get',
    method: 'GET',
    path: SUBSCRIPTION_PATH,
    scopes: REQUEST_SCOPES.changes,
    answer: getSubscription,
  },
  {
    operation: 'graph.subscriptions.update',
    method: 'PATCH',
    path: SUBSCRIPTION_PATH,
    scopes: REQUEST_SCOPES.changes,
    answer: renewSubscription,
  },
  {
    operation: 'graph.subscriptions.delete',
    method: 'DELETE',
    path: SUBSCRIPTION_PATH,
    scopes: REQUEST_SCOPES.changes,
    answer: deleteSubscription,
  },
  {
    operation: 'graph.subscriptions.reauthorize',
    method: 'POST',
    path: /^\/subscriptions\/([^/]+)\/(?:microsoft\.graph\.)?reauthorize$/i,
    scopes: REQUEST_SCOPES.changes,
    answer: reauthorizeSubscription,
  },
];

function inCalendar(
  answer: (world: World, ask: Ask, person: Person, entry: ListedCalendar, eventId: string) => Answer,
): GraphRequest['answer'] {
  return (world, ask, person, segment, eventId) => {
    const entry = person.calendar(segment === '' ? 'primary' : segment);
    if (entry === undefined || (segment === 'primary' && entry.id !== segment)) {
      return graphError(404, 'ErrorItemNotFound', 'The specified object was not found in the store.');
    }
    return person.restrictions.has(entry.id)
      ? graphError(403, 'ErrorAccessDenied', 'Access is denied. Check credentials and try again.')
      : answer(world, ask, person, entry, eventId);
  };
}

// An event is found by its id alone in any calendar of the mailbox, or in the calendar that the path names.
function ofEvent(
  answer: (world: World, ask: Ask, person: Person, at: EventPlace) => Answer,
): GraphRequest['answer'] {
  return (world, ask, person, segment, eventId) => {
    const entry = segment === '' ? undefined : person.calendars.find(({ id }) => id === segment);
    if (segment !== '' && entry === undefined) throw itemNotFound();
    const at = findEvent(entry === undefined ? person.calendars : [entry], eventId);
    return person.restrictions.has(at.entry.id)
      ? graphError(403, 'ErrorAccessDenied', 'Access is denied. Check credentials and try again.')
      : answer(world, ask, person, at);
  };
}
