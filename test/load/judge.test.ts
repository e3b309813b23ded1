import { describe, expect, it } from 'vitest';
import type { PersonSeen, SeenCall, Truth } from '../local/sandbox-process.ts';
import type { End } from './hand-over.ts';
import { isGood, judge, type Judgement } from './judge.ts';
import type { Expectation, PlannedTask } from './plan.ts';

const ADA = 'ada@example.com';
const DONE: End = { state: 'done', attempts: 1, atMs: 0 };
const CONFLICT: End = { state: 'failed', code: 'conflict', attempts: 1, atMs: 0 };

interface Case {
  expectation?: Expectation;
  ends: Record<string, End>;
  entries?: { summary?: string; status?: string; holdId?: string; createdMs?: number }[];
  truth?: Partial<Truth>;
  killedAtMs?: number[];
}

function judgeCase({ expectation, ends, entries = [], truth = {}, killedAtMs = [] }: Case): Judgement {
  const ids = expectation?.kind === 'rivals' ? expectation.taskIds : ['t'];
  const tasks = ids.map((id): PlannedTask => ({ id, type: 'any', connectorId: 'c', payload: {} }));
  const events = entries.map(({ summary = '', status = 'confirmed', holdId, createdMs = 0 }) => ({
    summary,
    status,
    createdMs,
    marks: holdId === undefined ? [] : [{ id: 'huddleHold', value: holdId }],
  }));
  const people: PersonSeen[] = [{ email: ADA, calendars: [{ events }] }];
  const nothing: Truth = {
    calls: [],
    peaks: {},
    peaksAlive: {},
    tooEarly: [],
    refusals: [],
    pushes: [],
    effects: [],
  };
  return judge(
    { tasks, expectations: expectation === undefined ? [] : [expectation] },
    new Map(Object.entries(ends)),
    { truth: { ...nothing, ...truth }, people },
    killedAtMs,
  );
}

function call(more: Partial<SeenCall>): SeenCall {
  const usual = {
    operation: 'o',
    kind: 'api',
    person: ADA,
    provider: 'google',
    ms: 10,
    status: 200,
  } as const;
  return { at: 0, ...usual, ...more };
}

const BOOKING: Expectation = { kind: 'event', email: ADA, taskId: 't', summary: 'Booking' };
const HOLD: Expectation = { kind: 'hold', email: ADA, taskId: 't', holdId: 'h' };
const GONE: Expectation = { kind: 'gone', email: ADA, taskId: 't', holdId: 'h' };
const RIVALS: Expectation = { kind: 'rivals', email: ADA, taskIds: ['a', 'b'], holdIds: ['ha', 'hb'] };

describe('a run is good', () => {
  it.each<[string, Case]>([
    [
      'with the event of a task that is done',
      { expectation: BOOKING, ends: { t: DONE }, entries: [{ summary: 'Booking' }] },
    ],
    ['with the entry of a hold', { expectation: HOLD, ends: { t: DONE }, entries: [{ holdId: 'h' }] }],
    [
      'with nothing of a cancelled hold',
      { expectation: GONE, ends: { t: DONE }, entries: [{ holdId: 'h', status: 'cancelled' }] },
    ],
    [
      'with one of two rivals',
      { expectation: RIVALS, ends: { a: CONFLICT, b: DONE }, entries: [{ holdId: 'hb' }] },
    ],
    ['with four calls at once', { ends: { t: DONE }, truth: { peaksAlive: { [ADA]: 4 } } }],
  ])('%s', (_, given) => {
    expect(isGood(judgeCase(given))).toBe(true);
  });
});

