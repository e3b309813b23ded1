import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { connect } from '../local/connect.ts';
import { REACHABLE, type Runtime, startRuntime } from '../local/runtime.ts';
import { type SandboxProcess, type SeenCall, startSandboxProcess } from '../local/sandbox-process.ts';
import { type Figure, quantile } from './figures.ts';
import { carryOut, UNLIMITED } from './stage.ts';

const PROVIDERS = { google: 'Google', microsoft: 'Microsoft' } as const;
type ProviderName = keyof typeof PROVIDERS;
type From = 'live' | 'mirror';

/** Questions of each kind in a round: those that are asked of the provider take long. */
const LIVE_QUESTIONS = 20;
const MIRRORED_QUESTIONS = 200;
/** So many a sibling Worker asks in a row, so that what its being asked takes is spread over them; and how often. */
const IN_A_ROW = { live: 10, mirror: 50 };
const ROWS = { live: 3, mirror: 11 };
/** Events of a usual calendar, and of one that is very full. */
const USUAL_EVENTS = 200;
const MANY_EVENTS = 10_000;
/** A calendar that changes once a minute is asked so often, from one change to shortly before the next. */
const QUESTIONS_A_SECOND = 20;
const WATCH_MS = 60_000;
const CHANGE_AFTER_MS = 500;

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const TODAY_MS = Math.floor(Date.now() / DAY_MS) * DAY_MS;
/** Events are spread over this, which a mirror covers; of very many there is one every half-hour. */
const SPAN = { startMs: TODAY_MS - 29 * DAY_MS, lengthMs: MANY_EVENTS * 30 * MINUTE_MS };
const EVENT_MS = 20 * MINUTE_MS;
/** How many events are put into a calendar at once. */
const AT_ONCE = 32;

/** A connected account, its calendar filled. */
interface Subject {
  provider: ProviderName;
  email: string;
  connectorId: string;
}

const answerSchema = z.object({
  calendars: z.array(z.object({ status: z.literal('ok') })).min(1),
  freshness: z.object({ source: z.enum(['live', 'mirror']) }),
});
const inARowSchema = z.array(z.object({ ok: z.literal(true), value: answerSchema })).min(1);
const syncSchema = z.object({
  event: z.literal('sync'),
  connectorId: z.string(),
  outcome: z.literal('done'),
  pages: z.number(),
  changed: z.number(),
  ms: z.number(),
});

/** The sandbox, and a worker with a mirror, which the providers can call; a sibling Worker beside it. */
export interface MirrorStage {
  sandbox: SandboxProcess;
  worker: Runtime;
  close(): Promise<void>;
}

/** Starts both; every provider call takes `latencyMs`. */
export async function openMirrorStage(latencyMs: number): Promise<MirrorStage> {
  const sandbox = await startSandboxProcess(1);
  try {
    const worker = await startRuntime(sandbox, {
      PUBLIC_BASE_URL: REACHABLE,
      GOOGLE_APP_LIMIT: String(UNLIMITED),
      MICROSOFT_APP_LIMIT: String(UNLIMITED),
    });
    for (const provider of ['google', 'microsoft'] as const) await sandbox.latency(provider, latencyMs);
    const close = async () => {
      await worker.close();
      await sandbox.close();
    };
    return { sandbox, worker, close };
  } catch (thrown) {
    await sandbox.close();
    throw thrown;
  }
}

/** What the mirror gains, and what it takes. */
export async function measureMirror(stage: MirrorStage, rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const provider of ['google', 'microsoft'] as const) {
    const email = await addPerson(stage, provider, 'usual', USUAL_EVENTS);
    const subject = { provider, email, connectorId: await connect(stage.worker, { email, provider }) };
    figures.push(...(await measureAnswers(stage, subject, rounds)));
  }
  figures.push(...(await measureUpkeep(stage, rounds)));
  for (const provider of ['google', 'microsoft'] as const)
    figures.push(...(await measureFirstSync(stage, provider, rounds)));
  return figures;
}

