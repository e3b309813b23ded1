import { Temporal } from 'temporal-polyfill';
import type { Dice } from './dice.ts';

/** When an event is: an exact stretch of time, or whole dates (the end date exclusive). */
export type EventSpan =
  | { readonly kind: 'timed'; readonly startMs: number; readonly endMs: number; readonly timeZone: string }
  | { readonly kind: 'all-day'; readonly startDate: string; readonly endDate: string };

/** When an occurrence would start by the rule of its series, wherever it has been moved since. */
export type OriginalStart =
  { readonly kind: 'timed'; readonly startMs: number } | { readonly kind: 'all-day'; readonly date: string };

/** How a series recurs. */
export interface Recurrence {
  /** RRULE, EXRULE, RDATE and EXDATE lines of RFC 5545. */
  readonly lines: readonly string[];
  /** The zone whose clock the occurrences keep; of no account for all-day series. */
  readonly timeZone: string;
  /** Whether the event's own start counts as an occurrence even where the rule leaves it out. */
  readonly startsWithEvent: boolean;
}

/** How an event shows in free/busy. */
export type ShowAs = 'free' | 'tentative' | 'busy' | 'oof' | 'workingElsewhere' | 'unknown';

/** The calendar owner's own answer to an event. */
export type OwnResponse = 'organizer' | 'accepted' | 'declined' | 'tentative' | 'none';

/** Someone invited, and their answer. */
export interface Attendee {
  readonly email: string;
  readonly name?: string;
  readonly kind: 'required' | 'optional' | 'resource';
  readonly response: 'accepted' | 'declined' | 'tentative' | 'none';
}

/** A value that a client hung on an event, to find it again by: an extended property. */
export interface Mark {
  readonly id: string;
  readonly value: string;
}

/** One event, told in neither provider's words. A deleted event stays as `cancelled`, a tombstone. */
export interface StoredEvent {
  readonly id: string;
  readonly iCalUid: string;
  readonly summary: string;
  readonly description?: string;
  readonly location?: string;
  readonly span: EventSpan;
  readonly status: 'confirmed' | 'tentative' | 'cancelled';
  readonly showAs: ShowAs;
  readonly response: OwnResponse;
  readonly isPrivate: boolean;
  readonly attendees?: readonly Attendee[];
  readonly marks?: readonly Mark[];
  /** The client's own name for it: the id it chose, or its transactionId. */
  readonly key?: string;
  /** The master of a series has this; its span is that of the first occurrence. */
  readonly recurrence?: Recurrence;
  /** An occurrence has this. Only exceptions are kept: occurrences that were changed, or cancelled as tombstones. */
  readonly occurrence?: { readonly masterId: string; readonly original: OriginalStart };
  /** Properties that only its provider has, as that provider tells them. */
  readonly own?: Readonly<Record<string, unknown>>;
  readonly createdMs: number;
  readonly updatedMs: number;
  /** Rises with every change; both providers' ETags are made of it. */
  readonly revision: number;
}

/** What a client may say of an event; the store adds the rest. */
export type EventContent = Omit<StoredEvent, 'id' | 'iCalUid' | 'createdMs' | 'updatedMs' | 'revision'>;

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
}

/** A calendar and the events in it. */
export interface Calendar {
  readonly id: string;
  readonly name: string;
  readonly timeZone: string;
  readonly ownerEmail: string;
  readonly ownerName: string;
  /** Rises with every change of any event in it. */
  revision: number;
  readonly events: Map<string, StoredEvent>;
}

/** A stretch of time in epoch milliseconds, half open. */
export interface Stretch {
  readonly startMs: number;
  readonly endMs: number;
}

/** All calendars of all people, by id, so that one can be in several people's lists. */
export class CalendarStore {
  readonly #calendars = new Map<string, Calendar>();
  readonly #dice: Dice;
  readonly #now: () => number;

  constructor(chance: Dice, now: () => number) {
    this.#dice = chance;
    this.#now = now;
  }

  /** The calendar of that id, made from `fresh` when there is none yet. */
  open(id: string, fresh: Omit<Calendar, 'id' | 'revision' | 'events'>): Calendar {
    const known = this.#calendars.get(id);
    if (known !== undefined) return known;
    const calendar: Calendar = { ...fresh, id, revision: 1, events: new Map() };
    this.#calendars.set(id, calendar);
    return calendar;
  }

