import { createRemoteJWKSet, jwtVerify } from 'jose';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  CALLBACK,
  codeOf,
  connectGoogle,
  googleAuthorizeUrl,
  googleToken,
  pkcePair,
  tokensOf,
} from '../client-journey.ts';
import { signIn } from '../person-at-browser.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const EMAIL = 'ada@example.com';
let sandbox: Sandbox;
let nowMs: number;

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 25, 12);
  sandbox = await startSandbox({ now: () => nowMs });
  sandbox.people.add({ provider: 'google', email: EMAIL, name: 'Ada', timeZone: 'Europe/Berlin' });
});
afterEach(async () => {
  await sandbox.close();
});

async function errorOf(reply: Response): Promise<unknown> {
  return [
    reply.status,
    z
      .object({ error: z.string() })
      .loose()
      .parse(await reply.json()).error,
  ];
}

const refresh = (token: string): Record<string, string> => ({
  grant_type: 'refresh_token',
  refresh_token: token,
});

describe('the authorize address', () => {
  test.each([
    ['an unknown parameter', { wat: '1' }],
    ['an unknown client', { client_id: 'someone-else' }],
    ['a redirect URI that is not registered', { redirect_uri: 'https://evil.example/cb' }],
    ['another response type', { response_type: 'token' }],
    ['an unknown scope', { scope: 'openid https://www.googleapis.com/auth/calendar.nonsense' }],
    ['no scope', { scope: '' }],
    ['an unknown prompt', { prompt: 'sometimes' }],
    ['a malformed challenge', { code_challenge: 'short', code_challenge_method: 'S256' }],
  ])('shows an error page for %s and redirects nowhere', async (_what, changes) => {
    const reply = await fetch(googleAuthorizeUrl(sandbox, changes), { redirect: 'manual' });
    expect(reply.status).toBe(400);
    expect(reply.headers.get('location')).toBeNull();
    expect(sandbox.truth.refusals).toHaveLength(1);
  });

  test('escapes what it repeats', async () => {
    const reply = await fetch(googleAuthorizeUrl(sandbox, { prompt: '<script>' }));
    expect(await reply.text()).not.toContain('<script>');
  });

  test('sends state, issuer, code and scopes back', async () => {
    const back = new URL(await signIn(googleAuthorizeUrl(sandbox), { account: EMAIL }));
    expect(back.href.startsWith(CALLBACK)).toBe(true);
    expect(back.searchParams.get('state')).toBe('some-state');
    expect(back.searchParams.get('iss')).toBe('https://accounts.google.com');
    expect(back.searchParams.get('scope')).toContain('userinfo.email');
  });

  test('tells of a refusal', async () => {
    const back = new URL(await signIn(googleAuthorizeUrl(sandbox), { account: EMAIL, decision: 'refuse' }));
    expect(back.searchParams.get('error')).toBe('access_denied');
    expect(back.searchParams.get('code')).toBeNull();
  });

  test('needs the person for prompt=none until they have consented', async () => {
    const silent = googleAuthorizeUrl(sandbox, { prompt: 'none', login_hint: EMAIL });
    expect(new URL(await signIn(silent, { account: EMAIL })).searchParams.get('error')).toBe(
      'consent_required',
    );
    await connectGoogle(sandbox, EMAIL);
    expect(codeOf(await signIn(silent, { account: EMAIL }))).not.toBe('');
  });

  test('has checkboxes only when there is something to choose', async () => {
    const one = 'https://www.googleapis.com/auth/calendar.freebusy';
    const boxes = async (scope: string): Promise<number> => {
      const page = await (await fetch(googleAuthorizeUrl(sandbox, { scope }))).text();
      return page.split('type="checkbox"').length - 1;
    };
    expect(await boxes(one)).toBe(0);
    expect(await boxes(`openid ${one}`)).toBe(2);
    const tokens = await connectGoogle(sandbox, EMAIL, {}, ['calendar.freebusy']);
    expect(tokens.scope).not.toContain('calendar.freebusy');
    expect(tokens.scope).toContain('calendar.events.owned');
  });

  test('notes missing and plain PKCE', async () => {
    await signIn(googleAuthorizeUrl(sandbox), { account: EMAIL });
    const plain = { code_challenge: 'a'.repeat(43), code_challenge_method: 'plain' };
    await signIn(googleAuthorizeUrl(sandbox, plain), { account: EMAIL });
    expect(sandbox.truth.insecure.map(({ reason }) => reason)).toEqual([
      'no PKCE challenge',
      'PKCE method plain',
    ]);
    expect(sandbox.truth.verdict().ok).toBe(false);
  });
});

