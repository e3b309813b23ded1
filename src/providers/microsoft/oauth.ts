import type { AuthenticationResult } from '@azure/msal-node';
import * as z from 'zod';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { readJson, type Reply, type Send } from '../http.ts';
import type { Account, Grant, HeldGrant, ProviderOAuth, SignInReply, SignInRequest } from '../provider.ts';
import { readAccount } from './account.ts';
import type { MicrosoftConfig } from './config.ts';
import { type MsalCall, type MsalCallOptions, prepareMsal, toLoginHost } from './msal.ts';
import { findMissingScopes } from './scopes.ts';
import { readTokenFailure } from './token-failure.ts';

const DEFAULT_SCOPES = ['Calendars.ReadWrite', 'MailboxSettings.Read'];

/** MSAL adds the other sign-in scopes (`openid profile offline_access`) by itself. */
const EMAIL_SCOPE = 'email';

const grantSchema = z.object({
  access_token: z.string().min(1),
  expires_in: z.coerce.number().positive(),
  scope: z.string().optional(),
});

const cacheSchema = z.object({
  RefreshToken: z
    .record(z.string(), z.object({ home_account_id: z.string(), secret: z.string() }))
    .default({}),
});

/** What asks an organisation's administrator to allow this app for everyone in it. */
export interface AdminConsentRequest {
  /** A tenant's GUID or domain; `common` and `consumers` name no organisation and become `organizations`. */
  tenant: string;
  callbackUrl: string;
  state: string;
  scopes: readonly string[];
}

/** Microsoft's OAuth, and the organisational consent that only Microsoft has. */
export interface MicrosoftOAuth extends ProviderOAuth {
  /**
   * The page on which an administrator consents for an organisation (entra-docs: v2-admin-consent).
   * The `tenant` that comes back from it proves nothing: only an id token says whose tenant it is.
   */
  adminConsentUrl(request: AdminConsentRequest): string;
}

/**
 * Microsoft identity (v2.0 endpoints) through MSAL: authorization code with PKCE, refresh, consent.
 * Accounts of organisations and personal ones.
 *
 * `Grant.cache` is MSAL's serialized cache. It holds the access, refresh and id token: the caller
 * seals it and stores it with the tokens, as one record, and hands it back with the next refresh.
 */
export function createMicrosoftOAuth(config: MicrosoftConfig): MicrosoftOAuth {
  return {
    defaultScopes: DEFAULT_SCOPES,
    signInUrl: (request) => signInUrl(config, request),
    isOwnCallback: (callback) => isOwnCallback(config, callback),
    exchangeCode: (reply, send) => exchangeCode(config, reply, send),
    refresh: (grant, send, claims) => refresh(config, grant, send, claims),
    // Entra has no endpoint that withdraws one app's grant: whoever drops the tokens has done all there is.
    revoke: () => Promise.resolve(ok(undefined)),
    missingScopes: (asked, granted) => findMissingScopes(asked, granted, config.graphUrl),
    adminConsentUrl: (request) => adminConsentUrl(config, request),
  };
}

async function signInUrl(config: MicrosoftConfig, request: SignInRequest): Promise<string> {
  const { app } = prepareMsal(config, { tenant: request.tenant ?? 'common' });
  const url = await app.getAuthCodeUrl({
    scopes: [...request.scopes, EMAIL_SCOPE],
    redirectUri: request.callbackUrl,
    responseMode: 'query',
    state: request.state,
    nonce: request.nonce,
    codeChallenge: request.codeChallenge,
    codeChallengeMethod: 'S256',
    // Entra refuses a hint together with the account picker; without a hint the picker keeps the
    // person from connecting whichever account the browser happens to be signed in with.
    ...(request.loginHint === undefined ? { prompt: 'select_account' } : { loginHint: request.loginHint }),
    ...(request.claims !== undefined && { claims: request.claims }),
  });
  return toLoginHost(url, config);
}

function isOwnCallback({ loginUrl }: MicrosoftConfig, callback: URLSearchParams): boolean {
  return callback.getAll('iss').every((issuer) =>
    ['https://login.microsoftonline.com', loginUrl].some((host) => {
      const path = issuer.startsWith(`${host}/`) ? issuer.slice(host.length) : '';
      return /^\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\/v2\.0$/i.test(path);
    }),
  );
}

async function exchangeCode(
  config: MicrosoftConfig,
  reply: SignInReply,
  send: Send,
): Promise<Outcome<Grant>> {
  const code = reply.callback.get('code');
  if (code === null || code === '') return fail({ kind: 'malformed', at: 'callback: code' });
  const granted = await askForTokens(config, { tenant: reply.tenant ?? 'common', send }, 'code', ({ app }) =>
    app.acquireTokenByCode({
      code,
      codeVerifier: reply.codeVerifier,
      nonce: reply.nonce,
      redirectUri: reply.callbackUrl,
      scopes: [...reply.scopes, EMAIL_SCOPE],
    }),
  );
  if (!granted.ok) return granted;
  const { account, tokens, cache, newRefreshToken } = granted.value;
  if (account === undefined) return fail({ kind: 'malformed', at: 'token reply: id_token' });
  return ok({
    accessToken: tokens.accessToken,
    expiresAtMs: tokens.expiresAtMs,
    // RFC 6749 §5.1: no `scope` means that all that was asked is granted.
    scopes: tokens.scopes ?? reply.scopes,
    account,
    ...(newRefreshToken !== undefined && { refreshToken: newRefreshToken }),
    ...(cache !== undefined && { cache }),
  });
}

