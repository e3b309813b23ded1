import { describe, expect, it } from 'vitest';
import { beginConnect, finishConnect, openLink, signInUpToCallback } from '../local/connect.ts';
import { LOCAL_REDIRECT_URI } from '../local/settings.ts';
import { signIn } from '../sandbox/person-at-browser.ts';
import { openStage } from './stage.ts';

const stage = openStage();

function tokenCalls(): number {
  return stage.sandbox.truth.calls.filter(({ kind }) => kind === 'token').length;
}

/** Expects the 400 page: no redirect, no token call. */
async function expectPage(url: string, cookie?: string): Promise<void> {
  const before = tokenCalls();
  const answer = await stage.runtime.fetch(url, cookie === undefined ? {} : { headers: { Cookie: cookie } });
  expect(answer.status, url).toBe(400);
  expect(answer.headers.get('Content-Type')).toContain('text/html');
  expect(answer.headers.get('Content-Security-Policy')).toContain("default-src 'none'");
  expect(answer.headers.get('Location')).toBeNull();
  expect(tokenCalls()).toBe(before);
}

describe.each(['google', 'microsoft'] as const)('the callback of %s', (provider) => {
  async function atTheCallback() {
    const person = stage.person({ provider });
    const begun = await beginConnect(stage.runtime, { userId: 'u', provider });
    const { callback, cookie } = await signInUpToCallback(stage.runtime, begun.authorizeUrl, {
      account: person.email,
    });
    return { ...begun, callback, cookie };
  }

  /** The flow's owner is unharmed by whatever was tried. */
  async function expectOwnerSucceeds({
    callback,
    cookie,
  }: {
    callback: string;
    cookie: string;
  }): Promise<void> {
    const end = await stage.runtime.fetch(callback, { headers: { Cookie: cookie } });
    expect(new URL(end.headers.get('Location') ?? '').searchParams.get('status')).toBe('connected');
  }

  it('refuses a state that is missing, forged or doubled', async () => {
    const flow = await atTheCallback();
    for (const tamper of [
      (url: URL) => url.searchParams.delete('state'),
      (url: URL) => url.searchParams.set('state', 'forged'),
      (url: URL) => url.searchParams.append('state', 'second'),
    ]) {
      const url = new URL(flow.callback);
      tamper(url);
      await expectPage(url.href, flow.cookie);
    }
    await expectOwnerSucceeds(flow);
  });

  it('refuses another browser, with no cookie or a cookie of its own', async () => {
    const flow = await atTheCallback();
    await expectPage(flow.callback);
    const other = await beginConnect(stage.runtime, { userId: 'mallory', provider });
    const { cookie } = await openLink(stage.runtime, other.authorizeUrl);
    await expectPage(flow.callback, cookie);
    await expectOwnerSucceeds(flow);
  });

  it("refuses the other provider's state, and sends the code nowhere", async () => {
    const flow = await atTheCallback();
    const sibling = provider === 'google' ? 'microsoft' : 'google';
    await expectPage(flow.callback.replace(`/oauth/${provider}/`, `/oauth/${sibling}/`), flow.cookie);
    await expectOwnerSucceeds(flow);
  });

  it('refuses another issuer', async () => {
    const flow = await atTheCallback();
    const url = new URL(flow.callback);
    url.searchParams.set('iss', 'https://attacker.example');
    await expectPage(url.href, flow.cookie);
    await expectOwnerSucceeds(flow);
  });

  it('takes a state once: a replay is refused', async () => {
    const flow = await atTheCallback();
    await expectOwnerSucceeds(flow);
    await expectPage(flow.callback, flow.cookie);
  });

  it('lets exactly one of several simultaneous callbacks succeed', async () => {
    const flow = await atTheCallback();
    const before = tokenCalls();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        stage.runtime.fetch(flow.callback, { headers: { Cookie: flow.cookie } }),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      302, 400, 400, 400, 400, 400, 400, 400,
    ]);
    expect(tokenCalls()).toBe(before + 1);
  });

  it('refuses a code that belongs to another sign-in (PKCE)', async () => {
    const victim = await atTheCallback();
    const attacker = await atTheCallback();
    const stolen = new URL(attacker.callback);
    stolen.searchParams.set('code', new URL(victim.callback).searchParams.get('code') ?? '');
    const end = await stage.runtime.fetch(stolen.href, { headers: { Cookie: attacker.cookie } });
    expect(Object.fromEntries(new URL(end.headers.get('Location') ?? '').searchParams)).toMatchObject({
      status: 'error',
      code: 'provider_rejected',
    });
  });

  it('carries no text of the provider to the caller, and no line break or HTML', async () => {
    const flow = await atTheCallback();
    const url = new URL(flow.callback);
    url.searchParams.delete('code');
    url.searchParams.set('error', '<script>alert(1)</script>\r\nSet-Cookie: a=b');
    url.searchParams.set('error_description', '<img src=x onerror=alert(1)>');
    const end = await stage.runtime.fetch(url.href, { headers: { Cookie: flow.cookie } });
    expect(Object.fromEntries(new URL(end.headers.get('Location') ?? '').searchParams)).toEqual({
      connectorId: flow.connectorId,
      status: 'error',
      code: 'provider_rejected',
    });
  });
});

