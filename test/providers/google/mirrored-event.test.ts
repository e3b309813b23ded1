import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../../src/domain/failure.ts';
import { eventDetailsSchema, type MirroredEvent } from '../../../src/domain/mirror.ts';
import { listedEventSchema, mirrorEvent } from '../../../src/providers/google/mirrored-event.ts';

const ZONE = 'Pacific/Auckland';
const TIMED = {
  id: 'e1',
  status: 'confirmed',
  start: { dateTime: '2031-07-01T09:00:00+02:00', timeZone: 'Europe/Berlin' },
  end: { dateTime: '2031-07-01T10:00:00+02:00', timeZone: 'Europe/Berlin' },
};
const START = Date.UTC(2031, 6, 1, 7);
const HOUR = 3_600_000;

const mirror = (event: object) => mirrorEvent(listedEventSchema.parse(event), ZONE, 'at');
function mirrored(event: object): MirroredEvent {
  const read = mirror({ ...TIMED, ...event });
  if (!read.ok || read.value === undefined) throw new Error('no event');
  return read.value;
}
const malformed = (place: string) => fail({ kind: 'malformed', at: `at.${place}` });

describe('what kind of event it is', () => {
  it('is a single one without a recurrence, whatever zone it was written in', () => {
    expect(mirror(TIMED)).toEqual(
      ok({
        eventId: 'e1',
        kind: 'single',
        time: { kind: 'timed', startMs: START, endMs: START + HOUR, timeZone: 'Europe/Berlin' },
        details: { status: 'confirmed', isBusy: true, isPrivate: false },
      }),
    );
    expect(mirrored({ recurrence: [] }).kind).toBe('single');
  });

  it('is a series with its lines, in the zone whose clock it keeps across a change of offset', () => {
    const recurrence = ['EXDATE;TZID=Europe/Berlin:20311028T090000', 'RRULE:FREQ=WEEKLY'];
    // Google writes the offset of the calendar; the series keeps Berlin's clock.
    const start = { dateTime: '2031-07-01T19:00:00+12:00', timeZone: 'Europe/Berlin' };
    const series = mirrored({ start, recurrence });
    expect(series).toMatchObject({
      kind: 'series',
      recurrence,
      time: { kind: 'timed', startMs: START, timeZone: 'Europe/Berlin' },
    });
    expect(series).not.toHaveProperty('seriesId');
  });

  it('is an occurrence with its series and its original start, wherever it was moved', () => {
    const moved = {
      id: 's1_20310630T070000Z',
      recurringEventId: 's1',
      originalStartTime: { dateTime: '2031-06-30T09:00:00+02:00', timeZone: 'Europe/Berlin' },
    };
    expect(mirrored(moved)).toMatchObject({
      eventId: 's1_20310630T070000Z',
      kind: 'occurrence',
      seriesId: 's1',
      originalStart: { kind: 'timed', startMs: START - 24 * HOUR },
      time: { startMs: START },
      details: { isBusy: true },
    });
    expect(mirrored({ ...moved, originalStartTime: undefined })).not.toHaveProperty('originalStart');
  });

  it('is gone when it is cancelled, though it may name nothing but its id', () => {
    expect(mirror({ id: 'e1', status: 'cancelled' })).toEqual(ok(undefined));
    expect(mirror({ ...TIMED, status: 'cancelled' })).toEqual(ok(undefined));
    expect(mirror({ ...TIMED, status: 'cancelled', recurrence: ['RRULE:FREQ=DAILY'] })).toEqual(
      ok(undefined),
    );
    expect(mirror({ id: 's1_x', status: 'cancelled', recurringEventId: 's1' })).toEqual(ok(undefined));
  });

  it('is an occurrence that takes no time when it is cancelled out of its series', () => {
    const cancelled = { id: 's1_x', status: 'cancelled', recurringEventId: 's1' };
    const details = { status: 'cancelled', isBusy: false, isPrivate: false };
    const common = { eventId: 's1_x', kind: 'occurrence', seriesId: 's1', details };
    expect(mirror({ ...cancelled, originalStartTime: TIMED.start })).toEqual(
      ok({
        ...common,
        originalStart: { kind: 'timed', startMs: START },
        time: { kind: 'timed', startMs: START, endMs: START, timeZone: 'Europe/Berlin' },
      }),
    );
    expect(mirror({ ...cancelled, originalStartTime: { date: '2031-12-31' } })).toEqual(
      ok({
        ...common,
        originalStart: { kind: 'all-day', date: '2031-12-31' },
        time: { kind: 'all-day', startDate: '2031-12-31', endDate: '2032-01-01', timeZone: ZONE },
      }),
    );
  });
});

