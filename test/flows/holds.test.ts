import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { connect } from '../local/connect.ts';
import type { Person } from '../sandbox/people.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage();

const SLOT = { start: '2026-11-24T09:00:00', end: '2026-11-24T10:00:00', timeZone: 'Europe/Berlin' };
const TIME = { start: '2026-11-24T09:00:00+01:00', end: '2026-11-24T10:00:00+01:00' };
const LATER = { ...SLOT, start: '2026-11-24T13:00:00', end: '2026-11-24T14:00:00' };
const DAY = { timeMin: '2026-11-24T00:00:00', timeMax: '2026-11-25T00:00:00', timeZone: 'Europe/Berlin' };

const holdSchema = z.object({ holdId: z.string(), state: z.string(), eventId: z.string() });

function place(connectorId: string, body: object) {
  return stage.runtime.api('POST', `/v1/connectors/${connectorId}/holds`, body);
}

async function hold(connectorId: string, body: object = SLOT) {
  const holdId = crypto.randomUUID();
  const answer = await place(connectorId, { holdId, ...body });
  expect(answer).toMatchObject({ status: 201, json: { holdId, state: 'held' } });
  return holdSchema.parse(answer.json);
}

function cancel(connectorId: string, holdId: string) {
  return stage.runtime.api('DELETE', `/v1/connectors/${connectorId}/holds/${holdId}`);
}

function confirm(connectorId: string, holdId: string, body: object) {
  return stage.runtime.api('POST', `/v1/connectors/${connectorId}/holds/${holdId}/confirm`, body);
}

async function busyOf(connectorId: string): Promise<unknown> {
  const answer = await stage.runtime.api('POST', `/v1/connectors/${connectorId}/availability`, DAY);
  return z.object({ busy: z.unknown() }).parse(answer.json).busy;
}

/** The events that stand in a person's primary calendar, as the provider keeps them. */
function standing(person: Person) {
  return [...(person.calendar('primary')?.calendar.events.values() ?? [])].filter(
    ({ status }) => status !== 'cancelled',
  );
}

function effects(person: Person) {
  return stage.sandbox.truth.effects
    .filter(({ person: who }) => who === person.email)
    .map(({ deed }) => deed);
}

const CREATE = { google: 'google.events.insert', microsoft: 'graph.events.create' };
const CHANGE = { google: 'google.events.patch', microsoft: 'graph.events.update' };

