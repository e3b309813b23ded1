import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nameShard, readShardName, shardOf, shareOf } from '../../src/provider-app/shard.ts';

describe('the shard of a connector', () => {
  it('is the same for the same id, for ever', () => {
    expect(shardOf('a', 64)).toBe(0xe40c292c % 64);
    expect(shardOf('foobar', 64)).toBe(0xbf9cf968 % 64);
    expect(shardOf('anything', 1)).toBe(0);
  });

  it('is one of many for many ids, none much fuller than another', () => {
    const sizes = Array.from({ length: 16 }, () => 0);
    for (let id = 0; id < 16_000; id++) {
      const shard = shardOf(`connector-${id}`, 16);
      sizes[shard] = (sizes[shard] ?? 0) + 1;
    }
    for (const size of sizes) expect(Math.abs(size - 1_000)).toBeLessThan(250);
  });

  it('has an object whose name tells it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('google' as const, 'microsoft' as const),
        fc.nat({ max: 63 }),
        (provider, shard) => {
          expect(readShardName(nameShard({ provider, shard }))).toEqual({ provider, shard });
        },
      ),
    );
    for (const name of [undefined, '', 'google', 'google:', 'google:x', 'caldav:0', 'google:0:1']) {
      expect(readShardName(name)).toBeUndefined();
    }
  });
});

it('the parts of all shards are the limit, and none is without', () => {
  fc.assert(
    fc.property(
      fc
        .integer({ min: 1, max: 64 })
        .chain((shards) => fc.tuple(fc.constant(shards), fc.nat({ max: 60_000 }))),
      ([shards, more]) => {
        const limit = shards + more;
        const parts = Array.from({ length: shards }, (_, shard) => shareOf(limit, shard, shards));
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(limit);
        expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(1);
        expect(Math.min(...parts)).toBeGreaterThan(0);
      },
    ),
  );
});
