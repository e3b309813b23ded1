import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { readOpenMetrics } from '../http/read-open-metrics.ts';
import { connect } from '../local/connect.ts';
import type { Person } from '../sandbox/people.ts';
import type { CallRecord } from '../sandbox/truth-log.ts';
import { ACCOUNTS, openStage, type Stage } from './stage.ts';

const CREATE = { google: 'google.events.insert', microsoft: 'graph.events.create' };
const ENDED = { timeout: 25_000, interval: 50 };
/** A retry that is not paid for from the budget waits for up to a minute. */
const ENDED_LATE = { ...ENDED, timeout: 90_000 };

/** The `n`th meeting of a day, twenty minutes long. */
function meeting(n: number) {
  const at = (minutes: number) => new Date(Date.UTC(2026, 10, 23, 8, minutes)).toISOString().slice(0, 19);
  return { summary: `Meeting ${n}`, start: at(20 * n), end: at(20 * n + 20), timeZone: 'UTC' };
}

/** Sends tasks that create the first `count` meetings of a day; their ids. */
async function book(stage: Stage, connectorId: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  await stage.runtime.bindings.Q_TASKS.sendBatch(
    ids.map((id, n) => ({ body: { id, type: 'create-event', connectorId, payload: meeting(n) } })),
  );
  return ids;
}

/** Waits until all of these tasks have been told of, and says how they ended. */
async function endsOf(stage: Stage, ids: readonly string[], patience = ENDED): Promise<Set<string>> {
  const wanted = new Set(ids);
  const told = () => stage.runtime.notices.filter(({ taskId }) => wanted.has(taskId ?? ''));
  await expect.poll(() => new Set(told().map(({ taskId }) => taskId)).size, patience).toBe(ids.length);
  return new Set(told().map(({ type }) => type));
}

const madeFor = (stage: Stage, { email }: Person) =>
  stage.sandbox.truth.effects.filter(({ deed, person }) => deed === 'created' && person === email).length;

const callsOf = (stage: Stage, people: readonly Person[]): CallRecord[] => {
  const emails = new Set(people.map(({ email }) => email));
  return stage.sandbox.truth.calls.filter(
    ({ kind, person }) => kind === 'api' && person !== undefined && emails.has(person),
  );
};

/** Whether the metrics have a series of these labels that is not zero. */
async function shows(stage: Stage, metric: string, wanted: Record<string, string>): Promise<boolean> {
  const { text } = await stage.runtime.api('GET', '/metrics');
  return readOpenMetrics(text)
    .flatMap(({ samples }) => samples)
    .filter(({ name, value }) => name === metric && value > 0)
    .some(({ labels }) => Object.entries(wanted).every(([name, value]) => labels[name] === value));
}

/** The most of these calls that began in any stretch of `windowMs`. */
function mostIn(calls: readonly CallRecord[], windowMs: number): number {
  const began = calls.map(({ at }) => Date.parse(at));
  return Math.max(...began.map((from) => began.filter((at) => at >= from && at < from + windowMs).length));
}

