import { describe, expect, it } from 'vitest';
import { type Failure, fail, ok, type Outcome } from '../../src/domain/failure.ts';
import { askInBatches, splitInto } from '../../src/providers/batches.ts';
import { scriptedAccess, scriptedSend } from './microsoft/scripted.ts';

const throttled = (retryAtMs: number) => fail({ kind: 'throttled', scope: 'user', retryAtMs });
const UNAVAILABLE: Failure = { kind: 'unavailable', ambiguous: false };

/** Asks for `parts` in batches of two; each batch answers by `answer`. */
async function askAll(
  parts: Outcome<string>[],
  answer: (batch: string[], count: number) => Outcome<Outcome<string>[]>,
) {
  const { access, held } = scriptedAccess(scriptedSend(() => fail(UNAVAILABLE)).send);
  const asked: string[][] = [];
  const answers = await askInBatches(parts, 2, access, async (batch) => {
    asked.push(batch);
    return answer(batch, asked.length);
  });
  return { answers, asked, held };
}
const echo = (batch: string[]) => ok(batch.map((part) => ok(part.toUpperCase())));

describe('asking in batches', () => {
  it('keeps the places of all parts, those that could not be asked for too', async () => {
    const { answers, asked } = await askAll([ok('a'), fail(UNAVAILABLE), ok('b'), ok('c')], echo);
    expect(asked).toEqual([['a', 'b'], ['c']]);
    expect(answers).toEqual([ok('A'), fail(UNAVAILABLE), ok('B'), ok('C')]);
    expect((await askAll([], echo)).asked).toEqual([]);
  });

  it('asks for throttled parts again, and is told of the throttle once, with the longest wait', async () => {
    const { answers, asked, held } = await askAll([ok('a'), ok('b'), ok('c')], (batch, count) =>
      count === 1 ? ok([throttled(1), throttled(2)]) : echo(batch),
    );
    expect(asked).toEqual([['a', 'b'], ['c'], ['a', 'b']]);
    expect(held).toEqual([{ retryAtMs: 2 }]);
    expect(answers).toEqual([ok('A'), ok('B'), ok('C')]);
  });

  it('gives up after three rounds, and at once on a batch that fails as a whole', async () => {
    const always = await askAll([ok('a')], () => ok([throttled(1)]));
    expect(always.asked).toHaveLength(3);
    expect(always.answers).toEqual([throttled(1)]);
    const whole = await askAll([ok('a'), ok('b')], () => throttled(1));
    expect(whole.asked).toHaveLength(1);
    expect(whole.answers).toEqual([throttled(1), throttled(1)]);
    expect(whole.held).toEqual([]);
  });

  it('takes silence about a part for no answer', async () => {
    const { answers } = await askAll([ok('a'), ok('b')], () => ok([ok('A')]));
    expect(answers).toEqual([ok('A'), fail({ kind: 'malformed', at: 'batch' })]);
  });
});

describe('splitting into groups', () => {
  it('keeps all items in order, in groups that are full but for the last', () => {
    expect(splitInto([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
    expect(splitInto([], 2)).toEqual([]);
  });
});
