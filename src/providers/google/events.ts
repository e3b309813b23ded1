import * as z from 'zod';
import type { EventCancellation, EventChange, EventDraft, EventRecord } from '../../domain/event.ts';
import { type Failure, fail, ok, type Outcome } from '../../domain/failure.ts';
import { frequencyOf } from '../../domain/recurrence.ts';
import type { Access, CreatedRemoval, Creation } from '../provider.ts';
import { callApi } from './client.ts';
import {
  eventSchema,
  heldEventSchema,
  isConfirmed,
  readRecord,
  writeChange,
  writeDraft,
} from './event-resource.ts';
import { aimAtOccurrence } from './occurrences.ts';

/** Google's name for the account's own calendar. */
const PRIMARY = 'primary';
/** How often a change is made anew because somebody else was faster. */
const ROUNDS = 3;

/**
 * Creates the event under an id of our own (events.insert), so that Google refuses a second one with
 * 409 and the first is read instead. Google does not promise to notice, so a repeat asks first and only
 * creates what is not there. Wherever it stays open whether the event exists, even through a reply that
 * cannot be read, the failure is `unavailable` and `ambiguous`. A conference may still be in the
 * making when Google replies: then the record has no link to it yet.
 */
export async function createEvent(
  apiUrl: string,
  draft: EventDraft,
  creation: Creation,
  access: Access,
): Promise<Outcome<EventRecord>> {
  const { calendarId = PRIMARY, time } = draft;
  if (!['', 'DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'].includes(frequencyOf(draft.recurrence))) {
    const detail = 'Google has no events that recur more often than daily';
    return fail({ kind: 'unsupported', field: 'recurrence', detail });
  }
  const find = async (): Promise<Outcome<EventRecord>> => {
    const found = await readEvent(apiUrl, { calendarId, eventId: creation.key }, access, eventSchema);
    return found.ok ? readRecord(found.value, calendarId, time) : found;
  };
  if (creation.isRepeat) {
    const found = await find();
    if (found.ok) return found;
    if (found.failure.kind !== 'not-found') return fail(asUnsure(found.failure));
  }
  const made = await callApi(
    apiUrl,
    access,
    {
      method: 'POST',
      path: ['calendars', calendarId, 'events'],
      query: { sendUpdates: draft.notify, conferenceDataVersion: draft.conference ? '1' : '0' },
      body: writeDraft(draft, creation),
      what: 'calendar',
      writes: true,
    },
    eventSchema,
  );
  const created = made.ok ? readRecord(made.value, calendarId, time) : made;
  if (created.ok) return created;
  const { failure } = created;
  if (failure.kind === 'malformed') return fail(asUnsure(failure));
  if (failure.kind === 'rejected' && failure.code === 'requiredAccessLevel') {
    const detail = 'this account may only read that calendar';
    return fail({ kind: 'unsupported', field: 'calendarId', detail });
  }
  if (failure.kind !== 'rejected' || failure.status !== 409) return created;
  const found = await find();
  // Taken and yet not to be seen: it is on its way, or long gone.
  return found.ok ? found : fail(asUnsure(found.failure));
}

/** What a failure means when the event may exist. */
function asUnsure(failure: Failure): Failure {
  if (failure.kind === 'unavailable') return { ...failure, ambiguous: true };
  return failure.kind === 'malformed' || failure.kind === 'not-found'
    ? { kind: 'unavailable', ambiguous: true }
    : failure;
}

/**
 * Changes what `change` names and nothing else (events.patch). The event is always read first, and
 * written only as the version that was read (If-Match), so nothing is overwritten unseen. When somebody
 * else is faster it starts over, three times at most, unless the caller insists on a version; then, or
 * when that fails too, the failure is `changed`. An event that is cancelled or gone is `not-found`; one
 * whose attendees Google withholds from this account is `unsupported` when they are to change.
 */
