import * as z from 'zod';
import {
  type AnswerOfOne,
  type AvailabilityAnswer,
  type AvailabilityQuestion,
  type CalendarOfOne,
  joinAnswers,
  readRange,
  WEEKDAYS,
  type WorkingHours,
} from './availability.ts';
import { connectorIdSchema, connectorIdsSchema } from './connector.ts';
import {
  clipIntervals,
  intersectIntervals,
  type Interval,
  mergeIntervals,
  subtractIntervals,
} from './interval.ts';
import { addDays, formatInstant, instantTextSchema, splitByOffset, timeZoneSchema } from './time-zone.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Every answer is read live, so that a question may not be wider than one reading of a schedule. */
const LONGEST_RANGE_DAYS = 62;

/** Suggestions begin on the half hour; meetings shorter than that, on the quarter. */
const GRID_MS = 30 * MINUTE_MS;
const FINE_GRID_MS = 15 * MINUTE_MS;

const TIME_OF_DAY = /^(?:[01]\d|2[0-3]):[0-5]\d$/;
const workingHoursSchema = z
  .strictObject({
    day: z.enum(WEEKDAYS),
    start: z.string().regex(TIME_OF_DAY, 'must be a time of day, such as 09:00'),
    end: z
      .string()
      .refine((time) => time === '24:00' || TIME_OF_DAY.test(time), 'must be a time of day, such as 17:00'),
    timeZone: timeZoneSchema.optional(),
  })
  .refine(({ start, end }) => start !== end, {
    path: ['end'],
    message: 'must differ from start; a whole day is 00:00 to 24:00',
  });

const questionFields = {
  timeMin: instantTextSchema,
  timeMax: instantTextSchema,
  timeZone: timeZoneSchema,
  durationMinutes: z.int().min(5).max(1440),
  limit: z.int().min(1).max(100).default(10),
  workingHours: z
    .union([z.literal('ignore'), z.array(workingHoursSchema).min(1).max(100)], {
      error: 'must be "ignore", or a list of {day, start, end, timeZone?}',
    })
    .optional(),
};
const wireQuestionSchema = z.strictObject({
  connectorId: connectorIdSchema.optional(),
  ...questionFields,
  calendars: z.array(z.string().min(1).max(1024)).min(1).max(500).optional(),
});
const wireQuestionOfAllSchema = z.strictObject({ connectorIds: connectorIdsSchema, ...questionFields });

/**
 * When can they meet for `durationMs`? `range` is half-open, epoch milliseconds; at most `limit` times
 * are wanted. Without `calendars`, every calendar of the account that the person shows or owns counts.
 * Without `workingHours`, each person is bound by their own as far as those are known; `ignore` binds
 * nobody; a list binds everybody.
 */
export interface MeetingTimesQuestion {
  range: Interval;
  timeZone: string;
  durationMs: number;
  limit: number;
  calendars?: string[];
  workingHours?: WorkingHours[] | 'ignore';
}

/**
 * The body of `POST /v1/connectors/:id/meeting-times`. A `connectorId` inside is kept for the caller to
 * compare. Every problem names its field.
 */
export const meetingTimesRequestSchema = wireQuestionSchema.transform(
  (wire, context): { connectorId?: string; question: MeetingTimesQuestion } => {
    const question = readQuestion(wire, context);
    if (question === undefined) return z.NEVER;
    return { ...(wire.connectorId !== undefined && { connectorId: wire.connectorId }), question };
  },
);

/** The body of `POST /v1/meeting-times`: the same question about several connectors. */
export const meetingTimesOfAllRequestSchema = wireQuestionOfAllSchema.transform(
  ({ connectorIds, ...wire }, context): { connectorIds: string[]; question: MeetingTimesQuestion } => {
    const question = readQuestion(wire, context);
    return question === undefined ? z.NEVER : { connectorIds, question };
  },
);

