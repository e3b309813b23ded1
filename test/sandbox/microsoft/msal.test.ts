import { ConfidentialClientApplication, CryptoProvider } from '@azure/msal-node';
import type { INetworkModule, NetworkRequestOptions, NetworkResponse } from '@azure/msal-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CALLBACK, codeOf } from '../client-journey.ts';
import { signIn } from '../person-at-browser.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const REAL = 'https://login.microsoftonline.com';
const SCOPES = ['https://graph.microsoft.com/Calendars.ReadWrite', 'MailboxSettings.Read'];
const EMAIL = 'grace@contoso.example';
let sandbox: Sandbox;

beforeEach(async () => {
  sandbox = await startSandbox();
  sandbox.people.add({ provider: 'microsoft', email: EMAIL, name: 'Grace', timeZone: 'UTC' });
});
afterEach(async () => {
  await sandbox.close();
});

/** The library insists on the real host; only its network is turned to the sandbox. */
function network(): INetworkModule {
  const send = async <T>(
    method: string,
    url: string,
    options?: NetworkRequestOptions,
  ): Promise<NetworkResponse<T>> => {
    const reply = await fetch(url.replace(REAL, sandbox.microsoftUrl), {
      method,
      ...(options?.headers === undefined ? {} : { headers: options.headers }),
      ...(options?.body === undefined ? {} : { body: options.body }),
    });
    const body: T = await reply.json();
    return { status: reply.status, headers: Object.fromEntries(reply.headers), body };
  };
  return {
    sendGetRequestAsync: async (url, options) => await send('GET', url, options),
    sendPostRequestAsync: async (url, options) => await send('POST', url, options),
  };
}

function application(): ConfidentialClientApplication {
  const { id, secret } = sandbox.clients.microsoft;
  return new ConfidentialClientApplication({
    auth: { clientId: id, clientSecret: secret, authority: `${REAL}/common`, clientCapabilities: ['CP1'] },
    system: { networkClient: network() },
  });
}

test('Microsoft’s own client library signs in, refreshes and sees a revoked grant, and is never refused', async () => {
  const msal = application();
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes();
  const url = await msal.getAuthCodeUrl({
    scopes: SCOPES,
    redirectUri: CALLBACK,
    state: 'state',
    nonce: 'nonce',
    loginHint: EMAIL,
    prompt: 'consent',
    codeChallenge: challenge,
    codeChallengeMethod: 'S256',
  });
  const callback = await signIn(url.replace(REAL, sandbox.microsoftUrl), { account: EMAIL });
  const first = await msal.acquireTokenByCode({
    code: codeOf(callback),
    scopes: SCOPES,
    redirectUri: CALLBACK,
    codeVerifier: verifier,
    nonce: 'nonce',
  });
  expect(first.account?.username).toBe(EMAIL);
  expect(first.account?.homeAccountId).toContain('.');

  const account = first.account;
  if (account === null) throw new Error('no account');
  const second = await msal.acquireTokenSilent({ account, scopes: SCOPES, forceRefresh: true });
  expect(second.accessToken).not.toBe(first.accessToken);
  const reply = await fetch(`${sandbox.microsoftUrl}/v1.0/me/mailboxSettings`, {
    headers: { authorization: `Bearer ${second.accessToken}` },
  });
  expect(reply.status).toBe(200);
  expect(sandbox.truth.verdict()).toEqual({ ok: true, problems: [] });

  sandbox.people.get(EMAIL)?.revokeGrant();
  await expect(
    msal.acquireTokenSilent({ account, scopes: SCOPES, forceRefresh: true }),
  ).rejects.toMatchObject({
    errorCode: 'invalid_grant',
  });
});
