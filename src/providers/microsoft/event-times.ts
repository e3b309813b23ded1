import type { DateTimeTimeZone } from '@microsoft/microsoft-graph-types';
import { Temporal } from 'temporal-polyfill';
import type { EventTime } from '../../domain/event.ts';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { parseInstant } from '../../domain/time-zone.ts';
import { toWindowsZone } from './time-zones.ts';

/** When an event is, as Graph is told it. */
export interface GraphTimes {
  isAllDay: boolean;
  start: DateTimeTimeZone;
  end: DateTimeTimeZone;
}

/** A single event: instants in UTC, or the midnights of its dates, which must be those of its own zone. */
export function writeTimes(time: EventTime): Outcome<GraphTimes> {
  if (time.kind === 'all-day') {
    const zoned = writeZonedTimes(time);
    if (!zoned.ok) return zoned;
    // Graph refuses a property that it does not know.
    const { zoneName: _, ...times } = zoned.value;
    return ok(times);
  }
  const inUtc = (ms: number) => ({ dateTime: new Date(ms).toISOString().slice(0, -1), timeZone: 'UTC' });
  return ok({ isAllDay: false, start: inUtc(time.startMs), end: inUtc(time.endMs) });
}

/**
 * An event that recurs: local times, with the zone in which they stay what they are when clocks change.
 *
 * @returns or `unsupported`: Windows has no such zone, or the time is the second of two that a clock
 *   shows when it is set back, which a local time cannot say.
 */
export function writeZonedTimes(time: EventTime): Outcome<GraphTimes & { zoneName: string }> {
  const zoneName = toWindowsZone(time.timeZone);
  if (zoneName === undefined) {
    const detail = `Microsoft has no time zone ${time.timeZone}`;
    return fail({ kind: 'unsupported', field: 'timeZone', detail });
  }
  const at = (dateTime: string) => ({ dateTime, timeZone: zoneName });
  if (time.kind === 'all-day') {
    const [start, end] = [at(`${time.startDate}T00:00:00`), at(`${time.endDate}T00:00:00`)];
    return ok({ isAllDay: true, start, end, zoneName });
  }
  const [start, end] = [localTime(time.startMs, time.timeZone), localTime(time.endMs, time.timeZone)];
  for (const [field, local, ms] of [
    ['start', start, time.startMs],
    ['end', end, time.endMs],
  ] as const) {
    if (parseInstant(local, time.timeZone) !== ms) {
      const detail = 'Microsoft cannot tell the second of two equal local times, when clocks go back';
      return fail({ kind: 'unsupported', field, detail });
    }
  }
  return ok({ isAllDay: false, start: at(start), end: at(end), zoneName });
}

function localTime(ms: number, timeZone: string): string {
  return Temporal.Instant.fromEpochMilliseconds(ms)
    .toZonedDateTimeISO(timeZone)
    .toPlainDateTime()
    .toString({ smallestUnit: ms % 1000 === 0 ? 'second' : 'millisecond' });
}
