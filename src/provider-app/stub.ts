import { type ProviderName, providerNameSchema } from '../domain/connector.ts';
import type { ProviderAppDO } from './provider-app-do.ts';
import { nameShard, type Shard, shardOf } from './shard.ts';

type Binding = Pick<Env, 'PROVIDER_APP'>;

/** The provider app that a connector asks for permits; `shards` is `Config.limits.appShards`. */
export function providerAppOf(
  env: Binding,
  { provider, connectorId }: { provider: ProviderName; connectorId: string },
  shards: number,
): DurableObjectStub<ProviderAppDO> {
  return env.PROVIDER_APP.getByName(nameShard({ provider, shard: shardOf(connectorId, shards) }));
}

/** Every shard of every provider, and its object. */
export function listProviderApps(
  env: Binding,
  shards: number,
): (Shard & { stub: DurableObjectStub<ProviderAppDO> })[] {
  return providerNameSchema.options.flatMap((provider) =>
    Array.from({ length: shards }, (_, shard) => ({
      provider,
      shard,
      stub: env.PROVIDER_APP.getByName(nameShard({ provider, shard })),
    })),
  );
}
