import { abortAllDurableObjects, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import type { LeaseRequest } from '../../src/domain/lease.ts';
import { count, createTally } from '../../src/domain/tally.ts';
import { listProviderApps, providerAppOf } from '../../src/provider-app/stub.ts';
import { freshId } from '../database.ts';

/** Shards that no other test uses: a worker of the tests has one. */
let lastShard = 100;
function freshApp() {
  lastShard += 1;
  return env.PROVIDER_APP.getByName(`microsoft:${lastShard}`);
}

function ask(connectorId: string, change: Partial<LeaseRequest> = {}): LeaseRequest {
  return {
    connectorId,
    want: 0,
    need: 1,
    isUnasked: false,
    giveBack: 0,
    health: { successes: 0, failures: 0 },
    tally: createTally(),
    ...change,
  };
}

describe('the object of a provider app', () => {
  it('grants its part of the limit, and forgets no grant when it is killed', async () => {
    const app = freshApp();
    const nowMs = Date.now();
    const lease = await app.lease(ask('a', { want: 40 }));
    expect(lease).toMatchObject({ granted: 40, breaker: 'closed' });
    expect(lease.untilMs).toBeGreaterThan(nowMs);
    expect(lease.untilMs).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(await app.report()).toMatchObject({ limit: 10_000, remaining: 9_960 });
    await app.lease(ask('b', { want: 10 }));
    await app.lease(ask('c', { want: 10 }));
    await abortAllDurableObjects();
    const { remaining = 0 } = (await env.PROVIDER_APP.getByName(`microsoft:${lastShard}`).report()) ?? {};
    expect(remaining).toBeLessThanOrEqual(9_940);
    expect(remaining).toBeGreaterThanOrEqual(9_840);
  });

  it('keeps its breaker open over a kill', async () => {
    const app = freshApp();
    const health = { successes: 0, failures: 2 };
    for (const connectorId of ['a', 'b', 'c', 'd', 'e']) await app.lease(ask(connectorId, { health }));
    await abortAllDurableObjects();
    const again = env.PROVIDER_APP.getByName(`microsoft:${lastShard}`);
    const lease = await again.lease(ask('f', { want: 1 }));
    expect(lease).toMatchObject({ granted: 0, breaker: 'open' });
    expect(lease.retryAtMs).toBeGreaterThan(Date.now());
  });

  it('shows what was counted, over RPC, and keeps what it has shown', async () => {
    const app = freshApp();
    const tally = createTally();
    count(tally, 'connects', { outcome: 'connected' }, 3);
    await app.lease(ask('a', { tally }));
    expect(await app.report()).toMatchObject({ tally: { counters: { 'connects|connected': 3 } } });
    await abortAllDurableObjects();
    expect(await env.PROVIDER_APP.getByName(`microsoft:${lastShard}`).report()).toMatchObject({
      tally: { counters: { 'connects|connected': 3 } },
    });
  });

  it('stores nothing when it is only looked at, and answers nobody under a name of no provider', async () => {
    const app = freshApp();
    await app.report();
    await runInDurableObject(app, (_, { storage }) => {
      expect([...storage.kv.list()]).toEqual([]);
    });
    const nobody = env.PROVIDER_APP.getByName(freshId('nobody'));
    await runInDurableObject(nobody, (object) => {
      expect(() => object.report()).toThrow(/no provider/);
    });
  });
});

describe('where a connector finds its provider app', () => {
  it('is one of the shards that are listed, the same each time, by provider', () => {
    const names = (shards: number) => listProviderApps(env, shards).map(({ stub }) => stub.name);
    expect(names(1)).toEqual(['google:0', 'microsoft:0']);
    expect(names(3)).toHaveLength(6);
    for (let connector = 0; connector < 20; connector++) {
      const where = { provider: 'google', connectorId: `c${connector}` } as const;
      expect(names(3)).toContain(providerAppOf(env, where, 3).name);
      expect(providerAppOf(env, where, 3).name).toBe(providerAppOf(env, where, 3).name);
    }
  });
});
