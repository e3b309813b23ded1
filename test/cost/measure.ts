import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { type Counts, sumOf } from '../counting-worker/counts.ts';
import { connect } from '../local/connect.ts';
import { type Runtime, startRuntime } from '../local/runtime.ts';
import type { Person } from '../sandbox/people.ts';
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts';

const root = new URL('../..', import.meta.url).pathname;

/** The kinds of task that are measured, and the providers each is measured on. */
export const TASK_TYPES = [
  'refresh-token',
  'check-availability',
  'create-event',
  'update-event',
  'cancel-event',
  'place-hold',
  'cancel-hold',
  'confirm-hold',
  'sync-calendar',
] as const;
export const PROVIDERS = ['google', 'microsoft'] as const;
type TaskType = (typeof TASK_TYPES)[number];
type ProviderName = (typeof PROVIDERS)[number];
type State = 'cold' | 'warm' | 'stream' | 'full' | 'mirrored-cold' | 'mirrored' | 'changed';

/**
 * What one task has cost. `cold`: its connector's object had been evicted, was not in use, and no isolate
 * knew the connector. `warm`: the one after that. `stream`: one of ten that came in one batch. `full`: warm,
 * its connector having carried out a thousand tasks that day. `mirrored` and `mirrored-cold`: warm and cold,
 * answered from a mirror that had just been brought up to date. `changed`: warm, one event having changed.
 */
export interface Measurement {
  type: TaskType;
  provider: ProviderName;
  state: State;
  /** HTTP requests to the provider, those to its token endpoint apart. */
  providerCalls: number;
  tokenCalls: number;
  /** Calls of the connector's object. */
  doCalls: number;
  /** Calls of other objects by it. */
  otherDoCalls: number;
  /** Times its alarm went off. */
  alarms: number;
  rowsWritten: number;
  /** Them by what wrote them. */
  rows: Record<string, number>;
  /** Rows written a day after the task has ended, when it is forgotten: on average of its connector's. */
  rowsLater: number;
  rowsRead: number;
  d1RowsRead: number;
  d1RowsWritten: number;
  kvReads: number;
  kvWrites: number;
  /** Messages: the task's own and its notices. */
  messages: number;
}

/** What is measured of each type, in this order. */
type Plan = Partial<Record<TaskType, readonly State[]>>;

/** Where there is no mirror, so that nothing but the task itself is counted. Of questions the stream asks the same. */
const WITHOUT_MIRROR: Plan = {
  'refresh-token': ['cold', 'warm'],
  'check-availability': ['cold', 'warm', 'stream'],
  'create-event': ['cold', 'warm', 'stream', 'full'],
  'update-event': ['cold', 'warm'],
  'cancel-event': ['cold', 'warm'],
  'place-hold': ['cold', 'warm'],
  'cancel-hold': ['cold', 'warm'],
  'confirm-hold': ['cold', 'warm'],
};
/** Where there is one. */
const WITH_MIRROR: Plan = {
  'check-availability': ['mirrored-cold', 'mirrored'],
  'sync-calendar': ['cold', 'warm', 'changed'],
};
/** How many events a calendar has of which there is a mirror. */
export const MIRRORED_EVENTS = 20;
/** The hours in which what a task books lies. */
const PLACES: Record<State, number> = {
  cold: 1,
  warm: 3,
  stream: 5,
  full: 7,
  'mirrored-cold': 9,
  mirrored: 11,
  changed: 13,
};

const TIME_ZONE = 'Europe/Berlin';

/** Hours of one day, so that nothing that is measured overlaps. */
const hour = (n: number) => ({
  start: `2026-11-23T${String(n).padStart(2, '0')}:00:00`,
  end: `2026-11-23T${String(n + 1).padStart(2, '0')}:00:00`,
});

/** One connector on which one type of task is measured. */
interface Subject {
  runtime: Runtime;
  sandbox: Sandbox;
  person: Person;
  connectorId: string;
  /** The tasks that were measured. */
  taskIds: string[];
}

/** Measures every type of task on every provider, cold and warm, in the local runtime. */
export async function measureCosts(): Promise<Measurement[]> {
  // Side by side: most of the time is spent in waiting until what was counted is reported.
  const both = await Promise.all([
    measurePlan(WITHOUT_MIRROR, { MIRROR: 'off' }),
    measurePlan(WITH_MIRROR, {}),
  ]);
  return both.flat();
}

