import { describe, expect, it } from 'vitest';
import { connect } from '../local/connect.ts';
import type { Person } from '../sandbox/people.ts';
import * as z from 'zod';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage();

const answerSchema = z.object({
  busy: z.array(z.object({ start: z.string(), end: z.string() })),
  calendars: z.array(z.object({ status: z.string() })),
});

const DAY = { timeMin: '2026-11-23T00:00:00', timeMax: '2026-11-24T00:00:00', timeZone: 'Europe/Berlin' };

function ask(connectorId: string, question: Record<string, unknown> = DAY) {
  return stage.runtime.api('POST', `/v1/connectors/${connectorId}/availability`, question);
}

function apiCalls(person: Person) {
  return stage.sandbox.truth.calls.filter(({ person: who, kind }) => who === person.email && kind === 'api');
}

describe.each(ACCOUNTS)('availability: $label', ({ input }) => {
  it('is merged, sorted, clipped to the question and in the asked zone', async () => {
    const person = stage.person(input);
    const add = (start: string, end: string) => person.addEvent('primary', { summary: 'busy', start, end });
    add('2026-11-23T14:00:00', '2026-11-23T15:00:00');
    add('2026-11-22T23:00:00', '2026-11-23T01:00:00');
    add('2026-11-23T09:00:00', '2026-11-23T10:00:00');
    add('2026-11-23T09:30:00', '2026-11-23T11:00:00');
    add('2026-11-23T11:00:00', '2026-11-23T12:00:00');
    add('2026-11-24T00:00:00', '2026-11-24T01:00:00');
    const connectorId = await connect(stage.runtime, person);
    const answer = await ask(connectorId);
    expect(answer.json).toMatchObject({
      busy: [
        { start: '2026-11-23T00:00:00+01:00', end: '2026-11-23T01:00:00+01:00' },
        { start: '2026-11-23T09:00:00+01:00', end: '2026-11-23T12:00:00+01:00' },
        { start: '2026-11-23T14:00:00+01:00', end: '2026-11-23T15:00:00+01:00' },
      ],
      calendars: [{ status: 'ok' }],
      freshness: { source: 'live' },
    });
    const tokyo = await ask(connectorId, {
      ...DAY,
      timeMin: '2026-11-23T10:30:00+01:00',
      timeZone: 'Asia/Tokyo',
      timeMax: '2026-11-23T11:30:00+01:00',
    });
    expect(tokyo.json).toMatchObject({
      busy: [{ start: '2026-11-23T18:30:00+09:00', end: '2026-11-23T19:30:00+09:00' }],
    });
  });

  it('lets free, declined and cancelled events pass, and counts tentative ones', async () => {
    const person = stage.person(input);
    const at = (hour: number) => ({
      start: `2026-11-23T${String(hour).padStart(2, '0')}:00:00`,
      end: `2026-11-23T${String(hour + 1).padStart(2, '0')}:00:00`,
    });
    person.addEvent('primary', { summary: 'free', showAs: 'free', ...at(8) });
    person.addEvent('primary', { summary: 'declined', declined: true, ...at(10) });
    person.addEvent('primary', { summary: 'tentative', status: 'tentative', showAs: 'tentative', ...at(12) });
    if (person.provider === 'microsoft') {
      person.addEvent('primary', { summary: 'elsewhere', showAs: 'workingElsewhere', ...at(14) });
      person.addEvent('primary', { summary: 'out', showAs: 'oof', ...at(16) });
    }
    const answer = await ask(await connect(stage.runtime, person));
    expect(answer.json).toMatchObject({
      busy: [
        { start: '2026-11-23T12:00:00+01:00', end: '2026-11-23T13:00:00+01:00' },
        ...(person.provider === 'microsoft'
          ? [{ start: '2026-11-23T16:00:00+01:00', end: '2026-11-23T17:00:00+01:00' }]
          : []),
      ],
    });
  });

  it("an all-day event blocks its day in the calendar's zone, whatever zone is asked in", async () => {
    const person = stage.person({ ...input, timeZone: 'America/New_York' });
    person.addEvent('primary', { summary: 'holiday', allDay: true, start: '2026-11-23', end: '2026-11-24' });
    const connectorId = await connect(stage.runtime, person);
    const answer = await ask(connectorId, {
      timeMin: '2026-11-22T00:00:00Z',
      timeMax: '2026-11-26T00:00:00Z',
      timeZone: 'Europe/Berlin',
    });
    expect(answer.json).toMatchObject({
      busy: [{ start: '2026-11-23T06:00:00+01:00', end: '2026-11-24T06:00:00+01:00' }],
    });
    // The last hour of that day, which is the next day where it is asked.
    const edge = await ask(connectorId, {
      timeMin: '2026-11-24T04:30:00Z',
      timeMax: '2026-11-24T05:30:00Z',
      timeZone: 'Asia/Tokyo',
    });
    expect(edge.json).toMatchObject({
      busy: [{ start: '2026-11-24T13:30:00+09:00', end: '2026-11-24T14:00:00+09:00' }],
    });
  });

  it('counts every calendar of the account, or just the ones asked for', async () => {
    const person = stage.person({
      ...input,
      calendars: [{ name: 'Main', primary: true }, { name: 'Second' }],
    });
    const second = person.calendars.find(({ primary }) => !primary);
    person.addEvent('primary', { summary: 'a', start: '2026-11-23T09:00:00', end: '2026-11-23T10:00:00' });
    person.addEvent(second?.id ?? '', {
      summary: 'b',
      start: '2026-11-23T12:00:00',
      end: '2026-11-23T13:00:00',
    });
    const connectorId = await connect(stage.runtime, person);
    const both = { start: '2026-11-23T09:00:00+01:00', end: '2026-11-23T10:00:00+01:00' };
    const alone = { start: '2026-11-23T12:00:00+01:00', end: '2026-11-23T13:00:00+01:00' };
    expect((await ask(connectorId)).json).toMatchObject({ busy: [both, alone] });
    expect((await ask(connectorId, { ...DAY, calendars: [second?.id] })).json).toMatchObject({
      busy: [alone],
    });
    expect((await ask(connectorId, { ...DAY, calendars: ['primary'] })).json).toMatchObject({ busy: [both] });
  });

  it('a calendar that cannot be read is unavailable, not free', async () => {
    const connectorId = await connect(stage.runtime, stage.person(input));
    const answer = await ask(connectorId, { ...DAY, calendars: ['primary', 'no-such-calendar'] });
    expect(answer.json).toMatchObject({
      busy: [],
      calendars: [
        { status: 'ok' },
        { id: 'no-such-calendar', status: 'unavailable', error: { code: 'not_found' } },
      ],
    });
  });

  it('reads every page', async () => {
    const person = stage.person({
      ...input,
      calendars: [
        { name: 'Main', primary: true },
        ...Array.from({ length: 60 }, (_, n) => ({ name: `Calendar ${n}` })),
      ],
    });
    const last = person.calendars.at(-1)?.id ?? '';
    for (let n = 0; n < 24; n += 1) {
      const hour = `2026-11-23T${String(n).padStart(2, '0')}`;
      for (const minute of ['00', '10', '20', '30', '40']) {
        person.addEvent(last, {
          summary: 'short',
          start: `${hour}:${minute}:00`,
          end: `${hour}:${minute}:30`,
        });
      }
    }
    const answer = await ask(await connect(stage.runtime, person));
    const { busy, calendars } = answerSchema.parse(answer.json);
    expect(busy).toHaveLength(120);
    expect(calendars.map(({ status }) => status)).toEqual(Array.from({ length: 61 }, () => 'ok'));
    expect(stage.sandbox.truth.peak(person.email)).toBeLessThanOrEqual(4);
  });

  it("splits a range above the provider's cap with no gap", async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    for (let day = 0; day < 365; day += 1) {
      const from = new Date(Date.UTC(2027, 0, 1 + day, 23)).toISOString();
      person.addEvent('primary', {
        summary: 'night',
        start: from,
        end: new Date(Date.parse(from) + 2 * 3_600_000).toISOString(),
      });
    }
    const answer = await ask(connectorId, {
      timeMin: '2027-01-01T00:00:00Z',
      timeMax: '2028-01-01T00:00:00Z',
      timeZone: 'UTC',
    });
    const { busy } = answerSchema.parse(answer.json);
    expect(busy).toHaveLength(365);
    expect(
      busy.slice(0, -1).every(({ start, end }) => Date.parse(end) - Date.parse(start) === 2 * 3_600_000),
    ).toBe(true);
    expect(stage.sandbox.truth.refusals.filter(({ person: who }) => who === person.email)).toEqual([]);
  });

  it.each([
    ['timeMax', { timeMax: DAY.timeMin }],
    ['timeMax', { timeMax: '2032-11-23T00:00:00' }],
    ['timeZone', { timeZone: 'Mars/Olympus' }],
    ['timeMin', { timeMin: '2026-03-29T02:30:00', timeMax: '2026-03-30T00:00:00' }],
    ['timeMin', { timeMin: 'tomorrow' }],
    ['calendars', { calendars: 'primary' }],
    ['maxStalenessMs', { maxStalenessMs: -1 }],
    ['calender', { calender: ['primary'] }],
    ['connectorId', { connectorId: 'another' }],
  ])('a bad %s is a 400 that names it, with no provider call', async (path, change) => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const answer = await ask(connectorId, { ...DAY, ...change });
    expect(answer).toMatchObject({ status: 400, json: { code: 'invalid_request', errors: [{ path }] } });
    expect(apiCalls(person)).toEqual([]);
  });

  it('a throttled call is 429 with Retry-After, and nothing is called before it has passed', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    stage.sandbox.faults.add({
      person: person.email,
      effect: { kind: 'throttle', retryAfter: 6, holdMs: 6_000 },
    });
    const answer = await ask(connectorId);
    expect(answer).toMatchObject({ status: 429, json: { code: 'rate_limited' } });
    expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThanOrEqual(5);
    const calls = apiCalls(person).length;
    expect(await ask(connectorId)).toMatchObject({ status: 429 });
    expect(apiCalls(person)).toHaveLength(calls);
  });

  it('a provider that is down is 503, never an empty calendar', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    for (const effect of [
      { kind: 'status', status: 503 },
      { kind: 'reset' },
      { kind: 'malformed' },
    ] as const) {
      stage.sandbox.faults.add({ person: person.email, times: 50, effect });
      const answer = await ask(connectorId);
      expect(answer, effect.kind).toMatchObject({ status: 503, json: { code: 'provider_unavailable' } });
      expect(answer.headers.get('Retry-After')).not.toBeNull();
      stage.sandbox.faults.clear();
    }
    expect(await ask(connectorId)).toMatchObject({ status: 200 });
  });
});

