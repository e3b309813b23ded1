import * as z from 'zod';
import type { EventRecord } from '../../src/domain/event.ts';
import { type Failure, fail, ok, type Outcome } from '../../src/domain/failure.ts';
import type { Interval } from '../../src/domain/interval.ts';
import {
  type OutgoingRequest,
  readJson,
  readRetryAfter,
  type Reply,
  type Send,
} from '../../src/providers/http.ts';
import type { Access, Grant, Provider } from '../../src/providers/provider.ts';
import { MUTE_SYNC } from '../providers/mute-sync.ts';

/** Where the double's provider is reached. */
export const PROVIDER_URL = 'https://provider.invalid';

const tokenSchema = z.object({
  accessToken: z.string(),
  lifeMs: z.number(),
  refreshToken: z.string().optional(),
});
const calendarsSchema = z.object({ calendars: z.array(z.string()) });
const partsSchema = z.object({
  parts: z.array(
    z.object({ id: z.string(), busy: z.array(z.object({ startMs: z.number(), endMs: z.number() })) }),
  ),
});
const eventSchema = z.object({
  id: z.string(),
  startMs: z.number(),
  endMs: z.number(),
  summary: z.string(),
  isHold: z.boolean(),
});

function waitOf({ retryAtMs }: { retryAtMs?: number }): { retryAtMs?: number } {
  return retryAtMs === undefined ? {} : { retryAtMs };
}

/** What a reply that is no success is. */
function readFailure({ status, headers, receivedAtMs }: Reply, writes: boolean): Failure {
  const retryAtMs = readRetryAfter(headers, receivedAtMs);
  const wait = retryAtMs === undefined ? {} : { retryAtMs };
  if (status === 401) return { kind: 'token-rejected' };
  if (status === 404 || status === 410) return { kind: 'not-found', what: 'event' };
  if (status === 429) return { kind: 'throttled', scope: 'user', ...wait };
  if (status >= 500) return { kind: 'unavailable', ambiguous: writes, ...wait };
  return { kind: 'rejected', status, code: 'refused' };
}

