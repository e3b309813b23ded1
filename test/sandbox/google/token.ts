import { jsonAnswer, readForm } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { AccessToken, AuthorizationCode, Grant, RefreshToken } from '../grants.ts';
import type { Person } from '../people.ts';
import { sameText, verifies } from '../pkce.ts';
import type { World } from '../world.ts';
import { oauthError } from './errors.ts';

const KNOWN_FIELDS = new Set([
  'grant_type',
  'client_id',
  'client_secret',
  'code',
  'code_verifier',
  'redirect_uri',
  'refresh_token',
  'scope',
]);

// A revocation by RFC 7009 may name its client and the kind of token; only the token counts here.
const REVOKE_FIELDS = new Set(['token', 'token_type_hint', 'client_id', 'client_secret']);

/** Whose token call it is, as far as the code or the refresh token tells. */
export function tokenPerson(world: World, ask: Ask): Person | undefined {
  const { fields } = readForm(ask);
  const code = world.grants.code(fields.get('code') ?? '');
  return (code ?? world.grants.refresh(fields.get('refresh_token') ?? ''))?.grant.person;
}

/** POST of the token address. */
export async function token(world: World, ask: Ask): Promise<Answer> {
  const { fields, isForm, repeated } = readForm(ask);
  const wrong = (description: string): Answer =>
    oauthError(400, 'invalid_request', description, { refusal: description });
  if (!isForm) return wrong('The body must be application/x-www-form-urlencoded.');
  if (ask.url.search !== '') return wrong('Parameters belong into the body.');
  if (repeated !== undefined) return wrong(`Parameter given twice: ${repeated}`);
  for (const name of fields.keys())
    if (!KNOWN_FIELDS.has(name)) return wrong(`Parameter not allowed: ${name}`);
  const unauthenticated = authenticate(world, ask, fields);
  if (unauthenticated !== undefined) return unauthenticated;
  switch (fields.get('grant_type')) {
    case 'authorization_code':
      return await redeem(world, fields);
    case 'refresh_token':
      return await renew(world, fields);
    case undefined:
      return wrong('Required parameter is missing: grant_type');
    default:
      return oauthError(400, 'unsupported_grant_type', 'Invalid grant_type.', {
        refusal: 'unsupported grant_type',
      });
  }
}

/** POST of the revoke address: the token's whole grant goes, with all its scopes. */
export function revoke(world: World, ask: Ask): Answer {
  const form = readForm(ask);
  const value = form.isForm ? form.fields.get('token') : undefined;
  const foreign = [...form.fields.keys(), ...ask.url.searchParams.keys()].find(
    (name) => !REVOKE_FIELDS.has(name),
  );
  const given = value ?? ask.url.searchParams.get('token');
  if (given === null || foreign !== undefined) {
    const refusal = foreign === undefined ? 'token is missing' : `Parameter not allowed: ${foreign}`;
    return oauthError(400, 'invalid_request', refusal, { refusal });
  }
  const access = world.grants.access(given);
  const refresh = world.grants.refresh(given);
  const live =
    (access !== undefined && !access.revoked) || (refresh !== undefined && refresh.dead === undefined);
  const grant = access?.grant ?? refresh?.grant;
  if (!live || grant === undefined) return oauthError(400, 'invalid_token', 'Token expired or revoked');
  world.grants.revoke(grant.person, grant.clientId);
  return jsonAnswer(200, {});
}

/** Whose token is being revoked. */
export function revokePerson(world: World, ask: Ask): Person | undefined {
  const given = readForm(ask).fields.get('token') ?? ask.url.searchParams.get('token') ?? '';
  return (world.grants.access(given) ?? world.grants.refresh(given))?.grant.person;
}

function authenticate(world: World, ask: Ask, fields: Map<string, string>): Answer | undefined {
  const basic = /^Basic +(\S+)$/i.exec(ask.headers.get('authorization') ?? '')?.[1];
  let id = fields.get('client_id');
  let given = fields.get('client_secret');
  if (basic !== undefined) {
    if (given !== undefined) {
      const refusal = 'client authenticated twice';
      return oauthError(400, 'invalid_request', 'Use only one way to authenticate the client.', { refusal });
    }
    const [left = '', right = ''] = Buffer.from(basic, 'base64').toString('utf8').split(':', 2);
    // RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
    id = new URLSearchParams(`v=${left}`).get('v') ?? '';
    given = new URLSearchParams(`v=${right}`).get('v') ?? '';
  }
  if (id === undefined) {
    return oauthError(400, 'invalid_request', 'Could not determine client ID from request.', {
      refusal: 'client_id is missing',
    });
  }
  if (id !== world.client.id) {
    return oauthError(401, 'invalid_client', 'The OAuth client was not found.', {
      refusal: 'unknown client',
    });
  }
  if (given === undefined) {
    return oauthError(400, 'invalid_request', 'client_secret is missing.', {
      refusal: 'client_secret is missing',
    });
  }
  const valid = world.client.secretState === 'valid' && sameText(given, world.client.secret);
  return valid ? undefined : oauthError(401, 'invalid_client', 'The provided client secret is invalid.');
}

