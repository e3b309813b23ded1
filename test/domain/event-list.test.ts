import { describe, expect, it } from 'vitest';
import { eventsRequestSchema, listEvent } from '../../src/domain/event-list.ts';
import { listFieldErrors } from '../../src/domain/field-error.ts';
import type { EventDetails, MirroredEvent } from '../../src/domain/mirror.ts';

const GOOD = { timeMin: '2026-11-23T09:00:00+01:00', timeMax: '2026-11-23T17:00:00+01:00' };
const RANGE = { startMs: Date.UTC(2026, 10, 23, 8), endMs: Date.UTC(2026, 10, 23, 16) };

/** The fields that a question is refused for; none when it is good. */
function refusedFields(question: unknown): string[] {
  const read = eventsRequestSchema.safeParse(question);
  return read.success ? [] : listFieldErrors(read.error).map(({ path }) => path);
}

describe('a question for events', () => {
  it('is told in UTC, of all calendars, however old, unless it says otherwise', () => {
    expect(eventsRequestSchema.parse(GOOD)).toEqual({ range: RANGE, timeZone: 'UTC' });
    expect(
      eventsRequestSchema.parse({
        timeMin: '2026-11-23T09:00',
        timeMax: '2026-11-23T17:00',
        timeZone: 'Europe/Berlin',
        calendars: ['b', 'a', 'b'],
        maxStalenessMs: 0,
      }),
    ).toEqual({ range: RANGE, timeZone: 'Europe/Berlin', calendars: ['b', 'a'], maxStalenessMs: 0 });
  });

  it.each<[string, object, string[]]>([
    ['no end', { timeMin: GOOD.timeMin }, ['timeMax']],
    ['an end before its start', { timeMin: GOOD.timeMax, timeMax: GOOD.timeMin }, ['timeMax']],
    ['an end at its start', { timeMin: GOOD.timeMin, timeMax: GOOD.timeMin }, ['timeMax']],
    ['a time that is none', { ...GOOD, timeMin: 'yesterday' }, ['timeMin']],
    ['a range of many years', { ...GOOD, timeMax: '2046-11-23T09:00:00Z' }, ['timeMax']],
    ['a zone that is none', { ...GOOD, timeZone: 'Mars/Base' }, ['timeZone']],
    [
      'a local time that the clocks skip',
      { ...GOOD, timeMin: '2026-03-29T02:30', timeZone: 'Europe/Berlin' },
      ['timeMin'],
    ],
    ['no calendar at all', { ...GOOD, calendars: [] }, ['calendars']],
    ['a calendar without a name', { ...GOOD, calendars: [''] }, ['calendars.0']],
    ['a negative age', { ...GOOD, maxStalenessMs: -1 }, ['maxStalenessMs']],
    ['an age of more than a day', { ...GOOD, maxStalenessMs: 86_400_001 }, ['maxStalenessMs']],
    ['half a millisecond', { ...GOOD, maxStalenessMs: 0.5 }, ['maxStalenessMs']],
  ])('with %s is refused, and the field named', (_, question, fields) => {
    expect(refusedFields(question)).toEqual(fields);
  });

  it('that names a field which there is not is refused', () => {
    expect(eventsRequestSchema.safeParse({ ...GOOD, timeMinimum: 'x' }).success).toBe(false);
  });
});

const DETAILS: EventDetails = {
  status: 'confirmed',
  isBusy: true,
  isPrivate: false,
  summary: 'Weekly',
  etag: '"1"',
  creationKey: 'key-1',
};
const { creationKey: _, ...TOLD } = DETAILS;
const time = {
  kind: 'timed',
  startMs: RANGE.startMs,
  endMs: RANGE.endMs,
  timeZone: 'Europe/Berlin',
} as const;
const PLACE = {
  start: '2026-11-23T09:00:00+01:00',
  end: '2026-11-23T17:00:00+01:00',
  timeZone: 'Europe/Berlin',
};
const SERIES: MirroredEvent = {
  eventId: 's',
  kind: 'series',
  time,
  recurrence: ['RRULE:FREQ=DAILY'],
  details: DETAILS,
};

describe('an event that is listed', () => {
  it('is told in its own zone, without what is only ours to know', () => {
    const listed = listEvent('c', { eventId: 'a', kind: 'single', time, details: DETAILS });
    expect(listed).toEqual({ eventId: 'a', calendarId: 'c', ...PLACE, ...TOLD });
  });

  it('of whole days is told by its dates', () => {
    const days = {
      kind: 'all-day',
      startDate: '2026-11-23',
      endDate: '2026-11-25',
      timeZone: 'Asia/Tokyo',
    } as const;
    expect(listEvent('c', { eventId: 'a', kind: 'single', time: days, details: DETAILS })).toMatchObject({
      start: '2026-11-23',
      end: '2026-11-25',
      timeZone: 'Asia/Tokyo',
    });
  });

  it('is a series with its rule, in a list of changes', () => {
    expect(listEvent('c', SERIES)).toEqual({
      eventId: 's',
      calendarId: 'c',
      ...PLACE,
      ...TOLD,
      recurrence: ['RRULE:FREQ=DAILY'],
    });
  });

  it('is an occurrence that only the rule tells: it goes by its series and its start', () => {
    const dayMs = 86_400_000;
    const place = {
      time: { ...time, startMs: time.startMs + dayMs, endMs: time.endMs + dayMs },
      occurrence: { kind: 'timed', startMs: time.startMs + dayMs } as const,
    };
    expect(listEvent('c', SERIES, undefined, place)).toEqual({
      eventId: 's',
      calendarId: 'c',
      originalStart: '2026-11-24T09:00:00+01:00',
      start: '2026-11-24T09:00:00+01:00',
      end: '2026-11-24T17:00:00+01:00',
      timeZone: 'Europe/Berlin',
      ...TOLD,
    });
  });

  it('is an occurrence of its own: it says what its series says where it says nothing', () => {
    const one: MirroredEvent = {
      eventId: 'o',
      kind: 'occurrence',
      seriesId: 's',
      originalStart: { kind: 'all-day', date: '2026-11-22' },
      time,
    };
    const place = { eventId: 'o', seriesId: 's', calendarId: 'c', originalStart: '2026-11-22', ...PLACE };
    expect(listEvent('c', one, SERIES)).toEqual({ ...place, ...TOLD });
    const own: EventDetails = { status: 'tentative', isBusy: false, isPrivate: true };
    expect(listEvent('c', { ...one, details: own }, SERIES)).toEqual({ ...place, ...own });
    // It is not known what it would say: it takes its time, and nobody is to be told more.
    expect(listEvent('c', one)).toEqual({ ...place, status: 'confirmed', isBusy: true, isPrivate: true });
  });
});