/** How long an answer takes that is asked of the provider, and one from the mirror. */
async function measureAnswers(stage: MirrorStage, subject: Subject, rounds: number): Promise<Figure[]> {
  const { sandbox, worker } = stage;
  const name = PROVIDERS[subject.provider];
  const rpc: Record<From, number[]> = { live: [], mirror: [] };
  const http: Record<From | 'nobody', number[]> = { live: [], mirror: [], nobody: [] };
  let callsEach = 0;
  for (let round = 0; round < rounds; round += 1) {
    await settle(stage);
    await sandbox.forgetTruth();
    http.live.push(await medianOf(LIVE_QUESTIONS, () => ask(stage, subject, 'live')));
    callsEach = (await countCalls(stage, subject)) / LIVE_QUESTIONS;
    rpc.live.push(await medianInARow(stage, subject, 'live'));
    await synchronize(stage, subject);
    await medianOf(20, () => ask(stage, subject, 'mirror'));
    http.mirror.push(await medianOf(MIRRORED_QUESTIONS, () => ask(stage, subject, 'mirror')));
    rpc.mirror.push(await medianInARow(stage, subject, 'mirror'));
    const unknown = `/v1/connectors/${subject.connectorId}/tasks/unknown`;
    http.nobody.push(await medianOf(MIRRORED_QUESTIONS, () => worker.api('GET', unknown)));
  }
  const at = (list: readonly number[], round: number) => list[round] ?? NaN;
  const beyond = (from: From, round: number) => at(http[from], round) - at(http.nobody, round);
  return [
    {
      name: `${name}, sibling Worker: live (${callsEach} provider calls), p50`,
      unit: 'ms',
      rounds: rpc.live,
    },
    { name: `${name}, sibling Worker: from the mirror, p50`, unit: 'ms', rounds: rpc.mirror },
    {
      name: `${name}, sibling Worker: mirror is so many times faster`,
      unit: 'x',
      rounds: rpc.live.map((ms, round) => ms / at(rpc.mirror, round)),
      target: { is: 'at least', value: 50 },
    },
    { name: `${name}, HTTP: live, p50`, unit: 'ms', rounds: http.live },
    { name: `${name}, HTTP: from the mirror, p50`, unit: 'ms', rounds: http.mirror },
    { name: `${name}, HTTP: to the actor and back (GET of no task), p50`, unit: 'ms', rounds: http.nobody },
    {
      name: `${name}, HTTP: mirror is so many times faster`,
      unit: 'x',
      rounds: http.live.map((ms, round) => ms / at(http.mirror, round)),
    },
    {
      name: `${name}, HTTP: the same, both less a GET of no task`,
      unit: 'x',
      rounds: http.live.map(
        (_, round) => beyond('live', round) / Math.max(beyond('mirror', round), LEAST_MS),
      ),
    },
  ];
}

/** What is told apart from nothing. */
const LEAST_MS = 0.1;

/** What an answer takes a sibling Worker that asks many in a row, milliseconds: no HTTP of this machine is in it. */
async function medianInARow({ worker }: MirrorStage, { connectorId }: Subject, from: From): Promise<number> {
  const times = IN_A_ROW[from];
  const wall = await medianOf(ROWS[from], async () => {
    const answers = await worker.rpc('inARow', times, 'availability', connectorId, questionFor(from));
    for (const { value } of inARowSchema.parse(answers))
      if (value.freshness.source !== from) throw new Error(`answered from ${value.freshness.source}`);
  });
  return wall / times;
}

