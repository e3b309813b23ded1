import * as fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import {
  type AnswerOfOne,
  answerQuestion,
  type CalendarReading,
  WEEKDAYS,
  type WorkingHours,
} from '../../src/domain/availability.ts';
import { fail, ok } from '../../src/domain/failure.ts';
import type { Interval } from '../../src/domain/interval.ts';
import {
  answerMeetingTimes,
  availabilityBehind,
  chooseTimes,
  expandWorkingHours,
  listStarts,
  type MeetingTimesQuestion,
} from '../../src/domain/meeting-times.ts';
import { SEEDED } from './calendars.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The grid that the oracle walks: two days in cells of five minutes. */
const CELL_MS = 5 * MINUTE_MS;
const CELLS = (48 * HOUR_MS) / CELL_MS;

/** Days on which clocks go back or forward in some of the zones, and one on which they do not. */
const ORIGINS = ['2026-10-24T12:00Z', '2026-03-28T12:00Z', '2026-10-03T04:00Z', '2026-11-22T00:00Z'].map(
  (time) => Date.parse(time),
);
const ZONES = ['Europe/Berlin', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'America/New_York', 'UTC'];

const anyZone = fc.constantFrom(...ZONES);
const anyTime = fc
  .nat({ max: 287 })
  .map((cell) => [Math.floor(cell / 12), (cell % 12) * 5].map((n) => String(n).padStart(2, '0')).join(':'));
const anyHours: fc.Arbitrary<WorkingHours[]> = fc.array(
  fc.record({ day: fc.constantFrom(...WEEKDAYS), start: anyTime, end: anyTime, timeZone: anyZone }),
  { maxLength: 6 },
);
const anyCells: fc.Arbitrary<Interval[]> = fc.array(
  fc.record({ startMs: fc.nat(CELLS), endMs: fc.nat(CELLS) }),
  { maxLength: 4 },
);
const anyRange = fc
  .tuple(fc.nat(CELLS), fc.nat(CELLS))
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ startMs: Math.min(a, b), endMs: Math.max(a, b) }));

const wallClocks = new Map<string, { day: string; minute: number }>();

/** What a clock in `timeZone` shows: the day of the week and the minute of the day. */
function wallClock(ms: number, timeZone: string): { day: string; minute: number } {
  const key = `${ms} ${timeZone}`;
  const known = wallClocks.get(key);
  if (known !== undefined) return known;
  const local = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(timeZone);
  const clock = { day: WEEKDAYS[local.dayOfWeek - 1] ?? '', minute: local.hour * 60 + local.minute };
  wallClocks.set(key, clock);
  return clock;
}

/** The brute-force oracle of working hours: whether the clock shows a time that is in them. */
function isWorkingTime(ms: number, hours: readonly WorkingHours[]): boolean {
  return hours.some(({ day, start, end, timeZone }) => {
    const clock = wallClock(ms, timeZone);
    const [from = 0, until = 0] = [start, end].map((time) => {
      const [hour = 0, minute = 0] = time.split(':').map(Number);
      return hour * 60 + minute;
    });
    const isToday = clock.day === day;
    const isDayAfter = clock.day === WEEKDAYS[(WEEKDAYS.findIndex((one) => one === day) + 1) % 7];
    if (until >= from) return isToday && clock.minute >= from && clock.minute < until;
    return (isToday && clock.minute >= from) || (isDayAfter && clock.minute < until);
  });
}

const covers = (intervals: readonly Interval[], ms: number) =>
  intervals.some(({ startMs, endMs }) => startMs <= ms && ms < endMs);

