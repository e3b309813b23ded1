import { parseArgs } from 'node:util';
import * as z from 'zod';

/** An option that is a number, `least` or more, with what it is when it is left out. */
export function number(fallback: number, least = 0) {
  return z
    .string()
    .transform((text) => (text.trim() === '' ? NaN : Number(text)))
    .pipe(z.number('must be a number').min(least, `must be at least ${least}`))
    .prefault(String(fallback));
}

/** An option that has no value: it is there or not. */
export const flag = z.boolean().default(false);

/**
 * The options that a program was called with, by what each may be. For `--help`, and for what cannot be
 * understood, the program ends here: with its usage, and the option named.
 */
export function readOptions<Shape extends Record<string, z.ZodType>>(
  usage: string,
  shape: Shape,
): z.infer<z.ZodObject<Shape>> {
  try {
    const own = Object.entries(shape).map(([name, schema]) => {
      const type = schema.safeParse(true).success ? 'boolean' : 'string';
      return [name, { type }] as const;
    });
    const { values } = parseArgs({
      options: { ...Object.fromEntries(own), help: { type: 'boolean' } },
    });
    const { help, ...given } = values;
    if (help === true) {
      process.stdout.write(usage);
      process.exit(0);
    }
    const read = z.object(shape).safeParse(given);
    if (read.success) return read.data;
    const [issue] = read.error.issues;
    throw new Error(`--${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  } catch (thrown) {
    process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${usage}`);
    process.exit(2);
  }
}
