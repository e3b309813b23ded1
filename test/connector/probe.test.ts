import { env } from 'cloudflare:workers';
import { runInDurableObject, evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test';
import { expect, it, vi } from 'vitest';
import sql from '../../migrations/0000_connectors.sql?raw';
it('probe', async () => {
  console.log(sql.slice(0, 50));
  const stub = env.CONNECTOR.getByName('x');
  (env as any).GOOGLE_CLIENT_ID = 'mutated';
  await runInDurableObject(stub, (instance: any, state) => {
    console.log('same', instance.env === env, instance.env.GOOGLE_CLIENT_ID, Object.keys(instance.env).join());
    const c = state.storage.sql.exec('create table a (b)');
    console.log(c.rowsWritten);
    const d = state.storage.sql.exec('insert into a values (1)');
    console.log(d.rowsWritten);
    console.log(state.storage.sql.exec("SELECT name FROM sqlite_master").toArray());
  });
  await evictDurableObject(stub);
  await runInDurableObject(stub, (instance: any, state) => {
    console.log('same', instance.env === env, instance.env.GOOGLE_CLIENT_ID);
  });
});
