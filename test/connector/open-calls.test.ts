import { describe, expect, it } from 'vitest';
import { OpenCalls } from '../../src/connector/open-calls.ts';
import type { Store } from '../../src/connector/store.ts';
import { ok } from '../../src/domain/failure.ts';
import { inFreshObject, openGate, openStore } from './bench.ts';
import { createClock, settle } from './world.ts';

const LIFE_MS = 35_000;
const GRAIN_MS = 10_000;
const ONE = { weight: 1, calls: 1 };

/** What a life that begins on this store knows; `tasks`: when those were accepted that the ledger has as open. */
function openLife(store: Store, clock: ReturnType<typeof createClock>, tasks: number[] = [], covered = 0) {
  return new OpenCalls({
    store,
    maxConcurrent: 4,
    callLifeMs: LIFE_MS,
    grainMs: GRAIN_MS,
    freshTasks: () => tasks,
    covered: () => covered,
    now: clock.now,
  });
}

describe('the calls that a crash leaves open at the provider', () => {
  it('are as many as were written down, until the last of them must have ended', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      const life = openLife(store, clock);
      life.remember(2);
      life.remember(4);
      await clock.advance(1_000);
      const next = openLife(store, clock);
      expect(next.ghosts()).toBe(4);
      await clock.advance(next.fewerAt(3) - clock.now() - 1);
      expect(next.ghosts()).toBe(4);
      await clock.advance(1);
      expect(next.ghosts()).toBe(0);
    }));

  it('are none when all had ended before: it is written down once things are quiet', () =>
    inFreshObject(async (state) => {
      const { store, countRows } = openStore(state);
      const clock = createClock();
      const life = openLife(store, clock);
      life.remember(3);
      expect(countRows(() => life.settle())).toBe(1);
      expect(countRows(() => life.settle())).toBe(0);
      expect(openLife(store, clock).ghosts()).toBe(0);
      // From then on a crash leaves as many as before.
      expect(countRows(() => life.remember(2))).toBe(1);
      expect(openLife(store, clock).ghosts()).toBe(2);
      // Few enough leave the next life room, and cost no row.
      expect(countRows(() => life.settle())).toBe(0);
    }));

  it('stay those of a former life when the calls of this one have ended', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      openLife(store, clock).remember(2);
      await clock.advance(5_000);
      const life = openLife(store, clock);
      const endMs = life.fewerAt(0);
      life.remember(2);
      expect(openLife(store, clock).ghosts()).toBe(4);
      life.settle();
      const next = openLife(store, clock);
      expect([next.ghosts(), next.fewerAt(0)]).toEqual([2, endMs]);
      await clock.advance(endMs - clock.now());
      expect(openLife(store, clock).ghosts()).toBe(0);
    }));

  it('cost one row in a while, however many they are', () =>
    inFreshObject(async (state) => {
      const { store, countRows } = openStore(state);
      const clock = createClock();
      const life = openLife(store, clock);
      let rows = 0;
      for (let second = 0; second < 60; second += 1) {
        rows += countRows(() => [1, 2, 3, 4, 3, 2, 1].forEach((open) => life.remember(open)));
        // oxlint-disable-next-line no-await-in-loop
        await clock.advance(1_000);
      }
      expect(rows).toBeLessThanOrEqual(4 + 60_000 / GRAIN_MS);
    }));

  it('of tasks that have just been accepted cost none: the ledger tells of them', () =>
    inFreshObject(async (state) => {
      const { store, countRows } = openStore(state);
      const clock = createClock();
      const acceptedAtMs = clock.now();
      const life = openLife(store, clock, [], 2);
      expect(countRows(() => life.remember(2))).toBe(0);
      const next = openLife(store, clock, [acceptedAtMs, acceptedAtMs + 5_000]);
      expect(next.ghosts()).toBe(2);
      await clock.advance(LIFE_MS + GRAIN_MS);
      expect(next.ghosts()).toBe(1);
      await clock.advance(5_000);
      expect(next.ghosts()).toBe(0);
    }));

  it('are remembered through a second crash, with those of the life between', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      openLife(store, clock).remember(3);
      await clock.advance(30_000);
      openLife(store, clock).remember(1);
      const third = openLife(store, clock);
      expect(third.ghosts()).toBe(4);
      await clock.advance(LIFE_MS + GRAIN_MS);
      expect(third.ghosts()).toBe(0);
    }));

  it('are remembered through a second crash where the ledger alone told of them, though their tasks have failed since', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      openLife(store, clock, [clock.now()]);
      await clock.advance(1_000);
      const third = openLife(store, clock);
      expect(third.ghosts()).toBe(1);
      await clock.advance(LIFE_MS + GRAIN_MS);
      expect(third.ghosts()).toBe(0);
    }));

  it('are never taken for calls of this life, which tasks cover', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      openLife(store, clock, [clock.now()], 2).remember(1);
      expect(openLife(store, clock, [clock.now()]).ghosts()).toBe(2);
    }));

  it('keep their places at the gate: none is given away, and all are once they must have ended', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      const former = openGate(store, clock, { openCalls: openLife(store, clock) });
      for (let n = 0; n < 3; n += 1) void former.pass('interactive', ONE, () => new Promise(() => {}));
      await settle();
      const gate = openGate(store, clock, { openCalls: openLife(store, clock) });
      const left: number[] = [];
      const pass = (n: number) =>
        gate.pass('interactive', ONE, () => {
          left.push(n);
          return new Promise(() => {});
        });
      void pass(1);
      void pass(2);
      await settle();
      expect(left).toEqual([1]);
      expect(
        await gate.pass('interactive', { weight: 4, calls: 4 }, () => Promise.resolve(ok(4))),
      ).toMatchObject({
        failure: { kind: 'throttled', scope: 'user' },
      });
      await clock.advance(LIFE_MS + GRAIN_MS);
      for (const n of [3, 4, 5]) void pass(n);
      await settle();
      expect(left).toEqual([1, 2, 3, 4]);
    }));
});
