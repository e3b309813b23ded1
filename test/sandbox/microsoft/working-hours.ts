import { Temporal } from 'temporal-polyfill';
import type { Person, WorkingHours } from '../people.ts';
import { windowsZone } from './time-zones.ts';

/** Working hours in Graph's form. */
export interface WorkingHoursResource {
  readonly daysOfWeek: string[];
  readonly startTime: string;
  readonly endTime: string;
  readonly timeZone: object;
}

/** The working hours of a mailbox that nobody set any for. */
export const OFFICE_HOURS: WorkingHours = {
  days: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'],
  start: '08:00',
  end: '17:00',
};

/** The working hours of a mailbox as Outlook tells them; Monday to Friday from eight to five when nobody set any. */
export function workingHoursResource(person: Person): WorkingHoursResource {
  const hours = person.workingHours ?? OFFICE_HOURS;
  const iana = hours.timeZone ?? person.timeZone;
  return {
    daysOfWeek: hours.days.map((day) => day.toLowerCase()),
    startTime: `${hours.start}:00.0000000`,
    endTime: `${hours.end}:00.0000000`,
    timeZone: hours.customTimeZone === true ? customTimeZone(iana) : { name: zoneName(person, iana) },
  };
}

/** A zone in the kind of names this mailbox uses. */
export function zoneName(person: Person, iana: string): string {
  return person.timeZoneNames === 'windows' ? windowsZone(iana) : iana;
}

/** A zone told by this year's rules: minutes to add to local time for UTC, and when the clocks change. */
function customTimeZone(iana: string): object {
  const newYear = Temporal.PlainDate.from({ year: Temporal.Now.plainDateISO('UTC').year, month: 1, day: 1 });
  const first = newYear.toZonedDateTime({ timeZone: iana }).getTimeZoneTransition('next');
  const second = first?.getTimeZoneTransition('next');
  const offsets = [first, second].map((at) => Math.round((at?.offsetNanoseconds ?? 0) / 60e9));
  const standardMinutes =
    first === null
      ? Math.round(newYear.toZonedDateTime(iana).offsetNanoseconds / 60e9)
      : Math.min(...offsets);
  const changes = [first, second].filter((at) => at !== null && at !== undefined);
  const rule = (to: 'standard' | 'daylight'): object => {
    const at = changes.find(
      (one) => (Math.round(one.offsetNanoseconds / 60e9) === standardMinutes) === (to === 'standard'),
    );
    if (at === undefined)
      return { time: '00:00:00.0000000', dayOccurrence: 0, dayOfWeek: 'sunday', month: 0, year: 0 };
    // The rule is told in the local time before the change.
    const before = at.subtract({ seconds: 1 }).toPlainDateTime().add({ seconds: 1 });
    const days = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
    const isLast = before.day + 7 > before.daysInMonth;
    return {
      time: before.toPlainTime().toString({ fractionalSecondDigits: 7 }),
      dayOccurrence: isLast ? 5 : Math.ceil(before.day / 7),
      dayOfWeek: days[before.dayOfWeek - 1],
      month: before.month,
      year: 0,
    };
  };
  return {
    '@odata.type': '#microsoft.graph.customTimeZone',
    bias: -standardMinutes,
    name: 'Customized Time Zone',
    standardOffset: rule('standard'),
    daylightOffset: { daylightBias: changes.length === 0 ? 0 : -60, ...rule('daylight') },
  };
}
