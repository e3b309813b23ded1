import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../src/domain/failure.ts';
import { connect, openParts, type Parts, withParts } from './bench.ts';
import { DARK, DAY_MS, HOUR_MS, REVOKED, settle, START_MS, taskOf, type World } from './world.ts';

/** With a connected account, and a list of the tasks that were run. */
function withDrain(body: (parts: Parts, world: World, state: DurableObjectState) => Promise<void>) {
  return withParts(async (parts, world, state) => {
    await connect(parts, world);
    await body(parts, world, state);
  });
}

function accept({ ledger }: Parts, ...ids: string[]): void {
  for (const id of ids) ledger.accept(taskOf(id), START_MS);
}

describe('a task', () => {
  it('runs once, however often the drain is started, and is told and recorded as done', () =>
    withDrain(async (parts, { script, sent }) => {
      const runs: string[] = [];
      script.run = ({ id }) => {
        runs.push(id);
        return Promise.resolve(ok({ n: 1 }));
      };
      accept(parts, 't1');
      parts.drain.start();
      parts.drain.start();
      expect(parts.ledger.report('t1', parts.drain.running)).toMatchObject({ state: 'running' });
      await settle();
      parts.drain.start();
      await settle();
      expect(runs).toEqual(['t1']);
      expect(parts.ledger.report('t1', parts.drain.running)).toMatchObject({
        state: 'done',
        attempts: 1,
        result: { n: 1 },
      });
      expect(sent).toMatchObject([{ type: 'task-completed', taskId: 't1', result: { n: 1 } }]);
      expect(parts.ledger.unnotified()).toEqual([]);
    }));

  it('that was under way in a crash runs again', () =>
    withDrain(async (parts, world, state) => {
      const runs: number[] = [];
      world.script.run = ({ attempts }) => {
        runs.push(attempts);
        return runs.length === 1 ? new Promise(() => {}) : Promise.resolve(ok({}));
      };
      accept(parts, 't1');
      parts.drain.start();
      const reopened = openParts(state, world);
      reopened.drain.start();
      await settle();
      expect(runs).toEqual([0, 0]);
      expect(reopened.ledger.report('t1', new Set())).toMatchObject({ state: 'done' });
    }));

  it('whose notice the queue refuses is done all the same, and told later', () =>
    withDrain(async (parts, { script, sent }) => {
      script.sendNotices = () => Promise.reject(new Error('the queue is down'));
      accept(parts, 't1');
      parts.drain.start();
      await settle();
      expect(parts.ledger.report('t1', new Set())).toMatchObject({ state: 'done' });
      expect(parts.agenda.has('send-notices')).toBe(true);
      script.sendNotices = () => Promise.resolve();
      await parts.notices.flush();
      expect(sent).toMatchObject([{ taskId: 't1' }]);
    }));

  it('that failed for now is put off, and counts its runs', () =>
    withDrain(async (parts, { script, sent, clock }) => {
      script.run = () =>
        Promise.resolve(fail({ kind: 'throttled', scope: 'user', retryAtMs: START_MS + 60_000 }));
      accept(parts, 't1');
      parts.drain.start();
      await settle();
      expect(parts.ledger.report('t1', new Set())).toMatchObject({ state: 'accepted', attempts: 1 });
      expect(parts.drain.nextAt()).toBe(START_MS + 60_500);
      await clock.advance(60_500);
      parts.drain.start();
      await settle();
      expect(parts.drain.nextAt()).toBe(clock.now() + 1_000);
      expect(sent).toEqual([]);
    }));

  it('that a limit leaves no room for has all wait until then, in order, and costs neither a row nor an attempt', () =>
    withDrain(async ({ drain, ledger, countRows }, { script, clock, events }) => {
      const retryAtMs = START_MS + 60_000;
      const runs: string[] = [];
      script.run = ({ id }) => {
        runs.push(id);
        const isOpen = clock.now() >= retryAtMs;
        return Promise.resolve(
          isOpen ? ok({}) : fail({ kind: 'throttled', scope: 'user', retryAtMs, unsent: true }),
        );
      };
      for (const id of ['t1', 't2', 't3']) {
        ledger.accept(taskOf(id, { type: 'create-event', payload: { id } }), START_MS);
      }
      const before = events.length;
      drain.start();
      await settle();
      expect(countRows(() => drain.start())).toBe(0);
      expect(runs).toEqual(['t1']);
      expect(events.slice(before)).toEqual([]);
      expect(ledger.report('t1', drain.running)).toMatchObject({ state: 'accepted', attempts: 0 });
      expect(drain.nextAt()).toBe(retryAtMs);
      await clock.advance(59_999);
      drain.start();
      expect(runs).toHaveLength(1);
      await clock.advance(1);
      drain.start();
      await settle();
      expect(runs.slice(1)).toEqual(['t1', 't2', 't3']);
      expect(ledger.report('t3', drain.running)).toMatchObject({ state: 'done', attempts: 1 });
    }));

  it('that ends the connection needs no room, though all others wait', () =>
    withDrain(async ({ drain, ledger }, { script }) => {
      const retryAtMs = START_MS + 60_000;
      const runs: string[] = [];
      script.run = ({ id, type }) => {
        runs.push(id);
        return Promise.resolve(
          type === 'disconnect' ? ok({}) : fail({ kind: 'throttled', scope: 'app', retryAtMs, unsent: true }),
        );
      };
      // As many as run at once, so that it stands behind them.
      for (let n = 0; n < 8; n += 1) {
        ledger.accept(taskOf(`t${n}`, { type: 'check-availability', payload: {} }), START_MS);
      }
      ledger.accept(taskOf('bye', { type: 'disconnect', payload: {} }), START_MS);
      drain.start();
      await settle();
      expect(runs).toHaveLength(9);
      expect(ledger.report('bye', drain.running)).toMatchObject({ state: 'done' });
    }));

  it('is retried late once the budget for retries whose time nobody named is spent', () =>
    withDrain(async ({ drain, ledger }, { script }) => {
      script.run = () => Promise.resolve(DARK);
      for (let n = 0; n < 4; n += 1) ledger.accept(taskOf(`t${n}`), START_MS);
      drain.start();
      await settle();
      const known = new Set(['t0', 't1', 't2']);
      expect(drain.nextAt()).toBe(START_MS + 500);
      expect(ledger.nextDueAt(known, 'read')).toBe(START_MS + 32_000);
    }));

  it('past its deadline is not kept waiting by a limit', () =>
    withDrain(async ({ drain, ledger }, { script, clock }) => {
      const retryAtMs = START_MS + 60_000;
      const runs: string[] = [];
      script.run = ({ id }) => {
        runs.push(id);
        const isRefused = id === 't1' && runs.length === 1;
        return Promise.resolve(
          isRefused ? fail({ kind: 'throttled', scope: 'user', retryAtMs, unsent: true }) : ok({}),
        );
      };
      const write = { type: 'create-event', payload: {} } as const;
      ledger.accept(taskOf('t1', write), START_MS);
      ledger.accept(taskOf('t2', { ...write, deadlineMs: START_MS + 10_000 }), START_MS);
      ledger.accept(taskOf('t3', { type: 'disconnect', payload: {} }), START_MS);
      drain.welcome(['t1', 't2', 't3']);
      drain.start();
      await settle();
      expect(runs).toEqual(['t1', 't3']);
      expect(drain.nextAt()).toBe(START_MS + 10_000);
      await clock.advance(10_000);
      drain.start();
      await settle();
      expect(ledger.report('t2', drain.running)).toMatchObject({ state: 'failed' });
      expect(ledger.report('t1', drain.running)).toMatchObject({ state: 'accepted' });
    }));

  it('that cannot succeed is given up and told', () =>
    withDrain(async (parts, { script, sent }) => {
      script.run = () => Promise.resolve(fail({ kind: 'rejected', status: 400, code: 'bad' }));
      accept(parts, 't1');
      parts.drain.start();
      await settle();
      expect(parts.ledger.report('t1', new Set())).toMatchObject({
        state: 'failed',
        error: { code: 'provider_rejected' },
      });
      expect(sent.map(({ type }) => type).toSorted()).toEqual(['operator-alert', 'task-failed']);
    }));

  it('that meets a dead grant is parked, and so is every later one without being run', () =>
    withDrain(async (parts, { script, sent }) => {
      let runs = 0;
      script.run = () => {
        runs += 1;
        return Promise.resolve(REVOKED);
      };
      accept(parts, 't1');
      parts.drain.start();
      await settle();
      accept(parts, 't2');
      parts.drain.start();
      await settle();
      expect(runs).toBe(1);
      expect(parts.ledger.report('t1', new Set())).toMatchObject({ state: 'parked', attempts: 1 });
      expect(parts.ledger.report('t2', new Set())).toMatchObject({ state: 'parked', attempts: 0 });
      expect(sent.map(({ type }) => type)).toEqual(['connector-needs-reauth']);
    }));

  it('whose deadline has passed fails without being run, for the reason it waited for', () =>
    withDrain(async (parts, { script, clock, sent }) => {
      script.run = () => Promise.resolve(REVOKED);
      accept(parts, 'parked');
      parts.drain.start();
      await settle();
      script.run = () => Promise.reject(new Error('must not run'));
      await clock.advance(DAY_MS);
      parts.drain.start();
      await settle();
      expect(parts.ledger.report('parked', new Set())).toMatchObject({
        state: 'failed',
        error: { code: 'reauth_required' },
      });
      expect(sent.at(-1)).toMatchObject({ type: 'task-failed', taskId: 'parked' });
    }));

  describe('whose deadline passes in a crash', () => {
    const DEADLINE = { type: 'create-event', deadlineMs: START_MS + HOUR_MS } as const;

    /** As a life that comes after the deadline finds a task that was under way. */
    const cutOff = (body: (late: Parts, world: World) => Promise<void>) =>
      withDrain(async (parts, world, state) => {
        world.script.run = () => new Promise(() => {});
        parts.ledger.accept(taskOf('t1', DEADLINE), START_MS);
        parts.drain.welcome(['t1']);
        parts.drain.start();
        await world.clock.advance(HOUR_MS);
        await body(openParts(state, world), world);
      });

    it('is looked at once more: what has been written is done, not failed', () =>
      cutOff(async (late, { script, sent }) => {
        const modes: boolean[] = [];
        script.run = (_, { isRepeat }) => {
          modes.push(isRepeat);
          return Promise.resolve(ok({ eventId: 'e1' }));
        };
        late.drain.start();
        await settle();
        expect(modes).toEqual([true]);
        expect(late.ledger.report('t1', new Set())).toMatchObject({ state: 'done', attempts: 1 });
        expect(sent.map(({ type }) => type)).toEqual(['task-completed']);
      }));

    it.each([
      ['fails', () => Promise.resolve(DARK), 'provider_unavailable'],
      ['waits for the person', () => Promise.resolve(REVOKED), 'reauth_required'],
      ['is cut short by a bug', () => Promise.reject(new Error('bug')), 'provider_unavailable'],
    ])('ends for good when that look %s', (_, look, code) =>
      cutOff(async (late, { script, clock }) => {
        let runs = 0;
        script.run = () => {
          runs += 1;
          return look();
        };
        late.drain.start();
        await settle();
        await clock.advance(HOUR_MS);
        late.drain.start();
        await settle();
        expect(runs).toBe(1);
        expect(late.ledger.report('t1', new Set())).toMatchObject({
          state: 'failed',
          error: { code, message: expect.stringContaining('deadline'), retryable: false },
        });
        expect(late.drain.nextAt()).toBe(undefined);
      }),
    );

    it('is not begun after it where it has not run', () =>
      withDrain(async (parts, { script, clock }) => {
        script.run = () => Promise.reject(new Error('must not run'));
        parts.ledger.accept(taskOf('t1', DEADLINE), START_MS);
        parts.drain.welcome(['t1']);
        await clock.advance(HOUR_MS);
        parts.drain.start();
        await settle();
        expect(parts.ledger.report('t1', new Set())).toMatchObject({ state: 'failed', attempts: 1 });
      }));
  });

  it('that keeps failing ends at its deadline at the latest', () =>
    withDrain(async (parts, { script, clock }) => {
      script.run = () => Promise.resolve(DARK);
      parts.ledger.accept(taskOf('t1', { deadlineMs: START_MS + HOUR_MS }), START_MS);
      for (let at = parts.drain.nextAt(); at !== undefined; at = parts.drain.nextAt()) {
        // oxlint-disable-next-line no-await-in-loop
        await clock.advance(Math.max(0, at - clock.now()));
        parts.drain.start();
        // oxlint-disable-next-line no-await-in-loop
        await settle();
      }
      expect(parts.ledger.report('t1', new Set())).toMatchObject({
        state: 'failed',
        error: { code: 'provider_unavailable' },
      });
      expect(clock.now()).toBeLessThanOrEqual(START_MS + HOUR_MS);
      expect(clock.now()).toBeGreaterThan(START_MS + HOUR_MS / 2);
    }));

  it('whose permission is missing ends, where a reconnect would change nothing', () =>
    withDrain(async (parts, world) => {
      await connect(parts, world);
      world.script.run = () => Promise.resolve(fail({ kind: 'consent-missing', scopes: [] }));
      accept(parts, 't1');
      parts.drain.start();
      await settle();
      expect(parts.ledger.report('t1', new Set())).toMatchObject({
        state: 'failed',
        error: { code: 'consent_missing' },
      });
    }));

  it('whose answer is longer than a row holds ends with what to do about it', () =>
    withDrain(async (parts, { script, sent }) => {
      script.run = () => Promise.resolve(ok({ busy: 'x'.repeat(1_000_001) }));
      accept(parts, 't1');
      parts.drain.start();
      await settle();
      expect(parts.ledger.report('t1', new Set())).toMatchObject({
        state: 'failed',
        error: { code: 'invalid_request', retryable: false },
      });
      expect(sent).toMatchObject([{ type: 'task-failed', taskId: 't1' }]);
    }));

  it('that was ended while it ran is not ended again', () =>
    withDrain(async (parts, { script, sent }) => {
      script.run = ({ id }) => {
        const error = { code: 'reauth_required', message: 'gone', retryable: false } as const;
        parts.ledger.finish(id, { state: 'failed', error }, false, START_MS);
        return Promise.resolve(ok({}));
      };
      accept(parts, 't1');
      parts.drain.start();
      await settle();
      expect(parts.ledger.report('t1', new Set())).toMatchObject({ state: 'failed' });
      expect(sent).toEqual([]);
    }));

  it('with a bug stops no other, and is tried again in a minute', () =>
    withDrain(async (parts, { script, events }) => {
      script.run = ({ id }) => (id === 'bug' ? Promise.reject(new Error('bug')) : Promise.resolve(ok({})));
      accept(parts, 'bug', 'good');
      parts.drain.start();
      await settle();
      expect(parts.ledger.report('good', new Set())).toMatchObject({ state: 'done' });
      expect(parts.ledger.report('bug', new Set())).toMatchObject({ state: 'accepted', attempts: 1 });
      expect(parts.drain.nextAt()).toBe(START_MS + 60_500);
      expect(events).toContainEqual(expect.objectContaining({ event: 'error', detail: 'Error: bug' }));
    }));
});

