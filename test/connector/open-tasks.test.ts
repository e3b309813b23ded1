import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Ledger, type TaskEnd, type TaskKind } from '../../src/connector/ledger.ts';
import { OpenTasks } from '../../src/connector/open-tasks.ts';
import type { Store } from '../../src/connector/store.ts';
import { WRITING_TASKS } from '../../src/domain/task.ts';
import { inFreshObject, openStore } from './bench.ts';
import { START_MS, taskOf } from './world.ts';

const IDS = ['d', 'b', 'a', 'c', 'f', 'e'];
const TYPES = ['refresh-token', 'create-event', 'confirm-hold'] as const;
const ENDS: TaskEnd[] = [
  { state: 'done', result: { answer: 42 } },
  { state: 'failed', error: { code: 'provider_rejected', message: 'no', retryable: false } },
];

/** One thing that happens to a ledger, so many milliseconds after the one before. */
type Step = { afterMs: number } & (
  | { act: 'accept'; id: string; type: (typeof TYPES)[number] }
  | { act: 'finish'; id: string; end: TaskEnd; notified: boolean }
  | { act: 'postpone'; id: string; attempts: number; byMs: number }
  | { act: 'park'; id: string; attempts: number }
  | { act: 'mark'; ids: string[] }
  | { act: 'resume' | 'purge' | 'reopen' }
  | { act: 'transaction'; steps: Step[]; isUndone: boolean }
);

const id = fc.constantFrom(...IDS);
const afterMs = fc.integer({ min: 0, max: 20 });
const attempts = fc.integer({ min: 0, max: 3 });
const { step } = fc.letrec<{ step: Step }>((tie) => ({
  step: fc.oneof(
    { maxDepth: 3 },
    fc.record({ act: fc.constant('accept'), afterMs, id, type: fc.constantFrom(...TYPES) }),
    fc.record({
      act: fc.constant('finish'),
      afterMs,
      id,
      end: fc.constantFrom(...ENDS),
      notified: fc.boolean(),
    }),
    fc.record({
      act: fc.constant('postpone'),
      afterMs,
      id,
      attempts,
      byMs: fc.double({ min: 0, max: 50, noNaN: true }),
    }),
    fc.record({ act: fc.constant('park'), afterMs, id, attempts }),
    fc.record({ act: fc.constant('mark'), afterMs, ids: fc.array(id) }),
    fc.record({ act: fc.constantFrom('resume', 'purge', 'reopen'), afterMs }),
    fc.record({
      act: fc.constant('transaction'),
      afterMs,
      steps: fc.array(tie('step'), { maxLength: 5 }),
      isUndone: fc.boolean(),
    }),
  ),
}));

/** What the table says for itself, asked in SQL. */
function askTable(store: Store, nowMs: number, running: ReadonlySet<string>) {
  const isOpen = `state IN ('accepted', 'parked')`;
  const ids = (where: string, ...values: (string | number)[]) =>
    store
      .query(`SELECT id FROM task WHERE ${where} ORDER BY created_at, id`, ...values)
      .map((row) => Object(row).id);
  const isWaiting = (kind: TaskKind) =>
    `${isOpen} AND id NOT IN (SELECT value FROM json_each('${JSON.stringify([...running])}'))
       AND (type IN (SELECT value FROM json_each('${JSON.stringify(WRITING_TASKS)}'))) = ${kind === 'write' ? 1 : 0}`;
  const ofKind = (kind: TaskKind) => ({
    due: ids(`${isWaiting(kind)} AND due_at <= ?`, nowMs),
    next: Object(store.query(`SELECT MIN(due_at) AS next FROM task WHERE ${isWaiting(kind)}`)[0]).next,
  });
  return {
    open: ids(isOpen),
    fresh: ids(`${isOpen} AND attempts = 0 AND created_at > ?`, nowMs - 20).length,
    unnotified: ids(`notified = 0 AND state IN ('done', 'failed')`),
    read: ofKind('read'),
    write: ofKind('write'),
  };
}

/** What the ledger says of the same. */
function askLedger(ledger: Ledger, nowMs: number, running: ReadonlySet<string>) {
  const ofKind = (kind: TaskKind) => ({
    due: ledger.due(nowMs, running, kind, 99).map((task) => task.id),
    next: ledger.nextDueAt(running, kind) ?? null,
  });
  return {
    open: ledger.open().map((task) => task.id),
    fresh: ledger.freshSince(nowMs - 20).length,
    unnotified: ledger.unnotified().map((task) => task.id),
    read: ofKind('read'),
    write: ofKind('write'),
  };
}

it(
  'the ledger says what the table says, whatever happens, is undone, or is opened anew',
  () =>
    inFreshObject((state) => {
      const { store } = openStore(state);
      const running = new Set(['a', 'f']);
      fc.assert(
        fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
          store.query('DELETE FROM task');
          let ledger = new Ledger(store);
          let nowMs = START_MS;
          const check = () =>
            expect(askLedger(ledger, nowMs, running)).toEqual(askTable(store, nowMs, running));
          const take = (one: Step): void => {
            nowMs += one.afterMs;
            switch (one.act) {
              case 'accept':
                ledger.accept(taskOf(one.id, { type: one.type }), nowMs);
                break;
              case 'finish':
                ledger.finish(one.id, one.end, one.notified, nowMs);
                break;
              case 'postpone':
                ledger.postpone(one.id, one.attempts, nowMs + one.byMs);
                break;
              case 'park':
                ledger.park(one.id, one.attempts);
                break;
              case 'mark':
                ledger.markNotified(one.ids);
                break;
              case 'resume':
                ledger.resumeParked(nowMs);
                break;
              case 'purge':
                // Two days on, so that something has grown old.
                ledger.purge(nowMs + 2 * 86_400_000);
                break;
              case 'reopen':
                ledger = new Ledger(store);
                break;
              case 'transaction':
                inTransaction(one);
                break;
            }
            check();
          };
          const inTransaction = ({ steps: inner, isUndone }: Extract<Step, { act: 'transaction' }>) => {
            try {
              store.transaction(() => {
                for (const one of inner) take(one);
                if (isUndone) throw new Error('undo');
              });
            } catch (thrown) {
              if (!(thrown instanceof Error) || thrown.message !== 'undo') throw thrown;
            }
          };
          for (const one of steps) take(one);
        }),
        { numRuns: 150 },
      );
    }),
  60_000,
);

it('after the first question no other reads the table, however much has ended', () =>
  inFreshObject((state) => {
    const { store } = openStore(state);
    const questions: string[] = [];
    const watched: Store = {
      query(statement, ...values) {
        questions.push(statement);
        return store.query(statement, ...values);
      },
      transaction: (body) => store.transaction(body),
      undone: 0,
    };
    const tasks = new OpenTasks(watched);
    const task = {
      id: 't1',
      type: 'refresh-token',
      state: 'accepted',
      attempts: 0,
      dueAtMs: START_MS,
      deadlineMs: START_MS + 1,
      acceptedAtMs: START_MS,
    } as const;
    tasks.note(task);
    tasks.note({ ...task, attempts: 1 });
    expect(tasks.all()).toEqual([{ ...task, attempts: 1 }]);
    expect(tasks.find('t1')).toMatchObject({ attempts: 1 });
    tasks.forget('t1');
    expect(tasks.all()).toEqual([]);
    expect(questions).toHaveLength(1);
  }));
