import {
  ConfidentialClientApplication,
  type ICachePlugin,
  type INetworkModule,
  type NetworkRequestOptions,
  type NetworkResponse,
} from '@azure/msal-node';
import * as z from 'zod';
import type { Outcome } from '../../domain/failure.ts';
import { readJson, type Reply, type Send } from '../http.ts';
import type { MicrosoftConfig } from './config.ts';

/**
 * The authority MSAL is given whatever cloud we talk to: it insists on https, and knows the endpoints
 * of this host without asking for them.
 */
const AUTHORITY = 'https://login.microsoftonline.com';

/** One use of MSAL: made for one call and dropped after it, so that no two connectors share a cache or a throttle. */
export interface MsalCall {
  readonly app: ConfidentialClientApplication;
  /** What the token endpoint answered, undefined as long as MSAL has not called it. MSAL itself forgets the status. */
  lastReply(): Outcome<Reply> | undefined;
  /** MSAL's cache as it stands now, serialized; it holds tokens. Undefined when there never was one. */
  cache(): string | undefined;
}

/** What one use of MSAL starts from. Without `send` it can only build URLs. */
export interface MsalCallOptions {
  /** `common`, `organizations`, `consumers`, a tenant's GUID or domain. */
  tenant: string;
  send?: Send;
  /** The cache that an earlier call left. */
  cache?: string;
}

/**
 * Sets MSAL up for one call. It declares the capability `CP1`: without it Graph never sends a claims
 * challenge. Throws MSAL's own error when the client secret is empty.
 */
export function prepareMsal(
  config: MicrosoftConfig,
  { tenant, send, cache: heldCache }: MsalCallOptions,
): MsalCall {
  let lastReply: Outcome<Reply> | undefined;
  let cache = heldCache;

  const networkClient: INetworkModule = {
    sendGetRequestAsync: () =>
      Promise.reject(new Error('MSAL knows this authority; it has nothing to discover')),
    async sendPostRequestAsync<T>(url: string, options?: NetworkRequestOptions): Promise<NetworkResponse<T>> {
      if (send === undefined) throw new Error('this call only builds a URL');
      lastReply = await send({
        method: 'POST',
        url: toLoginHost(url, config),
        ...(options?.headers !== undefined && { headers: options.headers }),
        ...(options?.body !== undefined && { body: options.body }),
      });
      // What is no grant is judged from `lastReply` by our caller; MSAL's own reading of it would lose the status.
      if (!lastReply.ok || lastReply.value.status !== 200) throw new Error('no grant');
      const { status, headers, body } = lastReply.value;
      const grant: T = JSON.parse(body);
      return { status, headers: Object.fromEntries(headers), body: grant };
    },
  };

  const cachePlugin: ICachePlugin = {
    beforeCacheAccess: ({ tokenCache }) => {
      // The new tokens are already granted: an unreadable old cache must not cost us those.
      if (cache !== undefined && isCache(cache)) tokenCache.deserialize(cache);
      return Promise.resolve();
    },
    afterCacheAccess: ({ tokenCache }) => {
      cache = tokenCache.serialize();
      return Promise.resolve();
    },
  };

  const app = new ConfidentialClientApplication({
    auth: {
      clientId: config.clientId,
      clientSecret: config.clientSecret,
      authority: `${AUTHORITY}/${tenant}`,
      clientCapabilities: ['CP1'],
    },
    cache: { cachePlugin },
    system: { networkClient },
  });
  return { app, lastReply: () => lastReply, cache: () => cache };
}

/** Whether a text has the shape of MSAL's cache, a table of tables: MSAL fails late and badly on any other. */
function isCache(text: string): boolean {
  const json = readJson(text, 'cache');
  return json.ok && z.record(z.string(), z.record(z.string(), z.unknown())).safeParse(json.value).success;
}

/** A URL of MSAL's authority, moved to the configured login host. Throws for a URL of any other host. */
export function toLoginHost(url: string, { loginUrl }: MicrosoftConfig): string {
  if (!url.startsWith(`${AUTHORITY}/`)) throw new Error('MSAL left its authority');
  return loginUrl + url.slice(AUTHORITY.length);
}
