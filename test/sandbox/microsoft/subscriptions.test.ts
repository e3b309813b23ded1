import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectMicrosoft } from '../client-journey.ts';
import type { Person } from '../people.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const WORK = 'grace@contoso.example';
const MINUTE_MS = 60_000;
const START = Date.parse('2026-11-20T12:00:00Z');
const Notification = z.looseObject({
  subscriptionId: z.string(),
  changeType: z.string().optional(),
  lifecycleEvent: z.string().optional(),
  resourceData: z.looseObject({ id: z.string() }).optional(),
});
const Body = z.object({ value: z.array(Notification) });
const Subscription = z.looseObject({ id: z.string(), expirationDateTime: z.string() });
const Failure = z.object({ error: z.object({ code: z.string() }) });

let sandbox: Sandbox;
let grace: Person;
let token: string;
let nowMs: number;
let server: Server;
let hook: string;
/** What the client answers a handshake; its own notifications it answers 202. */
let answer: (validationToken: string) => { status: number; type: string; body: string };
let handshakes: string[];
let notified: { path: string; value: z.infer<typeof Notification>[] }[];

beforeEach(async () => {
  nowMs = START;
  answer = (validationToken) => ({ status: 200, type: 'text/plain', body: validationToken });
  handshakes = [];
  notified = [];
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://client');
    const validationToken = searchParams.get('validationToken');
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (validationToken === null) {
        notified.push({ path: pathname, ...Body.parse(JSON.parse(body)) });
        response.writeHead(202).end();
        return;
      }
      handshakes.push(`${request.headers['content-type'] ?? ''} ${request.url ?? ''}`);
      const reply = answer(validationToken);
      response.writeHead(reply.status, { 'content-type': reply.type }).end(reply.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  hook = `http://127.0.0.1:${String(typeof address === 'object' ? address?.port : '')}`;
  sandbox = await startSandbox({ now: () => nowMs, accessTokenLifetimeSeconds: 30 * 24 * 3600 });
  const calendars = [{ name: 'Calendar', primary: true }, { name: 'Lectures' }];
  grace = sandbox.people.add({
    provider: 'microsoft',
    email: WORK,
    name: 'Grace',
    timeZone: 'UTC',
    calendars,
  });
  token = (await connectMicrosoft(sandbox, WORK)).access_token;
});
afterEach(async () => {
  await sandbox.close();
  server.closeAllConnections();
  server.close();
});

async function graph(
  method: string,
  path: string,
  { body, prefer, bearer = token }: { body?: unknown; prefer?: string; bearer?: string } = {},
): Promise<Response> {
  return await fetch(`${sandbox.microsoftUrl}/v1.0${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: {
      authorization: `Bearer ${bearer}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(prefer === undefined ? {} : { prefer }),
    },
  });
}
async function code(reply: Response): Promise<[number, string]> {
  return [reply.status, Failure.parse(await reply.json()).error.code];
}
const inMinutes = (minutes: number): string => new Date(nowMs + minutes * MINUTE_MS).toISOString();
const wanted = (changes: object = {}): object => ({
  changeType: 'created,updated,deleted',
  notificationUrl: `${hook}/changes`,
  lifecycleNotificationUrl: `${hook}/lifecycle`,
  resource: '/me/events',
  expirationDateTime: inMinutes(10_080),
  clientState: 'a secret',
  ...changes,
});
const post = async (changes: object = {}, prefer?: string): Promise<Response> =>
  await graph('POST', '/subscriptions', {
    body: wanted(changes),
    ...(prefer === undefined ? {} : { prefer }),
  });
const subscribe = async (changes: object = {}): Promise<z.infer<typeof Subscription>> =>
  Subscription.parse(await (await post(changes)).json());
const addEvent = (summary = 'Review'): string =>
  grace.addEvent('primary', { summary, start: '2026-11-24T10:00Z', end: '2026-11-24T11:00Z' }).id;
/** What was told since this was last asked: change types and lifecycle events, one list for each call. */
async function told(): Promise<string[][]> {
  await sandbox.pushes.settle();
  return notified
    .splice(0)
    .map(({ value }) => value.map(({ changeType, lifecycleEvent }) => changeType ?? lifecycleEvent ?? '?'));
}

