import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallWindow } from '../../src/connector/call-window.ts';
import { CALL_WINDOW, forgetFact } from '../../src/connector/facts.ts';
import { inFreshObject, openStore } from './bench.ts';
import { createClock } from './world.ts';

const LIMIT = { limit: 100, windowMs: 10_000 };

describe('the calls of one account', () => {
  it('are at most the limit in any stretch of time, whatever evictions and crashes come between', () =>
    inFreshObject(async (state) => {
      const step = fc.record({
        afterMs: fc.integer({ min: 0, max: 3_000 }),
        calls: fc.integer({ min: 1, max: 30 }),
        isCrash: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
          const { store } = openStore(state);
          forgetFact(store, CALL_WINDOW);
          const clock = createClock();
          const open = () => new CallWindow({ store, limit: LIMIT, now: clock.now });
          let window = open();
          const made: { atMs: number; calls: number }[] = [];
          for (const { afterMs, calls, isCrash } of steps) {
            // oxlint-disable-next-line no-await-in-loop
            await clock.advance(afterMs);
            if (isCrash) window = open();
            if (window.roomAt(calls) > clock.now()) continue;
            window.note(calls);
            made.push({ atMs: clock.now(), calls });
          }
          for (const { atMs } of made) {
            const within = made.filter((one) => one.atMs >= atMs && one.atMs < atMs + LIMIT.windowMs);
            expect(within.reduce((sum, { calls }) => sum + calls, 0)).toBeLessThanOrEqual(LIMIT.limit);
          }
        }),
        { numRuns: 60 },
      );
    }));

  it('find room again at the instant that was named, and not a millisecond before', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      const window = new CallWindow({ store, limit: LIMIT, now: clock.now });
      while (window.roomAt(1) <= clock.now()) window.note(1);
      const atMs = window.roomAt(1);
      expect(atMs - clock.now()).toBeLessThanOrEqual(LIMIT.windowMs * 1.1);
      await clock.advance(atMs - clock.now() - 1);
      expect(window.roomAt(1)).toBe(atMs);
      await clock.advance(1);
      expect(window.roomAt(1)).toBe(clock.now());
    }));

  it('cost a row for one in twenty of the limit', () =>
    inFreshObject((state) => {
      const { store, countRows } = openStore(state);
      const clock = createClock();
      const window = new CallWindow({ store, limit: { limit: 500, windowMs: 100_000 }, now: clock.now });
      const rows = countRows(() => {
        for (let call = 0; call < 400; call += 1) window.note(1);
      });
      expect(rows).toBeLessThanOrEqual(19);
    }));

  it('are not presumed to be many by lives that are many and short', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      const limit = { limit: 10_000, windowMs: 600_000 };
      const LIVES = 60;
      for (let life = 0; life < LIVES; life += 1) {
        const window = new CallWindow({ store, limit, now: clock.now });
        window.note(1);
        // oxlint-disable-next-line no-await-in-loop
        await clock.advance(10_000);
      }
      const window = new CallWindow({ store, limit, now: clock.now });
      expect(window.roomAt(limit.limit - 10 * LIVES)).toBe(clock.now());
    }));

  it('are counted as an earlier version has written them', () =>
    inFreshObject((state) => {
      const { store } = openStore(state);
      const { now } = createClock();
      const parts = JSON.stringify([{ startMs: now(), calls: 60 }]);
      store.query(`INSERT INTO fact (name, value) VALUES ('call-window', ?)`, parts);
      const window = new CallWindow({ store, limit: LIMIT, now });
      expect([window.roomAt(35) > now(), window.roomAt(36) > now()]).toEqual([false, true]);
    }));

  it('of which one is larger than the whole limit are let through when nothing else is', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      const window = new CallWindow({ store, limit: { limit: 10, windowMs: 1_000 }, now: clock.now });
      window.note(50);
      const atMs = window.roomAt(50);
      expect(atMs).toBeGreaterThan(clock.now());
      await clock.advance(atMs - clock.now());
      expect(window.roomAt(50)).toBe(clock.now());
    }));
});
