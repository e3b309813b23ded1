import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { signIn } from './person-at-browser.ts';
import type { Sandbox } from './sandbox.ts';

/** What a token address answers to a well-behaved client. */
const TokenReply = z.looseObject({
  access_token: z.string(),
  expires_in: z.number(),
  scope: z.string(),
  refresh_token: z.string().optional(),
  id_token: z.string().optional(),
  client_info: z.string().optional(),
});

/** What a journey needs to know of the sandbox. */
export type Providers = Pick<Sandbox, 'googleUrl' | 'microsoftUrl' | 'clients'>;

/** Tokens as they were given out. */
export type Tokens = z.infer<typeof TokenReply>;

/** Where the journeys end; nothing needs to listen there. */
export const CALLBACK = 'http://127.0.0.1:9/callback';

/** The scopes a journey asks for when none are named. */
export const GOOGLE_SCOPES = [
  'openid',
  'email',
  ...[
    'calendar.events.owned',
    'calendar.freebusy',
    'calendar.calendarlist.readonly',
    'calendar.settings.readonly',
  ].map((short) => `https://www.googleapis.com/auth/${short}`),
];
export const MICROSOFT_SCOPES = [
  'openid',
  'profile',
  'offline_access',
  'User.Read',
  'Calendars.ReadWrite',
  'MailboxSettings.Read',
];

/** A PKCE pair. */
export function pkcePair(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** Google's authorize address with everything a careful client sends; `changes` replaces or (empty) removes. */
export function googleAuthorizeUrl(sandbox: Providers, changes: Record<string, string> = {}): string {
  return addressWith(`${sandbox.googleUrl}/o/oauth2/v2/auth`, {
    client_id: sandbox.clients.google.id,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: GOOGLE_SCOPES.join(' '),
    state: 'some-state',
    access_type: 'offline',
    prompt: 'consent',
    ...changes,
  });
}

/** Entra's authorize address with everything a careful client sends. */
export function microsoftAuthorizeUrl(
  sandbox: Providers,
  changes: Record<string, string> = {},
  tenant = 'common',
): string {
  return addressWith(`${sandbox.microsoftUrl}/${tenant}/oauth2/v2.0/authorize`, {
    client_id: sandbox.clients.microsoft.id,
    redirect_uri: CALLBACK,
    response_type: 'code',
    response_mode: 'query',
    scope: MICROSOFT_SCOPES.join(' '),
    state: 'some-state',
    ...changes,
  });
}

/** POST of Google's token address. */
export async function googleToken(sandbox: Providers, fields: Record<string, string>): Promise<Response> {
  const { id, secret } = sandbox.clients.google;
  const body = new URLSearchParams(without({ client_id: id, client_secret: secret, ...fields }));
  return await fetch(`${sandbox.googleUrl}/token`, { method: 'POST', body });
}

/** POST of Entra's token address. */
export async function microsoftToken(
  sandbox: Providers,
  fields: Record<string, string>,
  tenant = 'common',
): Promise<Response> {
  const { id, secret } = sandbox.clients.microsoft;
  const body = new URLSearchParams(without({ client_id: id, client_secret: secret, ...fields }));
  return await fetch(`${sandbox.microsoftUrl}/${tenant}/oauth2/v2.0/token`, { method: 'POST', body });
}

/** A whole sign-in at Google, from the consent page to the tokens. */
export async function connectGoogle(
  sandbox: Providers,
  account: string,
  changes: Record<string, string> = {},
  untick: string[] = [],
): Promise<Tokens> {
  const { verifier, challenge } = pkcePair();
  const pkce = { code_challenge: challenge, code_challenge_method: 'S256' };
  const callback = await signIn(googleAuthorizeUrl(sandbox, { ...pkce, ...changes }), { account, untick });
  const reply = await googleToken(sandbox, {
    grant_type: 'authorization_code',
    code: codeOf(callback),
    redirect_uri: CALLBACK,
    code_verifier: verifier,
  });
  return TokenReply.parse(await reply.json());
}

/** A whole sign-in at Microsoft. */
export async function connectMicrosoft(
  sandbox: Providers,
  account: string,
  changes: Record<string, string> = {},
  untick: string[] = [],
): Promise<Tokens> {
  const { verifier, challenge } = pkcePair();
  const pkce = { code_challenge: challenge, code_challenge_method: 'S256' };
  const callback = await signIn(microsoftAuthorizeUrl(sandbox, { ...pkce, ...changes }), { account, untick });
  const reply = await microsoftToken(sandbox, {
    grant_type: 'authorization_code',
    code: codeOf(callback),
    redirect_uri: CALLBACK,
    code_verifier: verifier,
    client_info: '1',
  });
  return TokenReply.parse(await reply.json());
}

/** Tokens read from a reply; throws when it holds none. */
export async function tokensOf(reply: Response): Promise<Tokens> {
  return TokenReply.parse(await reply.json());
}

/** The code in a callback address; throws when the provider sent an error instead. */
export function codeOf(callback: string): string {
  const code = new URL(callback).searchParams.get('code');
  if (code === null)
    throw new Error(`no code in the callback: ${new URL(callback).searchParams.get('error') ?? ''}`);
  return code;
}

function addressWith(base: string, parameters: Record<string, string>): string {
  return `${base}?${new URLSearchParams(without(parameters)).toString()}`;
}

function without(parameters: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== ''));
}