describe('Microsoft', () => {
  it('tells the working hours of the mailbox', async () => {
    const person = stage.person({
      provider: 'microsoft',
      timeZone: 'America/New_York',
      workingHours: { days: ['monday', 'tuesday'], start: '08:30', end: '16:00' },
    });
    const answer = await ask(await connect(stage.runtime, person));
    expect(answer.json).toMatchObject({
      workingHours: [
        { day: 'monday', start: '08:30', end: '16:00', timeZone: 'America/New_York' },
        { day: 'tuesday', start: '08:30', end: '16:00', timeZone: 'America/New_York' },
      ],
    });
  });

  it('asks again only for the throttled parts of a batch, and never more than four at once', async () => {
    const person = stage.person({
      provider: 'microsoft',
      account: 'personal',
      calendars: [
        { name: 'Main', primary: true },
        ...Array.from({ length: 9 }, (_, n) => ({ name: `Calendar ${n}` })),
      ],
    });
    const connectorId = await connect(stage.runtime, person);
    stage.sandbox.faults.latency('microsoft', 30);
    stage.sandbox.faults.add({
      operation: 'graph.calendarView',
      person: person.email,
      times: 3,
      effect: { kind: 'throttle', retryAfter: 1, holdMs: 1_000 },
    });
    try {
      const answer = await ask(connectorId);
      const { calendars } = answerSchema.parse(answer.json);
      expect(calendars.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 'ok'));
    } finally {
      stage.sandbox.faults.clear();
    }
    const views = apiCalls(person).filter(({ operation }) => operation === 'graph.calendarView');
    expect(views.filter(({ status }) => status === 200)).toHaveLength(10);
    expect(stage.sandbox.truth.peak(person.email)).toBeLessThanOrEqual(4);
    expect(stage.sandbox.truth.tooEarly.filter(({ person: who }) => who === person.email)).toEqual([]);
  });
});