function readQuestion(
  wire: Omit<z.infer<typeof wireQuestionSchema>, 'connectorId'>,
  context: z.core.$RefinementCtx,
): MeetingTimesQuestion | undefined {
  const range = readRange(wire, context);
  if (range === undefined) return undefined;
  const { timeZone, durationMinutes, limit, calendars, workingHours } = wire;
  const refuse = (field: 'timeMax' | 'durationMinutes', message: string) => {
    context.issues.push({ code: 'custom', path: [field], message, input: wire[field] });
    return undefined;
  };
  if (range.endMs > addDays(range.startMs, LONGEST_RANGE_DAYS, timeZone))
    return refuse('timeMax', `must be within ${LONGEST_RANGE_DAYS} days of timeMin`);
  const durationMs = durationMinutes * MINUTE_MS;
  if (durationMs > range.endMs - range.startMs)
    return refuse('durationMinutes', 'must fit between timeMin and timeMax');
  return {
    range,
    timeZone,
    durationMs,
    limit,
    ...(calendars !== undefined && { calendars: [...new Set(calendars)] }),
    ...(workingHours !== undefined && {
      workingHours:
        workingHours === 'ignore'
          ? workingHours
          : // Hours without a zone are those of the zone that is asked in.
            workingHours.map((hours) => ({ ...hours, timeZone: hours.timeZone ?? timeZone })),
    }),
  };
}

/**
 * The neutral answer. `suggestions` are RFC 3339 in the asked zone, soonest first; there are none when a
 * calendar that counts is `unavailable`, because what is unknown is never free. `workingHours` are those
 * that bind the suggestions, the person's connector named where they are somebody's own; absent when none
 * are known or they are ignored, so that all of the range counted. `source`: whose choice the suggestions
 * are, the provider's or this worker's.
 */
export interface MeetingTimesAnswer {
  suggestions: { start: string; end: string }[];
  timeZone: string;
  workingHours?: (WorkingHours & { connectorId?: string })[];
  calendars: CalendarOfOne[];
  source: 'provider' | 'computed';
  freshness: AvailabilityAnswer['freshness'];
}

/** What has to be known of each account: its busy times as they are now. */
export function availabilityBehind({
  range,
  timeZone,
  calendars,
}: MeetingTimesQuestion): AvailabilityQuestion {
  return { range, timeZone, maxStalenessMs: 0, ...(calendars !== undefined && { calendars }) };
}

/** What else the suggestions depend on. `suggested`: the provider's own choice, where it has made one. */
export interface MeetingTimesTerms {
  /** The instant before the first call, epoch milliseconds. */
  startedAtMs: number;
  /** Nothing that begins before this is suggested, epoch milliseconds. */
  nowMs: number;
  suggested?: readonly Interval[];
}

/**
 * Answers `question` from what each account has answered to `availabilityBehind` it. The provider's
 * choice counts as far as it keeps to the same terms as one of ours (free in every calendar, within the
 * working hours, on the grid); where nothing of it does, the suggestions are computed.
 */
export function answerMeetingTimes(
  question: MeetingTimesQuestion,
  answers: readonly AnswerOfOne[],
  { startedAtMs, nowMs, suggested = [] }: MeetingTimesTerms,
): MeetingTimesAnswer {
  const { timeZone, range, durationMs, limit } = question;
  const { busy, calendars, freshness } = joinAnswers(availabilityBehind(question), answers, startedAtMs);
  const hours = bindingHours(question, answers);
  const isKnown = calendars.length > 0 && calendars.every(({ status }) => status === 'ok');
  const starts = listStarts({
    range: { startMs: Math.max(range.startMs, nowMs), endMs: range.endMs },
    timeZone,
    durationMs,
    busy: busy.map(({ start, end }) => ({ startMs: Date.parse(start), endMs: Date.parse(end) })),
    hours: hours.map(({ hours: ofOne }) => ofOne),
  });
  const chosenByProvider = new Set(suggested.map(({ startMs }) => startMs));
  const usable = starts.filter(({ startMs }) => chosenByProvider.has(startMs));
  const isProviders = isKnown && usable.length > 0;
  const times = isKnown ? chooseTimes(isProviders ? usable : starts, durationMs, limit) : [];
  const told = hours.flatMap(({ connectorId, hours: ofOne }) =>
    ofOne.map((entry) => ({ ...(connectorId !== undefined && { connectorId }), ...entry })),
  );
  return {
    suggestions: times.map(({ startMs, endMs }) => ({
      start: formatInstant(startMs, timeZone),
      end: formatInstant(endMs, timeZone),
    })),
    timeZone,
    ...(told.length > 0 && { workingHours: told }),
    calendars,
    source: isProviders ? 'provider' : 'computed',
    freshness,
  };
}

/** The working hours that all of which must be kept: those that were given, or each person's own. */
function bindingHours(
  { workingHours }: MeetingTimesQuestion,
  answers: readonly AnswerOfOne[],
): { connectorId?: string; hours: WorkingHours[] }[] {
  if (workingHours === 'ignore') return [];
  if (workingHours !== undefined) return [{ hours: workingHours }];
  return answers.flatMap((one) =>
    'answer' in one && one.answer.workingHours !== undefined
      ? [{ connectorId: one.connectorId, hours: one.answer.workingHours }]
      : [],
  );
}

