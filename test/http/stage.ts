import { env } from 'cloudflare:workers';
import { expect } from 'vitest';
import * as z from 'zod';
import { insertConnector, saveConnectorState } from '../../src/db/connectors.ts';
import { handleRequest } from '../../src/http/router.ts';
import type { ProviderName } from '../../src/domain/connector.ts';
import type { MetricEvent } from '../../src/metrics.ts';
import { freshId } from '../database.ts';
import { present } from '../present.ts';
import { TEST_VARIABLES } from '../variables.ts';

/** The instant at which every request of these tests arrives. */
export const NOW_MS = Date.UTC(2031, 4, 5, 6, 7, 8);

export const BASE_URL = TEST_VARIABLES.PUBLIC_BASE_URL;
export const [REDIRECT_URI = '', OTHER_REDIRECT_URI = ''] = TEST_VARIABLES.ALLOWED_REDIRECT_URIS.split(',');
export const [TOKEN = ''] = TEST_VARIABLES.API_TOKENS.split(',');

const problemSchema = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
  conflicts: z.array(z.strictObject({ start: z.string(), end: z.string() })).optional(),
});

/** How a request is sent: `json` is a body to send as JSON, `body` one as it is; `token` null sends none. */
export interface Sending {
  method?: string;
  json?: unknown;
  body?: BodyInit;
  token?: string | null;
  headers?: Record<string, string>;
  nowMs?: number;
}

/** The HTTP surface with `change` in its environment. `events` are what it recorded; `settled` waits for what went on after an answer. */
export function openHouse(change: Partial<Env> & Record<string, unknown> = {}) {
  const events: MetricEvent[] = [];
  const background: Promise<void>[] = [];
  const send = (
    path: string,
    { method, json, body, token = TOKEN, headers, nowMs = NOW_MS }: Sending = {},
  ) => {
    const request = new Request(`${BASE_URL}${path}`, {
      method: method ?? (json === undefined ? 'GET' : 'POST'),
      headers: {
        ...(token !== null && { Authorization: `Bearer ${token}` }),
        ...(json !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...(body !== undefined && { body }),
    });
    return handleRequest(request, {
      env: { ...env, ...change },
      now: () => nowMs,
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
      randomId: () => freshId('id'),
      record: (event) => events.push(event),
      waitUntil: (work) => void background.push(work),
    });
  };
  return { send, events, settled: () => Promise.all(background) };
}

/** Reads a problem; fails when the response is none, or is not the one its body says. */
export async function readProblem(response: Response): Promise<z.infer<typeof problemSchema>> {
  expect(response.headers.get('Content-Type')).toBe('application/problem+json');
  const problem = problemSchema.parse(await response.json());
  expect(problem.status).toBe(response.status);
  return problem;
}

/** Reads the page that a person sees; fails when it could run a script or redirect. */
export async function readPage(response: Response): Promise<string> {
  expect(response.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
  expect(response.headers.get('Location')).toBeNull();
  expect(response.headers.get('Content-Security-Policy')).toContain("default-src 'none'");
  return await response.text();
}

/** The target of a redirect; fails when the response is none, or would leave traces. */
export function readRedirect(response: Response): URL {
  expect(response.status).toBe(302);
  expect(response.headers.get('Cache-Control')).toBe('no-store');
  expect(response.headers.get('Referrer-Policy')).toBe('no-referrer');
  return new URL(response.headers.get('Location') ?? '');
}

/** The cookie that a response sets, as the browser would send it back. */
export function readCookie(response: Response): string {
  return present(response.headers.get('Set-Cookie')?.split(';')[0]);
}

/** Adds a connector as an earlier sign-in has left it; its id. */
export async function addActiveConnector(userId: string, provider: ProviderName = 'google'): Promise<string> {
  const id = freshId();
  await insertConnector(env.DB, { id, userId, provider }, NOW_MS);
  await saveConnectorState(
    env.DB,
    id,
    {
      status: 'active',
      accountId: 'account-1',
      accountEmail: 'ada@example.com',
      tenantId: provider === 'microsoft' ? '99999999-2222-4333-8444-555555555555' : null,
      scopes: ['scope-one', 'scope-two'],
      refreshTokenEnc: 'v1.k1.sealed',
    },
    NOW_MS,
  );
  return id;
}