describe('a run is not good', () => {
  it.each<[string, Case]>([
    ['when a task never ended', { ends: {} }],
    ['when a task failed', { ends: { t: { ...DONE, state: 'failed', code: 'not_found' } } }],
    ['when the event of a task that is done is not there', { expectation: BOOKING, ends: { t: DONE } }],
    [
      'when it was deleted',
      { expectation: BOOKING, ends: { t: DONE }, entries: [{ summary: 'Booking', status: 'cancelled' }] },
    ],
    [
      'when it is there twice',
      { expectation: BOOKING, ends: { t: DONE }, entries: [{ summary: 'Booking' }, { summary: 'Booking' }] },
    ],
    ['when a hold is not there', { expectation: HOLD, ends: { t: DONE } }],
    [
      'when two rivals hold one time',
      { expectation: RIVALS, ends: { a: DONE, b: DONE }, entries: [{ holdId: 'ha' }] },
    ],
    ['when both rivals are refused', { expectation: RIVALS, ends: { a: CONFLICT, b: CONFLICT } }],
    [
      'when two events were made under a key',
      {
        ends: { t: DONE },
        truth: { effects: [1, 2].map(() => ({ deed: 'created', person: ADA, key: 'k' })) },
      },
    ],
    [
      'with five calls at once, one of them of a process that is dead',
      { ends: { t: DONE }, truth: { peaks: { [ADA]: 5 }, peaksAlive: { [ADA]: 4 } } },
    ],
    ['with five calls at once', { ends: { t: DONE }, truth: { peaksAlive: { [ADA]: 5 } } }],
    [
      'with an early call',
      { ends: { t: DONE }, truth: { tooEarly: [{ at: 5, operation: 'o', person: ADA, earlyByMs: 9 }] } },
    ],
  ])('%s', (_, given) => {
    expect(isGood(judgeCase(given))).toBe(false);
  });
});

describe('an early call', () => {
  const tooEarly = [{ at: 8_000, operation: 'o', person: ADA, earlyByMs: 900 }];
  const throttle = call({ at: 4_000, faults: ['throttle'] });
  const others = Array.from({ length: 40 }, (_, index) => call({ at: 4_000 + 100 * index, person: 'x' }));

  it('is nobody’s fault when the process that was told has died with it', () => {
    const killed = judgeCase({
      ends: { t: DONE },
      truth: { calls: [throttle], tooEarly },
      killedAtMs: [4_200],
    });
    expect(killed).toMatchObject({ early: [], earlyToldToTheDead: 1 });
  });

  it('counts when it had the time to be written down', () => {
    const killed = judgeCase({
      ends: { t: DONE },
      truth: { calls: [throttle, ...others], tooEarly },
      killedAtMs: [7_900],
    });
    expect(killed).toMatchObject({ early: [expect.stringContaining('900 ms early')], earlyToldToTheDead: 0 });
  });

  it('is nobody’s fault when nothing moved between the throttle and the call', () => {
    const stood = judgeCase({
      ends: { t: DONE },
      truth: { calls: [throttle, call({ at: 7_900 })], tooEarly },
    });
    expect(stood).toMatchObject({ early: [], earlyCrossing: 1 });
  });

  it('of a part of a batch counts from the answer to the batch', () => {
    const batch = call({ at: 3_900, ms: 3_000, kind: 'envelope' });
    const calls = [batch, { ...throttle, inBatch: true }, ...others];
    expect(judgeCase({ ends: { t: DONE }, truth: { calls, tooEarly } })).toMatchObject({ early: [] });
  });
});

it('tells what is left of a hold that was cancelled', () => {
  const left = judgeCase({ expectation: GONE, ends: { t: DONE }, entries: [{ holdId: 'h' }] });
  expect(left.leftOver).toEqual(['t cancelled hold h: 1 entries']);
  expect(isGood(left)).toBe(false);
  // One that came more than a quarter of an hour after its cancel was placed as if for the first time.
  const late = { expectation: GONE, ends: { t: { ...DONE, atMs: 500 } } };
  expect(judgeCase({ ...late, entries: [{ holdId: 'h', createdMs: 900_500 }] }).leftOver).toHaveLength(1);
  expect(judgeCase({ ...late, entries: [{ holdId: 'h', createdMs: 900_501 }] }).leftOver).toEqual([]);
});

it('counts windows with more calls than a user may make, none of them twice', () => {
  const calls = Array.from({ length: 1_002 }, (_, index) => call({ at: index }));
  expect(judgeCase({ ends: { t: DONE }, truth: { calls } }).overfullWindows).toBe(2);
  expect(judgeCase({ ends: { t: DONE }, truth: { calls: calls.slice(0, 500) } }).overfullWindows).toBe(0);
});
