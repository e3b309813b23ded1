import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { connect } from '../local/connect.ts';
import type { Person } from '../sandbox/people.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage();

const answerSchema = z.object({
  suggestions: z.array(z.object({ start: z.string(), end: z.string() })),
  calendars: z.array(z.object({ connectorId: z.string(), status: z.string() })),
  source: z.string(),
});

/** A Monday, from midnight to midnight. */
const MONDAY = {
  timeMin: '2031-11-24T00:00:00',
  timeMax: '2031-11-25T00:00:00',
  timeZone: 'Europe/Berlin',
  durationMinutes: 60,
};
const MONDAY_MORNING = [{ day: 'monday', start: '09:00', end: '12:00' }];

/** Those scopes that a work account needs for the provider's own suggestions, besides the usual ones. */
const SHARED = { scopes: ['Calendars.ReadWrite', 'MailboxSettings.Read', 'Calendars.Read.Shared'] };

function ask(connectorId: string, question: Record<string, unknown> = {}) {
  return stage.runtime.api('POST', `/v1/connectors/${connectorId}/meeting-times`, { ...MONDAY, ...question });
}
function askAll(connectorIds: string[], question: Record<string, unknown> = {}) {
  return stage.runtime.api('POST', '/v1/meeting-times', { ...MONDAY, ...question, connectorIds });
}
/** Local times, `HH:MM`, at which the suggestions begin. */
function startsOf(answer: { json: unknown }): string[] {
  return answerSchema.parse(answer.json).suggestions.map(({ start }) => start.slice(11, 16));
}
function busy(person: Person, start: string, end: string, calendar = 'primary'): void {
  person.addEvent(calendar, {
    summary: 'busy',
    start: `2031-11-24T${start}:00`,
    end: `2031-11-24T${end}:00`,
    timeZone: 'Europe/Berlin',
  });
}
function callsOf(person: Person, operation?: string) {
  return stage.sandbox.truth.calls.filter(
    (call) =>
      call.person === person.email &&
      (operation === undefined ? call.kind === 'api' : call.operation === operation),
  );
}
const second = { calendars: [{ name: 'Main', primary: true }, { name: 'Second' }] };
const secondOf = (person: Person) => person.calendars.find(({ primary }) => !primary)?.id ?? '';

