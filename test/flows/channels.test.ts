import { describe, expect, it } from 'vitest';
import { connect } from '../local/connect.ts';
import { REACHABLE } from '../local/runtime.ts';
import type { Person, PersonInput } from '../sandbox/people.ts';
import { hourOn, sync } from './mirrored.ts';
import { openStage } from './stage.ts';

const stage = openStage({ PUBLIC_BASE_URL: REACHABLE });
const SOON = { timeout: 15_000, interval: 50 };

/** Lets pass what a duty of a connector waits for: it is due now, and found as after a long sleep. */
async function makeDue(connectorId: string, duty: 'sync' | 'channels'): Promise<void> {
  const { worker } = stage.runtime;
  const storage = await worker.getDurableObjectStorage('CONNECTOR', { name: connectorId });
  await worker.evictDurableObject('CONNECTOR', { name: connectorId });
  if (duty === 'channels') await storage.exec('UPDATE channel SET due_at = 0');
  await storage.exec(`UPDATE duty SET due_at = 0 WHERE name = '${duty}'`);
  // The cron sweep looks whether an alarm stands for what is due.
  await worker.scheduled({ cron: '*/15 * * * *' });
}

/** A person whose calendar is mirrored, and told of through a channel. */
async function withChannel(input: Partial<PersonInput>) {
  const person = stage.person(input);
  person.addEvent('primary', { summary: 'First', ...hourOn(1, 9) });
  const connectorId = await connect(stage.runtime, person);
  await sync(stage, connectorId);
  await expect.poll(() => living(person), SOON).toBe(1);
  return { person, connectorId };
}

const callsOf = ({ email }: Person, operation: string) =>
  stage.sandbox.truth.calls.filter((call) => call.person === email && call.operation === operation);
const answered = (person: Person, operation: string, status: number) =>
  callsOf(person, operation).filter((call) => call.status === status).length;

/** How many channels or subscriptions the provider has open. */
const living = (person: Person) =>
  person.provider === 'google'
    ? stage.sandbox.channels(person).length
    : answered(person, 'graph.subscriptions.create', 201) -
      answered(person, 'graph.subscriptions.delete', 204);

const noticesOf = (connectorId: string) =>
  stage.runtime.notices.filter(
    (notice) => notice.connectorId === connectorId && notice.type === 'calendar-changed',
  );

describe('a channel of Google', () => {
  it('overlaps with the one after it: both tell, once is read, and the old one is stopped in the end', async () => {
    const { person, connectorId } = await withChannel({ provider: 'google' });
    const [old] = stage.sandbox.channels(person);
    stage.sandbox.faults.add({
      person: person.email,
      operation: 'google.channels.stop',
      times: Infinity,
      effect: { kind: 'status', status: 503 },
    });
    await makeDue(connectorId, 'channels');
    await expect.poll(() => living(person), SOON).toBe(2);
    await stage.sandbox.pushes.settle();

    const told = stage.sandbox.truth.pushes.length;
    const reads = callsOf(person, 'google.events.list').length;
    person.addEvent('primary', { summary: 'Second', ...hourOn(2, 9) });
    await expect.poll(() => noticesOf(connectorId).length, SOON).toBe(1);
    await stage.sandbox.pushes.settle();
    const pushes = stage.sandbox.truth.pushes.slice(told).filter((push) => push.person === person.email);
    expect(new Set(pushes.map(({ watchId }) => watchId)).size).toBe(2);
    expect(pushes.every((push) => 'status' in push && push.status < 300)).toBe(true);
    expect(callsOf(person, 'google.events.list').length - reads).toBe(1);

    stage.sandbox.faults.clear();
    await makeDue(connectorId, 'channels');
    await expect.poll(() => living(person), SOON).toBe(1);
    expect(stage.sandbox.channels(person).map(({ id }) => id)).not.toContain(old?.id);
    // The one that stands tells of what follows.
    person.addEvent('primary', { summary: 'Third', ...hourOn(3, 9) });
    await expect.poll(() => noticesOf(connectorId).length, SOON).toBe(2);
  });
});

describe('a subscription at Microsoft that falls silent', () => {
  it('is noticed by the poll, told, and replaced', async () => {
    const { person, connectorId } = await withChannel({ provider: 'microsoft' });
    await stage.sandbox.pushes.settle();
    stage.sandbox.silence(person);
    person.addEvent('primary', { summary: 'Unheard', ...hourOn(2, 9) });
    await stage.sandbox.pushes.settle();
    expect(noticesOf(connectorId)).toEqual([]);
    await makeDue(connectorId, 'sync');
    await expect.poll(() => noticesOf(connectorId).length, SOON).toBe(1);
    expect(noticesOf(connectorId)).toMatchObject([{ result: { changed: 1, removed: 0 } }]);
    expect(callsOf(person, 'graph.subscriptions.create')).toHaveLength(1);

    // It has been given three minutes to say what it had to.
    await makeDue(connectorId, 'channels');
    await expect.poll(() => answered(person, 'graph.subscriptions.create', 201), SOON).toBe(2);
    await expect.poll(() => living(person), SOON).toBe(1);
    stage.sandbox.silence(person, false);
    person.addEvent('primary', { summary: 'Heard', ...hourOn(3, 9) });
    await expect.poll(() => noticesOf(connectorId).length, SOON).toBe(2);
  });
});
