import * as z from 'zod';
import { type Failure, fail, ok, type Outcome } from '../../domain/failure.ts';
import type { MirroredEvent } from '../../domain/mirror.ts';
import { isTimeZone } from '../../domain/time-zone.ts';
import { splitInto } from '../batches.ts';
import type { ChangesPage, ChangesRequest, ProviderSync } from '../provider-sync.ts';
import type { Access } from '../provider.ts';
import { readCalendars } from './calendars.ts';
import { type ApiCall, callApi, callApiInBatch } from './client.ts';
import { listedEventSchema, mirrorEvent } from './mirrored-event.ts';
import { readPush, stopWatch, watch, WATCH_LIFETIME_MS } from './watch.ts';

/**
 * How Google Calendar tells what has changed.
 *
 * @param apiUrl the origin of Google's APIs, such as https://www.googleapis.com
 */
export function createGoogleSync(apiUrl: string): ProviderSync {
  return {
    readCalendars: (access) => readCalendars(apiUrl, access),
    readChanges: (requests, access) => readChanges(apiUrl, requests, access),
    watch: (request, access) => watch(apiUrl, request, access),
    stopWatch: (watched, access) => stopWatch(apiUrl, watched, access),
    watchLifetimeMs: WATCH_LIFETIME_MS,
    readPush,
  };
}

const token = z.string().min(1).max(4096);
const furtherSchemas = { pageToken: z.exactOptional(token), maxResults: z.exactOptional(z.int().min(1)) };
const positionSchema = z.union([
  z.strictObject({ v: z.literal(1), syncToken: token, ...furtherSchemas }),
  z.strictObject({ v: z.literal(1), timeMin: z.string(), ...furtherSchemas }),
]);

/**
 * Where in a calendar's changes a reading is, as parameters of events.list: since a sync token, or from the start
 * at `timeMin`; at a later page of it with `pageToken`, beside which Google wants the others unchanged. So a token
 * keeps the `maxResults` it was given for, where that is not the usual one: pages had been too large to be read.
 */
export type Place = ({ syncToken: string } | { timeMin: string }) & {
  pageToken?: string;
  maxResults?: number;
};

/** A place as the opaque text that is kept of it. */
export function writePosition(place: Place): string {
  return JSON.stringify({ v: 1, ...place });
}

/** The place that `writePosition` wrote; undefined for any other text, such as one of another version. */
export function readPosition(position: string): Place | undefined {
  try {
    const parsed = positionSchema.safeParse(JSON.parse(position));
    if (!parsed.success) return undefined;
    const { v: _, ...place } = parsed.data;
    return place;
  } catch {
    return undefined;
  }
}

/**
 * The same in every call: a sync token holds for the parameters that it was given for. Series come as masters
 * with their exceptions. Deleted events are not asked for: since a sync token they are told anyway.
 */
const PARAMETERS = { singleEvents: 'false' };
const EVENTS_AT_ONCE = 500;
/** A page is a megabyte or two, and the replies of a batch are one: more at once would be too long to read. */
const MOST_AT_ONCE = 4;
/** What a 403 says of calendars that may be seen, but not read. */
const NO_ACCESS = ['requiredAccessLevel', 'forbidden'];

const pageSchema = z.object({
  timeZone: z.string().optional().catch(undefined),
  items: z.array(listedEventSchema).optional(),
  nextPageToken: z.string().max(4096).optional(),
  nextSyncToken: z.string().max(4096).optional(),
});
type Page = z.infer<typeof pageSchema>;

/** One calendar to be read from a place on. */
interface Reading {
  request: ChangesRequest;
  place: Place;
}

/**
 * Reads the next page of each calendar (events.list; guide "Synchronize resources efficiently"), four in a
 * batch. The first reading covers whatever ends after the start of the window, the future without end, and an
 * empty page need not be the last. `cursor-expired` is also a position of another version, and what Google
 * calls a wrong request where one was sent; `unsupported` a calendar of which this account sees only busy
 * times. A page is `malformed` as a whole where a time in it cannot be read.
 */
