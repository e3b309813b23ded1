import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { fail, ok } from '../../src/domain/failure.ts';
import type { LeaseRequest } from '../../src/domain/lease.ts';
import { codeChallengeOf } from '../../src/oauth/flow.ts';
import { type ActorCall, scriptActors } from '../actors.ts';
import { freshId, migrateDatabase } from '../database.ts';
import {
  addActiveConnector,
  BASE_URL,
  NOW_MS,
  openHouse,
  readCookie,
  readPage,
  readRedirect,
  REDIRECT_URI,
  type Sending,
} from './stage.ts';

beforeAll(migrateDatabase);

const signInCallSchema = z.tuple([
  z.strictObject({
    identity: z.strictObject({ connectorId: z.string(), provider: z.string(), userId: z.string() }),
    callback: z.string(),
    state: z.string(),
    nonce: z.string(),
    codeVerifier: z.string(),
    callbackUrl: z.string(),
    scopes: z.array(z.string()),
    tenant: z.string().optional(),
    knownAccount: z.strictObject({ id: z.string(), tenantId: z.string().optional() }).optional(),
  }),
]);

/** A sign-in that its caller has asked for, with actors that answer as `answer` says. */
async function askToConnect(
  wish: object = {},
  answer: (call: ActorCall) => unknown = () => ok({ status: 'connected' }),
  change: Record<string, unknown> = {},
) {
  const { CONNECTOR, calls } = scriptActors((call) =>
    call.method === 'claims' ? ok(undefined) : answer(call),
  );
  const { send, events, settled } = openHouse({ CONNECTOR, ...change });
  const json = { userId: freshId('user'), provider: 'google', redirectUri: REDIRECT_URI, ...wish };
  const created = z
    .object({ connectorId: z.string(), authorizeUrl: z.string() })
    .parse(await (await send('/v1/connectors', { json })).json());
  const startPath = created.authorizeUrl.slice(BASE_URL.length);
  const state = new URL(created.authorizeUrl).searchParams.get('state') ?? '';
  const browse = (path: string, cookie?: string, more: Sending = {}) =>
    send(path, { token: null, ...(cookie !== undefined && { headers: { Cookie: cookie } }), ...more });
  const signIns = () => calls.filter(({ method }) => method === 'completeSignIn');
  return { ...created, ...json, startPath, state, browse, signIns, events, settled };
}

/** The same, started in a browser. */
async function startInBrowser(...asked: Parameters<typeof askToConnect>) {
  const flow = await askToConnect(...asked);
  const cookie = readCookie(await flow.browse(flow.startPath));
  const callbackPath = `/oauth/${flow.provider}/callback?state=${flow.state}&code=the-code`;
  return { ...flow, cookie, callbackPath };
}

describe('starting a sign-in', () => {
  it('sends the browser to Google with PKCE, and binds the flow to it', async () => {
    const { browse, startPath, state } = await askToConnect({ scopes: ['a'], loginHint: 'ada@example.com' });
    const response = await browse(startPath);
    const { origin, pathname, searchParams } = readRedirect(response);
    expect(origin + pathname).toBe('https://google.invalid/authorize');
    expect(Object.fromEntries(searchParams)).toMatchObject({
      response_type: 'code',
      state,
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      nonce: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      redirect_uri: `${BASE_URL}/oauth/google/callback`,
      login_hint: 'ada@example.com',
    });
    expect(searchParams.get('scope')?.split(' ')).toContain('a');
    expect(searchParams.has('code_verifier')).toBe(false);
    expect(response.headers.get('Set-Cookie')).toMatch(/^__Host-calendar-sign-in=[0-9a-f]{64}; .*; Secure$/);
  });

  it('sends the browser to Microsoft with PKCE, to the tenant that was asked', async () => {
    const { browse, startPath } = await askToConnect({ provider: 'microsoft', tenant: 'contoso.com' });
    const { origin, pathname, searchParams } = readRedirect(await browse(startPath));
    expect(origin + pathname).toBe('https://login.invalid/contoso.com/oauth2/v2.0/authorize');
    expect(searchParams.get('code_challenge_method')).toBe('S256');
  });

  it('may be done again in the same browser, and in no other', async () => {
    const { browse, startPath, cookie } = await startInBrowser();
    expect(readCookie(await browse(startPath, cookie))).toBe(cookie);
    const elsewhere = await browse(startPath);
    expect(elsewhere.status).toBe(400);
    expect(elsewhere.headers.get('Set-Cookie')).toBeNull();
    await readPage(elsewhere);
  });

  it.each<[string, (flow: { startPath: string; state: string }) => [string, Sending?]]>([
    ['without a state', () => ['/oauth/google/start']],
    ['with a state of nobody', () => ['/oauth/google/start?state=nobody']],
    ['at another provider', ({ state }) => [`/oauth/microsoft/start?state=${state}`]],
    ['at no provider', ({ state }) => [`/oauth/caldav/start?state=${state}`]],
    ['too late', ({ startPath }) => [startPath, { nowMs: NOW_MS + 600_000 }]],
  ])('shows a page and redirects nowhere %s', async (_, spoil) => {
    const flow = await askToConnect();
    const [path, more] = spoil(flow);
    const response = await flow.browse(path, undefined, more);
    expect(response.status).toBe(400);
    expect(await readPage(response)).toContain('This link is not good any more');
    expect((await flow.browse(flow.startPath)).status, 'the flow is unharmed').toBe(302);
  });
});

