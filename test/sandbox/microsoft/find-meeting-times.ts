import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';
import type { ShowAs, Stretch } from '../calendar-store.ts';
import { jsonAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import { eventsWithin } from '../occurrences.ts';
import type { Person } from '../people.ts';
import type { World } from '../world.ts';
import { badRequest, unknownZone } from './errors.ts';
import { readJson } from './json-body.ts';
import { readOptions, readPreferences } from './odata.ts';
import { ianaZone, outlookMoment, outlookTime } from './time-zones.ts';
import { OFFICE_HOURS } from './working-hours.ts';

const QUARTER_MS = 15 * 60_000;
const DEFAULT_CANDIDATES = 20;

const OutlookTime = z.strictObject({ dateTime: z.string(), timeZone: z.string() });
const Question = z.strictObject({
  attendees: z
    .array(
      z.strictObject({
        type: z.enum(['required', 'optional', 'resource']).optional(),
        emailAddress: z.strictObject({ name: z.string().optional(), address: z.string() }),
      }),
    )
    .default([]),
  locationConstraint: z
    .strictObject({
      isRequired: z.boolean().optional(),
      suggestLocation: z.boolean().optional(),
      locations: z.array(z.looseObject({})).optional(),
    })
    .optional(),
  // The real service does without; which times it then looks at is not documented.
  timeConstraint: z.strictObject({
    activityDomain: z.enum(['work', 'personal', 'unrestricted', 'unknown']).default('work'),
    timeSlots: z.array(z.strictObject({ start: OutlookTime, end: OutlookTime })).min(1),
  }),
  meetingDuration: z
    .string()
    .transform(durationMs)
    .refine((ms) => ms > 0)
    .prefault('PT30M'),
  maxCandidates: z.int().min(1).default(DEFAULT_CANDIDATES),
  isOrganizerOptional: z.boolean().default(false),
  returnSuggestionReasons: z.boolean().default(false),
  minimumAttendeePercentage: z.number().min(0).max(100).default(50),
});
type Question = z.infer<typeof Question>;

interface Candidate extends Stretch {
  readonly organizer: ShowAs;
  readonly attendees: readonly { address: string; availability: ShowAs }[];
  readonly confidence: number;
}

/**
 * POST /me/findMeetingTimes, for work and school accounts. Looks at default calendars only, and offers half
 * hours of the mailbox's clock: the surest first, those at which the organizer is only tentatively free after
 * those at which they are free, then by time.
 */
export function findMeetingTimes(world: World, ask: Ask, person: Person): Answer {
  readOptions(ask, []);
  const question = readJson(ask, Question);
  const { zone, applied } = readPreferences(ask);
  const possible = question.timeConstraint.timeSlots
    .flatMap((slot) => startsWithin(slotOf(slot), question, person))
    .map((stretch) => judge(world, stretch, question, person));
  const attended = possible.filter(({ organizer }) => question.isOrganizerOptional || isOpen(organizer));
  const needsPlace = question.locationConstraint?.isRequired === true;
  const sure = attended.filter(
    ({ confidence }) => !needsPlace && confidence >= question.minimumAttendeePercentage,
  );
  const suggested = sure
    .toSorted(
      (one, other) =>
        other.confidence - one.confidence ||
        Number(one.organizer === 'tentative') - Number(other.organizer === 'tentative') ||
        one.startMs - other.startMs,
    )
    .slice(0, question.maxCandidates);
  const time = (epochMs: number): object => ({
    dateTime: outlookTime(epochMs, zone.iana),
    timeZone: zone.name,
  });
  return jsonAnswer(
    200,
    {
      '@odata.context': `${world.origin()}/v1.0/$metadata#microsoft.graph.meetingTimeSuggestionsResult`,
      emptySuggestionsReason: suggested.length > 0 ? '' : emptyReason(possible, attended, needsPlace),
      meetingTimeSuggestions: suggested.map((candidate, place) => ({
        confidence: candidate.confidence,
        order: place + 1,
        organizerAvailability: candidate.organizer,
        ...(question.returnSuggestionReasons
          ? {
              suggestionReason:
                'Suggested because it is one of the nearest times when all attendees are available.',
            }
          : {}),
        attendeeAvailability: candidate.attendees.map(({ address, availability }) => ({
          availability,
          attendee: { type: 'required', emailAddress: { address } },
        })),
        locations: [],
        meetingTimeSlot: { start: time(candidate.startMs), end: time(candidate.endMs) },
      })),
    },
    { headers: applied },
  );
}

function emptyReason(
  possible: readonly Candidate[],
  attended: readonly Candidate[],
  needsPlace: boolean,
): string {
  if (possible.length === 0) return 'unknown';
  if (attended.length === 0) return 'organizerUnavailable';
  if (needsPlace) return 'locationsUnavailable';
  return attended.some(({ attendees }) => attendees.some(({ availability }) => availability === 'unknown'))
    ? 'attendeesUnavailableOrUnknown'
    : 'attendeesUnavailable';
}

/** Where a meeting could be in a slot: on half hours of the mailbox's clock, within the hours of its domain. */
function startsWithin(slot: Stretch, question: Question, person: Person): Stretch[] {
  const starts: Stretch[] = [];
  const lengthMs = question.meetingDuration;
  const firstMs = Math.ceil(slot.startMs / QUARTER_MS) * QUARTER_MS;
  for (let startMs = firstMs; startMs + lengthMs <= slot.endMs; startMs += QUARTER_MS) {
    const stretch = { startMs, endMs: startMs + lengthMs };
    const { minute } = localTime(startMs, person.timeZone);
    if (minute % 30 === 0 && isWithinHours(stretch, question.timeConstraint.activityDomain, person))
      starts.push(stretch);
  }
  return starts;
}

function isWithinHours(
  { startMs, endMs }: Stretch,
  domain: Question['timeConstraint']['activityDomain'],
  person: Person,
): boolean {
  if (domain === 'unrestricted') return true;
  const hours = person.workingHours ?? OFFICE_HOURS;
  const days = domain === 'personal' ? [...hours.days, 'saturday', 'sunday'] : hours.days;
  const [from, until] = [startMs, endMs].map((ms) => localTime(ms, hours.timeZone ?? person.timeZone));
  if (from === undefined || until === undefined) return false;
  const names = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
  const clock = (at: Temporal.ZonedDateTime): string => at.toPlainTime().toString({ smallestUnit: 'minute' });
  return (
    days.some((day) => day.toLowerCase() === names[from.dayOfWeek - 1]) &&
    from.toPlainDate().equals(until.toPlainDate()) &&
    clock(from) >= hours.start &&
    clock(until) <= hours.end
  );
}

function judge(world: World, stretch: Stretch, question: Question, person: Person): Candidate {
  const attendees = question.attendees.map(({ emailAddress: { address } }) => {
    const attendee = world.people.get(address, 'microsoft');
    const isColleague = attendee !== undefined && attendee.tenantId === person.tenantId;
    return { address, availability: isColleague ? availabilityOf(attendee, stretch) : 'unknown' } as const;
  });
  const chances = attendees.map(({ availability }) => chanceOf(availability));
  const sum = chances.reduce((total, chance) => total + chance, 0);
  const confidence = chances.length === 0 ? 100 : sum / chances.length;
  return { ...stretch, organizer: availabilityOf(person, stretch), attendees, confidence };
}

/** Free, or the strongest of what is in somebody's default calendar then. */
function availabilityOf(person: Person, stretch: Stretch): ShowAs {
  const primary = person.calendar('primary');
  if (primary === undefined || person.restrictions.has(primary.id)) return 'unknown';
  const there = eventsWithin(primary.calendar, stretch, person.timeZone).map(({ showAs }) => showAs);
  const strongest = (['busy', 'oof', 'unknown', 'tentative', 'workingElsewhere'] as const).find((one) =>
    there.includes(one),
  );
  return strongest ?? 'free';
}

/** Whether somebody who has to be there can be; tentative time is offered too. */
function isOpen(availability: ShowAs): boolean {
  return availability === 'free' || availability === 'workingElsewhere' || availability === 'tentative';
}

function chanceOf(availability: ShowAs): number {
  if (availability === 'unknown') return 49;
  return isOpen(availability) ? 100 : 0;
}

function slotOf({ start, end }: { start: OutlookTime; end: OutlookTime }): Stretch {
  const slot = { startMs: momentOf(start), endMs: momentOf(end) };
  if (slot.endMs <= slot.startMs) throw badRequest('ErrorInvalidParameter', 'A time slot ends as it starts.');
  return slot;
}

type OutlookTime = z.infer<typeof OutlookTime>;

function momentOf({ dateTime, timeZone }: OutlookTime): number {
  const iana = ianaZone(timeZone);
  if (iana === undefined) throw unknownZone(timeZone);
  const moment = outlookMoment(dateTime, iana);
  if (moment === undefined)
    throw badRequest('ErrorInvalidParameter', `'${dateTime}' is not a local date and time.`);
  return moment;
}

function localTime(epochMs: number, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(epochMs).toZonedDateTimeISO(timeZone);
}

/** An Edm.Duration in milliseconds; 0 when it is none. */
function durationMs(text: string): number {
  if (!/^P(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?$/.test(text)) return 0;
  try {
    return Temporal.Duration.from(text).total('milliseconds');
  } catch {
    return 0;
  }
}
