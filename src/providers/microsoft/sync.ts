import * as z from 'zod';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import type { MirroredCalendar, MirroredEvent } from '../../domain/mirror.ts';
import { readJson } from '../http.ts';
import type { Access } from '../provider.ts';
import type { CalendarList, ChangesPage, ChangesRequest, ProviderSync } from '../provider-sync.ts';
import { askAll } from './batch.ts';
import { isOwnAddress, readMailbox } from './calendars.ts';
import { reachFurther } from './calendar-view.ts';
import { type Graph, graphPath, type GraphRequest, ownPath, readAs } from './client.ts';
import type { MicrosoftConfig } from './config.ts';
import {
  BARE_FIELDS,
  factsOf,
  factsOfKnown,
  needsSeries,
  type SeriesFacts,
  seriesIdOf,
  SYNCED_FIELDS,
  type SyncedEvent,
  syncedEventSchema,
  toMirroredEvent,
} from './mirrored-event.ts';
import { type FirstPage, readPages } from './pages.ts';
import { readPush, renewWatch, stopWatch, watch, WATCH_LIFETIME_MS } from './subscription.ts';

/** How many events come in one reply: they come with their bodies, and several calendars share a batch. */
const EVENTS_AT_ONCE = 200;
const FEWEST_AT_ONCE = 10;

const INSTANCES_AT_ONCE = '250';

/** How Microsoft 365 and Outlook.com tell what has changed. */
export function createMicrosoftSync(config: MicrosoftConfig): ProviderSync {
  return {
    readCalendars: (access) => readCalendars(config, access),
    readChanges: (requests, access) => readChanges(config, requests, access),
    watch: (request, access) => watch(config, request, access),
    renewWatch: (held, lifetimeMs, access) => renewWatch(config, held, lifetimeMs, access),
    stopWatch: (held, access) => stopWatch(config, held, access),
    watchLifetimeMs: WATCH_LIFETIME_MS,
    readPush,
  };
}

/**
 * Every calendar of the list counts, as in `readBusy`. Settings that are refused for good are done without; while
 * they only cannot be read just now there is no list either, because times depend on the zone.
 */
async function readCalendars({ graphUrl }: MicrosoftConfig, access: Access): Promise<Outcome<CalendarList>> {
  const { calendars, settings } = await readMailbox({ graphUrl, access });
  if (!calendars.ok) return calendars;
  if (!settings.ok && ['token-rejected', 'throttled', 'unavailable'].includes(settings.failure.kind))
    return settings;
  const { timeZone, workingHours } = settings.ok ? settings.value : {};
  const list = calendars.value.map(({ id, name, isDefault, ownerAddress }): MirroredCalendar => {
    const isOwn =
      isDefault || ownerAddress === undefined || isOwnAddress(ownerAddress, calendars.value, access.account);
    return {
      id,
      name,
      isPrimary: isDefault,
      counts: true,
      isReadable: true,
      ...(isOwn && timeZone !== undefined && { timeZone }),
    };
  });
  return ok({ calendars: list, ...(workingHours !== undefined && { workingHours }) });
}

/** Where a reading of one calendar has come to. */
const positionSchema = z.object({
  version: z.literal(1),
  /** Of the link to follow, below `/v1.0`. */
  path: z.string().startsWith('/'),
  /** Still the first reading, which tells what there is; then what has changed. */
  isFirst: z.boolean(),
  /** What the first reading asked for. */
  startMs: z.int(),
  endMs: z.int(),
});
type Position = z.infer<typeof positionSchema>;

const removedSchema = z.object({ id: z.string().min(1), '@removed': z.looseObject({}) });
const itemSchema = z.union([removedSchema, syncedEventSchema]);
type Item = z.infer<typeof itemSchema>;

const pageSchema = z.object({
  value: z.array(itemSchema),
  '@odata.nextLink': z.string().nullish(),
  '@odata.deltaLink': z.string().nullish(),
});

