import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectMicrosoft } from '../client-journey.ts';
import type { Person } from '../people.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const WORK = 'grace@contoso.example';
const PERSONAL = 'linus@outlook.example';
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
    workingHours: { days: ['monday', 'friday'], start: '09:00', end: '17:30' },
    calendars: [{ name: 'Calendar', primary: true }, { name: 'Lectures' }],
  });
  sandbox.people.add({
    provider: 'microsoft',
    account: 'personal',
    email: PERSONAL,
    name: 'Linus',
    timeZone: 'Asia/Tokyo',
  });
  token = (await connectMicrosoft(sandbox, WORK)).access_token;
});
afterEach(async () => {
  await sandbox.close();
});

interface CallOptions {
  body?: unknown;
  prefer?: string;
  bearer?: string;
}
async function graph(path: string, { body, prefer, bearer = token }: CallOptions = {}): Promise<Response> {
  return await fetch(path.startsWith('http') ? path : `${sandbox.microsoftUrl}/v1.0${path}`, {
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    headers: {
      authorization: `Bearer ${bearer}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(prefer === undefined ? {} : { prefer }),
    },
  });
}
const Failure = z.object({
  error: z.object({ code: z.string(), message: z.string(), innerError: z.looseObject({}) }),
});
async function code(reply: Response): Promise<[number, string]> {
  return [reply.status, Failure.parse(await reply.json()).error.code];
}
const Time = z.object({ dateTime: z.string(), timeZone: z.string() });
const View = z.object({
  value: z.array(z.looseObject({ id: z.string(), subject: z.string(), start: Time, end: Time })),
  '@odata.nextLink': z.string().optional(),
});
const view = async (path: string, options: CallOptions = {}): Promise<z.infer<typeof View>> =>
  View.parse(await (await graph(path, options)).json());
const WEEK = 'startDateTime=2026-11-23T00:00:00Z&endDateTime=2026-11-30T00:00:00Z';

describe('calendarView', () => {
  test('comes in pages of ten whose links lead to the end', async () => {
    for (let hour = 0; hour < 23; hour += 1) {
      const start = `2026-11-24T${String(hour).padStart(2, '0')}`;
      grace.addEvent('primary', { summary: `e${String(hour)}`, start: `${start}:00Z`, end: `${start}:30Z` });
    }
    const sizes: number[] = [];
    const subjects = new Set<string>();
    let next: string | undefined = `/me/calendarView?${WEEK}`;
    while (next !== undefined) {
      const page: z.infer<typeof View> = await view(next);
      sizes.push(page.value.length);
      for (const { subject } of page.value) subjects.add(subject);
      next = page['@odata.nextLink'];
    }
    expect(sizes).toEqual([10, 10, 3]);
    expect(subjects.size).toBe(23);
  });

  test('gives times in UTC, or in the preferred zone under the name that was used for it', async () => {
    grace.addEvent('primary', { summary: 'one', start: '2026-11-24T09:00', end: '2026-11-24T10:00' });
    const utc = await view(`/me/calendarView?${WEEK}`);
    expect(utc.value[0]?.start).toEqual({ dateTime: '2026-11-24T14:00:00.0000000', timeZone: 'UTC' });
    for (const zone of ['Eastern Standard Time', 'America/New_York']) {
      const local = await view(`/me/calendarView?${WEEK}`, { prefer: `outlook.timezone="${zone}"` });
      expect(local.value[0]?.start).toEqual({ dateTime: '2026-11-24T09:00:00.0000000', timeZone: zone });
    }
    const unknown = await graph(`/me/calendarView?${WEEK}`, { prefer: 'outlook.timezone="Middle Earth"' });
    expect(await code(unknown)).toEqual([400, 'TimeZoneNotSupportedException']);
  });

  test('gives all-day events as midnights of their dates in every zone', async () => {
    grace.addEvent('primary', { summary: 'day', start: '2026-11-26', allDay: true, showAs: 'oof' });
    for (const [prefer, zone] of [
      [undefined, 'UTC'],
      ['outlook.timezone="Tokyo Standard Time"', 'Tokyo Standard Time'],
    ]) {
      const page = await view(`/me/calendarView?${WEEK}`, prefer === undefined ? {} : { prefer });
      expect(page.value[0]).toMatchObject({
        isAllDay: true,
        showAs: 'oof',
        originalStartTimeZone: 'Eastern Standard Time',
        start: { dateTime: '2026-11-26T00:00:00.0000000', timeZone: zone },
        end: { dateTime: '2026-11-27T00:00:00.0000000', timeZone: zone },
      });
    }
  });

  test('selects properties, and gives ids that differ by their kind', async () => {
    grace.addEvent('primary', { summary: 'one', start: '2026-11-24T09:00', end: '2026-11-24T10:00' });
    const reply = await graph(`/me/calendarView?${WEEK}&$select=subject,showAs`);
    const { value } = z.object({ value: z.array(z.looseObject({})) }).parse(await reply.json());
    expect(new Set(Object.keys(value[0] ?? {}))).toEqual(new Set(['@odata.etag', 'id', 'showAs', 'subject']));
    const usual = await view(`/me/calendarView?${WEEK}`);
    const immutable = await view(`/me/calendarView?${WEEK}`, { prefer: 'IdType="ImmutableId"' });
    expect(usual.value[0]?.id).not.toBe(immutable.value[0]?.id);
  });

  test('reads one calendar by its id', async () => {
    const lectures = grace.calendars[1]?.id ?? '';
    grace.addEvent(lectures, { summary: 'nanoseconds', start: '2026-11-24T09:00', end: '2026-11-24T10:00' });
    expect((await view(`/me/calendarView?${WEEK}`)).value).toHaveLength(0);
    const there = await view(`/me/calendars/${encodeURIComponent(lectures)}/calendarView?${WEEK}`);
    expect(there.value.map(({ subject }) => subject)).toEqual(['nanoseconds']);
    expect(await code(await graph(`/me/calendars/nope/calendarView?${WEEK}`))).toEqual([
      404,
      'ErrorItemNotFound',
    ]);
  });

  test.each([
    ['no window', '', 'ErrorInvalidParameter'],
    ['more than 1825 days', 'startDateTime=2026-01-01&endDateTime=2031-01-01', 'ErrorInvalidRequest'],
    ['a window that is none', 'startDateTime=soon&endDateTime=2026-11-30', 'ErrorInvalidParameter'],
    ['an unknown option', `${WEEK}&$wat=1`, 'BadRequest'],
    ['an unknown property', `${WEEK}&$select=colour`, 'RequestBroker--ParseUri'],
    ['a page of nothing', `${WEEK}&$top=0`, 'ErrorInvalidParameter'],
  ])('refuses %s', async (_what, query, expected) => {
    grace.addEvent('primary', { summary: 'one', start: '2026-11-24T09:00', end: '2026-11-24T10:00' });
    expect(await code(await graph(`/me/calendarView?${query}`))).toEqual([400, expected]);
    expect(sandbox.truth.refusals).toHaveLength(1);
  });
});

describe('getSchedule', () => {
  const utc = (dateTime: string): object => ({ dateTime, timeZone: 'UTC' });
  const question = (changes: object = {}): object => ({
    schedules: [WORK],
    startTime: utc('2026-11-24T12:00:00'),
    endTime: utc('2026-11-24T18:00:00'),
    availabilityViewInterval: 60,
    ...changes,
  });
  const ask = async (changes: object = {}, options: CallOptions = {}): Promise<Response> =>
    await graph('/me/calendar/getSchedule', { ...options, body: question(changes) });

  test('tells statuses and the merged view, in which working elsewhere reads as free', async () => {
    const at = (from: number, showAs: 'free' | 'tentative' | 'busy' | 'oof' | 'workingElsewhere'): void => {
      const start = `2026-11-24T${String(from)}:00Z`;
      grace.addEvent('primary', { summary: showAs, start, end: `2026-11-24T${String(from)}:30Z`, showAs });
    };
    at(12, 'free');
    at(13, 'tentative');
    at(14, 'busy');
    at(15, 'oof');
    at(16, 'workingElsewhere');
    const Reply = z.object({
      value: z.array(
        z.looseObject({
          availabilityView: z.string(),
          scheduleItems: z.array(z.looseObject({ status: z.string(), start: Time })),
          workingHours: z.looseObject({ startTime: z.string(), timeZone: z.object({ name: z.string() }) }),
        }),
      ),
    });
    const reply = Reply.parse(
      await (await ask({}, { prefer: 'outlook.timezone="Pacific Standard Time"' })).json(),
    );
    const [schedule] = reply.value;
    expect(schedule?.availabilityView).toBe('012300');
    expect(schedule?.scheduleItems.map(({ status }) => status)).toEqual([
      'free',
      'tentative',
      'busy',
      'oof',
      'workingElsewhere',
    ]);
    expect(schedule?.scheduleItems[0]?.start).toEqual({
      dateTime: '2026-11-24T04:00:00.0000000',
      timeZone: 'Pacific Standard Time',
    });
    expect(schedule?.workingHours).toMatchObject({
      startTime: '09:00:00.0000000',
      timeZone: { name: 'Eastern Standard Time' },
    });
  });

  test('takes Windows names for its window and lets all-day events fill the mailbox zone’s day', async () => {
    grace.addEvent('primary', { summary: 'day', start: '2026-11-24', allDay: true });
    const eastern = (dateTime: string): object => ({ dateTime, timeZone: 'Eastern Standard Time' });
    const window = { startTime: eastern('2026-11-23T22:00:00'), endTime: eastern('2026-11-24T02:00:00') };
    const reply = z
      .object({ value: z.array(z.looseObject({ availabilityView: z.string() })) })
      .parse(await (await ask(window)).json());
    expect(reply.value[0]?.availabilityView).toBe('0022');
  });

  test('answers unknown and foreign addresses one by one', async () => {
    const reply = await ask({ schedules: [WORK, 'nobody@contoso.example', PERSONAL] });
    expect(reply.status).toBe(200);
    const { value } = z
      .object({
        value: z.array(z.looseObject({ error: z.looseObject({ responseCode: z.string() }).optional() })),
      })
      .parse(await reply.json());
    expect(value.map(({ error }) => error?.responseCode)).toEqual([
      undefined,
      'ErrorMailRecipientNotFound',
      'ErrorMailRecipientNotFound',
    ]);
  });

  test.each([
    ['more than 62 days', { endTime: utc('2027-01-25T12:00:01') }, 'ErrorTimeIntervalTooBig'],
    ['a window that ends first', { endTime: utc('2026-11-24T11:00:00') }, 'ErrorInvalidTimeInterval'],
    ['an interval under five', { availabilityViewInterval: 4 }, 'ErrorInvalidMergedFreeBusyInterval'],
    ['an interval past the window', { availabilityViewInterval: 361 }, 'ErrorInvalidMergedFreeBusyInterval'],
    [
      'twenty-one schedules',
      { schedules: Array.from({ length: 21 }, () => WORK) },
      'ErrorMailboxDataArrayTooBig',
    ],
    ['an unknown property', { timeZone: 'UTC' }, 'RequestBodyRead'],
    [
      'an unknown zone',
      { startTime: { dateTime: '2026-11-24T12:00:00', timeZone: 'Nowhere' } },
      'TimeZoneNotSupportedException',
    ],
    ['a time with an offset', { startTime: utc('2026-11-24T12:00:00+01:00') }, 'ErrorInvalidParameter'],
  ])('refuses %s', async (_what, changes, expected) => {
    expect(await code(await ask(changes))).toEqual([400, expected]);
  });

  test('is not for personal accounts', async () => {
    const personal = (await connectMicrosoft(sandbox, PERSONAL)).access_token;
    expect(await code(await ask({}, { bearer: personal }))).toEqual([403, 'ErrorAccessDenied']);
    expect((await graph(`/me/calendarView?${WEEK}`, { bearer: personal })).status).toBe(200);
  });
});

describe('the mailbox', () => {
  test('lists its calendars in pages', async () => {
    const Page = z.object({
      value: z.array(z.looseObject({ name: z.string() })),
      '@odata.nextLink': z.string().optional(),
    });
    const first = Page.parse(await (await graph('/me/calendars?$top=1')).json());
    expect(first.value[0]).toMatchObject({
      name: 'Calendar',
      isDefaultCalendar: true,
      owner: { address: WORK },
    });
    const second = Page.parse(await (await graph(first['@odata.nextLink'] ?? '')).json());
    expect(second.value[0]?.name).toBe('Lectures');
    expect(second['@odata.nextLink']).toBeUndefined();
  });

  test('can tell its working zone by rules alone', async () => {
    sandbox.people.add({
      provider: 'microsoft',
      email: 'custom@contoso.example',
      name: 'Custom',
      timeZone: 'America/New_York',
      workingHours: { days: ['monday'], start: '09:00', end: '17:00', customTimeZone: true },
    });
    const bearer = (await connectMicrosoft(sandbox, 'custom@contoso.example')).access_token;
    expect(await (await graph('/me/mailboxSettings/workingHours', { bearer })).json()).toMatchObject({
      timeZone: {
        bias: 300,
        standardOffset: { time: '02:00:00.0000000', dayOccurrence: 1, dayOfWeek: 'sunday', month: 11 },
        daylightOffset: {
          time: '02:00:00.0000000',
          dayOccurrence: 2,
          dayOfWeek: 'sunday',
          month: 3,
          daylightBias: -60,
        },
      },
    });
  });

  test('tells its zone by a Windows name, or by an IANA name where it is set so', async () => {
    expect(await (await graph('/me/mailboxSettings')).json()).toMatchObject({
      timeZone: 'Eastern Standard Time',
    });
    sandbox.people.add({
      provider: 'microsoft',
      email: 'iana@contoso.example',
      name: 'Iana',
      timeZone: 'Europe/Kyiv',
      timeZoneNames: 'iana',
    });
    const bearer = (await connectMicrosoft(sandbox, 'iana@contoso.example')).access_token;
    expect(await (await graph('/me/mailboxSettings/timeZone', { bearer })).json()).toMatchObject({
      value: 'Europe/Kyiv',
    });
  });
});

describe('access', () => {
  test('needs a live token, and says how to get one', async () => {
    const bare = await fetch(`${sandbox.microsoftUrl}/v1.0/me`);
    expect(bare.headers.get('www-authenticate')).toContain('Bearer');
    expect(await code(bare)).toEqual([401, 'InvalidAuthenticationToken']);
    grace.expireAccessTokens();
    expect(await code(await graph('/me'))).toEqual([401, 'InvalidAuthenticationToken']);
  });

  test('needs a scope of the request', async () => {
    const scope = 'openid offline_access MailboxSettings.Read';
    const bearer = (await connectMicrosoft(sandbox, WORK, { scope })).access_token;
    expect(await code(await graph('/me/calendars', { bearer }))).toEqual([403, 'ErrorAccessDenied']);
    expect((await graph('/me/mailboxSettings', { bearer })).status).toBe(200);
  });

  test('refuses a fifth request of one mailbox while four are open', async () => {
    sandbox.faults.latency('microsoft', 150);
    const replies = await Promise.all([1, 2, 3, 4, 5].map(async () => await graph('/me')));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(4);
    const refused = replies.find(({ status }) => status === 429);
    expect(Failure.parse(await refused?.json()).error.message).toContain('MailboxConcurrency');
    expect(sandbox.truth.peak(WORK)).toBe(5);
    expect(sandbox.truth.verdict().ok).toBe(false);
  });
});

describe('a batch', () => {
  const Reply = z.object({
    responses: z.array(
      z.object({
        id: z.string(),
        status: z.number(),
        headers: z.record(z.string(), z.string()),
        body: z.unknown(),
      }),
    ),
  });
  const get = (id: string, url = '/me'): object => ({ id, method: 'GET', url });
  const send = async (requests: object[]): Promise<Response> =>
    await graph('/$batch', { body: { requests } });

  test('answers every item under its id, four at a time and not in order', async () => {
    sandbox.faults.latency('microsoft', 10);
    const ids = Array.from({ length: 20 }, (_, index) => String(index));
    const { responses } = Reply.parse(await (await send(ids.map((id) => get(id)))).json());
    expect(responses.map(({ status }) => status)).toEqual(ids.map(() => 200));
    expect(responses.map(({ id }) => id)).not.toEqual(ids);
    expect(new Set(responses.map(({ id }) => id))).toEqual(new Set(ids));
    expect(sandbox.truth.peak(WORK)).toBe(4);
    expect(sandbox.truth.verdict()).toEqual({ ok: true, problems: [] });
  });

  test('throttles single items, with their own Retry-After', async () => {
    sandbox.faults.add({
      operation: 'graph.me',
      after: 1,
      effect: { kind: 'throttle', retryAfter: 3, holdMs: 3000 },
    });
    const { responses } = Reply.parse(await (await send(['a', 'b', 'c'].map((id) => get(id)))).json());
    const throttled = responses.filter(({ status }) => status === 429);
    expect(throttled.map(({ id, headers }) => [id, headers['Retry-After']])).toEqual([['b', '3']]);
    expect(responses).toHaveLength(3);
    expect(sandbox.truth.tooEarly).toHaveLength(0);
  });

  test('fails what depends on a failure', async () => {
    const { responses } = Reply.parse(
      await (await send([get('1', '/me/calendars/nope'), { ...get('2'), dependsOn: ['1'] }])).json(),
    );
    expect(Object.fromEntries(responses.map(({ id, status }) => [id, status]))).toEqual({ 1: 404, 2: 424 });
  });

  test.each([
    ['twenty-one items', Array.from({ length: 21 }, (_, index) => get(String(index)))],
    ['ids that differ only in case', [get('a'), get('A')]],
    ['whole addresses', [get('a', 'https://graph.microsoft.com/v1.0/me')]],
    ['a body without a type', [{ id: 'a', method: 'POST', url: '/me/calendar/getSchedule', body: {} }]],
    ['unknown properties', [{ ...get('a'), wat: 1 }]],
    ['nothing', []],
  ])('refuses %s', async (_what, requests) => {
    expect((await send(requests)).status).toBe(400);
  });
});
