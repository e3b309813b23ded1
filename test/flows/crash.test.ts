import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { type ChildRuntime, startChildRuntime } from '../local/child-runtime.ts';
import { connect } from '../local/connect.ts';
import type { FaultEffect } from '../sandbox/faults.ts';
import type { Person, PersonInput } from '../sandbox/people.ts';
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts';
import type { CallRecord } from '../sandbox/truth-log.ts';

// Each restart starts wrangler anew, which takes its time on a machine that does much else.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });
const SOON = { timeout: 60_000, interval: 2 };

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

const PROVIDERS = ['google', 'microsoft'] as const;
const CREATE = { google: 'google.events.insert', microsoft: 'graph.events.create' };
const REFRESH = { google: 'google.token', microsoft: 'microsoft.token' };

const MEETING = {
  summary: 'Planning',
  start: '2026-11-23T09:00:00Z',
  end: '2026-11-23T10:00:00Z',
  timeZone: 'UTC',
};

const reportSchema = z.object({
  state: z.string(),
  result: z.object({ eventId: z.string() }).optional(),
});

/** One event that somebody wants once. `id` is its task's, and its `Idempotency-Key` over HTTP. */
interface Booking {
  id: string;
  person: Person;
  connectorId: string;
}

async function newBooking(
  provider: PersonInput['provider'],
  more: Partial<PersonInput> = {},
): Promise<Booking> {
  const id = randomUUID();
  const email = `person-${id}@example.com`;
  const person = sandbox.people.add({ provider, email, name: 'A Person', timeZone: 'UTC', ...more });
  return { id, person, connectorId: await connect(worker, person) };
}

/** The ways a booking is made; neither says how it ends. */
const WAYS = {
  'over HTTP': (booking: Booking) => repeat(booking),
  'through the queue': ({ id, connectorId }: Booking) =>
    worker.api('POST', '/v1/tasks', {
      tasks: [{ id, connectorId, type: 'create-event', payload: MEETING }],
    }),
};

function repeat({ id, connectorId }: Booking) {
  return worker.api('POST', `/v1/connectors/${connectorId}/events`, MEETING, { 'Idempotency-Key': id });
}

/** Where its task stands; undefined when the worker knows of none. */
async function stateOf(booking: Booking): Promise<string | undefined> {
  const told = await look(booking);
  return told.status === 404 ? undefined : reportSchema.parse(told.json).state;
}

function look({ id, connectorId }: Booking) {
  return worker.api('GET', `/v1/connectors/${connectorId}/tasks/${id}`);
}

function callsOf({ person }: Booking, operations: Record<Person['provider'], string>): CallRecord[] {
  return sandbox.truth.calls.filter(
    (call) =>
      call.operation === operations[person.provider] &&
      call.person === person.email &&
      call.grantType !== 'authorization_code',
  );
}

function hasEnded({ ms }: CallRecord): boolean {
  return ms >= 0;
}

/** How many events the provider made for a booking. */
function madeFor({ person }: Booking): number {
  return sandbox.truth.effects.filter(({ deed, person: who }) => deed === 'created' && who === person.email)
    .length;
}

/** The notice of its task, waited for. */
function noticeOf({ id }: Booking) {
  return worker.notice(({ taskId }) => taskId === id);
}

function noticesOf({ id }: Booking) {
  return worker.notices.filter(({ taskId }) => taskId === id);
}

/** One event at the provider, and one result, whoever asks for it and however often. */
async function expectOne(booking: Booking): Promise<void> {
  // The notice is told a moment before the ledger has the end.
  await expect.poll(() => stateOf(booking), SOON).toBe('done');
  const { result } = reportSchema.parse((await look(booking)).json);
  const again = await repeat(booking);
  expect(again).toMatchObject({ status: 200, json: result });
  expect(madeFor(booking)).toBe(1);
  for (const notice of noticesOf(booking)) expect(notice).toMatchObject({ type: 'task-completed', result });
}

describe('a booking whose worker is killed before the intent is stored', () => {
  it.each(PROVIDERS)('leaves no trace, and is one event when it is made again: %s', async (provider) => {
    const booking = await newBooking(provider);
    await worker.beginCall(`/v1/connectors/${booking.connectorId}/events`, MEETING, {
      'Idempotency-Key': booking.id,
    });
    await worker.kill();
    await worker.restart();
    expect(await look(booking)).toMatchObject({ status: 404 });
    expect(madeFor(booking)).toBe(0);
    expect(await repeat(booking)).toMatchObject({ status: 201 });
    await expectOne(booking);
  });
});

