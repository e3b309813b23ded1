import { createRemoteJWKSet, jwtVerify } from 'jose';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  CALLBACK,
  codeOf,
  connectMicrosoft,
  microsoftAuthorizeUrl,
  microsoftToken,
  pkcePair,
  tokensOf,
} from '../client-journey.ts';
import { PERSONAL_TENANT } from '../people.ts';
import type { Person } from '../people.ts';
import { adminConsent, signIn } from '../person-at-browser.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const TENANT = '3f9c2b7a-6d41-4e0b-8a55-1c7d9e2f4b60';
const WORK = 'grace@contoso.example';
const PERSONAL = 'linus@outlook.example';
let sandbox: Sandbox;
let grace: Person;

beforeEach(async () => {
  sandbox = await startSandbox();
  grace = sandbox.people.add({
    provider: 'microsoft',
    email: WORK,
    name: 'Grace Hopper',
    timeZone: 'America/New_York',
    tenantId: TENANT,
  });
  sandbox.people.add({
    provider: 'microsoft',
    account: 'personal',
    email: PERSONAL,
    name: 'Linus',
    timeZone: 'Asia/Tokyo',
  });
});
afterEach(async () => {
  await sandbox.close();
});

const EntraFailure = z.looseObject({
  error: z.string(),
  error_codes: z.array(z.number()),
  error_description: z.string(),
  trace_id: z.string(),
  correlation_id: z.string(),
  timestamp: z.string(),
});
async function failure(reply: Response): Promise<[number, string, number | undefined]> {
  const { error, error_codes: codes } = EntraFailure.parse(await reply.json());
  return [reply.status, error, codes[0]];
}
const refresh = (token: string): Record<string, string> => ({
  grant_type: 'refresh_token',
  refresh_token: token,
});
const backFrom = async (account: string, tenant = 'common', changes = {}): Promise<URLSearchParams> =>
  new URL(await signIn(microsoftAuthorizeUrl(sandbox, changes, tenant), { account })).searchParams;

describe('the authorize address', () => {
  test.each([
    ['common', WORK, undefined],
    ['common', PERSONAL, undefined],
    ['organizations', WORK, undefined],
    ['organizations', PERSONAL, 'AADSTS500200'],
    ['consumers', PERSONAL, undefined],
    ['consumers', WORK, 'AADSTS500202'],
    [TENANT, WORK, undefined],
    [TENANT, PERSONAL, 'AADSTS50020'],
  ])('of %s with %s ends as it should', async (tenant, account, code) => {
    const back = await backFrom(account, tenant);
    expect(back.get('state')).toBe('some-state');
    expect(back.has('code')).toBe(code === undefined);
    expect(/AADSTS\d+/.exec(back.get('error_description') ?? '')?.[0]).toBe(code);
  });

  test.each([
    ['an unknown parameter', { wat: '1' }],
    ['an unknown client', { client_id: 'nope' }],
    ['an unregistered redirect URI', { redirect_uri: 'https://evil.example/' }],
  ])('shows an error page for %s', async (_what, changes) => {
    const reply = await fetch(microsoftAuthorizeUrl(sandbox, changes), { redirect: 'manual' });
    expect([reply.status, reply.headers.get('location')]).toEqual([400, null]);
  });

  test.each([
    ['two resources', { scope: 'openid https://outlook.office.com/Calendars.Read' }, 'invalid_request'],
    ['an unknown scope', { scope: 'openid Calendars.Nonsense' }, 'invalid_scope'],
    ['another response type', { response_type: 'token' }, 'unsupported_response_type'],
    ['claims that are no JSON', { claims: '{' }, 'invalid_request'],
    ['a silent sign-in of nobody', { prompt: 'none' }, 'login_required'],
  ])('sends the browser back with an error for %s', async (_what, changes, error) => {
    expect((await backFrom(WORK, 'common', changes)).get('error')).toBe(error);
  });

  test('tells of a refusal', async () => {
    const url = microsoftAuthorizeUrl(sandbox);
    const back = new URL(await signIn(url, { account: WORK, decision: 'refuse' })).searchParams;
    expect(back.get('error')).toBe('access_denied');
    expect(back.get('error_description')).toContain('AADSTS65004');
  });

  test('waits for the administrator where one is needed', async () => {
    grace.adminConsentRequired = true;
    const blocked = await backFrom(WORK);
    expect(blocked.get('error')).toBe('consent_required');
    expect(blocked.get('error_description')).toContain('AADSTS90094');

    const consent = (tenant: string): string =>
      `${sandbox.microsoftUrl}/${tenant}/v2.0/adminconsent?${new URLSearchParams({
        client_id: sandbox.clients.microsoft.id,
        redirect_uri: CALLBACK,
        scope: 'https://graph.microsoft.com/Calendars.ReadWrite',
        state: 'admin-state',
      }).toString()}`;
    await expect(adminConsent(consent('common'), { account: WORK })).rejects.toThrow('no consent page');
    const refused = new URL(await adminConsent(consent(TENANT), { account: WORK, decision: 'refuse' }))
      .searchParams;
    expect([refused.get('admin_consent'), refused.get('error')]).toEqual(['True', 'consent_required']);
    expect((await backFrom(WORK)).get('error')).toBe('consent_required');
    const granted = new URL(await adminConsent(consent('organizations'), { account: WORK })).searchParams;
    expect(Object.fromEntries(granted)).toMatchObject({
      admin_consent: 'True',
      tenant: TENANT,
      state: 'admin-state',
    });
    expect((await backFrom(WORK)).get('code')).not.toBeNull();
  });
});

