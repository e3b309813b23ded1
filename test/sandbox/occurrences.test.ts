import * as fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, test } from 'vitest';
import { CalendarStore } from './calendar-store.ts';
import type { Calendar, EventSpan, StoredEvent } from './calendar-store.ts';
import { dice } from './dice.ts';
import { dropStrays, eventById, eventsWithin, occurrencesWithin } from './occurrences.ts';

const BERLIN = 'Europe/Berlin';
const ms = (text: string): number => Temporal.Instant.from(text).epochMilliseconds;
const window = (from: string, to: string): { startMs: number; endMs: number } => ({
  startMs: ms(from),
  endMs: ms(to),
});
const AUTUMN = window('2026-10-01T00:00:00Z', '2027-01-01T00:00:00Z');

interface Desk {
  readonly store: CalendarStore;
  readonly calendar: Calendar;
  readonly series: StoredEvent;
}

function desk(lines: string[], span: EventSpan, { startsWithEvent = true, timeZone = BERLIN } = {}): Desk {
  const store = new CalendarStore(dice(1), () => 0);
  const calendar = store.open('c', { name: 'c', timeZone, ownerEmail: 'a@example.com', ownerName: 'A' });
  const series = store.insert(
    calendar,
    { id: 'series' },
    {
      summary: 'Series',
      span,
      status: 'confirmed',
      showAs: 'busy',
      response: 'organizer',
      isPrivate: false,
      recurrence: { lines, timeZone, startsWithEvent },
    },
  );
  return { store, calendar, series };
}

const timed = (start: string, minutes = 60): EventSpan => ({
  kind: 'timed',
  startMs: ms(start),
  endMs: ms(start) + minutes * 60_000,
  timeZone: BERLIN,
});
const days = (startDate: string, endDate: string): EventSpan => ({ kind: 'all-day', startDate, endDate });

function starts({ calendar }: Desk, within = AUTUMN, timeZone = BERLIN): string[] {
  return eventsWithin(calendar, within, timeZone).map(({ span }) =>
    span.kind === 'all-day' ? span.startDate : new Date(span.startMs).toISOString().slice(0, 16),
  );
}

const TUESDAYS = timed('2026-10-20T09:00:00+02:00');

