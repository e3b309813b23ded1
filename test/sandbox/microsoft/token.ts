import { jsonAnswer, readForm } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { AccessToken, AuthorizationCode, Grant, RefreshToken } from '../grants.ts';
import type { Person } from '../people.ts';
import { sameText, verifies } from '../pkce.ts';
import type { World } from '../world.ts';
import { clientInfo } from './authorize.ts';
import { answers, readClaims } from './claims.ts';
import type { ReadClaims } from './claims.ts';
import { CLIENT_TELEMETRY } from './client-telemetry.ts';
import { entraError } from './errors.ts';
import { isGraphScope, longForm, readScopes } from './scopes.ts';
import { barred, isTenant } from './tenants.ts';

const KNOWN_FIELDS = new Set([
  'grant_type',
  'client_id',
  'client_secret',
  'code',
  'code_verifier',
  'redirect_uri',
  'refresh_token',
  'scope',
  'claims',
  'client_info',
  ...CLIENT_TELEMETRY,
]);

/** Whose token call it is, as far as the code or the refresh token tells. */
export function tokenPerson(world: World, ask: Ask): Person | undefined {
  const { fields } = readForm(ask);
  const code = world.grants.code(fields.get('code') ?? '');
  return (code ?? world.grants.refresh(fields.get('refresh_token') ?? ''))?.grant.person;
}

/** POST of /{tenant}/oauth2/v2.0/token. */
export async function token(world: World, tenant: string, ask: Ask): Promise<Answer> {
  const { fields, isForm, repeated } = readForm(ask);
  const no = refuser(world);
  if (!isTenant(tenant)) return no(400, 'invalid_request', 90002, `Tenant '${tenant}' not found.`, true);
  if (!isForm) {
    return no(400, 'invalid_request', 900561, 'The body must be application/x-www-form-urlencoded.', true);
  }
  if (repeated !== undefined) return no(400, 'invalid_request', 90013, `Given twice: ${repeated}`, true);
  const unknown =
    [...fields.keys()].find((name) => !KNOWN_FIELDS.has(name)) ??
    [...ask.url.searchParams.keys()].find((name) => !CLIENT_TELEMETRY.includes(name));
  if (unknown !== undefined) {
    return no(400, 'invalid_request', 900144, `Parameter not allowed: ${unknown}`, true);
  }
  const grantType = fields.get('grant_type');
  if (grantType !== 'authorization_code' && grantType !== 'refresh_token') {
    return no(400, 'unsupported_grant_type', 70003, 'The app requested an unsupported grant type.', true);
  }
  const unauthenticated = authenticate(world, fields);
  if (unauthenticated !== undefined) return unauthenticated;
  const { scopes, unknown: nonsense, foreign } = readScopes(fields.get('scope') ?? '');
  if (foreign.length > 0) {
    return no(400, 'invalid_request', 28000, 'The scope names more than one resource.', true);
  }
  if (nonsense.length > 0) {
    return no(400, 'invalid_scope', 70011, `The scope ${nonsense.join(' ')} is not valid.`, true);
  }
  const claims = readClaims(fields.get('claims'));
  if (claims === undefined) {
    return no(400, 'invalid_request', 9002341, "The 'claims' parameter is not valid JSON.", true);
  }
  const request = { tenant, fields, scopes, claims };
  return grantType === 'authorization_code' ? await redeem(world, request) : await renew(world, request);
}

interface TokenRequest {
  readonly tenant: string;
  readonly fields: Map<string, string>;
  readonly scopes: readonly string[];
  readonly claims: ReadClaims;
}

type Refuser = (status: number, error: string, number: number, text: string, ownFault?: boolean) => Answer;

function refuser(world: World): Refuser {
  return (status, error, number, text, ownFault = false) =>
    entraError({ status, error, number, text }, world.now(), ownFault ? { refusal: text } : {});
}

