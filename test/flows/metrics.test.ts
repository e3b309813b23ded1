import { describe, expect, it } from 'vitest';
import { readOpenMetrics } from '../http/read-open-metrics.ts';
import { beginConnect, finishConnect } from '../local/connect.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage({ PROVIDER_APP_SHARDS: '2' });

/** The sum over all shards of a provider's series of `name` with `labels`. */
async function sumOf(name: string, labels: Record<string, string>): Promise<number> {
  const { status, text } = await stage.runtime.api('GET', '/metrics');
  if (status !== 200) throw new Error(`/metrics: ${status} ${text}`);
  return readOpenMetrics(text)
    .flatMap(({ samples }) => samples)
    .filter(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )
    .reduce((sum, { value }) => sum + value, 0);
}

describe('the figures of the real worker', () => {
  it('are refused without a token', async () => {
    expect((await stage.runtime.fetch('/metrics')).status).toBe(401);
  });

  it('tell that every shard is up, its breaker closed and its window full', async () => {
    for (const provider of ['google', 'microsoft']) {
      expect(await sumOf('calendar_shard_up', { provider })).toBe(2);
      expect(await sumOf('calendar_breaker_state', { provider, state: 'closed' })).toBe(2);
    }
    expect(await sumOf('calendar_permits_limit', { provider: 'google' })).toBe(50_000);
    expect(await sumOf('calendar_permits_limit', { provider: 'microsoft' })).toBe(10_000);
  });

  it.each(ACCOUNTS)('count a sign-in that the person refuses: $label', async ({ input }) => {
    const person = stage.person(input);
    const denied = { provider: person.provider, outcome: 'denied' };
    const before = await sumOf('calendar_connects_total', denied);
    const { authorizeUrl } = await beginConnect(stage.runtime, { userId: 'u', provider: person.provider });
    await finishConnect(stage.runtime, authorizeUrl, { account: person.email, decision: 'refuse' });
    // A total is written down at most every five seconds, and shown only then.
    await expect
      .poll(() => sumOf('calendar_connects_total', denied), { timeout: 10_000, interval: 200 })
      .toBe(before + 1);
  });

  it('have taken nothing from the log, and Analytics Engine has taken every event', () => {
    const lines = stage.runtime.logs();
    expect(lines.filter((line) => line.includes('"event":"connect"'))).toHaveLength(ACCOUNTS.length);
    expect(lines.filter((line) => line.includes('Analytics Engine'))).toEqual([]);
  });
});
