import * as z from 'zod';
import type { EventCancellation, EventChange, EventDraft, EventRecord } from '../../domain/event.ts';
import { type Failure, fail, ok, type Outcome } from '../../domain/failure.ts';
import type { Access, CreatedRemoval, Creation } from '../provider.ts';
import { askGraph, type Graph, graphPath, readAs } from './client.ts';
import type { MicrosoftConfig } from './config.ts';
import { changedEvent, isConfirmed } from './event-change.ts';
import {
  type EventBody,
  type GraphEvent,
  graphEventSchema,
  KEY_PROPERTY,
  readRecord,
  writeDraft,
} from './event-resource.ts';
import { aimAtOccurrence } from './occurrences.ts';

/** The default calendar, whatever its id. */
const PRIMARY = 'primary';

/** Graph's code for a creation whose `transactionId` it has seen before. */
const DUPLICATE = 'ErrorDuplicateTransactionId';

/** How often a change is applied to the version at hand before somebody else is always faster. */
const MOST_ROUNDS = 3;

const foundSchema = z.object({ value: z.array(graphEventSchema) });

/**
 * Creates an event, once per key. Its key goes along twice: as `transactionId`, by which Graph itself
 * makes nothing twice, and as an extended property, by which a repeat finds the event.
 *
 * Graph can confirm that an event of this key was made which is nowhere to be found: it is still being
 * made, or was removed from the calendar since. The two look alike, and of a removed event nothing is
 * left that could be told. Either is `unavailable` and `ambiguous`; no second event is made.
 *
 * An event that is to recur recurs in the zone of its times. `unsupported`: see `writeDraft`.
 */
export async function createEvent(
  config: MicrosoftConfig,
  draft: EventDraft,
  creation: Creation,
  access: Access,
): Promise<Outcome<EventRecord>> {
  const graph: Graph = { graphUrl: config.graphUrl, access };
  const body = writeDraft(draft, creation, access.account);
  if (!body.ok) return body;
  const calendarId = draft.calendarId ?? PRIMARY;
  const calendar = [...calendarPath(calendarId), 'events'];
  const told = { calendarId, timeZone: draft.time.timeZone };

  if (creation.isRepeat) {
    const found = await findByKey(graph, calendar, creation);
    if (!found.ok) return found;
    if (found.value !== undefined) return readRecord(found.value, told);
  }
  const posted = await askGraph(graph, {
    method: 'POST',
    path: graphPath(calendar),
    body: body.value,
    what: 'calendar',
    writes: true,
  });
  const made = readAs(posted, graphEventSchema, 'event');
  const record = made.ok ? readRecord(made.value, told) : made;
  if (record.ok || !mayBeThere(record.failure)) return record;

  const found = await findByKey(graph, calendar, creation);
  const known = found.ok && found.value !== undefined ? readRecord(found.value, told) : undefined;
  if (known?.ok === true) return known;
  const isOtherClash = record.failure.kind === 'rejected' && record.failure.code !== DUPLICATE;
  return isOtherClash ? record : fail({ kind: 'unavailable', ambiguous: true });
}

/** Whether the event may be there although its reply is no event: an earlier attempt made it, or this one, illegibly. */
function mayBeThere(failure: Failure): boolean {
  return failure.kind === 'malformed' || (failure.kind === 'rejected' && failure.status === 409);
}

/** The event of this key in a calendar, if it is there. */
async function findByKey(
  graph: Graph,
  calendar: string[],
  { key }: Pick<Creation, 'key'>,
): Promise<Outcome<GraphEvent | undefined>> {
  const filter = `singleValueExtendedProperties/Any(ep: ep/id eq '${KEY_PROPERTY}' and ep/value eq '${key}')`;
  const answer = await askGraph(graph, {
    method: 'GET',
    path: graphPath(calendar, { $filter: filter, $top: '1' }),
    what: 'calendar',
    writes: false,
  });
  const found = readAs(answer, foundSchema, 'events');
  return found.ok ? ok(found.value.value[0]) : found;
}

/**
 * Changes what the change names and leaves the rest; `unsupported`: see `changedEvent`. With the
 * caller's etag that version is changed, or none. Without, the version at hand; when somebody else was
 * faster, it is read anew, three times at most.
 */
export async function updateEvent(
  config: MicrosoftConfig,
  asked: EventChange,
  access: Access,
): Promise<Outcome<EventRecord>> {
  const graph: Graph = { graphUrl: config.graphUrl, access };
  const aimed = await aimAtOccurrence(graph, asked, eventPaths(asked));
  if (!aimed.ok) return aimed;
  const change = aimed.value;
  if (change === undefined) return fail({ kind: 'not-found', what: 'occurrence' });
  for (let round = 1; ; round++) {
    // Each round needs the outcome of the one before it.
    // oxlint-disable-next-line no-await-in-loop
    const current = await readEvent(graph, change);
    if (!current.ok) return current;
    const { path, event } = current.value;
    // An earlier attempt came through: to write it again would tell the guests again.
    if (isConfirmed(event, change)) return tell(event, change);
    const body = changedEvent(event, change);
    if (!body.ok) return body;
    // oxlint-disable-next-line no-await-in-loop
    const patched = await patch(graph, path, body.value, change.etag ?? event['@odata.etag']);
    if (patched.ok) return tell(patched.value, change);
    if (!isOtherVersion(patched.failure)) return withoutCursor(patched);
    if (change.etag !== undefined || round === MOST_ROUNDS) return fail({ kind: 'changed', what: 'event' });
  }
}