describe('a rule', () => {
  test('keeps the clock of its zone when summer time ends', () => {
    expect(starts(desk(['RRULE:FREQ=WEEKLY;COUNT=3'], TUESDAYS))).toEqual([
      '2026-10-20T07:00',
      '2026-10-27T08:00',
      '2026-11-03T08:00',
    ]);
  });

  test.each([
    ['COUNT', ['RRULE:FREQ=DAILY;COUNT=2'], ['2026-10-20T07:00', '2026-10-21T07:00']],
    [
      'UNTIL a moment, which is included',
      ['RRULE:FREQ=WEEKLY;UNTIL=20261027T080000Z'],
      ['2026-10-20T07:00', '2026-10-27T08:00'],
    ],
    [
      'UNTIL a date, which is included',
      ['RRULE:FREQ=WEEKLY;UNTIL=20261027'],
      ['2026-10-20T07:00', '2026-10-27T08:00'],
    ],
    [
      'EXDATE on the clock of the zone',
      ['RRULE:FREQ=WEEKLY;COUNT=3', 'EXDATE;TZID=Europe/Berlin:20261027T090000'],
      ['2026-10-20T07:00', '2026-11-03T08:00'],
    ],
    [
      'EXDATE in UTC, several in a line',
      ['RRULE:FREQ=WEEKLY;COUNT=3', 'EXDATE:20261020T070000Z,20261103T080000Z'],
      ['2026-10-27T08:00'],
    ],
    [
      'RDATE, before and among those of the rule',
      ['RRULE:FREQ=WEEKLY;COUNT=2', 'RDATE;TZID=Europe/Berlin:20261019T120000,20261022T090000'],
      ['2026-10-19T10:00', '2026-10-20T07:00', '2026-10-22T07:00', '2026-10-27T08:00'],
    ],
    [
      'RDATE alone, beside the event itself',
      ['RDATE:20261022T090000Z'],
      ['2026-10-20T07:00', '2026-10-22T09:00'],
    ],
    [
      'EXRULE',
      ['RRULE:FREQ=DAILY;COUNT=4', 'EXRULE:FREQ=DAILY;INTERVAL=2'],
      ['2026-10-21T07:00', '2026-10-23T07:00'],
    ],
  ])('knows %s', (_what, lines, expected) => {
    expect(starts(desk(lines, TUESDAYS))).toEqual(expected);
  });

  test('without an end goes on, years from its start', () => {
    const far = window('2031-03-01T00:00:00Z', '2031-03-08T00:00:00Z');
    expect(starts(desk(['RRULE:FREQ=WEEKLY;BYDAY=TU'], TUESDAYS), far)).toEqual(['2031-03-04T08:00']);
  });

  test('that leaves its own event out counts it only where its provider does', () => {
    const lines = ['RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=2'];
    expect(starts(desk(lines, TUESDAYS))).toEqual(['2026-10-20T07:00', '2026-10-21T07:00']);
    expect(starts(desk(lines, TUESDAYS, { startsWithEvent: false }))).toEqual([
      '2026-10-21T07:00',
      '2026-10-28T08:00',
    ]);
  });

  test('of whole days counts dates, whatever the zone', () => {
    const weekends = desk(
      ['RRULE:FREQ=WEEKLY;COUNT=3', 'EXDATE;VALUE=DATE:20261031'],
      days('2026-10-24', '2026-10-26'),
    );
    for (const zone of [BERLIN, 'Pacific/Kiritimati', 'Pacific/Honolulu']) {
      expect(starts(weekends, AUTUMN, zone)).toEqual(['2026-10-24', '2026-11-07']);
    }
    const monday = window('2026-10-25T23:00:00Z', '2026-10-26T23:00:00Z');
    expect(starts(weekends, monday, BERLIN)).toEqual([]);
    expect(starts(weekends, monday, 'America/New_York')).toEqual(['2026-10-24']);
  });

  test('counts an occurrence that began before the window', () => {
    const nights = desk(['RRULE:FREQ=DAILY;COUNT=3'], timed('2026-10-20T22:00:00Z', 8 * 60));
    const morning = window('2026-10-21T05:00:00Z', '2026-10-21T06:00:00Z');
    expect(starts(nights, morning)).toEqual(['2026-10-20T22:00']);
  });
});

