import { Temporal } from 'temporal-polyfill';
import type { StoredEvent } from './calendar-store.ts';
import { dice } from './dice.ts';
import type { Dice } from './dice.ts';
import type { EventInput } from './event-input.ts';
import { isMaster, occurrencesWithin } from './occurrences.ts';
import type { ListedCalendar, Person } from './people.ts';

/** How much a person is to do, and the seed of what. */
export interface ChurnOptions {
  seed?: number;
  edits: number;
}

/** One thing that the person did. */
export interface Edit {
  readonly deed: string;
  readonly calendarId: string;
  readonly eventId: string;
}

// Zones whose clocks change, on either half of the earth and on different days.
const ZONES = [
  'Europe/Berlin',
  'Europe/London',
  'America/New_York',
  'America/Los_Angeles',
  'America/Santiago',
  'Australia/Sydney',
];
const WORDS = ['Review', 'Stand-up', 'Lunch', 'Interview', 'Planning', 'Workshop', 'Call', 'Dentist'];
const HOUR_MS = 3_600_000;

interface Desk {
  readonly person: Person;
  readonly chance: Dice;
  readonly nowMs: number;
  pick: <T>(items: readonly T[]) => T | undefined;
  whole: (least: number, most: number) => number;
}

type Deed = (desk: Desk, entry: ListedCalendar) => StoredEvent | undefined;

/**
 * Lets a person do as many things in the calendars they may write as `edits` says, at random by the seed. Events that a
 * client made under a name of its own, or hung something on, are left alone.
 */
export function churn(
  person: Person,
  rooms: { now: () => number; dice: Dice },
  { seed, edits }: ChurnOptions,
): Edit[] {
  const chance = seed === undefined ? rooms.dice : dice(seed);
  const whole = (least: number, most: number): number =>
    least + Math.floor(chance.roll() * (most - least + 1));
  const pick = <T>(items: readonly T[]): T | undefined => items[whole(0, items.length - 1)];
  const desk: Desk = { person, chance, nowMs: rooms.now(), pick, whole };
  const writable = person.calendars.filter(
    ({ accessRole }) => accessRole === 'owner' || accessRole === 'writer',
  );
  const done: Edit[] = [];
  while (done.length < edits) {
    const entry = pick(writable);
    if (entry === undefined) throw new Error(`${person.email} has no calendar to write in`);
    const deed = pick(LOTS) ?? 'add';
    const made = DEEDS[deed](desk, entry);
    // There may be nothing to do it to yet.
    const event = made ?? DEEDS.add(desk, entry);
    if (event === undefined) continue;
    done.push({ deed: made === undefined ? 'add' : deed, calendarId: entry.id, eventId: event.id });
  }
  return done;
}

const DEEDS = {
  add: (desk, entry) => add(desk, entry, timed(desk)),
  'add all-day': (desk, entry) => add(desk, entry, allDay(desk)),
  'add out of office': (desk, entry) => add(desk, entry, { ...timed(desk), showAs: 'oof' }),
  'add weekly': (desk, entry) => add(desk, entry, { ...some(desk), repeats: weekly(desk) }),
  'add daily': (desk, entry) => add(desk, entry, { ...some(desk), repeats: daily(desk) }),
  'add invitation': (desk, entry) =>
    add(desk, entry, { ...timed(desk), response: desk.pick(['accepted', 'none', 'tentative']) ?? 'none' }),
  move: (desk, entry) => {
    const event = desk.pick(standing(entry, ({ recurrence }) => recurrence === undefined));
    if (event === undefined) return undefined;
    const { start, end, timeZone } = event.span.kind === 'timed' ? timed(desk) : allDay(desk);
    return desk.person.changeEvent(entry.id, event.id, {
      start,
      ...(end === undefined ? {} : { end }),
      ...(timeZone === undefined ? {} : { timeZone }),
    });
  },
  'move series': (desk, entry) => {
    const series = desk.pick(standing(entry, isMaster));
    if (series === undefined) return undefined;
    return desk.person.changeEvent(entry.id, series.id, shifted(series, desk.whole(1, 3)));
  },
  rename: (desk, entry) => {
    const event = desk.pick(standing(entry, () => true));
    return event && desk.person.changeEvent(entry.id, event.id, { summary: summary(desk) });
  },
  delete: (desk, entry) => {
    const event = desk.pick(standing(entry, ({ recurrence }) => recurrence === undefined));
    return event && desk.person.removeEvent(entry.id, event.id);
  },
  'delete series': (desk, entry) => {
    const series = desk.pick(standing(entry, isMaster));
    return series && desk.person.removeEvent(entry.id, series.id);
  },
  'show otherwise': (desk, entry) => {
    const event = desk.pick(standing(entry, () => true));
    // Working elsewhere is a kind of event of its own at Google, which no event turns into.
    const showAs = desk.pick(['free', 'busy'] as const) ?? 'busy';
    return event && desk.person.changeEvent(entry.id, event.id, { showAs });
  },
  answer: (desk, entry) => {
    const event = desk.pick(
      standing(entry, ({ response, recurrence }) => response !== 'organizer' && recurrence === undefined),
    );
    const response = desk.pick(['declined', 'accepted', 'tentative'] as const) ?? 'declined';
    return event && desk.person.changeEvent(entry.id, event.id, { response });
  },
  'move occurrence': (desk, entry) => {
    const occurrence = anOccurrence(desk, entry);
    // Whole days would run into their neighbours.
    if (occurrence === undefined || occurrence.span.kind === 'all-day') return undefined;
    return desk.person.changeEvent(entry.id, occurrence.id, shifted(occurrence, desk.whole(1, 3)));
  },
  'cancel occurrence': (desk, entry) => {
    const occurrence = anOccurrence(desk, entry);
    return occurrence && desk.person.removeEvent(entry.id, occurrence.id);
  },
} satisfies Record<string, Deed>;

