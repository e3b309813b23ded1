import { describe, expect, it } from 'vitest';
import { CONNECTION, ERASURE, readFact, writeFact } from '../../src/connector/facts.ts';
import { fail, type Failure, ok } from '../../src/domain/failure.ts';
import type { Grant } from '../../src/providers/provider.ts';
import { connect, withParts } from './bench.ts';
import { DARK, grantOf, HOUR_MS, settle, SIGN_IN, START_MS, taskOf } from './world.ts';

const REVOKED: Failure = { kind: 'grant-revoked', detail: 'invalid_grant' };

/** A grant that came without a refresh token. */
function onlineGrant(): Grant {
  const { refreshToken: _, ...grant } = grantOf(2);
  return grant;
}

describe('a first connect', () => {
  it('takes the grant over, shows it and tells', () =>
    withParts(async ({ connection, tokens, store, agenda }, { sent, rows, events }) => {
      expect(connection.obstacle()).toMatchObject({ kind: 'grant-revoked' });
      expect(await connection.connect(SIGN_IN)).toEqual({ status: 'connected' });
      await settle();
      expect(connection.obstacle()).toBe(undefined);
      expect(await tokens.current()).toMatchObject({ value: { grant: { accessToken: 'access-1' } } });
      expect(readFact(store, CONNECTION)).toEqual({
        status: 'active',
        account: grantOf(1).account,
        scopes: ['calendar'],
        askedScopes: ['calendar'],
      });
      expect(rows).toMatchObject([{ status: 'active' }]);
      expect(sent).toMatchObject([{ type: 'connector-connected' }]);
      expect(events).toMatchObject([{ event: 'connect', outcome: 'connected' }]);
      expect(agenda.has('publish')).toBe(false);
    }));

  it('succeeds though the database does not answer: its row is due', () =>
    withParts(async ({ connection, agenda }, { script }) => {
      script.beforeWrite = () => Promise.reject(new Error('D1 is down'));
      expect(await connection.connect(SIGN_IN)).toEqual({ status: 'connected' });
      expect(agenda.has('publish')).toBe(true);
    }));

  it('that was allowed too little is refused, and holds nothing', () =>
    withParts(async ({ connection, tokens }, { script, calls }) => {
      script.exchangeCode = () => Promise.resolve(ok(grantOf(1, { scopes: ['profile'] })));
      expect(await connection.connect(SIGN_IN)).toEqual({ status: 'error', code: 'consent_missing' });
      expect(calls).toEqual(['exchange code-1']);
      expect(await tokens.load()).toMatchObject({ ok: false });
    }));

  it('by another account than the database knows is refused', () =>
    withParts(async ({ connection }, { script }) => {
      const byAnother = { ...SIGN_IN, knownAccount: { id: 'account-2' } };
      expect(await connection.connect(byAnother)).toEqual({ status: 'error', code: 'account_mismatch' });
      const bySame = { ...SIGN_IN, knownAccount: { id: 'account-1', tenantId: 'tenant-1' } };
      expect(await connection.connect(bySame)).toEqual({ status: 'error', code: 'account_mismatch' });
      const account = { id: 'account-1', tenantId: 'tenant-1', kind: 'work' as const };
      script.exchangeCode = () => Promise.resolve(ok(grantOf(1, { account })));
      expect(await connection.connect(bySame)).toEqual({ status: 'connected' });
    }));
});

describe('a connect that goes wrong leaves the stored grant untouched', () => {
  it.each([
    ['no refresh token was granted', () => ok(onlineGrant()), 'refresh_token_missing'],
    ['a scope is missing', () => ok(grantOf(2, { scopes: [] })), 'consent_missing'],
    [
      'another account came back',
      () => ok(grantOf(2, { account: { id: 'account-2', kind: 'work' } })),
      'account_mismatch',
    ],
    ['the code was refused', () => fail({ kind: 'rejected', status: 400, code: 'x' }), 'provider_rejected'],
    ['the provider is dark', () => DARK, 'provider_unavailable'],
    ['consent was refused', () => fail({ kind: 'consent-missing', scopes: [] }), 'consent_missing'],
  ])('when %s', (_, exchange, code) =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      const before = parts.dump();
      world.script.exchangeCode = () => Promise.resolve(exchange());
      expect(await parts.connection.connect(SIGN_IN)).toEqual({ status: 'error', code });
      await settle();
      expect(parts.dump()).toBe(before);
      expect(world.calls).toEqual(['exchange code-1']);
      expect(world.sent).toEqual([]);
    }),
  );
});