describe('the sign-in link', () => {
  it('is bound to the first browser that opens it, which may open it again', async () => {
    const person = stage.person();
    const { authorizeUrl } = await beginConnect(stage.runtime, { userId: 'u', provider: 'google' });
    const first = await openLink(stage.runtime, authorizeUrl);
    await expectPage(authorizeUrl);
    const again = await openLink(stage.runtime, authorizeUrl, first.cookie);
    const callback = await signIn(again.location, { account: person.email });
    const end = await stage.runtime.fetch(callback, { headers: { Cookie: first.cookie } });
    expect(end.headers.get('Location')).toContain('status=connected');
  });

  it('asks both providers for S256 and binds the browser with a cookie it cannot read', async () => {
    for (const provider of ['google', 'microsoft']) {
      const { authorizeUrl } = await beginConnect(stage.runtime, { userId: 'u', provider });
      const started = await stage.runtime.fetch(authorizeUrl);
      const query = new URL(started.headers.get('Location') ?? '').searchParams;
      expect(query.get('code_challenge_method')).toBe('S256');
      expect(query.get('code_challenge')).toMatch(/^[\w-]{43}$/);
      expect(started.headers.get('Set-Cookie')).toMatch(/; Path=\/; HttpOnly; SameSite=Lax; Max-Age=600$/);
    }
  });

  it('is refused when made up', async () => {
    await expectPage('/oauth/google/start?state=made-up');
    await expectPage('/oauth/google/start');
    await expectPage('/oauth/yahoo/start?state=made-up');
  });
});

describe('the redirect', () => {
  it.each([
    'https://evil.example/',
    '//evil.example/',
    `${LOCAL_REDIRECT_URI}/`,
    `${LOCAL_REDIRECT_URI}?next=//evil.example`,
    `${LOCAL_REDIRECT_URI}.evil.example`,
    LOCAL_REDIRECT_URI.replace('localhost', 'LOCALHOST'),
    LOCAL_REDIRECT_URI.replace(':8787', ':8788'),
    LOCAL_REDIRECT_URI.replace('http://', 'http://user@'),
    LOCAL_REDIRECT_URI.replace('/connected', '\\connected'),
    `${LOCAL_REDIRECT_URI}\r\nX: y`,
    '',
  ])('is refused unless it is exactly an allowed one: %j', async (redirectUri) => {
    const answer = await stage.runtime.api('POST', '/v1/connectors', {
      userId: 'u',
      provider: 'google',
      redirectUri,
    });
    expect(answer).toMatchObject({
      status: 400,
      json: { code: 'invalid_request', errors: [{ path: 'redirectUri' }] },
    });
  });
});

describe('a canary', () => {
  it('in tokens, codes and secrets shows up in no log and no notice', async () => {
    const person = stage.person();
    const { authorizeUrl } = await beginConnect(stage.runtime, { userId: 'u', provider: 'google' });
    const { callback, cookie } = await signInUpToCallback(stage.runtime, authorizeUrl, {
      account: person.email,
    });
    const code = new URL(callback).searchParams.get('code') ?? '';
    const state = new URL(callback).searchParams.get('state') ?? '';
    await stage.runtime.fetch(callback, { headers: { Cookie: cookie } });
    await finishConnect(
      stage.runtime,
      (await beginConnect(stage.runtime, { userId: 'u', provider: 'microsoft' })).authorizeUrl,
      {
        account: stage.person({ provider: 'microsoft' }).email,
      },
    );
    const said = stage.runtime.logs().join('\n') + JSON.stringify(stage.runtime.notices);
    expect(said).toContain('"event":"connect"');
    for (const secret of [code, state, cookie.split('=')[1] ?? '', ...Object.values(stage.sandbox.secrets)]) {
      expect(secret.length).toBeGreaterThan(10);
      expect(said).not.toContain(secret);
    }
  });
});