describe('working hours', () => {
  it('cover just the time in which their own clock shows them, on any days, through changes of clocks', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ORIGINS), anyHours, anyRange, (originMs, hours, cells) => {
        const range = {
          startMs: originMs + cells.startMs * CELL_MS,
          endMs: originMs + cells.endMs * CELL_MS,
        };
        const expanded = expandWorkingHours(hours, range);
        const wrong: string[] = [];
        for (let ms = originMs; ms < originMs + CELLS * CELL_MS; ms += CELL_MS) {
          const isExpected = ms >= range.startMs && ms < range.endMs && isWorkingTime(ms, hours);
          if (covers(expanded, ms) !== isExpected) wrong.push(new Date(ms).toISOString());
        }
        expect(wrong).toEqual([]);
      }),
      SEEDED,
    );
  });

  it('lose the hour that clocks skip, and count the one that is passed twice', () => {
    const hours = [{ day: 'sunday', start: '01:30', end: '03:30', timeZone: 'Europe/Berlin' }] as const;
    const spring = { startMs: Date.UTC(2026, 2, 29), endMs: Date.UTC(2026, 2, 29, 12) };
    expect(expandWorkingHours(hours, spring)).toEqual([
      { startMs: Date.UTC(2026, 2, 29, 0, 30), endMs: Date.UTC(2026, 2, 29, 1, 30) },
    ]);
    const autumn = { startMs: Date.UTC(2026, 9, 24, 20), endMs: Date.UTC(2026, 9, 25, 12) };
    expect(expandWorkingHours(hours, autumn)).toEqual([
      { startMs: Date.UTC(2026, 9, 24, 23, 30), endMs: Date.UTC(2026, 9, 25, 2, 30) },
    ]);
  });

  it('that fill their days make one stretch of them', () => {
    const week = { startMs: Date.UTC(2026, 10, 23), endMs: Date.UTC(2026, 10, 30) };
    const hours = WEEKDAYS.map((day) => ({ day, start: '00:00', end: '24:00', timeZone: 'Asia/Tokyo' }));
    expect(expandWorkingHours(hours, week)).toEqual([week]);
  });
});

describe('the times at which a meeting could begin', () => {
  it('are just those on the grid of the local clock that keep to everything, on any calendars', () => {
    const anyDuration = fc.constantFrom(5, 15, 25, 30, 45, 60, 180).map((minutes) => minutes * MINUTE_MS);
    const anyPeople = fc.array(anyHours, { maxLength: 2 });
    fc.assert(
      fc.property(
        fc.constantFrom(...ORIGINS),
        anyZone,
        anyDuration,
        anyRange,
        anyCells,
        anyPeople,
        (originMs, timeZone, durationMs, cells, busyCells, hours) => {
          const place = ({ startMs, endMs }: Interval): Interval => ({
            startMs: originMs + startMs * CELL_MS,
            endMs: originMs + endMs * CELL_MS,
          });
          const [range, busy] = [place(cells), busyCells.map(place)];
          const isFree = (ms: number) =>
            covers([range], ms) && !covers(busy, ms) && hours.every((ofOne) => isWorkingTime(ms, ofOne));
          const gridMinutes = durationMs < 30 * MINUTE_MS ? 15 : 30;
          const expected: number[] = [];
          for (let ms = range.startMs; ms < range.endMs; ms += CELL_MS) {
            if (wallClock(ms, timeZone).minute % gridMinutes !== 0) continue;
            const meeting = Array.from({ length: durationMs / CELL_MS }, (_, cell) => ms + cell * CELL_MS);
            if (meeting.every(isFree)) expected.push(ms);
          }
          const starts = listStarts({ range, timeZone, durationMs, busy, hours });
          expect(starts.map(({ startMs }) => startMs)).toEqual(expected);
        },
      ),
      SEEDED,
    );
  });

  it('know their day in the asked zone', () => {
    const range = { startMs: Date.UTC(2026, 10, 23, 22), endMs: Date.UTC(2026, 10, 24) };
    const constraints = { range, durationMs: HOUR_MS, busy: [], hours: [] };
    const daysIn = (timeZone: string) =>
      new Set(listStarts({ ...constraints, timeZone }).map(({ day }) => day)).size;
    expect([daysIn('UTC'), daysIn('Europe/Berlin')]).toEqual([1, 2]);
  });
});

