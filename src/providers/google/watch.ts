import * as z from 'zod';
import { type Failure, fail, ok, type Outcome } from '../../domain/failure.ts';
import type { PushCall, PushReading, Watch, WatchRequest } from '../provider-sync.ts';
import type { Access } from '../provider.ts';
import { callApi } from './client.ts';
import { isPushRefusal } from './failure.ts';

/** A week: what Google gives a channel that asks for nothing, and the most that it is known to give. */
export const WATCH_LIFETIME_MS = 7 * 24 * 60 * 60 * 1000;

const channelSchema = z.object({
  resourceId: z.string().min(1),
  /** Epoch milliseconds. */
  expiration: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
});

/**
 * Opens a channel for the events of one calendar (events.watch). `channelId`: at most 64 of `A-Za-z0-9-_+/=`. It
 * lasts for as long as Google says, or else as asked. Fails with `unsupported` of `watch` where Google offers
 * none: holiday calendars and their kind, calendars this account may not read, addresses without HTTPS or
 * that Google does not call. The first notification may come before this resolves.
 */
export async function watch(apiUrl: string, request: WatchRequest, access: Access): Promise<Outcome<Watch>> {
  const { calendarId, channelId, address, secret, lifetimeMs } = request;
  const asked = access.now() + lifetimeMs;
  const opened = await callApi(
    apiUrl,
    access,
    {
      method: 'POST',
      path: ['calendars', calendarId, 'events', 'watch'],
      body: { id: channelId, type: 'web_hook', address, token: secret, expiration: String(asked) },
      what: 'calendar',
      writes: true,
    },
    channelSchema,
  );
  if (!opened.ok) return fail(isRefused(opened.failure) ? UNSUPPORTED : opened.failure);
  const { resourceId, expiration } = opened.value;
  const expiresAtMs = expiration === undefined ? asked : Number(expiration);
  return ok({ watchId: channelId, resourceId, expiresAtMs });
}

const UNSUPPORTED: Failure = {
  kind: 'unsupported',
  field: 'watch',
  detail: 'Google sends no notifications of this calendar, or none to this address',
};

function isRefused(failure: Failure): boolean {
  return (
    failure.kind === 'rejected' && (isPushRefusal(failure.code) || failure.code === 'requiredAccessLevel')
  );
}

/** Closes a channel (channels.stop), by the same account that opened it. Success when there is none, or no more. */
export async function stopWatch(apiUrl: string, watched: Watch, access: Access): Promise<Outcome<void>> {
  const { watchId, resourceId } = watched;
  const stopped = await callApi(
    apiUrl,
    access,
    {
      method: 'POST',
      path: ['channels', 'stop'],
      body: { id: watchId, ...(resourceId !== undefined && { resourceId }) },
      what: 'channel',
      writes: true,
    },
    z.unknown(),
  );
  if (stopped.ok) return ok(undefined);
  // No cursor was sent that a 410 could speak of.
  const isGone = stopped.failure.kind === 'not-found' || stopped.failure.kind === 'cursor-expired';
  return isGone ? ok(undefined) : stopped;
}

/**
 * Reads a notification: it is all in the headers, one call each (Calendar API guide "Push notifications"). A state
 * that is not known is a change. Undefined where the channel, its secret or the state is missing.
 */
export function readPush({ headers }: PushCall): PushReading | undefined {
  const watchId = headers.get('x-goog-channel-id') ?? '';
  const secret = headers.get('x-goog-channel-token') ?? '';
  const state = headers.get('x-goog-resource-state') ?? '';
  if (watchId === '' || secret === '' || state === '') return undefined;
  const resourceId = headers.get('x-goog-resource-id') ?? '';
  const number = headers.get('x-goog-message-number') ?? '';
  return {
    notices: [
      {
        watchId,
        secret,
        kind: state === 'sync' ? 'hello' : 'changed',
        ...(resourceId !== '' && { resourceId }),
        ...(/^\d{1,15}$/.test(number) && { number: Number(number) }),
      },
    ],
  };
}
