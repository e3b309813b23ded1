import * as oauth from 'oauth4webapi';
import * as z from 'zod';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { fetchThrough, readJson, type Reply, type Send, SendFailed } from '../http.ts';
import type { Account, Grant, ProviderOAuth, SignInReply, SignInRequest } from '../provider.ts';
import { DEFAULT_SCOPES, missingScopes, readScopes, SIGN_IN_SCOPES } from './scopes.ts';
import { readTokenError, readTokenFailure, type TokenCall } from './token-failure.ts';

/** Our registration at Google, and where Google is: absolute URLs, `apiUrl` without a path of its own. */
export interface GoogleConfig {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
  readonly revokeUrl: string;
  readonly apiUrl: string;
}

/** Google names itself in both ways (OpenID Connect guide, "Validating an ID token"). */
const ISSUERS = ['https://accounts.google.com', 'accounts.google.com'] as const;

/**
 * What a token without `expires_in` (RFC 6749 §5.1 only recommends it) is taken to live. Refusing
 * it would cut off a working connection; guessing low costs a refresh, and guessing high one 401.
 */
const ASSUMED_LIFETIME_S = 10 * 60;
/** Google's tokens live an hour; whoever claims more than a day is not believed. */
const LONGEST_LIFETIME_S = 24 * 60 * 60;

/** RFC 6749 appendix A.12, without the space: what can stand in an Authorization header. */
const TOKEN = /^[\x21-\x7e]+$/;

const claimsSchema = z.object({
  sub: z.string().min(1).max(255),
  email: z.string().max(320).optional().catch(undefined),
  hd: z.string().optional().catch(undefined),
});

/**
 * Google's OAuth: authorization code with PKCE, an id token for the account, offline access. Each
 * method makes at most one call. `tenant` and `claims` mean nothing here and are ignored. Source:
 * Google, "Using OAuth 2.0 for Web Server Applications" and "OpenID Connect".
 */
export function createGoogleOAuth(config: GoogleConfig): ProviderOAuth {
  // Endpoints that moved (a test, a proxy) may name themselves as their issuer.
  const issuers: readonly string[] = [...new Set([...ISSUERS, new URL(config.authorizeUrl).origin])];
  const client: oauth.Client = { client_id: config.clientId };
  const authentication = oauth.ClientSecretPost(config.clientSecret);

  const serverAs = (issuer: string | null | undefined): oauth.AuthorizationServer => ({
    // An issuer that is not ours is not adopted, so that the library refuses it.
    issuer: typeof issuer === 'string' && issuers.includes(issuer) ? issuer : ISSUERS[0],
    token_endpoint: config.tokenUrl,
  });

  /** Makes one token call through `ask` and lets the library validate a success through `read`. */
  async function callTokenEndpoint(
    call: TokenCall,
    send: Send,
    ask: (options: oauth.TokenEndpointRequestOptions) => Promise<Response>,
    read: (
      server: oauth.AuthorizationServer,
      client: oauth.Client,
      response: Response,
    ) => Promise<oauth.TokenEndpointResponse>,
  ): Promise<Outcome<TokenReply>> {
    const seen: { reply?: Reply } = {};
    const remember: Send = async (request) => {
      const sent = await send(request);
      if (sent.ok) seen.reply = sent.value;
      return sent;
    };
    try {
      const response = await ask({
        [oauth.customFetch]: fetchThrough(remember),
        [oauth.allowInsecureRequests]: new URL(config.tokenUrl).protocol === 'http:',
      });
      const { reply } = seen;
      if (reply === undefined) return fail({ kind: 'malformed', at: 'token reply' });
      if (reply.status !== 200) return fail(readTokenFailure(reply, call));
      // The library's clock is the machine's: shift it to the clock the reply was timed with.
      const skewS = Math.round((reply.receivedAtMs - Date.now()) / 1000);
      const tokens = await read(
        serverAs(peekIssuer(reply.body)),
        { ...client, [oauth.clockSkew]: skewS },
        response,
      );
      return checkTokens(tokens, reply.receivedAtMs);
    } catch (error) {
      if (error instanceof SendFailed) return error.outcome;
      return fail({ kind: 'malformed', at: `token reply${nameOf(error)}` });
    }
  }

  function isOwnCallback(callback: URLSearchParams): boolean {
    const named = callback.getAll('iss');
    return named.length <= 1 && named.every((issuer) => issuers.includes(issuer));
  }

  async function exchangeCode(reply: SignInReply, send: Send): Promise<Outcome<Grant>> {
    const callback = checkCallback(reply);
    if (!callback.ok) return callback;
    const called = await callTokenEndpoint(
      'exchange',
      send,
      (options) =>
        oauth.authorizationCodeGrantRequest(
          serverAs(undefined),
          client,
          authentication,
          callback.value,
          reply.callbackUrl,
          reply.codeVerifier,
          options,
        ),
      (server, at, response) =>
        oauth.processAuthorizationCodeResponse(server, at, response, {
          expectedNonce: reply.nonce,
          requireIdToken: true,
        }),
    );
    if (!called.ok) return called;
    const { tokens, expiresAtMs } = called.value;
    const account = readAccount(tokens);
    if (account === undefined) return fail({ kind: 'malformed', at: 'id_token' });
    return ok({
      accessToken: tokens.access_token,
      expiresAtMs,
      ...(tokens.refresh_token !== undefined && { refreshToken: tokens.refresh_token }),
      // RFC 6749 §5.1: no scope means just what was asked.
      scopes: tokens.scope === undefined ? reply.scopes : readScopes(tokens.scope),
      account,
    });
  }

  /** The callback as the library wants it. A code that is not for us, or not there, is sent nowhere. */
  function checkCallback({ callback, state }: SignInReply): Outcome<URLSearchParams> {
    if (!isOwnCallback(callback)) return fail({ kind: 'rejected', status: 400, code: 'foreign_issuer' });
    try {
      const checked = oauth.validateAuthResponse(serverAs(callback.get('iss')), client, callback, state);
      const codes = checked.getAll('code');
      if (codes.length === 1 && codes[0] !== '') return ok(checked);
    } catch {
      // Repeated parameters, another state, a token in the query: all the same to us.
    }
    return fail({ kind: 'rejected', status: 400, code: 'invalid_callback' });
  }

  return {
    defaultScopes: DEFAULT_SCOPES,
    missingScopes,
    isOwnCallback,
    exchangeCode,

    signInUrl: (request) => Promise.resolve(buildSignInUrl(config, request)),

    async refresh(grant, send) {
      const called = await callTokenEndpoint(
        'refresh',
        send,
        (options) =>
          oauth.refreshTokenGrantRequest(
            serverAs(undefined),
            client,
            authentication,
            grant.refreshToken,
            options,
          ),
        (server, at, response) => oauth.processRefreshTokenResponse(server, at, response),
      );
      if (!called.ok) return called;
      const { tokens, expiresAtMs } = called.value;
      // OpenID Connect Core §12.2: an id token that comes along must be of the same person.
      if (tokens.id_token !== undefined && readAccount(tokens)?.id !== grant.account.id)
        return fail({ kind: 'malformed', at: 'id_token' });
      return ok({
        accessToken: tokens.access_token,
        expiresAtMs,
        refreshToken: tokens.refresh_token ?? grant.refreshToken,
        scopes: tokens.scope === undefined ? grant.scopes : readScopes(tokens.scope),
        account: grant.account,
      });
    },

    async revoke(refreshToken, send) {
      const sent = await send({
        method: 'POST',
        url: config.revokeUrl,
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ token: refreshToken }).toString(),
      });
      if (!sent.ok) return sent;
      if (sent.value.status === 200) return ok(undefined);
      if (sent.value.status === 400 && readTokenError(sent.value) === 'invalid_token') return ok(undefined);
      return fail(readTokenFailure(sent.value, 'revoke'));
    },
  };
}

