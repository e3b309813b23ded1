import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addTally,
  count,
  createTally,
  HISTOGRAMS,
  isEmptyTally,
  listSeries,
  observe,
  statusClassOf,
  type Tally,
  tallySchema,
} from '../../src/domain/tally.ts';
import { present } from '../present.ts';

/** A tally of these runs of tasks and waits at the gate. */
function tallyOf(tasks: readonly { type: string; outcome: string }[], waitsMs: readonly number[]): Tally {
  const tally = createTally();
  for (const task of tasks) count(tally, 'tasks', task);
  for (const ms of waitsMs) observe(tally, 'gateWaits', { lane: 'interactive' }, ms);
  return tally;
}

const anyTask = fc.record({
  type: fc.constantFrom('create-event', 'place-hold'),
  outcome: fc.constantFrom('done', 'retry'),
});
const anyTasks = fc.array(anyTask, { maxLength: 8 });
const anyWaits = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 8 });

describe('a tally', () => {
  it('counts by the labels, and is plain data', () => {
    const tally = createTally();
    expect(isEmptyTally(tally)).toBe(true);
    count(tally, 'tasks', { outcome: 'done', type: 'create-event' });
    count(tally, 'tasks', { type: 'create-event', outcome: 'done' }, 2);
    count(tally, 'permitsGranted', {}, 10);
    expect(tally).toEqual({
      counters: { 'tasks|create-event|done': 3, permitsGranted: 10 },
      histograms: {},
    });
    expect(isEmptyTally(tally)).toBe(false);
    expect(tallySchema.parse(JSON.parse(JSON.stringify(tally)))).toEqual(tally);
  });

  it('puts a duration into the first bucket that holds it, the bound included', () => {
    const { boundsMs } = HISTOGRAMS.gateWaits;
    for (const [ms, bucket] of [
      [0, 0],
      [1, 0],
      [1.5, 1],
      [5, 1],
      [15_000, boundsMs.length - 1],
      [15_001, boundsMs.length],
      [-7, 0],
    ] as const) {
      const [series] = listSeries(tallyOf([], [ms]));
      if (series?.kind !== 'histogram') throw new Error('there is no histogram');
      expect(series.value.counts.indexOf(1)).toBe(bucket);
      expect(series.value.sumMs).toBe(Math.max(0, ms));
    }
  });

  it('of two connectors together is what one would have counted', () => {
    fc.assert(
      fc.property(anyTasks, anyWaits, anyTasks, anyWaits, (tasks, waits, moreTasks, moreWaits) => {
        const total = tallyOf(tasks, waits);
        const more = tallyOf(moreTasks, moreWaits);
        addTally(total, more);
        expect(total).toEqual(tallyOf([...tasks, ...moreTasks], [...waits, ...moreWaits]));
        expect(more).toEqual(tallyOf(moreTasks, moreWaits));
      }),
    );
  });

  it('leaves out what it does not know, and amounts that are none', () => {
    const total = createTally();
    const counts = [...HISTOGRAMS.gateWaits.boundsMs, 0].map(() => 1);
    addTally(total, {
      counters: {
        connects: 1,
        'connects|a|b': 1,
        'unknown|a': 1,
        'tokenRefreshes|refreshed': -1,
        toString: 1,
      },
      histograms: {
        'gateWaits|interactive': { counts: [1, 2], sumMs: 3 },
        'gateWaits|webhook': { counts, sumMs: Number.NaN },
        'unknown|a': { counts, sumMs: 1 },
      },
    });
    expect(isEmptyTally(total)).toBe(true);
  });

  it('keeps its size: the series beyond a thousand are counted as other', () => {
    const tally = createTally();
    for (let outcome = 0; outcome < 1_200; outcome++) count(tally, 'connects', { outcome: `o${outcome}` });
    expect(Object.keys(tally.counters)).toHaveLength(1_001);
    expect(tally.counters['connects|other']).toBe(200);
    expect(Object.values(tally.counters).reduce((sum, amount) => sum + amount, 0)).toBe(1_200);
  });

  it('reads its own keys, whatever the labels are', () => {
    const tally = createTally();
    count(tally, 'tasks', { type: 'a|b', outcome: 'x'.repeat(100) });
    expect(present(listSeries(tally)[0])).toEqual({
      kind: 'counter',
      name: 'tasks',
      labels: { type: 'a_b', outcome: 'x'.repeat(64) },
      value: 1,
    });
  });
});

it('the class of a status is its hundred, and none for no reply', () => {
  expect([200, 204, 302, 404, 429, 503, 599].map((status) => statusClassOf(status))).toEqual([
    '2xx',
    '2xx',
    '3xx',
    '4xx',
    '4xx',
    '5xx',
    '5xx',
  ]);
  expect([undefined, 0, 99, 600, Number.NaN].map((status) => statusClassOf(status))).toEqual(
    Array.from({ length: 5 }, () => 'none'),
  );
});
