import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectGoogle } from '../client-journey.ts';
import type { Person } from '../people.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');
const SCOPES = ['calendar.events', 'calendar.calendarlist.readonly'];
let sandbox: Sandbox;
let ada: Person;
let token: string;

beforeEach(async () => {
  sandbox = await startSandbox({ now: () => NOW });
  sandbox.limits.googlePerUserPerMinute = 100_000;
  ada = sandbox.people.add({
    provider: 'google',
    email: 'ada@example.com',
    name: 'Ada',
    timeZone: 'Europe/Berlin',
    calendars: [
      { name: 'ada@example.com', primary: true },
      { name: 'Team', id: 'team' },
    ],
  });
  const scope = ['openid', ...SCOPES.map((short) => `https://www.googleapis.com/auth/${short}`)].join(' ');
  token = (await connectGoogle(sandbox, ada.email, { scope })).access_token;
});
afterEach(async () => {
  await sandbox.close();
});

const Item = z.looseObject({
  id: z.string(),
  status: z.string().optional(),
});
const Page = z.looseObject({
  items: z.array(Item),
  nextPageToken: z.string().optional(),
  nextSyncToken: z.string().optional(),
});
type Page = z.infer<typeof Page>;
type Parameters = Record<string, string>;

async function get(path: string, parameters: Parameters = {}): Promise<Response> {
  const query = new URLSearchParams(parameters).toString();
  return await fetch(`${sandbox.googleUrl}/calendar/v3/${path}?${query}`, {
    headers: { authorization: `Bearer ${token}` },
  });
}
const list = async (parameters: Parameters = {}, path = 'calendars/primary/events'): Promise<Page> =>
  Page.parse(await (await get(path, parameters)).json());
async function refusal(parameters: Parameters, path = 'calendars/primary/events'): Promise<unknown> {
  const reply = await get(path, parameters);
  const failure = z.looseObject({ error: z.looseObject({ errors: z.array(z.looseObject({})) }) });
  return [reply.status, failure.parse(await reply.json()).error.errors[0]?.['reason']];
}
async function syncToken(parameters: Parameters = {}, path?: string): Promise<string> {
  const { nextSyncToken } = await list(parameters, path);
  if (nextSyncToken === undefined) throw new Error('no sync token');
  return nextSyncToken;
}
const told = ({ items }: Page): string[] => items.map(({ id, status }) => `${id} ${status ?? ''}`);

const REVIEW = { id: 'review', summary: 'Review', start: '2026-11-24T10:00', end: '2026-11-24T11:00' };
const SERIES = { ...REVIEW, id: 'series', repeats: { frequency: 'weekly', times: 4 } } as const;

