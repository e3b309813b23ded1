import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../src/domain/failure.ts';
import { openActor } from './bench-actor.ts';
import { DAY, pass, place, run, SLOT, withHolds } from './bench-holds.ts';
import { HOUR_MS, settle, taskOf } from './world.ts';

const LATER = { start: '2026-11-24T15:00:00Z', end: '2026-11-24T16:00:00Z', timeZone: 'UTC' };
const GUESTS = { summary: 'Planning', attendees: [{ email: 'g@example.com' }] };

describe('a place that comes to run late', () => {
  it('makes nothing again where its hold ran out, though another had the id since', () =>
    withHolds(async (actor, calendar, world, state) => {
      let life = actor;
      // What is open is known in memory: only a new life learns of it.
      const putOff = (id: string, ms: number) => {
        state.storage.sql.exec('UPDATE task SET due_at = ? WHERE id = ?', world.clock.now() + ms, id);
        life = openActor(state, world);
      };
      const soon = { onConflict: 'allow', ttlSeconds: 30 };
      calendar.weather = () => 'down';
      const first = await place(actor, 'h', soon);
      putOff(first.id, 600_000);
      await pass(life, world, 31_000);
      const second = await place(life, 'h', soon);
      putOff(second.id, 900_000);
      await pass(life, world, 540_000);
      calendar.weather = (call) => (call === 'remove' ? 'down' : 'fair');
      await pass(life, world, 60_000);
      expect(life.report(first.id)).toMatchObject({ state: 'done', result: { state: 'expired' } });
      expect(calendar.log).toEqual([]);
    }));
});

describe('a removal that is put off while a place looks for free time', () => {
  it('is on the agenda, though nothing is placed', () =>
    withHolds(async (actor, calendar, world, state) => {
      await place(actor, 'h');
      calendar.weather = (call) => (call === 'cancel' ? 'refused' : 'fair');
      world.script.random = () => 0.99;
      await run(actor, 'cancel-hold', { holdId: 'h' });
      await pass(actor, world, 5 * 60_000);
      world.script.random = () => 0.001;
      expect(await place(actor, 'other')).toMatchObject({ state: 'failed', error: { code: 'conflict' } });
      const { due_at: dueAtMs } = state.storage.sql.exec('SELECT due_at FROM leftover').one();
      expect(world.alarm.atMs).toBe(dueAtMs);
    }));
});

describe('a hold that is let go while it may still be written', () => {
  it('leaves nothing in the calendar, though its entry comes only after it was looked for', () =>
    withHolds(async (actor, calendar, world) => {
      calendar.weather = (call) => (call === 'create' ? 'late' : 'fair');
      await place(actor, 'h');
      await run(actor, 'cancel-hold', { holdId: 'h' });
      calendar.arrive();
      expect(calendar.events.size).toBe(1);
      calendar.weather = () => 'fair';
      await pass(actor, world, 60_000);
      expect(calendar.events.size).toBe(0);
    }));

  it('is looked for no more once nothing can come', () =>
    withHolds(async (actor, calendar, world, state) => {
      let looked = 0;
      calendar.weather = (call) => {
        if (call === 'remove') looked += 1;
        return call === 'create' ? 'down' : 'fair';
      };
      await place(actor, 'h');
      await run(actor, 'cancel-hold', { holdId: 'h' });
      await pass(actor, world, HOUR_MS);
      // By the cancel, by the place that is tried again, and when no call of either can be open any longer.
      expect(looked).toBe(3);
      expect(state.storage.sql.exec('SELECT key FROM leftover').toArray()).toEqual([]);
    }));
});

describe('an id that is used again', () => {
  it('is not let go by a cancel that was meant for the hold before', () =>
    withHolds(async (actor, calendar, world) => {
      await place(actor, 'h');
      calendar.weather = (call) => (call === 'cancel' ? 'down' : 'fair');
      // Let go, though its event cannot be taken away yet.
      expect(await run(actor, 'cancel-hold', { holdId: 'h' })).toMatchObject({
        state: 'done',
        result: { state: 'cancelled' },
      });
      calendar.weather = () => 'fair';
      expect(await place(actor, 'h', LATER)).toMatchObject({ result: { state: 'held' } });
      await pass(actor, world, 60_000);
      expect([...calendar.events.values()]).toMatchObject([{ isHold: true }]);
    }));

  it('is not confirmed by a confirm that was meant for the hold before', () =>
    withHolds(async (actor, calendar, world) => {
      await place(actor, 'h');
      calendar.weather = (call) => (call === 'update' ? 'down' : 'fair');
      const { id } = await run(actor, 'confirm-hold', { holdId: 'h', ...GUESTS });
      calendar.weather = () => 'fair';
      await run(actor, 'cancel-hold', { holdId: 'h' });
      expect(await place(actor, 'h', LATER)).toMatchObject({ result: { state: 'held' } });
      await pass(actor, world, 60_000);
      expect(actor.report(id)).toMatchObject({ state: 'failed', error: { code: 'conflict' } });
      expect([...calendar.events.values()]).toMatchObject([{ isHold: true, attendees: [] }]);
    }));

  it('holds again when the event that it became has been cancelled', () =>
    withHolds(async (actor, calendar) => {
      await place(actor, 'h');
      await run(actor, 'confirm-hold', { holdId: 'h', summary: 'Planning' });
      expect(await place(actor, 'h')).toMatchObject({ state: 'failed', error: { code: 'conflict' } });
      const [eventId = ''] = calendar.events.keys();
      await run(actor, 'cancel-event', { eventId });
      expect(await place(actor, 'h')).toMatchObject({ result: { state: 'held' } });
      expect(calendar.events.size).toBe(1);
    }));
});

