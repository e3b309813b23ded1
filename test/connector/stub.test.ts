import { env } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { actorOf, knownConnectors } from '../../src/connector/stub.ts';
import { insertConnector } from '../../src/db/connectors.ts';
import { freshId, migrateDatabase } from '../database.ts';

beforeAll(migrateDatabase);

async function addConnector(): Promise<string> {
  const id = freshId();
  await insertConnector(env.DB, { id, userId: 'user-1', provider: 'google' }, 0);
  return id;
}

describe('the connectors that are known', () => {
  it('are those in the database, each once; an id that is made up is not', async () => {
    const ids = [await addConnector(), await addConnector()];
    const known = await knownConnectors(env, [...ids, freshId(), ...ids]);
    expect([...known].toSorted()).toEqual(ids.toSorted());
  });

  it('are asked for once: an id that was seen needs no database', async () => {
    const id = await addConnector();
    await knownConnectors(env, [id]);
    await env.DB.prepare('DELETE FROM connectors WHERE id = ?').bind(id).run();
    expect(await knownConnectors(env, [id])).toEqual(new Set([id]));
  });

  it('are found as soon as they are there, though they were asked for before', async () => {
    const id = freshId();
    expect(await knownConnectors(env, [id])).toEqual(new Set());
    await insertConnector(env.DB, { id, userId: 'user-1', provider: 'google' }, 0);
    expect(await knownConnectors(env, [id])).toEqual(new Set([id]));
  });

  it('stay known to a question during which the memory is full', async () => {
    const seenBefore = await addConnector();
    await knownConnectors(env, [seenBefore]);
    const prefix = freshId('crowd');
    await env.DB.prepare(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50100)
       INSERT INTO connectors (id, user_id, provider) SELECT ? || i, 'crowd', 'google' FROM n`,
    )
      .bind(prefix)
      .run();
    const crowd = Array.from({ length: 50_100 }, (_, n) => `${prefix}${n + 1}`);
    const known = await knownConnectors(env, [seenBefore, ...crowd]);
    expect(known.size).toBe(50_101);
  });

  it('are one actor per id', () => {
    const id = freshId();
    expect(actorOf(env, id).id.equals(actorOf(env, id).id)).toBe(true);
    expect(actorOf(env, id).id.equals(actorOf(env, freshId()).id)).toBe(false);
  });
});
