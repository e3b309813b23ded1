import { describe, expect, it } from 'vitest';
import { fail } from '../../../src/domain/failure.ts';
import { readTokenFailure } from '../../../src/providers/microsoft/token-failure.ts';
import { NOW, reply } from './scripted.ts';

const refusal = (error: string, numbers: number[] = [], status = 400) =>
  reply(status, {
    error,
    error_codes: numbers,
    error_description: 'AADSTS700082: a text that nobody may see',
  });

describe('a refused token call to Microsoft', () => {
  it('kills the grant only when the person must sign in again, quoting numbers but no text', () => {
    expect(readTokenFailure(refusal('invalid_grant', [700082, 70008]), 'refresh')).toEqual({
      kind: 'grant-revoked',
      detail: 'invalid_grant AADSTS700082 AADSTS70008',
    });
    expect(readTokenFailure(refusal('interaction_required', [50076]), 'refresh').kind).toBe('grant-revoked');
  });

  it('rejects a bad code, which says nothing of any grant', () => {
    expect(readTokenFailure(refusal('invalid_grant', [54005]), 'code')).toEqual({
      kind: 'rejected',
      status: 400,
      code: 'invalid_grant',
    });
  });

  it('blames the registration, and names the variables, when our own client is refused', () => {
    const secret = readTokenFailure(refusal('invalid_client', [7000222], 401), 'refresh');
    expect(secret).toMatchObject({
      kind: 'misconfigured',
      detail: expect.stringContaining('MICROSOFT_CLIENT_SECRET'),
    });
    expect(secret).toMatchObject({ detail: expect.stringContaining('AADSTS7000222') });
    expect(readTokenFailure(refusal('unauthorized_client', [700016]), 'code')).toMatchObject({
      kind: 'misconfigured',
      detail: expect.stringContaining('MICROSOFT_CLIENT_ID'),
    });
  });

  it('judges by the OAuth error, whatever the AADSTS number beside it', () => {
    expect(readTokenFailure(refusal('invalid_client', [700082], 401), 'refresh').kind).toBe('misconfigured');
    expect(readTokenFailure(refusal('temporarily_unavailable', [700082]), 'refresh').kind).toBe(
      'unavailable',
    );
  });

  it('asks for consent when that is missing', () => {
    expect(readTokenFailure(refusal('consent_required', [65001]), 'code')).toEqual({
      kind: 'consent-missing',
      scopes: [],
    });
  });

  it('never takes an outage for a dead grant', () => {
    expect(readTokenFailure(refusal('invalid_grant', [], 503), 'refresh')).toEqual({
      kind: 'unavailable',
      ambiguous: true,
    });
    expect(readTokenFailure(reply(500, '<html>oops'), 'refresh').kind).toBe('unavailable');
    expect(readTokenFailure(fail({ kind: 'unavailable', ambiguous: false }), 'refresh')).toEqual({
      kind: 'unavailable',
      ambiguous: true,
    });
    expect(readTokenFailure(refusal('server_error'), 'refresh').kind).toBe('unavailable');
  });

  it('keeps the wait that a throttle or an outage asks for', () => {
    expect(readTokenFailure(reply(429, '', { 'Retry-After': '7' }), 'refresh')).toEqual({
      kind: 'throttled',
      scope: 'user',
      retryAtMs: NOW + 7000,
    });
    expect(readTokenFailure(reply(503, '', { 'Retry-After': '5' }), 'refresh')).toMatchObject({
      retryAtMs: NOW + 5000,
    });
  });

  it('calls what it cannot read malformed, and anything else refused rejected', () => {
    expect(readTokenFailure(reply(400, 'not json'), 'refresh').kind).toBe('malformed');
    expect(readTokenFailure(reply(200, 'not json'), 'refresh').kind).toBe('malformed');
    expect(readTokenFailure(refusal('invalid_scope'), 'code')).toEqual({
      kind: 'rejected',
      status: 400,
      code: 'invalid_scope',
    });
    expect(readTokenFailure(refusal('<b>evil</b>'), 'code')).toMatchObject({ code: 'unknown' });
    expect(readTokenFailure(reply(302), 'code')).toEqual({ kind: 'rejected', status: 302, code: 'redirect' });
  });
});
