import type { ProviderName } from '../domain/connector.ts';
import type { ShardReport } from '../domain/lease.ts';
import { count, createTally } from '../domain/tally.ts';
import { describeThrown } from '../metrics.ts';
import type { Shard } from '../provider-app/shard.ts';
import { listProviderApps, providerAppOf } from '../provider-app/stub.ts';
import type { Context } from './context.ts';

/** How a shard stands; no report where it did not answer. */
export interface ShardFigures extends Shard {
  report?: ShardReport;
}

/** What every shard of every provider has to report. */
export async function readFigures({ env, config, record }: Context): Promise<ShardFigures[]> {
  return await Promise.all(
    listProviderApps(env, config.limits.appShards).map(async ({ stub, ...shard }) => {
      try {
        const report = await stub.report();
        return { ...shard, ...(report !== undefined && { report }) };
      } catch (thrown) {
        const where = `figures of ${shard.provider}:${shard.shard}`;
        record({ event: 'error', where, detail: describeThrown(thrown) });
        return shard;
      }
    }),
  );
}

/** Counts a sign-in that ended without its connector having seen it; nobody waits for it, and it may be lost. */
export function countConnect(
  connector: { provider: ProviderName; connectorId: string },
  outcome: string,
  { env, config, record, waitUntil }: Pick<Context, 'env' | 'config' | 'record' | 'waitUntil'>,
): void {
  const tally = createTally();
  count(tally, 'connects', { outcome });
  const report = async () => {
    try {
      await providerAppOf(env, connector, config.limits.appShards).lease({
        connectorId: connector.connectorId,
        want: 0,
        need: 0,
        isUnasked: false,
        giveBack: 0,
        health: { successes: 0, failures: 0 },
        tally,
      });
    } catch (thrown) {
      record({ event: 'error', where: 'count of a sign-in', detail: describeThrown(thrown) });
    }
  };
  waitUntil(report());
}
