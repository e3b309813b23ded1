import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { insertConnector, saveConnectorState } from '../src/db/connectors.ts';
import { findDeadLetter, keepDeadLetters } from '../src/db/dead-letters.ts';
import { insertOAuthState } from '../src/db/oauth-state.ts';
import { saveSweepCursor } from '../src/db/sweep-cursor.ts';
import type { ConnectorStatus } from '../src/domain/connector.ts';
import type { MetricEvent } from '../src/metrics.ts';
import { sweep, tend } from '../src/scheduled.ts';
import { type ActorCall, scriptActors } from './actors.ts';
import { freshId, migrateDatabase } from './database.ts';

const NOW_MS = Date.UTC(2031, 4, 5);
const DAY_MS = 24 * 60 * 60 * 1000;
const OPTIONS = { now: () => NOW_MS, record: () => {} };

beforeAll(migrateDatabase);

it('the cron sweep removes the sign-ins that nobody finished in time, and no other', async () => {
  const addFlow = async (expiresAtMs: number) => {
    const state = freshId('state');
    await insertOAuthState(env.DB, {
      state,
      userId: 'ada',
      provider: 'google',
      redirectUri: 'https://app.example.com/connected',
      scopes: [],
      connectorId: freshId(),
      flowEnc: 'v1.sealed',
      nowMs: NOW_MS - 600_000,
      expiresAtMs,
    });
    return state;
  };
  const late = await addFlow(NOW_MS);
  const alive = await addFlow(NOW_MS + 1000);
  await sweep({ ...env, CONNECTOR: scriptActors().CONNECTOR }, { currentPrefix: 'v1.k1.' }, OPTIONS);
  const { results } = await env.DB.prepare('SELECT state FROM oauth_state WHERE state IN (?, ?)')
    .bind(late, alive)
    .all();
  expect(results).toEqual([{ state: alive }]);
});

it('the cron sweep has the actors of tokens under an old key seal them anew, and no others', async () => {
  const { CONNECTOR, calls } = scriptActors();
  const add = async (refreshTokenEnc: string | null) => {
    const id = freshId();
    await insertConnector(env.DB, { id, userId: 'ada', provider: 'google' }, NOW_MS);
    const state = {
      status: 'active',
      accountId: id,
      accountEmail: null,
      tenantId: null,
      scopes: [],
    } as const;
    await saveConnectorState(env.DB, id, { ...state, scopes: [], refreshTokenEnc }, NOW_MS);
    return id;
  };
  const old = await add('v1.old.sealed');
  // The key of all the other tests: a sweep takes only some of what is under an old one.
  const [current, none] = [await add('v1.k1.sealed'), await add(null)];
  await sweep({ ...env, CONNECTOR }, { currentPrefix: 'v1.k1.' }, OPTIONS);
  const woken = calls.filter(({ method }) => method === 'reseal').map(({ connectorId }) => connectorId);
  expect(woken).toContain(old);
  expect(woken).not.toContain(current);
  expect(woken).not.toContain(none);
});

it('the cron sweep removes dead letters of a month ago and those of the disconnected, and no other', async () => {
  const keep = async (connectorId: string, failedAtMs: number) => {
    const id = freshId('message');
    const letter = { id, taskId: id, taskType: undefined, connectorId, body: '{}' };
    await keepDeadLetters(env.DB, [letter], failedAtMs);
    return id;
  };
  const [active, gone] = [await addConnector('active'), await addConnector('disconnected')];
  const old = await keep(active, NOW_MS - 30 * DAY_MS);
  const young = await keep(active, NOW_MS - 30 * DAY_MS + 1000);
  const erased = await keep(gone, NOW_MS);
  const unknown = await keep(freshId(), NOW_MS);
  await sweep({ ...env, CONNECTOR: scriptActors().CONNECTOR }, { currentPrefix: 'v1.k1.' }, OPTIONS);
  const left = await Promise.all([old, young, erased, unknown].map((id) => findDeadLetter(env.DB, id)));
  expect(left.map((row) => row?.id)).toEqual([undefined, young, undefined, unknown]);
});

