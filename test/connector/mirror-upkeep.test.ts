import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Failure, ok } from '../../src/domain/failure.ts';
import {
  calendarOf,
  createOwn,
  DOWN,
  eventOf,
  HUNG,
  MINUTE_MS,
  type MirrorBench,
  openMirror,
  REVOKED,
  type SyncCall,
  type SyncDouble,
  withFilledMirror,
  withMirror,
} from './bench-upkeep.ts';
import { DAY_MS, EVENT, HOUR_MS, settle, START_MS } from './world.ts';

const SECOND_MS = 1_000;
const WEEK_MS = 7 * DAY_MS;

/** The one calendar of the account as the mirror has it. */
function ada({ mirror }: MirrorBench) {
  const state = mirror.find('ada');
  if (state === undefined) throw new Error('ada is not mirrored');
  return state;
}
const asOf = (bench: MirrorBench) => ada(bench).known?.asOfMs ?? NaN;
const isFresh = (bench: MirrorBench, maxStalenessMs: number) =>
  bench.upkeep.isFresh(ada(bench), maxStalenessMs);

const downUntil = (retryAtMs: number): Failure => ({ kind: 'unavailable', ambiguous: false, retryAtMs });

const DETAILS = { status: 'confirmed', isBusy: true, isPrivate: false } as const;

/** Keeps the first call of a kind waiting until it is let go. */
function holdUp(double: SyncDouble, held: SyncCall) {
  const gate = Promise.withResolvers<undefined>();
  double.before = async (call) => {
    if (call === held) await gate.promise;
  };
  return () => gate.resolve(undefined);
}

describe('how fresh a mirror is', () => {
  it('is its age', () =>
    withFilledMirror(async (bench, _, { clock }) => {
      await clock.advance(10_000);
      const ageMs = clock.now() - asOf(bench);
      expect([isFresh(bench, ageMs), isFresh(bench, ageMs - 1)]).toEqual([true, false]);
    }));

  it('is nothing before the first reading', () =>
    withMirror(async ({ upkeep }) => {
      const state = { calendar: calendarOf('ada'), place: 0, isDoubted: false, isMixed: false };
      expect([upkeep.isFresh(state, Infinity), upkeep.isKeptUp(state)]).toEqual([false, false]);
    }));

  it('is nothing between the pages of a reading: what is there was never so', () =>
    withFilledMirror(async (bench) => {
      bench.mirror.mix('ada');
      expect(isFresh(bench, Infinity)).toBe(false);
    }));

  it('is nothing while a reading is doubted', () =>
    withFilledMirror(async (bench) => {
      bench.mirror.startOver('ada', true);
      expect([isFresh(bench, Infinity), bench.upkeep.isKeptUp(ada(bench))]).toEqual([false, false]);
    }));

  it('is over with the instant in which a change is announced, until that has been read', () =>
    withFilledMirror(async (bench, double) => {
      const letGo = holdUp(double, 'changes');
      bench.upkeep.hear(double.announce('ada'));
      await settle();
      expect(isFresh(bench, Infinity)).toBe(false);
      letGo();
      await settle();
      expect(isFresh(bench, Infinity)).toBe(true);
      expect(double.countOf('changes')).toBe(1);
    }));

  it('is over with a change that is announced in the instant in which a run has begun', () =>
    withFilledMirror(async (bench, double) => {
      const letGo = holdUp(double, 'changes');
      const done = bench.upkeep.bringUpToDate('interactive');
      // It may have been read past already.
      bench.upkeep.hear(double.announce('ada'));
      letGo();
      await done;
      expect(isFresh(bench, Infinity)).toBe(false);
      await bench.pass(2 * SECOND_MS);
      expect(isFresh(bench, Infinity)).toBe(true);
    }));

  it('is not over for a hello, or a word of nobody', () =>
    withFilledMirror(async (bench, double) => {
      const [channel] = double.living();
      if (channel === undefined) throw new Error('no channel');
      bench.upkeep.hear([
        double.say(channel, 'hello'),
        { ...double.say(channel, 'changed'), secret: 'a guess' },
      ]);
      await settle();
      expect(isFresh(bench, Infinity)).toBe(true);
      expect(double.calls).toEqual([]);
    }));

  it('is over for the calendar that is told of, and no other', () =>
    withFilledMirror(
      async (bench, double) => {
        holdUp(double, 'changes');
        bench.upkeep.hear(double.announce('bob'));
        const bob = bench.mirror.find('bob');
        if (bob === undefined) throw new Error('bob is not mirrored');
        expect([isFresh(bench, Infinity), bench.upkeep.isFresh(bob, Infinity)]).toEqual([true, false]);
      },
      (double) => double.calendars.push(calendarOf('bob')),
    ));

  it('is over with an own write, until what came after it has been read', () =>
    withFilledMirror(async (bench, double, world) => {
      const { clock, script } = world;
      const answer = Promise.withResolvers<ReturnType<typeof ok<typeof EVENT>>>();
      script.createEvent = () => answer.promise;
      await clock.advance(1);
      const written = createOwn(bench, world);
      expect(isFresh(bench, Infinity)).toBe(false);
      await bench.upkeep.bringUpToDate('interactive');
      expect(isFresh(bench, Infinity)).toBe(false);
      await clock.advance(1);
      answer.resolve(ok(EVENT));
      await written;
      expect(isFresh(bench, Infinity)).toBe(false);
      // The provider may tell of it a little later than it has answered.
      await clock.advance(1);
      await bench.upkeep.bringUpToDate('interactive');
      expect(isFresh(bench, Infinity)).toBe(false);
      double.put('ada', eventOf(EVENT.eventId, 1, { details: { ...DETAILS, etag: EVENT.etag } }));
      await bench.upkeep.bringUpToDate('interactive');
      expect(isFresh(bench, Infinity)).toBe(true);
    }));

  it('is worth bringing up to date for a question within ten minutes', () =>
    withFilledMirror(async (bench, _, { clock }) => {
      await clock.advance(asOf(bench) + 10 * MINUTE_MS - clock.now());
      expect(bench.upkeep.isKeptUp(ada(bench))).toBe(true);
      await clock.advance(1);
      expect(bench.upkeep.isKeptUp(ada(bench))).toBe(false);
    }));

  it('is never told to be more than it is, whatever comes in whatever order', async () => {
    const step = fc.oneof(
      fc.record({ act: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 200_000 }) }),
      fc.record({ act: fc.constant('announce' as const) }),
      fc.record({ act: fc.constant('read' as const) }),
      fc.record({ act: fc.constant('fail' as const) }),
      fc.record({ act: fc.constant('ask' as const), max: fc.integer({ min: 1, max: 300_000 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), (steps) =>
        withFilledMirror(async (bench, double, { clock }) => {
          let readAtMs = asOf(bench);
          let isAnnounced = false;
          // Only what this test asks for is read.
          for (const one of steps) {
            // oxlint-disable no-await-in-loop
            if (one.act === 'wait') await clock.advance(one.ms);
            if (one.act === 'announce') {
              const words = double.announce('ada');
              double.weather = () => DOWN;
              bench.upkeep.hear(words);
              await settle();
              isAnnounced ||= words.length > 0;
            }
            if (one.act === 'read' || one.act === 'fail') {
              double.weather = () => (one.act === 'fail' ? DOWN : undefined);
              if (one.act === 'read') {
                readAtMs = clock.now();
                isAnnounced = false;
              }
              await bench.upkeep.bringUpToDate('interactive');
            }
            // oxlint-enable no-await-in-loop
            if (one.act !== 'ask') continue;
            const isTrue = clock.now() - readAtMs <= one.max && !isAnnounced;
            expect(isFresh(bench, one.max)).toBe(isTrue);
          }
        }),
      ),
      { numRuns: 30 },
    );
  });
});

