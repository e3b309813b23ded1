import { describe, expect, it } from 'vitest';
import { inTime } from '../../src/connector/in-time.ts';

const late = () => 'late' as const;

describe('waiting for an outcome', () => {
  it('gives it, or its failure, when it comes in time', async () => {
    expect(await inTime(Promise.resolve(7), 1_000, late)).toBe(7);
    await expect(inTime(Promise.reject(new Error('no')), 1_000, late)).rejects.toThrow('no');
  });

  it('ends with what lateness means when it does not', async () => {
    const never = new Promise<number>(() => {});
    expect(await inTime(never, 1, late)).toBe('late');
    const refuse = () => {
      throw new Error('too late');
    };
    await expect(inTime(never, 1, refuse)).rejects.toThrow('too late');
  });
});
