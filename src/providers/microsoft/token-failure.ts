import * as z from 'zod';
import type { Failure, Outcome } from '../../domain/failure.ts';
import { readJson, readRetryAfter, type Reply } from '../http.ts';

const refusalSchema = z.object({
  error: z.string().min(1),
  error_codes: z.array(z.int()).optional().catch(undefined),
});

/** Refusals that only the person can lift, by signing in again (entra-docs: reference-error-codes). */
const SIGN_IN_AGAIN = new Set(['invalid_grant', 'interaction_required', 'login_required']);

/**
 * Why the token endpoint gave no grant. Judged by the OAuth `error` alone, as Microsoft asks: AADSTS
 * numbers are only quoted, its texts never. `leg` decides what a refused grant means: on `refresh`
 * the person must connect again, on `code` that one code was no good.
 */
export function readTokenFailure(reply: Outcome<Reply>, leg: 'code' | 'refresh'): Failure {
  // A lost reply may have carried a grant: the code is spent, or the refresh token rotated.
  if (!reply.ok) {
    return reply.failure.kind === 'unavailable' ? { ...reply.failure, ambiguous: true } : reply.failure;
  }
  const { status, headers, body, receivedAtMs } = reply.value;
  const retryAtMs = readRetryAfter(headers, receivedAtMs);
  const retry = retryAtMs === undefined ? {} : { retryAtMs };
  if (status === 429) return { kind: 'throttled', scope: 'user', ...retry };
  if (status >= 500) return { kind: 'unavailable', ambiguous: true, ...retry };

  if (status === 200) return { kind: 'malformed', at: 'token reply' };

  const json = readJson(body, 'token reply');
  const refusal = refusalSchema.safeParse(json.ok ? json.value : undefined);
  if (!refusal.success) {
    return status >= 300 && status < 400
      ? { kind: 'rejected', status, code: 'redirect' }
      : { kind: 'malformed', at: 'token reply: error' };
  }

  const { error, error_codes: numbers = [] } = refusal.data;
  const code = /^[A-Za-z0-9_.-]{1,64}$/.test(error) ? error : 'unknown';
  const detail = [code, ...numbers.map((number) => `AADSTS${number}`)].join(' ');
  if (SIGN_IN_AGAIN.has(error)) {
    return leg === 'refresh' ? { kind: 'grant-revoked', detail } : { kind: 'rejected', status, code };
  }
  switch (error) {
    case 'consent_required':
      return { kind: 'consent-missing', scopes: [] };
    case 'invalid_client':
      return {
        kind: 'misconfigured',
        detail: `Microsoft refuses this client; check MICROSOFT_CLIENT_SECRET and MICROSOFT_CLIENT_ID (${detail})`,
      };
    case 'unauthorized_client':
      return {
        kind: 'misconfigured',
        detail: `Microsoft refuses this client; check MICROSOFT_CLIENT_ID (${detail})`,
      };
    case 'temporarily_unavailable':
    case 'server_error':
      return { kind: 'unavailable', ambiguous: true, ...retry };
    default:
      return { kind: 'rejected', status, code };
  }
}
