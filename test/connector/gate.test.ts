import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallWindow } from '../../src/connector/call-window.ts';
import { type Gate, type Lane, LANES, type Load } from '../../src/connector/gate.ts';
import type { Store } from '../../src/connector/store.ts';
import { ok, type Outcome } from '../../src/domain/failure.ts';
import { inFreshObject, openGate, openStore } from './bench.ts';
import { createClock, settle, START_MS } from './world.ts';

type Clock = ReturnType<typeof createClock>;

/** A call of this weight, which counts as one. */
const load = (weight: number): Load => ({ weight, calls: 1 });

function withGate(body: (gate: Gate, clock: Clock, store: Store) => Promise<void>): Promise<void> {
  return inFreshObject((state) => {
    const { store } = openStore(state);
    const clock = createClock();
    return body(openGate(store, clock), clock, store);
  });
}

/** Sends a call through the gate that stays open until it is ended; `began` lists calls in the order they left. */
function sendOpen(gate: Gate, began: string[], name: string, lane: Lane = 'background', weight = 1) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const passed = gate.pass(lane, load(weight), async () => {
    began.push(name);
    await promise;
    return ok(name);
  });
  return { passed, end: resolve };
}

describe('the places of the gate', () => {
  it('are never more than it has, by weight, and every call gets one', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const arrival = fc.record({
        atMs: fc.integer({ min: 0, max: 40 }),
        lane: fc.constantFrom(...LANES),
        weight: fc.integer({ min: 0, max: 6 }),
        lastsMs: fc.integer({ min: 0, max: 15 }),
      });
      await fc.assert(
        fc.asyncProperty(
          fc.array(arrival, { maxLength: 25 }),
          fc.integer({ min: 1, max: 4 }),
          async (arrivals, maxConcurrent) => {
            const clock = createClock();
            const gate = openGate(store, clock, { maxConcurrent });
            let open = 0;
            let most = 0;
            const calls = arrivals.map(async ({ atMs, lane, weight, lastsMs }) => {
              await clock.sleep(atMs);
              const places = Math.min(Math.max(weight, 1), maxConcurrent);
              return await gate.pass(lane, load(weight), async () => {
                open += places;
                most = Math.max(most, open);
                await clock.sleep(lastsMs);
                open -= places;
                return ok(undefined);
              });
            });
            await clock.advance(1_000);
            expect(await Promise.all(calls)).toHaveLength(arrivals.length);
            expect(most).toBeLessThanOrEqual(maxConcurrent);
          },
        ),
        { numRuns: 40 },
      );
    }));

  it('go to the urgent lanes first, and in a lane to who came first', () =>
    withGate(async (gate) => {
      const began: string[] = [];
      const first = sendOpen(gate, began, 'first', 'background', 4);
      const rest = [
        sendOpen(gate, began, 'b1', 'background', 4),
        sendOpen(gate, began, 'b2', 'background', 4),
        sendOpen(gate, began, 'w', 'webhook', 4),
        sendOpen(gate, began, 'i', 'interactive', 4),
      ];
      for (const call of [first, ...rest]) call.end();
      await Promise.all(rest.map(({ passed }) => passed));
      expect(began).toEqual(['first', 'i', 'w', 'b1', 'b2']);
    }));

  it('are kept free for a heavy call that is next, so light ones do not starve it', () =>
    withGate(async (gate) => {
      const began: string[] = [];
      const light = ['l1', 'l2', 'l3'].map((name) => sendOpen(gate, began, name));
      const heavy = sendOpen(gate, began, 'heavy', 'background', 4);
      const late = sendOpen(gate, began, 'late');
      light[0]?.end();
      await settle();
      expect(began).toEqual(['l1', 'l2', 'l3']);
      for (const call of [...light, heavy]) call.end();
      await heavy.passed;
      late.end();
      await late.passed;
      expect(began.slice(3)).toEqual(['heavy', 'late']);
    }));

  it('are given back by a call that throws', () =>
    withGate(async (gate) => {
      const bug = gate.pass('background', load(4), () => Promise.reject(new Error('bug')));
      await expect(bug).rejects.toThrow('bug');
      expect(await gate.pass('background', load(4), () => Promise.resolve(ok('next')))).toEqual(ok('next'));
    }));
});

