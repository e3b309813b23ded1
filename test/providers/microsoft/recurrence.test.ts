import type { PatternedRecurrence } from '@microsoft/microsoft-graph-types';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventTime } from '../../../src/domain/event.ts';
import { toPatternedRecurrence } from '../../../src/providers/microsoft/recurrence.ts';

const BERLIN = 'W. Europe Standard Time';
const allDay = (startDate: string): EventTime => ({
  kind: 'all-day',
  startDate,
  endDate: startDate,
  timeZone: 'Europe/Berlin',
});
const timed = (start: string, timeZone = 'Europe/Berlin'): EventTime => {
  const startMs = Date.parse(start);
  return { kind: 'timed', startMs, endMs: startMs + 3_600_000, timeZone };
};

function recurrenceOf(rule: string, time: EventTime): PatternedRecurrence {
  const outcome = toPatternedRecurrence([`RRULE:${rule}`], time, BERLIN);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.failure));
  return outcome.value;
}
const patternOf = (rule: string, date: string) => recurrenceOf(rule, allDay(date)).pattern;
const rangeOf = (rule: string, time: EventTime) => recurrenceOf(rule, time).range;

function refusal(lines: string[], date = '2026-11-23'): string {
  const outcome = toPatternedRecurrence(lines, allDay(date), BERLIN);
  if (outcome.ok || outcome.failure.kind !== 'unsupported') return JSON.stringify(outcome);
  return `${outcome.failure.field}: ${outcome.failure.detail}`;
}

describe('a rule in Graph’s terms', () => {
  it('is daily, or weekly on its days with its own beginning of the week', () => {
    expect(patternOf('FREQ=DAILY;INTERVAL=3', '2026-11-23')).toEqual({ type: 'daily', interval: 3 });
    expect(patternOf('FREQ=WEEKLY', '2026-11-23')).toEqual({
      type: 'weekly',
      interval: 1,
      daysOfWeek: ['monday'],
      firstDayOfWeek: 'monday',
    });
    expect(patternOf('freq=weekly;interval=2;byday=FR,MO,MO;wkst=SU', '2026-11-23')).toEqual({
      type: 'weekly',
      interval: 2,
      daysOfWeek: ['monday', 'friday'],
      firstDayOfWeek: 'sunday',
    });
  });

  it('is daily on some days of the week as a weekly one', () => {
    expect(patternOf('FREQ=DAILY;BYDAY=MO,TU', '2026-11-23')).toMatchObject({
      type: 'weekly',
      interval: 1,
      daysOfWeek: ['monday', 'tuesday'],
    });
  });

  it('is monthly or yearly on a date', () => {
    const monthly = { type: 'absoluteMonthly', interval: 2, dayOfMonth: 23 };
    expect(patternOf('FREQ=MONTHLY;INTERVAL=2', '2026-11-23')).toEqual(monthly);
    expect(patternOf('FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=23', '2026-11-23')).toEqual(monthly);
    const yearly = { type: 'absoluteYearly', interval: 1, dayOfMonth: 23, month: 11 };
    expect(patternOf('FREQ=YEARLY', '2026-11-23')).toEqual(yearly);
    expect(patternOf('FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=23', '2026-11-23')).toEqual(yearly);
  });

  it('is monthly or yearly on a numbered day, or on the last', () => {
    const fourth = { daysOfWeek: ['monday'], index: 'fourth' };
    expect(patternOf('FREQ=MONTHLY;BYDAY=4MO', '2026-11-23')).toEqual({
      type: 'relativeMonthly',
      interval: 1,
      ...fourth,
    });
    expect(patternOf('FREQ=MONTHLY;BYDAY=MO;BYSETPOS=4', '2026-11-23')).toMatchObject(fourth);
    expect(patternOf('FREQ=YEARLY;BYMONTH=11;BYDAY=-1MO', '2026-11-30')).toEqual({
      type: 'relativeYearly',
      interval: 1,
      daysOfWeek: ['monday'],
      index: 'last',
      month: 11,
    });
    expect(patternOf('FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1', '2026-11-30')).toMatchObject({
      daysOfWeek: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'],
      index: 'last',
    });
    for (const rule of ['FREQ=MONTHLY;BYMONTHDAY=-1', 'FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=-1']) {
      const last = patternOf(rule, '2026-11-30');
      expect(last).toMatchObject({ index: 'last' });
      expect(last?.daysOfWeek).toHaveLength(7);
    }
  });

  it('has a late day of the month only where no month is too short for it', () => {
    expect(patternOf('FREQ=MONTHLY;INTERVAL=12', '2026-01-31')).toMatchObject({ dayOfMonth: 31 });
    expect(patternOf('FREQ=YEARLY', '2026-12-31')).toMatchObject({ dayOfMonth: 31 });
    expect(refusal(['RRULE:FREQ=MONTHLY'], '2026-01-29')).toContain('BYMONTHDAY=29');
    expect(refusal(['RRULE:FREQ=YEARLY'], '2028-02-29')).toContain('BYMONTHDAY=29');
  });

  it('runs from the first day in its zone, on and on, for a number of times, or until a date', () => {
    const late = timed('2026-11-23T23:30:00Z');
    const begin = { startDate: '2026-11-24', recurrenceTimeZone: BERLIN };
    expect(rangeOf('FREQ=DAILY', late)).toEqual({ ...begin, type: 'noEnd' });
    expect(rangeOf('FREQ=DAILY;COUNT=7', late)).toEqual({
      ...begin,
      type: 'numbered',
      numberOfOccurrences: 7,
    });
    expect(rangeOf('FREQ=DAILY;UNTIL=20261201', late)).toEqual({
      ...begin,
      type: 'endDate',
      endDate: '2026-12-01',
    });
  });

  it('ends with the last occurrence that begins by UNTIL, told in its own zone', () => {
    const nine = timed('2026-11-23T09:00:00+01:00');
    const endOf = (until: string, time = nine) => rangeOf(`FREQ=DAILY;UNTIL=${until}`, time)?.endDate;
    expect(endOf('20261201T080000Z')).toBe('2026-12-01');
    expect(endOf('20261201T075959Z')).toBe('2026-11-30');
    expect(endOf('20261201T233000Z')).toBe('2026-12-01');
    expect(endOf('20261201T090000')).toBe('2026-12-01');
    expect(endOf('20261201T085959')).toBe('2026-11-30');
    // In summer nine o'clock is at seven.
    expect(endOf('20270701T070000Z')).toBe('2027-07-01');
    expect(endOf('20270701T065959Z')).toBe('2027-06-30');
    expect(endOf('20261201T050000Z', timed('2026-11-23T20:00:00-08:00', 'America/Los_Angeles'))).toBe(
      '2026-11-30',
    );
    expect(endOf('20261201T000000Z', allDay('2026-11-23'))).toBe('2026-12-01');
  });
});

