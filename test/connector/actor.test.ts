import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../src/domain/failure.ts';
import { openActor, ring, withActor, withConnected } from './bench-actor.ts';
import { DARK, DAY_MS, grantOf, HOUR_MS, REVOKED, settle, SIGN_IN, START_MS, taskOf } from './world.ts';

const QUESTION = { timeMin: '2026-11-23T09:00:00Z', timeMax: '2026-11-23T10:00:00Z', timeZone: 'UTC' };

describe('a row that could not be written', () => {
  it('is written again soon, though nothing else is to be done', () =>
    withConnected(async (actor, world) => {
      const slow = Promise.withResolvers<void>();
      world.script.refresh = () => Promise.resolve(ok(grantOf(2)));
      world.script.beforeWrite = () => slow.promise;
      await actor.submit([taskOf('t1')]);
      await settle();
      expect(actor.report('t1')).toMatchObject({ state: 'done' });
      slow.reject(new Error('D1 is down'));
      await settle();
      expect(world.alarm.atMs).toBeLessThanOrEqual(START_MS + 2_000);
    }));
});

describe('figures that nobody takes', () => {
  it('are kept, and do not keep the actor awake', () =>
    withConnected(async (actor, { script, app, clock }) => {
      script.lease = () => Promise.reject(new Error('unreachable'));
      await actor.submit([taskOf('t1')]);
      await settle();
      app.leases.length = 0;
      await clock.advance(60_000);
      expect(app.leases).toMatchObject([{ want: 0 }]);
    }));
});

describe('submitting tasks', () => {
  it('is refused, and writes nothing, before an account is connected', () =>
    withActor(async (actor, { alarm }, state) => {
      expect(await actor.submit([taskOf('t1'), taskOf('t2')])).toEqual(['not-connected', 'not-connected']);
      expect(state.storage.sql.exec('SELECT * FROM task').toArray()).toEqual([]);
      expect(alarm.sets).toEqual([]);
    }));

  it('answers in order, and only once the alarm stands that resumes them after a crash', () =>
    withConnected(async (actor, world, state) => {
      world.script.refresh = () => new Promise(() => {});
      world.alarm.atMs = null;
      const reopened = openActor(state, world);
      const submitted = [
        taskOf('t1'),
        taskOf('t1'),
        taskOf('t1', { payload: { connectorId: 'connector-1' } }),
      ];
      expect(await reopened.submit(submitted)).toEqual(['accepted', 'repeat', 'mismatch']);
      expect(world.alarm.atMs).toBe(START_MS + 5_000);
      expect(reopened.report('t1')).toMatchObject({ state: 'running' });

      world.script.refresh = () => Promise.resolve(ok(grantOf(2)));
      const afterCrash = openActor(state, world);
      await ring(afterCrash, world);
      expect(afterCrash.report('t1')).toMatchObject({ state: 'done', attempts: 1 });
      expect(actor.report('t2')).toBe(undefined);
    }));

  it('meets an expired token with one refresh, however many tasks there are', () =>
    withConnected(async (actor, world) => {
      await world.clock.advance(2 * HOUR_MS);
      const tokens: string[] = [];
      world.script.readBusy = (_, { accessToken }) => {
        tokens.push(accessToken);
        return Promise.resolve(ok({ calendars: [] }));
      };
      const tasks = Array.from({ length: 60 }, (_, n) =>
        // No two alike: those would share one reading.
        taskOf(`t${n}`, { type: 'check-availability', payload: { ...QUESTION, calendars: [`c${n}`] } }),
      );
      await actor.submit(tasks);
      await settle();
      expect(world.calls.filter((call) => call.startsWith('refresh'))).toEqual(['refresh refresh-1']);
      expect(tokens).toEqual(Array.from({ length: 60 }, () => 'access-2'));
      expect(world.sent).toHaveLength(60);
    }));
});

