import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { findConnector } from '../../src/db/connectors.ts';
import { fail, ok } from '../../src/domain/failure.ts';
import { scriptActors } from '../actors.ts';
import { freshId, migrateDatabase } from '../database.ts';
import {
  addActiveConnector,
  BASE_URL,
  NOW_MS,
  openHouse,
  OTHER_REDIRECT_URI,
  readProblem,
  REDIRECT_URI,
} from './stage.ts';

beforeAll(migrateDatabase);

const createdSchema = z.strictObject({
  connectorId: z.string(),
  status: z.string(),
  authorizeUrl: z.string(),
  expiresAt: z.string(),
});
const flowsSchema = z.array(
  z.object({
    user_id: z.string(),
    provider: z.string(),
    redirect_uri: z.string(),
    scopes: z.string(),
    session_hash: z.null(),
    flow_enc: z.string(),
    created_at: z.number(),
    expires_at: z.number(),
  }),
);

async function flowsOf(connectorId: string) {
  const { results } = await env.DB.prepare('SELECT * FROM oauth_state WHERE connector_id = ?')
    .bind(connectorId)
    .all();
  return flowsSchema.parse(results);
}

async function countRows(): Promise<unknown> {
  return await env.DB.prepare(
    'SELECT (SELECT COUNT(*) FROM connectors) AS connectors, (SELECT COUNT(*) FROM oauth_state) AS flows',
  ).first();
}

/** The HTTP surface over actors that answer with `answer`. */
function openWith(answer?: Parameters<typeof scriptActors>[0]) {
  const { CONNECTOR, calls } = scriptActors(answer);
  return { ...openHouse({ CONNECTOR }), calls };
}

const wish = (more: object = {}) => ({
  userId: freshId('user'),
  provider: 'google',
  redirectUri: REDIRECT_URI,
  ...more,
});

describe('POST /v1/connectors', () => {
  it('makes a pending connector and the address where its person signs in within ten minutes', async () => {
    const { send, calls } = openWith();
    const json = wish({ redirectUri: OTHER_REDIRECT_URI, scopes: ['a', 'b'] });
    const response = await send('/v1/connectors', { json });
    expect(response.status).toBe(201);
    const { connectorId, ...created } = createdSchema.parse(await response.json());
    const url = new URL(created.authorizeUrl);
    expect(`${url.origin}${url.pathname}`).toBe(`${BASE_URL}/oauth/google/start`);
    expect([...url.searchParams.keys()]).toEqual(['state']);
    expect(created).toMatchObject({
      status: 'pending',
      expiresAt: new Date(NOW_MS + 600_000).toISOString(),
    });
    expect(await findConnector(env.DB, connectorId)).toMatchObject({
      user_id: json.userId,
      status: 'pending',
    });
    expect(await flowsOf(connectorId)).toEqual([
      expect.objectContaining({
        user_id: json.userId,
        provider: 'google',
        redirect_uri: OTHER_REDIRECT_URI,
        scopes: 'a b',
        created_at: NOW_MS / 1000,
        expires_at: NOW_MS / 1000 + 600,
      }),
    ]);
    expect(calls, 'no actor is woken before there is something for it to do').toEqual([]);
  });

  it('asks for the scopes of the provider when the caller names none', async () => {
    const { send } = openWith();
    const response = await send('/v1/connectors', { json: wish() });
    const { connectorId } = createdSchema.parse(await response.json());
    expect((await flowsOf(connectorId))[0]?.scopes).toContain(
      'https://www.googleapis.com/auth/calendar.events',
    );
  });

  it('makes another connector, with another state, each time', async () => {
    const { send } = openWith();
    const json = wish();
    const [one, two] = [await send('/v1/connectors', { json }), await send('/v1/connectors', { json })];
    const [first, second] = [createdSchema.parse(await one.json()), createdSchema.parse(await two.json())];
    expect(first.connectorId).not.toBe(second.connectorId);
    expect(first.authorizeUrl).not.toBe(second.authorizeUrl);
  });

  it.each<[string, object, string]>([
    ['a redirect that is not on the list', { redirectUri: `${REDIRECT_URI}/` }, 'redirectUri'],
    ['a redirect to another host', { redirectUri: 'https://evil.example' }, 'redirectUri'],
    ['a tenant for Google', { tenant: 'common' }, 'tenant'],
    ['no scopes at all', { scopes: [] }, 'scopes'],
    ['an unknown provider', { provider: 'caldav' }, 'provider'],
    ['an unknown field', { token: 'x' }, 'token'],
  ])('refuses %s, and stores nothing', async (_, more, field) => {
    const before = await countRows();
    const response = await openWith().send('/v1/connectors', { json: wish(more) });
    const { status, errors } = await readProblem(response);
    expect(status).toBe(400);
    expect(errors?.map(({ path }) => path)).toEqual([field]);
    expect(await countRows()).toEqual(before);
  });
});