describe('a subscription', () => {
  test('is made once both addresses have answered with the decoded token', async () => {
    const reply = await post({ notificationUrl: `${hook}/changes?account=1` });
    expect(reply.status).toBe(201);
    const subscription = await reply.json();
    expect(subscription).toMatchObject({
      resource: '/me/events',
      changeType: 'created,updated,deleted',
      clientState: 'a secret',
      notificationUrl: `${hook}/changes?account=1`,
      expirationDateTime: inMinutes(10_080),
      applicationId: sandbox.clients.microsoft.id,
      creatorId: grace.id,
    });
    expect(handshakes.toSorted()).toEqual([
      expect.stringMatching(
        /^text\/plain; charset=utf-8 \/changes\?account=1&validationToken=Validation%3A\S+$/,
      ),
      expect.stringMatching(/^text\/plain; charset=utf-8 \/lifecycle\?validationToken=Validation%3A\S+$/),
    ]);
    const { id } = Subscription.parse(subscription);
    expect(await (await graph('GET', `/subscriptions/${id}`)).json()).toEqual(subscription);
    expect(await (await graph('GET', '/subscriptions')).json()).toMatchObject({ value: [{ id }] });
  });

  test.each([
    ['another status', { status: 202 }],
    ['another type', { type: 'application/json' }],
    ['another text', { body: 'ok' }],
  ])('is not made when an address answers with %s', async (_what, wrong) => {
    answer = (body) => ({ status: 200, type: 'text/plain', body, ...wrong });
    expect(await code(await post())).toEqual([400, 'ValidationError']);
    expect(await (await graph('GET', '/subscriptions')).json()).toMatchObject({ value: [] });
  });

  test.each([
    ['an address that is not https', { notificationUrl: 'http://client.example/' }, 'ValidationError'],
    ['an address that does not answer', { notificationUrl: 'http://127.0.0.1:9/' }, 'ValidationError'],
    ['a clientState too long', { clientState: 'x'.repeat(129) }, 'InvalidRequest'],
    ['changes there are not', { changeType: 'created,moved' }, 'InvalidRequest'],
    ['a resource there is not', { resource: '/me/messages' }, 'InvalidRequest'],
    ['a property there is not', { color: 'red' }, 'RequestBodyRead'],
    ['resource data', { includeResourceData: true }, 'RequestBodyRead'],
    ['a time that is over', { expirationDateTime: '2026-11-20T11:00:00Z' }, 'ExtensionError'],
    ['too long a life', { expirationDateTime: '2026-11-27T12:00:01Z' }, 'ExtensionError'],
  ])('is not made with %s', async (_what, changes, expected) => {
    expect(await code(await post(changes))).toEqual([400, expected]);
  });

  test('lives for 45 minutes at least, and then is gone', async () => {
    const { id, expirationDateTime } = await subscribe({ expirationDateTime: inMinutes(10) });
    expect(expirationDateTime).toBe(inMinutes(45));
    nowMs += 45 * MINUTE_MS;
    addEvent();
    expect(await told()).toEqual([]);
    expect(await code(await graph('GET', `/subscriptions/${id}`))).toEqual([404, 'ResourceNotFound']);
  });

  test('is one of its kind: the same changes of the same calendar to the same address are a conflict', async () => {
    await subscribe();
    expect((await post({ resource: 'me/events', changeType: 'deleted,created,updated' })).status).toBe(409);
    expect((await post({ changeType: 'created' })).status).toBe(201);
    const elsewhere = { notificationUrl: `${hook}/other` };
    sandbox.subscriptionHabits.duplicates = 'same-resource';
    expect((await post(elsewhere)).status).toBe(409);
    sandbox.subscriptionHabits.duplicates = 'same-url';
    expect((await post(elsewhere)).status).toBe(201);
    const twins = { changeType: 'deleted' };
    const statuses = await Promise.all([post(twins), post(twins)]);
    expect(new Set(statuses.map(({ status }) => status))).toEqual(new Set([201, 409]));
  });

  test('is nobody else’s, and its calendar neither', async () => {
    const { id } = await subscribe();
    const linus = 'linus@contoso.example';
    sandbox.people.add({ provider: 'microsoft', email: linus, name: 'Linus', timeZone: 'UTC' });
    const bearer = (await connectMicrosoft(sandbox, linus)).access_token;
    const body = { expirationDateTime: inMinutes(100) };
    expect((await graph('GET', `/subscriptions/${id}`, { bearer })).status).toBe(404);
    expect((await graph('PATCH', `/subscriptions/${id}`, { bearer, body })).status).toBe(404);
    expect((await graph('DELETE', `/subscriptions/${id}`, { bearer })).status).toBe(404);
    expect((await graph('POST', `/subscriptions/${id}/reauthorize`, { bearer })).status).toBe(404);
    expect((await post({ resource: `/users/${linus}/events` })).status).toBe(403);
    expect((await post({ resource: '/me/calendars/unknown/events' })).status).toBe(404);
  });

  test('needs no more than Calendars.Read', async () => {
    const scope = 'openid offline_access Calendars.Read';
    const bearer = (await connectMicrosoft(sandbox, WORK, { scope })).access_token;
    expect((await graph('POST', '/subscriptions', { body: wanted(), bearer })).status).toBe(201);
    const less = (await connectMicrosoft(sandbox, WORK, { scope: 'openid User.Read' })).access_token;
    const reply = await graph('POST', '/subscriptions', { body: wanted(), bearer: less });
    expect(await code(reply)).toEqual([403, 'ErrorAccessDenied']);
  });

  test('is renewed and deleted, in batches too, and may meet faults', async () => {
    const { id } = await subscribe({ expirationDateTime: inMinutes(60) });
    const renewal = (minutes: number): object => ({ body: { expirationDateTime: inMinutes(minutes) } });
    const renewed = await graph('PATCH', `/subscriptions/${id}`, renewal(600));
    expect(await renewed.json()).toMatchObject({ id, expirationDateTime: inMinutes(600) });
    expect(await code(await graph('PATCH', `/subscriptions/${id}`, renewal(10_081)))).toEqual([
      400,
      'ExtensionError',
    ]);
    sandbox.faults.add({ operation: 'graph.subscriptions.update', effect: { kind: 'status', status: 503 } });
    expect((await graph('PATCH', `/subscriptions/${id}`, renewal(60))).status).toBe(503);
    const requests = [{ id: '1', method: 'DELETE', url: `/subscriptions/${id}` }];
    const reply = await graph('POST', '/$batch', { body: { requests } });
    expect(await reply.json()).toMatchObject({ responses: [{ status: 204 }] });
    addEvent();
    expect(await told()).toEqual([]);
    for (const operation of ['create', 'update', 'delete']) {
      expect(sandbox.truth.count({ operation: `graph.subscriptions.${operation}` })).toBeGreaterThan(0);
    }
  });
});

