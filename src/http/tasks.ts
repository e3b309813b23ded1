import * as z from 'zod';
import { actorOf, knownConnectors } from '../connector/stub.ts';
import { calendarTaskSchema } from '../domain/task.ts';
import { readBody } from './body.ts';
import { noConnector } from './connectors.ts';
import type { Context } from './context.ts';
import { readIdempotencyKey } from './idempotency.ts';
import { failureProblem, invalidField, json } from './respond.ts';

/** The platform takes at most so many messages in one call, and 256 KB of them, each of 128 KB; what it adds is left room for. */
const MOST_TASKS = 100;
const MOST_BYTES = 240_000;
const MOST_MESSAGE_BYTES = 127_000;

const submissionSchema = z.strictObject({ tasks: z.array(z.unknown()).min(1).max(MOST_TASKS) });
const tasksSchema = z.object({ tasks: z.array(calendarTaskSchema) });

/** `POST /v1/tasks`: sends tasks to the queue, all of them or, when one is malformed, none. */
export async function submitTasks(request: Request, { env, randomId }: Context): Promise<Response> {
  const body = await readBody(request, submissionSchema.pipe(tasksSchema));
  if (!body.ok) return body.response;
  const key = readIdempotencyKey(request);
  if (key instanceof Response) return key;
  const nameOf = (index: number) => (key === undefined ? randomId() : `${key}:${index}`);
  const messages = body.value.tasks.map(({ id, type, connectorId, payload, deadlineMs }, index) => ({
    id: id ?? nameOf(index),
    type,
    connectorId,
    payload,
    ...(deadlineMs !== undefined && { deadline: deadlineMs }),
  }));
  const ids = messages.map(({ id }) => id);
  if (new Set(ids).size < ids.length) return invalidField('tasks', 'two tasks have the same id');
  const tooLarge = messages.findIndex((message) => sizeOf(message) > MOST_MESSAGE_BYTES);
  if (tooLarge !== -1) return invalidField(`tasks.${tooLarge}`, `has more than ${MOST_MESSAGE_BYTES} bytes`);
  if (sizeOf(messages) > MOST_BYTES) {
    return invalidField('tasks', `have more than ${MOST_BYTES} bytes in all; send fewer at a time`);
  }
  await env.Q_TASKS.sendBatch(messages.map((message) => ({ body: message })));
  return json({ ids }, 202);
}

function sizeOf(message: unknown): number {
  return new TextEncoder().encode(JSON.stringify(message)).length;
}

/** `GET /v1/connectors/:id/tasks/:taskId`: where a task stands. */
export async function getTask(connectorId: string, taskId: string, { env, now }: Context): Promise<Response> {
  if (!(await knownConnectors(env, [connectorId])).has(connectorId)) return noConnector(connectorId);
  const report = await actorOf(env, connectorId).report(taskId);
  return report.ok ? json(report.value) : failureProblem(report.failure, now());
}