async function measurePlan(plan: Plan, vars: Record<string, string>): Promise<Measurement[]> {
  const sandbox = await startSandbox();
  const runtime = await startRuntime(sandbox, vars, ({ queues, ...own }) => ({
    ...own,
    main: `${root}test/counting-worker/worker.ts`,
    queues: {
      ...queues,
      consumers: (queues?.consumers ?? []).map((consumer) => ({ ...consumer, max_batch_timeout: 0 })),
    },
  }));
  try {
    const measured: Measurement[] = [];
    for (const type of TASK_TYPES) {
      for (const provider of plan[type] === undefined ? [] : PROVIDERS) {
        const subject = await openSubject(runtime, sandbox, provider);
        const counted: Omit<Measurement, 'rowsLater'>[] = [];
        for (const state of plan[type] ?? []) counted.push(await measure(subject, type, state));
        const rowsLater = await forget(subject);
        measured.push(...counted.map((one) => ({ ...one, rowsLater })));
      }
    }
    return measured;
  } finally {
    await runtime.close();
    await sandbox.close();
  }
}

async function openSubject(runtime: Runtime, sandbox: Sandbox, provider: ProviderName): Promise<Subject> {
  const email = `person-${randomUUID()}@example.com`;
  const person = sandbox.people.add({ provider, email, name: 'A Person', timeZone: TIME_ZONE });
  // The worker is not where it believes to be: a notification would reach whoever is.
  sandbox.pushes.silence(email);
  return { runtime, sandbox, person, connectorId: await connect(runtime, person), taskIds: [] };
}

/** What an object answers that has carried a task out; and one that has done something to an event. */
const endedSchema = z.object({ value: z.object({ report: z.object({ state: z.literal('done') }) }) });
const performedSchema = z.object({
  value: z.object({
    report: z.object({ state: z.literal('done'), result: z.object({ eventId: z.string() }) }),
  }),
});

/** Asks the counting worker for something. */
async function ask({ runtime, connectorId }: Subject, what: string, task?: object): Promise<unknown> {
  const answer = await runtime.api('POST', `/counting/${what}`, { connectorId, task });
  if (answer.status !== 200) throw new Error(`${what}: ${answer.status} ${answer.text}`);
  return answer.json;
}

/** Lets everything that is under way come to its end, the alarm that looks after it included. */
async function settle(subject: Subject): Promise<void> {
  for (const what of ['rest', 'ring', 'rest']) await ask(subject, what);
}

/** What has been counted since the last time. */
async function takeCounts(subject: Subject): Promise<Counts> {
  const answer = await subject.runtime.api('POST', '/counting/take', { connectorId: subject.connectorId });
  return JSON.parse(answer.text);
}

async function measure(
  subject: Subject,
  type: TaskType,
  state: State,
): Promise<Omit<Measurement, 'rowsLater'>> {
  const { runtime, sandbox, person, connectorId } = subject;
  const { worker } = runtime;
  const payload = await prepare(subject, type, state);
  await settle(subject);
  const storage = await worker.getDurableObjectStorage('CONNECTOR', { name: connectorId });
  if (state === 'cold' || state === 'mirrored-cold') {
    // Not in use for long: what is remembered of open calls would have lapsed, too.
    await storage.exec(`DELETE FROM fact WHERE name IN ('last-use', 'open-calls')`);
    await worker.evictDurableObject('CONNECTOR', { name: connectorId });
  }
  if (state === 'full') await storage.exec(THOUSAND_ENDED);
  await takeCounts(subject);
  const seen = sandbox.truth.calls.length;

  const ids = Array.from({ length: state === 'stream' ? 10 : 1 }, () => randomUUID());
  subject.taskIds.push(...ids);
  await runtime.bindings.Q_TASKS.sendBatch(ids.map((id) => ({ body: { id, type, connectorId, payload } })));
  for (const id of ids) {
    const { type: ended, error } = await runtime.notice(({ taskId }) => taskId === id);
    if (ended !== 'task-completed') throw new Error(`${type} (${person.provider}): ${error?.message}`);
  }
  await settle(subject);
  const counts = await takeCounts(subject);

  const calls = sandbox.truth.calls
    .slice(seen)
    .filter((call) => call.person === person.email && call.inBatch === undefined);
  const each = (much: number) => much / ids.length;
  return {
    type,
    provider: person.provider,
    state,
    providerCalls: each(calls.filter(({ kind }) => kind === 'api' || kind === 'envelope').length),
    tokenCalls: each(calls.filter(({ kind }) => kind === 'token').length),
    doCalls: each((counts.calls['submit'] ?? 0) + (counts.calls['perform'] ?? 0)),
    otherDoCalls: each(sumOf(counts.callsOfOthers)),
    alarms: each(counts.alarms),
    rowsWritten: each(sumOf(counts.rowsWritten)),
    rows: Object.fromEntries(Object.entries(counts.rowsWritten).map(([name, rows]) => [name, each(rows)])),
    rowsRead: each(counts.rowsRead),
    d1RowsRead: each(counts.d1RowsRead),
    d1RowsWritten: each(counts.d1RowsWritten),
    kvReads: each(counts.kvReads),
    kvWrites: each(counts.kvWrites),
    messages: each(ids.length + counts.notices),
  };
}

