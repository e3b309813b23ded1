import * as z from 'zod';
import { connectorIdSchema } from './connector.ts';
import { describeFailure, type ErrorCode, type Outcome } from './failure.ts';
import { clipIntervals, type Interval, mergeIntervals } from './interval.ts';
import { addYears, formatInstant, INSTANT_MESSAGES, parseInstant, timeZoneSchema } from './time-zone.ts';

const LONGEST_RANGE_YEARS = 5;

const wireQuestionSchema = z.strictObject({
  connectorId: connectorIdSchema.optional(),
  timeMin: z.string(),
  timeMax: z.string(),
  timeZone: timeZoneSchema,
  calendars: z.array(z.string().min(1).max(1024)).min(1).max(500).optional(),
  maxStalenessMs: z
    .int()
    .min(0)
    .max(24 * 60 * 60 * 1000)
    .optional(),
});

/**
 * When is this person busy? `range` is half-open, epoch milliseconds. Without `calendars`, every
 * calendar of the account that the person shows or owns counts. `maxStalenessMs` 0: ask the provider now.
 */
export interface AvailabilityQuestion {
  range: Interval;
  timeZone: string;
  calendars?: string[];
  maxStalenessMs?: number;
}

/**
 * The specification's AvailabilityRequest, parsed. A `connectorId` inside is kept for the caller to
 * compare. Every problem names its field.
 */
export const availabilityRequestSchema = wireQuestionSchema.transform(
  (wire, context): { connectorId?: string; question: AvailabilityQuestion } => {
    const readTime = (field: 'timeMin' | 'timeMax') => {
      const read = parseInstant(wire[field], wire.timeZone);
      if (typeof read === 'number') return read;
      context.issues.push({
        code: 'custom',
        path: [field],
        message: INSTANT_MESSAGES[read],
        input: wire[field],
      });
      return undefined;
    };
    const startMs = readTime('timeMin');
    const endMs = readTime('timeMax');
    if (startMs === undefined || endMs === undefined) return z.NEVER;
    const refuse = (message: string) => {
      context.issues.push({ code: 'custom', path: ['timeMax'], message, input: wire.timeMax });
      return z.NEVER;
    };
    if (endMs <= startMs) return refuse('must be after timeMin');
    if (endMs > addYears(startMs, LONGEST_RANGE_YEARS, wire.timeZone))
      return refuse(`must be within ${LONGEST_RANGE_YEARS} years of timeMin`);
    return {
      ...(wire.connectorId !== undefined && { connectorId: wire.connectorId }),
      question: {
        range: { startMs, endMs },
        timeZone: wire.timeZone,
        ...(wire.calendars !== undefined && { calendars: [...new Set(wire.calendars)] }),
        ...(wire.maxStalenessMs !== undefined && { maxStalenessMs: wire.maxStalenessMs }),
      },
    };
  },
);

/** A stretch of a weekly pattern: local times `HH:MM` of `timeZone` on `day` (`monday` … `sunday`). */
export interface WorkingHours {
  day: Weekday;
  start: string;
  end: string;
  timeZone: string;
}

export const WEEKDAYS = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** What one calendar answered: its busy times (any order, may overlap), or why it could not be read. */
export interface CalendarReading {
  id: string;
  busy: Outcome<Interval[]>;
}

/** What a provider answered: a reading for each calendar that counts. */
export interface BusyReport {
  calendars: CalendarReading[];
  workingHours?: WorkingHours[];
}

/**
 * The neutral answer (specification: AvailabilityResponse). `busy` is merged, sorted, half-open and
 * clipped, RFC 3339 in the asked zone. When any calendar is `unavailable`, `busy` is not complete:
 * what it does not list is unknown, not free.
 */
export interface AvailabilityAnswer {
  busy: { start: string; end: string }[];
  workingHours?: WorkingHours[];
  calendars: { id: string; status: 'ok' | 'unavailable'; error?: { code: ErrorCode; message: string } }[];
  freshness: { source: 'live' | 'mirror'; asOf: string };
}

/** Turns what the provider said into the neutral answer to `question`, as of `asOfMs`. */
export function answerQuestion(
  question: AvailabilityQuestion,
  report: BusyReport,
  asOfMs: number,
): AvailabilityAnswer {
  const known = report.calendars.flatMap(({ busy }) => (busy.ok ? busy.value : []));
  return {
    busy: mergeIntervals(clipIntervals(known, question.range)).map(({ startMs, endMs }) => ({
      start: formatInstant(startMs, question.timeZone),
      end: formatInstant(endMs, question.timeZone),
    })),
    ...(report.workingHours !== undefined && { workingHours: report.workingHours }),
    calendars: report.calendars.map(({ id, busy }) => {
      if (busy.ok) return { id, status: 'ok' };
      const { code, message } = describeFailure(busy.failure);
      return { id, status: 'unavailable', error: { code, message } };
    }),
    freshness: { source: 'live', asOf: formatInstant(asOfMs, question.timeZone) },
  };
}
