import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { createKeyring, parseRingKeys } from '../../src/crypto/keyring.ts';
import { writeRef } from '../../src/crypto/webhook-ref.ts';
import { insertConnector } from '../../src/db/connectors.ts';
import type { ProviderName } from '../../src/domain/connector.ts';
import { fail, ok } from '../../src/domain/failure.ts';
import { scriptActors } from '../actors.ts';
import { freshId, migrateDatabase } from '../database.ts';
import { TEST_VARIABLES } from '../variables.ts';
import { NOW_MS, openHouse, readProblem, type Sending } from './stage.ts';

beforeAll(migrateDatabase);

const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));
const keys = parseRingKeys(TEST_VARIABLES.OAUTH_ENC_KEY);
if (typeof keys === 'string') throw new Error(keys);
const keyring = createKeyring(keys, randomBytes);

const SECRET = 'canarysecret0123456789';
const GOOGLE_PUSH: Sending = {
  token: null,
  method: 'POST',
  headers: {
    'X-Goog-Channel-ID': 'channel-1',
    'X-Goog-Channel-Token': SECRET,
    'X-Goog-Resource-State': 'exists',
  },
};
const graphNotice = (change: object = {}) => ({
  subscriptionId: 'subscription-1',
  clientState: SECRET,
  changeType: 'updated',
  ...change,
});
const graphPush = (...notices: object[]): Sending => ({ token: null, json: { value: notices } });

/** The webhook of a connector, whose actor answers as `answer` says. */
async function openWith(provider: ProviderName, answer?: Parameters<typeof scriptActors>[0]) {
  const { CONNECTOR, calls } = scriptActors(answer);
  const { send, events } = openHouse({ CONNECTOR });
  const connectorId = freshId();
  const ref = await writeRef(keyring, { provider, connectorId });
  return { send, events, calls, connectorId, ref, path: `/webhooks/${provider}/${ref}` };
}

describe('a genuine notification', () => {
  it('of Google is handed to the actor and taken on, without a token', async () => {
    const { send, path, calls, connectorId } = await openWith('google');
    const response = await send(path, GOOGLE_PUSH);
    expect([response.status, await response.text()]).toEqual([202, '']);
    expect(calls).toEqual([
      {
        connectorId,
        method: 'notified',
        args: [[{ watchId: 'channel-1', secret: SECRET, kind: 'changed' }]],
      },
    ]);
  });

  it('of Microsoft may tell several things; what is no notice is left out', async () => {
    const { send, path, calls } = await openWith('microsoft');
    const push = graphPush(graphNotice(), { nonsense: 1 }, graphNotice({ lifecycleEvent: 'missed' }));
    expect((await send(path, push)).status).toBe(202);
    expect(calls.map(({ args }) => args)).toEqual([
      [
        [
          { watchId: 'subscription-1', secret: SECRET, kind: 'changed' },
          { watchId: 'subscription-1', secret: SECRET, kind: 'missed' },
        ],
      ],
    ]);
  });

  it('may come to the address in another spelling', async () => {
    const { send, path, calls } = await openWith('google');
    expect((await send(path.replaceAll('~', '%7E'), GOOGLE_PUSH)).status).toBe(202);
    expect(calls).toHaveLength(1);
  });

  it('wakes no actor when nothing in it is a notice', async () => {
    const { send, path, calls } = await openWith('microsoft');
    expect((await send(path, graphPush({ clientState: SECRET }))).status).toBe(202);
    expect(calls).toEqual([]);
  });

  it.each<[string, Parameters<typeof scriptActors>[0]]>([
    [
      'cannot be reached',
      () => {
        throw new Error('the object was reset');
      },
    ],
    ['is not set up', () => fail({ kind: 'misconfigured', detail: 'X is not set' })],
  ])(
    'is to be sent again when the actor %s, and the operator learns of it without the ref',
    async (_, answer) => {
      const { send, path, events, ref, connectorId } = await openWith('google', answer);
      const response = await send(path, GOOGLE_PUSH);
      expect(response.headers.get('Retry-After')).toBe('5');
      expect(await readProblem(response)).toMatchObject({ status: 503, code: 'provider_unavailable' });
      expect(events).toMatchObject([{ event: 'error', where: `webhook of ${connectorId}` }]);
      const told = JSON.stringify(events);
      expect(told).not.toContain(ref.slice(connectorId.length + 1));
      expect(told).not.toContain(SECRET);
    },
  );

  it('is to be sent again when its body breaks off, and the ref is told to nobody', async () => {
    const { send, path, events, ref } = await openWith('microsoft');
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error('the connection broke')),
    });
    expect((await send(path, { token: null, method: 'POST', body })).status).toBe(503);
    expect(events).toHaveLength(1);
    expect(JSON.stringify(events)).not.toContain(ref);
  });
});