describe.each(ACCOUNTS)('a hold of an account: $label', ({ input }) => {
  it('is a tentative, private, clearly titled event that carries the hold id, and counts as busy', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const answer = await place(connectorId, { holdId: 'a hold/1', ttlSeconds: 600, ...SLOT });
    expect(answer).toMatchObject({
      status: 201,
      json: { holdId: 'a hold/1', eventId: expect.stringMatching(/./), state: 'held', ...TIME },
    });
    const expiresAt = Date.parse(z.object({ expiresAt: z.string() }).parse(answer.json).expiresAt);
    expect(Math.abs(expiresAt - Date.now() - 600_000)).toBeLessThan(60_000);
    const [event, ...others] = standing(person);
    expect(others).toEqual([]);
    expect(event).toMatchObject({ isPrivate: true, showAs: 'tentative' });
    expect(event?.summary).toMatch(/hold/i);
    expect(event?.marks?.map(({ value }) => value)).toContain('a hold/1');
    expect(await busyOf(connectorId)).toEqual([TIME]);
    expect(stage.sandbox.truth.refusals.filter(({ person: who }) => who === person.email)).toEqual([]);
  });

  it('is refused where another hold or an event is, with the parts that are taken', async () => {
    const person = stage.person(input);
    person.addEvent('primary', { summary: 'Review', start: '2026-11-24T09:30', end: '2026-11-24T11:00' });
    const connectorId = await connect(stage.runtime, person);
    await hold(connectorId, LATER);
    for (const [slot, conflicts] of [
      [SLOT, [{ start: '2026-11-24T09:30:00+01:00', end: '2026-11-24T10:00:00+01:00' }]],
      [
        { ...SLOT, start: '2026-11-24T12:30:00', end: '2026-11-24T13:30:00' },
        [{ start: '2026-11-24T13:00:00+01:00', end: '2026-11-24T13:30:00+01:00' }],
      ],
    ] as const) {
      const refused = await place(connectorId, { holdId: crypto.randomUUID(), ...slot });
      expect(refused).toMatchObject({ status: 409, json: { code: 'conflict', conflicts } });
    }
    expect(effects(person)).toEqual(['created']);
    await hold(connectorId, { ...SLOT, onConflict: 'allow' });
  });

  it('is won by exactly one of those who want the same time at once', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => place(connectorId, { holdId: crypto.randomUUID(), ...SLOT })),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      201, 409, 409, 409, 409, 409,
    ]);
    expect(standing(person)).toHaveLength(1);
  });

  it('is one, however often it is asked for, and its id holds nothing else', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const { holdId, eventId } = await hold(connectorId);
    expect(await place(connectorId, { holdId, ...SLOT })).toMatchObject({
      status: 201,
      json: { holdId, eventId, state: 'held' },
    });
    expect(await place(connectorId, { holdId, ...LATER })).toMatchObject({
      status: 422,
      json: { code: 'idempotency_mismatch' },
    });
    expect(effects(person)).toEqual(['created']);
  });

  it('is let go as often as one likes, and may be placed again', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const { holdId, eventId } = await hold(connectorId);
    for (let time = 0; time < 3; time += 1) {
      expect(await cancel(connectorId, holdId)).toMatchObject({ status: 200, json: { state: 'cancelled' } });
    }
    expect(effects(person)).toEqual(['created', 'deleted']);
    expect(await busyOf(connectorId)).toEqual([]);
    const again = await place(connectorId, { holdId, ...SLOT });
    expect(again).toMatchObject({ status: 201, json: { state: 'held' } });
    expect(holdSchema.parse(again.json).eventId).not.toBe(eventId);
    expect(standing(person)).toHaveLength(1);
  });

  it('that was cancelled before it came does nothing', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const holdId = crypto.randomUUID();
    expect(await cancel(connectorId, holdId)).toMatchObject({ status: 200, json: { state: 'cancelled' } });
    expect(await place(connectorId, { holdId, ...SLOT })).toMatchObject({
      json: { holdId, state: 'cancelled' },
    });
    expect(effects(person)).toEqual([]);
  });

  it('runs out by itself: the event goes and it is told', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const { holdId } = await hold(connectorId, { ...SLOT, ttlSeconds: 1 });
    const notice = await stage.runtime.notice(
      ({ type, connectorId: whose }) => type === 'hold-expired' && whose === connectorId,
    );
    expect(notice).toMatchObject({ result: { holdId, state: 'expired', ...TIME } });
    await expect.poll(() => standing(person), { timeout: 10_000 }).toEqual([]);
    expect(await busyOf(connectorId)).toEqual([]);
    expect(await confirm(connectorId, holdId, { summary: 'Late' })).toMatchObject({
      status: 409,
      json: { code: 'conflict' },
    });
  });

  it('becomes the event: the same entry of the calendar, with its guests told once', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const { holdId, eventId } = await hold(connectorId);
    stage.sandbox.faults.add({
      operation: CHANGE[person.provider],
      person: person.email,
      effect: { kind: 'reply-lost' },
    });
    const wish = {
      summary: 'Planning',
      description: 'What and when',
      attendees: [{ email: 'guest@example.com' }],
    };
    const answer = await confirm(connectorId, holdId, wish);
    expect(answer).toMatchObject({
      status: 200,
      json: { holdId, eventId, state: 'confirmed', event: { eventId, status: 'confirmed', ...TIME } },
    });
    expect(standing(person)).toMatchObject([
      {
        summary: 'Planning',
        description: 'What and when',
        isPrivate: false,
        showAs: 'busy',
        attendees: [{ email: 'guest@example.com' }],
      },
    ]);
    const updates = stage.sandbox.truth.effects.filter(
      ({ person: who, deed }) => who === person.email && deed === 'updated',
    );
    expect(updates.map(({ mails }) => mails)).toEqual([1]);
    expect(await confirm(connectorId, holdId, { summary: 'Other' })).toMatchObject({ status: 422 });
    expect(await confirm(connectorId, holdId, wish)).toMatchObject({
      status: 200,
      json: { state: 'confirmed' },
    });
    expect(await cancel(connectorId, holdId)).toMatchObject({ status: 409, json: { code: 'conflict' } });
    expect(effects(person)).toEqual(['created', 'updated']);
  });

  it.each([
    ['the reply is lost', { kind: 'reply-lost' }],
    ['the provider fails before it is carried out', { kind: 'status', status: 503 }],
    ['the provider fails after it was carried out', { kind: 'status-after', status: 500 }],
  ] as const)('is one event when %s', async (_, effect) => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    stage.sandbox.faults.add({ operation: CREATE[person.provider], person: person.email, effect });
    await hold(connectorId);
    expect(effects(person)).toEqual(['created']);
  });

  it('is refused where it cannot be known whether the time is free, unless that does not matter', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    person.restrictCalendar('primary', person.provider === 'google' ? 'notFound' : 'ErrorAccessDenied');
    const refused = await place(connectorId, { holdId: crypto.randomUUID(), ...SLOT });
    expect(refused.status).not.toBe(201);
    expect(effects(person)).toEqual([]);
  });

  it('goes with its event when the account is disconnected', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    await hold(connectorId);
    expect(await stage.runtime.api('DELETE', `/v1/connectors/${connectorId}`)).toMatchObject({ status: 200 });
    expect(standing(person)).toEqual([]);
  });

  it('that is not well asked for is refused by the field, and nothing is written', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const holdId = crypto.randomUUID();
    for (const [path, wrong] of [
      ['holdId', { holdId: '' }],
      ['holdId', { holdId: 'a\r\nb' }],
      ['end', { end: SLOT.start }],
      ['start', { start: '2026-11-24', end: '2026-11-25' }],
      ['timeZone', { timeZone: 'Mars/Olympus' }],
      ['ttlSeconds', { ttlSeconds: 0 }],
      ['ttlSeconds', { ttlSeconds: 1.5 }],
      ['onConflict', { onConflict: 'maybe' }],
    ] as const) {
      const answer = await place(connectorId, { holdId, ...SLOT, ...wrong });
      expect(answer, path).toMatchObject({ status: 400, json: { errors: [{ path }] } });
    }
    expect(await confirm(connectorId, holdId, { summary: 'x', attendees: [{ email: 'y' }] })).toMatchObject({
      status: 400,
      json: { errors: [{ path: 'attendees.0.email' }] },
    });
    expect(await confirm(connectorId, holdId, { summary: 'x' })).toMatchObject({ status: 404 });
    expect(effects(person)).toEqual([]);
  });
});