/** How the worker is held at a step, until it dies. */
interface Hold {
  /** The call that is under way then, and what becomes of it. */
  call: Record<Person['provider'], string>;
  effect: FaultEffect;
  /** What the provider has seen of the booking by then. */
  seen: { posts: number; events: number };
  person?: Partial<PersonInput>;
}

/** Where a booking is when the worker dies. From each on its intent is stored, and no reply has come. */
const STEPS: [string, Hold][] = [
  [
    'before the POST is sent',
    {
      call: REFRESH,
      effect: { kind: 'hang' },
      seen: { posts: 0, events: 0 },
      // Soon past its time, so that a new token is fetched before anything is sent.
      person: { accessTokenLifetimeSeconds: 1 },
    },
  ],
  [
    'after the POST was sent, before it is carried out',
    { call: CREATE, effect: { kind: 'hang' }, seen: { posts: 1, events: 0 } },
  ],
  [
    'after it was carried out, before the reply',
    { call: CREATE, effect: { kind: 'reply-held' }, seen: { posts: 1, events: 1 } },
  ],
];

describe.each(['over HTTP', 'through the queue'] as const)('a booking %s, its worker killed', (way) => {
  it.each(STEPS)('%s, is done by itself, once', async (_, { call, effect, seen, person: input }) => {
    const bookings = await Promise.all(PROVIDERS.map((provider) => newBooking(provider, input)));
    const connectedAtMs = Date.now();
    for (const { person } of bookings) {
      person.setAccessTokenLifetime(3600);
      sandbox.faults.add({ operation: call[person.provider], person: person.email, effect });
    }
    const lifetimeMs = (input?.accessTokenLifetimeSeconds ?? 0) * 1000;
    await expect.poll(() => Date.now(), SOON).toBeGreaterThan(connectedAtMs + lifetimeMs);

    const answers = bookings.map((booking) => WAYS[way](booking).catch(() => undefined));
    const heldAt = (booking: Booking) => ({
      calls: callsOf(booking, call).length,
      events: madeFor(booking),
    });
    await expect
      .poll(() => bookings.map(heldAt), SOON)
      .toEqual(bookings.map(() => ({ calls: 1, events: seen.events })));
    await worker.kill();
    await Promise.all(answers);
    for (const booking of bookings) {
      expect(callsOf(booking, CREATE)).toHaveLength(seen.posts);
      expect(noticesOf(booking)).toEqual([]);
    }

    await worker.restart();
    // Nobody asks the worker for anything: its alarms alone move it.
    await Promise.all(bookings.map(noticeOf));
    for (const booking of bookings) await expectOne(booking);
  });
});

/** How far twelve bookings have come when their worker dies, told by the calls that create. */
const MOMENTS: [string, (calls: CallRecord[]) => boolean][] = [
  ['as the first is sent', (calls) => calls.length > 0],
  ['as half of them are sent', (calls) => calls.length >= 6],
  ['as half of them are answered', (calls) => calls.filter(hasEnded).length >= 6],
  ['as the last are answered', (calls) => calls.filter(hasEnded).length >= 12],
];

/*
 * From the reply on no call is left to hold the worker by. So many bookings are under way at once, each a
 * little slower than the one before: a kill meets them in many states, and what is asked of them holds in
 * each. (Each state for sure, without processes: test/connector/crash.test.ts.)
 */
describe('twelve bookings, their worker killed', () => {
  it.each(MOMENTS)('%s, are each one event and one result', async (_, hasCome) => {
    const bookings = await Promise.all(
      Array.from({ length: 12 }, (__, index) => newBooking(index % 2 === 0 ? 'google' : 'microsoft')),
    );
    for (const [index, { person }] of bookings.entries()) {
      const effect = { kind: 'latency', ms: 30 + 4 * index } as const;
      sandbox.faults.add({ operation: CREATE[person.provider], person: person.email, effect });
    }
    const answers = bookings.map((booking) => repeat(booking).catch(() => undefined));
    await expect
      .poll(() => hasCome(bookings.flatMap((booking) => callsOf(booking, CREATE))), SOON)
      .toBe(true);
    await worker.kill();
    await Promise.all(answers);
    await worker.restart();

    const found = await Promise.all(
      bookings.map(async (booking) => ({ booking, state: await stateOf(booking) })),
    );
    // The intent was not stored: nothing is left of it, and its caller makes it again.
    for (const { booking } of found.filter(({ state }) => state === undefined)) {
      expect(madeFor(booking)).toBe(0);
      expect(await repeat(booking)).toMatchObject({ status: 201 });
    }
    // It goes on by itself, and is told. One that was done before the kill has been told too, but the local
    // queue keeps in memory what it was given: that such a notice is lost here says nothing of the worker.
    const open = found.filter(({ state }) => state !== undefined && state !== 'done');
    await Promise.all(open.map(({ booking }) => noticeOf(booking)));
    for (const booking of bookings) await expectOne(booking);
  });
});

