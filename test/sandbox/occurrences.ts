import { RRuleTemporal } from 'rrule-temporal';
import { Temporal } from 'temporal-polyfill';
import { stretchOf } from './calendar-store.ts';
import type {
  Calendar,
  CalendarStore,
  EventSpan,
  OriginalStart,
  StoredEvent,
  Stretch,
} from './calendar-store.ts';

const DAY_MS = 24 * 3_600_000;
// Midnights are up to 14 hours from those of UTC, in which all-day series are counted.
const ZONE_SLACK_MS = DAY_MS;
// How far a question without an end reaches.
const HORIZON_MS = 3 * 366 * DAY_MS;

type Master = StoredEvent & { readonly recurrence: NonNullable<StoredEvent['recurrence']> };

/** Whether an event is the master of a series. */
export function isMaster(event: StoredEvent): event is Master {
  return event.recurrence !== undefined;
}

/**
 * The events of a calendar that touch `window`, in order of their start: of a series its occurrences, as they are
 * now. Tombstones are left out. All-day dates count from midnight to midnight in `timeZone`.
 */
export function eventsWithin(
  calendar: Calendar,
  window: Stretch,
  timeZone = calendar.timeZone,
): StoredEvent[] {
  return expandedWithin(calendar, window, timeZone).filter(({ status }) => status !== 'cancelled');
}

/** The same with tombstones: those of single events, of occurrences, and every occurrence of a deleted series. */
export function expandedWithin(calendar: Calendar, window: Stretch, timeZone: string): StoredEvent[] {
  const all = [...calendar.events.values()].flatMap((event) =>
    isMaster(event) ? unchangedWithin(calendar, event, window) : [event],
  );
  return touching(all, window, timeZone);
}

/** The occurrences of one series that touch `window`, tombstones too, in order of their start. */
export function occurrencesWithin(
  calendar: Calendar,
  master: StoredEvent,
  window: Stretch,
  timeZone: string,
): StoredEvent[] {
  if (!isMaster(master)) return [];
  const all = [...unchangedWithin(calendar, master, window), ...exceptionsOf(calendar, master)];
  return touching(all, window, timeZone);
}

/** The event of that id: one that is kept, or an occurrence that its series makes. */
export function eventById(calendar: Calendar, id: string): StoredEvent | undefined {
  const kept = calendar.events.get(id);
  if (kept !== undefined) return kept;
  const [, masterId = '', stamp = ''] = /^(.+)_(\d{8}(?:T\d{6}Z)?)$/.exec(id) ?? [];
  const master = calendar.events.get(masterId);
  if (master === undefined || !isMaster(master) || stamp === '') return undefined;
  const startMs = utcMs(stamp);
  if (startMs === undefined || startsWithin(master, startMs, startMs + 1).length === 0) return undefined;
  const occurrence = occurrenceAt(master, startMs);
  return occurrence.id === id ? occurrence : undefined;
}

/** The id of the occurrence that starts there by the rule, whether there is one or not. */
export function occurrenceId(masterId: string, original: OriginalStart): string {
  const stamp =
    original.kind === 'all-day'
      ? original.date.replaceAll('-', '')
      : new Date(original.startMs).toISOString().replace(/[-:]|\.\d+/g, '');
  return `${masterId}_${stamp}`;
}

/** The exceptions of a series: occurrences that were changed or, as tombstones, cancelled. */
export function exceptionsOf(calendar: Calendar, master: StoredEvent): StoredEvent[] {
  return [...calendar.events.values()].filter(({ occurrence }) => occurrence?.masterId === master.id);
}

/** Forgets the exceptions of a series that no longer has their original start. */
export function dropStrays(store: CalendarStore, calendar: Calendar, master: StoredEvent): void {
  const strays = exceptionsOf(calendar, master).filter(({ occurrence }) => {
    if (occurrence === undefined) return false;
    const { original } = occurrence;
    const startMs = original.kind === 'timed' ? original.startMs : dateMs(original.date);
    const fits =
      isMaster(master) &&
      (original.kind === 'all-day') === (master.span.kind === 'all-day') &&
      startsWithin(master, startMs, startMs + 1).length > 0;
    return !fits;
  });
  store.forget(
    calendar,
    strays.map(({ id }) => id),
  );
}

function unchangedWithin(calendar: Calendar, master: Master, window: Stretch): StoredEvent[] {
  const { span } = master;
  const lengthMs = span.kind === 'timed' ? span.endMs - span.startMs : lengthDays(span) * DAY_MS;
  const firstMs = anchorOf(master).epochMilliseconds;
  const fromMs = Math.max(window.startMs - lengthMs - ZONE_SLACK_MS, firstMs - HORIZON_MS);
  const toMs = Number.isFinite(window.endMs)
    ? window.endMs + ZONE_SLACK_MS
    : Math.max(fromMs, firstMs) + HORIZON_MS;
  const taken = new Set(exceptionsOf(calendar, master).map(({ id }) => id));
  return startsWithin(master, fromMs, toMs)
    .map((startMs) => occurrenceAt(master, startMs))
    .filter(({ id }) => !taken.has(id));
}

