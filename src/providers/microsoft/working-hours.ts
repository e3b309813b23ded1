import * as z from 'zod';
import { WEEKDAYS, type WorkingHours } from '../../domain/availability.ts';
import { zoneOf, zoneSchema } from './time-zones.ts';

const TIME_OF_DAY = /^((?:[01]\d|2[0-3]):[0-5]\d)(?::\d\d(?:\.\d+)?)?$/;
const timeOfDaySchema = z
  .string()
  .regex(TIME_OF_DAY)
  .transform((time) => time.slice(0, 5));

const workingHoursSchema = z
  .object({
    daysOfWeek: z.array(z.string().toLowerCase().pipe(z.enum(WEEKDAYS))).min(1),
    startTime: timeOfDaySchema,
    endTime: timeOfDaySchema,
    timeZone: zoneSchema,
  })
  .transform(({ daysOfWeek, startTime, endTime, timeZone }): WorkingHours[] | undefined => {
    const zone = zoneOf(timeZone);
    return zone === undefined
      ? undefined
      : daysOfWeek.map((day) => ({ day, start: startTime, end: endTime, timeZone: zone }));
  });

/**
 * Graph's workingHours, one entry per day. Undefined for any that cannot be read: they are a hint
 * (Outlook's newer clients keep them elsewhere), and no answer fails for the want of them.
 */
export const lenientWorkingHoursSchema = workingHoursSchema.nullish().catch(undefined);
