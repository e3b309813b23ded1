import { describe, expect, it } from 'vitest';
import type { LeaseRequest } from '../../src/domain/lease.ts';
import { count, createTally } from '../../src/domain/tally.ts';
import { ProviderApp } from '../../src/provider-app/provider-app.ts';
import { createShelf } from './memory-shelf.ts';

const START_MS = Date.UTC(2026, 10, 24, 9);

/** A provider app on shelves in memory; `later` is what it wants to be called for. */
function openApp(limit = 100) {
  const world = {
    nowMs: START_MS,
    later: [] as { atMs: number; work: () => void }[],
    states: [] as string[],
    shelves: {
      quota: createShelf(),
      breaker: createShelf(),
      throttle: createShelf(),
      'roll-up': createShelf(),
    },
    open: () =>
      new ProviderApp({
        window: { limit, windowMs: 600_000 },
        breaker: {
          windowMs: 60_000,
          failingConnectors: 2,
          failingShare: 0.5,
          openMs: 30_000,
          maxOpenMs: 300_000,
          probeMs: 20_000,
        },
        shelves: world.shelves,
        now: () => world.nowMs,
        later: (ms, work) => world.later.push({ atMs: world.nowMs + ms, work }),
        onBreaker: (state) => world.states.push(state),
      }),
    /** Lets time pass, and what was to come in it. */
    pass(ms: number) {
      const untilMs = world.nowMs + ms;
      for (;;) {
        const due = world.later.findIndex(({ atMs }) => atMs <= untilMs);
        const [next] = due === -1 ? [] : world.later.splice(due, 1);
        if (next === undefined) break;
        world.nowMs = next.atMs;
        next.work();
      }
      world.nowMs = untilMs;
    },
  };
  return world;
}

function ask(connectorId: string, change: Partial<LeaseRequest> = {}): LeaseRequest {
  return {
    connectorId,
    want: 0,
    need: 1,
    isUnasked: false,
    giveBack: 0,
    health: { successes: 0, failures: 0 },
    tally: createTally(),
    ...change,
  };
}

function tallyOfTasks(amount: number) {
  const tally = createTally();
  count(tally, 'tasks', { type: 'create-event', outcome: 'done' }, amount);
  return tally;
}

const FAILED = { successes: 0, failures: 3 };

describe('a lease', () => {
  it('is granted, returned and granted again', () => {
    const app = openApp(10).open();
    expect(app.lease(ask('a', { want: 8 }))).toEqual({
      granted: 8,
      untilMs: START_MS + 30_000,
      breaker: 'closed',
    });
    expect(app.lease(ask('b', { want: 4 }))).toMatchObject({
      granted: 2,
      retryAtMs: START_MS + 10_000 + 30_000 + 600_000,
    });
    expect(app.lease(ask('a', { giveBack: 5 }))).toEqual({
      granted: 0,
      untilMs: START_MS + 30_000,
      breaker: 'closed',
    });
    expect(app.lease(ask('b', { want: 4 }))).toMatchObject({ granted: 4 });
    expect(app.report()).toMatchObject({ breaker: 'closed', limit: 10, remaining: 1 });
  });

  it('leaves two fifths of the limit to calls that somebody has asked for', () => {
    const app = openApp(100).open();
    expect(app.lease(ask('a', { want: 70, isUnasked: true }))).toMatchObject({
      granted: 60,
      retryAtMs: START_MS + 10_000 + 30_000 + 600_000,
    });
    expect(app.lease(ask('b', { want: 1, isUnasked: true }))).toMatchObject({ granted: 0 });
    expect(app.lease(ask('b', { want: 40 }))).toMatchObject({ granted: 40 });
  });

  it('holds a thousand permits at most; the rest can be had at once', () => {
    const app = openApp(100_000).open();
    expect(app.lease(ask('a', { want: 5_000 }))).toMatchObject({ granted: 1_000, retryAtMs: START_MS });
  });

  it('makes nothing of numbers that are none', () => {
    const app = openApp().open();
    const odd = { want: Number.NaN, giveBack: -5, health: { successes: Number.NaN, failures: -1 } };
    expect(app.lease(ask('a', odd))).toMatchObject({ granted: 0, breaker: 'closed' });
    expect(app.report().remaining).toBe(100);
  });
});

describe('a throttle of the whole app', () => {
  it('that one connector met holds all of them back until it has passed, an hour at most', () => {
    const world = openApp();
    const app = world.open();
    app.lease(ask('a', { throttledUntilMs: START_MS + 90_000 }));
    // An earlier one, told late, takes nothing back.
    app.lease(ask('b', { throttledUntilMs: START_MS + 10_000 }));
    expect(app.lease(ask('c', { want: 5 }))).toMatchObject({
      granted: 0,
      breaker: 'closed',
      retryAtMs: START_MS + 90_000,
    });
    world.pass(90_000);
    expect(app.lease(ask('c', { want: 5 })).granted).toBe(5);
    app.lease(ask('a', { throttledUntilMs: START_MS + 365 * 86_400_000 }));
    expect(app.lease(ask('c', { want: 5 })).retryAtMs).toBe(START_MS + 90_000 + 3_600_000);
    world.pass(3_600_000);
    expect(app.lease(ask('c', { want: 5 })).granted).toBe(5);
  });

  it('is told to everybody who asks or reports, also by an object that was evicted', () => {
    const world = openApp();
    const untilMs = START_MS + 90_000;
    const told = { granted: 0, throttledUntilMs: untilMs };
    world.open().lease(ask('a', { throttledUntilMs: untilMs }));
    const app = world.open();
    expect(app.lease(ask('b'))).toMatchObject(told);
    expect(app.lease(ask('b', { want: 1 }))).toMatchObject(told);
    expect(world.shelves.throttle.rows).toBe(1);
    world.pass(90_000);
    expect(app.lease(ask('b')).throttledUntilMs).toBeUndefined();
  });

  it.each([NaN, Infinity, -1, 0, START_MS])(
    'makes nothing of an end that is none: %d',
    (throttledUntilMs) => {
      const world = openApp();
      const app = world.open();
      app.lease(ask('a', { throttledUntilMs }));
      expect(app.lease(ask('c', { want: 5 })).granted).toBe(5);
      expect(world.shelves.throttle.rows).toBe(0);
    },
  );
});

