import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MirrorAnswers } from '../../src/connector/mirror-answers.ts';
import type { ChangesAnswer, EventsQuestion, ListedChange } from '../../src/domain/event-list.ts';
import type { AvailabilityQuestion } from '../../src/domain/availability.ts';
import type { Failure, Outcome } from '../../src/domain/failure.ts';
import type { MirroredEvent } from '../../src/domain/mirror.ts';
import { formatInstant } from '../../src/domain/time-zone.ts';
import {
  calendarOf,
  createOwn,
  DOWN,
  eventOf,
  MINUTE_MS,
  type MirrorBench,
  openMirror,
  REVOKED,
  type SyncDouble,
  withFilledMirror,
  withMirror,
} from './bench-upkeep.ts';
import { DAY_MS, HOUR_MS, settle, START_MS } from './world.ts';

const SECOND_MS = 1_000;
const TODAY = { startMs: START_MS, endMs: START_MS + DAY_MS };

function ask(over: Partial<AvailabilityQuestion> = {}): AvailabilityQuestion {
  return { range: TODAY, timeZone: 'UTC', ...over };
}
const list = (over: Partial<EventsQuestion> = {}): EventsQuestion => ({
  range: TODAY,
  timeZone: 'UTC',
  ...over,
});

function valueOf<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(`failed: ${outcome.failure.kind}`);
  return outcome.value;
}
const failureOf = (outcome: Outcome<unknown>): Failure['kind'] | undefined =>
  outcome.ok ? undefined : outcome.failure.kind;

const hourFrom = (hours: number) => ({
  startMs: START_MS + hours * HOUR_MS,
  endMs: START_MS + (hours + 1) * HOUR_MS,
});
const asOf = ({ mirror }: MirrorBench, id = 'ada') => mirror.find(id)?.known?.asOfMs ?? NaN;
const told = (ms: number) => formatInstant(ms, 'UTC');

/** A daily series of three, from so many hours after the clock's start. */
function seriesOf(eventId: string, hours: number, over: Partial<MirroredEvent> = {}): MirroredEvent {
  return eventOf(eventId, hours, { kind: 'series', recurrence: ['RRULE:FREQ=DAILY;COUNT=3'], ...over });
}

/** Seven events, one an hour, of which an answer holds three. */
function putLong(double: SyncDouble): void {
  for (let hour = 1; hour <= 7; hour += 1) {
    const event = eventOf(`event-${hour}`, hour);
    const { details = { status: 'confirmed', isBusy: true, isPrivate: false } } = event;
    double.put('ada', { ...event, details: { ...details, description: 'x'.repeat(1_300_000) } });
  }
}

const withBob = (double: SyncDouble) => void double.calendars.push(calendarOf('bob'));
const withHiddenAndUnreadable = (double: SyncDouble) =>
  void double.calendars.push(
    calendarOf('hidden', { counts: false }),
    calendarOf('boss', { isReadable: false }),
  );

describe('a question for busy times', () => {
  it('is answered from a mirror that is fresh enough, without asking anybody', () =>
    withFilledMirror(
      async (bench, double) => {
        expect(await bench.answers.busy(ask({ maxStalenessMs: HOUR_MS }), 'interactive')).toEqual({
          report: { calendars: [{ id: 'ada', busy: { ok: true, value: [hourFrom(2)] } }] },
          asOfMs: asOf(bench),
          wasAsked: false,
        });
        expect(double.calls).toEqual([]);
      },
      (double) => {
        double.put('ada', eventOf('one', 2));
        double.put('ada', eventOf('tomorrow', 30));
      },
    ));

  it('may be a minute old where it does not say', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await bench.upkeep.bringUpToDate('interactive');
      double.calls.length = 0;
      await clock.advance(MINUTE_MS);
      expect(await bench.answers.busy(ask(), 'interactive')).toMatchObject({ wasAsked: false });
      await clock.advance(1);
      expect(await bench.answers.busy(ask(), 'interactive')).toMatchObject({ wasAsked: true });
    }));

  it('that wants it as of now is for the provider', () =>
    withFilledMirror(async (bench, double) => {
      await bench.upkeep.bringUpToDate('interactive');
      double.calls.length = 0;
      expect(await bench.answers.busy(ask({ maxStalenessMs: 0 }), 'interactive')).toBeUndefined();
      await settle();
      expect(double.calls).toEqual([]);
    }));

  it('by itself is not worth a mirror', () =>
    withMirror(async (bench, double) => {
      bench.control.isInUse = false;
      expect(await bench.answers.busy(ask(), 'interactive')).toBeUndefined();
      await settle();
      expect(double.calls).toEqual([]);
    }));

  it('fills the mirror for the next, where there is none yet', () =>
    withMirror(async (bench, double) => {
      expect(await bench.answers.busy(ask(), 'interactive')).toBeUndefined();
      await settle();
      expect(double.lanes).toContain('upkeep');
      expect(await bench.answers.busy(ask(), 'interactive')).toMatchObject({ wasAsked: false });
    }));

  it('counts as a reason to read ahead', () =>
    withFilledMirror(async (bench) => {
      await bench.answers.busy(ask({ maxStalenessMs: 5 * MINUTE_MS }), 'interactive');
      await bench.answers.busy(ask({ maxStalenessMs: 5 * MINUTE_MS }), 'interactive');
      expect(bench.dueAt('sync')).toBe(asOf(bench) + 45 * SECOND_MS);
    }));

  it('tells the working hours that came with the calendars', () =>
    withFilledMirror(
      async (bench) => {
        const reading = await bench.answers.busy(ask({ maxStalenessMs: HOUR_MS }), 'interactive');
        expect(reading?.report.workingHours).toEqual([
          { day: 'monday', start: '09:00', end: '17:00', timeZone: 'UTC' },
        ]);
      },
      (double) => {
        double.workingHours = [{ day: 'monday', start: '09:00', end: '17:00', timeZone: 'UTC' }];
      },
    ));

  it('tells none any more where the provider has stopped telling them', () =>
    withFilledMirror(
      async (bench, double) => {
        double.workingHours = undefined;
        await bench.upkeep.bringUpToDate('background', true);
        const reading = await bench.answers.busy(ask(), 'interactive');
        expect(reading?.report).not.toHaveProperty('workingHours');
      },
      (double) => {
        double.workingHours = [{ day: 'monday', start: '09:00', end: '17:00', timeZone: 'UTC' }];
      },
    ));
});

