import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Person } from './people.ts';
import { startSandbox } from './sandbox.ts';
import type { Sandbox } from './sandbox.ts';

let sandbox: Sandbox;
let ada: Person;

beforeEach(async () => {
  sandbox = await startSandbox();
  ada = sandbox.people.add({
    provider: 'google',
    email: 'ada@example.com',
    name: 'Ada',
    timeZone: 'Europe/Berlin',
  });
});
afterEach(async () => {
  await sandbox.close();
});

async function lever(method: string, path: string, body?: unknown): Promise<unknown> {
  const reply = await fetch(`${sandbox.googleUrl}/sandbox/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer: unknown = await reply.json();
  return reply.ok ? answer : [reply.status, answer];
}
const deed = async (what: string, more: object = {}): Promise<unknown> =>
  await lever('POST', 'deeds', { do: what, person: ada.email, ...more });

test('a person’s events and series can be added, changed and deleted', async () => {
  const event = { id: 'series', summary: 'Review', start: '2026-11-24T10:00', end: '2026-11-24T11:00' };
  const person = ada.email;
  await lever('POST', 'events', { person, event: { ...event, repeats: { frequency: 'daily', times: 3 } } });
  const id = 'series_20261125T090000Z';
  const changed = await lever('PATCH', 'events', { person, id, changes: { summary: 'Moved' } });
  expect(changed).toMatchObject({ id, summary: 'Moved', occurrence: { masterId: 'series' } });
  expect(await lever('DELETE', 'events', { person, id: 'series' })).toMatchObject({ status: 'cancelled' });
  expect(await lever('DELETE', 'events', { person, id: 'none' })).toMatchObject([400, {}]);
});

test('a person’s calendar list can be changed', async () => {
  await deed('add-calendar', { calendar: { id: 'travel', name: 'Travel', selected: false } });
  await deed('change-calendar', { calendar: 'travel', changes: { hidden: true, accessRole: 'reader' } });
  expect(ada.calendar('travel')).toMatchObject({ selected: false, hidden: true, accessRole: 'reader' });
  await deed('remove-calendar', { calendar: 'travel' });
  expect(ada.calendar('travel')).toBeUndefined();
});

test('notifications can be lost, delayed and silenced, and tokens expired', async () => {
  expect(await lever('POST', 'pushes', { lose: 0.3, duplicate: 0.1, delayMs: 5 })).toMatchObject({
    lose: 0.3,
    retries: 3,
  });
  expect(await lever('GET', 'pushes')).toMatchObject({ duplicate: 0.1, delayMs: 5, inFlight: 0 });
  expect(await lever('POST', 'pushes', { lose: 2 })).toMatchObject([400, {}]);
  await deed('silence');
  const push = { provider: 'google', watchId: 'w', kind: 'exists', url: '', headers: {}, body: '' } as const;
  sandbox.pushes.send({ ...push, person: ada.email });
  await deed('silence', { silent: false });
  expect(await lever('GET', 'truth')).toMatchObject({ pushes: [{ person: ada.email, lost: 'silence' }] });
  const { calendar } = ada.calendar('primary') ?? {};
  const before = calendar?.oldestRevision ?? 0;
  await deed('expire-sync-tokens');
  expect(calendar?.oldestRevision).toBeGreaterThan(before);
});
