import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { SqlValue, Store } from '../../src/connector/store.ts';

/** An actor's storage on Node's SQLite, in memory: it outlives the actors that are opened on it. */
export class SqliteStore implements Store {
  readonly #database = new DatabaseSync(':memory:');
  readonly #prepared = new Map<string, StatementSync>();
  #depth = 0;
  #changes = 0;
  #undone = 0;

  query(statement: string, ...values: SqlValue[]): unknown[] {
    if (!/^\s*select/i.test(statement)) this.#changes += 1;
    return this.#prepare(statement).all(...values);
  }

  /** Nested ones are savepoints, as the platform has them. */
  transaction<T>(body: () => T): T {
    const name = `level_${this.#depth}`;
    this.#database.exec(`SAVEPOINT ${name}`);
    this.#depth += 1;
    try {
      const value = body();
      this.#database.exec(`RELEASE ${name}`);
      return value;
    } catch (thrown) {
      this.#database.exec(`ROLLBACK TO ${name}`);
      this.#database.exec(`RELEASE ${name}`);
      this.#undone += 1;
      throw thrown;
    } finally {
      this.#depth -= 1;
    }
  }

  get undone(): number {
    return this.#undone;
  }

  /** How many statements so far may have changed something. */
  get changes(): number {
    return this.#changes;
  }

  /** How many rows have been written so far; a row of a table WITHOUT ROWID counts once, as the platform counts it. */
  get rowsWritten(): number {
    const [row] = this.#prepare('SELECT total_changes() AS total').all();
    return Number(row?.['total']);
  }

  /** Ends the storage itself. */
  close(): void {
    this.#database.close();
  }

  #prepare(statement: string): StatementSync {
    const known = this.#prepared.get(statement);
    if (known !== undefined) return known;
    const prepared = this.#database.prepare(statement);
    this.#prepared.set(statement, prepared);
    return prepared;
  }
}
