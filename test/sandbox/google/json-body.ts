import type { z } from 'zod';
import type { Ask } from '../exchange.ts';
import { badRequest } from './errors.ts';

/** A JSON body of a known shape; unknown names and wrong types are refused in Google's words. */
export function readJson<T>(ask: Ask, shape: z.ZodType<T>): T {
  const type = (ask.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw badRequest('badContent', 'Unsupported content with type.');
  let value: unknown;
  try {
    value = JSON.parse(ask.body);
  } catch {
    throw badRequest('parseError', 'Parse Error');
  }
  const read = shape.safeParse(value);
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  const path = issue?.path.join('.') ?? '';
  if (issue?.code === 'unrecognized_keys') {
    const name = issue.keys[0] ?? '';
    throw badRequest(
      'badRequest',
      `Invalid JSON payload received. Unknown name "${name}": Cannot find field.`,
    );
  }
  throw badRequest('invalid', `Invalid value at '${path}': ${issue?.message ?? 'invalid'}`, path);
}