describe('the calendars of a question', () => {
  it.each([
    ['by their ids', ['ada', 'bob']],
    ['as the primary one', ['primary']],
    ['as the primary one and by its id', ['primary', 'ada']],
  ])('are those that it names %s, under these names', (_name, calendars) =>
    withFilledMirror(async (bench) => {
      const reading = await bench.answers.busy(ask({ calendars, maxStalenessMs: HOUR_MS }), 'interactive');
      expect(reading?.report.calendars.map(({ id }) => id)).toEqual(calendars);
    }, withBob),
  );

  it('are all that count where it names none', () =>
    withFilledMirror(
      async (bench) => {
        const reading = await bench.answers.busy(ask({ maxStalenessMs: HOUR_MS }), 'interactive');
        expect(reading?.report.calendars.map(({ id }) => id)).toEqual(['ada', 'bob']);
      },
      (double) => double.calendars.push(calendarOf('bob'), calendarOf('hidden', { counts: false })),
    ));

  it.each([
    ['one of them is not known', ['ada', 'nobody'], undefined],
    ['one of them does not count', ['ada', 'hidden'], undefined],
    ['one of them only tells when it is busy', ['ada', 'boss'], undefined],
    ['none is named, and one that counts only tells when it is busy', undefined, undefined],
    ['the primary one is none of those that count', ['primary'], 'hidden'],
  ])('are asked of the provider, and nothing read for it, where %s', (_name, calendars, primary) =>
    withFilledMirror(
      async (bench, double) => {
        const question = ask({ maxStalenessMs: HOUR_MS, ...(calendars !== undefined && { calendars }) });
        expect(await bench.answers.busy(question, 'interactive')).toBeUndefined();
        await settle();
        expect(double.calls).toEqual([]);
      },
      (double) => {
        withHiddenAndUnreadable(double);
        if (primary !== undefined)
          double.calendars = double.calendars.map((one) => ({ ...one, isPrimary: one.id === primary }));
      },
    ),
  );

  it('make an answer as old as the oldest of them', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      const old = asOf(bench, 'bob');
      await clock.advance(10 * SECOND_MS);
      double.weather = (call, id) => (call === 'changes' && id === 'bob' ? DOWN : undefined);
      await bench.upkeep.bringUpToDate('interactive');
      expect(asOf(bench, 'ada')).toBeGreaterThan(old);
      const both = await bench.answers.busy(ask({ maxStalenessMs: HOUR_MS }), 'interactive');
      expect(both?.asOfMs).toBe(old);
      const one = await bench.answers.busy(
        ask({ calendars: ['ada'], maxStalenessMs: HOUR_MS }),
        'interactive',
      );
      expect(one?.asOfMs).toBe(asOf(bench, 'ada'));
    }, withBob));

  it('are not all answered for when one of them is too old', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(MINUTE_MS);
      double.weather = (call, id) => (call === 'changes' && id === 'bob' ? DOWN : undefined);
      await bench.upkeep.bringUpToDate('interactive');
      expect(await bench.answers.busy(ask(), 'interactive')).toBeUndefined();
      expect(await bench.answers.busy(ask({ calendars: ['ada'] }), 'interactive')).toMatchObject({
        wasAsked: false,
      });
    }, withBob));
});

