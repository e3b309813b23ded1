import { describe, expect, it } from 'vitest';
import { CONNECTION, readFact, writeFact } from '../../src/connector/facts.ts';
import { createKeyring } from '../../src/crypto/keyring.ts';
import type { ConnectorStatus } from '../../src/domain/connector.ts';
import { connect, openParts, type Parts, withParts } from './bench.ts';
import { grantOf, HOUR_MS, settle, START_MS } from './world.ts';

const BINDING = { owner: 'connector-1', field: 'connectors.refresh_token_enc' };

function setStatus({ store, publication }: Parts, status: ConnectorStatus): void {
  const connection = readFact(store, CONNECTION);
  if (connection === undefined) throw new Error('not connected');
  writeFact(store, CONNECTION, { ...connection, status });
  publication.note();
}

describe('the row of a connector', () => {
  it('shows the account, and the refresh token sealed for this row', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      expect(world.rows).toMatchObject([
        { status: 'active', accountId: 'account-1', accountEmail: 'ada@example.com', scopes: ['calendar'] },
      ]);
      const sealed = world.rows[0]?.refreshTokenEnc ?? '';
      expect(await world.keyring.open(sealed, BINDING)).toEqual({ ok: true, value: 'refresh-1' });
      expect(parts.agenda.has('publish')).toBe(false);
    }));

  it('that could not be written is due on the agenda until it is', () =>
    withParts(async (parts, world, state) => {
      await connect(parts, world);
      world.script.beforeWrite = () => Promise.reject(new Error('D1 is down'));
      await parts.tokens.adopt(grantOf(2));
      parts.publication.note();
      expect(await parts.publication.saveRow()).toBe(false);
      expect(parts.agenda.due(world.clock.now())).toEqual([]);
      await world.clock.advance(1_000 + 500);
      expect(parts.agenda.due(world.clock.now())).toEqual(['publish']);
      expect(await parts.publication.saveRow()).toBe(false);
      await world.clock.advance(1_000 + 999);
      expect(parts.agenda.due(world.clock.now())).toEqual([]);

      world.script.beforeWrite = () => Promise.resolve();
      const reopened = openParts(state, world);
      expect(reopened.agenda.has('publish')).toBe(true);
      expect(await reopened.publication.saveRow()).toBe(true);
      expect(reopened.agenda.has('publish')).toBe(false);
      const sealed = world.rows.at(-1)?.refreshTokenEnc ?? '';
      expect(await world.keyring.open(sealed, BINDING)).toEqual({ ok: true, value: 'refresh-2' });
    }));

  it('is written in the order of its changes, and never settles a change that came during a write', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      const slow = Promise.withResolvers<void>();
      world.script.beforeWrite = () => slow.promise;
      setStatus(parts, 'reauth_required');
      const first = parts.publication.saveRow();
      await settle();
      setStatus(parts, 'active');
      const second = parts.publication.saveRow();
      await settle();
      expect(world.calls).toEqual(['row reauth_required']);
      world.script.beforeWrite = () => Promise.resolve();
      slow.resolve();
      expect(await first).toBe(true);
      expect(parts.agenda.has('publish')).toBe(true);
      expect(await second).toBe(true);
      expect(world.rows.map(({ status }) => status).slice(-2)).toEqual(['reauth_required', 'active']);
      expect(parts.agenda.has('publish')).toBe(false);
    }));

  it('holds no token and names no account once it is disconnected', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      setStatus(parts, 'disconnected');
      await parts.publication.saveRow();
      expect(world.rows.at(-1)).toEqual({
        status: 'disconnected',
        accountId: null,
        accountEmail: null,
        tenantId: null,
        scopes: [],
        refreshTokenEnc: null,
      });
    }));

  it('is not emptied because the keys are wrong for a while', () =>
    withParts(async (parts, world, state) => {
      await connect(parts, world);
      parts.publication.note();
      const other = createKeyring([{ id: 'k2', bytes: new Uint8Array(32).fill(9) }], (length) =>
        crypto.getRandomValues(new Uint8Array(length)),
      );
      const reopened = openParts(state, { ...world, keyring: other });
      expect(await reopened.publication.saveRow()).toBe(false);
      expect(world.rows.map(({ status }) => status)).toEqual(['active']);
      expect(reopened.agenda.has('publish')).toBe(true);
    }));
});