interface TokenReply {
  tokens: oauth.TokenEndpointResponse;
  /** Epoch milliseconds. */
  expiresAtMs: number;
}

function buildSignInUrl(config: GoogleConfig, request: SignInRequest): string {
  const url = new URL(config.authorizeUrl);
  const parameters = {
    client_id: config.clientId,
    response_type: 'code',
    redirect_uri: request.callbackUrl,
    scope: [...new Set([...SIGN_IN_SCOPES, ...request.scopes])].join(' '),
    state: request.state,
    nonce: request.nonce,
    code_challenge: request.codeChallenge,
    code_challenge_method: 'S256',
    access_type: 'offline',
    include_granted_scopes: 'true',
    // Google grants a refresh token only with a consent; a second connect must get one too.
    prompt: 'consent',
    ...(request.loginHint !== undefined && { login_hint: request.loginHint }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** What the library leaves open: that the token can be sent as a bearer token, and for how long. */
function checkTokens(tokens: oauth.TokenEndpointResponse, receivedAtMs: number): Outcome<TokenReply> {
  if (tokens.token_type !== 'bearer') return fail({ kind: 'malformed', at: 'token_type' });
  if (!TOKEN.test(tokens.access_token)) return fail({ kind: 'malformed', at: 'access_token' });
  if (tokens.refresh_token !== undefined && !TOKEN.test(tokens.refresh_token))
    return fail({ kind: 'malformed', at: 'refresh_token' });
  const lifetimeS = Math.min(tokens.expires_in ?? ASSUMED_LIFETIME_S, LONGEST_LIFETIME_S);
  return ok({ tokens, expiresAtMs: receivedAtMs + Math.floor(lifetimeS * 1000) });
}

/** The account that the validated id token names; undefined when it names none. */
function readAccount(tokens: oauth.TokenEndpointResponse): Account | undefined {
  const claims = claimsSchema.safeParse(oauth.getValidatedIdTokenClaims(tokens));
  if (!claims.success) return undefined;
  const { sub, email, hd } = claims.data;
  return {
    id: sub,
    ...(email !== undefined && { email }),
    // `hd` is the Workspace domain; consumer accounts have none.
    kind: hd === undefined ? 'personal' : 'work',
  };
}

/**
 * The issuer that an id token claims, not yet believed: it only chooses which of the known issuers
 * the library is told to expect.
 */
function peekIssuer(body: string): string | undefined {
  const json = readJson(body, 'token reply');
  const reply = z.object({ id_token: z.string() }).safeParse(json.ok ? json.value : undefined);
  if (!reply.success) return undefined;
  try {
    const payload = (reply.data.id_token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const claims = z.object({ iss: z.string() }).safeParse(JSON.parse(atob(payload)));
    return claims.success ? claims.data.iss : undefined;
  } catch {
    return undefined;
  }
}

/** The library's stable error code, which holds nothing of the reply. */
function nameOf(error: unknown): string {
  return error instanceof oauth.OperationProcessingError && error.code !== undefined
    ? ` (${error.code})`
    : '';
}
