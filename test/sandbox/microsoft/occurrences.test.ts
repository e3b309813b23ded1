import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectMicrosoft } from '../client-journey.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const WORK = 'grace@contoso.example';
const BERLIN = 'W. Europe Standard Time';
let sandbox: Sandbox;
let token: string;

beforeEach(async () => {
  sandbox = await startSandbox();
  sandbox.people.add({ provider: 'microsoft', email: WORK, name: 'Grace', timeZone: 'Europe/Berlin' });
  token = (await connectMicrosoft(sandbox, WORK)).access_token;
});
afterEach(async () => {
  await sandbox.close();
});

const Event = z.looseObject({
  id: z.string(),
  '@odata.etag': z.string(),
  type: z.string(),
  start: z.object({ dateTime: z.string() }),
});
type Event = z.infer<typeof Event>;
const Value = z.object({ value: z.array(Event) });
const Failure = z.object({ error: z.object({ code: z.string() }) });

async function graph(
  method: string,
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Response> {
  return await fetch(`${sandbox.microsoftUrl}/v1.0${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
  });
}
async function code(reply: Response): Promise<[number, string]> {
  return [reply.status, Failure.parse(await reply.json()).error.code];
}
const event = async (reply: Response): Promise<Event> => Event.parse(await reply.json());
const values = async (path: string, headers: Record<string, string> = {}): Promise<Event[]> =>
  Value.parse(await (await graph('GET', path, { headers })).json()).value;
const startsOf = (events: readonly Event[]): string[] =>
  events.map(({ start }) => start.dateTime.slice(0, 16));
const at = (dateTime: string, timeZone = BERLIN): object => ({ dateTime, timeZone });

const AUTUMN = 'startDateTime=2026-10-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z';
const STARTS = ['2026-10-20T07:00', '2026-10-27T08:00', '2026-11-03T08:00'];
const SERIES = {
  subject: 'Stand-up',
  start: at('2026-10-20T09:00:00'),
  end: at('2026-10-20T09:30:00'),
  attendees: [{ emailAddress: { address: 'bob@contoso.example' } }],
  recurrence: {
    pattern: { type: 'weekly', interval: 1, daysOfWeek: ['tuesday'] },
    range: { type: 'numbered', startDate: '2026-10-20', numberOfOccurrences: 3 },
  },
};
const create = async (changes: object = {}): Promise<Event> =>
  await event(await graph('POST', '/me/events', { body: { ...SERIES, ...changes } }));
const view = async (): Promise<Event[]> => await values(`/me/calendarView?${AUTUMN}`);
async function second(): Promise<Event> {
  const found = (await view())[1];
  if (found === undefined) throw new Error('there is no second occurrence');
  return found;
}
const move = async (id: string, start: string, end: string): Promise<Response> =>
  await graph('PATCH', `/me/events/${id}`, { body: { start: at(start), end: at(end) } });
async function scheduled(): Promise<string[]> {
  const reply = await graph('POST', '/me/calendar/getSchedule', {
    body: {
      schedules: [WORK],
      startTime: at('2026-10-10T00:00:00', 'UTC'),
      endTime: at('2026-12-01T00:00:00', 'UTC'),
    },
  });
  const Items = z.object({
    value: z.array(
      z.object({ scheduleItems: z.array(z.object({ start: z.object({ dateTime: z.string() }) })) }),
    ),
  });
  return (Items.parse(await reply.json()).value[0]?.scheduleItems ?? []).map(({ start }) =>
    start.dateTime.slice(0, 16),
  );
}

describe('a series', () => {
  test('counts with each occurrence in view and schedule, on the clock of its zone', async () => {
    const master = await create();
    const seen = await view();
    expect(startsOf(seen)).toEqual(STARTS);
    expect(seen[1]).toMatchObject({
      type: 'occurrence',
      seriesMasterId: master.id,
      originalStart: '2026-10-27T08:00:00Z',
      recurrence: null,
      subject: 'Stand-up',
    });
    expect(new Set(seen.map(({ iCalUId }) => iCalUId)).size).toBe(3);
    expect(await scheduled()).toEqual(STARTS);
    expect(await values('/me/events')).toMatchObject([{ id: master.id, type: 'seriesMaster' }]);
  });

  test('lists its instances, below every calendar path and under both kinds of id', async () => {
    const { id } = await create();
    const calendarId = encodeURIComponent(sandbox.people.get(WORK)?.calendar('primary')?.id ?? '');
    for (const path of ['/me', '/me/calendar', `/me/calendars/${calendarId}`]) {
      const seen = await values(`${path}/events/${id}/instances?${AUTUMN}`);
      expect(startsOf(seen), path).toEqual(STARTS);
    }
    const immutable = { prefer: 'IdType="ImmutableId"' };
    const [first] = await values(`/me/events/${id}/instances?${AUTUMN}&$top=1`, immutable);
    const [usual] = await view();
    expect(first?.id).not.toBe(usual?.id);
    const read = await event(await graph('GET', `/me/events/${first?.id ?? ''}`));
    expect(read).toMatchObject(usual ?? {});
    const november = 'startDateTime=2026-11-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z';
    expect(startsOf(await values(`/me/events/${id}/instances?${november}`))).toEqual([STARTS[2]]);
    expect(await code(await graph('GET', `/me/events/${id}/instances`))).toEqual([
      400,
      'ErrorInvalidParameter',
    ]);
  });

  test('that is no series has no instances', async () => {
    const { id } = await create({ recurrence: null });
    expect(await values(`/me/events/${id}/instances?${AUTUMN}`)).toEqual([]);
  });

  test.each([
    [
      'daily until a day, which is included',
      { type: 'daily', interval: 7 },
      { type: 'endDate', endDate: '2026-10-27' },
      ['2026-10-20T07:00', '2026-10-27T08:00'],
    ],
    [
      'weekly on several days, its weeks beginning on Sunday',
      { type: 'weekly', interval: 2, daysOfWeek: ['tuesday', 'sunday'] },
      { type: 'numbered', numberOfOccurrences: 3 },
      ['2026-10-20T07:00', '2026-11-01T08:00', '2026-11-03T08:00'],
    ],
    [
      'monthly on a day',
      { type: 'absoluteMonthly', interval: 1, dayOfMonth: 20 },
      { type: 'noEnd' },
      ['2026-10-20T07:00', '2026-11-20T08:00'],
    ],
    [
      'monthly on the last day, where there is no 31st',
      { type: 'absoluteMonthly', interval: 1, dayOfMonth: 31 },
      { type: 'noEnd' },
      ['2026-10-31T08:00', '2026-11-30T08:00'],
    ],
    [
      'monthly on the third Tuesday',
      { type: 'relativeMonthly', interval: 1, daysOfWeek: ['tuesday'], index: 'third' },
      { type: 'noEnd' },
      ['2026-10-20T07:00', '2026-11-17T08:00'],
    ],
    [
      'yearly',
      { type: 'absoluteYearly', interval: 1, dayOfMonth: 20, month: 10 },
      { type: 'noEnd' },
      ['2026-10-20T07:00'],
    ],
    [
      'yearly on a day of a month',
      { type: 'relativeYearly', interval: 1, daysOfWeek: ['tuesday'], index: 'last', month: 11 },
      { type: 'noEnd' },
      ['2026-11-24T08:00'],
    ],
  ])('recurs %s', async (_what, pattern, range, expected) => {
    await create({ recurrence: { pattern, range: { ...range, startDate: '2026-10-20' } } });
    expect(startsOf(await view())).toEqual(expected);
  });

  test('of whole days has its original start at midnight of the mailbox', async () => {
    const { id } = await create({
      isAllDay: true,
      start: at('2026-10-20T00:00:00'),
      end: at('2026-10-21T00:00:00'),
    });
    const seen = await values(`/me/events/${id}/instances?${AUTUMN}`);
    expect(startsOf(seen)).toEqual(['2026-10-20T00:00', '2026-10-27T00:00', '2026-11-03T00:00']);
    expect(seen[1]).toMatchObject({ isAllDay: true, originalStart: '2026-10-26T23:00:00Z' });
    expect(await scheduled()).toEqual(['2026-10-19T22:00', '2026-10-26T23:00', '2026-11-02T23:00']);
  });
});

describe('one occurrence', () => {
  test('is moved alone', async () => {
    const master = await create();
    const { id, '@odata.etag': etag } = await second();
    const reply = await move(id, '2026-10-28T15:00:00', '2026-10-28T15:30:00');
    expect(reply.status).toBe(200);
    const moved = await event(reply);
    expect(moved).toMatchObject({
      id,
      type: 'exception',
      seriesMasterId: master.id,
      originalStart: '2026-10-27T08:00:00Z',
      start: { dateTime: '2026-10-28T14:00:00.0000000' },
    });
    expect(moved['@odata.etag']).not.toBe(etag);
    const expected = [STARTS[0], '2026-10-28T14:00', STARTS[2]];
    expect(startsOf(await view())).toEqual(expected);
    expect(await scheduled()).toEqual(expected);
    expect(startsOf(await values(`/me/events/${master.id}/instances?${AUTUMN}`))).toEqual(expected);
    const day = 'startDateTime=2026-10-27T00:00:00Z&endDateTime=2026-10-28T00:00:00Z';
    expect(await values(`/me/events/${master.id}/instances?${day}`)).toEqual([]);
    expect(await values('/me/events')).toMatchObject([
      { id: master.id, '@odata.etag': master['@odata.etag'] },
    ]);
    const stale = await graph('PATCH', `/me/events/${id}`, {
      body: { subject: 'x' },
      headers: { 'if-match': etag },
    });
    expect(await code(stale)).toEqual([412, 'ErrorIrresolvableConflict']);
    expect(sandbox.truth.effects.map(({ deed, mails }) => [deed, mails])).toEqual([
      ['created', 1],
      ['updated', 1],
    ]);
  });

  test('is not moved to the day of one beside it, nor past it', async () => {
    await create();
    const { id } = await second();
    for (const [start, end] of [
      ['2026-11-03T12:00:00', '2026-11-03T13:00:00'],
      ['2026-11-05T12:00:00', '2026-11-05T13:00:00'],
      ['2026-10-20T12:00:00', '2026-10-20T13:00:00'],
      ['2026-10-01T12:00:00', '2026-10-01T13:00:00'],
    ] as const) {
      expect(await code(await move(id, start, end))).toEqual([400, 'ErrorOccurrenceCrossingBoundary']);
    }
    expect((await move(id, '2026-11-02T12:00:00', '2026-11-02T13:00:00')).status).toBe(200);
    expect((await move(id, '2026-10-21T12:00:00', '2026-10-21T13:00:00')).status).toBe(200);
    const { recurrence } = SERIES;
    const series = await graph('PATCH', `/me/events/${id}`, { body: { recurrence } });
    expect(await code(series)).toEqual([400, 'ErrorPropertyValidationFailure']);
  });

  test.each(['DELETE', 'POST'])('is cancelled alone, by %s', async (method) => {
    const master = await create();
    const { id } = await second();
    const path = method === 'POST' ? `/me/events/${id}/cancel` : `/me/events/${id}`;
    expect((await graph(method, path)).status).toBe(method === 'POST' ? 202 : 204);
    expect(startsOf(await view())).toEqual([STARTS[0], STARTS[2]]);
    expect(await scheduled()).toEqual([STARTS[0], STARTS[2]]);
    expect(await values(`/me/events/${master.id}/instances?${AUTUMN}`)).toHaveLength(2);
    for (const again of ['GET', 'DELETE']) {
      expect(await code(await graph(again, `/me/events/${id}`))).toEqual([404, 'ErrorItemNotFound']);
    }
    const selected = await graph('GET', `/me/events/${master.id}?$select=subject,cancelledOccurrences`);
    expect(await selected.json()).toMatchObject({
      cancelledOccurrences: [`OID.${master.id}.2026-10-27`],
    });
    expect(await (await graph('GET', `/me/events/${master.id}`)).json()).not.toHaveProperty(
      'cancelledOccurrences',
    );
  });

  test('is gone with its series, moved or not', async () => {
    const master = await create();
    const [first] = await view();
    const { id } = await second();
    await move(id, '2026-10-28T15:00:00', '2026-10-28T15:30:00');
    expect((await graph('DELETE', `/me/events/${master.id}`)).status).toBe(204);
    expect(await view()).toEqual([]);
    for (const gone of [id, first?.id ?? '']) {
      expect(await code(await graph('GET', `/me/events/${gone}`))).toEqual([404, 'ErrorItemNotFound']);
    }
  });

  test('may meet faults', async () => {
    const { id } = await create();
    sandbox.faults.add({ operation: 'graph.events.instances', effect: { kind: 'status', status: 503 } });
    expect((await graph('GET', `/me/events/${id}/instances?${AUTUMN}`)).status).toBe(503);
    expect((await graph('GET', `/me/events/${id}/instances?${AUTUMN}`)).status).toBe(200);
  });
});
