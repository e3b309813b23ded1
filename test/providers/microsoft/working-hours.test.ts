import { describe, expect, it } from 'vitest';
import { lenientWorkingHoursSchema } from '../../../src/providers/microsoft/working-hours.ts';

const HOURS = {
  daysOfWeek: ['monday', 'Friday'],
  startTime: '08:30:00.0000000',
  endTime: '17:00:00.0000000',
  timeZone: { name: 'W. Europe Standard Time' },
};

describe('working hours of Graph', () => {
  it('are one entry for each day, in minutes and an IANA zone', () => {
    expect(lenientWorkingHoursSchema.parse(HOURS)).toEqual([
      { day: 'monday', start: '08:30', end: '17:00', timeZone: 'Europe/Berlin' },
      { day: 'friday', start: '08:30', end: '17:00', timeZone: 'Europe/Berlin' },
    ]);
  });

  it('take the offset of a customized zone', () => {
    const custom = {
      '@odata.type': '#microsoft.graph.customTimeZone',
      bias: 480,
      name: 'Customized Time Zone',
      daylightOffset: { daylightBias: -60 },
    };
    expect(lenientWorkingHoursSchema.parse({ ...HOURS, timeZone: custom })?.[0]?.timeZone).toBe('Etc/GMT+8');
  });

  it('are left out when they cannot be read', () => {
    for (const hours of [
      null,
      undefined,
      'nine to five',
      { ...HOURS, daysOfWeek: [] },
      { ...HOURS, daysOfWeek: ['someday'] },
      { ...HOURS, startTime: '25:00:00' },
      { ...HOURS, timeZone: { name: 'Mars Standard Time' } },
      { ...HOURS, timeZone: null },
    ]) {
      expect(lenientWorkingHoursSchema.parse(hours) ?? undefined).toBeUndefined();
    }
  });
});
