import * as z from 'zod';
import { type EventTime, eventTimeSchema, type OriginalStart, originalStartSchema } from './event.ts';

export const mirroredCalendarSchema = z.object({
  id: z.string(),
  name: z.string(),
  isPrimary: z.boolean(),
  /** The person shows or owns it: it counts where nobody names calendars. */
  counts: z.boolean(),
  /** Its events can be listed; of others only busy times are told. */
  isReadable: z.boolean(),
  /** IANA: where its all-day events block their dates; absent where that is not known (a calendar of somebody else). */
  timeZone: z.exactOptional(z.string()),
});
/** A calendar of the account's list. */
export type MirroredCalendar = z.infer<typeof mirroredCalendarSchema>;

const whoSchema = z.object({ email: z.exactOptional(z.string()), name: z.exactOptional(z.string()) });

/** What an event says, as far as callers are told of it. */
export const eventDetailsSchema = z.object({
  /** `cancelled`: an occurrence that was taken out of its series. */
  status: z.enum(['confirmed', 'tentative', 'cancelled']),
  /** Whether it keeps the person busy, by the rules by which `readBusy` counts. */
  isBusy: z.boolean(),
  isPrivate: z.boolean(),
  summary: z.exactOptional(z.string()),
  description: z.exactOptional(z.string()),
  location: z.exactOptional(z.string()),
  organizer: z.exactOptional(whoSchema),
  attendees: z.exactOptional(
    z.array(
      whoSchema.extend({ response: z.enum(['accepted', 'declined', 'tentative', 'none', 'organizer']) }),
    ),
  ),
  iCalUid: z.exactOptional(z.string()),
  etag: z.exactOptional(z.string()),
  webLink: z.exactOptional(z.string()),
  conferenceLink: z.exactOptional(z.string()),
  /** The key of the creation that made it, where this worker did (`creation.ts`). */
  creationKey: z.exactOptional(z.string()),
});
export type EventDetails = z.infer<typeof eventDetailsSchema>;

/** An event as a mirror keeps it, in no provider's words. */
export interface MirroredEvent {
  eventId: string;
  /** `series`: the master of one; `occurrence`: one of its occurrences, told for itself. */
  kind: 'single' | 'series' | 'occurrence';
  /** Of an occurrence: its series. */
  seriesId?: string;
  /** Of an occurrence: when it would start by the rule. Absent where the provider does not tell it. */
  originalStart?: OriginalStart;
  /**
   * When it is; of a series, its first occurrence. `timeZone` of an all-day event: where it blocks its dates;
   * of a series, the zone whose clock its occurrences keep.
   */
  time: EventTime;
  /**
   * Of a series: the RRULE, RDATE, EXRULE and EXDATE lines from which its occurrences are to be worked out,
   * but for those that are told for themselves. A series without takes no time: all its occurrences are told.
   */
  recurrence?: string[];
  /** Absent of an occurrence that says what its series says. */
  details?: EventDetails;
}

/** When an event is and what it takes, without what it says: what questions for busy times need of it. */
export const eventSlotSchema = z.object({
  kind: z.enum(['single', 'series', 'occurrence']),
  seriesId: z.exactOptional(z.string()),
  originalStart: z.exactOptional(originalStartSchema),
  time: eventTimeSchema,
  recurrence: z.exactOptional(z.array(z.string())),
  /** Absent: as its series. */
  isBusy: z.exactOptional(z.boolean()),
  isCancelled: z.exactOptional(z.boolean()),
});
export type EventSlot = z.infer<typeof eventSlotSchema>;

/** The slot of an event. */
export function slotOf({
  kind,
  seriesId,
  originalStart,
  time,
  recurrence,
  details,
}: MirroredEvent): EventSlot {
  return {
    kind,
    time,
    ...(seriesId !== undefined && { seriesId }),
    ...(originalStart !== undefined && { originalStart }),
    ...(recurrence !== undefined && { recurrence }),
    ...(details !== undefined && { isBusy: details.isBusy }),
    ...(details?.status === 'cancelled' && { isCancelled: true }),
  };
}

/** How a connector's mirror stands, as it is shown in the database. Times are epoch milliseconds. */
export interface SyncStatus {
  /** Where each calendar has been read to, as JSON by its id. */
  cursor: string | null;
  status: 'idle' | 'syncing' | 'error';
  lastError: string | null;
  /** Runs that have failed in a row. */
  retryCount: number;
  nextRetryAtMs: number | null;
}