/** One calendar's page as far as it has been read. */
interface Page {
  request: ChangesRequest;
  /** The events of the page. */
  events: Map<string, SyncedEvent>;
  removed: Set<string>;
  /** Series that the page does not tell, by their ids; null for one that is gone. */
  masters: Map<string, SyncedEvent | null>;
  /** Occurrences of which the page does not tell how they were changed. */
  changed: Set<string>;
  /** Series that the page tells anew, and what their occurrences are asked for with. */
  retold: Map<string, FirstPage>;
  next: Position;
  isComplete: boolean;
}

/**
 * Reads a page of each calendar (graph docs: delta-query-events), then what the pages leave out.
 *
 * Of an occurrence Graph tells its times and its series, no more: a series that neither the page nor the mirror knows
 * is asked for.
 *
 * An occurrence that is taken out of its series is not told as removed: its series is told anew, with the occurrences
 * that are left (microsoft-graph-docs: pull request 4501, issue 5520). That these are all, in one page, no document promises: so
 * the occurrences of such a series are listed, and take the place of all that are known.
 */
async function readChanges(
  { graphUrl }: MicrosoftConfig,
  requests: readonly ChangesRequest[],
  access: Access,
): Promise<Outcome<ChangesPage>[]> {
  const graph: Graph = { graphUrl, access };
  const pages = await askThrough(
    graph,
    requests.map((request) => startReading(request)),
    ({ request, at }) => [deltaRequest(request, at, requests.length)],
    (reading, [answer = UNANSWERED]) => readPage(graph, reading, answer),
  );
  const withSeries = await askThrough(
    graph,
    pages,
    ({ request, masters, retold }) => [
      ...[...masters.keys()].map((id) => eventRequest(request.calendar, id)),
      ...[...retold.values()].map((first) => first.request),
    ],
    takeSeries,
  );
  const firsts = withSeries.map((page) => (page.ok ? [...page.value.retold.values()] : []));
  const lists = await readPages(graph, firsts.flat(), syncedEventSchema);
  const withOccurrences = withSeries.map((page, index) => {
    const own = lists.splice(0, firsts[index]?.length ?? 0);
    return page.ok ? takeOccurrences(page.value, own) : page;
  });
  return await askThrough(
    graph,
    withOccurrences,
    ({ request, changed }) => [...changed].map((id) => eventRequest(request.calendar, id)),
    (page, answers) => {
      const whole = takeChanged(page, answers);
      return whole.ok ? toChanges(whole.value) : whole;
    },
  );
}

/** What a request without an answer is. */
const UNANSWERED = fail({ kind: 'malformed', at: 'batch' });

/** Asks at once for what all of these need. What has failed before keeps its failure. */
async function askThrough<A, B>(
  graph: Graph,
  items: readonly Outcome<A>[],
  requestsOf: (item: A) => GraphRequest[],
  take: (item: A, answers: Outcome<unknown>[]) => Outcome<B>,
): Promise<Outcome<B>[]> {
  const asked = items.map((item) => (item.ok ? requestsOf(item.value) : []));
  const answers = await askAll(graph, asked.flat());
  return items.map((item, index) => {
    const own = answers.splice(0, asked[index]?.length ?? 0);
    return item.ok ? take(item.value, own) : item;
  });
}

interface Reading {
  request: ChangesRequest;
  at: Position;
}

/** A position that cannot be read is as good as none that Graph knows. */
function startReading(request: ChangesRequest): Outcome<Reading> {
  const { position, window, calendar } = request;
  if (position === undefined) {
    const { startMs, endMs } = reachFurther(window);
    const path = graphPath([...pathOf(calendar), 'calendarView', 'delta'], {
      startDateTime: new Date(startMs).toISOString(),
      endDateTime: new Date(endMs).toISOString(),
    });
    return ok({ request, at: { version: 1, path, isFirst: true, startMs, endMs } });
  }
  const json = readJson(position, 'position');
  const read = positionSchema.safeParse(json.ok ? json.value : undefined);
  return read.success ? ok({ request, at: read.data }) : fail({ kind: 'cursor-expired' });
}