describe('a range that the mirror does not reach', () => {
  it.each([
    ['begins too early', { startMs: START_MS - 40 * DAY_MS, endMs: START_MS }],
    ['ends too late', { startMs: START_MS, endMs: START_MS + 300 * DAY_MS }],
    ['is wider on both sides', { startMs: START_MS - 40 * DAY_MS, endMs: START_MS + 300 * DAY_MS }],
  ])('because it %s is asked of the provider, and nothing read for it', (_name, range) =>
    withFilledMirror(async (bench, double, { clock }) => {
      expect(
        await bench.answers.busy(ask({ range, maxStalenessMs: HOUR_MS }), 'interactive'),
      ).toBeUndefined();
      await clock.advance(2 * MINUTE_MS);
      expect(await bench.answers.busy(ask({ range }), 'interactive')).toBeUndefined();
      await settle();
      expect(double.calls).toEqual([]);
    }),
  );

  it('is none within a month before and half a year ahead, at any time', () =>
    withFilledMirror(async (bench, _, { clock }) => {
      for (let week = 0; week < 8; week += 1) {
        bench.markUse();
        // oxlint-disable-next-line no-await-in-loop
        await bench.pass(7 * DAY_MS);
        const range = { startMs: clock.now() - 31 * DAY_MS, endMs: clock.now() + 179 * DAY_MS };
        // oxlint-disable-next-line no-await-in-loop
        const reading = await bench.answers.busy(ask({ range, maxStalenessMs: DAY_MS }), 'interactive');
        expect(reading).toBeDefined();
      }
    }));
});

describe('a mirror that has been left alone until it reaches today no more', () => {
  it('is read again for the next question, where the connector is in use', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(300 * DAY_MS);
      const today = { startMs: clock.now(), endMs: clock.now() + HOUR_MS };
      bench.control.isInUse = false;
      expect(await bench.answers.busy(ask({ range: today }), 'interactive')).toBeUndefined();
      await settle();
      expect(double.calls).toEqual([]);
      bench.control.isInUse = true;
      expect(await bench.answers.busy(ask({ range: today }), 'interactive')).toBeUndefined();
      await settle();
      expect(await bench.answers.busy(ask({ range: today }), 'interactive')).toMatchObject({
        wasAsked: false,
      });
    }));
});

describe('a mirror whose reach moves on while it is brought up to date', () => {
  it('does not answer for what it reaches no more', () =>
    withMirror(async (bench, double, { clock }) => {
      await bench.upkeep.bringUpToDate('interactive');
      const past = { startMs: clock.now() - 31 * DAY_MS, endMs: clock.now() };
      // It reaches 201 days ahead, and is read from the start when that has become less than 180.
      await clock.advance(21 * DAY_MS - MINUTE_MS);
      await bench.upkeep.bringUpToDate('interactive');
      await clock.advance(2 * MINUTE_MS);
      double.calls.length = 0;
      expect(await bench.answers.busy(ask({ range: past }), 'interactive')).toBeUndefined();
      expect(double.calls).toEqual(['changes ada']);
    }));
});

describe('a mirror in which a series cannot be worked out', () => {
  it('does not answer, and does not try', () =>
    withFilledMirror(
      async (bench, double) => {
        expect(await bench.answers.busy(ask({ maxStalenessMs: HOUR_MS }), 'interactive')).toBeUndefined();
        await settle();
        expect(double.calls).toEqual([]);
      },
      (double) => double.put('ada', seriesOf('odd', 1, { recurrence: ['RRULE:FREQ=NEVER'] })),
    ));
});