describe('a rule that Graph cannot tell', () => {
  it('is refused by the name of the part', () => {
    for (const [rule, part] of [
      ['FREQ=HOURLY', 'FREQ=HOURLY'],
      ['FREQ=MINUTELY', 'FREQ=MINUTELY'],
      ['FREQ=SECONDLY', 'FREQ=SECONDLY'],
      ['INTERVAL=2', 'FREQ'],
      ['FREQ=DAILY;BYHOUR=9', 'BYHOUR'],
      ['FREQ=YEARLY;BYYEARDAY=100', 'BYYEARDAY'],
      ['FREQ=YEARLY;BYWEEKNO=20', 'BYWEEKNO'],
      ['RSCALE=CHINESE;FREQ=YEARLY', 'RSCALE'],
      ['FREQ=DAILY;BYMONTH=11', 'BYMONTH in a DAILY'],
      ['FREQ=WEEKLY;BYMONTH=11', 'BYMONTH in a WEEKLY'],
      ['FREQ=MONTHLY;BYMONTH=11', 'BYMONTH in a MONTHLY'],
      ['FREQ=DAILY;BYMONTHDAY=23', 'BYMONTHDAY in a DAILY'],
      ['FREQ=DAILY;INTERVAL=2;BYDAY=MO', 'BYDAY in a DAILY'],
      ['FREQ=WEEKLY;BYDAY=1MO', 'numbered days'],
      ['FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=1', 'BYSETPOS'],
      ['FREQ=MONTHLY;BYMONTHDAY=1,23', 'several values of BYMONTHDAY'],
      ['FREQ=MONTHLY;BYMONTHDAY=-8', 'BYMONTHDAY=-8'],
      ['FREQ=MONTHLY;BYMONTHDAY=23;BYSETPOS=1', 'BYSETPOS without BYDAY'],
      ['FREQ=MONTHLY;BYMONTHDAY=23;BYDAY=MO', 'BYDAY together with BYMONTHDAY'],
      ['FREQ=MONTHLY;BYDAY=MO', 'BYDAY without a number'],
      ['FREQ=MONTHLY;BYDAY=2MO,4MO', 'several numbered days'],
      ['FREQ=MONTHLY;BYDAY=4MO;BYSETPOS=1', 'BYSETPOS together'],
      ['FREQ=MONTHLY;BYDAY=MO,WE;BYSETPOS=7', 'BYSETPOS of days'],
      ['FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1,4', 'several values of BYSETPOS'],
      ['FREQ=MONTHLY;BYDAY=-2MO', 'BYDAY number -2'],
      ['FREQ=MONTHLY;BYDAY=5MO', 'BYDAY number 5'],
      ['FREQ=YEARLY;BYMONTH=5,11', 'several values of BYMONTH'],
      ['FREQ=YEARLY;BYDAY=47MO', 'without BYMONTH'],
      ['FREQ=YEARLY;BYMONTHDAY=23', 'without BYMONTH'],
    ] as const) {
      const said = refusal([`RRULE:${rule}`]);
      expect(said, rule).toContain(part);
      expect(said).toMatch(/^recurrence: /);
    }
  });

  it('has exceptions from the beginning', () => {
    expect(refusal(['RRULE:FREQ=DAILY', 'EXDATE;VALUE=DATE:20261125'])).toContain('EXDATE');
    expect(refusal(['EXDATE:20261125', 'RRULE:FREQ=DAILY'])).toContain('EXDATE');
  });

  it('does not begin on a day of its own', () => {
    for (const rule of [
      'FREQ=WEEKLY;BYDAY=TU',
      'FREQ=MONTHLY;BYMONTHDAY=24',
      'FREQ=MONTHLY;BYDAY=3MO',
      'FREQ=YEARLY;BYMONTH=12',
      'FREQ=MONTHLY;BYMONTHDAY=-1',
    ]) {
      expect(refusal([`RRULE:${rule}`]), rule).toContain('must start on a day of its own');
    }
    expect(refusal(['RRULE:FREQ=DAILY;UNTIL=20261122'])).toContain('UNTIL is before the start');
  });

  it('is no rule at all', () => {
    for (const rule of [
      '',
      'FREQ',
      'FREQ=DAILY;',
      'FREQ=DAILY;FREQ=WEEKLY',
      'FREQ=DAILY;INTERVAL=0',
      'FREQ=DAILY;INTERVAL=-1',
      'FREQ=DAILY;COUNT=x',
      'FREQ=DAILY;COUNT=1;UNTIL=20270101',
      'FREQ=DAILY;UNTIL=20260230',
      'FREQ=DAILY;UNTIL=tomorrow',
      'FREQ=DAILY;UNTIL=20270101T250000Z',
      'FREQ=WEEKLY;BYDAY=XX',
      'FREQ=WEEKLY;BYDAY=0MO',
      'FREQ=WEEKLY;WKST=1',
      'FREQ=MONTHLY;BYMONTHDAY=32',
      'FREQ=YEARLY;BYMONTH=13',
      'FREQ=YEARLY;BYMONTH=-1',
    ]) {
      expect(refusal([`RRULE:${rule}`]), rule).toMatch(/cannot be read|two parts|both COUNT and UNTIL/);
    }
    expect(refusal(['RRULE;X=1:FREQ=DAILY'])).toContain('cannot be read');
    expect(refusal(['RRULE:FREQ=DAILY', 'RRULE:FREQ=WEEKLY'])).toContain('one RRULE');
  });
});

