import {
  createExecutionContext,
  createMessageBatch,
  getQueueResult,
  listDurableObjectIds,
} from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { insertConnector } from '../src/db/connectors.ts';
import { fail, ok } from '../src/domain/failure.ts';
import type { MetricEvent } from '../src/metrics.ts';
import { consumeTasks } from '../src/queue-consumer.ts';
import { type ActorCall, scriptActors, scriptQueue } from './actors.ts';
import { freshId, migrateDatabase } from './database.ts';

const NOW_MS = Date.UTC(2031, 4, 5, 6, 7, 8);
const AT = new Date(NOW_MS).toISOString();
const QUESTION = { timeMin: '2026-11-23T09:00:00Z', timeMax: '2026-11-23T17:00:00Z', timeZone: 'UTC' };

beforeAll(migrateDatabase);

async function addConnector(): Promise<string> {
  const id = freshId();
  await insertConnector(env.DB, { id, userId: 'ada', provider: 'google' }, NOW_MS);
  return id;
}

const refresh = (connectorId: string) => ({ type: 'refresh-token', connectorId });
const acceptAll = ({ args: [tasks] }: ActorCall) =>
  ok(Array.isArray(tasks) ? tasks.map(() => 'accepted') : []);

/** Delivers a batch of bodies as the messages `m0`, `m1`, …; actors answer as `answer` says. */
async function deliver(
  bodies: unknown[],
  {
    answer = acceptAll,
    notifyBroken = false,
    change = {},
    attempts = 1,
  }: {
    answer?: (call: ActorCall) => unknown;
    notifyBroken?: boolean;
    change?: Partial<Env>;
    attempts?: number;
  } = {},
) {
  const { CONNECTOR, calls } = scriptActors(answer);
  const notify = scriptQueue(env.Q_NOTIFY);
  notify.broken = notifyBroken;
  const events: MetricEvent[] = [];
  const batch = createMessageBatch(
    'calendar-tasks',
    bodies.map((body, n) => ({ id: `m${n}`, timestamp: NOW_MS, attempts, body })),
  );
  // The result of a batch does not tell delays.
  const retries = batch.messages.map((message) => vi.spyOn(message, 'retry'));
  await consumeTasks(batch, {
    env: { DB: env.DB, CONNECTOR, Q_NOTIFY: notify.queue, ...change },
    now: () => NOW_MS,
    record: (event) => events.push(event),
  });
  const result = await getQueueResult(batch, createExecutionContext());
  return {
    acked: result.explicitAcks.toSorted(),
    retried: result.retryMessages.map(({ msgId }) => msgId).toSorted(),
    delays: retries.flatMap(({ mock }) => mock.calls.map(([options]) => options?.delaySeconds)),
    wholeBatch: result.ackAll || result.retryBatch.retry,
    calls,
    notices: notify.sent,
    events,
  };
}

describe('a batch of tasks', () => {
  it('costs one call per connector, in the order of its messages', async () => {
    const [a, b] = [await addConnector(), await addConnector()];
    const { acked, retried, wholeBatch, calls, notices } = await deliver([
      refresh(a),
      { ...refresh(b), id: 'own-id' },
      { type: 'check-availability', connectorId: a, payload: QUESTION, deadline: NOW_MS + 1 },
      refresh(a),
    ]);
    expect({ acked, retried, wholeBatch, notices }).toEqual({
      acked: ['m0', 'm1', 'm2', 'm3'],
      retried: [],
      wholeBatch: false,
      notices: [],
    });
    expect(calls).toHaveLength(2);
    expect(calls.find(({ connectorId }) => connectorId === a)).toEqual({
      connectorId: a,
      method: 'submit',
      args: [
        [
          { ...refresh(a), id: 'm0', payload: {} },
          {
            id: 'm2',
            type: 'check-availability',
            connectorId: a,
            payload: QUESTION,
            deadlineMs: NOW_MS + 1,
          },
          { ...refresh(a), id: 'm3', payload: {} },
        ],
      ],
    });
    expect(calls.find(({ connectorId }) => connectorId === b)?.args).toEqual([
      [{ ...refresh(b), id: 'own-id', payload: {} }],
    ]);
  });

  it('may hold nothing at all', async () => {
    expect(await deliver([])).toMatchObject({ acked: [], retried: [], calls: [], notices: [] });
  });
});