describe('the pace at which is looked for changes', () => {
  it('is half an hour where channels tell of them', () =>
    withFilledMirror(async (bench) => {
      await bench.upkeep.bringUpToDate('interactive');
      expect(bench.dueIn('sync')).toBe(30 * MINUTE_MS);
    }));

  it('is five minutes where they do not', () =>
    withFilledMirror(
      async (bench) => {
        await bench.upkeep.bringUpToDate('interactive');
        expect(bench.dueIn('sync')).toBe(5 * MINUTE_MS);
      },
      (double) => {
        double.weather = (call) =>
          call === 'watch' ? { kind: 'unsupported', field: 'watch', detail: 'none' } : undefined;
      },
    ));

  it('is half an hour where they do, and tell of holidays only that there is nothing to be had', () =>
    withFilledMirror(
      async (bench) => {
        await bench.upkeep.bringUpToDate('interactive');
        expect(bench.dueIn('sync')).toBe(30 * MINUTE_MS);
      },
      (double) => {
        double.calendars = [calendarOf('ada', { isPrimary: true }), calendarOf('holidays')];
        double.weather = (call, subject) =>
          call === 'watch' && subject === 'holidays'
            ? { kind: 'unsupported', field: 'watch', detail: 'none' }
            : undefined;
      },
    ));

  it('is a day for one that has not been used for a day', () =>
    withFilledMirror(async (bench, _, { clock }) => {
      await clock.advance(DAY_MS + MINUTE_MS);
      await bench.upkeep.bringUpToDate('background');
      expect(bench.dueIn('sync')).toBe(DAY_MS);
    }));

  it('is a tenth more or less, so that not all look at once', () =>
    withFilledMirror(async (bench, _, { script }) => {
      script.random = () => 0;
      await bench.upkeep.bringUpToDate('interactive');
      expect(bench.dueIn('sync')).toBe(27 * MINUTE_MS);
      script.random = () => 0.999_999;
      await bench.upkeep.bringUpToDate('interactive');
      expect(bench.dueIn('sync')).toBeCloseTo(33 * MINUTE_MS, -2);
    }));

  it('goes on by itself, a reading each time', () =>
    withFilledMirror(async (bench, double) => {
      bench.markUse();
      await bench.pass(3 * HOUR_MS);
      expect(double.countOf('changes')).toBe(6);
      expect(new Set(double.lanes)).toEqual(new Set(['upkeep']));
    }));
});

describe('a mirror that nobody has asked for a week', () => {
  const fallAsleep = (bench: MirrorBench) => bench.pass(WEEK_MS + 7 * HOUR_MS);

  it('is kept up no more, and has its channels closed', () =>
    withFilledMirror(async (bench, double) => {
      await fallAsleep(bench);
      expect(bench.dueAt('sync')).toBeUndefined();
      expect(bench.dueAt('channels')).toBeUndefined();
      expect(double.living()).toEqual([]);
      double.calls.length = 0;
      await bench.pass(30 * DAY_MS);
      expect(double.calls).toEqual([]);
    }));

  it('is kept up until then', () =>
    withFilledMirror(async (bench, double) => {
      await bench.pass(WEEK_MS - HOUR_MS);
      expect(bench.dueIn('sync')).toBeLessThanOrEqual(6.6 * HOUR_MS);
      expect(double.living()).toHaveLength(1);
    }));

  it('is kept up again from the next question that it cannot answer', () =>
    withFilledMirror(async (bench, double) => {
      await fallAsleep(bench);
      bench.markUse();
      bench.upkeep.refresh('background');
      await bench.pass(6 * MINUTE_MS);
      expect(double.living()).toHaveLength(1);
      expect(bench.dueIn('sync')).toBeLessThanOrEqual(30 * MINUTE_MS);
    }));

  it('is kept up again from the next question that it answers, however old it is', () =>
    withFilledMirror(async (bench, double) => {
      await fallAsleep(bench);
      bench.markUse();
      bench.upkeep.noteUsed(asOf(bench));
      await bench.pass(6 * MINUTE_MS);
      expect(double.living()).toHaveLength(1);
      expect(bench.dueIn('sync')).toBeLessThanOrEqual(30 * MINUTE_MS);
    }));

  it('does not wait for its rare turn once it is asked again', () =>
    withFilledMirror(async (bench, double) => {
      await bench.pass(3 * DAY_MS + HOUR_MS);
      bench.markUse();
      double.calls.length = 0;
      bench.upkeep.noteUsed(asOf(bench));
      await settle();
      expect(double.countOf('changes')).toBe(1);
      expect(bench.dueIn('sync')).toBe(30 * MINUTE_MS);
    }));
});

