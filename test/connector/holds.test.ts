import { describe, expect, it } from 'vitest';
import type { Actor } from '../../src/connector/actor.ts';
import { fail, ok } from '../../src/domain/failure.ts';
import { openActor } from './bench-actor.ts';
import { DAY, pass, place, run, withHolds } from './bench-holds.ts';
import { DARK, HOUR_MS, REVOKED, settle, SIGN_IN, START_MS, taskOf } from './world.ts';

const TIME = { start: '2026-11-24T09:00:00+00:00', end: '2026-11-24T10:00:00+00:00' };

describe('placing a hold', () => {
  it('asks the provider when it is free, then writes one event', () =>
    withHolds(async (actor, calendar, { calls }) => {
      expect(await place(actor, 'h')).toMatchObject({
        state: 'done',
        result: { holdId: 'h', state: 'held', ...TIME, expiresAt: '2026-11-23T08:15:00+00:00' },
      });
      expect(calls).toEqual(['create Hold (not confirmed yet)']);
      expect([...calendar.events.values()]).toMatchObject([{ isHold: true }]);
    }));

  it('carries the name that all connectors of a group know it by', () =>
    withHolds(async (actor, _, world) => {
      const marks: (string | undefined)[] = [];
      const { createEvent } = world.script;
      world.script.createEvent = (creation, draft) => {
        marks.push(draft.holdId);
        return createEvent(creation, draft);
      };
      await place(actor, 'alone', { onConflict: 'allow' });
      await place(actor, 'part', { onConflict: 'allow', groupId: 'whole' });
      expect(marks).toEqual(['alone', 'whole']);
    }));

  it('makes no call where another hold is', () =>
    withHolds(async (actor, calendar) => {
      await place(actor, 'h');
      calendar.weather = () => 'down';
      expect(await place(actor, 'other')).toMatchObject({
        state: 'failed',
        error: { code: 'conflict', conflicts: [TIME] },
      });
    }));

  it('waits for a calendar that may yet be read, and refuses where one never will be', () =>
    withHolds(async (actor, calendar, world) => {
      world.script.readBusy = () =>
        Promise.resolve(
          ok({
            calendars: [
              { id: 'a', busy: ok([]) },
              { id: 'b', busy: DARK },
            ],
          }),
        );
      const { id } = await place(actor, 'h');
      expect(actor.report(id)).toMatchObject({ state: 'accepted', attempts: 1 });
      world.script.readBusy = () =>
        Promise.resolve(
          ok({ calendars: [{ id: 'b', busy: fail({ kind: 'not-found', what: 'calendar' }) }] }),
        );
      await pass(actor, world, 60_000);
      expect(actor.report(id)).toMatchObject({
        state: 'failed',
        error: { code: 'provider_unavailable', message: expect.stringContaining('b'), retryable: false },
      });
      expect(calendar.events.size).toBe(0);
      expect(await place(actor, 'h', { onConflict: 'allow' })).toMatchObject({ state: 'done' });
    }));

  it('asks only for the calendars that are to be free, when they are named', () =>
    withHolds(async (actor, _, { script }) => {
      const asked: unknown[] = [];
      script.readBusy = (question) => {
        asked.push(question.calendars);
        return Promise.resolve(ok({ calendars: [] }));
      };
      await place(actor, 'h', { calendars: ['team', 'team'] });
      expect(asked).toEqual([['team']]);
    }));

  it('that the provider refuses leaves the time free, and nothing in the calendar', () =>
    withHolds(async (actor, calendar, world) => {
      calendar.weather = (call) => (call === 'create' ? 'refused' : 'fair');
      expect(await place(actor, 'h')).toMatchObject({
        state: 'failed',
        error: { code: 'provider_rejected' },
      });
      calendar.weather = () => 'fair';
      await pass(actor, world, 60_000);
      expect(await place(actor, 'h')).toMatchObject({ state: 'done', result: { state: 'held' } });
      expect(calendar.events.size).toBe(1);
    }));

  it('goes on after an eviction, with one event', () =>
    withHolds(async (actor, calendar, world, state) => {
      calendar.weather = (call) => (call === 'create' ? 'lost' : 'fair');
      const { id } = await place(actor, 'h');
      calendar.weather = () => 'fair';
      const next = openActor(state, world);
      await pass(next, world, 60_000);
      expect(next.report(id)).toMatchObject({ state: 'done', result: { state: 'held' } });
      expect(calendar.log).toHaveLength(1);
    }));

  it('that runs out before its event is there ends as expired, and takes the event away', () =>
    withHolds(async (actor, calendar, world) => {
      calendar.weather = (call) => (call === 'create' ? 'lost' : 'fair');
      const { id } = await place(actor, 'h', { ttlSeconds: 1 });
      await pass(actor, world, 1_500);
      calendar.weather = () => 'fair';
      await pass(actor, world, 60_000);
      expect(actor.report(id)).toMatchObject({ state: 'done', result: { state: 'expired' } });
      expect(calendar.events.size).toBe(0);
    }));

  it('is overtaken by a cancel that comes while it waits to be tried again', () =>
    withHolds(async (actor, calendar, world) => {
      calendar.weather = () => 'down';
      const { id } = await place(actor, 'h');
      calendar.weather = () => 'fair';
      expect(await run(actor, 'cancel-hold', { holdId: 'h' })).toMatchObject({
        state: 'done',
        result: { holdId: 'h', state: 'cancelled' },
      });
      await pass(actor, world, 16 * 60_000);
      expect(actor.report(id)).toMatchObject({ state: 'done', result: { state: 'cancelled' } });
      expect(calendar.log).toEqual([]);
    }));

  it('that was cancelled leaves nothing, also when the provider carries it out only then', () =>
    withHolds(async (actor, calendar, world) => {
      const keys: string[] = [];
      const { createEvent } = world.script;
      world.script.createEvent = (creation, draft) => {
        keys.push(creation.key);
        return createEvent(creation, draft);
      };
      calendar.weather = (call) => (call === 'create' ? 'down' : 'fair');
      const { id } = await place(actor, 'h');
      calendar.weather = () => 'fair';
      await run(actor, 'cancel-hold', { holdId: 'h' });
      const [key = ''] = keys;
      calendar.events.set(key, { key, startMs: 0, endMs: 1, summary: '', isHold: true, attendees: [] });
      await pass(actor, world, 60_000);
      expect(actor.report(id)).toMatchObject({ result: { state: 'cancelled' } });
      expect(calendar.events.size).toBe(0);
    }));
});

