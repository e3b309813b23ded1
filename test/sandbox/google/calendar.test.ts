import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectGoogle } from '../client-journey.ts';
import type { Person } from '../people.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const EMAIL = 'ada@example.com';
let sandbox: Sandbox;
let ada: Person;
let token: string;

beforeEach(async () => {
  sandbox = await startSandbox();
  ada = sandbox.people.add({
    provider: 'google',
    email: EMAIL,
    name: 'Ada',
    timeZone: 'Europe/Berlin',
    calendars: [
      { name: EMAIL, primary: true },
      { name: 'Team', id: 'team@group.calendar.google.com', accessRole: 'writer' },
      { name: 'Rooms', id: 'rooms@group.calendar.google.com', accessRole: 'freeBusyReader', hidden: true },
    ],
  });
  token = (await connectGoogle(sandbox, EMAIL)).access_token;
});
afterEach(async () => {
  await sandbox.close();
});

const Busy = z.object({
  calendars: z.record(
    z.string(),
    z.object({
      busy: z.array(z.object({ start: z.string(), end: z.string() })),
      errors: z.array(z.object({ domain: z.string(), reason: z.string() })).optional(),
    }),
  ),
});
const Failure = z.object({
  error: z.object({
    code: z.number(),
    message: z.string(),
    errors: z.array(z.looseObject({ reason: z.string() })),
  }),
});

async function call(path: string, body?: unknown, bearer = token): Promise<Response> {
  return await fetch(sandbox.googleUrl + path, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
  });
}
async function reason(reply: Response): Promise<[number, string | undefined]> {
  return [reply.status, Failure.parse(await reply.json()).error.errors[0]?.reason];
}
const WEEK = { timeMin: '2026-11-23T00:00:00Z', timeMax: '2026-11-30T00:00:00Z' };
const freeBusy = async (question: object): Promise<Response> => await call('/calendar/v3/freeBusy', question);
const items = [{ id: EMAIL }];

describe('free/busy', () => {
  test('merges what blocks and leaves out what does not', async () => {
    ada.addEvent('primary', { summary: 'one', start: '2026-11-23T09:00', end: '2026-11-23T10:00' });
    ada.addEvent('primary', {
      summary: 'two',
      start: '2026-11-23T09:30',
      end: '2026-11-23T11:00',
      status: 'tentative',
    });
    ada.addEvent('primary', {
      summary: 'free',
      start: '2026-11-24T09:00',
      end: '2026-11-24T10:00',
      transparency: 'transparent',
    });
    ada.addEvent('primary', {
      summary: 'no',
      start: '2026-11-24T11:00',
      end: '2026-11-24T12:00',
      declined: true,
    });
    ada.addEvent('primary', {
      summary: 'gone',
      start: '2026-11-24T13:00',
      end: '2026-11-24T14:00',
      status: 'cancelled',
    });
    ada.addEvent('primary', { summary: 'day', start: '2026-11-26', allDay: true });
    const { calendars } = Busy.parse(await (await freeBusy({ ...WEEK, items })).json());
    expect(calendars[EMAIL]?.busy).toEqual([
      { start: '2026-11-23T08:00:00Z', end: '2026-11-23T10:00:00Z' },
      { start: '2026-11-25T23:00:00Z', end: '2026-11-26T23:00:00Z' },
    ]);
  });

  test('answers in the zone it was asked in', async () => {
    ada.addEvent('primary', { summary: 'one', start: '2026-11-23T09:00', end: '2026-11-23T10:00' });
    const reply = Busy.parse(await (await freeBusy({ ...WEEK, items, timeZone: 'America/New_York' })).json());
    expect(reply.calendars[EMAIL]?.busy).toEqual([
      { start: '2026-11-23T03:00:00-05:00', end: '2026-11-23T04:00:00-05:00' },
    ]);
  });

  test('answers calendars it cannot read with errors inside a 200', async () => {
    ada.restrictCalendar('team@group.calendar.google.com', 'internalError');
    const ids = [EMAIL, 'team@group.calendar.google.com', 'nobody@example.com'].map((id) => ({ id }));
    const reply = await freeBusy({ ...WEEK, items: ids });
    expect(reply.status).toBe(200);
    const { calendars } = Busy.parse(await reply.json());
    expect(calendars[EMAIL]?.errors).toBeUndefined();
    expect(calendars['team@group.calendar.google.com']?.errors?.[0]?.reason).toBe('internalError');
    expect(calendars['nobody@example.com']?.errors?.[0]?.reason).toBe('notFound');
  });

  test('answers more than fifty calendars with an error on each', async () => {
    const ids = Array.from({ length: 51 }, (_, index) => ({ id: `c${String(index)}` }));
    const { calendars } = Busy.parse(await (await freeBusy({ ...WEEK, items: ids })).json());
    expect(Object.values(calendars).map(({ errors }) => errors?.[0]?.reason)).toEqual(
      ids.map(() => 'tooManyCalendarsRequested'),
    );
  });

  test.each([
    ['an empty range', { ...WEEK, timeMax: WEEK.timeMin }, 'timeRangeEmpty'],
    ['more than ninety days', { ...WEEK, timeMax: '2027-02-22T00:00:00Z' }, 'timeRangeTooLong'],
    ['a time without an offset', { ...WEEK, timeMin: '2026-11-23T00:00:00' }, 'badRequest'],
    ['no timeMax', { timeMin: WEEK.timeMin }, 'required'],
    ['an unknown field', { ...WEEK, calendars: [] }, 'badRequest'],
    ['a nonsense zone', { ...WEEK, timeZone: 'Middle/Earth' }, 'invalid'],
  ])('refuses %s', async (_what, question, expected) => {
    expect(await reason(await freeBusy(question))).toEqual([400, expected]);
    expect(sandbox.truth.refusals).toHaveLength(1);
  });

  test('takes exactly ninety days', async () => {
    expect((await freeBusy({ ...WEEK, timeMax: '2027-02-21T00:00:00Z' })).status).toBe(200);
  });
});

