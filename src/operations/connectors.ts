import { actorOf } from '../connector/stub.ts';
import {
  type ConnectorRow,
  findConnector,
  insertConnector,
  listConnectors as listRows,
  presentConnector,
} from '../db/connectors.ts';
import { insertOAuthState } from '../db/oauth-state.ts';
import type { Connector, ConnectorStatus, ConnectRequest } from '../domain/connector.ts';
import { ok } from '../domain/failure.ts';
import { FLOW_LIFE_MS, newFlowSecrets, newState, sealFlow } from '../oauth/flow.ts';
import { isAllowedRedirect } from '../oauth/redirect-uri.ts';
import { createProvider } from '../providers/index.ts';
import type { Context } from './context.ts';
import { noConnector } from './known.ts';
import { failed, invalidField, refuse, type Result } from './result.ts';

/** A connector whose person has yet to sign in, at `authorizeUrl`, before `expiresAt` (RFC 3339). */
export interface StartedConnect {
  connectorId: string;
  status: ConnectorStatus;
  authorizeUrl: string;
  expiresAt: string;
}

/**
 * Makes a connector (or takes the one named) and the address where its person signs in. With `key`, a
 * repeat is the same connector.
 */
export async function startConnect(
  wanted: ConnectRequest,
  key: string | undefined,
  context: Context,
): Promise<Result<StartedConnect>> {
  if (!isAllowedRedirect(wanted.redirectUri, context.config.allowedRedirectUris)) {
    return invalidField('redirectUri', 'is not one of ALLOWED_REDIRECT_URIS');
  }
  if (wanted.tenant !== undefined && wanted.provider !== 'microsoft') {
    return invalidField('tenant', 'is for Microsoft only');
  }
  if (wanted.connectorId !== undefined) return await reconnect(wanted, wanted.connectorId, context);

  const { userId, provider } = wanted;
  const id = key === undefined ? context.randomId() : await idOfKey(userId, key);
  await insertConnector(context.env.DB, { id, userId, provider }, context.now());
  const row = await findConnector(context.env.DB, id);
  if (row === undefined || row.provider !== provider) {
    return refuse('idempotency_mismatch', 'This Idempotency-Key made a connector of another provider');
  }
  return await startFlow(wanted, row, {}, context);
}

/** The same person and provider as before; everything that is stored stays until the sign-in succeeds. */
async function reconnect(
  wanted: ConnectRequest,
  connectorId: string,
  context: Context,
): Promise<Result<StartedConnect>> {
  const row = await findConnector(context.env.DB, connectorId);
  if (row === undefined || row.user_id !== wanted.userId) {
    return refuse('not_found', `connectorId: no connector ${connectorId} of this user`);
  }
  if (row.provider !== wanted.provider)
    return invalidField('provider', `is ${row.provider} for this connector`);
  const hints = await actorOf(context.env, connectorId).signInHints();
  if (!hints.ok) return failed(hints.failure, context.now());
  const { scopes, claims } = hints.value;
  return await startFlow(
    { ...(scopes !== undefined && { scopes }), ...wanted },
    row,
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
  { id: connectorId, status }: ConnectorRow,
  hints: { loginHint?: string; tenant?: string; claims?: string },
  { env, config, now }: Context,
): Promise<Result<StartedConnect>> {
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
    connectorId,
    flowEnc: await sealFlow(config.keyring, state, secrets),
    nowMs,
    expiresAtMs,
  });
  return ok({
    connectorId,
    status,
    authorizeUrl: `${config.publicBaseUrl}/oauth/${provider}/start?state=${encodeURIComponent(state)}`,
    expiresAt: new Date(expiresAtMs).toISOString(),
  });
}

/** The connectors of one person. */
export async function listConnectors(
  userId: string,
  { env }: Pick<Context, 'env'>,
): Promise<Result<{ connectors: Connector[] }>> {
  if (userId === '') return invalidField('userId', 'must not be empty');
  return ok({ connectors: (await listRows(env.DB, userId)).map(presentConnector) });
}

/** The state of a connector. */
export async function getConnector(
  connectorId: string,
  { env }: Pick<Context, 'env'>,
): Promise<Result<Connector>> {
  const row = await findConnector(env.DB, connectorId);
  return row === undefined ? noConnector(connectorId) : ok(presentConnector(row));
}

/** Withdraws the grant and erases everything but the row that says so. */
export async function disconnect(
  connectorId: string,
  { env, now }: Pick<Context, 'env' | 'now'>,
): Promise<Result<Connector>> {
  const row = await findConnector(env.DB, connectorId);
  if (row === undefined) return noConnector(connectorId);
  const ended = await actorOf(env, connectorId).disconnect({
    connectorId,
    provider: row.provider,
    userId: row.user_id,
  });
  if (!ended.ok) return failed(ended.failure, now());
  return await getConnector(connectorId, { env });
}

/** The id that a key of this user always leads to: 128 bits of SHA-256, in hex. */
export async function idOfKey(userId: string, key: string): Promise<string> {
  const digest = await crypto.subtle.digest(
    'SHA-256',
    new TextEncoder().encode(JSON.stringify([userId, key])),
  );
  return [...new Uint8Array(digest, 0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