describe('what a call must wait for', () => {
  it('is all looked at again after each wait: a throttle that comes while permits are asked for counts', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      const asked = Promise.withResolvers<Outcome<void>>();
      let left = 0;
      const gate = openGate(store, clock, {
        permits: { spend: () => left > 0, obtain: () => asked.promise },
      });
      const sent: string[] = [];
      const passing = gate.pass('interactive', load(1), () => {
        sent.push('call');
        return Promise.resolve(ok(undefined));
      });
      await settle();
      gate.holdBack({ retryAtMs: START_MS + 60_000 });
      left = 1;
      asked.resolve(ok(undefined));
      expect(await passing).toMatchObject({ failure: { kind: 'throttled', retryAtMs: START_MS + 60_500 } });
      expect(sent).toEqual([]);
    }));

  it('is a permit, for calls that nobody has asked for one of their own kind', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      const kinds: unknown[] = [];
      let left = 0;
      const gate = openGate(store, clock, {
        permits: {
          spend: () => left > 0,
          obtain: (_, isUnasked) => {
            kinds.push(isUnasked);
            left = 1;
            return Promise.resolve(ok(undefined));
          },
        },
      });
      for (const lane of LANES) {
        left = 0;
        // oxlint-disable-next-line no-await-in-loop
        expect(await gate.pass(lane, load(1), () => Promise.resolve(ok(lane)))).toEqual(ok(lane));
      }
      expect(kinds).toEqual([false, true, false, true]);
    }));

  it('is room in the window: of calls that come together no more leave than there is', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      const window = new CallWindow({ store, limit: { limit: 1, windowMs: 60_000 }, now: clock.now });
      const gate = openGate(store, clock, { window });
      let left = 0;
      const passed = await Promise.all(
        [1, 2, 3].map(() =>
          gate.pass('interactive', load(1), () => {
            left += 1;
            return Promise.resolve(ok(undefined));
          }),
        ),
      );
      expect(left).toBe(1);
      expect(passed.filter(({ ok: isOk }) => isOk)).toHaveLength(1);
    }));
});

