import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { fail, ok } from '../../src/domain/failure.ts';
import { calendarTaskSchema } from '../../src/domain/task.ts';
import { scriptActors, scriptQueue } from '../actors.ts';
import { migrateDatabase } from '../database.ts';
import { addActiveConnector, openHouse, readProblem } from './stage.ts';

beforeAll(migrateDatabase);

const QUESTION = { timeMin: '2026-11-23T09:00:00Z', timeMax: '2026-11-23T17:00:00Z', timeZone: 'UTC' };
const REFRESH = { type: 'refresh-token', connectorId: 'c-1' };
const CHECK = { id: 't-1', type: 'check-availability', connectorId: 'c-1', payload: QUESTION };

function openWithQueue() {
  const scripted = scriptQueue(env.Q_TASKS);
  const { CONNECTOR, calls } = scriptActors();
  const { send } = openHouse({ Q_TASKS: scripted.queue, CONNECTOR });
  return { scripted, calls, submit: (json: unknown) => send('/v1/tasks', { json }) };
}

describe('POST /v1/tasks', () => {
  it('sends the tasks to the queue and names them, waking no actor', async () => {
    const { submit, scripted, calls } = openWithQueue();
    const response = await submit({ tasks: [CHECK, REFRESH] });
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({ ids: ['t-1', expect.stringMatching(/^id-/)] });
    expect(scripted.sent).toEqual([CHECK, { ...REFRESH, id: expect.stringMatching(/^id-/), payload: {} }]);
    expect(calls).toEqual([]);
  });

  it('sends what the consumer reads as the same tasks, deadlines included', async () => {
    const { submit, scripted } = openWithQueue();
    const deadline = '2031-05-05T06:07:08+00:00';
    await submit({ tasks: [{ ...CHECK, deadline, retryCount: 2 }] });
    expect(scripted.sent.map((body) => calendarTaskSchema.parse(body))).toEqual([
      { ...CHECK, deadlineMs: Date.parse(deadline) },
    ]);
  });

  it.each<[string, unknown[], string[]]>([
    ['of an unknown type', [CHECK, { ...REFRESH, type: 'x' }], ['tasks.1.type']],
    [
      'with a bad payload',
      [CHECK, REFRESH, { ...CHECK, id: 't-2', payload: { ...QUESTION, timeZone: 'Mars' } }],
      ['tasks.2.payload.timeZone'],
    ],
    ['with an unknown field', [{ ...REFRESH, x: 1 }], ['tasks.0.x']],
    ['that is no object', [CHECK, null], ['tasks.1']],
    [
      'beside another',
      [{ ...REFRESH, connectorId: '' }, CHECK, { ...REFRESH, id: '*' }],
      ['tasks.0.connectorId', 'tasks.2.id'],
    ],
    ['too large for a message', [REFRESH, { ...CHECK, payload: largeQuestion(200) }], ['tasks.1']],
  ])('refuses the batch whole for a task %s, naming it', async (_, tasks, fields) => {
    const { submit, scripted } = openWithQueue();
    const { status, code, errors } = await readProblem(await submit({ tasks }));
    expect({ status, code }).toEqual({ status: 400, code: 'invalid_request' });
    expect(errors?.map(({ path }) => path)).toEqual(fields);
    expect(scripted.sent).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['no task', { tasks: [] }],
    ['more tasks than one batch holds', { tasks: Array.from({ length: 101 }, () => REFRESH) }],
    ['something else than a list', { tasks: REFRESH }],
    ['two tasks of one id', { tasks: [CHECK, { ...REFRESH, id: 't-1' }] }],
    [
      'tasks that are together too large',
      { tasks: [1, 2, 3].map((n) => ({ ...CHECK, id: `t-${n}`, payload: largeQuestion(100) })) },
    ],
  ])('refuses %s', async (_, json) => {
    const { submit, scripted } = openWithQueue();
    const { status, errors } = await readProblem(await submit(json));
    expect(status).toBe(400);
    expect(errors?.map(({ path }) => path)).toEqual(['tasks']);
    expect(scripted.sent).toEqual([]);
  });

  it('takes a hundred tasks', async () => {
    const { submit, scripted } = openWithQueue();
    expect((await submit({ tasks: Array.from({ length: 100 }, () => REFRESH) })).status).toBe(202);
    expect(scripted.sent).toHaveLength(100);
  });

  it('asks to try again when the queue is down', async () => {
    const { submit, scripted } = openWithQueue();
    scripted.broken = true;
    const response = await submit({ tasks: [CHECK] });
    expect(response.headers.get('Retry-After')).toBe('5');
    expect((await readProblem(response)).status).toBe(503);
  });
});

describe('GET /v1/connectors/:id/tasks/:taskId', () => {
  it('tells where a task stands', async () => {
    const connectorId = await addActiveConnector('ada');
    const report = { id: 't-1', type: 'refresh-token', state: 'parked', attempts: 2 };
    const { CONNECTOR, calls } = scriptActors(() => ok(report));
    const response = await openHouse({ CONNECTOR }).send(`/v1/connectors/${connectorId}/tasks/t-1`);
    expect(await response.json()).toEqual(report);
    expect(calls).toEqual([{ connectorId, method: 'report', args: ['t-1'] }]);
  });

  it('answers 404 to a task that the actor does not know', async () => {
    const connectorId = await addActiveConnector('ada');
    const { CONNECTOR } = scriptActors(() => fail({ kind: 'not-found', what: 'task t-1' }));
    const response = await openHouse({ CONNECTOR }).send(`/v1/connectors/${connectorId}/tasks/t-1`);
    expect(await readProblem(response)).toMatchObject({ status: 404, detail: 'Not found: task t-1' });
  });
});

/** A good question of about so many kilobytes. */
function largeQuestion(kilobytes: number) {
  const calendars = Array.from({ length: kilobytes }, (_, n) => String(n).padStart(1000, 'x'));
  return { ...QUESTION, calendars };
}
