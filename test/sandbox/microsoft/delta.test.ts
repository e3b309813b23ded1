import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectMicrosoft } from '../client-journey.ts';
import type { Person } from '../people.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const WORK = 'grace@contoso.example';
const NOW_MS = Date.parse('2026-10-15T12:00:00Z');
const AUTUMN = 'startDateTime=2026-10-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z';
const START = `/me/calendarView/delta?${AUTUMN}`;
const STARTS = ['2026-10-20T07:00', '2026-10-27T08:00', '2026-11-03T08:00'];
const IMMUTABLE = 'IdType="ImmutableId"';
let sandbox: Sandbox;
let grace: Person;
let token: string;

beforeEach(async () => {
  sandbox = await startSandbox({ now: () => NOW_MS });
  Object.assign(sandbox.deltaHabits, { twice: 0, strangers: 0 });
  const calendars = [{ name: 'Calendar', primary: true }, { name: 'Lectures' }];
  grace = sandbox.people.add({
    provider: 'microsoft',
    email: WORK,
    name: 'Grace',
    timeZone: 'Europe/Berlin',
    calendars,
  });
  token = (await connectMicrosoft(sandbox, WORK)).access_token;
});
afterEach(async () => {
  await sandbox.close();
});

const Item = z.looseObject({
  id: z.string(),
  type: z.string().optional(),
  subject: z.string().optional(),
  start: z.object({ dateTime: z.string() }).optional(),
  '@removed': z.object({ reason: z.string() }).optional(),
});
type Item = z.infer<typeof Item>;
const Page = z.object({
  value: z.array(Item),
  '@odata.nextLink': z.string().optional(),
  '@odata.deltaLink': z.string().optional(),
});
const Failure = z.object({ error: z.object({ code: z.string() }) });

