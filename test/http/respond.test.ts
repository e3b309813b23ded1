import { describe, expect, it } from 'vitest';
import { type ErrorCode, errorCodeSchema } from '../../src/domain/failure.ts';
import { accepted, answer, json, page, plainText, problem, redirect } from '../../src/http/respond.ts';
import { readPage, readProblem, readRedirect } from './stage.ts';

const STATUS: Record<ErrorCode, number> = {
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  reauth_required: 409,
  consent_missing: 409,
  idempotency_mismatch: 422,
  cursor_expired: 410,
  rate_limited: 429,
  provider_unavailable: 503,
  provider_rejected: 502,
  misconfigured: 500,
};

describe('a problem', () => {
  it.each(errorCodeSchema.options)('has its status, a title and no more than it should: %s', async (code) => {
    const response = problem({ code, detail: 'Some "detail"\r\n<b>' });
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
    const response = problem({ code: 'invalid_request', detail: 'x', errors }, { 'X-More': '1' });
    expect(response.headers.get('X-More')).toBe('1');
    expect((await readProblem(response)).errors).toEqual(errors);
  });
});

describe('an answer', () => {
  it('is the value, or the problem, which tells how long to wait in a header', async () => {
    const answered = answer({ ok: true, value: { a: 1 } }, 201);
    expect([answered.status, await answered.json()]).toEqual([201, { a: 1 }]);
    const refused = answer({
      ok: false,
      problem: { code: 'rate_limited', detail: 'later', retryAfterSeconds: 7 },
    });
    expect(refused.headers.get('Retry-After')).toBe('7');
    expect(Object.keys(await readProblem(refused))).toEqual(['type', 'title', 'status', 'code', 'detail']);
  });

  it('lists what a conflict is with', async () => {
    const conflicts = [{ start: '2031-05-05T09:00:00+00:00', end: '2031-05-05T10:00:00+00:00' }];
    const refused = answer({ ok: false, problem: { code: 'conflict', detail: 'taken', conflicts } });
    expect(await readProblem(refused)).toMatchObject({ status: 409, code: 'conflict', conflicts });
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

describe('a text of somebody else', () => {
  it('is text and nothing but text', async () => {
    const response = plainText('<script>1</script>');
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toEqual({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
    expect(await response.text()).toBe('<script>1</script>');
  });
});

describe('what was taken on', () => {
  it('is answered with nothing', async () => {
    expect([accepted().status, await accepted().text()]).toEqual([202, '']);
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
