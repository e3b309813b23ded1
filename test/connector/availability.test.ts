import { describe, expect, it } from 'vitest';
import { Availability } from '../../src/connector/availability.ts';
import { LiveBusy } from '../../src/connector/live-busy.ts';
import type { AvailabilityQuestion, CalendarReading } from '../../src/domain/availability.ts';
import { fail, ok, type Outcome } from '../../src/domain/failure.ts';
import type { Interval } from '../../src/domain/interval.ts';
import { openAccount, withParts } from './bench.ts';
import { DARK, grantOf, START_MS, type World } from './world.ts';

const QUESTION: AvailabilityQuestion = {
  range: { startMs: START_MS, endMs: START_MS + 8 * 60 * 60 * 1000 },
  timeZone: 'UTC',
};
const THROTTLED = fail({ kind: 'throttled', scope: 'user', retryAtMs: START_MS + 60_000 });

/** Busy from `hour` hours after the start, for an hour. */
function busyAt(hour: number): Outcome<Interval[]> {
  const startMs = START_MS + hour * 60 * 60 * 1000;
  return ok([{ startMs, endMs: startMs + 60 * 60 * 1000 }]);
}

/** With an account whose calendars answer what `readings` says by then; `asked` lists what was asked for. */
function withAvailability(
  body: (
    availability: Availability,
    readings: Map<string, CalendarReading['busy']>,
    asked: (string[] | undefined)[],
    world: World,
  ) => Promise<void>,
) {
  return withParts(async ({ tokens, store }, world) => {
    const { clock, script, provider } = world;
    await tokens.adopt(grantOf(1));
    const account = openAccount({ tokens, store }, world);
    const readings = new Map<string, CalendarReading['busy']>();
    const asked: (string[] | undefined)[] = [];
    script.readBusy = ({ calendars }) => {
      asked.push(calendars);
      const ids = calendars ?? [...readings.keys()];
      return Promise.resolve(ok({ calendars: ids.map((id) => ({ id, busy: readings.get(id) ?? DARK })) }));
    };
    await body(
      new Availability({
        live: new LiveBusy({ account, provider, isCurrent: () => true, now: clock.now }),
        held: () => [],
        now: clock.now,
      }),
      readings,
      asked,
      world,
    );
  });
}

describe('the answer for a caller who waits', () => {
  it('names the calendars that could not be read', () =>
    withAvailability(async (availability, readings) => {
      readings.set('a', busyAt(1)).set('b', DARK);
      expect(await availability.answer(QUESTION)).toMatchObject({
        ok: true,
        value: {
          busy: [{ start: '2026-11-23T09:00:00+00:00', end: '2026-11-23T10:00:00+00:00' }],
          calendars: [
            { id: 'a', status: 'ok' },
            { id: 'b', status: 'unavailable', error: { code: 'provider_unavailable' } },
          ],
          freshness: { source: 'live', asOf: '2026-11-23T08:00:00+00:00' },
        },
      });
    }));

  it('is a failure when nothing could be read', () =>
    withAvailability(async (availability, _readings, _asked, { script }) => {
      script.readBusy = () => Promise.resolve(THROTTLED);
      expect(await availability.answer(QUESTION)).toEqual(THROTTLED);
    }));
});

