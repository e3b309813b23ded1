import * as z from 'zod';
import { createKeyring, type Keyring, parseRingKeys, type RandomBytes } from './crypto/keyring.ts';
import type { ProviderName } from './domain/connector.ts';
import { fail, ok, type Outcome } from './domain/failure.ts';
import type { BreakerSettings, WindowLimit } from './domain/lease.ts';
import { listFieldErrors, summarizeFieldErrors } from './domain/field-error.ts';

/** Everything that can be set from outside, read and checked. Durations in milliseconds. */
export interface Config {
  google: {
    clientId: string;
    clientSecret: string;
    authorizeUrl: string;
    tokenUrl: string;
    revokeUrl: string;
    apiUrl: string;
  };
  microsoft: { clientId: string; clientSecret: string; loginUrl: string; graphUrl: string };
  keyring: Keyring;
  apiTokens: string[];
  /** Compared character by character. */
  allowedRedirectUris: string[];
  /** The origin this worker is reached at, without a trailing slash. */
  publicBaseUrl: string;
  /** Whether connectors keep a mirror of their calendars. */
  hasMirror: boolean;
  limits: Limits;
}

/** Limits on provider calls. */
export interface Limits {
  /** Simultaneous calls per connector, by provider; the platform allows 6 open connections in all. */
  maxConcurrent: { google: number; microsoft: number };
  providerTimeoutMs: number;
  maxReplyBytes: number;
  /** Calls of all connectors of an app registration together, by provider. */
  app: Record<ProviderName, WindowLimit>;
  /** Calls of one connector, by provider. */
  user: Record<ProviderName, WindowLimit>;
  /** Among how many objects the connectors of an app are divided; each has its part of the app's limit. */
  appShards: number;
  breaker: BreakerSettings;
}

// Trimmed: a secret that was piped in from a shell ends with a line break.
const required = z.preprocess((value) => value ?? '', z.string().trim().min(1, 'is not set'));

/** True for a URL that secrets may be sent to: https, or plain http to this machine. */
function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text) || /\s/.test(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  return (
    protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname))
  );
}

const safeUrl = z.string().refine(isSafeUrl, {
  error: 'must be an https URL (http only for localhost or 127.0.0.1)',
  // What is asked next of it takes a URL for granted.
  abort: true,
});

/** An endpoint that moves for national clouds and for tests. */
function endpoint(url: string) {
  return z.preprocess(
    (value) => (value === undefined || value === '' ? url : value),
    safeUrl.transform((text) => text.replace(/\/+$/, '')),
  );
}

function wholeNumber(fallback: number, least: number, most: number) {
  return z.preprocess(
    (value) => (value === undefined || value === '' ? fallback : Number(value)),
    z
      .int('must be a whole number')
      // Variables that are held against others are in order themselves.
      .min(least, { error: `must be at least ${least}`, abort: true })
      .max(most, { error: `must be at most ${most}`, abort: true }),
  );
}

