import * as z from 'zod';
import type { Failure } from '../../domain/failure.ts';
import { readJson, readRetryAfter, type Reply } from '../http.ts';

/** What the caller knows about the call that failed. */
export interface FailedCall {
  /** What was asked for, as a person would say it: it names what was not found or has changed. */
  what: string;
  /** Whether the call was to change something, so that a 5xx leaves open whether it did. */
  writes: boolean;
}

const errorSchema = z.object({
  error: z.object({
    status: z.string().optional().catch(undefined),
    errors: z
      .array(z.object({ reason: z.string() }))
      .optional()
      .catch(undefined),
    details: z
      .array(z.object({ reason: z.string().optional().catch(undefined) }))
      .optional()
      .catch(undefined),
  }),
});

/** Which throttles concern one person, and which all of our registration. */
const THROTTLES = new Map<string, 'user' | 'app'>([
  // The error guide speaks of a rate "per calendar or per authenticated user".
  ['rateLimitExceeded', 'user'],
  ['userRateLimitExceeded', 'user'],
  ['calendarUsageLimits', 'user'],
  ['quotaExceeded', 'user'],
  ['dailyLimitExceeded', 'app'],
]);
const CONSENT_REASONS = ['insufficientPermissions', 'ACCESS_TOKEN_SCOPE_INSUFFICIENT'];
/** Such as `push.webhookUrlUnauthorized` and `pushNotSupportedForRequestedResource`. */
const PUSH_REFUSED = /^(?:push|webhookUrl)/;
const NOT_ENABLED_REASONS = ['accessNotConfigured', 'SERVICE_DISABLED'];

/**
 * Sorts a Calendar v3 reply that is not a success. The status decides, the reasons in the body
 * refine; a body that cannot be read is no obstacle. No text of the provider is kept but a reason
 * that has the form of an identifier. Source: Calendar API guide "Handle API errors"; the reasons of
 * a missing scope and of an API that is not enabled are not on that page but seen in the field.
 */
export function readFailure(reply: Reply, { what, writes }: FailedCall): Failure {
  const { status, headers } = reply;
  const reasons = readReasons(reply.body);
  const retryAtMs = readRetryAfter(headers, reply.receivedAtMs);
  const wait = retryAtMs === undefined ? {} : { retryAtMs };
  if (status === 429 || status === 403) {
    const scopes = reasons.flatMap((reason) => THROTTLES.get(reason) ?? []);
    if (status === 429 || scopes.length > 0)
      return { kind: 'throttled', scope: scopes.includes('app') ? 'app' : 'user', ...wait };
  }
  if (status >= 500 || status === 408) return { kind: 'unavailable', ambiguous: writes, ...wait };
  // An address that Google does not call is refused with 401 too: that says nothing of the token.
  if (status === 401 && !reasons.some(isPushRefusal)) return { kind: 'token-rejected' };
  if (status === 403) {
    const challenge = headers.get('WWW-Authenticate') ?? '';
    if (
      reasons.some((reason) => CONSENT_REASONS.includes(reason)) ||
      /\binsufficient_scope\b/.test(challenge)
    )
      return { kind: 'consent-missing', scopes: readChallengedScopes(challenge) };
    if (reasons.some((reason) => NOT_ENABLED_REASONS.includes(reason)))
      return {
        kind: 'misconfigured',
        detail:
          'The Google Calendar API is not enabled for our project: check the project of GOOGLE_CLIENT_ID.',
      };
  }
  if (status === 404) return { kind: 'not-found', what };
  // Gone is an entry that was deleted, or else a sync cursor.
  if (status === 410)
    return reasons.includes('deleted') ? { kind: 'not-found', what } : { kind: 'cursor-expired' };
  // The version that the call was bound to (If-Match) is no longer the one there.
  if (status === 412) return { kind: 'changed', what };
  if (status >= 300) return { kind: 'rejected', status, code: reasons[0] ?? `http_${status}` };
  return { kind: 'malformed', at: `${what}: status ${status}` };
}

/** Whether a reason says that there are no notifications for this calendar or address (seen in the field). */
export function isPushRefusal(reason: string): boolean {
  return PUSH_REFUSED.test(reason);
}

/** The reasons a body gives, most telling first; those that could not be a reason are left out. */
function readReasons(body: string): string[] {
  const json = readJson(body, 'error');
  const parsed = errorSchema.safeParse(json.ok ? json.value : undefined);
  if (!parsed.success) return [];
  const { errors = [], details = [], status } = parsed.data.error;
  return [...errors.map(({ reason }) => reason), ...details.map(({ reason }) => reason), status]
    .filter((reason) => reason !== undefined)
    .filter((reason) => /^[A-Za-z0-9_.-]{1,64}$/.test(reason));
}

/** The scopes that a challenge asks for (RFC 6750 §3), when it names any. */
function readChallengedScopes(challenge: string): string[] {
  const scope = /\bscope="([^"]{1,2048})"/.exec(challenge)?.[1] ?? '';
  return scope.split(' ').filter((one) => /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/.test(one));
}