describe('reading ahead', () => {
  it('is for a mirror that two questions have been answered from', () =>
    withFilledMirror(async (bench) => {
      const before = bench.dueAt('sync');
      bench.upkeep.noteServed(asOf(bench), MINUTE_MS);
      expect(bench.dueAt('sync')).toBe(before);
      bench.upkeep.noteServed(asOf(bench), MINUTE_MS);
      expect(bench.dueAt('sync')).toBe(asOf(bench) + 45 * SECOND_MS);
    }));

  it('is not for those who take what is older than the next poll', () =>
    withFilledMirror(async (bench) => {
      const before = bench.dueAt('sync');
      for (let count = 0; count < 5; count += 1) bench.upkeep.noteServed(asOf(bench), DAY_MS);
      expect(bench.dueAt('sync')).toBe(before);
    }));

  it('is for those since the last run', () =>
    withFilledMirror(async (bench, double) => {
      await bench.upkeep.bringUpToDate('interactive');
      bench.upkeep.noteServed(asOf(bench), MINUTE_MS);
      await bench.upkeep.bringUpToDate('interactive');
      bench.upkeep.noteServed(asOf(bench), MINUTE_MS);
      expect(bench.dueIn('sync')).toBe(30 * MINUTE_MS);
      double.calls.length = 0;
      bench.upkeep.noteServed(asOf(bench), MINUTE_MS);
      await bench.pass(MINUTE_MS);
      expect(double.countOf('changes')).toBe(1);
      // And nobody has asked since.
      await bench.pass(20 * MINUTE_MS);
      expect(double.countOf('changes')).toBe(1);
    }));

  it('moves a row once, however many are answered', () =>
    withFilledMirror(async (bench) => {
      const rows = bench.countRows(() => {
        for (let count = 0; count < 100; count += 1) bench.upkeep.noteServed(asOf(bench), MINUTE_MS);
      });
      expect(rows).toBeLessThanOrEqual(1);
    }));

  it('does not come before a run that has failed is to be tried again', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      double.weather = () => downUntil(clock.now() + 10 * MINUTE_MS);
      await bench.upkeep.bringUpToDate('interactive');
      const before = bench.dueAt('sync');
      for (let count = 0; count < 5; count += 1) bench.upkeep.noteServed(asOf(bench), MINUTE_MS);
      expect(bench.dueAt('sync')).toBe(before);
    }));
});