describe('a mirror that is too old for a question', () => {
  it('but has been kept up is brought up to date for it', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(2 * MINUTE_MS);
      double.put('ada', eventOf('new', 3));
      expect(await bench.answers.busy(ask(), 'interactive')).toMatchObject({
        report: { calendars: [{ id: 'ada', busy: { value: [hourFrom(3)] } }] },
        asOfMs: clock.now(),
        wasAsked: true,
      });
      expect(double.lanes).toEqual(['interactive']);
    }));

  it('is brought up to date once for all that ask at the same time', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(2 * MINUTE_MS);
      double.before = () => settle();
      const asked = Array.from({ length: 20 }, () => bench.answers.busy(ask(), 'interactive'));
      for (const reading of await Promise.all(asked)) expect(reading).toMatchObject({ wasAsked: true });
      expect(double.calls).toEqual(['changes ada']);
      // And anew for those who ask later.
      await clock.advance(2 * MINUTE_MS);
      await bench.answers.busy(ask(), 'interactive');
      expect(double.calls).toEqual(['changes ada', 'changes ada']);
    }));

  it('is not kept back by the reading that nobody waits for', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(2 * MINUTE_MS);
      double.before = () => settle();
      await Promise.all([bench.answers.busy(ask(), 'background'), bench.answers.busy(ask(), 'interactive')]);
      expect(double.lanes).toEqual(['background', 'interactive']);
    }));

  it('does not answer when a change is announced while it is brought up to date', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(2 * MINUTE_MS);
      const words = double.announce('ada');
      double.after = () => {
        double.after = () => {};
        bench.upkeep.hear(words);
      };
      expect(await bench.answers.busy(ask(), 'interactive')).toBeUndefined();
    }));

  it('does not answer when that took longer than it may be old', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(2 * MINUTE_MS);
      double.before = () => clock.advance(2 * MINUTE_MS);
      expect(await bench.answers.busy(ask(), 'interactive')).toBeUndefined();
    }));

  it('does not answer when that fails, and the next that asks tries again', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(2 * MINUTE_MS);
      double.weather = () => DOWN;
      expect(await bench.answers.busy(ask(), 'interactive')).toBeUndefined();
      double.weather = () => undefined;
      expect(await bench.answers.busy(ask(), 'interactive')).toMatchObject({ wasAsked: true });
    }));

  it('answers though another calendar than it is asked for cannot be read', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(2 * MINUTE_MS);
      double.weather = (_call, id) => (id === 'bob' ? DOWN : undefined);
      const question = ask({ calendars: ['ada'] });
      expect(await bench.answers.busy(question, 'interactive')).toMatchObject({ wasAsked: true });
    }, withBob));

  it('tells nothing to who is found to be no longer connected', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(2 * MINUTE_MS);
      double.weather = (_call, id) => (id === 'bob' ? REVOKED : undefined);
      expect(await bench.answers.busy(ask({ calendars: ['ada'] }), 'interactive')).toBeUndefined();
    }, withBob));

  it('does not answer for a calendar that turns out to be gone', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(8 * MINUTE_MS);
      await bench.upkeep.bringUpToDate('background');
      double.calls.length = 0;
      double.calendars.pop();
      // The list of calendars is read again.
      await clock.advance(2 * MINUTE_MS);
      expect(await bench.answers.busy(ask({ calendars: ['bob'] }), 'interactive')).toBeUndefined();
      expect(double.calls).toEqual(['list', 'changes ada']);
    }, withBob));

  it('and has not been kept up is read for the next, behind the back of who asks', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(20 * MINUTE_MS);
      expect(await bench.answers.busy(ask(), 'interactive')).toBeUndefined();
      expect(double.lanes).toEqual(['upkeep']);
      await settle();
      expect(await bench.answers.busy(ask(), 'interactive')).toMatchObject({ wasAsked: false });
    }));
});

describe('whatever happens', () => {
  it('no answer is older than it may be, nor without a change that was announced before', async () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 0, max: 15 * MINUTE_MS }),
      change: fc.constantFrom('none', 'told', 'silent'),
      weather: fc.constantFrom('fair', 'fair', 'down'),
      takesMs: fc.integer({ min: 0, max: 90_000 }),
      maxStalenessMs: fc.integer({ min: 0, max: 20 * MINUTE_MS }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), (steps) =>
        withFilledMirror(async (bench, double, { clock }) => {
          /** When each event was made, and whether that was told. */
          const made = new Map<number, { atMs: number; wasTold: boolean }>();
          for (const [index, { waitMs, change, weather, takesMs, maxStalenessMs }] of steps.entries()) {
            // oxlint-disable no-await-in-loop
            double.before = () => Promise.resolve();
            await bench.pass(waitMs);
            if (change !== 'none') {
              double.put('ada', eventOf(`event-${index}`, index));
              made.set(index, {
                atMs: clock.now(),
                wasTold: change === 'told' && double.living().length > 0,
              });
            }
            double.weather = () => (weather === 'down' ? DOWN : undefined);
            if (change === 'told') bench.upkeep.hear(double.announce('ada'));
            await clock.advance(1);
            double.before = () => clock.advance(takesMs);
            const askedAtMs = clock.now();
            const reading = await bench.answers.busy(ask({ maxStalenessMs }), 'interactive');
            // oxlint-enable no-await-in-loop
            if (reading === undefined) continue;
            expect(maxStalenessMs).toBeGreaterThan(0);
            expect(askedAtMs - reading.asOfMs).toBeLessThanOrEqual(maxStalenessMs);
            const [calendar] = reading.report.calendars;
            const busy = calendar?.busy.ok === true ? calendar.busy.value : [];
            const known = [...made].filter(
              ([, { atMs, wasTold }]) => atMs < reading.asOfMs || (wasTold && atMs < askedAtMs),
            );
            expect(busy).toEqual(expect.arrayContaining(known.map(([hour]) => hourFrom(hour))));
          }
        }),
      ),
      { numRuns: 40 },
    );
  });
});

