import { beforeAll, describe, expect, it } from 'vitest';
import { scriptActors } from '../actors.ts';
import { migrateDatabase } from '../database.ts';
import { present } from '../present.ts';
import {
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

const START = '/oauth/microsoft/admin-consent/start';
const CALLBACK = '/oauth/microsoft/admin-consent/callback';

function open() {
  const { CONNECTOR, calls } = scriptActors();
  const { send } = openHouse({ CONNECTOR });
  const browse = (path: string, cookie?: string, more: Sending = {}) =>
    send(path, { token: null, ...(cookie !== undefined && { headers: { Cookie: cookie } }), ...more });
  return { browse, calls };
}

/** A consent under way in a browser. */
async function start(tenant?: string) {
  const { browse, calls } = open();
  const query = new URLSearchParams({ redirectUri: REDIRECT_URI, ...(tenant !== undefined && { tenant }) });
  const response = await browse(`${START}?${query.toString()}`);
  const target = readRedirect(response);
  const state = present(target.searchParams.get('state'));
  return { browse, calls, target, state, cookie: readCookie(response) };
}

describe("starting an organisation's consent", () => {
  it("sends the administrator to their tenant's page, bound to this browser", async () => {
    const { target, cookie } = await start('contoso.com');
    expect(target.origin).toBe('https://login.invalid');
    expect(target.pathname).toMatch(/^\/contoso\.com\//);
    expect(target.searchParams.get('redirect_uri')).toBe(`${BASE_URL}${CALLBACK}`);
    expect(target.searchParams.get('scope')).not.toBe('');
    expect(cookie).toMatch(/^__Host-calendar-sign-in=/);
  });

  it('is for any organisation when no tenant is named', async () => {
    expect((await start()).target.pathname).toMatch(/^\/organizations\//);
  });

  it.each<[string, Record<string, string>]>([
    ['no redirect', {}],
    ['a redirect that is not on the list', { redirectUri: 'https://evil.example/' }],
    ['a redirect that only begins like one', { redirectUri: `${REDIRECT_URI}.evil.example` }],
    ['a tenant that is a path', { redirectUri: REDIRECT_URI, tenant: '../../evil' }],
    ['an empty tenant', { redirectUri: REDIRECT_URI, tenant: '' }],
  ])('shows a page and redirects nowhere for %s', async (_, query) => {
    const response = await open().browse(`${START}?${new URLSearchParams(query).toString()}`);
    expect(response.status).toBe(400);
    expect(response.headers.get('Set-Cookie')).toBeNull();
    expect(await readPage(response)).toContain('This link is not good');
  });
});

describe("the return from an organisation's consent", () => {
  it.each([
    ['admin_consent=True&tenant=t', { status: 'granted' }],
    ['admin_consent=True&error=access_denied', { status: 'denied' }],
    ['error=consent_required', { status: 'denied' }],
    ['error=%3Cscript%3E&error_description=canary', { status: 'error', code: 'provider_rejected' }],
  ])('tells the caller of %s, and nothing of the provider’s words', async (query, result) => {
    const { browse, calls, state, cookie } = await start();
    const path = `${CALLBACK}?state=${state}&${query}`;
    const back = readRedirect(await browse(path, cookie));
    expect(`${back.origin}${back.pathname}`).toBe(REDIRECT_URI);
    expect(Object.fromEntries(back.searchParams)).toEqual(result);
    expect(calls, 'it connects nothing').toEqual([]);
  });

  it.each<[string, (flow: { state: string; cookie: string }) => [string, string?, Sending?]]>([
    ['without a state', ({ cookie }) => [CALLBACK, cookie]],
    ['with a forged state', ({ cookie }) => [`${CALLBACK}?state=forged`, cookie]],
    ['without the cookie', ({ state }) => [`${CALLBACK}?state=${state}`]],
    [
      'from another browser',
      ({ state }) => [`${CALLBACK}?state=${state}`, `__Host-calendar-sign-in=${'0'.repeat(64)}`],
    ],
    ['too late', ({ state, cookie }) => [`${CALLBACK}?state=${state}`, cookie, { nowMs: NOW_MS + 600_000 }]],
    [
      'at the callback of a sign-in',
      ({ state, cookie }) => [`/oauth/microsoft/callback?state=${state}&code=c`, cookie],
    ],
    ['at the start of a sign-in', ({ state, cookie }) => [`/oauth/microsoft/start?state=${state}`, cookie]],
  ])('shows a page and harms no flow %s', async (_, spoil) => {
    const flow = await start();
    const [path, cookie, more] = spoil(flow);
    const response = await flow.browse(path, cookie, more);
    expect(response.status).toBe(400);
    await readPage(response);
    expect(flow.calls).toEqual([]);
    const back = readRedirect(await flow.browse(`${CALLBACK}?state=${flow.state}`, flow.cookie));
    expect(back.searchParams.get('status'), 'its owner still succeeds').toBe('granted');
  });
});
