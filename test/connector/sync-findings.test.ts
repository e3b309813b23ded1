import { describe, expect, it } from 'vitest';
import { ok } from '../../src/domain/failure.ts';
import { BUSY, FREE, occurrence, series, single } from './bench-mirror.ts';
import { found, idsOf, named, NOTHING, withSync } from './bench-sync.ts';

describe('what is told of', () => {
  it('is not what was never known before', () =>
    withSync(async ({ sync, remote }) => {
      remote.pageSize = 1;
      remote.put(...named('a', 3));
      expect(await sync.request('webhook')).toEqual(ok(NOTHING));
      expect(await sync.request('webhook')).toEqual(ok(NOTHING));
    }));

  it('is not what we have done ourselves, but what others have', () =>
    withSync(async ({ sync, mirror, remote, own }) => {
      remote.put(...named('a', 4));
      await sync.request('webhook');
      own.versions.add('"own"');
      own.removals.add('a1');
      remote.put(single('a0', 5, { etag: '"own"' }));
      remote.remove('a1');
      expect(await sync.request('webhook')).toEqual(ok(NOTHING));
      expect(idsOf(mirror)).toEqual(['a0', 'a2', 'a3']);
      remote.put(single('new', 5, { etag: '"own"' }), single('a2', 6, { etag: '"other"' }));
      remote.remove('a3');
      expect(await sync.request('webhook')).toEqual(found({ changed: 1, removed: 1 }));
    }));

  it('is what another has made of our doing', () =>
    withSync(async ({ sync, remote, own }) => {
      await sync.request('webhook');
      own.versions.add('"own"');
      remote.put(single('a', 5, { etag: '"own"' }), single('a', 6, { etag: '"other"' }));
      expect(await sync.request('webhook')).toEqual(found({ changed: 1 }));
    }));

  it('is not that the occurrences have come, changed and gone with a series of ours', () =>
    withSync(async ({ sync, mirror, remote, own }) => {
      await sync.request('webhook');
      own.versions.add('"own"');
      const ours = series('s', 0, undefined, { ...BUSY, etag: '"own"' });
      remote.put(ours, occurrence('o', 's', 0), occurrence('p', 's', 24), single('a'));
      expect(await sync.request('webhook')).toEqual(found({ changed: 1 }));
      // Somebody else has changed one of them.
      remote.put(occurrence('p', 's', 25, { originalHours: 24, details: FREE }));
      expect(await sync.request('webhook')).toEqual(found({ changed: 1 }));
      own.removals.add('s');
      remote.remove('s');
      expect(await sync.request('webhook')).toEqual(ok(NOTHING));
      expect(idsOf(mirror)).toEqual(['a']);
    }));

  it('is that they have with a series of somebody else', () =>
    withSync(async ({ sync, remote }) => {
      await sync.request('webhook');
      remote.put(series('s', 0), occurrence('o', 's', 0), single('a'));
      expect(await sync.request('webhook')).toEqual(found({ changed: 3 }));
      remote.remove('s');
      expect(await sync.request('webhook')).toEqual(found({ removed: 2 }));
    }));
});
