import { describe, expect, it } from 'vitest';
import { CONNECTION, ERASURE, readFact } from '../../src/connector/facts.ts';
import { fail, ok, type Outcome } from '../../src/domain/failure.ts';
import { connect, openParts, type Parts, withParts } from './bench.ts';
import { DARK, DAY_MS, grantOf, settle, SIGN_IN, START_MS, taskOf, type World } from './world.ts';

/** With a connected account; wiping empties the storage and is noted among the calls. */
function withErasure(body: (parts: Parts, world: World, state: DurableObjectState) => Promise<void>) {
  return withParts(async (parts, world, state) => {
    world.script.wipe = () => {
      world.calls.push('wipe');
      return state.storage.deleteAll();
    };
    await connect(parts, world);
    await body(parts, world, state);
  });
}

describe('an erasure', () => {
  it('closes the connection, withdraws the grant and leaves nothing behind', () =>
    withErasure(async ({ erasure, connection }, { calls, sent, rows, kv, events }, { storage }) => {
      expect(await erasure.begin()).toEqual(ok(undefined));
      expect(connection.obstacle()).toMatchObject({ kind: 'grant-revoked' });
      expect(rows.at(-1)).toMatchObject({ status: 'disconnected', refreshTokenEnc: null });
      expect(kv.sealed).toBe(undefined);
      await erasure.proceed();
      expect(calls.slice(-2)).toEqual(['revoke refresh-1', 'wipe']);
      expect(sent.map(({ type }) => type)).toEqual(['connector-disconnected']);
      expect(events.at(-1)).toMatchObject({ event: 'disconnect', revoked: true });
      expect(storage.sql.exec('SELECT name FROM sqlite_master').toArray()).toEqual([]);
    }));

  it('leaves a grant alone that another connector lives on', () =>
    withErasure(async ({ erasure }, { script, calls, events }) => {
      script.hasSibling = () => Promise.resolve(true);
      await erasure.begin();
      await erasure.proceed();
      expect(calls).not.toContain('revoke refresh-1');
      expect(calls.at(-1)).toBe('wipe');
      expect(events.at(-1)).toMatchObject({ event: 'disconnect' });
    }));

  it('reports the tasks that will not be carried out, and a disconnect as done', () =>
    withErasure(async ({ erasure, ledger }, { sent }) => {
      for (const id of ['t1', 't2']) ledger.accept(taskOf(id), START_MS);
      ledger.accept(taskOf('d1', { type: 'disconnect' }), START_MS);
      ledger.park('t2', 1);
      await erasure.begin();
      await erasure.proceed();
      expect(sent.map(({ type, taskId, error, result }) => [type, taskId, error?.code ?? result])).toEqual([
        ['task-failed', 't1', 'reauth_required'],
        ['task-failed', 't2', 'reauth_required'],
        ['task-completed', 'd1', { status: 'disconnected' }],
        ['connector-disconnected', undefined, undefined],
      ]);
    }));

  it('does nothing when none was begun', () =>
    withErasure(async ({ erasure, dump }, { calls }) => {
      const before = dump();
      await erasure.proceed();
      expect(calls).toEqual([]);
      expect(dump()).toBe(before);
    }));

  it('runs once, however many drive it', () =>
    withErasure(async ({ erasure }, { calls }) => {
      await erasure.begin();
      await Promise.all([erasure.proceed(), erasure.proceed(), erasure.proceed()]);
      expect(calls.filter((call) => call === 'revoke refresh-1' || call === 'wipe')).toEqual([
        'revoke refresh-1',
        'wipe',
      ]);
    }));
});