/** A time at which a meeting could begin. `day` counts local days of the asked zone. */
export interface PossibleStart {
  startMs: number;
  day: number;
}

/** What a meeting has to keep to. `hours`: those of each person whose are known, all of which bind. */
export interface Constraints {
  range: Interval;
  timeZone: string;
  durationMs: number;
  busy: readonly Interval[];
  hours: readonly (readonly WorkingHours[])[];
}

/**
 * Every time at which the whole meeting fits into the range, is within everybody's working hours and
 * meets nothing busy, in order. On a grid of the local clock in the asked zone: half hours, or quarters
 * for a meeting of less than half an hour. When clocks go back, both passes of an hour count.
 */
export function listStarts({ range, timeZone, durationMs, busy, hours }: Constraints): PossibleStart[] {
  const gridMs = durationMs < GRID_MS ? FINE_GRID_MS : GRID_MS;
  const open = hours.reduce<Interval[]>(
    (rest, ofOne) => intersectIntervals(rest, expandWorkingHours(ofOne, range)),
    [range],
  );
  const free = subtractIntervals(open, busy);
  return splitByOffset(range, timeZone).flatMap(({ startMs, endMs, offsetMs }) =>
    free.flatMap((stretch) => {
      const starts: PossibleStart[] = [];
      // The start lies in this piece; the meeting may well go on into the next.
      const lastMs = Math.min(stretch.endMs - durationMs, endMs - 1) + offsetMs;
      const firstMs = Math.ceil((Math.max(stretch.startMs, startMs) + offsetMs) / gridMs) * gridMs;
      for (let localMs = firstMs; localMs <= lastMs; localMs += gridMs)
        starts.push({ startMs: localMs - offsetMs, day: Math.floor(localMs / DAY_MS) });
      return starts;
    }),
  );
}

/**
 * The parts of `range` in which a clock in the hours' own zone shows a time that is in them: sorted and
 * disjoint. Hours that end before they start go on into the next day; such as have no length, and an
 * empty list, hold no time. An hour that clocks skip is lost to them, one that is passed twice counts twice.
 */
export function expandWorkingHours(hours: readonly WorkingHours[], range: Interval): Interval[] {
  return mergeIntervals(
    hours.flatMap(({ day, start, end, timeZone }) => {
      const weekday = WEEKDAYS.indexOf(day);
      const [fromMs, untilMs] = [timeOfDayMs(start), timeOfDayMs(end)];
      const lengthMs = untilMs - fromMs + (untilMs < fromMs ? DAY_MS : 0);
      return splitByOffset(range, timeZone).flatMap((piece) => {
        const stretches: Interval[] = [];
        const lastDay = Math.floor((piece.endMs + piece.offsetMs) / DAY_MS);
        // From the day before: its hours may reach into the first.
        for (let date = Math.floor((piece.startMs + piece.offsetMs) / DAY_MS) - 1; date <= lastDay; date++) {
          if (weekdayOf(date) !== weekday) continue;
          const startMs = date * DAY_MS + fromMs - piece.offsetMs;
          stretches.push({ startMs, endMs: startMs + lengthMs });
        }
        return clipIntervals(stretches, piece);
      });
    }),
  );
}

/** The day of the week of a day counted from 1970-01-01, which was a Thursday; Monday is 0. */
function weekdayOf(date: number): number {
  return (((date + 3) % 7) + 7) % 7;
}

function timeOfDayMs(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return (hours * 60 + minutes) * MINUTE_MS;
}

/**
 * At most `limit` of the possible times, none overlapping another, in order. They are spread over the
 * days: each day gives its first before any gives its second, and so on; the soonest is always among them.
 */
export function chooseTimes(starts: readonly PossibleStart[], durationMs: number, limit: number): Interval[] {
  const ranked: (Interval & { rank: number })[] = [];
  const given = new Map<number, number>();
  for (const { startMs, day } of starts) {
    if (startMs < (ranked.at(-1)?.endMs ?? -Infinity)) continue;
    const rank = given.get(day) ?? 0;
    given.set(day, rank + 1);
    ranked.push({ startMs, endMs: startMs + durationMs, rank });
  }
  return ranked
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, limit)
    .toSorted((a, b) => a.startMs - b.startMs)
    .map(({ startMs, endMs }) => ({ startMs, endMs }));
}
