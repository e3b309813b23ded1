import * as z from 'zod';

/** How far the sweep named `name` has come; empty: it begins anew. */
export async function readSweepCursor(db: D1Database, name: string): Promise<string> {
  const row = await db.prepare('SELECT position FROM sweep_cursor WHERE name = ?').bind(name).first();
  return row === null ? '' : z.object({ position: z.string() }).parse(row).position;
}

/** Remembers how far the sweep named `name` has come. */
export async function saveSweepCursor(db: D1Database, name: string, position: string): Promise<void> {
  await db
    .prepare(
      `INSERT INTO sweep_cursor (name, position) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET position = excluded.position`,
    )
    .bind(name, position)
    .run();
}
