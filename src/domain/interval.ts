/** A half-open stretch of time `[startMs, endMs)`, epoch milliseconds, `startMs < endMs`. */
export interface Interval {
  startMs: number;
  endMs: number;
}

/**
 * The union of the given intervals: sorted, disjoint, and with no two that touch.
 * Empty or inverted intervals cover nothing and vanish.
 */
export function mergeIntervals(intervals: readonly Interval[]): Interval[] {
  const sorted = intervals
    .filter((interval) => interval.startMs < interval.endMs)
    .toSorted((a, b) => a.startMs - b.startMs);
  const merged: Interval[] = [];
  for (const { startMs, endMs } of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && startMs <= last.endMs) last.endMs = Math.max(last.endMs, endMs);
    else merged.push({ startMs, endMs });
  }
  return merged;
}

/** The parts of `intervals` that lie within `bounds`, in the given order. */
export function clipIntervals(intervals: readonly Interval[], bounds: Interval): Interval[] {
  return intervals
    .map(({ startMs, endMs }) => ({
      startMs: Math.max(startMs, bounds.startMs),
      endMs: Math.min(endMs, bounds.endMs),
    }))
    .filter(({ startMs, endMs }) => startMs < endMs);
}

/** True when the two share any instant; touching ends do not. */
export function overlaps(a: Interval, b: Interval): boolean {
  return a.startMs < b.endMs && b.startMs < a.endMs;
}

/**
 * Cuts an interval into consecutive pieces of at most `longestMs`, with no gap and no overlap,
 * for providers that cap the range of one question.
 */
export function splitInterval({ startMs, endMs }: Interval, longestMs: number): Interval[] {
  const pieces: Interval[] = [];
  for (let from = startMs; from < endMs; from += longestMs) {
    pieces.push({ startMs: from, endMs: Math.min(from + longestMs, endMs) });
  }
  return pieces;
}

/** The time that lies in both `a` and `b`: sorted, disjoint, and with no two that touch. */
export function intersectIntervals(a: readonly Interval[], b: readonly Interval[]): Interval[] {
  const ofB = mergeIntervals(b);
  return mergeIntervals(a).flatMap((interval) => clipIntervals(ofB, interval));
}

/** The time of `from` that none of `taken` covers: sorted, disjoint, and with no two that touch. */
export function subtractIntervals(from: readonly Interval[], taken: readonly Interval[]): Interval[] {
  const gaps: Interval[] = [];
  let lastEndMs = -Infinity;
  for (const { startMs, endMs } of mergeIntervals(taken)) {
    gaps.push({ startMs: lastEndMs, endMs: startMs });
    lastEndMs = endMs;
  }
  return intersectIntervals(from, [...gaps, { startMs: lastEndMs, endMs: Infinity }]);
}
