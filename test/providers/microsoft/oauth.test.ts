import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../src/domain/failure.ts';
import { fail } from '../../../src/domain/failure.ts';
import type { Reply } from '../../../src/providers/http.ts';
import type { Grant, HeldGrant, SignInReply } from '../../../src/providers/provider.ts';
import { createMicrosoftOAuth } from '../../../src/providers/microsoft/oauth.ts';
import { CONFIG, NOW, reply, scriptedSend } from './scripted.ts';

const TENANT = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee';
const PERSONAL = '9188040d-6c67-4c5b-b112-36a304b66dad';
const oauth = createMicrosoftOAuth(CONFIG);

const base64Url = (value: unknown) =>
  btoa(JSON.stringify(value)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const idToken = (claims: Record<string, unknown> = {}) =>
  [
    { alg: 'RS256' },
    {
      aud: CONFIG.clientId,
      sub: 'sub-1',
      oid: 'oid-1',
      tid: TENANT,
      preferred_username: 'ada@example.com',
      nonce: 'the-nonce',
      ...claims,
    },
    {},
  ]
    .map(base64Url)
    .join('.');

interface TokenReply {
  claims?: Record<string, unknown>;
  [field: string]: unknown;
}
const tokens = ({ claims, ...fields }: TokenReply = {}) =>
  reply(200, {
    token_type: 'Bearer',
    access_token: 'access-1',
    refresh_token: 'refresh-1',
    expires_in: 3600,
    scope: 'https://graph.microsoft.com/Calendars.ReadWrite openid profile email',
    id_token: idToken(claims),
    client_info: base64Url({ uid: 'oid-1', utid: TENANT }),
    ...fields,
  });

const signedIn: SignInReply = {
  callback: new URLSearchParams({ code: 'the-code', state: 'the-state' }),
  state: 'the-state',
  nonce: 'the-nonce',
  codeVerifier: 'v'.repeat(43),
  callbackUrl: 'https://worker.example/oauth/microsoft/callback',
  scopes: ['Calendars.ReadWrite', 'MailboxSettings.Read'],
};

const held: HeldGrant = {
  refreshToken: 'refresh-0',
  scopes: ['https://graph.microsoft.com/Calendars.ReadWrite'],
  account: { id: 'oid-1', email: 'ada@example.com', tenantId: TENANT, kind: 'work' },
};

function valueOf<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.failure));
  return outcome.value;
}
const exchange = async (answer: Outcome<Reply>, signIn = signedIn) => {
  const { send, asked } = scriptedSend(() => answer);
  const outcome = await oauth.exchangeCode(signIn, send);
  return { outcome, asked, form: new URLSearchParams(asked[0]?.body) };
};
const refresh = async (answer: Outcome<Reply>, grant = held, claims?: string) => {
  const { send, asked } = scriptedSend(() => answer);
  const outcome = await oauth.refresh(grant, send, claims);
  return { outcome, asked, form: new URLSearchParams(asked[0]?.body) };
};

const kind = async (answer: Outcome<Reply>) => {
  const { outcome } = await refresh(answer);
  return outcome.ok ? 'ok' : outcome.failure.kind;
};
const own = (...issuers: string[]) =>
  oauth.isOwnCallback(new URLSearchParams(issuers.map((iss) => ['iss', iss])));

describe('the Microsoft sign-in URL', () => {
  const request = {
    state: 'the-state',
    nonce: 'the-nonce',
    codeChallenge: 'the-challenge',
    callbackUrl: 'https://worker.example/oauth/microsoft/callback',
    scopes: ['Calendars.ReadWrite'],
  };
  const read = async (more: object = {}) => {
    const url = new URL(await oauth.signInUrl({ ...request, ...more }));
    return { url, query: Object.fromEntries(url.searchParams) };
  };

  it('leads to the configured login host, for any account by default', async () => {
    const { url } = await read();
    expect(url.origin + url.pathname).toBe('https://login.example/common/oauth2/v2.0/authorize');
  });

  it('carries state, nonce, an S256 challenge, our callback and all sign-in scopes', async () => {
    const { query } = await read();
    expect(query).toMatchObject({
      client_id: CONFIG.clientId,
      redirect_uri: request.callbackUrl,
      response_type: 'code',
      response_mode: 'query',
      state: 'the-state',
      nonce: 'the-nonce',
      code_challenge: 'the-challenge',
      code_challenge_method: 'S256',
    });
    expect(query['scope']?.split(' ').toSorted()).toEqual(
      ['Calendars.ReadWrite', 'email', 'offline_access', 'openid', 'profile'].toSorted(),
    );
  });

  it('declares that we understand claims challenges, and replays one', async () => {
    const declared = { access_token: { xms_cc: { values: ['CP1'] } } };
    expect(JSON.parse((await read()).query['claims'] ?? '')).toMatchObject(declared);
    const claims = JSON.stringify({ access_token: { nbf: { essential: true, value: '1700000000' } } });
    expect(JSON.parse((await read({ claims })).query['claims'] ?? '')).toMatchObject({
      access_token: { nbf: { essential: true, value: '1700000000' }, ...declared.access_token },
    });
  });

  it('shows the account picker, or names the expected account', async () => {
    const without = (await read()).query;
    expect(without).toMatchObject({ prompt: 'select_account' });
    const { query } = await read({ loginHint: 'ada@example.com' });
    expect(query).toMatchObject({ login_hint: 'ada@example.com' });
    expect(query['prompt']).toBeUndefined();
  });

  it('keeps to the tenant that is asked for', async () => {
    for (const tenant of ['organizations', 'consumers', TENANT, 'contoso.example']) {
      expect((await read({ tenant })).url.pathname).toBe(`/${tenant}/oauth2/v2.0/authorize`);
    }
  });

  it('never shows the client secret', async () => {
    expect((await read()).url.href).not.toContain(CONFIG.clientSecret);
  });
});