describe('a dead grant', () => {
  it('parks the tasks with one notice; they go on when the person has connected again', () =>
    withConnected(async (actor, world) => {
      world.script.refresh = () => Promise.resolve(REVOKED);
      await actor.submit([taskOf('t1'), taskOf('t2'), taskOf('t3')]);
      await settle();
      expect(world.calls.filter((call) => call.startsWith('refresh'))).toHaveLength(1);
      expect(['t1', 't2', 't3'].map((id) => actor.report(id)?.state)).toEqual(['parked', 'parked', 'parked']);
      expect(world.sent.map(({ type }) => type)).toEqual(['connector-needs-reauth']);
      expect(await actor.availability({ range: { startMs: 0, endMs: 1 }, timeZone: 'UTC' })).toMatchObject({
        failure: { kind: 'grant-revoked' },
      });

      world.script.refresh = () => Promise.resolve(ok(grantOf(3)));
      world.script.exchangeCode = () => Promise.resolve(ok(grantOf(2)));
      await actor.connect(SIGN_IN);
      await settle();
      expect(['t1', 't2', 't3'].map((id) => actor.report(id)?.state)).toEqual(['done', 'done', 'done']);
    }));

  it('is learnt from a caller who waits as well', () =>
    withConnected(async (actor, world) => {
      world.script.readBusy = () => Promise.resolve(fail({ kind: 'consent-missing', scopes: [] }));
      // The refresh that follows shows that the permission is gone.
      world.script.refresh = () => Promise.resolve(ok(grantOf(2, { scopes: [] })));
      await actor.availability({ range: { startMs: 0, endMs: 1 }, timeZone: 'UTC' });
      await settle();
      expect(world.sent).toMatchObject([{ type: 'connector-needs-reauth' }]);
    }));
});

