import * as z from 'zod';
import { taskErrorSchema } from '../domain/failure.ts';
import {
  type CalendarTask,
  type TaskReport,
  type TaskType,
  taskTypeSchema,
  WRITING_TASKS,
} from '../domain/task.ts';
import { type OpenTask, OpenTasks } from './open-tasks.ts';
import type { Store } from './store.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
/** The longest a task may take, retries and waits for a reconnect included. */
const LONGEST_LIFE_MS = DAY_MS;
/** How long a finished task's result is kept for callers who ask again. */
const RESULT_KEPT_MS = DAY_MS;
/** To find the results that are older reads every row: not more often than this. */
const PURGE_PAUSE_MS = HOUR_MS;

const rowSchema = z.object({
  id: z.string(),
  type: taskTypeSchema,
  payload: z.string(),
  state: z.enum(['accepted', 'parked', 'done', 'failed']),
  attempts: z.number(),
  due_at: z.number(),
  deadline: z.number(),
  created_at: z.number(),
  outcome: z.string().nullable(),
});
const rowsSchema = z.array(rowSchema);
const lastSchema = z.tuple([z.object({ last: z.number().nullable() })]);
const endSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('done'), result: z.looseObject({}) }),
  z.object({ state: z.literal('failed'), error: taskErrorSchema }),
]);
/** A task to carry out. `attempts` counts the runs that have ended; times are epoch milliseconds. */
export interface LedgerTask {
  id: string;
  type: TaskType;
  payload: unknown;
  attempts: number;
  acceptedAtMs: number;
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
 * that a crash leaves a task accepted. What is open is answered from memory: nobody else writes the table.
 */
export class Ledger {
  readonly #store: Store;
  readonly #tasks: OpenTasks;
  #latestMs: number | undefined;
  #purgedAtMs: number | undefined;

  constructor(store: Store) {
    this.#store = store;
    this.#tasks = new OpenTasks(store);
  }

  /** Writes a task, due at once: one row. Those of one instant keep the order they came in. */
  accept(task: CalendarTask & { id: string }, nowMs: number): Acceptance {
    const payload = canonicalJson(task.payload);
    const known = this.#find(task.id);
    if (known !== undefined)
      return known.type === task.type && known.payload === payload ? 'repeat' : 'mismatch';
    const { id, type } = task;
    const longest = nowMs + LONGEST_LIFE_MS;
    const deadlineMs = Math.min(task.deadlineMs ?? longest, longest);
    const acceptedAtMs = this.#nextPlace(nowMs);
    this.#store.query(
      `INSERT INTO task (id, type, payload, state, attempts, due_at, deadline, created_at, notified)
       VALUES (?, ?, ?, 'accepted', 0, ?, ?, ?, 0)`,
      id,
      type,
      payload,
      nowMs,
      deadlineMs,
      acceptedAtMs,
    );
    this.#tasks.note({ id, type, state: 'accepted', attempts: 0, dueAtMs: nowMs, deadlineMs, acceptedAtMs });
    return 'accepted';
  }

