import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { jsonAnswer, Refused } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { ListedCalendar, Person } from '../people.ts';
import { isLoopback } from '../pushes.ts';
import type { World } from '../world.ts';
import { badRequest, graphError, itemNotFound } from './errors.ts';
import { readJson } from './json-body.ts';
import { readOptions, readPreferences } from './odata.ts';
import { CHANGE_TYPES } from './subscriptions.ts';
import type { Subscription } from './subscriptions.ts';

const MINUTE_MS = 60_000;
const LONGEST_MINUTES = 10_080;
const SHORTEST_MINUTES = 45;
const CLIENT_STATE_CAP = 128;
const HANDSHAKE_MS = 10_000;

const NewSubscription = z.strictObject({
  changeType: z.string(),
  notificationUrl: z.string(),
  lifecycleNotificationUrl: z.string().nullish(),
  resource: z.string(),
  expirationDateTime: z.string(),
  clientState: z.string().nullish(),
  latestSupportedTlsVersion: z.enum(['v1_0', 'v1_1', 'v1_2', 'v1_3']).nullish(),
  includeResourceData: z.literal(false).nullish(),
});
const Renewal = z.strictObject({ expirationDateTime: z.string() });

/** POST /subscriptions: made once both addresses have answered. */
export async function createSubscription(world: World, ask: Ask, person: Person): Promise<Answer> {
  readOptions(ask, []);
  const wanted = readJson(ask, NewSubscription);
  const types = wanted.changeType.split(',').map((type) => type.trim().toLowerCase());
  if (types.some((type) => !CHANGE_TYPES.some((known) => known === type))) {
    throw badRequest('InvalidRequest', `Invalid changeType '${wanted.changeType}'.`);
  }
  if ((wanted.clientState ?? '').length > CLIENT_STATE_CAP) {
    throw badRequest('InvalidRequest', `clientState is longer than ${String(CLIENT_STATE_CAP)} characters.`);
  }
  const subscription: Subscription = {
    id: randomUUID(),
    person,
    applicationId: world.client.id,
    resource: wanted.resource,
    changeType: wanted.changeType,
    calendarId: calendarOf(wanted.resource, person).id,
    changeTypes: new Set(types),
    notificationUrl: wanted.notificationUrl,
    lifecycleNotificationUrl: wanted.lifecycleNotificationUrl ?? undefined,
    clientState: wanted.clientState ?? undefined,
    latestSupportedTlsVersion: wanted.latestSupportedTlsVersion ?? 'v1_2',
    immutableIds: readPreferences(ask).immutableIds,
    expiresAtMs: readExpiry(wanted.expirationDateTime, world.now()),
    isPaused: false,
  };
  const urls = [subscription.notificationUrl, subscription.lifecycleNotificationUrl];
  for (const url of urls) if (url !== undefined) checkUrl(url);
  refuseDuplicate(world, subscription);
  await Promise.all(urls.map(async (url) => (url === undefined ? undefined : await shakeHands(world, url))));
  // Another may have been made meanwhile.
  refuseDuplicate(world, subscription);
  world.graph.subscriptions.add(subscription);
  return told(world, 201, subscription);
}

/** GET /subscriptions: those of the person whose token it is. */
export function listSubscriptions(world: World, ask: Ask, person: Person): Answer {
  readOptions(ask, []);
  return jsonAnswer(200, {
    '@odata.context': `${world.origin()}/v1.0/$metadata#subscriptions`,
    value: world.graph.subscriptions.of(person).map((one) => resourceOf(one)),
  });
}

/** GET /subscriptions/{id}. */
export function getSubscription(world: World, ask: Ask, person: Person, id: string): Answer {
  readOptions(ask, []);
  return told(world, 200, find(world, person, id));
}

/** PATCH /subscriptions/{id}: a longer life, which also reauthorizes it. */
export function renewSubscription(world: World, ask: Ask, person: Person, id: string): Answer {
  readOptions(ask, []);
  const subscription = find(world, person, id);
  const { expirationDateTime } = readJson(ask, Renewal);
  subscription.expiresAtMs = readExpiry(expirationDateTime, world.now());
  subscription.isPaused = false;
  return told(world, 200, subscription);
}

/** POST /subscriptions/{id}/reauthorize: it goes on, and ends when it would have. */
export function reauthorizeSubscription(world: World, ask: Ask, person: Person, id: string): Answer {
  readOptions(ask, []);
  find(world, person, id).isPaused = false;
  return { status: 204 };
}