function authenticate(world: World, fields: Map<string, string>): Answer | undefined {
  const no = refuser(world);
  if (fields.get('client_id') !== world.client.id) {
    return no(400, 'unauthorized_client', 700016, 'The application was not found in the directory.', true);
  }
  const given = fields.get('client_secret');
  if (given === undefined) {
    const text = "The request body must contain 'client_assertion' or 'client_secret'.";
    return no(401, 'invalid_client', 7000218, text, true);
  }
  if (world.client.secretState === 'expired' && sameText(given, world.client.secret)) {
    return no(401, 'invalid_client', 7000222, 'The provided client secret keys are expired.');
  }
  if (world.client.secretState !== 'valid' || !sameText(given, world.client.secret)) {
    return no(401, 'invalid_client', 7000215, 'Invalid client secret provided.');
  }
  return undefined;
}

async function redeem(world: World, { tenant, fields, scopes, claims }: TokenRequest): Promise<Answer> {
  const no = refuser(world);
  const code = world.grants.code(fields.get('code') ?? '');
  if (code === undefined)
    return no(400, 'invalid_grant', 9002313, 'The request is malformed or invalid.', true);
  if (code.redeemed) {
    world.grants.revokeFrom(code);
    return no(400, 'invalid_grant', 54005, 'The authorization code was already redeemed.', true);
  }
  // An attempt with the wrong verifier or address spends the code: nobody gets to guess.
  code.redeemed = true;
  if (code.expiresAtMs <= world.now()) {
    return no(400, 'invalid_grant', 70008, 'The authorization code has expired.');
  }
  if (fields.get('redirect_uri') !== code.redirectUri) {
    return no(400, 'invalid_client', 500112, 'The reply address does not match the one of the code.', true);
  }
  const verifier = fields.get('code_verifier');
  const fits =
    code.challenge === undefined
      ? verifier === undefined
      : verifier !== undefined && verifies(verifier, code.challenge);
  if (!fits) {
    return no(400, 'invalid_grant', 501481, 'The code_verifier does not match the code_challenge.', true);
  }
  const bar = barred(code.grant.person, tenant);
  if (bar !== undefined) return no(400, 'invalid_grant', bar.number, bar.text, true);
  const granted = narrowed(code.scopes, scopes);
  if (granted === undefined) return unconsented(world);
  const capabilities = new Set([...code.capabilities, ...claims.capabilities]);
  const refresh = code.offline
    ? world.grants.issueRefresh(refreshPrefix(code.grant.person), {
        grant: code.grant,
        scopes: code.scopes,
        capabilities,
        code,
      })
    : undefined;
  const access = issueAccess(world, code.grant, granted, {
    code,
    capabilities,
    answersChallenge: code.answersChallenge,
  });
  // The first reply names scopes shortly, later ones with their resource: clients must read both.
  return await reply(world, { access, refresh, fields, nonce: code.nonce, form: 'short' });
}

async function renew(world: World, { tenant, fields, scopes, claims }: TokenRequest): Promise<Answer> {
  const no = refuser(world);
  const held = world.grants.refresh(fields.get('refresh_token') ?? '');
  if (held === undefined || held.grant.clientId !== world.client.id) {
    return no(400, 'invalid_grant', 9002313, 'The request is malformed or invalid.');
  }
  if (held.dead === 'revoked') {
    return no(400, 'invalid_grant', 50173, 'The grant was revoked; a fresh sign-in is needed.');
  }
  if (held.dead === 'expired') {
    return no(400, 'invalid_grant', 700082, 'The refresh token has expired due to inactivity.');
  }
  if (held.dead !== undefined)
    return no(400, 'invalid_grant', 70008, 'The refresh token is no longer valid.');
  const { person } = held.grant;
  const bar = barred(person, tenant);
  if (bar !== undefined) return no(400, 'invalid_grant', bar.number, bar.text, true);
  const granted = narrowed(held.scopes, scopes);
  if (granted === undefined) return unconsented(world);
  const standing = person.claimsChallenge;
  const answered = standing !== undefined && answers(claims, standing);
  if (standing?.interactive === true && answered) {
    return entraError(
      { status: 400, error: 'interaction_required', number: 50076, text: 'A new sign-in is needed.' },
      world.now(),
      { claims: standing.claims, suberror: 'basic_action' },
    );
  }
  if (answered) person.claimsChallenge = undefined;
  if (person.refreshTokens === 'rotate-strictly') held.dead = 'rotated';
  const origin = held.code === undefined ? {} : { code: held.code };
  const capabilities = claims.capabilities;
  const refresh = world.grants.issueRefresh(refreshPrefix(person), {
    grant: held.grant,
    scopes: held.scopes,
    capabilities,
    ...origin,
  });
  const answersChallenge = person.claimsChallenge === undefined;
  const access = issueAccess(world, held.grant, granted, { ...origin, capabilities, answersChallenge });
  return await reply(world, { access, refresh, fields, nonce: undefined, form: 'long' });
}