// Two oracles that know nothing of each other, day by day: RFC 5545 §3.3.10, and the description of
// recurrencePattern in Graph's documentation.

const DAY_MS = 86_400_000;
const RFC_DAYS = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA'];
const NAMES = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

interface Written {
  freq: 'DAILY' | 'WEEKLY' | 'MONTHLY' | 'YEARLY';
  interval: number;
  wkst: string;
  byDay: readonly string[];
  byMonthDay: readonly number[];
  byMonth: readonly number[];
  bySetPos: readonly number[];
  count?: number;
  until?: number;
}

const utc = (ms: number) => new Date(ms);
const dateText = (ms: number) => utc(ms).toISOString().slice(0, 10);
const monthIndex = (ms: number) => utc(ms).getUTCFullYear() * 12 + utc(ms).getUTCMonth();
const weekIndex = (ms: number, first: number) => Math.floor((ms / DAY_MS + 4 - first) / 7);
const lengthOfMonth = (year: number, month: number) => utc(Date.UTC(year, month + 1, 0)).getUTCDate();
const daysBetween = (fromMs: number, toMs: number) =>
  Array.from({ length: (toMs - fromMs) / DAY_MS }, (_, index) => fromMs + index * DAY_MS);

/** All days of the rule's own unit (week, month, year) around `ms` that the rule names. */
function namedDays(rule: Written, startMs: number, ms: number): number[] {
  const start = utc(startMs);
  const [year, month] = [utc(ms).getUTCFullYear(), utc(ms).getUTCMonth()];
  const bounds = { DAILY: [ms, ms + DAY_MS], WEEKLY: [0, 0], MONTHLY: [0, 0], YEARLY: [0, 0] };
  const first = RFC_DAYS.indexOf(rule.wkst);
  const weekStart = ms - ((utc(ms).getUTCDay() - first + 7) % 7) * DAY_MS;
  bounds.WEEKLY = [weekStart, weekStart + 7 * DAY_MS];
  bounds.MONTHLY = [Date.UTC(year, month, 1), Date.UTC(year, month + 1, 1)];
  bounds.YEARLY = [Date.UTC(year, 0, 1), Date.UTC(year + 1, 0, 1)];
  const [from = 0, to = 0] = bounds[rule.freq];
  const isBare = rule.byDay.length === 0 && rule.byMonthDay.length === 0;
  const inUnit = daysBetween(from, to);
  const named = inUnit.filter((day) => {
    const date = utc(day);
    const name = RFC_DAYS[date.getUTCDay()] ?? '';
    const dayOfMonth = date.getUTCDate();
    if (rule.byMonth.length > 0 && !rule.byMonth.includes(date.getUTCMonth() + 1)) return false;
    if (isBare && rule.freq === 'WEEKLY' && date.getUTCDay() !== start.getUTCDay()) return false;
    if (isBare && (rule.freq === 'MONTHLY' || rule.freq === 'YEARLY') && dayOfMonth !== start.getUTCDate())
      return false;
    if (isBare && rule.freq === 'YEARLY' && rule.byMonth.length === 0)
      return date.getUTCMonth() === start.getUTCMonth();
    const fromEnd = dayOfMonth - 1 - lengthOfMonth(date.getUTCFullYear(), date.getUTCMonth());
    if (rule.byMonthDay.length > 0 && !rule.byMonthDay.some((one) => one === dayOfMonth || one === fromEnd))
      return false;
    if (rule.byDay.length === 0) return true;
    // RFC 5545: days of a year are numbered within the month where BYMONTH is given, else within the year.
    const isByYear = rule.freq === 'YEARLY' && rule.byMonth.length === 0;
    const before = isByYear ? (day - from) / DAY_MS : dayOfMonth - 1;
    const after = isByYear ? (to - day) / DAY_MS - 1 : -fromEnd - 1;
    const [nth, nthLast] = [Math.floor(before / 7) + 1, -Math.floor(after / 7) - 1];
    return rule.byDay.some((one) => one === name || one === `${nth}${name}` || one === `${nthLast}${name}`);
  });
  if (rule.bySetPos.length === 0) return named;
  return named.filter((_, index) =>
    rule.bySetPos.some((one) => one === index + 1 || one === index - named.length),
  );
}

