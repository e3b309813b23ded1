import type {
  DayOfWeek,
  PatternedRecurrence,
  RecurrencePattern,
  RecurrenceRange,
  WeekIndex,
} from '@microsoft/microsoft-graph-types';
import { Temporal } from 'temporal-polyfill';
import type { EventTime } from '../../domain/event.ts';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { isDate, parseInstant } from '../../domain/time-zone.ts';

/** RFC 5545's days, Monday first, as Temporal counts them from 1. */
const DAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'] as const;
type Day = (typeof DAYS)[number];

const GRAPH_DAYS: Record<Day, DayOfWeek> = {
  MO: 'monday',
  TU: 'tuesday',
  WE: 'wednesday',
  TH: 'thursday',
  FR: 'friday',
  SA: 'saturday',
  SU: 'sunday',
};

/** Graph counts no further, and from the end not at all but for the last. */
const INDEXES = new Map<number, WeekIndex>([
  [1, 'first'],
  [2, 'second'],
  [3, 'third'],
  [4, 'fourth'],
  [-1, 'last'],
]);

/**
 * The sets of several days of which Outlook can take the n-th in a month: any day, weekdays, weekend
 * days. Graph's documentation names no limit, but contradicts itself on what other sets would mean.
 */
const DAY_SETS = [DAYS.join(), DAYS.slice(0, 5).join(), DAYS.slice(5).join()];

/** The parts of a rule that are told in Graph's terms; any other is beyond them. */
const PARTS = [
  'FREQ',
  'INTERVAL',
  'COUNT',
  'UNTIL',
  'WKST',
  'BYDAY',
  'BYMONTHDAY',
  'BYMONTH',
  'BYSETPOS',
] as const;
type Part = (typeof PARTS)[number];

/** A day of a rule: `FR`, or the second Friday. */
interface RuleDay {
  day: Day;
  ordinal?: number;
}

/** A rule as it is written. */
interface Rule {
  freq: string;
  interval: number;
  count?: number;
  until?: string;
  weekStart: Day;
  days?: RuleDay[];
  monthDay?: number;
  month?: number;
  position?: number;
}

/** Why a rule cannot be told to Graph, in words for the caller. Thrown and caught in this file only. */
class Unsayable extends Error {}

/**
 * Says in Graph's terms how an event recurs.
 *
 * Graph knows daily, weekly, monthly and yearly patterns: one day of the month, or the first to fourth
 * or last of a day, of the weekdays, of the weekend days or of all days. Where a month is too short for
 * a day, Graph takes its last day and RFC 5545 takes none: such a rule is refused, unless no month of
 * it is too short. So is an event that does not begin on a day of its own rule, which RFC 5545 leaves
 * undefined. UNTIL may be a date, which is then included, whatever the event's kind.
 *
 * @param lines the `RRULE:` and `EXDATE:` lines of RFC 5545, the RRULE once.
 * @param time the first occurrence; the rule is read in its zone.
 * @param zoneName the same zone as Graph is told it.
 * @returns or `unsupported`, naming the part of the rule that Graph has no words for.
 */
export function toPatternedRecurrence(
  lines: readonly string[],
  time: EventTime,
  zoneName: string,
): Outcome<PatternedRecurrence> {
  try {
    const rule = readRule(lines);
    const start = startDate(time);
    const pattern = patternOf(rule, start);
    return ok({ pattern, range: rangeOf(rule, start, time, zoneName) });
  } catch (error) {
    if (!(error instanceof Unsayable)) throw error;
    return fail({ kind: 'unsupported', field: 'recurrence', detail: error.message });
  }
}

function startDate(time: EventTime): Temporal.PlainDate {
  return time.kind === 'all-day'
    ? Temporal.PlainDate.from(time.startDate)
    : Temporal.Instant.fromEpochMilliseconds(time.startMs).toZonedDateTimeISO(time.timeZone).toPlainDate();
}

