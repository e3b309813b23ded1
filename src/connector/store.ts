/** A value of a column. */
export type SqlValue = string | number | null;

/**
 * The slice of an actor's storage that its parts need, so that they run on any SQLite. Statements
 * are synchronous; what is written without an `await` in between is committed together.
 */
export interface Store {
  /** Runs one statement and returns its rows. */
  query(statement: string, ...values: SqlValue[]): unknown[];
  /** Runs `body` as one transaction; a throw undoes it. */
  transaction<T>(body: () => T): T;
  /** How many transactions have been undone: what was remembered of one of them is not so. */
  readonly undone: number;
}

/** A store on these means, which counts what is undone. */
export function createStore({ query, transaction }: Pick<Store, 'query' | 'transaction'>): Store {
  let undone = 0;
  return {
    query,
    transaction(body) {
      try {
        return transaction(body);
      } catch (thrown) {
        undone += 1;
        throw thrown;
      }
    },
    get undone() {
      return undone;
    },
  };
}

/** The one alarm of an actor; epoch milliseconds. */
export interface Alarm {
  get(): Promise<number | null>;
  set(atMs: number): Promise<void>;
}