describe('an erasure that is put off', () => {
  it('because the provider is dark stays on the agenda, over evictions, until the grant is withdrawn', () =>
    withErasure(async (parts, world, state) => {
      world.script.revoke = () => Promise.resolve(DARK);
      await parts.erasure.begin();
      await parts.erasure.proceed();
      expect(world.calls).not.toContain('wipe');
      await world.clock.advance(1_000 + 500);
      expect(parts.agenda.due(world.clock.now())).toContain('erase');
      await parts.erasure.proceed();
      await world.clock.advance(1_000 + 999);
      expect(parts.agenda.due(world.clock.now())).not.toContain('erase');
      await world.clock.advance(1);
      expect(parts.agenda.due(world.clock.now())).toContain('erase');

      world.script.revoke = () => Promise.resolve(ok(undefined));
      const reopened = openParts(state, world);
      await reopened.erasure.proceed();
      expect(world.calls.slice(-2)).toEqual(['revoke refresh-1', 'wipe']);
    }));

  it('is carried out after a day though the provider never answers', () =>
    withErasure(async (parts, world) => {
      world.script.revoke = () => Promise.resolve(DARK);
      await parts.erasure.begin();
      await world.clock.advance(DAY_MS - 1);
      await parts.erasure.proceed();
      expect(world.calls).not.toContain('wipe');
      await world.clock.advance(1);
      await parts.erasure.proceed();
      expect(world.calls.at(-1)).toBe('wipe');
      expect(world.events.at(-1)).toMatchObject({ event: 'disconnect', revoked: false });
    }));

  it('does not wait for a provider that will never withdraw it', () =>
    withErasure(async (parts, world) => {
      world.script.revoke = () => Promise.resolve(fail({ kind: 'rejected', status: 400, code: 'x' }));
      await parts.erasure.begin();
      await parts.erasure.proceed();
      expect(world.calls.at(-1)).toBe('wipe');
    }));

  it('because the database or KV does not answer has asked the provider nothing', () =>
    withErasure(async (parts, world) => {
      for (const broken of ['row', 'kv delete']) {
        world.script.beforeWrite = (what) =>
          what === broken ? Promise.reject(new Error('down')) : Promise.resolve();
        // oxlint-disable-next-line no-await-in-loop
        expect(await parts.erasure.begin()).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
        // oxlint-disable-next-line no-await-in-loop
        await parts.erasure.proceed();
      }
      expect(world.calls).not.toContain('revoke refresh-1');
      expect(parts.agenda.has('erase')).toBe(true);
      world.script.beforeWrite = () => Promise.resolve();
      await parts.erasure.proceed();
      expect(world.calls.at(-1)).toBe('wipe');
    }));

  it('because the queue takes no notice, or the storage cannot be wiped, is tried again', () =>
    withErasure(async (parts, world) => {
      const { wipe } = world.script;
      world.script.sendNotices = () => Promise.reject(new Error('the queue is down'));
      await parts.erasure.begin();
      await parts.erasure.proceed();
      expect(world.calls).not.toContain('wipe');
      world.script.sendNotices = () => Promise.resolve();
      world.script.wipe = () => Promise.reject(new Error('storage'));
      await parts.erasure.proceed();
      expect(readFact(parts.store, ERASURE)).toMatchObject({ attempts: 2 });
      world.script.wipe = wipe;
      await parts.erasure.proceed();
      expect(world.calls.at(-1)).toBe('wipe');
    }));
});

describe('a reconnect during an erasure', () => {
  async function reconnect({ connection }: Parts, { script }: World): Promise<void> {
    script.exchangeCode = () => Promise.resolve(ok(grantOf(2)));
    expect(await connection.connect(SIGN_IN)).toEqual({ status: 'connected' });
  }

  it('that waits for its time ends it', () =>
    withErasure(async (parts, world) => {
      world.script.revoke = () => Promise.resolve(DARK);
      await parts.erasure.begin();
      await parts.erasure.proceed();
      await reconnect(parts, world);
      world.calls.length = 0;
      await parts.erasure.proceed();
      expect(world.calls).toEqual([]);
      expect(parts.connection.obstacle()).toBe(undefined);
    }));

  it('whose row is being written keeps the new grant: it is not withdrawn', () =>
    withErasure(async (parts, world) => {
      const slow = Promise.withResolvers<void>();
      await parts.erasure.begin();
      world.script.beforeWrite = () => slow.promise;
      const proceeding = parts.erasure.proceed();
      await settle();
      const reconnecting = reconnect(parts, world);
      await settle();
      world.script.beforeWrite = () => Promise.resolve();
      slow.resolve();
      await Promise.all([proceeding, reconnecting]);
      expect(world.calls.filter((call) => call.startsWith('revoke') || call === 'wipe')).toEqual([]);
      expect(readFact(parts.store, CONNECTION)).toMatchObject({ status: 'active' });
      expect(world.rows.at(-1)).toMatchObject({ status: 'active' });
      expect(await parts.tokens.current()).toMatchObject({ value: { grant: { refreshToken: 'refresh-2' } } });
    }));

  it('whose grant is being withdrawn keeps its tasks, and is not told to be disconnected', () =>
    withErasure(async (parts, world) => {
      const reply = Promise.withResolvers<Outcome<void>>();
      world.script.revoke = () => reply.promise;
      parts.ledger.accept(taskOf('t1'), START_MS);
      await parts.erasure.begin();
      const proceeding = parts.erasure.proceed();
      await settle();
      await reconnect(parts, world);
      // Found dead again before the provider has answered: still not to be erased.
      parts.connection.notice({ kind: 'grant-revoked', detail: 'invalid_grant' });
      reply.resolve(ok(undefined));
      await proceeding;
      expect(world.calls).not.toContain('wipe');
      expect(parts.ledger.report('t1', new Set())).toMatchObject({ state: 'accepted' });
      expect(world.sent.map(({ type }) => type)).toEqual(['connector-connected', 'connector-needs-reauth']);
    }));
});
