import { z } from 'zod';
import type { Ask } from '../exchange.ts';
import { badRequest } from './errors.ts';

/**
 * A JSON body of a known shape; unknown names and wrong types are refused. The names on top are told apart
 * without regard to the case of their first letter, as the provider's own examples spell them both ways.
 */
export function readJson<T>(ask: Ask, shape: z.ZodType<T>): T {
  const type = (ask.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw badRequest('RequestBodyRead', 'A Content-Type of application/json is needed.');
  }
  let value: unknown;
  try {
    value = JSON.parse(ask.body);
  } catch {
    throw badRequest('BadRequest', 'Unable to read JSON request payload.');
  }
  const object = z.record(z.string(), z.unknown()).safeParse(value);
  if (!object.success) throw badRequest('BadRequest', 'The body must be a JSON object.');
  const lowered = Object.entries(object.data).map(([name, one]) => [
    name.charAt(0).toLowerCase() + name.slice(1),
    one,
  ]);
  const read = shape.safeParse(Object.fromEntries(lowered));
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    throw badRequest('RequestBodyRead', `The property '${issue.keys[0] ?? ''}' does not exist here.`);
  }
  throw badRequest(
    'RequestBodyRead',
    `Invalid ${issue?.path.join('.') ?? 'body'}: ${issue?.message ?? 'invalid'}`,
  );
}
