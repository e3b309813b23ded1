import { describe, expect, it } from 'vitest';
import { canonicalJson, type Ledger, type TaskEnd } from '../../src/connector/ledger.ts';
import { openParts, withParts } from './bench.ts';
import { createWorld, DAY_MS, HOUR_MS, START_MS, taskOf } from './world.ts';

const NONE: ReadonlySet<string> = new Set();
const DONE: TaskEnd = { state: 'done', result: { answer: 42 } };
const FAILED: TaskEnd = {
  state: 'failed',
  error: { code: 'provider_rejected', message: 'no', retryable: false },
};

function dueIds(ledger: Ledger, nowMs: number, running = NONE, most = 10): string[] {
  return ledger.due(nowMs, running, 'read', most).map(({ id }) => id);
}

describe('taking a task on', () => {
  it('writes one row, and none for a redelivery', () =>
    withParts(({ ledger, countRows }) => {
      const task = taskOf('t1', { payload: { a: 1, b: { c: [1, 2] } } });
      expect(countRows(() => expect(ledger.accept(task, START_MS)).toBe('accepted'))).toBe(1);
      expect(countRows(() => expect(ledger.accept(task, START_MS + 5)).toBe('repeat'))).toBe(0);
      expect(dueIds(ledger, START_MS)).toEqual(['t1']);
    }));

  it('knows a payload whatever the order of its keys', () =>
    withParts(({ ledger }) => {
      ledger.accept(taskOf('t1', { payload: { a: 1, b: { c: 1, d: [{ e: 1, f: 2 }] } } }), START_MS);
      const reordered = { b: { d: [{ f: 2, e: 1 }], c: 1 }, a: 1 };
      expect(ledger.accept(taskOf('t1', { payload: reordered }), START_MS)).toBe('repeat');
      expect(canonicalJson({ b: 1, a: 2 })).toBe('{"a":2,"b":1}');
    }));

  it('refuses a known id with another payload, another order in a list, or another type', () =>
    withParts(({ ledger }) => {
      ledger.accept(taskOf('t1', { payload: { a: [1, 2] } }), START_MS);
      expect(ledger.accept(taskOf('t1', { payload: { a: [2, 1] } }), START_MS)).toBe('mismatch');
      expect(ledger.accept(taskOf('t1', { payload: {} }), START_MS)).toBe('mismatch');
      expect(ledger.accept(taskOf('t1', { payload: { a: [1, 2] }, type: 'disconnect' }), START_MS)).toBe(
        'mismatch',
      );
    }));

  it('still knows a task that has ended', () =>
    withParts(({ ledger }) => {
      ledger.accept(taskOf('t1'), START_MS);
      ledger.finish('t1', DONE, true, START_MS);
      expect(ledger.accept(taskOf('t1'), START_MS)).toBe('repeat');
      expect(dueIds(ledger, START_MS + DAY_MS)).toEqual([]);
    }));

  it('gives a task a day at most, and less where it asks for less', () =>
    withParts(({ ledger }) => {
      ledger.accept(taskOf('a'), START_MS);
      ledger.accept(taskOf('b', { deadlineMs: START_MS + 2 * DAY_MS }), START_MS);
      ledger.accept(taskOf('c', { deadlineMs: START_MS + HOUR_MS }), START_MS);
      expect(ledger.due(START_MS, NONE, 'read', 3).map(({ deadlineMs }) => deadlineMs - START_MS)).toEqual([
        DAY_MS,
        DAY_MS,
        HOUR_MS,
      ]);
    }));
});