describe('a throttle', () => {
  const stage = openStage();
  const early = ({ email }: Person) => stage.sandbox.truth.tooEarly.filter(({ person }) => person === email);

  describe.concurrent.each(ACCOUNTS)('of an account: $label', ({ input }) => {
    it.each([
      ['in seconds', { retryAfter: 1, holdMs: 1_000 }],
      ['as a date', { retryAfter: 'date', holdMs: 1_000 }],
      ['not at all', { holdMs: 300 }],
    ] as const)('that says %s how long to wait is waited out, and nothing is lost', async (_, hold) => {
      const person = stage.person(input);
      const connectorId = await connect(stage.runtime, person);
      stage.sandbox.faults.add({
        operation: CREATE[person.provider],
        person: person.email,
        effect: { kind: 'throttle', ...hold },
      });
      const ids = await book(stage, connectorId, 6);
      expect(await endsOf(stage, ids)).toEqual(new Set(['task-completed']));
      expect(madeFor(stage, person)).toBe(6);
      // Where the provider names no time, none is known to be too early.
      expect('retryAfter' in hold ? early(person) : []).toEqual([]);
      const throttled = callsOf(stage, [person]).filter(({ status }) => status === 429 || status === 403);
      expect(throttled.length).toBeGreaterThan(0);
    });

    it('that comes again and again is waited out longer each time', async () => {
      const person = stage.person(input);
      const connectorId = await connect(stage.runtime, person);
      stage.sandbox.faults.add({
        operation: CREATE[person.provider],
        person: person.email,
        times: 3,
        effect: { kind: 'throttle', retryAfter: 0, holdMs: 0 },
      });
      const ids = await book(stage, connectorId, 1);
      expect(await endsOf(stage, ids)).toEqual(new Set(['task-completed']));
      expect(madeFor(stage, person)).toBe(1);
    });
  });

  it('of a mailbox by Microsoft is never taken for more than it is: all goes on, four at a time', async () => {
    const person = stage.person({ provider: 'microsoft' });
    const connectorId = await connect(stage.runtime, person);
    const times = { timeMin: '2026-11-23T00:00:00', timeMax: '2026-11-24T00:00:00', timeZone: 'UTC' };
    stage.sandbox.faults.add({
      person: person.email,
      times: 3,
      after: 2,
      effect: { kind: 'throttle', holdMs: 200 },
    });
    const ids = Array.from({ length: 12 }, () => randomUUID());
    await stage.runtime.bindings.Q_TASKS.sendBatch(
      ids.map((id, n) => ({
        body:
          n % 2 === 0
            ? { id, type: 'create-event', connectorId, payload: meeting(n) }
            : {
                id,
                type: 'check-availability',
                connectorId,
                payload: { ...times, timeMin: meeting(n).start },
              },
      })),
    );
    expect(await endsOf(stage, ids)).toEqual(new Set(['task-completed']));
    expect(madeFor(stage, person)).toBe(6);
    expect(stage.sandbox.truth.peak(person.email)).toBeLessThanOrEqual(4);
  });

  it('that Google calls a 403 is no missing permission, whatever the verb', async () => {
    const person = stage.person({ provider: 'google' });
    const connectorId = await connect(stage.runtime, person);
    const path = `/v1/connectors/${connectorId}/events`;
    const created = await stage.runtime.api('POST', path, meeting(0));
    const { eventId } = z.object({ eventId: z.string() }).parse(created.json);
    const verbs = [
      ['POST', path, meeting(1)],
      ['PATCH', `${path}/${eventId}`, { summary: 'Moved' }],
      ['DELETE', `${path}/${eventId}`, undefined],
    ] as const;
    for (const [method, where, body] of verbs) {
      stage.sandbox.faults.add({
        person: person.email,
        effect: { kind: 'throttle', status: 403, retryAfter: 1, holdMs: 1_000 },
      });
      // One at a time: each stands before the next.
      // oxlint-disable-next-line no-await-in-loop
      const answer = await stage.runtime.api(method, where, body);
      expect([200, 201, 202], `${method}: ${answer.text}`).toContain(answer.status);
      // oxlint-disable-next-line no-await-in-loop
      await expect.poll(() => stage.sandbox.faults.pending).toEqual([]);
    }
    const deeds = () => stage.sandbox.truth.effects.filter(({ person: who }) => who === person.email);
    await expect
      .poll(() => deeds().map(({ deed }) => deed), ENDED)
      .toEqual(['created', 'created', 'updated', 'deleted']);
    expect(await stage.runtime.api('GET', `/v1/connectors/${connectorId}`)).toMatchObject({
      json: { status: 'active' },
    });
    expect(early(person)).toEqual([]);
  });
});