describe.each(ACCOUNTS)('meeting times: $label', ({ input }) => {
  it('are free in every calendar of the account, within the hours that are given', async () => {
    const person = stage.person({ ...input, ...second });
    busy(person, '09:00', '09:30');
    busy(person, '11:30', '12:30', secondOf(person));
    const connectorId = await connect(stage.runtime, person);
    const answer = await ask(connectorId, { workingHours: MONDAY_MORNING });
    expect(answer).toMatchObject({
      status: 200,
      json: {
        suggestions: [
          { start: '2031-11-24T09:30:00+01:00', end: '2031-11-24T10:30:00+01:00' },
          { start: '2031-11-24T10:30:00+01:00', end: '2031-11-24T11:30:00+01:00' },
        ],
        timeZone: 'Europe/Berlin',
        workingHours: [{ day: 'monday', start: '09:00', end: '12:00', timeZone: 'Europe/Berlin' }],
        calendars: [
          { connectorId, status: 'ok' },
          { connectorId, status: 'ok' },
        ],
        source: 'computed',
        freshness: { source: 'live' },
      },
    });
    const one = await ask(connectorId, { workingHours: MONDAY_MORNING, calendars: ['primary'], limit: 1 });
    expect(startsOf(one)).toEqual(['09:30']);
  });

  it("keep to the person's own working hours where the provider tells them, unless they are ignored", async () => {
    const person = stage.person({
      ...input,
      workingHours: { days: ['monday'], start: '10:00', end: '12:00', timeZone: 'Europe/London' },
    });
    const connectorId = await connect(stage.runtime, person);
    const own = await ask(connectorId, { limit: 100 });
    expect(startsOf(own)).toEqual(
      person.provider === 'google'
        ? Array.from({ length: 24 }, (_, hour) => `${String(hour).padStart(2, '0')}:00`)
        : ['11:00', '12:00'],
    );
    const ignoring = await ask(connectorId, { limit: 100, workingHours: 'ignore' });
    expect(startsOf(ignoring)).toHaveLength(24);
    expect(ignoring.json).not.toHaveProperty('workingHours');
  });

  it('are on the grid of the asked clock through the day on which it goes back', async () => {
    const connectorId = await connect(stage.runtime, stage.person(input));
    const answer = await ask(connectorId, {
      timeMin: '2031-10-26T01:10:00+02:00',
      timeMax: '2031-10-26T04:00:00+01:00',
      workingHours: 'ignore',
    });
    expect(answerSchema.parse(answer.json).suggestions).toEqual([
      { start: '2031-10-26T01:30:00+02:00', end: '2031-10-26T02:30:00+02:00' },
      { start: '2031-10-26T02:30:00+02:00', end: '2031-10-26T02:30:00+01:00' },
      { start: '2031-10-26T02:30:00+01:00', end: '2031-10-26T03:30:00+01:00' },
    ]);
  });

  it('are spread over the days, the soonest first', async () => {
    const connectorId = await connect(stage.runtime, stage.person(input));
    const answer = await ask(connectorId, {
      timeMax: '2031-11-28T00:00:00',
      workingHours: ['monday', 'tuesday', 'thursday'].map((day) => ({ day, start: '09:00', end: '12:00' })),
      limit: 5,
      durationMinutes: 20,
    });
    const starts = answerSchema.parse(answer.json).suggestions.map(({ start }) => start.slice(8, 16));
    expect(starts).toEqual(['24T09:00', '24T09:30', '25T09:00', '25T09:30', '27T09:00']);
  });

  it('are never in the past', async () => {
    const connectorId = await connect(stage.runtime, stage.person(input));
    const past = { timeMin: '2020-11-23T00:00:00', timeMax: '2020-11-24T00:00:00' };
    expect(startsOf(await ask(connectorId, { ...past, workingHours: 'ignore' }))).toEqual([]);
    const askedAtMs = Date.now();
    const under = await ask(connectorId, {
      timeMin: new Date(askedAtMs - 24 * 3_600_000).toISOString(),
      timeMax: new Date(askedAtMs + 24 * 3_600_000).toISOString(),
      workingHours: 'ignore',
    });
    const { suggestions } = answerSchema.parse(under.json);
    expect(Date.parse(suggestions[0]?.start ?? '')).toBeGreaterThanOrEqual(askedAtMs);
  });

  it('are none while a calendar that counts cannot be read, and it is named', async () => {
    const person = stage.person({ ...input, ...second });
    person.restrictCalendar(secondOf(person), 'internalError');
    const connectorId = await connect(stage.runtime, person, input.provider === 'microsoft' ? SHARED : {});
    const answer = await ask(connectorId);
    expect(answer).toMatchObject({
      status: 200,
      json: {
        suggestions: [],
        calendars: expect.arrayContaining([
          {
            connectorId,
            id: secondOf(person),
            status: 'unavailable',
            error: expect.objectContaining({ code: expect.any(String) }),
          },
        ]),
      },
    });
    expect(startsOf(await ask(connectorId, { calendars: ['primary'] }))).not.toEqual([]);
  });

  it.each([
    ['timeMax', { timeMax: MONDAY.timeMin }],
    ['timeMax', { timeMax: '2032-03-01T00:00:00' }],
    ['timeZone', { timeZone: 'Mars/Olympus' }],
    ['durationMinutes', { timeMax: '2031-11-24T01:00:00', durationMinutes: 61 }],
    ['limit', { limit: 0 }],
    ['workingHours', { workingHours: [] }],
    ['connectorId', { connectorId: 'another' }],
  ])('a bad %s is a 400 that names it, with no provider call', async (path, change) => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    expect(await ask(connectorId, change)).toMatchObject({
      status: 400,
      json: { code: 'invalid_request', errors: [{ path }] },
    });
    expect(callsOf(person)).toEqual([]);
  });

  it('a provider that is down is 503, and says nothing of free time', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    stage.sandbox.faults.add({ person: person.email, times: 50, effect: { kind: 'status', status: 503 } });
    try {
      expect(await ask(connectorId)).toMatchObject({ status: 503, json: { code: 'provider_unavailable' } });
    } finally {
      stage.sandbox.faults.clear();
    }
  });
});

