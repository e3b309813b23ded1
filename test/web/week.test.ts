import { describe, expect, it } from 'vitest';
import {
  findWorkingTimes,
  instantOf,
  layOutWeek,
  mondayOf,
  type Piece,
  placeInterval,
  type Week,
} from '../../src/web/week.js';

const HOUR_MS = 60 * 60 * 1000;

function place(week: Week, start: string, end: string): Pick<Piece, 'day' | 'top' | 'bottom'>[] {
  return placeInterval(week, Date.parse(start), Date.parse(end)).map(({ day, top, bottom }) => ({
    day,
    top,
    bottom,
  }));
}

describe('a week without a clock change', () => {
  const week = layOutWeek('2026-11-23', 'Europe/Berlin');

  it('has 24 rows and nothing missing', () => {
    expect(week.height).toBe(24 * 60);
    expect(week.labels.map(({ top }) => top)).toEqual(Array.from({ length: 24 }, (_, hour) => hour * 60));
    expect(week.days.flatMap(({ missing }) => missing)).toEqual([]);
    expect(week.startMs).toBe(Date.parse('2026-11-23T00:00:00+01:00'));
    expect(week.endMs).toBe(Date.parse('2026-11-30T00:00:00+01:00'));
  });

  it('draws a time of one day in its column', () => {
    expect(place(week, '2026-11-24T09:30:00+01:00', '2026-11-24T10:15:00+01:00')).toEqual([
      { day: 1, top: 570, bottom: 615 },
    ]);
  });

  it('cuts a time at midnight and at the ends of the week, and knows whole days', () => {
    const pieces = placeInterval(
      week,
      Date.parse('2026-11-27T18:00:00+01:00'),
      Date.parse('2026-12-01T12:00:00+01:00'),
    );
    expect(pieces.map(({ day, top, bottom, isWholeDay }) => [day, top, bottom, isWholeDay])).toEqual([
      [4, 1080, 1440, false],
      [5, 0, 1440, true],
      [6, 0, 1440, true],
    ]);
    expect(place(week, '2026-12-01T00:00:00Z', '2026-12-02T00:00:00Z')).toEqual([]);
  });

  it('begins on the Monday of any of its days', () => {
    expect(['2026-11-23', '2026-11-26', '2026-11-29', '2026-11-30'].map(mondayOf)).toEqual([
      '2026-11-23',
      '2026-11-23',
      '2026-11-23',
      '2026-11-30',
    ]);
  });
});

describe('a week in which clocks go forward', () => {
  const week = layOutWeek('2026-03-23', 'Europe/Berlin');

  it('leaves the skipped hour empty on that day only', () => {
    expect(week.height).toBe(24 * 60);
    expect(week.days.map(({ missing }) => missing)).toEqual([
      ...Array.from({ length: 6 }, () => []),
      [{ top: 120, bottom: 180 }],
    ]);
    expect((week.endMs - week.startMs) / HOUR_MS).toBe(7 * 24 - 1);
  });

  it('draws a time around the gap in two pieces, and times after it at their local height', () => {
    expect(place(week, '2026-03-29T01:30:00+01:00', '2026-03-29T03:30:00+02:00')).toEqual([
      { day: 6, top: 90, bottom: 120 },
      { day: 6, top: 180, bottom: 210 },
    ]);
    expect(place(week, '2026-03-29T09:00:00+02:00', '2026-03-29T10:00:00+02:00')).toEqual([
      { day: 6, top: 540, bottom: 600 },
    ]);
  });
});

