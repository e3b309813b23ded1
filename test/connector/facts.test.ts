import { describe, expect, it } from 'vitest';
import { ERASURE, forgetFact, LAST_USE, readFact, writeFact } from '../../src/connector/facts.ts';
import { createStore } from '../../src/connector/store.ts';
import { inFreshObject, openStore } from './bench.ts';

describe('what an actor knows of itself', () => {
  it('is read from the storage once, whether it is there or not, and written each time', () =>
    inFreshObject((state) => {
      const { store, countRows } = openStore(state);
      let queries = 0;
      const counted = createStore({
        query(statement, ...values) {
          queries += 1;
          return store.query(statement, ...values);
        },
        transaction: (body) => store.transaction(body),
      });
      expect(readFact(counted, LAST_USE)).toBeUndefined();
      expect(readFact(counted, LAST_USE)).toBeUndefined();
      expect(queries).toBe(1);
      expect(countRows(() => writeFact(counted, LAST_USE, { atMs: 5 }))).toBe(1);
      expect([readFact(counted, LAST_USE), readFact(counted, LAST_USE)]).toEqual([{ atMs: 5 }, { atMs: 5 }]);
      expect(queries).toBe(2);
      forgetFact(counted, LAST_USE);
      expect(readFact(counted, LAST_USE)).toBeUndefined();
      expect(readFact(counted, ERASURE)).toBeUndefined();
      expect(queries).toBe(4);
    }));

  it('is as it was when the transaction that changed it is undone', () =>
    inFreshObject((state) => {
      const { store } = openStore(state);
      writeFact(store, LAST_USE, { atMs: 1 });
      const change = (body: () => void) => () =>
        store.transaction(() => {
          body();
          throw new Error('undone');
        });
      expect(change(() => writeFact(store, LAST_USE, { atMs: 2 }))).toThrow('undone');
      expect(readFact(store, LAST_USE)).toEqual({ atMs: 1 });
      expect(change(() => forgetFact(store, LAST_USE))).toThrow('undone');
      expect(readFact(store, LAST_USE)).toEqual({ atMs: 1 });
      const nested = change(() => writeFact(store, LAST_USE, { atMs: 3 }));
      expect(change(() => expect(nested).toThrow('undone'))).toThrow('undone');
      expect(readFact(store, LAST_USE)).toEqual({ atMs: 1 });
    }));

  it('is known to the next life as the last one has written it', () =>
    inFreshObject((state) => {
      const { store } = openStore(state);
      const next = openStore(state).store;
      writeFact(store, LAST_USE, { atMs: 1 });
      expect(readFact(next, LAST_USE)).toEqual({ atMs: 1 });
    }));
});
