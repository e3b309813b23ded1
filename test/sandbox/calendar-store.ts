import { Temporal } from 'temporal-polyfill';
import type { Dice } from './dice.ts';
import type { Change, JournalEntry } from './journal.ts';

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

/** A calendar and the events in it. */
export interface Calendar {
  readonly id: string;
  readonly name: string;
  readonly timeZone: string;
  readonly ownerEmail: string;
  readonly ownerName: string;
  /** Rises with every change of any event in it. */
  revision: number;
  /** Who asks what has changed since an earlier revision is not told: that has been forgotten. */
  oldestRevision: number;
  readonly events: Map<string, StoredEvent>;
  /** What has changed since the oldest revision, in order: see `journal.ts`. */
  readonly journal: JournalEntry[];
}

/** Hears of changes: those that one act made, together. */
export type ChangeListener = (calendar: Calendar, changes: readonly Change[]) => void;

/** A stretch of time in epoch milliseconds, half open. */
export interface Stretch {
  readonly startMs: number;
  readonly endMs: number;
}

/** All calendars of all people, by id, so that one can be in several people's lists. */
export class CalendarStore {
  readonly #calendars = new Map<string, Calendar>();
  readonly #listeners = new Set<ChangeListener>();
  readonly #dice: Dice;
  readonly #now: () => number;

  constructor(chance: Dice, now: () => number) {
    this.#dice = chance;
    this.#now = now;
  }

  /** The calendar of that id, made from `fresh` when there is none yet. */
  open(id: string, fresh: Pick<Calendar, 'name' | 'timeZone' | 'ownerEmail' | 'ownerName'>): Calendar {
    const known = this.#calendars.get(id);
    if (known !== undefined) return known;
    const calendar: Calendar = {
      ...fresh,
      id,
      revision: 1,
      oldestRevision: 1,
      events: new Map(),
      journal: [],
    };
    this.#calendars.set(id, calendar);
    return calendar;
  }

  /** Tells `listener` of every change after it was made; returns how to stop. */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Puts an event into a calendar. */
  insert(calendar: Calendar, names: { id?: string; iCalUid?: string }, content: EventContent): StoredEvent {
    const id = names.id ?? this.#dice.text(26);
    const nowMs = this.#now();
    const event: StoredEvent = {
      ...content,
      id,
      iCalUid: names.iCalUid ?? `${id}@sandbox.invalid`,
      createdMs: nowMs,
      updatedMs: nowMs,
      revision: calendar.revision + 1,
    };
    this.#tell(calendar, [this.#put(calendar, id, event)]);
    return event;
  }

  /** Replaces what an event says; it keeps its names. An occurrence becomes an exception. */
  replace(calendar: Calendar, event: StoredEvent, content: EventContent): StoredEvent {
    const changed = this.#renewed(calendar, event, content);
    this.#tell(calendar, [this.#put(calendar, event.id, changed)]);
    return changed;
  }

  /** Deletes an event: its tombstone stays. With the master of a series go its exceptions. */
  remove(calendar: Calendar, event: StoredEvent): StoredEvent {
    const changes: Change[] = [];
    const cancel = (one: StoredEvent): StoredEvent => {
      const tombstone = this.#renewed(calendar, one, { ...one, status: 'cancelled' });
      changes.push(this.#put(calendar, one.id, tombstone));
      return tombstone;
    };
    for (const exception of Array.from(calendar.events.values())) {
      if (exception.occurrence?.masterId === event.id && exception.status !== 'cancelled') cancel(exception);
    }
    const tombstone = cancel(event);
    this.#tell(calendar, changes);
    return tombstone;
  }

  /** Takes events away without a tombstone: only the journal knows of them. */
  forget(calendar: Calendar, ids: readonly string[]): void {
    const known = ids.filter((id) => calendar.events.has(id));
    if (known.length === 0) return;
    this.#tell(
      calendar,
      known.map((id) => this.#put(calendar, id, undefined)),
    );
  }

  /** Forgets what has changed until now: who knows the calendar from before has to read all of it. */
  forgetChanges(calendar: Calendar): void {
    calendar.revision += 1;
    calendar.oldestRevision = calendar.revision;
    calendar.journal.length = 0;
  }

  #renewed(calendar: Calendar, { id, iCalUid, createdMs }: StoredEvent, content: EventContent): StoredEvent {
    const updatedMs = this.#now();
    return { ...content, id, iCalUid, createdMs, updatedMs, revision: calendar.revision + 1 };
  }

  #put(calendar: Calendar, id: string, after: StoredEvent | undefined): Change {
    const change = { id, before: calendar.events.get(id), after };
    calendar.revision += 1;
    if (after === undefined) calendar.events.delete(id);
    else calendar.events.set(id, after);
    calendar.journal.push({ ...change, revision: calendar.revision });
    return change;
  }

  #tell(calendar: Calendar, changes: readonly Change[]): void {
    for (const listener of this.#listeners) listener(calendar, changes);
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
