import { expect, it } from 'vitest';
import { readIdempotencyKey } from '../../src/http/idempotency.ts';

function requestWith(key?: string): Request {
  return new Request('https://calendar.example.com/', {
    headers: key === undefined ? {} : { 'Idempotency-Key': key },
  });
}

it('an Idempotency-Key is taken as it is, or refused by its name', () => {
  expect(readIdempotencyKey(requestWith())).toEqual({ ok: true, value: undefined });
  expect(readIdempotencyKey(requestWith('order:4711_a-b.c'))).toEqual({
    ok: true,
    value: 'order:4711_a-b.c',
  });
  for (const key of ['', 'a b', 'x'.repeat(101), 'é']) {
    expect(readIdempotencyKey(requestWith(key))).toMatchObject({
      ok: false,
      problem: { code: 'invalid_request', errors: [{ path: 'Idempotency-Key' }] },
    });
  }
});