const LOTS: readonly (keyof typeof DEEDS)[] = [
  'add',
  'add',
  'add',
  'add all-day',
  'add out of office',
  'add weekly',
  'add daily',
  'add invitation',
  'move',
  'move',
  'move series',
  'rename',
  'delete',
  'delete',
  'delete series',
  'show otherwise',
  'answer',
  'move occurrence',
  'move occurrence',
  'cancel occurrence',
  'cancel occurrence',
];

function add({ person }: Desk, entry: ListedCalendar, input: EventInput): StoredEvent {
  return person.addEvent(entry.id, input);
}

function timed(desk: Desk): EventInput & { end: string } {
  const timeZone = desk.pick([...ZONES, desk.person.timeZone]) ?? 'UTC';
  // Now and then in the hours of the night in which clocks change.
  const hour = desk.chance.roll() < 0.15 ? desk.whole(0, 4) : desk.whole(8, 18);
  const start = someDay(desk)
    .toPlainDateTime({ hour, minute: 15 * desk.whole(0, 3) })
    .toZonedDateTime(timeZone);
  const end = start.add({ minutes: 15 * desk.whole(1, 8) });
  return {
    summary: summary(desk),
    start: start.toInstant().toString(),
    end: end.toInstant().toString(),
    timeZone,
  };
}

function allDay(desk: Desk): EventInput {
  const start = someDay(desk);
  const end = start.add({ days: desk.whole(1, 3) });
  return {
    summary: summary(desk),
    start: start.toString(),
    end: end.toString(),
    allDay: true,
    ...free(desk),
  };
}

// Series of whole days are of one day, so that they do not run into each other.
function some(desk: Desk): EventInput {
  if (desk.chance.roll() < 0.75) return timed(desk);
  const { end: _longer, ...day } = allDay(desk);
  return day;
}

function free(desk: Desk): { showAs?: 'free' } {
  return desk.chance.roll() < 0.3 ? { showAs: 'free' } : {};
}

function weekly(desk: Desk): NonNullable<EventInput['repeats']> {
  return { frequency: 'weekly', interval: desk.whole(1, 2), times: desk.whole(2, 20) };
}

function daily(desk: Desk): NonNullable<EventInput['repeats']> {
  return { frequency: 'daily', interval: desk.whole(1, 3), times: desk.whole(2, 12) };
}

// Mostly soon; sometimes as far off as the next change of the clocks.
function someDay({ chance, nowMs, whole }: Desk): Temporal.PlainDate {
  const days = chance.roll() < 0.7 ? whole(-5, 45) : whole(45, 200);
  return Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO('UTC').toPlainDate().add({ days });
}

function summary(desk: Desk): string {
  return `${desk.pick(WORDS) ?? 'Event'} ${String(desk.whole(1, 999))}`;
}

function shifted({ span }: StoredEvent, by: number): { start: string; end: string } {
  if (span.kind === 'timed') {
    const moved = (ms: number): string => new Date(ms + by * HOUR_MS).toISOString();
    return { start: moved(span.startMs), end: moved(span.endMs) };
  }
  const moved = (date: string): string => Temporal.PlainDate.from(date).add({ days: by }).toString();
  return { start: moved(span.startDate), end: moved(span.endDate) };
}

function standing({ calendar }: ListedCalendar, fits: (event: StoredEvent) => boolean): StoredEvent[] {
  return [...calendar.events.values()].filter(
    (event) =>
      event.status !== 'cancelled' &&
      event.occurrence === undefined &&
      event.key === undefined &&
      (event.marks ?? []).length === 0 &&
      fits(event),
  );
}

function anOccurrence(desk: Desk, entry: ListedCalendar): StoredEvent | undefined {
  const series = desk.pick(standing(entry, isMaster));
  if (series === undefined) return undefined;
  const always = { startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY };
  const all = occurrencesWithin(entry.calendar, series, always, entry.timeZone);
  return desk.pick(all.filter(({ status }) => status !== 'cancelled'));
}