function isOfRule(rule: Written, startMs: number, ms: number): boolean {
  const units = {
    DAILY: (ms - startMs) / DAY_MS,
    WEEKLY: weekIndex(ms, RFC_DAYS.indexOf(rule.wkst)) - weekIndex(startMs, RFC_DAYS.indexOf(rule.wkst)),
    MONTHLY: monthIndex(ms) - monthIndex(startMs),
    YEARLY: utc(ms).getUTCFullYear() - utc(startMs).getUTCFullYear(),
  };
  // The month first: a year is long to look through.
  if (rule.byMonth.length > 0 && !rule.byMonth.includes(utc(ms).getUTCMonth() + 1)) return false;
  return units[rule.freq] % rule.interval === 0 && namedDays(rule, startMs, ms).includes(ms);
}

function isOfPattern({ pattern }: PatternedRecurrence, startMs: number, ms: number): boolean {
  const date = utc(ms);
  const { type, interval = 1, daysOfWeek, index, dayOfMonth = 0, month, firstDayOfWeek } = pattern ?? {};
  const monthsBetween = monthIndex(ms) - monthIndex(startMs);
  const length = lengthOfMonth(date.getUTCFullYear(), date.getUTCMonth());
  const isDay = (ordinal: number) =>
    daysOfWeek?.some((day) => day === NAMES[utc(ms + (ordinal - date.getUTCDate()) * DAY_MS).getUTCDay()]) ===
    true;
  const such = Array.from({ length }, (_, place) => place + 1).filter(isDay);
  const nth = index === 'last' ? -1 : ['first', 'second', 'third', 'fourth'].indexOf(index ?? '');
  const first = NAMES.indexOf(firstDayOfWeek ?? 'sunday');
  const isMonth = date.getUTCMonth() + 1 === month;
  switch (type) {
    case 'daily':
      return ((ms - startMs) / DAY_MS) % interval === 0;
    case 'weekly':
      return (weekIndex(ms, first) - weekIndex(startMs, first)) % interval === 0 && isDay(date.getUTCDate());
    // Exchange falls back to the last day of a shorter month.
    case 'absoluteMonthly':
      return monthsBetween % interval === 0 && date.getUTCDate() === Math.min(dayOfMonth, length);
    case 'absoluteYearly':
      return (
        isMonth && (monthsBetween / 12) % interval === 0 && date.getUTCDate() === Math.min(dayOfMonth, length)
      );
    case 'relativeMonthly':
      return monthsBetween % interval === 0 && such.at(nth) === date.getUTCDate();
    case 'relativeYearly':
      return isMonth && (monthsBetween / 12) % interval === 0 && such.at(nth) === date.getUTCDate();
    case undefined:
    case null:
    default:
      throw new Error('a pattern has a type');
  }
}

