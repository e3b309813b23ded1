import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectMicrosoft, MICROSOFT_SCOPES } from '../client-journey.ts';
import type { Person } from '../people.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const WORK = 'grace@contoso.example';
const COLLEAGUE = 'margaret@contoso.example';
const SHARED = [...MICROSOFT_SCOPES, 'Calendars.Read.Shared'].join(' ');
let sandbox: Sandbox;
let grace: Person;
let margaret: Person;
let token: string;

beforeEach(async () => {
  sandbox = await startSandbox();
  const add = (email: string): Person =>
    sandbox.people.add({
      provider: 'microsoft',
      email,
      name: email,
      timeZone: 'America/New_York',
      workingHours: { days: ['monday', 'tuesday'], start: '09:00', end: '11:00' },
      calendars: [{ name: 'Calendar', primary: true }, { name: 'Lectures' }],
    });
  [grace, margaret] = [add(WORK), add(COLLEAGUE)];
  token = (await connectMicrosoft(sandbox, WORK, { scope: SHARED })).access_token;
});
afterEach(async () => {
  await sandbox.close();
});

/** Monday in New York, which is five hours behind UTC. */
const slot = (start: string, end: string): object => ({
  start: { dateTime: `2026-11-23T${start}:00`, timeZone: 'Eastern Standard Time' },
  end: { dateTime: `2026-11-23T${end}:00`, timeZone: 'Eastern Standard Time' },
});
const within = (start: string, end: string, activityDomain = 'work'): object => ({
  timeConstraint: { activityDomain, timeSlots: [slot(start, end)] },
});
const busy = (person: Person, start: string, end: string, more: object = {}): void => {
  person.addEvent('primary', {
    summary: 'busy',
    start: `2026-11-23T${start}`,
    end: `2026-11-23T${end}`,
    ...more,
  });
};

async function ask(body: object, bearer = token, prefer?: string): Promise<Response> {
  return await fetch(`${sandbox.microsoftUrl}/v1.0/me/findMeetingTimes`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: {
      authorization: `Bearer ${bearer}`,
      'content-type': 'application/json',
      ...(prefer === undefined ? {} : { prefer }),
    },
  });
}
const Time = z.object({ dateTime: z.string(), timeZone: z.string() });
const Found = z.object({
  emptySuggestionsReason: z.string(),
  meetingTimeSuggestions: z.array(
    z.object({
      confidence: z.number(),
      organizerAvailability: z.string(),
      meetingTimeSlot: z.object({ start: Time, end: Time }),
    }),
  ),
});
/** The UTC times of the suggestions, or why there are none. */
async function found(body: object): Promise<string[] | string> {
  const { emptySuggestionsReason, meetingTimeSuggestions } = Found.parse(await (await ask(body)).json());
  return emptySuggestionsReason === ''
    ? meetingTimeSuggestions.map(({ meetingTimeSlot }) => meetingTimeSlot.start.dateTime.slice(11, 16))
    : emptySuggestionsReason;
}
const Failure = z.object({ error: z.object({ code: z.string() }) });
const code = async (reply: Response): Promise<[number, string]> => [
  reply.status,
  Failure.parse(await reply.json()).error.code,
];