describe('the return from the provider', () => {
  it('hands the code to the actor with the secrets of the flow, and sends the person back', async () => {
    const flow = await askToConnect({ scopes: ['a', 'b'] });
    const started = await flow.browse(flow.startPath);
    const sent = readRedirect(started).searchParams;
    const callbackPath = `/oauth/google/callback?state=${flow.state}&code=the-code&x=y`;
    const back = readRedirect(await flow.browse(callbackPath, readCookie(started)));
    expect(back.href).toBe(`${REDIRECT_URI}?connectorId=${flow.connectorId}&status=connected`);
    const [call] = flow.signIns();
    expect(call?.connectorId).toBe(flow.connectorId);
    const [given] = signInCallSchema.parse(call?.args);
    expect(given).toEqual({
      identity: { connectorId: flow.connectorId, provider: 'google', userId: flow.userId },
      callback: `state=${flow.state}&code=the-code&x=y`,
      state: flow.state,
      nonce: sent.get('nonce'),
      codeVerifier: expect.any(String),
      callbackUrl: `${BASE_URL}/oauth/google/callback`,
      scopes: ['a', 'b'],
    });
    expect(await codeChallengeOf(given.codeVerifier)).toBe(sent.get('code_challenge'));
  });

  it('tells the actor which account it must be, on reconnect', async () => {
    const userId = freshId('user');
    const connectorId = await addActiveConnector(userId, 'microsoft');
    const flow = await startInBrowser({ userId, connectorId, provider: 'microsoft' });
    await flow.browse(flow.callbackPath, flow.cookie);
    const [given] = signInCallSchema.parse(flow.signIns()[0]?.args);
    const tenantId = '99999999-2222-4333-8444-555555555555';
    expect(given).toMatchObject({ tenant: tenantId, knownAccount: { id: 'account-1', tenantId } });
  });

  it('counts once, however many arrive at once', async () => {
    const { browse, callbackPath, cookie, signIns } = await startInBrowser();
    const all = await Promise.all(Array.from({ length: 10 }, () => browse(callbackPath, cookie)));
    expect(all.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      302,
      ...Array.from({ length: 9 }, () => 400),
    ]);
    expect(signIns()).toHaveLength(1);
  });

  it.each<
    [string, (flow: { state: string; cookie: string; callbackPath: string }) => [string, string?, Sending?]]
  >([
    ['without a state', ({ cookie }) => ['/oauth/google/callback?code=the-code', cookie]],
    ['with a forged state', ({ cookie }) => ['/oauth/google/callback?code=c&state=forged', cookie]],
    ['with two states', ({ callbackPath, cookie }) => [`${callbackPath}&state=other`, cookie]],
    ['from a browser without the cookie', ({ callbackPath }) => [callbackPath]],
    [
      'from another browser',
      ({ callbackPath }) => [callbackPath, `__Host-calendar-sign-in=${'0'.repeat(64)}`],
    ],
    ['too late', ({ callbackPath, cookie }) => [callbackPath, cookie, { nowMs: NOW_MS + 600_000 }]],
    [
      'at another provider',
      ({ callbackPath, cookie }) => [callbackPath.replace('/google/', '/microsoft/'), cookie],
    ],
    ['at no provider', ({ callbackPath, cookie }) => [callbackPath.replace('/google/', '/caldav/'), cookie]],
    [
      'at the consent of an organisation',
      ({ state, cookie }) => [`/oauth/microsoft/admin-consent/callback?state=${state}`, cookie],
    ],
    [
      'from another issuer',
      ({ callbackPath, cookie }) => [`${callbackPath}&iss=https%3A%2F%2Fevil.example`, cookie],
    ],
    [
      'with an error and a script, of nobody',
      () => [
        '/oauth/google/callback?error=%3Cscript%3E&error_description=%3Cscript%3E%0D%0A&state=%3Cscript%3E',
      ],
    ],
  ])('shows a page, sends its code nowhere and harms no flow %s', async (_, spoil) => {
    const flow = await startInBrowser();
    const [path, cookie, more] = spoil(flow);
    const response = await flow.browse(path, cookie, more);
    expect(response.status).toBe(400);
    const page = await readPage(response);
    expect(page).toMatch(/cannot be completed/);
    expect(page).not.toMatch(/<script|the-code|forged/);
    expect(flow.signIns()).toEqual([]);
    const back = readRedirect(await flow.browse(flow.callbackPath, flow.cookie));
    expect(back.searchParams.get('status'), 'its owner still succeeds').toBe('connected');
  });

  it('counts a sign-in that was refused before its connector saw it', async () => {
    const requests: LeaseRequest[] = [];
    const PROVIDER_APP = {
      getByName: (name: string) => ({
        lease: (request: LeaseRequest) => {
          requests.push(request);
          return Promise.reject(new Error(`${name} is down`));
        },
      }),
    };
    const { browse, state, cookie, connectorId, events, settled } = await startInBrowser({}, undefined, {
      PROVIDER_APP,
    });
    await browse(`/oauth/google/callback?state=${state}&error=access_denied`, cookie);
    await settled();
    expect(requests).toMatchObject([
      { connectorId, want: 0, giveBack: 0, tally: { counters: { 'connects|denied': 1 } } },
    ]);
    // The person is sent back all the same.
    expect(events).toMatchObject([
      { event: 'connect', outcome: 'denied' },
      { event: 'error', where: 'count of a sign-in', detail: 'Error: google:0 is down' },
    ]);
  });

  it.each([
    ['access_denied', 'denied', null],
    ['consent_required', 'error', 'consent_missing'],
    ['invalid_scope', 'error', 'consent_missing'],
    ['temporarily_unavailable', 'error', 'provider_unavailable'],
    ['server_error', 'error', 'provider_unavailable'],
    ['unauthorized_client', 'error', 'misconfigured'],
    ['invalid_request', 'error', 'misconfigured'],
    ['<script>\r\nSet-Cookie: a=b', 'error', 'provider_rejected'],
    ['', 'error', 'provider_rejected'],
  ])('tells the caller of the error %j and none of the provider’s words', async (error, status, code) => {
    const { browse, state, cookie, signIns, connectorId } = await startInBrowser();
    const query = new URLSearchParams({ state, error, error_description: '<b>canary</b>' });
    const back = readRedirect(await browse(`/oauth/google/callback?${query.toString()}`, cookie));
    expect(Object.fromEntries(back.searchParams)).toEqual({
      connectorId,
      status,
      ...(code !== null && { code }),
    });
    expect(signIns()).toEqual([]);
  });

  it.each(['', '&code=a&code=b'])('redeems nothing unless there is just one code: %j', async (codes) => {
    const { browse, state, cookie, signIns } = await startInBrowser();
    const back = readRedirect(await browse(`/oauth/google/callback?state=${state}${codes}`, cookie));
    expect(back.searchParams.get('code')).toBe('invalid_request');
    expect(signIns()).toEqual([]);
  });

  it.each<[string, () => unknown, string]>([
    ['refuses', () => ok({ status: 'error', code: 'account_mismatch' }), 'account_mismatch'],
    ['fails', () => fail({ kind: 'unavailable', ambiguous: true }), 'provider_unavailable'],
    [
      'is reset under it',
      () => {
        throw new Error('the object was reset');
      },
      'provider_unavailable',
    ],
  ])('sends the person back with a code also when the actor %s', async (_, answer, code) => {
    const { browse, callbackPath, cookie, connectorId } = await startInBrowser({}, answer);
    const back = readRedirect(await browse(callbackPath, cookie));
    expect(Object.fromEntries(back.searchParams)).toEqual({ connectorId, status: 'error', code });
  });

  it('fails as a misconfiguration when the key that sealed the flow is gone', async () => {
    const { callbackPath, cookie } = await startInBrowser();
    const { send } = openHouse({ OAUTH_ENC_KEY: `k1:${btoa('z'.repeat(32))}` });
    const response = await send(callbackPath, { token: null, headers: { Cookie: cookie } });
    expect(readRedirect(response).searchParams.get('code')).toBe('misconfigured');
  });

  it('connects nothing after the connector was deleted', async () => {
    const { browse, callbackPath, cookie, connectorId, signIns } = await startInBrowser();
    await env.DB.prepare('DELETE FROM connectors WHERE id = ?').bind(connectorId).run();
    const back = readRedirect(await browse(callbackPath, cookie));
    expect(back.searchParams.get('code')).toBe('not_found');
    expect(signIns()).toEqual([]);
  });
});
