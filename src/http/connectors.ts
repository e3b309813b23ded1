import { actorOf } from '../connector/stub.ts';
import { findConnector, insertConnector, listConnectors, presentConnector } from '../db/connectors.ts';
import { insertOAuthState } from '../db/oauth-state.ts';
import { type ConnectRequest, connectRequestSchema } from '../domain/connector.ts';
import { FLOW_LIFE_MS, newFlowSecrets, newState, sealFlow } from '../oauth/flow.ts';
import { isAllowedRedirect } from '../oauth/redirect-uri.ts';
import { createProvider } from '../providers/index.ts';
import { readBody } from './body.ts';
import type { Context } from './context.ts';
import { idOfKey, readIdempotencyKey } from './idempotency.ts';
import { failureProblem, invalidField, json, problem } from './respond.ts';

/** `POST /v1/connectors`: makes a connector (or takes the one named) and the address where its person signs in. */
export async function createConnector(request: Request, context: Context): Promise<Response> {
  const body = await readBody(request, connectRequestSchema);
  if (!body.ok) return body.response;
  const wanted = body.value;
  if (!isAllowedRedirect(wanted.redirectUri, context.config.allowedRedirectUris)) {
    return invalidField('redirectUri', 'is not one of ALLOWED_REDIRECT_URIS');
  }
  if (wanted.tenant !== undefined && wanted.provider !== 'microsoft') {
    return invalidField('tenant', 'is for Microsoft only');
  }
  if (wanted.connectorId !== undefined) return await reconnect(wanted, wanted.connectorId, context);

  const key = readIdempotencyKey(request);
  if (key instanceof Response) return key;
  const { userId, provider } = wanted;
  const id = key === undefined ? context.randomId() : await idOfKey(userId, key);
  await insertConnector(context.env.DB, { id, userId, provider }, context.now());
  const row = await findConnector(context.env.DB, id);
  if (row === undefined || row.provider !== provider) {
    return problem('idempotency_mismatch', `This Idempotency-Key made a connector of another provider`);
  }
  return await startFlow(wanted, { connectorId: id, status: row.status }, {}, context);
}

/** The same person and provider as before; everything that is stored stays until the sign-in succeeds. */
async function reconnect(wanted: ConnectRequest, connectorId: string, context: Context): Promise<Response> {
  const row = await findConnector(context.env.DB, connectorId);
  if (row === undefined || row.user_id !== wanted.userId) {
    return problem('not_found', `connectorId: no connector ${connectorId} of this user`);
  }
  if (row.provider !== wanted.provider)
    return invalidField('provider', `is ${row.provider} for this connector`);
  const hints = await actorOf(context.env, connectorId).signInHints();
  if (!hints.ok) return failureProblem(hints.failure, context.now());
  const { scopes, claims } = hints.value;
  return await startFlow(
    { ...(scopes !== undefined && { scopes }), ...wanted },
    { connectorId, status: row.status },
    {
      ...(wanted.loginHint === undefined && row.account_email !== null && { loginHint: row.account_email }),
      ...(wanted.tenant === undefined && row.tenant_id !== null && { tenant: row.tenant_id }),
      ...(claims !== undefined && { claims }),
    },
    context,
  );
}

async function startFlow(
  wanted: ConnectRequest,
  connector: { connectorId: string; status: string },
  hints: { loginHint?: string; tenant?: string; claims?: string },
  { env, config, now }: Context,
): Promise<Response> {
  const { provider, loginHint, tenant } = wanted;
  const state = newState();
  const nowMs = now();
  const expiresAtMs = nowMs + FLOW_LIFE_MS;
  const secrets = newFlowSecrets({
    ...hints,
    ...(loginHint !== undefined && { loginHint }),
    ...(tenant !== undefined && { tenant }),
  });
  await insertOAuthState(env.DB, {
    state,
    userId: wanted.userId,
    provider,
    redirectUri: wanted.redirectUri,
    scopes: wanted.scopes ?? [...createProvider(provider, config).oauth.defaultScopes],
    connectorId: connector.connectorId,
    flowEnc: await sealFlow(config.keyring, state, secrets),
    nowMs,
    expiresAtMs,
  });
  return json(
    {
      ...connector,
      authorizeUrl: `${config.publicBaseUrl}/oauth/${provider}/start?state=${encodeURIComponent(state)}`,
      expiresAt: new Date(expiresAtMs).toISOString(),
    },
    201,
  );
}

/** `GET /v1/connectors?userId=`: the connectors of one person. */
export async function listConnectorsOf(request: Request, { env }: Context): Promise<Response> {
  const userId = new URL(request.url).searchParams.get('userId');
  if (userId === null || userId === '') return invalidField('userId', 'is needed in the query');
  const rows = await listConnectors(env.DB, userId);
  return json({ connectors: rows.map(presentConnector) });
}

/** `GET /v1/connectors/:id`: its state. */
export async function getConnector(connectorId: string, { env }: Pick<Context, 'env'>): Promise<Response> {
  const row = await findConnector(env.DB, connectorId);
  return row === undefined ? noConnector(connectorId) : json(presentConnector(row));
}

/** `DELETE /v1/connectors/:id`: withdraws the grant and erases everything but the row that says so. */
export async function deleteConnector(connectorId: string, { env, now }: Context): Promise<Response> {
  const row = await findConnector(env.DB, connectorId);
  if (row === undefined) return noConnector(connectorId);
  const ended = await actorOf(env, connectorId).disconnect({
    connectorId,
    provider: row.provider,
    userId: row.user_id,
  });
  if (!ended.ok) return failureProblem(ended.failure, now());
  return await getConnector(connectorId, { env });
}

/** The 404 for an id that names no connector. */
export function noConnector(connectorId: string): Response {
  return problem('not_found', `No connector ${connectorId.slice(0, 128)}`);
}