function commaSeparated(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

const DAY_S = 86_400;

const environmentSchema = z
  .object({
    GOOGLE_CLIENT_ID: required,
    GOOGLE_CLIENT_SECRET: required,
    MICROSOFT_CLIENT_ID: required,
    MICROSOFT_CLIENT_SECRET: required,
    OAUTH_ENC_KEY: required.transform((text, context) => {
      const keys = parseRingKeys(text);
      if (typeof keys !== 'string') return keys;
      context.issues.push({ code: 'custom', message: keys, input: undefined });
      return z.NEVER;
    }),
    API_TOKENS: required
      .transform(commaSeparated)
      .refine((tokens) => tokens.length > 0, 'holds no token')
      .refine(
        // The longest and the characters are those a request may bring (`http/authenticate.ts`).
        (tokens) => tokens.every((token) => /^[\x21-\x7e]{16,512}$/.test(token)),
        'each token must be 16 to 512 visible ASCII characters',
      ),
    ALLOWED_REDIRECT_URIS: required
      .transform(commaSeparated)
      .refine(
        (uris) => uris.length > 0 && uris.every((uri) => isSafeUrl(uri) && !uri.includes('#')),
        'must be https URLs (http only for localhost or 127.0.0.1) without a fragment, separated by commas',
      ),
    PUBLIC_BASE_URL: required
      .pipe(safeUrl)
      .refine(
        (text) => new URL(text).pathname === '/' && new URL(text).search === '',
        'must be an origin, without a path',
      )
      .transform((text) => new URL(text).origin),
    GOOGLE_AUTHORIZE_URL: endpoint('https://accounts.google.com/o/oauth2/v2/auth'),
    GOOGLE_TOKEN_URL: endpoint('https://oauth2.googleapis.com/token'),
    GOOGLE_REVOKE_URL: endpoint('https://oauth2.googleapis.com/revoke'),
    GOOGLE_API_URL: endpoint('https://www.googleapis.com'),
    MICROSOFT_LOGIN_URL: endpoint('https://login.microsoftonline.com'),
    MICROSOFT_GRAPH_URL: endpoint('https://graph.microsoft.com'),
    MIRROR: z.preprocess(
      (value) => (value === undefined || value === '' ? 'on' : value),
      z.enum(['on', 'off'], 'must be on or off'),
    ),
    GOOGLE_MAX_CONCURRENT: wholeNumber(4, 1, 4),
    MICROSOFT_MAX_CONCURRENT: wholeNumber(4, 1, 4),
    PROVIDER_TIMEOUT_MS: wholeNumber(30_000, 10_000, 120_000),
    PROVIDER_MAX_REPLY_BYTES: wholeNumber(8 * 1024 * 1024, 64 * 1024, 32 * 1024 * 1024),
    GOOGLE_APP_LIMIT: wholeNumber(50_000, 1, 1_000_000_000),
    GOOGLE_APP_WINDOW_S: wholeNumber(DAY_S, 1, DAY_S),
    MICROSOFT_APP_LIMIT: wholeNumber(10_000, 1, 1_000_000_000),
    MICROSOFT_APP_WINDOW_S: wholeNumber(600, 1, DAY_S),
    GOOGLE_USER_LIMIT: wholeNumber(500, 1, 1_000_000),
    GOOGLE_USER_WINDOW_S: wholeNumber(100, 1, DAY_S),
    MICROSOFT_USER_LIMIT: wholeNumber(10_000, 1, 1_000_000),
    MICROSOFT_USER_WINDOW_S: wholeNumber(600, 1, DAY_S),
    PROVIDER_APP_SHARDS: wholeNumber(1, 1, 64),
    BREAKER_WINDOW_S: wholeNumber(60, 5, 3_600),
    BREAKER_CONNECTORS: wholeNumber(5, 2, 1_000),
    BREAKER_FAILING_PERCENT: wholeNumber(50, 1, 100),
    BREAKER_OPEN_S: wholeNumber(30, 1, 3_600),
    BREAKER_MAX_OPEN_S: wholeNumber(300, 1, 3_600),
    BREAKER_PROBE_S: wholeNumber(60, 5, 600),
  })
  .superRefine((variables, context) => {
    const refuse = (name: string, message: string) =>
      context.addIssue({ code: 'custom', path: [name], message });
    for (const name of ['GOOGLE_APP_LIMIT', 'MICROSOFT_APP_LIMIT'] as const) {
      if (variables[name] < variables.PROVIDER_APP_SHARDS) {
        refuse(name, 'must be at least PROVIDER_APP_SHARDS: each shard has a part of it');
      }
    }
    if (variables.BREAKER_MAX_OPEN_S < variables.BREAKER_OPEN_S) {
      refuse('BREAKER_MAX_OPEN_S', 'must be at least BREAKER_OPEN_S');
    }
  });

/** What has been read of an environment: it is the same for all that one isolate is asked. */
const known = new WeakMap<object, Outcome<Config>>();

/**
 * Reads the worker's configuration, once for an environment. Fails closed: `misconfigured`, naming each
 * variable and what is wrong with it, and never quoting a value.
 */
export function readConfig(env: object, randomBytes: RandomBytes): Outcome<Config> {
  const config = known.get(env) ?? checkConfig(env, randomBytes);
  known.set(env, config);
  return config;
}

function checkConfig(env: object, randomBytes: RandomBytes): Outcome<Config> {
  const read = environmentSchema.safeParse(env);
  if (!read.success) {
    return fail({ kind: 'misconfigured', detail: summarizeFieldErrors(listFieldErrors(read.error)) });
  }
  const variables = read.data;
  return ok({
    google: {
      clientId: variables.GOOGLE_CLIENT_ID,
      clientSecret: variables.GOOGLE_CLIENT_SECRET,
      authorizeUrl: variables.GOOGLE_AUTHORIZE_URL,
      tokenUrl: variables.GOOGLE_TOKEN_URL,
      revokeUrl: variables.GOOGLE_REVOKE_URL,
      apiUrl: variables.GOOGLE_API_URL,
    },
    microsoft: {
      clientId: variables.MICROSOFT_CLIENT_ID,
      clientSecret: variables.MICROSOFT_CLIENT_SECRET,
      loginUrl: variables.MICROSOFT_LOGIN_URL,
      graphUrl: variables.MICROSOFT_GRAPH_URL,
    },
    keyring: createKeyring(variables.OAUTH_ENC_KEY, randomBytes),
    apiTokens: variables.API_TOKENS,
    allowedRedirectUris: variables.ALLOWED_REDIRECT_URIS,
    publicBaseUrl: variables.PUBLIC_BASE_URL,
    hasMirror: variables.MIRROR === 'on',
    limits: {
      maxConcurrent: {
        google: variables.GOOGLE_MAX_CONCURRENT,
        microsoft: variables.MICROSOFT_MAX_CONCURRENT,
      },
      providerTimeoutMs: variables.PROVIDER_TIMEOUT_MS,
      maxReplyBytes: variables.PROVIDER_MAX_REPLY_BYTES,
      app: {
        google: windowLimit(variables.GOOGLE_APP_LIMIT, variables.GOOGLE_APP_WINDOW_S),
        microsoft: windowLimit(variables.MICROSOFT_APP_LIMIT, variables.MICROSOFT_APP_WINDOW_S),
      },
      user: {
        google: windowLimit(variables.GOOGLE_USER_LIMIT, variables.GOOGLE_USER_WINDOW_S),
        microsoft: windowLimit(variables.MICROSOFT_USER_LIMIT, variables.MICROSOFT_USER_WINDOW_S),
      },
      appShards: variables.PROVIDER_APP_SHARDS,
      breaker: {
        windowMs: variables.BREAKER_WINDOW_S * 1_000,
        failingConnectors: variables.BREAKER_CONNECTORS,
        failingShare: variables.BREAKER_FAILING_PERCENT / 100,
        openMs: variables.BREAKER_OPEN_S * 1_000,
        maxOpenMs: variables.BREAKER_MAX_OPEN_S * 1_000,
        probeMs: variables.BREAKER_PROBE_S * 1_000,
      },
    },
  });
}

function windowLimit(limit: number, windowSeconds: number): WindowLimit {
  return { limit, windowMs: windowSeconds * 1_000 };
}
