/** One figure of the bench, over several rounds. */
export interface Figure {
  name: string;
  /** What each round came to. */
  rounds: number[];
  unit: '%' | 'ms' | 's' | 'x' | '/s' | 'calls' | 'events' | 'questions';
  /** What its median should be; without one it is there to read the others by. */
  target?: { is: 'at least' | 'at most'; value: number };
}

/** Units of which there are no parts. */
const COUNTED = new Set<Figure['unit']>(['events', 'questions']);

/** Whether the median is what it should be; undefined when nothing is asked of it. */
export function isMet({ rounds, target }: Figure): boolean | undefined {
  if (target === undefined) return undefined;
  const median = quantile(rounds, 0.5);
  return target.is === 'at least' ? median >= target.value : median <= target.value;
}

/** The figures as rows of a table, the head first. */
export function toRows(figures: readonly Figure[]): string[][] {
  return [
    ['figure', 'target', 'min', 'median', 'max', 'met'],
    ...figures.map((figure) => {
      const { name, rounds, unit, target } = figure;
      const met = isMet(figure);
      const say = (value: number) => `${value.toFixed(unit === 'x' ? 2 : COUNTED.has(unit) ? 0 : 1)} ${unit}`;
      return [
        name,
        target === undefined ? '' : `${target.is === 'at least' ? '>=' : '<='} ${target.value} ${unit}`,
        ...[0, 0.5, 1].map((share) => say(quantile(rounds, share))),
        met === undefined ? '' : met ? 'met' : 'not met',
      ];
    }),
  ];
}

/** The value below which a share of them lies (nearest rank). */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? NaN;
}
