import * as fc from 'fast-check';
import type { Interval } from '../../src/domain/interval.ts';

/** Every property is checked on the same calendars in every run. */
export const SEEDED = { seed: 20260408, numRuns: 500 };

/** The grid that the oracles walk: `CELLS` cells, so that a brute force is cheap. */
export const CELLS = 60;

/** Intervals on a small grid, empty and inverted ones among them: they touch, nest and repeat often. */
export const anyIntervals: fc.Arbitrary<Interval[]> = fc.array(
  fc.record({ startMs: fc.nat(CELLS), endMs: fc.nat(CELLS) }),
  { maxLength: 12 },
);

/** Intervals that hold something. */
export const properInterval: fc.Arbitrary<Interval> = fc
  .tuple(fc.nat(CELLS), fc.nat(CELLS))
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ startMs: Math.min(a, b), endMs: Math.max(a, b) }));

/** The brute-force oracle: which cells `[n, n + 1)` any of the intervals covers. */
export function coveredCells(intervals: readonly Interval[]): boolean[] {
  return Array.from({ length: CELLS }, (_, cell) =>
    intervals.some(({ startMs, endMs }) => startMs <= cell && cell < endMs),
  );
}