  /** Puts an event into a calendar. */
  add(calendar: Calendar, input: EventInput): StoredEvent {
    const id = input.id ?? this.#dice.text(26);
    const nowMs = this.#now();
    calendar.revision += 1;
    const event: StoredEvent = {
      id,
      iCalUid: `${id}@sandbox.invalid`,
      summary: input.summary,
      ...(input.description === undefined ? {} : { description: input.description }),
      ...(input.location === undefined ? {} : { location: input.location }),
      span: spanOf(input, calendar.timeZone),
      status: input.status ?? (input.showAs === 'tentative' ? 'tentative' : 'confirmed'),
      showAs: showAsOf(input),
      response: input.response ?? (input.declined === true ? 'declined' : 'organizer'),
      isPrivate: input.isPrivate ?? false,
      createdMs: nowMs,
      updatedMs: nowMs,
      revision: calendar.revision,
    };
    calendar.events.set(id, event);
    return event;
  }

  /** Puts a client's event into a calendar. */
  insert(calendar: Calendar, names: { id?: string; iCalUid?: string }, content: EventContent): StoredEvent {
    const id = names.id ?? this.#dice.text(26);
    const nowMs = this.#now();
    calendar.revision += 1;
    const event: StoredEvent = {
      ...content,
      id,
      iCalUid: names.iCalUid ?? `${id}@sandbox.invalid`,
      createdMs: nowMs,
      updatedMs: nowMs,
      revision: calendar.revision,
    };
    calendar.events.set(id, event);
    return event;
  }

  /** Replaces what an event says; it keeps its names. An occurrence becomes an exception. */
  replace(calendar: Calendar, event: StoredEvent, content: EventContent): StoredEvent {
    calendar.revision += 1;
    const { id, iCalUid, createdMs } = event;
    const changed: StoredEvent = {
      ...content,
      id,
      iCalUid,
      createdMs,
      updatedMs: this.#now(),
      revision: calendar.revision,
    };
    calendar.events.set(id, changed);
    return changed;
  }

  /** Deletes an event: its tombstone stays. With the master of a series go its exceptions. */
  remove(calendar: Calendar, event: StoredEvent): StoredEvent {
    for (const exception of Array.from(calendar.events.values())) {
      if (exception.occurrence?.masterId === event.id && exception.status !== 'cancelled') {
        this.replace(calendar, exception, { ...exception, status: 'cancelled' });
      }
    }
    return this.replace(calendar, event, { ...event, status: 'cancelled' });
  }
}

/** Those of the invited who get mail: everyone but the calendar's owner. */
export function guestsOf(calendar: Calendar, attendees: readonly Attendee[] = []): Attendee[] {
  const owner = calendar.ownerEmail.toLowerCase();
  return attendees.filter(({ email }) => email.toLowerCase() !== owner);
}

/** The time an event takes, all-day dates counted from midnight to midnight in `timeZone`. */
export function stretchOf(span: EventSpan, timeZone: string): Stretch {
  if (span.kind === 'timed') return { startMs: span.startMs, endMs: span.endMs };
  return { startMs: midnightMs(span.startDate, timeZone), endMs: midnightMs(span.endDate, timeZone) };
}

/** Overlapping and touching stretches joined into one, in order. */
export function mergeStretches(stretches: readonly Stretch[]): Stretch[] {
  const merged: Stretch[] = [];
  for (const next of stretches.toSorted((one, other) => one.startMs - other.startMs)) {
    const last = merged.at(-1);
    if (last !== undefined && next.startMs <= last.endMs) {
      merged[merged.length - 1] = { startMs: last.startMs, endMs: Math.max(last.endMs, next.endMs) };
    } else merged.push(next);
  }
  return merged;
}

function midnightMs(date: string, timeZone: string): number {
  return Temporal.PlainDate.from(date).toZonedDateTime({ timeZone }).epochMilliseconds;
}

function spanOf(input: EventInput, calendarZone: string): EventSpan {
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

function instantMs(text: string, timeZone: string): number {
  if (/(Z|[+-]\d\d:?\d\d)$/i.test(text)) return Temporal.Instant.from(text).epochMilliseconds;
  return Temporal.PlainDateTime.from(text).toZonedDateTime(timeZone).epochMilliseconds;
}

function showAsOf(input: EventInput): ShowAs {
  if (input.showAs !== undefined) return input.showAs;
  if (input.transparency === 'transparent' || input.declined === true) return 'free';
  return input.status === 'tentative' ? 'tentative' : 'busy';
}
