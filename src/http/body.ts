import type * as z from 'zod';
import { listFieldErrors, summarizeFieldErrors } from '../domain/field-error.ts';
import { problem } from './respond.ts';

/** The largest request body that is read, bytes. */
const MOST_BYTES = 1024 * 1024;

/** A request's JSON body as `schema` reads it, or the 400 that says what is wrong with it. */
export async function readBody<T>(
  request: Request,
  schema: z.ZodType<T>,
): Promise<{ ok: true; value: T } | { ok: false; response: Response }> {
  const refuse = (detail: string) => ({ ok: false as const, response: problem('invalid_request', detail) });
  const type = request.headers.get('Content-Type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') return refuse('Send the body as Content-Type: application/json.');
  const text = await readText(request);
  if (text === undefined) return refuse(`The body has more than ${MOST_BYTES} bytes.`);
  let wire: unknown;
  try {
    wire = JSON.parse(text);
  } catch {
    return refuse('The body is not JSON.');
  }
  const read = schema.safeParse(wire);
  if (read.success) return { ok: true, value: read.data };
  const errors = listFieldErrors(read.error);
  return { ok: false, response: problem('invalid_request', summarizeFieldErrors(errors), { errors }) };
}

/** The body as text; undefined (and the rest left unread) when it is too large. */
async function readText(request: Request): Promise<string | undefined> {
  if (request.body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > MOST_BYTES) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