describe('a week in which clocks go back', () => {
  const week = layOutWeek('2026-10-19', 'Europe/Berlin');

  it('gives the repeated hour rows of its own, which the other days do not have', () => {
    expect(week.height).toBe(25 * 60);
    expect(week.labels.slice(2, 5)).toEqual([
      { top: 120, text: '02:00', again: false },
      { top: 180, text: '02:00', again: true },
      { top: 240, text: '03:00', again: false },
    ]);
    expect(week.days.map(({ missing }) => missing)).toEqual([
      ...Array.from({ length: 6 }, () => [{ top: 180, bottom: 240 }]),
      [],
    ]);
  });

  it('tells the two occurrences of a local time apart', () => {
    expect(place(week, '2026-10-25T02:15:00+02:00', '2026-10-25T02:45:00+02:00')).toEqual([
      { day: 6, top: 135, bottom: 165 },
    ]);
    expect(place(week, '2026-10-25T02:15:00+01:00', '2026-10-25T02:45:00+01:00')).toEqual([
      { day: 6, top: 195, bottom: 225 },
    ]);
    expect(place(week, '2026-10-25T02:30:00+02:00', '2026-10-25T03:30:00+01:00')).toEqual([
      { day: 6, top: 150, bottom: 270 },
    ]);
  });

  it('keeps every other day at its local height', () => {
    expect(place(week, '2026-10-20T02:00:00+02:00', '2026-10-20T03:00:00+02:00')).toEqual([
      { day: 1, top: 120, bottom: 180 },
    ]);
    expect(place(week, '2026-10-20T03:00:00+02:00', '2026-10-20T04:00:00+02:00')).toEqual([
      { day: 1, top: 240, bottom: 300 },
    ]);
  });
});

it('knows days that begin after midnight, half-hour changes and a day that was left out', () => {
  const cairo = layOutWeek('2026-04-20', 'Africa/Cairo');
  expect(cairo.days[4]?.missing).toEqual([{ top: 0, bottom: 60 }]);
  const lordHowe = layOutWeek('2026-03-30', 'Australia/Lord_Howe');
  expect(lordHowe.height).toBe(24 * 60 + 30);
  expect(lordHowe.labels.filter(({ again }) => again)).toEqual([{ top: 120, text: '01:30', again: true }]);
  const samoa = layOutWeek('2011-12-26', 'Pacific/Apia');
  expect(samoa.days[4]?.missing).toEqual([{ top: 0, bottom: 1440 }]);
  expect(place(samoa, '2011-12-29T12:00:00-10:00', '2011-12-31T12:00:00+14:00')).toEqual([
    { day: 3, top: 720, bottom: 1440 },
    { day: 5, top: 0, bottom: 720 },
  ]);
});

it('takes the first of two local times, and the end of the gap for one that is skipped', () => {
  expect(instantOf('2026-10-25', 150, 'Europe/Berlin')).toBe(Date.parse('2026-10-25T02:30:00+02:00'));
  expect(instantOf('2026-03-29', 150, 'Europe/Berlin')).toBe(Date.parse('2026-03-29T03:00:00+02:00'));
});

it.each([
  ['2026-03-23', 'Europe/Berlin'],
  ['2026-10-19', 'Europe/Berlin'],
  ['2026-10-26', 'America/New_York'],
  ['2026-10-26', 'America/Havana'],
  ['2026-09-28', 'Australia/Lord_Howe'],
  ['2026-04-20', 'Africa/Cairo'],
])('leaves no gap and no overlap in the week of %s in %s', (monday, zone) => {
  const week = layOutWeek(monday, zone);
  for (const [index, { missing }] of week.days.entries()) {
    const pieces = placeInterval(week, week.startMs, week.endMs).filter(({ day }) => day === index);
    let reached = 0;
    for (const { top, bottom } of [...pieces, ...missing].toSorted((a, b) => a.top - b.top)) {
      expect(top).toBeLessThanOrEqual(reached);
      reached = Math.max(reached, bottom);
    }
    expect(reached).toBe(week.height);
    expect(pieces.slice(1).every(({ top }, n) => top >= (pieces[n]?.bottom ?? 0))).toBe(true);
  }
});

it('brings working hours of another zone into the week', () => {
  const week = layOutWeek('2026-11-23', 'Asia/Tokyo');
  const hours = ['monday', 'friday'].map((day) => ({
    day,
    start: '08:30',
    end: '17:00',
    timeZone: 'America/New_York',
  }));
  expect(findWorkingTimes(week, hours).map(({ startMs }) => new Date(startMs).toISOString())).toEqual([
    '2026-11-23T13:30:00.000Z',
    '2026-11-27T13:30:00.000Z',
  ]);
});
