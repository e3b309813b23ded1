import * as z from 'zod';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import type { Account } from '../provider.ts';

/** The tenant of every personal account (entra-docs: id-token-claims-reference, `tid`). */
const PERSONAL_TENANT = '9188040d-6c67-4c5b-b112-36a304b66dad';

const claimsSchema = z.object({
  aud: z.string(),
  sub: z.string().min(1),
  oid: z.string().min(1).optional(),
  tid: z.string().min(1).optional(),
  preferred_username: z.string().min(1).optional(),
  email: z.string().min(1).optional(),
});

/**
 * Whose tokens these are. The id token came straight from the token endpoint, so its signature proves
 * nothing more (OpenID Connect Core §3.1.3.7); that it is meant for us is checked.
 *
 * @returns undefined where there was no id token; `malformed` for one that does not say who, or to whom.
 */
export function readAccount(clientId: string, idTokenClaims: unknown): Outcome<Account | undefined> {
  if (idTokenClaims === undefined || idTokenClaims === null) return ok(undefined);
  const read = claimsSchema.safeParse(idTokenClaims);
  // MSAL hands out an empty object where there was no id token.
  if (typeof idTokenClaims === 'object' && Object.keys(idTokenClaims).length === 0) return ok(undefined);
  if (!read.success)
    return fail({ kind: 'malformed', at: `id_token: ${read.error.issues[0]?.path.join('.')}` });
  const { aud, sub, oid, tid, preferred_username: username, email } = read.data;
  if (aud !== clientId) return fail({ kind: 'malformed', at: 'id_token: aud' });
  const address = username ?? email;
  return ok({
    id: oid ?? sub,
    kind: tid === PERSONAL_TENANT ? 'personal' : 'work',
    ...(address !== undefined && { email: address }),
    ...(tid !== undefined && { tenantId: tid }),
  });
}