describe('the token address', () => {
  test('signs an id token that its own keys verify', async () => {
    const { id_token: idToken = '' } = await connectGoogle(sandbox, EMAIL, { nonce: 'once' });
    const keys = createRemoteJWKSet(new URL(`${sandbox.googleUrl}/oauth2/v3/certs`));
    const { payload } = await jwtVerify(idToken, keys, {
      issuer: 'https://accounts.google.com',
      audience: sandbox.clients.google.id,
      currentDate: new Date(nowMs),
    });
    expect(payload).toMatchObject({ sub: sandbox.people.get(EMAIL)?.id, email: EMAIL, nonce: 'once' });
  });

  test('gives a refresh token the first time offline, then only with prompt=consent', async () => {
    expect(
      (await connectGoogle(sandbox, EMAIL, { access_type: '', prompt: '' })).refresh_token,
    ).toBeUndefined();
    expect((await connectGoogle(sandbox, EMAIL, { prompt: '' })).refresh_token).toBeDefined();
    expect((await connectGoogle(sandbox, EMAIL, { prompt: '' })).refresh_token).toBeUndefined();
    expect((await connectGoogle(sandbox, EMAIL)).refresh_token).toBeDefined();
  });

  test('redeems a code once; a replay revokes what came of it', async () => {
    const { verifier, challenge } = pkcePair();
    const pkce = { code_challenge: challenge, code_challenge_method: 'S256' };
    const code = codeOf(await signIn(googleAuthorizeUrl(sandbox, pkce), { account: EMAIL }));
    const fields = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: CALLBACK,
      code_verifier: verifier,
    };
    const tokens = await tokensOf(await googleToken(sandbox, fields));
    expect(await errorOf(await googleToken(sandbox, fields))).toEqual([400, 'invalid_grant']);
    const again = await googleToken(sandbox, refresh(tokens.refresh_token ?? ''));
    expect(await errorOf(again)).toEqual([400, 'invalid_grant']);
  });

  test.each([
    ['a wrong verifier', { code_verifier: 'x'.repeat(43) }, 'invalid_grant'],
    ['no verifier', { code_verifier: '' }, 'invalid_grant'],
    ['another redirect URI', { redirect_uri: `${CALLBACK}/` }, 'redirect_uri_mismatch'],
    ['an unknown field', { resource: 'x' }, 'invalid_request'],
    ['another grant type', { grant_type: 'password' }, 'unsupported_grant_type'],
    ['an unknown code', { code: '4/0Anope' }, 'invalid_grant'],
  ])('refuses %s', async (_what, changes, error) => {
    const { verifier, challenge } = pkcePair();
    const pkce = { code_challenge: challenge, code_challenge_method: 'S256' };
    const code = codeOf(await signIn(googleAuthorizeUrl(sandbox, pkce), { account: EMAIL }));
    const fields = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: CALLBACK,
      code_verifier: verifier,
    };
    expect(await errorOf(await googleToken(sandbox, { ...fields, ...changes }))).toEqual([400, error]);
    expect(sandbox.truth.verdict().ok).toBe(false);
  });

  test('lets a code expire after ten minutes', async () => {
    const { verifier, challenge } = pkcePair();
    const pkce = { code_challenge: challenge, code_challenge_method: 'S256' };
    const code = codeOf(await signIn(googleAuthorizeUrl(sandbox, pkce), { account: EMAIL }));
    nowMs += 10 * 60_000;
    const fields = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: CALLBACK,
      code_verifier: verifier,
    };
    expect(await errorOf(await googleToken(sandbox, fields))).toEqual([400, 'invalid_grant']);
  });

  test('takes the client secret from a Basic header as well, but not twice', async () => {
    const { refresh_token: token = '' } = await connectGoogle(sandbox, EMAIL);
    const { id, secret } = sandbox.clients.google;
    const headers = { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` };
    const send = async (body: Record<string, string>): Promise<Response> =>
      await fetch(`${sandbox.googleUrl}/token`, { method: 'POST', headers, body: new URLSearchParams(body) });
    expect((await send(refresh(token))).status).toBe(200);
    expect(await errorOf(await send({ ...refresh(token), client_secret: secret }))).toEqual([
      400,
      'invalid_request',
    ]);
  });

  test('answers a bad client with invalid_client', async () => {
    const { refresh_token: token = '' } = await connectGoogle(sandbox, EMAIL);
    sandbox.clients.google.secretState = 'expired';
    expect(await errorOf(await googleToken(sandbox, refresh(token)))).toEqual([401, 'invalid_client']);
  });

  test('gives no new refresh token on refresh, unless tokens rotate strictly', async () => {
    const { refresh_token: token = '' } = await connectGoogle(sandbox, EMAIL);
    expect((await tokensOf(await googleToken(sandbox, refresh(token)))).refresh_token).toBeUndefined();
    sandbox.people.add({
      provider: 'google',
      email: 'strict@example.com',
      name: 'Strict',
      timeZone: 'UTC',
      refreshTokens: 'rotate-strictly',
    });
    const { refresh_token: first = '' } = await connectGoogle(sandbox, 'strict@example.com');
    const { refresh_token: second = '' } = await tokensOf(await googleToken(sandbox, refresh(first)));
    expect(second).not.toBe('');
    expect(await errorOf(await googleToken(sandbox, refresh(first)))).toEqual([400, 'invalid_grant']);
    expect((await googleToken(sandbox, refresh(second))).status).toBe(200);
  });

  test('keeps a hundred refresh tokens per account and drops the oldest', async () => {
    const { refresh_token: oldest = '' } = await connectGoogle(sandbox, EMAIL);
    for (let more = 0; more < 100; more += 1) await connectGoogle(sandbox, EMAIL);
    expect(await errorOf(await googleToken(sandbox, refresh(oldest)))).toEqual([400, 'invalid_grant']);
  });

  test('ends a grant when the person or the app revokes it', async () => {
    const first = await connectGoogle(sandbox, EMAIL);
    sandbox.people.get(EMAIL)?.revokeGrant();
    expect(await errorOf(await googleToken(sandbox, refresh(first.refresh_token ?? '')))).toEqual([
      400,
      'invalid_grant',
    ]);

    // After a revocation the next consent counts as the first again.
    const second = await connectGoogle(sandbox, EMAIL, { prompt: '' });
    const revoke = async (token: string): Promise<Response> =>
      await fetch(`${sandbox.googleUrl}/revoke`, { method: 'POST', body: new URLSearchParams({ token }) });
    expect((await revoke(second.access_token)).status).toBe(200);
    expect(await errorOf(await googleToken(sandbox, refresh(second.refresh_token ?? '')))).toEqual([
      400,
      'invalid_grant',
    ]);
    expect(await errorOf(await revoke(second.access_token))).toEqual([400, 'invalid_token']);
  });
});