it('a step of the cron sweep that fails is told and hinders none of the others', async () => {
  const id = await addConnector('active', { refreshTokenEnc: 'v1.old.sealed' });
  await saveSweepCursor(env.DB, 'tending', before(id));
  const { CONNECTOR, calls } = scriptActors(({ method }) => {
    if (method === 'reseal') throw new Error('the object was reset');
    return undefined;
  });
  const events: MetricEvent[] = [];
  const record = (event: MetricEvent) => void events.push(event);
  await sweep({ ...env, CONNECTOR }, { currentPrefix: 'v1.k1.' }, { ...OPTIONS, record });
  expect(calls).toContainEqual({ connectorId: id, method: 'tend', args: [] });
  expect(events).toEqual([
    { event: 'error', where: 'cron, re-sealing', detail: 'Error: the object was reset' },
  ]);
});

describe('tending', () => {
  /** Has connectors tended from just before `first`, in runs of `most`; whose actors were called in each. */
  async function tendFrom(first: string, most: number, runs: number, answer?: (call: ActorCall) => unknown) {
    await saveSweepCursor(env.DB, 'tending', before(first));
    const woken: string[][] = [];
    for (let run = 0; run < runs; run += 1) {
      const { CONNECTOR, calls } = scriptActors(answer);
      // oxlint-disable-next-line no-await-in-loop
      await tend({ ...env, CONNECTOR }, NOW_MS, most).catch(() => undefined);
      woken.push(calls.map(({ connectorId }) => connectorId));
    }
    return woken;
  }

  /** Ids behind those of all the other tests, so that a round ends with them. */
  const lastIds = (count: number) => {
    const round = crypto.randomUUID();
    return Array.from({ length: count }, (_, n) => `~${Date.now()}-${round}-${n}`);
  };

  it('goes through the connectors some at a time, and then begins anew', async () => {
    const [a, b, c] = await Promise.all(lastIds(3).map((id) => addConnector('active', { id })));
    const [first, second, third] = await tendFrom(a ?? '', 2, 3);
    expect(first).toEqual([a, b]);
    expect(second).toEqual([c]);
    expect(third).toHaveLength(2);
    expect(third).not.toContain(a);
  });

  it('reaches whoever may have something to do, and not those at rest for a month', async () => {
    const before31Days = NOW_MS - 31 * DAY_MS;
    const states: [ConnectorStatus, number][] = [
      ['active', before31Days],
      ['reauth_required', before31Days],
      ['consent_missing', before31Days],
      ['pending', before31Days],
      ['disconnected', before31Days],
      ['pending', NOW_MS],
      ['disconnected', NOW_MS],
    ];
    const ids = lastIds(states.length);
    await Promise.all(
      states.map(([status, atMs], index) => addConnector(status, { id: ids[index] ?? '', atMs })),
    );
    const [woken] = await tendFrom(ids[0] ?? '', 100, 1);
    expect(woken).toEqual([0, 1, 2, 5, 6].map((index) => ids[index]));
  });

  it('is not kept from the others by an actor that fails, and comes back to it', async () => {
    const [a, b] = await Promise.all(lastIds(2).map((id) => addConnector('active', { id })));
    const [first, second] = await tendFrom(a ?? '', 2, 2, ({ connectorId }) => {
      if (connectorId === a) throw new Error('the object was reset');
    });
    expect(first).toEqual([a, b]);
    expect(second).not.toContain(b);
  });
});

/** Adds a connector of this status. */
async function addConnector(
  status: ConnectorStatus,
  { id = freshId(), atMs = NOW_MS, refreshTokenEnc = 'v1.k1.sealed' } = {},
): Promise<string> {
  await insertConnector(env.DB, { id, userId: 'ada', provider: 'google' }, atMs);
  const account = { accountId: id, accountEmail: null, tenantId: null, scopes: [] };
  await saveConnectorState(env.DB, id, { ...account, status, refreshTokenEnc }, atMs);
  return id;
}

/** A position right before this id. */
function before(id: string): string {
  return id.slice(0, -1);
}