describe('the drain', () => {
  it('runs sixteen tasks at once and takes the next one as soon as one has ended', () =>
    withDrain(async (parts, { script }) => {
      const ends: (() => void)[] = [];
      script.run = () =>
        new Promise((resolve) => {
          ends.push(() => resolve(ok({})));
        });
      accept(parts, ...Array.from({ length: 18 }, (_, n) => `t${n}`));
      parts.drain.start();
      await settle();
      expect(parts.drain.running.size).toBe(16);
      ends[0]?.();
      await settle();
      expect(ends).toHaveLength(17);
      expect(parts.drain.running.size).toBe(16);
    }));

  it('looks again when a task is due, and after five seconds while one is under way', () =>
    withDrain(async (parts, { script }) => {
      script.run = () => new Promise(() => {});
      expect(parts.drain.nextAt()).toBe(undefined);
      accept(parts, 't1', 't2');
      parts.ledger.postpone('t2', 1, START_MS + 60_000);
      parts.drain.start();
      expect(parts.drain.nextAt()).toBe(START_MS + 5_000);
      parts.ledger.postpone('t2', 1, START_MS + 1_000);
      expect(parts.drain.nextAt()).toBe(START_MS + 1_000);
    }));

  it('does not have the clock look for tasks that there is no room for', () =>
    withDrain(async (parts, { script }) => {
      script.run = () => new Promise(() => {});
      accept(parts, ...Array.from({ length: 17 }, (_, n) => `t${n}`));
      parts.drain.start();
      expect(parts.drain.nextAt()).toBe(START_MS + 5_000);
    }));

  it('that is closed starts nothing and writes nothing of what is under way', () =>
    withDrain(async (parts, { script, sent }) => {
      const runs: string[] = [];
      const replies = new Map<string, (failed: boolean) => void>();
      script.run = ({ id }) => {
        runs.push(id);
        return new Promise((resolve, reject) => {
          replies.set(id, (bug) => (bug ? reject(new Error('bug')) : resolve(ok({}))));
        });
      };
      accept(parts, 'good', 'bug');
      parts.drain.start();
      accept(parts, 'late');
      parts.drain.close();
      const before = parts.dump();
      replies.get('good')?.(false);
      replies.get('bug')?.(true);
      await settle();
      parts.drain.start();
      await settle();
      expect(runs).toEqual(['good', 'bug']);
      expect(sent).toEqual([]);
      expect(parts.dump()).toBe(before);
    }));
});