describe('a throttle', () => {
  const call = (left: number[], clock: Clock) => () => {
    left.push(clock.now() - START_MS);
    return Promise.resolve(ok(undefined));
  };

  it('holds every lane back until the wait that was asked for and a back-off on top have passed', () =>
    withGate(async (gate, clock) => {
      const left: number[] = [];
      gate.holdBack({ retryAtMs: START_MS + 1_000 });
      const passing = LANES.map((lane) => gate.pass(lane, load(1), call(left, clock)));
      await clock.advance(1_499);
      expect(left).toEqual([]);
      await clock.advance(1);
      await Promise.all(passing);
      expect(left).toEqual(LANES.map(() => 1_500));
    }));

  it('is looked at again after a wait: one that came meanwhile counts too', () =>
    withGate(async (gate, clock) => {
      const left: number[] = [];
      gate.holdBack({ retryAtMs: START_MS + 1_000 });
      const passing = gate.pass('interactive', load(1), call(left, clock));
      await clock.advance(800);
      gate.holdBack({ retryAtMs: START_MS + 2_000 });
      await clock.advance(1_699);
      expect(left).toEqual([]);
      await clock.advance(1);
      await passing;
      expect(left).toEqual([2_500]);
    }));

  it('is looked at again after the app has been asked: one that came meanwhile counts too', () =>
    inFreshObject(async (state) => {
      const { store } = openStore(state);
      const clock = createClock();
      const { promise: answered, resolve } = Promise.withResolvers<void>();
      let isPermitted = false;
      const obtain = async () => {
        await answered;
        isPermitted = true;
        return ok(undefined);
      };
      const gate = openGate(store, clock, { permits: { spend: () => isPermitted, obtain } });
      const left: number[] = [];
      const passing = gate.pass('interactive', load(1), call(left, clock));
      await settle();
      gate.holdBack({ retryAtMs: START_MS + 1_000 });
      resolve();
      await settle();
      expect(left).toEqual([]);
      await clock.advance(1_500);
      await passing;
      expect(left).toEqual([1_500]);
    }));

  it('that lasts longer than is worth sitting out fails the call without making it', () =>
    withGate(async (gate, clock) => {
      const left: number[] = [];
      gate.holdBack({ retryAtMs: START_MS + 60_000 });
      expect(await gate.pass('interactive', load(1), call(left, clock))).toEqual({
        ok: false,
        failure: { kind: 'throttled', scope: 'user', retryAtMs: START_MS + 60_500, unsent: true },
      });
      expect(left).toEqual([]);
    }));

  it('is never shortened by a later one that asks for less', () =>
    withGate(async (gate, clock) => {
      gate.holdBack({ retryAtMs: START_MS + 60_000 });
      gate.holdBack({ retryAtMs: START_MS + 1_000 });
      expect(await gate.pass('interactive', load(1), call([], clock))).toMatchObject({
        failure: { retryAtMs: START_MS + 60_500 },
      });
    }));

  it('is remembered across an eviction, with its strikes', () =>
    withGate(async (gate, clock, store) => {
      gate.holdBack({ retryAtMs: START_MS + 60_000 });
      const reopened = openGate(store, clock);
      expect(await reopened.pass('interactive', load(1), call([], clock))).toMatchObject({
        failure: { kind: 'throttled', retryAtMs: START_MS + 60_500 },
      });
      await clock.advance(60_500);
      reopened.holdBack({ retryAtMs: clock.now() + 60_000 });
      expect(await reopened.pass('interactive', load(1), call([], clock))).toMatchObject({
        failure: { retryAtMs: START_MS + 60_500 + 60_000 + 1_000 },
      });
    }));

  it('holds back longer each time while nothing goes through, whatever the provider asks', () =>
    withGate(async (gate, clock) => {
      const waits: number[] = [];
      for (let strike = 1; strike <= 4; strike += 1) {
        gate.holdBack({ retryAtMs: clock.now() + 10_000 });
        // oxlint-disable-next-line no-await-in-loop
        const held = await gate.pass('background', load(1), call([], clock));
        const untilMs = !held.ok && held.failure.kind === 'throttled' ? (held.failure.retryAtMs ?? 0) : 0;
        waits.push(untilMs - clock.now() - 10_000);
        // oxlint-disable-next-line no-await-in-loop
        await clock.advance(untilMs - clock.now());
      }
      expect(waits).toEqual([500, 1_000, 2_000, 4_000]);
    }));

  it('starts from the beginning once a call has gone through, and not while it stands', () =>
    withGate(async (gate, clock, store) => {
      const strikes = () => {
        const [row] = store.query(`SELECT value ->> 'strikes' AS strikes FROM fact WHERE name = 'throttle'`);
        return row;
      };
      gate.holdBack({ retryAtMs: START_MS + 1_000 });
      gate.relax();
      expect(strikes()).toEqual({ strikes: 1 });
      await clock.advance(1_500);
      gate.relax();
      expect(strikes()).toEqual({ strikes: 0 });
    }));

  it('of several calls that were under way together is one strike', () =>
    withGate(async (gate, clock) => {
      for (let n = 0; n < 4; n += 1) gate.holdBack({ retryAtMs: START_MS + 10_000 });
      expect(await gate.pass('background', load(1), call([], clock))).toMatchObject({
        failure: { retryAtMs: START_MS + 10_500 },
      });
    }));
});