describe('a callback', () => {
  it('may name no issuer, or Microsoft for any tenant', () => {
    expect(own()).toBe(true);
    expect(own(`https://login.microsoftonline.com/${TENANT}/v2.0`)).toBe(true);
    expect(own(`https://login.example/${TENANT}/v2.0`)).toBe(true);
  });

  it('is not ours when it names anybody else', () => {
    for (const issuer of [
      'https://accounts.google.com',
      '',
      `https://login.microsoftonline.com.evil.example/${TENANT}/v2.0`,
      `https://login.microsoftonline.com/${TENANT}/v2.0/more`,
      `http://login.microsoftonline.com/${TENANT}/v2.0`,
      'https://login.microsoftonline.com/common/v2.0',
    ]) {
      expect(own(issuer)).toBe(false);
    }
    expect(own(`https://login.example/${TENANT}/v2.0`, 'https://accounts.google.com')).toBe(false);
  });
});

describe('redeeming a Microsoft code', () => {
  it('makes one call, to the token endpoint of the tenant on the configured host', async () => {
    const { asked, form } = await exchange(tokens(), { ...signedIn, tenant: 'organizations' });
    expect(asked).toHaveLength(1);
    const url = new URL(asked[0]?.url ?? '');
    expect(url.origin + url.pathname).toBe('https://login.example/organizations/oauth2/v2.0/token');
    expect(Object.fromEntries(form)).toMatchObject({
      grant_type: 'authorization_code',
      code: 'the-code',
      code_verifier: 'v'.repeat(43),
      redirect_uri: signedIn.callbackUrl,
      client_id: CONFIG.clientId,
      client_secret: CONFIG.clientSecret,
    });
  });

  it('brings tokens, scopes as they were spelled, and the account of the id token', async () => {
    const { outcome } = await exchange(tokens());
    const { cache, ...grant } = valueOf(outcome);
    expect(grant).toEqual({
      accessToken: 'access-1',
      refreshToken: 'refresh-1',
      expiresAtMs: NOW + 3_600_000,
      scopes: ['https://graph.microsoft.com/Calendars.ReadWrite', 'openid', 'profile', 'email'],
      account: { id: 'oid-1', email: 'ada@example.com', tenantId: TENANT, kind: 'work' },
    });
    expect(cache).toContain('refresh-1');
  });

  it('knows a personal account by its tenant, and falls back to the subject and the email', async () => {
    const { outcome } = await exchange(
      tokens({
        claims: { tid: PERSONAL, oid: undefined, preferred_username: undefined, email: 'joe@outlook.com' },
      }),
    );
    expect(valueOf(outcome).account).toEqual({
      id: 'sub-1',
      email: 'joe@outlook.com',
      tenantId: PERSONAL,
      kind: 'personal',
    });
  });

  it('takes the tenant from the id token alone', async () => {
    const { outcome } = await exchange(tokens(), {
      ...signedIn,
      callback: new URLSearchParams({
        code: 'the-code',
        tenant: 'evil',
        client_info: base64Url({ uid: 'x', utid: 'evil' }),
      }),
    });
    expect(valueOf(outcome).account.tenantId).toBe(TENANT);
  });

  it('says so when no refresh token was granted', async () => {
    const { outcome } = await exchange(tokens({ refresh_token: undefined }));
    expect(valueOf(outcome)).not.toHaveProperty('refreshToken');
  });

  it('takes silence about scopes for all that was asked', async () => {
    const { outcome } = await exchange(tokens({ scope: undefined }));
    expect(valueOf(outcome).scopes).toEqual(signedIn.scopes);
  });

  it('refuses the grant of another sign-in', async () => {
    const { outcome } = await exchange(tokens({ claims: { nonce: 'another' } }));
    expect(outcome).toEqual(fail({ kind: 'rejected', status: 200, code: 'nonce_mismatch' }));
    expect((await exchange(tokens({ claims: { nonce: undefined } }))).outcome.ok).toBe(false);
  });

  it('refuses a grant that is not for us, or does not say whose it is', async () => {
    for (const answer of [
      tokens({ claims: { aud: 'another-client' } }),
      tokens({ claims: { sub: undefined } }),
      tokens({ id_token: 'not.a.token' }),
      tokens({ access_token: undefined }),
      tokens({ expires_in: undefined }),
      reply(200, 'not json'),
      reply(200, '[]'),
    ]) {
      expect((await exchange(answer)).outcome).toMatchObject({ ok: false, failure: { kind: 'malformed' } });
    }
  });

  it('refuses a grant without an id token', async () => {
    expect((await exchange(tokens({ id_token: undefined }))).outcome.ok).toBe(false);
  });

  it('tells a refused code from a lost call, and asks once', async () => {
    const refused = await exchange(reply(400, { error: 'invalid_grant', error_codes: [54005] }));
    expect(refused.outcome).toEqual(fail({ kind: 'rejected', status: 400, code: 'invalid_grant' }));
    for (const answer of [fail({ kind: 'unavailable', ambiguous: true }), reply(503, '')]) {
      const { outcome, asked } = await exchange(answer);
      expect(outcome).toEqual(fail({ kind: 'unavailable', ambiguous: true }));
      expect(asked).toHaveLength(1);
    }
  });

  it('sends nothing without a code', async () => {
    const { outcome, asked } = await exchange(tokens(), { ...signedIn, callback: new URLSearchParams() });
    expect(outcome).toMatchObject({ ok: false, failure: { kind: 'malformed' } });
    expect(asked).toHaveLength(0);
  });

  it('blames the configuration when there is no client secret', async () => {
    const { send, asked } = scriptedSend(() => tokens());
    const outcome = await createMicrosoftOAuth({ ...CONFIG, clientSecret: '' }).exchangeCode(signedIn, send);
    expect(outcome).toMatchObject({ ok: false, failure: { kind: 'misconfigured' } });
    expect(asked).toHaveLength(0);
  });
});

