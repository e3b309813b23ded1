import { tenantSchema } from '../domain/connector.ts';
import { openBrowserSession, readBrowserSession } from '../oauth/browser-session.ts';
import { openConsentState, sealConsentState } from '../oauth/consent-state.ts';
import { FLOW_LIFE_MS } from '../oauth/flow.ts';
import { isAllowedRedirect, withResult } from '../oauth/redirect-uri.ts';
import { createMicrosoftOAuth } from '../providers/microsoft/oauth.ts';
import type { Context } from '../operations/context.ts';
import { page, redirect } from './respond.ts';

/**
 * `GET /oauth/microsoft/admin-consent/start?redirectUri=&tenant=`: sends an administrator to the page
 * where they consent for their organisation. The consent itself is Microsoft's to keep; nothing is
 * connected by it, so no API token is needed to begin, and nothing is stored.
 */
export async function startAdminConsent(request: Request, context: Context): Promise<Response> {
  const { config, now, randomBytes } = context;
  const query = new URL(request.url).searchParams;
  const redirectUri = query.get('redirectUri') ?? '';
  const tenant = tenantSchema.safeParse(query.get('tenant') ?? 'organizations');
  if (!isAllowedRedirect(redirectUri, config.allowedRedirectUris) || !tenant.success) {
    return page(400, 'This link is not good', 'Its redirectUri or its tenant is not valid.');
  }
  const oauth = createMicrosoftOAuth(config.microsoft);
  const session = await openBrowserSession(request, config.publicBaseUrl, randomBytes);
  const state = await sealConsentState(config.keyring, session.hash, {
    redirectUri,
    expiresAtMs: now() + FLOW_LIFE_MS,
  });
  const location = oauth.adminConsentUrl({
    tenant: tenant.data,
    callbackUrl: `${config.publicBaseUrl}/oauth/microsoft/admin-consent/callback`,
    state,
    scopes: [...oauth.defaultScopes],
  });
  return redirect(location, { 'Set-Cookie': session.setCookie });
}

/**
 * `GET /oauth/microsoft/admin-consent/callback`: sends the administrator back with
 * `status=granted | denied | error`. The tenant that Microsoft names in the query proves nothing, so
 * nothing is decided by it.
 */
export async function completeAdminConsent(request: Request, { config, now }: Context): Promise<Response> {
  const callback = new URL(request.url).searchParams;
  const session = await readBrowserSession(request, config.publicBaseUrl);
  const state = callback.get('state') ?? '';
  const flow = session && (await openConsentState(config.keyring, session.hash, state));
  if (flow === undefined || flow.expiresAtMs <= now()) {
    return page(
      400,
      'This consent cannot be completed',
      'It may have expired, or it was started in another browser.',
    );
  }
  // A refusal, too, comes back with admin_consent=True; only `error` tells.
  switch (callback.get('error')) {
    case null:
      return redirect(withResult(flow.redirectUri, { status: 'granted' }));
    case 'access_denied':
    case 'consent_required':
      return redirect(withResult(flow.redirectUri, { status: 'denied' }));
    default:
      return redirect(withResult(flow.redirectUri, { status: 'error', code: 'provider_rejected' }));
  }
}
