import * as z from 'zod';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { parseInstant } from '../../domain/time-zone.ts';
import { readJson } from '../http.ts';
import type { Access } from '../provider.ts';
import type { PushCall, PushNotice, PushReading, Watch, WatchRequest } from '../provider-sync.ts';
import { askGraph, graphPath, readAs } from './client.ts';
import type { MicrosoftConfig } from './config.ts';

/** A little less than the 10,080 minutes that an Outlook subscription may live (graph docs: subscription). */
export const WATCH_LIFETIME_MS = 10_070 * 60_000;

/** The default calendar, whatever its id. */
const PRIMARY = 'primary';

/** No delivery of Graph's comes near this. */
const MOST_NOTICES = 1000;

const subscriptionSchema = z
  .object({
    id: z.string().min(1),
    expirationDateTime: z.string().transform((text, context) => {
      const ms = parseInstant(text);
      if (typeof ms === 'number') return ms;
      context.issues.push({ code: 'custom', message: 'no instant', input: text });
      return z.NEVER;
    }),
  })
  .transform(({ id, expirationDateTime }): Watch => ({ watchId: id, expiresAtMs: expirationDateTime }));

/**
 * Subscribes to the events of one calendar. Graph calls the address before it answers, and goes by what it
 * gets: the address must be reachable by then. `unsupported`: it was not, or there is no such subscription.
 * A `rejected` 409 is a subscription that there is already.
 */
export async function watch(
  { graphUrl }: MicrosoftConfig,
  { calendarId, address, secret, lifetimeMs }: WatchRequest,
  access: Access,
): Promise<Outcome<Watch>> {
  const calendar = calendarId === PRIMARY ? ['me'] : ['me', 'calendars', calendarId];
  const answer = await askGraph(
    { graphUrl, access },
    {
      method: 'POST',
      path: graphPath(['subscriptions']),
      what: 'calendar',
      writes: true,
      ifNotOffered: { field: 'watch', detail: 'Microsoft tells no changes of this calendar to this address' },
      body: {
        changeType: 'created,updated,deleted',
        notificationUrl: address,
        lifecycleNotificationUrl: address,
        // The equals signs that ids end in belong in a path, and are not read back in this one.
        resource: graphPath([...calendar, 'events']).replaceAll('%3D', '='),
        expirationDateTime: expirationAfter(lifetimeMs, access),
        clientState: secret,
      },
    },
  );
  return readAs(answer, subscriptionSchema, 'subscription');
}

/** Gives a subscription a longer life, counted from now. `not-found`: it has ended. */
export async function renewWatch(
  { graphUrl }: MicrosoftConfig,
  { watchId }: Watch,
  lifetimeMs: number,
  access: Access,
): Promise<Outcome<Watch>> {
  const answer = await askGraph(
    { graphUrl, access },
    {
      method: 'PATCH',
      path: graphPath(['subscriptions', watchId]),
      what: 'watch',
      writes: true,
      body: { expirationDateTime: expirationAfter(lifetimeMs, access) },
    },
  );
  return readAs(withoutCursor(answer), subscriptionSchema, 'subscription');
}

/** Ends a subscription; success when it had ended. */
export async function stopWatch(
  { graphUrl }: MicrosoftConfig,
  { watchId }: Watch,
  access: Access,
): Promise<Outcome<void>> {
  const path = graphPath(['subscriptions', watchId]);
  const answer = withoutCursor(
    await askGraph({ graphUrl, access }, { method: 'DELETE', path, what: 'watch', writes: true }),
  );
  return answer.ok || answer.failure.kind === 'not-found' ? ok(undefined) : answer;
}

function expirationAfter(lifetimeMs: number, { now }: Access): string {
  return new Date(now() + Math.min(lifetimeMs, WATCH_LIFETIME_MS)).toISOString();
}

/** No cursor was sent that a 410 could speak of. */
function withoutCursor(answer: Outcome<unknown>): Outcome<unknown> {
  return !answer.ok && answer.failure.kind === 'cursor-expired'
    ? fail({ kind: 'not-found', what: 'watch' })
    : answer;
}

const pushSchema = z.object({ value: z.array(z.unknown()) });
const noticeSchema = z
  .object({
    subscriptionId: z.string().min(1),
    clientState: z.string(),
    lifecycleEvent: z.string().nullish(),
  })
  .transform(({ subscriptionId, clientState, lifecycleEvent }): PushNotice => ({
    watchId: subscriptionId,
    secret: clientState,
    kind: kindOf(lifecycleEvent),
  }));

/**
 * Reads a call of the webhook: the question whether the address is ours (graph docs: webhooks, "notification
 * endpoint validation"), or what has happened. Of what does not have the form of a notification, nothing is told.
 */
export function readPush({ query, body }: PushCall): PushReading | undefined {
  const token = query.get('validationToken');
  if (token !== null) return { answer: token };
  const json = readJson(body, 'push');
  const read = pushSchema.safeParse(json.ok ? json.value : undefined);
  if (!read.success) return undefined;
  const notices = read.data.value.slice(0, MOST_NOTICES).flatMap((entry) => {
    const notice = noticeSchema.safeParse(entry);
    return notice.success ? [notice.data] : [];
  });
  return { notices };
}

function kindOf(lifecycleEvent: string | null | undefined): PushNotice['kind'] {
  switch (lifecycleEvent ?? '') {
    case 'reauthorizationRequired':
      return 'renew';
    case 'subscriptionRemoved':
      return 'ended';
    case 'missed':
      return 'missed';
    default:
      return 'changed';
  }
}
