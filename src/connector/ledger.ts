import * as z from 'zod';
import { taskErrorSchema } from '../domain/failure.ts';
import {
  type CalendarTask,
  type TaskReport,
  type TaskType,
  taskTypeSchema,
  WRITING_TASKS,
} from '../domain/task.ts';
import type { Store } from './store.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** The longest a task may take, retries and waits for a reconnect included. */
const LONGEST_LIFE_MS = DAY_MS;
/** How long a finished task's result is kept for callers who ask again. */
const RESULT_KEPT_MS = DAY_MS;

const rowSchema = z.object({
  id: z.string(),
  type: taskTypeSchema,
  payload: z.string(),
  state: z.enum(['accepted', 'parked', 'done', 'failed']),
  attempts: z.number(),
  due_at: z.number(),
  deadline: z.number(),
  outcome: z.string().nullable(),
});
const rowsSchema = z.array(rowSchema);
const endSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('done'), result: z.looseObject({}) }),
  z.object({ state: z.literal('failed'), error: taskErrorSchema }),
]);
const nextSchema = z.tuple([z.object({ next: z.number().nullable() })]);

/** A task to carry out. `attempts` counts the runs that have ended; times are epoch milliseconds. */
export interface LedgerTask {
  id: string;
  type: TaskType;
  payload: unknown;
  attempts: number;
  deadlineMs: number;
}

/** How a task ended. */
export type TaskEnd = z.infer<typeof endSchema>;

/** Whether a task changes the calendar. */
export type TaskKind = 'read' | 'write';

/** What became of a submitted task: taken, known already, or its id taken by a task that differs. */
export type Acceptance = 'accepted' | 'repeat' | 'mismatch';

/**
 * The tasks of one connector. A task is written here before anything else happens, under its id: a
 * redelivery is the same task. States: `accepted` (waits until `due_at`), `parked` (waits for the
 * person to reconnect, until `deadline`), `done`, `failed`. `running` is known only in memory, so
 * that a crash leaves a task accepted.
 */
