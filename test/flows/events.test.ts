import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { connect } from '../local/connect.ts';
import type { Person } from '../sandbox/people.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage();

const MEETING = {
  summary: 'Planning',
  description: 'What to do\nand when',
  location: 'Room 1',
  start: '2026-11-23T09:00:00',
  end: '2026-11-23T10:00:00',
  timeZone: 'Europe/Berlin',
  attendees: [{ email: 'guest@example.com' }],
};
const TIME = { start: '2026-11-23T09:00:00+01:00', end: '2026-11-23T10:00:00+01:00' };
const DAY = { timeMin: '2026-11-23T00:00:00', timeMax: '2026-11-24T00:00:00', timeZone: 'Europe/Berlin' };

const recordSchema = z.object({ eventId: z.string(), etag: z.string(), status: z.string() });

function post(connectorId: string, body: object, key: string = crypto.randomUUID()) {
  return stage.runtime.api('POST', `/v1/connectors/${connectorId}/events`, body, { 'Idempotency-Key': key });
}

async function create(connectorId: string, body: object = MEETING) {
  const answer = await post(connectorId, body);
  expect(answer).toMatchObject({ status: 201 });
  return recordSchema.parse(answer.json);
}

function change(connectorId: string, eventId: string, body: object, headers: Record<string, string> = {}) {
  const path = `/v1/connectors/${connectorId}/events/${encodeURIComponent(eventId)}`;
  return stage.runtime.api('PATCH', path, body, headers);
}

function cancel(connectorId: string, eventId: string) {
  return stage.runtime.api('DELETE', `/v1/connectors/${connectorId}/events/${encodeURIComponent(eventId)}`);
}

async function busyOf(connectorId: string): Promise<unknown> {
  const answer = await stage.runtime.api('POST', `/v1/connectors/${connectorId}/availability`, DAY);
  return z.object({ busy: z.unknown() }).parse(answer.json).busy;
}

function deeds(person: Person, deed: 'created' | 'updated' | 'deleted'): number {
  return stage.sandbox.truth.effects.filter(
    ({ deed: done, person: who }) => done === deed && who === person.email,
  ).length;
}

const LOOK_UP = { google: 'google.events.get', microsoft: 'graph.events.list' };
const CREATE = { google: 'google.events.insert', microsoft: 'graph.events.create' };

