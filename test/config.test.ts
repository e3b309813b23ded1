import { describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.ts';
import { TEST_VARIABLES } from './variables.ts';

const SECRETS = ['GOOGLE_CLIENT_SECRET', 'MICROSOFT_CLIENT_SECRET', 'OAUTH_ENC_KEY', 'API_TOKENS'] as const;
const REQUIRED = [
  'GOOGLE_CLIENT_ID',
  'MICROSOFT_CLIENT_ID',
  'ALLOWED_REDIRECT_URIS',
  'PUBLIC_BASE_URL',
  ...SECRETS,
] as const;
const ENDPOINTS = [
  'GOOGLE_AUTHORIZE_URL',
  'GOOGLE_TOKEN_URL',
  'GOOGLE_REVOKE_URL',
  'GOOGLE_API_URL',
  'MICROSOFT_LOGIN_URL',
  'MICROSOFT_GRAPH_URL',
] as const;
const MINIMAL: Record<string, unknown> = Object.fromEntries(
  REQUIRED.map((name) => [name, TEST_VARIABLES[name]]),
);

function read(change: Record<string, unknown> = {}) {
  return readConfig({ ...MINIMAL, ...change }, (length) => crypto.getRandomValues(new Uint8Array(length)));
}

/** The configuration that `change` makes, which must be a good one. */
function configOf(change: Record<string, unknown> = {}) {
  const config = read(change);
  if (!config.ok) throw new Error(JSON.stringify(config.failure));
  return config.value;
}

/** What is said of `change`, which must be refused as a misconfiguration. */
function refusalOf(change: Record<string, unknown>): string {
  const config = read(change);
  if (config.ok || config.failure.kind !== 'misconfigured') throw new Error(JSON.stringify(config));
  return config.failure.detail;
}

describe('a variable that is needed', () => {
  it.each(REQUIRED)('%s is named when it is missing, empty or no text, and no other is', (name) => {
    expect(refusalOf({ [name]: undefined })).toBe(`${name}: is not set`);
    expect(refusalOf({ [name]: '' })).toBe(`${name}: is not set`);
    expect(refusalOf({ [name]: 42 })).toMatch(new RegExp(`^${name}: [^;]+$`));
  });

  it('is named together with all others that are wrong', () => {
    const config = readConfig({}, () => expect.fail('no random bytes are needed'));
    expect(config.ok || config.failure.kind !== 'misconfigured' ? '' : config.failure.detail).toBe(
      [
        'GOOGLE_CLIENT_ID',
        'GOOGLE_CLIENT_SECRET',
        'MICROSOFT_CLIENT_ID',
        'MICROSOFT_CLIENT_SECRET',
        'OAUTH_ENC_KEY',
        'API_TOKENS',
        'ALLOWED_REDIRECT_URIS',
        'PUBLIC_BASE_URL',
      ]
        .map((name) => `${name}: is not set`)
        .join('; '),
    );
  });
});

describe('a variable that is wrong', () => {
  const CANARY = 'canary5f2e';
  it.each<[string, string]>([
    ['OAUTH_ENC_KEY', CANARY],
    ['OAUTH_ENC_KEY', `k1:${CANARY}`],
    ['OAUTH_ENC_KEY', `${TEST_VARIABLES.OAUTH_ENC_KEY},k1:${CANARY}==`],
    ['API_TOKENS', CANARY],
    ['API_TOKENS', `${CANARY}-long-enough-to-be-one,${CANARY}`],
    ['API_TOKENS', `${CANARY} with blanks in it`],
    ['API_TOKENS', `${CANARY}${'x'.repeat(512)}`],
    ['API_TOKENS', `${CANARY}-ümlaut-and-more-of-it`],
    ['API_TOKENS', ' , '],
    ['ALLOWED_REDIRECT_URIS', ' , '],
    ['ALLOWED_REDIRECT_URIS', `https://app.example.com/,${CANARY}`],
    ['ALLOWED_REDIRECT_URIS', `http://app.example.com/${CANARY}`],
    ['ALLOWED_REDIRECT_URIS', `https://app.example.com/#${CANARY}`],
    ['ALLOWED_REDIRECT_URIS', `javascript:${CANARY}`],
    ['ALLOWED_REDIRECT_URIS', `https://${CANARY}@app.example.com/`],
    ['PUBLIC_BASE_URL', CANARY],
    ['PUBLIC_BASE_URL', `ftp://${CANARY}`],
    ['PUBLIC_BASE_URL', `https://calendar.example.com/${CANARY}`],
    ['PUBLIC_BASE_URL', `https://calendar.example.com?${CANARY}`],
    ['PUBLIC_BASE_URL', `https://u:${CANARY}@calendar.example.com`],
    ['PUBLIC_BASE_URL', `http://${CANARY}.example.com`],
    ...ENDPOINTS.flatMap((name): [string, string][] => [
      [name, CANARY],
      [name, `http://${CANARY}.example.com`],
      [name, `https://${CANARY}.example.com `],
      [name, `https://${CANARY}@example.com`],
    ]),
    ['GOOGLE_MAX_CONCURRENT', '0'],
    ['GOOGLE_MAX_CONCURRENT', '5'],
    ['MICROSOFT_MAX_CONCURRENT', '1.5'],
    ['MICROSOFT_MAX_CONCURRENT', CANARY],
    ['PROVIDER_TIMEOUT_MS', '9999'],
    ['PROVIDER_TIMEOUT_MS', '120001'],
    ['PROVIDER_MAX_REPLY_BYTES', '1024'],
    ['PROVIDER_MAX_REPLY_BYTES', 'Infinity'],
    ...[
      'GOOGLE_APP_LIMIT',
      'GOOGLE_APP_WINDOW_S',
      'MICROSOFT_APP_LIMIT',
      'MICROSOFT_APP_WINDOW_S',
      'GOOGLE_USER_LIMIT',
      'GOOGLE_USER_WINDOW_S',
      'MICROSOFT_USER_LIMIT',
      'MICROSOFT_USER_WINDOW_S',
      'PROVIDER_APP_SHARDS',
      'BREAKER_WINDOW_S',
      'BREAKER_FAILING_PERCENT',
      'BREAKER_OPEN_S',
      'BREAKER_PROBE_S',
    ].flatMap((name): [string, string][] => [
      [name, '0'],
      [name, '1.5'],
      [name, CANARY],
    ]),
    ['GOOGLE_APP_WINDOW_S', '86401'],
    ['PROVIDER_APP_SHARDS', '65'],
    ['BREAKER_CONNECTORS', '1'],
    ['BREAKER_FAILING_PERCENT', '101'],
    ['BREAKER_MAX_OPEN_S', '29'],
  ])('%s is named for %j, alone, and its value is not quoted', (name, value) => {
    const refusal = refusalOf({ [name]: value });
    expect(refusal).toMatch(new RegExp(`^${name}: [^;]+$`));
    expect(refusal).not.toContain(CANARY);
  });
});

describe('what is not set', () => {
  it('is the real provider, and the limits of the design', () => {
    const config = configOf();
    expect(config.google).toEqual({
      clientId: TEST_VARIABLES.GOOGLE_CLIENT_ID,
      clientSecret: TEST_VARIABLES.GOOGLE_CLIENT_SECRET,
      authorizeUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
      tokenUrl: 'https://oauth2.googleapis.com/token',
      revokeUrl: 'https://oauth2.googleapis.com/revoke',
      apiUrl: 'https://www.googleapis.com',
    });
    expect(config.microsoft).toEqual({
      clientId: TEST_VARIABLES.MICROSOFT_CLIENT_ID,
      clientSecret: TEST_VARIABLES.MICROSOFT_CLIENT_SECRET,
      loginUrl: 'https://login.microsoftonline.com',
      graphUrl: 'https://graph.microsoft.com',
    });
    expect(config.limits).toEqual({
      maxConcurrent: { google: 4, microsoft: 4 },
      providerTimeoutMs: 30_000,
      maxReplyBytes: 8 * 1024 * 1024,
      app: {
        google: { limit: 50_000, windowMs: 86_400_000 },
        microsoft: { limit: 10_000, windowMs: 600_000 },
      },
      user: {
        google: { limit: 500, windowMs: 100_000 },
        microsoft: { limit: 10_000, windowMs: 600_000 },
      },
      appShards: 1,
      breaker: {
        windowMs: 60_000,
        failingConnectors: 5,
        failingShare: 0.5,
        openMs: 30_000,
        maxOpenMs: 300_000,
        probeMs: 60_000,
      },
    });
  });

  it('counts as not set when it is empty', () => {
    const empty = Object.fromEntries([...ENDPOINTS, 'GOOGLE_MAX_CONCURRENT'].map((name) => [name, '']));
    expect({ ...configOf(empty), keyring: 0 }).toEqual({ ...configOf(), keyring: 0 });
  });
});

describe('what is set', () => {
  it('loses trailing slashes where paths are added to it', () => {
    const config = configOf({
      PUBLIC_BASE_URL: 'https://calendar.example.com/',
      GOOGLE_API_URL: 'https://api.example.com//',
      MICROSOFT_GRAPH_URL: 'https://graph.example.com/base/',
    });
    expect(config.publicBaseUrl).toBe('https://calendar.example.com');
    expect(config.google.apiUrl).toBe('https://api.example.com');
    expect(config.microsoft.graphUrl).toBe('https://graph.example.com/base');
  });

  it('may be plain http to this machine, and to no other', () => {
    for (const origin of ['http://localhost:8787', 'http://127.0.0.1:8787', 'http://[::1]:8787']) {
      const config = configOf({
        PUBLIC_BASE_URL: origin,
        GOOGLE_TOKEN_URL: `${origin}/token`,
        ALLOWED_REDIRECT_URIS: `${origin}/connected`,
      });
      expect(config.publicBaseUrl).toBe(origin);
      expect(config.google.tokenUrl).toBe(`${origin}/token`);
    }
    for (const origin of [
      'http://localhost.example.com',
      'http://127.0.0.1.example.com',
      'http://localhost@example.com',
      'http://10.0.0.1',
      'http://0.0.0.0',
    ]) {
      expect(refusalOf({ PUBLIC_BASE_URL: origin })).toMatch(/^PUBLIC_BASE_URL: /);
    }
  });

  it('is a list where it is one, each entry without the blanks around it', () => {
    const config = configOf({
      API_TOKENS: ' first-token-of-the-tests , second-token-of-the-tests,',
      ALLOWED_REDIRECT_URIS: 'https://a.example.com/x, https://A.example.com/y?z=1',
    });
    expect(config.apiTokens).toEqual(['first-token-of-the-tests', 'second-token-of-the-tests']);
    expect(config.allowedRedirectUris).toEqual(['https://a.example.com/x', 'https://A.example.com/y?z=1']);
  });

  it('makes a keyring that seals with its first key', async () => {
    const { keyring } = configOf({ OAUTH_ENC_KEY: `now:${btoa('n'.repeat(32))},k1:${btoa('o'.repeat(32))}` });
    const binding = { owner: 'a', field: 'b' };
    const sealed = await keyring.seal('secret', binding);
    expect(sealed).toMatch(/^v1\.now\./);
    expect(await keyring.open(sealed, binding)).toEqual({ ok: true, value: 'secret' });
  });

  it('limits the calls as it says', () => {
    expect(
      configOf({
        GOOGLE_MAX_CONCURRENT: '2',
        MICROSOFT_MAX_CONCURRENT: 1,
        PROVIDER_TIMEOUT_MS: '10000',
        PROVIDER_MAX_REPLY_BYTES: '65536',
        GOOGLE_APP_LIMIT: '1000',
        GOOGLE_APP_WINDOW_S: '60',
        MICROSOFT_APP_LIMIT: '2000',
        MICROSOFT_APP_WINDOW_S: '61',
        GOOGLE_USER_LIMIT: '300',
        GOOGLE_USER_WINDOW_S: '62',
        MICROSOFT_USER_LIMIT: '400',
        MICROSOFT_USER_WINDOW_S: '63',
        PROVIDER_APP_SHARDS: '64',
        BREAKER_WINDOW_S: '30',
        BREAKER_CONNECTORS: '2',
        BREAKER_FAILING_PERCENT: '75',
        BREAKER_OPEN_S: '10',
        BREAKER_MAX_OPEN_S: '20',
        BREAKER_PROBE_S: '15',
      }).limits,
    ).toEqual({
      maxConcurrent: { google: 2, microsoft: 1 },
      providerTimeoutMs: 10_000,
      maxReplyBytes: 65_536,
      app: {
        google: { limit: 1_000, windowMs: 60_000 },
        microsoft: { limit: 2_000, windowMs: 61_000 },
      },
      user: {
        google: { limit: 300, windowMs: 62_000 },
        microsoft: { limit: 400, windowMs: 63_000 },
      },
      appShards: 64,
      breaker: {
        windowMs: 30_000,
        failingConnectors: 2,
        failingShare: 0.75,
        openMs: 10_000,
        maxOpenMs: 20_000,
        probeMs: 15_000,
      },
    });
  });

  it('gives every shard a part of the limit of the app', () => {
    for (const name of ['GOOGLE_APP_LIMIT', 'MICROSOFT_APP_LIMIT']) {
      expect(refusalOf({ [name]: '7', PROVIDER_APP_SHARDS: '8' })).toMatch(new RegExp(`^${name}: [^;]+$`));
      expect(configOf({ [name]: '8', PROVIDER_APP_SHARDS: '8' }).limits.appShards).toBe(8);
    }
  });
});

describe('an environment', () => {
  it('is read once, and another by itself', () => {
    const randomBytes = (length: number) => new Uint8Array(length);
    const [one, other] = [{ ...MINIMAL }, { ...MINIMAL, MIRROR: 'off' }];
    const config = readConfig(one, randomBytes);
    expect(config).toMatchObject({ ok: true, value: { hasMirror: true } });
    expect(readConfig(one, randomBytes)).toBe(config);
    expect(readConfig(other, randomBytes)).toMatchObject({ ok: true, value: { hasMirror: false } });
  });
});