describe('the answer for a task', () => {
  it('is retried while a calendar is missing, and asks only for the missing ones', () =>
    withAvailability(async (availability, readings, asked) => {
      readings.set('a', busyAt(1)).set('b', THROTTLED).set('c', DARK).set('d', busyAt(4));
      expect(await availability.answerTask('t1', QUESTION, 1)).toEqual(THROTTLED);
      readings.set('b', busyAt(2));
      expect(await availability.answerTask('t1', QUESTION, 2)).toEqual(DARK);
      readings.set('c', busyAt(3));
      expect(await availability.answerTask('t1', QUESTION, 3)).toMatchObject({
        ok: true,
        value: {
          busy: [{ start: '2026-11-23T09:00:00+00:00', end: '2026-11-23T13:00:00+00:00' }],
          calendars: ['a', 'b', 'c', 'd'].map((id) => ({ id, status: 'ok' })),
        },
      });
      expect(asked).toEqual([undefined, ['b', 'c'], ['c']]);
    }));

  it('is given after three runs, the missing calendars named as unavailable', () =>
    withAvailability(async (availability, readings) => {
      readings.set('a', busyAt(1)).set('b', DARK);
      expect(await availability.answerTask('t1', QUESTION, 1)).toEqual(DARK);
      expect(await availability.answerTask('t1', QUESTION, 2)).toEqual(DARK);
      expect(await availability.answerTask('t1', QUESTION, 3)).toMatchObject({
        ok: true,
        value: {
          calendars: [
            { id: 'a', status: 'ok' },
            { id: 'b', status: 'unavailable' },
          ],
        },
      });
    }));

  it('does not wait for a calendar that asking again would not bring', () =>
    withAvailability(async (availability, readings) => {
      readings.set('a', busyAt(1)).set('b', fail({ kind: 'not-found', what: 'calendar b' }));
      expect(await availability.answerTask('t1', QUESTION, 1)).toMatchObject({
        value: { calendars: [{ id: 'a' }, { id: 'b', error: { code: 'not_found' } }] },
      });
    }));

  it('says how old its oldest part is', () =>
    withAvailability(async (availability, readings, _asked, { clock }) => {
      readings.set('a', busyAt(1)).set('b', DARK);
      await availability.answerTask('t1', QUESTION, 1);
      await clock.advance(240_000);
      readings.set('b', busyAt(2));
      expect(await availability.answerTask('t1', QUESTION, 2)).toMatchObject({
        value: { freshness: { asOf: '2026-11-23T08:00:00+00:00' } },
      });
    }));

  it('is given in the third run, though that one fails as a whole', () =>
    withAvailability(async (availability, readings, _asked, { script }) => {
      readings.set('a', busyAt(1)).set('b', DARK);
      await availability.answerTask('t1', QUESTION, 1);
      script.readBusy = () => Promise.resolve(DARK);
      expect(await availability.answerTask('t1', QUESTION, 2)).toEqual(DARK);
      expect(await availability.answerTask('t1', QUESTION, 3)).toMatchObject({
        value: {
          calendars: [
            { id: 'a', status: 'ok' },
            { id: 'b', status: 'unavailable' },
          ],
        },
      });
    }));

  it('is as old as the moment before the first call', () =>
    withAvailability(async (availability, readings, _asked, { script, clock }) => {
      readings.set('a', busyAt(1));
      const { readBusy } = script;
      script.readBusy = async (question, access) => {
        await clock.advance(60_000);
        return await readBusy(question, access);
      };
      const fresh = { value: { freshness: { asOf: '2026-11-23T08:00:00+00:00' } } };
      expect(await availability.answer(QUESTION)).toMatchObject(fresh);
    }));

  it('asks for everything anew when what it has learnt is older than five minutes', () =>
    withAvailability(async (availability, readings, asked, { clock }) => {
      readings.set('a', busyAt(1)).set('b', DARK);
      await availability.answerTask('t1', QUESTION, 1);
      await clock.advance(300_000);
      await availability.answerTask('t1', QUESTION, 2);
      expect(asked).toEqual([undefined, undefined]);
    }));

  it('keeps what it has learnt when a run fails as a whole, and shares none of it with another task', () =>
    withAvailability(async (availability, readings, asked, { script }) => {
      const { readBusy } = script;
      readings.set('a', busyAt(1)).set('b', DARK);
      await availability.answerTask('t1', QUESTION, 1);
      script.readBusy = () => Promise.resolve(DARK);
      expect(await availability.answerTask('t1', QUESTION, 2)).toEqual(DARK);
      script.readBusy = readBusy;
      await availability.answerTask('t2', QUESTION, 1);
      await availability.answerTask('t1', QUESTION, 3);
      availability.forget('t1');
      await availability.answerTask('t1', QUESTION, 3);
      expect(asked).toEqual([undefined, undefined, ['b'], undefined]);
    }));
});