describe.each(ACCOUNTS)('events of an account: $label', ({ input }) => {
  it('are created with all that was asked for, and count as busy', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const answer = await post(connectorId, MEETING);
    expect(answer.status).toBe(201);
    expect(answer.json).toMatchObject({
      eventId: expect.stringMatching(/./),
      calendarId: 'primary',
      iCalUid: expect.stringMatching(/./),
      etag: expect.stringMatching(/./),
      webLink: expect.stringMatching(/^https?:/),
      ...TIME,
      status: 'confirmed',
    });
    expect(await busyOf(connectorId)).toEqual([TIME]);
    expect(deeds(person, 'created')).toBe(1);
    expect(stage.sandbox.truth.refusals.filter(({ person: who }) => who === person.email)).toEqual([]);
  });

  it('cost one call of the provider, on a connector that is warm', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    await create(connectorId);
    const calls = stage.sandbox.truth.calls.filter(
      ({ person: who, kind }) => who === person.email && kind === 'api',
    );
    expect(calls.map(({ operation }) => operation)).toEqual([CREATE[person.provider]]);
  });

  it('are one, however often they are asked for under one key', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const key = crypto.randomUUID();
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(connectorId, MEETING, key)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      ...Array.from({ length: 9 }, () => 200),
      201,
    ]);
    expect(new Set(answers.map(({ json }) => recordSchema.parse(json).eventId)).size).toBe(1);
    expect(await post(connectorId, { ...MEETING, summary: 'Other' }, key)).toMatchObject({
      status: 422,
      json: { code: 'idempotency_mismatch' },
    });
    expect(deeds(person, 'created')).toBe(1);
  });

  it('are one when the message is delivered twice', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const task = { id: crypto.randomUUID(), type: 'create-event', connectorId, payload: MEETING };
    await stage.runtime.bindings.Q_TASKS.sendBatch([{ body: task }, { body: task }]);
    await stage.runtime.notice(({ taskId }) => taskId === task.id);
    await stage.runtime.bindings.Q_TASKS.send(task);
    const other = { ...task, id: crypto.randomUUID(), payload: { ...MEETING, summary: 'Other' } };
    await stage.runtime.bindings.Q_TASKS.send(other);
    expect(await stage.runtime.notice(({ taskId }) => taskId === other.id)).toMatchObject({
      type: 'task-completed',
      result: TIME,
    });
    expect(deeds(person, 'created')).toBe(2);
    expect(stage.runtime.notices.filter(({ taskId }) => taskId === task.id)).toHaveLength(1);
  });

  it.each([
    ['the reply is lost', { kind: 'reply-lost' }],
    ['the connection breaks before it is carried out', { kind: 'reset' }],
    ['the provider fails before it is carried out', { kind: 'status', status: 503 }],
    ['the provider fails after it was carried out', { kind: 'status-after', status: 500 }],
    ['the reply is cut short', { kind: 'malformed' }],
  ] as const)('are one when %s', async (_, effect) => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    stage.sandbox.faults.add({ operation: CREATE[person.provider], person: person.email, effect });
    const { eventId } = await create(connectorId);
    expect(eventId).not.toBe('');
    expect(deeds(person, 'created')).toBe(1);
  });

  it('are one when the actor is evicted between a lost reply and the next try', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    stage.sandbox.faults.add({
      operation: CREATE[person.provider],
      person: person.email,
      effect: { kind: 'reply-lost' },
    });
    // Holds the look-up back, so that the eviction comes before it.
    stage.sandbox.faults.add({
      operation: LOOK_UP[person.provider],
      person: person.email,
      effect: { kind: 'throttle', retryAfter: 3, holdMs: 3_000 },
    });
    const task = { id: crypto.randomUUID(), type: 'create-event', connectorId, payload: MEETING };
    await stage.runtime.bindings.Q_TASKS.send(task);
    const state = async () =>
      (await stage.runtime.api('GET', `/v1/connectors/${connectorId}/tasks/${task.id}`)).json;
    await expect.poll(state, { timeout: 10_000 }).toMatchObject({ state: 'accepted', attempts: 2 });
    await stage.runtime.worker.evictDurableObject('CONNECTOR', { name: connectorId });
    expect(await stage.runtime.notice(({ taskId }) => taskId === task.id)).toMatchObject({
      type: 'task-completed',
    });
    expect(deeds(person, 'created')).toBe(1);
  });

  it('are changed where a change names it, and only there', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const { eventId, etag } = await create(connectorId);
    const moved = { start: '2026-11-23T15:00:00', end: '2026-11-23T16:00:00', timeZone: 'Europe/Berlin' };
    const answer = await change(connectorId, eventId, moved);
    expect(answer).toMatchObject({ status: 200, json: { eventId, start: '2026-11-23T15:00:00+01:00' } });
    expect(recordSchema.parse(answer.json).etag).not.toBe(etag);
    expect(await busyOf(connectorId)).toEqual([
      { start: '2026-11-23T15:00:00+01:00', end: '2026-11-23T16:00:00+01:00' },
    ]);
  });

  it('are not overwritten for a caller who has seen an older version', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const { eventId, etag } = await create(connectorId);
    expect((await change(connectorId, eventId, { summary: 'First' }, { 'If-Match': etag })).status).toBe(200);
    const late = await change(connectorId, eventId, { summary: 'Second' }, { 'If-Match': etag });
    expect(late).toMatchObject({ status: 409, json: { code: 'conflict' } });
    expect(deeds(person, 'updated')).toBe(1);
  });

  it('are cancelled, and cancelling what is gone succeeds', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const { eventId } = await create(connectorId);
    for (let time = 0; time < 3; time += 1) {
      expect(await cancel(connectorId, eventId)).toMatchObject({
        status: 200,
        json: { eventId, status: 'cancelled' },
      });
    }
    expect(deeds(person, 'deleted')).toBe(1);
    expect(await busyOf(connectorId)).toEqual([]);
    expect(await change(connectorId, eventId, { summary: 'Late' })).toMatchObject({ status: 404 });
  });

  it('may last whole days', async () => {
    const connectorId = await connect(stage.runtime, stage.person(input));
    const answer = await post(connectorId, {
      summary: 'Holiday',
      start: '2026-11-23',
      end: '2026-11-24',
      timeZone: 'Europe/Berlin',
    });
    expect(answer).toMatchObject({ status: 201, json: { start: '2026-11-23', end: '2026-11-24' } });
    expect(await busyOf(connectorId)).toEqual([
      { start: '2026-11-23T00:00:00+01:00', end: '2026-11-24T00:00:00+01:00' },
    ]);
  });

  it('that are not well asked for are refused by the field, and nothing is written', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    for (const [path, wrong] of [
      ['end', { end: MEETING.start }],
      ['attendees.0.email', { attendees: [{ email: 'nobody' }] }],
      ['attendees', { attendees: Array.from({ length: 5_000 }, (_, n) => ({ email: `p${n}@example.com` })) }],
      ['summary', { summary: 'x'.repeat(500_000) }],
      ['summary', { summary: 'a\r\nb' }],
      ['location', { location: 'a\r\nb' }],
    ] as const) {
      const answer = await post(connectorId, { ...MEETING, ...wrong });
      expect(answer, path).toMatchObject({ status: 400, json: { errors: [{ path }] } });
    }
    expect(stage.sandbox.truth.effects.filter(({ person: who }) => who === person.email)).toEqual([]);
  });

  it('recur', async () => {
    const connectorId = await connect(stage.runtime, stage.person(input));
    const weekly = { ...MEETING, recurrence: ['RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4'] };
    expect(await post(connectorId, weekly)).toMatchObject({ status: 201, json: TIME });
  });
});