async function readEvent(
  graph: Graph,
  change: EventChange,
): Promise<Outcome<{ path: string; event: GraphEvent }>> {
  let answer: Outcome<GraphEvent> = fail({ kind: 'not-found', what: 'event' });
  for (const path of eventPaths(change)) {
    // oxlint-disable-next-line no-await-in-loop
    const asked = await askGraph(graph, { method: 'GET', path, what: 'event', writes: false });
    answer = withoutCursor(readAs(asked, graphEventSchema, 'event'));
    if (answer.ok) return ok({ path, event: answer.value });
    if (answer.failure.kind !== 'not-found') return answer;
  }
  return answer;
}

/** The event as it is after the change: read anew where Graph changes it without showing it. */
async function patch(
  graph: Graph,
  path: string,
  body: EventBody,
  ifMatch: string,
): Promise<Outcome<GraphEvent>> {
  const asked = await askGraph(graph, { method: 'PATCH', path, body, ifMatch, what: 'event', writes: true });
  const shown = readAs(asked, graphEventSchema, 'event');
  if (shown.ok || shown.failure.kind !== 'malformed') return shown;
  return readAs(
    await askGraph(graph, { method: 'GET', path, what: 'event', writes: false }),
    graphEventSchema,
    'event',
  );
}

function tell(event: GraphEvent, { calendarId = PRIMARY, time }: EventChange): Outcome<EventRecord> {
  return readRecord(event, { calendarId, ...(time !== undefined && { timeZone: time.timeZone }) });
}

function isOtherVersion(failure: Failure): boolean {
  if (failure.kind !== 'rejected') return false;
  return failure.status === 412 || failure.code === 'ErrorIrresolvableConflict';
}

/**
 * Removes an event from the calendar; success when it is gone already. Where its attendees were
 * invited by this account, Graph tells them that it is cancelled, with `notify: 'none'` too: it knows
 * no silent way, and the caller wants the event gone. Where the account was itself invited, only its
 * own copy goes and nobody is told.
 */
export async function cancelEvent(
  config: MicrosoftConfig,
  cancellation: EventCancellation,
  access: Access,
): Promise<Outcome<void>> {
  const graph: Graph = { graphUrl: config.graphUrl, access };
  const aimed = await aimAtOccurrence(graph, cancellation, eventPaths(cancellation));
  if (!aimed.ok) return aimed;
  for (const path of aimed.value === undefined ? [] : eventPaths(aimed.value)) {
    // oxlint-disable-next-line no-await-in-loop
    const asked = await askGraph(graph, {
      method: 'DELETE',
      path,
      ...(cancellation.etag !== undefined && { ifMatch: cancellation.etag }),
      what: 'event',
      writes: true,
    });
    const gone = withoutCursor(asked);
    if (gone.ok) return ok(undefined);
    if (isOtherVersion(gone.failure)) return fail({ kind: 'changed', what: 'event' });
    if (gone.failure.kind !== 'not-found') return gone;
  }
  return ok(undefined);
}

/** Takes away what was created under a key, which is found by the property that holds it. */
export async function removeCreated(
  config: MicrosoftConfig,
  { key, calendarId = PRIMARY, notify }: CreatedRemoval,
  access: Access,
): Promise<Outcome<void>> {
  const graph: Graph = { graphUrl: config.graphUrl, access };
  const found = await findByKey(graph, [...calendarPath(calendarId), 'events'], { key });
  if (!found.ok) return found.failure.kind === 'not-found' ? ok(undefined) : found;
  if (found.value === undefined) return ok(undefined);
  return await cancelEvent(config, { eventId: found.value.id, calendarId, notify }, access);
}

/** A 410 is an expired cursor where there is one; here it is a thing that is gone. */
function withoutCursor<T>(outcome: Outcome<T>): Outcome<T> {
  return !outcome.ok && outcome.failure.kind === 'cursor-expired'
    ? fail({ kind: 'not-found', what: 'event' })
    : outcome;
}

function calendarPath(calendarId: string): string[] {
  return calendarId === PRIMARY ? ['me', 'calendar'] : ['me', 'calendars', calendarId];
}

/**
 * Where an event may be: in the calendar that was named, which may be somebody else's; then anywhere in
 * the mailbox, because its id outlives a move to another calendar.
 */
function eventPaths({ eventId, calendarId = PRIMARY }: EventCancellation | EventChange): string[] {
  const anywhere = graphPath(['me', 'events', eventId]);
  return calendarId === PRIMARY
    ? [anywhere]
    : [graphPath([...calendarPath(calendarId), 'events', eventId]), anywhere];
}
