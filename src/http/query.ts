import type * as z from 'zod';
import { invalidField, readInput, type Result } from '../operations/result.ts';

/** Which parameters of a query are more than a text. */
export interface QueryForm {
  /** May be repeated; read as a list. */
  lists?: readonly string[];
  numbers?: readonly string[];
  /** Hold no space, but may hold a plus: one that was not escaped comes as a space. */
  spaceless?: readonly string[];
}

/** A request's query as `schema` reads it, or the refusal that names each parameter that is wrong or not known. */
export function readQuery<T>(
  request: Request,
  schema: z.ZodType<T>,
  { lists = [], numbers = [], spaceless = [] }: QueryForm = {},
): Result<T> {
  const query = new URL(request.url).searchParams;
  const wire: [string, string | number | string[]][] = [];
  for (const name of new Set(query.keys())) {
    const [text = '', ...more] = query.getAll(name);
    if (lists.includes(name)) wire.push([name, [text, ...more]]);
    else if (more.length > 0) return invalidField(name.slice(0, 256), 'is given more than once');
    // What does not look like a number is left for the schema to refuse.
    else if (numbers.includes(name)) wire.push([name, /^-?\d{1,15}$/.test(text) ? Number(text) : text]);
    else wire.push([name, spaceless.includes(name) ? text.replaceAll(' ', '+') : text]);
  }
  return readInput(schema, Object.fromEntries(wire));
}