describe('the events of a range', () => {
  it('are told each, the occurrences of a series for themselves, in order', () =>
    withFilledMirror(
      async (bench) => {
        const answer = valueOf(
          await bench.answers.events(list({ range: { startMs: START_MS, endMs: START_MS + 2 * DAY_MS } })),
        );
        expect(
          answer.events.map(({ eventId, start, originalStart }) => [eventId, start, originalStart]),
        ).toEqual([
          ['daily', told(START_MS + HOUR_MS), told(START_MS + HOUR_MS)],
          ['single', told(START_MS + 2 * HOUR_MS), undefined],
          ['moved', told(START_MS + 30 * HOUR_MS), told(START_MS + 25 * HOUR_MS)],
        ]);
        expect(answer.events[2]).toMatchObject({ seriesId: 'daily', calendarId: 'ada', summary: 'daily' });
        expect(answer.events[0]).not.toHaveProperty('recurrence');
        expect(answer.calendars).toEqual([{ id: 'ada', status: 'ok' }]);
        expect(answer.freshness).toEqual({ source: 'mirror', asOf: told(asOf(bench)) });
      },
      (double) => {
        double.put('ada', eventOf('single', 2));
        double.put('ada', seriesOf('daily', 1));
        const { details: _, ...moved } = eventOf('moved', 30);
        double.put('ada', {
          ...moved,
          kind: 'occurrence',
          seriesId: 'daily',
          originalStart: { kind: 'timed', startMs: START_MS + 25 * HOUR_MS },
        });
        double.put('ada', eventOf('later', 60));
      },
    ));

  it('are told of every calendar that counts, and of which they are not known', () =>
    withFilledMirror(
      async (bench) => {
        const { events, calendars } = valueOf(await bench.answers.events(list()));
        expect(events.map(({ calendarId }) => calendarId)).toEqual(['ada', 'bob']);
        expect(calendars).toEqual([
          { id: 'ada', status: 'ok' },
          {
            id: 'boss',
            status: 'unavailable',
            error: expect.objectContaining({ code: 'provider_unavailable' }),
          },
          { id: 'bob', status: 'ok' },
        ]);
      },
      (double) => {
        withHiddenAndUnreadable(double);
        withBob(double);
        double.put('ada', eventOf('a', 1));
        double.put('bob', eventOf('b', 2));
      },
    ));

  it('are told of the calendars that are named, once each, unknown ones as unavailable', () =>
    withFilledMirror(
      async (bench) => {
        const { events, calendars } = valueOf(
          await bench.answers.events(list({ calendars: ['primary', 'ada', 'nobody'] })),
        );
        expect(events.map(({ eventId, calendarId }) => [eventId, calendarId])).toEqual([['a', 'ada']]);
        expect(calendars.map(({ id, status, error }) => [id, status, error?.code])).toEqual([
          ['primary', 'ok', undefined],
          ['ada', 'ok', undefined],
          ['nobody', 'unavailable', 'not_found'],
        ]);
      },
      (double) => {
        withBob(double);
        double.put('ada', eventOf('a', 1));
        double.put('bob', eventOf('b', 2));
      },
    ));

  it.each([
    [
      'the range reaches too far',
      { range: { startMs: START_MS, endMs: START_MS + 300 * DAY_MS } },
      eventOf('a', 1),
    ],
    ['a series cannot be worked out', {}, seriesOf('odd', 1, { recurrence: ['RRULE:FREQ=NEVER'] })],
  ])('are unavailable where %s', (_name, over, event) =>
    withFilledMirror(
      async (bench) => {
        const { events, calendars } = valueOf(await bench.answers.events(list(over)));
        expect([events, calendars.map(({ status }) => status)]).toEqual([[], ['unavailable']]);
      },
      (double) => double.put('ada', event),
    ),
  );

  it('may be as old as they are where the question does not say', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(20 * MINUTE_MS);
      const { freshness } = valueOf(await bench.answers.events(list()));
      expect(freshness.asOf).toBe(told(asOf(bench)));
      expect(double.calls).toEqual([]);
    }));

  it('have what was written through the worker, whatever their age, as soon as that can be read', () =>
    withFilledMirror(async (bench, double, world) => {
      await world.clock.advance(20 * MINUTE_MS);
      await createOwn(bench, world);
      const ids = async () =>
        valueOf(await bench.answers.events(list())).events.map(({ eventId }) => eventId);
      double.weather = () => DOWN;
      expect(await ids()).toEqual([]);
      const tried = double.calls.length;
      expect(tried).toBeGreaterThan(0);
      // Nobody is asked again and again: not while the provider is down, nor for what it does not show yet.
      expect(await ids()).toEqual([]);
      expect(double.calls).toHaveLength(tried);
      double.weather = () => undefined;
      await bench.pass(MINUTE_MS);
      double.put('ada', eventOf('own', 1));
      await createOwn(bench, world);
      await world.clock.advance(1);
      expect(await ids()).toEqual(['own']);
      const asked = double.countOf('changes');
      expect(await ids()).toEqual(['own']);
      expect(double.countOf('changes')).toBe(asked);
    }));

  it('are read at once for every write, and again after a moment for one that a reading has missed', () =>
    withFilledMirror(async (bench, double, world) => {
      const ids = async () =>
        valueOf(await bench.answers.events(list())).events.map(({ eventId }) => eventId);
      for (let write = 1; write <= 2; write += 1) {
        // oxlint-disable-next-line no-await-in-loop
        await createOwn(bench, world);
        // oxlint-disable-next-line no-await-in-loop
        await world.clock.advance(1);
        // oxlint-disable-next-line no-await-in-loop
        expect(await ids()).toEqual([]);
        expect(double.countOf('changes')).toBe(write);
      }
      double.put('ada', eventOf('own', 1));
      await world.clock.advance(2 * SECOND_MS - 1);
      expect(await ids()).toEqual([]);
      await world.clock.advance(1);
      expect(await ids()).toEqual(['own']);
    }));

  it.each([[0], [MINUTE_MS]])('are read anew where they may be no older than %i ms', (maxStalenessMs) =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(MINUTE_MS + 1);
      double.put('ada', eventOf('new', 1));
      const { events, freshness } = valueOf(await bench.answers.events(list({ maxStalenessMs })));
      expect(events.map(({ eventId }) => eventId)).toEqual(['new']);
      expect(freshness.asOf).toBe(told(clock.now()));
      expect(double.lanes).toEqual(['interactive']);
    }),
  );

  it('fail where they are too old and cannot be read', () =>
    withFilledMirror(async (bench, double, { clock }) => {
      await clock.advance(MINUTE_MS + 1);
      double.weather = () => DOWN;
      expect(failureOf(await bench.answers.events(list({ maxStalenessMs: MINUTE_MS })))).toBe('unavailable');
      expect(failureOf(await bench.answers.events(list()))).toBeUndefined();
    }));

  it('fail where the mirror cannot be filled', () =>
    withMirror(async (bench, double) => {
      double.weather = () => DOWN;
      expect(failureOf(await bench.answers.events(list()))).toBe('unavailable');
      double.weather = () => undefined;
      expect(failureOf(await bench.answers.events(list()))).toBeUndefined();
    }));

  it('do not fail for another calendar than those that are asked for', () =>
    withMirror(async (bench, double) => {
      withBob(double);
      double.weather = (call, id) => (call === 'changes' && id === 'bob' ? DOWN : undefined);
      double.put('ada', eventOf('a', 1));
      const { events } = valueOf(await bench.answers.events(list({ calendars: ['ada'] })));
      expect(events.map(({ eventId }) => eventId)).toEqual(['a']);
      expect(failureOf(await bench.answers.events(list({ calendars: ['bob'] })))).toBe('unavailable');
      expect(failureOf(await bench.answers.events(list()))).toBe('unavailable');
    }));

  it('are not told to who is found to be no longer connected', () =>
    withMirror(async (bench, double) => {
      withBob(double);
      double.weather = (call, id) => (call === 'changes' && id === 'bob' ? REVOKED : undefined);
      expect(failureOf(await bench.answers.events(list({ calendars: ['ada'] })))).toBe('grant-revoked');
    }));

  it('that are too many are refused by name of the field', () =>
    withFilledMirror(
      async (bench) => {
        expect(await bench.answers.events(list())).toMatchObject({
          ok: false,
          failure: { kind: 'unsupported', field: 'timeMax' },
        });
        const few = list({ range: { startMs: START_MS, endMs: START_MS + HOUR_MS } });
        expect(failureOf(await bench.answers.events(few))).toBeUndefined();
      },
      (double) => {
        for (let count = 0; count <= 5_000; count += 1)
          double.put('ada', eventOf(`event-${count}`, count < 2 ? 0 : 2));
      },
    ));

  it('are refused where there is too much in them, and told for a shorter range', () =>
    withFilledMirror(async (bench) => {
      expect(await bench.answers.events(list())).toMatchObject({
        ok: false,
        failure: { kind: 'unsupported', field: 'timeMax' },
      });
      const few = list({ range: { startMs: START_MS, endMs: START_MS + 4 * HOUR_MS } });
      expect(valueOf(await bench.answers.events(few)).events).toHaveLength(3);
    }, putLong));

  it('wake a mirror that has slept', () =>
    withFilledMirror(async (bench, double) => {
      await bench.pass(8 * DAY_MS);
      bench.markUse();
      double.calls.length = 0;
      valueOf(await bench.answers.events(list()));
      await settle();
      expect(double.countOf('changes')).toBe(1);
      expect(bench.dueAt('sync')).toBeDefined();
    }));
});

