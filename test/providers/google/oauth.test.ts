import { describe, expect, it } from 'vitest';
import { type Failure, fail, ok } from '../../../src/domain/failure.ts';
import type { Reply } from '../../../src/providers/http.ts';
import { createGoogleOAuth, type GoogleConfig } from '../../../src/providers/google/oauth.ts';
import type { SignInReply, SignInRequest } from '../../../src/providers/provider.ts';
import { NOW, reply, scriptSend } from './scripted.ts';

const CONFIG: GoogleConfig = {
  clientId: 'client-1',
  clientSecret: 'secret-1',
  authorizeUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
  tokenUrl: 'https://oauth2.google.test/token',
  revokeUrl: 'https://oauth2.google.test/revoke',
  apiUrl: 'https://www.google.test',
};
const MOVED: GoogleConfig = {
  ...CONFIG,
  authorizeUrl: 'http://127.0.0.1:4321/o/oauth2/v2/auth',
  tokenUrl: 'http://127.0.0.1:4321/token',
};
const google = createGoogleOAuth(CONFIG);

const scopeUrl = (name: string) => `https://www.googleapis.com/auth/${name}`;
const EVENTS = scopeUrl('calendar.events');

const SIGN_IN: SignInRequest = {
  state: 'state-1',
  nonce: 'nonce-1',
  codeChallenge: 'challenge-1',
  callbackUrl: 'https://worker.test/oauth/google/callback',
  scopes: [EVENTS],
};

function signedInWith(query: string): SignInReply {
  return {
    callback: new URLSearchParams(query),
    state: 'state-1',
    nonce: 'nonce-1',
    codeVerifier: 'verifier-1',
    callbackUrl: 'https://worker.test/oauth/google/callback',
    scopes: [EVENTS],
  };
}
const SIGNED_IN = signedInWith('state=state-1&code=4%2Fcode&scope=x&authuser=0&prompt=consent');

const CLAIMS = {
  iss: 'https://accounts.google.com',
  aud: 'client-1',
  sub: '1001',
  email: 'ada@example.com',
  nonce: 'nonce-1',
  iat: NOW / 1000 - 1,
  exp: NOW / 1000 + 3600,
};

const encode = (value: unknown) =>
  btoa(JSON.stringify(value)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

function idToken(claims: Record<string, unknown>): string {
  return [encode({ alg: 'RS256' }), encode(claims), encode('signature')].join('.');
}

const TOKENS = {
  access_token: 'ya29.access',
  expires_in: 3599,
  refresh_token: '1//refresh',
  scope: `${EVENTS} openid`,
  token_type: 'Bearer',
  id_token: idToken(CLAIMS),
};

function tokenReply(changes: Record<string, unknown> = {}): Reply {
  return reply(200, { ...TOKENS, ...changes }, { 'Content-Type': 'application/json' });
}

function tokenError(status: number, error: string, headers: Record<string, string> = {}): Reply {
  return reply(
    status,
    { error, error_description: 'SECRET WORDS' },
    { 'Content-Type': 'application/json', ...headers },
  );
}

async function exchange(answer: Reply, signedIn = SIGNED_IN, config = CONFIG) {
  return createGoogleOAuth(config).exchangeCode(signedIn, scriptSend(() => answer).send);
}

const HELD = {
  refreshToken: '1//held',
  scopes: [EVENTS],
  account: { id: '1001', kind: 'personal' },
} as const;

async function refresh(answer: Parameters<typeof scriptSend>[0]) {
  const { send, sent } = scriptSend(answer);
  const outcome = await google.refresh({ ...HELD, scopes: [...HELD.scopes] }, send);
  return { outcome, sent };
}

describe('the sign-in page', () => {
  it('asks for a code with PKCE S256, a nonce, offline access and consent', async () => {
    const url = new URL(await google.signInUrl(SIGN_IN));
    expect(url.origin + url.pathname).toBe(CONFIG.authorizeUrl);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: 'client-1',
      response_type: 'code',
      redirect_uri: SIGN_IN.callbackUrl,
      scope: `openid email ${EVENTS}`,
      state: 'state-1',
      nonce: 'nonce-1',
      code_challenge: 'challenge-1',
      code_challenge_method: 'S256',
      access_type: 'offline',
      include_granted_scopes: 'true',
      prompt: 'consent',
    });
  });

  it('suggests an account when one is known, and names no scope twice', async () => {
    const url = new URL(
      await google.signInUrl({ ...SIGN_IN, loginHint: 'a&b@example.com', scopes: ['email', EVENTS, EVENTS] }),
    );
    expect(url.searchParams.get('login_hint')).toBe('a&b@example.com');
    expect(url.searchParams.get('scope')).toBe(`openid email ${EVENTS}`);
  });

  it('asks by default for events, free/busy and the calendar list', () => {
    expect(google.defaultScopes).toEqual([
      EVENTS,
      scopeUrl('calendar.freebusy'),
      scopeUrl('calendar.calendarlist.readonly'),
    ]);
  });
});

