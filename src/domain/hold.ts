import * as z from 'zod';
import { connectorIdSchema, connectorIdsSchema } from './connector.ts';
import {
  attendeesSchema,
  descriptionSchema,
  eventRecordSchema,
  idSchema,
  line,
  locationSchema,
  notifySchema,
  readTime,
  summarySchema,
  timeFields,
} from './event.ts';
import type { Interval } from './interval.ts';

/** How long a hold lasts when its caller does not say, and how long a cancel waits for a place that is late. */
export const DEFAULT_TTL_SECONDS = 900;
export const LONGEST_TTL_SECONDS = 7 * 24 * 60 * 60;

/** What a hold takes: half-open, epoch milliseconds. Without `calendarId`, on the account's primary calendar. */
export interface Slot extends Interval {
  timeZone: string;
  calendarId?: string;
}

/** A time to hold. With `onConflict: 'reject'` only if it is free, on `calendars` or else on every one that counts. */
export interface HoldRequest {
  holdId: string;
  /** The hold over several connectors that it is part of: its event is marked with that id. */
  groupId?: string;
  slot: Slot;
  ttlSeconds: number;
  onConflict: 'reject' | 'allow';
  calendars?: string[];
}

/** What a hold is to become. */
export interface HoldConfirmation {
  holdId: string;
  summary: string;
  description?: string;
  location?: string;
  /** Mail addresses. */
  attendees?: string[];
  notify: 'all' | 'none';
}

/**
 * A hold as callers are told of it; times RFC 3339. One that was cancelled before it was ever placed has
 * an id and nothing else. `groupId` is the hold over several connectors that it is part of. `event` is what a confirmed one has become.
 */
export const holdRecordSchema = z.object({
  holdId: z.string(),
  groupId: z.exactOptional(z.string()),
  state: z.enum(['held', 'cancelled', 'expired', 'confirmed']),
  eventId: z.exactOptional(z.string()),
  start: z.exactOptional(z.string()),
  end: z.exactOptional(z.string()),
  expiresAt: z.exactOptional(z.string()),
  event: z.exactOptional(eventRecordSchema),
});
export type HoldRecord = z.infer<typeof holdRecordSchema>;

/** A caller-chosen id of a hold. */
export const holdIdSchema = line(256).min(1, 'must not be empty');

const placeFields = {
  holdId: holdIdSchema,
  ...timeFields,
  ttlSeconds: z
    .int('must be a whole number of seconds')
    .min(1, 'must be at least 1')
    .max(LONGEST_TTL_SECONDS, `must be at most ${LONGEST_TTL_SECONDS}: a week`)
    .optional(),
  onConflict: z.enum(['reject', 'allow']).optional(),
};
const confirmFields = {
  summary: summarySchema,
  description: descriptionSchema.optional(),
  location: locationSchema.optional(),
  attendees: attendeesSchema.optional(),
  notify: notifySchema.optional(),
};

/** The specification's PlaceHoldRequest, and beyond it how long, where, and whether it must be free. */
export const placeHoldRequestSchema = z
  .strictObject({
    connectorId: connectorIdSchema.optional(),
    ...placeFields,
    groupId: holdIdSchema.optional(),
    calendarId: idSchema.optional(),
    calendars: z.array(idSchema).min(1).max(500).optional(),
  })
  .transform((wire, context): { connectorId?: string; request: HoldRequest } => {
    const stretch = readStretch(wire, context);
    if (stretch === undefined) return z.NEVER;
    const { connectorId, holdId, groupId, calendarId, calendars } = wire;
    return {
      ...(connectorId !== undefined && { connectorId }),
      request: {
        holdId,
        slot: { ...stretch, timeZone: wire.timeZone, ...(calendarId !== undefined && { calendarId }) },
        ttlSeconds: wire.ttlSeconds ?? DEFAULT_TTL_SECONDS,
        onConflict: wire.onConflict ?? 'reject',
        ...(groupId !== undefined && { groupId }),
        ...(calendars !== undefined && { calendars: [...new Set(calendars)] }),
      },
    };
  });

