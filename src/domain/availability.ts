import * as z from 'zod';
import { connectorIdSchema, connectorIdsSchema } from './connector.ts';
import { describeFailure, type ErrorCode, type Outcome } from './failure.ts';
import { clipIntervals, type Interval, mergeIntervals } from './interval.ts';
import {
  addYears,
  formatInstant,
  INSTANT_MESSAGES,
  instantTextSchema,
  parseInstant,
  timeZoneSchema,
} from './time-zone.ts';

const LONGEST_RANGE_YEARS = 5;

/** How old an answer may be where the question does not say. */
export const DEFAULT_STALENESS_MS = 60_000;

const questionFields = {
  timeMin: instantTextSchema,
  timeMax: instantTextSchema,
  timeZone: timeZoneSchema,
  calendars: z.array(z.string().min(1).max(1024)).min(1).max(500).optional(),
  maxStalenessMs: z
    .int()
    .min(0)
    .max(24 * 60 * 60 * 1000)
    .optional(),
};
const wireQuestionSchema = z.strictObject({ connectorId: connectorIdSchema.optional(), ...questionFields });
const wireQuestionOfAllSchema = z.strictObject({
  connectorIds: connectorIdsSchema,
  timeMin: questionFields.timeMin,
  timeMax: questionFields.timeMax,
  timeZone: questionFields.timeZone,
  maxStalenessMs: questionFields.maxStalenessMs,
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
    const question = readQuestion(wire, context);
    if (question === undefined) return z.NEVER;
    return { ...(wire.connectorId !== undefined && { connectorId: wire.connectorId }), question };
  },
);

/** The body of `POST /v1/availability`: the same question about several connectors. */
export const availabilityOfAllRequestSchema = wireQuestionOfAllSchema.transform(
  ({ connectorIds, ...wire }, context): { connectorIds: string[]; question: AvailabilityQuestion } => {
    const question = readQuestion(wire, context);
    return question === undefined ? z.NEVER : { connectorIds, question };
  },
);

function readQuestion(
  wire: Omit<z.infer<typeof wireQuestionSchema>, 'connectorId'>,
  context: z.core.$RefinementCtx,
): AvailabilityQuestion | undefined {
  const range = readRange(wire, context);
  if (range === undefined) return undefined;
  return {
    range,
    timeZone: wire.timeZone,
    ...(wire.calendars !== undefined && { calendars: [...new Set(wire.calendars)] }),
    ...(wire.maxStalenessMs !== undefined && { maxStalenessMs: wire.maxStalenessMs }),
  };
}

/** Reads `timeMin` and `timeMax` as a range; undefined, every problem naming its field, when they are none. */
export function readRange(
  wire: { timeMin: string; timeMax: string; timeZone: string },
  context: z.core.$RefinementCtx,
): Interval | undefined {
  const refuse = (field: 'timeMin' | 'timeMax', message: string) => {
    context.issues.push({ code: 'custom', path: [field], message, input: wire[field] });
    return undefined;
  };
  const readTime = (field: 'timeMin' | 'timeMax') => {
    const read = parseInstant(wire[field], wire.timeZone);
    return typeof read === 'number' ? read : refuse(field, INSTANT_MESSAGES[read]);
  };
  const startMs = readTime('timeMin');
  const endMs = readTime('timeMax');
  if (startMs === undefined || endMs === undefined) return undefined;
  if (endMs <= startMs) return refuse('timeMax', 'must be after timeMin');
  if (endMs > addYears(startMs, LONGEST_RANGE_YEARS, wire.timeZone))
    return refuse('timeMax', `must be within ${LONGEST_RANGE_YEARS} years of timeMin`);
  return { startMs, endMs };
}

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

/**
 * Turns what the provider said into the neutral answer to `question`, as of `asOfMs`. `held` is time that
 * is taken besides, whatever the provider says of it.
 */
export function answerQuestion(
  question: AvailabilityQuestion,
  report: BusyReport,
  asOfMs: number,
  held: readonly Interval[] = [],
): AvailabilityAnswer {
  const known = [...report.calendars.flatMap(({ busy }) => (busy.ok ? busy.value : [])), ...held];
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

/** How one calendar of several connectors answered. */
export type CalendarOfOne = AvailabilityAnswer['calendars'][number] & { connectorId: string };

/** The answer of several connectors: each calendar, and each stretch of working hours, names its own. */
export type JoinedAnswer = Omit<AvailabilityAnswer, 'calendars' | 'workingHours'> & {
  calendars: CalendarOfOne[];
  workingHours?: (WorkingHours & { connectorId: string })[];
};

/** What one of several connectors answered, or why it could not. */
export type AnswerOfOne = { connectorId: string } & (
  { answer: AvailabilityAnswer } | { error: { code: ErrorCode; message: string } }
);

/**
 * The answers of several connectors, of one person or of several, as one: busy wherever any is, as old as the
 * oldest. A connector that did not answer is a calendar that is `unavailable`, under the connector's id.
 */
export function joinAnswers(
  question: AvailabilityQuestion,
  answers: readonly AnswerOfOne[],
  startedAtMs: number,
): JoinedAnswer {
  const given = answers.flatMap((one) => ('answer' in one ? [one.answer] : []));
  const busy = given.flatMap((answer) =>
    answer.busy.map(({ start, end }) => ({ startMs: Date.parse(start), endMs: Date.parse(end) })),
  );
  const workingHours = answers.flatMap((one) =>
    'answer' in one
      ? (one.answer.workingHours ?? []).map((hours) => ({ ...hours, connectorId: one.connectorId }))
      : [],
  );
  const asOfMs = Math.min(startedAtMs, ...given.map(({ freshness }) => Date.parse(freshness.asOf)));
  return {
    busy: mergeIntervals(busy).map(({ startMs, endMs }) => ({
      start: formatInstant(startMs, question.timeZone),
      end: formatInstant(endMs, question.timeZone),
    })),
    ...(workingHours.length > 0 && { workingHours }),
    calendars: answers.flatMap((one) => {
      const { connectorId } = one;
      if ('answer' in one) return one.answer.calendars.map((calendar) => ({ connectorId, ...calendar }));
      return [{ connectorId, id: connectorId, status: 'unavailable' as const, error: one.error }];
    }),
    freshness: {
      source: given.some(({ freshness }) => freshness.source === 'mirror') ? 'mirror' : 'live',
      asOf: formatInstant(asOfMs, question.timeZone),
    },
  };
}