describe('a notification', () => {
  test('tells of a change, by the name of its event and the secret of its subscription', async () => {
    const { id, expirationDateTime } = await subscribe();
    addEvent();
    await sandbox.pushes.settle();
    const View = z.object({ value: z.array(z.object({ id: z.string(), '@odata.etag': z.string() })) });
    const [event] = View.parse(await (await graph('GET', '/me/events')).json()).value;
    const resource = `Users/${grace.id}/Events/${event?.id ?? ''}`;
    expect(notified).toEqual([
      {
        path: '/changes',
        value: [
          {
            subscriptionId: id,
            subscriptionExpirationDateTime: expirationDateTime,
            changeType: 'created',
            resource,
            resourceData: {
              '@odata.type': '#Microsoft.Graph.Event',
              '@odata.id': resource,
              '@odata.etag': event?.['@odata.etag'],
              id: event?.id,
            },
            clientState: 'a secret',
            tenantId: grace.tenantId,
          },
        ],
      },
    ]);
    expect(sandbox.truth.pushes).toMatchObject([
      { provider: 'microsoft', person: WORK, watchId: id, kind: 'created', status: 202 },
    ]);
  });

  test('names the event by the kind of id that the subscription was made with', async () => {
    await post({}, 'IdType="ImmutableId"');
    addEvent();
    await sandbox.pushes.settle();
    const id = notified[0]?.value[0]?.resourceData?.id ?? '';
    const reply = await graph('GET', `/me/events/${id}`, { prefer: 'IdType="ImmutableId"' });
    expect(await reply.json()).toMatchObject({ id });
  });

  test('is for each change that was asked for, of the calendar that was asked for', async () => {
    const lectures = grace.calendars[1]?.id ?? '';
    await subscribe({ changeType: 'updated,deleted' });
    await subscribe({ resource: `me/calendars/${lectures}/events`, changeType: 'created' });
    const id = addEvent();
    expect(await told()).toEqual([]);
    grace.changeEvent('primary', id, { summary: 'Other' });
    expect(await told()).toEqual([['updated']]);
    grace.removeEvent('primary', id);
    expect(await told()).toEqual([['deleted']]);
    grace.addEvent(lectures, { summary: 'Lecture', start: '2026-11-24T10:00Z', end: '2026-11-24T11:00Z' });
    expect(await told()).toEqual([['created']]);
  });

  test('comes for several changes and subscriptions at once', async () => {
    const first = await subscribe();
    const second = await subscribe({ changeType: 'created' });
    addEvent('one');
    addEvent('two');
    await sandbox.pushes.settle();
    expect(notified.map(({ value }) => value.map(({ subscriptionId }) => subscriptionId))).toEqual([
      [first.id, second.id, first.id, second.id],
    ]);
    expect(sandbox.truth.pushes).toMatchObject([{ watchId: `${first.id},${second.id}` }]);
  });

  test('is one for a deleted series, however many of its occurrences were changed', async () => {
    const series = grace.addEvent('primary', {
      summary: 'Stand-up',
      start: '2026-11-24T10:00Z',
      end: '2026-11-24T11:00Z',
      repeats: { frequency: 'daily', times: 5 },
    });
    await subscribe();
    grace.moveOccurrence('primary', series.id, '2026-11-25T10:00Z', { summary: 'Special' });
    grace.cancelOccurrence('primary', series.id, '2026-11-26T10:00Z');
    expect(await told()).toEqual([['updated', 'deleted']]);
    grace.removeEvent('primary', series.id);
    expect(await told()).toEqual([['deleted']]);
  });

  test('may be lost, or come twice', async () => {
    await subscribe();
    sandbox.pushes.settings.lose = 1;
    addEvent();
    expect(await told()).toEqual([]);
    Object.assign(sandbox.pushes.settings, { lose: 0, duplicate: 1 });
    addEvent();
    expect(await told()).toEqual([['created'], ['created']]);
    sandbox.silence(WORK);
    addEvent();
    sandbox.lifecycle(WORK, 'missed');
    expect(await told()).toEqual([]);
  });
});