describe('a hold over two people whose worker is killed', () => {
  it.each([
    ['before the second of them is written', { kind: 'hang' }],
    ['when the second of them is written, before the reply', { kind: 'reply-held' }],
  ] as const)('%s, goes on by itself: one entry for each', async (_, effect) => {
    const people = [await newBooking('google'), await newBooking('microsoft')];
    // Connectors are asked in the order of their ids.
    const [, second] = people.toSorted((a, b) => (a.connectorId < b.connectorId ? -1 : 1));
    if (second === undefined) throw new Error('there are two');
    const operation = CREATE[second.person.provider];
    sandbox.faults.add({ operation, person: second.person.email, effect });
    const holdId = randomUUID();
    const slots = people.map(({ connectorId }) => ({ connectorId }));
    const { summary: _summary, ...slot } = MEETING;
    const lost = worker.api('POST', '/v1/holds', { holdId, slots, ...slot }).catch(() => undefined);
    const written = effect.kind === 'hang' ? 0 : 1;
    const isThere = () => callsOf(second, CREATE).length > 0 && madeFor(second) === written;
    await expect.poll(isThere, SOON).toBe(true);
    await worker.kill();
    await lost;
    await worker.restart();
    const stateOfHold = async () =>
      z.object({ state: z.string() }).parse((await worker.api('GET', `/v1/holds/${holdId}`)).json).state;
    await expect.poll(stateOfHold, { timeout: 60_000, interval: 200 }).toBe('held');
    expect(people.map(madeFor)).toEqual([1, 1]);
    const again = await worker.api('POST', '/v1/holds', { holdId, slots, ...slot });
    expect(again).toMatchObject({ status: 200, json: { state: 'held' } });
    expect(people.map(madeFor)).toEqual([1, 1]);
  });
});

describe('a worker that is killed with four calls of an account under way', () => {
  const TIMEOUT_MS = 15_000;
  let patient: ChildRuntime;
  beforeAll(async () => {
    patient = await startChildRuntime(sandbox, { PROVIDER_TIMEOUT_MS: String(TIMEOUT_MS) });
  });
  afterAll(() => patient.close());

  it('and started again at once makes no fifth until they must have ended, and then all that is left', async () => {
    const email = `person-${randomUUID()}@example.com`;
    const person = sandbox.people.add({ provider: 'microsoft', email, name: 'A Person', timeZone: 'UTC' });
    const connectorId = await connect(patient, person);
    // The provider goes on with a dead worker's calls.
    const effect = { kind: 'latency', ms: TIMEOUT_MS - 1_000 } as const;
    const calls = () => sandbox.truth.calls.filter((call) => call.person === email && call.kind !== 'token');
    const open = () => calls().filter((call) => !hasEnded(call));
    sandbox.faults.add({ operation: 'graph.getSchedule', person: email, times: 4, effect });
    const ids = Array.from({ length: 6 }, () => randomUUID());
    const tasks = ids.map((id, day) => ({
      id,
      connectorId,
      type: 'check-availability',
      payload: {
        timeMin: `2026-11-0${day + 1}T00:00:00Z`,
        timeMax: `2026-11-0${day + 2}T00:00:00Z`,
        timeZone: 'UTC',
      },
    }));
    expect(await patient.api('POST', '/v1/tasks', { tasks })).toMatchObject({ status: 202 });
    await expect.poll(() => open().length, SOON).toBe(4);
    const seen = calls().length;
    await patient.kill();
    await patient.restart();
    await Promise.all(ids.map((id) => patient.notice(({ taskId }) => taskId === id)));
    expect(sandbox.truth.peak(email)).toBe(4);
    const [first, last] = [calls()[seen], calls()[seen - 1]].map((call) => Date.parse(call?.at ?? ''));
    expect((first ?? 0) - (last ?? 0)).toBeGreaterThanOrEqual(TIMEOUT_MS);
  });
});