describe('refreshing a Microsoft grant', () => {
  const rotated = tokens({
    access_token: 'access-2',
    refresh_token: 'refresh-2',
    claims: { nonce: undefined },
  });

  it('uses the refresh token at hand, in the tenant of its account', async () => {
    const { asked, form } = await refresh(rotated);
    expect(new URL(asked[0]?.url ?? '').pathname).toBe(`/${TENANT}/oauth2/v2.0/token`);
    expect(Object.fromEntries(form)).toMatchObject({
      grant_type: 'refresh_token',
      refresh_token: 'refresh-0',
      client_secret: CONFIG.clientSecret,
    });
    expect(form.get('scope')).toContain('https://graph.microsoft.com/Calendars.ReadWrite');
    expect(form.get('scope')).toContain('offline_access');
    expect(asked).toHaveLength(1);
  });

  it('refreshes a personal account among the personal ones', async () => {
    const { asked } = await refresh(rotated, {
      ...held,
      account: { ...held.account, tenantId: PERSONAL, kind: 'personal' },
    });
    expect(new URL(asked[0]?.url ?? '').pathname).toBe('/consumers/oauth2/v2.0/token');
  });

  it('keeps the rotated refresh token, through any number of refreshes', async () => {
    const first = valueOf((await exchange(tokens())).outcome);
    const toHeld = (grant: Grant): HeldGrant => ({
      ...held,
      ...grant,
      refreshToken: grant.refreshToken ?? '',
    });
    const second = valueOf((await refresh(rotated, toHeld(first))).outcome);
    expect(second).toMatchObject({
      accessToken: 'access-2',
      refreshToken: 'refresh-2',
      account: held.account,
    });
    const third = valueOf(
      (await refresh(tokens({ refresh_token: 'refresh-3', claims: { nonce: undefined } }), toHeld(second)))
        .outcome,
    );
    expect(third.refreshToken).toBe('refresh-3');
    expect(third.cache).not.toContain('refresh-2');
    expect(third.cache).not.toContain('access-2');
  });

  it('finds the rotated token with no cache, with a ruined one, and without an id token', async () => {
    for (const cache of [undefined, 'ruined', '[]', '{}']) {
      const { outcome } = await refresh(rotated, { ...held, ...(cache !== undefined && { cache }) });
      expect(valueOf(outcome).refreshToken).toBe('refresh-2');
    }
    const { outcome } = await refresh(tokens({ refresh_token: 'refresh-2', id_token: undefined }));
    expect(valueOf(outcome)).toMatchObject({ refreshToken: 'refresh-2', account: held.account });
  });

  it('keeps the old refresh token when none comes back', async () => {
    const { outcome } = await refresh(tokens({ refresh_token: undefined, claims: { nonce: undefined } }));
    expect(valueOf(outcome).refreshToken).toBe('refresh-0');
  });

  it('refuses the tokens of another account', async () => {
    const { outcome } = await refresh(tokens({ claims: { oid: 'oid-2', nonce: undefined } }));
    expect(outcome).toMatchObject({ ok: false, failure: { kind: 'malformed' } });
  });

  it('passes a claims challenge on', async () => {
    const { form } = await refresh(rotated, held, '{"access_token":{"nbf":{"essential":true}}}');
    expect(JSON.parse(form.get('claims') ?? '')).toMatchObject({
      access_token: { nbf: { essential: true } },
    });
  });

  it('reports a dead grant, our own refused client, and an outage as what they are', async () => {
    expect(await kind(reply(400, { error: 'invalid_grant', error_codes: [700082] }))).toBe('grant-revoked');
    expect(await kind(reply(401, { error: 'invalid_client', error_codes: [7000222] }))).toBe('misconfigured');
    expect(await kind(reply(503, ''))).toBe('unavailable');
    expect(await kind(reply(429, '', { 'Retry-After': '9' }))).toBe('throttled');
    expect(await kind(fail({ kind: 'throttled', scope: 'user' }))).toBe('throttled');
    expect(await kind(reply(302, '', { Location: 'https://evil.example' }))).toBe('rejected');
  });

  it('remembers no throttle and no failure for the next call', async () => {
    await refresh(reply(429, { error: 'temporarily_unavailable' }, { 'Retry-After': '3600' }));
    const { outcome, asked } = await refresh(rotated);
    expect(outcome.ok).toBe(true);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.body).not.toContain('temporarily_unavailable');
  });

  it('mixes nothing up between accounts that refresh at the same time', async () => {
    const grants = await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        refresh(
          tokens({
            access_token: `access-${name}`,
            refresh_token: `refresh-${name}`,
            claims: { oid: name, nonce: undefined },
            client_info: base64Url({ uid: name, utid: TENANT }),
          }),
          { ...held, account: { ...held.account, id: name } },
        ),
      ),
    );
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      const grant = grants[index];
      const value = valueOf(grant === undefined ? fail({ kind: 'cursor-expired' }) : grant.outcome);
      expect(value).toMatchObject({ accessToken: `access-${name}`, refreshToken: `refresh-${name}` });
      const others = ['a', 'b', 'c'].filter((other) => other !== name);
      for (const other of others) expect(value.cache).not.toContain(`refresh-${other}`);
    }
  });
});