describe('a live hold', () => {
  it('is busy at once, from the moment it is recorded, and no longer when it is over', () =>
    withHolds(async (actor, calendar, world) => {
      const busy = async () => {
        const answer = await actor.availability(DAY);
        return answer.ok ? answer.value.busy : answer.failure;
      };
      calendar.weather = (call) => (call === 'create' ? 'down' : 'fair');
      await place(actor, 'h');
      expect(calendar.events.size).toBe(0);
      expect(await busy()).toEqual([TIME]);
      await run(actor, 'cancel-hold', { holdId: 'h' });
      expect(await busy()).toEqual([]);
      await pass(actor, world, 60_000);
      expect(calendar.events.size).toBe(0);
    }));

  it('on another calendar than those asked for does not count', () =>
    withHolds(async (actor, calendar) => {
      await place(actor, 'h', { calendarId: 'team' });
      calendar.events.clear();
      const busyOn = async (calendars: string[]) => {
        const answer = await actor.availability({ ...DAY, calendars });
        return answer.ok && answer.value.busy;
      };
      expect(await busyOn(['team'])).toEqual([TIME]);
      expect(await busyOn(['other'])).toEqual([]);
    }));

  it('runs out on time though its alarm is late', () =>
    withHolds(async (actor, calendar, { clock, sent }) => {
      await place(actor, 'h', { ttlSeconds: 60 });
      await clock.advance(60_000);
      expect(await run(actor, 'confirm-hold', { holdId: 'h', summary: 'x' })).toMatchObject({
        state: 'failed',
        error: { code: 'conflict' },
      });
      expect(await place(actor, 'other')).toMatchObject({ state: 'done', result: { state: 'held' } });
      expect(sent.filter(({ type }) => type === 'hold-expired')).toMatchObject([
        { connectorId: 'connector-1', result: { holdId: 'h', state: 'expired', ...TIME } },
      ]);
      expect(calendar.events.size).toBe(1);
    }));

  it('leaves its event to be removed until the provider does it', () =>
    withHolds(async (actor, calendar, world) => {
      await place(actor, 'h', { ttlSeconds: 60 });
      calendar.weather = () => 'down';
      await pass(actor, world, 10 * 60_000);
      expect(calendar.events.size).toBe(1);
      calendar.weather = () => 'fair';
      await pass(actor, world, 30 * 60_000);
      expect(calendar.events.size).toBe(0);
      expect(world.sent.filter(({ type }) => type === 'hold-expired')).toHaveLength(1);
    }));

  it('whose account cannot be reached is removed when it can be again', () =>
    withHolds(async (actor, calendar, world) => {
      await place(actor, 'h', { ttlSeconds: 60 });
      const { refresh } = world.script;
      world.script.refresh = () => Promise.resolve(REVOKED);
      await actor.submit([taskOf('refresh')]);
      await settle();
      await pass(actor, world, HOUR_MS);
      expect(calendar.events.size).toBe(1);
      world.script.refresh = refresh;
      expect(await actor.connect(SIGN_IN)).toEqual({ status: 'connected' });
      await pass(actor, world, 60_000);
      expect(calendar.events.size).toBe(0);
    }));
});

