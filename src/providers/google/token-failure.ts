import * as z from 'zod';
import type { Failure } from '../../domain/failure.ts';
import { readJson, readRetryAfter, type Reply } from '../http.ts';

/** What was asked of the token or revocation endpoint: the same error means different things. */
export type TokenCall = 'exchange' | 'refresh' | 'revoke';

const errorSchema = z.object({ error: z.string() });

const MISCONFIGURED: Readonly<Record<string, string>> = {
  invalid_client: 'Google refuses our client: check GOOGLE_CLIENT_SECRET and GOOGLE_CLIENT_ID.',
  unauthorized_client: 'Google does not allow our client this grant: check GOOGLE_CLIENT_ID.',
  deleted_client: 'Our client was deleted at Google: check GOOGLE_CLIENT_ID.',
  disabled_client: 'Our client is disabled at Google: check GOOGLE_CLIENT_ID.',
  redirect_uri_mismatch:
    'Our callback is not registered at Google: check PUBLIC_BASE_URL and GOOGLE_CLIENT_ID.',
};

const DEAD_GRANT: Readonly<Record<string, string>> = {
  invalid_grant: 'Google no longer accepts the grant; it was withdrawn, replaced or has expired.',
  admin_policy_enforced: "the organisation's administrator does not allow this application.",
};

/**
 * Sorts a reply of the token or revocation endpoint that is not a success (RFC 6749 §5.2, RFC 7009
 * §2.2.1). A dead grant is only told by an error code, never by a status: a broken proxy must not
 * cost the person a connection. None of the provider's own words are kept but a known error code.
 */
export function readTokenFailure(reply: Reply, call: TokenCall): Failure {
  const error = readTokenError(reply);
  const retryAtMs = readRetryAfter(reply.headers, reply.receivedAtMs);
  const wait = retryAtMs === undefined ? {} : { retryAtMs };
  // The token endpoint counts calls of our client, not of one person.
  if (reply.status === 429 || error === 'rate_limit_exceeded')
    return { kind: 'throttled', scope: 'app', ...wait };
  if (
    reply.status >= 500 ||
    reply.status === 408 ||
    error === 'temporarily_unavailable' ||
    error === 'server_error'
  )
    return { kind: 'unavailable', ambiguous: true, ...wait };
  if (reply.status < 400 || error === undefined)
    return { kind: 'malformed', at: `token reply with status ${reply.status}` };
  const wrong = lookUp(MISCONFIGURED, error);
  if (wrong !== undefined) return { kind: 'misconfigured', detail: wrong };
  const dead = call === 'refresh' ? lookUp(DEAD_GRANT, error) : undefined;
  if (dead !== undefined) return { kind: 'grant-revoked', detail: dead };
  return { kind: 'rejected', status: reply.status, code: error };
}

/** The OAuth error code of a reply; undefined when there is none that could be one. */
export function readTokenError(reply: Reply): string | undefined {
  const json = readJson(reply.body, 'token reply');
  const parsed = errorSchema.safeParse(json.ok ? json.value : undefined);
  return parsed.success && /^[A-Za-z0-9_.-]{1,64}$/.test(parsed.data.error) ? parsed.data.error : undefined;
}

function lookUp(table: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
