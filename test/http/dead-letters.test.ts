import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { keepDeadLetters } from '../../src/db/dead-letters.ts';
import { scriptQueue } from '../actors.ts';
import { freshId, migrateDatabase } from '../database.ts';
import { NOW_MS, openHouse, readProblem } from './stage.ts';

beforeAll(migrateDatabase);

const listSchema = z.object({ deadLetters: z.array(z.looseObject({ id: z.string() })) });

/** Keeps a dead message; later ones are newer than those of other tests. */
async function keep(body: object = {}, failedAtMs = NOW_MS) {
  const [id, taskId, connectorId] = [freshId('message'), freshId('task'), freshId()];
  const message = { type: 'refresh-token', connectorId, ...body };
  const letter = { id, taskId, taskType: 'refresh-token', connectorId, body: JSON.stringify(message) };
  await keepDeadLetters(env.DB, [letter], failedAtMs);
  return { id, taskId, connectorId, message };
}

/** The HTTP surface with a queue that keeps what it is sent. */
function openReplays() {
  const queue = scriptQueue(env.Q_TASKS);
  const { send } = openHouse({ Q_TASKS: queue.queue });
  const replay = (id: string, nowMs = NOW_MS) =>
    send(`/v1/dead-letters/${id}/replay`, { method: 'POST', nowMs });
  return { send, queue, replay };
}

describe('GET /v1/dead-letters', () => {
  it('shows the newest first, as many as are asked for', async () => {
    const farMs = NOW_MS + 10 * 365 * 86_400_000;
    const [older, newer] = [await keep({}, farMs), await keep({}, farMs + 1000)];
    const { send } = openHouse();
    const response = await send('/v1/dead-letters?limit=2');
    const { deadLetters } = listSchema.parse(await response.json());
    expect(deadLetters).toEqual([
      {
        id: newer.id,
        taskId: newer.taskId,
        taskType: 'refresh-token',
        connectorId: newer.connectorId,
        message: newer.message,
        failedAt: new Date(farMs + 1000).toISOString(),
      },
      expect.objectContaining({ id: older.id }),
    ]);
    expect((await send('/v1/dead-letters')).status).toBe(200);
  });

  it.each(['0', '101', '1.5', 'many', ''])('refuses the limit %j', async (limit) => {
    const problem = await readProblem(await openHouse().send(`/v1/dead-letters?limit=${limit}`));
    expect(problem).toMatchObject({ code: 'invalid_request', errors: [{ path: 'limit' }] });
  });

  it('is not for those without a token', async () => {
    expect((await openHouse().send('/v1/dead-letters', { token: null })).status).toBe(401);
  });
});

describe('POST /v1/dead-letters/:id/replay', () => {
  it('sends the message to the queue under the id of its task, and says so', async () => {
    const { id, taskId, message } = await keep();
    const { replay, queue } = openReplays();
    const response = await replay(id);
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ id, taskId, replayedAt: new Date(NOW_MS).toISOString() });
    expect(queue.sent).toEqual([{ ...message, id: taskId }]);
  });

  it('leaves the id that a message has', async () => {
    const { id, message } = await keep({ id: 'own-id' });
    const { replay, queue } = openReplays();
    await replay(id);
    expect(queue.sent).toEqual([message]);
    expect(message).toMatchObject({ id: 'own-id' });
  });

  it('happens once, also when two ask at once', async () => {
    const { id } = await keep();
    const { replay, queue } = openReplays();
    const statuses = (await Promise.all([replay(id), replay(id), replay(id)])).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([202, 409, 409]);
    expect(await readProblem(await replay(id, NOW_MS + 86_400_000))).toMatchObject({ code: 'conflict' });
    expect(queue.sent).toHaveLength(1);
  });

  it('that the queue did not take can be asked for again', async () => {
    const { id } = await keep();
    const { replay, queue } = openReplays();
    queue.broken = true;
    expect((await replay(id)).status).toBe(503);
    queue.broken = false;
    expect((await replay(id)).status).toBe(202);
    expect(queue.sent).toHaveLength(1);
  });

  it('that was cut off can be asked for again after a minute', async () => {
    const { id } = await keep();
    const { replay, queue } = openReplays();
    await env.DB.prepare('UPDATE dead_letters SET replaying_at = ? WHERE id = ?')
      .bind(Math.floor(NOW_MS / 1000), id)
      .run();
    expect(await readProblem(await replay(id, NOW_MS + 59_000))).toMatchObject({ code: 'conflict' });
    expect((await replay(id, NOW_MS + 60_000)).status).toBe(202);
    expect(queue.sent).toHaveLength(1);
  });

  it('of a message that is not kept is not found', async () => {
    expect(await readProblem(await openReplays().replay('no-such'))).toMatchObject({ code: 'not_found' });
  });
});
