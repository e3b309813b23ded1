import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { connect } from '../local/connect.ts';
import type { Person } from '../sandbox/people.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage();

const ZONE = 'Europe/Berlin';
/** Four Tuesdays; summer time ends after the first. */
const STANDUP = {
  summary: 'Stand-up',
  start: '2026-10-20T09:00:00',
  end: '2026-10-20T09:30:00',
  timeZone: ZONE,
  recurrence: ['RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=4'],
};
const STARTS = [
  '2026-10-20T09:00:00+02:00',
  '2026-10-27T09:00:00+01:00',
  '2026-11-03T09:00:00+01:00',
  '2026-11-10T09:00:00+01:00',
];
const [FIRST, SECOND, THIRD, FOURTH] = STARTS;
const LATER = { start: '2026-10-28T15:00:00', end: '2026-10-28T15:30:00', timeZone: ZONE };
const MOVED = '2026-10-28T15:00:00+01:00';

async function create(connectorId: string, body: object = STANDUP): Promise<string> {
  const answer = await stage.runtime.api('POST', `/v1/connectors/${connectorId}/events`, body);
  expect(answer).toMatchObject({ status: 201 });
  return z.object({ eventId: z.string() }).parse(answer.json).eventId;
}

function pathOf(connectorId: string, eventId: string): string {
  return `/v1/connectors/${connectorId}/events/${encodeURIComponent(eventId)}`;
}

function move(connectorId: string, eventId: string, body: object) {
  return stage.runtime.api('PATCH', pathOf(connectorId, eventId), body);
}

function cancel(connectorId: string, eventId: string, occurrence = '') {
  const query = occurrence === '' ? '' : `?occurrence=${encodeURIComponent(occurrence)}`;
  return stage.runtime.api('DELETE', pathOf(connectorId, eventId) + query);
}

async function busyStarts(connectorId: string): Promise<string[]> {
  const answer = await stage.runtime.api('POST', `/v1/connectors/${connectorId}/availability`, {
    timeMin: '2026-10-19T00:00:00',
    timeMax: '2026-11-20T00:00:00',
    timeZone: ZONE,
  });
  return z
    .object({ busy: z.array(z.object({ start: z.string() })) })
    .parse(answer.json)
    .busy.map(({ start }) => start);
}

function deeds(person: Person): string[] {
  return stage.sandbox.truth.effects
    .filter(({ person: who }) => who === person.email)
    .map(({ deed }) => deed);
}

function refusals(person: Person): unknown[] {
  return stage.sandbox.truth.refusals.filter(({ person: who }) => who === person.email);
}

