import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { count, createTally, observe } from '../../src/domain/tally.ts';
import { describeFigures } from '../../src/http/metrics.ts';
import { renderOpenMetrics } from '../../src/http/open-metrics.ts';
import { shardOf } from '../../src/provider-app/shard.ts';
import { providerAppOf } from '../../src/provider-app/stub.ts';
import { freshId } from '../database.ts';
import { readOpenMetrics } from './read-open-metrics.ts';
import { openHouse, readProblem } from './stage.ts';

/** The samples of `GET /metrics`: value by name and labels. */
async function scrape(change: Record<string, unknown> = {}) {
  const { send, events } = openHouse(change);
  const response = await send('/metrics');
  expect(response.status).toBe(200);
  expect(response.headers.get('Content-Type')).toBe(
    'application/openmetrics-text; version=1.0.0; charset=utf-8',
  );
  expect(response.headers.get('Cache-Control')).toBe('no-store');
  const families = readOpenMetrics(new TextDecoder().decode(await response.arrayBuffer()));
  const samples = families.flatMap((family) => family.samples);
  const valueOf = (name: string, labels: Record<string, string>) =>
    samples.find(
      (sample) =>
        sample.name === name &&
        Object.keys(sample.labels).length === Object.keys(labels).length &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )?.value;
  return { families, valueOf, events };
}

describe('the figures', () => {
  it('need a token: they tell how much business there is', async () => {
    for (const token of [null, 'wrong-token-of-nobody']) {
      const response = await openHouse().send('/metrics', { token });
      expect(await readProblem(response)).toMatchObject({ status: 401, code: 'unauthorized' });
    }
  });

  it('are valid OpenMetrics, of every shard of both providers', async () => {
    const { families, valueOf } = await scrape({ PROVIDER_APP_SHARDS: '3' });
    expect(families.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'calendar_shard_up gauge',
      'calendar_breaker_state gauge',
      'calendar_permits_limit gauge',
      'calendar_permits_remaining gauge',
      'calendar_connects counter',
      'calendar_token_refreshes counter',
      'calendar_rate_limit_hits counter',
      'calendar_tasks counter',
      'calendar_syncs counter',
      'calendar_resyncs counter',
      'calendar_permits_granted counter',
      'calendar_permits_returned counter',
      'calendar_provider_call_seconds histogram',
      'calendar_task_seconds histogram',
      'calendar_gate_wait_seconds histogram',
    ]);
    for (const provider of ['google', 'microsoft']) {
      for (const shard of ['0', '1', '2']) {
        expect(valueOf('calendar_shard_up', { provider, shard })).toBe(1);
        expect(valueOf('calendar_breaker_state', { provider, shard, state: 'closed' })).toBe(1);
        expect(valueOf('calendar_breaker_state', { provider, shard, state: 'open' })).toBe(0);
      }
    }
  });

  it('are what connectors reported to their provider app', async () => {
    const shards = 64;
    // A shard that nobody else reports to: one that has just written its totals down would show these later.
    let connectorId = freshId();
    while (shardOf(connectorId, shards) < 32) connectorId = freshId();
    const tally = createTally();
    const outcome = freshId('outcome');
    count(tally, 'tasks', { type: 'create-event', outcome }, 2);
    observe(tally, 'taskTimes', { type: outcome }, 1_700);
    const app = providerAppOf(env, { provider: 'google', connectorId }, shards);
    const health = { successes: 0, failures: 0 };
    await app.lease({ connectorId, want: 5, need: 1, isUnasked: false, giveBack: 0, health, tally });
    const { valueOf } = await scrape({ PROVIDER_APP_SHARDS: String(shards) });
    const shard = String(app.name).slice('google:'.length);
    const labels = { provider: 'google', shard };
    expect(valueOf('calendar_tasks_total', { ...labels, type: 'create-event', outcome })).toBe(2);
    expect(valueOf('calendar_permits_granted_total', labels)).toBeGreaterThanOrEqual(5);
    const timed = { ...labels, type: outcome };
    expect(valueOf('calendar_task_seconds_bucket', { ...timed, le: '1.0' })).toBe(0);
    expect(valueOf('calendar_task_seconds_bucket', { ...timed, le: '2.5' })).toBe(1);
    expect(valueOf('calendar_task_seconds_bucket', { ...timed, le: '+Inf' })).toBe(1);
    expect(valueOf('calendar_task_seconds_sum', timed)).toBe(1.7);
  });

  it('say which shard does not answer, and tell of the others', async () => {
    const { valueOf, events } = await scrape({
      PROVIDER_APP: {
        getByName: (name: string) => ({
          report: () =>
            name === 'google:0'
              ? Promise.reject(new Error('it is down'))
              : Promise.resolve({ breaker: 'half-open', limit: 9, remaining: 4, tally: createTally() }),
        }),
      },
    });
    expect(valueOf('calendar_shard_up', { provider: 'google', shard: '0' })).toBe(0);
    expect(valueOf('calendar_permits_remaining', { provider: 'google', shard: '0' })).toBeUndefined();
    expect(valueOf('calendar_permits_remaining', { provider: 'microsoft', shard: '0' })).toBe(4);
    const halfOpen = { provider: 'microsoft', shard: '0', state: 'half-open' };
    expect(valueOf('calendar_breaker_state', halfOpen)).toBe(1);
    expect(events).toEqual([{ event: 'error', where: 'figures of google:0', detail: 'Error: it is down' }]);
  });

  it('stay valid whatever a label says', () => {
    const tally = createTally();
    count(tally, 'connects', { outcome: 'a "quoted"\nback\\slash, {brace}' });
    const report = { breaker: 'closed', limit: 1, remaining: 1, tally } as const;
    const families = readOpenMetrics(
      renderOpenMetrics(describeFigures([{ provider: 'google', shard: 0, report }])),
    );
    expect(families.find(({ name }) => name === 'calendar_connects')?.samples).toEqual([
      {
        name: 'calendar_connects_total',
        labels: { provider: 'google', shard: '0', outcome: 'a "quoted"\nback\\slash, {brace}' },
        value: 1,
      },
    ]);
  });
});