describe('POST /v1/connectors for a connector that is there', () => {
  it('keeps the connector and all that is stored, and asks for the same scopes again', async () => {
    const userId = freshId('user');
    const connectorId = await addActiveConnector(userId);
    const before = await findConnector(env.DB, connectorId);
    const { send, calls } = openWith(() => ok({ scopes: ['scope-one', 'scope-two'] }));
    const response = await send('/v1/connectors', { json: wish({ userId, connectorId }) });
    expect(response.status).toBe(201);
    expect(createdSchema.parse(await response.json())).toMatchObject({ connectorId, status: 'active' });
    expect(await findConnector(env.DB, connectorId)).toEqual(before);
    expect((await flowsOf(connectorId)).map(({ scopes }) => scopes)).toEqual(['scope-one scope-two']);
    expect(calls).toEqual([{ connectorId, method: 'signInHints', args: [] }]);
  });

  it("answers 404 to another user's connector as to none, wakes no actor and stores nothing", async () => {
    const connectorId = await addActiveConnector(freshId('user'));
    const before = await countRows();
    const { send, calls } = openWith();
    for (const id of [connectorId, freshId()]) {
      const response = await send('/v1/connectors', { json: wish({ connectorId: id }) });
      expect(await readProblem(response)).toMatchObject({
        status: 404,
        detail: `connectorId: no connector ${id} of this user`,
      });
    }
    expect(calls).toEqual([]);
    expect(await countRows()).toEqual(before);
  });

  it('refuses another provider', async () => {
    const userId = freshId('user');
    const connectorId = await addActiveConnector(userId);
    const { send, calls } = openWith();
    const response = await send('/v1/connectors', {
      json: wish({ userId, connectorId, provider: 'microsoft' }),
    });
    expect((await readProblem(response)).errors).toEqual([
      { path: 'provider', message: 'is google for this connector' },
    ]);
    expect(calls).toEqual([]);
  });

  it('passes on why the actor cannot be asked', async () => {
    const userId = freshId('user');
    const connectorId = await addActiveConnector(userId);
    const { send } = openWith(() => fail({ kind: 'misconfigured', detail: 'X: is not set' }));
    const response = await send('/v1/connectors', { json: wish({ userId, connectorId }) });
    expect(await readProblem(response)).toMatchObject({ status: 500, code: 'misconfigured' });
  });
});

describe('GET /v1/connectors', () => {
  it("lists one person's connectors, and shows no account id and no token", async () => {
    const userId = freshId('user');
    const connectorId = await addActiveConnector(userId);
    await addActiveConnector(freshId('user'));
    const text = await (await openWith().send(`/v1/connectors?userId=${userId}`)).text();
    expect(JSON.parse(text)).toEqual({ connectors: [expect.objectContaining({ connectorId, userId })] });
    expect(text).not.toMatch(/account-1|sealed/);
  });

  it('asks for the person', async () => {
    const { send } = openWith();
    for (const path of ['/v1/connectors', '/v1/connectors?userId=']) {
      expect((await readProblem(await send(path))).errors?.map((error) => error.path)).toEqual(['userId']);
    }
  });

  it('shows one connector, and answers 404 where there is none', async () => {
    const connectorId = await addActiveConnector('ada');
    const { send } = openWith();
    expect(await (await send(`/v1/connectors/${connectorId}`)).json()).toMatchObject({
      connectorId,
      status: 'active',
      accountEmail: 'ada@example.com',
      scopes: ['scope-one', 'scope-two'],
      createdAt: new Date(NOW_MS).toISOString(),
    });
    expect((await readProblem(await send(`/v1/connectors/${freshId()}`))).status).toBe(404);
  });
});

describe('DELETE /v1/connectors/:id', () => {
  it('has the actor end it, ends its sign-ins and answers with what is left', async () => {
    const userId = freshId('user');
    const connectorId = await addActiveConnector(userId);
    const { send, calls } = openWith();
    await send('/v1/connectors', { json: wish({ userId, connectorId }) });
    const response = await send(`/v1/connectors/${connectorId}`, { method: 'DELETE' });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ connectorId });
    expect(calls.at(-1)).toEqual({
      connectorId,
      method: 'disconnect',
      args: [{ connectorId, provider: 'google', userId }],
    });
    expect(await flowsOf(connectorId)).toEqual([]);
  });

  it('says when it could not be done yet', async () => {
    const connectorId = await addActiveConnector('ada');
    const { send } = openWith(() => fail({ kind: 'unavailable', ambiguous: false }));
    const response = await send(`/v1/connectors/${connectorId}`, { method: 'DELETE' });
    expect(response.headers.get('Retry-After')).toBe('5');
    expect((await readProblem(response)).status).toBe(503);
  });

  it('wakes no actor for a connector that is not there', async () => {
    const { send, calls } = openWith();
    const response = await send(`/v1/connectors/${freshId()}`, { method: 'DELETE' });
    expect((await readProblem(response)).status).toBe(404);
    expect(calls).toEqual([]);
  });
});
