import { RRuleTemporal } from 'rrule-temporal';
import { Temporal } from 'temporal-polyfill';
import type { EventTime, OriginalStart } from './event.ts';
import { type Interval, overlaps } from './interval.ts';
import { startOfDayMs } from './time-zone.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** A series: when its first occurrence is, on the clock of `time.timeZone`, and RFC 5545 lines. */
export interface Series {
  time: EventTime;
  /** RRULE, EXRULE, RDATE and EXDATE lines. */
  recurrence: readonly string[];
}

/** One occurrence as the rule has it. */
export interface Occurrence {
  start: OriginalStart;
  /** Names `start` (`keyOfStart`). */
  key: string;
  time: EventTime;
  /** The stretch that it takes. */
  span: Interval;
}

/** Names an original start within its series: the instant, or the date of a whole day. */
export function keyOfStart(start: OriginalStart): string {
  return start.kind === 'all-day' ? start.date : String(start.startMs);
}

/** The stretch that an event takes; an all-day one from midnight to midnight of its zone. */
export function spanOf(time: EventTime): Interval {
  return time.kind === 'timed'
    ? { startMs: time.startMs, endMs: time.endMs }
    : {
        startMs: startOfDayMs(time.startDate, time.timeZone),
        endMs: startOfDayMs(time.endDate, time.timeZone),
      };
}

/**
 * The occurrences of a series that touch `range`, in order (RFC 5545 §3.8.5). Its own start is one, and counts
 * for COUNT, even where the rule leaves it out. Occurrences keep the local time of the series through changes
 * of the clock, and their length. A local time that the clock skips is taken as the library takes it, an hour on.
 *
 * @returns undefined when a line cannot be read: then nothing is known of its occurrences.
 */
export function expandSeries({ time, recurrence }: Series, range: Interval): Occurrence[] | undefined {
  const span = spanOf(time);
  // A day more on both sides: whole days are counted as those of UTC, and a clock may change in between.
  const from = range.startMs - (span.endMs - span.startMs) - 2 * DAY_MS;
  const to = range.endMs + 2 * DAY_MS;
  try {
    return startsWithin(time, recurrence, { startMs: from, endMs: to })
      .map((startMs) => occurrenceAt(time, startMs))
      .filter(({ span: taken }) => overlaps(taken, range));
  } catch {
    return undefined;
  }
}

/** Starts by the lines; those of all-day series are midnights of UTC. */
function startsWithin(time: EventTime, lines: readonly string[], { startMs, endMs }: Interval): number[] {
  const anchor =
    time.kind === 'timed'
      ? Temporal.Instant.fromEpochMilliseconds(time.startMs).toZonedDateTimeISO(time.timeZone)
      : Temporal.PlainDate.from(time.startDate).toZonedDateTime('UTC');
  const named = (name: string) => lines.filter((line) => line.toUpperCase().startsWith(name));
  const expand = (line: string): number[] =>
    new RRuleTemporal({
      rruleString: line.replace(/^EXRULE/i, 'RRULE'),
      dtstart: anchor,
      includeDtstart: true,
      temporal: Temporal,
    })
      .between(new Date(startMs), new Date(endMs), true)
      .map(({ epochMilliseconds }) => epochMilliseconds);
  const starts = new Set([
    anchor.epochMilliseconds,
    ...named('RRULE').flatMap(expand),
    ...named('RDATE').flatMap((line) => readDates(line, time)),
  ]);
  const gone = [
    ...named('EXDATE').flatMap((line) => readDates(line, time)),
    ...named('EXRULE').flatMap(expand),
  ];
  for (const ms of gone) starts.delete(ms);
  return [...starts].filter((ms) => ms >= startMs && ms < endMs).toSorted((a, b) => a - b);
}

function occurrenceAt(time: EventTime, startMs: number): Occurrence {
  if (time.kind === 'timed') {
    const start = { kind: 'timed', startMs } as const;
    const span = { startMs, endMs: startMs + time.endMs - time.startMs };
    return { start, key: keyOfStart(start), time: { ...time, ...span }, span };
  }
  const startDate = toDate(startMs);
  const endDate = toDate(startMs + Date.parse(time.endDate) - Date.parse(time.startDate));
  const start = { kind: 'all-day', date: startDate } as const;
  const moved = { ...time, startDate, endDate };
  return { start, key: keyOfStart(start), time: moved, span: spanOf(moved) };
}

function toDate(midnightMs: number): string {
  return new Date(midnightMs).toISOString().slice(0, 10);
}

/** The starts that an RDATE or EXDATE line names; of a period only its start counts. */
function readDates(line: string, time: EventTime): number[] {
  const [, parameters = '', values = ''] = /^[A-Z]+((?:;[^:;]+)*):(.*)$/i.exec(line) ?? [];
  const zone = /;TZID=([^;]+)/i.exec(parameters)?.[1] ?? time.timeZone;
  return values.split(',').map((value) => {
    const [text = ''] = value.trim().split('/', 1);
    if (time.kind === 'all-day')
      return Temporal.PlainDate.from(text.slice(0, 8)).toZonedDateTime('UTC').epochMilliseconds;
    if (text.endsWith('Z')) return Temporal.Instant.from(text).epochMilliseconds;
    // A date beside a timed series means its local time on that day.
    if (text.length === 8) {
      const clock = Temporal.Instant.fromEpochMilliseconds(time.startMs).toZonedDateTimeISO(zone);
      return Temporal.PlainDate.from(text).toZonedDateTime({ timeZone: zone, plainTime: clock.toPlainTime() })
        .epochMilliseconds;
    }
    return Temporal.PlainDateTime.from(text).toZonedDateTime(zone).epochMilliseconds;
  });
}
