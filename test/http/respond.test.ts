import { describe, expect, it } from 'vitest';
import { type ErrorCode, errorCodeSchema, type Failure } from '../../src/domain/failure.ts';
import { failureProblem, json, page, problem, redirect } from '../../src/http/respond.ts';
import { NOW_MS, readPage, readProblem, readRedirect } from './stage.ts';

const STATUS: Record<ErrorCode, number> = {
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  reauth_required: 409,
  consent_missing: 409,
  idempotency_mismatch: 422,
  rate_limited: 429,
  provider_unavailable: 503,
  provider_rejected: 502,
  misconfigured: 500,
};

describe('a problem', () => {
  it.each(errorCodeSchema.options)('has its status, a title and no more than it should: %s', async (code) => {
    const response = problem(code, 'Some "detail"\r\n<b>');
    expect(response.status).toBe(STATUS[code]);
    expect(response.headers.get('Cache-Control')).toBe('no-store');
    const body = await readProblem(response);
    expect(Object.keys(body)).toEqual(['type', 'title', 'status', 'code', 'detail']);
    expect(body).toMatchObject({
      type: `urn:calendar-sync:problem:${code}`,
      code,
      detail: 'Some "detail"\r\n<b>',
    });
    expect(body.title).not.toBe('');
  });

  it('carries the fields that are wrong, and headers', async () => {
    const errors = [{ path: 'a.b', message: 'is wrong' }];
    const response = problem('invalid_request', 'x', { errors, headers: { 'X-More': '1' } });
    expect(response.headers.get('X-More')).toBe('1');
    expect((await readProblem(response)).errors).toEqual(errors);
  });
});

describe('the problem that a failure is', () => {
  const retryAfter = (failure: Failure) => failureProblem(failure, NOW_MS).headers.get('Retry-After');

  it('asks to wait as long as the provider does, in whole seconds, never less and never none', () => {
    const throttled = (ms: number): Failure => ({ kind: 'throttled', scope: 'user', retryAtMs: NOW_MS + ms });
    expect(retryAfter(throttled(30_000))).toBe('30');
    expect(retryAfter(throttled(30_001))).toBe('31');
    expect(retryAfter(throttled(0))).toBe('1');
    expect(retryAfter(throttled(-60_000))).toBe('1');
  });

  it('asks to wait a little when the provider named no time', () => {
    expect(retryAfter({ kind: 'throttled', scope: 'app' })).toBe('5');
    expect(retryAfter({ kind: 'unavailable', ambiguous: false })).toBe('5');
    expect(retryAfter({ kind: 'malformed', at: 'x' })).toBe('5');
  });

  it('asks nobody to wait when waiting does not help', () => {
    expect(retryAfter({ kind: 'not-found', what: 'x' })).toBeNull();
    expect(retryAfter({ kind: 'grant-revoked', detail: 'x' })).toBeNull();
    expect(retryAfter({ kind: 'misconfigured', detail: 'x' })).toBeNull();
  });

  it('lists what a conflict is with', async () => {
    const taken = [{ startMs: Date.UTC(2031, 4, 5, 9), endMs: Date.UTC(2031, 4, 5, 10) }];
    const body = await readProblem(failureProblem({ kind: 'conflict', with: taken }, NOW_MS));
    expect(body).toMatchObject({
      status: 409,
      code: 'conflict',
      conflicts: [{ start: '2031-05-05T09:00:00+00:00', end: '2031-05-05T10:00:00+00:00' }],
    });
  });

  it('tells no claims challenge', async () => {
    const response = failureProblem({ kind: 'token-rejected', claims: '{"canary":1}' }, NOW_MS);
    expect(await response.text()).not.toContain('canary');
  });
});

describe('a page', () => {
  it('shows texts as texts', async () => {
    const nasty = `<script>alert("1")</script>\r\n& 'x'`;
    const body = await readPage(page(400, nasty, nasty));
    expect(body).not.toContain('<script');
    const shown = '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;\r\n&amp; &#39;x&#39;';
    expect(body).toContain(`<title>${shown}</title>`);
    expect(body).toContain(`<p>${shown}</p>`);
  });

  it('runs no script, is in no frame, tells no one where it is and is not kept', () => {
    const { status, headers } = page(418, 'a', 'b');
    expect(status).toBe(418);
    expect(headers.get('Content-Security-Policy')).toBe(
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    );
    expect(headers.get('X-Content-Type-Options')).toBe('nosniff');
    expect(headers.get('Referrer-Policy')).toBe('no-referrer');
    expect(headers.get('Cache-Control')).toBe('no-store');
  });
});

describe('a redirect', () => {
  it('goes where it says and sets what it is told', () => {
    const response = redirect('https://app.example.com/x?y=z', { 'Set-Cookie': 'a=b' });
    expect(readRedirect(response).href).toBe('https://app.example.com/x?y=z');
    expect(response.headers.get('Set-Cookie')).toBe('a=b');
  });

  it('cannot be split into two headers', () => {
    expect(() => redirect('https://app.example.com/\r\nSet-Cookie: a=b')).toThrow(TypeError);
  });
});

describe('a JSON answer', () => {
  it('is kept by nobody on the way', async () => {
    const response = json({ a: 1 }, 202);
    expect(response.status).toBe(202);
    expect(response.headers.get('Cache-Control')).toBe('no-store');
    expect(await response.json()).toEqual({ a: 1 });
  });
});
