import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectMicrosoft } from '../client-journey.ts';
import type { Person } from '../people.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const WORK = 'grace@contoso.example';
const HOLD_ID = 'String {66f5a359-4659-4830-9070-00047ec6ac6e} Name intent';
let sandbox: Sandbox;
let grace: Person;
let token: string;

beforeEach(async () => {
  sandbox = await startSandbox();
  grace = sandbox.people.add({
    provider: 'microsoft',
    email: WORK,
    name: 'Grace Hopper',
    timeZone: 'America/New_York',
    calendars: [{ name: 'Calendar', primary: true }, { name: 'Lectures' }],
  });
  token = (await connectMicrosoft(sandbox, WORK)).access_token;
});
afterEach(async () => {
  await sandbox.close();
});

const Event = z.looseObject({
  id: z.string(),
  '@odata.etag': z.string(),
  iCalUId: z.string(),
  changeKey: z.string(),
  webLink: z.string(),
  createdDateTime: z.string(),
  transactionId: z.string().nullable(),
  onlineMeeting: z.object({ joinUrl: z.string() }).nullable(),
});
type Event = z.infer<typeof Event>;
const Failure = z.object({ error: z.object({ code: z.string() }) });
const Value = z.object({ value: z.array(z.looseObject({})) });

interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
  bearer?: string;
}
async function graph(method: string, path: string, options: CallOptions = {}): Promise<Response> {
  const { body, headers = {}, bearer = token } = options;
  return await fetch(`${sandbox.microsoftUrl}/v1.0${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: {
      authorization: `Bearer ${bearer}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
  });
}
async function code(reply: Response): Promise<[number, string]> {
  return [reply.status, Failure.parse(await reply.json()).error.code];
}
const event = async (reply: Response): Promise<Event> => Event.parse(await reply.json());
const values = async (path: string): Promise<Record<string, unknown>[]> =>
  Value.parse(await (await graph('GET', path)).json()).value;
const at = (dateTime: string, timeZone = 'UTC'): object => ({ dateTime, timeZone });

const HOLD = {
  subject: 'Review',
  body: { contentType: 'HTML', content: '<p>Bring <b>cake</b></p>' },
  start: at('2026-11-24T14:00:00'),
  end: at('2026-11-24T15:00:00'),
  transactionId: 'intent-1',
};
const create = async (changes: object = {}, path = '/me/events'): Promise<Response> =>
  await graph('POST', path, { body: { ...HOLD, ...changes } });
const WEEK = 'startDateTime=2026-11-23T00:00:00Z&endDateTime=2026-11-30T00:00:00Z';
const guests = ['bob@contoso.example', WORK].map((address) => ({ emailAddress: { address } }));
const weekly = {
  pattern: { type: 'weekly', interval: 1, daysOfWeek: ['tuesday'] },
  range: { type: 'numbered', startDate: '2026-11-24', numberOfOccurrences: 4 },
};