describe('findMeetingTimes', () => {
  test('offers half hours within the working hours, or the weekend, or at any time', async () => {
    expect(await found({ ...within('00:00', '23:30'), meetingDuration: 'PT1H' })).toEqual([
      '14:00',
      '14:30',
      '15:00',
    ]);
    const anyTime = { ...within('20:00', '22:00', 'unrestricted'), meetingDuration: 'PT1H' };
    expect(await found(anyTime)).toEqual(['01:00', '01:30', '02:00']);
    const saturday = {
      timeSlots: [
        {
          start: { dateTime: '2026-11-28T00:00:00', timeZone: 'America/New_York' },
          end: { dateTime: '2026-11-29T00:00:00', timeZone: 'America/New_York' },
        },
      ],
    };
    expect(await found({ timeConstraint: { activityDomain: 'work', ...saturday } })).toBe('unknown');
    expect(await found({ timeConstraint: { activityDomain: 'personal', ...saturday } })).toHaveLength(4);
  });

  test('takes the length and the number that are asked for, half an hour by default', async () => {
    const hours = within('09:00', '11:00');
    expect(await found(hours)).toHaveLength(4);
    expect(await found({ ...hours, meetingDuration: 'PT90M' })).toHaveLength(2);
    expect(await found({ ...hours, maxCandidates: 1 })).toHaveLength(1);
  });

  test('looks at the primary calendar alone', async () => {
    const lectures = grace.calendars[1]?.id ?? '';
    grace.addEvent(lectures, { summary: 'l', start: '2026-11-23T09:00', end: '2026-11-23T10:00' });
    busy(grace, '10:00', '11:00');
    expect(await found(within('09:00', '11:00'))).toEqual(['14:00', '14:30']);
  });

  test('offers tentative time after free time, and counts working elsewhere as open', async () => {
    busy(grace, '09:00', '09:30', { showAs: 'tentative' });
    busy(grace, '09:30', '10:00', { showAs: 'workingElsewhere' });
    busy(grace, '10:00', '10:30', { showAs: 'oof' });
    const reply = Found.parse(await (await ask(within('09:00', '11:00'))).json());
    expect(reply.meetingTimeSuggestions.map((one) => one.organizerAvailability)).toEqual([
      'workingElsewhere',
      'free',
      'tentative',
    ]);
  });

  test('is as sure as the attendees are free', async () => {
    busy(margaret, '09:00', '10:30');
    const attendees = [COLLEAGUE, 'stranger@elsewhere.example'].map((address) => ({
      type: 'required',
      emailAddress: { address },
    }));
    const hours = within('09:00', '11:00');
    expect(await found({ ...hours, attendees: attendees.slice(0, 1) })).toEqual(['15:30']);
    expect(await found({ ...hours, attendees, minimumAttendeePercentage: 74 })).toEqual(['15:30']);
    expect(await found({ ...hours, attendees, minimumAttendeePercentage: 75 })).toBe(
      'attendeesUnavailableOrUnknown',
    );
    busy(margaret, '10:30', '11:00');
    expect(await found({ ...hours, attendees: attendees.slice(0, 1) })).toBe('attendeesUnavailable');
  });

  test('says why there is nothing to suggest', async () => {
    busy(grace, '08:00', '12:00');
    const hours = within('09:00', '11:00');
    expect(await found(hours)).toBe('organizerUnavailable');
    expect(await found({ ...hours, isOrganizerOptional: true })).toHaveLength(4);
    const place = { locationConstraint: { isRequired: true } };
    expect(await found({ ...hours, ...place, isOrganizerOptional: true })).toBe('locationsUnavailable');
  });

  test('gives times in the preferred zone', async () => {
    const prefer = 'outlook.timezone="Tokyo Standard Time"';
    const reply = await ask({ ...within('09:00', '11:00'), maxCandidates: 1 }, token, prefer);
    expect(reply.headers.get('preference-applied')).toContain('Tokyo Standard Time');
    expect(Found.parse(await reply.json()).meetingTimeSuggestions[0]?.meetingTimeSlot).toEqual({
      start: { dateTime: '2026-11-23T23:00:00.0000000', timeZone: 'Tokyo Standard Time' },
      end: { dateTime: '2026-11-23T23:30:00.0000000', timeZone: 'Tokyo Standard Time' },
    });
  });

  test.each([
    ['an unknown property', { ...within('09:00', '11:00'), limit: 3 }],
    ['an unknown domain', within('09:00', '11:00', 'leisure')],
    ['a slot that ends as it starts', within('09:00', '09:00')],
    ['a duration that is none', { ...within('09:00', '11:00'), meetingDuration: '30 minutes' }],
    ['a duration of nothing', { ...within('09:00', '11:00'), meetingDuration: 'PT0M' }],
    ['no candidates', { ...within('09:00', '11:00'), maxCandidates: 0 }],
    ['no time', {}],
  ])('refuses %s', async (_what, body) => {
    expect((await ask(body)).status).toBe(400);
  });

  test('is for work and school accounts whose grant covers shared calendars', async () => {
    const email = 'linus@outlook.example';
    sandbox.people.add({
      provider: 'microsoft',
      account: 'personal',
      email,
      name: 'Linus',
      timeZone: 'Asia/Tokyo',
    });
    const hours = within('09:00', '11:00');
    const personal = (await connectMicrosoft(sandbox, email, { scope: SHARED })).access_token;
    expect(await code(await ask(hours, personal))).toEqual([403, 'ErrorAccessDenied']);
    const own = (await connectMicrosoft(sandbox, COLLEAGUE)).access_token;
    expect(await code(await ask(hours, own))).toEqual([403, 'ErrorAccessDenied']);
    expect(sandbox.truth.count({ operation: 'graph.findMeetingTimes' })).toBe(2);
  });
});
