import * as z from 'zod';
import { ok, type Outcome } from '../../domain/failure.ts';
import type { Interval } from '../../domain/interval.ts';
import type { Access, TimesQuestion } from '../provider.ts';
import { askGraph, graphPath, readAs } from './client.ts';
import type { MicrosoftConfig } from './config.ts';
import { graphTimeSchema, toInstantMs } from './time-zones.ts';

const MINUTE_MS = 60_000;

/** More than are ever told: some fall away when they are held against the other calendars. */
const MOST_CANDIDATES = 100;

/** One suggestion out of shape costs no other its place. */
const suggestionSchema = z
  .object({
    organizerAvailability: z.string(),
    meetingTimeSlot: z.object({ start: graphTimeSchema, end: graphTimeSchema }),
  })
  .nullable()
  .catch(null);
const replySchema = z.object({ meetingTimeSuggestions: z.array(suggestionSchema).nullish() });

/** How the person must stand at a time that counts. */
const SUITABLE = ['free', 'workingElsewhere'];

/**
 * The times that Graph's findMeetingTimes chooses for the person alone.
 *
 * They are heuristics that change over time, and know only the default calendar and the working hours
 * of the mailbox: whoever tells them must first hold each against the busy times of every calendar that
 * counts. Graph offers times at which the person is only tentatively free; those are left out.
 *
 * @returns undefined for a personal account, which has no findMeetingTimes, and where Graph refuses it:
 *   the documentation asks for `Calendars.Read.Shared`, which a grant need not cover, and a grant that
 *   is enough for everything else is not to be doubted for that.
 */
export async function suggestTimes(
  { graphUrl }: MicrosoftConfig,
  { range, durationMs, withinWorkingHours }: TimesQuestion,
  access: Access,
): Promise<Outcome<Interval[] | undefined>> {
  if (access.account.kind !== 'work') return ok(undefined);
  const answer = await askGraph(
    { graphUrl, access },
    {
      method: 'POST',
      path: graphPath(['me', 'findMeetingTimes']),
      what: 'findMeetingTimes',
      writes: false,
      body: {
        attendees: [],
        timeConstraint: {
          activityDomain: withinWorkingHours ? 'work' : 'unrestricted',
          timeSlots: [{ start: toGraphTime(range.startMs), end: toGraphTime(range.endMs) }],
        },
        meetingDuration: `PT${durationMs / MINUTE_MS}M`,
        maxCandidates: MOST_CANDIDATES,
        isOrganizerOptional: false,
        minimumAttendeePercentage: 100,
      },
    },
  );
  if (!answer.ok && ['consent-missing', 'not-found'].includes(answer.failure.kind)) return ok(undefined);
  const read = readAs(answer, replySchema, 'findMeetingTimes');
  if (!read.ok) return read;
  return ok((read.value.meetingTimeSuggestions ?? []).flatMap((suggestion) => readTime(suggestion)));
}

function readTime(suggestion: z.infer<typeof suggestionSchema>): Interval[] {
  if (suggestion === null || !SUITABLE.includes(suggestion.organizerAvailability)) return [];
  const { start, end } = suggestion.meetingTimeSlot;
  const [startMs, endMs] = [toInstantMs(start), toInstantMs(end)];
  return startMs === undefined || endMs === undefined || endMs <= startMs ? [] : [{ startMs, endMs }];
}

function toGraphTime(ms: number): { dateTime: string; timeZone: string } {
  return { dateTime: new Date(ms).toISOString().slice(0, 19), timeZone: 'UTC' };
}