describe('the choice among them', () => {
  const anyStarts = fc
    .uniqueArray(fc.nat(200), { maxLength: 60 })
    .map((slots) => slots.toSorted((a, b) => a - b))
    .map((slots) => slots.map((slot) => ({ startMs: slot * 30, day: Math.floor(slot / 48) })));

  it('is in order, overlaps nowhere, keeps to its limit, and begins with the soonest', () => {
    fc.assert(
      fc.property(
        anyStarts,
        fc.constantFrom(20, 30, 60, 90),
        fc.integer({ min: 1, max: 12 }),
        (starts, durationMs, limit) => {
          const chosen = chooseTimes(starts, durationMs, limit);
          expect(chosen.length).toBeLessThanOrEqual(limit);
          expect(chosen[0]?.startMs).toBe(starts[0]?.startMs);
          for (const [place, { startMs, endMs }] of chosen.entries()) {
            expect(endMs - startMs).toBe(durationMs);
            expect(starts.some((start) => start.startMs === startMs)).toBe(true);
            expect(startMs).toBeGreaterThanOrEqual(chosen[place - 1]?.endMs ?? 0);
          }
        },
      ),
      SEEDED,
    );
  });

  it('gives each day its first before any its second', () => {
    const dayOf = (startMs: number) => Math.floor(startMs / (48 * 30));
    fc.assert(
      fc.property(anyStarts, fc.integer({ min: 1, max: 12 }), (starts, limit) => {
        const countByDay = (times: readonly Interval[]) =>
          Map.groupBy(times, ({ startMs }) => dayOf(startMs));
        const [all, chosen] = [
          countByDay(chooseTimes(starts, 30, Infinity)),
          countByDay(chooseTimes(starts, 30, limit)),
        ];
        const most = Math.max(0, ...Array.from(chosen.values(), ({ length }) => length));
        for (const [day, { length }] of all)
          expect(chosen.get(day)?.length ?? 0).toBeGreaterThanOrEqual(Math.min(length, most - 1));
      }),
      SEEDED,
    );
  });
});

const DAY = { startMs: Date.UTC(2026, 10, 23), endMs: Date.UTC(2026, 10, 24) };
const QUESTION: MeetingTimesQuestion = { range: DAY, timeZone: 'UTC', durationMs: HOUR_MS, limit: 100 };
const BEFORE = { startedAtMs: DAY.startMs - HOUR_MS, nowMs: DAY.startMs - HOUR_MS };
const at = (hour: number, length = 1): Interval => ({
  startMs: DAY.startMs + hour * HOUR_MS,
  endMs: DAY.startMs + (hour + length) * HOUR_MS,
});
const mondays = (start: string, end: string, timeZone = 'UTC'): WorkingHours[] => [
  { day: 'monday', start, end, timeZone },
];

/** What a connector answered whose calendars hold `busy`. */
function answerOf(connectorId: string, busy: Interval[], workingHours?: WorkingHours[]): AnswerOfOne {
  const calendars: CalendarReading[] = [{ id: `calendar of ${connectorId}`, busy: ok(busy) }];
  const report = { calendars, ...(workingHours !== undefined && { workingHours }) };
  return { connectorId, answer: answerQuestion(availabilityBehind(QUESTION), report, BEFORE.startedAtMs) };
}
const startsOf = ({ suggestions }: ReturnType<typeof answerMeetingTimes>) =>
  suggestions.map(({ start }) => start.slice(11, 16));