describe('writes', () => {
  const write = (parts: Parts, ...ids: string[]) => {
    for (const id of ids) {
      parts.ledger.accept(taskOf(id, { type: 'cancel-event', payload: { eventId: id } }), START_MS);
    }
  };

  it('go one at a time, in the order they were accepted, beside reads', () =>
    withDrain(async (parts, { script }) => {
      const log: string[] = [];
      const ends = new Map<string, () => void>();
      script.run = ({ id }) => {
        log.push(id);
        return new Promise((resolve) => {
          ends.set(id, () => resolve(ok({})));
        });
      };
      write(parts, 'w1', 'w2', 'w3');
      accept(parts, 'r1', 'r2');
      parts.drain.start();
      await settle();
      // Another look, and a read that ends, start no second write beside the first.
      parts.drain.start();
      ends.get('r1')?.();
      await settle();
      expect(log.toSorted()).toEqual(['r1', 'r2', 'w1']);
      expect(parts.drain.nextAt(), 'the others wait for it, not for the clock').toBe(START_MS + 5_000);
      ends.get('w1')?.();
      await settle();
      ends.get('w2')?.();
      await settle();
      expect(log.slice(3)).toEqual(['w2', 'w3']);
    }));

  it('that is put off lets the next one pass', () =>
    withDrain(async (parts, { script }) => {
      const log: string[] = [];
      script.run = ({ id }) => {
        log.push(id);
        return Promise.resolve(id === 'w1' ? DARK : ok({}));
      };
      write(parts, 'w1', 'w2');
      parts.drain.start();
      await settle();
      expect(log).toEqual(['w1', 'w2']);
    }));

  it('are told whether an earlier run may have come through', () =>
    withDrain(async (parts, world, state) => {
      const repeats: boolean[] = [];
      world.script.run = (_, { isRepeat }) => {
        repeats.push(isRepeat);
        return Promise.resolve(repeats.length === 1 ? DARK : ok({}));
      };
      write(parts, 'w1');
      parts.drain.welcome(['w1']);
      parts.drain.start();
      await settle();
      await world.clock.advance(HOUR_MS);
      parts.drain.start();
      await settle();
      expect(repeats).toEqual([false, true]);

      // Accepted before a crash: nobody knows how far it came.
      write(parts, 'w2');
      parts.drain.welcome(['w2']);
      openParts(state, world).drain.start();
      await settle();
      expect(repeats).toEqual([false, true, true]);
    }));
});
