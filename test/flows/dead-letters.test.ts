import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { connect } from '../local/connect.ts';
import type { Person } from '../sandbox/people.ts';
import { openStage } from './stage.ts';

// As it is configured, a hand-off is tried for an hour: here what fails once is dead.
const stage = openStage({}, ({ queues, ...own }) => ({
  ...own,
  queues: {
    ...queues,
    consumers: (queues?.consumers ?? []).map((consumer) =>
      consumer.queue === 'calendar-tasks' ? { ...consumer, max_retries: 0, max_batch_size: 100 } : consumer,
    ),
  },
}));

const MEETING = {
  summary: 'Planning',
  start: '2026-11-23T09:00:00Z',
  end: '2026-11-23T10:00:00Z',
  timeZone: 'UTC',
};

const lettersSchema = z.object({
  deadLetters: z.array(z.looseObject({ id: z.string(), taskId: z.string() })),
});

function booking(connectorId: string) {
  return { id: crypto.randomUUID(), type: 'create-event', connectorId, payload: MEETING };
}

function send(bodies: unknown[]) {
  return stage.runtime.bindings.Q_TASKS.sendBatch(bodies.map((body) => ({ body })));
}

function noticesOf(taskId: string) {
  return stage.runtime.notices.filter((notice) => notice.taskId === taskId);
}

async function lettersOf(...taskIds: string[]) {
  const answer = await stage.runtime.api('GET', '/v1/dead-letters?limit=100');
  return lettersSchema.parse(answer.json).deadLetters.filter(({ taskId }) => taskIds.includes(taskId));
}

function eventsOf(person: Person) {
  return [...(person.calendar('primary')?.calendar.events.values() ?? [])];
}

function replay(id: string) {
  return stage.runtime.api('POST', `/v1/dead-letters/${id}/replay`);
}

/** Makes one connector's actor unable to take any task, until it is mended. */
async function breakActor(connectorId: string) {
  const { worker } = stage.runtime;
  const storage = await worker.getDurableObjectStorage('CONNECTOR', { name: connectorId });
  await storage.exec('ALTER TABLE task RENAME TO broken');
  await worker.evictDurableObject('CONNECTOR', { name: connectorId });
  return async () => {
    await storage.exec('ALTER TABLE broken RENAME TO task');
    await worker.evictDurableObject('CONNECTOR', { name: connectorId });
  };
}

describe('a poison message among 99 good ones', () => {
  it('is the only one that dies: it is told once, kept, and replayed once', async () => {
    const people = [stage.person(), stage.person(), stage.person()];
    const connectors = await Promise.all(people.map((person) => connect(stage.runtime, person)));
    const victim = stage.person();
    const broken = await connect(stage.runtime, victim);
    const mend = await breakActor(broken);
    const good = Array.from({ length: 99 }, (_, n) => booking(connectors[n % 3] ?? ''));
    const poison = booking(broken);
    await send([...good.slice(0, 50), poison, ...good.slice(50)]);

    const failed = await stage.runtime.notice(({ taskId }) => taskId === poison.id);
    expect(failed).toMatchObject({
      type: 'task-failed',
      connectorId: broken,
      taskType: 'create-event',
      error: { code: 'provider_unavailable' },
    });
    await stage.runtime.notice((notice) => notice.type === 'operator-alert' && notice.connectorId === broken);
    for (const { id } of good) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await stage.runtime.notice(({ taskId }) => taskId === id)).toMatchObject({
        type: 'task-completed',
      });
    }
    const [letter, ...others] = await lettersOf(poison.id, ...good.map(({ id }) => id));
    expect(others).toEqual([]);
    expect(letter).toMatchObject({ taskId: poison.id, connectorId: broken, message: poison });

    await mend();
    const answers = await Promise.all([replay(letter?.id ?? ''), replay(letter?.id ?? '')]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([202, 409]);
    expect(answers.find(({ status }) => status === 409)?.json).toMatchObject({ code: 'conflict' });
    await stage.runtime.notice(({ taskId, type }) => taskId === poison.id && type === 'task-completed');
    expect((await replay(letter?.id ?? '')).status).toBe(409);
    expect(eventsOf(victim)).toHaveLength(1);
    expect(noticesOf(poison.id)).toHaveLength(2);
  });
});

describe('a message that died while the database was down', () => {
  it('is not lost, and is done once however often it comes', async () => {
    const { DB } = stage.runtime.bindings;
    const person = stage.person();
    const connectorId = await connect(stage.runtime, person);
    const nameless = { type: 'create-event', connectorId, payload: MEETING };
    // Nobody has asked for this connector yet, so that the worker must look whether there is one.
    await DB.prepare('ALTER TABLE connectors RENAME TO away').bind().run();
    await send([nameless]);
    const failed = await stage.runtime.notice(
      (notice) => notice.type === 'task-failed' && notice.connectorId === connectorId,
    );
    await DB.prepare('ALTER TABLE away RENAME TO connectors').bind().run();
    const taskId = failed.taskId ?? '';
    const [letter] = await lettersOf(taskId);
    expect((await replay(letter?.id ?? '')).status).toBe(202);
    await stage.runtime.notice((notice) => notice.taskId === taskId && notice.type === 'task-completed');
    // The same message again, as if its first delivery had come through after all.
    await send([{ ...nameless, id: taskId }]);
    const after = booking(connectorId);
    await send([after]);
    await stage.runtime.notice((notice) => notice.taskId === after.id);
    expect(eventsOf(person)).toHaveLength(2);
  });
});