describe('the token address', () => {
  test('gives tokens, client info and a verifiable id token', async () => {
    const tokens = await connectMicrosoft(sandbox, WORK, { nonce: 'once' });
    const info: unknown = JSON.parse(Buffer.from(tokens.client_info ?? '', 'base64url').toString());
    expect(info).toEqual({ uid: grace.id, utid: TENANT });
    const keys = createRemoteJWKSet(new URL(`${sandbox.microsoftUrl}/common/discovery/v2.0/keys`));
    const { payload } = await jwtVerify(tokens.id_token ?? '', keys, {
      issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
      audience: sandbox.clients.microsoft.id,
    });
    expect(payload).toMatchObject({
      oid: grace.id,
      tid: TENANT,
      preferred_username: WORK,
      nonce: 'once',
      ver: '2.0',
    });
  });

  test('puts personal accounts into the tenant of personal accounts', async () => {
    const { client_info: info = '' } = await connectMicrosoft(sandbox, PERSONAL);
    expect(JSON.parse(Buffer.from(info, 'base64url').toString())).toMatchObject({ utid: PERSONAL_TENANT });
  });

  test('names the granted scopes in another order, on refresh in their long form', async () => {
    const first = await connectMicrosoft(sandbox, WORK);
    expect(new Set(first.scope.split(' '))).toEqual(
      new Set(['openid', 'profile', 'User.Read', 'Calendars.ReadWrite', 'MailboxSettings.Read']),
    );
    const second = await tokensOf(await microsoftToken(sandbox, refresh(first.refresh_token ?? '')));
    expect(second.scope).toContain('https://graph.microsoft.com/Calendars.ReadWrite');
  });

  test('can grant less than was asked', async () => {
    const { scope } = await connectMicrosoft(sandbox, WORK, {}, ['MailboxSettings.Read']);
    expect(scope).not.toContain('MailboxSettings');
    expect(scope).toContain('Calendars.ReadWrite');
  });

  test('gives a refresh token only for offline_access', async () => {
    const tokens = await connectMicrosoft(sandbox, WORK, { scope: 'openid Calendars.Read' });
    expect(tokens.refresh_token).toBeUndefined();
  });

  test('gives a new refresh token each time and keeps the old one alive', async () => {
    const { refresh_token: first = '' } = await connectMicrosoft(sandbox, WORK);
    const { refresh_token: second = '' } = await tokensOf(await microsoftToken(sandbox, refresh(first)));
    expect(second).not.toBe(first);
    expect((await microsoftToken(sandbox, refresh(first))).status).toBe(200);
    expect((await microsoftToken(sandbox, refresh(second))).status).toBe(200);
  });

  test('refuses a code used twice', async () => {
    const { verifier, challenge } = pkcePair();
    const pkce = { code_challenge: challenge, code_challenge_method: 'S256' };
    const code = codeOf(await signIn(microsoftAuthorizeUrl(sandbox, pkce), { account: WORK }));
    const fields = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: CALLBACK,
      code_verifier: verifier,
    };
    expect((await microsoftToken(sandbox, fields)).status).toBe(200);
    expect(await failure(await microsoftToken(sandbox, fields))).toEqual([400, 'invalid_grant', 54005]);
  });

  test.each([
    ['a wrong verifier', { code_verifier: 'x'.repeat(43) }, 400, 'invalid_grant', 501481],
    ['no verifier', { code_verifier: '' }, 400, 'invalid_grant', 501481],
    ['another redirect URI', { redirect_uri: `${CALLBACK}2` }, 400, 'invalid_client', 500112],
    ['an unknown field', { resource: 'x' }, 400, 'invalid_request', 900144],
    ['no secret', { client_secret: '' }, 401, 'invalid_client', 7000218],
    ['a wrong secret', { client_secret: 'nope' }, 401, 'invalid_client', 7000215],
    [
      'scopes of two resources',
      { scope: 'User.Read https://vault.azure.net/x' },
      400,
      'invalid_request',
      28000,
    ],
    ['a scope not granted', { scope: 'Calendars.Read.Shared' }, 400, 'invalid_grant', 65001],
  ])('refuses %s', async (_what, changes, ...expected) => {
    const { verifier, challenge } = pkcePair();
    const pkce = { code_challenge: challenge, code_challenge_method: 'S256' };
    const code = codeOf(await signIn(microsoftAuthorizeUrl(sandbox, pkce), { account: WORK }));
    const fields = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: CALLBACK,
      code_verifier: verifier,
    };
    expect(await failure(await microsoftToken(sandbox, { ...fields, ...changes }))).toEqual(expected);
  });

  test('tells an expired secret from a revoked grant', async () => {
    const { refresh_token: token = '' } = await connectMicrosoft(sandbox, WORK);
    sandbox.clients.microsoft.secretState = 'expired';
    expect(await failure(await microsoftToken(sandbox, refresh(token)))).toEqual([
      401,
      'invalid_client',
      7000222,
    ]);
    sandbox.clients.microsoft.secretState = 'valid';
    grace.revokeGrant();
    expect(await failure(await microsoftToken(sandbox, refresh(token)))).toEqual([
      400,
      'invalid_grant',
      50173,
    ]);
  });
});