describe('notifications', () => {
  it('lead to one run, and one for all that come meanwhile, two seconds after the end of the first', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      const letGo = holdUp(double, 'changes');
      for (let count = 0; count < 50; count += 1) {
        bench.upkeep.hear([...double.announce('ada'), ...double.announce('ada')]);
        // oxlint-disable-next-line no-await-in-loop
        await clock.advance(10);
      }
      expect(double.countOf('changes')).toBe(1);
      letGo();
      await settle();
      expect(double.countOf('changes')).toBe(1);
      expect(isFresh(bench, MINUTE_MS)).toBe(false);
      expect(bench.dueIn('sync')).toBe(2 * SECOND_MS);
      await bench.pass(2 * SECOND_MS);
      expect(double.countOf('changes')).toBe(2);
      expect(isFresh(bench, MINUTE_MS)).toBe(true);
      await bench.pass(10 * MINUTE_MS);
      expect(double.countOf('changes')).toBe(2);
      expect(new Set(double.lanes)).toEqual(new Set(['webhook']));
    }));

  it('are on the agenda until they have been looked at, also those that come during a run', () =>
    withFilledMirror(async (bench, double, world, state) => {
      const letGo = holdUp(double, 'changes');
      bench.upkeep.hear(double.announce('ada'));
      expect(bench.dueIn('sync')).toBe(2 * MINUTE_MS);
      await world.clock.advance(SECOND_MS);
      bench.upkeep.hear(double.announce('ada'));
      // The first run ends, and the second is cut off by a crash.
      double.after = (call) => {
        if (call === 'changes') double.weather = () => HUNG;
      };
      letGo();
      await settle();
      expect(bench.dueIn('sync')).toBe(2 * SECOND_MS);
      await bench.pass(2 * SECOND_MS);
      expect(double.countOf('changes')).toBe(2);
      expect(bench.dueIn('sync')).toBeLessThanOrEqual(2 * MINUTE_MS);

      double.after = () => {};
      double.weather = () => undefined;
      double.put('ada', eventOf('late', 1));
      const next = openMirror(state, world, double);
      await next.pass(2 * MINUTE_MS);
      expect(next.mirror.idsOf('ada')).toEqual(['late']);
    }));

  it('of a calendar that changes all the time lead to a run in a minute, and at once again when it rests', () =>
    withFilledMirror(async (bench, double) => {
      const hearFor = async (seconds: number) => {
        for (let second = 0; second < seconds; second += 1) {
          bench.upkeep.hear(double.announce('ada'));
          // oxlint-disable-next-line no-await-in-loop
          await bench.pass(SECOND_MS);
        }
      };
      await hearFor(5 * 60);
      const soFar = double.countOf('changes');
      // Two seconds after the first, then after four, and so on.
      expect(soFar).toBeLessThanOrEqual(10);
      await hearFor(10 * 60);
      expect(double.countOf('changes') - soFar).toBeLessThanOrEqual(10);
      expect(double.countOf('changes') - soFar).toBeGreaterThanOrEqual(9);
      // None is left out: the last is read, too.
      await bench.pass(MINUTE_MS);
      expect(isFresh(bench, 2 * MINUTE_MS)).toBe(true);
      await bench.pass(5 * MINUTE_MS);
      double.calls.length = 0;
      bench.upkeep.hear(double.announce('ada'));
      await settle();
      expect(double.countOf('changes')).toBe(1);
      await bench.pass(SECOND_MS);
      bench.upkeep.hear(double.announce('ada'));
      await bench.pass(SECOND_MS);
      expect(double.countOf('changes')).toBe(2);
    }));

  it('of a calendar that changes all the time leave a rest between runs, however long these take', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      // The clock goes on while a page is on its way.
      double.before = async (call) => {
        if (call === 'changes') await clock.advance(5 * SECOND_MS);
      };
      double.calls.length = 0;
      for (let second = 0; second < 600; second += 1) {
        bench.upkeep.hear(double.announce('ada'));
        // oxlint-disable-next-line no-await-in-loop
        await bench.pass(SECOND_MS);
      }
      expect(double.countOf('changes')).toBeLessThanOrEqual(20);
    }));

  it('that wait are known to the next life: nothing is fresh until they have been read', () =>
    withFilledMirror(async (bench, double, world, state) => {
      bench.upkeep.hear(double.announce('ada'));
      await settle();
      await world.clock.advance(SECOND_MS);
      bench.upkeep.hear(double.announce('ada'));
      const next = openMirror(state, world, double);
      expect(isFresh(next, Infinity)).toBe(false);
      await next.pass(SECOND_MS);
      expect(isFresh(next, Infinity)).toBe(true);
      expect(isFresh(openMirror(state, world, double), Infinity)).toBe(true);
    }));

  it('are not put off by what is answered meanwhile', () =>
    withFilledMirror(async (bench, double) => {
      bench.upkeep.hear(double.announce('ada'));
      await settle();
      bench.upkeep.hear(double.announce('ada'));
      const dueAtMs = bench.dueAt('sync');
      for (let answer = 0; answer < 3; answer += 1) bench.upkeep.noteServed(asOf(bench), MINUTE_MS);
      expect(bench.dueAt('sync')).toBe(dueAtMs);
    }));

  it('put off nothing that is due before', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      bench.upkeep.hear(double.announce('ada'));
      await settle();
      bench.agenda.schedule('sync', clock.now() + 500);
      bench.upkeep.hear(double.announce('ada'));
      expect(bench.dueIn('sync')).toBe(500);
    }));

  it('do not hurry a run that has failed', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      double.weather = () => downUntil(clock.now() + MINUTE_MS);
      await bench.upkeep.bringUpToDate('interactive');
      const dueAtMs = bench.dueAt('sync');
      double.calls.length = 0;
      bench.upkeep.hear(double.announce('ada'));
      await settle();
      expect(double.calls).toEqual([]);
      expect(bench.dueAt('sync')).toBe(dueAtMs);
      expect(isFresh(bench, Infinity)).toBe(false);
      double.weather = () => undefined;
      await bench.pass(2 * MINUTE_MS);
      expect(isFresh(bench, Infinity)).toBe(true);
    }));

  it('of a mirror that nobody has asked for read nothing', () =>
    withMirror(async (bench, double) => {
      bench.upkeep.hear([{ watchId: 'w', secret: 's', kind: 'changed' }]);
      await settle();
      expect(double.calls).toEqual([]);
      expect(bench.dueAt('channels')).toBeUndefined();
    }));
});

