import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Calendar } from '../calendar-store.ts';
import { connectGoogle } from '../client-journey.ts';
import { dice } from '../dice.ts';
import { eventById } from '../occurrences.ts';
import type { Person } from '../people.ts';
import { startSandbox } from '../sandbox.ts';
import type { Sandbox } from '../sandbox.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');
const WINDOW = { timeMin: '2026-11-20T00:00:00Z', timeMax: '2027-05-01T00:00:00Z' };
let sandbox: Sandbox;
let ada: Person;
let calendar: Calendar;
let token: string;

beforeEach(async () => {
  sandbox = await startSandbox({ now: () => NOW });
  sandbox.limits.googlePerUserPerMinute = 100_000;
  ada = sandbox.people.add({
    provider: 'google',
    email: 'ada@example.com',
    name: 'Ada',
    timeZone: 'Europe/Berlin',
  });
  const primary = ada.calendar('primary');
  if (primary === undefined) throw new Error('no primary calendar');
  ({ calendar } = primary);
  const scope = 'openid https://www.googleapis.com/auth/calendar.events.readonly';
  token = (await connectGoogle(sandbox, ada.email, { scope })).access_token;
});
afterEach(async () => {
  await sandbox.close();
});

const Item = z.looseObject({
  id: z.string(),
  status: z.string(),
  recurringEventId: z.string().optional(),
});
const Page = z.looseObject({
  items: z.array(Item),
  nextPageToken: z.string().optional(),
  nextSyncToken: z.string().optional(),
});
type Item = z.infer<typeof Item>;

/** Reads into `replica`, page by page with `meanwhile` between them, until there is a sync token. */
async function follow(
  replica: Map<string, Item>,
  parameters: Record<string, string>,
  meanwhile: () => void = () => undefined,
): Promise<string> {
  let pageToken: string | undefined;
  for (;;) {
    const query = new URLSearchParams({ ...parameters, ...(pageToken === undefined ? {} : { pageToken }) });
    const reply = await fetch(
      `${sandbox.googleUrl}/calendar/v3/calendars/primary/events?${query.toString()}`,
      { headers: { authorization: `Bearer ${token}` } },
    );
    const page = Page.parse(await reply.json());
    for (const item of page.items) {
      // Who works out the occurrences of a series has to remember which are cancelled.
      const isHole = item.recurringEventId !== undefined && parameters['singleEvents'] === 'false';
      if (item.status === 'cancelled' && !isHole) replica.delete(item.id);
      else replica.set(item.id, item);
    }
    pageToken = page.nextPageToken;
    if (pageToken === undefined) return page.nextSyncToken ?? '';
    meanwhile();
  }
}

/** What `replica` says otherwise than the calendar: `full` is a full sync, `all` one without a window. */
function differences(replica: Map<string, Item>, full: Map<string, Item>, all: Map<string, Item>): string[] {
  const missing = [...full.keys()].filter((id) => !replica.has(id)).map((id) => `${id} is missing`);
  const wrong = [...replica.values()].filter((item) => {
    const is = eventById(calendar, item.id);
    if (item.status === 'cancelled') return is !== undefined && is.status !== 'cancelled';
    // An occurrence that is there again is told for itself, though a full sync leaves it to its series.
    const isOfSeries =
      item.recurringEventId !== undefined && is !== undefined && !calendar.events.has(item.id);
    const known = all.get(item.id);
    if (known === undefined)
      return !isOfSeries || is.summary !== (item['summary'] ?? '') || is.status === 'cancelled';
    return JSON.stringify(item) !== JSON.stringify(known);
  });
  return [...missing, ...wrong.map((item) => `${JSON.stringify(item)} is wrong`)];
}

describe('a client that follows', () => {
  test.each([
    ['masters and exceptions', { singleEvents: 'false' }, {}, 1],
    ['masters and exceptions', { singleEvents: 'false' }, {}, 2],
    ['occurrences in a window', { singleEvents: 'true' }, WINDOW, 3],
    ['occurrences in a window', { singleEvents: 'true' }, WINDOW, 4],
    ['masters and exceptions in a window', { singleEvents: 'false' }, WINDOW, 5],
  ])('%s has what a full sync has, whatever happens while it reads', async (_what, same, window, seed) => {
    const chance = dice(seed);
    sandbox.churn(ada, { seed, edits: 60 });
    const replica = new Map<string, Item>();
    const meanwhile = (): void => {
      if (chance.roll() < 0.4) sandbox.churn(ada, { edits: 1 });
    };
    const parameters = { ...same, maxResults: '7' };
    let since = await follow(replica, { ...parameters, ...window }, meanwhile);
    for (let round = 0; round < 12; round += 1) {
      sandbox.churn(ada, { edits: 8 });
      since = await follow(replica, { ...parameters, syncToken: since }, meanwhile);
    }
    await follow(replica, { ...parameters, syncToken: since });
    const [full, all] = [new Map<string, Item>(), new Map<string, Item>()];
    await follow(full, { ...same, ...window, maxResults: '2500' });
    await follow(all, { ...same, maxResults: '2500' });
    expect(full.size).toBeGreaterThan(10);
    expect(differences(replica, full, all)).toEqual([]);
  });
});
