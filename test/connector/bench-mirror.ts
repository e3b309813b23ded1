import type { EventDetails, MirroredCalendar, MirroredEvent } from '../../src/domain/mirror.ts';
import { HOUR_MS, START_MS } from './world.ts';

export const CALENDAR: MirroredCalendar = {
  id: 'primary@example.com',
  name: 'Mine',
  isPrimary: true,
  counts: true,
  isReadable: true,
  timeZone: 'Europe/Berlin',
};
export const TEAM: MirroredCalendar = { ...CALENDAR, id: 'team', name: 'Team', isPrimary: false };

/** What an event says that keeps the person busy. */
export const BUSY: EventDetails = { status: 'confirmed', isBusy: true, isPrivate: false };
export const FREE: EventDetails = { ...BUSY, isBusy: false };
export const CANCELLED: EventDetails = { ...BUSY, status: 'cancelled', isBusy: false };

/** An hour that begins so many hours after `START_MS`. */
export function hourAt(hours: number): Extract<MirroredEvent['time'], { kind: 'timed' }> {
  const startMs = START_MS + hours * HOUR_MS;
  return { kind: 'timed', startMs, endMs: startMs + HOUR_MS, timeZone: 'UTC' };
}

/** The stretch of an hour that begins so many hours after `START_MS`. */
export function spanAt(hours: number) {
  const { startMs, endMs } = hourAt(hours);
  return { startMs, endMs };
}

/** A single event of an hour. */
export function single(eventId: string, hours = 0, over: Partial<EventDetails> = {}): MirroredEvent {
  return { eventId, kind: 'single', time: hourAt(hours), details: { ...BUSY, summary: eventId, ...over } };
}

/** A series whose first occurrence is at that hour; without a rule, all its occurrences are told. */
export function series(
  eventId: string,
  hours: number,
  recurrence?: string[],
  details: EventDetails = BUSY,
): MirroredEvent {
  return {
    eventId,
    kind: 'series',
    time: hourAt(hours),
    ...(recurrence !== undefined && { recurrence }),
    details: { ...details, summary: eventId },
  };
}

/** An occurrence that is told for itself, of a series that had it at `originalHours`. Without details it inherits. */
export function occurrence(
  eventId: string,
  seriesId: string,
  hours: number,
  { originalHours = hours, details }: { originalHours?: number; details?: EventDetails } = {},
): MirroredEvent {
  return {
    eventId,
    kind: 'occurrence',
    seriesId,
    originalStart: { kind: 'timed', startMs: START_MS + originalHours * HOUR_MS },
    time: hourAt(hours),
    ...(details !== undefined && { details }),
  };
}