function pathOf({ isPrimary, id }: MirroredCalendar): string[] {
  return isPrimary ? ['me'] : ['me', 'calendars', id];
}

function deltaRequest(
  { calendar, position, divisor }: ChangesRequest,
  { path }: Position,
  among: number,
): GraphRequest {
  const size = Math.ceil(Math.max(Math.floor(EVENTS_AT_ONCE / among), FEWEST_AT_ONCE) / divisor);
  return {
    method: 'GET',
    path,
    what: 'calendar',
    writes: false,
    // Nothing may be selected here; as text, the bodies that nobody reads are at least short.
    prefer: [`odata.maxpagesize=${size}`, 'outlook.body-content-type="text"'],
    // Graph's documents do not agree on whether this is offered for any calendar but the default one.
    ...(position === undefined &&
      !calendar.isPrimary && {
        ifNotOffered: { field: 'calendar', detail: 'Microsoft tells no changes of this calendar' },
      }),
  };
}

function readPage(graph: Graph, { request, at }: Reading, answer: Outcome<unknown>): Outcome<Page> {
  const { position } = request;
  if (!answer.ok && position !== undefined && isRefused(answer)) return fail({ kind: 'cursor-expired' });
  const read = readAs(answer, pageSchema, 'calendarView');
  if (!read.ok) return read;
  const { value, '@odata.nextLink': nextLink, '@odata.deltaLink': deltaLink } = read.value;
  const link = nextLink ?? deltaLink ?? undefined;
  const path = link === undefined ? undefined : ownPath(graph, link);
  const leadsBack = typeof nextLink === 'string' && path === at.path;
  if (path === undefined || leadsBack) return fail({ kind: 'malformed', at: 'calendarView.@odata.nextLink' });

  const isComplete = typeof nextLink !== 'string';
  const next: Position = { ...at, path, isFirst: at.isFirst && !isComplete };
  const settled = settle(value);
  const unknown = [...settled.events.values()].flatMap((event) => {
    const id = seriesIdOf(event);
    if (id === undefined || !needsSeries(event) || settled.events.has(id)) return [];
    return settled.removed.has(id) || request.findSeries(id) === undefined ? [id] : [];
  });
  const series = [...settled.events.values()].filter(({ type }) => type === 'seriesMaster');
  // In the first reading there is nothing yet to take the place of.
  const retold = (at.isFirst ? [] : series).map(({ id }): [string, FirstPage] => [
    id,
    { request: instancesRequest(request.calendar, id, at), answer: UNANSWERED },
  ]);
  return ok({
    request,
    ...settled,
    masters: new Map(unknown.map((id) => [id, null])),
    changed: new Set(),
    retold: new Map(retold),
    next,
    isComplete,
  });
}

/** A position that Graph takes for a bad request is of no use: what is really wrong, the next reading tells. */
function isRefused({ failure }: ReturnType<typeof fail>): boolean {
  return failure.kind === 'rejected' && failure.status === 400;
}

/** What a page comes to: of what it tells more than once, the last counts. */
function settle(items: readonly Item[]): Pick<Page, 'events' | 'removed'> {
  const events = new Map<string, SyncedEvent>();
  const removed = new Set<string>();
  for (const item of items) {
    if (!('@removed' in item)) {
      events.set(item.id, item);
      continue;
    }
    removed.add(item.id);
    events.delete(item.id);
    for (const event of events.values()) if (seriesIdOf(event) === item.id) events.delete(event.id);
  }
  return { events, removed };
}

function eventRequest(calendar: MirroredCalendar, id: string): GraphRequest {
  return {
    method: 'GET',
    path: graphPath([...pathOf(calendar), 'events', id], { $select: SYNCED_FIELDS }),
    what: 'event',
    writes: false,
  };
}

