import { describe, expect, it } from 'vitest';
import type { TaskEnd } from '../../src/connector/ledger.ts';
import type { Notice } from '../../src/domain/notice.ts';
import { openParts, type Parts, withParts } from './bench.ts';
import { settle, START_MS, taskOf } from './world.ts';

const DONE: TaskEnd = { state: 'done', result: { answer: 42 } };
const FAILED: TaskEnd = { state: 'failed', error: { code: 'not_found', message: 'no', retryable: false } };
const DOWN = () => Promise.reject(new Error('the queue is down'));

function endUntold({ ledger }: Parts, id: string, end: TaskEnd): void {
  ledger.accept(taskOf(id), START_MS);
  ledger.finish(id, end, false, START_MS);
}

function alertOf(n: number) {
  const error = { code: 'misconfigured' as const, message: `alert ${n}`, retryable: false };
  return { type: 'operator-alert' as const, error };
}

describe('a notice that is not complete yet', () => {
  const changed = (n: number) => ({ type: 'calendar-changed' as const, result: { changed: n } });
  const told = (sent: readonly Notice[]) => sent.map(({ result }) => result);

  it('waits while others are sent, and is sent once with what it came to say', () =>
    withParts(async ({ notices, agenda, countRows }, { sent }) => {
      notices.draft(changed(1));
      notices.post({ type: 'connector-connected' });
      await settle();
      expect(sent.map(({ type }) => type)).toEqual(['connector-connected']);
      expect(agenda.has('send-notices')).toBe(true);
      expect(countRows(() => notices.draft(changed(2)))).toBe(1);
      notices.completeDraft();
      await settle();
      expect(told(sent.slice(1))).toEqual([{ changed: 2 }]);
      expect(agenda.has('send-notices')).toBe(false);
      notices.completeDraft();
      notices.draft(changed(3));
      notices.completeDraft();
      await settle();
      expect(told(sent.slice(2))).toEqual([{ changed: 3 }]);
    }));

  it('is sent by the next life as it was', () =>
    withParts(async ({ notices }, world, state) => {
      notices.draft(changed(1));
      notices.draft(changed(2));
      const reopened = openParts(state, world);
      expect(reopened.agenda.has('send-notices')).toBe(true);
      await reopened.notices.flush();
      expect(told(world.sent)).toEqual([{ changed: 2 }]);
    }));

  it('is sent as it is before the storage goes', () =>
    withParts(async ({ notices }, { sent }) => {
      notices.draft(changed(1));
      await notices.sendLast({ type: 'connector-disconnected' });
      expect(sent.map(({ type }) => type)).toEqual(['calendar-changed', 'connector-disconnected']);
    }));

  it('takes no other’s place when its own row has been undone', () =>
    withParts(async ({ notices, store }, { sent, script }) => {
      script.sendNotices = DOWN;
      const undone = () =>
        store.transaction(() => {
          notices.draft(changed(1));
          throw new Error('undone');
        });
      expect(undone).toThrow('undone');
      notices.post({ type: 'connector-connected' });
      notices.draft(changed(2));
      await settle();
      script.sendNotices = () => Promise.resolve();
      notices.completeDraft();
      await settle();
      await notices.flush();
      expect(sent.map(({ type }) => type)).toEqual(['connector-connected', 'calendar-changed']);
      expect(told(sent.slice(1))).toEqual([{ changed: 2 }]);
    }));
});

describe('a notice of the connector', () => {
  it('is sent at once, with its connector and its time', () =>
    withParts(async ({ notices, agenda }, { sent }) => {
      notices.post({ type: 'connector-connected' });
      await settle();
      expect(sent).toEqual([
        { type: 'connector-connected', connectorId: 'connector-1', at: '2026-11-23T08:00:00.000Z' },
      ]);
      expect(agenda.has('send-notices')).toBe(false);
    }));

  it('is kept, with the time it is about, until the queue takes it', () =>
    withParts(async ({ notices, agenda }, world, state) => {
      world.script.sendNotices = DOWN;
      notices.post({ type: 'connector-connected' });
      await settle();
      await world.clock.advance(15_500);
      expect(agenda.due(world.clock.now())).toEqual(['send-notices']);
      await notices.flush();
      expect(agenda.due(world.clock.now())).toEqual([]);

      world.script.sendNotices = () => Promise.resolve();
      const reopened = openParts(state, world);
      expect(reopened.agenda.has('send-notices')).toBe(true);
      await reopened.notices.flush();
      expect(world.sent).toMatchObject([{ type: 'connector-connected', at: '2026-11-23T08:00:00.000Z' }]);
      expect(reopened.agenda.has('send-notices')).toBe(false);
      await reopened.notices.flush();
      expect(world.sent).toHaveLength(1);
    }));

  it('that is posted while others are on their way follows them, once', () =>
    withParts(async ({ notices }, { script, sent }) => {
      const slow = Promise.withResolvers<void>();
      script.sendNotices = () => slow.promise;
      for (let n = 0; n < 3; n += 1) notices.post(alertOf(n));
      await settle();
      notices.post(alertOf(3));
      slow.resolve();
      await notices.flush();
      expect(sent.map(({ error }) => error?.message)).toEqual(['alert 0', 'alert 1', 'alert 2', 'alert 3']);
    }));

  it('keeps its place in the order over a queue that fails', () =>
    withParts(async ({ notices }, { script, sent }) => {
      script.sendNotices = DOWN;
      for (let n = 0; n < 120; n += 1) notices.post(alertOf(n));
      await settle();
      script.sendNotices = () => Promise.resolve();
      await notices.flush();
      expect(sent.map(({ error }) => error?.message)).toEqual(
        Array.from({ length: 120 }, (_, n) => `alert ${n}`),
      );
    }));
});