describe('the rest of the Microsoft grant', () => {
  it('is withdrawn without a call, for there is none', async () => {
    const { send, asked } = scriptedSend(() => reply(500));
    expect(await oauth.revoke('refresh-1', send)).toEqual({ ok: true, value: undefined });
    expect(asked).toHaveLength(0);
  });

  it('asks by default for calendars and the mailbox settings', () => {
    expect(oauth.defaultScopes).toEqual(['Calendars.ReadWrite', 'MailboxSettings.Read']);
    expect(oauth.missingScopes(oauth.defaultScopes, ['calendars.readwrite'])).toEqual([
      'MailboxSettings.Read',
    ]);
  });

  it('sends an administrator to the consent page of one organisation, never of everybody', () => {
    const request = {
      callbackUrl: 'https://worker.example/cb',
      state: 's&t',
      scopes: ['Calendars.Read', 'Mail.Read'],
    };
    const url = new URL(oauth.adminConsentUrl({ ...request, tenant: TENANT }));
    expect(url.origin + url.pathname).toBe(`https://login.example/${TENANT}/v2.0/adminconsent`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: CONFIG.clientId,
      scope: 'Calendars.Read Mail.Read',
      redirect_uri: 'https://worker.example/cb',
      state: 's&t',
    });
    for (const tenant of ['common', 'consumers']) {
      expect(oauth.adminConsentUrl({ ...request, tenant })).toContain('/organizations/v2.0/');
    }
  });
});