describe('a sync token', () => {
  test('tells what has changed since, each event once, and then nothing', async () => {
    ada.addEvent('primary', REVIEW);
    ada.addEvent('primary', { ...REVIEW, id: 'lunch' });
    const first = await syncToken();
    expect(told(await list({ syncToken: first }))).toEqual([]);
    ada.addEvent('primary', { ...REVIEW, id: 'call' });
    ada.changeEvent('primary', 'review', { summary: 'New' });
    ada.changeEvent('primary', 'review', { summary: 'Newer' });
    ada.removeEvent('primary', 'lunch');
    const changes = await list({ syncToken: first, maxResults: '2500' });
    expect(told(changes)).toEqual(['call confirmed', 'review confirmed', 'lunch cancelled']);
    expect(changes.items[1]).toMatchObject({ summary: 'Newer' });
    expect(Object.keys(changes.items[2] ?? {}).toSorted()).toEqual(['etag', 'id', 'kind', 'status']);
    expect(told(await list({ syncToken: changes.nextSyncToken ?? '' }))).toEqual([]);
    // The old one is good for as long as it is not expired.
    expect(told(await list({ syncToken: first }))).toHaveLength(3);
  });

  test('comes with the last page, unless something was asked for that excludes it', async () => {
    for (const id of ['one', 'two', 'three']) ada.addEvent('primary', { ...REVIEW, id });
    const page = await list({ maxResults: '2' });
    expect([page.items.length, page.nextSyncToken]).toEqual([2, undefined]);
    const last = await list({ maxResults: '2', pageToken: page.nextPageToken ?? '' });
    expect([last.items.length, typeof last.nextSyncToken]).toEqual([1, 'string']);
    const bounded = { timeMin: '2026-11-20T00:00:00Z', timeMax: '2026-11-30T00:00:00Z' };
    expect((await list({ ...bounded, singleEvents: 'true' })).nextSyncToken).toBeDefined();
    for (const excluding of [
      { orderBy: 'updated' },
      { q: 'review' },
      { iCalUID: 'one@sandbox.invalid' },
      { updatedMin: '2026-11-20T00:00:00Z' },
      { privateExtendedProperty: 'a=b' },
      { sharedExtendedProperty: 'a=b' },
    ]) {
      expect((await list(excluding)).nextSyncToken).toBeUndefined();
    }
  });

  test('may not come with what would make the outcome a matter of chance', async () => {
    const since = await syncToken({ singleEvents: 'true' });
    const together = { syncToken: since, singleEvents: 'true' };
    for (const excluded of [
      { timeMin: '2026-11-20T00:00:00Z' },
      { timeMax: '2026-11-20T00:00:00Z' },
      { updatedMin: '2026-11-20T00:00:00Z' },
      { orderBy: 'startTime' },
      { q: 'review' },
      { iCalUID: 'one' },
      { privateExtendedProperty: 'a=b' },
      { sharedExtendedProperty: 'a=b' },
      { showDeleted: 'false' },
    ]) {
      expect(await refusal({ ...together, ...excluded })).toEqual([400, 'invalid']);
    }
    expect(await refusal({ syncToken: since })).toEqual([400, 'invalid']);
    expect(await refusal({ ...together, timeZone: 'UTC' })).toEqual([400, 'invalid']);
    expect((await get('calendars/primary/events', { ...together, showDeleted: 'true' })).status).toBe(200);
  });

  test('that is expired, of another calendar or made up calls for a full sync', async () => {
    ada.addEvent('primary', REVIEW);
    const since = await syncToken();
    for (const [unknown, path] of [
      ['CPDAlvWDx70CEPDAlvWDx70CGAU=', undefined],
      ['', undefined],
      [since, 'calendars/team/events'],
    ] as const) {
      expect(await refusal({ syncToken: unknown }, path)).toEqual([410, 'fullSyncRequired']);
    }
    sandbox.expireSyncTokens(ada);
    const reply = await get('calendars/primary/events', { syncToken: since });
    expect([reply.status, await reply.json()]).toEqual([
      410,
      {
        error: {
          code: 410,
          message: 'Sync token is no longer valid, a full sync is required.',
          errors: [
            {
              domain: 'calendar',
              reason: 'fullSyncRequired',
              message: 'Sync token is no longer valid, a full sync is required.',
              location: 'syncToken',
              locationType: 'parameter',
            },
          ],
        },
      },
    ]);
    expect(told(await list({ syncToken: await syncToken() }))).toEqual([]);
  });

  test('comes even with a list that is wrongly empty', async () => {
    for (const id of ['one', 'two', 'three']) ada.addEvent('primary', { ...REVIEW, id });
    sandbox.faults.add({ operation: 'google.events.list', effect: { kind: 'hollow' } });
    const hollow = await list({ maxResults: '1' });
    expect([hollow.items, hollow.nextPageToken]).toEqual([[], undefined]);
    expect(told(await list({ syncToken: hollow.nextSyncToken ?? '' }))).toEqual([]);
    expect((await list()).items).toHaveLength(3);
  });
});

