import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Failure } from '../../src/domain/failure.ts';
import { endedIn, failed, readInput } from '../../src/operations/result.ts';

const NOW_MS = Date.UTC(2031, 4, 5, 6, 7, 8);

describe('the problem that a failure is', () => {
  const waitOf = (failure: Failure) => failed(failure, NOW_MS).problem.retryAfterSeconds;

  it('asks to wait as long as the provider does, in whole seconds, never less and never none', () => {
    const throttled = (ms: number): Failure => ({ kind: 'throttled', scope: 'user', retryAtMs: NOW_MS + ms });
    expect(waitOf(throttled(30_000))).toBe(30);
    expect(waitOf(throttled(30_001))).toBe(31);
    expect(waitOf(throttled(0))).toBe(1);
    expect(waitOf(throttled(-60_000))).toBe(1);
  });

  it('asks to wait a little when the provider named no time', () => {
    expect(waitOf({ kind: 'throttled', scope: 'app' })).toBe(5);
    expect(waitOf({ kind: 'unavailable', ambiguous: false })).toBe(5);
    expect(waitOf({ kind: 'malformed', at: 'x' })).toBe(5);
  });

  it('asks nobody to wait when waiting does not help', () => {
    expect(waitOf({ kind: 'not-found', what: 'x' })).toBeUndefined();
    expect(waitOf({ kind: 'grant-revoked', detail: 'x' })).toBeUndefined();
    expect(waitOf({ kind: 'misconfigured', detail: 'x' })).toBeUndefined();
  });

  it('tells what a conflict is with, in the zone of the question', () => {
    const taken = [{ startMs: Date.UTC(2031, 4, 5, 9), endMs: Date.UTC(2031, 4, 5, 10) }];
    const { problem } = failed({ kind: 'conflict', with: taken, timeZone: 'Europe/Berlin' }, NOW_MS);
    expect(problem).toMatchObject({
      code: 'conflict',
      conflicts: [{ start: '2031-05-05T11:00:00+02:00', end: '2031-05-05T12:00:00+02:00' }],
    });
  });

  it('tells no claims challenge', () => {
    const { problem } = failed({ kind: 'token-rejected', claims: '{"canary":1}' }, NOW_MS);
    expect(JSON.stringify(problem)).not.toContain('canary');
  });

  it('is the same when it comes out of a task', () => {
    const error = { code: 'provider_unavailable', message: 'not now', retryable: true } as const;
    expect(endedIn(error)).toEqual({
      ok: false,
      problem: { code: 'provider_unavailable', detail: 'not now', retryAfterSeconds: 5 },
    });
  });
});

describe('an input', () => {
  it('is read, or refused with each bad field named', () => {
    const schema = z.strictObject({ n: z.int() });
    expect(readInput(schema, { n: 1 })).toEqual({ ok: true, value: { n: 1 } });
    expect(readInput(schema, { n: 'x', m: 1 })).toMatchObject({
      ok: false,
      problem: { code: 'invalid_request', errors: [{ path: 'n' }, { path: 'm' }] },
    });
  });
});
