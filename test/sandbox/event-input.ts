import { Temporal } from 'temporal-polyfill';
import type { EventContent, EventSpan, OwnResponse, ShowAs, StoredEvent } from './calendar-store.ts';

/** How an event repeats: so many times, every day or on its weekday, or with an interval every so many. */
export interface Repeats {
  frequency: 'daily' | 'weekly';
  interval?: number;
  times: number;
}

/**
 * A new event. Times: RFC 3339 with an offset, or a local time that counts in `timeZone` (the calendar's by
 * default). With `allDay`, dates; the end is exclusive and may be left out for one day.
 */
export interface EventInput {
  id?: string;
  summary: string;
  description?: string;
  location?: string;
  start: string;
  end?: string;
  allDay?: boolean;
  timeZone?: string;
  status?: 'confirmed' | 'tentative' | 'cancelled';
  showAs?: ShowAs;
  transparency?: 'opaque' | 'transparent';
  declined?: boolean;
  response?: OwnResponse;
  isPrivate?: boolean;
  repeats?: Repeats;
}

/** What a person changes of an event. A start without an end keeps the event's length. */
export type EventChanges = Partial<Omit<EventInput, 'id' | 'repeats'>>;

/** What a new event says; how it repeats is the provider's affair (`series-input.ts`). */
export function readInput(input: EventInput, calendarZone: string): EventContent {
  return {
    summary: input.summary,
    ...(input.description === undefined ? {} : { description: input.description }),
    ...(input.location === undefined ? {} : { location: input.location }),
    span: spanOf(input, calendarZone),
    status: input.status ?? (input.showAs === 'tentative' ? 'tentative' : 'confirmed'),
    showAs: showAsOf(input),
    response: input.response ?? (input.declined === true ? 'declined' : 'organizer'),
    isPrivate: input.isPrivate ?? false,
  };
}

/** What an event says after a change. */
export function readChanges(event: StoredEvent, changes: EventChanges, calendarZone: string): EventContent {
  const { summary, description, location, isPrivate } = changes;
  const shows =
    changes.showAs ?? changes.transparency ?? changes.declined ?? changes.status ?? changes.response;
  const declines = changes.declined ?? changes.response === 'declined';
  const response = changes.response ?? (changes.declined === true ? 'declined' : event.response);
  return {
    ...event,
    ...(summary === undefined ? {} : { summary }),
    ...(description === undefined ? {} : { description }),
    ...(location === undefined ? {} : { location }),
    ...(isPrivate === undefined ? {} : { isPrivate }),
    span: changedSpan(event.span, changes, calendarZone),
    status: changes.status ?? event.status,
    showAs: shows === undefined ? event.showAs : showAsOf({ ...changes, declined: declines }),
    response,
  };
}

function changedSpan(span: EventSpan, changes: EventChanges, calendarZone: string): EventSpan {
  const { start, end, allDay, timeZone } = changes;
  if ((start ?? end ?? allDay ?? timeZone) === undefined) return span;
  const isAllDay = allDay ?? span.kind === 'all-day';
  if (isAllDay !== (span.kind === 'all-day') || start === undefined) {
    const startNow = start ?? startOf(span);
    return spanOf({ ...changes, start: startNow, allDay: isAllDay }, timeZone ?? zoneOf(span, calendarZone));
  }
  if (span.kind === 'all-day') {
    const length = Temporal.PlainDate.from(span.startDate).until(span.endDate);
    return spanOf(
      { start, end: end ?? Temporal.PlainDate.from(start).add(length).toString(), allDay: true },
      calendarZone,
    );
  }
  const zone = timeZone ?? span.timeZone;
  const startMs = instantMs(start, zone);
  const until = end ?? new Date(startMs + span.endMs - span.startMs).toISOString();
  return spanOf({ start, end: until, timeZone: zone }, calendarZone);
}

function startOf(span: EventSpan): string {
  return span.kind === 'all-day' ? span.startDate : new Date(span.startMs).toISOString();
}

function zoneOf(span: EventSpan, calendarZone: string): string {
  return span.kind === 'timed' ? span.timeZone : calendarZone;
}

function spanOf(
  input: Pick<EventInput, 'start' | 'end' | 'allDay' | 'timeZone'>,
  calendarZone: string,
): EventSpan {
  if (input.allDay === true) {
    const startDate = Temporal.PlainDate.from(input.start);
    const endDate = input.end === undefined ? startDate.add({ days: 1 }) : Temporal.PlainDate.from(input.end);
    if (Temporal.PlainDate.compare(endDate, startDate) <= 0)
      throw new RangeError('an all-day event needs a day');
    return { kind: 'all-day', startDate: startDate.toString(), endDate: endDate.toString() };
  }
  if (input.end === undefined) throw new RangeError('a timed event needs an end');
  const timeZone = input.timeZone ?? calendarZone;
  const startMs = instantMs(input.start, timeZone);
  const endMs = instantMs(input.end, timeZone);
  if (endMs < startMs) throw new RangeError('an event cannot end before it starts');
  return { kind: 'timed', startMs, endMs, timeZone };
}

/** A moment in epoch milliseconds: RFC 3339 with an offset, or a local time in `timeZone`. */
export function instantMs(text: string, timeZone: string): number {
  if (/(Z|[+-]\d\d:?\d\d)$/i.test(text)) return Temporal.Instant.from(text).epochMilliseconds;
  return Temporal.PlainDateTime.from(text).toZonedDateTime(timeZone).epochMilliseconds;
}

function showAsOf(
  input: Partial<Pick<EventInput, 'showAs' | 'transparency' | 'declined' | 'status'>>,
): ShowAs {
  if (input.showAs !== undefined) return input.showAs;
  if (input.transparency === 'transparent' || input.declined === true) return 'free';
  return input.status === 'tentative' ? 'tentative' : 'busy';
}
