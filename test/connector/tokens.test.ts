import { describe, expect, it } from 'vitest';
import { createKeyring, type Keyring } from '../../src/crypto/keyring.ts';
import { forgetFact, GRANT, readFact } from '../../src/connector/facts.ts';
import { fail, ok } from '../../src/domain/failure.ts';
import { connect, openParts, withParts } from './bench.ts';
import { DARK, grantOf, HOUR_MS, REVOKED, START_MS } from './world.ts';

const MINUTE_MS = 60_000;

describe('a token', () => {
  it('is used as it is while it has life left, and refreshed from a minute before it expires', () =>
    withParts(async ({ tokens }, { clock, calls }) => {
      await tokens.adopt(grantOf(1));
      await clock.advance(HOUR_MS - MINUTE_MS - 1);
      expect(await tokens.current()).toMatchObject({ value: { grant: { accessToken: 'access-1' } } });
      await clock.advance(1);
      expect(await tokens.current()).toMatchObject({ value: { grant: { accessToken: 'access-2' } } });
      expect(calls).toEqual(['refresh refresh-1']);
    }));

  it('that has expired is refreshed once, however many ask for it at the same time', () =>
    withParts(async ({ tokens }, { clock, calls }) => {
      await tokens.adopt(grantOf(1));
      await clock.advance(2 * HOUR_MS);
      const all = await Promise.all(Array.from({ length: 100 }, () => tokens.current()));
      expect(new Set(all.map((held) => held.ok && held.value.grant.accessToken))).toEqual(
        new Set(['access-2']),
      );
      expect(calls).toEqual(['refresh refresh-1']);
    }));

  it('that lives for seconds only is refreshed when it has run out, not at every use', () =>
    withParts(async (parts, world) => {
      const { clock, calls, script } = world;
      script.refresh = () => Promise.resolve(ok(grantOf(2, { expiresAtMs: clock.now() + 30_000 })));
      await parts.tokens.adopt(grantOf(1, { expiresAtMs: START_MS }));
      await parts.tokens.current();
      await parts.tokens.current();
      await clock.advance(26_000);
      await parts.tokens.current();
      expect(calls).toHaveLength(1);
      await clock.advance(1_000);
      await parts.tokens.current();
      expect(calls).toHaveLength(2);
    }));

  it('is not refreshed for somebody who has an older one than is at hand', () =>
    withParts(async ({ tokens }, { calls }) => {
      const first = await tokens.adopt(grantOf(1));
      const second = await tokens.adopt(grantOf(2));
      expect(await tokens.refresh(first)).toEqual(ok(second));
      expect(calls).toEqual([]);
    }));
});

describe('a refresh', () => {
  it('that carried no claims does not meet a challenge: another one does', () =>
    withParts(async ({ tokens }, { calls }) => {
      const first = await tokens.adopt(grantOf(1));
      const [plain, challenged, alike] = await Promise.all([
        tokens.refresh(first),
        tokens.refresh(first, '{"acrs":1}'),
        tokens.refresh(first, '{"acrs":1}'),
      ]);
      expect(plain).toMatchObject({ value: { generation: 2 } });
      expect(challenged).toMatchObject({ value: { generation: 3 } });
      expect(alike).toEqual(challenged);
      expect(calls).toEqual(['refresh refresh-1', 'refresh refresh-2']);
    }));

  it('that the token endpoint throttles is not tried again before its time, and then ever more rarely', () =>
    withParts(async ({ tokens }, { clock, calls, script }) => {
      const held = await tokens.adopt(grantOf(1));
      const throttle = { kind: 'throttled', scope: 'app' } as const;
      script.refresh = () => Promise.resolve(fail({ ...throttle, retryAtMs: clock.now() + 10_000 }));
      await tokens.refresh(held);
      expect(await tokens.refresh(held)).toEqual(fail({ ...throttle, retryAtMs: START_MS + 10_500 }));
      await clock.advance(10_499);
      await tokens.refresh(held);
      expect(calls).toHaveLength(1);
      await clock.advance(1);
      expect(await tokens.refresh(held)).toMatchObject({ failure: { kind: 'throttled' } });
      expect(await tokens.refresh(held)).toEqual(
        fail({ ...throttle, retryAtMs: START_MS + 10_500 + 11_000 }),
      );
      expect(calls).toHaveLength(2);
    }));

  it('of a grant that is newer, but met no challenge, carries the claims', () =>
    withParts(async ({ tokens }, { calls }) => {
      const first = await tokens.adopt(grantOf(1));
      await tokens.refresh(first);
      expect(await tokens.refresh(first, '{"acrs":1}')).toMatchObject({ value: { generation: 3 } });
      expect(await tokens.refresh(first, '{"acrs":1}')).toMatchObject({ value: { generation: 3 } });
      await tokens.adopt(grantOf(9));
      expect(await tokens.refresh(first, '{"acrs":2}')).toMatchObject({ value: { generation: 4 } });
      expect(calls).toEqual(['refresh refresh-1', 'refresh refresh-2']);
    }));

  it('is noted for the operator, however it ends', () =>
    withParts(async ({ tokens }, { script, events }) => {
      const held = await tokens.adopt(grantOf(1));
      script.refresh = () => Promise.resolve(DARK);
      await tokens.refresh(held);
      script.refresh = () => Promise.resolve(ok(grantOf(2)));
      await tokens.refresh(held);
      expect(events).toMatchObject([
        { event: 'token-refresh', outcome: 'unavailable' },
        { event: 'token-refresh', outcome: 'refreshed' },
      ]);
    }));
});

