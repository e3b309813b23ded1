import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../../src/domain/failure.ts';
import {
  readViewEvents,
  type ViewEvent,
  viewRequests,
} from '../../../src/providers/microsoft/calendar-view.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const START = Date.UTC(2026, 10, 23);

const event = (more: Partial<ViewEvent> = {}): ViewEvent => ({
  start: { dateTime: '2026-11-23T09:00:00.0000000', timeZone: 'UTC' },
  end: { dateTime: '2026-11-23T10:00:00.0000000', timeZone: 'UTC' },
  isAllDay: false,
  isCancelled: false,
  showAs: 'busy',
  responseStatus: { response: 'organizer' },
  ...more,
});
const allDay = (first: string, after: string, more: Partial<ViewEvent> = {}) =>
  event({
    isAllDay: true,
    start: { dateTime: `${first}T00:00:00.0000000`, timeZone: 'UTC' },
    end: { dateTime: `${after}T00:00:00.0000000`, timeZone: 'UTC' },
    ...more,
  });
const NINE = { startMs: START + 9 * HOUR_MS, endMs: START + 10 * HOUR_MS };

describe('asking for a calendar view', () => {
  it('reaches a day further on both sides, for the all-day events at the edges', () => {
    const [request] = viewRequests(['me', 'calendars', 'a/b='], { startMs: START, endMs: START + DAY_MS });
    const url = new URL(`https://graph.example${request?.path}`);
    expect(url.pathname).toBe('/me/calendars/a%2Fb%3D/calendarView');
    expect(url.searchParams.get('startDateTime')).toBe('2026-11-22T00:00:00.000Z');
    expect(url.searchParams.get('endDateTime')).toBe('2026-11-25T00:00:00.000Z');
    expect(url.searchParams.get('$select')?.split(',')).toContain('isAllDay');
    expect(request).toMatchObject({ method: 'GET', writes: false });
  });

  it('splits a range that is longer than Graph allows, with no gap', () => {
    const requests = viewRequests(['me', 'calendar'], { startMs: START, endMs: START + 1825 * DAY_MS });
    const edges = requests.map(({ path }) => {
      const query = new URL(`https://graph.example${path}`).searchParams;
      return [query.get('startDateTime') ?? '', query.get('endDateTime') ?? ''].map((text) =>
        Date.parse(text),
      );
    });
    expect(edges).toHaveLength(2);
    expect(edges[0]?.[0]).toBe(START - DAY_MS);
    expect(edges[0]?.[1]).toBe(edges[1]?.[0]);
    expect(edges[1]?.[1]).toBe(START + 1826 * DAY_MS);
    for (const [from = 0, to = 0] of edges) expect(to - from).toBeLessThanOrEqual(1825 * DAY_MS);
  });
});

describe('an event of a calendar view', () => {
  it('blocks its time, unless it is shown as free or working elsewhere', () => {
    for (const showAs of ['busy', 'tentative', 'oof', 'unknown', 'brandNew', undefined, null]) {
      expect(readViewEvents([event(showAs === undefined ? {} : { showAs })], undefined)).toEqual(ok([NINE]));
    }
    for (const showAs of ['free', 'workingElsewhere']) {
      expect(readViewEvents([event({ showAs })], undefined)).toEqual(ok([]));
    }
  });

  it('blocks nothing when it is cancelled or declined', () => {
    expect(readViewEvents([event({ isCancelled: true })], undefined)).toEqual(ok([]));
    expect(readViewEvents([event({ responseStatus: { response: 'declined' } })], undefined)).toEqual(ok([]));
    for (const response of ['none', 'notResponded', 'tentativelyAccepted', null]) {
      expect(readViewEvents([event({ responseStatus: { response } })], undefined)).toEqual(ok([NINE]));
    }
    const { responseStatus: _, ...bare } = event();
    expect(readViewEvents([bare], undefined)).toEqual(ok([NINE]));
  });

  it('makes the whole calendar unknown when its time cannot be read', () => {
    const broken = event({ start: { dateTime: 'soon', timeZone: 'UTC' } });
    expect(readViewEvents([event(), broken], undefined)).toEqual(
      fail({ kind: 'malformed', at: 'calendarView.start' }),
    );
  });
});

describe('an all-day event', () => {
  it('blocks its dates in the zone of the mailbox', () => {
    expect(readViewEvents([allDay('2026-11-23', '2026-11-25')], 'Asia/Tokyo')).toEqual(
      ok([{ startMs: START - 9 * HOUR_MS, endMs: START + 2 * DAY_MS - 9 * HOUR_MS }]),
    );
  });

  it('lasts as long as its day does, when clocks change', () => {
    expect(readViewEvents([allDay('2026-10-25', '2026-10-26')], 'Europe/Berlin')).toEqual(
      ok([{ startMs: Date.UTC(2026, 9, 24, 22), endMs: Date.UTC(2026, 9, 25, 23) }]),
    );
  });

  it('falls back to the zone it was made in, then to wherever on earth it is that day', () => {
    const day = allDay('2026-11-23', '2026-11-24', { originalStartTimeZone: 'Pacific Standard Time' });
    expect(readViewEvents([day], undefined)).toEqual(
      ok([{ startMs: START + 8 * HOUR_MS, endMs: START + DAY_MS + 8 * HOUR_MS }]),
    );
    expect(
      readViewEvents([{ ...day, originalStartTimeZone: 'tzone://Microsoft/Custom' }], undefined),
    ).toEqual(ok([{ startMs: START - 14 * HOUR_MS, endMs: START + DAY_MS + 12 * HOUR_MS }]));
  });

  it('is a day long though it ends as it begins', () => {
    expect(readViewEvents([allDay('2026-11-23', '2026-11-23')], 'UTC')).toEqual(
      ok([{ startMs: START, endMs: START + DAY_MS }]),
    );
  });

  it('that comes as instants is taken as such', () => {
    const shifted = allDay('2026-11-23', '2026-11-24', {
      start: { dateTime: '2026-11-22T23:00:00', timeZone: 'UTC' },
      end: { dateTime: '2026-11-23T23:00:00', timeZone: 'UTC' },
    });
    expect(readViewEvents([shifted], 'Asia/Tokyo')).toEqual(
      ok([{ startMs: START - HOUR_MS, endMs: START + 23 * HOUR_MS }]),
    );
  });

  it('shown as free, as all-day events are by default, blocks nothing', () => {
    expect(readViewEvents([allDay('2026-11-23', '2026-11-24', { showAs: 'free' })], 'UTC')).toEqual(ok([]));
  });
});
