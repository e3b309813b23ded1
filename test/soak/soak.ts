import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { connect } from '../local/connect.ts';
import type { Runtime } from '../local/runtime.ts';
import type { Stretch } from '../sandbox/calendar-store.ts';
import { dice, type Dice } from '../sandbox/dice.ts';
import type { FaultEffect } from '../sandbox/faults.ts';
import type { Person } from '../sandbox/people.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { row, rowsOf, Truth } from './truth.ts';

const DAY_MS = 86_400_000;
/** Ids of calendars differ with what they are asked by; rows go by their place in the person's list. */
const RANGE: Stretch = { startMs: Date.now() - 30 * DAY_MS, endMs: Date.now() + 170 * DAY_MS };
const PATIENCE_MS = 120_000;

const FAULTS: FaultEffect[] = [
  { kind: 'status', status: 503 },
  { kind: 'reset' },
  { kind: 'reply-lost' },
  { kind: 'malformed' },
  { kind: 'throttle', retryAfter: 1, holdMs: 1_000, crossingMs: 1_000 },
];

/** How a soak is to be. */
export interface SoakOptions {
  connectors: number;
  forMs: number;
  seed: number;
  /** The share of provider calls that go wrong. */
  faults: number;
  /** The share of notifications that never come. */
  lost: number;
}

/** What came of it. */
export interface SoakResult {
  edits: number;
  answers: number;
  bySource: Record<string, number>;
  /** Questions that were not answered, or not whole: the provider did not let itself be read. */
  unanswered: number;
  /** Answers of which it could not be told whether they are right: too much had changed meanwhile. */
  undecided: number;
  /** Answers that were not so at any moment since the instant that they name. */
  wrong: string[];
  /** Answers older than their question allowed. */
  stale: string[];
  /** Rows of mirrors that are not in their calendars in the end, or the other way round. */
  unequal: string[];
  notifications: { delivered: number; lost: number };
}

interface Subject {
  person: Person;
  connectorId: string;
}

const answerSchema = z.object({
  busy: z.array(z.object({ start: z.string(), end: z.string() })),
  calendars: z.array(z.object({ status: z.string() })),
  freshness: z.object({ source: z.string(), asOf: z.string() }),
});
const eventsSchema = z.object({
  events: z.array(
    z.object({ calendarId: z.string(), start: z.string(), end: z.string(), summary: z.string().optional() }),
  ),
  calendars: z.array(z.object({ id: z.string(), status: z.string() })),
});

/**
 * Lets calendars change for a while, with faults and lost notifications, while they are asked about; every answer is
 * held against what the calendars were, and in the end every mirror against its calendar.
 */
export async function soak(
  { runtime, sandbox }: { runtime: Runtime; sandbox: Sandbox },
  { connectors, forMs, seed, faults, lost }: SoakOptions,
): Promise<SoakResult> {
  const chance = dice(seed);
  const truth = new Truth(sandbox);
  const subjects: Subject[] = [];
  for (let index = 0; index < connectors; index += 1)
    subjects.push(await newSubject(runtime, sandbox, index, chance));
  const result: SoakResult = {
    edits: 0,
    answers: 0,
    bySource: {},
    unanswered: 0,
    undecided: 0,
    wrong: [],
    stale: [],
    unequal: [],
    notifications: { delivered: 0, lost: 0 },
  };
  for (const effect of FAULTS)
    sandbox.faults.add({ effect, chance: faults / FAULTS.length, times: 1_000_000_000 });
  Object.assign(sandbox.pushes.settings, { lose: lost, duplicate: 0.2, delayMs: 20 });
  const untilMs = Date.now() + forMs;
  await Promise.all([
    change(sandbox, subjects, untilMs, chance, result),
    ...subjects.map((subject) =>
      ask(runtime, truth, subject, untilMs, dice(Math.floor(chance.roll() * 1e9)), result),
    ),
  ]);

  sandbox.faults.clear();
  Object.assign(sandbox.pushes.settings, { lose: 0 });
  await sandbox.pushes.settle();
  for (const subject of subjects) result.unequal.push(...(await compare(runtime, subject)));
  const { pushes } = sandbox.truth;
  const gone = pushes.filter((push) => 'lost' in push && push.lost !== undefined).length;
  result.notifications = { delivered: pushes.length - gone, lost: gone };
  return result;
}

async function newSubject(runtime: Runtime, sandbox: Sandbox, index: number, chance: Dice): Promise<Subject> {
  const kinds = [
    { provider: 'google' },
    { provider: 'microsoft', account: 'work' },
    { provider: 'microsoft', account: 'personal' },
  ] as const;
  const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Sydney'];
  const person = sandbox.people.add({
    email: `soak-${index}-${randomUUID()}@example.com`,
    name: `Person ${index}`,
    timeZone: zones[index % zones.length] ?? 'UTC',
    calendars: [{ name: 'Own', primary: true }, ...(index % 2 === 0 ? [] : [{ name: 'Second' }])],
    ...(kinds[index % kinds.length] ?? kinds[0]),
  });
  sandbox.churn(person, { seed: Math.floor(chance.roll() * 1e9), edits: 15 });
  return { person, connectorId: await connect(runtime, person) };
}