describe('a work account of Microsoft', () => {
  const hours = { days: ['monday'], start: '09:00', end: '12:00' };
  const worker = (over = {}) => stage.person({ provider: 'microsoft', workingHours: hours, ...over });
  const findMeetingTimes = 'graph.findMeetingTimes';

  it("gets the provider's own suggestions, each held against every calendar", async () => {
    const person = worker(second);
    busy(person, '09:00', '10:00');
    // Where findMeetingTimes does not look.
    busy(person, '10:00', '11:00', secondOf(person));
    const connectorId = await connect(stage.runtime, person, SHARED);
    const answer = await ask(connectorId);
    expect(answer.json).toMatchObject({
      suggestions: [{ start: '2031-11-24T11:00:00+01:00', end: '2031-11-24T12:00:00+01:00' }],
      source: 'provider',
    });
    expect(callsOf(person, findMeetingTimes).map(({ status }) => status)).toEqual([200]);
    expect(stage.sandbox.truth.refusals.filter(({ person: who }) => who === person.email)).toEqual([]);
  });

  it('gets them for all hours when working hours are ignored', async () => {
    const person = worker();
    const connectorId = await connect(stage.runtime, person, SHARED);
    const evening = { timeMin: '2031-11-24T20:00:00', timeMax: '2031-11-24T22:00:00' };
    const answer = await ask(connectorId, { ...evening, workingHours: 'ignore' });
    expect([answerSchema.parse(answer.json).source, ...startsOf(answer)]).toEqual([
      'provider',
      '20:00',
      '21:00',
    ]);
  });

  it('is not suggested a time at which the person may be busy', async () => {
    const person = worker();
    person.addEvent('primary', {
      summary: 'perhaps',
      start: '2031-11-24T09:00:00',
      end: '2031-11-24T11:00:00',
      showAs: 'tentative',
    });
    const answer = await ask(await connect(stage.runtime, person, SHARED));
    expect([answerSchema.parse(answer.json).source, ...startsOf(answer)]).toEqual(['provider', '11:00']);
  });

  it('has them computed where its grant does not cover findMeetingTimes, and stays connected', async () => {
    const person = worker();
    busy(person, '09:00', '10:00');
    const connectorId = await connect(stage.runtime, person);
    const answer = await ask(connectorId);
    expect([answerSchema.parse(answer.json).source, ...startsOf(answer)]).toEqual([
      'computed',
      '10:00',
      '11:00',
    ]);
    expect(callsOf(person, findMeetingTimes).map(({ status }) => status)).toEqual([403]);
    const refreshes = callsOf(person, 'microsoft.token').filter(
      ({ grantType }) => grantType === 'refresh_token',
    );
    expect(refreshes).toEqual([]);
    expect(await stage.runtime.api('GET', `/v1/connectors/${connectorId}`)).toMatchObject({
      json: { status: 'active' },
    });
  });

  it.each([
    { kind: 'status', status: 503 },
    { kind: 'status', status: 400 },
    { kind: 'malformed' },
    { kind: 'throttle', retryAfter: 1, holdMs: 1_000 },
  ] as const)('has them computed when findMeetingTimes meets %j', async (effect) => {
    const person = worker();
    const connectorId = await connect(stage.runtime, person, SHARED);
    stage.sandbox.faults.add({ person: person.email, operation: findMeetingTimes, times: 5, effect });
    const answer = await ask(connectorId);
    expect([answerSchema.parse(answer.json).source, ...startsOf(answer)]).toEqual([
      'computed',
      '09:00',
      '10:00',
      '11:00',
    ]);
    stage.sandbox.faults.clear();
  });

  it('has them computed where Graph cannot say what is asked', async () => {
    const person = worker();
    const connectorId = await connect(stage.runtime, person, SHARED);
    for (const question of [{ calendars: ['primary'] }, { workingHours: MONDAY_MORNING }]) {
      const answer = await ask(connectorId, question);
      expect([answerSchema.parse(answer.json).source, ...startsOf(answer)]).toEqual([
        'computed',
        '09:00',
        '10:00',
        '11:00',
      ]);
    }
    expect(callsOf(person, findMeetingTimes)).toEqual([]);
  });
});

describe('several people', () => {
  it('of all kinds of account get times that suit them all', async () => {
    const ada = stage.person();
    const grace = stage.person({
      provider: 'microsoft',
      timeZone: 'America/New_York',
      workingHours: { days: ['monday'], start: '08:00', end: '12:00' },
    });
    const linus = stage.person({
      provider: 'microsoft',
      account: 'personal',
      workingHours: { days: ['monday'], start: '09:00', end: '17:30' },
    });
    // Grace works from 14:00 to 18:00 in Berlin, Linus until 17:30; Ada's hours are not known.
    busy(ada, '14:00', '14:30');
    busy(grace, '15:30', '16:00');
    const connectorIds = await Promise.all(
      [ada, grace, linus].map((person) => connect(stage.runtime, person)),
    );
    const answer = await askAll(connectorIds);
    expect(answer).toMatchObject({ status: 200, json: { source: 'computed', timeZone: 'Europe/Berlin' } });
    expect(startsOf(answer)).toEqual(['14:30', '16:00']);
    expect(answerSchema.parse(answer.json).calendars.map(({ connectorId }) => connectorId)).toEqual(
      connectorIds,
    );
    expect(callsOf(grace, 'graph.findMeetingTimes')).toEqual([]);
  });

  it('get none while one of them cannot be read, who is named', async () => {
    const [ada, grace] = [stage.person(), stage.person({ provider: 'microsoft' })];
    const [a, g] = [await connect(stage.runtime, ada), await connect(stage.runtime, grace)];
    grace.revokeGrant();
    grace.expireAccessTokens();
    expect(await askAll([a, g])).toMatchObject({
      status: 200,
      json: {
        suggestions: [],
        calendars: [
          { connectorId: a, status: 'ok' },
          { connectorId: g, id: g, status: 'unavailable', error: { code: 'reauth_required' } },
        ],
      },
    });
  });

  it('that are badly named are refused, with no provider call', async () => {
    const ada = stage.person();
    const connectorId = await connect(stage.runtime, ada);
    expect(await askAll([connectorId, connectorId])).toMatchObject({
      status: 400,
      json: { errors: [{ path: 'connectorIds' }] },
    });
    const stranger = crypto.randomUUID();
    expect(await askAll([connectorId, stranger])).toMatchObject({ status: 404, json: { code: 'not_found' } });
    expect(await ask(stranger)).toMatchObject({ status: 404, json: { code: 'not_found' } });
    expect(callsOf(ada)).toEqual([]);
  });
});