describe('a claims challenge', () => {
  const claims = JSON.stringify({ access_token: { xms_cc: { values: ['CP1'] } } });
  const me = async (token: string): Promise<Response> =>
    await fetch(`${sandbox.microsoftUrl}/v1.0/me`, { headers: { authorization: `Bearer ${token}` } });

  test('comes only to clients that declared cp1, and ends with a sign-in that answers it', async () => {
    const unable = await connectMicrosoft(sandbox, WORK);
    const able = await connectMicrosoft(sandbox, WORK, { claims });
    grace.challengeClaims();
    expect((await me(unable.access_token)).status).toBe(200);
    const refused = await me(able.access_token);
    expect(refused.status).toBe(401);
    const header = refused.headers.get('www-authenticate') ?? '';
    expect(header).toContain('error="insufficient_claims"');
    const asked = Buffer.from(/claims="([^"]+)"/.exec(header)?.[1] ?? '', 'base64').toString();

    const renewed = await microsoftToken(sandbox, { ...refresh(able.refresh_token ?? ''), claims: asked });
    expect(await failure(renewed)).toEqual([400, 'interaction_required', 50076]);
    const answered = await connectMicrosoft(sandbox, WORK, { claims: asked });
    expect((await me(answered.access_token)).status).toBe(200);
  });

  test('can be answered by a refresh where no sign-in is needed', async () => {
    const able = await connectMicrosoft(sandbox, WORK, { claims });
    grace.challengeClaims({ interactive: false });
    const Standing = z.object({ access_token: z.looseObject({}) });
    const standing = Standing.parse(JSON.parse(grace.claimsChallenge?.claims ?? ''));
    const both = { access_token: { ...standing.access_token, xms_cc: { values: ['CP1'] } } };
    const blind = await tokensOf(
      await microsoftToken(sandbox, { ...refresh(able.refresh_token ?? ''), claims }),
    );
    expect((await me(blind.access_token)).status).toBe(401);
    const fields = { ...refresh(able.refresh_token ?? ''), claims: JSON.stringify(both) };
    const answered = await tokensOf(await microsoftToken(sandbox, fields));
    expect((await me(answered.access_token)).status).toBe(200);
  });
});