/** Somebody changes something all the time, and now and then cursors expire. */
async function change(
  sandbox: Sandbox,
  subjects: readonly Subject[],
  untilMs: number,
  chance: Dice,
  result: SoakResult,
): Promise<void> {
  while (Date.now() < untilMs) {
    const subject = subjects[Math.floor(chance.roll() * subjects.length)];
    if (subject !== undefined) {
      const seed = Math.floor(chance.roll() * 1e9);
      result.edits += sandbox.churn(subject.person, {
        seed,
        edits: 1 + Math.floor(chance.roll() * 2),
      }).length;
      if (chance.roll() < 0.02) sandbox.expireSyncTokens(subject.person);
    }
    await sleep(20 + 300 * chance.roll());
  }
}

/** Asks about a connector now and then, and judges each answer. */
async function ask(
  runtime: Runtime,
  truth: Truth,
  { person, connectorId }: Subject,
  untilMs: number,
  chance: Dice,
  result: SoakResult,
): Promise<void> {
  while (Date.now() < untilMs) {
    const startMs = Math.floor((Date.now() + chance.roll() * 60 * DAY_MS) / 1000) * 1000;
    const range = { startMs, endMs: startMs + Math.ceil(chance.roll() * 14) * DAY_MS };
    const maxStalenessMs = [undefined, undefined, 5_000, 20_000, 0][Math.floor(chance.roll() * 5)];
    const askedAtMs = Date.now();
    const { status, json } = await runtime.api('POST', `/v1/connectors/${connectorId}/availability`, {
      timeMin: new Date(range.startMs).toISOString(),
      timeMax: new Date(range.endMs).toISOString(),
      timeZone: 'UTC',
      ...(maxStalenessMs !== undefined && { maxStalenessMs }),
    });
    const answer = status === 200 ? answerSchema.parse(json) : undefined;
    if (answer === undefined || answer.calendars.some((calendar) => calendar.status !== 'ok')) {
      result.unanswered += 1;
    } else {
      const { source, asOf } = answer.freshness;
      result.answers += 1;
      result.bySource[source] = (result.bySource[source] ?? 0) + 1;
      const asOfMs = Date.parse(asOf);
      const about = `${person.email} ${source} as of ${asOf}`;
      if (askedAtMs - asOfMs > (maxStalenessMs ?? 60_000))
        result.stale.push(
          `${about}, ${askedAtMs - asOfMs} ms old where ${maxStalenessMs ?? 60_000} are allowed`,
        );
      const busy = answer.busy.map((one) => ({ startMs: Date.parse(one.start), endMs: Date.parse(one.end) }));
      const isSo = truth.hasBeen(person, range, busy, asOfMs, Date.now());
      if (isSo === undefined) result.undecided += 1;
      if (isSo === false)
        result.wrong.push(
          `${about}, asked at ${new Date(askedAtMs).toISOString()}: ${truth.explain(person, range, busy, asOfMs)}`,
        );
    }
    await sleep(50 + 900 * chance.roll());
  }
}

/** Has a mirror brought up to date, and holds its rows against the calendar. */
async function compare(runtime: Runtime, { person, connectorId }: Subject): Promise<string[]> {
  const { json } = await runtime.api('POST', '/v1/tasks', {
    tasks: [{ type: 'sync-calendar', connectorId, payload: {} }],
  });
  const [taskId] = z.object({ ids: z.array(z.string()) }).parse(json).ids;
  const giveUpAtMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const { json: task } = await runtime.api('GET', `/v1/connectors/${connectorId}/tasks/${taskId}`);
    const { state } = z.object({ state: z.string().optional() }).parse(task ?? {});
    if (state === 'done') break;
    if (state === 'failed' || Date.now() > giveUpAtMs) return [`${person.email}: the mirror is ${state}`];
    await sleep(100);
  }
  const query = new URLSearchParams({
    timeMin: new Date(RANGE.startMs).toISOString(),
    timeMax: new Date(RANGE.endMs).toISOString(),
  });
  const listed = await runtime.api('GET', `/v1/connectors/${connectorId}/events?${query.toString()}`);
  if (listed.status !== 200) return [`${person.email}: ${listed.status} ${listed.text}`];
  const { events, calendars } = eventsSchema.parse(listed.json);
  const places = new Map(calendars.map(({ id }, place) => [id, place]));
  const mirrored = events
    .map(({ calendarId, start, end, summary = '' }) => {
      const tell = (time: string) => (time.length === 10 ? time : new Date(time).toISOString());
      return row(String(places.get(calendarId)), tell(start), tell(end), summary);
    })
    .toSorted();
  const own = new Map(person.calendars.map(({ id }, place) => [id, place]));
  const real = rowsOf(person, RANGE)
    .map((line) => line.replace(/^[^|]+(?= \|)/, (id) => String(own.get(id))))
    .toSorted();
  return [
    ...difference(mirrored, real).map((line) => `${person.email}: only in the mirror: ${line}`),
    ...difference(real, mirrored).map((line) => `${person.email}: only in the calendar: ${line}`),
  ];
}

/** Those of `lines` that `others` has not, each as often as it is more often there. */
function difference(lines: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return lines.filter((line) => {
    const place = left.indexOf(line);
    if (place === -1) return true;
    left.splice(place, 1);
    return false;
  });
}
