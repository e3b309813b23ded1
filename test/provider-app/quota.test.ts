import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { leaseLengthOf, Quota } from '../../src/provider-app/quota.ts';
import { createShelf } from './memory-shelf.ts';

const START_MS = Date.UTC(2026, 10, 24, 9);
const DAY_MS = 86_400_000;
const TEN_MINUTES_MS = 600_000;

describe('permits of a window', () => {
  it('are granted until there are none, and then again when the oldest count no more', () => {
    const quota = new Quota({ limit: 10, windowMs: TEN_MINUTES_MS }, createShelf());
    expect(quota.take('a', 4, START_MS)).toEqual({ granted: 4 });
    expect(quota.take('b', 4, START_MS + 60_000)).toEqual({ granted: 4 });
    // A bucket of ten seconds, the half minute that a permit is good for, and the window.
    const freesAtMs = START_MS + 10_000 + 30_000 + TEN_MINUTES_MS;
    expect(quota.take('c', 4, START_MS + 120_000)).toEqual({ granted: 2, retryAtMs: freesAtMs });
    expect(quota.take('c', 1, freesAtMs - 1)).toEqual({ granted: 0, retryAtMs: freesAtMs });
    expect(quota.take('c', 5, freesAtMs)).toEqual({ granted: 4, retryAtMs: freesAtMs + 60_000 });
  });

  it('are none beyond what is kept for others, until enough of the oldest count no more', () => {
    const quota = new Quota({ limit: 10, windowMs: TEN_MINUTES_MS }, createShelf());
    quota.take('a', 2, START_MS);
    quota.take('a', 3, START_MS + 60_000);
    expect(quota.take('b', 5, START_MS + 120_000, 4)).toMatchObject({ granted: 1 });
    quota.take('a', 3, START_MS + 180_000);
    const freesAtMs = START_MS + 60_000 + 10_000 + 30_000 + TEN_MINUTES_MS;
    expect(quota.take('b', 1, START_MS + 240_000, 4)).toEqual({ granted: 0, retryAtMs: freesAtMs });
    expect(quota.take('b', 1, freesAtMs - 1, 4)).toMatchObject({ granted: 0 });
    expect(quota.take('b', 9, freesAtMs, 4)).toMatchObject({ granted: 2 });
    expect(quota.take('a', 4, freesAtMs)).toEqual({ granted: 4 });
  });

  it('come back to their bucket, and only from the connector that has them', () => {
    const quota = new Quota({ limit: 10, windowMs: TEN_MINUTES_MS }, createShelf());
    quota.take('a', 6, START_MS);
    expect(quota.giveBack('b', 6, START_MS)).toBe(0);
    expect(quota.giveBack('a', 4, START_MS + 1_000)).toBe(4);
    expect(quota.giveBack('a', 4, START_MS + 2_000)).toBe(2);
    expect(quota.giveBack('a', 4, START_MS + 3_000)).toBe(0);
    expect(quota.remaining(START_MS + 3_000)).toBe(10);
  });

  it('that came back late, when their bucket is gone, are not there twice', () => {
    const quota = new Quota({ limit: 10, windowMs: 60_000 }, createShelf());
    quota.take('a', 6, START_MS);
    expect(quota.giveBack('a', 6, START_MS + 70_000)).toBe(0);
    expect(quota.remaining(START_MS + 70_000)).toBe(10);
  });

  it('can be given back until ten minutes after they lapsed', () => {
    const quota = new Quota({ limit: 10, windowMs: DAY_MS }, createShelf());
    quota.take('a', 6, START_MS);
    expect(quota.giveBack('a', 1, START_MS + 60_000 + 599_999)).toBe(1);
    expect(quota.giveBack('a', 1, START_MS + 60_000 + 600_000)).toBe(0);
  });

  it('are back after a window when the clock was far ahead for a while', () => {
    const quota = new Quota({ limit: 10, windowMs: TEN_MINUTES_MS }, createShelf());
    quota.take('a', 4, START_MS + 365 * DAY_MS);
    expect(quota.take('a', 8, START_MS)).toEqual({ granted: 6, retryAtMs: START_MS + 640_000 });
    expect(quota.remaining(START_MS + 640_000)).toBe(10);
  });

  it('are good for a twentieth of the window, between a second and a minute', () => {
    expect(leaseLengthOf(DAY_MS)).toBe(60_000);
    expect(leaseLengthOf(TEN_MINUTES_MS)).toBe(30_000);
    expect(leaseLengthOf(1_000)).toBe(1_000);
  });

  it('are none while a smaller limit than before is used up', () => {
    const shelf = createShelf();
    new Quota({ limit: 10, windowMs: TEN_MINUTES_MS }, shelf).take('a', 10, START_MS);
    const smaller = new Quota({ limit: 5, windowMs: TEN_MINUTES_MS }, shelf);
    expect(smaller.remaining(START_MS)).toBe(0);
    expect(smaller.take('a', 1, START_MS)).toMatchObject({ granted: 0 });
  });
});

