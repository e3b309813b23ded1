import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { type ChildRuntime, startChildRuntime } from '../local/child-runtime.ts';
import { connect } from '../local/connect.ts';
import type { Person, PersonInput } from '../sandbox/people.ts';
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts';

let sandbox: Sandbox;
let worker: ChildRuntime;

beforeAll(async () => {
  sandbox = await startSandbox();
  worker = await startChildRuntime(sandbox);
});
afterAll(async () => {
  await worker.close();
  await sandbox.close();
});

const PROVIDERS = [
  { provider: 'google', operation: 'google.events.insert' },
  { provider: 'microsoft', operation: 'graph.events.create' },
] as const;

const MEETING = {
  summary: 'Planning',
  start: '2026-11-23T09:00:00Z',
  end: '2026-11-23T10:00:00Z',
  timeZone: 'UTC',
};

const eventSchema = z.object({ eventId: z.string() });

async function newPerson(provider: PersonInput['provider']) {
  const email = `person-${crypto.randomUUID()}@example.com`;
  const person = sandbox.people.add({ provider, email, name: 'A Person', timeZone: 'UTC' });
  return { person, connectorId: await connect(worker, person) };
}

function createdFor(person: Person): number {
  return sandbox.truth.effects.filter(({ deed, person: who }) => deed === 'created' && who === person.email)
    .length;
}

/** Sends the same booking until it is answered with an event. */
async function book(connectorId: string, key: string): Promise<string> {
  let eventId: string | undefined;
  await expect
    .poll(
      async () => {
        const answer = await worker.api('POST', `/v1/connectors/${connectorId}/events`, MEETING, {
          'Idempotency-Key': key,
        });
        eventId = eventSchema.safeParse(answer.json).data?.eventId;
        return answer.status;
      },
      { timeout: 30_000 },
    )
    .toSatisfy((status) => status === 200 || status === 201);
  return eventId ?? '';
}

/** Resolves when the provider's log has a call of this operation, ended or not. */
async function seen(operation: string, person: Person, isEnough: (call: { ms: number }) => boolean) {
  await expect
    .poll(
      () =>
        sandbox.truth.calls.some(
          (call) => call.operation === operation && call.person === person.email && isEnough(call),
        ),
      { timeout: 15_000, interval: 2 },
    )
    .toBe(true);
}

describe.each(PROVIDERS)('a booking at $provider, killed', ({ provider, operation }) => {
  it.each([
    ['after the POST was sent, before it was carried out', { kind: 'hang' }, () => true],
    [
      'after it was carried out, before the reply',
      { kind: 'reply-lost' },
      ({ ms }: { ms: number }) => ms >= 0,
    ],
    ['as the reply arrives', { kind: 'latency', ms: 50 }, ({ ms }: { ms: number }) => ms >= 0],
  ] as const)('%s, is one event after the restart', async (_, effect, isEnough) => {
    const { person, connectorId } = await newPerson(provider);
    const key = crypto.randomUUID();
    sandbox.faults.add({ operation, person: person.email, effect });
    const lost = worker
      .api('POST', `/v1/connectors/${connectorId}/events`, MEETING, { 'Idempotency-Key': key })
      .catch(() => undefined);
    await seen(operation, person, isEnough);
    await worker.kill();
    await lost;
    await worker.restart();
    const eventId = await book(connectorId, key);
    expect(await book(connectorId, key)).toBe(eventId);
    expect(createdFor(person)).toBe(1);
  });

  it('after it was answered, is the same event', async () => {
    const { person, connectorId } = await newPerson(provider);
    const key = crypto.randomUUID();
    const eventId = await book(connectorId, key);
    await worker.kill();
    await worker.restart();
    expect(await book(connectorId, key)).toBe(eventId);
    expect(createdFor(person)).toBe(1);
  });
});