/** The dates of the first years, by whichever oracle, up to their end. */
function datesBy(
  isOf: (ms: number) => boolean,
  startMs: number,
  end: { count?: number; until?: number },
): string[] {
  const days = daysBetween(startMs, startMs + 1500 * DAY_MS).filter(isOf);
  return days
    .filter((day) => end.until === undefined || day <= end.until)
    .slice(0, end.count)
    .map(dateText);
}

const aDay = fc.constantFrom(...RFC_DAYS);
const someDays = fc.uniqueArray(aDay, { minLength: 1, maxLength: 7 });
const aRule: fc.Arbitrary<Written> = fc.record(
  {
    freq: fc.constantFrom('DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'),
    interval: fc.constantFrom(1, 1, 1, 2, 3, 12),
    wkst: aDay,
    byDay: fc.oneof(
      fc.constant([]),
      someDays,
      fc.constantFrom(['MO', 'TU', 'WE', 'TH', 'FR'], ['SA', 'SU'], RFC_DAYS),
      fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, -1, -2), aDay).map(([nth, day]) => [`${nth}${day}`]),
    ),
    byMonthDay: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.constantFrom([1], [15], [28], [29], [31], [-1], [1, 15]) },
    ),
    byMonth: fc.oneof(
      fc.constant([]),
      fc.integer({ min: 1, max: 12 }).map((month) => [month]),
    ),
    bySetPos: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.constantFrom([1], [2], [3], [4], [-1], [5], [1, 2]) },
    ),
    count: fc.integer({ min: 1, max: 20 }),
  },
  { requiredKeys: ['freq', 'interval', 'wkst', 'byDay', 'byMonthDay', 'byMonth', 'bySetPos'] },
);