describe('what is due', () => {
  it('comes oldest first, no more than asked for, and without what runs', () =>
    withParts(({ ledger }) => {
      ledger.accept(taskOf('old'), START_MS);
      ledger.accept(taskOf('middle'), START_MS + 1);
      ledger.accept(taskOf('young'), START_MS + 2);
      const later = START_MS + 10;
      expect(dueIds(ledger, later)).toEqual(['old', 'middle', 'young']);
      expect(dueIds(ledger, later, new Set(['old']), 1)).toEqual(['middle']);
      expect(dueIds(ledger, START_MS)).toEqual(['old']);
      expect(ledger.nextDueAt(new Set(['old']), 'read')).toBe(START_MS + 1);
      expect(ledger.nextDueAt(new Set(['old', 'middle', 'young']), 'read')).toBe(undefined);
    }));

  it('comes in the order it was handed in, also within one instant and across an eviction', () =>
    withParts(({ ledger }, world, state) => {
      for (const id of ['z', 'y', 'x']) ledger.accept(taskOf(id), START_MS);
      const later = openParts(state, world).ledger;
      for (const id of ['c', 'b', 'a']) later.accept(taskOf(id), START_MS);
      expect(dueIds(later, START_MS)).toEqual(['z', 'y', 'x', 'c', 'b', 'a']);
    }));

  it('leaves out a task that was put off until its time has come', () =>
    withParts(({ ledger, countRows }) => {
      ledger.accept(taskOf('t1'), START_MS);
      expect(countRows(() => ledger.postpone('t1', 3, START_MS + 1000.2))).toBe(1);
      expect(dueIds(ledger, START_MS + 1000)).toEqual([]);
      expect(ledger.nextDueAt(NONE, 'read')).toBe(START_MS + 1001);
      expect(ledger.due(START_MS + 1001, NONE, 'read', 1)).toMatchObject([{ id: 't1', attempts: 3 }]);
    }));

  it('leaves a parked task until it is resumed, or its deadline', () =>
    withParts(({ ledger }) => {
      ledger.accept(taskOf('t1', { deadlineMs: START_MS + HOUR_MS }), START_MS);
      ledger.park('t1', 2);
      expect(ledger.report('t1', NONE)).toMatchObject({ state: 'parked', attempts: 2 });
      expect(dueIds(ledger, START_MS + HOUR_MS - 1)).toEqual([]);
      expect(dueIds(ledger, START_MS + HOUR_MS)).toEqual(['t1']);
      ledger.resumeParked(START_MS + 5);
      expect(ledger.report('t1', NONE)).toMatchObject({ state: 'accepted', attempts: 2 });
      expect(dueIds(ledger, START_MS + 5)).toEqual(['t1']);
    }));

  it('resumes only what was parked', () =>
    withParts(({ ledger }) => {
      for (const id of ['waits', 'ended']) ledger.accept(taskOf(id), START_MS);
      ledger.postpone('waits', 1, START_MS + HOUR_MS);
      ledger.finish('ended', DONE, true, START_MS);
      ledger.resumeParked(START_MS + 1);
      expect(dueIds(ledger, START_MS + 1)).toEqual([]);
      expect(ledger.open()).toMatchObject([{ id: 'waits', type: 'refresh-token' }]);
    }));
});

