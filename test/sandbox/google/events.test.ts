import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectGoogle, GOOGLE_SCOPES } from '../client-journey.ts';
import type { Person } from '../people.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const EMAIL = 'ada@example.com';
const TEAM = encodeURIComponent('team@group.calendar.google.com');
let sandbox: Sandbox;
let ada: Person;
let token: string;

const scope = (...shorts: string[]): string =>
  ['openid', 'email', ...shorts.map((short) => `https://www.googleapis.com/auth/${short}`)].join(' ');

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
      { name: 'Read', id: 'read@group.calendar.google.com', accessRole: 'reader' },
    ],
  });
  const scopes = { scope: scope('calendar.events', 'calendar.freebusy', 'calendar.calendarlist.readonly') };
  token = (await connectGoogle(sandbox, EMAIL, scopes)).access_token;
});
afterEach(async () => {
  await sandbox.close();
});

const Event = z.looseObject({
  id: z.string(),
  etag: z.string(),
  status: z.string(),
  iCalUID: z.string(),
  sequence: z.number(),
  summary: z.string().optional(),
  hangoutLink: z.string().optional(),
});
const Failure = z.object({
  error: z.object({ errors: z.array(z.looseObject({ reason: z.string() })) }),
});

interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
  bearer?: string;
}
async function call(method: string, path: string, options: CallOptions = {}): Promise<Response> {
  const { body, headers = {}, bearer = token } = options;
  return await fetch(`${sandbox.googleUrl}/calendar/v3/calendars/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json', ...headers },
  });
}
async function reason(reply: Response): Promise<[number, string | undefined]> {
  return [reply.status, Failure.parse(await reply.json()).error.errors[0]?.reason];
}
const event = async (reply: Response): Promise<z.infer<typeof Event>> => Event.parse(await reply.json());

const TIMES = {
  start: { dateTime: '2026-11-24T10:00:00+01:00', timeZone: 'Europe/Berlin' },
  end: { dateTime: '2026-11-24T11:00:00+01:00', timeZone: 'Europe/Berlin' },
};
const HOLD = { id: 'hold00001', summary: 'Review', ...TIMES };
const insert = async (changes: object = {}, query = ''): Promise<Response> =>
  await call('POST', `primary/events${query}`, { body: { ...HOLD, ...changes } });
const busy = async (): Promise<unknown> => {
  const reply = await fetch(`${sandbox.googleUrl}/calendar/v3/freeBusy`, {
    method: 'POST',
    body: JSON.stringify({
      timeMin: '2026-11-23T00:00:00Z',
      timeMax: '2026-11-30T00:00:00Z',
      items: [{ id: EMAIL }],
    }),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  return z
    .object({ calendars: z.record(z.string(), z.object({ busy: z.array(z.unknown()) })) })
    .parse(await reply.json()).calendars[EMAIL]?.busy;
};

describe('insert', () => {
  test('makes an event that free/busy, get and list know', async () => {
    const guests = [{ email: 'bob@example.com' }, { email: 'eve@example.com', optional: true }];
    const marks = { private: { intent: 'abc' }, shared: { team: 'x' } };
    const reply = await insert({ attendees: guests, extendedProperties: marks }, '?sendUpdates=all');
    expect(reply.status).toBe(200);
    const made = await event(reply);
    expect(made).toMatchObject({
      id: HOLD.id,
      iCalUID: 'hold00001@google.com',
      status: 'confirmed',
      sequence: 0,
      start: TIMES.start,
      extendedProperties: marks,
      organizer: { email: EMAIL, self: true },
      attendees: [
        { email: 'bob@example.com', responseStatus: 'needsAction' },
        { email: 'eve@example.com', optional: true },
      ],
    });
    expect(await event(await call('GET', 'primary/events/hold00001'))).toEqual(made);
    expect(await busy()).toEqual([{ start: '2026-11-24T09:00:00Z', end: '2026-11-24T10:00:00Z' }]);
    expect(sandbox.truth.effects).toMatchObject([
      { deed: 'created', provider: 'google', person: EMAIL, calendarId: EMAIL, key: HOLD.id, mails: 2 },
    ]);
    expect(sandbox.truth.verdict()).toEqual({ ok: true, problems: [] });
  });

  test.each([
    ['private', 'privateExtendedProperty=intent%3Dabc', 1],
    ['shared', 'sharedExtendedProperty=team%3Dx', 1],
    ['private with another value', 'privateExtendedProperty=intent%3Dabd', 0],
    [
      'two of which one is not there',
      'privateExtendedProperty=intent%3Dabc&privateExtendedProperty=b%3D1',
      0,
    ],
    ['iCalUID', 'iCalUID=hold00001%40google.com', 1],
  ])('is found by %s', async (_what, query, count) => {
    await insert({ extendedProperties: { private: { intent: 'abc' }, shared: { team: 'x' } } });
    const reply = await call('GET', `primary/events?${query}`);
    expect(z.object({ items: z.array(Event) }).parse(await reply.json()).items).toHaveLength(count);
  });

  test('refuses an id that was used, by a deleted event too', async () => {
    expect((await insert()).status).toBe(200);
    expect(await reason(await insert())).toEqual([409, 'duplicate']);
    await call('DELETE', 'primary/events/hold00001');
    expect(await reason(await insert())).toEqual([409, 'duplicate']);
    expect(sandbox.truth.created(HOLD.id)).toBe(1);
    expect(sandbox.truth.verdict().ok).toBe(true);
  });

  test('takes all-day events and series, and counts a series once', async () => {
    const allDay = { id: 'feast1', start: { date: '2026-11-26' }, end: { date: '2026-11-27' } };
    expect((await insert(allDay)).status).toBe(200);
    const recurrence = ['RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=3', 'EXDATE;TZID=Europe/Berlin:20261201T100000'];
    expect(await event(await insert({ recurrence }))).toMatchObject({ recurrence });
    expect(await busy()).toHaveLength(2);
  });

  test.each([
    ['an unknown property', { subject: 'no' }, 'badRequest'],
    ['an id with other letters', { id: 'hold-zzz' }, 'invalid'],
    ['an id that is too short', { id: 'abcd' }, 'invalid'],
    ['id and iCalUID at once', { iCalUID: 'x@y' }, 'invalid'],
    ['no start', { start: null }, 'required'],
    ['a time without offset and zone', { start: { dateTime: '2026-11-24T10:00:00' } }, 'required'],
    ['a nonsense time', { start: { dateTime: '2026-11-24 10:00' } }, 'invalid'],
    ['a nonsense zone', { start: { ...TIMES.start, timeZone: 'Middle/Earth' } }, 'invalid'],
    ['a date and a time', { start: { date: '2026-11-24' } }, 'invalid'],
    ['both in one', { start: { ...TIMES.start, date: '2026-11-24' } }, 'invalid'],
    ['an end before the start', { end: TIMES.start }, 'timeRangeEmpty'],
    ['no day at all', { start: { date: '2026-11-24' }, end: { date: '2026-11-24' } }, 'timeRangeEmpty'],
    ['an attendee without an address', { attendees: [{ displayName: 'Bob' }] }, 'required'],
    ['an attendee with a wrong address', { attendees: [{ email: 'bob' }] }, 'invalid'],
    [
      'a series without a zone',
      { recurrence: ['RRULE:FREQ=DAILY'], start: { dateTime: '2026-11-24T09:00:00Z' } },
      'required',
    ],
    ['a rule without a frequency', { recurrence: ['RRULE:COUNT=3'] }, 'invalid'],
    ['a rule with COUNT and UNTIL', { recurrence: ['RRULE:FREQ=DAILY;COUNT=3;UNTIL=20261201'] }, 'invalid'],
    ['a rule without its name', { recurrence: ['FREQ=DAILY'] }, 'invalid'],
    ['DTSTART among the lines', { recurrence: ['DTSTART:20261124T100000Z'] }, 'invalid'],
    ['a wrong colour', { colorId: '12' }, 'invalid'],
  ])('refuses %s', async (_what, changes, expected) => {
    expect(await reason(await insert(changes))).toEqual([400, expected]);
    expect(sandbox.truth.effects).toEqual([]);
    expect(sandbox.truth.refusals).toHaveLength(1);
  });

  test('refuses unknown parameters and values', async () => {
    expect(await reason(await insert({}, '?notify=all'))).toEqual([400, 'badRequest']);
    expect(await reason(await insert({}, '?sendUpdates=some'))).toEqual([400, 'invalidParameter']);
    expect(await reason(await insert({}, '?conferenceDataVersion=2'))).toEqual([400, 'invalidParameter']);
  });

  test('makes a conference only for version 1, and one for each request id', async () => {
    const createRequest = { requestId: 'r1', conferenceSolutionKey: { type: 'hangoutsMeet' } };
    const conferenceData = { createRequest };
    expect((await event(await insert({ conferenceData }))).hangoutLink).toBeUndefined();
    const path = 'primary/events/hold00001?conferenceDataVersion=1';
    const first = await event(await call('PATCH', path, { body: { conferenceData } }));
    expect(first.hangoutLink).toMatch(/^https:\/\/meet\.google\.com\/[a-z]{3}-[a-z]{4}-[a-z]{3}$/);
    const again = await event(await call('PATCH', path, { body: { conferenceData } }));
    expect(again.hangoutLink).toBe(first.hangoutLink);
    const bad = {
      createRequest: { ...createRequest, requestId: 'r2', conferenceSolutionKey: { type: 'zoom' } },
    };
    expect(await reason(await call('PATCH', path, { body: { conferenceData: bad } }))).toEqual([
      400,
      'invalid',
    ]);
  });
});

describe('who may write', () => {
  test('writers and owners, with a scope that covers it', async () => {
    expect((await call('POST', `${TEAM}/events`, { body: HOLD })).status).toBe(200);
    const reader = `${encodeURIComponent('read@group.calendar.google.com')}/events`;
    expect(await reason(await call('POST', reader, { body: HOLD }))).toEqual([403, 'requiredAccessLevel']);
    expect(await reason(await call('POST', 'nope/events', { body: HOLD }))).toEqual([404, 'notFound']);
  });

  test('a scope for own calendars covers no others, and a reading scope none', async () => {
    const owned = (await connectGoogle(sandbox, EMAIL, { scope: GOOGLE_SCOPES.join(' ') })).access_token;
    expect((await call('POST', 'primary/events', { body: HOLD, bearer: owned })).status).toBe(200);
    const refused = [403, 'insufficientPermissions'];
    expect(await reason(await call('POST', `${TEAM}/events`, { body: HOLD, bearer: owned }))).toEqual(
      refused,
    );
    const scopes = { scope: scope('calendar.events.readonly', 'calendar.freebusy') };
    const bearer = (await connectGoogle(sandbox, EMAIL, scopes)).access_token;
    expect(await reason(await call('DELETE', 'primary/events/hold00001', { bearer }))).toEqual(refused);
    expect((await call('GET', 'primary/events/hold00001', { bearer })).status).toBe(200);
  });
});

describe('patch, update and delete', () => {
  const PATH = 'primary/events/hold00001';

  test('patch changes what it names, clears with null, and moves the ETag', async () => {
    const before = await event(
      await insert({ location: 'Here', extendedProperties: { private: { a: '1' } } }),
    );
    const body = {
      summary: 'Later',
      location: null,
      start: { dateTime: '2026-11-24T12:00:00+01:00' },
      end: { dateTime: '2026-11-24T13:00:00+01:00' },
      extendedProperties: { private: { b: '2' } },
      attendees: [{ email: 'bob@example.com' }],
    };
    const options = { body, headers: { 'if-match': before.etag } };
    const after = await event(await call('PATCH', `${PATH}?sendUpdates=all`, options));
    expect(after).toMatchObject({
      summary: 'Later',
      sequence: 1,
      start: { dateTime: '2026-11-24T12:00:00+01:00', timeZone: 'Europe/Berlin' },
      extendedProperties: { private: { a: '1', b: '2' } },
    });
    expect(after).not.toHaveProperty('location');
    expect(after.etag).not.toBe(before.etag);
    expect(await reason(await call('PATCH', PATH, options))).toEqual([412, 'conditionNotMet']);
    expect(sandbox.truth.effects.map(({ deed, mails }) => [deed, mails])).toEqual([
      ['created', 0],
      ['updated', 1],
    ]);
  });

  test('update replaces the whole event', async () => {
    await insert({ location: 'Here' });
    const after = await event(await call('PUT', PATH, { body: { summary: 'New', ...TIMES } }));
    expect(after).not.toHaveProperty('location');
    expect(await reason(await call('PUT', PATH, { body: { summary: 'New' } }))).toEqual([400, 'required']);
    ada.addEvent('primary', {
      id: 'theirs1',
      summary: 'x',
      start: '2026-11-24T09:00',
      end: '2026-11-24T10:00',
      response: 'accepted',
    });
    const theirs = await call('PUT', 'primary/events/theirs1', { body: { summary: 'mine', ...TIMES } });
    expect(await reason(theirs)).toEqual([403, 'forbiddenForNonOrganizer']);
  });

  test('an all-day patch of a timed event must clear the times', async () => {
    await insert();
    const day = { start: { date: '2026-11-24' }, end: { date: '2026-11-25' } };
    expect(await reason(await call('PATCH', PATH, { body: day }))).toEqual([400, 'invalid']);
    const none = { dateTime: null, timeZone: null };
    const cleared = { start: { ...day.start, ...none }, end: { ...day.end, ...none } };
    expect(await event(await call('PATCH', PATH, { body: cleared }))).toMatchObject(day);
  });

  test('a deleted event answers as cancelled, and takes no more changes', async () => {
    const { etag } = await event(await insert({ attendees: [{ email: 'bob@example.com' }] }));
    const stale = await call('DELETE', PATH, { headers: { 'if-match': '"other"' } });
    expect(await reason(stale)).toEqual([412, 'conditionNotMet']);
    const gone = await call('DELETE', `${PATH}?sendUpdates=all`, { headers: { 'if-match': etag } });
    expect([gone.status, await gone.text()]).toEqual([204, '']);
    expect(await reason(await call('DELETE', PATH))).toEqual([410, 'deleted']);
    expect(await reason(await call('DELETE', 'primary/events/unknown1'))).toEqual([404, 'notFound']);
    const read = await call('GET', PATH);
    expect([read.status, (await event(read)).status]).toEqual([200, 'cancelled']);
    expect(await reason(await call('PATCH', PATH, { body: { summary: 'x' } }))).toEqual([403, 'forbidden']);
    expect(await reason(await call('GET', 'primary/events/unknown1'))).toEqual([404, 'notFound']);
    expect(await busy()).toEqual([]);
    expect(sandbox.truth.effects.at(-1)).toMatchObject({ deed: 'deleted', key: HOLD.id, mails: 1 });
    const items = async (query: string): Promise<unknown[]> =>
      z.object({ items: z.array(Event) }).parse(await (await call('GET', `primary/events${query}`)).json())
        .items;
    expect(await items('')).toHaveLength(0);
    expect(await items('?showDeleted=true')).toHaveLength(1);
  });
});

describe('faults on writes', () => {
  test.each([
    ['a reply that is lost', { kind: 'reply-lost' }, 1],
    ['a 503 after the deed', { kind: 'status-after', status: 503 }, 1],
    ['a reset', { kind: 'reset' }, 0],
    ['a 503 before the deed', { kind: 'status', status: 503 }, 0],
  ] as const)('%s leaves the right number of events', async (_what, effect, count) => {
    sandbox.faults.add({ operation: 'google.events.insert', effect });
    const status = await insert().then(
      (reply) => reply.status,
      () => 0,
    );
    expect(status).toBe(effect.kind.startsWith('status') ? 503 : 0);
    expect(sandbox.truth.created(HOLD.id)).toBe(count);
    expect((await insert()).status).toBe(count === 1 ? 409 : 200);
    expect(sandbox.truth.created(HOLD.id)).toBe(1);
  });

  test('two events under one key are noticed', async () => {
    await insert();
    await call('POST', `${TEAM}/events`, { body: HOLD });
    expect(sandbox.truth.created(HOLD.id)).toBe(2);
    expect(sandbox.truth.verdict().problems).toEqual(['2 events created under the key hold00001']);
  });

  test('writes go in a batch', async () => {
    const lines = ['POST', 'POST'].map((method) =>
      [
        '--b',
        'Content-Type: application/http',
        '',
        `${method} /calendar/v3/calendars/primary/events`,
        'Content-Type: application/json',
        '',
        JSON.stringify(HOLD),
      ].join('\r\n'),
    );
    const reply = await fetch(`${sandbox.googleUrl}/batch/calendar/v3`, {
      method: 'POST',
      body: `${lines.join('\r\n')}\r\n--b--\r\n`,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'multipart/mixed; boundary=b' },
    });
    expect((await reply.text()).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 409']);
    expect(sandbox.truth.created(HOLD.id)).toBe(1);
  });
});