describe('calendars, settings and events', () => {
  test('are listed page by page, hidden ones on request', async () => {
    const Page = z.object({
      items: z.array(z.object({ id: z.string() })),
      nextPageToken: z.string().optional(),
    });
    const read = async (query: string): Promise<z.infer<typeof Page>> =>
      Page.parse(await (await call(`/calendar/v3/users/me/calendarList?${query}`)).json());
    const first = await read('maxResults=1');
    expect(first.items.map(({ id }) => id)).toEqual([EMAIL]);
    const rest = await read(`maxResults=1&pageToken=${first.nextPageToken ?? ''}`);
    expect(rest.items.map(({ id }) => id)).toEqual(['team@group.calendar.google.com']);
    expect(rest.nextPageToken).toBeUndefined();
    expect((await read('showHidden=true')).items).toHaveLength(3);
    expect((await read('minAccessRole=owner')).items).toHaveLength(1);
    expect(
      await (await call('/calendar/v3/users/me/calendarList?fields=items(id),nextPageToken')).json(),
    ).toEqual({
      items: [{ id: EMAIL }, { id: 'team@group.calendar.google.com' }],
    });
  });

  test('refuse unknown parameters, page tokens and paths', async () => {
    const list = '/calendar/v3/users/me/calendarList';
    expect(await reason(await call(`${list}?wat=1`))).toEqual([400, 'badRequest']);
    expect(await reason(await call(`${list}?pageToken=nope`))).toEqual([400, 'invalid']);
    expect(await reason(await call(`${list}?maxResults=0`))).toEqual([400, 'invalidParameter']);
    expect(await reason(await call('/calendar/v3/nonsense'))).toEqual([404, 'notFound']);
  });

  test('tell the time zone, but no setting that stands at its default', async () => {
    const reply = await call('/calendar/v3/users/me/settings/timezone');
    expect(await reply.json()).toMatchObject({ id: 'timezone', value: 'Europe/Berlin' });
    expect(await reason(await call('/calendar/v3/users/me/settings/format24HourTime'))).toEqual([
      404,
      'notFound',
    ]);
  });

  test('bound events by their end and their start, both exclusive', async () => {
    const broad = (await connectGoogle(sandbox, EMAIL, { scope: 'https://www.googleapis.com/auth/calendar' }))
      .access_token;
    ada.addEvent('primary', { summary: 'before', start: '2026-11-23T09:00Z', end: '2026-11-23T10:00Z' });
    ada.addEvent('primary', { summary: 'in', start: '2026-11-23T10:00Z', end: '2026-11-23T11:00Z' });
    ada.addEvent('primary', { summary: 'after', start: '2026-11-23T12:00Z', end: '2026-11-23T13:00Z' });
    const query =
      'timeMin=2026-11-23T10:00:00Z&timeMax=2026-11-23T12:00:00Z&singleEvents=true&orderBy=startTime';
    const reply = await call(`/calendar/v3/calendars/primary/events?${query}`, undefined, broad);
    const page = z
      .object({ items: z.array(z.looseObject({ summary: z.string() })) })
      .parse(await reply.json());
    expect(page.items.map(({ summary }) => summary)).toEqual(['in']);
    const unordered = await call('/calendar/v3/calendars/primary/events?orderBy=startTime', undefined, broad);
    expect(await reason(unordered)).toEqual([400, 'badRequest']);
    const none = await call('/calendar/v3/calendars/nope/events', undefined, broad);
    expect(await reason(none)).toEqual([404, 'notFound']);
    const rooms = '/calendar/v3/calendars/rooms%40group.calendar.google.com/events';
    expect(await reason(await call(rooms, undefined, broad))).toEqual([404, 'notFound']);
  });
});

