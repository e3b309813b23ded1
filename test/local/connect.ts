import * as z from 'zod';
import { signIn } from '../sandbox/person-at-browser.ts';
import type { Runtime } from './runtime.ts';

import { LOCAL_REDIRECT_URI } from './settings.ts';

/** The worker as its callers and browsers see it. */
type Worker = Pick<Runtime, 'api' | 'fetch'>;

/** What the person does at the provider's consent page. */
export interface AtTheProvider {
  account: string;
  decision?: 'allow' | 'refuse';
  untick?: string[];
}

const begunSchema = z.object({ connectorId: z.string(), authorizeUrl: z.string() });

/** The start of a connect: the connector and the address where its person signs in. */
export type Begun = z.infer<typeof begunSchema>;

/** Asks the API for a connector. */
export async function beginConnect(runtime: Worker, body: Record<string, unknown>): Promise<Begun> {
  const answer = await runtime.api('POST', '/v1/connectors', { redirectUri: LOCAL_REDIRECT_URI, ...body });
  if (answer.status !== 201) throw new Error(`POST /v1/connectors: ${answer.status} ${answer.text}`);
  return begunSchema.parse(answer.json);
}

/** Opens the sign-in link: the provider's address that the browser is sent to, and the browser's cookie. */
export async function openLink(runtime: Worker, authorizeUrl: string, cookie?: string) {
  const started = await runtime.fetch(
    authorizeUrl,
    cookie === undefined ? {} : { headers: { Cookie: cookie } },
  );
  const location = started.headers.get('Location');
  if (location === null) throw new Error(`${authorizeUrl}: ${started.status} ${started.text}`);
  return { location, cookie: started.headers.get('Set-Cookie')?.split(';')[0] ?? cookie ?? '' };
}

/** Goes through the sign-in up to the callback's address, which is not opened yet. */
export async function signInUpToCallback(runtime: Worker, authorizeUrl: string, person: AtTheProvider) {
  const { location, cookie } = await openLink(runtime, authorizeUrl);
  return { cookie, callback: await signIn(location, person) };
}

/** The whole dance, as the person's browser does it: where it ends. */
export async function finishConnect(
  runtime: Worker,
  authorizeUrl: string,
  person: AtTheProvider,
): Promise<URL> {
  const { cookie, callback } = await signInUpToCallback(runtime, authorizeUrl, person);
  const completed = await runtime.fetch(callback, { headers: { Cookie: cookie } });
  const location = completed.headers.get('Location');
  if (location === null) throw new Error(`callback: ${completed.status} ${completed.text}`);
  return new URL(location);
}

/** Connects a person's account; the id of its connector. Throws when it does not end as connected. */
export async function connect(
  runtime: Worker,
  person: { email: string; provider: string },
  body: Record<string, unknown> = {},
): Promise<string> {
  const { connectorId, authorizeUrl } = await beginConnect(runtime, {
    userId: `user-of-${person.email}`,
    provider: person.provider,
    ...body,
  });
  const end = await finishConnect(runtime, authorizeUrl, { account: person.email });
  if (end.searchParams.get('status') !== 'connected') throw new Error(`not connected: ${end.href}`);
  return connectorId;
}
