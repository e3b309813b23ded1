import {
  abortAllDurableObjects,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { accessTokenKey } from '../../src/connector/connector-do.ts';
import { CONNECTION, IDENTITY, writeFact } from '../../src/connector/facts.ts';
import { Tokens } from '../../src/connector/tokens.ts';
import { findConnector, insertConnector } from '../../src/db/connectors.ts';
import { createProvider } from '../../src/providers/index.ts';
import { freshId, migrateDatabase } from '../database.ts';
import { openStore } from './bench.ts';
import { grantOf } from './world.ts';

beforeAll(migrateDatabase);
afterEach(() => {
  vi.unstubAllGlobals();
});

/** The stub of a connector whose account is connected, written to its storage as a sign-in leaves it. */
async function connected() {
  const connectorId = freshId();
  await insertConnector(env.DB, { id: connectorId, userId: 'user-1', provider: 'google' }, Date.now());
  const stub = env.CONNECTOR.getByName(connectorId);
  await runInDurableObject(stub, async (_, state) => {
    const config = readConfig(env, (length) => crypto.getRandomValues(new Uint8Array(length)));
    if (!config.ok) throw new Error('the tests have no configuration');
    const { store } = openStore(state);
    // An account of its own: a grant that another connector lives on is not withdrawn.
    const account = { id: freshId(), kind: 'work' } as const;
    const grant = grantOf(1, { expiresAtMs: Date.now() + 3_600_000, account });
    const tokens = new Tokens({
      store,
      connectorId,
      keyring: config.value.keyring,
      oauth: createProvider('google', config.value).oauth,
      send: () => Promise.reject(new Error('no calls')),
      now: Date.now,
      random: Math.random,
      record: () => {},
      readElsewhere: () => Promise.reject(new Error('no database')),
      onResealed: () => {},
      onStored: () => {},
    });
    await tokens.adopt(grant);
    writeFact(store, IDENTITY, { connectorId, provider: 'google', userId: 'user-1' });
    writeFact(store, CONNECTION, {
      status: 'active',
      account: grant.account,
      scopes: grant.scopes,
      askedScopes: [],
    });
  });
  const task = { id: 't1', type: 'refresh-token' as const, connectorId, payload: {} };
  return { connectorId, stub, task };
}

/** Answers every call to Google, and notes its URL. */
function answerGoogle(answer: (url: string) => Promise<Response>): string[] {
  const urls: string[] = [];
  vi.stubGlobal('fetch', (url: string) => {
    urls.push(url);
    return answer(url);
  });
  return urls;
}

const TOKEN_REPLY = () =>
  Promise.resolve(Response.json({ access_token: 'access-2', token_type: 'Bearer', expires_in: 3600 }));

describe('a connector', () => {
  it('has set its alarm when a submit is answered, and carries the task out', async () => {
    const { connectorId, stub, task } = await connected();
    const urls = answerGoogle(TOKEN_REPLY);
    expect(await stub.submit([task])).toEqual({ ok: true, value: ['accepted'] });
    await runInDurableObject(stub, async (_, { storage }) => {
      expect(await storage.getAlarm()).toBeGreaterThan(Date.now());
    });
    await vi.waitFor(async () => {
      expect(await stub.report('t1')).toMatchObject({ ok: true, value: { state: 'done', attempts: 1 } });
    });
    expect(urls).toEqual(['https://google.invalid/token']);
    await vi.waitFor(async () => {
      expect(await env.KV_OAUTH.get(accessTokenKey(connectorId))).toMatch(/^v1\.k1\./);
    });
    expect(await stub.submit([task])).toEqual({ ok: true, value: ['repeat'] });
  });

  it('carries a task out after the alarm when it crashed while the task ran', async () => {
    const { connectorId, stub, task } = await connected();
    answerGoogle(() => new Promise(() => {}));
    expect(await stub.submit([task])).toEqual({ ok: true, value: ['accepted'] });
    expect(await stub.report('t1')).toMatchObject({ value: { state: 'running' } });
    await abortAllDurableObjects();
    answerGoogle(TOKEN_REPLY);
    const restarted = env.CONNECTOR.getByName(connectorId);
    expect(await restarted.report('t1')).toMatchObject({ value: { state: 'accepted' } });
    expect(await runDurableObjectAlarm(restarted)).toBe(true);
    await vi.waitFor(async () => {
      expect(await restarted.report('t1')).toMatchObject({ ok: true, value: { state: 'done', attempts: 1 } });
    });
  });

  it('waits out a crash between accepting a task and running it', async () => {
    const { connectorId, stub, task } = await connected();
    answerGoogle(() => Promise.reject(new Error('network')));
    await stub.submit([task]);
    await vi.waitFor(async () => {
      expect(await stub.report('t1')).toMatchObject({ value: { state: 'accepted', attempts: 1 } });
    });
    await abortAllDurableObjects();
    answerGoogle(TOKEN_REPLY);
    const restarted = env.CONNECTOR.getByName(connectorId);
    // The back-off of a first failure is under a second: the alarm is the only one to wake it.
    await vi.waitFor(
      async () => {
        await runDurableObjectAlarm(restarted);
        expect(await restarted.report('t1')).toMatchObject({ ok: true, value: { state: 'done' } });
      },
      { timeout: 15_000 },
    );
  });

  it('goes on when it is tended after the platform has abandoned its alarm', async () => {
    const { stub, task } = await connected();
    answerGoogle(() => Promise.reject(new Error('network')));
    await stub.submit([task]);
    await vi.waitFor(async () => {
      expect(await stub.report('t1')).toMatchObject({ value: { state: 'accepted', attempts: 1 } });
    });
    await runInDurableObject(stub, (_, { storage }) => storage.deleteAlarm());
    await evictDurableObject(stub);
    expect(await runDurableObjectAlarm(stub)).toBe(false);
    answerGoogle(TOKEN_REPLY);
    await stub.tend();
    await vi.waitFor(
      async () => {
        await runDurableObjectAlarm(stub);
        expect(await stub.report('t1')).toMatchObject({ ok: true, value: { state: 'done', attempts: 2 } });
      },
      { timeout: 4_000 },
    );
  });

  it('that nobody ever connected is tended and stores nothing', async () => {
    const stub = env.CONNECTOR.getByName(freshId());
    await stub.tend();
    await runInDurableObject(stub, async (_, { storage }) => {
      expect(storage.sql.exec('SELECT name FROM sqlite_master').toArray()).toEqual([]);
      expect(await storage.getAlarm()).toBe(null);
    });
  });

  it('is erased by a disconnect: nothing in its storage, no token elsewhere, and no task is taken', async () => {
    const { connectorId, stub, task } = await connected();
    const urls = answerGoogle(() => Promise.resolve(new Response(null, { status: 200 })));
    const identity = { connectorId, provider: 'google' as const, userId: 'user-1' };
    expect(await stub.disconnect(identity)).toEqual({ ok: true, value: undefined });
    expect(urls).toEqual(['https://google.invalid/revoke']);
    expect(await findConnector(env.DB, connectorId)).toMatchObject({
      status: 'disconnected',
      refresh_token_enc: null,
    });
    expect(await env.KV_OAUTH.get(accessTokenKey(connectorId))).toBe(null);
    await runInDurableObject(stub, async (_, { storage }) => {
      expect(storage.sql.exec('SELECT name FROM sqlite_master').toArray()).toEqual([]);
      expect(await storage.getAlarm()).toBe(null);
    });
    expect(await stub.submit([task])).toEqual({ ok: true, value: ['not-connected'] });
  });

  it('disconnects though nobody ever connected it', async () => {
    const connectorId = freshId();
    await insertConnector(env.DB, { id: connectorId, userId: 'user-1', provider: 'google' }, Date.now());
    const stub = env.CONNECTOR.getByName(connectorId);
    const identity = { connectorId, provider: 'google' as const, userId: 'user-1' };
    expect(await stub.disconnect(identity)).toEqual({ ok: true, value: undefined });
    expect(await findConnector(env.DB, connectorId)).toMatchObject({ status: 'disconnected' });
    await runInDurableObject(stub, (_, { storage }) => {
      expect(storage.sql.exec('SELECT name FROM sqlite_master').toArray()).toEqual([]);
    });
  });
});
