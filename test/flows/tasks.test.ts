import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { connect } from '../local/connect.ts';
import type { Person } from '../sandbox/people.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage();

const DAY = { timeMin: '2026-11-23T00:00:00', timeMax: '2026-11-24T00:00:00', timeZone: 'Europe/Berlin' };

/** A task to send; a fresh id unless one is given. */
function task(connectorId: string, more: Record<string, unknown> = {}) {
  return { id: crypto.randomUUID(), type: 'check-availability', connectorId, payload: DAY, ...more };
}

function send(...bodies: unknown[]) {
  return stage.runtime.bindings.Q_TASKS.sendBatch(bodies.map((body) => ({ body })));
}

function endOf(taskId: string) {
  return stage.runtime.notice((notice) => notice.taskId === taskId);
}

async function stateOf(connectorId: string, taskId: string): Promise<unknown> {
  return (await stage.runtime.api('GET', `/v1/connectors/${connectorId}/tasks/${taskId}`)).json;
}

function busyReads(person: Person): number {
  return stage.sandbox.truth.calls.filter(
    ({ person: who, operation }) =>
      who === person.email &&
      ['google.freeBusy', 'graph.getSchedule', 'graph.calendarView'].includes(operation),
  ).length;
}

describe.each(ACCOUNTS)('tasks of an account: $label', ({ input }) => {
  it('check-availability ends in a notice and in the task, with the neutral answer', async () => {
    const person = stage.person(input);
    person.addEvent('primary', { summary: 'x', start: '2026-11-23T09:00:00', end: '2026-11-23T10:00:00' });
    const connectorId = await connect(stage.runtime, person);
    const wanted = task(connectorId);
    await send(wanted);
    const result = {
      busy: [{ start: '2026-11-23T09:00:00+01:00', end: '2026-11-23T10:00:00+01:00' }],
      calendars: [{ status: 'ok' }],
    };
    expect(await endOf(wanted.id)).toMatchObject({
      type: 'task-completed',
      connectorId,
      taskType: wanted.type,
      result,
    });
    expect(await stateOf(connectorId, wanted.id)).toMatchObject({
      id: wanted.id,
      state: 'done',
      attempts: 1,
      result,
    });
  });

  it('refresh-token refreshes once and says until when, without a token in it', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const wanted = task(connectorId, { type: 'refresh-token', payload: {} });
    await send(wanted);
    const notice = await endOf(wanted.id);
    expect(notice).toMatchObject({
      type: 'task-completed',
      result: { expiresAt: expect.stringMatching(/Z$/) },
    });
    expect(Object.keys(notice.result ?? {})).toEqual(['expiresAt']);
    const refreshes = stage.sandbox.truth.calls.filter(
      ({ grantType, person: who }) => grantType === 'refresh_token' && who === person.email,
    );
    expect(refreshes).toHaveLength(1);
  });

  it('a message delivered twice, at once and later, runs once', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const wanted = task(connectorId);
    await send(wanted, wanted);
    await endOf(wanted.id);
    const reads = busyReads(person);
    // The same payload in another order of its keys is the same task.
    await send({
      ...wanted,
      payload: { timeZone: DAY.timeZone, timeMax: DAY.timeMax, timeMin: DAY.timeMin },
    });
    const after = task(connectorId);
    await send(after);
    await endOf(after.id);
    expect(busyReads(person)).toBe(reads * 2);
    expect(stage.runtime.notices.filter(({ taskId }) => taskId === wanted.id)).toHaveLength(1);
  });

  it('an eviction between accept and run loses nothing', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    // The first run is throttled, so that the task waits in the ledger with the alarm as its only hope.
    stage.sandbox.faults.add({
      person: person.email,
      effect: { kind: 'throttle', retryAfter: 3, holdMs: 3_000 },
    });
    const wanted = task(connectorId);
    await send(wanted);
    await expect
      .poll(async () => await stateOf(connectorId, wanted.id), { timeout: 10_000 })
      .toMatchObject({ state: 'accepted', attempts: 1 });
    await stage.runtime.worker.evictDurableObject('CONNECTOR', { name: connectorId });
    expect(await endOf(wanted.id)).toMatchObject({ type: 'task-completed' });
    expect(stage.sandbox.truth.tooEarly.filter(({ person: who }) => who === person.email)).toEqual([]);
  });

  it('a provider that fails for a while is asked again until it answers', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    stage.sandbox.faults.add({ person: person.email, times: 2, effect: { kind: 'status', status: 503 } });
    const wanted = task(connectorId);
    await send(wanted);
    const notice = await endOf(wanted.id);
    expect(notice).toMatchObject({ type: 'task-completed' });
  });
});

