import { actorOf } from '../connector/stub.ts';
import { findConnector, markConsentMissing } from '../db/connectors.ts';
import { bindOAuthState, type OAuthStateRow, takeOAuthState } from '../db/oauth-state.ts';
import { type ProviderName, providerNameSchema } from '../domain/connector.ts';
import { describeFailure } from '../domain/failure.ts';
import { describeThrown } from '../metrics.ts';
import { openBrowserSession, readBrowserSession } from '../oauth/browser-session.ts';
import { codeChallengeOf, openFlow } from '../oauth/flow.ts';
import { withResult } from '../oauth/redirect-uri.ts';
import { createProvider } from '../providers/index.ts';
import type { Context } from '../operations/context.ts';
import { countConnect } from '../operations/metrics.ts';
import { page, redirect } from './respond.ts';

/** `GET /oauth/:provider/start?state=`: binds the flow to this browser and sends it to the provider. */
export async function startSignIn(
  request: Request,
  providerName: string,
  context: Context,
): Promise<Response> {
  const { env, config, now, randomBytes } = context;
  const provider = providerNameSchema.safeParse(providerName);
  const state = new URL(request.url).searchParams.get('state');
  if (!provider.success || state === null) return linkNotGood();
  const session = await openBrowserSession(request, config.publicBaseUrl, randomBytes);
  const flow = await bindOAuthState(env.DB, {
    state,
    provider: provider.data,
    sessionHash: session.hash,
    nowMs: now(),
  });
  if (flow === undefined) return linkNotGood();
  const opened = await openFlow(config.keyring, state, flow.flow_enc);
  if (!opened.ok) return linkNotGood();
  const { codeVerifier, ...secrets } = opened.value;
  const location = await createProvider(provider.data, config).oauth.signInUrl({
    ...secrets,
    state,
    codeChallenge: await codeChallengeOf(codeVerifier),
    callbackUrl: callbackUrlOf(provider.data, context),
    scopes: flow.scopes.split(' '),
  });
  return redirect(location, { 'Set-Cookie': session.setCookie });
}

/**
 * `GET /oauth/:provider/callback`: consumes the state, has the actor complete the sign-in, and sends
 * the person back to the caller. A callback whose state is not good for this browser and provider
 * shows a page, sends its code nowhere and leaves the flow to its owner.
 */
export async function completeSignIn(
  request: Request,
  providerName: string,
  context: Context,
): Promise<Response> {
  const { env, config, now, record } = context;
  const callback = new URL(request.url).searchParams;
  const provider = providerNameSchema.safeParse(providerName);
  const session = await readBrowserSession(request, config.publicBaseUrl);
  const states = callback.getAll('state');
  const [state] = states;
  if (!provider.success || session === undefined || state === undefined || states.length > 1)
    return signInNotGood();
  const oauth = createProvider(provider.data, config).oauth;
  if (!oauth.isOwnCallback(callback)) return signInNotGood();
  const flow = await takeOAuthState(env.DB, {
    state,
    provider: provider.data,
    sessionHash: session.hash,
    nowMs: now(),
  });
  if (flow === undefined) return signInNotGood();
  const connectorId = flow.connector_id;
  const goBack = (result: { status: string; code?: string }) =>
    redirect(withResult(flow.redirect_uri, { connectorId, ...result }));
  try {
    const result = await redeem(flow, callback, context);
    // Redeemed codes are noted by the actor; this is for those that never came to it.
    if (callback.has('error')) {
      const outcome = result.code ?? result.status;
      record({ event: 'connect', connectorId, provider: provider.data, outcome });
      countConnect({ provider: provider.data, connectorId }, outcome, context);
    }
    if (result.code === 'consent_missing') await markConsentMissing(env.DB, connectorId, now());
    return goBack(result);
  } catch (thrown) {
    // The state is spent: the person must not be left on an error that leads nowhere.
    record({ event: 'error', where: `sign-in of ${connectorId}`, detail: describeThrown(thrown) });
    return goBack({ status: 'error', code: 'provider_unavailable' });
  }
}

/** Has the actor redeem the callback of a flow that was just consumed: the result for the caller. */
async function redeem(
  flow: OAuthStateRow,
  callback: URLSearchParams,
  context: Context,
): Promise<{ status: string; code?: string }> {
  const { env, config } = context;
  const { connector_id: connectorId, provider, state } = flow;
  const error = callback.get('error');
  if (error !== null) return readRefusal(error);
  if (callback.getAll('code').length !== 1) return { status: 'error', code: 'invalid_request' };
  const opened = await openFlow(config.keyring, state, flow.flow_enc);
  if (!opened.ok) return { status: 'error', code: 'misconfigured' };
  const row = await findConnector(env.DB, connectorId);
  if (row === undefined) return { status: 'error', code: 'not_found' };

  const { codeVerifier, nonce, tenant } = opened.value;
  const completed = await actorOf(env, connectorId).completeSignIn({
    identity: { connectorId, provider, userId: row.user_id },
    callback: callback.toString(),
    state,
    nonce,
    codeVerifier,
    callbackUrl: callbackUrlOf(provider, context),
    scopes: flow.scopes.split(' '),
    ...(tenant !== undefined && { tenant }),
    ...(row.account_id !== null && {
      knownAccount: { id: row.account_id, ...(row.tenant_id !== null && { tenantId: row.tenant_id }) },
    }),
  });
  return completed.ok ? completed.value : { status: 'error', code: describeFailure(completed.failure).code };
}

/** What the provider's own `error` (RFC 6749 §4.1.2.1) means to the caller; its text goes no further. */
function readRefusal(error: string): { status: 'denied' } | { status: 'error'; code: string } {
  switch (error) {
    case 'access_denied':
      return { status: 'denied' };
    case 'consent_required':
    case 'interaction_required':
    case 'invalid_scope':
      return { status: 'error', code: 'consent_missing' };
    case 'temporarily_unavailable':
    case 'server_error':
      return { status: 'error', code: 'provider_unavailable' };
    case 'unauthorized_client':
    case 'invalid_client':
    case 'invalid_request':
    case 'unsupported_response_type':
      return { status: 'error', code: 'misconfigured' };
    default:
      return { status: 'error', code: 'provider_rejected' };
  }
}

function callbackUrlOf(provider: ProviderName, { config }: Context): string {
  return `${config.publicBaseUrl}/oauth/${provider}/callback`;
}

function linkNotGood(): Response {
  return page(
    400,
    'This link is not good any more',
    'It may have expired, or it was opened in another browser before. Go back to where you came from and connect your calendar again.',
  );
}

function signInNotGood(): Response {
  return page(
    400,
    'This sign-in cannot be completed',
    'It may have expired or been completed already, or it was started in another browser. Go back to where you came from and connect your calendar again.',
  );
}