function instancesRequest(
  calendar: MirroredCalendar,
  id: string,
  { startMs, endMs }: Position,
): GraphRequest {
  return {
    method: 'GET',
    path: graphPath([...pathOf(calendar), 'events', id, 'instances'], {
      startDateTime: new Date(startMs).toISOString(),
      endDateTime: new Date(endMs).toISOString(),
      $select: BARE_FIELDS,
      $top: INSTANCES_AT_ONCE,
    }),
    what: 'event',
    writes: false,
  };
}

/** Takes the answers about series in the order in which they were asked for. */
function takeSeries(page: Page, answers: Outcome<unknown>[]): Outcome<Page> {
  const masters = new Map<string, SyncedEvent | null>();
  for (const id of page.masters.keys()) {
    const master = readAs(answers.shift() ?? UNANSWERED, syncedEventSchema, 'event');
    if (!master.ok && !isGone(master)) return master;
    masters.set(id, master.ok ? { ...master.value, id, type: 'seriesMaster' } : null);
  }
  const retold = [...page.retold].map(([id, { request }]): [string, FirstPage] => [
    id,
    { request, answer: answers.shift() ?? UNANSWERED },
  ]);
  return ok({ ...page, masters, retold: new Map(retold) });
}

/** Puts the occurrences that series have now in the place of those that they had. */
function takeOccurrences(page: Page, lists: readonly Outcome<SyncedEvent[]>[]): Outcome<Page> {
  const events = new Map(page.events);
  const removed = new Set(page.removed);
  const changed = new Set<string>();
  for (const [index, seriesId] of [...page.retold.keys()].entries()) {
    const list = lists[index] ?? UNANSWERED;
    // Its removal is yet to be told.
    if (!list.ok && isGone(list)) continue;
    if (!list.ok) return list;
    removed.add(seriesId);
    for (const event of list.value) {
      if (events.has(event.id)) continue;
      events.set(event.id, { ...event, seriesMasterId: seriesId });
      if (event.type !== 'occurrence') changed.add(event.id);
    }
  }
  return ok({ ...page, events, removed, changed });
}

/** Takes the answers about changed occurrences. One that is gone by now is told again, with its series. */
function takeChanged(page: Page, answers: Outcome<unknown>[]): Outcome<Page> {
  const events = new Map(page.events);
  for (const id of page.changed) {
    const event = readAs(answers.shift() ?? UNANSWERED, syncedEventSchema, 'event');
    if (!event.ok && !isGone(event)) return event;
    const seriesMasterId = page.events.get(id)?.seriesMasterId;
    if (event.ok) events.set(id, { ...event.value, id, type: 'exception', seriesMasterId });
  }
  return ok({ ...page, events });
}

/** No cursor was sent that a 410 could speak of. */
function isGone({ failure }: ReturnType<typeof fail>): boolean {
  return failure.kind === 'not-found' || failure.kind === 'cursor-expired';
}

function toChanges({ request, events, removed, masters, next, isComplete }: Page): Outcome<ChangesPage> {
  const { findSeries, calendar } = request;
  const asked = [...masters.values()].filter((master) => master !== null);
  const factsFor = (event: SyncedEvent): SeriesFacts | undefined => {
    const id = seriesIdOf(event);
    if (id === undefined) return undefined;
    const told = events.get(id) ?? masters.get(id);
    if (told !== undefined) return told === null ? undefined : factsOf(told);
    const known = removed.has(id) ? undefined : findSeries(id);
    return known === undefined ? undefined : factsOfKnown(known, calendar.timeZone);
  };
  const mirrored: MirroredEvent[] = [];
  for (const event of [...asked, ...events.values()]) {
    const one = toMirroredEvent(event, calendar.timeZone, factsFor(event));
    if (one === undefined) return fail({ kind: 'malformed', at: 'calendarView.start' });
    mirrored.push(one);
  }
  const isSeries = ({ kind }: MirroredEvent) => kind === 'series';
  return ok({
    events: [...mirrored.filter(isSeries), ...mirrored.filter((event) => !isSeries(event))],
    removed: [...removed],
    position: JSON.stringify(next),
    isComplete,
  });
}
