import * as z from 'zod';
import { actorOf } from '../connector/stub.ts';
import { type FieldError, listFieldErrors } from '../domain/field-error.ts';
import { ok } from '../domain/failure.ts';
import { type CalendarTask, calendarTaskSchema, type TaskReport, type TaskType } from '../domain/task.ts';
import type { Context } from './context.ts';
import { refuseUnknown } from './known.ts';
import { endedIn, failed, invalidField, invalidFields, type Problem, refuse, type Result } from './result.ts';

/** How long a caller is kept waiting for a write before they are told its task instead. */
const LONGEST_WAIT_MS = 25_000;

/** The platform takes at most so many bytes of messages in one call, and so many of each; what it adds is left room for. */
const MOST_BYTES = 240_000;
const MOST_MESSAGE_BYTES = 127_000;

/** A write that a caller waits for. */
export interface Write {
  type: TaskType;
  connectorId: string;
  /** As the task's payload; it is judged here. */
  payload: object;
  /** The caller's own name for the write: a repeat is the same write. */
  key: string | undefined;
}

/** What a `cancel-event` ends in. */
export const cancelledEventSchema = z.object({ eventId: z.string(), status: z.literal('cancelled') });

/** How a write stands: `done`, for the first time or as a repeat of one that was; or `pending`, on its way. */
export type WriteEnd<T> =
  { state: 'done'; isRepeat: boolean; result: T } | { state: 'pending'; task: TaskReport };

/** Has the actor carry a write out as a task of its ledger, and waits for its end, which `resultSchema` reads. */
export async function performWrite<T>(
  { type, connectorId, payload, key }: Write,
  resultSchema: z.ZodType<T>,
  context: Pick<Context, 'env' | 'now' | 'randomId'>,
): Promise<Result<WriteEnd<T>>> {
  const { env, now, randomId } = context;
  const unknown = await refuseUnknown([connectorId], context);
  if (unknown !== undefined) return unknown;
  const read = calendarTaskSchema.safeParse({ type, connectorId, payload });
  if (!read.success) return invalidPayload(listFieldErrors(read.error));
  const task: CalendarTask & { id: string } = { ...read.data, id: key ?? randomId() };
  const performed = await actorOf(env, connectorId).perform(task, LONGEST_WAIT_MS);
  if (!performed.ok) return failed(performed.failure, now());
  const { submission, report } = performed.value;
  if (submission === 'mismatch')
    return refuse('idempotency_mismatch', 'This Idempotency-Key was another request');
  if (report.state === 'failed' && report.error !== undefined) return endedIn(report.error);
  if (report.state !== 'done') return ok({ state: 'pending', task: report });
  const result = resultSchema.parse(report.result);
  return ok({ state: 'done', isRepeat: submission !== 'accepted', result });
}

/** Tells the fields of a payload as its caller knows them. */
function invalidPayload(errors: FieldError[]): { ok: false; problem: Problem } {
  return invalidFields(
    errors.map(({ path, message }) => ({ path: path.replace(/^payload\.?/, ''), message })),
  );
}

/** Sends tasks to the queue, all or none; their ids, in order. With `key`, a repeat is the same tasks. */
export async function submitTasks(
  tasks: readonly CalendarTask[],
  key: string | undefined,
  { env, randomId }: Pick<Context, 'env' | 'randomId'>,
): Promise<Result<{ ids: string[] }>> {
  const nameOf = (index: number) => (key === undefined ? randomId() : `${key}:${index}`);
  const messages = tasks.map(({ id, type, connectorId, payload, deadlineMs }, index) => ({
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
  return ok({ ids });
}

function sizeOf(message: unknown): number {
  return new TextEncoder().encode(JSON.stringify(message)).length;
}

/** Where a task stands. */
export async function reportTask(
  connectorId: string,
  taskId: string,
  context: Pick<Context, 'env' | 'now'>,
): Promise<Result<TaskReport>> {
  const unknown = await refuseUnknown([connectorId], context);
  if (unknown !== undefined) return unknown;
  const report = await actorOf(context.env, connectorId).report(taskId);
  return report.ok ? report : failed(report.failure, context.now());
}
