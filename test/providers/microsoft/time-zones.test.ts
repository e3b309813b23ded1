import windowsZones from 'cldr-core/supplemental/windowsZones.json';
import { describe, expect, it } from 'vitest';
import { isTimeZone } from '../../../src/domain/time-zone.ts';
import {
  toDate,
  toIanaZone,
  toInstantMs,
  toWindowsZone,
  zoneOf,
} from '../../../src/providers/microsoft/time-zones.ts';

describe('the zone names of Outlook', () => {
  it('are found by their Windows names, in any case', () => {
    expect(toIanaZone('W. Europe Standard Time')).toBe('Europe/Berlin');
    expect(toIanaZone('pacific standard time')).toBe('America/Los_Angeles');
    // Places that lately left their Windows zone must not take its name along.
    expect(toIanaZone('Central Asia Standard Time')).not.toBe('Asia/Almaty');
    expect(toIanaZone('Mountain Standard Time (Mexico)')).not.toBe('America/Chihuahua');
  });

  it('may be IANA names, or those of Exchange itself', () => {
    expect(toIanaZone('Europe/Berlin')).toBe('Europe/Berlin');
    expect(toIanaZone('UTC')).toBe('UTC');
    expect(toIanaZone('tzone://Microsoft/Utc')).toBe('UTC');
    expect(toIanaZone('UTC-02')).toBe('Etc/GMT+2');
  });

  it('are unknown when nobody knows them', () => {
    for (const name of [
      '',
      'Customized Time Zone',
      'tzone://Microsoft/Custom',
      'Mars Standard Time',
      '../etc',
    ]) {
      expect(toIanaZone(name)).toBeUndefined();
    }
  });

  it('all lead to a zone that this runtime has', () => {
    const names = new Set(
      windowsZones.supplemental.windowsZones.mapTimezones.map(({ mapZone: { _other: name } }) => name),
    );
    expect(names.size).toBeGreaterThan(130);
    for (const name of names) expect(isTimeZone(toIanaZone(name) ?? '')).toBe(true);
  });
});

describe('the Windows name of a zone', () => {
  it('is found by any of its names', () => {
    expect(toWindowsZone('Europe/Berlin')).toBe('W. Europe Standard Time');
    expect(toWindowsZone('Europe/Vienna')).toBe('W. Europe Standard Time');
    expect(toWindowsZone('UTC')).toBe('UTC');
    expect(toWindowsZone('Asia/Kolkata')).toBe('India Standard Time');
    expect(toWindowsZone('Asia/Calcutta')).toBe('India Standard Time');
    expect(toWindowsZone('Europe/Kyiv')).toBe(toWindowsZone('Europe/Kiev'));
    expect(toWindowsZone('US/Pacific')).toBe('Pacific Standard Time');
  });

  it('is missing where Windows has no such zone', () => {
    expect(toWindowsZone('Antarctica/Troll')).toBeUndefined();
    expect(toWindowsZone('Mars/Olympus')).toBeUndefined();
  });
});

describe('a zone with rules of its own', () => {
  it('is its name where that is known, else its offset from UTC', () => {
    expect(zoneOf({ name: 'Pacific Standard Time', bias: 0 })).toBe('America/Los_Angeles');
    expect(zoneOf({ name: 'Customized Time Zone', bias: 480 })).toBe('Etc/GMT+8');
    expect(zoneOf({ name: null, bias: -60 })).toBe('Etc/GMT-1');
    expect(zoneOf({ bias: 0 })).toBe('UTC');
  });

  it('is unknown without either, and where no zone has its offset', () => {
    expect(zoneOf({ name: 'Customized Time Zone' })).toBeUndefined();
    expect(zoneOf({ bias: -330 })).toBeUndefined();
    expect(zoneOf({ bias: 6000 })).toBeUndefined();
  });
});

describe('a time of Graph', () => {
  it('is an instant in the zone beside it, UTC where there is none', () => {
    expect(toInstantMs({ dateTime: '2026-11-23T09:00:00.0000000', timeZone: 'UTC' })).toBe(
      Date.UTC(2026, 10, 23, 9),
    );
    expect(toInstantMs({ dateTime: '2026-11-23T09:00:00' })).toBe(Date.UTC(2026, 10, 23, 9));
    expect(toInstantMs({ dateTime: '2026-07-01T09:00:00', timeZone: 'W. Europe Standard Time' })).toBe(
      Date.UTC(2026, 6, 1, 7),
    );
  });

  it('is nothing when it or its zone cannot be read', () => {
    expect(toInstantMs({ dateTime: 'soon', timeZone: 'UTC' })).toBeUndefined();
    expect(toInstantMs({ dateTime: '2026-11-23T09:00:00', timeZone: 'Mars Standard Time' })).toBeUndefined();
  });

  it('is a date only at midnight', () => {
    expect(toDate({ dateTime: '2026-11-23T00:00:00.0000000' })).toBe('2026-11-23');
    expect(toDate({ dateTime: '2026-11-23' })).toBe('2026-11-23');
    expect(toDate({ dateTime: '2026-11-22T23:00:00.0000000' })).toBeUndefined();
    expect(toDate({ dateTime: '2026-02-30T00:00:00' })).toBeUndefined();
  });
});