const isOwn = (query: string, config = CONFIG) =>
  createGoogleOAuth(config).isOwnCallback(new URLSearchParams(query));

describe('the callback', () => {
  it('is ours without an issuer, or with one of our issuers', () => {
    expect(isOwn('code=1')).toBe(true);
    expect(isOwn('iss=https://accounts.google.com')).toBe(true);
    expect(isOwn('iss=accounts.google.com')).toBe(true);
    expect(isOwn('iss=http://127.0.0.1:4321', MOVED)).toBe(true);
  });

  it('is not ours with any other issuer, or with two', () => {
    for (const query of [
      'iss=https://login.microsoftonline.com/common/v2.0',
      'iss=http://127.0.0.1:4321',
      'iss=',
      'iss=https://accounts.google.com/',
      'iss=https://accounts.google.com&iss=https://evil.test',
    ])
      expect(isOwn(query)).toBe(false);
  });

  it('is refused for its issuer even by the exchange', async () => {
    const signedIn = signedInWith('state=state-1&code=1&iss=https://evil.test');
    expect(await exchange(tokenReply(), signedIn)).toEqual(
      fail({ kind: 'rejected', status: 400, code: 'foreign_issuer' }),
    );
  });

  it('sends the code nowhere when it is not ours, repeated, missing, or under another state', async () => {
    for (const query of [
      'state=state-1&code=1&iss=https://evil.test',
      'state=state-1&code=1&code=2',
      'state=state-1',
      'state=state-1&code=',
      'state=other&code=1',
    ]) {
      const { send, sent } = scriptSend(() => tokenReply());
      expect(await google.exchangeCode(signedInWith(query), send)).toMatchObject({
        failure: { kind: 'rejected', status: 400 },
      });
      expect(sent).toEqual([]);
    }
  });
});

const named = (iss: string) => tokenReply({ id_token: idToken({ ...CLAIMS, iss }) });

const lifetimeOf = async (expiresIn: unknown) => {
  const granted = await exchange(tokenReply({ expires_in: expiresIn }));
  return granted.ok && granted.value.expiresAtMs - NOW;
};