describe('the question whether the address is ours', () => {
  const ask = (token: string): [string, Sending] => [
    `?validationToken=${encodeURIComponent(token)}`,
    { token: null, method: 'POST', headers: { 'Content-Type': 'text/plain' } },
  ];

  it.each([
    'Validation: Testing client application reachability + 1',
    '',
    '<script>alert(1)</script>',
    'é\r\nX: 1',
  ])('is answered with its own text and as nothing but text: %j', async (token) => {
    const { send, path, calls } = await openWith('microsoft');
    const [query, sending] = ask(token);
    const response = await send(path + query, sending);
    expect([response.status, await response.text()]).toEqual([200, token]);
    expect(response.headers.get('Content-Type')).toBe('text/plain; charset=utf-8');
    expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff');
    expect(response.headers.get('X')).toBeNull();
    expect(calls).toEqual([]);
  });

  it('is not answered when it is too long', async () => {
    const { send, path } = await openWith('microsoft');
    const [query, sending] = ask('x'.repeat(4097));
    expect(await readProblem(await send(path + query, sending))).toMatchObject({ status: 400 });
  });

  it('is not answered at an address that is not ours, nor at one of Google', async () => {
    const { send, ref } = await openWith('google');
    const [query, sending] = ask('<b>');
    expect((await send(`/webhooks/microsoft/${ref}${query}`, sending)).status).toBe(404);
    expect((await send(`/webhooks/microsoft/c-1~k1~AAAA${query}`, sending)).status).toBe(404);
    expect((await send(`/webhooks/google/${ref}${query}`, sending)).status).toBe(400);
  });
});

describe('an address that this worker did not give away', () => {
  it('is an address where nothing is, and wakes no actor, whether there is such a connector or not', async () => {
    const { CONNECTOR, calls } = scriptActors();
    const DB = new Proxy(env.DB, {
      get() {
        throw new Error('no look at any connector');
      },
    });
    const { send, events } = openHouse({ CONNECTOR, DB });
    const connectorId = freshId();
    await insertConnector(env.DB, { id: connectorId, userId: 'ada', provider: 'google' }, NOW_MS);
    const other = freshId();
    const ref = await writeRef(keyring, { provider: 'google', connectorId });
    const mac = ref.slice(connectorId.length + 1);
    const otherMac = (await writeRef(keyring, { provider: 'google', connectorId: other })).slice(
      other.length + 1,
    );
    const foreign = createKeyring([{ id: 'k1', bytes: randomBytes(32) }], randomBytes);
    const last = mac.endsWith('A') ? 'E' : 'A';
    const forged = [
      `google/${connectorId}`,
      `google/${connectorId}~`,
      `google/${connectorId}~k1~`,
      `google/${connectorId}~k1~${'A'.repeat(43)}`,
      `google/${connectorId}~${mac.slice(0, -1)}${last}`,
      `google/${connectorId}~${mac.slice(0, -1)}`,
      `google/${connectorId}~${mac}=`,
      `google/${connectorId}~${mac.replace('k1', 'k2')}`,
      `google/${connectorId}~${otherMac}`,
      `google/${other}~${mac}`,
      `google/${await writeRef(foreign, { provider: 'google', connectorId })}`,
      `microsoft/${ref}`,
      `caldav/${ref}`,
      `Google/${ref}`,
      'google/%ff',
      'google/%2e%2e~k1~AAAA',
      `google/${'x'.repeat(5000)}`,
    ];
    const nothing = await readProblem(await send('/nothing', { method: 'POST', token: null }));
    for (const address of forged) {
      for (const push of [GOOGLE_PUSH, graphPush(graphNotice())]) {
        const told = await readProblem(await send(`/webhooks/${address}`, push));
        expect([address, told]).toEqual([address, nothing]);
      }
    }
    expect([calls, events]).toEqual([[], []]);
  });

  it('takes nothing but POST, and has no body read', async () => {
    const { send, path } = await openWith('google');
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
      expect((await send(path, { ...GOOGLE_PUSH, method })).status).toBe(404);
    }
    let drawn = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          drawn += 1;
          controller.enqueue(new Uint8Array(1024));
        },
      },
      { highWaterMark: 0 },
    );
    expect((await send('/webhooks/google/forged', { token: null, method: 'POST', body })).status).toBe(404);
    expect(drawn).toBe(0);
  });
});