export async function updateEvent(
  apiUrl: string,
  change: EventChange,
  access: Access,
): Promise<Outcome<EventRecord>> {
  const aimed = await aimAtOccurrence(apiUrl, change, access);
  if (!aimed.ok) return aimed;
  if (aimed.value === undefined) return fail({ kind: 'not-found', what: 'occurrence' });
  const { calendarId = PRIMARY, eventId } = aimed.value;
  for (let round = 0; round < ROUNDS; round += 1) {
    // Each round needs the verdict on the one before it.
    // oxlint-disable-next-line no-await-in-loop
    const held = await readEvent(apiUrl, { calendarId, eventId }, access, heldEventSchema);
    if (!held.ok) return held;
    const { status, etag, attendees = [], attendeesOmitted } = held.value;
    if (status === 'cancelled') return fail({ kind: 'not-found', what: 'event' });
    // An earlier attempt came through: to write it again would tell the guests again.
    if (isConfirmed(held.value, change)) return readRecord(held.value, calendarId);
    if (etag === undefined) return fail({ kind: 'malformed', at: 'event.etag' });
    if (change.etag !== undefined && change.etag !== etag) break;
    if (change.attendees !== undefined && attendeesOmitted === true)
      return fail({
        kind: 'unsupported',
        field: 'attendees',
        detail: 'Google does not show all of them to this account, so they cannot be replaced',
      });
    // oxlint-disable-next-line no-await-in-loop
    const patched = await callApi(
      apiUrl,
      access,
      {
        method: 'PATCH',
        path: ['calendars', calendarId, 'events', eventId],
        query: { sendUpdates: change.notify },
        body: writeChange(change, attendees),
        ifMatch: etag,
        what: 'event',
        writes: true,
      },
      eventSchema,
    );
    if (patched.ok) return readRecord(patched.value, calendarId);
    if (patched.failure.kind !== 'changed') return fail(asGone(patched.failure));
  }
  return fail({ kind: 'changed', what: 'event' });
}

/** Cancels an event or an occurrence (events.delete). One that is not there, or no longer, counts as cancelled. */
export async function cancelEvent(
  apiUrl: string,
  cancellation: EventCancellation,
  access: Access,
): Promise<Outcome<void>> {
  const aimed = await aimAtOccurrence(apiUrl, cancellation, access);
  if (!aimed.ok) return aimed;
  if (aimed.value === undefined) return ok(undefined);
  const { calendarId = PRIMARY, eventId, notify, etag } = aimed.value;
  const cancelled = await callApi(
    apiUrl,
    access,
    {
      method: 'DELETE',
      path: ['calendars', calendarId, 'events', eventId],
      query: { sendUpdates: notify },
      ...(etag !== undefined && { ifMatch: etag }),
      what: 'event',
      writes: true,
    },
    z.unknown(),
  );
  if (cancelled.ok) return ok(undefined);
  const failure = asGone(cancelled.failure);
  return failure.kind === 'not-found' ? ok(undefined) : fail(failure);
}

/** Takes away what was created under a key: its event has the key for an id. */
export async function removeCreated(
  apiUrl: string,
  { key, ...where }: CreatedRemoval,
  access: Access,
): Promise<Outcome<void>> {
  return await cancelEvent(apiUrl, { eventId: key, ...where }, access);
}

/** Reads one event, also a cancelled one, which Google keeps for a while (events.get). */
async function readEvent<T>(
  apiUrl: string,
  { calendarId, eventId }: { calendarId: string; eventId: string },
  access: Access,
  schema: z.ZodType<T>,
): Promise<Outcome<T>> {
  const path = ['calendars', calendarId, 'events', eventId];
  const read = await callApi(apiUrl, access, { method: 'GET', path, what: 'event', writes: false }, schema);
  return read.ok ? read : fail(asGone(read.failure));
}

/** Here a 410 without a known reason cannot speak of a sync: no cursor was sent. */
function asGone(failure: Failure): Failure {
  return failure.kind === 'cursor-expired' ? { kind: 'not-found', what: 'event' } : failure;
}