describe('access', () => {
  test('needs a live token', async () => {
    expect(await reason(await call('/calendar/v3/freeBusy', WEEK, 'nonsense'))).toEqual([401, 'authError']);
    ada.expireAccessTokens();
    expect(await reason(await freeBusy({ ...WEEK, items }))).toEqual([401, 'authError']);
    expect(sandbox.truth.refusals).toHaveLength(0);
  });

  test('needs a scope of the method: events alone do not give free/busy', async () => {
    const scope = 'https://www.googleapis.com/auth/calendar.events';
    const narrow = (await connectGoogle(sandbox, EMAIL, { scope })).access_token;
    expect(await reason(await call('/calendar/v3/freeBusy', WEEK, narrow))).toEqual([
      403,
      'insufficientPermissions',
    ]);
  });

  test('ends where the quota does', async () => {
    sandbox.limits.googlePerUserPerMinute = 2;
    expect((await freeBusy({ ...WEEK, items })).status).toBe(200);
    expect((await freeBusy({ ...WEEK, items })).status).toBe(200);
    expect(await reason(await freeBusy({ ...WEEK, items }))).toEqual([403, 'userRateLimitExceeded']);
  });
});

describe('a batch', () => {
  const part = (id: string, request: string): string =>
    `--b\r\nContent-Type: application/http\r\nContent-ID: <${id}>\r\n\r\n${request}\r\n`;
  const send = async (body: string, type = 'multipart/mixed; boundary=b'): Promise<Response> =>
    await fetch(`${sandbox.googleUrl}/batch/calendar/v3`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': type },
      body,
    });

  test('is answered in order, each part with its own status', async () => {
    sandbox.faults.add({ operation: 'google.calendarList', effect: { kind: 'latency', ms: 30 } });
    const question = JSON.stringify({ ...WEEK, items });
    const body =
      part('a', 'GET /calendar/v3/users/me/calendarList\r\n\r\n') +
      part('b', 'GET /calendar/v3/calendars/nope HTTP/1.1\r\nAuthorization: Bearer bad\r\n\r\n') +
      part('c', `POST /calendar/v3/freeBusy\r\nContent-Type: application/json\r\n\r\n${question}`);
    const reply = await send(`${body}--b--`);
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toMatch(/^multipart\/mixed; boundary=/);
    const text = await reply.text();
    expect(text.match(/Content-ID: <[^>]+>|HTTP\/1\.1 \d+/g)).toEqual([
      'Content-ID: <response-a>',
      'HTTP/1.1 200',
      'Content-ID: <response-b>',
      'HTTP/1.1 401',
      'Content-ID: <response-c>',
      'HTTP/1.1 200',
    ]);
    expect(sandbox.truth.count({ operation: 'google.freeBusy', person: EMAIL })).toBe(1);
    expect(sandbox.truth.calls.filter(({ inBatch }) => inBatch === true)).toHaveLength(3);
  });

  test('counts every part for the quota and lets faults strike single parts', async () => {
    sandbox.limits.googlePerUserPerMinute = 3;
    sandbox.faults.add({
      operation: 'google.calendarList',
      after: 1,
      effect: { kind: 'status', status: 500 },
    });
    const list = 'GET /calendar/v3/users/me/calendarList\r\n\r\n';
    const text = await (
      await send(`${['a', 'b', 'c', 'd'].map((id) => part(id, list)).join('')}--b--`)
    ).text();
    expect(text.match(/HTTP\/1\.1 \d+/g)?.map((line) => line.slice(-3))).toEqual([
      '200',
      '500',
      '200',
      '403',
    ]);
  });

  test('refuses what is not a batch', async () => {
    expect((await send('{}', 'application/json')).status).toBe(400);
    expect((await send('--b--')).status).toBe(400);
    expect((await send(part('a', 'GET https://elsewhere.example/ HTTP/1.1\r\n\r\n'))).status).toBe(400);
    const list = 'GET /calendar/v3/users/me/calendarList\r\n\r\n';
    const many = Array.from({ length: 1001 }, (_, index) => part(String(index), list)).join('');
    expect((await send(`${many}--b--`)).status).toBe(400);
  });
});