describe('the answer', () => {
  it('is free for everybody, within the hours of everybody whose hours are known', () => {
    const answers = [
      answerOf('a', [at(10)], mondays('09:00', '17:00')),
      answerOf('b', [at(13, 2)], mondays('05:00', '11:00', 'America/New_York')),
      answerOf('c', [at(11.5, 0.25)]),
    ];
    const answer = answerMeetingTimes(QUESTION, answers, BEFORE);
    expect(answer).toEqual({
      suggestions: [
        { start: '2026-11-23T12:00:00+00:00', end: '2026-11-23T13:00:00+00:00' },
        { start: '2026-11-23T15:00:00+00:00', end: '2026-11-23T16:00:00+00:00' },
      ],
      timeZone: 'UTC',
      workingHours: [
        { connectorId: 'a', ...mondays('09:00', '17:00')[0] },
        { connectorId: 'b', ...mondays('05:00', '11:00', 'America/New_York')[0] },
      ],
      calendars: ['a', 'b', 'c'].map((id) => ({ connectorId: id, id: `calendar of ${id}`, status: 'ok' })),
      source: 'computed',
      freshness: { source: 'live', asOf: '2026-11-22T23:00:00+00:00' },
    });
  });

  it('counts the whole range, and names no hours, when nobody has any or they are ignored', () => {
    const free = answerMeetingTimes(QUESTION, [answerOf('a', [])], BEFORE);
    const ignored = answerMeetingTimes(
      { ...QUESTION, workingHours: 'ignore' },
      [answerOf('a', [], mondays('09:00', '10:00'))],
      BEFORE,
    );
    for (const answer of [free, ignored]) {
      expect(answer.suggestions).toHaveLength(24);
      expect(answer).not.toHaveProperty('workingHours');
    }
  });

  it('is bound by the hours that are given in place of those that are known', () => {
    const workingHours = mondays('20:00', '22:00');
    const answer = answerMeetingTimes(
      { ...QUESTION, workingHours },
      [answerOf('a', [], mondays('09:00', '10:00'))],
      BEFORE,
    );
    expect(startsOf(answer)).toEqual(['20:00', '21:00']);
    expect(answer.workingHours).toEqual(workingHours);
  });

  it('suggests nothing that has begun', () => {
    const nowMs = DAY.startMs + 21.25 * HOUR_MS;
    const answer = (now: number) =>
      startsOf(answerMeetingTimes(QUESTION, [answerOf('a', [])], { ...BEFORE, nowMs: now }));
    expect(answer(nowMs)).toEqual(['21:30', '22:30']);
    expect(answer(DAY.endMs + 1)).toEqual([]);
  });

  it('suggests nothing when a calendar cannot be read, or none was: unknown is never free', () => {
    const report = { calendars: [{ id: 'dark', busy: fail({ kind: 'unavailable', ambiguous: false }) }] };
    const dark = { connectorId: 'b', answer: answerQuestion(availabilityBehind(QUESTION), report, 0) };
    const gone = { connectorId: 'b', error: { code: 'reauth_required', message: 'gone' } } as const;
    for (const unknown of [dark, gone]) {
      const answer = answerMeetingTimes(QUESTION, [answerOf('a', []), unknown], {
        ...BEFORE,
        suggested: [at(9)],
      });
      expect(answer).toMatchObject({
        suggestions: [],
        source: 'computed',
        calendars: [{ status: 'ok' }, { connectorId: 'b', status: 'unavailable' }],
      });
    }
    const nothing = {
      connectorId: 'a',
      answer: answerQuestion(availabilityBehind(QUESTION), { calendars: [] }, 0),
    };
    expect(answerMeetingTimes(QUESTION, [nothing], BEFORE).suggestions).toEqual([]);
  });

  it("is the provider's choice as far as it keeps to the same terms, soonest first", () => {
    const answers = [answerOf('a', [at(10)], mondays('09:00', '17:00'))];
    const suggested = [at(15), at(8), at(9.75), at(10), at(9), at(30), at(11.2), at(15.5)];
    const answer = answerMeetingTimes(QUESTION, answers, { ...BEFORE, suggested });
    expect(answer.source).toBe('provider');
    expect(startsOf(answer)).toEqual(['09:00', '15:00']);
  });

  it("is computed when nothing of the provider's choice can be kept", () => {
    const answers = [answerOf('a', [at(10)], mondays('09:00', '12:00'))];
    for (const suggested of [[], [at(10), at(9.1)]]) {
      const answer = answerMeetingTimes(QUESTION, answers, { ...BEFORE, suggested });
      expect(answer.source).toBe('computed');
      expect(startsOf(answer)).toEqual(['09:00', '11:00']);
    }
  });

  it('is written with the offset that the asked zone has then, both passes of an hour told apart', () => {
    const night = { startMs: Date.UTC(2026, 9, 25, 0), endMs: Date.UTC(2026, 9, 25, 3) };
    const question = { ...QUESTION, range: night, timeZone: 'Europe/Berlin' };
    const answer = answerMeetingTimes(question, [answerOf('a', [])], { startedAtMs: 0, nowMs: 0 });
    expect(answer.suggestions).toEqual([
      { start: '2026-10-25T02:00:00+02:00', end: '2026-10-25T02:00:00+01:00' },
      { start: '2026-10-25T02:00:00+01:00', end: '2026-10-25T03:00:00+01:00' },
      { start: '2026-10-25T03:00:00+01:00', end: '2026-10-25T04:00:00+01:00' },
    ]);
  });
});