describe('a run that fails', () => {
  it('is tried again, ever more rarely, until it succeeds', () =>
    withFilledMirror(async (bench, double, { script }) => {
      script.random = () => 0.999;
      double.weather = () => DOWN;
      const waits: number[] = [];
      await bench.upkeep.bringUpToDate('interactive');
      for (let count = 0; count < 4; count += 1) {
        const waitMs = bench.dueIn('sync');
        waits.push(waitMs);
        // oxlint-disable-next-line no-await-in-loop
        await bench.pass(waitMs);
      }
      expect(waits.map((ms) => Math.round(ms / SECOND_MS))).toEqual([1, 2, 4, 8]);
      double.weather = () => undefined;
      await bench.pass(bench.dueIn('sync'));
      script.random = () => 0.5;
      await bench.upkeep.bringUpToDate('interactive');
      expect(bench.dueIn('sync')).toBe(30 * MINUTE_MS);
    }));

  it('is not tried again before the provider allows it', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      const retryAtMs = clock.now() + HOUR_MS;
      double.weather = () => ({ kind: 'throttled', scope: 'user', retryAtMs });
      await bench.upkeep.bringUpToDate('interactive');
      expect(bench.dueAt('sync')).toBeGreaterThanOrEqual(retryAtMs);
      for (let count = 0; count < 3; count += 1) bench.upkeep.refresh('background');
      await settle();
      expect(double.countOf('changes')).toBe(1);
    }));

  it('for a dead grant waits for the person, and goes on when they have connected again', () =>
    withFilledMirror(async (bench, double) => {
      bench.control.onFailure = (failure) => {
        bench.control.obstacle = failure;
      };
      double.weather = () => REVOKED;
      await bench.upkeep.bringUpToDate('interactive');
      expect(bench.dueAt('sync')).toBeUndefined();
      double.calls.length = 0;
      await bench.pass(DAY_MS);
      expect(double.calls).toEqual([]);

      bench.control.obstacle = undefined;
      double.weather = () => undefined;
      double.put('ada', eventOf('missed', 1));
      bench.upkeep.resume();
      await bench.pass(SECOND_MS);
      expect(bench.mirror.idsOf('ada')).toEqual(['missed']);
      expect(bench.dueIn('sync')).toBeGreaterThan(0);
    }));

  it('for want of a permission that nobody is asked for is tried again at the usual pace', () =>
    withFilledMirror(async (bench, double) => {
      double.weather = () => ({ kind: 'token-rejected' });
      await bench.upkeep.bringUpToDate('interactive');
      expect(bench.dueIn('sync')).toBe(30 * MINUTE_MS);
    }));

  it('is told to who watches over the connection', () =>
    withFilledMirror(async (bench, double) => {
      const told: unknown[] = [];
      bench.control.onFailure = (failure) => void told.push(failure);
      double.weather = () => REVOKED;
      await bench.upkeep.bringUpToDate('interactive');
      expect(told).toEqual([REVOKED]);
    }));

  it('is resumed for nobody where nobody has asked for a mirror', () =>
    withMirror(async (bench) => {
      bench.upkeep.resume();
      expect([bench.dueAt('sync'), bench.dueAt('channels')]).toEqual([undefined, undefined]);
    }));

  it('is tried ever more rarely also before any has come so far as to list the calendars', () =>
    withMirror(async (bench, double, world, state) => {
      bench.markUse();
      double.weather = () => ({ kind: 'malformed', at: 'calendars' });
      await bench.upkeep.bringUpToDate('background');
      await bench.pass(HOUR_MS);
      expect(double.countOf('list')).toBeLessThan(25);
      // Nor does another life begin anew.
      double.calls.length = 0;
      await openMirror(state, world, double).pass(HOUR_MS);
      expect(double.countOf('list')).toBeLessThan(15);
    }));

  it('again and again is tried no more often than is polled where nobody uses it, and then no more', () =>
    withFilledMirror(async (bench, double) => {
      double.weather = (call) => (call === 'changes' ? DOWN : undefined);
      await bench.pass(2 * DAY_MS);
      double.calls.length = 0;
      await bench.pass(DAY_MS);
      expect(double.countOf('changes')).toBeLessThan(6);
      await bench.pass(5 * DAY_MS);
      double.calls.length = 0;
      await bench.pass(WEEK_MS);
      expect(double.countOf('changes')).toBe(0);
    }));

  it('through a fault of our own is told, and tried ever more rarely', () =>
    withFilledMirror(async (bench, double, { events }) => {
      // No year has this day.
      const time = {
        kind: 'all-day',
        startDate: '2026-01-01',
        endDate: '2026-99-99',
        timeZone: 'UTC',
      } as const;
      double.put('ada', eventOf('poison', 1, { time }));
      bench.upkeep.refresh('background');
      await settle();
      expect(events.filter(({ event }) => event === 'error')).toHaveLength(1);
      expect(bench.shown.at(-1)).toMatchObject({ status: 'error', retryCount: 1 });
      await bench.pass(HOUR_MS);
      double.calls.length = 0;
      await bench.pass(2 * HOUR_MS);
      expect(double.countOf('changes')).toBeLessThan(20);
    }));
});

describe('the agenda', () => {
  it('has the run down before anything is read, so that a crash does not end it', () =>
    withMirror(async (bench, double, world, state) => {
      double.put('ada', eventOf('one', 1));
      double.weather = () => HUNG;
      void bench.upkeep.bringUpToDate('interactive');
      expect(bench.dueIn('sync')).toBe(2 * MINUTE_MS);
      await settle();
      double.weather = () => undefined;
      const next = openMirror(state, world, double);
      await next.pass(2 * MINUTE_MS);
      expect(next.mirror.idsOf('ada')).toEqual(['one']);
    }));

  it('looks again at a run that takes long, and starts no other', () =>
    withFilledMirror(async (bench, double) => {
      const letGo = holdUp(double, 'changes');
      bench.upkeep.refresh('background');
      await bench.pass(11 * MINUTE_MS);
      expect(double.countOf('changes')).toBe(1);
      expect(bench.dueIn('sync')).toBeLessThanOrEqual(2 * MINUTE_MS);
      letGo();
      await settle();
      expect(bench.dueIn('sync')).toBe(30 * MINUTE_MS);
    }));
});

