import type { StoredEvent, Stretch } from '../calendar-store.ts';
import { jsonAnswer, Refused } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { ListedCalendar, Person } from '../people.ts';
import type { World } from '../world.ts';
import { readWindow } from './calendar-view.ts';
import { changesBetween, stateOf } from './delta-changes.ts';
import type { DeltaItem } from './delta-changes.ts';
import type { DeltaExpiry, DeltaRound } from './delta-rounds.ts';
import { badRequest, graphError } from './errors.ts';
import { eventId, eventResource } from './event-resource.ts';
import { readOptions, readPreferences } from './odata.ts';
import type { Preferences } from './odata.ts';

const DEFAULT_PAGE = 10;
const UNTRACKED = ['$select', '$filter', '$expand', '$orderby', '$search', '$top', '$skip', '$count'];
// A token names its round, and the page of it that is next or that all have been told.
const TOKEN = /^([\w-]+)\.(?:s([\da-z]+)|d)$/;

/**
 * GET …/calendarView/delta: what the window holds, and from its last link on what has changed since. A round tells
 * how things were when it began; what changes between its pages is told in the next.
 */
export function calendarViewDelta(world: World, ask: Ask, person: Person, entry: ListedCalendar): Answer {
  checkTracked(ask);
  const preferences = readPreferences(ask);
  const options = readOptions(ask, ['startDateTime', 'endDateTime', '$skiptoken', '$deltatoken']);
  // A reset points to an address with an empty token: that begins anew.
  const tokens = [options.text('$skiptoken'), options.text('$deltatoken')];
  const token = tokens.find((one) => one !== undefined && one !== '');
  if (token === undefined) {
    const round = begin(world, ask, person, entry, readWindow(options));
    return page(world, ask, preferences, entry, round, 0);
  }
  if (options.text('startDateTime') !== undefined || options.text('endDateTime') !== undefined) {
    throw badRequest('ErrorInvalidUrlQuery', 'The window is part of the token and cannot be given with it.');
  }
  const [, key = '', position] = TOKEN.exec(token) ?? [];
  const round = world.graph.deltas.find(key);
  const isOwn = round === undefined || (round.person === person && round.calendarId === entry.id);
  const isSkip = position !== undefined;
  if (key === '' || isSkip !== (tokens[0] === token) || !isOwn) {
    throw badRequest('ErrorInvalidUrlQuery', 'Badly formed token.');
  }
  if (round === undefined) throw expired(undefined);
  // Whoever has to read everything again at Google has to here too.
  const isForgotten = round.state.revision < entry.calendar.oldestRevision;
  if (round.expiry !== undefined || isForgotten) {
    throw expired(round.expiry, freshLink(world, ask, round.window));
  }
  return isSkip
    ? page(world, ask, preferences, entry, round, Number.parseInt(position, 36))
    : page(world, ask, preferences, entry, begin(world, ask, person, entry, round.window, round), 0);
}

function checkTracked(ask: Ask): void {
  const asked = [...ask.url.searchParams.keys()].filter((name) => UNTRACKED.includes(name.toLowerCase()));
  if (asked.length === 0) return;
  throw badRequest(
    'ErrorInvalidUrlQuery',
    `The following parameters are not supported with change tracking over the 'CalendarView' resource: '${asked.join(', ')}'.`,
  );
}

function begin(
  world: World,
  ask: Ask,
  person: Person,
  { calendar }: ListedCalendar,
  window: Stretch,
  last?: DeltaRound,
): DeltaRound {
  const { deltas } = world.graph;
  const before = last?.state;
  if (ask.hollow === true) {
    // What this round keeps quiet about is still news to the next.
    const state = before ?? { events: new Map<string, StoredEvent>(), revision: calendar.revision };
    return deltas.begin({ person, calendarId: calendar.id, window, blocks: [], state });
  }
  // Nothing in the calendar has changed: its state need not be kept twice. An empty one may come of a hollow round.
  const isSame = before?.revision === calendar.revision && before.events.size > 0;
  const state = isSame ? before : stateOf(calendar, window, person.timeZone);
  const blocks = changesBetween(calendar, before, state, deltas.habits, deltas.dice);
  return deltas.begin({ person, calendarId: calendar.id, window, blocks, state });
}

function page(
  world: World,
  ask: Ask,
  preferences: Preferences,
  entry: ListedCalendar,
  round: DeltaRound,
  from: number,
): Answer {
  const size = preferences.pageSize ?? DEFAULT_PAGE;
  const items: DeltaItem[] = [];
  let next = from;
  for (const block of ask.hollow === true ? [] : round.blocks.slice(from)) {
    if (items.length > 0 && items.length + block.length > size) break;
    items.push(...block);
    next += 1;
  }
  const isLast = next >= round.blocks.length;
  const link = linkTo(world, ask, {
    [isLast ? '$deltatoken' : '$skiptoken']: `${round.key}.${isLast ? 'd' : `s${next.toString(36)}`}`,
  });
  return jsonAnswer(
    200,
    {
      '@odata.context': `${world.origin()}/v1.0/$metadata#Collection(event)`,
      [isLast ? '@odata.deltaLink' : '@odata.nextLink']: link,
      value: items.map((item) => told(item, entry, round.person, preferences)),
    },
    { headers: preferences.applied },
  );
}

function told(item: DeltaItem, entry: ListedCalendar, person: Person, preferences: Preferences): object {
  const type = { '@odata.type': '#microsoft.graph.event' };
  if (item.kind === 'removed') {
    const id = eventId(item, entry, preferences.immutableIds);
    return { ...type, id, '@removed': { reason: 'deleted' } };
  }
  const whole = eventResource(item.event, entry, person, preferences);
  if (item.as === 'whole') return { ...type, ...whole };
  // It may have become, or ceased to be, an exception since the round began.
  if (item.as === 'exception') return { ...type, ...whole, type: 'exception' };
  const { '@odata.etag': etag, seriesMasterId, id, start, end } = whole;
  return { ...type, '@odata.etag': etag, seriesMasterId, type: 'occurrence', id, start, end };
}

function linkTo(world: World, ask: Ask, parameters: Record<string, string>): string {
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `${world.origin()}${ask.url.pathname}?${query.join('&')}`;
}

function freshLink(world: World, ask: Ask, window: Stretch): string {
  return linkTo(world, ask, {
    startDateTime: new Date(window.startMs).toISOString(),
    endDateTime: new Date(window.endMs).toISOString(),
    $deltatoken: '',
  });
}

function expired(expiry: DeltaExpiry | undefined, location?: string): Refused {
  const { status, code } = expiry ?? { status: 410, code: 'resyncRequired' };
  const message = 'The sync state generation is not found. Restart synchronization from a full enumeration.';
  const headers = status === 410 && location !== undefined ? { location } : {};
  return new Refused(graphError(status, code, message, { headers }));
}