describe('of a series', () => {
  test('the master is told, and occurrences that were moved or cancelled', async () => {
    ada.addEvent('primary', SERIES);
    const since = await syncToken();
    ada.moveOccurrence('primary', 'series', '2026-12-01T10:00', { start: '2026-12-01T15:00' });
    ada.cancelOccurrence('primary', 'series', '2026-12-08T10:00');
    const { items } = await list({ syncToken: since });
    expect(items).toMatchObject([
      { id: 'series_20261201T090000Z', status: 'confirmed', recurringEventId: 'series' },
      { id: 'series_20261208T090000Z', status: 'cancelled', recurringEventId: 'series' },
    ]);
    expect(items[1]).toMatchObject({ originalStartTime: { dateTime: '2026-12-08T10:00:00+01:00' } });
    expect(items[1]).not.toHaveProperty('start');
    const later = await syncToken();
    ada.changeEvent('primary', 'series', { start: '2026-11-24T12:00' });
    expect(told(await list({ syncToken: later }))).toEqual([
      'series confirmed',
      'series_20261201T090000Z cancelled',
      'series_20261208T090000Z cancelled',
    ]);
  });

  test('an occurrence that leaves or enters the window is told with its new time', async () => {
    ada.addEvent('primary', SERIES);
    const parameters = { singleEvents: 'true' };
    const window = { timeMin: '2026-11-20T00:00:00Z', timeMax: '2026-12-05T00:00:00Z' };
    const since = await syncToken({ ...parameters, ...window });
    ada.moveOccurrence('primary', 'series', '2026-12-01T10:00', { start: '2026-12-06T10:00' });
    ada.moveOccurrence('primary', 'series', '2026-12-08T10:00', { start: '2026-12-04T10:00' });
    expect((await list({ ...parameters, syncToken: since })).items).toMatchObject([
      { id: 'series_20261201T090000Z', start: { dateTime: '2026-12-06T10:00:00+01:00' } },
      { id: 'series_20261208T090000Z', start: { dateTime: '2026-12-04T10:00:00+01:00' } },
    ]);
  });

  test('an occurrence that is there again is told', async () => {
    ada.addEvent('primary', SERIES);
    ada.cancelOccurrence('primary', 'series', '2026-12-08T10:00');
    const since = await syncToken();
    ada.changeEvent('primary', 'series', { start: '2026-11-24T12:00' });
    const moved = await list({ syncToken: since });
    ada.changeEvent('primary', 'series', { start: '2026-11-24T10:00' });
    const back = ['series confirmed', 'series_20261208T090000Z confirmed'];
    const again = await list({ syncToken: moved.nextSyncToken ?? '' });
    expect([told(again), told(await list({ syncToken: since }))]).toEqual([back, back]);
    ada.changeEvent('primary', 'series', { summary: 'New' });
    expect(told(await list({ syncToken: again.nextSyncToken ?? '' }))).toEqual(back);
  });

  test('the occurrences are told with singleEvents, those too that are no more', async () => {
    ada.addEvent('primary', SERIES);
    const parameters = { singleEvents: 'true' };
    const since = await syncToken(parameters);
    ada.moveOccurrence('primary', 'series', '2026-12-01T10:00', { start: '2026-12-01T15:00' });
    const moved = await list({ ...parameters, syncToken: since });
    expect(told(moved)).toEqual(['series_20261201T090000Z confirmed']);
    ada.changeEvent('primary', 'series', { start: '2026-11-24T12:00' });
    const changed = await list({ ...parameters, syncToken: moved.nextSyncToken ?? '' });
    expect(told(changed)).toHaveLength(8);
    expect(told(changed).filter((line) => line.endsWith('cancelled'))).toHaveLength(4);
    ada.removeEvent('primary', 'series');
    const removed = await list({ ...parameters, syncToken: changed.nextSyncToken ?? '' });
    expect(told(removed)).toHaveLength(4);
    expect(removed.items.every(({ status }) => status === 'cancelled')).toBe(true);
  });
});

describe('the calendar list', () => {
  const path = 'users/me/calendarList';

  test('tells what was added, shown otherwise or taken off', async () => {
    const since = await syncToken({}, path);
    expect((await list({ syncToken: since }, path)).items).toEqual([]);
    ada.addCalendar({ name: 'Travel', id: 'travel' });
    ada.changeCalendar('primary', { accessRole: 'owner', selected: false });
    ada.removeCalendar('team');
    const changes = await list({ syncToken: since }, path);
    expect(changes.items.map(({ id }) => id)).toEqual([ada.email, 'travel', 'team']);
    expect(changes.items[2]).toMatchObject({ deleted: true });
    expect((await get('calendars/team/events')).status).toBe(404);
    ada.changeCalendar('travel', { hidden: true });
    const hidden = await list({ syncToken: changes.nextSyncToken ?? '' }, path);
    expect(hidden.items).toMatchObject([{ id: 'travel', hidden: true }]);
    ada.changeCalendar('travel', { accessRole: 'reader' });
    expect((await list({ syncToken: hidden.nextSyncToken ?? '' }, path)).items).toEqual([]);
  });

  test('loses nothing that changes while it is paged', async () => {
    const first = await list({ maxResults: '1' }, path);
    ada.removeCalendar('primary');
    const last = await list({ maxResults: '1', pageToken: first.nextPageToken ?? '' }, path);
    expect(last.items.map(({ id }) => id)).toEqual(['team']);
    expect((await list({ syncToken: last.nextSyncToken ?? '' }, path)).items).toMatchObject([
      { id: ada.email, deleted: true },
    ]);
  });

  test('refuses tokens that are expired or come with what excludes them', async () => {
    const since = await syncToken({}, path);
    for (const excluded of [{ minAccessRole: 'owner' }, { showDeleted: 'false' }, { showHidden: 'false' }]) {
      expect(await refusal({ syncToken: since, ...excluded }, path)).toEqual([400, 'invalid']);
    }
    expect((await list({ minAccessRole: 'owner' }, path)).nextSyncToken).toBeUndefined();
    expect(await refusal({ syncToken: 'made-up' }, path)).toEqual([410, 'fullSyncRequired']);
    sandbox.expireSyncTokens();
    expect(await refusal({ syncToken: since }, path)).toEqual([410, 'fullSyncRequired']);
  });
});
