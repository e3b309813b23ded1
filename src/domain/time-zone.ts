import { Temporal } from 'temporal-polyfill';
import * as z from 'zod';
import type { Interval } from './interval.ts';

/** True for a name of the IANA time zone database (and `UTC`); bare offsets are not zones. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+\-/]*$/.test(name)) return false;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}

const RFC_3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?$/i;

/** Why a text is not a point in time. */
export type InstantProblem = 'not-a-time' | 'needs-a-zone' | 'does-not-exist';

/**
 * Reads an RFC 3339 date-time. Without an offset it is a local time of `timeZone`: the first of two
 * occurrences when clocks go back, a problem when clocks skip it.
 *
 * @returns epoch milliseconds, or the problem.
 */
export function parseInstant(text: string, timeZone?: string): number | InstantProblem {
  const match = RFC_3339.exec(text);
  if (match === null) return 'not-a-time';
  const [, local = '', offset] = match;
  try {
    if (offset !== undefined) return Temporal.Instant.from(text.toUpperCase()).epochMilliseconds;
    const plain = Temporal.PlainDateTime.from(local.toUpperCase());
    if (timeZone === undefined) return 'needs-a-zone';
    const zoned = plain.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
    return zoned.toPlainDateTime().equals(plain) ? zoned.epochMilliseconds : 'does-not-exist';
  } catch {
    return 'not-a-time';
  }
}

/** Writes an instant as RFC 3339 with the offset that `timeZone` has then; fractions only when there are any. */
export function formatInstant(epochMs: number, timeZone: string): string {
  return Temporal.Instant.fromEpochMilliseconds(epochMs)
    .toZonedDateTimeISO(timeZone)
    .toString({
      timeZoneName: 'never',
      offset: 'auto',
      smallestUnit: epochMs % 1000 === 0 ? 'second' : 'millisecond',
    });
}

/** The same local time `years` years later in `timeZone` (a 29 February becomes the 28th), epoch milliseconds. */
export function addYears(epochMs: number, years: number, timeZone: string): number {
  return Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(timeZone).add({ years })
    .epochMilliseconds;
}

/** The same local time `days` days later in `timeZone`, epoch milliseconds. */
export function addDays(epochMs: number, days: number, timeZone: string): number {
  return Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(timeZone).add({ days })
    .epochMilliseconds;
}

/**
 * `range` cut wherever `timeZone` changes its offset. Within a piece, local time is UTC plus `offsetMs`
 * (milliseconds, positive to the east), so that clocks can be reckoned with plain numbers.
 */
export function splitByOffset(range: Interval, timeZone: string): (Interval & { offsetMs: number })[] {
  const pieces: (Interval & { offsetMs: number })[] = [];
  let from = Temporal.Instant.fromEpochMilliseconds(range.startMs).toZonedDateTimeISO(timeZone);
  while (from.epochMilliseconds < range.endMs) {
    const change = from.getTimeZoneTransition('next');
    const endMs = Math.min(change?.epochMilliseconds ?? range.endMs, range.endMs);
    pieces.push({ startMs: from.epochMilliseconds, endMs, offsetMs: from.offsetNanoseconds / 1_000_000 });
    if (change === null) break;
    from = change;
  }
  return pieces;
}

/** The instant at which a calendar day (`YYYY-MM-DD`) begins in `timeZone`, epoch milliseconds. */
export function startOfDayMs(date: string, timeZone: string): number {
  return Temporal.PlainDate.from(date).toZonedDateTime(timeZone).epochMilliseconds;
}

/** What a caller is told of a text that is not a point in time. */
export const INSTANT_MESSAGES = {
  'not-a-time': 'must be an RFC 3339 date-time, such as 2026-11-23T09:00:00+01:00',
  'needs-a-zone': 'needs an offset or a time zone',
  'does-not-exist': 'does not exist in this time zone: clocks skip it',
} satisfies Record<InstantProblem, string>;

/**
 * A text that may be a point in time, with an offset or without. What it is besides depends on its zone; but one that
 * is no time at all is told together with whatever else is wrong.
 */
export const instantTextSchema = z
  .string()
  .refine((text) => parseInstant(text, 'UTC') !== 'not-a-time', INSTANT_MESSAGES['not-a-time']);

/** The same, or a calendar day. */
export const instantOrDateTextSchema = z
  .string()
  .refine(
    (text) => isDate(text) || parseInstant(text, 'UTC') !== 'not-a-time',
    'must be a date that exists, or an RFC 3339 date-time, such as 2026-11-23T09:00:00+01:00',
  );

/** An IANA time zone name. */
export const timeZoneSchema = z
  .string()
  .refine(isTimeZone, 'must be an IANA time zone, such as Europe/Berlin');

/** True for a calendar day that exists, `YYYY-MM-DD`. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  try {
    return Temporal.PlainDate.from(text).toString() === text;
  } catch {
    return false;
  }
}
