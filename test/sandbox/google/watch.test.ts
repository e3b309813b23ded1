import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectGoogle } from '../client-journey.ts';
import type { Person } from '../people.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const DAY_MS = 86_400_000;
const REVIEW = { id: 'review', summary: 'Review', start: '2026-11-24T10:00', end: '2026-11-24T11:00' };
let nowMs: number;
let sandbox: Sandbox;
let ada: Person;
let token: string;
let server: Server;
let address: string;
let received: { headers: IncomingHttpHeaders; method: string; body: string }[];

beforeEach(async () => {
  nowMs = Date.parse('2026-11-24T12:00:00Z');
  received = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      received.push({ headers: request.headers, method: request.method ?? '', body });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = server.address();
  address = `http://127.0.0.1:${String(typeof at === 'object' ? at?.port : '')}/hook`;
  sandbox = await startSandbox({ now: () => nowMs, accessTokenLifetimeSeconds: 100 * 86_400 });
  ada = person('ada@example.com');
  token = await connected(ada, 'calendar.events', 'calendar.calendarlist.readonly');
});
afterEach(async () => {
  await sandbox.close();
  server.closeAllConnections();
  server.close();
});

function person(email: string): Person {
  return sandbox.people.add({
    provider: 'google',
    email,
    name: email,
    timeZone: 'Europe/Berlin',
    calendars: [
      { name: email, primary: true },
      { name: 'Team', id: 'team' },
      { name: 'Boss', id: 'boss', accessRole: 'freeBusyReader' },
    ],
  });
}
async function connected({ email }: Person, ...shorts: string[]): Promise<string> {
  const scopes = ['openid', 'email', ...shorts.map((short) => `https://www.googleapis.com/auth/${short}`)];
  return (await connectGoogle(sandbox, email, { scope: scopes.join(' ') })).access_token;
}