describe('redeeming a code', () => {
  it('sends it once, with the verifier and our secret, and reads the grant', async () => {
    const { send, sent } = scriptSend(() => tokenReply());
    expect(await google.exchangeCode(SIGNED_IN, send)).toEqual(
      ok({
        accessToken: 'ya29.access',
        expiresAtMs: NOW + 3_599_000,
        refreshToken: '1//refresh',
        scopes: [EVENTS, 'openid'],
        account: { id: '1001', email: 'ada@example.com', kind: 'personal' },
      }),
    );
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ method: 'POST', url: CONFIG.tokenUrl });
    expect(sent[0]?.headers?.['content-type']).toContain('application/x-www-form-urlencoded');
    expect(Object.fromEntries(new URLSearchParams(sent[0]?.body))).toEqual({
      grant_type: 'authorization_code',
      code: '4/code',
      code_verifier: 'verifier-1',
      redirect_uri: SIGNED_IN.callbackUrl,
      client_id: 'client-1',
      client_secret: 'secret-1',
    });
  });

  it('takes a callback that names its issuer', async () => {
    const signedIn = signedInWith('state=state-1&code=1&iss=https://accounts.google.com');
    expect(await exchange(tokenReply(), signedIn)).toMatchObject({ ok: true });
  });

  it('knows a Workspace account by its domain', async () => {
    const answer = tokenReply({ id_token: idToken({ ...CLAIMS, hd: 'example.com' }) });
    expect(await exchange(answer)).toMatchObject({ value: { account: { kind: 'work' } } });
  });

  it('believes the id token under any name of Google, and under that of moved endpoints', async () => {
    expect(await exchange(named('accounts.google.com'))).toMatchObject({ ok: true });
    expect(await exchange(named('http://127.0.0.1:4321'), SIGNED_IN, MOVED)).toMatchObject({ ok: true });
    expect(await exchange(named('https://accounts.google.com'), SIGNED_IN, MOVED)).toMatchObject({
      ok: true,
    });
  });

  it('refuses an id token of another issuer, client, sign-in or time, or without a subject', async () => {
    for (const changes of [
      { iss: 'https://evil.test' },
      { iss: 'http://127.0.0.1:4321' },
      { aud: 'client-2' },
      { aud: ['client-1', 'client-2'] },
      { nonce: 'nonce-2' },
      { nonce: undefined },
      { exp: NOW / 1000 - 60 },
      { exp: undefined },
      { sub: '' },
      { sub: undefined },
    ])
      expect(await exchange(tokenReply({ id_token: idToken({ ...CLAIMS, ...changes }) }))).toMatchObject({
        failure: { kind: 'malformed' },
      });
  });

  it('takes the absence of a scope for all that was asked, and an empty one for nothing', async () => {
    expect(await exchange(tokenReply({ scope: undefined }))).toMatchObject({ value: { scopes: [EVENTS] } });
    expect(await exchange(tokenReply({ scope: '' }))).toMatchObject({ value: { scopes: [] } });
  });

  it('tells of no refresh token when none was sent', async () => {
    const granted = await exchange(tokenReply({ refresh_token: undefined }));
    expect(granted.ok && 'refreshToken' in granted.value).toBe(false);
  });

  it('assumes a short life where none is told, and believes no absurd one', async () => {
    expect(await lifetimeOf(undefined)).toBe(600_000);
    expect(await lifetimeOf('3599')).toBe(3_599_000);
    expect(await lifetimeOf(1e300)).toBe(86_400_000);
  });

  it('takes a success that is none as malformed', async () => {
    for (const answer of [
      tokenReply({ access_token: undefined }),
      tokenReply({ access_token: 'two words' }),
      tokenReply({ access_token: 'line\r\nbreak' }),
      tokenReply({ refresh_token: 'line\nbreak' }),
      tokenReply({ refresh_token: '' }),
      tokenReply({ token_type: 'DPoP' }),
      tokenReply({ expires_in: -1 }),
      tokenReply({ expires_in: 'soon' }),
      tokenReply({ scope: 7 }),
      tokenReply({ id_token: undefined }),
      tokenReply({ id_token: 'a.b.c' }),
      reply(200, '<html>'),
      reply(200, ''),
      reply(200, '[]'),
      reply(204, ''),
      reply(302, '', { Location: 'https://evil.test' }),
      reply(999, ''),
    ])
      expect(await exchange(answer)).toMatchObject({ ok: false, failure: { kind: 'malformed' } });
  });

  it('takes a refused code as rejected, not as a dead grant', async () => {
    expect(await exchange(tokenError(400, 'invalid_grant'))).toEqual(
      fail({ kind: 'rejected', status: 400, code: 'invalid_grant' }),
    );
  });

  it('works over plain http only where the configured address is such', async () => {
    expect(await exchange(tokenReply(), SIGNED_IN, MOVED)).toMatchObject({ ok: true });
  });
});

