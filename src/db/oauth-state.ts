import * as z from 'zod';
import { type ProviderName, providerNameSchema } from '../domain/connector.ts';

const rowSchema = z.object({
  state: z.string(),
  user_id: z.string(),
  provider: providerNameSchema,
  redirect_uri: z.string(),
  scopes: z.string(),
  connector_id: z.string(),
  flow_enc: z.string(),
  session_hash: z.string().nullable(),
  expires_at: z.number(),
});

/**
 * A sign-in under way. `flow_enc` holds the
 * flow's secrets, sealed. `session_hash` names the browser once one has started; `expires_at` is epoch seconds.
 */
export type OAuthStateRow = z.infer<typeof rowSchema>;

/** Remembers a sign-in that is about to start. `expiresAtMs`: epoch milliseconds. */
export async function insertOAuthState(
  db: D1Database,
  flow: {
    state: string;
    userId: string;
    provider: ProviderName;
    redirectUri: string;
    scopes: string[];
    connectorId: string;
    flowEnc: string;
    nowMs: number;
    expiresAtMs: number;
  },
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO oauth_state
         (state, user_id, provider, redirect_uri, scopes, created_at, expires_at, connector_id, flow_enc)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .bind(
      flow.state,
      flow.userId,
      flow.provider,
      flow.redirectUri,
      flow.scopes.join(' '),
      Math.floor(flow.nowMs / 1000),
      Math.floor(flow.expiresAtMs / 1000),
      flow.connectorId,
      flow.flowEnc,
    )
    .run();
}

/** Which flow a state must be of to count. */
export interface FlowMatch {
  state: string;
  provider: ProviderName;
  sessionHash: string;
  nowMs: number;
}

const MATCHES = `state = ? AND provider = ? AND expires_at > ?`;

/**
 * Binds a flow to the browser that starts it. The first browser wins, and may start again.
 *
 * @returns the flow; undefined when there is no such flow, it has expired, or another browser has it.
 */
export async function bindOAuthState(db: D1Database, match: FlowMatch): Promise<OAuthStateRow | undefined> {
  const row = await db
    .prepare(
      `UPDATE oauth_state SET session_hash = ?
       WHERE ${MATCHES} AND (session_hash IS NULL OR session_hash = ?) RETURNING *`,
    )
    .bind(match.sessionHash, ...matchValues(match), match.sessionHash)
    .first();
  return row === null ? undefined : rowSchema.parse(row);
}

/**
 * Consumes a flow: one statement, so that of several simultaneous callbacks exactly one gets it. A
 * callback that does not match leaves the flow to its owner.
 */
export async function takeOAuthState(db: D1Database, match: FlowMatch): Promise<OAuthStateRow | undefined> {
  const row = await db
    .prepare(`DELETE FROM oauth_state WHERE ${MATCHES} AND session_hash = ? RETURNING *`)
    .bind(...matchValues(match), match.sessionHash)
    .first();
  return row === null ? undefined : rowSchema.parse(row);
}

function matchValues({ state, provider, nowMs }: FlowMatch): (string | number)[] {
  return [state, provider, Math.floor(nowMs / 1000)];
}

/** Removes the flows that nobody finished in time; returns how many. */
export async function sweepOAuthStates(db: D1Database, nowMs: number): Promise<number> {
  const { meta } = await db
    .prepare('DELETE FROM oauth_state WHERE expires_at <= ?')
    .bind(Math.floor(nowMs / 1000))
    .run();
  return meta.changes;
}

/** Removes every flow of one connector, so that none completes after it was disconnected. */
export async function dropOAuthStates(db: D1Database, connectorId: string): Promise<void> {
  await db.prepare('DELETE FROM oauth_state WHERE connector_id = ?').bind(connectorId).run();
}