describe('what is no notification', () => {
  it.each(['', '{', '[]', '"x"', '{"value":1}', '['.repeat(100_000)])('is refused: %j', async (body) => {
    const { send, path, calls, events } = await openWith('microsoft');
    const problem = await readProblem(await send(path, { token: null, method: 'POST', body }));
    expect(problem).toMatchObject({ status: 400, code: 'invalid_request' });
    expect([calls, events]).toEqual([[], []]);
  });

  it.each(['X-Goog-Channel-ID', 'X-Goog-Channel-Token', 'X-Goog-Resource-State'])(
    'is a call of Google without %s',
    async (missing) => {
      const { send, path, calls } = await openWith('google');
      const headers = Object.fromEntries(
        Object.entries(GOOGLE_PUSH.headers ?? {}).filter(([name]) => name !== missing),
      );
      expect((await send(path, { ...GOOGLE_PUSH, headers })).status).toBe(400);
      expect(calls).toEqual([]);
    },
  );

  it('may have 256 KiB and not a byte more, and is not read to its end', async () => {
    const { send, path, calls } = await openWith('microsoft');
    const largest = JSON.stringify({ value: [graphNotice()] }).padEnd(256 * 1024);
    const post = (body: BodyInit) => send(path, { token: null, method: 'POST', body });
    expect((await post(largest)).status).toBe(202);
    expect(calls).toHaveLength(1);
    expect(await readProblem(await post(`${largest} `))).toMatchObject({ status: 400 });
    let drawn = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        drawn += 1;
        controller.enqueue(new Uint8Array(64 * 1024));
      },
    });
    expect((await post(endless)).status).toBe(400);
    expect(drawn).toBeLessThan(20);
    expect(calls).toHaveLength(1);
  });
});

describe('with real Durable Objects', () => {
  it('none is made for a forged address, and one that nobody has connected keeps nothing', async () => {
    const { send } = openHouse();
    const connectorId = freshId();
    const before = await listDurableObjectIds(env.CONNECTOR);
    expect((await send(`/webhooks/google/${connectorId}~k1~AAAA`, GOOGLE_PUSH)).status).toBe(404);
    expect(await listDurableObjectIds(env.CONNECTOR)).toEqual(before);
    const ref = await writeRef(keyring, { provider: 'google', connectorId });
    expect((await send(`/webhooks/google/${ref}`, GOOGLE_PUSH)).status).toBe(202);
    const kept = await runInDurableObject(env.CONNECTOR.getByName(connectorId), (_, { storage }) =>
      storage.sql.exec('SELECT name FROM sqlite_master').toArray(),
    );
    expect(kept).toEqual([]);
  });

  it('an address written under an old key is good for as long as that key is in the ring', async () => {
    const { CONNECTOR, calls } = scriptActors(() => ok(undefined));
    const connectorId = freshId();
    const ref = await writeRef(keyring, { provider: 'google', connectorId });
    const fresh = `k2:${btoa(String.fromCodePoint(...randomBytes(32)))}`;
    const statusUnder = async (ring: string) =>
      (await openHouse({ CONNECTOR, OAUTH_ENC_KEY: ring }).send(`/webhooks/google/${ref}`, GOOGLE_PUSH))
        .status;
    expect(await statusUnder(`${fresh},${TEST_VARIABLES.OAUTH_ENC_KEY}`)).toBe(202);
    expect(await statusUnder(fresh)).toBe(404);
    expect(calls).toHaveLength(1);
  });
});
