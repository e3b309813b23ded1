import * as z from 'zod';
import { readRange } from './availability.ts';
import { type EventTime, type OriginalStart, presentTime } from './event.ts';
import type { ErrorCode } from './failure.ts';
import type { Interval } from './interval.ts';
import type { EventDetails, MirroredEvent } from './mirror.ts';
import { formatInstant, instantTextSchema, timeZoneSchema } from './time-zone.ts';

/** Which events, of which calendars: those that touch `range`, every occurrence of a series for itself. */
export interface EventsQuestion {
  /** Half-open, epoch milliseconds. */
  range: Interval;
  /** The zone in which the answer says how fresh it is. */
  timeZone: string;
  /** Absent: every calendar of the account that the person shows or owns. */
  calendars?: string[];
  /** How old the answer may be; absent: as old as it is. */
  maxStalenessMs?: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** The query of `GET …/events`: `timeMin`, `timeMax`, `timeZone` (UTC), `calendars` (repeated), `maxStalenessMs`. */
export const eventsRequestSchema = z
  .strictObject({
    timeMin: instantTextSchema,
    timeMax: instantTextSchema,
    timeZone: timeZoneSchema.default('UTC'),
    calendars: z.array(z.string().min(1).max(1024)).min(1).max(500).optional(),
    maxStalenessMs: z.int().min(0).max(DAY_MS).optional(),
  })
  .transform((wire, context): EventsQuestion => {
    const range = readRange(wire, context);
    if (range === undefined) return z.NEVER;
    return {
      range,
      timeZone: wire.timeZone,
      ...(wire.calendars !== undefined && { calendars: [...new Set(wire.calendars)] }),
      ...(wire.maxStalenessMs !== undefined && { maxStalenessMs: wire.maxStalenessMs }),
    };
  });

/** The query of `GET …/changes`: without `cursor`, everything. */
export const changesRequestSchema = z.strictObject({ cursor: z.exactOptional(z.string().min(1).max(4096)) });

/**
 * An event as callers are told of it. `start`, `end`: RFC 3339 in the event's own zone, or dates. An occurrence
 * that has no id of its own goes by its series' `eventId` and its `originalStart`, which `PATCH` and `DELETE` know as
 * `occurrence`; one that has is named by its own id, and its `seriesId`.
 */
export interface ListedEvent extends Omit<EventDetails, 'isBusy' | 'isPrivate' | 'creationKey'> {
  eventId: string;
  calendarId: string;
  seriesId?: string;
  originalStart?: string;
  start: string;
  end: string;
  timeZone: string;
  isBusy: boolean;
  isPrivate: boolean;
  /** RFC 5545 lines, of a series in a list of changes. */
  recurrence?: string[];
}

/** The answer of `GET …/events`. A calendar that is not in the mirror is `unavailable`: its events are not known. */
export interface EventsAnswer {
  events: ListedEvent[];
  calendars: { id: string; status: 'ok' | 'unavailable'; error?: { code: ErrorCode; message: string } }[];
  freshness: { source: 'mirror'; asOf: string };
}

/** Something that has changed: an event as it is now, or that it is gone. */
export type ListedChange =
  ({ change: 'changed' } & ListedEvent) | { change: 'removed'; eventId: string; calendarId: string };

/** The answer of `GET …/changes`: go on with `cursor`, at once where `hasMore`. */
export interface ChangesAnswer {
  changes: ListedChange[];
  cursor: string;
  hasMore: boolean;
  freshness: { source: 'mirror'; asOf: string };
}

/** How an event is told. `series`: of an occurrence, the series, which says what it does not say itself. */
export function listEvent(
  calendarId: string,
  event: MirroredEvent,
  series?: MirroredEvent,
  place: { time: EventTime; occurrence?: OriginalStart } = { time: event.time },
): ListedEvent {
  const details = event.details ?? series?.details ?? UNKNOWN;
  const { creationKey: _, ...told } = details;
  const original = place.occurrence ?? event.originalStart;
  const { timeZone } = place.time;
  return {
    eventId: event.eventId,
    calendarId,
    ...(event.seriesId !== undefined && { seriesId: event.seriesId }),
    ...(original !== undefined && {
      originalStart: original.kind === 'all-day' ? original.date : formatInstant(original.startMs, timeZone),
    }),
    ...presentTime(place.time),
    timeZone,
    ...told,
    ...(event.recurrence !== undefined && place.occurrence === undefined && { recurrence: event.recurrence }),
  };
}

/** What is said of an occurrence whose series is not known: it takes its time. */
const UNKNOWN: EventDetails = { status: 'confirmed', isBusy: true, isPrivate: true };