describe('a message that can be no task', () => {
  it('is acknowledged, counted and reported with its field, and hurts no other', async () => {
    const a = await addConnector();
    const bad = {
      id: 'bad',
      type: 'check-availability',
      connectorId: a,
      payload: { ...QUESTION, timeZone: 'x' },
    };
    const { acked, calls, notices, events } = await deliver([refresh(a), bad, refresh(a)]);
    expect(acked).toEqual(['m0', 'm1', 'm2']);
    expect(calls).toHaveLength(1);
    const message = 'payload.timeZone: must be an IANA time zone, such as Europe/Berlin';
    expect(notices).toEqual([
      {
        type: 'task-failed',
        connectorId: a,
        at: AT,
        taskId: 'bad',
        taskType: 'check-availability',
        error: { code: 'invalid_request', message, retryable: false },
      },
    ]);
    expect(events).toEqual([
      { event: 'message-refused', messageId: 'm1', taskId: 'bad', code: 'invalid_request', detail: message },
    ]);
  });

  it.each<[string, unknown]>([
    ['nothing', null],
    ['text', 'refresh'],
    ['a list', []],
    ['bytes', new ArrayBuffer(8)],
    ['an object of nonsense', { id: {}, type: 7, connectorId: ['x'] }],
  ])('is reported by its message id when it is %s', async (_, body) => {
    const { acked, notices, calls } = await deliver([body]);
    expect(acked).toEqual(['m0']);
    expect(calls).toEqual([]);
    expect(notices).toEqual([
      {
        type: 'task-failed',
        connectorId: '',
        at: AT,
        taskId: 'm0',
        error: { code: 'invalid_request', message: expect.any(String), retryable: false },
      },
    ]);
  });

  it('is reported in a notice that fits in a message, however large its names are', async () => {
    const long = 'x'.repeat(100_000);
    const crowd = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`field-${n}`, 0]));
    const { acked, notices } = await deliver([
      { id: long, type: long, connectorId: long },
      { ...refresh('c'), [long]: 0 },
      { ...refresh('c'), ...crowd },
    ]);
    expect(acked).toEqual(['m0', 'm1', 'm2']);
    for (const notice of notices) expect(JSON.stringify(notice).length).toBeLessThan(10_000);
  });

  it('is delivered again when it cannot be reported, and hurts no other', async () => {
    const a = await addConnector();
    const { acked, retried, events } = await deliver([null, refresh(a)], { notifyBroken: true });
    expect({ acked, retried }).toEqual({ acked: ['m1'], retried: ['m0'] });
    expect(events).toContainEqual({
      event: 'error',
      where: 'report of a message',
      detail: 'Error: the queue is down',
    });
  });
});

describe('a task for a connector that is not there', () => {
  it('is reported as not found, and no actor is made', async () => {
    const [a, unknown] = [await addConnector(), freshId()];
    const { acked, calls, notices } = await deliver([refresh(unknown), refresh(a), refresh(unknown)]);
    expect(acked).toEqual(['m0', 'm1', 'm2']);
    expect(calls.map(({ connectorId }) => connectorId)).toEqual([a]);
    expect(notices.map(({ taskId, error }) => [taskId, error])).toEqual(
      ['m0', 'm2'].map((id) => [
        id,
        { code: 'not_found', message: `connectorId: no connector ${unknown}`, retryable: false },
      ]),
    );
  });

  it('leaves the real namespace empty', async () => {
    const before = await listDurableObjectIds(env.CONNECTOR);
    await deliver([refresh(freshId())], { change: { CONNECTOR: env.CONNECTOR } });
    expect(await listDurableObjectIds(env.CONNECTOR)).toEqual(before);
  });

  it('is delivered again when the report cannot be sent', async () => {
    const { retried, acked } = await deliver([refresh(freshId())], { notifyBroken: true });
    expect({ acked, retried }).toEqual({ acked: [], retried: ['m0'] });
  });
});

