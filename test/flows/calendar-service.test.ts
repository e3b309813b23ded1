import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { beginConnect, connect } from '../local/connect.ts';
import { LOCAL_REDIRECT_URI } from '../local/settings.ts';
import type { Person } from '../sandbox/people.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage();

const MEETING = {
  summary: 'Planning',
  start: '2026-11-23T09:00:00',
  end: '2026-11-23T10:00:00',
  timeZone: 'Europe/Berlin',
};
const TIME = { start: '2026-11-23T09:00:00+01:00', end: '2026-11-23T10:00:00+01:00' };
const DAY = { timeMin: '2026-11-23T00:00:00', timeMax: '2026-11-24T00:00:00', timeZone: 'Europe/Berlin' };

const call = (method: string, ...args: unknown[]) => stage.runtime.rpc(method, ...args);
const recordSchema = z.object({ value: z.object({ result: z.object({ eventId: z.string() }) }) });

function standing(person: Person) {
  return [...(person.calendar('primary')?.calendar.events.values() ?? [])].filter(
    ({ status }) => status !== 'cancelled',
  );
}

describe.each(ACCOUNTS)('another Worker, over its service binding: $label', ({ input }) => {
  it('reads, books, changes and cancels', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const key = { idempotencyKey: crypto.randomUUID() };
    const created = await call('createEvent', connectorId, MEETING, key);
    expect(created).toMatchObject({ ok: true, value: { state: 'done', isRepeat: false, result: TIME } });
    expect(await call('createEvent', connectorId, MEETING, key)).toMatchObject({
      ok: true,
      value: { isRepeat: true },
    });
    const { eventId } = recordSchema.parse(created).value.result;
    expect(await call('availability', connectorId, DAY)).toMatchObject({ ok: true, value: { busy: [TIME] } });
    expect(await call('availabilityOfAll', { connectorIds: [connectorId], ...DAY })).toMatchObject({
      ok: true,
      value: { busy: [TIME] },
    });
    expect(await call('updateEvent', connectorId, { eventId, summary: 'Review' })).toMatchObject({
      ok: true,
      value: { result: { eventId } },
    });
    expect(standing(person)).toMatchObject([{ summary: 'Review' }]);
    expect(await call('cancelEvent', connectorId, { eventId })).toMatchObject({
      ok: true,
      value: { result: { eventId, status: 'cancelled' } },
    });
    expect(standing(person)).toEqual([]);
    expect(await call('getTask', connectorId, key.idempotencyKey)).toMatchObject({
      ok: true,
      value: { type: 'create-event', state: 'done' },
    });
  });

  it('holds, lets go and confirms', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const { summary: _, ...slot } = MEETING;
    expect(await call('placeHold', connectorId, { holdId: 'h', ...slot })).toMatchObject({
      ok: true,
      value: { result: { state: 'held', ...TIME } },
    });
    expect(await call('placeHold', connectorId, { holdId: 'other', ...slot })).toMatchObject({
      ok: false,
      problem: { code: 'conflict', conflicts: [TIME] },
    });
    expect(await call('cancelHold', connectorId, 'other')).toMatchObject({
      ok: true,
      value: { result: { state: 'cancelled' } },
    });
    expect(await call('confirmHold', connectorId, 'h', { summary: 'Planning' })).toMatchObject({
      ok: true,
      value: { result: { state: 'confirmed' } },
    });
    expect(standing(person)).toMatchObject([{ summary: 'Planning' }]);
  });
});

describe('another Worker', () => {
  it('finds a time that suits several people, holds it on all calendars and confirms', async () => {
    const people = ACCOUNTS.map(({ input }) => stage.person(input));
    const connectorIds: string[] = [];
    for (const person of people) connectorIds.push(await connect(stage.runtime, person));
    expect(await call('bookMeeting', ...connectorIds)).toMatchObject({ state: 'confirmed' });
    for (const person of people) expect(standing(person)).toMatchObject([{ summary: 'Planning' }]);
  });

  it('connects a person, lists, shows and disconnects', async () => {
    const person = stage.person();
    const userId = crypto.randomUUID();
    const started = await call('startConnect', {
      userId,
      provider: 'google',
      redirectUri: LOCAL_REDIRECT_URI,
    });
    expect(started).toMatchObject({ ok: true, value: { status: 'pending' } });
    const connectorId = await connect(stage.runtime, person, { userId });
    expect(await call('listConnectors', userId)).toMatchObject({
      ok: true,
      value: {
        connectors: expect.arrayContaining([expect.objectContaining({ connectorId, status: 'active' })]),
      },
    });
    expect(await call('getConnector', connectorId)).toMatchObject({ ok: true, value: { status: 'active' } });
    expect(await call('disconnect', connectorId)).toMatchObject({
      ok: true,
      value: { status: 'disconnected' },
    });
  });

  it('sends tasks to the queue', async () => {
    const connectorId = await connect(stage.runtime, stage.person());
    const tasks = [{ type: 'check-availability', connectorId, payload: DAY }];
    const sent = await call('submitTasks', tasks, { idempotencyKey: connectorId });
    expect(sent).toEqual({ ok: true, value: { ids: [`${connectorId}:0`] } });
    const notice = await stage.runtime.notice(({ taskId }) => taskId === `${connectorId}:0`);
    expect(notice).toMatchObject({ type: 'task-completed' });
  });

  it('is told of every failure as a value, with its fields', async () => {
    const { connectorId } = await beginConnect(stage.runtime, { userId: 'u', provider: 'google' });
    const { end: _, ...half } = MEETING;
    for (const [problem, answer] of [
      [{ code: 'invalid_request', errors: [{ path: 'end' }] }, call('createEvent', connectorId, half)],
      [{ code: 'not_found' }, call('createEvent', crypto.randomUUID(), MEETING)],
      [{ code: 'reauth_required' }, call('createEvent', connectorId, MEETING)],
      [
        { code: 'invalid_request', errors: [{ path: 'idempotencyKey' }] },
        call('createEvent', connectorId, MEETING, { idempotencyKey: 'a b' }),
      ],
      [
        { code: 'invalid_request', errors: [{ path: 'timeMax' }] },
        call('availability', connectorId, { ...DAY, timeMax: DAY.timeMin }),
      ],
      [{ code: 'invalid_request', errors: [{ path: 'holdId' }] }, call('showGroupHold', '')],
      [{ code: 'not_found' }, call('showGroupHold', crypto.randomUUID())],
      [{ code: 'not_found' }, call('getTask', connectorId, 'nobody')],
      [{ code: 'invalid_request' }, call('submitTasks', [{ type: 'dance' }])],
    ] as const) {
      expect(await answer).toMatchObject({ ok: false, problem });
    }
  });
});