describe('refreshing', () => {
  it('keeps refresh token, scopes and account where the reply says nothing of them', async () => {
    const { outcome, sent } = await refresh(() =>
      tokenReply({ refresh_token: undefined, scope: undefined, id_token: undefined }),
    );
    expect(outcome).toEqual(
      ok({
        accessToken: 'ya29.access',
        expiresAtMs: NOW + 3_599_000,
        refreshToken: '1//held',
        scopes: [EVENTS],
        account: HELD.account,
      }),
    );
    expect(Object.fromEntries(new URLSearchParams(sent[0]?.body))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: '1//held',
      client_id: 'client-1',
      client_secret: 'secret-1',
    });
  });

  it('takes the rotated refresh token and the new scopes', async () => {
    const { outcome } = await refresh(() => tokenReply({ scope: 'x  y' }));
    expect(outcome).toMatchObject({ value: { refreshToken: '1//refresh', scopes: ['x', 'y'] } });
  });

  it('refuses tokens of another person', async () => {
    const { outcome } = await refresh(() => tokenReply({ id_token: idToken({ ...CLAIMS, sub: '2002' }) }));
    expect(outcome).toEqual(fail({ kind: 'malformed', at: 'id_token' }));
  });

  it('takes invalid_grant, and only such an error, as the death of the grant', async () => {
    for (const error of ['invalid_grant', 'admin_policy_enforced']) {
      const { outcome } = await refresh(() => tokenError(400, error));
      expect(outcome).toMatchObject({ failure: { kind: 'grant-revoked' } });
    }
    for (const answer of [
      reply(400, 'invalid_grant'),
      reply(401, ''),
      reply(403, '{}'),
      reply(404, '<html>'),
    ]) {
      const { outcome } = await refresh(() => answer);
      expect(outcome).toMatchObject({ failure: { kind: 'malformed' } });
    }
    const { outcome } = await refresh(() => tokenError(503, 'invalid_grant'));
    expect(outcome).toMatchObject({ failure: { kind: 'unavailable' } });
  });

  it('never blames the person for our own registration, and names the variable to check', async () => {
    const variables: [string, string][] = [
      ['invalid_client', 'GOOGLE_CLIENT_SECRET'],
      ['unauthorized_client', 'GOOGLE_CLIENT_ID'],
      ['deleted_client', 'GOOGLE_CLIENT_ID'],
    ];
    for (const [error, variable] of variables)
      for (const headers of [{}, { 'WWW-Authenticate': 'Basic realm="x"' }]) {
        const { outcome } = await refresh(() => tokenError(401, error, headers));
        expect(outcome).toMatchObject({
          failure: { kind: 'misconfigured', detail: expect.stringContaining(variable) },
        });
      }
  });

  it('takes 5xx, network and throttle for what they are, with the wait', async () => {
    const wait = { 'Retry-After': '5' };
    const network = fail({ kind: 'unavailable', ambiguous: true } satisfies Failure);
    const failures: [Parameters<typeof scriptSend>[0], Failure][] = [
      [() => reply(500, '<html>'), { kind: 'unavailable', ambiguous: true }],
      [() => reply(503, '', wait), { kind: 'unavailable', ambiguous: true, retryAtMs: NOW + 5000 }],
      [() => reply(429, '', wait), { kind: 'throttled', scope: 'app', retryAtMs: NOW + 5000 }],
      [() => tokenError(403, 'rate_limit_exceeded'), { kind: 'throttled', scope: 'app' }],
      [() => network, network.failure],
    ];
    for (const [answer, failure] of failures) {
      const { outcome, sent } = await refresh(answer);
      expect(outcome).toEqual(fail(failure));
      expect(sent).toHaveLength(1);
    }
  });

  it('repeats no word of the provider and no token in a failure', async () => {
    for (const answer of [
      tokenError(400, 'invalid_grant'),
      tokenError(401, 'invalid_client'),
      tokenError(400, 'SECRET WORDS'),
      tokenReply({ access_token: undefined }),
      reply(200, 'SECRET'),
      reply(400, 'SECRET'),
    ]) {
      const { outcome } = await refresh(() => answer);
      expect(outcome.ok).toBe(false);
      expect(JSON.stringify(outcome)).not.toMatch(/SECRET W|SECRET"|1\/\/|ya29|secret-1/);
    }
  });
});