describe('an outage', () => {
  it('holds everybody back, lets one try, and is over when the provider answers', () => {
    const world = openApp();
    const app = world.open();
    app.lease(ask('a', { health: FAILED }));
    expect(app.lease(ask('b', { want: 5, health: FAILED }))).toEqual({
      granted: 0,
      untilMs: START_MS + 30_000,
      breaker: 'open',
      retryAtMs: START_MS + 30_000,
    });
    world.pass(30_000);
    expect(app.report().breaker).toBe('half-open');
    expect(app.lease(ask('c', { want: 5 }))).toEqual({
      granted: 1,
      untilMs: START_MS + 30_000 + 20_000,
      breaker: 'half-open',
      retryAtMs: START_MS + 35_000,
    });
    expect(app.lease(ask('a', { want: 5 }))).toMatchObject({ granted: 0, breaker: 'half-open' });
    expect(app.lease(ask('c', { want: 5, health: { successes: 1, failures: 0 } }))).toMatchObject({
      granted: 5,
      breaker: 'closed',
    });
    expect(world.states).toEqual(['open', 'half-open', 'closed']);
  });

  it('lets a probe be a batch of calls, which could never be made with one permit', () => {
    const world = openApp();
    const app = world.open();
    app.lease(ask('a', { health: FAILED }));
    app.lease(ask('b', { health: FAILED }));
    world.pass(30_000);
    expect(app.lease(ask('c', { want: 8, need: 3 }))).toMatchObject({ granted: 3, breaker: 'half-open' });
    expect(app.lease(ask('a', { want: 1 }))).toMatchObject({ granted: 0, breaker: 'half-open' });
  });

  it('sends no probe while the window has no permit for it', () => {
    const world = openApp(1);
    const app = world.open();
    app.lease(ask('a', { want: 1, health: FAILED }));
    app.lease(ask('b', { health: FAILED }));
    world.pass(30_000);
    expect(app.lease(ask('c', { want: 1 }))).toMatchObject({
      granted: 0,
      breaker: 'half-open',
      retryAtMs: START_MS + 640_000,
    });
    app.lease(ask('a', { giveBack: 1 }));
    expect(app.lease(ask('d', { want: 1 }))).toMatchObject({ granted: 1, breaker: 'half-open' });
  });

  it('is remembered by an object that was evicted, and its change told once', () => {
    const world = openApp();
    const app = world.open();
    app.lease(ask('a', { health: FAILED }));
    app.lease(ask('b', { health: FAILED }));
    expect(world.open().lease(ask('c', { want: 1 }))).toMatchObject({ granted: 0, breaker: 'open' });
    expect(world.states).toEqual(['open']);
  });
});

describe('what connectors report', () => {
  it('is added up and written in one row every few seconds, and what was granted with it', () => {
    const world = openApp();
    const app = world.open();
    for (let report = 0; report < 50; report++) {
      app.lease(ask(`c${report}`, { want: 1, tally: tallyOfTasks(2) }));
      world.pass(100);
    }
    expect(world.shelves['roll-up'].rows).toBe(1);
    world.pass(20_000);
    expect(app.report().tally.counters).toEqual({ 'tasks|create-event|done': 100, permitsGranted: 50 });
    app.lease(ask('c0', { giveBack: 1 }));
    world.pass(20_000);
    expect(world.open().report().tally.counters).toEqual({
      'tasks|create-event|done': 100,
      permitsGranted: 50,
      permitsReturned: 1,
    });
    expect(world.later).toEqual([]);
  });

  it('is shown only as it is stored: what was read once is never less afterwards', () => {
    const world = openApp();
    const app = world.open();
    app.lease(ask('a', { tally: tallyOfTasks(1) }));
    expect(app.report().tally.counters).toEqual({ 'tasks|create-event|done': 1 });
    app.lease(ask('a', { tally: tallyOfTasks(1) }));
    expect(app.report().tally.counters).toEqual({ 'tasks|create-event|done': 1 });
    expect(world.open().report().tally.counters).toEqual({ 'tasks|create-event|done': 1 });
    expect(world.shelves['roll-up'].rows).toBe(1);
  });

  it('takes a reserve back only when no more leases come', () => {
    const world = openApp(10_000);
    const app = world.open();
    for (let lease = 0; lease < 40; lease++) {
      app.lease(ask('a', { want: 20 }));
      world.pass(1_000);
    }
    const { rows } = world.shelves.quota;
    expect(rows).toBeLessThan(20);
    world.pass(20_000);
    expect(world.shelves.quota.rows).toBe(rows + 1);
    expect(world.open().report().remaining).toBe(10_000 - 800);
  });
});

it('an object that is only looked at stores nothing', () => {
  const world = openApp();
  expect(world.open().report()).toEqual({
    breaker: 'closed',
    limit: 100,
    remaining: 100,
    tally: createTally(),
  });
  expect(world.later).toEqual([]);
  for (const { rows } of Object.values(world.shelves)) expect(rows).toBe(0);
});
