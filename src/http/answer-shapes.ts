import * as z from 'zod';
import { type AvailabilityAnswer, type JoinedAnswer, WEEKDAYS } from '../domain/availability.ts';
import { type Connector, connectorStatusSchema, providerNameSchema } from '../domain/connector.ts';
import type { DeadLetter } from '../domain/dead-letter.ts';
import type { ChangesAnswer, EventsAnswer } from '../domain/event-list.ts';
import { errorCodeSchema, taskErrorSchema } from '../domain/failure.ts';
import type { MeetingTimesAnswer } from '../domain/meeting-times.ts';
import { eventDetailsSchema } from '../domain/mirror.ts';
import { type TaskReport, taskTypeSchema } from '../domain/task.ts';

// What the API answers, for its contract: no answer is checked against it as it leaves.

/** A connector. */
export const connectorSchema = z.object({
  connectorId: z.string(),
  userId: z.string(),
  provider: providerNameSchema,
  status: connectorStatusSchema,
  accountEmail: z.exactOptional(z.string()),
  tenantId: z.exactOptional(z.string()),
  scopes: z.array(z.string()),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
}) satisfies z.ZodType<Connector>;

const stretchSchema = z.object({
  start: z.iso.datetime({ offset: true }),
  end: z.iso.datetime({ offset: true }),
});

/** Whether a calendar could be read. */
export const calendarStatusSchema = z.object({
  id: z.string(),
  status: z.enum(['ok', 'unavailable']),
  error: z.exactOptional(z.object({ code: errorCodeSchema, message: z.string() })),
});

const workingHoursSchema = z.object({
  day: z.enum(WEEKDAYS),
  start: z.string(),
  end: z.string(),
  timeZone: z.string(),
});

const freshnessSchema = z.object({
  source: z.enum(['live', 'mirror']),
  asOf: z.iso.datetime({ offset: true }),
});

/** When an account is busy. */
export const availabilitySchema = z.object({
  busy: z.array(stretchSchema),
  workingHours: z.exactOptional(z.array(workingHoursSchema)),
  calendars: z.array(calendarStatusSchema),
  freshness: freshnessSchema,
}) satisfies z.ZodType<AvailabilityAnswer>;

/** When the people behind several connectors are busy. */
export const joinedAvailabilitySchema = availabilitySchema.extend({
  workingHours: z.exactOptional(z.array(workingHoursSchema.extend({ connectorId: z.string() }))),
  calendars: z.array(calendarStatusSchema.extend({ connectorId: z.string() })),
}) satisfies z.ZodType<JoinedAnswer>;

/** When a meeting would suit. */
export const meetingTimesSchema = z.object({
  suggestions: z.array(stretchSchema),
  timeZone: z.string(),
  workingHours: z.exactOptional(
    z.array(workingHoursSchema.extend({ connectorId: z.exactOptional(z.string()) })),
  ),
  calendars: z.array(calendarStatusSchema.extend({ connectorId: z.string() })),
  source: z.enum(['provider', 'computed']),
  freshness: freshnessSchema,
}) satisfies z.ZodType<MeetingTimesAnswer>;

/** Where a task stands. */
export const taskSchema = z.object({
  id: z.string(),
  type: taskTypeSchema,
  state: z.enum(['accepted', 'running', 'done', 'failed', 'parked']),
  attempts: z.int(),
  result: z.exactOptional(z.looseObject({})),
  error: z.exactOptional(taskErrorSchema),
}) satisfies z.ZodType<TaskReport>;

/** A message that could not be handed over. */
export const deadLetterSchema = z.object({
  id: z.string(),
  taskId: z.string(),
  taskType: z.exactOptional(z.string()),
  connectorId: z.exactOptional(z.string()),
  message: z.unknown(),
  failedAt: z.iso.datetime(),
  replayedAt: z.exactOptional(z.iso.datetime()),
}) satisfies z.ZodType<DeadLetter>;

/** A connector whose person has yet to sign in. */
export const startedSchema = z.object({
  connectorId: z.string(),
  status: connectorStatusSchema,
  authorizeUrl: z.url(),
  expiresAt: z.iso.datetime(),
});

const listedEventSchema = eventDetailsSchema.omit({ creationKey: true }).extend({
  eventId: z.string(),
  calendarId: z.string(),
  seriesId: z.exactOptional(z.string()),
  originalStart: z.exactOptional(z.string()),
  start: z.string(),
  end: z.string(),
  timeZone: z.string(),
  recurrence: z.exactOptional(z.array(z.string())),
});

const mirrorFreshnessSchema = freshnessSchema.extend({ source: z.literal('mirror') });

/** Which events are in the calendars. */
export const eventsSchema = z.object({
  events: z.array(listedEventSchema),
  calendars: z.array(calendarStatusSchema),
  freshness: mirrorFreshnessSchema,
}) satisfies z.ZodType<EventsAnswer>;

/** What has changed. */
export const changesSchema = z.object({
  changes: z.array(
    z.discriminatedUnion('change', [
      listedEventSchema.extend({ change: z.literal('changed') }),
      z.object({ change: z.literal('removed'), eventId: z.string(), calendarId: z.string() }),
    ]),
  ),
  cursor: z.string(),
  hasMore: z.boolean(),
  freshness: mirrorFreshnessSchema,
}) satisfies z.ZodType<ChangesAnswer>;
