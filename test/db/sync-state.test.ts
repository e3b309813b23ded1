import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { insertConnector } from '../../src/db/connectors.ts';
import { deleteSyncState, findSyncState, saveSyncState } from '../../src/db/sync-state.ts';
import type { SyncStatus } from '../../src/domain/mirror.ts';
import { freshId, migrateDatabase } from '../database.ts';

beforeAll(migrateDatabase);

const NOW_MS = Date.UTC(2031, 4, 5, 6, 7, 8, 900);
const NOW_S = Math.floor(NOW_MS / 1000);

const IDLE: SyncStatus = {
  cursor: null,
  status: 'idle',
  lastError: null,
  retryCount: 0,
  nextRetryAtMs: null,
};
const FAILED: SyncStatus = {
  cursor: 'generation-7',
  status: 'error',
  lastError: 'provider_unavailable',
  retryCount: 3,
  nextRetryAtMs: NOW_MS + 60_000,
};

async function addConnector(): Promise<string> {
  const id = freshId();
  await insertConnector(env.DB, { id, userId: 'ada', provider: 'google' }, NOW_MS);
  return id;
}

const rowOf = (id: string) =>
  env.DB.prepare('SELECT * FROM sync_state WHERE connector_id = ?').bind(id).first();

describe('the sync of a connector in the database', () => {
  it('is not there until it is shown', async () => {
    expect(await findSyncState(env.DB, await addConnector())).toBeUndefined();
  });

  it('is shown in the columns of the shared table, in epoch seconds, none before its time', async () => {
    const id = await addConnector();
    await saveSyncState(env.DB, id, FAILED, NOW_MS);
    expect(await rowOf(id)).toEqual({
      connector_id: id,
      last_sync_cursor: 'generation-7',
      sync_status: 'error',
      last_error: 'provider_unavailable',
      retry_count: 3,
      next_retry_at: NOW_S + 61,
      updated_at: NOW_S,
    });
    expect(await findSyncState(env.DB, id)).toEqual({
      ...FAILED,
      nextRetryAtMs: (NOW_S + 61) * 1000,
      updatedAtMs: NOW_S * 1000,
    });
  });

  it('is overwritten whole, and no other with it', async () => {
    const [id, other] = [await addConnector(), await addConnector()];
    await saveSyncState(env.DB, id, FAILED, NOW_MS);
    await saveSyncState(env.DB, other, { ...IDLE, status: 'syncing' }, NOW_MS);
    await saveSyncState(env.DB, id, IDLE, NOW_MS + 5_000);
    expect(await findSyncState(env.DB, id)).toEqual({ ...IDLE, updatedAtMs: NOW_S * 1000 + 5_000 });
    expect(await findSyncState(env.DB, other)).toMatchObject({ status: 'syncing' });
  });

  it('is not shown of a connector that has no row: nothing is written, and nothing thrown', async () => {
    const id = freshId();
    await saveSyncState(env.DB, id, IDLE, NOW_MS);
    expect(await rowOf(id)).toBeNull();
  });

  it('is taken off, as often as one likes, before its connector can go', async () => {
    const [id, other] = [await addConnector(), await addConnector()];
    await saveSyncState(env.DB, id, IDLE, NOW_MS);
    await saveSyncState(env.DB, other, IDLE, NOW_MS);
    const drop = () => env.DB.prepare('DELETE FROM connectors WHERE id = ?').bind(id).run();
    await expect(drop()).rejects.toThrow('FOREIGN KEY');
    await deleteSyncState(env.DB, id);
    await deleteSyncState(env.DB, id);
    expect(await findSyncState(env.DB, id)).toBeUndefined();
    expect(await findSyncState(env.DB, other)).toBeDefined();
    await drop();
  });

  it('may have been left empty by another service', async () => {
    const id = await addConnector();
    await env.DB.prepare('INSERT INTO sync_state (connector_id, retry_count, updated_at) VALUES (?, NULL, 7)')
      .bind(id)
      .run();
    expect(await findSyncState(env.DB, id)).toEqual({ ...IDLE, updatedAtMs: 7_000 });
  });
});