describe('a hold that is confirmed', () => {
  it('was confirmed in time when that was asked in time, however long it waited for its turn', () =>
    withHolds(async (actor, _, world) => {
      await place(actor, 'h', { ttlSeconds: 30 });
      const turn = Promise.withResolvers<void>();
      const { createEvent } = world.script;
      world.script.createEvent = async (creation, draft) => {
        await turn.promise;
        return await createEvent(creation, draft);
      };
      const slow = taskOf('slow', { type: 'create-event', payload: { summary: 'x', ...LATER } });
      await actor.submit([slow]);
      await pass(actor, world, 20_000);
      const confirm = taskOf('in-time', { type: 'confirm-hold', payload: { holdId: 'h', summary: 'M' } });
      await actor.submit([confirm]);
      await pass(actor, world, 15_000);
      turn.resolve();
      await settle();
      await settle();
      expect(actor.report('in-time')).toMatchObject({ state: 'done', result: { state: 'confirmed' } });
    }));

  it('is at the time that was held, wherever the person has moved the entry', () =>
    withHolds(async (actor, _, world) => {
      await place(actor, 'h');
      const changes: unknown[] = [];
      const { updateEvent } = world.script;
      world.script.updateEvent = (change) => {
        changes.push(change.time);
        return updateEvent(change);
      };
      await run(actor, 'confirm-hold', { holdId: 'h', summary: 'M' });
      const [startMs, endMs] = [Date.parse(SLOT.start), Date.parse(SLOT.end)];
      expect(changes).toEqual([{ kind: 'timed', startMs, endMs, timeZone: 'UTC' }]);
    }));

  it('tells its guests when it goes, though the confirm failed for good as far as was known', () =>
    withHolds(async (actor, calendar, world) => {
      const notified: string[] = [];
      const { cancelEvent } = world.script;
      world.script.cancelEvent = (cancellation) => {
        notified.push(cancellation.notify);
        return cancelEvent(cancellation);
      };
      await place(actor, 'h');
      calendar.weather = (call) => (call === 'update' ? 'lost' : 'fair');
      const deadlineMs = world.clock.now() + 600_000;
      await actor.submit([
        taskOf('lost', { type: 'confirm-hold', payload: { holdId: 'h', ...GUESTS }, deadlineMs }),
      ]);
      await pass(actor, world, 2 * HOUR_MS);
      expect(actor.report('lost')).toMatchObject({ state: 'failed' });
      expect([notified, calendar.events.size]).toEqual([['all'], 0]);
    }));
});

