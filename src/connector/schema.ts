import * as z from 'zod';
import type { Store } from './store.ts';

/**
 * The actor's tables, one entry per version; an entry that has shipped is never edited. Tables are
 * WITHOUT ROWID where the key is text: an insert then costs one row written, not two.
 *
 * - `fact`: what the actor knows of itself, a JSON value per name
 * - `task`: the ledger
 * - `duty`: the agenda
 * - `notice`: notices of the connector that wait to be sent
 * - `hold`: holds, until a day after they are over
 * - `leftover`: events of holds that are over, until they are gone from the calendar
 * - `overtaken`: tasks that were to place a hold which has been cancelled meanwhile
 * - `mirrored_calendar`: the calendars of the account, and how far each has been read
 * - `mirrored_event`: their events; of one that is gone, for a while, that it is (`slot` is null)
 * - `channel`: where the provider tells of changes
 */
const VERSIONS = [
  [
    `CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
    `CREATE TABLE task (
       id TEXT PRIMARY KEY,
       type TEXT NOT NULL,
       payload TEXT NOT NULL,
       state TEXT NOT NULL,
       attempts INTEGER NOT NULL,
       due_at INTEGER NOT NULL,
       deadline INTEGER NOT NULL,
       created_at INTEGER NOT NULL,
       finished_at INTEGER,
       outcome TEXT,
       notified INTEGER NOT NULL
     ) WITHOUT ROWID`,
    `CREATE TABLE duty (name TEXT PRIMARY KEY, due_at INTEGER NOT NULL) WITHOUT ROWID`,
    `CREATE TABLE notice (seq INTEGER PRIMARY KEY, body TEXT NOT NULL)`,
  ],
  [
    `CREATE TABLE hold (
       hold_id TEXT PRIMARY KEY,
       state TEXT NOT NULL,
       task_id TEXT,
       key TEXT,
       start_at INTEGER,
       end_at INTEGER,
       time_zone TEXT,
       calendar_id TEXT,
       group_id TEXT,
       event_id TEXT,
       event TEXT,
       confirmation TEXT,
       is_told INTEGER NOT NULL,
       expires_at INTEGER NOT NULL,
       ended_at INTEGER
     ) WITHOUT ROWID`,
    `CREATE TABLE leftover (
       key TEXT PRIMARY KEY,
       calendar_id TEXT,
       event_id TEXT,
       notify TEXT NOT NULL,
       start_at INTEGER NOT NULL,
       end_at INTEGER NOT NULL,
       attempts INTEGER NOT NULL,
       due_at INTEGER NOT NULL,
       since INTEGER NOT NULL
     ) WITHOUT ROWID`,
    `CREATE TABLE overtaken (task_id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID`,
  ],
  // When holds are due follows from their own tables.
  [`DELETE FROM duty WHERE name = 'holds'`],
  [
    `CREATE TABLE mirrored_calendar (
       id TEXT PRIMARY KEY,
       info TEXT NOT NULL,
       place INTEGER NOT NULL,
       position TEXT,
       as_of INTEGER,
       from_at INTEGER,
       until_at INTEGER,
       doubted INTEGER NOT NULL,
       mixed INTEGER NOT NULL
     ) WITHOUT ROWID`,
    `CREATE TABLE mirrored_event (
       calendar_id TEXT NOT NULL,
       event_id TEXT NOT NULL,
       seq INTEGER NOT NULL,
       slot TEXT,
       details TEXT,
       gone_at INTEGER,
       PRIMARY KEY (calendar_id, event_id)
     ) WITHOUT ROWID`,
    `CREATE TABLE channel (
       id TEXT PRIMARY KEY,
       calendar_id TEXT NOT NULL,
       watch TEXT,
       secret TEXT NOT NULL,
       state TEXT NOT NULL,
       due_at INTEGER NOT NULL
     ) WITHOUT ROWID`,
  ],
];

const versionSchema = z.tuple([z.object({ value: z.string() })]);

/** True when this storage holds an actor's tables: an object that nobody began to connect has none. */
export function hasSchema(store: Pick<Store, 'query'>): boolean {
  return store.query(`SELECT name FROM sqlite_master WHERE name = 'fact'`).length > 0;
}

/** Brings the tables to the newest version. */
export function migrate(store: Store): void {
  store.transaction(() => {
    const current = hasSchema(store)
      ? Number(versionSchema.parse(store.query(`SELECT value FROM fact WHERE name = 'schema'`))[0].value)
      : 0;
    if (current >= VERSIONS.length) return;
    for (const statement of VERSIONS.slice(current).flat()) store.query(statement);
    store.query(`INSERT OR REPLACE INTO fact (name, value) VALUES ('schema', ?)`, String(VERSIONS.length));
  });
}
