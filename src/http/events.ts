import * as z from 'zod';
import { actorOf, knownConnectors } from '../connector/stub.ts';
import type { CalendarTask, TaskType } from '../domain/task.ts';
import { calendarTaskSchema } from '../domain/task.ts';
import { listFieldErrors, summarizeFieldErrors } from '../domain/field-error.ts';
import { readBody } from './body.ts';
import { noConnector } from './connectors.ts';
import type { Context } from './context.ts';
import { readIdempotencyKey } from './idempotency.ts';
import { failureProblem, json, problem } from './respond.ts';

/** How long a caller is kept waiting for a write before they are sent to its task. */
const LONGEST_WAIT_MS = 25_000;

const bodySchema = z.looseObject({});

/** `POST /v1/connectors/:id/events`: creates an event; 201, or 200 for a repeat of the same `Idempotency-Key`. */
export async function createEvent(
  request: Request,
  connectorId: string,
  context: Context,
): Promise<Response> {
  const body = await readBody(request, bodySchema);
  return body.ok ? await write('create-event', body.value, request, connectorId, context) : body.response;
}

/** `PATCH /v1/connectors/:id/events/:eventId`: changes an event; `If-Match` holds the version the caller has seen. */
export async function updateEvent(
  request: Request,
  { id, eventId }: { id: string; eventId: string },
  context: Context,
): Promise<Response> {
  const body = await readBody(request, bodySchema);
  if (!body.ok) return body.response;
  const etag = request.headers.get('If-Match');
  const payload = { ...body.value, ...(etag !== null && { etag }), eventId: readSegment(eventId) };
  return await write('update-event', payload, request, id, context);
}

/** `DELETE /v1/connectors/:id/events/:eventId?calendarId=&notify=`: cancels an event; what is gone is success. */
export async function cancelEvent(
  request: Request,
  { id, eventId }: { id: string; eventId: string },
  context: Context,
): Promise<Response> {
  const query = Object.fromEntries(new URL(request.url).searchParams);
  return await write('cancel-event', { ...query, eventId: readSegment(eventId) }, request, id, context);
}

/** Has the actor carry the write out as a task of its ledger, and waits for its end. */
async function write(
  type: TaskType,
  payload: object,
  request: Request,
  connectorId: string,
  { env, now, randomId }: Context,
): Promise<Response> {
  const key = readIdempotencyKey(request);
  if (key instanceof Response) return key;
  if (!(await knownConnectors(env, [connectorId])).has(connectorId)) return noConnector(connectorId);
  const read = calendarTaskSchema.safeParse({ type, connectorId, payload });
  if (!read.success) {
    const errors = listFieldErrors(read.error).map(({ path, message }) => ({
      path: path.replace(/^payload\.?/, ''),
      message,
    }));
    return problem('invalid_request', summarizeFieldErrors(errors), { errors });
  }
  const task: CalendarTask & { id: string } = { ...read.data, id: key ?? randomId() };
  const performed = await actorOf(env, connectorId).perform(task, LONGEST_WAIT_MS);
  if (!performed.ok) return failureProblem(performed.failure, now());
  const { submission, report } = performed.value;
  if (submission === 'mismatch')
    return problem('idempotency_mismatch', 'This Idempotency-Key was another request');
  if (report.state === 'failed' && report.error !== undefined) {
    return problem(report.error.code, report.error.message);
  }
  if (report.state === 'done') {
    return json(report.result, type === 'create-event' && submission === 'accepted' ? 201 : 200);
  }
  const answer = json(report, 202);
  answer.headers.set('Location', `/v1/connectors/${connectorId}/tasks/${task.id}`);
  return answer;
}

/** A path segment as it was meant; as it is when it is not well encoded, for the schema to refuse. */
function readSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