function readRule(lines: readonly string[]): Rule {
  for (const line of lines) {
    if (/^RRULE:/i.test(line)) continue;
    const name = /^[A-Za-z]*/.exec(line)?.[0].toUpperCase() ?? '';
    throw name === 'RRULE'
      ? new Unsayable('the RRULE cannot be read')
      : new Unsayable(`Microsoft takes no ${name} when an event is created`);
  }
  const [line, ...more] = lines;
  if (line === undefined || more.length > 0) throw new Unsayable('there must be one RRULE');
  const parts = new Map<Part, string>();
  for (const text of line.slice('RRULE:'.length).toUpperCase().split(';')) {
    const [, name = '', value = ''] = /^([A-Z-]+)=([^=]+)$/.exec(text) ?? [];
    const part = PARTS.find((known) => known === name);
    if (name === '') throw new Unsayable('the RRULE cannot be read');
    if (part === undefined) throw beyond(name);
    if (parts.has(part)) throw new Unsayable(`the RRULE has two parts ${part}`);
    parts.set(part, value);
  }
  const number = (part: 'INTERVAL' | 'COUNT', otherwise?: number) => {
    const value = parts.get(part);
    if (value === undefined) return otherwise;
    if (!/^0*[1-9]\d{0,8}$/.test(value)) throw unreadable(part);
    return Number(value);
  };
  /** One number where RFC 5545 allows a list of them: Graph has room for one. */
  const single = (part: 'BYMONTHDAY' | 'BYMONTH' | 'BYSETPOS', most: number) => {
    const value = parts.get(part);
    if (value === undefined) return undefined;
    if (value.includes(',')) throw beyond(`several values of ${part}`);
    if (!/^[+-]?\d{1,3}$/.test(value) || Number(value) === 0 || Math.abs(Number(value)) > most)
      throw unreadable(part);
    return Number(value);
  };
  const weekStart = DAYS.find((day) => day === (parts.get('WKST') ?? 'MO'));
  if (weekStart === undefined) throw unreadable('WKST');
  const count = number('COUNT');
  const until = parts.get('UNTIL');
  if (count !== undefined && until !== undefined) throw new Unsayable('the RRULE has both COUNT and UNTIL');
  const days = parts.get('BYDAY')?.split(',').map(readDay);
  const monthDay = single('BYMONTHDAY', 31);
  const month = single('BYMONTH', 12);
  if (month !== undefined && month < 0) throw unreadable('BYMONTH');
  const position = single('BYSETPOS', 366);
  return {
    freq: parts.get('FREQ') ?? '',
    interval: number('INTERVAL', 1) ?? 1,
    weekStart,
    ...(count !== undefined && { count }),
    ...(until !== undefined && { until }),
    ...(days !== undefined && { days }),
    ...(monthDay !== undefined && { monthDay }),
    ...(month !== undefined && { month }),
    ...(position !== undefined && { position }),
  };
}

function readDay(text: string): RuleDay {
  const [, ordinal, name] = /^([+-]?\d{1,2})?([A-Z]{2})$/.exec(text) ?? [];
  const day = DAYS.find((known) => known === name);
  if (day === undefined || Number(ordinal ?? 1) === 0) throw unreadable('BYDAY');
  return { day, ...(ordinal !== undefined && { ordinal: Number(ordinal) }) };
}