describe('its lifecycle', () => {
  test.each(['reauthorize', 'renew'])('pauses it until it is reauthorized, by %s', async (how) => {
    const { id } = await subscribe();
    sandbox.lifecycle(id, 'reauthorizationRequired');
    await sandbox.pushes.settle();
    expect(notified.splice(0)).toMatchObject([
      {
        path: '/lifecycle',
        value: [{ subscriptionId: id, lifecycleEvent: 'reauthorizationRequired', clientState: 'a secret' }],
      },
    ]);
    addEvent();
    expect(await told()).toEqual([]);
    const reply =
      how === 'renew'
        ? await graph('PATCH', `/subscriptions/${id}`, { body: { expirationDateTime: inMinutes(600) } })
        : await graph('POST', `/subscriptions/${id}/reauthorize`);
    expect(reply.status).toBe(how === 'renew' ? 200 : 204);
    addEvent();
    expect(await told()).toEqual([['created']]);
  });

  test('ends it', async () => {
    const { id } = await subscribe();
    sandbox.lifecycle(grace, 'subscriptionRemoved');
    addEvent();
    expect(await told()).toEqual([['subscriptionRemoved']]);
    expect((await graph('GET', `/subscriptions/${id}`)).status).toBe(404);
    expect(() => {
      sandbox.lifecycle(id, 'missed');
    }).toThrow('no such subscription');
  });

  test('says over HTTP that something was missed, but only where there is an address for that', async () => {
    await subscribe({ lifecycleNotificationUrl: null });
    const { id } = await subscribe({ changeType: 'created' });
    const body = JSON.stringify({ do: 'lifecycle', person: WORK, event: 'missed' });
    const reply = await fetch(`${sandbox.microsoftUrl}/sandbox/deeds`, { method: 'POST', body });
    expect(reply.status).toBe(200);
    await sandbox.pushes.settle();
    expect(notified.flatMap(({ value }) => value)).toMatchObject([
      { subscriptionId: id, lifecycleEvent: 'missed' },
    ]);
  });
});
