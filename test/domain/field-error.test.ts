import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { listFieldErrors, summarizeFieldErrors } from '../../src/domain/field-error.ts';

const schema = z.strictObject({
  name: z.string(),
  days: z.array(z.strictObject({ hour: z.int() })).optional(),
});

function errorsOf(input: unknown) {
  const read = schema.safeParse(input);
  return read.success ? [] : listFieldErrors(read.error);
}

describe('field errors', () => {
  it('name a field by its dotted path, places in lists included', () => {
    expect(errorsOf({ name: 'x', days: [{ hour: 1 }, { hour: '2' }] })).toEqual([
      { path: 'days.1.hour', message: 'Invalid input: expected number, received string' },
    ]);
  });

  it('name each unknown field on its own', () => {
    expect(errorsOf({ name: 'x', days: [{ hour: 1, minute: 2, second: 3 }] })).toEqual([
      { path: 'days.0.minute', message: 'is not a known field' },
      { path: 'days.0.second', message: 'is not a known field' },
    ]);
  });

  it('leave the path of the whole empty', () => {
    expect(errorsOf(7).map(({ path }) => path)).toEqual(['']);
  });

  it('stay few and short, however much is wrong', () => {
    const crowd = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`field-${n}`, 0]));
    expect(errorsOf({ name: 'x', ...crowd })).toHaveLength(20);
    expect(JSON.stringify(errorsOf({ name: 'x', ['y'.repeat(100_000)]: 0 })).length).toBeLessThan(500);
  });

  it('fit in one line', () => {
    expect(
      summarizeFieldErrors([
        { path: '', message: 'is wrong' },
        { path: 'a.b', message: 'is missing' },
      ]),
    ).toBe('is wrong; a.b: is missing');
  });
});
