import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  bindOAuthState,
  dropOAuthStates,
  type FlowMatch,
  insertOAuthState,
  sweepOAuthStates,
  takeOAuthState,
} from '../../src/db/oauth-state.ts';
import { freshId, migrateDatabase } from '../database.ts';

const NOW_MS = Date.UTC(2031, 4, 5, 6, 7, 8);
const EXPIRES_MS = NOW_MS + 600_000;

beforeAll(migrateDatabase);

type Flow = Parameters<typeof insertOAuthState>[1];

/** Stores a flow; answers with what its own browser, started or yet to start, matches it with. */
async function startFlow(change: Partial<Flow> = {}): Promise<FlowMatch> {
  const flow: Flow = {
    state: freshId('state'),
    userId: 'ada',
    provider: 'google',
    redirectUri: 'https://app.example.com/connected',
    scopes: ['one', 'two'],
    connectorId: freshId(),
    flowEnc: 'v1.sealed',
    nowMs: NOW_MS,
    expiresAtMs: EXPIRES_MS,
    ...change,
  };
  await insertOAuthState(env.DB, flow);
  const { state, provider } = flow;
  return { state, provider, sessionHash: 'this-browser', nowMs: NOW_MS };
}

async function startBound(change: Partial<Flow> = {}): Promise<FlowMatch> {
  const match = await startFlow(change);
  // Before any expiry that a test sets.
  await bindOAuthState(env.DB, { ...match, nowMs: 0 });
  return match;
}

/** What makes a match one of another flow, browser or time. */
const STRANGERS: [string, Partial<FlowMatch>][] = [
  ['for another state', { state: 'state-of-nobody' }],
  ['for another provider', { provider: 'microsoft' }],
  ['after its time', { nowMs: EXPIRES_MS }],
  ['long after its time', { nowMs: EXPIRES_MS + 1_000_000 }],
];

describe('binding a flow to a browser', () => {
  it('gives the flow to the first browser, as it was stored', async () => {
    const connectorId = freshId();
    const match = await startFlow({ connectorId });
    expect(await bindOAuthState(env.DB, match)).toMatchObject({
      state: match.state,
      user_id: 'ada',
      provider: 'google',
      redirect_uri: 'https://app.example.com/connected',
      scopes: 'one two',
      connector_id: connectorId,
      flow_enc: 'v1.sealed',
      session_hash: 'this-browser',
      expires_at: EXPIRES_MS / 1000,
    });
  });

  it('lets the same browser start again, and no other', async () => {
    const match = await startFlow();
    await bindOAuthState(env.DB, match);
    expect(await bindOAuthState(env.DB, { ...match, sessionHash: 'other-browser' })).toBeUndefined();
    expect((await bindOAuthState(env.DB, match))?.session_hash).toBe('this-browser');
  });

  it('gives it to one alone of many browsers at once', async () => {
    const match = await startFlow();
    const bound = await Promise.all(
      Array.from({ length: 20 }, (_, n) => bindOAuthState(env.DB, { ...match, sessionHash: `browser-${n}` })),
    );
    expect(bound.filter((row) => row !== undefined)).toHaveLength(1);
  });

  it.each(STRANGERS)('does not happen %s', async (_, change) => {
    const match = await startFlow();
    expect(await bindOAuthState(env.DB, { ...match, ...change })).toBeUndefined();
    const unharmed = await bindOAuthState(env.DB, match);
    expect(unharmed?.state).toBe(match.state);
  });
});

describe('taking a flow', () => {
  it('succeeds for just one of 20 callbacks at once', async () => {
    const match = await startBound();
    const taken = await Promise.all(Array.from({ length: 20 }, () => takeOAuthState(env.DB, match)));
    expect(taken.filter((row) => row !== undefined).map((row) => row?.state)).toEqual([match.state]);
    expect(await takeOAuthState(env.DB, match)).toBeUndefined();
    const startedAgain = await bindOAuthState(env.DB, match);
    expect(startedAgain).toBeUndefined();
  });

  it.each([...STRANGERS, ['by another browser', { sessionHash: 'other-browser' }] as const])(
    'does not happen %s, and leaves it to its owner',
    async (_, change) => {
      const match = await startBound();
      expect(await takeOAuthState(env.DB, { ...match, ...change })).toBeUndefined();
      expect((await takeOAuthState(env.DB, match))?.state).toBe(match.state);
    },
  );

  it('does not happen before a browser has started it', async () => {
    const match = await startFlow();
    for (const sessionHash of ['this-browser', '', 'null']) {
      expect(await takeOAuthState(env.DB, { ...match, sessionHash })).toBeUndefined();
    }
  });

  it('happens up to its last second', async () => {
    const match = await startBound();
    expect(await takeOAuthState(env.DB, { ...match, nowMs: EXPIRES_MS - 1000 })).toBeDefined();
  });

  it('reads a state as text and nothing else', async () => {
    const match = await startBound();
    for (const state of [`' OR '1'='1`, '%', match.state.toUpperCase(), `${match.state} `, '']) {
      expect(await takeOAuthState(env.DB, { ...match, state })).toBeUndefined();
    }
  });
});

describe('sweeping', () => {
  it('removes the flows whose time is over, counts them, and leaves the others', async () => {
    const longAgoMs = Date.UTC(2020, 0, 1);
    await startBound({ expiresAtMs: longAgoMs });
    await startBound({ expiresAtMs: longAgoMs - 1 });
    const alive = await startBound({ expiresAtMs: longAgoMs + 1000 });
    expect(await sweepOAuthStates(env.DB, longAgoMs)).toBe(2);
    expect(await sweepOAuthStates(env.DB, longAgoMs)).toBe(0);
    expect(await takeOAuthState(env.DB, { ...alive, nowMs: longAgoMs })).toBeDefined();
  });
});

describe('dropping the flows of a connector', () => {
  it('removes all of its flows and none of another', async () => {
    const connectorId = freshId();
    const [first, second, other] = [
      await startBound({ connectorId }),
      await startBound({ connectorId }),
      await startBound(),
    ];
    await dropOAuthStates(env.DB, connectorId);
    expect(await takeOAuthState(env.DB, first)).toBeUndefined();
    expect(await takeOAuthState(env.DB, second)).toBeUndefined();
    expect(await takeOAuthState(env.DB, other)).toBeDefined();
  });
});