describe('that a calendar has changed', () => {
  const changesTold = (sent: readonly { type: string; result?: unknown }[]) =>
    sent.filter(({ type }) => type === 'calendar-changed').map(({ result }) => result);

  it('is told of what others have done, and not of the first filling', () =>
    withFilledMirror(
      async (bench, double, { sent }) => {
        expect(changesTold(sent)).toEqual([]);
        double.put('ada', eventOf('new', 2));
        double.put('ada', eventOf('old', 3));
        double.remove('ada', 'gone');
        bench.upkeep.refresh('background');
        await settle();
        expect(changesTold(sent)).toEqual([{ calendarIds: ['ada'], changed: 2, removed: 1 }]);
      },
      (double) => {
        double.put('ada', eventOf('old', 1));
        double.put('ada', eventOf('gone', 1));
      },
    ));

  it('is not told when nothing has', () =>
    withFilledMirror(async (bench, _, { sent }) => {
      await bench.upkeep.bringUpToDate('background');
      await settle();
      expect(changesTold(sent)).toEqual([]);
    }));

  it('is not told of what we have done ourselves', () =>
    withFilledMirror(async (bench, double, world) => {
      world.script.createEvent = () => Promise.resolve(ok({ ...EVENT, eventId: 'own', etag: '"own"' }));
      await createOwn(bench, world);
      double.put('ada', eventOf('own', 1));
      await bench.upkeep.bringUpToDate('background');
      await settle();
      expect(changesTold(world.sent)).toEqual([]);
      expect(bench.channels.areHealthy(['ada'])).toBe(true);
    }));

  it('is told also where another calendar could not be read, and its channel is suspected', () =>
    withFilledMirror(
      async (bench, double, { sent }) => {
        double.put('ada', eventOf('new', 2));
        double.weather = (_call, id) => (id === 'bob' ? DOWN : undefined);
        await bench.upkeep.bringUpToDate('background');
        await settle();
        expect(changesTold(sent)).toEqual([{ calendarIds: ['ada'], changed: 1, removed: 0 }]);
        expect(bench.channels.areHealthy(['ada'])).toBe(false);
        expect(bench.dueIn('channels')).toBe(3 * MINUTE_MS);
      },
      (double) => double.calendars.push(calendarOf('bob')),
    ));

  it('is told in one notice, however many pages it came in', () =>
    withFilledMirror(async (bench, double, { sent }) => {
      double.pageSize = 1;
      for (const name of ['one', 'two', 'three']) double.put('ada', eventOf(name, 2));
      await bench.upkeep.bringUpToDate('upkeep');
      await settle();
      expect(changesTold(sent)).toEqual([{ calendarIds: ['ada'], changed: 3, removed: 0 }]);
      expect(bench.dueAt('send-notices')).toBeUndefined();
    }));

  it('is told though the run that had found it did not come to its end', () =>
    withFilledMirror(async (bench, double, world, state) => {
      double.pageSize = 2;
      for (const name of ['one', 'two', 'three']) double.put('ada', eventOf(name, 2));
      let pages = 0;
      double.before = (call) => {
        if (call === 'changes') pages += 1;
        return pages < 2 ? Promise.resolve() : new Promise(() => {});
      };
      bench.upkeep.refresh('upkeep');
      await settle();
      // What waits to be sent is told by itself, and the run goes on.
      await bench.notices.flush();
      expect(changesTold(world.sent)).toEqual([]);
      // The object dies, and another wakes.
      double.before = () => Promise.resolve();
      const next = openMirror(state, world, double);
      expect(next.dueIn('send-notices')).toBeLessThanOrEqual(15 * SECOND_MS);
      await next.notices.flush();
      await next.upkeep.bringUpToDate('upkeep');
      await settle();
      expect(changesTold(world.sent)).toEqual([
        { calendarIds: ['ada'], changed: 2, removed: 0 },
        { calendarIds: ['ada'], changed: 1, removed: 0 },
      ]);
    }));

  it('is told of a calendar that is gone', () =>
    withFilledMirror(
      async (bench, double, { sent }) => {
        double.calendars.pop();
        await bench.upkeep.bringUpToDate('background', true);
        await settle();
        expect(changesTold(sent)).toEqual([{ calendarIds: ['bob'], changed: 0, removed: 0 }]);
      },
      (double) => double.calendars.push(calendarOf('bob')),
    ));
});

describe('how the mirror stands', () => {
  it('is shown once a run, and not when nothing has changed', () =>
    withFilledMirror(async (bench, double) => {
      await bench.upkeep.bringUpToDate('background');
      await bench.upkeep.bringUpToDate('background');
      expect(bench.shown).toEqual([]);
      double.put('ada', eventOf('one', 1));
      await bench.upkeep.bringUpToDate('background');
      await bench.upkeep.bringUpToDate('background');
      expect(bench.shown).toEqual([
        { cursor: '{"ada":"1"}', status: 'idle', lastError: null, retryCount: 0, nextRetryAtMs: null },
      ]);
    }));

  it('is shown once an hour where only the provider’s name for the position is another', () =>
    withFilledMirror(async (bench, double, world) => {
      world.script.createEvent = () => Promise.resolve(ok({ ...EVENT, eventId: 'own', etag: '"own"' }));
      await createOwn(bench, world);
      for (let minute = 0; minute < 62; minute += 1) {
        // What we have written ourselves is no news.
        double.put('ada', eventOf('own', 1));
        // oxlint-disable-next-line no-await-in-loop
        await bench.upkeep.bringUpToDate('upkeep');
        // oxlint-disable-next-line no-await-in-loop
        await world.clock.advance(MINUTE_MS);
      }
      expect(bench.shown.map(({ cursor }) => cursor)).toEqual(['{"ada":"55"}']);
    }));

  it('is shown when it was filled', () =>
    withMirror(async (bench) => {
      await bench.upkeep.bringUpToDate('interactive');
      expect(bench.shown).toMatchObject([{ status: 'idle', cursor: '{"ada":"0"}' }]);
    }));

  it('is shown with what has gone wrong, and how often', () =>
    withFilledMirror(async (bench, double) => {
      double.weather = () => DOWN;
      await bench.upkeep.bringUpToDate('background');
      await bench.upkeep.bringUpToDate('background');
      expect(bench.shown).toMatchObject([
        { status: 'error', retryCount: 1, cursor: '{"ada":"0"}' },
        { status: 'error', retryCount: 2, nextRetryAtMs: bench.dueAt('sync') },
      ]);
      double.weather = () => undefined;
      await bench.upkeep.bringUpToDate('background');
      expect(bench.shown.at(-1)).toMatchObject({ status: 'idle', retryCount: 0, lastError: null });
    }));

  it('is shown again where that has failed, and the failure is nobody’s', () =>
    withFilledMirror(async (bench, double, { events }) => {
      bench.control.show = () => Promise.reject(new Error('no database'));
      double.put('ada', eventOf('one', 1));
      expect(await bench.upkeep.bringUpToDate('background')).toMatchObject({ ok: true });
      await settle();
      expect(events).toContainEqual(expect.objectContaining({ event: 'error', where: 'sync state' }));
      bench.control.show = () => Promise.resolve();
      await bench.upkeep.bringUpToDate('background');
      await bench.upkeep.bringUpToDate('background');
      expect(bench.shown).toHaveLength(2);
    }));
});