describe('when it is', () => {
  it('is by dates in the zone of its calendar when it is all day, a series too', () => {
    const start = { date: '2031-07-01', timeZone: 'Europe/Berlin' };
    const end = { date: '2031-07-03', timeZone: 'Europe/Berlin' };
    const time = { kind: 'all-day', startDate: '2031-07-01', endDate: '2031-07-03', timeZone: ZONE };
    expect(mirrored({ start, end }).time).toEqual(time);
    expect(mirrored({ start, end, recurrence: ['RRULE:FREQ=YEARLY'] }).time).toEqual(time);
  });

  it('is in the zone of its calendar where it names none, or one that nobody knows', () => {
    for (const timeZone of [undefined, 'Custom/Outlook 1']) {
      const start = { ...TIMED.start, timeZone };
      expect(mirrored({ start }).time).toMatchObject({ startMs: START, timeZone: ZONE });
    }
  });

  it('is over where it starts without an end, or with one before it; a day with itself', () => {
    const ends = [undefined, { dateTime: '2031-07-01T06:59:59Z' }];
    for (const end of ends) expect(mirrored({ end }).time).toMatchObject({ startMs: START, endMs: START });
    for (const end of [undefined, { date: '2031-07-01' }, { date: '2031-06-01' }])
      expect(mirrored({ start: { date: '2031-07-01' }, end }).time).toMatchObject({
        startDate: '2031-07-01',
        endDate: '2031-07-02',
      });
  });

  it('never ends before it starts', () => {
    const instant = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(instant, instant, (from, to) => {
        const [start, end] = [{ dateTime: from.toISOString() }, { dateTime: to.toISOString() }];
        const time = mirrored({ start, end }).time;
        expect(time).toMatchObject({ startMs: +from, endMs: Math.max(+from, +to) });
        const days = [{ date: start.dateTime.slice(0, 10) }, { date: end.dateTime.slice(0, 10) }];
        expect(mirrored({ start: days[0], end: days[1] }).time).toSatisfy(
          (day) => day.kind === 'all-day' && day.startDate < day.endDate,
        );
      }),
    );
  });

  it('is malformed where it cannot be read: what is dropped would be free', () => {
    const places: [object, string][] = [
      [{ start: undefined }, 'start'],
      [{ start: {} }, 'start'],
      [{ start: { dateTime: 'noon' } }, 'start'],
      [{ start: { dateTime: '2031-07-01T09:00:00' } }, 'start'],
      [{ start: { dateTime: '2031-07-01T09:00:00', timeZone: 'Custom/1' } }, 'start'],
      [{ start: { date: '2031-02-30' } }, 'start'],
      [{ end: {} }, 'end'],
      [{ end: { dateTime: 'later' } }, 'end'],
      [{ end: { date: '2031-07-02' } }, 'end'],
      [{ start: { date: '2031-07-01' } }, 'end'],
      [{ recurringEventId: 's1', originalStartTime: { date: 'x' } }, 'originalStartTime'],
      [
        { status: 'cancelled', recurringEventId: 's1', originalStartTime: { dateTime: 'x' } },
        'originalStartTime',
      ],
    ];
    for (const [event, place] of places) expect(mirror({ ...TIMED, ...event })).toEqual(malformed(place));
  });

  it('is malformed of a series that keeps the clock of a zone nobody knows', () => {
    const start = { ...TIMED.start, timeZone: 'Custom/Outlook 1' };
    const recurrence = ['RRULE:FREQ=DAILY'];
    expect(mirror({ ...TIMED, start, recurrence })).toEqual(malformed('start.timeZone'));
  });
});

