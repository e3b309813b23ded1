import { describe, expect, it } from 'vitest';
import { readFailure } from '../../../src/providers/google/failure.ts';
import { apiError, NOW, reply } from './scripted.ts';

const READ = { what: 'calendar', writes: false };
const WRITE = { what: 'event', writes: true };

const wait = (value: string) =>
  readFailure(apiError(403, 'rateLimitExceeded', { 'Retry-After': value }), READ);

const kindOf = (status: number) => readFailure(reply(status, '<html>'), READ).kind;

describe('reading a failure of the Calendar API', () => {
  it('takes a 401 as a refused token', () => {
    expect(readFailure(apiError(401, 'authError'), READ)).toEqual({ kind: 'token-rejected' });
  });

  it('blames no token where Google refuses the address of a channel', () => {
    const code = 'push.webhookUrlUnauthorized';
    expect(readFailure(apiError(401, code), WRITE)).toEqual({ kind: 'rejected', status: 401, code });
  });

  it('takes the rate limits of a person as a throttle, as 403 and as 429, on any verb', () => {
    for (const status of [403, 429])
      for (const reason of ['rateLimitExceeded', 'userRateLimitExceeded', 'quotaExceeded'])
        for (const call of [READ, WRITE])
          expect(readFailure(apiError(status, reason), call)).toEqual({ kind: 'throttled', scope: 'user' });
  });

  it('takes the exhausted quota of a day as a throttle of the whole application', () => {
    expect(readFailure(apiError(403, 'dailyLimitExceeded'), READ)).toEqual({
      kind: 'throttled',
      scope: 'app',
    });
  });

  it('takes any 429 as a throttle, whatever it says', () => {
    expect(readFailure(reply(429, '<html>'), READ)).toEqual({ kind: 'throttled', scope: 'user' });
  });

  it('finds the throttle behind another reason', () => {
    const errors = [{ reason: 'forbidden' }, { reason: 'userRateLimitExceeded' }];
    expect(readFailure(reply(403, { error: { errors } }), READ)).toMatchObject({ kind: 'throttled' });
  });

  it('honours Retry-After as seconds and as a date', () => {
    expect(wait('12')).toMatchObject({ retryAtMs: NOW + 12_000 });
    expect(wait(new Date(NOW + 12_000).toUTCString())).toMatchObject({ retryAtMs: NOW + 12_999 });
    expect(wait('whenever')).toEqual({ kind: 'throttled', scope: 'user' });
  });

  it('takes a missing scope as missing consent, told by the body or by the challenge', () => {
    const missing = { kind: 'consent-missing', scopes: [] };
    expect(readFailure(apiError(403, 'insufficientPermissions'), READ)).toEqual(missing);
    const details = [{ '@type': 'x' }, { reason: 'ACCESS_TOKEN_SCOPE_INSUFFICIENT' }];
    expect(readFailure(reply(403, { error: { details } }), READ)).toEqual(missing);
    const challenge =
      'Bearer realm="x", error="insufficient_scope", scope="https://a.test/x https://a.test/y"';
    expect(readFailure(reply(403, '', { 'WWW-Authenticate': challenge }), READ)).toEqual({
      kind: 'consent-missing',
      scopes: ['https://a.test/x', 'https://a.test/y'],
    });
  });

  it('takes any other 403 as no permission on that very thing', () => {
    for (const reason of ['forbidden', 'forbiddenForNonOrganizer', 'requiredAccessLevel'])
      expect(readFailure(apiError(403, reason), WRITE)).toEqual({
        kind: 'rejected',
        status: 403,
        code: reason,
      });
  });

  it('takes an API that is not enabled as our own fault', () => {
    expect(readFailure(apiError(403, 'accessNotConfigured'), READ)).toMatchObject({ kind: 'misconfigured' });
  });

  it('tells what is not found by the name the caller gave it', () => {
    expect(readFailure(apiError(404, 'notFound'), READ)).toEqual({ kind: 'not-found', what: 'calendar' });
    expect(readFailure(apiError(410, 'deleted'), WRITE)).toEqual({ kind: 'not-found', what: 'event' });
  });

  it('takes a 410 of a sync as an expired cursor', () => {
    for (const reason of ['fullSyncRequired', 'updatedMinTooLongAgo'])
      expect(readFailure(apiError(410, reason), READ)).toEqual({ kind: 'cursor-expired' });
  });

  it('takes a 5xx as unavailable, and as ambiguous only where something was to change', () => {
    for (const status of [500, 502, 503, 504])
      expect(readFailure(apiError(status, 'backendError'), WRITE)).toEqual({
        kind: 'unavailable',
        ambiguous: true,
      });
    expect(readFailure(reply(503, '', { 'Retry-After': '3' }), READ)).toEqual({
      kind: 'unavailable',
      ambiguous: false,
      retryAtMs: NOW + 3000,
    });
  });

  it('takes a failed precondition as a change by somebody else, whatever the body says', () => {
    for (const body of [apiError(412, 'conditionNotMet'), reply(412, '<html>')])
      expect(readFailure(body, WRITE)).toEqual({ kind: 'changed', what: 'event' });
  });

  it('takes other refusals as our own, with their reason', () => {
    expect(readFailure(apiError(400, 'timeRangeEmpty'), READ)).toEqual({
      kind: 'rejected',
      status: 400,
      code: 'timeRangeEmpty',
    });
    expect(readFailure(apiError(409, 'duplicate'), WRITE)).toMatchObject({ status: 409, code: 'duplicate' });
    expect(readFailure(reply(302, '', { Location: 'https://evil.test' }), READ)).toEqual({
      kind: 'rejected',
      status: 302,
      code: 'http_302',
    });
  });

  it('keeps nothing of the body but an identifier', () => {
    for (const body of [
      '<html>secret',
      '',
      'null',
      '[]',
      { error: 'secret' },
      { error: { message: 'secret', errors: 'secret' } },
      { error: { errors: [{ reason: 'secret text, with blanks' }] } },
      { error: { errors: [{ reason: `secret${'x'.repeat(100)}` }] } },
    ]) {
      const failure = readFailure(reply(400, body), READ);
      expect(failure).toEqual({ kind: 'rejected', status: 400, code: 'http_400' });
    }
  });

  it('classifies by status when the body cannot be read', () => {
    expect([401, 403, 404, 410, 429, 500].map(kindOf)).toEqual([
      'token-rejected',
      'rejected',
      'not-found',
      'cursor-expired',
      'throttled',
      'unavailable',
    ]);
  });
});