describe('the channels of a mirror', () => {
  it('are opened when it has been filled', () =>
    withMirror(async (bench, double) => {
      double.calendars.push(
        calendarOf('bob'),
        calendarOf('hidden', { counts: false }),
        calendarOf('boss', { isReadable: false }),
      );
      await bench.upkeep.bringUpToDate('interactive');
      await bench.pass(SECOND_MS);
      expect(double.living().map(({ calendarId }) => calendarId)).toEqual(['ada', 'bob']);
    }));

  it('are tried again soon when they could not be opened, though others are fine', () =>
    withFilledMirror(async (bench, double) => {
      double.calendars.push(calendarOf('bob'));
      double.weather = (call, id) => (call === 'watch' && id === 'bob' ? DOWN : undefined);
      await bench.upkeep.bringUpToDate('background', true);
      await bench.pass(SECOND_MS);
      expect(bench.dueIn('channels')).toBeGreaterThanOrEqual(MINUTE_MS - SECOND_MS);
      expect(bench.dueIn('channels')).toBeLessThanOrEqual(2 * MINUTE_MS);
      double.weather = () => undefined;
      await bench.pass(2 * MINUTE_MS);
      expect(double.living('bob')).toHaveLength(1);
    }));

  it('are tried ever more rarely, whatever is read meanwhile', () =>
    withFilledMirror(async (bench, double) => {
      double.calendars.push(calendarOf('bob'));
      double.weather = (call, id) => (call === 'watch' && id === 'bob' ? DOWN : undefined);
      await bench.upkeep.bringUpToDate('background', true);
      await bench.pass(HOUR_MS);
      const first = double.countOf('watch');
      expect(first).toBeLessThan(16);
      for (let count = 0; count < 100; count += 1) {
        bench.upkeep.hear(double.announce('ada'));
        // oxlint-disable-next-line no-await-in-loop
        await bench.pass(10 * SECOND_MS);
      }
      expect(double.countOf('watch') - first).toBeLessThanOrEqual(4);
    }));

  it('are not tried before the provider allows it', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      double.calendars.push(calendarOf('bob'));
      const retryAtMs = clock.now() + HOUR_MS;
      double.weather = (call) =>
        call === 'watch' ? { kind: 'throttled', scope: 'user', retryAtMs } : undefined;
      await bench.upkeep.bringUpToDate('background', true);
      await bench.pass(SECOND_MS);
      expect(bench.dueAt('channels')).toBeGreaterThanOrEqual(retryAtMs);
    }));

  it('wait for the person when the grant is found dead, who watches over the connection is told', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      bench.control.onFailure = (failure) => {
        bench.control.obstacle = failure;
      };
      const [channel] = double.living();
      if (channel === undefined) throw new Error('no channel');
      double.weather = (call) => (call === 'watch' ? REVOKED : undefined);
      await clock.advance(channel.expiresAtMs - clock.now() - DAY_MS);
      bench.channelUpkeep.due();
      await settle();
      expect(bench.control.obstacle).toEqual(REVOKED);
      await bench.pass(HOUR_MS);
      expect(bench.dueAt('channels')).toBeUndefined();
      expect(double.countOf('watch')).toBe(1);

      bench.control.obstacle = undefined;
      double.weather = () => undefined;
      bench.upkeep.resume();
      await bench.pass(SECOND_MS);
      expect(double.living().filter(({ watchId }) => watchId !== channel.watchId)).toHaveLength(1);
    }));

  it('are tended to at once when the person has connected anew, whatever has failed just before', () =>
    withFilledMirror(async (bench, double) => {
      double.calendars.push(calendarOf('bob'));
      double.weather = (call) => (call === 'watch' ? DOWN : undefined);
      await bench.upkeep.bringUpToDate('background', true);
      await bench.pass(SECOND_MS);
      double.weather = () => undefined;
      bench.upkeep.resume();
      bench.upkeep.hear(double.announce('ada'));
      await bench.pass(SECOND_MS);
      expect(double.living('bob')).toHaveLength(1);
    }));

  it('are tended to once, though they are due again before that is done', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      const letGo = holdUp(double, 'watch');
      await clock.advance(6 * DAY_MS);
      bench.channelUpkeep.due();
      await bench.pass(5 * MINUTE_MS);
      letGo();
      await bench.pass(MINUTE_MS);
      expect(double.countOf('watch')).toBe(1);
      expect(double.living()).toHaveLength(1);
    }));

  it('are renewed in time for as long as the mirror is used', () =>
    withFilledMirror(async (bench, double) => {
      for (let day = 0; day < 30; day += 1) {
        bench.markUse();
        // oxlint-disable-next-line no-await-in-loop
        await bench.pass(DAY_MS);
        expect(double.living()).toHaveLength(1);
      }
      expect(double.countOf('watch')).toBeGreaterThanOrEqual(5);
      expect(bench.channels.areHealthy(['ada'])).toBe(true);
    }));

  it('are closed for a calendar that is gone, at once', () =>
    withFilledMirror(
      async (bench, double) => {
        double.calendars.pop();
        await bench.upkeep.bringUpToDate('background', true);
        await bench.pass(SECOND_MS);
        expect(double.living().map(({ calendarId }) => calendarId)).toEqual(['ada']);
      },
      (double) => double.calendars.push(calendarOf('bob')),
    ));

  it('that have ended are opened anew, and what they may have missed is read', () =>
    withFilledMirror(async (bench, double) => {
      const [channel] = double.living();
      if (channel === undefined) throw new Error('no channel');
      double.drop(channel.watchId);
      bench.upkeep.hear([double.say(channel, 'ended')]);
      await bench.pass(SECOND_MS);
      expect(double.living()).toHaveLength(1);
      expect(double.countOf('changes')).toBe(1);
    }));

  it('cost no row when nothing about them has changed', () =>
    withFilledMirror(async (bench, double) => {
      bench.upkeep.hear(double.announce('ada'));
      await settle();
      const before = bench.dueAt('channels');
      let rows = 0;
      rows += bench.countRows(() => bench.upkeep.hear(double.announce('ada')));
      expect(bench.dueAt('channels')).toBe(before);
      // The run that is to come, and that it is for a change: for the first that waits only.
      expect(rows).toBe(2);
      expect(bench.countRows(() => bench.upkeep.hear(double.announce('ada')))).toBe(0);
      await settle();
    }));
});