describe('the limit of an account in any stretch of time', () => {
  const stage = openStage({ GOOGLE_USER_LIMIT: '12', GOOGLE_USER_WINDOW_S: '4' });

  it('is kept, and what waits for it is done', async () => {
    const person = stage.person();
    const connectorId = await connect(stage.runtime, person);
    const ids = await book(stage, connectorId, 30);
    expect(await endsOf(stage, ids)).toEqual(new Set(['task-completed']));
    expect(madeFor(stage, person)).toBe(30);
    expect(mostIn(callsOf(stage, [person]), 4_000)).toBeLessThanOrEqual(12);
  });

  it('is kept across an eviction', async () => {
    const person = stage.person();
    const connectorId = await connect(stage.runtime, person);
    await endsOf(stage, await book(stage, connectorId, 8));
    await stage.runtime.worker.evictDurableObject('CONNECTOR', { name: connectorId });
    await endsOf(stage, await book(stage, connectorId, 8));
    expect(mostIn(callsOf(stage, [person]), 4_000)).toBeLessThanOrEqual(12);
  });
});

describe('the limit of the app', () => {
  const stage = openStage({ MICROSOFT_APP_LIMIT: '20', MICROSOFT_APP_WINDOW_S: '4' });

  it('is kept by all connectors together, and what waits for it is done', async () => {
    const people = [1, 2, 3].map(() => stage.person({ provider: 'microsoft' }));
    const connectorIds = await Promise.all(people.map((person) => connect(stage.runtime, person)));
    const ids = await Promise.all(connectorIds.map((connectorId) => book(stage, connectorId, 10)));
    expect(await endsOf(stage, ids.flat())).toEqual(new Set(['task-completed']));
    expect(people.map((person) => madeFor(stage, person))).toEqual([10, 10, 10]);
    expect(mostIn(callsOf(stage, people), 4_000)).toBeLessThanOrEqual(20);
  });
});

describe('a throttle of the whole app', () => {
  const stage = openStage();

  it('that one account meets keeps every other from calling until it has passed', async () => {
    const [first, second] = [stage.person(), stage.person()];
    const [one, other] = [await connect(stage.runtime, first), await connect(stage.runtime, second)];
    stage.sandbox.faults.add({
      person: first.email,
      operation: CREATE.google,
      effect: {
        kind: 'status',
        status: 403,
        headers: { 'retry-after': '4' },
        body: { error: { code: 403, errors: [{ reason: 'dailyLimitExceeded' }] } },
      },
    });
    const met = await book(stage, one, 1);
    const labels = { provider: 'google', scope: 'app' };
    await expect.poll(() => shows(stage, 'calendar_rate_limit_hits_total', labels), ENDED).toBe(true);
    const kept = await book(stage, other, 5);
    expect(await endsOf(stage, [...met, ...kept])).toEqual(new Set(['task-completed']));
    const [refused] = callsOf(stage, [first]).filter(({ status }) => status === 403);
    const calls = callsOf(stage, [second]).map(({ at }) => Date.parse(at) - Date.parse(refused?.at ?? ''));
    expect(calls.length).toBeGreaterThanOrEqual(5);
    expect(Math.min(...calls)).toBeGreaterThanOrEqual(4_000);
  });
});

describe('an account that has been left alone', () => {
  const stage = openStage();

  it('is written to at once: calls that had ended are not taken for those of a crash', async () => {
    const person = stage.person();
    const connectorId = await connect(stage.runtime, person);
    const question = { timeMin: '2026-11-23T00:00:00', timeMax: '2026-11-24T00:00:00', timeZone: 'UTC' };
    const ask = (hour: number) =>
      stage.runtime.api('POST', `/v1/connectors/${connectorId}/availability`, {
        ...question,
        timeMin: `2026-11-23T0${hour}:00:00`,
        maxStalenessMs: 0,
      });
    await Promise.all([1, 2, 3, 4].map(ask));
    const { worker } = stage.runtime;
    const storage = await worker.getDurableObjectStorage('CONNECTOR', { name: connectorId });
    const remembered = async () =>
      await storage.exec(`SELECT value ->> 'count' AS count FROM fact WHERE name = 'open-calls'`);
    await expect.poll(remembered, ENDED).toMatchObject([{ count: 0 }]);
    await worker.evictDurableObject('CONNECTOR', { name: connectorId });
    const answers = await Promise.all([
      ...[1, 2, 3].map(ask),
      stage.runtime.api('POST', `/v1/connectors/${connectorId}/events`, meeting(1)),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 201]);
  });
});