describe('what is written down', () => {
  it('is far less than a row per lease', () => {
    const shelf = createShelf();
    const quota = new Quota({ limit: 50_000, windowMs: DAY_MS }, shelf);
    for (let lease = 0; lease < 5_000; lease++) quota.take(`c${lease % 300}`, 10, START_MS + lease * 17_000);
    // Hundred reserves of a hundredth, a few smaller ones at first, and one for each new bucket.
    expect(shelf.rows).toBeLessThan(200);
  });

  it('is exact for a first lease, so an eviction after it costs nothing', () => {
    const shelf = createShelf();
    new Quota({ limit: 1_000, windowMs: DAY_MS }, shelf).take('a', 7, START_MS);
    expect(shelf.rows).toBe(1);
    expect(new Quota({ limit: 1_000, windowMs: DAY_MS }, shelf).remaining(START_MS)).toBe(993);
  });

  it('is ahead by a hundredth at most, which a kill costs and settling takes back', () => {
    const shelf = createShelf();
    const quota = new Quota({ limit: 1_000, windowMs: DAY_MS }, shelf);
    for (let lease = 0; lease < 40; lease++) quota.take('a', 5, START_MS);
    expect(quota.remaining(START_MS)).toBe(800);
    const killed = new Quota({ limit: 1_000, windowMs: DAY_MS }, shelf).remaining(START_MS);
    expect(killed).toBeGreaterThanOrEqual(790);
    expect(killed).toBeLessThanOrEqual(800);
    quota.take('a', 1, START_MS);
    quota.settle();
    expect(quota.isAhead).toBe(false);
    expect(new Quota({ limit: 1_000, windowMs: DAY_MS }, shelf).remaining(START_MS)).toBe(799);
  });

  it('is enough also when permits of an older bucket came back in between', () => {
    const shelf = createShelf();
    const quota = new Quota({ limit: 10, windowMs: TEN_MINUTES_MS }, shelf);
    quota.take('a', 5, START_MS);
    quota.take('b', 1, START_MS + 60_000);
    quota.giveBack('a', 5, START_MS + 60_000);
    quota.take('b', 5, START_MS + 60_000);
    const killed = new Quota({ limit: 10, windowMs: TEN_MINUTES_MS }, shelf);
    expect(killed.remaining(START_MS + 640_000)).toBeLessThanOrEqual(4);
  });

  it('is left alone when there is nothing to take back', () => {
    const shelf = createShelf();
    const quota = new Quota({ limit: 1_000, windowMs: DAY_MS }, shelf);
    quota.take('a', 7, START_MS);
    quota.settle();
    expect(shelf.rows).toBe(1);
  });

  it('of another version is refused rather than taken for an empty window', () => {
    const shelf = createShelf();
    shelf.write({ version: 2, buckets: [] });
    expect(() => new Quota({ limit: 1, windowMs: 1_000 }, shelf)).toThrow(/version/);
  });
});

const anyConnector = fc.constantFrom('a', 'b', 'c');
const anyAmount = fc.integer({ min: 1, max: 12 });
type Step =
  | { lease: string; amount: number; kept?: number }
  | { use: string; amount: number }
  | { giveBack: string; amount: number }
  | { passMs: number }
  | { stepBackMs: number }
  | 'settle'
  | 'kill';
const anyPass = fc.record({
  passMs: fc.oneof(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 90_000 })),
});
const forwardSteps: fc.Arbitrary<Step>[] = [
  fc.record({ lease: anyConnector, amount: anyAmount }),
  fc.record({ lease: anyConnector, amount: anyAmount, kept: fc.integer({ min: 0, max: 6 }) }),
  fc.record({ use: anyConnector, amount: anyAmount }),
  fc.record({ giveBack: anyConnector, amount: anyAmount }),
  anyPass,
  fc.constant('settle' as const),
  fc.constant('kill' as const),
];

const storedSchema = z.object({ buckets: z.array(z.tuple([z.number(), z.number()])) });

interface Permit {
  atMs: number;
  untilMs: number;
}

