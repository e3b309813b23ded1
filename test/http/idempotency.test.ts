import { expect, it } from 'vitest';
import { idOfKey, readIdempotencyKey } from '../../src/http/idempotency.ts';
import { readProblem } from './stage.ts';

function requestWith(key?: string): Request {
  return new Request('https://calendar.example.com/', {
    headers: key === undefined ? {} : { 'Idempotency-Key': key },
  });
}

it('an Idempotency-Key is taken as it is, or refused by its name', async () => {
  expect(readIdempotencyKey(requestWith())).toBeUndefined();
  expect(readIdempotencyKey(requestWith('order:4711_a-b.c'))).toBe('order:4711_a-b.c');
  for (const key of ['', 'a b', 'x'.repeat(101), 'é']) {
    const refused = readIdempotencyKey(requestWith(key));
    if (!(refused instanceof Response)) throw new Error(`taken: ${key}`);
    expect(await readProblem(refused)).toMatchObject({ status: 400, errors: [{ path: 'Idempotency-Key' }] });
  }
});

it('a key leads one user to one id, and another user to another', async () => {
  const id = await idOfKey('ada', 'key');
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(await idOfKey('ada', 'key')).toBe(id);
  for (const [user, key] of [
    ['bob', 'key'],
    ['ada', 'other'],
    ['ada","key', ''],
  ] as const) {
    expect(await idOfKey(user, key)).not.toBe(id);
  }
});