async function refresh(
  config: MicrosoftConfig,
  held: HeldGrant,
  send: Send,
  claims?: string,
): Promise<Outcome<Grant & { refreshToken: string }>> {
  const options = {
    // The account's own tenant: under `common` a guest would be refreshed into their home tenant.
    tenant: held.account.kind === 'personal' ? 'consumers' : (held.account.tenantId ?? 'common'),
    send,
    ...(held.cache !== undefined && { cache: held.cache }),
  };
  const granted = await askForTokens(config, options, 'refresh', ({ app }) =>
    app.acquireTokenByRefreshToken({
      refreshToken: held.refreshToken,
      scopes: [...held.scopes, EMAIL_SCOPE],
      // Cache the tokens even when the cache handed over does not know the account yet.
      forceCache: true,
      ...(claims !== undefined && { claims }),
    }),
  );
  if (!granted.ok) return granted;
  const { account = held.account, tokens, cache, newRefreshToken } = granted.value;
  if (account.id !== held.account.id) return fail({ kind: 'malformed', at: 'token reply: another account' });
  return ok({
    accessToken: tokens.accessToken,
    expiresAtMs: tokens.expiresAtMs,
    refreshToken: newRefreshToken ?? held.refreshToken,
    scopes: tokens.scopes ?? held.scopes,
    account,
    ...(cache !== undefined && { cache }),
  });
}

interface Tokens {
  accessToken: string;
  expiresAtMs: number;
  /** Absent when the reply names none. */
  scopes?: string[];
}

interface Granted {
  tokens: Tokens;
  /** Whose tokens these are; undefined when no id token came along. */
  account?: Account;
  newRefreshToken?: string;
  cache?: string;
}

/** One token call through MSAL, and all that it brought. */
async function askForTokens(
  config: MicrosoftConfig,
  options: MsalCallOptions,
  leg: 'code' | 'refresh',
  acquire: (call: MsalCall) => Promise<AuthenticationResult | null>,
): Promise<Outcome<Granted>> {
  let call: MsalCall | undefined;
  let result: AuthenticationResult | null = null;
  try {
    call = prepareMsal(config, options);
    result = await acquire(call);
  } catch (error) {
    const reply = call?.lastReply();
    if (reply === undefined) {
      return fail({
        kind: 'misconfigured',
        detail: `MSAL made no token call; check MICROSOFT_CLIENT_ID and MICROSOFT_CLIENT_SECRET (${errorCode(error)})`,
      });
    }
    // The grant answers another sign-in than ours: nothing is wrong with its shape, and it is not to be used.
    if (errorCode(error) === 'nonce_mismatch' && readGrant(reply).ok) {
      return fail({ kind: 'rejected', status: 200, code: 'nonce_mismatch' });
    }
    return fail(readTokenFailure(reply, leg));
  }

  const grant = readGrant(call.lastReply());
  if (!grant.ok) return grant;
  const account = readAccount(config.clientId, result?.idTokenClaims);
  if (!account.ok) return account;
  const cache = call.cache();
  const newRefreshToken = findNewRefreshToken(options.cache, cache);
  return ok({
    tokens: grant.value,
    ...(account.value !== undefined && { account: account.value }),
    ...(newRefreshToken !== undefined && { newRefreshToken }),
    ...(cache !== undefined && { cache }),
  });
}

/** Read from the reply itself: MSAL takes one without a token or a lifetime for a grant. */
function readGrant(reply: Outcome<Reply> | undefined): Outcome<Tokens> {
  if (reply === undefined || !reply.ok) return fail({ kind: 'malformed', at: 'token reply' });
  const json = readJson(reply.value.body, 'token reply');
  const grant = grantSchema.safeParse(json.ok ? json.value : undefined);
  if (!grant.success) {
    return fail({ kind: 'malformed', at: `token reply: ${grant.error.issues[0]?.path.join('.')}` });
  }
  const { access_token: accessToken, expires_in: seconds, scope } = grant.data;
  return ok({
    accessToken,
    expiresAtMs: reply.value.receivedAtMs + Math.floor(seconds * 1000),
    ...(scope !== undefined && { scopes: scope.split(' ').filter((one) => one !== '') }),
  });
}

/** The code of an MSAL error: a word of its own lists, never a text. */
function errorCode(error: unknown): string {
  const read = z.object({ errorCode: z.string().regex(/^[a-z0-9_]{1,64}$/) }).safeParse(error);
  return read.success ? read.data.errorCode : 'unknown';
}

/**
 * The refresh token this call brought: MSAL shows it nowhere but in its cache, and the cache of one
 * connector holds one account, so it is the one that was not there before.
 */
function findNewRefreshToken(before: string | undefined, after: string | undefined): string | undefined {
  const known = new Set(refreshTokensOf(before));
  return refreshTokensOf(after).find((secret) => !known.has(secret));
}

function refreshTokensOf(cache: string | undefined): string[] {
  const json = readJson(cache ?? '{}', 'cache');
  const read = cacheSchema.safeParse(json.ok ? json.value : undefined);
  return read.success ? Object.values(read.data.RefreshToken).map(({ secret }) => secret) : [];
}

function adminConsentUrl(config: MicrosoftConfig, request: AdminConsentRequest): string {
  const { tenant, callbackUrl, state, scopes } = request;
  const audience = ['common', 'consumers'].includes(tenant) ? 'organizations' : tenant;
  const url = new URL(`${config.loginUrl}/${encodeURIComponent(audience)}/v2.0/adminconsent`);
  url.search = new URLSearchParams({
    client_id: config.clientId,
    scope: scopes.join(' '),
    redirect_uri: callbackUrl,
    state,
  }).toString();
  return url.href;
}