describe('how tasks end', () => {
  it('is one row, and is reported with its result or its error', () =>
    withParts(({ ledger, countRows }) => {
      for (const id of ['good', 'bad']) ledger.accept(taskOf(id), START_MS);
      expect(countRows(() => ledger.finish('good', DONE, true, START_MS))).toBe(1);
      ledger.finish('bad', FAILED, true, START_MS);
      expect(ledger.report('good', NONE)).toEqual({
        id: 'good',
        type: 'refresh-token',
        state: 'done',
        attempts: 1,
        result: { answer: 42 },
      });
      expect(ledger.report('bad', NONE)).toMatchObject({
        state: 'failed',
        error: { code: 'provider_rejected', message: 'no', retryable: false },
      });
    }));

  it('is told of tasks that have not ended: accepted, running, or not known', () =>
    withParts(({ ledger }) => {
      ledger.accept(taskOf('t1'), START_MS);
      expect(ledger.report('t1', NONE)).toMatchObject({ state: 'accepted', attempts: 0 });
      expect(ledger.report('t1', new Set(['t1']))).toMatchObject({ state: 'running' });
      expect(ledger.report('t2', NONE)).toBe(undefined);
    }));

  it('waits to be told until its notice has been handed over', () =>
    withParts(({ ledger }) => {
      for (const id of ['told', 'untold', 'open']) ledger.accept(taskOf(id), START_MS);
      ledger.finish('told', DONE, true, START_MS);
      ledger.finish('untold', FAILED, false, START_MS);
      expect(ledger.unnotified()).toEqual([{ id: 'untold', type: 'refresh-token', end: FAILED }]);
      ledger.markNotified(['untold', 'nobody']);
      expect(ledger.unnotified()).toEqual([]);
    }));

  it('is forgotten after a day, looked for once an hour, but never before it was told', () =>
    withParts(({ ledger }) => {
      for (const id of ['told', 'untold', 'open']) ledger.accept(taskOf(id), START_MS);
      ledger.finish('told', DONE, true, START_MS);
      ledger.finish('untold', DONE, false, START_MS);
      ledger.purge(START_MS + DAY_MS);
      expect(ledger.report('told', NONE)).toBeDefined();
      ledger.purge(START_MS + DAY_MS + HOUR_MS - 1);
      expect(ledger.report('told', NONE)).toBeDefined();
      ledger.purge(START_MS + DAY_MS + HOUR_MS);
      expect(ledger.report('told', NONE)).toBe(undefined);
      expect(ledger.report('untold', NONE)).toBeDefined();
      expect(ledger.report('open', NONE)).toBeDefined();
    }));

  it('survives an eviction, and what ran is accepted again', () =>
    withParts(({ ledger }, _world, state) => {
      for (const id of ['ran', 'ended']) ledger.accept(taskOf(id, { payload: { n: 1 } }), START_MS);
      ledger.finish('ended', DONE, true, START_MS);
      const reopened = openParts(state, createWorld()).ledger;
      expect(reopened.due(START_MS, NONE, 'read', 9)).toMatchObject([{ id: 'ran', payload: { n: 1 } }]);
      expect(reopened.report('ended', NONE)).toMatchObject({ state: 'done' });
    }));
});

describe('reads and writes', () => {
  it('are asked for apart, each in its order', () =>
    withParts(({ ledger }) => {
      const payload = { eventId: 'e' };
      ledger.accept(taskOf('r1'), START_MS);
      ledger.accept(taskOf('w1', { type: 'cancel-event', payload }), START_MS + 1);
      ledger.accept(taskOf('w2', { type: 'update-event', payload }), START_MS + 2);
      const later = START_MS + 9;
      const idsOf = (kind: 'read' | 'write', most: number) =>
        ledger.due(later, NONE, kind, most).map(({ id }) => id);
      expect([idsOf('read', 9), idsOf('write', 9), idsOf('write', 1)]).toEqual([
        ['r1'],
        ['w1', 'w2'],
        ['w1'],
      ]);
      expect(ledger.nextDueAt(NONE, 'write')).toBe(START_MS + 1);
      expect(ledger.nextDueAt(new Set(['w1', 'w2']), 'write')).toBe(undefined);
      expect(ledger.nextDueAt(NONE, 'read')).toBe(START_MS);
    }));
});

describe('what was undone', () => {
  it('is not remembered: a task accepted in vain is not there, and one that ended in vain is still open', () =>
    withParts(({ ledger, store }) => {
      ledger.accept(taskOf('stays'), START_MS);
      const undo = () =>
        store.transaction(() => {
          ledger.accept(taskOf('vain'), START_MS);
          ledger.finish('stays', DONE, true, START_MS);
          expect(dueIds(ledger, START_MS + 9)).toEqual(['vain']);
          throw new Error('undo');
        });
      expect(undo).toThrow('undo');
      expect(dueIds(ledger, START_MS + 9)).toEqual(['stays']);
      expect(ledger.isOpen('vain')).toBe(false);
      expect(ledger.accept(taskOf('vain'), START_MS)).toBe('accepted');
    }));
});