/** The same kinds of rule, only those that have a counterpart. */
const aSayableRule: fc.Arbitrary<Written> = fc
  .tuple(
    aRule,
    fc.integer({ min: 0, max: 7 }),
    someDays,
    aDay,
    fc.constantFrom(1, 2, 3, 4, -1),
    fc.integer({ min: 1, max: 28 }),
    fc.integer({ min: 1, max: 12 }),
  )
  .map(([{ interval, wkst, count }, kind, days, day, nth, monthDay, month]): Written => {
    const bare = { byDay: [], byMonthDay: [], byMonth: [], bySetPos: [] };
    const base = { ...bare, interval, wkst, ...(count !== undefined && { count }) };
    const kinds: Written[] = [
      { ...base, freq: 'DAILY' },
      { ...base, freq: 'DAILY', interval: 1, byDay: days },
      { ...base, freq: 'WEEKLY', byDay: days },
      { ...base, freq: 'MONTHLY', byMonthDay: [monthDay] },
      { ...base, freq: 'MONTHLY', byDay: [`${nth}${day}`] },
      { ...base, freq: 'MONTHLY', byDay: ['MO', 'TU', 'WE', 'TH', 'FR'], bySetPos: [nth] },
      { ...base, freq: 'YEARLY', interval: 1, byMonth: [month], byDay: [`${nth}${day}`] },
      { ...base, freq: 'MONTHLY', byMonthDay: [-1] },
    ];
    return kinds[kind] ?? { ...base, freq: 'WEEKLY' };
  });

function writeRule({ freq, interval, wkst, byDay, byMonthDay, byMonth, bySetPos, count, until }: Written) {
  const lists = { BYDAY: byDay, BYMONTHDAY: byMonthDay, BYMONTH: byMonth, BYSETPOS: bySetPos };
  return [
    `FREQ=${freq}`,
    `INTERVAL=${interval}`,
    `WKST=${wkst}`,
    ...Object.entries(lists).flatMap(([name, list]) => (list.length > 0 ? [`${name}=${list.join()}`] : [])),
    ...(count === undefined ? [] : [`COUNT=${count}`]),
    ...(until === undefined ? [] : [`UNTIL=${dateText(until).replaceAll('-', '')}`]),
  ].join(';');
}

const aStart = fc
  .integer({ min: Date.UTC(2024, 0) / DAY_MS, max: Date.UTC(2029, 0) / DAY_MS })
  .map((day) => day * DAY_MS);

/** The first day from `fromMs` on which an event could begin by this rule; undefined when there is none in years. */
function beginning(rule: Written, fromMs: number): number | undefined {
  return daysBetween(fromMs, fromMs + 400 * DAY_MS).find((day) => isOfRule(rule, day, day));
}

function expectSameDates(rule: Written, startMs: number): boolean {
  const outcome = toPatternedRecurrence([`RRULE:${writeRule(rule)}`], allDay(dateText(startMs)), BERLIN);
  if (!outcome.ok) return false;
  const { range } = outcome.value;
  expect(range?.startDate).toBe(dateText(startMs));
  const end = {
    ...(range?.type === 'numbered' && { count: range.numberOfOccurrences }),
    ...(range?.type === 'endDate' && { until: Date.parse(range.endDate ?? '') }),
  };
  expect(datesBy((ms) => isOfPattern(outcome.value, startMs, ms), startMs, end)).toEqual(
    datesBy((ms) => isOfRule(rule, startMs, ms), startMs, rule),
  );
  return true;
}

describe('the dates of a rule', () => {
  it('are the same in Graph’s terms, for every rule that has a counterpart', () => {
    fc.assert(
      fc.property(aSayableRule, aStart, fc.option(fc.integer({ min: 0, max: 900 })), (rule, fromMs, days) => {
        const startMs = beginning(rule, fromMs);
        fc.pre(startMs !== undefined);
        const ending: Written =
          days === null || rule.count !== undefined ? rule : { ...rule, until: startMs + days * DAY_MS };
        expect(expectSameDates(ending, startMs)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('are the same or refused, for any rule', () => {
    fc.assert(
      fc.property(aRule, aStart, (rule, fromMs) => {
        const startMs = beginning(rule, fromMs);
        fc.pre(startMs !== undefined);
        expectSameDates(rule, startMs);
      }),
      { numRuns: 60 },
    );
  });
});
