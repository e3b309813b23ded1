import { env } from 'cloudflare:workers';
import { beforeAll, expect, it } from 'vitest';
import { insertConnector, saveConnectorState } from '../src/db/connectors.ts';
import { insertOAuthState } from '../src/db/oauth-state.ts';
import { sweep } from '../src/scheduled.ts';
import { scriptActors } from './actors.ts';
import { freshId, migrateDatabase } from './database.ts';

const NOW_MS = Date.UTC(2031, 4, 5);

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
  await sweep(env, { currentPrefix: 'v1.current.' }, NOW_MS);
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
  await sweep({ ...env, CONNECTOR }, { currentPrefix: 'v1.k1.' }, NOW_MS);
  expect(calls.every(({ method }) => method === 'reseal')).toBe(true);
  const woken = calls.map(({ connectorId }) => connectorId);
  expect(woken).toContain(old);
  expect(woken).not.toContain(current);
  expect(woken).not.toContain(none);
});
