import * as z from 'zod';
import type { SqliteStore } from './sqlite-store.ts';
import type { Blame } from './verdicts.ts';

const rowsSchema = z.array(
  z.object({
    id: z.string(),
    type: z.string(),
    state: z.enum(['accepted', 'parked', 'done', 'failed']),
    outcome: z.string().nullable(),
    deadline: z.number(),
  }),
);
/** A task as the ledger has it, when it was first seen, and when it was first seen to have ended. */
export type SeenTask = z.infer<typeof rowsSchema>[number] & { sinceMs: number; endedAtMs?: number };

/** Watches one ledger: nothing that was taken on disappears, and what has ended stays as it ended. */
export class TaskWatch {
  readonly #store: SqliteStore;
  readonly #blame: Blame;
  readonly #now: () => number;
  /** The tasks whose caller was told that they were taken on. */
  readonly taken = new Set<string>();
  /** Every task that was ever in the ledger. */
  readonly seen = new Map<string, SeenTask>();

  constructor(store: SqliteStore, blame: Blame, now: () => number) {
    this.#store = store;
    this.#blame = blame;
    this.#now = now;
  }

  /** Looks at the ledger after a step. */
  look(): void {
    const rows = rowsSchema.parse(
      this.#store.query('SELECT id, type, state, outcome, deadline FROM task ORDER BY created_at'),
    );
    for (const row of rows) {
      const before = this.seen.get(row.id);
      if (before?.endedAtMs !== undefined) {
        if (row.state !== before.state || row.outcome !== before.outcome)
          this.#blame('task-end', `${row.id} was ${before.outcome}, is ${row.state} ${row.outcome}`);
        continue;
      }
      const hasEnded = row.state === 'done' || row.state === 'failed';
      const sinceMs = before?.sinceMs ?? this.#now();
      this.seen.set(row.id, { ...row, sinceMs, ...(hasEnded && { endedAtMs: this.#now() }) });
    }
    const present = new Set(rows.map(({ id }) => id));
    for (const id of this.taken) {
      if (!present.has(id) && this.seen.get(id)?.endedAtMs === undefined)
        this.#blame('task-lost', `${id} was taken on and is in the ledger no more`);
    }
  }

  /** Tasks that were taken on and have not ended. */
  open(): SeenTask[] {
    return [...this.taken].flatMap((id) => {
      const task = this.seen.get(id);
      return task === undefined || task.endedAtMs !== undefined ? [] : [task];
    });
  }
}