describe('a rotated key', () => {
  it('seals the grant anew when it is next opened, and shows it', () =>
    withParts(async (parts, world, state) => {
      await parts.tokens.adopt(grantOf(1));
      const before = readFact(parts.store, GRANT);
      const [bytes, older] = [new Uint8Array(32).fill(1), world.keyring];
      const newer = createKeyring([{ id: 'new', bytes }], (length) => new Uint8Array(length).fill(2));
      // A ring that opens what the old key sealed, and seals with the new one.
      const keyring: Keyring = { ...newer, open: (sealed, binding) => older.open(sealed, binding) };
      const reopened = openParts(state, { ...world, keyring });
      expect(await reopened.tokens.load()).toMatchObject({ ok: true, value: { generation: 1 } });
      const after = readFact(reopened.store, GRANT);
      expect(before?.sealed).not.toMatch(/^v1\.new\./);
      expect(after).toMatchObject({ generation: 1, sealed: expect.stringMatching(/^v1\.new\./) });
      expect(reopened.agenda.has('publish')).toBe(true);
    }));
});

describe('the stored grant', () => {
  it('is the rotated one before anybody can use it', () =>
    withParts(async ({ tokens, store, stored }, { clock }) => {
      await tokens.adopt(grantOf(1));
      await clock.advance(2 * HOUR_MS);
      const generation = () =>
        store.query(`SELECT value ->> 'generation' AS n FROM fact WHERE name = 'grant'`);
      expect(generation()).toEqual([{ n: 1 }]);
      const seen = tokens.current().then(() => generation());
      expect(await seen).toEqual([{ n: 2 }]);
      expect(stored.at(-1)).toMatchObject({
        stored: { refreshToken: 'refresh-2' },
        replaced: { refreshToken: 'refresh-1' },
      });
    }));

  it('is opened again after an eviction', () =>
    withParts(async ({ tokens }, world, state) => {
      await tokens.adopt(grantOf(7, { cache: 'opaque' }));
      const reopened = openParts(state, world).tokens;
      expect(await reopened.current()).toEqual(ok({ grant: grantOf(7, { cache: 'opaque' }), generation: 1 }));
      expect(await reopened.adopt(grantOf(8))).toMatchObject({ generation: 2 });
    }));

  it('shows no byte of a token', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      await parts.tokens.refresh({ grant: grantOf(1), generation: 1 });
      expect(parts.dump()).toContain('sealed');
      expect(parts.dump()).not.toMatch(/access-\d|refresh-\d/);
      expect(JSON.stringify([world.rows, world.kv])).not.toMatch(/access-\d|refresh-\d/);
    }));

  it('that no key opens is our own trouble, not the person’s', () =>
    withParts(async ({ tokens }, world, state) => {
      await tokens.adopt(grantOf(1));
      const other = createKeyring([{ id: 'k1', bytes: new Uint8Array(32).fill(9) }], (length) =>
        crypto.getRandomValues(new Uint8Array(length)),
      );
      const reopened = openParts(state, { ...world, keyring: other }).tokens;
      expect(await reopened.current()).toMatchObject({ ok: false, failure: { kind: 'misconfigured' } });
    }));

  it('is gone once it is forgotten, and what a refresh under way brings is dropped', () =>
    withParts(async ({ tokens, store }, { script }) => {
      const held = await tokens.adopt(grantOf(1));
      const reply = Promise.withResolvers<ReturnType<typeof ok<ReturnType<typeof grantOf>>>>();
      script.refresh = () => reply.promise;
      const refreshing = tokens.refresh(held);
      forgetFact(store, GRANT);
      tokens.forget();
      reply.resolve(ok(grantOf(2)));
      expect(await refreshing).toMatchObject({ ok: false, failure: { kind: 'grant-revoked' } });
      expect(store.query(`SELECT 1 FROM fact WHERE name = 'grant'`)).toEqual([]);
    }));
});

