import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type ConnectorState,
  existingConnectorIds,
  findConnector,
  insertConnector,
  markConsentMissing,
  listConnectors,
  presentConnector,
  saveConnectorState,
} from '../../src/db/connectors.ts';
import { freshId, migrateDatabase } from '../database.ts';
import { present } from '../present.ts';

const NOW_MS = Date.UTC(2031, 4, 5, 6, 7, 8, 900);
const LATER_MS = NOW_MS + 60_000;

beforeAll(migrateDatabase);

async function addConnector(userId = freshId('user'), nowMs = NOW_MS): Promise<string> {
  const id = freshId();
  await insertConnector(env.DB, { id, userId, provider: 'google' }, nowMs);
  return id;
}

const ACTIVE: ConnectorState = {
  status: 'active',
  accountId: 'account-1',
  accountEmail: 'ada@example.com',
  tenantId: 'tenant-1',
  scopes: ['one', 'two'],
  refreshTokenEnc: 'v1.k.sealed',
};

describe('a connector in the database', () => {
  it('begins pending, with no account', async () => {
    const userId = freshId('user');
    const id = await addConnector(userId);
    expect(await findConnector(env.DB, id)).toEqual({
      id,
      user_id: userId,
      provider: 'google',
      account_id: null,
      account_email: null,
      tenant_id: null,
      scopes: '',
      status: 'pending',
      refresh_token_enc: null,
      created_at: Math.floor(NOW_MS / 1000),
      updated_at: Math.floor(NOW_MS / 1000),
    });
  });

  it('is made once under one id, and keeps its person', async () => {
    const id = await addConnector();
    const before = await findConnector(env.DB, id);
    await insertConnector(env.DB, { id, userId: 'eve', provider: 'google' }, LATER_MS);
    expect(await findConnector(env.DB, id)).toEqual(before);
  });

  it('shows what its actor says of itself', async () => {
    const id = await addConnector();
    await saveConnectorState(env.DB, id, ACTIVE, LATER_MS);
    expect(await findConnector(env.DB, id)).toMatchObject({
      status: 'active',
      account_id: 'account-1',
      account_email: 'ada@example.com',
      tenant_id: 'tenant-1',
      scopes: 'one two',
      refresh_token_enc: 'v1.k.sealed',
      created_at: Math.floor(NOW_MS / 1000),
      updated_at: Math.floor(LATER_MS / 1000),
    });
  });

  it('loses its token and account when its actor has none any more', async () => {
    const id = await addConnector();
    await saveConnectorState(env.DB, id, ACTIVE, NOW_MS);
    const bare = { accountId: null, accountEmail: null, tenantId: null, scopes: [], refreshTokenEnc: null };
    await saveConnectorState(env.DB, id, { status: 'disconnected', ...bare }, LATER_MS);
    expect(await findConnector(env.DB, id)).toMatchObject({
      status: 'disconnected',
      account_id: null,
      account_email: null,
      tenant_id: null,
      scopes: '',
      refresh_token_enc: null,
    });
  });

  it('notes missing consent only of one that was never connected', async () => {
    const [fresh, connected] = [await addConnector(), await addConnector()];
    await saveConnectorState(env.DB, connected, ACTIVE, NOW_MS);
    for (const id of [fresh, connected]) await markConsentMissing(env.DB, id, LATER_MS);
    expect(await findConnector(env.DB, fresh)).toMatchObject({
      status: 'consent_missing',
      updated_at: Math.floor(LATER_MS / 1000),
    });
    expect(await findConnector(env.DB, connected)).toMatchObject({ status: 'active' });
  });

  it('is not made by saving what never was', async () => {
    const id = freshId();
    await saveConnectorState(env.DB, id, ACTIVE, NOW_MS);
    expect(await findConnector(env.DB, id)).toBeUndefined();
  });
});

describe('finding connectors', () => {
  it("lists one person's connectors, oldest first, and nobody else's", async () => {
    const userId = freshId('user');
    const newer = await addConnector(userId, LATER_MS);
    const older = await addConnector(userId, NOW_MS);
    await addConnector();
    expect((await listConnectors(env.DB, userId)).map(({ id }) => id)).toEqual([older, newer]);
    expect(await listConnectors(env.DB, freshId('user'))).toEqual([]);
  });

  it('takes an id as text and nothing else', async () => {
    const id = await addConnector();
    for (const other of [`' OR '1'='1`, '%', '', id.toUpperCase(), `${id} `]) {
      expect(await findConnector(env.DB, other)).toBeUndefined();
    }
  });

  it('tells those of 100 ids that exist', async () => {
    const known = [await addConnector(), await addConnector()];
    const unknown = Array.from({ length: 98 }, () => freshId());
    expect((await existingConnectorIds(env.DB, [...unknown, ...known])).toSorted()).toEqual(known.toSorted());
    expect(await existingConnectorIds(env.DB, [])).toEqual([]);
  });
});

describe('a connector as the API shows it', () => {
  it('has no account id and no token', async () => {
    const userId = freshId('user');
    const id = await addConnector(userId);
    await saveConnectorState(env.DB, id, ACTIVE, LATER_MS);
    const row = present(await findConnector(env.DB, id));
    expect(presentConnector(row)).toEqual({
      connectorId: id,
      userId,
      provider: 'google',
      status: 'active',
      accountEmail: 'ada@example.com',
      tenantId: 'tenant-1',
      scopes: ['one', 'two'],
      createdAt: '2031-05-05T06:07:08.000Z',
      updatedAt: '2031-05-05T06:08:08.000Z',
    });
  });

  it('leaves out what is not known, and has a list of scopes even when there are none', async () => {
    const row = present(await findConnector(env.DB, await addConnector()));
    const shown = presentConnector(row);
    expect(shown).not.toHaveProperty('accountEmail');
    expect(shown).not.toHaveProperty('tenantId');
    expect(shown.scopes).toEqual([]);
  });
});