describe('the notice of a task', () => {
  it('carries the result or the error, and tells whether the queue took it', () =>
    withParts(async ({ notices, agenda }, { sent, script }) => {
      expect(await notices.tellEnd('t1', 'refresh-token', DONE)).toBe(true);
      expect(await notices.tellEnd('t2', 'refresh-token', FAILED)).toBe(true);
      expect(sent).toMatchObject([
        { type: 'task-completed', taskId: 't1', taskType: 'refresh-token', result: { answer: 42 } },
        { type: 'task-failed', taskId: 't2', error: { code: 'not_found' } },
      ]);
      expect(agenda.has('send-notices')).toBe(false);
      script.sendNotices = DOWN;
      expect(await notices.tellEnd('t3', 'refresh-token', DONE)).toBe(false);
      expect(agenda.has('send-notices')).toBe(true);
    }));

  it('is told anew from the ledger, until it is told once', () =>
    withParts(async (parts, { sent, script }) => {
      endUntold(parts, 'good', DONE);
      endUntold(parts, 'bad', FAILED);
      script.sendNotices = DOWN;
      await parts.notices.flush();
      script.sendNotices = () => Promise.resolve();
      await parts.notices.flush();
      await parts.notices.flush();
      expect(sent.map(({ type, taskId }) => `${type} ${taskId}`).toSorted()).toEqual([
        'task-completed good',
        'task-failed bad',
      ]);
    }));

  it('shares a call of at most a hundred with the notices of the connector', () =>
    withParts(async (parts, { sent, script }) => {
      script.sendNotices = DOWN;
      for (let n = 0; n < 50; n += 1) parts.notices.post(alertOf(n));
      for (let n = 0; n < 100; n += 1) endUntold(parts, `t${n}`, DONE);
      await settle();
      const sizes: number[] = [];
      script.sendNotices = ({ length }) => Promise.resolve(void sizes.push(length));
      await parts.notices.flush();
      expect(sizes).toEqual([100, 50]);
      expect(sent).toHaveLength(150);
    }));

  it('is told from the ledger in calls that the queue takes, however many have piled up', () =>
    withParts(async (parts, { sent, script }) => {
      script.sendNotices = DOWN;
      for (let n = 0; n < 5; n += 1) parts.notices.post(alertOf(n));
      const busy = 'x'.repeat(9_000);
      for (let n = 0; n < 130; n += 1) endUntold(parts, `t${n}`, { state: 'done', result: { busy } });
      endUntold(parts, 'huge', { state: 'done', result: { busy: 'ö'.repeat(200_000) } });
      await settle();
      // Queues: at most 100 messages and 256 kB in one call, 128 kB a message.
      const sizeOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).byteLength;
      script.sendNotices = (batch: Notice[]) => {
        const fits =
          batch.length <= 100 && sizeOf(batch) <= 256_000 && batch.every((one) => sizeOf(one) <= 128_000);
        return fits ? Promise.resolve() : Promise.reject(new Error('too large'));
      };
      await parts.notices.flush();
      expect(sent).toHaveLength(136);
      expect(new Set(sent.map(({ taskId }) => taskId)).size).toBe(132);
      expect(sent.find(({ taskId }) => taskId === 'huge')).not.toHaveProperty('result');
      expect(parts.agenda.has('send-notices')).toBe(false);
    }));
});

describe('the last notice', () => {
  it('comes after all that waits', () =>
    withParts(async (parts, { sent }) => {
      endUntold(parts, 't1', DONE);
      await parts.notices.sendLast({ type: 'connector-disconnected' });
      expect(sent.map(({ type }) => type)).toEqual(['task-completed', 'connector-disconnected']);
    }));

  it('is not sent while others cannot be', () =>
    withParts(async (parts, { sent, script }) => {
      endUntold(parts, 't1', DONE);
      let calls = 0;
      script.sendNotices = () => ((calls += 1) === 1 ? DOWN() : Promise.resolve());
      await expect(parts.notices.sendLast({ type: 'connector-disconnected' })).rejects.toThrow('wait');
      expect(sent).toEqual([]);
    }));
});
