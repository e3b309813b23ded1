import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../../src/domain/failure.ts';
import { suggestTimes } from '../../../src/providers/microsoft/meeting-times.ts';
import { CONFIG, type GraphAnswer, PERSON, scriptedAccess, scriptedGraph, WORKER } from './scripted.ts';

const HOUR_MS = 60 * 60 * 1000;
const START = Date.UTC(2026, 10, 23);
const QUESTION = {
  range: { startMs: START, endMs: START + 24 * HOUR_MS },
  durationMs: 90 * 60_000,
  withinWorkingHours: true,
};

const at = (hour: number, timeZone = 'UTC') => ({
  dateTime: `${new Date(START + hour * HOUR_MS).toISOString().slice(0, 19)}.0000000`,
  timeZone,
});
const suggestion = (hour: number, organizerAvailability = 'free', timeZone = 'UTC') => ({
  confidence: 100,
  order: 1,
  organizerAvailability,
  attendeeAvailability: [],
  locations: [],
  meetingTimeSlot: { start: at(hour, timeZone), end: at(hour + 1.5, timeZone) },
});
const slot = (hour: number) => ({
  startMs: START + hour * HOUR_MS,
  endMs: START + (hour + 1.5) * HOUR_MS,
});

/** What is suggested when Graph answers this, and what it was asked. */
async function ask(answer: GraphAnswer, question = QUESTION, account = WORKER) {
  const bodies: unknown[] = [];
  const { send, asked } = scriptedGraph(({ body }) => {
    bodies.push(body);
    return answer;
  });
  const { access, held } = scriptedAccess(send, account);
  return { suggested: await suggestTimes(CONFIG, question, access), asked, bodies, held };
}
const suggesting = (...meetingTimeSuggestions: unknown[]) => ({
  body: { emptySuggestionsReason: '', meetingTimeSuggestions },
});

describe('asking for meeting times', () => {
  it('asks once, for the person alone, within the working hours of the mailbox', async () => {
    const { asked, bodies } = await ask(suggesting());
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST https://graph.example/v1.0/me/findMeetingTimes',
    ]);
    expect(bodies).toEqual([
      {
        attendees: [],
        timeConstraint: {
          activityDomain: 'work',
          timeSlots: [
            {
              start: { dateTime: '2026-11-23T00:00:00', timeZone: 'UTC' },
              end: { dateTime: '2026-11-24T00:00:00', timeZone: 'UTC' },
            },
          ],
        },
        meetingDuration: 'PT90M',
        maxCandidates: 100,
        isOrganizerOptional: false,
        minimumAttendeePercentage: 100,
      },
    ]);
  });

  it('asks for all hours when working hours do not bind', async () => {
    const { bodies } = await ask(suggesting(), { ...QUESTION, withinWorkingHours: false });
    expect(bodies).toMatchObject([{ timeConstraint: { activityDomain: 'unrestricted' } }]);
  });

  it('asks nothing of a personal account: Graph has no such request for it', async () => {
    const { suggested, asked } = await ask(suggesting(), QUESTION, PERSON);
    expect(suggested).toEqual(ok(undefined));
    expect(asked).toEqual([]);
  });
});

describe('what Graph suggests', () => {
  it('counts where the person is free or works elsewhere, not where they might be busy', async () => {
    const { suggested } = await ask(
      suggesting(
        suggestion(9),
        suggestion(10, 'tentative'),
        suggestion(11, 'workingElsewhere'),
        suggestion(12, 'unknown'),
        suggestion(13, 'busy'),
        suggestion(14, 'somethingNew'),
      ),
    );
    expect(suggested).toEqual(ok([slot(9), slot(11)]));
  });

  it('is read in the zone it names', async () => {
    const { suggested } = await ask(suggesting(suggestion(9, 'free', 'Tokyo Standard Time')));
    expect(suggested).toEqual(ok([slot(0)]));
  });

  it('loses a suggestion that cannot be read, and no other', async () => {
    const { suggested } = await ask(
      suggesting(
        null,
        {},
        { ...suggestion(8), meetingTimeSlot: { start: at(8), end: at(8) } },
        suggestion(9, 'free', 'Middle Earth'),
        suggestion(10),
      ),
    );
    expect(suggested).toEqual(ok([slot(10)]));
  });

  it('may be nothing, with a reason', async () => {
    const nothing = { emptySuggestionsReason: 'organizerUnavailable', meetingTimeSuggestions: [] };
    expect((await ask({ body: nothing })).suggested).toEqual(ok([]));
    expect((await ask({ body: { ...nothing, meetingTimeSuggestions: null } })).suggested).toEqual(ok([]));
  });

  it.each([403, 404])('is nothing to be had where Graph answers %s, and no failure', async (status) => {
    const { suggested } = await ask({ status, body: { error: { code: 'ErrorAccessDenied' } } });
    expect(suggested).toEqual(ok(undefined));
  });

  it('fails as any other request does', async () => {
    expect((await ask({ status: 401 })).suggested).toEqual(fail({ kind: 'token-rejected' }));
    expect((await ask({ status: 503 })).suggested).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
    expect((await ask({ status: 400, body: { error: { code: 'Bad' } } })).suggested).toEqual(
      fail({ kind: 'rejected', status: 400, code: 'Bad' }),
    );
    expect((await ask({ body: { meetingTimeSuggestions: 'soon' } })).suggested).toMatchObject({
      failure: { kind: 'malformed' },
    });
    const throttled = await ask({ status: 429, headers: { 'Retry-After': '7' } });
    expect(throttled.suggested).toMatchObject({ failure: { kind: 'throttled' } });
    expect(throttled.held).toHaveLength(1);
  });
});
