import { describe, expect, it } from 'vitest';
import {
  describeFailure,
  errorCodeSchema,
  fail,
  type Failure,
  ok,
  taskErrorSchema,
} from '../../src/domain/failure.ts';

/** One of each kind, and what a caller is told: the compiler sees to it that none is missing. */
const TOLD = {
  throttled: [{ kind: 'throttled', scope: 'user', retryAtMs: 1 }, 'rate_limited', true],
  unavailable: [{ kind: 'unavailable', ambiguous: true }, 'provider_unavailable', true],
  'token-rejected': [{ kind: 'token-rejected', claims: '{"a":1}' }, 'reauth_required', false],
  'grant-revoked': [{ kind: 'grant-revoked', detail: 'the word of the day' }, 'reauth_required', false],
  'consent-missing': [{ kind: 'consent-missing', scopes: ['one', 'two'] }, 'consent_missing', false],
  'not-found': [{ kind: 'not-found', what: 'calendar 7' }, 'not_found', false],
  conflict: [{ kind: 'conflict', with: [], timeZone: 'UTC' }, 'conflict', false],
  'unknown-busy': [{ kind: 'unknown-busy', calendars: ['team'] }, 'provider_unavailable', false],
  'hold-over': [{ kind: 'hold-over', state: 'expired' }, 'conflict', false],
  mismatch: [{ kind: 'mismatch', what: 'hold 7' }, 'idempotency_mismatch', false],
  changed: [{ kind: 'changed', what: 'event 7' }, 'conflict', false],
  unsupported: [{ kind: 'unsupported', field: 'recurrence', detail: 'no' }, 'invalid_request', false],
  'cursor-expired': [{ kind: 'cursor-expired' }, 'provider_unavailable', true],
  rejected: [{ kind: 'rejected', status: 418, code: 'teapot' }, 'provider_rejected', false],
  malformed: [{ kind: 'malformed', at: 'items.3' }, 'provider_unavailable', true],
  misconfigured: [{ kind: 'misconfigured', detail: 'X is not set' }, 'misconfigured', false],
} satisfies { [K in Failure['kind']]: [Extract<Failure, { kind: K }>, string, boolean] };

describe('describing a failure', () => {
  it.each(Object.values(TOLD))('tells of $kind its code and whether to try again', (...told) => {
    const [failure, code, retryable] = told;
    expect(describeFailure(failure)).toMatchObject({ code, retryable });
    expect(taskErrorSchema.safeParse(describeFailure(failure)).success).toBe(true);
  });

  it('tells what the failure names, and no claims challenge', () => {
    const say = (failure: Failure) => describeFailure(failure).message;
    expect(say(TOLD['grant-revoked'][0])).toContain('the word of the day');
    expect(say(TOLD['consent-missing'][0])).toContain('one, two');
    expect(say({ kind: 'consent-missing', scopes: [] })).toBe(
      'A permission that this call needs was not granted.',
    );
    expect(say(TOLD['not-found'][0])).toContain('calendar 7');
    expect(say(TOLD['unknown-busy'][0])).toContain('team');
    expect(say(TOLD['hold-over'][0])).toContain('expired');
    expect(say(TOLD.mismatch[0])).toContain('hold 7');
    expect(say(TOLD.rejected[0])).toContain('418 teapot');
    expect(say(TOLD.malformed[0])).toContain('items.3');
    expect(say(TOLD.misconfigured[0])).toBe('X is not set');
    expect(say(TOLD['token-rejected'][0])).not.toContain('{');
  });

  it('has a code for each line of the contract', () => {
    expect(errorCodeSchema.options.toSorted()).toEqual([
      'conflict',
      'consent_missing',
      'cursor_expired',
      'forbidden',
      'idempotency_mismatch',
      'invalid_request',
      'misconfigured',
      'not_found',
      'provider_rejected',
      'provider_unavailable',
      'rate_limited',
      'reauth_required',
      'unauthorized',
    ]);
  });
});

describe('an outcome', () => {
  it('is a plain value that survives a structured clone', () => {
    const failed = fail(TOLD.throttled[0]);
    expect(structuredClone(failed)).toEqual({ ok: false, failure: TOLD.throttled[0] });
    expect(structuredClone(ok({ a: 1 }))).toEqual({ ok: true, value: { a: 1 } });
  });
});
