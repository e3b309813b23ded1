import * as z from 'zod';
import type { SyncStatus } from '../domain/mirror.ts';

const rowSchema = z.object({
  last_sync_cursor: z.string().nullable(),
  sync_status: z.enum(['idle', 'syncing', 'error']).nullable(),
  last_error: z.string().nullable(),
  retry_count: z.number().nullable(),
  next_retry_at: z.number().nullable(),
  updated_at: z.number(),
});

/**
 * Overwrites what is shown, as other services see it: one row. The table keeps whole seconds, and no retry
 * that is before it is due. Of a connector without a row of its own nothing is written.
 */
export async function saveSyncState(
  db: D1Database,
  connectorId: string,
  { cursor, status, lastError, retryCount, nextRetryAtMs }: SyncStatus,
  nowMs: number,
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO sync_state
         (connector_id, last_sync_cursor, sync_status, last_error, retry_count, next_retry_at, updated_at)
       SELECT id, ?2, ?3, ?4, ?5, ?6, ?7 FROM connectors WHERE id = ?1
       ON CONFLICT (connector_id) DO UPDATE SET
         last_sync_cursor = excluded.last_sync_cursor, sync_status = excluded.sync_status,
         last_error = excluded.last_error, retry_count = excluded.retry_count,
         next_retry_at = excluded.next_retry_at, updated_at = excluded.updated_at`,
    )
    .bind(
      connectorId,
      cursor,
      status,
      lastError,
      retryCount,
      nextRetryAtMs === null ? null : Math.ceil(nextRetryAtMs / 1000),
      Math.floor(nowMs / 1000),
    )
    .run();
}

/** What is shown of a connector's sync, and since when; undefined when nothing is. */
export async function findSyncState(
  db: D1Database,
  connectorId: string,
): Promise<(SyncStatus & { updatedAtMs: number }) | undefined> {
  const found = await db.prepare('SELECT * FROM sync_state WHERE connector_id = ?').bind(connectorId).first();
  if (found === null) return undefined;
  const row = rowSchema.parse(found);
  return {
    cursor: row.last_sync_cursor,
    status: row.sync_status ?? 'idle',
    lastError: row.last_error,
    retryCount: row.retry_count ?? 0,
    nextRetryAtMs: row.next_retry_at === null ? null : row.next_retry_at * 1000,
    updatedAtMs: row.updated_at * 1000,
  };
}

/** Takes a connector's sync off the table; its row in `connectors` cannot go before. */
export async function deleteSyncState(db: D1Database, connectorId: string): Promise<void> {
  await db.prepare('DELETE FROM sync_state WHERE connector_id = ?').bind(connectorId).run();
}
