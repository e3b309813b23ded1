import { describe, expect, it } from 'vitest';
import { ok } from '../../src/domain/failure.ts';
import { ring, withConnected } from './bench-actor.ts';
import { CREATE_PAYLOAD, REVOKED, settle, SIGN_IN, START_MS, taskOf } from './world.ts';

describe('a disconnect', () => {
  it('asked for directly leaves nothing, and no alarm', () =>
    withConnected(async (actor, world, state) => {
      expect(await actor.disconnect()).toEqual(ok(undefined));
      expect(world.calls).toContain('revoke refresh-1');
      expect(world.sent).toMatchObject([{ type: 'connector-disconnected' }]);
      expect(state.storage.sql.exec('SELECT name FROM sqlite_master').toArray()).toEqual([]);
      await actor.alarm();
      expect(world.alarm.atMs).toBe(null);
    }));

  it('asked for as a task is told, then carried out', () =>
    withConnected(async (actor, world, state) => {
      await actor.submit([taskOf('d1', { type: 'disconnect' })]);
      await settle();
      expect(world.sent.map(({ type }) => type)).toEqual(['task-completed', 'connector-disconnected']);
      expect(state.storage.sql.exec('SELECT name FROM sqlite_master').toArray()).toEqual([]);
    }));

  it('ends the wait of whoever waits for a task, at once', () =>
    withConnected(async (actor, { script }) => {
      script.createEvent = () => new Promise(() => {});
      const task = taskOf('t1', { type: 'create-event', payload: CREATE_PAYLOAD });
      const performed = actor.perform(task, 25_000);
      await settle();
      await actor.disconnect();
      expect(await performed).toMatchObject({
        ok: true,
        value: { report: { id: 't1', state: 'failed', error: { code: 'reauth_required' } } },
      });
    }));

  it('that is under way makes a sign-in wait, and leaves it to the next actor', () =>
    withConnected(async (actor, world) => {
      let revoked = () => {};
      world.script.revoke = () =>
        new Promise((resolve) => {
          revoked = () => resolve(ok(undefined));
        });
      const ended = actor.disconnect();
      await settle();
      const connected = actor.connect(SIGN_IN);
      await settle();
      expect(world.calls.filter((call) => call.startsWith('exchange'))).toEqual([]);
      revoked();
      expect(await ended).toEqual(ok(undefined));
      expect(await connected).toBe(undefined);
      expect(world.calls.filter((call) => call.startsWith('exchange'))).toEqual([]);
    }));

  it('as a task does not wait for a person whose grant is dead', () =>
    withConnected(async (actor, world) => {
      world.script.refresh = () => Promise.resolve(REVOKED);
      await actor.submit([taskOf('t1')]);
      await settle();
      await actor.submit([taskOf('d1', { type: 'disconnect' })]);
      await settle();
      expect(world.sent.map(({ type, taskId }) => [type, taskId])).toEqual([
        ['connector-needs-reauth', undefined],
        ['task-completed', 'd1'],
        ['task-failed', 't1'],
        ['connector-disconnected', undefined],
      ]);
    }));

  it('as a task that meets a dark database is carried out from the alarm, and told', () =>
    withConnected(async (actor, world) => {
      world.script.beforeWrite = () => Promise.reject(new Error('D1 is down'));
      await actor.submit([taskOf('d1', { type: 'disconnect' })]);
      await settle();
      expect(world.sent).toEqual([]);
      world.script.beforeWrite = () => Promise.resolve();
      while (world.alarm.atMs !== null) {
        // oxlint-disable-next-line no-await-in-loop
        await ring(actor, world);
      }
      expect(world.sent.map(({ type, taskId }) => [type, taskId])).toEqual([
        ['task-completed', 'd1'],
        ['connector-disconnected', undefined],
      ]);
    }));

  it('whose storage could not be wiped is carried out from the alarm', () =>
    withConnected(async (actor, world, state) => {
      world.script.wipe = () => Promise.reject(new Error('storage'));
      await actor.disconnect();
      expect(world.alarm.atMs).toBe(START_MS + 1_500);
      world.script.wipe = () => Promise.resolve();
      while (world.alarm.atMs !== null) {
        // oxlint-disable-next-line no-await-in-loop
        await ring(actor, world);
      }
      expect(state.storage.sql.exec('SELECT name FROM sqlite_master').toArray()).toEqual([]);
    }));
});
