import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { RetryBudget } from '../../src/connector/retry-budget.ts';

it('a few retries may be made before any call has gone well', () => {
  const budget = new RetryBudget();
  expect([1, 2, 3, 4].map(() => budget.spend())).toEqual([true, true, true, false]);
});

it('retries are a tenth of the calls that go well, and the few at the beginning', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 400 }), (calls) => {
      const budget = new RetryBudget();
      let succeeded = 0;
      let retried = 0;
      for (const isSuccess of calls) {
        if (isSuccess) {
          budget.earn();
          succeeded += 1;
        } else if (budget.spend()) {
          retried += 1;
        }
        // A hair more than a tenth: tenths do not add up exactly.
        expect(retried).toBeLessThanOrEqual(3 + succeeded / 10 + 1e-9);
      }
    }),
  );
});

it('what is saved up in good times is limited, so that an outage finds little of it', () => {
  const budget = new RetryBudget();
  for (let call = 0; call < 10_000; call += 1) budget.earn();
  let retries = 0;
  while (budget.spend()) retries += 1;
  expect(retries).toBe(10);
});
