import type { ErrorCode } from '../domain/failure.ts';
import type { Problem, Result } from '../operations/result.ts';

const STATUS = {
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
} satisfies Record<ErrorCode, number>;

const TITLE = {
  invalid_request: 'The request is not valid',
  unauthorized: 'A bearer token is needed',
  forbidden: 'Not allowed',
  not_found: 'Not found',
  conflict: 'In conflict with how things stand',
  reauth_required: 'The person must connect again',
  consent_missing: 'A permission is missing',
  idempotency_mismatch: 'The id belongs to another request',
  cursor_expired: 'The cursor has expired',
  rate_limited: 'The provider is limiting this account',
  provider_unavailable: 'The provider does not answer',
  provider_rejected: 'The provider refused the request',
  misconfigured: 'The worker is not set up correctly',
} satisfies Record<ErrorCode, string>;

/** A JSON answer. Answers hold people's calendars: nothing on the way may keep them. */
export function json(value: unknown, status = 200): Response {
  return Response.json(value, { status, headers: { 'Cache-Control': 'no-store' } });
}

/** A problem as a response (RFC 9457), with `Retry-After` where waiting helps; `headers` are added. */
export function problem(
  { code, detail, retryAfterSeconds, ...more }: Problem,
  headers: Record<string, string> = {},
): Response {
  const body = { type: `urn:calendar-sync:problem:${code}`, title: TITLE[code], status: STATUS[code] };
  return new Response(JSON.stringify({ ...body, code, detail, ...more }), {
    status: STATUS[code],
    headers: {
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
      ...headers,
    },
  });
}

/** The answer of an address where nothing is. */
export function nothingHere(): Response {
  return problem({ code: 'not_found', detail: 'There is nothing at this address.' });
}

/** A result as a response: its value as JSON, or its problem. */
export function answer(result: Result<unknown>, status = 200): Response {
  return result.ok ? json(result.value, status) : problem(result.problem);
}

/** That something was taken on, with nothing to say of it. */
export function accepted(): Response {
  return new Response(null, { status: 202, headers: { 'Cache-Control': 'no-store' } });
}

/** A text that somebody else has chosen: no browser takes it for anything but text. */
export function plainText(text: string): Response {
  return new Response(text, {
    headers: {
      'Content-Type': 'text/plain; charset=utf-8',
      'Cache-Control': 'no-store',
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
      'X-Content-Type-Options': 'nosniff',
    },
  });
}

/** A small page for a person whose sign-in cannot go on. Texts are escaped. */
export function page(status: number, title: string, text: string): Response {
  const body = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}</style>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(text)}</p>
</html>
`;
  return new Response(body, {
    status,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-store',
      'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    },
  });
}

/** A redirect that leaves no trace of this address behind, with cookies to set. */
export function redirect(location: string, headers: Record<string, string> = {}): Response {
  return new Response(null, {
    status: 302,
    headers: {
      Location: location,
      'Cache-Control': 'no-store',
      'Referrer-Policy': 'no-referrer',
      ...headers,
    },
  });
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
