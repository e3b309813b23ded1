import { describe, expect, it } from 'vitest';
import { type Failure, fail, ok } from '../../src/domain/failure.ts';
import { findCommonFailure } from '../../src/providers/common-failure.ts';

const UNAVAILABLE: Failure = { kind: 'unavailable', ambiguous: false };
const MALFORMED: Failure = { kind: 'malformed', at: 'x' };
const REJECTED: Failure = { kind: 'rejected', status: 400, code: 'x' };
const TOKEN: Failure = { kind: 'token-rejected' };
const waiting = (retryAtMs: number): Failure => ({ kind: 'throttled', scope: 'user', retryAtMs });

const good = (...calendars: string[]) => ({ calendars, answer: ok({}) });
const bad = (failure: Failure, ...calendars: string[]) => ({ calendars, answer: fail(failure) });

describe('the failure of a whole question', () => {
  it('is that of its calls where they keep every calendar from being known', () => {
    for (const failure of [UNAVAILABLE, MALFORMED, REJECTED, waiting(1)]) {
      expect(findCommonFailure(['a', 'b'], [bad(failure, 'a', 'b')])).toBe(failure);
      expect(findCommonFailure(['a', 'b'], [bad(failure, 'a', 'b'), good('a', 'b')])).toBe(failure);
      expect(findCommonFailure(['a', 'b'], [bad(failure, 'a'), good('b')])).toBeUndefined();
    }
    expect(findCommonFailure(['a'], [good('a')])).toBeUndefined();
    expect(findCommonFailure([], [])).toBeUndefined();
    expect(findCommonFailure(['a', 'nowhere'], [bad(UNAVAILABLE, 'a')])).toBeUndefined();
  });

  it('is one of a kind, or one of several that may all pass: the one to wait for longest', () => {
    const both = (one: Failure, other: Failure) =>
      findCommonFailure(['a', 'b'], [bad(one, 'a'), bad(other, 'b')]);
    expect(both(waiting(1), waiting(2))).toEqual(waiting(2));
    expect(both(UNAVAILABLE, waiting(1))).toEqual(waiting(1));
    expect(both(MALFORMED, UNAVAILABLE)).toEqual(MALFORMED);
    expect(both(REJECTED, { ...REJECTED, code: 'y' })).toEqual(REJECTED);
    expect(both(REJECTED, UNAVAILABLE)).toBeUndefined();
    expect(both({ kind: 'not-found', what: 'x' }, REJECTED)).toBeUndefined();
  });

  it('is a refused token wherever one is met', () => {
    expect(findCommonFailure(['a', 'b'], [good('a'), bad(REJECTED, 'b'), bad(TOKEN, 'b')])).toBe(TOKEN);
  });
});