describe('a reconnect', () => {
  it('makes parked tasks due and clears what stood in the way', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      parts.ledger.accept(taskOf('t1'), START_MS);
      parts.ledger.park('t1', 1);
      parts.connection.notice({ kind: 'token-rejected', claims: '{"id":1}' });
      expect(parts.connection.signInHints().claims).toBe('{"id":1}');
      world.script.exchangeCode = () => Promise.resolve(ok(grantOf(2)));
      expect(await parts.connection.connect(SIGN_IN)).toEqual({ status: 'connected' });
      expect(parts.connection.signInHints().claims).toBe(undefined);
      expect(parts.connection.obstacle()).toBe(undefined);
      expect(parts.ledger.due(world.clock.now(), new Set(), 'read', 9)).toMatchObject([{ id: 't1' }]);
      await settle();
      expect(world.rows.at(-1)).toMatchObject({ status: 'active' });
    }));

  it('cancels an erasure that is due, and the disconnects that wait', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      parts.ledger.accept(taskOf('d1', { type: 'disconnect' }), START_MS);
      world.script.beforeWrite = () => Promise.reject(new Error('D1 is down'));
      expect(await parts.erasure.begin()).toMatchObject({ ok: false });
      world.script.beforeWrite = () => Promise.resolve();
      await parts.connection.connect(SIGN_IN);
      await settle();
      expect(readFact(parts.store, ERASURE)).toBe(undefined);
      expect(parts.agenda.has('erase')).toBe(false);
      expect(parts.ledger.report('d1', new Set())).toMatchObject({
        state: 'failed',
        error: { code: 'conflict' },
      });
      expect(world.sent.map(({ type }) => type)).toEqual(['connector-connected', 'task-failed']);
      expect(world.rows.at(-1)).toMatchObject({ status: 'active' });
    }));
});

describe('a dead grant', () => {
  it('suspends the connection once, with one notice, and no refresh ahead of time', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      parts.agenda.schedule('refresh-token', START_MS + HOUR_MS);
      for (let n = 0; n < 3; n += 1) parts.connection.notice(REVOKED);
      parts.connection.notice({ kind: 'consent-missing', scopes: [] });
      await settle();
      expect(parts.connection.obstacle()).toMatchObject({ kind: 'grant-revoked' });
      expect(world.sent).toMatchObject([
        { type: 'connector-needs-reauth', error: { code: 'reauth_required' } },
      ]);
      expect(world.calls).toEqual(['row reauth_required']);
      expect(parts.agenda.has('refresh-token')).toBe(false);
    }));

  it('is told apart from a consent that is missing', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      const connection = readFact(parts.store, CONNECTION);
      if (connection === undefined) throw new Error('not connected');
      // What a refresh has shown: the permission is gone.
      writeFact(parts.store, CONNECTION, { ...connection, scopes: [] });
      parts.connection.notice({ kind: 'consent-missing', scopes: [] });
      await settle();
      expect(parts.connection.obstacle()).toEqual({ kind: 'consent-missing', scopes: ['calendar'] });
      expect(world.sent).toMatchObject([
        { type: 'connector-needs-reauth', error: { code: 'consent_missing' } },
      ]);
      expect(world.rows.at(-1)).toMatchObject({ status: 'consent_missing' });
    }));

  it('is not what a call means that needs more than was ever asked for', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      for (let n = 0; n < 3; n += 1) parts.connection.notice({ kind: 'consent-missing', scopes: [] });
      await settle();
      expect(parts.connection.obstacle()).toBe(undefined);
      expect(world.sent).toEqual([]);
    }));

  it('is not what any other failure means', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      const before = parts.dump();
      for (const failure of [
        { kind: 'throttled', scope: 'user' },
        { kind: 'unavailable', ambiguous: true },
        { kind: 'not-found', what: 'x' },
        { kind: 'conflict', with: [], timeZone: 'UTC' },
        { kind: 'cursor-expired' },
        { kind: 'malformed', at: 'x' },
      ] satisfies Failure[]) {
        parts.connection.notice(failure);
      }
      await settle();
      expect(parts.dump()).toBe(before);
      expect(world.calls).toEqual([]);
    }));
});

describe('our own misconfiguration', () => {
  const MISCONFIGURED: Failure = { kind: 'misconfigured', detail: 'invalid_client' };

  it('alerts the operator, once an hour, and does not ask the person', () =>
    withParts(async (parts, world) => {
      await connect(parts, world);
      parts.connection.notice(MISCONFIGURED);
      parts.connection.notice(MISCONFIGURED);
      parts.connection.notice({ kind: 'misconfigured', detail: 'other' });
      await world.clock.advance(HOUR_MS);
      parts.connection.notice(MISCONFIGURED);
      await settle();
      expect(world.sent.map(({ type, error }) => [type, error?.message])).toEqual([
        ['operator-alert', 'invalid_client'],
        ['operator-alert', 'other'],
        ['operator-alert', 'invalid_client'],
      ]);
      expect(parts.connection.obstacle()).toBe(undefined);
    }));

  it('that shows at a sign-in alerts the operator too', () =>
    withParts(async ({ connection }, { script, sent }) => {
      script.exchangeCode = () => Promise.resolve(fail(MISCONFIGURED));
      expect(await connection.connect(SIGN_IN)).toEqual({ status: 'error', code: 'misconfigured' });
      await settle();
      expect(sent).toMatchObject([{ type: 'operator-alert' }]);
    }));
});