describe('a hot connector', () => {
  const stage = openStage({ MIRROR: 'off' });

  it('keeps no quiet one waiting', async () => {
    const hot = stage.person({ provider: 'microsoft' });
    const quiet = [1, 2, 3, 4].map(() => stage.person({ provider: 'microsoft' }));
    const hotId = await connect(stage.runtime, hot);
    const quietIds = await Promise.all(quiet.map((person) => connect(stage.runtime, person)));
    // One write at a time: forty take eight seconds.
    stage.sandbox.faults.add({
      person: hot.email,
      operation: CREATE.microsoft,
      times: Infinity,
      effect: { kind: 'latency', ms: 200 },
    });
    const ids = await book(stage, hotId, 40);
    await expect.poll(() => callsOf(stage, [hot]).length, ENDED).toBeGreaterThan(0);
    const times = { timeMin: '2026-11-23T00:00:00', timeMax: '2026-11-24T00:00:00', timeZone: 'UTC' };
    const ask = async (connectorId: string) => {
      for (let question = 0; question < 5; question += 1) {
        // oxlint-disable-next-line no-await-in-loop
        const answer = await stage.runtime.api('POST', `/v1/connectors/${connectorId}/availability`, times);
        expect(answer.status, answer.text).toBe(200);
      }
    };
    await Promise.all(quietIds.map(ask));
    expect(madeFor(stage, hot)).toBeLessThan(40);
    expect(await endsOf(stage, ids)).toEqual(new Set(['task-completed']));
    expect(madeFor(stage, hot)).toBe(40);
    expect(stage.sandbox.truth.peak(hot.email)).toBeLessThanOrEqual(4);
  });
});

describe('a provider that is dark', () => {
  const stage = openStage({
    BREAKER_WINDOW_S: '10',
    BREAKER_CONNECTORS: '2',
    BREAKER_OPEN_S: '1',
    BREAKER_MAX_OPEN_S: '2',
    BREAKER_PROBE_S: '5',
  });

  const breakerIs = (state: string) => shows(stage, 'calendar_breaker_state', { provider: 'google', state });

  it(
    'is left alone but for single probes, and all is done once it is back',
    { timeout: 150_000 },
    async () => {
      const people = [1, 2, 3, 4].map(() => stage.person());
      const other = stage.person({ provider: 'microsoft' });
      const connectorIds = await Promise.all(people.map((person) => connect(stage.runtime, person)));
      const otherId = await connect(stage.runtime, other);
      stage.sandbox.faults.add({
        provider: 'google',
        times: Infinity,
        effect: { kind: 'status', status: 503 },
      });
      const ids = (await Promise.all(connectorIds.map((id) => book(stage, id, 10)))).flat();
      await expect.poll(() => breakerIs('open'), ENDED).toBe(true);
      const before = callsOf(stage, people).length;
      const openedAtMs = Date.now();
      await expect.poll(() => Date.now() - openedAtMs, ENDED).toBeGreaterThan(5_000);
      // It opens for one second, then two at most: one probe each time, of forty tasks that wait.
      expect(callsOf(stage, people).length - before).toBeLessThanOrEqual(6);
      // Nobody else is kept waiting.
      expect(await endsOf(stage, await book(stage, otherId, 2))).toEqual(new Set(['task-completed']));
      stage.sandbox.faults.clear();
      expect(await endsOf(stage, ids, ENDED_LATE)).toEqual(new Set(['task-completed']));
      expect(people.map((person) => madeFor(stage, person))).toEqual([10, 10, 10, 10]);
      expect(await breakerIs('closed')).toBe(true);
      const lines = stage.runtime.logs().filter((line) => line.includes('"event":"breaker"'));
      for (const state of ['open', 'half-open', 'closed']) {
        expect(lines.some((line) => line.includes(`"state":"${state}"`))).toBe(true);
      }
    },
  );
});