describe('what Microsoft has no way to say', () => {
  it('is refused by the field, and nothing is written', async () => {
    const person = stage.person({ provider: 'microsoft' });
    const connectorId = await connect(stage.runtime, person);
    for (const [field, wish] of [
      ['recurrence', { recurrence: ['RRULE:FREQ=HOURLY;COUNT=4'] }],
      ['notify', { notify: 'none' }],
    ] as const) {
      const answer = await post(connectorId, { ...MEETING, ...wish });
      expect(answer).toMatchObject({ status: 400, json: { code: 'invalid_request' } });
      expect(answer.text).toContain(field);
    }
    expect(deeds(person, 'created')).toBe(0);
  });
});

describe.each(ACCOUNTS)('an own event that comes back: $label', ({ input }) => {
  it('is recognised by the key of its creation, which it carries for good', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const { eventId } = await create(connectorId);
    await change(connectorId, eventId, { summary: 'Other' });
    const [made] = stage.sandbox.truth.effects.filter(({ person: who }) => who === person.email);
    const [event] = person.calendar('primary')?.calendar.events.values() ?? [];
    const marks = event?.marks?.map(({ value }) => value) ?? [];
    const key = made?.key?.replaceAll('-', '');
    expect(marks.some((mark) => key !== undefined && key !== '' && mark.startsWith(key))).toBe(true);
  });
});

describe('an event of Microsoft that the person moves to another calendar', () => {
  it('keeps the id it was told under', async () => {
    const person = stage.person({
      provider: 'microsoft',
      calendars: [{ name: 'Calendar', primary: true }, { name: 'Projects' }],
    });
    const connectorId = await connect(stage.runtime, person);
    const { eventId } = await create(connectorId);
    const primary = person.calendar('primary')?.calendar;
    const to = person.calendars.find(({ name }) => name === 'Projects')?.calendar;
    for (const [id, event] of primary?.events ?? []) {
      primary?.events.delete(id);
      to?.events.set(id, event);
    }
    expect(await change(connectorId, eventId, { summary: 'Moved' })).toMatchObject({
      status: 200,
      json: { eventId },
    });
    expect(await cancel(connectorId, eventId)).toMatchObject({ status: 200 });
    expect([...(to?.events.values() ?? [])]).toMatchObject([{ summary: 'Moved', status: 'cancelled' }]);
  });
});
