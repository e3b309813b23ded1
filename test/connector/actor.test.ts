import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { Actor } from '../../src/connector/actor.ts';
import { fail, ok } from '../../src/domain/failure.ts';
import {
  createWorld,
  DARK,
  DAY_MS,
  grantOf,
  HOUR_MS,
  IDENTITY_OF_TESTS,
  inFreshObject,
  openStore,
  REVOKED,
  settle,
  SIGN_IN,
  START_MS,
  taskOf,
  type World,
} from './bench.ts';

const QUESTION = { timeMin: '2026-11-23T09:00:00Z', timeMax: '2026-11-23T10:00:00Z', timeZone: 'UTC' };

/** The actor of this storage, as after an eviction. */
function openActor(state: DurableObjectState, world: World): Actor {
  const { clock, script, showcase, provider, alarm, sendNotices, events } = world;
  const config = readConfig(env, (length) => crypto.getRandomValues(new Uint8Array(length)));
  if (!config.ok) throw new Error('the tests have no configuration');
  return new Actor({
    identity: IDENTITY_OF_TESTS,
    config: config.value,
    provider,
    store: openStore(state).store,
    alarm,
    showcase,
    fetch: () => Promise.reject(new Error('no network')),
    now: clock.now,
    random: () => script.random(),
    sleep: clock.sleep,
    sendNotices,
    record: (event) => void events.push(event),
    wipe: async () => {
      await script.wipe();
      alarm.atMs = null;
      await state.storage.deleteAll();
    },
  });
}

function withActor(body: (actor: Actor, world: World, state: DurableObjectState) => Promise<void>) {
  return inFreshObject((state) => {
    const world = createWorld();
    return body(openActor(state, world), world, state);
  });
}

/** With a connected account, whose calls and notices so far are forgotten. */
function withConnected(body: (actor: Actor, world: World, state: DurableObjectState) => Promise<void>) {
  return withActor(async (actor, world, state) => {
    expect(await actor.connect(SIGN_IN)).toEqual({ status: 'connected' });
    await settle();
    world.calls.length = 0;
    world.sent.length = 0;
    await body(actor, world, state);
  });
}

/** Lets the clock run to the alarm, and the alarm go off. */
async function ring(actor: Actor, { alarm, clock }: World): Promise<void> {
  if (alarm.atMs === null) throw new Error('no alarm is set');
  const { atMs } = alarm;
  alarm.atMs = null;
  await clock.advance(Math.max(0, atMs - clock.now()));
  await actor.alarm();
  await settle();
}

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
        taskOf(`t${n}`, { type: 'check-availability', payload: QUESTION }),
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
      world.script.readBusy = () => Promise.resolve(fail({ kind: 'consent-missing', scopes: ['calendar'] }));
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
      expect(world.alarm.atMs).not.toBe(null);
      world.script.wipe = () => Promise.resolve();
      while (world.alarm.atMs !== null) {
        // oxlint-disable-next-line no-await-in-loop
        await ring(actor, world);
      }
      expect(state.storage.sql.exec('SELECT name FROM sqlite_master').toArray()).toEqual([]);
    }));
});
