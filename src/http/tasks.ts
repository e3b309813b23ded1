import { taskSubmissionSchema } from '../domain/task.ts';
import type { Context } from '../operations/context.ts';
import { reportTask, submitTasks as submit } from '../operations/tasks.ts';
import { readBody } from './body.ts';
import { readIdempotencyKey } from './idempotency.ts';
import { answer, problem } from './respond.ts';

/** `POST /v1/tasks`: sends tasks to the queue, all of them or, when one is malformed, none. */
export async function submitTasks(request: Request, context: Context): Promise<Response> {
  const body = await readBody(request, taskSubmissionSchema);
  if (!body.ok) return problem(body.problem);
  const key = readIdempotencyKey(request);
  if (!key.ok) return problem(key.problem);
  return answer(await submit(body.value.tasks, key.value, context), 202);
}

/** `GET /v1/connectors/:id/tasks/:taskId`: where a task stands. */
export async function getTask(connectorId: string, taskId: string, context: Context): Promise<Response> {
  return answer(await reportTask(connectorId, taskId, context));
}
