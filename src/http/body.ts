import type * as z from 'zod';
import { type Problem, readInput, refuse, type Result } from '../operations/result.ts';

/** The largest JSON body that is read, bytes. */
const MOST_BYTES = 1024 * 1024;

/** A request's JSON body as `schema` reads it, or the refusal that says what is wrong with it. */
export async function readBody<T>(request: Request, schema: z.ZodType<T>): Promise<Result<T>> {
  const type = request.headers.get('Content-Type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') return unreadable('Send the body as Content-Type: application/json.');
  const text = await readText(request, MOST_BYTES);
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

/** The body as text; undefined (and the rest left unread) when it has more than `mostBytes`. */
export async function readText(request: Request, mostBytes: number): Promise<string | undefined> {
  if (request.body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > mostBytes) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
