import type * as z from 'zod';
import { readBounded } from '../bounded-text.ts';
import { type Problem, readInput, refuse, type Result } from '../operations/result.ts';

/** The largest JSON body that is read, bytes. */
const MOST_BYTES = 1024 * 1024;

/** A request's JSON body as `schema` reads it, or the refusal that says what is wrong with it. */
export async function readBody<T>(request: Request, schema: z.ZodType<T>): Promise<Result<T>> {
  const type = request.headers.get('Content-Type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') return unreadable('Send the body as Content-Type: application/json.');
  const text = await readBounded(request, MOST_BYTES);
  if (text === undefined) return unreadable(`The body has more than ${MOST_BYTES} bytes.`);
  let wire: unknown;
  try {
    wire = JSON.parse(text);
  } catch {
    return unreadable('The body is not JSON.');
  }
  return readInput(schema, wire);
}

function unreadable(detail: string): { ok: false; problem: Problem } {
  return refuse('invalid_request', detail);
}