/** Plays connectors that use and return what they are granted; when each permit was granted, used, returned. */
function play(steps: readonly Step[], window: { limit: number; windowMs: number }) {
  const shelf = createShelf();
  let quota = new Quota(window, shelf);
  let latestMs = START_MS;
  let nowMs = START_MS;
  const odd: unknown[] = [];
  const held = new Map<string, Permit[]>();
  const kept = new Set<Permit>();
  const usedAtMs: number[] = [];
  for (const step of steps) {
    if (step === 'settle') {
      quota.forget(nowMs);
      quota.settle();
    } else if (step === 'kill') quota = new Quota(window, shelf);
    else if ('passMs' in step) nowMs += step.passMs;
    else if ('stepBackMs' in step) nowMs = Math.max(nowMs - step.stepBackMs, latestMs - quota.leaseMs);
    else if ('lease' in step) {
      const { kept: keptBack = 0 } = step;
      const { granted, retryAtMs } = quota.take(step.lease, step.amount, nowMs, keptBack);
      if (granted > 0 && quota.remaining(nowMs) < keptBack) odd.push({ step, granted });
      const permits = Array.from({ length: granted }, () => ({
        atMs: nowMs,
        untilMs: nowMs + quota.leaseMs,
      }));
      held.set(step.lease, [...(held.get(step.lease) ?? []), ...permits]);
      for (const permit of permits) kept.add(permit);
      const isRefusedWell = granted === step.amount ? retryAtMs === undefined : (retryAtMs ?? 0) > nowMs;
      if (!isRefusedWell) odd.push({ step, granted, retryAtMs });
    } else if ('use' in step) {
      const good = (held.get(step.use) ?? []).filter(({ untilMs }) => nowMs <= untilMs);
      const used = good.splice(0, step.amount);
      usedAtMs.push(...used.map(() => nowMs));
      held.set(step.use, good);
    } else {
      const mine = held.get(step.giveBack) ?? [];
      const back = mine.splice(Math.max(0, mine.length - step.amount));
      quota.giveBack(step.giveBack, back.length, nowMs);
      for (const permit of back) kept.delete(permit);
    }
    latestMs = Math.max(latestMs, nowMs);
    const remaining = quota.remaining(nowMs);
    const stored = storedSchema.parse(shelf.read() ?? { buckets: [] }).buckets;
    if (stored.reduce((sum, [, permits]) => sum + permits, 0) > window.limit) odd.push({ step, stored });
    if (remaining < 0 || remaining > window.limit) odd.push({ step, remaining });
  }
  expect(odd).toEqual([]);
  return { keptAtMs: [...kept].map(({ atMs }) => atMs), usedAtMs };
}

/** The most of `times` that lie within any stretch of `windowMs`. */
function mostWithin(times: readonly number[], windowMs: number): number {
  return Math.max(
    0,
    ...times.map((fromMs) => times.filter((atMs) => atMs >= fromMs && atMs < fromMs + windowMs).length),
  );
}

const anyWindow = fc.record({
  limit: fc.integer({ min: 1, max: 60 }),
  windowMs: fc.constantFrom(1_000, 20_000, 60_000, 100_000),
});

describe('whatever connectors do, and however often the object is killed', () => {
  it('no window ever sees more permits, less those returned, than the limit; also while the clock steps back', () => {
    const backwards = fc.record({ stepBackMs: fc.integer({ min: 1, max: 5_000 }) });
    fc.assert(
      fc.property(
        fc.array(fc.oneof(...forwardSteps, backwards), { minLength: 1, maxLength: 60 }),
        anyWindow,
        (steps, window) => {
          expect(mostWithin(play(steps, window).keptAtMs, window.windowMs)).toBeLessThanOrEqual(window.limit);
        },
      ),
      { numRuns: 600 },
    );
  });

  it('the provider never sees more calls in a window than the limit, each made while its permit was good', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(...forwardSteps), { minLength: 1, maxLength: 60 }),
        anyWindow,
        (steps, window) => {
          expect(mostWithin(play(steps, window).usedAtMs, window.windowMs)).toBeLessThanOrEqual(window.limit);
        },
      ),
      { numRuns: 600 },
    );
  });

  it('the whole limit can be had again once the window has passed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(...forwardSteps), { maxLength: 30 }),
        anyWindow,
        (steps, { limit, windowMs }) => {
          const shelf = createShelf();
          const quota = new Quota({ limit, windowMs }, shelf);
          let nowMs = START_MS;
          for (const step of steps) {
            if (typeof step === 'object' && 'passMs' in step) nowMs += step.passMs;
            if (typeof step === 'object' && 'lease' in step) quota.take(step.lease, step.amount, nowMs);
          }
          const laterMs = nowMs + windowMs + quota.leaseMs + Math.ceil(windowMs / 60);
          expect(quota.take('z', limit, laterMs)).toEqual({ granted: limit });
        },
      ),
    );
  });
});