describe('the access token for siblings', () => {
  it('is put sealed, until it expires', () =>
    withParts(async ({ publication }, { kv, keyring }) => {
      await publication.putAccessToken({ accessToken: 'access-1', expiresAtMs: START_MS + HOUR_MS });
      expect(kv.lifeSeconds).toBe(3600);
      const opened = await keyring.open(kv.sealed ?? '', { owner: 'connector-1', field: 'kv.access_token' });
      expect(opened).toEqual({
        ok: true,
        value: JSON.stringify({ accessToken: 'access-1', expiresAtMs: START_MS + HOUR_MS }),
      });
    }));

  it('is not put when it lives less than a minute, nor for a connector that is disconnected', () =>
    withParts(async (parts, world) => {
      await parts.publication.putAccessToken({ accessToken: 'a', expiresAtMs: START_MS + 59_999 });
      expect(world.calls).toEqual([]);
      await parts.publication.putAccessToken({ accessToken: 'a', expiresAtMs: START_MS + 60_000 });
      expect(world.calls).toEqual(['kv put']);
      await connect(parts, world);
      setStatus(parts, 'disconnected');
      await parts.publication.putAccessToken({ accessToken: 'a', expiresAtMs: START_MS + HOUR_MS });
      expect(world.calls).toEqual([]);
    }));

  it('hurts nobody when it cannot be put or removed', () =>
    withParts(async ({ publication }, { script, events }) => {
      script.beforeWrite = () => Promise.reject(new Error('KV is down'));
      await publication.putAccessToken({ accessToken: 'a', expiresAtMs: START_MS + HOUR_MS });
      expect(await publication.withdraw()).toBe(false);
      expect(events).toHaveLength(2);
    }));

  it('is removed after a put that was under way, not before it', () =>
    withParts(async ({ publication }, { script, kv }) => {
      const slow = Promise.withResolvers<void>();
      script.beforeWrite = (what) => (what === 'kv put' ? slow.promise : Promise.resolve());
      const put = publication.putAccessToken({ accessToken: 'a', expiresAtMs: START_MS + HOUR_MS });
      const removed = publication.withdraw();
      await settle();
      slow.resolve();
      await put;
      expect(await removed).toBe(true);
      expect(kv.sealed).toBe(undefined);
    }));
});

describe('how the mirror stands', () => {
  const idle = { cursor: '{}', status: 'idle', lastError: null, retryCount: 0, nextRetryAtMs: null } as const;

  it('is shown, but not of an account that has been given up: what is withdrawn stays so', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      await parts.publication.saveSyncStatus(idle);
      setStatus(parts, 'disconnected');
      await parts.publication.withdraw();
      await parts.publication.saveSyncStatus(idle);
      expect(world.calls.filter((call) => call.startsWith('sync'))).toEqual(['sync idle']);
    }));

  it('is withdrawn after a write that was under way, not before it', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      const slow = Promise.withResolvers<void>();
      world.script.beforeWrite = (what) => (what === 'sync' ? slow.promise : Promise.resolve());
      const shown = parts.publication.saveSyncStatus(idle);
      const withdrawn = parts.publication.withdraw();
      await settle();
      expect(world.calls).not.toContain('kv delete');
      slow.resolve();
      await shown;
      expect(await withdrawn).toBe(true);
    }));
});

describe('the refresh token as the database has it', () => {
  it('is told when it is another than was tried', () =>
    withParts(async ({ publication }, { script, keyring }) => {
      script.readSealedToken = () => keyring.seal('refresh-5', BINDING);
      expect(await publication.readElsewhere('refresh-1')).toEqual({ ok: true, value: 'refresh-5' });
      expect(await publication.readElsewhere('refresh-5')).toEqual({ ok: true, value: undefined });
    }));

  it('is not believed while our own write of it is due, nor when it belongs to another row', () =>
    withParts(async ({ publication, agenda }, { script, keyring }) => {
      script.readSealedToken = () => keyring.seal('refresh-5', { ...BINDING, owner: 'connector-2' });
      expect(await publication.readElsewhere('refresh-1')).toEqual({ ok: true, value: undefined });
      script.readSealedToken = () => keyring.seal('refresh-5', BINDING);
      agenda.schedule('publish', START_MS);
      expect(await publication.readElsewhere('refresh-1')).toEqual({ ok: true, value: undefined });
    }));
});