describe('a change that nobody has told of', () => {
  it('makes its channel suspect, and is replaced three minutes later', () =>
    withFilledMirror(async (bench, double) => {
      const [silent] = double.living();
      double.put('ada', eventOf('quiet', 1));
      bench.upkeep.refresh('background');
      await settle();
      expect(bench.channels.areHealthy(['ada'])).toBe(false);
      expect(bench.dueIn('channels')).toBe(3 * MINUTE_MS);
      expect(bench.dueIn('sync')).toBe(5 * MINUTE_MS);
      await bench.pass(3 * MINUTE_MS);
      expect(double.living()).toHaveLength(1);
      expect(double.living()[0]?.watchId).not.toBe(silent?.watchId);
      expect(bench.channels.areHealthy(['ada'])).toBe(false);

      double.put('ada', eventOf('told', 1));
      bench.upkeep.hear(double.announce('ada'));
      await settle();
      expect(bench.channels.areHealthy(['ada'])).toBe(true);
      expect(bench.dueIn('sync')).toBe(30 * MINUTE_MS);
    }));

  it('makes it believed again when it tells of it after all', () =>
    withFilledMirror(async (bench, double) => {
      double.put('ada', eventOf('late', 1));
      bench.upkeep.refresh('background');
      await settle();
      bench.upkeep.hear(double.announce('ada'));
      await bench.pass(10 * MINUTE_MS);
      expect(bench.channels.areHealthy(['ada'])).toBe(true);
      expect(double.countOf('watch')).toBe(0);
    }));

  it('is none that was announced', () =>
    withFilledMirror(async (bench, double) => {
      double.put('ada', eventOf('told', 1));
      bench.upkeep.hear(double.announce('ada'));
      await settle();
      expect(bench.mirror.idsOf('ada')).toEqual(['told']);
      expect(bench.channels.areHealthy(['ada'])).toBe(true);
    }));

  it('is found by the next poll, though another had been announced', () =>
    withFilledMirror(async (bench, double, { script }) => {
      script.random = () => 0;
      bench.markUse();
      bench.upkeep.hear(double.announce('ada'));
      await bench.pass(MINUTE_MS);
      double.put('ada', eventOf('quiet', 1));
      await bench.pass(30 * MINUTE_MS);
      expect(bench.mirror.idsOf('ada')).toEqual(['quiet']);
      expect(double.countOf('watch')).toBe(1);
    }));
});

describe('a mirror that is given up', () => {
  it('has its channels closed', () =>
    withFilledMirror(async (bench, double) => {
      await bench.channelUpkeep.release();
      expect(double.living()).toEqual([]);
    }));

  it('asks nothing of an account that cannot be reached', () =>
    withFilledMirror(async (bench, double) => {
      bench.control.obstacle = REVOKED;
      await bench.channelUpkeep.release();
      expect(double.calls).toEqual([]);
    }));

  it('writes nothing and asks for nothing any more', () =>
    withFilledMirror(async (bench, double, { sent, events }, state) => {
      const letGo = holdUp(double, 'changes');
      double.put('ada', eventOf('one', 1));
      const told = sent.length;
      const running = bench.upkeep.bringUpToDate('interactive');
      await settle();
      const words = double.announce('ada');
      bench.upkeep.close();
      bench.channelUpkeep.shut();
      // Whatever is written now is written to a storage that has no tables.
      await state.storage.deleteAll();
      letGo();
      expect(await running).toMatchObject({ ok: false, failure: { kind: 'grant-revoked' } });
      double.calls.length = 0;
      bench.upkeep.hear(words);
      bench.upkeep.syncDue();
      bench.channelUpkeep.hear(words);
      bench.channelUpkeep.due();
      bench.channelUpkeep.resume();
      bench.upkeep.resume();
      bench.upkeep.refresh('background');
      bench.upkeep.noteServed(START_MS, MINUTE_MS);
      bench.upkeep.noteServed(START_MS, MINUTE_MS);
      expect(await bench.upkeep.bringUpToDate('interactive')).toMatchObject({ ok: false });
      await settle();
      expect(double.calls).toEqual([]);
      expect(sent).toHaveLength(told);
      expect(bench.shown).toEqual([]);
      expect(events.filter(({ event }) => event === 'error')).toEqual([]);
      expect(state.storage.sql.exec('SELECT name FROM sqlite_master').toArray()).toEqual([]);
    }));

  it('is kept up again when the storage stayed after all', () =>
    withFilledMirror(async (bench, double) => {
      bench.upkeep.close();
      bench.channelUpkeep.shut();
      bench.upkeep.reopen();
      bench.channelUpkeep.reopen();
      double.put('ada', eventOf('one', 1));
      bench.upkeep.resume();
      await bench.pass(SECOND_MS);
      expect(bench.mirror.idsOf('ada')).toEqual(['one']);
    }));
});
