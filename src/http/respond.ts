import { describeFailure, type ErrorCode, type Failure } from '../domain/failure.ts';
import type { FieldError } from '../domain/field-error.ts';
import { formatInstant } from '../domain/time-zone.ts';

const STATUS = {
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
} satisfies Record<ErrorCode, number>;

const TITLE = {
  invalid_request: 'The request is not valid',
  unauthorized: 'A bearer token is needed',
  forbidden: 'Not allowed',
  not_found: 'Not found',
  conflict: 'The time is already taken',
  reauth_required: 'The person must connect again',
  consent_missing: 'A permission is missing',
  idempotency_mismatch: 'The id belongs to another request',
  rate_limited: 'The provider is limiting this account',
  provider_unavailable: 'The provider does not answer',
  provider_rejected: 'The provider refused the request',
  misconfigured: 'The worker is not set up correctly',
} satisfies Record<ErrorCode, string>;

/** What a caller is asked to wait when the provider named no time. */
const DEFAULT_RETRY_AFTER_S = 5;

/** A JSON answer. Answers hold people's calendars: nothing on the way may keep them. */
export function json(value: unknown, status = 200): Response {
  return Response.json(value, { status, headers: { 'Cache-Control': 'no-store' } });
}

/** A problem (RFC 9457). `errors` name the fields of a bad request; `headers` are added. */
export function problem(
  code: ErrorCode,
  detail: string,
  {
    errors,
    headers,
    ...more
  }: { errors?: FieldError[]; headers?: Record<string, string>; conflicts?: unknown } = {},
): Response {
  return new Response(
    JSON.stringify({
      type: `urn:calendar-sync:problem:${code}`,
      title: TITLE[code],
      status: STATUS[code],
      code,
      detail,
      ...(errors !== undefined && { errors }),
      ...more,
    }),
    {
      status: STATUS[code],
      headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers },
    },
  );
}

/** The 400 for one field that the schema could not judge. */
export function invalidField(path: string, message: string): Response {
  return problem('invalid_request', `${path}: ${message}`, { errors: [{ path, message }] });
}

/** The problem that a failure is to a caller, with `Retry-After` (seconds) where waiting helps. */
export function failureProblem(failure: Failure, nowMs: number): Response {
  const { code, message } = describeFailure(failure);
  const waits = code === 'rate_limited' || code === 'provider_unavailable';
  const retryAtMs = 'retryAtMs' in failure ? failure.retryAtMs : undefined;
  const seconds =
    retryAtMs === undefined ? DEFAULT_RETRY_AFTER_S : Math.max(1, Math.ceil((retryAtMs - nowMs) / 1000));
  return problem(code, message, {
    ...(waits && { headers: { 'Retry-After': String(seconds) } }),
    ...(failure.kind === 'conflict' && {
      conflicts: failure.with.map(({ startMs, endMs }) => ({
        start: formatInstant(startMs, 'UTC'),
        end: formatInstant(endMs, 'UTC'),
      })),
    }),
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