/** What of the granted scopes the request wants; undefined when no Graph scope is left of those it named. */
function narrowed(granted: readonly string[], wanted: readonly string[]): string[] | undefined {
  if (wanted.length === 0) return [...granted];
  const kept = granted.filter((scope) => wanted.includes(scope));
  return wanted.some(isGraphScope) && !kept.some(isGraphScope) ? undefined : kept;
}

function unconsented(world: World): Answer {
  const text = 'The user or administrator has not consented to the scopes.';
  const suberror = 'consent_required';
  return entraError({ status: 400, error: 'invalid_grant', number: 65001, text }, world.now(), { suberror });
}

function refreshPrefix(person: Person): string {
  return person.account === 'work' ? '1.AR' : 'M.C5_BAY.0.U.-';
}

function issueAccess(
  world: World,
  grant: Grant,
  scopes: readonly string[],
  more: { code?: AuthorizationCode; capabilities: ReadonlySet<string>; answersChallenge: boolean },
): AccessToken {
  const prefix = grant.person.account === 'work' ? 'eyJ0eXAi' : 'EwB4A8l6';
  const lifetime = world.lifetimeSeconds(grant.person);
  return world.grants.issueAccess(prefix, lifetime, { grant, scopes: new Set(scopes), ...more });
}

async function reply(
  world: World,
  given: {
    access: AccessToken;
    refresh: RefreshToken | undefined;
    fields: Map<string, string>;
    nonce: string | undefined;
    form: 'short' | 'long';
  },
): Promise<Answer> {
  const { access, refresh, fields, nonce, form } = given;
  const { person } = access.grant;
  const lifetime = world.lifetimeSeconds(person);
  // offline_access shows in the refresh token, not in the list of scopes.
  const scopes = world.dice.shuffle([...access.scopes].filter((scope) => scope !== 'offline_access'));
  const idToken = access.scopes.has('openid') ? await idTokenFor(world, access, nonce) : undefined;
  return jsonAnswer(
    200,
    {
      token_type: 'Bearer',
      scope: (form === 'short' ? scopes : scopes.map(longForm)).join(' '),
      expires_in: lifetime,
      ext_expires_in: lifetime,
      access_token: access.value,
      ...(refresh === undefined ? {} : { refresh_token: refresh.value }),
      ...(idToken === undefined ? {} : { id_token: idToken }),
      ...(fields.get('client_info') === '1' ? { client_info: clientInfo(person) } : {}),
    },
    { headers: { 'cache-control': 'no-store, no-cache', pragma: 'no-cache' } },
  );
}

async function idTokenFor(world: World, access: AccessToken, nonce: string | undefined): Promise<string> {
  const { person } = access.grant;
  return await world.idTokens.sign(
    {
      iss: `https://login.microsoftonline.com/${person.tenantId}/v2.0`,
      aud: world.client.id,
      // Entra's sub differs from app to app; oid does not.
      sub: Buffer.from(`${person.id} ${world.client.id}`).toString('base64url').slice(0, 43),
      oid: person.id,
      tid: person.tenantId,
      ver: '2.0',
      ...(access.scopes.has('profile') ? { name: person.name, preferred_username: person.email } : {}),
      ...(access.scopes.has('email') ? { email: person.email } : {}),
      ...(nonce === undefined ? {} : { nonce }),
    },
    world.now(),
  );
}
