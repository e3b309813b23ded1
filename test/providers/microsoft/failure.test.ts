import { describe, expect, it } from 'vitest';
import type { Failure } from '../../../src/domain/failure.ts';
import { readFailure } from '../../../src/providers/microsoft/failure.ts';
import { NOW } from './scripted.ts';

function read(
  status: number,
  body: unknown = '',
  headers: Record<string, string> = {},
  writes = false,
  ifNotOffered?: { field: string; detail: string },
): Failure {
  return readFailure(
    {
      status,
      headers: new Headers(headers),
      body: typeof body === 'string' ? body : JSON.stringify(body),
      receivedAtMs: NOW,
    },
    { what: 'event', writes, ...(ifNotOffered !== undefined && { ifNotOffered }) },
  );
}
const error = (code: unknown, inner?: object) => ({ error: { code, message: 'resyncRequired', ...inner } });
const challenge = (claims: string) =>
  `Bearer realm="", authorization_uri="https://login.example/authorize", error="insufficient_claims", claims="${claims}"`;

describe('a Graph 401', () => {
  it('rejects the token', () => {
    expect(read(401, error('InvalidAuthenticationToken'))).toEqual({ kind: 'token-rejected' });
  });

  it('carries the claims that are challenged for, decoded', () => {
    const claims = '{"access_token":{"nbf":{"essential":true,"value":"ü"}}}';
    const bytes = String.fromCharCode(...new TextEncoder().encode(claims));
    for (const base64 of [
      btoa(bytes),
      btoa(bytes).replaceAll('=', '').replaceAll('+', '-').replaceAll('/', '_'),
    ]) {
      expect(read(401, '', { 'WWW-Authenticate': challenge(base64) })).toEqual({
        kind: 'token-rejected',
        claims,
      });
    }
  });

  it('carries none that are no JSON object, or that belong to another error', () => {
    const claims = btoa('{"access_token":{}}');
    for (const header of [
      challenge(btoa('no json')),
      challenge(btoa('"text"')),
      challenge('!!!'),
      challenge('a'),
      challenge(btoa('\u00ff\u00fe')),
      `Bearer error="invalid_token", claims="${claims}"`,
    ]) {
      expect(read(401, '', { 'WWW-Authenticate': header })).toEqual({ kind: 'token-rejected' });
    }
  });
});