describe('the events of holds that are over', () => {
  it('are removed one at a time, and a booking comes in between', () =>
    withHolds(async (actor, _, world) => {
      for (let n = 0; n < 5; n += 1) {
        // oxlint-disable-next-line no-await-in-loop
        await place(actor, `h${n}`, { onConflict: 'allow', ttlSeconds: 10 });
      }
      const ends: (() => void)[] = [];
      const { cancelEvent } = world.script;
      world.script.cancelEvent = async (cancellation) => {
        await new Promise<void>((end) => {
          ends.push(end);
        });
        return await cancelEvent(cancellation);
      };
      await pass(actor, world, 11_000);
      const urgent = { holdId: 'urgent', ...LATER };
      await actor.submit([taskOf('urgent', { type: 'place-hold', payload: urgent })]);
      await settle();
      expect([ends.length, actor.report('urgent')?.state]).toEqual([1, 'running']);
      ends.shift()?.();
      await settle();
      await settle();
      expect(actor.report('urgent')).toMatchObject({ state: 'done' });
    }));

  it('that the provider will not have removed are left after a day, and take no time from anybody', () =>
    withHolds(async (actor, calendar, world) => {
      await place(actor, 'h', { ttlSeconds: 10, calendarId: 'shared' });
      let tries = 0;
      world.script.cancelEvent = () => {
        tries += 1;
        return Promise.resolve(fail({ kind: 'consent-missing', scopes: [] }));
      };
      await pass(actor, world, HOUR_MS);
      calendar.events.clear();
      expect(await place(actor, 'other', { ttlSeconds: 1 })).toMatchObject({ result: { state: 'held' } });
      world.script.cancelEvent = () => {
        tries += 1;
        return Promise.resolve(fail({ kind: 'consent-missing', scopes: [] }));
      };
      await pass(actor, world, 48 * HOUR_MS);
      const atRest = tries;
      await pass(actor, world, 48 * HOUR_MS);
      expect(tries).toBe(atRest);
    }));

  it('are removed when a throttle has passed, however often it was in the way of that', () =>
    withHolds(async (actor, calendar, world) => {
      await place(actor, 'h');
      const { cancelEvent } = world.script;
      const passedAtMs = world.clock.now() + 60_000;
      world.script.cancelEvent = (cancellation) =>
        world.clock.now() < passedAtMs
          ? Promise.resolve(
              fail({ kind: 'throttled', scope: 'user', retryAtMs: passedAtMs, unsent: true } as const),
            )
          : cancelEvent(cancellation);
      world.script.random = () => 0.99;
      await run(actor, 'cancel-hold', { holdId: 'h' });
      // Each tries to take it away, in vain.
      for (let index = 0; index < 12; index += 1) await run(actor, 'cancel-hold', { holdId: 'h' });
      await pass(actor, world, 63_000);
      expect(calendar.log.filter((line) => line.startsWith('removed'))).toHaveLength(1);
    }));

  it('are removed, and told, in a life that began after they were placed', () =>
    withHolds(async (actor, calendar, world, state) => {
      await place(actor, 'h', { ttlSeconds: 600 });
      await pass(actor, world, 60_000);
      expect(calendar.events.size).toBe(1);
      await pass(openActor(state, world), world, 600_000);
      expect(calendar.events.size).toBe(0);
      expect(world.sent.filter(({ type }) => type === 'hold-expired')).toHaveLength(1);
    }));

  it('are tried with a rest in between when a removal throws', () =>
    withHolds(async (actor, _, world) => {
      await place(actor, 'h', { ttlSeconds: 10 });
      world.script.cancelEvent = () => {
        throw new Error('a bug');
      };
      expect(await pass(actor, world, 60_000)).toBeLessThan(30);
    }));
});

describe('what a caller was told', () => {
  it('stays so: a refused hold is not placed by a crash that came before the notice', () =>
    withHolds(async (actor, calendar, world, state) => {
      calendar.busy = [{ startMs: Date.parse(SLOT.start), endMs: Date.parse(SLOT.end) }];
      world.script.sendNotices = () => new Promise(() => {});
      const refused = taskOf('refused', { type: 'place-hold', payload: { holdId: 'h', ...SLOT } });
      expect(await actor.perform(refused, 25_000)).toMatchObject({
        value: { report: { state: 'failed', error: { code: 'conflict' } } },
      });
      calendar.busy = [];
      world.script.sendNotices = () => Promise.resolve();
      const next = openActor(state, world);
      await pass(next, world, 60_000);
      expect(next.report('refused')).toMatchObject({ state: 'failed' });
      expect(calendar.events.size).toBe(0);
      expect(world.sent.filter(({ taskId }) => taskId === 'refused')).toMatchObject([
        { type: 'task-failed' },
      ]);
    }));
});

describe('a hold on the primary calendar by its name', () => {
  it('counts as busy whatever name the question has for it', () =>
    withHolds(async (actor, calendar) => {
      calendar.weather = (call) => (call === 'create' ? 'down' : 'fair');
      await place(actor, 'h', { calendarId: 'primary' });
      expect(await actor.availability({ ...DAY, calendars: ['ada@example.com'] })).toMatchObject({
        value: { busy: [{}] },
      });
    }));
});

describe('a disconnect', () => {
  it('takes along the hold that is being placed', () =>
    withHolds(async (actor, calendar, world) => {
      await place(actor, 'one');
      const turn = Promise.withResolvers<void>();
      const { readBusy } = world.script;
      world.script.readBusy = async (question, access) => {
        await turn.promise;
        return await readBusy(question, access);
      };
      await actor.submit([taskOf('two', { type: 'place-hold', payload: { holdId: 'two', ...LATER } })]);
      await settle();
      const gone = actor.disconnect();
      await settle();
      turn.resolve();
      await gone;
      await settle();
      expect(calendar.events.size).toBe(0);
    }));

  it('during a sweep writes nothing to what is gone', () =>
    withHolds(async (actor, _, world) => {
      await place(actor, 'h', { ttlSeconds: 10 });
      const removal = Promise.withResolvers<void>();
      world.script.cancelEvent = async () => {
        await removal.promise;
        return ok(undefined);
      };
      await pass(actor, world, 11_000);
      const gone = actor.disconnect();
      await settle();
      removal.resolve();
      await gone;
      await settle();
      expect(world.events.filter(({ event }) => event === 'error')).toEqual([]);
    }));
});