describe('confirming a hold', () => {
  const confirm = (actor: Actor, holdId = 'h') =>
    run(actor, 'confirm-hold', { holdId, summary: 'Planning', attendees: [{ email: 'g@example.com' }] });

  it('makes its entry the event, which no time-out takes away', () =>
    withHolds(async (actor, calendar, world) => {
      await place(actor, 'h', { ttlSeconds: 60 });
      expect(await confirm(actor)).toMatchObject({
        state: 'done',
        result: { state: 'confirmed', event: { status: 'confirmed' } },
      });
      await pass(actor, world, HOUR_MS);
      expect([...calendar.events.values()]).toMatchObject([{ summary: 'Planning', isHold: false }]);
      expect(world.sent.map(({ type }) => type)).not.toContain('hold-expired');
    }));

  it('that takes several tries keeps the hold from running out meanwhile', () =>
    withHolds(async (actor, calendar, world) => {
      await place(actor, 'h', { ttlSeconds: 60 });
      calendar.weather = (call) => (call === 'update' ? 'down' : 'fair');
      const { id } = await confirm(actor);
      await pass(actor, world, 5 * 60_000);
      expect(await place(actor, 'other')).toMatchObject({ error: { code: 'conflict' } });
      calendar.weather = () => 'fair';
      await pass(actor, world, 30 * 60_000);
      expect(actor.report(id)).toMatchObject({ state: 'done', result: { state: 'confirmed' } });
      expect(calendar.events.size).toBe(1);
    }));

  it('that is refused leaves the hold as it was, to run out', () =>
    withHolds(async (actor, calendar, world) => {
      await place(actor, 'h', { ttlSeconds: 60 });
      calendar.weather = (call) => (call === 'update' ? 'refused' : 'fair');
      expect(await confirm(actor)).toMatchObject({ state: 'failed', error: { code: 'provider_rejected' } });
      expect(await place(actor, 'other')).toMatchObject({ error: { code: 'conflict' } });
      await pass(actor, world, 2 * 60_000);
      expect(calendar.events.size).toBe(0);
    }));

  it('of an entry that the person has removed ends the hold', () =>
    withHolds(async (actor, calendar, world) => {
      await place(actor, 'h');
      calendar.events.clear();
      // Looked at once more: what was written a moment ago may not be seen yet.
      const { id } = await confirm(actor);
      expect(actor.report(id)).toMatchObject({ state: 'accepted' });
      await pass(actor, world, 60_000);
      expect(actor.report(id)).toMatchObject({ state: 'failed', error: { code: 'conflict' } });
      expect(await place(actor, 'other')).toMatchObject({ result: { state: 'held' } });
    }));

  it('waits for a hold that is still being placed', () =>
    withHolds(async (actor, calendar, world) => {
      calendar.weather = (call) => (call === 'create' ? 'down' : 'fair');
      await place(actor, 'h');
      const { id } = await confirm(actor);
      expect(actor.report(id)).toMatchObject({ state: 'accepted' });
      calendar.weather = () => 'fair';
      await pass(actor, world, 60_000);
      expect(actor.report(id)).toMatchObject({ state: 'done', result: { state: 'confirmed' } });
    }));

  it('is the same when it is asked for again, and another is told apart', () =>
    withHolds(async (actor, calendar) => {
      await place(actor, 'h');
      await confirm(actor);
      expect(await confirm(actor)).toMatchObject({ state: 'done', result: { state: 'confirmed' } });
      expect(await run(actor, 'confirm-hold', { holdId: 'h', summary: 'Other' })).toMatchObject({
        error: { code: 'idempotency_mismatch' },
      });
      expect(calendar.log).toHaveLength(2);
    }));

  it('of a hold that is not there is not found', () =>
    withHolds(async (actor) => {
      expect(await confirm(actor, 'nobody')).toMatchObject({ error: { code: 'not_found' } });
    }));
});

it('a disconnect takes the holds along, and does not wait for a provider that is down', () =>
  withHolds(async (actor, calendar, world) => {
    await place(actor, 'h');
    await actor.disconnect();
    expect(calendar.events.size).toBe(0);
    expect(world.clock.now()).toBe(START_MS);
  }));