async function post(path: string, body: unknown, bearer = token): Promise<Response> {
  return await fetch(`${sandbox.googleUrl}/calendar/v3/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
  });
}
const channel = (changes: object = {}): object => ({
  id: 'channel-1',
  type: 'web_hook',
  address,
  ...changes,
});
const watch = async (changes: object = {}, path = 'calendars/primary/events/watch'): Promise<Response> =>
  await post(path, channel(changes));
const Opened = z.strictObject({
  kind: z.literal('api#channel'),
  id: z.string(),
  resourceId: z.string(),
  resourceUri: z.string(),
  token: z.string().optional(),
  expiration: z.string(),
});
const opened = async (reply: Response): Promise<z.infer<typeof Opened>> => Opened.parse(await reply.json());
async function refusal(reply: Response): Promise<unknown> {
  const shape = z.object({ error: z.object({ errors: z.array(z.looseObject({ reason: z.string() })) }) });
  return [reply.status, shape.parse(await reply.json()).error.errors[0]?.reason];
}
const states = (): unknown[] => received.map(({ headers }) => headers['x-goog-resource-state']);

describe('a channel', () => {
  test('greets its address, and tells of every change, the client’s own too', async () => {
    const reply = await opened(await watch({ token: 'secret' }));
    await sandbox.pushes.settle();
    ada.addEvent('primary', REVIEW);
    ada.addEvent('team', REVIEW);
    await sandbox.pushes.settle();
    await post('calendars/primary/events', {
      summary: 'Own',
      start: { dateTime: '2026-11-25T10:00:00Z' },
      end: { dateTime: '2026-11-25T11:00:00Z' },
    });
    await sandbox.pushes.settle();
    expect(states()).toEqual(['sync', 'exists', 'exists']);
    expect(received.map(({ method, body }) => [method, body])).toEqual([
      ['POST', ''],
      ['POST', ''],
      ['POST', ''],
    ]);
    expect(received[1]?.headers).toMatchObject({
      'content-length': '0',
      'x-goog-channel-id': 'channel-1',
      'x-goog-channel-token': 'secret',
      'x-goog-channel-expiration': new Date(Number(reply.expiration)).toUTCString(),
      'x-goog-resource-id': reply.resourceId,
      'x-goog-resource-uri': reply.resourceUri,
    });
    expect(reply).toMatchObject({
      id: 'channel-1',
      token: 'secret',
      resourceUri: `${sandbox.googleUrl}/calendar/v3/calendars/primary/events?alt=json`,
    });
    const numbers = received.map(({ headers }) => Number(headers['x-goog-message-number']));
    expect(numbers[0]).toBe(1);
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    expect(new Set(numbers).size).toBe(3);
    expect(numbers[2]).toBeGreaterThan(3);
    expect(sandbox.truth.pushes.map((push) => [push.kind, 'status' in push && push.status])).toEqual([
      ['sync', 204],
      ['exists', 204],
      ['exists', 204],
    ]);
    expect(sandbox.truth.verdict().ok).toBe(true);
  });

  test('of the calendar list tells of its changes', async () => {
    const reply = await watch({}, 'users/me/calendarList/watch');
    expect(reply.status).toBe(200);
    ada.changeCalendar('team', { hidden: true });
    ada.addEvent('primary', REVIEW);
    await sandbox.pushes.settle();
    expect(states()).toEqual(['sync', 'exists']);
  });

  test('lives for seven days, as long as asked, and never more than thirty', async () => {
    const lifeOf = async (changes: object): Promise<number> =>
      Number((await opened(await watch(changes))).expiration) - nowMs;
    expect(await lifeOf({ id: 'usual' })).toBe(7 * DAY_MS);
    expect(await lifeOf({ id: 'ttl', params: { ttl: '3600' } })).toBe(3_600_000);
    expect(await lifeOf({ id: 'until', expiration: nowMs + 60_000 })).toBe(60_000);
    expect(await lifeOf({ id: 'text', expiration: String(nowMs + 90 * DAY_MS) })).toBe(30 * DAY_MS);
    expect(sandbox.channels(ada).map(({ id, calendarId }) => [id, calendarId])).toEqual(
      ['usual', 'ttl', 'until', 'text'].map((id) => [id, ada.email]),
    );
    nowMs += 3_600_001;
    expect(sandbox.channels('ada@example.com').map(({ id }) => id)).toEqual(['usual', 'text']);
    await sandbox.pushes.settle();
    received = [];
    ada.addEvent('primary', REVIEW);
    await sandbox.pushes.settle();
    expect(new Set(received.map(({ headers }) => headers['x-goog-channel-id']))).toEqual(
      new Set(['text', 'usual']),
    );
    const over = await fetch(`${sandbox.googleUrl}/sandbox/channels`);
    expect(await over.json()).toHaveLength(2);
  });

  test('tells no more when it is stopped, which takes both of its names and its owner', async () => {
    const { id, resourceId } = await opened(await watch());
    const other = await connected(person('bob@example.com'), 'calendar.events');
    const notFound = [404, 'notFound'];
    expect(await refusal(await post('channels/stop', { id, resourceId: 'wrong' }))).toEqual(notFound);
    expect(await refusal(await post('channels/stop', { id: 'wrong', resourceId }))).toEqual(notFound);
    expect(await refusal(await post('channels/stop', { id, resourceId }, other))).toEqual(notFound);
    expect(await refusal(await post('channels/stop', { id }))).toEqual([400, 'required']);
    const stopped = await post('channels/stop', { id, resourceId });
    expect([stopped.status, await stopped.text()]).toEqual([204, '']);
    ada.addEvent('primary', REVIEW);
    await sandbox.pushes.settle();
    expect([states(), sandbox.channels()]).toEqual([['sync'], []]);
    expect(await refusal(await post('channels/stop', { id, resourceId }))).toEqual(notFound);
  });

  test('tells no more when the person may not read the calendar any more, or falls silent', async () => {
    await watch({}, 'calendars/team/events/watch');
    ada.changeCalendar('team', { accessRole: 'freeBusyReader' });
    ada.addEvent('team', REVIEW);
    ada.changeCalendar('team', { accessRole: 'owner' });
    sandbox.silence(ada);
    ada.changeEvent('team', 'review', { summary: 'Secret' });
    await sandbox.pushes.settle();
    expect(states()).toEqual(['sync']);
    expect(sandbox.truth.pushes.filter((push) => 'lost' in push)).toMatchObject([
      { provider: 'google', person: ada.email, watchId: 'channel-1', kind: 'exists', lost: 'silence' },
    ]);
    expect(sandbox.channels(ada)).toHaveLength(1);
  });
});

describe('a watch is refused', () => {
  test('when its id has been used before, stopped or not', async () => {
    const { id, resourceId } = await opened(await watch());
    const unique = [400, 'channelIdNotUnique'];
    expect(await refusal(await watch({}, 'calendars/team/events/watch'))).toEqual(unique);
    await post('channels/stop', { id, resourceId });
    expect(await refusal(await watch())).toEqual(unique);
  });

  test.each([
    [{ address: 'http://example.com/hook' }, 'push.webhookUrlNotHttps'],
    [{ address: 'hook' }, 'push.webhookUrlNotValid'],
    [{ address: undefined }, 'required'],
    [{ id: undefined }, 'required'],
    [{ id: 'no spaces' }, 'invalid'],
    [{ type: 'email' }, 'push.channelTypeNotSupported'],
    [{ type: undefined }, 'push.channelTypeNotSupported'],
    [{ expiration: 1_000 }, 'invalid'],
    [{ unknown: true }, 'badRequest'],
    [{ token: 'x'.repeat(257) }, 'invalid'],
  ])('when its body is wrong: %j', async (changes, reason) => {
    expect(await refusal(await watch(changes))).toEqual([400, reason]);
    expect(sandbox.channels()).toEqual([]);
  });

  test('where the person may not read, or the token does not reach', async () => {
    expect(await refusal(await watch({}, 'calendars/boss/events/watch'))).toEqual([404, 'notFound']);
    expect(await refusal(await watch({}, 'calendars/none/events/watch'))).toEqual([404, 'notFound']);
    token = await connected(ada, 'calendar.freebusy');
    const scope = [403, 'insufficientPermissions'];
    expect(await refusal(await watch())).toEqual(scope);
    expect(await refusal(await watch({}, 'users/me/calendarList/watch'))).toEqual(scope);
    expect(await refusal(await post('channels/stop', { id: 'a', resourceId: 'b' }))).toEqual(scope);
  });

  test('by an address that may be called, though never from here', async () => {
    expect((await watch({ address: 'https://worker.example/hook' })).status).toBe(200);
    await sandbox.pushes.settle();
    expect(sandbox.truth.pushes).toMatchObject([{ kind: 'sync', lost: 'elsewhere' }]);
  });
});
