import { z } from 'zod';
import { stretchOf } from '../calendar-store.ts';
import type { StoredEvent, Stretch } from '../calendar-store.ts';
import { jsonAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import { eventsWithin } from '../occurrences.ts';
import type { Person } from '../people.ts';
import type { World } from '../world.ts';
import { badRequest, unknownZone } from './errors.ts';
import { readJson } from './json-body.ts';
import { readOptions, readPreferences } from './odata.ts';
import { ianaZone, outlookMoment, outlookTime } from './time-zones.ts';
import { workingHoursResource } from './working-hours.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const RANGE_CAP_DAYS = 62;
const SCHEDULES_CAP = 20;
const DEFAULT_INTERVAL_MINUTES = 30;

const OutlookTime = z.strictObject({ dateTime: z.string(), timeZone: z.string() });
const Question = z.strictObject({
  schedules: z.array(z.string()),
  startTime: OutlookTime,
  endTime: OutlookTime,
  // The provider's own documentation shows it as text too.
  availabilityViewInterval: z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)]).optional(),
});

/** POST /me/calendar/getSchedule, for work and school accounts. Covers default calendars only. */
export function getSchedule(world: World, ask: Ask, person: Person): Answer {
  readOptions(ask, []);
  const question = readJson(ask, Question);
  const { zone, applied } = readPreferences(ask);
  if (question.schedules.length === 0) throw badRequest('ErrorInvalidParameter', 'There are no schedules.');
  if (question.schedules.length > SCHEDULES_CAP) {
    throw badRequest(
      'ErrorMailboxDataArrayTooBig',
      `There are too many target users in the EmailAddress array. The allowed size = ${String(SCHEDULES_CAP)}; the actual size = ${String(question.schedules.length)}.`,
    );
  }
  const window = { startMs: momentOf(question.startTime), endMs: momentOf(question.endTime) };
  const lengthMs = window.endMs - window.startMs;
  if (lengthMs <= 0) {
    throw badRequest('ErrorInvalidTimeInterval', 'The duration specified for the time window is invalid.');
  }
  if (lengthMs > RANGE_CAP_DAYS * DAY_MS) {
    throw badRequest(
      'ErrorTimeIntervalTooBig',
      `The requested time window is too long. The allowed limit = ${String(RANGE_CAP_DAYS)} days; the actual limit = ${String(Math.ceil(lengthMs / DAY_MS))} days.`,
    );
  }
  const interval = question.availabilityViewInterval ?? DEFAULT_INTERVAL_MINUTES;
  // The default counts too: a window shorter than half an hour needs an interval of its own.
  if (interval < 5 || interval > 1440 || interval * MINUTE_MS > lengthMs) {
    throw badRequest(
      'ErrorInvalidMergedFreeBusyInterval',
      'The interval must be from 5 to 1440 minutes and not longer than the time window.',
    );
  }
  return jsonAnswer(
    200,
    {
      '@odata.context': `${world.origin()}/v1.0/$metadata#Collection(microsoft.graph.scheduleInformation)`,
      value: question.schedules.map((address) => information(world, person, address, window, interval, zone)),
    },
    { headers: applied },
  );
}

function information(
  world: World,
  caller: Person,
  address: string,
  window: Stretch,
  interval: number,
  zone: { name: string; iana: string },
): object {
  const person = world.people.get(address, 'microsoft');
  const primary = person?.calendar('primary');
  if (person === undefined || primary === undefined || person.tenantId !== caller.tenantId) {
    return failure(
      address,
      'ErrorMailRecipientNotFound',
      `Unable to resolve e-mail address ${address} to an Active Directory object.`,
    );
  }
  const restriction = person.restrictions.get(primary.id);
  if (restriction !== undefined) return failure(address, restriction, 'The schedule could not be read.');
  const events = eventsWithin(primary.calendar, window, person.timeZone);
  const local = (epochMs: number): object => ({
    dateTime: outlookTime(epochMs, zone.iana),
    timeZone: zone.name,
  });
  return {
    scheduleId: address,
    availabilityView: availabilityView(events, window, interval, person.timeZone),
    scheduleItems: events.map((event) => {
      const { startMs, endMs } = stretchOf(event.span, person.timeZone);
      // By default colleagues see when someone is busy, not with what.
      const details =
        person === caller
          ? { isPrivate: event.isPrivate, subject: event.summary, location: event.location ?? '' }
          : {};
      return { ...details, status: event.showAs, start: local(startMs), end: local(endMs) };
    }),
    workingHours: workingHoursResource(person),
  };
}

function availabilityView(
  events: readonly StoredEvent[],
  window: Stretch,
  interval: number,
  timeZone: string,
): string {
  // Free, elsewhere and unknown all read as 0; of several events in a slot the strongest counts.
  const strength = { free: 0, workingElsewhere: 0, unknown: 0, tentative: 1, busy: 2, oof: 3 } as const;
  const stretches = events.map((event) => ({
    ...stretchOf(event.span, timeZone),
    digit: strength[event.showAs],
  }));
  const slots = Math.ceil((window.endMs - window.startMs) / (interval * MINUTE_MS));
  return Array.from({ length: slots }, (_, slot) => {
    const startMs = window.startMs + slot * interval * MINUTE_MS;
    const endMs = startMs + interval * MINUTE_MS;
    const there = stretches.filter((stretch) => stretch.startMs < endMs && stretch.endMs > startMs);
    return String(Math.max(0, ...there.map(({ digit }) => digit)));
  }).join('');
}

function failure(scheduleId: string, responseCode: string, message: string): object {
  return { scheduleId, error: { message, responseCode } };
}

function momentOf({ dateTime, timeZone }: { dateTime: string; timeZone: string }): number {
  const iana = ianaZone(timeZone);
  if (iana === undefined) throw unknownZone(timeZone);
  const moment = outlookMoment(dateTime, iana);
  if (moment === undefined)
    throw badRequest('ErrorInvalidParameter', `'${dateTime}' is not a local date and time.`);
  return moment;
}