/** One call as every operation makes it. */
async function call<T>(
  { send, accessToken }: Access,
  {
    method,
    path,
    body,
    parts,
  }: Pick<OutgoingRequest, 'method'> & { path: string; body?: object; parts?: number },
  schema: z.ZodType<T>,
): Promise<Outcome<T>> {
  const sent = await send({
    method,
    url: `${PROVIDER_URL}${path}`,
    headers: { Authorization: `Bearer ${accessToken}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(parts !== undefined && { weight: parts, calls: parts }),
    readThrottle(reply) {
      const failure = readFailure(reply, method !== 'GET');
      return failure.kind === 'throttled' ? waitOf(failure) : undefined;
    },
  });
  if (!sent.ok) return sent;
  if (sent.value.status >= 300) return fail(readFailure(sent.value, method !== 'GET'));
  return readReply(sent.value.body, schema);
}

function readReply<T>(body: string, schema: z.ZodType<T>): Outcome<T> {
  const read = readJson(body === '' ? 'null' : body, 'reply');
  if (!read.ok) return read;
  const parsed = schema.safeParse(read.value);
  return parsed.success ? ok(parsed.data) : fail({ kind: 'malformed', at: 'reply' });
}

function present({ id, startMs, endMs, isHold }: z.infer<typeof eventSchema>): EventRecord {
  return {
    eventId: id,
    calendarId: 'primary',
    iCalUid: id,
    etag: '"1"',
    start: new Date(startMs).toISOString(),
    end: new Date(endMs).toISOString(),
    status: isHold ? 'tentative' : 'confirmed',
  };
}

async function takeGrant(send: Send, body: object, now: () => number): Promise<Outcome<Grant>> {
  const sent = await send({ method: 'POST', url: `${PROVIDER_URL}/token`, body: JSON.stringify(body) });
  if (!sent.ok) return sent;
  const { status } = sent.value;
  if (status === 400) return fail({ kind: 'grant-revoked', detail: 'invalid_grant' });
  if (status >= 300) return fail(readFailure(sent.value, true));
  const read = readReply(sent.value.body, tokenSchema);
  if (!read.ok) return read;
  const { accessToken, lifeMs, refreshToken } = read.value;
  return ok({
    accessToken,
    expiresAtMs: now() + lifeMs,
    scopes: ['calendar'],
    account: { id: 'account', kind: 'work' },
    ...(refreshToken !== undefined && { refreshToken }),
  });
}

/** A calendar provider in few words, which reaches a `CalendarServer` the way the real ones reach theirs. */
export function createProviderDouble(now: () => number): Provider {
  const gone = async (path: string, access: Access): Promise<Outcome<void>> => {
    const removed = await call(access, { method: 'DELETE', path }, z.unknown());
    return removed.ok || removed.failure.kind === 'not-found' ? ok(undefined) : removed;
  };
  return {
    name: 'google',
    oauth: {
      defaultScopes: ['calendar'],
      signInUrl: () => Promise.resolve(`${PROVIDER_URL}/authorize`),
      isOwnCallback: () => true,
      exchangeCode: (reply, send) => takeGrant(send, { code: reply.callback.get('code') }, now),
      async refresh({ refreshToken }, send) {
        const taken = await takeGrant(send, { refreshToken }, now);
        return taken.ok ? ok({ refreshToken, ...taken.value }) : taken;
      },
      revoke: () => Promise.resolve(ok(undefined)),
      missingScopes: () => [],
    },
    sync: MUTE_SYNC,
    async readBusy({ range, calendars }, access) {
      const asked = calendars === undefined ? await listCalendars(access) : ok(calendars);
      if (!asked.ok) return asked;
      const read = await call(
        access,
        {
          method: 'POST',
          path: '/batch',
          body: { calendars: asked.value, ...range },
          parts: asked.value.length,
        },
        partsSchema,
      );
      if (!read.ok) return read;
      return ok({
        calendars: read.value.parts.map(({ id, busy }) => ({ id, busy: ok<Interval[]>(busy) })),
      });
    },
    async createEvent({ summary, time, holdId }, { key, isRepeat }, access) {
      if (time.kind === 'all-day') return fail({ kind: 'unsupported', field: 'start', detail: 'no dates' });
      const find = () => call(access, { method: 'GET', path: `/events/${key}` }, eventSchema);
      if (isRepeat) {
        const found = await find();
        if (found.ok) return ok(present(found.value));
        if (found.failure.kind !== 'not-found') return fail(found.failure);
      }
      const { startMs, endMs } = time;
      const body = { id: key, startMs, endMs, summary, isHold: holdId !== undefined };
      const made = await call(access, { method: 'POST', path: '/events', body }, eventSchema);
      if (made.ok) return ok(present(made.value));
      if (made.failure.kind !== 'rejected' || made.failure.status !== 409) return made;
      const found = await find();
      if (found.ok) return ok(present(found.value));
      // The key is taken, and what it made has been removed since.
      return found.failure.kind === 'not-found' ? ok({ ...present(body), status: 'cancelled' }) : found;
    },
    async updateEvent({ eventId, summary, confirms }, access) {
      const body = { confirms: confirms === true, ...(summary !== undefined && { summary }) };
      const changed = await call(access, { method: 'PATCH', path: `/events/${eventId}`, body }, eventSchema);
      return changed.ok ? ok(present(changed.value)) : changed;
    },
    cancelEvent: ({ eventId }, access) => gone(`/events/${eventId}`, access),
    removeCreated: ({ key }, access) => gone(`/events/${key}`, access),
  };
}

async function listCalendars(access: Access): Promise<Outcome<string[]>> {
  const listed = await call(access, { method: 'GET', path: '/calendars' }, calendarsSchema);
  return listed.ok ? ok(listed.value.calendars) : listed;
}