/** Lets a day pass, after which the next life forgets the tasks that were measured; the rows that each costs. */
async function forget(subject: Subject): Promise<number> {
  const { runtime, connectorId, taskIds } = subject;
  const storage = await runtime.worker.getDurableObjectStorage('CONNECTOR', { name: connectorId });
  for (const id of taskIds) await storage.exec('UPDATE task SET finished_at = 0 WHERE id = ?', id);
  await runtime.worker.evictDurableObject('CONNECTOR', { name: connectorId });
  await takeCounts(subject);
  await settle(subject);
  const { rowsWritten } = await takeCounts(subject);
  return (rowsWritten['DELETE task'] ?? 0) / taskIds.length;
}

/** Tasks that ended a moment ago, as many as a busy connector has in a day. */
const THOUSAND_ENDED = `
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
  INSERT INTO task (id, type, payload, state, attempts, due_at, deadline, created_at, finished_at, outcome, notified)
  SELECT 'ended-' || i, 'refresh-token', '{}', 'done', 1, 0, 0, i, unixepoch() * 1000,
    '{"state":"done","result":{}}', 1 FROM n`;

/** The payload of a task to measure; what it is about is there, made without a task that is counted. */
async function prepare(subject: Subject, type: TaskType, state: State): Promise<object> {
  const place = PLACES[state];
  const time = { ...hour(place), timeZone: TIME_ZONE };
  const holdId = `hold-${place}`;
  const book = () => perform(subject, 'create-event', { summary: 'Planning', ...time });
  switch (type) {
    case 'refresh-token':
      return {};
    case 'check-availability':
      if (state === 'mirrored-cold' || state === 'mirrored') await fillMirror(subject);
      return { timeMin: hour(0).start, timeMax: hour(22).end, timeZone: TIME_ZONE };
    case 'create-event':
      return { summary: 'Planning', ...time };
    case 'update-event':
      return { eventId: (await book()).eventId, summary: 'Planning, moved', ...time };
    case 'cancel-event':
      return { eventId: (await book()).eventId };
    case 'place-hold':
      return { holdId, ...time };
    case 'cancel-hold':
      await perform(subject, 'place-hold', { holdId, ...time });
      return { holdId };
    case 'confirm-hold':
      await perform(subject, 'place-hold', { holdId, ...time });
      return { holdId, summary: 'Planning' };
    case 'sync-calendar':
      await fillMirror(subject);
      if (state === 'changed') changeOne(subject.person);
      return {};
  }
}

/** Has the mirror brought up to date, of a calendar that is not empty. */
async function fillMirror(subject: Subject): Promise<void> {
  const { person } = subject;
  const known = person.calendar('primary')?.calendar.events.size ?? 0;
  for (let event = known; event < MIRRORED_EVENTS; event += 1)
    person.addEvent('primary', { summary: `Event ${event}`, ...hour(event), timeZone: TIME_ZONE });
  await carryOut(subject, 'sync-calendar', {});
}

function changeOne(person: Person): void {
  const [id = ''] = person.calendar('primary')?.calendar.events.keys() ?? [];
  person.changeEvent('primary', id, { summary: 'Planning, moved', ...hour(22) });
}

/** Has the connector's object carry a task out, beside what is counted; its result. */
async function perform(
  subject: Subject,
  type: TaskType,
  payload: object,
): Promise<z.infer<typeof performedSchema>['value']['report']['result']> {
  return performedSchema.parse(await carryOut(subject, type, payload)).value.report.result;
}

/** The same of a task whose result does not matter: what the object answered. */
async function carryOut(subject: Subject, type: TaskType, payload: object): Promise<unknown> {
  const { connectorId } = subject;
  const answer = await ask(subject, 'perform', { id: randomUUID(), type, connectorId, payload });
  endedSchema.parse(answer);
  return answer;
}