describe('Google', () => {
  it('a per-calendar error in a 200 makes that calendar unavailable, not free', async () => {
    const person = stage.person({ calendars: [{ name: 'Main', primary: true }, { name: 'Second' }] });
    const second = person.calendars.find(({ primary }) => !primary)?.id ?? '';
    person.addEvent(second, { summary: 'hidden', start: '2026-11-23T09:00:00', end: '2026-11-23T10:00:00' });
    person.restrictCalendar(second, 'internalError');
    const answer = await ask(await connect(stage.runtime, person));
    expect(answer.json).toMatchObject({
      busy: [],
      calendars: expect.arrayContaining([
        {
          id: second,
          status: 'unavailable',
          error: { code: 'provider_unavailable', message: expect.any(String) },
        },
      ]),
    });
  });

  it('reads 120 calendars in one batch of three questions', async () => {
    const person = stage.person({
      calendars: [
        { name: 'Main', primary: true },
        ...Array.from({ length: 119 }, (_, n) => ({ name: `Calendar ${n}` })),
      ],
    });
    const answer = await ask(await connect(stage.runtime, person));
    expect(answerSchema.parse(answer.json).calendars).toHaveLength(120);
    expect(stage.sandbox.truth.count({ person: person.email, operation: 'google.freeBusy' })).toBe(3);
    expect(stage.sandbox.truth.count({ person: person.email, operation: 'google.batch' })).toBe(1);
  });
});

describe('an id that names no connector', () => {
  it('is 404 on every path, and no actor is made for it', async () => {
    const id = crypto.randomUUID();
    const before = await stage.runtime.worker.listDurableObjectIds('CONNECTOR');
    for (const [method, path, body] of [
      ['POST', `/v1/connectors/${id}/availability`, DAY],
      ['GET', `/v1/connectors/${id}`],
      ['DELETE', `/v1/connectors/${id}`],
      ['GET', `/v1/connectors/${id}/tasks/t`],
      ['POST', `/v1/connectors/${encodeURIComponent('../../x')}/availability`, DAY],
    ] as const) {
      expect(await stage.runtime.api(method, path, body), path).toMatchObject({
        status: 404,
        json: { code: 'not_found' },
      });
    }
    expect(await stage.runtime.worker.listDurableObjectIds('CONNECTOR')).toEqual(before);
  });
});

describe('the API', () => {
  it('answers nobody without a good token', async () => {
    for (const headers of [
      {},
      { Authorization: 'Bearer wrong' },
      { Authorization: 'Basic YTpi' },
      { Authorization: 'Bearer ' },
    ]) {
      const answer = await stage.runtime.fetch('/v1/connectors?userId=u', { headers });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer');
    }
  });
});