/** How many provider calls it takes to answer many questions about calendars that change once a minute. */
async function measureUpkeep(stage: MirrorStage, rounds: number): Promise<Figure[]> {
  const subjects: Subject[] = [];
  for (const provider of ['google', 'microsoft'] as const) {
    const email = await addPerson(stage, provider, 'changing', USUAL_EVENTS);
    subjects.push({ provider, email, connectorId: await connect(stage.worker, { email, provider }) });
  }
  const seen = subjects.map(() => ({
    calls: [] as number[],
    asked: [] as number[],
    mirrored: [] as number[],
  }));
  for (let round = 0; round < rounds; round += 1) {
    await synchronize(stage, ...subjects);
    await stage.sandbox.forgetTruth();
    const fromMs = Date.now();
    const sources = await Promise.all(subjects.map((subject) => watch(stage, subject)));
    await settle(stage);
    for (const [index, subject] of subjects.entries()) {
      const asked = sources[index] ?? [];
      const calls = await countCalls(stage, subject, fromMs + WATCH_MS);
      seen[index]?.asked.push(asked.length);
      seen[index]?.calls.push((1_000 * calls) / asked.length);
      seen[index]?.mirrored.push((100 * asked.filter((source) => source === 'mirror').length) / asked.length);
    }
  }
  return subjects.flatMap(({ provider }, index): Figure[] => {
    const name = `${PROVIDERS[provider]}, changing once a minute, ${QUESTIONS_A_SECOND} questions a second`;
    const { calls = [], asked = [], mirrored = [] } = seen[index] ?? {};
    return [
      { name: `${name}: asked in a minute`, unit: 'questions', rounds: asked },
      { name: `${name}: provider calls per 1,000`, unit: 'calls', rounds: calls },
      { name: `${name}: answered without waiting for a call`, unit: '%', rounds: mirrored },
    ];
  });
}

/** Asks at a steady rate for a minute in which the calendar changes once; from where each answer came. */
async function watch(stage: MirrorStage, subject: Subject): Promise<string[]> {
  const startMs = Date.now();
  const change = async () => {
    await sleep(CHANGE_AFTER_MS);
    await stage.sandbox.addEvent(subject.email, { summary: 'Change', ...slot(0.5, 1) });
  };
  const asking: Promise<string>[] = [];
  const changing = change();
  for (let next = 0; next < (QUESTIONS_A_SECOND * WATCH_MS) / 1000; next += 1) {
    await sleep(Math.max(0, startMs + (1000 * next) / QUESTIONS_A_SECOND - Date.now()));
    asking.push(ask(stage, subject));
  }
  await changing;
  return await Promise.all(asking);
}

/** What it takes to fill the mirror of a very full calendar, and to answer from it. */
async function measureFirstSync(
  stage: MirrorStage,
  provider: ProviderName,
  rounds: number,
): Promise<Figure[]> {
  const { worker } = stage;
  const email = await addPerson(stage, provider, 'full', MANY_EVENTS);
  const [pages, changed, seconds, mirrored]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let round = 0; round < rounds; round += 1) {
    const connectorId = await connect(worker, { email, provider });
    const subject = { provider, email, connectorId };
    await synchronize(stage, subject);
    const [first] = syncsOf(stage, connectorId);
    if (first?.changed !== MANY_EVENTS) throw new Error(`${first?.changed} events instead of ${MANY_EVENTS}`);
    pages.push(first.pages);
    changed.push(first.changed);
    seconds.push(first.ms / 1000);
    mirrored.push(await medianInARow(stage, subject, 'mirror'));
    const ended = await worker.api('DELETE', `/v1/connectors/${connectorId}`);
    if (ended.status >= 300) throw new Error(`DELETE: ${ended.status} ${ended.text}`);
  }
  const name = `${PROVIDERS[provider]}, first sync of ${MANY_EVENTS.toLocaleString('en')} events`;
  return [
    { name: `${name}: pages, a provider call each`, unit: 'calls', rounds: pages },
    { name: `${name}: written, a row each`, unit: 'events', rounds: changed },
    { name: `${name}: time`, unit: 's', rounds: seconds },
    { name: `${name}: an answer from that mirror to a sibling Worker, p50`, unit: 'ms', rounds: mirrored },
  ];
}