describe('a hand-off that fails', () => {
  it('is tried again for the connector it failed for, and for no other', async () => {
    const [a, b] = [await addConnector(), await addConnector()];
    const { acked, retried, events } = await deliver([refresh(a), refresh(b), refresh(a)], {
      answer: (call) => {
        if (call.connectorId === a) throw new Error('the object was reset');
        return acceptAll(call);
      },
    });
    expect({ acked, retried }).toEqual({ acked: ['m1'], retried: ['m0', 'm2'] });
    expect(events).toEqual([
      { event: 'error', where: 'hand-off of tasks', detail: 'Error: the object was reset' },
    ]);
  });

  it('is tried again when the actor cannot even look at the tasks', async () => {
    const a = await addConnector();
    const { acked, retried, notices } = await deliver([refresh(a)], {
      answer: () => fail({ kind: 'misconfigured', detail: 'X: is not set' }),
    });
    expect({ acked, retried, notices }).toEqual({ acked: [], retried: ['m0'], notices: [] });
  });

  it('is tried again when the database is down, but for what can be no task', async () => {
    const DB = new Proxy(env.DB, {
      get() {
        throw new Error('the database is down');
      },
    });
    const { acked, retried, calls } = await deliver([refresh(freshId()), null, refresh(freshId())], {
      change: { DB },
    });
    expect({ acked, retried, calls }).toEqual({ acked: ['m1'], retried: ['m0', 'm2'], calls: [] });
  });

  it('is tried again ever later, so that its few tries outlast a fault', async () => {
    const a = await addConnector();
    const answer = () => {
      throw new Error('the actor is down');
    };
    const delays: (number | undefined)[] = [];
    for (const attempts of [1, 2, 3, 4, 5, 6]) {
      delays.push(...(await deliver([refresh(a)], { answer, attempts })).delays);
    }
    expect(delays).toEqual([10, 40, 160, 640, 2560, 3600]);
  });

  it('is tried again message by message, so that one that no actor can take does not take others along', async () => {
    const a = await addConnector();
    const poison = { ...refresh(a), id: 'poison' };
    const batch = [...Array.from({ length: 9 }, () => refresh(a)), poison];
    const answer = (call: ActorCall) => {
      if (JSON.stringify(call.args).includes('poison')) throw new Error('the actor cannot take it');
      return acceptAll(call);
    };
    const first = await deliver(batch, { answer });
    expect(first.acked).toEqual([]);
    const second = await deliver(batch, { answer, attempts: 2 });
    expect({ acked: second.acked.length, retried: second.retried }).toEqual({ acked: 9, retried: ['m9'] });
  });

  it('is tried again for a task that the actor says nothing of', async () => {
    const a = await addConnector();
    const { acked, retried } = await deliver([refresh(a), refresh(a)], { answer: () => ok(['accepted']) });
    expect({ acked, retried }).toEqual({ acked: ['m0'], retried: ['m1'] });
  });
});

describe('what an actor says of a task', () => {
  it('is the end of the message when it is taken, now or before, and a report when it is not', async () => {
    const a = await addConnector();
    const said = ['accepted', 'repeat', 'mismatch', 'not-connected'];
    const { acked, retried, notices } = await deliver(
      said.map(() => refresh(a)),
      { answer: () => ok(said) },
    );
    expect({ acked, retried }).toEqual({ acked: ['m0', 'm1', 'm2', 'm3'], retried: [] });
    expect(notices.map(({ taskId, error }) => [taskId, error?.code, error?.retryable])).toEqual([
      ['m2', 'idempotency_mismatch', false],
      ['m3', 'reauth_required', false],
    ]);
  });
});
