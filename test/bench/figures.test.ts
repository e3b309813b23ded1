import { describe, expect, it } from 'vitest';
import { isMet, quantile, toRows } from './figures.ts';

describe('a figure', () => {
  it('is told by the least, the middle and the most of its rounds', () => {
    expect(toRows([{ name: 'x', unit: 'ms', rounds: [3, 1, 2] }]).at(1)).toEqual([
      'x',
      '',
      '1.0 ms',
      '2.0 ms',
      '3.0 ms',
      '',
    ]);
  });

  it('is met when its median is', () => {
    const target = { is: 'at least', value: 95 } as const;
    expect(isMet({ name: 'x', unit: '%', rounds: [90, 96, 97], target })).toBe(true);
    expect(isMet({ name: 'x', unit: '%', rounds: [90, 94, 97], target })).toBe(false);
    expect(isMet({ name: 'x', unit: '%', rounds: [96], target: { is: 'at most', value: 5 } })).toBe(false);
  });

  it('takes its quantiles by rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([1, 50, 99, 100]);
  });
});