describe('a refresh that the provider refuses', () => {
  it('kills the grant when nothing has replaced it, and is not asked for again', () =>
    withParts(async ({ tokens }, { script, calls }) => {
      const held = await tokens.adopt(grantOf(1));
      script.refresh = () => Promise.resolve(REVOKED);
      expect(await tokens.refresh(held)).toEqual(REVOKED);
      expect(await tokens.refresh(held)).toEqual(REVOKED);
      expect(calls).toEqual(['refresh refresh-1']);
    }));

  it('does not, when the person has connected again meanwhile', () =>
    withParts(async ({ tokens }, { script }) => {
      const held = await tokens.adopt(grantOf(1));
      const reply = Promise.withResolvers<typeof REVOKED>();
      script.refresh = () => reply.promise;
      const refreshing = tokens.refresh(held);
      const adopted = await tokens.adopt(grantOf(9));
      reply.resolve(REVOKED);
      expect(await refreshing).toEqual(ok(adopted));
      expect(await tokens.current()).toEqual(ok(adopted));
    }));

  it('never takes the place of a grant that was brought meanwhile, even if it succeeds', () =>
    withParts(async ({ tokens }, { script }) => {
      const held = await tokens.adopt(grantOf(1));
      const reply = Promise.withResolvers<ReturnType<typeof ok<ReturnType<typeof grantOf>>>>();
      script.refresh = () => reply.promise;
      const refreshing = tokens.refresh(held);
      const adopted = await tokens.adopt(grantOf(9));
      reply.resolve(ok(grantOf(2)));
      expect(await refreshing).toEqual(ok(adopted));
      expect(await tokens.load()).toEqual(ok(adopted));
    }));

  it('is tried again with the token that the database has', () =>
    withParts(async ({ tokens }, { script, calls, keyring }) => {
      const held = await tokens.adopt(grantOf(1, { cache: 'knows refresh-1' }));
      const binding = { owner: 'connector-1', field: 'connectors.refresh_token_enc' };
      script.readSealedToken = () => keyring.seal('refresh-5', binding);
      const caches: unknown[] = [];
      const answer = script.refresh;
      script.refresh = (grant) => {
        caches.push('cache' in grant);
        return grant.refreshToken === 'refresh-1' ? Promise.resolve(REVOKED) : answer(grant);
      };
      expect(await tokens.refresh(held)).toMatchObject({
        ok: true,
        value: { grant: { refreshToken: 'refresh-6' } },
      });
      expect(calls).toEqual(['refresh refresh-1', 'refresh refresh-5']);
      expect(caches).toEqual([true, false]);
    }));

  it('kills the grant when the database has the same token', () =>
    withParts(async ({ tokens }, { script, calls, keyring }) => {
      const held = await tokens.adopt(grantOf(1));
      const binding = { owner: 'connector-1', field: 'connectors.refresh_token_enc' };
      script.readSealedToken = () => keyring.seal('refresh-1', binding);
      script.refresh = () => Promise.resolve(REVOKED);
      expect(await tokens.refresh(held)).toEqual(REVOKED);
      expect(calls).toEqual(['refresh refresh-1']);
    }));

  it('is no verdict while the database that may know better does not answer', () =>
    withParts(async ({ tokens }, { script, calls }) => {
      const held = await tokens.adopt(grantOf(1));
      script.readSealedToken = () => Promise.reject(new Error('D1 is down'));
      script.refresh = () => Promise.resolve(REVOKED);
      expect(await tokens.refresh(held)).toMatchObject({ ok: false, failure: { kind: 'unavailable' } });
      script.readSealedToken = () => Promise.resolve(undefined);
      expect(await tokens.refresh(held)).toEqual(REVOKED);
      expect(calls).toHaveLength(2);
    }));

  it('is told as what it was: a provider that is dark has not revoked anything', () =>
    withParts(async ({ tokens }, { script, clock }) => {
      await tokens.adopt(grantOf(1));
      await clock.advance(2 * HOUR_MS);
      script.refresh = () => Promise.resolve(DARK);
      expect(await tokens.current()).toEqual(DARK);
      script.refresh = () => Promise.resolve(fail({ kind: 'misconfigured', detail: 'invalid_client' }));
      expect(await tokens.current()).toMatchObject({ failure: { kind: 'misconfigured' } });
      script.refresh = () => Promise.resolve(ok(grantOf(2, { expiresAtMs: clock.now() + HOUR_MS })));
      expect(await tokens.current()).toMatchObject({ ok: true });
    }));
});
