import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backOffMs, decide, isGuess, retry, type Verdict } from '../../src/connector/verdict.ts';
import type { Failure } from '../../src/domain/failure.ts';
import { DAY_MS, START_MS } from './world.ts';

const STANDING = {
  attempts: 1,
  deadlineMs: START_MS + DAY_MS,
  nowMs: START_MS,
  random: () => 0.5,
  isRefreshed: true,
  isWithinBudget: true,
};

describe('the verdict on a failure', () => {
  it.each<[Failure, Verdict['act']]>([
    [{ kind: 'throttled', scope: 'user' }, 'retry'],
    [{ kind: 'throttled', scope: 'app' }, 'retry'],
    [{ kind: 'unavailable', ambiguous: true }, 'retry'],
    [{ kind: 'unavailable', ambiguous: false }, 'retry'],
    [{ kind: 'malformed', at: 'x' }, 'retry'],
    [{ kind: 'cursor-expired' }, 'resync'],
    [{ kind: 'misconfigured', detail: 'x' }, 'retry'],
    [{ kind: 'token-rejected' }, 'park'],
    [{ kind: 'grant-revoked', detail: 'x' }, 'park'],
    [{ kind: 'consent-missing', scopes: [] }, 'park'],
    [{ kind: 'not-found', what: 'x' }, 'give-up'],
    [{ kind: 'conflict', with: [], timeZone: 'UTC' }, 'give-up'],
    [{ kind: 'unknown-busy', calendars: ['x'] }, 'give-up'],
    [{ kind: 'hold-over', state: 'expired' }, 'give-up'],
    [{ kind: 'mismatch', what: 'x' }, 'give-up'],
    [{ kind: 'changed', what: 'x' }, 'give-up'],
    [{ kind: 'unsupported', field: 'x', detail: 'x' }, 'give-up'],
    [{ kind: 'rejected', status: 400, code: 'x' }, 'give-up'],
  ])('on %o is to %s', (failure, act) => {
    expect(decide(failure, STANDING).act).toBe(act);
  });

  it.each<Failure>([{ kind: 'token-rejected' }, { kind: 'consent-missing', scopes: [] }])(
    'on %o is to refresh the token first: it may have expired, or know too few scopes',
    (failure) => {
      expect(decide(failure, { ...STANDING, isRefreshed: false })).toEqual({ act: 'refresh' });
    },
  );

  it('on a dead grant is to ask the person, whether or not the token was refreshed', () => {
    const failure: Failure = { kind: 'grant-revoked', detail: 'x' };
    expect(decide(failure, { ...STANDING, isRefreshed: false })).toEqual({ act: 'park' });
  });

  it('beyond the retry budget is to try again late, from the seventh back-off on', () => {
    const beyond = { ...STANDING, isWithinBudget: false };
    expect(retry(undefined, beyond)).toEqual({ act: 'retry', atMs: START_MS + 32_000 });
    expect(retry(undefined, { ...beyond, attempts: 9 })).toEqual(
      retry(undefined, { ...STANDING, attempts: 9 }),
    );
  });

  it('on what was foreseen is to try at that very instant, so that the order is kept', () => {
    const retryAtMs = START_MS + 60_000;
    const foreseen: Failure[] = [
      { kind: 'throttled', scope: 'app', retryAtMs, unsent: true },
      { kind: 'unavailable', ambiguous: false, retryAtMs, unsent: true },
    ];
    for (const failure of foreseen) {
      expect(decide(failure, { ...STANDING, attempts: 9 })).toEqual({ act: 'retry', atMs: retryAtMs });
      expect(decide(failure, { ...STANDING, deadlineMs: retryAtMs })).toEqual({ act: 'give-up' });
    }
  });

  it('pays from the budget only for a retry whose time nobody has named', () => {
    const retryAtMs = START_MS + 1_000;
    expect(isGuess({ kind: 'unavailable', ambiguous: true })).toBe(true);
    expect(isGuess({ kind: 'malformed', at: 'x' })).toBe(true);
    expect(isGuess({ kind: 'unavailable', ambiguous: true, retryAtMs })).toBe(false);
    expect(isGuess({ kind: 'throttled', scope: 'user' })).toBe(false);
  });

  it('waits at least as long as the provider asks, and its own back-off on top', () => {
    for (const kind of [
      { kind: 'throttled', scope: 'user' },
      { kind: 'unavailable', ambiguous: true },
    ] as const) {
      const retryAtMs = START_MS + 60_000;
      expect(decide({ ...kind, retryAtMs }, STANDING)).toEqual({ act: 'retry', atMs: retryAtMs + 500 });
      expect(decide({ ...kind, retryAtMs: START_MS - 60_000 }, STANDING)).toEqual({
        act: 'retry',
        atMs: START_MS + 500,
      });
      expect(decide({ ...kind, retryAtMs }, { ...STANDING, random: () => 0 })).toEqual({
        act: 'retry',
        atMs: retryAtMs,
      });
    }
  });

  it('makes no retry that could only start at or after the deadline', () => {
    const failure: Failure = { kind: 'unavailable', ambiguous: false, retryAtMs: START_MS + 1000 };
    expect(decide(failure, { ...STANDING, deadlineMs: START_MS + 1501 }).act).toBe('retry');
    expect(decide(failure, { ...STANDING, deadlineMs: START_MS + 1500 }).act).toBe('give-up');
  });
});

describe('the back-off', () => {
  it('doubles its ceiling from a second to a quarter of an hour', () => {
    const ceilings = [1, 2, 3, 4, 10, 11, 50, 5000].map((attempts) => backOffMs(attempts, () => 1));
    expect(ceilings).toEqual([1_000, 2_000, 4_000, 8_000, 512_000, 900_000, 900_000, 900_000]);
  });

  it('is spread over everything below the ceiling', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempts, at) => {
          const waitMs = backOffMs(attempts, () => at);
          const ceiling = backOffMs(attempts, () => 1);
          expect(waitMs).toBeGreaterThanOrEqual(0);
          expect(waitMs).toBeLessThanOrEqual(ceiling);
          expect(Math.abs(waitMs - ceiling * at)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });
});