export async function readChanges(
  apiUrl: string,
  requests: readonly ChangesRequest[],
  access: Access,
): Promise<Outcome<ChangesPage>[]> {
  const readings = requests.map(findPlace);
  const pages = readings.map((reading): Outcome<ChangesPage> => (reading.ok ? malformed('page') : reading));
  const open = readings.flatMap((reading, index) => (reading.ok ? [{ index, reading: reading.value }] : []));
  await Promise.all(
    splitInto(open, MOST_AT_ONCE).map(async (group) => {
      const calls = group.map(({ reading }) => toCall(reading));
      const answers = await ask(apiUrl, access, calls);
      for (const [place, { index, reading }] of group.entries()) {
        const answer = answers[place] ?? malformed('page');
        pages[index] = answer.ok ? readPage(answer.value, reading) : fail(explain(answer.failure, reading));
      }
    }),
  );
  return pages;
}

function findPlace(request: ChangesRequest): Outcome<Reading> {
  const { calendar, position, window } = request;
  if (!calendar.isReadable) return fail(UNREADABLE);
  if (position !== undefined) {
    const place = readPosition(position);
    return place === undefined ? fail({ kind: 'cursor-expired' }) : ok({ request, place });
  }
  // Google passes over fractions of seconds.
  const timeMin = new Date(Math.floor(window.startMs / 1000) * 1000).toISOString();
  return ok({ request, place: { timeMin } });
}

const UNREADABLE: Failure = {
  kind: 'unsupported',
  field: 'calendarId',
  detail: 'this account only sees when that calendar is busy',
};

function toCall({ request, place }: Reading): ApiCall {
  return {
    method: 'GET',
    path: ['calendars', request.calendar.id, 'events'],
    query: { ...PARAMETERS, ...place, maxResults: String(sizeOf(request, place)) },
    what: 'calendar',
    writes: false,
  };
}

/** How many events a page is to hold at most. */
function sizeOf({ divisor }: ChangesRequest, { maxResults = EVENTS_AT_ONCE }: Place): number {
  return Math.min(maxResults, Math.ceil(EVENTS_AT_ONCE / divisor));
}

async function ask(apiUrl: string, access: Access, calls: readonly ApiCall[]): Promise<Outcome<Page>[]> {
  const [first, ...others] = calls;
  return first !== undefined && others.length === 0
    ? [await callApi(apiUrl, access, first, pageSchema)]
    : callApiInBatch(apiUrl, access, calls, pageSchema);
}

/** What a failure means to whoever keeps positions. */
function explain(failure: Failure, { request }: Reading): Failure {
  const wasSent = request.position !== undefined;
  // A sync token that Google cannot read at all is a wrong request to it, not one that has expired.
  if (failure.kind === 'rejected' && failure.status === 400 && wasSent) return { kind: 'cursor-expired' };
  // Without a cursor, gone can only be the calendar.
  if (failure.kind === 'cursor-expired' && !wasSent) return { kind: 'not-found', what: 'calendar' };
  if (failure.kind === 'rejected' && failure.status === 403 && NO_ACCESS.includes(failure.code))
    return UNREADABLE;
  return failure;
}

function readPage(page: Page, { request, place }: Reading): Outcome<ChangesPage> {
  const next = findNext(page, place, sizeOf(request, place));
  if (!next.ok) return next;
  const zone = request.calendar.timeZone ?? page.timeZone ?? '';
  const events: MirroredEvent[] = [];
  const removed: string[] = [];
  for (const [index, item] of (page.items ?? []).entries()) {
    const event = mirrorEvent(item, isTimeZone(zone) ? zone : 'UTC', `calendar.items.${index}`);
    if (!event.ok) return event;
    if (event.value === undefined) removed.push(item.id);
    else events.push(event.value);
  }
  const isComplete = !('pageToken' in next.value);
  // With a series its cancelled occurrences are told: they are gone with it.
  const gone = new Set(removed);
  const living = events.filter(({ seriesId }) => seriesId === undefined || !gone.has(seriesId));
  return ok({ events: living, removed, position: writePosition(next.value), isComplete });
}

/** Where the next reading begins: at the next page of this one, or after the last page with what changes since. */
function findNext(
  { nextPageToken = '', nextSyncToken = '' }: Page,
  place: Place,
  size: number,
): Outcome<Place> {
  const further = size === EVENTS_AT_ONCE ? {} : { maxResults: size };
  if (nextPageToken === '')
    return nextSyncToken === '' ? malformed('nextSyncToken') : ok({ syncToken: nextSyncToken, ...further });
  // A page that leads to itself would be read for ever.
  return nextPageToken === place.pageToken
    ? malformed('nextPageToken')
    : ok({ ...place, ...further, pageToken: nextPageToken });
}

function malformed(at: string): Outcome<never> {
  return fail({ kind: 'malformed', at: `calendar.${at}` });
}
