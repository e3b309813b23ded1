import { type ProviderName, providerNameSchema } from '../domain/connector.ts';

/** One of the objects among which the connectors of an app registration are divided; shards count from 0. */
export interface Shard {
  provider: ProviderName;
  shard: number;
}

/**
 * The shard of a connector, the same for the same id and number of shards: FNV-1a over the UTF-8 of the id
 * (offset basis 2166136261, prime 16777619).
 */
export function shardOf(connectorId: string, shards: number): number {
  let hash = 2_166_136_261;
  for (const byte of new TextEncoder().encode(connectorId)) hash = Math.imul(hash ^ byte, 16_777_619);
  return (hash >>> 0) % shards;
}

/** The name of a shard's object. */
export function nameShard({ provider, shard }: Shard): string {
  return `${provider}:${shard}`;
}

/** The shard that an object's name is of; undefined when it is of none. */
export function readShardName(name: string | undefined): Shard | undefined {
  const [, providerText, shardText] = /^([a-z]+):(\d{1,3})$/.exec(name ?? '') ?? [];
  const provider = providerNameSchema.safeParse(providerText);
  return provider.success ? { provider: provider.data, shard: Number(shardText) } : undefined;
}

/** A shard's part of an app's limit; the parts of all shards add up to it. */
export function shareOf(limit: number, shard: number, shards: number): number {
  return Math.floor(limit / shards) + (shard < limit % shards ? 1 : 0);
}