describe('holds through the queue', () => {
  it('are placed, confirmed and let go, each told of', async () => {
    const person = stage.person();
    const connectorId = await connect(stage.runtime, person);
    const [first, second] = [crypto.randomUUID(), crypto.randomUUID()];
    const task = (type: string, payload: object) => ({ id: crypto.randomUUID(), type, connectorId, payload });
    const tasks = [
      task('place-hold', { holdId: first, ...SLOT }),
      task('place-hold', { holdId: second, ...LATER }),
      task('confirm-hold', { holdId: first, summary: 'Planning' }),
      task('cancel-hold', { holdId: second }),
    ];
    await stage.runtime.bindings.Q_TASKS.sendBatch([...tasks, ...tasks].map((body) => ({ body })));
    const ends = await Promise.all(
      tasks.map(({ id }) => stage.runtime.notice(({ taskId }) => taskId === id)),
    );
    expect(ends).toMatchObject([
      { type: 'task-completed', result: { holdId: first, state: 'held' } },
      { type: 'task-completed', result: { holdId: second, state: 'held' } },
      { type: 'task-completed', result: { holdId: first, state: 'confirmed' } },
      { type: 'task-completed', result: { holdId: second, state: 'cancelled' } },
    ]);
    expect(standing(person)).toMatchObject([{ summary: 'Planning' }]);
  });

  it('tell of a conflict with what it is with', async () => {
    const person = stage.person();
    const connectorId = await connect(stage.runtime, person);
    await hold(connectorId);
    const task = {
      id: crypto.randomUUID(),
      type: 'place-hold',
      connectorId,
      payload: { holdId: 'other', ...SLOT },
    };
    await stage.runtime.bindings.Q_TASKS.send(task);
    expect(await stage.runtime.notice(({ taskId }) => taskId === task.id)).toMatchObject({
      type: 'task-failed',
      error: { code: 'conflict', retryable: false, conflicts: [TIME] },
    });
  });
});