function patternOf(rule: Rule, start: Temporal.PlainDate): RecurrencePattern {
  const { freq, interval, month, monthDay, position } = rule;
  switch (freq) {
    case 'DAILY':
    case 'WEEKLY':
      if (month !== undefined) throw beyond(`BYMONTH in a ${freq} rule`);
      if (monthDay !== undefined) throw beyond(`BYMONTHDAY in a ${freq} rule`);
      if (position !== undefined) throw beyond(`BYSETPOS in a ${freq} rule`);
      if (freq === 'DAILY' && rule.days === undefined) return { type: 'daily', interval };
      if (freq === 'DAILY' && interval > 1) throw beyond('BYDAY in a DAILY rule with an INTERVAL');
      return weekly(rule, start);
    case 'MONTHLY':
      if (month !== undefined) throw beyond('BYMONTH in a MONTHLY rule');
      return inMonth(rule, start);
    case 'YEARLY':
      if (month === undefined && (rule.days !== undefined || monthDay !== undefined))
        throw beyond('BYDAY or BYMONTHDAY without BYMONTH in a YEARLY rule');
      if (month !== undefined) expectStart(start.month === month);
      return inMonth(rule, start);
    case '':
      throw new Unsayable('the RRULE has no FREQ');
    default:
      throw beyond(`FREQ=${freq}`);
  }
}

function weekly({ interval, days, weekStart }: Rule, start: Temporal.PlainDate): RecurrencePattern {
  if (days?.some(({ ordinal }) => ordinal !== undefined) === true)
    throw beyond('numbered days in a weekly rule');
  const names = days === undefined ? [dayOf(start)] : sortDays(days);
  expectStart(names.includes(dayOf(start)));
  return {
    type: 'weekly',
    interval,
    daysOfWeek: names.map((name) => GRAPH_DAYS[name]),
    firstDayOfWeek: GRAPH_DAYS[weekStart],
  };
}

/** A pattern of one day in a month, monthly or yearly. */
function inMonth(rule: Rule, start: Temporal.PlainDate): RecurrencePattern {
  const { freq, days, monthDay, position } = rule;
  if (days === undefined && position !== undefined) throw beyond('BYSETPOS without BYDAY');
  if (days !== undefined && monthDay !== undefined) throw beyond('BYDAY together with BYMONTHDAY');
  if (days !== undefined) return relative(rule, days, start);
  // The last day, whichever it is.
  if (monthDay === -1)
    return relative(
      { ...rule, position: -1 },
      DAYS.map((day) => ({ day })),
      start,
    );
  if (monthDay !== undefined && monthDay < 0) throw beyond(`BYMONTHDAY=${monthDay}`);
  const dayOfMonth = monthDay ?? start.day;
  expectStart(start.day === dayOfMonth);
  if (dayOfMonth > shortestMonth(rule, start)) {
    throw beyond(`BYMONTHDAY=${dayOfMonth}, which not every month has`);
  }
  return freq === 'MONTHLY'
    ? { type: 'absoluteMonthly', interval: rule.interval, dayOfMonth }
    : { type: 'absoluteYearly', interval: rule.interval, dayOfMonth, month: start.month };
}

/** A pattern of the n-th of these days in a month. */
function relative(rule: Rule, days: readonly RuleDay[], start: Temporal.PlainDate): RecurrencePattern {
  const [first] = days;
  const isNumbered = days.some(({ ordinal }) => ordinal !== undefined);
  if (isNumbered && days.length > 1) throw beyond('several numbered days in BYDAY');
  if (isNumbered && rule.position !== undefined) throw beyond('BYSETPOS together with numbered days');
  const ordinal = first?.ordinal ?? rule.position;
  if (ordinal === undefined) throw beyond(`BYDAY without a number in a ${rule.freq} rule`);
  const names = sortDays(days);
  if (names.length > 1 && !DAY_SETS.includes(names.join()))
    throw beyond('BYSETPOS of days that are neither all days, nor the weekdays, nor the weekend');
  const index = INDEXES.get(ordinal);
  if (index === undefined) throw beyond(`${isNumbered ? 'BYDAY' : 'BYSETPOS'} number ${ordinal}`);
  expectStart(isNth(start, names, ordinal));
  const daysOfWeek = names.map((name) => GRAPH_DAYS[name]);
  return rule.freq === 'MONTHLY'
    ? { type: 'relativeMonthly', interval: rule.interval, daysOfWeek, index }
    : { type: 'relativeYearly', interval: rule.interval, daysOfWeek, index, month: start.month };
}

