import * as z from 'zod';
import { availabilityRequestSchema } from './availability.ts';
import { cancelEventRequestSchema, createEventRequestSchema, updateEventRequestSchema } from './event.ts';
import { connectorIdSchema } from './connector.ts';
import type { TaskError } from './failure.ts';
import { cancelHoldRequestSchema, confirmHoldRequestSchema, placeHoldRequestSchema } from './hold.ts';
import { listFieldErrors } from './field-error.ts';
import { parseInstant } from './time-zone.ts';

/** The task types this worker carries out. */
export const taskTypeSchema = z.enum([
  'refresh-token',
  'check-availability',
  'create-event',
  'update-event',
  'cancel-event',
  'place-hold',
  'cancel-hold',
  'confirm-hold',
  'sync-calendar',
  'disconnect',
]);
export type TaskType = z.infer<typeof taskTypeSchema>;

/** The task types that change the account's calendars: a connector carries them out one at a time. */
export const WRITING_TASKS: readonly TaskType[] = [
  'create-event',
  'update-event',
  'cancel-event',
  'place-hold',
  'cancel-hold',
  'confirm-hold',
];

/** A caller-chosen task id. */
export const taskIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9_.:-]{1,128}$/, 'must be 1 to 128 letters, digits or _ . : -');

const noPayloadSchema = z
  .strictObject({ connectorId: connectorIdSchema.optional() })
  .nullish()
  .transform((payload) => payload ?? {});

const PAYLOAD_SCHEMAS = {
  'refresh-token': noPayloadSchema,
  'check-availability': availabilityRequestSchema,
  'create-event': createEventRequestSchema,
  'update-event': updateEventRequestSchema,
  'cancel-event': cancelEventRequestSchema,
  'place-hold': placeHoldRequestSchema,
  'cancel-hold': cancelHoldRequestSchema,
  'confirm-hold': confirmHoldRequestSchema,
  'sync-calendar': noPayloadSchema,
  disconnect: noPayloadSchema,
} satisfies Record<TaskType, z.ZodType<{ connectorId?: string | undefined }>>;

/** RFC 3339 with an offset, or epoch milliseconds; read as epoch milliseconds. */
const deadlineSchema = z.union([z.int().positive(), z.string()]).transform((deadline, context) => {
  const read = typeof deadline === 'number' ? deadline : parseInstant(deadline);
  if (typeof read === 'number') return read;
  context.issues.push({
    code: 'custom',
    message: 'must be an RFC 3339 date-time with an offset, or epoch milliseconds',
    input: deadline,
  });
  return z.NEVER;
});

/** A message of the queue `calendar-tasks`, its payload still as it came. */
const envelopeSchema = z.strictObject({
  id: taskIdSchema.optional(),
  type: taskTypeSchema,
  connectorId: connectorIdSchema,
  payload: z.unknown().optional(),
  retryCount: z.int().min(0).optional(),
  deadline: deadlineSchema.optional(),
});

/**
 * A well-formed task. `payload` is the wire payload, known to be good: the ledger stores it as it
 * came and `readPayload` reads it again when the task runs, so the stored form is the public one.
 */
export interface CalendarTask {
  id?: string;
  type: TaskType;
  connectorId: string;
  payload: unknown;
  /** Epoch milliseconds. */
  deadlineMs?: number;
}

/** Reads a queue message. Every problem names its field, those inside the payload as `payload.…`. */
export const calendarTaskSchema = envelopeSchema.transform((envelope, context): CalendarTask => {
  const payload = PAYLOAD_SCHEMAS[envelope.type].safeParse(envelope.payload);
  if (!payload.success) {
    for (const { path, message } of listFieldErrors(payload.error)) {
      const fields = path === '' ? [] : path.split('.');
      context.issues.push({ code: 'custom', path: ['payload', ...fields], message, input: undefined });
    }
    return z.NEVER;
  }
  if (payload.data.connectorId !== undefined && payload.data.connectorId !== envelope.connectorId) {
    context.issues.push({
      code: 'custom',
      path: ['payload', 'connectorId'],
      message: 'must be the connectorId of the task',
      input: payload.data.connectorId,
    });
    return z.NEVER;
  }
  return {
    ...(envelope.id !== undefined && { id: envelope.id }),
    type: envelope.type,
    connectorId: envelope.connectorId,
    payload: envelope.payload ?? {},
    ...(envelope.deadline !== undefined && { deadlineMs: envelope.deadline }),
  };
});

/** What a message calls itself, task or not, as far as it can be told, each name cut short. */
export function nameTask(body: unknown): { id?: string; type?: string; connectorId?: string } {
  if (typeof body !== 'object' || body === null) return {};
  const names: Record<string, string> = {};
  for (const [key, value] of Object.entries(body)) {
    if (['id', 'type', 'connectorId'].includes(key) && typeof value === 'string')
      names[key] = value.slice(0, 128);
  }
  return names;
}

/** A platform limit: so many messages are sent in one call. */
const MOST_TASKS = 100;

/** Tasks to send to the queue. */
export const taskSubmissionSchema = z
  .strictObject({ tasks: z.array(z.unknown()).min(1).max(MOST_TASKS) })
  .pipe(z.object({ tasks: z.array(calendarTaskSchema) }));

/** Where a task stands. */
export type TaskState = 'accepted' | 'running' | 'done' | 'failed' | 'parked';

/** A task as `GET /v1/connectors/:id/tasks/:taskId` shows it. */
export interface TaskReport {
  id: string;
  type: TaskType;
  state: TaskState;
  attempts: number;
  result?: object;
  error?: TaskError;
}
