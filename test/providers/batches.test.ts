import { describe, expect, it } from 'vitest';
import { type Failure, fail, ok, type Outcome } from '../../src/domain/failure.ts';
import { askInBatches, sendAndRead, splitInto, throttleIn } from '../../src/providers/batches.ts';
import { reply, scriptedAccess, scriptedSend } from './microsoft/scripted.ts';

const throttled = (retryAtMs: number) => fail({ kind: 'throttled', scope: 'user', retryAtMs });
const UNAVAILABLE: Failure = { kind: 'unavailable', ambiguous: false };

/** Asks for `parts` in batches of two; each batch answers by `answer`. */
async function askAll(
  parts: Outcome<string>[],
  answer: (batch: string[], count: number) => Outcome<Outcome<string>[]>,
) {
  const asked: string[][] = [];
  const answers = await askInBatches(parts, 2, async (batch) => {
    asked.push(batch);
    return answer(batch, asked.length);
  });
  return { answers, asked };
}
const echo = (batch: string[]) => ok(batch.map((part) => ok(part.toUpperCase())));

describe('asking in batches', () => {
  it('keeps the places of all parts, those that could not be asked for too', async () => {
    const { answers, asked } = await askAll([ok('a'), fail(UNAVAILABLE), ok('b'), ok('c')], echo);
    expect(asked).toEqual([['a', 'b'], ['c']]);
    expect(answers).toEqual([ok('A'), fail(UNAVAILABLE), ok('B'), ok('C')]);
    expect((await askAll([], echo)).asked).toEqual([]);
  });

  it('asks for throttled parts again, and only for them', async () => {
    const { answers, asked } = await askAll([ok('a'), ok('b'), ok('c')], (batch, count) =>
      count === 1 ? ok([throttled(1), throttled(2)]) : echo(batch),
    );
    expect(asked).toEqual([['a', 'b'], ['c'], ['a', 'b']]);
    expect(answers).toEqual([ok('A'), ok('B'), ok('C')]);
  });

  it('gives up after three rounds, and at once on a batch that fails as a whole', async () => {
    const always = await askAll([ok('a')], () => ok([throttled(1)]));
    expect(always.asked).toHaveLength(3);
    expect(always.answers).toEqual([throttled(1)]);
    const whole = await askAll([ok('a'), ok('b')], () => throttled(1));
    expect(whole.asked).toHaveLength(1);
    expect(whole.answers).toEqual([throttled(1), throttled(1)]);
  });

  it('takes silence about a part for no answer', async () => {
    const { answers } = await askAll([ok('a'), ok('b')], () => ok([ok('A')]));
    expect(answers).toEqual([ok('A'), fail({ kind: 'malformed', at: 'batch' })]);
  });
});

describe('the throttles of one reply', () => {
  it('are one, with the longest wait, and of the app where one of them is', () => {
    expect(throttleIn([throttled(1), ok('a'), throttled(2)])).toEqual({ retryAtMs: 2 });
    const ofTheApp = fail({ kind: 'throttled', scope: 'app' });
    expect(throttleIn([throttled(1), ofTheApp])).toEqual({ retryAtMs: 1, scope: 'app' });
    expect(throttleIn([fail({ kind: 'throttled', scope: 'user' })])).toEqual({});
    expect(throttleIn([ok('a'), fail(UNAVAILABLE)])).toBeUndefined();
  });
});

describe('a request whose reply is read within the call', () => {
  const REQUEST = { method: 'GET', url: 'https://graph.example/v1.0/me' };
  const readThrottle = (answer: Outcome<string>) => throttleIn([answer]);

  it('tells of the throttle in it, and reads it but once', async () => {
    const { access, held } = scriptedAccess(scriptedSend(() => reply(200, '')).send);
    let read = 0;
    const answer = await sendAndRead(access, REQUEST, () => throttled((read += 1)), readThrottle);
    expect(answer).toEqual(ok(throttled(1)));
    expect([read, held]).toEqual([1, [{ retryAtMs: 1 }]]);
  });

  it('is read too where nobody asks for a throttle', async () => {
    const { access } = scriptedAccess(scriptedSend(() => reply(200, 'text')).send);
    const { send } = scriptedSend(() => reply(200, 'text'));
    const answer = await sendAndRead({ ...access, send }, REQUEST, ({ body }) => ok(body), readThrottle);
    expect(answer).toEqual(ok(ok('text')));
  });

  it('fails as `send` does', async () => {
    const { access } = scriptedAccess(scriptedSend(() => fail(UNAVAILABLE)).send);
    expect(await sendAndRead(access, REQUEST, () => ok(''), readThrottle)).toEqual(fail(UNAVAILABLE));
  });
});

describe('splitting into groups', () => {
  it('keeps all items in order, in groups that are full but for the last', () => {
    expect(splitInto([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
    expect(splitInto([], 2)).toEqual([]);
  });
});