/** DELETE /subscriptions/{id}. */
export function deleteSubscription(world: World, ask: Ask, person: Person, id: string): Answer {
  readOptions(ask, []);
  world.graph.subscriptions.remove(find(world, person, id).id);
  return { status: 204 };
}

function find(world: World, person: Person, id: string): Subscription {
  const found = world.graph.subscriptions.of(person).find((one) => one.id === id);
  if (found !== undefined) return found;
  throw new Refused(graphError(404, 'ResourceNotFound', 'The object was not found.'));
}

function calendarOf(resource: string, person: Person): ListedCalendar {
  const path = /^\/?(?:me|users\/([^/]+))\/(?:calendar\/|calendars\/([^/]+)\/)?events$/i.exec(resource);
  if (path === null) throw badRequest('InvalidRequest', `The resource '${resource}' is not supported.`);
  const [, user = person.id, segment = 'primary'] = path;
  if (![person.id, person.email].some((name) => name.toLowerCase() === decoded(user).toLowerCase())) {
    throw new Refused(graphError(403, 'ErrorAccessDenied', 'Access is denied.'));
  }
  const entry = person.calendar(decoded(segment));
  if (entry === undefined) throw itemNotFound();
  return entry;
}

function readExpiry(text: string, nowMs: number): number {
  const atMs = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/i.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(atMs)) throw badRequest('InvalidRequest', `Invalid expirationDateTime '${text}'.`);
  if (atMs <= nowMs) throw badRequest('ExtensionError', 'Subscription expiration must be in the future.');
  if (atMs > nowMs + LONGEST_MINUTES * MINUTE_MS) {
    throw badRequest(
      'ExtensionError',
      `Subscription expiration can only be ${String(LONGEST_MINUTES)} minutes in the future.`,
    );
  }
  return Math.max(atMs, nowMs + SHORTEST_MINUTES * MINUTE_MS);
}

function checkUrl(url: string): void {
  // On loopback there are no certificates; everywhere else Graph wants https.
  if (URL.canParse(url) && (new URL(url).protocol === 'https:' || isLoopback(url))) return;
  throw badRequest('ValidationError', `The notification URL '${url}' must be an https address.`);
}

function refuseDuplicate(world: World, wanted: Subscription): void {
  const other = world.graph.subscriptions.duplicateOf(wanted);
  if (other === undefined) return;
  const reason = `Subscription Id ${other.id} already exists for the requested combination`;
  const message = `Operation: Create; Exception: [Status Code: Conflict; Reason: ${reason}]`;
  throw new Refused(graphError(409, 'ExtensionError', message));
}

// The token has characters that must be decoded, as Graph's own has.
async function shakeHands(world: World, url: string): Promise<void> {
  const token = `Validation: Testing client application reachability for subscription Request-Id: ${randomUUID()}`;
  const target = new URL(url);
  target.search += `${target.search === '' ? '?' : '&'}validationToken=${encodeURIComponent(token)}`;
  const headers = { 'content-type': 'text/plain; charset=utf-8' };
  const reply = await world.pushes.call({ url: target.href, headers, body: '' }, HANDSHAKE_MS);
  const isPlain = /^text\/plain\s*(?:;|$)/i.test(reply?.contentType ?? '');
  if (reply?.status === 200 && isPlain && reply.text === token) return;
  const why =
    reply === undefined
      ? 'Subscription validation request timed out.'
      : 'Subscription validation request failed. Notification endpoint must respond with 200 OK to validation request.';
  throw new Refused(graphError(400, 'ValidationError', why));
}

function told(world: World, status: number, subscription: Subscription): Answer {
  return jsonAnswer(status, {
    '@odata.context': `${world.origin()}/v1.0/$metadata#subscriptions/$entity`,
    ...resourceOf(subscription),
  });
}

function resourceOf(subscription: Subscription): object {
  const { id, resource, applicationId, changeType, notificationUrl } = subscription;
  return {
    id,
    resource,
    applicationId,
    changeType,
    clientState: subscription.clientState ?? null,
    notificationUrl,
    notificationQueryOptions: null,
    lifecycleNotificationUrl: subscription.lifecycleNotificationUrl ?? null,
    expirationDateTime: new Date(subscription.expiresAtMs).toISOString(),
    creatorId: subscription.person.id,
    includeResourceData: null,
    latestSupportedTlsVersion: subscription.latestSupportedTlsVersion,
    encryptionCertificate: null,
    encryptionCertificateId: null,
    notificationUrlAppId: null,
  };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
