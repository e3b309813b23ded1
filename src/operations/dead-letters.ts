import {
  beginReplay,
  type DeadLetterRow,
  endReplay,
  findDeadLetter,
  listDeadLetters as listRows,
} from '../db/dead-letters.ts';
import type { DeadLetter } from '../domain/dead-letter.ts';
import { ok } from '../domain/failure.ts';
import type { Context } from './context.ts';
import { invalidField, refuse, type Result } from './result.ts';

/** How many dead letters one call lists, unless it says, and at most. */
const DEFAULT_LIMIT = 20;
const MOST_LISTED = 100;

/** The newest messages that could not be handed over. */
export async function listDeadLetters(
  limit: number = DEFAULT_LIMIT,
  { env }: Pick<Context, 'env'>,
): Promise<Result<{ deadLetters: DeadLetter[] }>> {
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_LISTED) {
    return invalidField('limit', `must be a whole number from 1 to ${MOST_LISTED}`);
  }
  return ok({ deadLetters: (await listRows(env.DB, limit)).map(present) });
}

/**
 * Sends a dead message to `calendar-tasks` again, once, under the id its task has had: should it have come
 * through after all, the ledger knows it. The message as it now stands, or why it is not sent. Throws when
 * the queue does not take it; it can then be replayed still.
 */
export async function replayDeadLetter(
  id: string,
  { env, now }: Pick<Context, 'env' | 'now'>,
): Promise<Result<DeadLetter>> {
  const begun = await beginReplay(env.DB, id, now());
  if (begun === undefined) {
    const known = await findDeadLetter(env.DB, id);
    if (known === undefined) return refuse('not_found', `There is no dead letter ${id}.`);
    return refuse(
      'conflict',
      known.replayed_at === null ? 'It is being replayed.' : 'It has been replayed already.',
    );
  }
  try {
    await env.Q_TASKS.send(nameMessage(begun));
  } catch (thrown) {
    await endReplay(env.DB, id, undefined);
    throw thrown;
  }
  const sentAtMs = now();
  await endReplay(env.DB, id, sentAtMs);
  return ok(present({ ...begun, replayed_at: Math.floor(sentAtMs / 1000) }));
}

/** The message, with the id that its task had from its first delivery. */
function nameMessage({ body, task_id }: DeadLetterRow): unknown {
  const message: unknown = JSON.parse(body);
  const isNameless = typeof message === 'object' && message !== null && !Array.isArray(message);
  return isNameless && !('id' in message) ? { ...message, id: task_id } : message;
}

function present(row: DeadLetterRow): DeadLetter {
  const message: unknown = JSON.parse(row.body);
  return {
    id: row.id,
    taskId: row.task_id,
    ...(row.task_type !== null && { taskType: row.task_type }),
    ...(row.connector_id !== null && { connectorId: row.connector_id }),
    message,
    failedAt: new Date(row.failed_at * 1000).toISOString(),
    ...(row.replayed_at !== null && { replayedAt: new Date(row.replayed_at * 1000).toISOString() }),
  };
}
