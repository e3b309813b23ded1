import { describe, expect, it } from 'vitest';
import { readViewEvents } from '../../../src/providers/microsoft/calendar-view.ts';
import { ok } from '../../../src/domain/failure.ts';
import {
  factsOf,
  factsOfKnown,
  needsSeries,
  type SyncedEvent,
  syncedEventSchema,
  toMirroredEvent,
} from '../../../src/providers/microsoft/mirrored-event.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const START = Date.UTC(2026, 10, 23);
const NINE = { startMs: START + 9 * HOUR_MS, endMs: START + 10 * HOUR_MS };
const WIDE = { startMs: START - 14 * HOUR_MS, endMs: START + DAY_MS + 12 * HOUR_MS };

const at = (text: string) => ({ dateTime: `${text}.0000000`, timeZone: 'UTC' });
const timed = (more: object = {}): SyncedEvent =>
  syncedEventSchema.parse({
    id: 'e1',
    type: 'singleInstance',
    start: at('2026-11-23T09:00:00'),
    end: at('2026-11-23T10:00:00'),
    isAllDay: false,
    showAs: 'busy',
    ...more,
  });
const allDay = (more: object = {}): SyncedEvent =>
  timed({ start: at('2026-11-23T00:00:00'), end: at('2026-11-24T00:00:00'), isAllDay: true, ...more });
const BARE = { type: 'occurrence', seriesMasterId: 's1', isAllDay: undefined, showAs: undefined };

describe('an event of Microsoft as a mirror keeps it', () => {
  it('says everything that callers are told of', () => {
    const event = timed({
      '@odata.etag': 'W/"1"',
      subject: 'Review',
      bodyPreview: 'All of it',
      location: { displayName: 'Room 1' },
      sensitivity: 'confidential',
      organizer: { emailAddress: { address: 'ada@example.com', name: 'Ada' } },
      attendees: [
        { emailAddress: { address: 'joe@example.com' }, status: { response: 'tentativelyAccepted' } },
        { emailAddress: { name: 'Room' }, status: { response: 'notResponded' } },
        { emailAddress: { address: 'eve@example.com' }, status: { response: 'declined' } },
        { emailAddress: {} },
        'nobody',
      ],
      iCalUId: 'uid-1',
      webLink: 'https://outlook.example/e1',
      onlineMeeting: { joinUrl: 'https://teams.example/1' },
      originalStartTimeZone: 'Tokyo Standard Time',
    });
    expect(toMirroredEvent(event, 'Europe/Berlin')).toEqual({
      eventId: 'e1',
      kind: 'single',
      time: { kind: 'timed', ...NINE, timeZone: 'Asia/Tokyo' },
      details: {
        status: 'confirmed',
        isBusy: true,
        isPrivate: true,
        summary: 'Review',
        description: 'All of it',
        location: 'Room 1',
        organizer: { email: 'ada@example.com', name: 'Ada' },
        attendees: [
          { email: 'joe@example.com', response: 'tentative' },
          { name: 'Room', response: 'none' },
          { email: 'eve@example.com', response: 'declined' },
        ],
        iCalUid: 'uid-1',
        etag: 'W/"1"',
        webLink: 'https://outlook.example/e1',
        conferenceLink: 'https://teams.example/1',
      },
    });
  });

  it('is no worse for what is missing or odd', () => {
    const odd = {
      subject: 7,
      organizer: 'Ada',
      attendees: {},
      location: [],
      onlineMeeting: 1,
      sensitivity: {},
    };
    expect(toMirroredEvent(timed(odd), undefined)).toEqual({
      eventId: 'e1',
      kind: 'single',
      time: { kind: 'timed', ...NINE, timeZone: 'UTC' },
      details: { status: 'confirmed', isBusy: true, isPrivate: false },
    });
  });

  it('keeps the person busy by the rules of live answers', () => {
    for (const more of [
      ...['busy', 'tentative', 'oof', 'unknown', 'brandNew', null, 'free', 'workingElsewhere'].map(
        (showAs) => ({
          showAs,
        }),
      ),
      { isCancelled: true },
      { responseStatus: { response: 'declined' } },
      { responseStatus: { response: 'tentativelyAccepted' } },
    ]) {
      const event = timed(more);
      const live = readViewEvents([event], undefined);
      expect(live).toEqual(ok(toMirroredEvent(event, undefined)?.details?.isBusy === true ? [NINE] : []));
    }
    expect(toMirroredEvent(timed({ isCancelled: true }), undefined)?.details?.status).toBe('cancelled');
    expect(toMirroredEvent(timed({ showAs: 'tentative' }), undefined)?.details?.status).toBe('tentative');
  });

  it('is none when its time cannot be read', () => {
    expect(toMirroredEvent(timed({ start: { dateTime: 'soon' } }), 'UTC')).toBeUndefined();
    expect(toMirroredEvent(timed({ end: at('2026-11-23T10:00:00Z+') }), 'UTC')).toBeUndefined();
  });
});

describe('an all-day event', () => {
  const dates = { kind: 'all-day', startDate: '2026-11-23', endDate: '2026-11-24' };
  const madeInTokyo = { originalStartTimeZone: 'Tokyo Standard Time' };

  it('blocks its dates where its calendar is, else where it was made', () => {
    expect(toMirroredEvent(allDay(madeInTokyo), 'Europe/Berlin')?.time).toEqual({
      ...dates,
      timeZone: 'Europe/Berlin',
    });
    expect(toMirroredEvent(allDay(madeInTokyo), undefined)?.time).toEqual({
      ...dates,
      timeZone: 'Asia/Tokyo',
    });
  });

  it('of a zone that nobody knows is kept as the time that it could be anywhere', () => {
    const event = allDay({ originalStartTimeZone: 'tzone://Microsoft/Custom' });
    expect(toMirroredEvent(event, undefined)?.time).toEqual({ kind: 'timed', ...WIDE, timeZone: 'UTC' });
    expect(readViewEvents([event], undefined)).toEqual(ok([WIDE]));
  });

  it('that comes as instants is taken as such', () => {
    const event = allDay({ start: at('2026-11-23T09:00:00'), end: at('2026-11-23T10:00:00') });
    expect(toMirroredEvent(event, 'Asia/Tokyo')?.time).toEqual({ kind: 'timed', ...NINE, timeZone: 'UTC' });
  });
});

