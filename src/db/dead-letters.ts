import * as z from 'zod';

const DAY_S = 24 * 60 * 60;
/** Dead letters are kept for so long. */
const KEPT_S = 30 * DAY_S;
/** A replay that has not come to its end by then was cut off, and may be begun again. */
const REPLAY_S = 60;

const rowSchema = z.object({
  id: z.string(),
  task_id: z.string(),
  task_type: z.string().nullable(),
  connector_id: z.string().nullable(),
  body: z.string(),
  failed_at: z.number(),
  replayed_at: z.number().nullable(),
});

/** A row of the table `dead_letters`. `body` is the message's body as JSON; times are epoch seconds. */
export type DeadLetterRow = z.infer<typeof rowSchema>;

/** A dead message to keep. `id` is the message's own; `taskType` and `connectorId` are what it says, if it does. */
export interface DeadLetterDraft {
  id: string;
  taskId: string;
  taskType: string | undefined;
  connectorId: string | undefined;
  body: string;
}

/**
 * Keeps these dead messages, as one step. One that is kept already stays as it is.
 *
 * @returns the ids of those that have not been reported yet.
 */
export async function keepDeadLetters(
  db: D1Database,
  letters: readonly DeadLetterDraft[],
  nowMs: number,
): Promise<ReadonlySet<string>> {
  const insert = db.prepare(
    `INSERT INTO dead_letters (id, task_id, task_type, connector_id, body, failed_at)
     VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
  );
  const unreported = db
    .prepare(
      'SELECT id FROM dead_letters WHERE reported_at IS NULL AND id IN (SELECT value FROM json_each(?))',
    )
    .bind(JSON.stringify(letters.map(({ id }) => id)));
  const results = await db.batch([
    ...letters.map(({ id, taskId, taskType, connectorId, body }) =>
      insert.bind(id, taskId, taskType ?? null, connectorId ?? null, body, Math.floor(nowMs / 1000)),
    ),
    unreported,
  ]);
  const rows = z.array(z.object({ id: z.string() })).parse(results.at(-1)?.results);
  return new Set(rows.map(({ id }) => id));
}

/** Notes that these dead messages have been reported. */
export async function markDeadLettersReported(
  db: D1Database,
  ids: readonly string[],
  nowMs: number,
): Promise<void> {
  await db
    .prepare('UPDATE dead_letters SET reported_at = ? WHERE id IN (SELECT value FROM json_each(?))')
    .bind(Math.floor(nowMs / 1000), JSON.stringify(ids))
    .run();
}

/** The newest dead messages, at most `most`. */
export async function listDeadLetters(db: D1Database, most: number): Promise<DeadLetterRow[]> {
  const { results } = await db
    .prepare('SELECT * FROM dead_letters ORDER BY failed_at DESC, id LIMIT ?')
    .bind(most)
    .all();
  return z.array(rowSchema).parse(results);
}

/** One dead message, if it is kept. */
export async function findDeadLetter(db: D1Database, id: string): Promise<DeadLetterRow | undefined> {
  const row = await db.prepare('SELECT * FROM dead_letters WHERE id = ?').bind(id).first();
  return row === null ? undefined : rowSchema.parse(row);
}

/**
 * Begins a replay: one statement, so that of several at once one gets the message. It is to be ended with
 * `endReplay`; one that is cut off before that may be begun again after a minute.
 *
 * @returns the message; undefined when there is none, it was replayed, or another replay is under way.
 */
export async function beginReplay(
  db: D1Database,
  id: string,
  nowMs: number,
): Promise<DeadLetterRow | undefined> {
  const seconds = Math.floor(nowMs / 1000);
  const row = await db
    .prepare(
      `UPDATE dead_letters SET replaying_at = ?
       WHERE id = ? AND replayed_at IS NULL AND (replaying_at IS NULL OR replaying_at <= ?) RETURNING *`,
    )
    .bind(seconds, id, seconds - REPLAY_S)
    .first();
  return row === null ? undefined : rowSchema.parse(row);
}

/** Ends a replay that was begun. `sentAtMs`: when the message went out; undefined when it did not. */
export async function endReplay(db: D1Database, id: string, sentAtMs: number | undefined): Promise<void> {
  await db
    .prepare('UPDATE dead_letters SET replaying_at = NULL, replayed_at = ? WHERE id = ?')
    .bind(sentAtMs === undefined ? null : Math.floor(sentAtMs / 1000), id)
    .run();
}

/** Removes the dead messages that are too old, and those of connectors that were disconnected; returns how many. */
export async function sweepDeadLetters(db: D1Database, nowMs: number): Promise<number> {
  const { meta } = await db
    .prepare(
      `DELETE FROM dead_letters WHERE failed_at <= ? OR EXISTS (
         SELECT 1 FROM connectors WHERE id = dead_letters.connector_id AND status = 'disconnected')`,
    )
    .bind(Math.floor(nowMs / 1000) - KEPT_S)
    .run();
  return meta.changes;
}
