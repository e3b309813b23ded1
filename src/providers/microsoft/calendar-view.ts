import * as z from 'zod';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { type Interval, splitInterval } from '../../domain/interval.ts';
import { startOfDayMs } from '../../domain/time-zone.ts';
import { graphPath, type GraphRequest } from './client.ts';
import { graphTimeSchema, toDate, toIanaZone, toInstantMs } from './time-zones.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

/** Graph refuses a view of more than 1825 days. */
const LONGEST_VIEW_MS = 1800 * DAY_MS;

const PAGE_SIZE = 250;

/** An event as far as it says whether somebody is busy. */
export const viewEventSchema = z.object({
  start: graphTimeSchema,
  end: graphTimeSchema,
  isAllDay: z.boolean().nullish(),
  isCancelled: z.boolean().nullish(),
  showAs: z.string().nullish(),
  responseStatus: z.object({ response: z.string().nullish() }).nullish(),
  originalStartTimeZone: z.string().nullish(),
});
export type ViewEvent = z.infer<typeof viewEventSchema>;

/**
 * A day further on both sides: Graph places an all-day event by its date, whatever the zone, so that one at
 * the edge of what is asked for could be missed.
 */
export function reachFurther({ startMs, endMs }: Interval): Interval {
  return { startMs: startMs - DAY_MS, endMs: endMs + DAY_MS };
}

/**
 * The requests for what is in a calendar over all of `range`, and a day further on both sides. `calendar` is
 * its path, `['me', 'calendar']` for the default one.
 */
export function viewRequests(calendar: readonly string[], range: Interval): GraphRequest[] {
  return splitInterval(reachFurther(range), LONGEST_VIEW_MS).map(({ startMs, endMs }) => ({
    method: 'GET',
    path: graphPath([...calendar, 'calendarView'], {
      startDateTime: new Date(startMs).toISOString(),
      endDateTime: new Date(endMs).toISOString(),
      $select: 'start,end,isAllDay,isCancelled,showAs,responseStatus,originalStartTimeZone',
      $top: String(PAGE_SIZE),
    }),
    what: 'calendarView',
    writes: false,
  }));
}

/**
 * When these events keep somebody busy. Not busy: cancelled, declined, shown as `free` or
 * `workingElsewhere`. Busy: `busy`, `tentative`, `oof`, and whatever else there may be. An event
 * whose time cannot be read fails all: it could be anywhere.
 *
 * @param mailboxZone the IANA zone of the mailbox that the calendar belongs to, in which all-day events
 *   block their dates; undefined for one that is not known, such as somebody else's.
 */
export function readViewEvents(
  events: readonly ViewEvent[],
  mailboxZone: string | undefined,
): Outcome<Interval[]> {
  const busy: Interval[] = [];
  for (const event of events.filter(isBusy)) {
    const time = (event.isAllDay === true ? readDays(event, mailboxZone) : undefined) ?? readTime(event);
    if (time === undefined) return fail({ kind: 'malformed', at: 'calendarView.start' });
    busy.push(time);
  }
  return ok(busy);
}

/** Whether it keeps somebody busy, wherever it is. */
export function isBusy({
  isCancelled,
  showAs,
  responseStatus,
}: Pick<ViewEvent, 'isCancelled' | 'showAs' | 'responseStatus'>): boolean {
  const isFree = showAs === 'free' || showAs === 'workingElsewhere';
  return isCancelled !== true && !isFree && responseStatus?.response !== 'declined';
}

function readTime({ start, end }: ViewEvent): Interval | undefined {
  const [startMs, endMs] = [toInstantMs(start), toInstantMs(end)];
  return startMs === undefined || endMs === undefined ? undefined : { startMs, endMs };
}

function readDays(event: ViewEvent, mailboxZone: string | undefined): Interval | undefined {
  const dates = readDates(event);
  return dates && blockDates(dates, mailboxZone ?? toIanaZone(event.originalStartTimeZone ?? ''));
}

/** The days of an event, `YYYY-MM-DD`, the end exclusive and after the start. */
export interface Dates {
  startDate: string;
  endDate: string;
}

/**
 * An all-day event comes as midnights of its dates, whatever zone is asked for: its dates count, the
 * zone beside them does not. Undefined when it does not come so.
 */
export function readDates({ start, end }: Pick<ViewEvent, 'start' | 'end'>): Dates | undefined {
  const [first, after] = [toDate(start), toDate(end)];
  if (first === undefined || after === undefined) return undefined;
  // A day that ends as it begins is still a day.
  const last = after > first ? after : new Date(Date.parse(first) + DAY_MS).toISOString().slice(0, 10);
  return { startDate: first, endDate: last };
}

/** What an all-day event blocks: its dates in `timeZone`, or where that is not known, wherever on earth they are. */
export function blockDates({ startDate, endDate }: Dates, timeZone: string | undefined): Interval {
  return timeZone === undefined
    ? { startMs: Date.parse(startDate) - 14 * HOUR_MS, endMs: Date.parse(endDate) + 12 * HOUR_MS }
    : { startMs: startOfDayMs(startDate, timeZone), endMs: startOfDayMs(endDate, timeZone) };
}