async function redeem(world: World, fields: Map<string, string>): Promise<Answer> {
  const refused = (description: string, refusal: string): Answer =>
    oauthError(400, 'invalid_grant', description, { refusal });
  const value = fields.get('code');
  if (value === undefined) {
    return oauthError(400, 'invalid_request', 'Missing required parameter: code', {
      refusal: 'code is missing',
    });
  }
  const code = world.grants.code(value);
  if (code === undefined) return refused('Malformed auth code.', 'unknown code');
  if (code.redeemed) {
    world.grants.revokeFrom(code);
    return refused('Bad Request', 'code used twice');
  }
  // An attempt with the wrong verifier or address spends the code: nobody gets to guess.
  code.redeemed = true;
  if (code.expiresAtMs <= world.now()) return oauthError(400, 'invalid_grant', 'Bad Request');
  if (fields.get('redirect_uri') !== code.redirectUri) {
    return oauthError(400, 'redirect_uri_mismatch', 'Bad Request', { refusal: 'redirect_uri differs' });
  }
  const verifier = fields.get('code_verifier');
  if (code.challenge === undefined) {
    if (verifier !== undefined)
      return refused('code_verifier or verifier is not needed.', 'needless code_verifier');
  } else if (verifier === undefined) {
    return refused('Missing code verifier.', 'code_verifier is missing');
  } else if (!verifies(verifier, code.challenge)) {
    return refused('Invalid code verifier.', 'code_verifier does not fit');
  }
  const refresh = code.offline ? issueRefresh(world, code.grant, code.scopes, code) : undefined;
  return await reply(world, issueAccess(world, code.grant, code.scopes, code), refresh, code.nonce);
}

async function renew(world: World, fields: Map<string, string>): Promise<Answer> {
  const value = fields.get('refresh_token');
  if (value === undefined) {
    const refusal = 'refresh_token is missing';
    return oauthError(400, 'invalid_request', 'Missing required parameter: refresh_token', { refusal });
  }
  const held = world.grants.refresh(value);
  if (held === undefined || held.dead !== undefined || held.grant.clientId !== world.client.id) {
    return oauthError(400, 'invalid_grant', 'Token has been expired or revoked.');
  }
  const asked = (fields.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
  if (asked.some((scope) => !held.scopes.includes(scope))) {
    return oauthError(400, 'invalid_scope', 'Some requested scopes were not granted.', {
      refusal: 'refresh asks for more scopes than were granted',
    });
  }
  const scopes = asked.length === 0 ? held.scopes : asked;
  let refresh: RefreshToken | undefined;
  if (held.grant.person.refreshTokens === 'rotate-strictly') {
    held.dead = 'rotated';
    refresh = issueRefresh(world, held.grant, held.scopes, held.code);
  }
  return await reply(world, issueAccess(world, held.grant, scopes, held.code), refresh, undefined);
}

function issueRefresh(
  world: World,
  grant: Grant,
  scopes: readonly string[],
  code: AuthorizationCode | undefined,
): RefreshToken {
  const origin = code === undefined ? {} : { code };
  return world.grants.issueRefresh('1//0', { grant, scopes, capabilities: new Set(), ...origin });
}

function issueAccess(
  world: World,
  grant: Grant,
  scopes: readonly string[],
  code: AuthorizationCode | undefined,
): AccessToken {
  return world.grants.issueAccess('ya29.a0', world.lifetimeSeconds(grant.person), {
    grant,
    scopes: new Set(scopes),
    capabilities: new Set(),
    answersChallenge: true,
    ...(code === undefined ? {} : { code }),
  });
}

async function reply(
  world: World,
  access: AccessToken,
  refresh: RefreshToken | undefined,
  nonce: string | undefined,
): Promise<Answer> {
  const { person } = access.grant;
  const idToken = access.scopes.has('openid') ? await idTokenFor(world, access, nonce) : undefined;
  return jsonAnswer(
    200,
    {
      access_token: access.value,
      expires_in: world.lifetimeSeconds(person),
      ...(refresh === undefined ? {} : { refresh_token: refresh.value }),
      scope: world.dice.shuffle([...access.scopes]).join(' '),
      token_type: 'Bearer',
      ...(idToken === undefined ? {} : { id_token: idToken }),
    },
    { headers: { 'cache-control': 'no-cache, no-store, max-age=0, must-revalidate', pragma: 'no-cache' } },
  );
}

async function idTokenFor(world: World, access: AccessToken, nonce: string | undefined): Promise<string> {
  const { person } = access.grant;
  const knows = (kind: string): boolean =>
    access.scopes.has(`https://www.googleapis.com/auth/userinfo.${kind}`);
  return await world.idTokens.sign(
    {
      iss: 'https://accounts.google.com',
      azp: world.client.id,
      aud: world.client.id,
      sub: person.id,
      ...(knows('email') ? { email: person.email, email_verified: true } : {}),
      ...(knows('profile') ? { name: person.name } : {}),
      ...(nonce === undefined ? {} : { nonce }),
    },
    world.now(),
  );
}