describe.each(ACCOUNTS)('a series of an account: $label', ({ input }) => {
  it('is busy with each of its occurrences, on the clock of its zone', async () => {
    const connectorId = await connect(stage.runtime, stage.person(input));
    await create(connectorId);
    expect(await busyStarts(connectorId)).toEqual(STARTS);
  });

  it('has one occurrence moved and another cancelled by their dates, and the rest stays', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const eventId = await create(connectorId);
    const moved = await move(connectorId, eventId, { occurrence: SECOND, ...LATER });
    expect(moved).toMatchObject({ status: 200, json: { start: MOVED, status: 'confirmed' } });
    expect(z.object({ eventId: z.string() }).parse(moved.json).eventId).not.toBe(eventId);
    expect(await cancel(connectorId, eventId, THIRD)).toMatchObject({
      status: 200,
      json: { eventId, status: 'cancelled' },
    });
    expect(await busyStarts(connectorId)).toEqual([FIRST, MOVED, FOURTH]);
    expect(deeds(person)).toEqual(['created', 'updated', 'deleted']);
    expect(refusals(person)).toEqual([]);
  });

  it('knows an occurrence by its original start after it was moved', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const eventId = await create(connectorId);
    await move(connectorId, eventId, { occurrence: SECOND, ...LATER });
    const again = { start: '2026-11-02T08:00:00', end: '2026-11-02T09:00:00', timeZone: ZONE };
    // A local time counts in the zone of the change.
    const local = { occurrence: '2026-10-27T09:00:00', ...again };
    expect(await move(connectorId, eventId, local)).toMatchObject({ status: 200 });
    expect(await busyStarts(connectorId)).toEqual([FIRST, '2026-11-02T08:00:00+01:00', THIRD, FOURTH]);
    expect(await move(connectorId, eventId, { occurrence: MOVED, ...LATER })).toMatchObject({ status: 404 });
    expect(await cancel(connectorId, eventId, SECOND)).toMatchObject({ status: 200 });
    expect(await busyStarts(connectorId)).toEqual([FIRST, THIRD, FOURTH]);
  });

  it('loses an occurrence once, however often it is cancelled', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const eventId = await create(connectorId);
    for (let time = 0; time < 3; time += 1) {
      expect(await cancel(connectorId, eventId, FIRST)).toMatchObject({ status: 200 });
    }
    expect(await move(connectorId, eventId, { occurrence: FIRST, ...LATER })).toMatchObject({ status: 404 });
    expect(deeds(person)).toEqual(['created', 'deleted']);
    expect(await busyStarts(connectorId)).toEqual([SECOND, THIRD, FOURTH]);
  });

  it('loses an occurrence once when the reply is lost', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const eventId = await create(connectorId);
    const operation = person.provider === 'google' ? 'google.events.delete' : 'graph.events.delete';
    stage.sandbox.faults.add({ operation, person: person.email, effect: { kind: 'reply-lost' } });
    expect(await cancel(connectorId, eventId, THIRD)).toMatchObject({ status: 200 });
    expect(deeds(person)).toEqual(['created', 'deleted']);
    expect(await busyStarts(connectorId)).toEqual([FIRST, SECOND, FOURTH]);
  });

  it('is not touched by a date on which it has no occurrence', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const eventId = await create(connectorId);
    for (const wrong of ['2026-10-27T10:00:00+01:00', '2026-10-28T09:00:00+01:00', '2026-10-27']) {
      const answers = [
        await move(connectorId, eventId, { occurrence: wrong, ...LATER }),
        await cancel(connectorId, eventId, wrong),
      ];
      for (const answer of answers) {
        expect(answer, wrong).toMatchObject({ status: 404, json: { code: 'not_found' } });
        expect(answer.text).toContain('occurrence');
      }
    }
    for (const unclear of ['next week', '2026-10-27T09:00:00']) {
      expect(await cancel(connectorId, eventId, unclear)).toMatchObject({
        status: 400,
        json: { errors: [{ path: 'occurrence' }] },
      });
    }
    expect(await busyStarts(connectorId)).toEqual(STARTS);
    expect(deeds(person)).toEqual(['created']);
  });

  it('of whole days has its occurrences by their dates', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const days = { start: '2026-10-20', end: '2026-10-21' };
    const eventId = await create(connectorId, { ...STANDUP, ...days });
    const wednesday = { start: '2026-10-28', end: '2026-10-29', timeZone: ZONE };
    expect(await move(connectorId, eventId, { occurrence: '2026-10-27', ...wednesday })).toMatchObject({
      status: 200,
      json: { start: '2026-10-28' },
    });
    expect(await cancel(connectorId, eventId, '2026-11-03')).toMatchObject({ status: 200 });
    expect(await cancel(connectorId, eventId, '2026-11-03')).toMatchObject({ status: 200 });
    expect(await busyStarts(connectorId)).toEqual([
      '2026-10-20T00:00:00+02:00',
      '2026-10-28T00:00:00+01:00',
      '2026-11-10T00:00:00+01:00',
    ]);
    expect(await cancel(connectorId, eventId, '2026-10-27')).toMatchObject({ status: 200 });
    expect(deeds(person)).toEqual(['created', 'updated', 'deleted', 'deleted']);
  });

  it('that is none has no occurrences, and one that is gone has lost them all', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const single = await create(connectorId, { ...STANDUP, recurrence: [] });
    expect(await cancel(connectorId, single, FIRST)).toMatchObject({ status: 404 });
    expect(await busyStarts(connectorId)).toEqual([FIRST]);
    expect(await cancel(connectorId, single)).toMatchObject({ status: 200 });
    const eventId = await create(connectorId);
    await cancel(connectorId, eventId);
    expect(await busyStarts(connectorId)).toEqual([]);
    expect(await cancel(connectorId, eventId, SECOND)).toMatchObject({ status: 200 });
    expect(await move(connectorId, eventId, { occurrence: SECOND, ...LATER })).toMatchObject({ status: 404 });
  });

  it('takes both by the queue too', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const eventId = await create(connectorId);
    const payload = { eventId, occurrence: FOURTH };
    const task = { id: crypto.randomUUID(), type: 'cancel-event', connectorId, payload };
    await stage.runtime.bindings.Q_TASKS.send(task);
    expect(await stage.runtime.notice(({ taskId }) => taskId === task.id)).toMatchObject({
      type: 'task-completed',
    });
    expect(await busyStarts(connectorId)).toEqual([FIRST, SECOND, THIRD]);
  });
});

describe('what Outlook allows', () => {
  it('is followed: an occurrence that was moved past the day of one that was cancelled', async () => {
    const connectorId = await connect(stage.runtime, stage.person({ provider: 'microsoft' }));
    const eventId = await create(connectorId);
    await cancel(connectorId, eventId, THIRD);
    const past = { start: '2026-11-05T09:00:00', end: '2026-11-05T10:00:00', timeZone: ZONE };
    expect(await move(connectorId, eventId, { occurrence: SECOND, ...past })).toMatchObject({ status: 200 });
    expect(await busyStarts(connectorId)).toEqual([FIRST, '2026-11-05T09:00:00+01:00', FOURTH]);
    expect(await cancel(connectorId, eventId, SECOND)).toMatchObject({ status: 200 });
    expect(await busyStarts(connectorId)).toEqual([FIRST, FOURTH]);
  });
});

describe('what Outlook does not allow', () => {
  it('is refused by the field: an occurrence past the one beside it', async () => {
    const connectorId = await connect(stage.runtime, stage.person({ provider: 'microsoft' }));
    const eventId = await create(connectorId);
    const past = { start: '2026-11-04T09:00:00', end: '2026-11-04T10:00:00', timeZone: ZONE };
    const answer = await move(connectorId, eventId, { occurrence: SECOND, ...past });
    expect(answer).toMatchObject({ status: 400, json: { code: 'invalid_request' } });
    expect(answer.text).toContain('start');
    expect(await busyStarts(connectorId)).toEqual(STARTS);
  });
});
