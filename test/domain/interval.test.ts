import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  clipIntervals,
  intersectIntervals,
  mergeIntervals,
  overlaps,
  splitInterval,
  subtractIntervals,
} from '../../src/domain/interval.ts';
import { anyIntervals, coveredCells, properInterval, SEEDED } from './calendars.ts';

const at = (startMs: number, endMs: number) => ({ startMs, endMs });

describe('merging intervals', () => {
  it('covers just what they covered, on any calendar', () => {
    fc.assert(
      fc.property(anyIntervals, (intervals) => {
        expect(coveredCells(mergeIntervals(intervals))).toEqual(coveredCells(intervals));
      }),
      SEEDED,
    );
  });

  it('yields sorted pieces, none empty, none touching the next, on any calendar', () => {
    fc.assert(
      fc.property(anyIntervals, (intervals) => {
        const edges = mergeIntervals(intervals).flatMap(({ startMs, endMs }) => [startMs, endMs]);
        expect(edges).toEqual([...new Set(edges)].toSorted((a, b) => a - b));
      }),
      SEEDED,
    );
  });

  it('leaves its input as it was', () => {
    const intervals = [at(5, 9), at(1, 6)];
    expect(mergeIntervals(intervals)).toEqual([at(1, 9)]);
    expect(intervals).toEqual([at(5, 9), at(1, 6)]);
  });

  it('joins intervals that touch, and lets empty and inverted ones vanish', () => {
    expect(mergeIntervals([at(3, 5), at(1, 3), at(8, 8), at(9, 7)])).toEqual([at(1, 5)]);
    expect(mergeIntervals([])).toEqual([]);
  });
});

describe('clipping intervals', () => {
  it('keeps just what lies within the bounds, on any calendar', () => {
    fc.assert(
      fc.property(anyIntervals, properInterval, (intervals, bounds) => {
        const inside = coveredCells([bounds]);
        expect(coveredCells(clipIntervals(intervals, bounds))).toEqual(
          coveredCells(intervals).map((covered, cell) => covered && inside[cell] === true),
        );
      }),
      SEEDED,
    );
  });

  it('keeps the order, and nothing of what only touches the bounds', () => {
    expect(clipIntervals([at(6, 20), at(0, 4), at(0, 2), at(10, 12)], at(2, 10))).toEqual([
      at(6, 10),
      at(2, 4),
    ]);
  });
});

describe('overlap', () => {
  it('is having an instant in common, for any two intervals', () => {
    fc.assert(
      fc.property(properInterval, properInterval, (a, b) => {
        const inB = coveredCells([b]);
        const expected = coveredCells([a]).some((covered, cell) => covered && inB[cell] === true);
        expect(overlaps(a, b)).toBe(expected);
        expect(overlaps(b, a)).toBe(expected);
      }),
      SEEDED,
    );
  });

  it('is not the touching of ends', () => {
    expect(overlaps(at(1, 2), at(2, 3))).toBe(false);
    expect(overlaps(at(1, 3), at(2, 3))).toBe(true);
  });
});

describe('splitting an interval', () => {
  it('leaves no gap and no overlap, and makes no piece too long, for any interval', () => {
    fc.assert(
      fc.property(properInterval, fc.integer({ min: 1, max: 80 }), (whole, longestMs) => {
        const pieces = splitInterval(whole, longestMs);
        expect(pieces.map(({ startMs }) => startMs)).toEqual([
          whole.startMs,
          ...pieces.slice(0, -1).map(({ endMs }) => endMs),
        ]);
        expect(pieces.at(-1)?.endMs).toBe(whole.endMs);
        for (const { startMs, endMs } of pieces) {
          expect(endMs - startMs).toBeGreaterThan(0);
          expect(endMs - startMs).toBeLessThanOrEqual(longestMs);
        }
        expect(pieces).toHaveLength(Math.ceil((whole.endMs - whole.startMs) / longestMs));
      }),
      SEEDED,
    );
  });

  it('cuts no piece from an empty interval', () => {
    expect(splitInterval(at(3, 3), 10)).toEqual([]);
  });
});

describe('intersecting and subtracting intervals', () => {
  const edgesOf = (intervals: readonly { startMs: number; endMs: number }[]) =>
    intervals.flatMap(({ startMs, endMs }) => [startMs, endMs]);

  it('leaves what both cover, or only the first, in sorted pieces that do not touch, on any calendars', () => {
    fc.assert(
      fc.property(anyIntervals, anyIntervals, (a, b) => {
        const [ofA, ofB] = [coveredCells(a), coveredCells(b)];
        const both = intersectIntervals(a, b);
        expect(coveredCells(both)).toEqual(ofA.map((covered, cell) => covered && ofB[cell] === true));
        const rest = subtractIntervals(a, b);
        expect(coveredCells(rest)).toEqual(ofA.map((covered, cell) => covered && ofB[cell] === false));
        for (const edges of [edgesOf(both), edgesOf(rest)])
          expect(edges).toEqual([...new Set(edges)].toSorted((one, other) => one - other));
      }),
      SEEDED,
    );
  });

  it('takes nothing away when nothing is taken', () => {
    expect(subtractIntervals([at(1, 5)], [])).toEqual([at(1, 5)]);
  });
});