/** The syncs of a connector that the worker has logged. */
function syncsOf({ worker }: MirrorStage, connectorId: string): z.infer<typeof syncSchema>[] {
  return worker
    .logs()
    .filter((line) => line.includes('"event":"sync"') && line.includes(connectorId))
    .map((line) => syncSchema.parse(JSON.parse(line.slice(line.indexOf('{')))));
}

/** Adds a person with a calendar full of events; their address. */
async function addPerson({ sandbox }: MirrorStage, provider: ProviderName, what: string, events: number) {
  const email = `${what}@${provider === 'google' ? 'example.com' : 'contoso.example'}`;
  await sandbox.addPerson({ provider, email, name: what, timeZone: 'UTC' });
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < events) {
        const event = next;
        next += 1;
        await sandbox.addEvent(email, { summary: `Event ${event}`, ...slot(event, events) });
      }
    }),
  );
  return email;
}

/** When an event is that is the `index`th of `events`. */
function slot(index: number, events: number): { start: string; end: string } {
  const startMs = SPAN.startMs + Math.floor(index * (SPAN.lengthMs / events));
  return {
    start: new Date(startMs).toISOString(),
    end: new Date(startMs + EVENT_MS).toISOString(),
  };
}

/** Has mirrors brought up to date, and waits until nothing of that is under way. */
async function synchronize(stage: MirrorStage, ...subjects: Subject[]): Promise<void> {
  const tasks = subjects.map(({ connectorId }) => ({ type: 'sync-calendar', connectorId, payload: {} }));
  await carryOut(stage, tasks);
  await settle(stage);
}

const QUIET_MS = 2_500;

/** Waits until the providers have not been called for a while, nor call the worker. */
async function settle({ sandbox }: MirrorStage): Promise<void> {
  for (let calls = -1; ;) {
    await sandbox.settlePushes();
    const seen = (await sandbox.truth()).calls;
    const isOver = seen.length === calls && seen.every(({ ms }) => ms >= 0);
    if (isOver) return;
    calls = seen.length;
    await sleep(QUIET_MS);
  }
}

/** Calls of the provider for one account that came before then; what travels in a batch is one. */
async function countCalls({ sandbox }: MirrorStage, { email }: Subject, untilMs = Infinity): Promise<number> {
  const isOne = ({ person, inBatch, at }: SeenCall) => person === email && inBatch !== true && at < untilMs;
  return (await sandbox.truth()).calls.filter(isOne).length;
}

/** What a call takes, milliseconds. */
async function medianOf(calls: number, call: () => Promise<unknown>): Promise<number> {
  const walls: number[] = [];
  for (let index = 0; index < calls; index += 1) {
    const startedAtMs = performance.now();
    await call();
    walls.push(performance.now() - startedAtMs);
  }
  return quantile(walls, 0.5);
}

/** When the account is busy in a week, as callers ask it: about all calendars. */
function questionFor(from: From | undefined): object {
  const [timeMin, timeMax] = [0, 7].map((days) => new Date(TODAY_MS + days * DAY_MS).toISOString());
  return { timeMin, timeMax, timeZone: 'UTC', ...(from === 'live' && { maxStalenessMs: 0 }) };
}

/** Asks over HTTP. From where the answer must come, if that is known before; from where it came. */
async function ask({ worker }: MirrorStage, { connectorId }: Subject, from?: From): Promise<From> {
  const path = `/v1/connectors/${connectorId}/availability`;
  const { status, text, json } = await worker.api('POST', path, questionFor(from));
  const read = answerSchema.safeParse(json);
  if (status !== 200 || !read.success) throw new Error(`availability: ${status} ${text}`);
  const { source } = read.data.freshness;
  if (from !== undefined && source !== from) throw new Error(`answered from ${source}, not ${from}`);
  return source;
}