describe('whether it keeps the person busy', () => {
  const me = (responseStatus: string) => ({ email: 'me@x.test', self: true, responseStatus });
  const other = { email: 'b@x.test', responseStatus: 'declined' };

  it('does not where it is shown as free, says where they work, or was declined by them', () => {
    for (const event of [
      { transparency: 'transparent' },
      { eventType: 'workingLocation' },
      { attendees: [other, me('declined')] },
    ])
      expect(mirrored(event).details).toMatchObject({ status: 'confirmed', isBusy: false });
  });

  it('does otherwise: tentative, unanswered, out of office, declined by others', () => {
    for (const event of [
      { status: 'tentative' },
      { transparency: 'opaque' },
      { eventType: 'outOfOffice' },
      { eventType: 'focusTime' },
      { attendees: [other, me('needsAction')] },
      { attendees: [other, me('tentative')] },
      { attendees: [other] },
    ])
      expect(mirrored(event).details).toMatchObject({ isBusy: true });
  });

  it('does where what would make it free cannot be read', () => {
    const event = { transparency: 1, eventType: ['workingLocation'], attendees: { me: me('declined') } };
    expect(mirrored(event).details).toEqual({ status: 'confirmed', isBusy: true, isPrivate: false });
  });
});

describe('what it says', () => {
  it('is told in no words of Google', () => {
    const { details } = mirrored({
      status: 'tentative',
      visibility: 'private',
      summary: 'Lunch',
      description: 'With soup',
      location: 'Here',
      organizer: { email: 'o@x.test', displayName: 'Olga' },
      attendees: [
        { email: 'o@x.test', displayName: 'Olga', organizer: true, responseStatus: 'accepted' },
        { email: 'a@x.test', responseStatus: 'accepted' },
        { email: 'd@x.test', responseStatus: 'declined' },
        { email: 't@x.test', responseStatus: 'tentative', self: true },
        { displayName: 'Nobody', responseStatus: 'needsAction' },
        { email: 'n@x.test', responseStatus: 'somethingNew' },
      ],
      iCalUID: 'u1@google.com',
      etag: '"1"',
      htmlLink: 'https://calendar.test/e1',
      hangoutLink: 'https://meet.test/e1',
      extendedProperties: { private: { huddleKey: 'k1', other: 1 }, shared: { huddleKey: 'no' } },
    });
    expect(details).toEqual({
      status: 'tentative',
      isBusy: true,
      isPrivate: true,
      summary: 'Lunch',
      description: 'With soup',
      location: 'Here',
      organizer: { email: 'o@x.test', name: 'Olga' },
      attendees: [
        { email: 'o@x.test', name: 'Olga', response: 'organizer' },
        { email: 'a@x.test', response: 'accepted' },
        { email: 'd@x.test', response: 'declined' },
        { email: 't@x.test', response: 'tentative' },
        { name: 'Nobody', response: 'none' },
        { email: 'n@x.test', response: 'none' },
      ],
      iCalUid: 'u1@google.com',
      etag: '"1"',
      webLink: 'https://calendar.test/e1',
      conferenceLink: 'https://meet.test/e1',
      creationKey: 'k1',
    });
    expect(eventDetailsSchema.parse(details)).toEqual(details);
  });

  it('is private when it is confidential, and not when it is public', () => {
    expect(mirrored({ visibility: 'confidential' }).details).toMatchObject({ isPrivate: true });
    expect(mirrored({ visibility: 'public' }).details).toMatchObject({ isPrivate: false });
  });

  it('leaves out what cannot be read, and keeps the rest', () => {
    const { details } = mirrored({
      summary: 1,
      organizer: 'me',
      attendees: [{ email: 1, displayName: 'Ada', responseStatus: {} }],
      extendedProperties: [],
      location: 'Here',
    });
    expect(details).toEqual({
      status: 'confirmed',
      isBusy: true,
      isPrivate: false,
      location: 'Here',
      attendees: [{ name: 'Ada', response: 'none' }],
    });
  });
});
