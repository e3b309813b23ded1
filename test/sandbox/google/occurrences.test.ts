import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectGoogle } from '../client-journey.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const EMAIL = 'ada@example.com';
let sandbox: Sandbox;
let token: string;

beforeEach(async () => {
  sandbox = await startSandbox();
  sandbox.people.add({ provider: 'google', email: EMAIL, name: 'Ada', timeZone: 'Europe/Berlin' });
  const scopes = ['calendar.events', 'calendar.freebusy'].map(
    (short) => `https://www.googleapis.com/auth/${short}`,
  );
  token = (await connectGoogle(sandbox, EMAIL, { scope: ['openid', 'email', ...scopes].join(' ') }))
    .access_token;
});
afterEach(async () => {
  await sandbox.close();
});

const Event = z.looseObject({
  id: z.string(),
  etag: z.string(),
  status: z.string(),
  start: z.object({ dateTime: z.string().optional(), date: z.string().optional() }),
});
const Failure = z.object({ error: z.object({ errors: z.array(z.looseObject({ reason: z.string() })) }) });
const Page = z.object({ items: z.array(Event), nextPageToken: z.string().optional() });

async function call(
  method: string,
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Response> {
  return await fetch(`${sandbox.googleUrl}/calendar/v3/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
  });
}
const event = async (reply: Response): Promise<z.infer<typeof Event>> => Event.parse(await reply.json());
async function reason(reply: Response): Promise<[number, string | undefined]> {
  return [reply.status, Failure.parse(await reply.json()).error.errors[0]?.reason];
}
const EVENTS = 'calendars/primary/events';
const page = async (path: string): Promise<z.infer<typeof Page>> =>
  Page.parse(await (await call('GET', `${EVENTS}${path}`)).json());
const startsOf = ({ items }: z.infer<typeof Page>): (string | undefined)[] =>
  items.map(({ start }) => start.dateTime ?? start.date);

const SERIES = {
  id: 'standup01',
  summary: 'Stand-up',
  start: { dateTime: '2026-10-20T09:00:00', timeZone: 'Europe/Berlin' },
  end: { dateTime: '2026-10-20T09:30:00', timeZone: 'Europe/Berlin' },
  recurrence: ['RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=4', 'EXDATE;TZID=Europe/Berlin:20261103T090000'],
  attendees: [{ email: 'bob@example.com' }],
};
const STARTS = ['2026-10-20T09:00:00+02:00', '2026-10-27T09:00:00+01:00', '2026-11-10T09:00:00+01:00'];
const SECOND = 'standup01_20261027T080000Z';
const insert = async (changes: object = {}): Promise<z.infer<typeof Event>> =>
  await event(await call('POST', EVENTS, { body: { ...SERIES, ...changes } }));
async function busy(): Promise<string[]> {
  const reply = await call('POST', 'freeBusy', {
    body: {
      timeMin: '2026-10-19T00:00:00Z',
      timeMax: '2026-11-30T00:00:00Z',
      timeZone: 'Europe/Berlin',
      items: [{ id: EMAIL }],
    },
  });
  const Busy = z.object({
    calendars: z.record(z.string(), z.object({ busy: z.array(z.object({ start: z.string() })) })),
  });
  return (Busy.parse(await reply.json()).calendars[EMAIL]?.busy ?? []).map(({ start }) => start);
}
const move = async (id = SECOND): Promise<Response> =>
  await call('PATCH', `${EVENTS}/${id}?sendUpdates=all`, {
    body: {
      start: { dateTime: '2026-10-28T15:00:00', timeZone: 'Europe/Berlin' },
      end: { dateTime: '2026-10-28T15:30:00', timeZone: 'Europe/Berlin' },
    },
  });

describe('a series', () => {
  test('counts with each occurrence in free/busy, on the clock of its zone', async () => {
    await insert();
    expect(await busy()).toEqual(STARTS);
  });

  test('is told as its occurrences or as its master', async () => {
    const master = await insert();
    const expanded = await page('?singleEvents=true&orderBy=startTime');
    expect(startsOf(expanded)).toEqual(STARTS);
    expect(expanded.items[1]).toMatchObject({
      id: SECOND,
      etag: master.etag,
      recurringEventId: 'standup01',
      originalStartTime: { dateTime: STARTS[1], timeZone: 'Europe/Berlin' },
      iCalUID: 'standup01@google.com',
      end: { dateTime: '2026-10-27T09:30:00+01:00' },
    });
    expect(expanded.items[1]).not.toHaveProperty('recurrence');
    expect((await page('')).items).toMatchObject([{ id: 'standup01', recurrence: SERIES.recurrence }]);
    const late = '?timeMin=2026-11-09T00:00:00Z&timeMax=2026-11-12T00:00:00Z';
    expect((await page(late)).items).toMatchObject([{ id: 'standup01' }]);
    expect(startsOf(await page(`${late}&singleEvents=true`))).toEqual([STARTS[2]]);
  });

  test('lists its instances, page by page or by their original start', async () => {
    await insert();
    const path = '/standup01/instances';
    expect(startsOf(await page(path))).toEqual(STARTS);
    const first = await page(`${path}?maxResults=2`);
    const rest = await page(`${path}?maxResults=2&pageToken=${first.nextPageToken ?? ''}`);
    expect([...startsOf(first), ...startsOf(rest)]).toEqual(STARTS);
    expect(startsOf(await page(`${path}?timeMin=2026-10-27T08:10:00Z&timeMax=2026-11-10T08:00:00Z`))).toEqual(
      [STARTS[1]],
    );
    const by = async (start: string): Promise<string[]> =>
      (await page(`${path}?originalStart=${encodeURIComponent(start)}`)).items.map(({ id }) => id);
    expect(await by('2026-10-27T09:00:00+01:00')).toEqual([SECOND]);
    expect(await by('2026-10-27T08:00:00Z')).toEqual([SECOND]);
    for (const none of ['2026-11-03T08:00:00Z', '2026-10-28T08:00:00Z', '2026-10-27']) {
      expect(await by(none), none).toEqual([]);
    }
    const unclear = await call('GET', `${EVENTS}${path}?originalStart=2026-10-27T09:00:00`);
    expect(unclear.status).toBe(400);
    expect(await reason(await call('GET', `${EVENTS}/unknown1/instances`))).toEqual([404, 'notFound']);
    expect(await reason(await call('GET', `${EVENTS}${path}?singleEvents=true`))).toEqual([
      400,
      'badRequest',
    ]);
  });

  test('of whole days names its instances by their dates', async () => {
    const recurrence = ['RRULE:FREQ=DAILY;COUNT=2'];
    await insert({ start: { date: '2026-10-24' }, end: { date: '2026-10-25' }, recurrence });
    const { items } = await page('/standup01/instances?originalStart=2026-10-25');
    expect(items).toMatchObject([
      { id: 'standup01_20261025', originalStartTime: { date: '2026-10-25' }, end: { date: '2026-10-26' } },
    ]);
    expect(await busy()).toEqual(['2026-10-24T00:00:00+02:00']);
  });

  test('that is no series has no instances', async () => {
    await insert({ recurrence: [] });
    expect((await page('/standup01/instances')).items).toEqual([]);
  });
});

describe('one occurrence', () => {
  test('is moved alone', async () => {
    const { etag } = await insert();
    const reply = await move();
    expect(reply.status).toBe(200);
    const moved = await event(reply);
    expect(moved).toMatchObject({
      id: SECOND,
      recurringEventId: 'standup01',
      originalStartTime: { dateTime: STARTS[1] },
      start: { dateTime: '2026-10-28T15:00:00+01:00' },
      attendees: [{ email: 'bob@example.com' }],
    });
    expect(moved.etag).not.toBe(etag);
    expect((await event(await call('GET', `${EVENTS}/standup01`))).etag).toBe(etag);
    expect(await busy()).toEqual([STARTS[0], '2026-10-28T15:00:00+01:00', STARTS[2]]);
    const found = `/standup01/instances?originalStart=${encodeURIComponent(STARTS[1] ?? '')}`;
    expect((await page(found)).items.map(({ id }) => id)).toEqual([SECOND]);
    // Where series are not expanded, the exception is told beside its master.
    expect((await page('')).items.map(({ id }) => id)).toEqual(['standup01', SECOND]);
    expect(sandbox.truth.effects.at(-1)).toMatchObject({ deed: 'updated', eventId: SECOND, mails: 1 });
    const stale = await call('PATCH', `${EVENTS}/${SECOND}`, { body: {}, headers: { 'if-match': etag } });
    expect(await reason(stale)).toEqual([412, 'conditionNotMet']);
  });

  test('is replaced by an update, and takes no rule of its own', async () => {
    await insert();
    const { recurrence, id: _, ...body } = SERIES;
    const times = {
      start: { dateTime: '2026-10-27T10:00:00', timeZone: 'Europe/Berlin' },
      end: { dateTime: '2026-10-27T11:00:00', timeZone: 'Europe/Berlin' },
    };
    const replaced = await call('PUT', `${EVENTS}/${SECOND}`, { body: { ...body, ...times } });
    expect(replaced.status).toBe(200);
    expect(await busy()).toEqual([STARTS[0], '2026-10-27T10:00:00+01:00', STARTS[2]]);
    const series = await call('PATCH', `${EVENTS}/${SECOND}`, { body: { recurrence } });
    expect(await reason(series)).toEqual([400, 'invalid']);
  });

  test('is cancelled alone', async () => {
    await insert();
    expect((await call('DELETE', `${EVENTS}/${SECOND}?sendUpdates=all`)).status).toBe(204);
    expect(await busy()).toEqual([STARTS[0], STARTS[2]]);
    expect(await reason(await call('DELETE', `${EVENTS}/${SECOND}`))).toEqual([410, 'deleted']);
    expect((await event(await call('GET', `${EVENTS}/${SECOND}`))).status).toBe('cancelled');
    expect(await reason(await move())).toEqual([403, 'forbidden']);
    const instances = '/standup01/instances?originalStart=2026-10-27T08:00:00Z';
    expect((await page(instances)).items).toEqual([]);
    expect((await page(`${instances}&showDeleted=true`)).items).toMatchObject([{ status: 'cancelled' }]);
    expect((await page('?singleEvents=true')).items).toHaveLength(2);
    expect((await page('')).items.map(({ status }) => status)).toEqual(['confirmed', 'cancelled']);
    expect(sandbox.truth.effects.map(({ deed, eventId }) => [deed, eventId])).toEqual([
      ['created', 'standup01'],
      ['deleted', SECOND],
    ]);
  });

  test.each([
    'standup01_20261103T080000Z',
    'standup01_20261028T080000Z',
    'standup01_20261027',
    'other_20261027T080000Z',
  ])('that does not exist is not found: %s', async (id) => {
    await insert();
    for (const method of ['GET', 'DELETE']) {
      expect(await reason(await call(method, `${EVENTS}/${id}`))).toEqual([404, 'notFound']);
    }
    expect(await reason(await move(id))).toEqual([404, 'notFound']);
    expect(sandbox.truth.effects).toHaveLength(1);
  });

  test.each([
    ['deleted', 'DELETE', {}],
    ['patched away', 'PATCH', { body: { status: 'cancelled' } }],
  ])('is gone with its series, moved or not, when that is %s', async (_what, method, options) => {
    await insert();
    await move();
    await call(method, `${EVENTS}/standup01`, options);
    expect(await busy()).toEqual([]);
    expect(await reason(await call('DELETE', `${EVENTS}/${SECOND}`))).toEqual([410, 'deleted']);
    expect((await page('')).items).toEqual([]);
    expect((await page('/standup01/instances')).items).toEqual([]);
    expect((await page('/standup01/instances?showDeleted=true')).items).toHaveLength(3);
  });

  test('may meet faults', async () => {
    await insert();
    sandbox.faults.add({ operation: 'google.events.instances', effect: { kind: 'status', status: 503 } });
    expect((await call('GET', `${EVENTS}/standup01/instances`)).status).toBe(503);
    expect((await call('GET', `${EVENTS}/standup01/instances`)).status).toBe(200);
  });
});
