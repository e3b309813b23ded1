import * as z from 'zod';
import type { Context } from '../operations/context.ts';
import { performWrite, type Write } from '../operations/tasks.ts';
import { readIdempotencyKey } from './idempotency.ts';
import { json, problem } from './respond.ts';

/** Told as the actor has written it. */
const resultSchema = z.looseObject({});

/**
 * Has a write carried out under the request's `Idempotency-Key` and answers with its result: `freshStatus`
 * when it was made now, 200 for a repeat, 202 with the address of its task when it takes longer.
 */
export async function write(
  wanted: Omit<Write, 'key'>,
  request: Request,
  context: Context,
  freshStatus: (result: Record<string, unknown>) => number = () => 200,
): Promise<Response> {
  const key = readIdempotencyKey(request);
  if (!key.ok) return problem(key.problem);
  const written = await performWrite({ ...wanted, key: key.value }, resultSchema, context);
  if (!written.ok) return problem(written.problem);
  const end = written.value;
  if (end.state === 'done') return json(end.result, end.isRepeat ? 200 : freshStatus(end.result));
  const answer = json(end.task, 202);
  answer.headers.set('Location', `/v1/connectors/${wanted.connectorId}/tasks/${end.task.id}`);
  return answer;
}

/** A path segment as it was meant; as it is when it is not well encoded, for the schema to refuse. */
export function readSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
