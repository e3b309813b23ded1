import { z } from 'zod';
import { mergeStretches, stretchOf } from '../calendar-store.ts';
import type { Stretch } from '../calendar-store.ts';
import { jsonAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import { eventsWithin } from '../occurrences.ts';
import type { ListedCalendar, Person } from '../people.ts';
import { badRequest } from './errors.ts';
import { readJson } from './json-body.ts';
import { readQuery, readTime, readZone, writeTime } from './query.ts';

const RANGE_CAP_MS = 90 * 24 * 3_600_000;
const CALENDARS_CAP = 50;
const GROUPS_CAP = 100;

const Question = z.strictObject({
  timeMin: z.string().optional(),
  timeMax: z.string().optional(),
  timeZone: z.string().optional(),
  items: z.array(z.strictObject({ id: z.string() })).optional(),
  calendarExpansionMax: z.int().optional(),
  groupExpansionMax: z.int().optional(),
});

/** POST freeBusy. A calendar that cannot be read has `errors` in a reply that is a 200 all the same. */
export function freeBusy(ask: Ask, person: Person): Answer {
  readQuery(ask, []);
  const question = readJson(ask, Question);
  if (question.timeMin === undefined) throw badRequest('required', 'Missing timeMin parameter.', 'timeMin');
  if (question.timeMax === undefined) throw badRequest('required', 'Missing timeMax parameter.', 'timeMax');
  const window: Stretch = {
    startMs: readTime(question.timeMin, 'timeMin'),
    endMs: readTime(question.timeMax, 'timeMax'),
  };
  const timeZone = readZone(question.timeZone ?? 'UTC', 'timeZone');
  if (window.endMs <= window.startMs) {
    throw badRequest('timeRangeEmpty', 'The specified time range is empty.', 'timeMax', 'calendar');
  }
  if (window.endMs - window.startMs > RANGE_CAP_MS) {
    throw badRequest('timeRangeTooLong', 'The requested time range is too long.', 'timeMax', 'calendar');
  }
  const most = question.calendarExpansionMax ?? CALENDARS_CAP;
  if (most < 1 || most > CALENDARS_CAP || (question.groupExpansionMax ?? 1) > GROUPS_CAP) {
    throw badRequest('invalidParameter', 'The expansion limit is out of range.', 'calendarExpansionMax');
  }
  const ids = [...new Set((question.items ?? []).map(({ id }) => id))];
  const tooMany = ids.length > most;
  return jsonAnswer(200, {
    kind: 'calendar#freeBusy',
    timeMin: fullTime(window.startMs),
    timeMax: fullTime(window.endMs),
    calendars: Object.fromEntries(
      ids.map((id) => [
        id,
        tooMany ? problem('tooManyCalendarsRequested') : readCalendar(person, id, window, timeZone),
      ]),
    ),
  });
}

function readCalendar(person: Person, id: string, window: Stretch, timeZone: string): object {
  const entry = person.calendar(id);
  if (entry === undefined) return problem('notFound');
  const restriction = person.restrictions.get(entry.id);
  if (restriction !== undefined) return problem(restriction);
  const busy = mergeStretches(busyStretches(entry, window));
  return {
    busy: busy.map(({ startMs, endMs }) => ({
      start: writeTime(startMs, timeZone),
      end: writeTime(endMs, timeZone),
    })),
  };
}

function busyStretches(entry: ListedCalendar, window: Stretch): Stretch[] {
  return (
    eventsWithin(entry.calendar, window)
      .filter((event) => event.showAs !== 'free' && event.showAs !== 'workingElsewhere')
      .filter((event) => event.response !== 'declined')
      .map((event) => stretchOf(event.span, entry.timeZone))
      .filter(({ startMs, endMs }) => endMs > startMs)
      // Blocks are cut to the asked range.
      .map(({ startMs, endMs }) => ({
        startMs: Math.max(startMs, window.startMs),
        endMs: Math.min(endMs, window.endMs),
      }))
  );
}

function problem(reason: string): object {
  return { errors: [{ domain: 'global', reason }], busy: [] };
}

// The range is echoed in UTC with milliseconds, whatever zone was asked for.
function fullTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
