import { jsonAnswer } from '../exchange.ts';
import type { Answer } from '../exchange.ts';
import type { World } from '../world.ts';

/** GET of /{tenant}/v2.0/.well-known/openid-configuration. */
export function openIdConfiguration(world: World, tenant: string): Answer {
  const base = `${world.origin()}/${tenant}`;
  const named = ['common', 'organizations', 'consumers'].includes(tenant);
  return jsonAnswer(200, {
    issuer: `https://login.microsoftonline.com/${named ? '{tenantid}' : tenant}/v2.0`,
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    token_endpoint: `${base}/oauth2/v2.0/token`,
    jwks_uri: `${base}/discovery/v2.0/keys`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    token_endpoint_auth_methods_supported: ['client_secret_post'],
  });
}

/** GET of /common/discovery/instance: which hosts are one and the same cloud. */
export function discovery(): Answer {
  return jsonAnswer(200, {
    tenant_discovery_endpoint:
      'https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration',
    'api-version': '1.1',
    metadata: [
      {
        preferred_network: 'login.microsoftonline.com',
        preferred_cache: 'login.windows.net',
        aliases: ['login.microsoftonline.com', 'login.windows.net', 'login.microsoft.com', 'sts.windows.net'],
      },
    ],
  });
}
