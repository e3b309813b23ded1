import * as z from 'zod';
import {
  type Connector,
  connectorStatusSchema,
  type ConnectorStatus,
  type ProviderName,
  providerNameSchema,
} from '../domain/connector.ts';

const rowSchema = z.object({
  id: z.string(),
  user_id: z.string(),
  provider: providerNameSchema,
  account_id: z.string().nullable(),
  account_email: z.string().nullable(),
  tenant_id: z.string().nullable(),
  scopes: z.string(),
  status: connectorStatusSchema,
  refresh_token_enc: z.string().nullable(),
  created_at: z.number(),
  updated_at: z.number(),
});

/** A row of the table `connectors`. `scopes` are space-separated; times are epoch seconds. */
export type ConnectorRow = z.infer<typeof rowSchema>;

/** A row as the API shows it: no account id, no sealed token. */
export function presentConnector(row: ConnectorRow): Connector {
  return {
    connectorId: row.id,
    userId: row.user_id,
    provider: row.provider,
    status: row.status,
    ...(row.account_email !== null && { accountEmail: row.account_email }),
    ...(row.tenant_id !== null && { tenantId: row.tenant_id }),
    scopes: row.scopes === '' ? [] : row.scopes.split(' '),
    createdAt: new Date(row.created_at * 1000).toISOString(),
    updatedAt: new Date(row.updated_at * 1000).toISOString(),
  };
}

/** Adds a connector that waits for its person to sign in; one that is there already stays as it is. */
export async function insertConnector(
  db: D1Database,
  connector: { id: string; userId: string; provider: ProviderName },
  nowMs: number,
): Promise<void> {
  const seconds = Math.floor(nowMs / 1000);
  await db
    .prepare(
      `INSERT INTO connectors (id, user_id, provider, scopes, status, created_at, updated_at)
       VALUES (?, ?, ?, '', 'pending', ?, ?) ON CONFLICT (id) DO NOTHING`,
    )
    .bind(connector.id, connector.userId, connector.provider, seconds, seconds)
    .run();
}

/** The connector of this id, if there is one of ours: the table is shared. */
export async function findConnector(db: D1Database, id: string): Promise<ConnectorRow | undefined> {
  const row = await db.prepare('SELECT * FROM connectors WHERE id = ?').bind(id).first();
  return row === null ? undefined : rowSchema.safeParse(row).data;
}

/**
 * Every connector of one person, oldest first. The table is shared: a row of another service's kind
 * is not ours to show, and must not hide the others.
 */
export async function listConnectors(db: D1Database, userId: string): Promise<ConnectorRow[]> {
  const { results } = await db
    .prepare('SELECT * FROM connectors WHERE user_id = ? ORDER BY created_at, id')
    .bind(userId)
    .all();
  return results.flatMap((row) => {
    const read = rowSchema.safeParse(row);
    return read.success ? [read.data] : [];
  });
}

/** Those of `ids` (at most 100) that name a connector. */
export async function existingConnectorIds(db: D1Database, ids: readonly string[]): Promise<string[]> {
  const marks = ids.map(() => '?').join(', ');
  const { results } = await db
    .prepare(`SELECT id FROM connectors WHERE id IN (${marks}) AND provider IN ('google', 'microsoft')`)
    .bind(...ids)
    .all();
  return readIds(results);
}

function readIds(rows: unknown): string[] {
  return z
    .array(z.object({ id: z.string() }))
    .parse(rows)
    .map(({ id }) => id);
}

/** At most `most` connectors whose refresh token is sealed with another key than `currentPrefix` tells. */
export async function staleConnectorIds(
  db: D1Database,
  currentPrefix: string,
  most: number,
): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT id FROM connectors WHERE provider IN ('google', 'microsoft')
         AND substr(refresh_token_enc, 1, length(?1)) <> ?1 LIMIT ?2`,
    )
    .bind(currentPrefix, most)
    .all();
  return readIds(results);
}

/**
 * At most `most` connectors behind `position`, in the order of their ids, that may have something to do:
 * all but those that nobody has signed in to, or that were disconnected, since before `sinceMs`.
 */
export async function livelyConnectorIds(
  db: D1Database,
  position: string,
  sinceMs: number,
  most: number,
): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT id FROM connectors WHERE id > ? AND provider IN ('google', 'microsoft')
         AND (status NOT IN ('pending', 'disconnected') OR updated_at >= ?) ORDER BY id LIMIT ?`,
    )
    .bind(position, Math.floor(sinceMs / 1000), most)
    .all();
  return readIds(results);
}

/** What an actor shows of itself in its row. */
export interface ConnectorState {
  status: ConnectorStatus;
  accountId: string | null;
  accountEmail: string | null;
  tenantId: string | null;
  scopes: string[];
  refreshTokenEnc: string | null;
}

/** Overwrites what the row shows of the actor's state. */
export async function saveConnectorState(
  db: D1Database,
  id: string,
  state: ConnectorState,
  nowMs: number,
): Promise<void> {
  await db
    .prepare(
      `UPDATE connectors SET status = ?, account_id = ?, account_email = ?, tenant_id = ?, scopes = ?,
         refresh_token_enc = ?, updated_at = ? WHERE id = ?`,
    )
    .bind(
      state.status,
      state.accountId,
      state.accountEmail,
      state.tenantId,
      state.scopes.join(' '),
      state.refreshTokenEnc,
      Math.floor(nowMs / 1000),
      id,
    )
    .run();
}

/** Notes that a first sign-in was allowed too little; a connector that was ever connected stays as it is. */
export async function markConsentMissing(db: D1Database, id: string, nowMs: number): Promise<void> {
  await db
    .prepare(
      `UPDATE connectors SET status = 'consent_missing', updated_at = ? WHERE id = ? AND status = 'pending'`,
    )
    .bind(Math.floor(nowMs / 1000), id)
    .run();
}

/** Whether a connector other than `id` is connected to this account. */
export async function hasSibling(
  db: D1Database,
  id: string,
  account: { provider: ProviderName; id: string; tenantId: string | undefined },
): Promise<boolean> {
  const row = await db
    .prepare(
      `SELECT id FROM connectors
       WHERE provider = ? AND account_id = ? AND tenant_id IS ? AND id <> ? AND status <> 'disconnected' LIMIT 1`,
    )
    .bind(account.provider, account.id, account.tenantId ?? null, id)
    .first();
  return row !== null;
}
