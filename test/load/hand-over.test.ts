import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Notice } from '../local/runtime.ts';
import { HandOver } from './hand-over.ts';

const START_MS = Date.UTC(2026, 10, 25, 9);
const TASK = { id: 't', type: 'cancel-hold', connectorId: 'c', payload: {} };

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS, toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A worker that takes every task, and whose ledger says at once that it is done. */
function openWorker() {
  const notices: Notice[] = [];
  return {
    notices,
    tell: (atMs: number) =>
      notices.push({
        type: 'task-completed',
        connectorId: 'c',
        taskId: 't',
        at: new Date(atMs).toISOString(),
      }),
    api: (method: string) => {
      const json = method === 'POST' ? {} : { state: 'done', attempts: 1 };
      return Promise.resolve({
        status: method === 'POST' ? 202 : 200,
        json,
        text: '',
        headers: new Headers(),
      });
    },
  };
}

it('takes the end of a task from its last notice, however late the ledger is asked', async () => {
  const worker = openWorker();
  const handOver = new HandOver(worker, [TASK]);
  await handOver.step();
  worker.tell(START_MS + 1_000);
  worker.tell(START_MS + 2_000);
  vi.setSystemTime(START_MS + 600_000);
  await handOver.step();
  expect(handOver.isOver).toBe(true);
  expect(handOver.ends.get('t')).toEqual({ state: 'done', attempts: 1, atMs: START_MS + 2_000 });
});

it('takes it from when the ledger says so, where no notice has come', async () => {
  const handOver = new HandOver(openWorker(), [TASK]);
  await handOver.step();
  vi.setSystemTime(START_MS + 60_000);
  await handOver.step();
  expect(handOver.ends.get('t')?.atMs).toBe(START_MS + 60_000);
});