async function graph(
  method: string,
  path: string,
  { body, prefer }: { body?: unknown; prefer?: string } = {},
): Promise<Response> {
  return await fetch(path.startsWith('http') ? path : `${sandbox.microsoftUrl}/v1.0${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(prefer === undefined ? {} : { prefer }),
    },
  });
}
async function code(reply: Response): Promise<[number, string]> {
  return [reply.status, Failure.parse(await reply.json()).error.code];
}
const page = async (path: string, prefer?: string): Promise<z.infer<typeof Page>> =>
  Page.parse(await (await graph('GET', path, prefer === undefined ? {} : { prefer })).json());

/** All pages of a round. */
async function round(
  from: string,
  prefer?: string,
): Promise<{ items: Item[]; sizes: number[]; deltaLink: string }> {
  const items: Item[] = [];
  const sizes: number[] = [];
  let next: string | undefined = from;
  let deltaLink: string | undefined;
  while (next !== undefined) {
    const one: z.infer<typeof Page> = await page(next, prefer);
    items.push(...one.value);
    sizes.push(one.value.length);
    next = one['@odata.nextLink'];
    deltaLink = one['@odata.deltaLink'];
  }
  return { items, sizes, deltaLink: deltaLink ?? '' };
}

/** Items in few words: what they are and when, or that they are removed. */
const brief = (items: readonly Item[]): string[] =>
  items.map((item) =>
    item['@removed'] === undefined
      ? `${item.type ?? '?'} ${item.start?.dateTime.slice(0, 16) ?? '?'}`
      : `removed ${item['@removed'].reason}`,
  );
const idsOf = (items: readonly Item[]): string[] => items.map(({ id }) => id);
const at = (dateTime: string): object => ({ dateTime, timeZone: 'W. Europe Standard Time' });
const WEEKLY = {
  pattern: { type: 'weekly', interval: 1, daysOfWeek: ['tuesday'] },
  range: { type: 'numbered', startDate: '2026-10-20', numberOfOccurrences: 3 },
};
async function create(changes: object = {}): Promise<string> {
  const body = {
    subject: 'Stand-up',
    start: at('2026-10-20T09:00:00'),
    end: at('2026-10-20T09:30:00'),
    ...changes,
  };
  return Item.parse(await (await graph('POST', '/me/events', { body })).json()).id;
}
const series = async (): Promise<string> => await create({ recurrence: WEEKLY });
function addSingles(count: number): void {
  for (let hour = 0; hour < count; hour += 1) {
    const start = `2026-11-10T${String(hour).padStart(2, '0')}`;
    grace.addEvent('primary', { summary: `e${String(hour)}`, start: `${start}:00Z`, end: `${start}:30Z` });
  }
}

describe('a first round', () => {
  test('tells single events and exceptions whole, and plain occurrences bare after their whole master', async () => {
    const master = await series();
    grace.addEvent('primary', { summary: 'Once', start: '2026-11-20T10:00Z', end: '2026-11-20T11:00Z' });
    grace.addEvent('primary', { summary: 'Never', start: '2026-12-20T10:00Z', end: '2026-12-20T11:00Z' });
    const before = await round(START);
    const moved = before.items[2]?.id ?? '';
    await graph('PATCH', `/me/events/${moved}`, { body: { subject: 'Moved' } });

    const { items, deltaLink } = await round(START);
    expect(brief(items)).toEqual([
      `seriesMaster ${STARTS[0] ?? ''}`,
      `occurrence ${STARTS[0] ?? ''}`,
      `exception ${STARTS[1] ?? ''}`,
      `occurrence ${STARTS[2] ?? ''}`,
      'singleInstance 2026-11-20T10:00',
    ]);
    expect(Object.keys(items[1] ?? {}).toSorted()).toEqual(
      ['@odata.etag', '@odata.type', 'end', 'id', 'seriesMasterId', 'start', 'type'].toSorted(),
    );
    expect(items[0]).toMatchObject({ id: master, subject: 'Stand-up', recurrence: WEEKLY });
    expect(items[1]).toMatchObject({ seriesMasterId: master });
    expect(items[2]).toMatchObject({ id: moved, subject: 'Moved', seriesMasterId: master });
    expect(deltaLink).toMatch(
      /^http:\/\/127\.0\.0\.1:\d+\/v1\.0\/me\/calendarView\/delta\?\$deltatoken=\S+$/,
    );
    expect(await round(deltaLink)).toMatchObject({ items: [], sizes: [0] });
  });

  test('comes in pages as large as preferred, of ten without a preference', async () => {
    addSingles(23);
    expect((await round(START)).sizes).toEqual([10, 10, 3]);
    const small = await round(START, 'odata.maxpagesize=7');
    expect(small.sizes).toEqual([7, 7, 7, 2]);
    expect(new Set(idsOf(small.items)).size).toBe(23);
    const next = (await page(START))['@odata.nextLink'] ?? '';
    expect(new URL(next).searchParams.get('$skiptoken')).toBeTruthy();
    expect(await page(next)).toEqual(await page(next));
  });

  test('needs a window and takes no query options', async () => {
    expect(await code(await graph('GET', '/me/calendarView/delta'))).toEqual([400, 'ErrorInvalidParameter']);
    for (const option of ['$select=id', '$filter=a', '$expand=a', '$orderby=a', '$search=a', '$top=5']) {
      const reply = await graph('GET', `${START}&${option}`);
      expect(await code(reply), option).toEqual([400, 'ErrorInvalidUrlQuery']);
    }
    const { deltaLink } = await round(START);
    expect(await code(await graph('GET', `${deltaLink}&${AUTUMN}`))).toEqual([400, 'ErrorInvalidUrlQuery']);
    expect(await code(await graph('GET', '/me/calendarView/delta?$deltatoken=nonsense'))).toEqual([
      400,
      'ErrorInvalidUrlQuery',
    ]);
  });

  test('is of one calendar, whose links work for no other', async () => {
    const other = grace.calendars[1]?.id ?? '';
    grace.addEvent(other, { summary: 'Lecture', start: '2026-11-20T10:00Z', end: '2026-11-20T11:00Z' });
    const path = `/me/calendars/${encodeURIComponent(other)}/calendarView/delta`;
    const { items, deltaLink } = await round(`${path}?${AUTUMN}`);
    expect(items).toMatchObject([{ subject: 'Lecture' }]);
    expect((await round(START)).items).toEqual([]);
    const misplaced = `/me/calendarView/delta${new URL(deltaLink).search}`;
    expect(await code(await graph('GET', misplaced))).toEqual([400, 'ErrorInvalidUrlQuery']);
    expect(await round(deltaLink)).toMatchObject({ items: [] });
  });

  test('tells ids of the kind that is preferred, with the same link', async () => {
    await series();
    const { items, deltaLink } = await round(START, IMMUTABLE);
    const [master, first] = items;
    expect(first?.['seriesMasterId']).toBe(master?.id);
    const usual = (await round(START)).items;
    expect(usual[0]?.id).not.toBe(master?.id);
    expect((await graph('DELETE', `/me/events/${first?.id ?? ''}`)).status).toBe(204);
    expect(idsOf((await round(deltaLink, IMMUTABLE)).items)).toEqual([first?.id]);
    expect(idsOf((await round(deltaLink)).items)).toEqual([usual[1]?.id]);
  });
});

describe('a following round', () => {
  test('tells what is new, changed, deleted or out of the window, as often as its link is asked', async () => {
    const [kept, changed, deleted, left] = [
      await create({ subject: 'kept' }),
      await create({ subject: 'changed' }),
      await create({ subject: 'deleted' }),
      await create({ subject: 'left' }),
    ];
    const { deltaLink } = await round(START);
    await graph('PATCH', `/me/events/${changed}`, { body: { subject: 'other' } });
    await graph('DELETE', `/me/events/${deleted}`);
    await graph('PATCH', `/me/events/${left}`, {
      body: { start: at('2027-01-10T09:00:00'), end: at('2027-01-10T10:00:00') },
    });
    const created = await create({ subject: 'new' });
    const after = await round(deltaLink);
    const removed = after.items.filter((item) => item['@removed'] !== undefined);
    expect(new Set(idsOf(removed))).toEqual(new Set([deleted, left]));
    expect(Object.keys(removed[0] ?? {}).toSorted()).toEqual(['@odata.type', '@removed', 'id']);
    const told = after.items.filter((item) => item['@removed'] === undefined);
    expect(new Set(idsOf(told))).toEqual(new Set([changed, created]));
    expect(idsOf(after.items)).not.toContain(kept);
    expect((await round(deltaLink)).items).toEqual(after.items);
    expect((await round(after.deltaLink)).items).toEqual([]);
  });

  test('tells what changed between two pages of the round before', async () => {
    addSingles(4);
    const first = await page(START, 'odata.maxpagesize=2');
    const [gone] = first.value;
    await graph('DELETE', `/me/events/${gone?.id ?? ''}`);
    const late = await create({ start: at('2026-10-02T09:00:00'), end: at('2026-10-02T10:00:00') });
    const rest = await round(first['@odata.nextLink'] ?? '', 'odata.maxpagesize=2');
    expect(rest.items).toHaveLength(2);
    const next = await round(rest.deltaLink);
    expect(idsOf(next.items)).toEqual([late, gone?.id]);
  });

  test('tells a changed series anew, and the ids of its occurrences that are no more', async () => {
    const master = await series();
    const before = await round(START);
    const range = { ...WEEKLY.range, numberOfOccurrences: 2 };
    await graph('PATCH', `/me/events/${master}`, { body: { recurrence: { ...WEEKLY, range } } });
    const { items } = await round(before.deltaLink);
    expect(brief(items)).toEqual([
      `seriesMaster ${STARTS[0] ?? ''}`,
      `occurrence ${STARTS[0] ?? ''}`,
      `occurrence ${STARTS[1] ?? ''}`,
      'removed deleted',
    ]);
    expect(items[3]?.id).toBe(before.items[3]?.id);
  });

  test('tells a deleted series by its master alone', async () => {
    const master = await series();
    const moved = (await round(START)).items[2]?.id ?? '';
    await graph('PATCH', `/me/events/${moved}`, { body: { subject: 'Moved' } });
    const { deltaLink } = await round(START);
    await graph('DELETE', `/me/events/${master}`);
    expect((await round(deltaLink)).items).toEqual([
      { '@odata.type': '#microsoft.graph.event', id: master, '@removed': { reason: 'deleted' } },
    ]);
  });

  test('tells one changed or cancelled occurrence alone', async () => {
    await series();
    const { items, deltaLink } = await round(START);
    const [, , second, third] = idsOf(items);
    await graph('PATCH', `/me/events/${second ?? ''}`, { body: { subject: 'Special' } });
    await graph('DELETE', `/me/events/${third ?? ''}`);
    const after = await round(deltaLink);
    expect(idsOf(after.items)).toEqual([second, third]);
    expect(brief(after.items)).toEqual([`exception ${STARTS[1] ?? ''}`, 'removed deleted']);
    expect(after.items[0]).toMatchObject({ subject: 'Special' });
  });

  test('is told within a batch too', async () => {
    const { deltaLink } = await round(START);
    const id = await create();
    const url = deltaLink.slice(`${sandbox.microsoftUrl}/v1.0`.length);
    const reply = await graph('POST', '/$batch', { body: { requests: [{ id: '1', method: 'GET', url }] } });
    const Batch = z.object({ responses: z.array(z.object({ status: z.number(), body: Page })) });
    const [response] = Batch.parse(await reply.json()).responses;
    expect(response?.status).toBe(200);
    expect(idsOf(response?.body.value ?? [])).toEqual([id]);
    expect((await round(response?.body['@odata.deltaLink'] ?? '')).items).toEqual([]);
    expect(sandbox.truth.count({ operation: 'graph.calendarView.delta' })).toBe(3);
  });
});

describe('where the documentation leaves it open', () => {
  test('a series may be told anew for any change, on one page, without the ids of what is no more', async () => {
    sandbox.deltaHabits.goneOccurrences = 'untold';
    await series();
    const { items, deltaLink, sizes } = await round(START, 'odata.maxpagesize=2');
    expect(sizes).toEqual([4]);
    await graph('DELETE', `/me/events/${items[2]?.id ?? ''}`);
    const after = await round(deltaLink, 'odata.maxpagesize=2');
    expect(after.sizes).toEqual([3]);
    expect(brief(after.items)).toEqual([
      `seriesMaster ${STARTS[0] ?? ''}`,
      `occurrence ${STARTS[0] ?? ''}`,
      `occurrence ${STARTS[2] ?? ''}`,
    ]);
    await graph('DELETE', `/me/events/${items[0]?.id ?? ''}`);
    expect(brief((await round(after.deltaLink)).items)).toEqual(['removed deleted']);
  });

  test('a series that has become a single event leaves none of its occurrences untold', async () => {
    sandbox.deltaHabits.goneOccurrences = 'untold';
    const master = await series();
    const { deltaLink } = await round(START);
    await graph('PATCH', `/me/events/${master}`, { body: { recurrence: null } });
    expect(brief((await round(deltaLink)).items)).toEqual([
      `singleInstance ${STARTS[0] ?? ''}`,
      ...Array.from({ length: 3 }, () => 'removed deleted'),
    ]);
  });

  test('an item may be told twice, and one that never was in the window as removed', async () => {
    addSingles(2);
    Object.assign(sandbox.deltaHabits, { twice: 1, strangers: 1 });
    const { items, deltaLink } = await round(START, 'odata.maxpagesize=3');
    expect(items).toHaveLength(4);
    expect(new Set(idsOf(items)).size).toBe(2);
    const outside = await create({ start: at('2027-01-10T09:00:00'), end: at('2027-01-10T10:00:00') });
    const [first] = (await round(deltaLink)).items;
    expect(first).toMatchObject({ id: outside, '@removed': { reason: 'deleted' } });
  });
});

describe('a mirror that follows the links', () => {
  const View = z.object({ value: z.array(Item) });
  const timesOf = (items: Iterable<Item>): string[] =>
    [...items].map(({ id, start }) => `${id} ${start?.dateTime ?? ''}`).toSorted();

  test.each(['told', 'untold'] as const)(
    'holds what the calendar holds, gone occurrences %s',
    async (goneOccurrences) => {
      Object.assign(sandbox.deltaHabits, { twice: 0.3, strangers: 0.5, goneOccurrences });
      const mirror = new Map<string, Item>();
      const forget = (masterId: string, kept: readonly Item[]): void => {
        for (const { id, seriesMasterId } of mirror.values()) {
          if (seriesMasterId === masterId && !kept.some((one) => one.id === id)) mirror.delete(id);
        }
      };
      const apply = (items: readonly Item[]): void => {
        for (const item of items) {
          const isRemoved = item['@removed'] !== undefined;
          if (isRemoved) mirror.delete(item.id);
          else mirror.set(item.id, item);
          const isWhole = goneOccurrences === 'untold' && item.type === 'seriesMaster';
          if (isRemoved || isWhole) forget(item.id, isWhole ? items : []);
        }
      };
      const reach = (days: number): string => new Date(NOW_MS + days * 86_400_000).toISOString();
      const window = `startDateTime=${reach(-20)}&endDateTime=${reach(40)}`;
      let next = `/me/calendarView/delta?${window}`;
      let compared = 0;
      for (let step = 0; step < 40; step += 1) {
        sandbox.churn(grace, { edits: 4 });
        let isLast = false;
        while (!isLast) {
          const one = await page(next, 'odata.maxpagesize=2');
          apply(one.value);
          isLast = one['@odata.deltaLink'] !== undefined;
          next = one['@odata.deltaLink'] ?? one['@odata.nextLink'] ?? '';
          if (!isLast) sandbox.churn(grace, { edits: 1 });
        }
        // What changed between those pages comes with a round of its own.
        const rest = await round(next, 'odata.maxpagesize=1000');
        apply(rest.items);
        next = rest.deltaLink;
        const all = await graph('GET', `/me/calendarView?${window}&$top=1000`);
        const { value } = View.parse(await all.json());
        const held = [...mirror.values()].filter(({ type }) => type !== 'seriesMaster');
        expect(timesOf(held)).toEqual(timesOf(value));
        compared += value.length;
      }
      expect(compared).toBeGreaterThan(300);
    },
  );
});

describe('a link that has expired', () => {
  test('is 410 with the address to begin anew at', async () => {
    addSingles(12);
    const started = await page(START);
    const { deltaLink } = await round(START);
    sandbox.expireDeltaLinks(grace);
    expect((await graph('GET', started['@odata.nextLink'] ?? '')).status).toBe(410);
    const reply = await graph('GET', deltaLink);
    expect(await code(reply)).toEqual([410, 'resyncRequired']);
    const fresh = await round(reply.headers.get('location') ?? '');
    expect(fresh.items).toHaveLength(12);
    expect((await round(fresh.deltaLink)).items).toEqual([]);
    expect(sandbox.truth.verdict().ok).toBe(true);
  });

  test.each([410, 404, 400] as const)('or %i syncStateNotFound', async (status) => {
    const { deltaLink } = await round(START);
    sandbox.expireDeltaLinks(undefined, { status, code: 'syncStateNotFound' });
    expect(await code(await graph('GET', deltaLink))).toEqual([status, 'syncStateNotFound']);
  });

  test('is told over HTTP to expire, for one person alone', async () => {
    const { deltaLink } = await round(START);
    const deed = async (body: object): Promise<number> =>
      (await fetch(`${sandbox.microsoftUrl}/sandbox/deeds`, { method: 'POST', body: JSON.stringify(body) }))
        .status;
    sandbox.people.add({ provider: 'microsoft', email: 'ada@contoso.example', name: 'Ada', timeZone: 'UTC' });
    expect(await deed({ do: 'expire-delta-links', person: 'ada@contoso.example' })).toBe(200);
    expect((await graph('GET', deltaLink)).status).toBe(200);
    expect(await deed({ do: 'expire-delta-links', person: WORK, status: 404 })).toBe(200);
    expect(await code(await graph('GET', deltaLink))).toEqual([404, 'syncStateNotFound']);
  });

  test('is every link of who has to read everything again', async () => {
    const { deltaLink } = await round(START);
    sandbox.expireSyncTokens(WORK);
    expect(await code(await graph('GET', deltaLink))).toEqual([410, 'resyncRequired']);
  });
});

describe('a delta', () => {
  test('that comes out hollow costs nothing: the next tells what it kept quiet about', async () => {
    addSingles(3);
    const hollow = (): void => {
      sandbox.faults.add({ operation: 'graph.calendarView.delta', effect: { kind: 'hollow' } });
    };
    hollow();
    const first = await round(START);
    expect(first.items).toEqual([]);
    const started = await page(first.deltaLink, 'odata.maxpagesize=2');
    expect(started.value).toHaveLength(2);
    hollow();
    const rest = await round(started['@odata.nextLink'] ?? '', 'odata.maxpagesize=2');
    expect(rest.sizes).toEqual([0, 1]);
    const id = await create();
    hollow();
    const { items, deltaLink } = await round(rest.deltaLink);
    expect(items).toEqual([]);
    expect(idsOf((await round(deltaLink)).items)).toEqual([id]);
  });

  test('has habits that can be set over HTTP', async () => {
    const body = JSON.stringify({ deltas: { goneOccurrences: 'untold', twice: 0.5 } });
    const reply = await fetch(`${sandbox.microsoftUrl}/sandbox/graph`, { method: 'POST', body });
    expect(await reply.json()).toMatchObject({ deltas: { goneOccurrences: 'untold', strangers: 0 } });
    expect(sandbox.deltaHabits).toEqual({ goneOccurrences: 'untold', twice: 0.5, strangers: 0 });
  });

  test('may meet faults as any call', async () => {
    sandbox.faults.add({ operation: 'graph.calendarView.delta', effect: { kind: 'status', status: 503 } });
    expect((await graph('GET', START)).status).toBe(503);
    expect((await graph('GET', START)).status).toBe(200);
  });
});