/** Whether this is the `ordinal`-th of such days in its month. */
function isNth(date: Temporal.PlainDate, names: readonly Day[], ordinal: number): boolean {
  const such = Array.from({ length: date.daysInMonth }, (_, index) => index + 1).filter((day) =>
    names.includes(dayOf(date.with({ day }))),
  );
  return such.at(ordinal > 0 ? ordinal - 1 : ordinal) === date.day;
}

/** The fewest days that any month of the rule has, in whatever year. */
function shortestMonth({ freq, interval }: Rule, start: Temporal.PlainDate): number {
  const step = freq === 'YEARLY' ? 12 : interval;
  const lengths = Array.from({ length: 12 }, (_, index) => {
    const month = ((start.month - 1 + index * step) % 12) + 1;
    return Temporal.PlainYearMonth.from({ year: 2001, month }).daysInMonth;
  });
  return Math.min(...lengths);
}

function rangeOf(rule: Rule, start: Temporal.PlainDate, time: EventTime, zoneName: string): RecurrenceRange {
  const range = { startDate: start.toString(), recurrenceTimeZone: zoneName };
  if (rule.count !== undefined) return { ...range, type: 'numbered', numberOfOccurrences: rule.count };
  if (rule.until === undefined) return { ...range, type: 'noEnd' };
  const end = lastDay(rule.until, time);
  if (Temporal.PlainDate.compare(end, start) < 0) throw new Unsayable('UNTIL is before the start');
  return { ...range, type: 'endDate', endDate: end.toString() };
}

/**
 * The last date, in the zone of the event, on which an occurrence may begin: UNTIL is an instant or a
 * date, and its end is inclusive (RFC 5545 §3.3.10).
 */
function lastDay(until: string, time: EventTime): Temporal.PlainDate {
  const [, year, month, day, clock, isUtc] = /^(\d{4})(\d\d)(\d\d)(?:T(\d{6})(Z)?)?$/.exec(until) ?? [];
  const text = `${year}-${month}-${day}`;
  if (!isDate(text)) throw unreadable('UNTIL');
  const date = Temporal.PlainDate.from(text);
  if (clock === undefined) return date;
  const local = `${text}T${clock.replace(/(..)(..)(..)/, '$1:$2:$3')}`;
  const isLocal = isUtc === undefined && time.kind === 'timed';
  const untilMs = parseInstant(local, isLocal ? time.timeZone : 'UTC');
  if (typeof untilMs !== 'number') throw unreadable('UNTIL');
  if (time.kind === 'all-day') return date;
  const zoned = Temporal.Instant.fromEpochMilliseconds(untilMs).toZonedDateTimeISO(time.timeZone);
  const begins = Temporal.Instant.fromEpochMilliseconds(time.startMs)
    .toZonedDateTimeISO(time.timeZone)
    .toPlainTime();
  const last = zoned.toPlainDate();
  const beginsMs = last.toZonedDateTime({ timeZone: time.timeZone, plainTime: begins }).epochMilliseconds;
  return beginsMs <= untilMs ? last : last.subtract({ days: 1 });
}

function dayOf(date: Temporal.PlainDate): Day {
  const day = DAYS[date.dayOfWeek - 1];
  if (day === undefined) throw new Error('a week has seven days');
  return day;
}

/** Each day once, Monday first. */
function sortDays(days: readonly RuleDay[]): Day[] {
  return DAYS.filter((name) => days.some(({ day }) => day === name));
}

function expectStart(isOccurrence: boolean): void {
  if (!isOccurrence) throw new Unsayable('the event must start on a day of its own RRULE');
}

function beyond(what: string): Unsayable {
  return new Unsayable(`Microsoft has no recurrence with ${what}`);
}

function unreadable(part: Part): Unsayable {
  return new Unsayable(`${part} in the RRULE cannot be read`);
}