describe('a mirror between the pages of a reading', () => {
  it('is brought up to date before its events or changes are told', () =>
    withFilledMirror(async (bench, double) => {
      bench.mirror.mix('ada');
      expect(valueOf(await bench.answers.events(list())).calendars).toEqual([{ id: 'ada', status: 'ok' }]);
      expect(double.calls).toContain('changes ada');
      double.calls.length = 0;
      bench.mirror.mix('ada');
      expect(valueOf(await bench.answers.changes(undefined)).hasMore).toBe(false);
      expect(double.calls).toContain('changes ada');
    }));
});

describe('what has changed', () => {
  const idsOf = (changes: readonly ListedChange[]) =>
    changes.map(({ change, eventId }) => `${change} ${eventId}`);

  it('is everything at first, and then what comes after', () =>
    withFilledMirror(
      async (bench, double) => {
        const first = valueOf(await bench.answers.changes(undefined));
        expect(idsOf(first.changes)).toEqual(['changed a', 'changed b']);
        expect(first).toMatchObject({
          hasMore: false,
          freshness: { source: 'mirror', asOf: told(asOf(bench)) },
        });
        expect(valueOf(await bench.answers.changes(first.cursor))).toEqual({ ...first, changes: [] });

        double.put('ada', eventOf('c', 3));
        double.put('ada', eventOf('b', 4));
        double.remove('ada', 'a');
        await bench.upkeep.bringUpToDate('background');
        const next = valueOf(await bench.answers.changes(first.cursor));
        expect(idsOf(next.changes).toSorted()).toEqual(['changed b', 'changed c', 'removed a']);
        expect(valueOf(await bench.answers.changes(next.cursor)).changes).toEqual([]);
      },
      (double) => {
        double.put('ada', eventOf('a', 1));
        double.put('ada', eventOf('b', 2));
      },
    ));

  it('of a series is told with its rule, of an occurrence with what its series says', () =>
    withFilledMirror(
      async (bench) => {
        const { changes } = valueOf(await bench.answers.changes(undefined));
        expect(changes).toMatchObject([
          { change: 'changed', eventId: 'daily', recurrence: ['RRULE:FREQ=DAILY;COUNT=3'] },
          { change: 'changed', eventId: 'moved', seriesId: 'daily', summary: 'daily' },
        ]);
      },
      (double) => {
        double.put('ada', seriesOf('daily', 1));
        const { details: _, ...moved } = eventOf('moved', 30);
        const originalStart = { kind: 'timed', startMs: START_MS + 25 * HOUR_MS } as const;
        double.put('ada', { ...moved, kind: 'occurrence', seriesId: 'daily', originalStart });
      },
    ));

  it('fills the mirror first', () =>
    withMirror(async (bench, double) => {
      double.put('ada', eventOf('a', 1));
      expect(idsOf(valueOf(await bench.answers.changes(undefined)).changes)).toEqual(['changed a']);
      expect(double.lanes[0]).toBe('interactive');
    }));

  it('fails where it cannot be filled', () =>
    withMirror(async (bench, double) => {
      double.weather = () => DOWN;
      expect(failureOf(await bench.answers.changes(undefined))).toBe('unavailable');
    }));

  it.each([
    [''],
    ['garbage'],
    ['v1'],
    ['v1.epoch'],
    ['v1.epoch.-1'],
    ['v1.epoch.1.5.9'],
    ['v1.epoch.1e3'],
    ['v2.epoch.1'],
    ['v1..1'],
    [' v1.epoch.1'],
    ['v1.epoch.1\n'],
    [`v1.epoch.${'9'.repeat(400)}`],
    [`v1.${'e'.repeat(65)}.1`],
    ["v1.' OR 1=1.1"],
  ])('since %j is a mismatch, and nobody is asked', (cursor) =>
    withMirror(async (bench, double) => {
      expect(await bench.answers.changes(cursor)).toEqual({
        ok: false,
        failure: { kind: 'mismatch', what: 'cursor' },
      });
      expect(double.calls).toEqual([]);
    }),
  );

  it('since another mirror, or a time to come, is not known', () =>
    withFilledMirror(
      async (bench) => {
        const { cursor } = valueOf(await bench.answers.changes(undefined));
        const [version, epoch, seq] = cursor.split('.');
        expect(seq).toBe('1');
        expect(failureOf(await bench.answers.changes(`${version}.another.1`))).toBe('cursor-expired');
        expect(failureOf(await bench.answers.changes(`${version}.${epoch}.2`))).toBe('cursor-expired');
        expect(failureOf(await bench.answers.changes(`${version}.${epoch}.0`))).toBeUndefined();
      },
      (double) => double.put('ada', eventOf('a', 1)),
    ));

  it('since a time of which something is forgotten is not known, and what came later is', () =>
    withFilledMirror(
      async (bench, double) => {
        const before = valueOf(await bench.answers.changes(undefined));
        double.remove('ada', 'a');
        await bench.upkeep.bringUpToDate('background');
        const after = valueOf(await bench.answers.changes(before.cursor));
        expect(idsOf(after.changes)).toEqual(['removed a']);
        double.put('ada', eventOf('c', 1));
        await bench.upkeep.bringUpToDate('background');
        bench.markUse();
        await bench.pass(31 * DAY_MS);
        await bench.upkeep.bringUpToDate('background', true);
        expect(failureOf(await bench.answers.changes(before.cursor))).toBe('cursor-expired');
        expect(idsOf(valueOf(await bench.answers.changes(after.cursor)).changes)).toEqual(['changed c']);
        const anew = valueOf(await bench.answers.changes(undefined));
        expect(idsOf(anew.changes)).toEqual(['changed b', 'changed c']);
        // Between the pages of a reading that began since then, what was forgotten is not missed.
        const [version, epoch, last] = anew.cursor.split('.');
        expect(failureOf(await bench.answers.changes(`${version}.${epoch}.0`))).toBe('cursor-expired');
        expect(failureOf(await bench.answers.changes(`${version}.${epoch}.0.${last}`))).toBeUndefined();
      },
      (double) => {
        double.put('ada', eventOf('a', 1));
        double.put('ada', eventOf('b', 2));
      },
    ));

  it('is told in smaller pages where there is much in it, everything once', () =>
    withFilledMirror(async (bench) => {
      const pages = await readAll(bench.answers);
      expect(pages.map(({ changes, hasMore }) => [changes.length, hasMore])).toEqual([
        [3, true],
        [3, true],
        [1, false],
      ]);
      const ids = pages.flatMap(({ changes }) => changes.map(({ eventId }) => eventId));
      expect(ids).toEqual([1, 2, 3, 4, 5, 6, 7].map((hour) => `event-${hour}`));
    }, putLong));

  it('is told in pages, everything once', () =>
    withFilledMirror(
      async (bench) => {
        const pages = await readAll(bench.answers);
        expect(pages.map(({ changes, hasMore }) => [changes.length, hasMore])).toEqual([
          [500, true],
          [500, true],
          [200, false],
        ]);
        const ids = pages.flatMap(({ changes }) => changes.map(({ eventId }) => eventId));
        expect(new Set(ids).size).toBe(1_200);
      },
      (double) => {
        withBob(double);
        for (let count = 0; count < 600; count += 1) {
          double.put('ada', eventOf(`a-${count}`, 1));
          double.put('bob', eventOf(`b-${count}`, 1));
        }
      },
    ));

  it('is in the end what is there, whatever happens between the pages', async () => {
    const edit = fc.record({
      id: fc.integer({ min: 0, max: 900 }),
      act: fc.constantFrom('put', 'remove'),
      hour: fc.integer({ min: 0, max: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(edit, { maxLength: 8 }), { maxLength: 6 }), (rounds) =>
        withFilledMirror(
          async (bench, double, world, state) => {
            const copy = new Map<string, string>();
            let cursor: string | undefined;
            let life = bench;
            const readOn = async () => {
              const answer = valueOf(await life.answers.changes(cursor));
              cursor = answer.cursor;
              for (const one of answer.changes) {
                if (one.change === 'removed') copy.delete(one.eventId);
                else copy.set(one.eventId, one.start);
              }
              return answer.hasMore;
            };
            for (const edits of rounds) {
              for (const { id, act, hour } of edits) {
                if (act === 'put') double.put('ada', eventOf(`event-${id}`, hour));
                else double.remove('ada', `event-${id}`);
              }
              // oxlint-disable no-await-in-loop
              await life.upkeep.bringUpToDate('background');
              await readOn();
              life = openMirror(state, world, double);
            }
            while (await readOn());
            // oxlint-enable no-await-in-loop
            const { events } = valueOf(await life.answers.events(list()));
            expect(copy).toEqual(new Map(events.map(({ eventId, start }) => [eventId, start])));
          },
          (double) => {
            for (let count = 0; count < 700; count += 1)
              double.put('ada', eventOf(`event-${count}`, count % 20));
          },
        ),
      ),
      { numRuns: 5 },
    );
  });

  it('wakes a mirror that has slept', () =>
    withFilledMirror(async (bench, double) => {
      await bench.pass(8 * DAY_MS);
      bench.markUse();
      double.calls.length = 0;
      valueOf(await bench.answers.changes(undefined));
      await settle();
      expect(double.countOf('changes')).toBe(1);
    }));
});

/** All pages, from a cursor on. */
async function readAll(answers: MirrorAnswers, from?: string): Promise<ChangesAnswer[]> {
  const page = valueOf(await answers.changes(from));
  return page.hasMore ? [page, ...(await readAll(answers, page.cursor))] : [page];
}