describe('a Graph error', () => {
  it('of 403 is missing consent, unless there is no mailbox to consent to', () => {
    expect(read(403, error('ErrorAccessDenied'))).toEqual({ kind: 'consent-missing', scopes: [] });
    expect(read(403, error('MailboxNotEnabledForRESTAPI'))).toEqual({
      kind: 'rejected',
      status: 403,
      code: 'MailboxNotEnabledForRESTAPI',
    });
    expect(read(404, error('MailboxNotEnabledForRESTAPI')).kind).toBe('rejected');
  });

  it('of 404, or of 400 for an id that is none, names what is not there', () => {
    expect(read(404, error('ErrorItemNotFound'))).toEqual({ kind: 'not-found', what: 'event' });
    // An id that no item could have.
    expect(read(400, error('ErrorInvalidIdMalformed'))).toEqual({ kind: 'not-found', what: 'event' });
  });

  it('of an occurrence that would pass its neighbours is told by the field', () => {
    expect(read(400, error('ErrorOccurrenceCrossingBoundary'))).toMatchObject({
      kind: 'unsupported',
      field: 'start',
    });
  });

  it('of 409 and 412 is for the caller to understand', () => {
    expect(read(409, error('ErrorDuplicateTransactionId'))).toEqual({
      kind: 'rejected',
      status: 409,
      code: 'ErrorDuplicateTransactionId',
    });
    expect(read(412, error('ErrorIrresolvableConflict'))).toEqual({
      kind: 'rejected',
      status: 412,
      code: 'resourceModified',
    });
  });

  it('ends a sync cursor with 410, or with a code to that effect wherever it is nested', () => {
    expect(read(410)).toEqual({ kind: 'cursor-expired' });
    for (const code of [
      'SyncStateNotFound',
      'SyncStateInvalid',
      'fullSyncRequired',
      'ErrorInvalidSyncStateData',
    ])
      expect(read(400, error(code))).toEqual({ kind: 'cursor-expired' });
    expect(
      read(404, error('', { innerError: { code: 'x', innererror: { code: 'resyncRequired' } } })),
    ).toEqual({
      kind: 'cursor-expired',
    });
  });

  it('is unsupported where that may be, unless it is about something else', () => {
    const words = { field: 'calendar', detail: 'no changes are told' };
    const ask = (status: number, code: string) => read(status, error(code), {}, false, words).kind;
    for (const [status, code] of [
      [400, 'BadRequest'],
      [404, 'UnknownError'],
      [404, ''],
      [405, 'x'],
      [501, 'notSupported'],
    ] as const) {
      expect(ask(status, code)).toBe('unsupported');
      expect(read(status, error(code)).kind).not.toBe('unsupported');
    }
    expect(read(501, error('notSupported'), {}, false, words)).toEqual({ kind: 'unsupported', ...words });
    expect(ask(404, 'ErrorItemNotFound')).toBe('not-found');
    expect(ask(400, 'ErrorInvalidIdMalformed')).toBe('not-found');
    expect(ask(400, 'SyncStateNotFound')).toBe('cursor-expired');
    expect(ask(403, 'ErrorAccessDenied')).toBe('consent-missing');
    expect(ask(409, 'ExtensionError')).toBe('rejected');
    expect(ask(503, 'UnknownError')).toBe('unavailable');
  });

  it('is never read from its message', () => {
    expect(read(400, error('ErrorInvalidRequest')).kind).toBe('rejected');
  });

  it('of 429 or 509 is a throttle, with the wait it names as seconds or a date', () => {
    expect(read(429, error('ApplicationThrottled'), { 'Retry-After': '10' })).toEqual({
      kind: 'throttled',
      scope: 'user',
      retryAtMs: NOW + 10_000,
    });
    expect(read(429, '', { 'Retry-After': new Date(NOW + 60_000).toUTCString() })).toMatchObject({
      retryAtMs: NOW + 60_999,
    });
    expect(read(509)).toEqual({ kind: 'throttled', scope: 'user' });
  });

  it('of the server leaves a write in doubt, and a read not', () => {
    for (const status of [500, 502, 503, 504]) {
      expect(read(status, error('UnknownError'), {}, true)).toEqual({ kind: 'unavailable', ambiguous: true });
      expect(read(status, error('UnknownError'))).toEqual({ kind: 'unavailable', ambiguous: false });
    }
    expect(read(503, error('', { message: '' }), { 'Retry-After': '3' })).toMatchObject({
      retryAtMs: NOW + 3000,
    });
  });

  it('of a locked item or a failed dependency is for another try, and did nothing', () => {
    for (const status of [423, 424]) {
      expect(read(status, '', {}, true)).toEqual({ kind: 'unavailable', ambiguous: false });
    }
  });

  it('is rejected in every other case, with no more than a short code', () => {
    expect(read(302)).toEqual({ kind: 'rejected', status: 302, code: 'redirect' });
    expect(read(400, error('ErrorInvalidTimeZone'))).toMatchObject({ code: 'ErrorInvalidTimeZone' });
    expect(read(400, error('', { innerError: { code: 'Inner.Code' } }))).toMatchObject({
      code: 'Inner.Code',
    });
    for (const body of [
      error('a text <b>'),
      error('x'.repeat(65)),
      error(7),
      '<html>',
      '[]',
      { error: 'text' },
    ]) {
      expect(read(400, body)).toEqual({ kind: 'rejected', status: 400, code: 'unknown' });
    }
  });
});
