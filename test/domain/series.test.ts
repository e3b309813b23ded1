import * as fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import type { EventTime } from '../../src/domain/event.ts';
import { expandSeries, spanOf } from '../../src/domain/series.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata'] as const;
const DAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'] as const;

function timed(local: string, timeZone: string, minutes = 60): Extract<EventTime, { kind: 'timed' }> {
  const startMs = Temporal.PlainDateTime.from(local).toZonedDateTime(timeZone).epochMilliseconds;
  return { kind: 'timed', startMs, endMs: startMs + minutes * 60_000, timeZone };
}

const ms = (text: string) => Date.parse(text);
const week = { startMs: ms('2026-11-23T00:00Z'), endMs: ms('2026-11-30T00:00Z') };
const startsOf = (time: EventTime, recurrence: string[], range = week) =>
  expandSeries({ time, recurrence }, range)?.map(({ span }) => new Date(span.startMs).toISOString());

describe('a series', () => {
  it('keeps its local time when the clocks change', () => {
    const range = { startMs: ms('2026-10-23T00:00Z'), endMs: ms('2026-10-28T00:00Z') };
    expect(startsOf(timed('2026-10-01T09:00', 'Europe/Berlin'), ['RRULE:FREQ=DAILY'], range)).toEqual([
      '2026-10-23T07:00:00.000Z',
      '2026-10-24T07:00:00.000Z',
      '2026-10-25T08:00:00.000Z',
      '2026-10-26T08:00:00.000Z',
      '2026-10-27T08:00:00.000Z',
    ]);
  });

  it('leaves out what EXDATE names, in its own zone, in UTC or by its date, and adds what RDATE names', () => {
    const time = timed('2026-11-23T09:00', 'Europe/Berlin');
    const lines = [
      'RRULE:FREQ=DAILY;COUNT=6',
      'EXDATE;TZID=Europe/Berlin:20261124T090000',
      'EXDATE:20261125T080000Z',
      'EXDATE;VALUE=DATE:20261126',
      'RDATE;TZID=Europe/Berlin:20261129T120000',
    ];
    expect(startsOf(time, lines)).toEqual([
      '2026-11-23T08:00:00.000Z',
      '2026-11-27T08:00:00.000Z',
      '2026-11-28T08:00:00.000Z',
      '2026-11-29T11:00:00.000Z',
    ]);
  });

  it('counts its own start, though the rule leaves it out', () => {
    const time = timed('2026-11-24T09:00', 'UTC');
    expect(startsOf(time, ['RRULE:FREQ=WEEKLY;BYDAY=MO,WE'])).toEqual([
      '2026-11-24T09:00:00.000Z',
      '2026-11-25T09:00:00.000Z',
    ]);
  });

  it('of whole days blocks them from midnight to midnight of its zone', () => {
    const time = {
      kind: 'all-day',
      startDate: '2026-11-20',
      endDate: '2026-11-22',
      timeZone: 'Europe/Berlin',
    } as const;
    const found = expandSeries(
      { time, recurrence: ['RRULE:FREQ=WEEKLY', 'EXDATE;VALUE=DATE:20261204'] },
      {
        startMs: week.startMs,
        endMs: week.endMs + 7 * DAY_MS,
      },
    );
    expect(found?.map(({ key, span }) => [key, (span.endMs - span.startMs) / HOUR_MS])).toEqual([
      ['2026-11-27', 48],
    ]);
  });

  it('of which a line cannot be read is not known at all', () => {
    const time = timed('2026-11-23T09:00', 'UTC');
    for (const line of ['RRULE:FREQ=SOMETIMES', 'EXDATE:yesterday', 'RDATE;TZID=Mars/Base:20261124T090000'])
      expect(startsOf(time, ['RRULE:FREQ=DAILY', line])).toBe(undefined);
  });

  it('finds an occurrence that began before the range and reaches into it', () => {
    const time = timed('2026-11-22T20:00', 'UTC', 8 * 60);
    expect(startsOf(time, ['RRULE:FREQ=DAILY;COUNT=1'])).toEqual(['2026-11-22T20:00:00.000Z']);
  });

  it('is, day for day, what counting on the calendar makes it', () => {
    const rule = fc.record({
      frequency: fc.constantFrom('DAILY', 'WEEKLY'),
      interval: fc.integer({ min: 1, max: 4 }),
      days: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { maxLength: 4 }),
      end: fc.oneof(
        fc.constant({}),
        fc.record({ count: fc.integer({ min: 1, max: 40 }) }),
        fc.record({ untilDay: fc.integer({ min: 0, max: 200 }) }),
      ),
      zone: fc.constantFrom(...ZONES),
      startDay: fc.integer({ min: 0, max: 300 }),
      hour: fc.integer({ min: 4, max: 22 }),
      fromDay: fc.integer({ min: -20, max: 400 }),
      lengthDays: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(rule, ({ frequency, interval, days, end, zone, startDay, hour, fromDay, lengthDays }) => {
        const first = Temporal.PlainDate.from('2026-01-01').add({ days: startDay });
        const clock = Temporal.PlainTime.from({ hour });
        const at = (date: Temporal.PlainDate) =>
          date.toZonedDateTime({ timeZone: zone, plainTime: clock }).epochMilliseconds;
        const time: EventTime = {
          kind: 'timed',
          startMs: at(first),
          endMs: at(first) + HOUR_MS,
          timeZone: zone,
        };
        // The rules of a series begin on a day that they name.
        const named = new Set([...days, first.dayOfWeek - 1]);
        const isWeekly = frequency === 'WEEKLY';
        const until = 'untilDay' in end ? first.add({ days: end.untilDay ?? 0 }) : undefined;
        const untilText =
          until === undefined ? '' : `;UNTIL=${new Date(at(until)).toISOString().replace(/[-:]|\.\d+/g, '')}`;
        const line = [
          `RRULE:FREQ=${frequency};INTERVAL=${interval}`,
          isWeekly ? `;BYDAY=${[...named].map((day) => DAYS[day]).join()}` : '',
          'count' in end ? `;COUNT=${end.count}` : '',
          untilText,
        ].join('');
        const range = {
          startMs: ms('2026-01-01T00:00Z') + fromDay * DAY_MS,
          endMs: ms('2026-01-01T00:00Z') + (fromDay + lengthDays) * DAY_MS,
        };

        const expected: number[] = [];
        const monday = first.subtract({ days: first.dayOfWeek - 1 });
        let counted = 0;
        for (let day = 0; day < 900; day += 1) {
          const date = first.add({ days: day });
          const fits = isWeekly
            ? named.has(date.dayOfWeek - 1) && Math.floor(monday.until(date).days / 7) % interval === 0
            : day % interval === 0;
          if (!fits) continue;
          counted += 1;
          if ('count' in end && counted > (end.count ?? 0)) break;
          if (until !== undefined && Temporal.PlainDate.compare(date, until) > 0) break;
          const startMs = at(date);
          if (startMs < range.endMs && startMs + HOUR_MS > range.startMs) expected.push(startMs);
        }
        const found = expandSeries({ time, recurrence: [line] }, range);
        expect(found?.map(({ time: told }) => spanOf(told).startMs)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });
});