  /** The instant under which a task that comes now is listed: later than that of any that is open. */
  #nextPlace(nowMs: number): number {
    this.#latestMs ??= this.#tasks.all().at(-1)?.acceptedAtMs ?? 0;
    this.#latestMs = Math.max(nowMs, this.#latestMs + 1);
    return this.#latestMs;
  }

  /** At most `most` tasks of a kind to run now, oldest first: due ones, and parked ones whose deadline has come. */
  due(nowMs: number, running: ReadonlySet<string>, kind: TaskKind, most: number): LedgerTask[] {
    return this.#waiting(running, kind)
      .filter(({ dueAtMs }) => dueAtMs <= nowMs)
      .slice(0, most)
      .map(({ id, type, attempts, acceptedAtMs, deadlineMs }) => ({
        id,
        type,
        attempts,
        acceptedAtMs,
        deadlineMs,
        payload: this.#payloadOf(id),
      }));
  }

  /** When the next task of a kind, not in `running`, is due, epoch milliseconds. */
  nextDueAt(running: ReadonlySet<string>, kind: TaskKind): number | undefined {
    const next = this.#waiting(running, kind).reduce(
      (earliest, { dueAtMs }) => Math.min(earliest, dueAtMs),
      Infinity,
    );
    return next === Infinity ? undefined : next;
  }

  #waiting(running: ReadonlySet<string>, kind: TaskKind): OpenTask[] {
    return this.#open().filter(
      ({ id, type }) => !running.has(id) && WRITING_TASKS.includes(type) === (kind === 'write'),
    );
  }

  /** True while the task has not ended. */
  isOpen(id: string): boolean {
    return this.#findOpen(id) !== undefined;
  }

  /** Records the end of a task that has not ended yet: one row. `notified`: its notice has been handed over. */
  finish(id: string, end: TaskEnd, notified: boolean, nowMs: number): void {
    const task = this.#findOpen(id);
    if (task === undefined) return;
    const attempts = task.attempts + 1;
    this.#store.query(
      'UPDATE task SET state = ?, outcome = ?, notified = ?, finished_at = ?, attempts = ? WHERE id = ?',
      end.state,
      JSON.stringify(end),
      notified ? 1 : 0,
      nowMs,
      attempts,
      id,
    );
    if (notified) this.#tasks.forget(id);
    else this.#tasks.note({ ...task, state: end.state, attempts });
  }

  /** Puts a task off: one row. */
  postpone(id: string, attempts: number, dueAtMs: number): void {
    const task = this.#findOpen(id);
    if (task !== undefined) this.#move({ ...task, attempts, dueAtMs: Math.ceil(dueAtMs) });
  }

  /** Sets a task aside until the person has reconnected, or its deadline. */
  park(id: string, attempts: number): void {
    const task = this.#findOpen(id);
    if (task !== undefined) this.#move({ ...task, state: 'parked', attempts, dueAtMs: task.deadlineMs });
  }

  /** Makes every parked task due again. */
  resumeParked(nowMs: number): void {
    for (const task of this.#open()) {
      if (task.state === 'parked') this.#move({ ...task, state: 'accepted', dueAtMs: nowMs });
    }
  }

  #move(task: OpenTask): void {
    const { id, state, attempts, dueAtMs } = task;
    this.#store.query(
      'UPDATE task SET state = ?, attempts = ?, due_at = ? WHERE id = ?',
      state,
      attempts,
      dueAtMs,
      id,
    );
    this.#tasks.note(task);
  }

  /** Every task that has not ended, in the order they came. */
  open(): { id: string; type: TaskType; deadlineMs: number }[] {
    return this.#open().map(({ id, type, deadlineMs }) => ({ id, type, deadlineMs }));
  }

  /** When the tasks were accepted, later than `sinceMs`, that have neither ended nor failed once. */
  freshSince(sinceMs: number): number[] {
    return this.#open()
      .filter(({ attempts, acceptedAtMs }) => attempts === 0 && acceptedAtMs > sinceMs)
      .map(({ acceptedAtMs }) => acceptedAtMs);
  }

  /** The tasks of these types that came before this one and have not ended. */
  openBefore(id: string, types: readonly TaskType[]): { id: string; type: TaskType; payload: unknown }[] {
    const open = this.#open();
    const place = open.findIndex((task) => task.id === id);
    return open
      .slice(0, place === -1 ? open.length : place)
      .filter(({ type }) => types.includes(type))
      .map((task) => ({ id: task.id, type: task.type, payload: this.#payloadOf(task.id) }));
  }

  /** Ended tasks whose notice has not been handed over, with how they ended; a hundred at most. */
  unnotified(): { id: string; type: string; end: TaskEnd }[] {
    return this.#tasks
      .all()
      .filter((task) => !isOpen(task))
      .slice(0, 100)
      .map(({ id, type }) => ({
        id,
        type,
        end: endSchema.parse(JSON.parse(this.#find(id)?.outcome ?? 'null')),
      }));
  }

  /** Their notices have been handed over. */
  markNotified(ids: readonly string[]): void {
    for (const id of ids) {
      const task = this.#tasks.find(id);
      if (task === undefined || isOpen(task)) continue;
      this.#store.query('UPDATE task SET notified = 1 WHERE id = ?', id);
      this.#tasks.forget(id);
    }
  }

  /** A task as its caller sees it. */
  report(id: string, running: ReadonlySet<string>): TaskReport | undefined {
    const row = this.#find(id);
    if (row === undefined) return undefined;
    const { type, attempts, state, outcome } = row;
    if (outcome !== null) return { id, type, attempts, ...endSchema.parse(JSON.parse(outcome)) };
    return { id, type, attempts, state: running.has(id) ? 'running' : state };
  }

  /** When the last task that writes to the calendar has ended, epoch milliseconds; 0: none that day. */
  lastWriteEndedAt(): number {
    const types = WRITING_TASKS.map(() => '?').join(', ');
    const [{ last }] = lastSchema.parse(
      this.#store.query(
        `SELECT MAX(finished_at) AS last FROM task WHERE type IN (${types})`,
        ...WRITING_TASKS,
      ),
    );
    return last ?? 0;
  }

  /**
   * The ids of tasks that may have written to the calendar and have not come to their end: those that have been
   * run, and of the others the first, for writes go one at a time, in order.
   */
  openWrites(): string[] {
    const writes = this.#open().filter(({ type }) => WRITING_TASKS.includes(type));
    const first = writes.find(({ attempts }) => attempts === 0);
    return writes.filter((task) => task.attempts > 0 || task === first).map(({ id }) => id);
  }

  /** Forgets results that are older than callers may ask for, unless it did so within the last hour. */
  purge(nowMs: number): void {
    if (this.#purgedAtMs !== undefined && nowMs - this.#purgedAtMs < PURGE_PAUSE_MS) return;
    this.#purgedAtMs = nowMs;
    this.#store.query('DELETE FROM task WHERE notified = 1 AND finished_at < ?', nowMs - RESULT_KEPT_MS);
  }

  #open(): OpenTask[] {
    return this.#tasks.all().filter(isOpen);
  }

  #findOpen(id: string): OpenTask | undefined {
    const task = this.#tasks.find(id);
    return task !== undefined && isOpen(task) ? task : undefined;
  }

  #payloadOf(id: string): unknown {
    return JSON.parse(this.#find(id)?.payload ?? 'null');
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

function isOpen({ state }: OpenTask): boolean {
  return state === 'accepted' || state === 'parked';
}