describe('bad messages', () => {
  it('hurt none of their batch; each is reported once with its field named, and makes no call', async () => {
    const person = stage.person();
    const connectorId = await connect(stage.runtime, person);
    // No two alike: those would share one reading.
    const good = Array.from({ length: 5 }, (_, hour) =>
      task(connectorId, { payload: { ...DAY, timeMin: `2026-11-23T0${hour}:00:00` } }),
    );
    const unknown = crypto.randomUUID();
    const bad = [
      { body: task(connectorId, { type: 'make-coffee' }), code: 'invalid_request', field: 'type' },
      {
        body: task(connectorId, { payload: { ...DAY, timeMax: undefined } }),
        code: 'invalid_request',
        field: 'payload.timeMax',
      },
      {
        body: task(connectorId, { payload: { ...DAY, timeMax: DAY.timeMin } }),
        code: 'invalid_request',
        field: 'payload.timeMax',
      },
      {
        body: task(connectorId, { payload: { ...DAY, timeZone: 'Nowhere/Land' } }),
        code: 'invalid_request',
        field: 'payload.timeZone',
      },
      {
        body: task(connectorId, { payload: { ...DAY, connectorId: unknown } }),
        code: 'invalid_request',
        field: 'payload.connectorId',
      },
      { body: task(connectorId, { payload: 7 }), code: 'invalid_request', field: 'payload' },
      { body: task(connectorId, { deadline: 'soon' }), code: 'invalid_request', field: 'deadline' },
      { body: task(unknown), code: 'not_found', field: 'connectorId' },
    ];
    const actors = await stage.runtime.worker.listDurableObjectIds('CONNECTOR');
    await send(...good, ...bad.map(({ body }) => body));
    for (const { id } of good) expect(await endOf(id)).toMatchObject({ type: 'task-completed' });
    for (const { body, code, field } of bad) {
      const notice = await endOf(body.id);
      expect(notice).toMatchObject({
        type: 'task-failed',
        taskType: body.type,
        error: { code, retryable: false },
      });
      expect(notice.error?.message).toContain(`${field}:`);
    }
    expect(busyReads(person)).toBe(good.length);
    expect(await stage.runtime.worker.listDurableObjectIds('CONNECTOR')).toEqual(actors);
  });

  it('of any shape are reported under their message id', async () => {
    const before = stage.runtime.notices.length;
    await send('just text', null, [1, 2], 42);
    await expect.poll(() => stage.runtime.notices.length, { timeout: 10_000 }).toBe(before + 4);
    for (const notice of stage.runtime.notices.slice(before)) {
      expect(notice).toMatchObject({
        type: 'task-failed',
        connectorId: '',
        error: { code: 'invalid_request' },
      });
      expect(notice.taskId).not.toBe('');
    }
  });

  it('with the id of another task are refused; the first keeps its result', async () => {
    const connectorId = await connect(stage.runtime, stage.person());
    const first = task(connectorId);
    await send(first);
    await endOf(first.id);
    await send({ ...first, payload: { ...DAY, timeZone: 'UTC' } });
    const refusal = await stage.runtime.notice(
      ({ taskId, error }) => taskId === first.id && error?.code === 'idempotency_mismatch',
    );
    expect(refusal.type).toBe('task-failed');
    expect(await stateOf(connectorId, first.id)).toMatchObject({ state: 'done' });
  });

  it('for a connector that nobody has signed in to are refused', async () => {
    const person = stage.person();
    const connectorId = await connect(stage.runtime, person);
    await stage.runtime.api('DELETE', `/v1/connectors/${connectorId}`);
    const wanted = task(connectorId);
    await send(wanted);
    expect(await endOf(wanted.id)).toMatchObject({ type: 'task-failed', error: { code: 'reauth_required' } });
  });
});

describe('POST /v1/tasks', () => {
  it('sends a batch to the queue and answers with its ids', async () => {
    const connectorId = await connect(stage.runtime, stage.person());
    const [named, { id: _, ...unnamed }] = [task(connectorId), task(connectorId)];
    const answer = await stage.runtime.api('POST', '/v1/tasks', { tasks: [named, unnamed] });
    const { ids } = z.object({ ids: z.array(z.string()) }).parse(answer.json);
    expect(answer.status).toBe(202);
    expect(ids[0]).toBe(named.id);
    expect(ids).toHaveLength(2);
    for (const id of ids) expect(await endOf(id)).toMatchObject({ type: 'task-completed' });
  });

  it('repeated with the same Idempotency-Key is the same tasks', async () => {
    const person = stage.person();
    const connectorId = await connect(stage.runtime, person);
    const { id: _, ...unnamed } = task(connectorId);
    const post = () =>
      stage.runtime.api('POST', '/v1/tasks', { tasks: [unnamed] }, { 'Idempotency-Key': connectorId });
    const answers = [await post(), await post()];
    expect(answers.map(({ json }) => json)).toEqual(answers.map(() => ({ ids: [`${connectorId}:0`] })));
    await endOf(`${connectorId}:0`);
    const after = task(connectorId);
    await send(after);
    await endOf(after.id);
    expect(busyReads(person)).toBe(2);
  });

  it('refuses a batch with a malformed task whole, naming it', async () => {
    const person = stage.person();
    const connectorId = await connect(stage.runtime, person);
    const answer = await stage.runtime.api('POST', '/v1/tasks', {
      tasks: [task(connectorId), task(connectorId, { payload: { ...DAY, timeMin: 5 } })],
    });
    expect(answer).toMatchObject({ status: 400, json: { errors: [{ path: 'tasks.1.payload.timeMin' }] } });
    const after = task(connectorId);
    await send(after);
    await endOf(after.id);
    expect(busyReads(person)).toBe(1);
  });
});

describe('a disconnect by the queue', () => {
  it('ends the connection and tells both ends', async () => {
    const connectorId = await connect(stage.runtime, stage.person());
    const wanted = task(connectorId, { type: 'disconnect', payload: undefined });
    await send(wanted);
    expect(await endOf(wanted.id)).toMatchObject({ type: 'task-completed', taskType: 'disconnect' });
    await stage.runtime.notice(
      (notice) => notice.type === 'connector-disconnected' && notice.connectorId === connectorId,
    );
    expect((await stage.runtime.api('GET', `/v1/connectors/${connectorId}`)).json).toMatchObject({
      status: 'disconnected',
    });
    const late = { ...wanted, id: crypto.randomUUID() };
    await send(late);
    expect(await endOf(late.id)).toMatchObject({
      type: 'task-completed',
      result: { status: 'disconnected' },
    });
  });
});