describe('an occurrence', () => {
  it('that says nothing but its time says what its series says', () => {
    const occurrence = timed(BARE);
    expect(needsSeries(occurrence)).toBe(true);
    expect(toMirroredEvent(occurrence, 'UTC', { isAllDay: false, timeZone: 'Asia/Tokyo' })).toEqual({
      eventId: 'e1',
      kind: 'occurrence',
      seriesId: 's1',
      originalStart: { kind: 'timed', startMs: NINE.startMs },
      time: { kind: 'timed', ...NINE, timeZone: 'Asia/Tokyo' },
    });
  });

  it('is all-day as its series is, and where its series is', () => {
    const occurrence = allDay(BARE);
    const time = { kind: 'all-day', startDate: '2026-11-23', endDate: '2026-11-24' };
    const originalStart = { kind: 'all-day', date: '2026-11-23' };
    expect(toMirroredEvent(occurrence, 'Europe/Berlin', { isAllDay: true })).toMatchObject({
      time: { ...time, timeZone: 'Europe/Berlin' },
      originalStart,
    });
    expect(toMirroredEvent(occurrence, undefined, { isAllDay: true, timeZone: 'Asia/Tokyo' })).toMatchObject({
      time: { ...time, timeZone: 'Asia/Tokyo' },
      originalStart,
    });
    expect(toMirroredEvent(occurrence, undefined, { isAllDay: true })).toMatchObject({
      time: { kind: 'timed', ...WIDE },
      originalStart,
    });
    expect(toMirroredEvent(occurrence, 'Asia/Tokyo', { isAllDay: false })?.time).toEqual({
      kind: 'timed',
      startMs: START,
      endMs: START + DAY_MS,
      timeZone: 'UTC',
    });
  });

  it('of a series that nobody knows keeps the person busy, wherever it could be', () => {
    const details = { status: 'confirmed', isBusy: true, isPrivate: false };
    expect(toMirroredEvent(timed(BARE), 'Asia/Tokyo')).toMatchObject({
      time: { kind: 'timed', ...NINE },
      details,
    });
    const atMidnight = toMirroredEvent(allDay(BARE), 'Asia/Tokyo');
    expect(atMidnight).toMatchObject({ time: { kind: 'timed', ...WIDE }, details });
    expect(atMidnight?.originalStart).toBeUndefined();
  });

  it('that says everything, or was changed, says it for itself', () => {
    for (const type of ['occurrence', 'exception']) {
      const occurrence = timed({ ...BARE, type, isAllDay: false, showAs: 'free' });
      expect(needsSeries(occurrence)).toBe(false);
      expect(toMirroredEvent(occurrence, 'UTC', { isAllDay: false })?.details?.isBusy).toBe(false);
    }
    const halfTold = timed({ ...BARE, type: 'exception' });
    expect(needsSeries(halfTold)).toBe(true);
    expect(toMirroredEvent(halfTold, 'UTC', { isAllDay: false })?.details?.isBusy).toBe(true);
  });

  it('that was moved tells when it would start by the rule', () => {
    const moved = timed({
      ...BARE,
      type: 'exception',
      isAllDay: false,
      originalStart: '2026-11-22T08:00:00Z',
    });
    expect(toMirroredEvent(moved, 'UTC', { isAllDay: false })?.originalStart).toEqual({
      kind: 'timed',
      startMs: START - 16 * HOUR_MS,
    });
    const day = allDay({ ...BARE, type: 'exception', originalStart: '2026-11-21T15:00:00Z' });
    const inTokyo = { isAllDay: true, timeZone: 'Asia/Tokyo' };
    expect(toMirroredEvent(day, 'UTC', inTokyo)?.originalStart).toEqual({
      kind: 'all-day',
      date: '2026-11-22',
    });
    const untold = timed({ ...BARE, type: 'exception', isAllDay: false });
    expect(toMirroredEvent(untold, 'UTC', { isAllDay: false })?.originalStart).toBeUndefined();
  });
});

describe('a series', () => {
  it('tells no rule, and where its first occurrence is', () => {
    const series = toMirroredEvent(timed({ id: 's1', type: 'seriesMaster', recurrence: {} }), 'UTC');
    expect(series).toMatchObject({ eventId: 's1', kind: 'series', time: { kind: 'timed', ...NINE } });
    expect(series).not.toHaveProperty('recurrence');
  });

  it('says the same of its occurrences as a mirror keeps it', () => {
    for (const [event, zone] of [
      [timed({ type: 'seriesMaster', originalStartTimeZone: 'Asia/Tokyo' }), 'UTC'],
      [allDay({ type: 'seriesMaster', originalStartTimeZone: 'Asia/Tokyo' }), undefined],
    ] as const) {
      const known = toMirroredEvent(event, zone);
      expect(known && factsOfKnown(known, zone)).toEqual(factsOf(event));
    }
  });

  it('of a zone that nobody knows is not taken for a timed one', () => {
    const known = toMirroredEvent(allDay({ type: 'seriesMaster' }), undefined);
    const facts = known && factsOfKnown(known, undefined);
    expect(toMirroredEvent(allDay(BARE), undefined, facts)?.time).toMatchObject(WIDE);
  });
});