describe('the alarm', () => {
  it('writes a rotated token to the database until it is there', () =>
    withConnected(async (actor, world, state) => {
      world.script.beforeWrite = () => Promise.reject(new Error('D1 is down'));
      await actor.submit([taskOf('t1')]);
      await settle();
      expect(actor.report('t1')).toMatchObject({ state: 'done' });
      for (let n = 0; n < 3; n += 1) {
        // oxlint-disable-next-line no-await-in-loop
        await ring(actor, world);
      }
      const reopened = openActor(state, world);
      const written = world.rows.length;
      world.script.beforeWrite = () => Promise.resolve();
      await ring(reopened, world);
      expect(world.rows.length).toBeGreaterThan(written);
      expect(world.clock.now()).toBeLessThan(START_MS + 60_000);
    }));

  it('writes a rotated token to the database though a crash came before', () =>
    withConnected(async (actor, world, state) => {
      world.script.beforeWrite = () => new Promise(() => {});
      await actor.submit([taskOf('t1')]);
      await settle();
      world.script.beforeWrite = () => Promise.resolve();
      const written = world.rows.length;
      const reopened = openActor(state, world);
      while (world.rows.length === written) {
        // oxlint-disable-next-line no-await-in-loop
        await ring(reopened, world);
      }
      expect(world.clock.now()).toBeLessThanOrEqual(START_MS + 30_000);
    }));

  it('is set again by tending when it has vanished, in this life of the actor or before it', () =>
    withConnected(async (actor, world, state) => {
      world.script.refresh = () => Promise.resolve(DARK);
      await actor.submit([taskOf('t1')]);
      await settle();
      expect(actor.report('t1')).toMatchObject({ state: 'accepted', attempts: 1 });
      world.alarm.atMs = null;
      await world.clock.advance(60_000);
      for (const left of [actor, openActor(state, world)]) {
        world.alarm.atMs = null;
        // oxlint-disable-next-line no-await-in-loop
        await left.tend();
        expect(world.alarm.atMs).toBe(world.clock.now() + 1);
      }
    }));

  it('is left by tending where it stands', () =>
    withConnected(async (actor, world, state) => {
      await actor.submit([taskOf('t1')]);
      await settle();
      const sets = world.alarm.sets.length;
      await actor.tend();
      await openActor(state, world).tend();
      expect(world.alarm.sets).toHaveLength(sets);
    }));

  it('refreshes the token of a connector in use before it expires, and spreads it', () =>
    withConnected(async (actor, world) => {
      await actor.availability({ range: { startMs: 0, endMs: 1 }, timeZone: 'UTC' });
      expect(world.alarm.atMs).toBe(START_MS + HOUR_MS - 1.5 * 300_000);
      await ring(actor, world);
      expect(world.calls).toContain('refresh refresh-1');
    }));

  it('leaves a connector that is not in use alone', () =>
    withConnected(async (actor, world) => {
      await ring(actor, world);
      expect(world.calls).toEqual([]);
      expect(world.alarm.atMs).toBe(null);
    }));

  it('stops refreshing for a connector that was last used more than an hour ago', () =>
    withConnected(async (actor, world) => {
      await actor.availability({ range: { startMs: 0, endMs: 1 }, timeZone: 'UTC' });
      while (world.alarm.atMs !== null) {
        // oxlint-disable-next-line no-await-in-loop
        await ring(actor, world);
      }
      expect(world.calls.filter((call) => call.startsWith('refresh'))).toEqual(['refresh refresh-1']);
    }));

  it('notes its use once in a while, and not with each task', () =>
    withConnected(async (actor, { clock }, state) => {
      const noted = () =>
        state.storage.sql.exec(`SELECT value ->> 'atMs' AS atMs FROM fact WHERE name = 'last-use'`).one()[
          'atMs'
        ];
      await actor.submit([taskOf('t1')]);
      await clock.advance(9 * 60_000);
      await actor.submit([taskOf('t2')]);
      expect(noted()).toBe(START_MS);
      await clock.advance(2 * 60_000);
      await actor.submit([taskOf('t3')]);
      expect(noted()).toBe(START_MS + 11 * 60_000);
    }));

  it('tries a refresh ahead of time again, and suspends the connection when the grant is dead', () =>
    withConnected(async (actor, world) => {
      await actor.availability({ range: { startMs: 0, endMs: 1 }, timeZone: 'UTC' });
      world.script.refresh = () => Promise.resolve(DARK);
      await ring(actor, world);
      expect(world.sent).toEqual([]);
      expect(world.alarm.atMs).toBe(world.clock.now() + 60_000 + 16_000);
      world.script.refresh = () => Promise.resolve(REVOKED);
      await world.clock.advance(60_000);
      await ring(actor, world);
      expect(world.sent).toMatchObject([{ type: 'connector-needs-reauth' }]);
    }));

  it('does not chase a token that lives for a second, or not at all', () =>
    withActor(async (actor, world) => {
      const { clock, script, calls } = world;
      for (const lifeMs of [1_000, 0]) {
        const short = () => Promise.resolve(ok(grantOf(1, { expiresAtMs: clock.now() + lifeMs })));
        script.exchangeCode = short;
        script.refresh = short;
        // oxlint-disable-next-line no-await-in-loop
        await actor.connect(SIGN_IN);
        // oxlint-disable-next-line no-await-in-loop
        await actor.availability({ range: { startMs: 0, endMs: 1 }, timeZone: 'UTC' });
        calls.length = 0;
        const startedAtMs = clock.now();
        for (let n = 0; n < 10; n += 1) {
          // oxlint-disable-next-line no-await-in-loop
          await ring(actor, world);
        }
        expect(calls.filter((call) => call.startsWith('refresh')).length).toBeLessThanOrEqual(10);
        expect(clock.now() - startedAtMs).toBeGreaterThanOrEqual(9 * 60_000);
      }
    }));

  it('forgets results after a day, and arms no other while nothing is due', () =>
    withConnected(async (actor, world) => {
      await actor.submit([taskOf('t1')]);
      await settle();
      await world.clock.advance(DAY_MS + 1);
      await ring(actor, world);
      expect(actor.report('t1')).toBe(undefined);
    }));

  it('never rejects for what fails in it, and does the rest', () =>
    withConnected(async (actor, world) => {
      await actor.submit([taskOf('t1')]);
      await settle();
      world.script.refresh = () => Promise.reject(new Error('bug'));
      await ring(actor, world);
      await world.clock.advance(HOUR_MS - 300_000);
      await ring(actor, world);
      expect(world.events).toContainEqual(expect.objectContaining({ event: 'error', detail: 'Error: bug' }));
    }));
});
