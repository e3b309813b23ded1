import { stretchOf } from '../calendar-store.ts';
import type { StoredEvent, Stretch } from '../calendar-store.ts';
import { jsonAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import { eventsWithin, occurrencesWithin } from '../occurrences.ts';
import type { ListedCalendar, Person } from '../people.ts';
import type { World } from '../world.ts';
import { badRequest } from './errors.ts';
import { eventResource } from './event-resource.ts';
import type { EventPlace } from './event-writes.ts';
import { pageOf, readMoment, readOptions, readPreferences, select } from './odata.ts';
import type { QueryOptions } from './odata.ts';

const RANGE_CAP_DAYS = 1825;
const DAY_MS = 24 * 3_600_000;
const DEFAULT_PAGE = 10;

/** GET …/calendarView: every event and occurrence that touches the window, page by page. */
export function calendarView(world: World, ask: Ask, person: Person, entry: ListedCalendar): Answer {
  return tellWindow(world, ask, person, entry, 'calendarView', (window) =>
    eventsWithin(entry.calendar, window, person.timeZone),
  );
}

/**
 * GET …/events/{id}/instances: the occurrences of a series that touch the window now, wherever they began. An event
 * that is no series has none.
 */
export function listInstances(world: World, ask: Ask, person: Person, { entry, event }: EventPlace): Answer {
  return tellWindow(world, ask, person, entry, 'events', (window) =>
    occurrencesWithin(entry.calendar, event, window, person.timeZone).filter(
      ({ status }) => status !== 'cancelled',
    ),
  );
}

function tellWindow(
  world: World,
  ask: Ask,
  person: Person,
  entry: ListedCalendar,
  context: string,
  find: (window: Stretch) => StoredEvent[],
): Answer {
  const options = readOptions(ask, ['startDateTime', 'endDateTime', '$top', '$skip', '$select', '$orderby']);
  const preferences = readPreferences(ask);
  const window = readWindow(options);
  const at = {
    top: options.count('$top', preferences.pageSize ?? DEFAULT_PAGE, { least: 1, most: 1000 }),
    skip: options.count('$skip', 0, { least: 0, most: 999_999 }),
  };
  const all = ordered(find(window), options.text('$orderby'), person);
  const { value, ...more } = pageOf(all, ask, world.origin(), at);
  return jsonAnswer(
    200,
    {
      '@odata.context': `${world.origin()}/v1.0/$metadata#users('${person.id}')/${context}`,
      ...more,
      value: value.map((event) =>
        select(eventResource(event, entry, person, preferences), options.text('$select'), 'event'),
      ),
    },
    { headers: preferences.applied },
  );
}

/** The window that a query names, which it must. */
export function readWindow(options: QueryOptions): Stretch {
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
  return window;
}

/** Events in the order that $orderby asks for. */
export function ordered(events: StoredEvent[], orderBy: string | undefined, person: Person): StoredEvent[] {
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
