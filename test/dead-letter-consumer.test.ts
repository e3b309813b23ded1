import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, expect, it, vi } from 'vitest';
import { findDeadLetter } from '../src/db/dead-letters.ts';
import { consumeDeadLetters, DEAD_LETTER_QUEUE } from '../src/dead-letter-consumer.ts';
import type { MetricEvent } from '../src/metrics.ts';
import { scriptQueue } from './actors.ts';
import { freshId, migrateDatabase } from './database.ts';

const NOW_MS = Date.UTC(2031, 4, 5, 6, 7, 8);
const AT = new Date(NOW_MS).toISOString();

beforeAll(migrateDatabase);

/** Delivers dead messages. `mended`: the queue of notices takes what it is given. */
async function deliver(
  messages: { id: string; body: unknown }[],
  { mended = true, DB = env.DB, attempts = 1 } = {},
) {
  const notify = scriptQueue(env.Q_NOTIFY);
  notify.broken = !mended;
  const events: MetricEvent[] = [];
  const batch = createMessageBatch(
    DEAD_LETTER_QUEUE,
    messages.map(({ id, body }) => ({ id, timestamp: NOW_MS, attempts, body })),
  );
  const retries = batch.messages.map((message) => vi.spyOn(message, 'retry'));
  await consumeDeadLetters(batch, {
    env: { DB, Q_NOTIFY: notify.queue },
    now: () => NOW_MS,
    record: (event) => events.push(event),
  });
  const result = await getQueueResult(batch, createExecutionContext());
  return {
    acked: result.explicitAcks,
    retried: result.retryMessages.map(({ msgId }) => msgId),
    delays: retries.flatMap(({ mock }) => mock.calls.map(([options]) => options?.delaySeconds)),
    notices: notify.sent,
    events,
  };
}

function deadTask(connectorId = freshId()) {
  const taskId = freshId('task');
  return { id: freshId('message'), body: { id: taskId, type: 'refresh-token', connectorId } };
}

it('a dead message is kept as it came, told as failed, and acknowledged', async () => {
  const { id, body } = deadTask();
  const { acked, notices, events } = await deliver([{ id, body }]);
  expect(acked).toEqual([id]);
  expect(await findDeadLetter(env.DB, id)).toMatchObject({
    task_id: body.id,
    task_type: 'refresh-token',
    connector_id: body.connectorId,
    body: JSON.stringify(body),
    failed_at: NOW_MS / 1000,
    replayed_at: null,
  });
  expect(notices).toEqual([
    {
      type: 'task-failed',
      connectorId: body.connectorId,
      at: AT,
      taskId: body.id,
      taskType: 'refresh-token',
      error: { code: 'provider_unavailable', message: expect.stringContaining(id), retryable: true },
    },
    {
      type: 'operator-alert',
      connectorId: body.connectorId,
      at: AT,
      error: { code: 'provider_unavailable', message: expect.stringContaining('1.'), retryable: false },
    },
  ]);
  expect(events).toEqual([
    {
      event: 'error',
      where: DEAD_LETTER_QUEUE,
      detail: `refresh-token ${body.id} of ${body.connectorId} is kept as ${id}`,
    },
  ]);
});

it('dead messages that come together alarm the operator once, and of nobody in particular', async () => {
  const { notices } = await deliver([deadTask(), deadTask()]);
  expect(notices.map(({ type }) => type)).toEqual(['task-failed', 'task-failed', 'operator-alert']);
  expect(notices.at(-1)?.connectorId).toBe('');
});

it('a message without an id of its own is the task of its message id', async () => {
  const id = freshId('message');
  const { notices } = await deliver([{ id, body: { type: 'refresh-token', connectorId: 'c' } }]);
  expect(notices[0]?.taskId).toBe(id);
});

it.each<[string, unknown, string]>([
  ['nothing', null, 'null'],
  ['text', 'refresh', '"refresh"'],
  ['what JSON cannot say', 1n, 'null'],
])('a message that is %s is kept and told by its message id', async (_, body, kept) => {
  const id = freshId('message');
  const { acked, notices } = await deliver([{ id, body }]);
  expect(acked).toEqual([id]);
  expect(notices[0]).toMatchObject({ type: 'task-failed', connectorId: '', taskId: id });
  expect((await findDeadLetter(env.DB, id))?.body).toBe(kept);
});

it('a dead message that is delivered twice is kept and told once', async () => {
  const message = deadTask();
  await deliver([message]);
  const again = await deliver([message]);
  expect(again).toMatchObject({ acked: [message.id], notices: [], events: [] });
});

it('one that could not be told is delivered again, and told then', async () => {
  const message = deadTask();
  const first = await deliver([message], { mended: false, attempts: 3 });
  expect(first).toMatchObject({ acked: [], retried: [message.id], delays: [160] });
  const second = await deliver([message]);
  expect(second.acked).toEqual([message.id]);
  expect(second.notices).toHaveLength(2);
});

it('while the database is down nothing is told and nothing is lost', async () => {
  const DB = new Proxy(env.DB, {
    get() {
      throw new Error('the database is down');
    },
  });
  const message = deadTask();
  const { acked, retried, delays, notices } = await deliver([message], { DB, attempts: 90 });
  expect({ acked, retried, delays, notices }).toEqual({
    acked: [],
    retried: [message.id],
    delays: [3600],
    notices: [],
  });
});