describe('exceptions', () => {
  const moveTo = ({ store, calendar }: Desk, id: string, span: EventSpan): void => {
    const occurrence = eventById(calendar, id);
    if (occurrence === undefined) throw new Error(`no occurrence ${id}`);
    store.replace(calendar, occurrence, { ...occurrence, span });
  };

  test('stand where they were moved, into and out of a window', () => {
    const at = desk(['RRULE:FREQ=WEEKLY;COUNT=3'], TUESDAYS);
    moveTo(at, 'series_20261027T080000Z', timed('2026-10-30T12:00:00Z'));
    expect(starts(at)).toEqual(['2026-10-20T07:00', '2026-10-30T12:00', '2026-11-03T08:00']);
    expect(starts(at, window('2026-10-27T00:00:00Z', '2026-10-28T00:00:00Z'))).toEqual([]);
    expect(starts(at, window('2026-10-30T00:00:00Z', '2026-10-31T00:00:00Z'))).toEqual(['2026-10-30T12:00']);
  });

  test('that are cancelled are gone, and stay as tombstones', () => {
    const at = desk(['RRULE:FREQ=WEEKLY;COUNT=2'], TUESDAYS);
    const occurrence = eventById(at.calendar, 'series_20261027T080000Z');
    if (occurrence === undefined) throw new Error('no such occurrence');
    at.store.remove(at.calendar, occurrence);
    expect(starts(at)).toEqual(['2026-10-20T07:00']);
    expect(occurrencesWithin(at.calendar, at.series, AUTUMN, BERLIN).map(({ status }) => status)).toEqual([
      'confirmed',
      'cancelled',
    ]);
  });

  test('go with their series', () => {
    const at = desk(['RRULE:FREQ=WEEKLY;COUNT=3'], TUESDAYS);
    moveTo(at, 'series_20261027T080000Z', timed('2026-10-30T12:00:00Z'));
    at.store.remove(at.calendar, at.series);
    expect(starts(at)).toEqual([]);
    expect(eventById(at.calendar, 'series_20261103T080000Z')?.status).toBe('cancelled');
  });

  test('are forgotten when their series no longer has their start, and only then', () => {
    const at = desk(['RRULE:FREQ=WEEKLY;COUNT=3'], TUESDAYS);
    moveTo(at, 'series_20261027T080000Z', timed('2026-10-30T12:00:00Z'));
    dropStrays(
      at.store,
      at.calendar,
      at.store.replace(at.calendar, at.series, { ...at.series, summary: 'New' }),
    );
    expect(starts(at)).toContain('2026-10-30T12:00');
    const later = { ...at.series, span: timed('2026-10-20T10:00:00+02:00') };
    dropStrays(at.store, at.calendar, at.store.replace(at.calendar, at.series, later));
    expect(starts(at)).toEqual(['2026-10-20T08:00', '2026-10-27T09:00', '2026-11-03T09:00']);
  });

  test.each([
    'series_20261028T080000Z',
    'series_20261027',
    'series_20269999T080000Z',
    'other_20261027T080000Z',
    'series',
  ])('are not found where there is no occurrence: %s', (id) => {
    const { calendar } = desk(['RRULE:FREQ=WEEKLY;COUNT=3'], TUESDAYS);
    expect(eventById(calendar, id)?.occurrence).toBeUndefined();
  });
});

describe('expansion', () => {
  const rule = fc
    .record({
      freq: fc.constantFrom('DAILY', 'WEEKLY', 'MONTHLY'),
      interval: fc.integer({ min: 1, max: 4 }),
      end: fc.constantFrom('', ';COUNT=5', ';UNTIL=20270301'),
    })
    .map(({ freq, interval, end }) => `RRULE:FREQ=${freq};INTERVAL=${String(interval)}${end}`);
  const hours = fc.integer({ min: -24 * 30, max: 24 * 400 });
  const span = fc.oneof(
    fc
      .record({ at: fc.integer({ min: 0, max: 24 * 14 }), minutes: fc.integer({ min: 1, max: 3000 }) })
      .map(({ at, minutes }) =>
        timed(new Date(ms('2026-10-20T07:00:00Z') + at * 3_600_000).toISOString(), minutes),
      ),
    fc.integer({ min: 1, max: 3 }).map((length) => days('2026-10-24', `2026-10-${String(24 + length)}`)),
  );

  test('of a window is the union of that of its parts', () => {
    fc.assert(
      fc.property(rule, span, hours, hours, hours, (line, when, ...cuts) => {
        const at = desk([line], when);
        const [a = 0, b = 0, c = 0] = cuts
          .map((hour) => ms('2026-10-20T00:00:00Z') + hour * 3_600_000)
          .toSorted((one, other) => one - other);
        const ids = (startMs: number, endMs: number): string[] =>
          startMs === endMs ? [] : eventsWithin(at.calendar, { startMs, endMs }, BERLIN).map(({ id }) => id);
        expect(new Set(ids(a, c))).toEqual(new Set([...ids(a, b), ...ids(b, c)]));
      }),
    );
  });

  test('gives each occurrence an id that means it', () => {
    fc.assert(
      fc.property(rule, span, (line, when) => {
        const { calendar } = desk([line], when);
        for (const occurrence of eventsWithin(calendar, AUTUMN, BERLIN)) {
          expect(eventById(calendar, occurrence.id)).toEqual(occurrence);
        }
      }),
    );
  });
});
