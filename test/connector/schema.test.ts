import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { hasSchema, migrate } from '../../src/connector/schema.ts';
import { freshId } from '../database.ts';
import { inFreshObject, openStore } from './bench.ts';

const QUESTION = { range: { startMs: 0, endMs: 1000 }, timeZone: 'UTC' };

describe('the storage of an actor', () => {
  it('stays empty when an object is woken for an id that nobody has connected', async () => {
    const id = freshId();
    const stub = env.CONNECTOR.getByName(id);
    const task = { id: 't1', type: 'refresh-token' as const, connectorId: id, payload: {} };
    expect(await stub.submit([task])).toEqual({ ok: true, value: ['not-connected'] });
    expect(await stub.report('t1')).toMatchObject({ ok: false, failure: { kind: 'not-found' } });
    expect(await stub.availability(QUESTION)).toMatchObject({
      ok: false,
      failure: { kind: 'grant-revoked' },
    });
    expect(await stub.signInHints()).toEqual({ ok: true, value: {} });
    await runInDurableObject(stub, async (instance, { storage }) => {
      await instance.alarm();
      expect(storage.sql.exec('SELECT name FROM sqlite_master').toArray()).toEqual([]);
      expect(await storage.getAlarm()).toBe(null);
    });
  });

  it('is made once: migrating it again changes nothing', () =>
    inFreshObject((state) => {
      const { store, countRows } = openStore(state);
      store.query(`INSERT INTO duty (name, due_at) VALUES ('publish', 1)`);
      const tables = () => store.query('SELECT name, sql FROM sqlite_master ORDER BY name');
      const before = tables();
      expect(hasSchema(store)).toBe(true);
      expect(countRows(() => migrate(store))).toBe(0);
      expect(tables()).toEqual(before);
      expect(store.query('SELECT name FROM duty')).toEqual([{ name: 'publish' }]);
    }));

  it('no longer has the holds on its agenda, once it is migrated from a version that had', () =>
    inFreshObject((state) => {
      const { store } = openStore(state);
      store.query(`INSERT INTO duty (name, due_at) VALUES ('publish', 1), ('holds', 2)`);
      // As that version left it: without what came later.
      for (const table of ['mirrored_calendar', 'mirrored_event', 'channel'])
        store.query(`DROP TABLE ${table}`);
      store.query(`UPDATE fact SET value = '2' WHERE name = 'schema'`);
      migrate(store);
      expect(store.query('SELECT name FROM duty')).toEqual([{ name: 'publish' }]);
    }));

  it('is not there before it is migrated', () =>
    inFreshObject(({ storage }) => {
      const query = (statement: string) => storage.sql.exec(statement).toArray();
      expect(hasSchema({ query })).toBe(false);
    }));
});