/** The payload of `cancel-hold`. `hasExpired`: it is let go because its time has run out, and is told as that. */
export const cancelHoldRequestSchema = z.strictObject({
  connectorId: connectorIdSchema.optional(),
  holdId: holdIdSchema,
  hasExpired: z.boolean().optional(),
});

/** The body of `POST …/holds/:holdId/confirm`: the id comes from the path. */
export const confirmationBodySchema = z.strictObject(confirmFields);

/** The payload of `confirm-hold`. */
export const confirmHoldRequestSchema = z
  .strictObject({ connectorId: connectorIdSchema.optional(), holdId: holdIdSchema, ...confirmFields })
  .transform(({ connectorId, ...wire }): { connectorId?: string; confirmation: HoldConfirmation } => ({
    ...(connectorId !== undefined && { connectorId }),
    confirmation: {
      holdId: wire.holdId,
      summary: wire.summary,
      notify: wire.notify ?? 'all',
      ...(wire.description !== undefined && { description: wire.description }),
      ...(wire.location !== undefined && { location: wire.location }),
      ...(wire.attendees !== undefined && { attendees: wire.attendees }),
    },
  }));

/** A time to hold on several connectors, all or none. */
export interface GroupHoldRequest {
  holdId: string;
  slots: { connectorId: string; calendarId?: string }[];
  start: string;
  end: string;
  timeZone: string;
  ttlSeconds: number;
  onConflict: 'reject' | 'allow';
}

/** The body of `POST /v1/holds`. */
export const groupHoldRequestSchema = z
  .strictObject({
    ...placeFields,
    slots: z
      .array(z.strictObject({ connectorId: connectorIdSchema, calendarId: z.exactOptional(idSchema) }))
      .superRefine((slots, context) => {
        const named = connectorIdsSchema.safeParse(slots.map(({ connectorId }) => connectorId));
        // What is wrong with a single one has been said above.
        for (const { message, path } of named.error?.issues ?? []) {
          if (path.length === 0) context.issues.push({ code: 'custom', message, input: slots });
        }
      }),
  })
  .transform((wire, context): GroupHoldRequest => {
    if (readStretch(wire, context) === undefined) return z.NEVER;
    const { holdId, slots, start, end, timeZone } = wire;
    return {
      holdId,
      slots,
      start,
      end,
      timeZone,
      ttlSeconds: wire.ttlSeconds ?? DEFAULT_TTL_SECONDS,
      onConflict: wire.onConflict ?? 'reject',
    };
  });

/** Where a hold over several connectors stands. `placing`, `confirming` and `releasing` go on by themselves. */
export const groupStateSchema = z.enum([
  'placing',
  'held',
  'confirming',
  'confirmed',
  'releasing',
  'cancelled',
  'expired',
]);

/**
 * A hold over several connectors as callers are told of it; times RFC 3339, each of `slots` as it stands on
 * its connector. `stuck`: the connector would not let it go, and what it has is still there.
 */
export const groupHoldRecordSchema = z.object({
  holdId: z.string(),
  state: groupStateSchema,
  start: z.exactOptional(z.string()),
  end: z.exactOptional(z.string()),
  expiresAt: z.exactOptional(z.string()),
  slots: z.array(
    z.object({
      connectorId: z.string(),
      calendarId: z.exactOptional(z.string()),
      state: z.enum(['waiting', 'held', 'confirmed', 'released', 'stuck']),
      eventId: z.exactOptional(z.string()),
      event: z.exactOptional(eventRecordSchema),
    }),
  ),
});
export type GroupHoldRecord = z.infer<typeof groupHoldRecordSchema>;

function readStretch(
  wire: { start: string; end: string; timeZone: string },
  context: z.core.$RefinementCtx,
): Interval | undefined {
  const time = readTime(wire, context);
  if (time === undefined) return undefined;
  if (time.kind === 'timed') return { startMs: time.startMs, endMs: time.endMs };
  const message = 'must be a date-time: a hold does not last whole days';
  context.issues.push({ code: 'custom', path: ['start'], message, input: wire.start });
  return undefined;
}