describe('create', () => {
  test('makes an event that calendarView, getSchedule and the list know', async () => {
    const reply = await create({ attendees: guests, showAs: 'tentative', isOnlineMeeting: true });
    expect(reply.status).toBe(201);
    const made = await event(reply);
    expect(made).toMatchObject({
      subject: 'Review',
      bodyPreview: 'Bring cake',
      body: { contentType: 'html' },
      transactionId: 'intent-1',
      start: at('2026-11-24T14:00:00.0000000'),
      isOrganizer: true,
      attendees: [{ type: 'required', emailAddress: { address: 'bob@contoso.example' } }, {}],
    });
    expect(made.onlineMeeting?.joinUrl).toMatch(/^https:\/\/teams\.microsoft\.com\//);
    expect(made['@odata.etag']).toBe(`W/"${made.changeKey}"`);
    const [seen] = await values(`/me/calendarView?${WEEK}`);
    expect(seen).toMatchObject({ id: made.id, showAs: 'tentative' });
    const schedule = await graph('POST', '/me/calendar/getSchedule', {
      body: {
        schedules: [WORK],
        startTime: at('2026-11-24T14:00:00'),
        endTime: at('2026-11-24T16:00:00'),
      },
    });
    expect(Value.parse(await schedule.json()).value[0]).toMatchObject({ availabilityView: '1100' });
    expect(sandbox.truth.effects).toMatchObject([
      { deed: 'created', provider: 'microsoft', person: WORK, key: 'intent-1', mails: 1 },
    ]);
    expect(sandbox.truth.verdict()).toEqual({ ok: true, problems: [] });
  });

  test('is found by an extended property, whose value may be spelled in any case', async () => {
    const singleValueExtendedProperties = [{ id: HOLD_ID, value: "o'Neill" }];
    const made = await event(await create({ singleValueExtendedProperties }));
    const filter = (id: string, value: string): string =>
      `$filter=${encodeURIComponent(`singleValueExtendedProperties/Any(ep: ep/id eq '${id}' and ep/value eq '${value}')`)}`;
    const expand = `$expand=${encodeURIComponent(`singleValueExtendedProperties($filter=id eq '${HOLD_ID}')`)}`;
    const [found] = await values(
      `/me/events?${filter(HOLD_ID, "O''NEILL")}&${expand}&$top=1&$select=subject`,
    );
    expect(found).toMatchObject({ id: made.id, singleValueExtendedProperties });
    expect(found).not.toHaveProperty('start');
    expect(await values(`/me/events?${filter(HOLD_ID.replace('intent', 'Intent'), "o''Neill")}`)).toEqual([]);
    expect(await values(`/me/events?${filter(HOLD_ID, 'other')}`)).toEqual([]);
    const plain = await graph('GET', `/me/events/${made.id}`);
    expect(await plain.json()).not.toHaveProperty('singleValueExtendedProperties');
    const read = await graph('GET', `/me/events/${made.id}?${expand}`);
    expect(await read.json()).toMatchObject({ singleValueExtendedProperties });
    expect((await graph('GET', `/me/events?$filter=${encodeURIComponent("wat eq 'x'")}`)).status).toBe(400);
  });

  test('goes into another calendar, and is read there and by either kind of id', async () => {
    const lectures = encodeURIComponent(grace.calendars[1]?.id ?? '');
    const made = await event(await create({}, `/me/calendars/${lectures}/events`));
    const prefer = { headers: { prefer: 'IdType="ImmutableId"' } };
    const immutable = await event(await graph('GET', `/me/events/${made.id}`, prefer));
    expect(immutable.id).not.toBe(made.id);
    for (const path of [`/me/events/${immutable.id}`, `/me/calendars/${lectures}/events/${made.id}`]) {
      expect((await event(await graph('GET', path))).iCalUId).toBe(made.iCalUId);
    }
    const primary = encodeURIComponent(grace.calendars[0]?.id ?? '');
    const elsewhere = await graph('GET', `/me/calendars/${primary}/events/${made.id}`);
    expect(await code(elsewhere)).toEqual([404, 'ErrorItemNotFound']);
    expect(await values('/me/events')).toEqual([]);
  });

  test('takes whole days and series', async () => {
    const days = { start: at('2026-11-26T00:00:00'), end: at('2026-11-27T00:00:00'), isAllDay: true };
    expect(await event(await create({ ...days, transactionId: 'days' }))).toMatchObject({ isAllDay: true });
    const series = await event(await create({ recurrence: weekly }));
    expect(series).toMatchObject({ type: 'seriesMaster', recurrence: weekly });
    expect(await values(`/me/calendarView?${WEEK}`)).toHaveLength(2);
  });

  test.each([
    ['an unknown property', { summary: 'no' }, 'RequestBodyRead'],
    ['a property only the server writes', { iCalUId: 'x' }, 'RequestBodyRead'],
    ['an unknown property inside', { location: { name: 'x' } }, 'RequestBodyRead'],
    ['a wrong showAs', { showAs: 'away' }, 'RequestBodyRead'],
    [
      'a malformed property id',
      { singleValueExtendedProperties: [{ id: 'x', value: 'y' }] },
      'RequestBodyRead',
    ],
    ['no start', { start: undefined }, 'ErrorPropertyValidationFailure'],
    ['a time with an offset', { start: at('2026-11-24T14:00:00+01:00') }, 'ErrorPropertyValidationFailure'],
    ['a nonsense zone', { start: at('2026-11-24T14:00:00', 'Mars') }, 'TimeZoneNotSupportedException'],
    [
      'an end before the start',
      { end: at('2026-11-24T13:00:00') },
      'ErrorCalendarEndDateIsEarlierThanStartDate',
    ],
    ['a whole day that is none', { isAllDay: true }, 'ErrorPropertyValidationFailure'],
    [
      'an attendee without an address',
      { attendees: [{ emailAddress: { name: 'Bob' } }] },
      'ErrorInvalidRecipients',
    ],
    [
      'a week without days',
      { recurrence: { ...weekly, pattern: { type: 'weekly', interval: 1 } } },
      'ErrorPropertyValidationFailure',
    ],
    [
      'a series that begins elsewhere',
      { recurrence: { ...weekly, range: { ...weekly.range, startDate: '2026-11-25' } } },
      'ErrorPropertyValidationFailure',
    ],
    [
      'a series of no events',
      { recurrence: { ...weekly, range: { ...weekly.range, numberOfOccurrences: 0 } } },
      'ErrorPropertyValidationFailure',
    ],
  ])('refuses %s', async (_what, changes, expected) => {
    expect(await code(await create(changes))).toEqual([400, expected]);
    expect(sandbox.truth.effects).toEqual([]);
    expect(sandbox.truth.refusals).toHaveLength(1);
  });

  test('needs the scope to write', async () => {
    const scope = 'openid profile offline_access User.Read Calendars.Read';
    const bearer = (await connectMicrosoft(sandbox, WORK, { scope })).access_token;
    const reply = await graph('POST', '/me/events', { body: HOLD, bearer });
    expect(await code(reply)).toEqual([403, 'ErrorAccessDenied']);
    expect((await graph('GET', '/me/events', { bearer })).status).toBe(200);
  });
});

describe('a transactionId that comes again', () => {
  test('with the same content answers the event that is there', async () => {
    const first = await event(await create());
    const { subject, ...rest } = HOLD;
    const again = await graph('POST', '/me/events', { body: { ...rest, subject } });
    expect([again.status, (await event(again)).id]).toEqual([201, first.id]);
    expect(sandbox.truth.created('intent-1')).toBe(1);
  });

  test('is a conflict with other content, or when the mailbox is told so', async () => {
    await create();
    expect(await code(await create({ subject: 'Other' }))).toEqual([409, 'ErrorDuplicateTransactionId']);
    grace.repeatedTransactionId = 'conflict';
    expect(await code(await create())).toEqual([409, 'ErrorDuplicateTransactionId']);
    expect(sandbox.truth.created('intent-1')).toBe(1);
    expect(sandbox.truth.verdict().ok).toBe(true);
  });

  test('is a conflict after its event was deleted', async () => {
    const { id } = await event(await create());
    await graph('DELETE', `/me/events/${id}`);
    expect(await code(await create())).toEqual([409, 'ErrorDuplicateTransactionId']);
  });

  test.each([
    ['a lost reply', { kind: 'reply-lost' }],
    ['a 503 after the deed', { kind: 'status-after', status: 503 }],
  ] as const)('survives %s', async (_what, effect) => {
    sandbox.faults.add({ operation: 'graph.events.create', effect });
    const status = await create().then(
      (reply) => reply.status,
      () => 0,
    );
    expect(status).toBe(effect.kind === 'status-after' ? 503 : 0);
    expect((await create()).status).toBe(201);
    expect(sandbox.truth.created('intent-1')).toBe(1);
    expect(await values('/me/events')).toHaveLength(1);
  });
});

describe('update, delete and cancel', () => {
  test('update changes what it names, and moves the ETag', async () => {
    const singleValueExtendedProperties = [{ id: HOLD_ID, value: 'a' }];
    const made = await event(await create({ attendees: guests, singleValueExtendedProperties }));
    const path = `/me/events/${made.id}`;
    const options = {
      body: { subject: 'Later', start: at('2026-11-24T14:30:00'), location: { displayName: 'Here' } },
      headers: { 'if-match': made['@odata.etag'] },
    };
    const reply = await graph('PATCH', path, options);
    expect(reply.status).toBe(200);
    const after = await event(reply);
    expect(after).toMatchObject({
      subject: 'Later',
      bodyPreview: 'Bring cake',
      transactionId: 'intent-1',
      start: at('2026-11-24T14:30:00.0000000'),
      end: at('2026-11-24T15:00:00.0000000'),
      location: { displayName: 'Here' },
    });
    expect(after['@odata.etag']).not.toBe(made['@odata.etag']);
    expect(await code(await graph('PATCH', path, options))).toEqual([412, 'ErrorIrresolvableConflict']);
    const early = await graph('PATCH', path, { body: { end: at('2026-11-24T14:00:00') } });
    expect(early.status).toBe(400);
    const renamed = await graph('PATCH', path, { body: { transactionId: 'x' } });
    expect(await code(renamed)).toEqual([400, 'RequestBodyRead']);
    expect(sandbox.truth.effects.map(({ deed, mails }) => [deed, mails])).toEqual([
      ['created', 1],
      ['updated', 1],
    ]);
  });

  test('a series follows its event to another day', async () => {
    const { id } = await event(await create({ recurrence: weekly }));
    const body = { start: at('2026-11-25T14:00:00'), end: at('2026-11-25T15:00:00') };
    const after = await event(await graph('PATCH', `/me/events/${id}`, { body }));
    expect(after).toMatchObject({ recurrence: { range: { startDate: '2026-11-25' } } });
  });

  test('what was deleted is there no more', async () => {
    const { id, '@odata.etag': etag } = await event(await create({ attendees: guests }));
    const stale = await graph('DELETE', `/me/events/${id}`, { headers: { 'if-match': 'W/"x"' } });
    expect(await code(stale)).toEqual([412, 'ErrorIrresolvableConflict']);
    const gone = await graph('DELETE', `/me/events/${id}`, { headers: { 'if-match': etag } });
    expect([gone.status, await gone.text()]).toEqual([204, '']);
    for (const [method, path, body] of [
      ['DELETE', `/me/events/${id}`, undefined],
      ['GET', `/me/events/${id}`, undefined],
      ['PATCH', `/me/events/${id}`, { subject: 'x' }],
      ['POST', `/me/events/${id}/cancel`, { comment: 'x' }],
    ] as const) {
      const reply = await graph(method, path, body === undefined ? {} : { body });
      expect(await code(reply), method).toEqual([404, 'ErrorItemNotFound']);
    }
    expect(await values(`/me/calendarView?${WEEK}`)).toEqual([]);
    expect(sandbox.truth.effects.at(-1)).toMatchObject({ deed: 'deleted', key: 'intent-1', mails: 1 });
    expect(await code(await graph('GET', '/me/events/nope'))).toEqual([400, 'ErrorInvalidIdMalformed']);
  });

  test('only the organizer cancels', async () => {
    const { id } = await event(await create({ attendees: guests }));
    expect((await graph('POST', `/me/events/${id}/cancel`, { body: { comment: 'Ill' } })).status).toBe(202);
    expect(await values('/me/events')).toEqual([]);
    grace.addEvent('primary', {
      summary: 'x',
      start: '2026-11-24T09:00',
      end: '2026-11-24T10:00',
      response: 'accepted',
    });
    const [theirs] = await values('/me/events');
    const reply = await graph('POST', `/me/events/${String(theirs?.['id'])}/cancel`, { body: {} });
    expect(await code(reply)).toEqual([400, 'ErrorInvalidRequest']);
    expect(sandbox.truth.effects).toHaveLength(2);
  });

  test('writes go in a batch', async () => {
    const headers = { 'content-type': 'application/json' };
    const post = { method: 'POST', url: '/me/events', headers };
    const requests = [
      { id: '1', ...post, body: HOLD },
      { id: '2', ...post, body: { ...HOLD, subject: 'Other' }, dependsOn: ['1'] },
    ];
    const reply = await graph('POST', '/$batch', { body: { requests } });
    const { responses } = z
      .object({ responses: z.array(z.looseObject({ id: z.string(), status: z.number() })) })
      .parse(await reply.json());
    expect(Object.fromEntries(responses.map(({ id, status }) => [id, status]))).toEqual({ 1: 201, 2: 409 });
  });
});
