import * as z from 'zod';
import { type TaskType, taskTypeSchema } from '../domain/task.ts';
import type { Store } from './store.ts';

const rowsSchema = z.array(
  z.object({
    id: z.string(),
    type: taskTypeSchema,
    state: z.enum(['accepted', 'parked', 'done', 'failed']),
    attempts: z.number(),
    due_at: z.number(),
    deadline: z.number(),
    created_at: z.number(),
  }),
);

/** What is kept in memory of a task; times are epoch milliseconds. */
export interface OpenTask {
  id: string;
  type: TaskType;
  state: 'accepted' | 'parked' | 'done' | 'failed';
  attempts: number;
  dueAtMs: number;
  deadlineMs: number;
  acceptedAtMs: number;
}

/**
 * The tasks that something is still to be done for: those that have not ended, and those whose end has not been
 * told. They are few among all that have ended that day, and an index that tells them apart would cost rows
 * with every task: the table is read once in a life, and after that whoever writes it says so here.
 */
export class OpenTasks {
  readonly #store: Store;
  #known: { tasks: Map<string, OpenTask>; undone: number } | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** All of them, in the order they came. */
  all(): OpenTask[] {
    return [...this.#tasks().values()];
  }

  /** The task of this id, if it is one of them. */
  find(id: string): OpenTask | undefined {
    return this.#tasks().get(id);
  }

  /** The table has this task now, the youngest, or has it changed. */
  note(task: OpenTask): void {
    this.#tasks().set(task.id, task);
  }

  /** The task has ended, and that has been told. */
  forget(id: string): void {
    this.#tasks().delete(id);
  }

  #tasks(): Map<string, OpenTask> {
    const { undone } = this.#store;
    // What was noted in a transaction that was undone is not in the table.
    if (this.#known?.undone !== undone) this.#known = { tasks: this.#read(), undone };
    return this.#known.tasks;
  }

  #read(): Map<string, OpenTask> {
    const rows = rowsSchema.parse(
      this.#store.query(
        `SELECT id, type, state, attempts, due_at, deadline, created_at FROM task WHERE notified = 0
         ORDER BY created_at, id`,
      ),
    );
    return new Map(
      rows.map(({ id, due_at: dueAtMs, deadline: deadlineMs, created_at: acceptedAtMs, ...row }) => [
        id,
        { id, ...row, dueAtMs, deadlineMs, acceptedAtMs },
      ]),
    );
  }
}