function touching(events: readonly StoredEvent[], window: Stretch, timeZone: string): StoredEvent[] {
  return events
    .map((event) => ({ event, stretch: stretchOf(event.span, timeZone) }))
    .filter(({ stretch }) => stretch.startMs < window.endMs && stretch.endMs > window.startMs)
    .toSorted(
      (one, other) =>
        one.stretch.startMs - other.stretch.startMs || one.event.id.localeCompare(other.event.id),
    )
    .map(({ event }) => event);
}

// Starts by the rules, from `fromMs` to before `toMs`; those of all-day series are midnights of UTC.
function startsWithin(master: Master, fromMs: number, toMs: number): number[] {
  const { lines, startsWithEvent } = master.recurrence;
  const anchor = anchorOf(master);
  const named = (name: string): string[] => lines.filter((line) => line.startsWith(name));
  const expand = (rule: string): number[] => {
    const rruleString = rule.replace(/^EXRULE/, 'RRULE');
    return new RRuleTemporal({
      rruleString,
      dtstart: anchor,
      includeDtstart: startsWithEvent,
      temporal: Temporal,
    })
      .between(new Date(fromMs), new Date(toMs), true)
      .map(({ epochMilliseconds }) => epochMilliseconds);
  };
  const rules = named('RRULE');
  const starts = new Set([
    ...rules.flatMap(expand),
    ...(rules.length === 0 ? [anchor.epochMilliseconds] : []),
    ...named('RDATE').flatMap((line) => readDates(line, master)),
  ]);
  for (const gone of named('EXDATE').flatMap((line) => readDates(line, master))) starts.delete(gone);
  for (const gone of named('EXRULE').flatMap(expand)) starts.delete(gone);
  return [...starts].filter((ms) => ms >= fromMs && ms < toMs).toSorted((one, other) => one - other);
}

function anchorOf({ span, recurrence }: Master): Temporal.ZonedDateTime {
  return span.kind === 'timed'
    ? Temporal.Instant.fromEpochMilliseconds(span.startMs).toZonedDateTimeISO(recurrence.timeZone)
    : Temporal.PlainDate.from(span.startDate).toZonedDateTime('UTC');
}

// The moments of an RDATE or EXDATE line; of a period only its start counts.
function readDates(line: string, { span, recurrence }: Master): number[] {
  const [, parameters = '', values = ''] = /^[A-Z]+((?:;[^:;]+)*):(.*)$/.exec(line) ?? [];
  const zone = /;TZID=([^;]+)/.exec(parameters)?.[1] ?? recurrence.timeZone;
  return values.split(',').flatMap((value) => {
    const text = value.split('/', 1)[0] ?? '';
    if (span.kind === 'all-day') return utcMs(text.slice(0, 8)) ?? [];
    if (text.endsWith('Z')) return utcMs(text) ?? [];
    return Temporal.PlainDateTime.from(text).toZonedDateTime(zone).epochMilliseconds;
  });
}

function occurrenceAt(master: Master, startMs: number): StoredEvent {
  const { recurrence: _, ...content } = master;
  const { span } = content;
  const date = new Date(startMs).toISOString().slice(0, 10);
  const original: OriginalStart =
    span.kind === 'timed' ? { kind: 'timed', startMs } : { kind: 'all-day', date };
  const shifted: EventSpan =
    span.kind === 'timed'
      ? { ...span, startMs, endMs: startMs + span.endMs - span.startMs }
      : {
          kind: 'all-day',
          startDate: date,
          endDate: Temporal.PlainDate.from(date)
            .add({ days: lengthDays(span) })
            .toString(),
        };
  const occurrence = { masterId: master.id, original };
  return { ...content, id: occurrenceId(master.id, original), span: shifted, occurrence };
}

function lengthDays({ startDate, endDate }: EventSpan & { kind: 'all-day' }): number {
  return Temporal.PlainDate.from(startDate).until(endDate, { largestUnit: 'days' }).days;
}

function dateMs(date: string): number {
  return Temporal.PlainDate.from(date).toZonedDateTime('UTC').epochMilliseconds;
}

// A stamp of RFC 5545 in UTC, or a date as its midnight there; undefined when there is no such time.
function utcMs(stamp: string): number | undefined {
  try {
    return stamp.endsWith('Z')
      ? Temporal.Instant.from(stamp).epochMilliseconds
      : Temporal.PlainDate.from(stamp).toZonedDateTime('UTC').epochMilliseconds;
  } catch {
    return undefined;
  }
}