const revoke = async (answer: Parameters<typeof scriptSend>[0]) => {
  const { send, sent } = scriptSend(answer);
  return { outcome: await google.revoke('1//a&b', send), sent };
};

describe('revoking', () => {
  it('sends the token in the body', async () => {
    const { outcome, sent } = await revoke(() => reply(200, ''));
    expect(outcome).toEqual(ok(undefined));
    expect(sent).toEqual([
      {
        method: 'POST',
        url: CONFIG.revokeUrl,
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: 'token=1%2F%2Fa%26b',
      },
    ]);
  });

  it('succeeds when the token was gone already', async () => {
    expect((await revoke(() => tokenError(400, 'invalid_token'))).outcome).toEqual(ok(undefined));
  });

  it('fails otherwise', async () => {
    const kinds: [Reply, Failure['kind']][] = [
      [tokenError(400, 'invalid_request'), 'rejected'],
      [reply(503, ''), 'unavailable'],
      [reply(400, '<html>'), 'malformed'],
      [reply(302, ''), 'malformed'],
    ];
    for (const [answer, kind] of kinds)
      expect((await revoke(() => answer)).outcome).toMatchObject({ failure: { kind } });
  });
});

const missing = (asked: string[], granted: string[]) =>
  google
    .missingScopes(asked.map(scopeUrl), granted.map(scopeUrl))
    .map((url) => url.slice(scopeUrl('').length));

describe('missing scopes', () => {
  it('are compared as sets, without the sign-in scopes', () => {
    expect(
      missing(['calendar.events', 'calendar.freebusy'], ['calendar.freebusy', 'x', 'calendar.events']),
    ).toEqual([]);
    expect(missing(['userinfo.email', 'userinfo.profile'], [])).toEqual([]);
    expect(google.missingScopes(['openid', 'email', 'profile', 'x', 'x'], [])).toEqual(['x']);
  });

  it('do not include what a broader scope covers', () => {
    const covers: [string, string[]][] = [
      [
        'calendar',
        [
          'calendar.events',
          'calendar.freebusy',
          'calendar.acls',
          'calendar.app.created',
          'calendar.readonly',
        ],
      ],
      [
        'calendar.readonly',
        ['calendar.freebusy', 'calendar.events.readonly', 'calendar.calendarlist.readonly'],
      ],
      [
        'calendar.events',
        ['calendar.events.owned', 'calendar.events.readonly', 'calendar.events.owned.readonly'],
      ],
      ['calendar.events.freebusy', ['calendar.freebusy']],
      ['calendar.calendarlist', ['calendar.calendarlist.readonly']],
    ];
    for (const [granted, asked] of covers) expect(missing(asked, [granted])).toEqual([]);
  });

  it('include what only sounds covered', () => {
    const uncovered: [string, string[]][] = [
      ['calendar.events', ['calendar', 'calendar.freebusy', 'calendar.events.freebusy', 'calendar.readonly']],
      ['calendar.readonly', ['calendar.events', 'calendar.calendarlist', 'calendar.acls.readonly']],
      ['calendar.events.owned', ['calendar.events', 'calendar.events.readonly']],
      ['calendar.freebusy', ['calendar.events.freebusy']],
      ['calendar', ['drive', 'calendarish']],
    ];
    for (const [granted, asked] of uncovered) expect(missing(asked, [granted])).toEqual(asked);
    expect(google.missingScopes(['calendar.events', 'constructor'], [scopeUrl('calendar')])).toEqual([
      'calendar.events',
      'constructor',
    ]);
  });
});
