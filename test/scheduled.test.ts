import { env } from 'cloudflare:workers';
import { beforeAll, expect, it } from 'vitest';
import { insertOAuthState } from '../src/db/oauth-state.ts';
import { sweep } from '../src/scheduled.ts';
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
      sessionHash: null,
      nowMs: NOW_MS - 600_000,
      expiresAtMs,
    });
    return state;
  };
  const late = await addFlow(NOW_MS);
  const alive = await addFlow(NOW_MS + 1000);
  await sweep(env, NOW_MS);
  const { results } = await env.DB.prepare('SELECT state FROM oauth_state WHERE state IN (?, ?)')
    .bind(late, alive)
    .all();
  expect(results).toEqual([{ state: alive }]);
});
