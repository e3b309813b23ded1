import { describe, expect, it } from 'vitest';
import {
  addDays,
  addYears,
  formatInstant,
  isTimeZone,
  parseInstant,
  splitByOffset,
  startOfDayMs,
} from '../../src/domain/time-zone.ts';

describe('time zones', () => {
  it('knows IANA names and refuses everything else', () => {
    const good = ['Europe/Berlin', 'UTC', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5'];
    const bad = ['', 'Mars/Olympus', '+02:00', 'W. Europe Standard Time', '../etc/passwd'];
    expect([...good, ...bad].filter(isTimeZone)).toEqual(good);
  });
});

describe('reading a point in time', () => {
  it('takes the offset that is given, whatever the zone', () => {
    expect(parseInstant('2026-11-23T09:00:00+01:00', 'Asia/Tokyo')).toBe(Date.UTC(2026, 10, 23, 8));
    expect(parseInstant('2026-11-23t08:00:00z')).toBe(Date.UTC(2026, 10, 23, 8));
  });

  it('reads a local time in the zone', () => {
    expect(parseInstant('2026-11-23T09:00', 'America/New_York')).toBe(Date.UTC(2026, 10, 23, 14));
  });

  it('takes the first of two occurrences when clocks go back', () => {
    expect(parseInstant('2026-10-25T02:30:00', 'Europe/Berlin')).toBe(Date.UTC(2026, 9, 25, 0, 30));
  });

  it('refuses a local time that clocks skip', () => {
    expect(parseInstant('2026-03-29T02:30:00', 'Europe/Berlin')).toBe('does-not-exist');
  });

  it('refuses a local time without a zone, and what is no time', () => {
    expect(parseInstant('2026-11-23T09:00:00')).toBe('needs-a-zone');
    for (const text of [
      'tomorrow',
      '2026-11-23',
      '2026-13-01T00:00:00Z',
      '2026-02-30T00:00:00Z',
      '2026-02-30T00:00',
      '',
    ]) {
      expect(parseInstant(text, 'UTC')).toBe('not-a-time');
    }
  });
});

describe('writing a point in time', () => {
  it('uses the offset the zone has at that instant', () => {
    expect(formatInstant(Date.UTC(2026, 6, 1, 12), 'Europe/Berlin')).toBe('2026-07-01T14:00:00+02:00');
    expect(formatInstant(Date.UTC(2026, 11, 1, 12), 'Europe/Berlin')).toBe('2026-12-01T13:00:00+01:00');
    expect(formatInstant(Date.UTC(2026, 11, 1, 12, 0, 0, 250), 'UTC')).toBe('2026-12-01T12:00:00.250+00:00');
  });

  it('finds the start of a day that has no midnight', () => {
    // Clocks in Beirut jumped from 00:00 to 01:00 on 2024-03-31.
    expect(startOfDayMs('2024-03-31', 'Asia/Beirut')).toBe(Date.UTC(2024, 2, 30, 22));
  });
});

describe('years later', () => {
  it('is the same local time, whatever clocks and leap days do', () => {
    expect(addYears(Date.UTC(2028, 1, 29), 5, 'UTC')).toBe(Date.UTC(2033, 1, 28));
    // 29 March is summer time in 2026, and not yet in 2031.
    const summer = addYears(Date.UTC(2026, 2, 29, 10), 5, 'Europe/Berlin');
    expect(formatInstant(summer, 'Europe/Berlin')).toBe('2031-03-29T12:00:00+01:00');
  });
});

describe('days and offsets', () => {
  it('adds days by the local clock, through a change of clocks', () => {
    const before = Date.UTC(2026, 9, 24, 10);
    expect(addDays(before, 2, 'Europe/Berlin')).toBe(Date.UTC(2026, 9, 26, 11));
    expect(addDays(before, 2, 'UTC')).toBe(Date.UTC(2026, 9, 26, 10));
  });

  it('cuts a range where the clocks change, and nowhere else', () => {
    const [startMs, endMs] = [Date.UTC(2026, 9, 24), Date.UTC(2026, 9, 26)];
    const changeMs = Date.UTC(2026, 9, 25, 1);
    expect(splitByOffset({ startMs, endMs }, 'Europe/Berlin')).toEqual([
      { startMs, endMs: changeMs, offsetMs: 7_200_000 },
      { startMs: changeMs, endMs, offsetMs: 3_600_000 },
    ]);
    expect(splitByOffset({ startMs, endMs: changeMs }, 'Europe/Berlin')).toHaveLength(1);
    expect(splitByOffset({ startMs, endMs }, 'America/New_York')).toEqual([
      { startMs, endMs, offsetMs: -14_400_000 },
    ]);
    expect(splitByOffset({ startMs, endMs }, 'UTC')).toEqual([{ startMs, endMs, offsetMs: 0 }]);
    expect(splitByOffset({ startMs: endMs, endMs: startMs }, 'UTC')).toEqual([]);
  });
});
