import { z } from 'zod';
import { badRequest } from './errors.ts';
import { ianaZone } from './time-zones.ts';

const Day = z.enum(['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']);
const DateText = z.iso.date();
const Type = z.enum([
  'daily',
  'weekly',
  'absoluteMonthly',
  'relativeMonthly',
  'absoluteYearly',
  'relativeYearly',
]);

/** microsoft.graph.patternedRecurrence. */
export const PatternedRecurrence = z.strictObject({
  pattern: z.strictObject({
    type: Type,
    interval: z.int(),
    month: z.int().nullish(),
    dayOfMonth: z.int().nullish(),
    daysOfWeek: z.array(Day).nullish(),
    firstDayOfWeek: Day.nullish(),
    index: z.enum(['first', 'second', 'third', 'fourth', 'last']).nullish(),
  }),
  range: z.strictObject({
    type: z.enum(['endDate', 'noEnd', 'numbered']),
    startDate: DateText.nullish(),
    endDate: DateText.nullish(),
    recurrenceTimeZone: z.string().nullish(),
    numberOfOccurrences: z.int().nullish(),
  }),
});

/** A recurrence as it was read. */
export type PatternedRecurrence = z.infer<typeof PatternedRecurrence>;

type Pattern = PatternedRecurrence['pattern'];

// What each kind of pattern needs beside its interval.
const NEEDS: Readonly<Record<Pattern['type'], readonly ('daysOfWeek' | 'dayOfMonth' | 'month')[]>> = {
  daily: [],
  weekly: ['daysOfWeek'],
  absoluteMonthly: ['dayOfMonth'],
  relativeMonthly: ['daysOfWeek'],
  absoluteYearly: ['dayOfMonth', 'month'],
  relativeYearly: ['daysOfWeek', 'month'],
};

/** The IANA zone that a recurrence counts its days in, when it names one. */
export function recurrenceZone({ range }: PatternedRecurrence): string | undefined {
  const name = range.recurrenceTimeZone ?? '';
  if (name === '') return undefined;
  const zone = ianaZone(name);
  if (zone === undefined) throw invalid('recurrenceTimeZone');
  return zone;
}

const FREQUENCIES: Readonly<Record<Pattern['type'], string>> = {
  daily: 'DAILY',
  weekly: 'WEEKLY',
  absoluteMonthly: 'MONTHLY',
  relativeMonthly: 'MONTHLY',
  absoluteYearly: 'YEARLY',
  relativeYearly: 'YEARLY',
};
const POSITIONS = { first: 1, second: 2, third: 3, fourth: 4, last: -1 } as const;

/** The rule of RFC 5545 that a recurrence means. A day that a month does not have is its last day. */
export function ruleOf({ pattern, range }: PatternedRecurrence): string {
  const { type, interval, index, month, dayOfMonth } = pattern;
  const days = (pattern.daysOfWeek ?? []).map(dayCode).join(',');
  // The last of the days from the 28th on that the month has.
  const lastDays = [28, 29, 30, 31].filter((day) => day <= (dayOfMonth ?? 0));
  const monthDay =
    lastDays.length < 2
      ? [`BYMONTHDAY=${String(dayOfMonth ?? 1)}`]
      : [`BYMONTHDAY=${lastDays.join(',')}`, 'BYSETPOS=-1'];
  const relativeDay = [`BYDAY=${days}`, `BYSETPOS=${String(POSITIONS[index ?? 'first'])}`];
  const inMonth = `BYMONTH=${String(month ?? 1)}`;
  const parts: Readonly<Record<Pattern['type'], readonly string[]>> = {
    daily: [],
    weekly: [`BYDAY=${days}`],
    absoluteMonthly: monthDay,
    relativeMonthly: relativeDay,
    absoluteYearly: [inMonth, ...monthDay],
    relativeYearly: [inMonth, ...relativeDay],
  };
  const ends = {
    noEnd: [],
    numbered: [`COUNT=${String(range.numberOfOccurrences ?? 1)}`],
    endDate: [`UNTIL=${(range.endDate ?? '').replaceAll('-', '')}`],
  };
  const head = [`FREQ=${FREQUENCIES[type]}`, `INTERVAL=${String(interval)}`];
  const weekStart = `WKST=${dayCode(pattern.firstDayOfWeek ?? 'sunday')}`;
  return `RRULE:${[...head, weekStart, ...parts[type], ...ends[range.type]].join(';')}`;
}

function dayCode(day: z.infer<typeof Day>): string {
  return day.slice(0, 2).toUpperCase();
}

/** Refuses a recurrence that does not say what its kind needs, or does not begin with the event. */
export function checkRecurrence(recurrence: PatternedRecurrence, startDate: string): void {
  const { pattern, range } = recurrence;
  if (pattern.interval < 1 || pattern.interval > 999) throw invalid('interval');
  const has = {
    daysOfWeek: (pattern.daysOfWeek ?? []).length > 0,
    dayOfMonth: within(pattern.dayOfMonth, 31),
    month: within(pattern.month, 12),
  };
  const missing = NEEDS[pattern.type].find((name) => !has[name]);
  if (missing !== undefined) throw invalid(missing);
  if (typeof range.startDate !== 'string' || range.startDate !== startDate) throw invalid('startDate');
  if (range.type === 'numbered' && !within(range.numberOfOccurrences, 999))
    throw invalid('numberOfOccurrences');
  if (range.type === 'endDate' && !(typeof range.endDate === 'string' && range.endDate >= range.startDate)) {
    throw invalid('endDate');
  }
}

function within(value: number | null | undefined, most: number): boolean {
  return typeof value === 'number' && value >= 1 && value <= most;
}

function invalid(property: string): Error {
  return badRequest('ErrorPropertyValidationFailure', `The recurrence's ${property} is missing or invalid.`);
}