export class Ledger {
  readonly #store: Store;
  #latestMs: number | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Writes a task, due at once: one row. Those of one instant keep the order they came in. */
  accept(task: CalendarTask & { id: string }, nowMs: number): Acceptance {
    const payload = canonicalJson(task.payload);
    const known = this.#find(task.id);
    if (known !== undefined)
      return known.type === task.type && known.payload === payload ? 'repeat' : 'mismatch';
    const longest = nowMs + LONGEST_LIFE_MS;
    this.#store.query(
      `INSERT INTO task (id, type, payload, state, attempts, due_at, deadline, created_at, notified)
       VALUES (?, ?, ?, 'accepted', 0, ?, ?, ?, 0)`,
      task.id,
      task.type,
      payload,
      nowMs,
      Math.min(task.deadlineMs ?? longest, longest),
      this.#nextPlace(nowMs),
    );
    return 'accepted';
  }

  /** The instant under which a task that comes now is listed: later than that of any before it. */
  #nextPlace(nowMs: number): number {
    this.#latestMs ??=
      nextSchema.parse(this.#store.query('SELECT MAX(created_at) AS next FROM task'))[0].next ?? 0;
    this.#latestMs = Math.max(nowMs, this.#latestMs + 1);
    return this.#latestMs;
  }

  /** At most `most` tasks of a kind to run now, oldest first: due ones, and parked ones whose deadline has come. */
  due(nowMs: number, running: ReadonlySet<string>, kind: TaskKind, most: number): LedgerTask[] {
    return rowsSchema
      .parse(
        this.#store.query(
          `SELECT * FROM task WHERE state IN ('accepted', 'parked') AND due_at <= ?
             AND id NOT IN (SELECT value FROM json_each(?))
             AND (type IN (SELECT value FROM json_each(?))) = ? ORDER BY created_at, id LIMIT ?`,
          nowMs,
          JSON.stringify([...running]),
          JSON.stringify(WRITING_TASKS),
          kind === 'write' ? 1 : 0,
          most,
        ),
      )
      .map(({ id, type, attempts, deadline, payload }) => ({
        id,
        type,
        attempts,
        deadlineMs: deadline,
        payload: parseJson(payload),
      }));
  }

  /** When the next task of a kind, not in `running`, is due, epoch milliseconds. */
  nextDueAt(running: ReadonlySet<string>, kind: TaskKind): number | undefined {
    const [{ next }] = nextSchema.parse(
      this.#store.query(
        `SELECT MIN(due_at) AS next FROM task WHERE state IN ('accepted', 'parked')
           AND id NOT IN (SELECT value FROM json_each(?)) AND (type IN (SELECT value FROM json_each(?))) = ?`,
        JSON.stringify([...running]),
        JSON.stringify(WRITING_TASKS),
        kind === 'write' ? 1 : 0,
      ),
    );
    return next ?? undefined;
  }

  /** True while the task has not ended. */
  isOpen(id: string): boolean {
    const state = this.#find(id)?.state;
    return state === 'accepted' || state === 'parked';
  }

  /** Records the end of a task that has not ended yet: one row. `notified`: its notice has been handed over. */
  finish(id: string, end: TaskEnd, notified: boolean, nowMs: number): void {
    this.#store.query(
      `UPDATE task SET state = ?, outcome = ?, notified = ?, finished_at = ?, attempts = attempts + 1
       WHERE id = ? AND state IN ('accepted', 'parked')`,
      end.state,
      JSON.stringify(end),
      notified ? 1 : 0,
      nowMs,
      id,
    );
  }

  /** Puts a task off: one row. */
  postpone(id: string, attempts: number, dueAtMs: number): void {
    this.#store.query(
      'UPDATE task SET attempts = ?, due_at = ? WHERE id = ?',
      attempts,
      Math.ceil(dueAtMs),
      id,
    );
  }

  /** Sets a task aside until the person has reconnected, or its deadline. */
  park(id: string, attempts: number): void {
    this.#store.query(
      `UPDATE task SET state = 'parked', due_at = deadline, attempts = ? WHERE id = ?`,
      attempts,
      id,
    );
  }

  /** Makes every parked task due again. */
  resumeParked(nowMs: number): void {
    this.#store.query(`UPDATE task SET state = 'accepted', due_at = ? WHERE state = 'parked'`, nowMs);
  }

  /** Every task that has not ended, in the order they came. */
  open(): { id: string; type: TaskType; payload: unknown }[] {
    return rowsSchema
      .parse(
        this.#store.query(`SELECT * FROM task WHERE state IN ('accepted', 'parked') ORDER BY created_at, id`),
      )
      .map(({ id, type, payload }) => ({ id, type, payload: parseJson(payload) }));
  }

  /** Those of them that came before this one. */
  openBefore(id: string): { id: string; type: TaskType; payload: unknown }[] {
    const open = this.open();
    const place = open.findIndex((task) => task.id === id);
    return place === -1 ? open : open.slice(0, place);
  }

  /** Ended tasks whose notice has not been handed over, with how they ended. */
  unnotified(): { id: string; type: string; end: TaskEnd }[] {
    return rowsSchema
      .parse(
        this.#store.query(`SELECT * FROM task WHERE notified = 0 AND state IN ('done', 'failed') LIMIT 100`),
      )
      .map(({ id, type, outcome }) => ({ id, type, end: endSchema.parse(JSON.parse(outcome ?? 'null')) }));
  }

  /** Their notices have been handed over. */
  markNotified(ids: readonly string[]): void {
    this.#store.query(
      'UPDATE task SET notified = 1 WHERE id IN (SELECT value FROM json_each(?))',
      JSON.stringify(ids),
    );
  }

  /** A task as its caller sees it. */
  report(id: string, running: ReadonlySet<string>): TaskReport | undefined {
    const row = this.#find(id);
    if (row === undefined) return undefined;
    const { type, attempts, state, outcome } = row;
    if (outcome !== null) return { id, type, attempts, ...endSchema.parse(JSON.parse(outcome)) };
    return { id, type, attempts, state: running.has(id) ? 'running' : state };
  }

  /** Forgets results that are older than callers may ask for. */
  purge(nowMs: number): void {
    this.#store.query('DELETE FROM task WHERE notified = 1 AND finished_at < ?', nowMs - RESULT_KEPT_MS);
  }

  #find(id: string): z.infer<typeof rowSchema> | undefined {
    return rowsSchema.parse(this.#store.query('SELECT * FROM task WHERE id = ?', id))[0];
  }
}

/** JSON with sorted keys: the same payload, whatever order it was written in. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, nested: unknown) =>
    typeof nested === 'object' && nested !== null && !Array.isArray(nested)
      ? Object.fromEntries(Object.entries(nested).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : nested,
  );
}

function parseJson(text: string): unknown {
  return JSON.parse(text);
}
