import { listDurableObjectIds, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll, expect, it } from 'vitest';
import { freshId, migrateDatabase } from '../database.ts';
import { NOW_MS, openHouse, readProblem } from './stage.ts';
import { insertConnector } from '../../src/db/connectors.ts';

beforeAll(migrateDatabase);

const QUESTION = { timeMin: '2026-11-23T09:00:00Z', timeMax: '2026-11-23T17:00:00Z', timeZone: 'UTC' };

it('an unknown connector is a 404 everywhere, and real Durable Objects show that none is made', async () => {
  const { send } = openHouse();
  const before = await listDurableObjectIds(env.CONNECTOR);
  for (const id of [freshId(), '../x', '%2e%2e%2f', 'x'.repeat(5000), '%00', '"<script>"', '%ff']) {
    const path = `/v1/connectors/${id.includes('%') ? id : encodeURIComponent(id)}`;
    for (const response of [
      await send(path),
      await send(path, { method: 'DELETE' }),
      await send(`${path}/availability`, { json: QUESTION }),
      await send(`${path}/meeting-times`, { json: { ...QUESTION, durationMinutes: 30 } }),
      await send(`${path}/events?timeMin=${QUESTION.timeMin}&timeMax=${QUESTION.timeMax}`),
      await send(`${path}/changes`),
      await send(`${path}/tasks/t-1`),
    ]) {
      const { status, detail } = await readProblem(response);
      expect(status).toBe(404);
      expect(detail.length).toBeLessThan(200);
    }
  }
  expect(await listDurableObjectIds(env.CONNECTOR)).toEqual(before);
});

it('a connector that was never connected has an actor that answers and keeps nothing', async () => {
  const { send } = openHouse();
  const id = freshId();
  await insertConnector(env.DB, { id, userId: 'ada', provider: 'google' }, NOW_MS);
  const asked = await send(`/v1/connectors/${id}/availability`, { json: QUESTION });
  expect(await readProblem(asked)).toMatchObject({ status: 409, code: 'reauth_required' });
  expect((await readProblem(await send(`/v1/connectors/${id}/tasks/t-1`))).status).toBe(404);
  expect((await send(`/v1/connectors/${id}/changes`)).status).toBe(409);
  const kept = await runInDurableObject(env.CONNECTOR.getByName(id), (_, { storage }) =>
    storage.sql.exec('SELECT name FROM sqlite_master').toArray(),
  );
  expect(kept).toEqual([]);
  const ended = await send(`/v1/connectors/${id}`, { method: 'DELETE' });
  expect(await ended.json()).toMatchObject({ connectorId: id, status: 'disconnected' });
});
