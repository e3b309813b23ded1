/**
 * The main job from end to end, on this machine alone: the real worker in the local runtime, the
 * providers played by the sandbox. Connects three people, sends tasks to the queue, draws their week,
 * books a meeting that suits all three, asks the mirrors about it, and says what it cost. Exits 0 when
 * everything went as promised.
 */
import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { type Interval, mergeIntervals } from '../../src/domain/interval.ts';
import { startOfDayMs } from '../../src/domain/time-zone.ts';
import type { Person } from '../sandbox/people.ts';
import { startSandbox } from '../sandbox/sandbox.ts';
import { seedWorld } from '../sandbox/seed.ts';
import { connect } from './connect.ts';
import { flag, readOptions } from './program-options.ts';
import { startRuntime } from './runtime.ts';
import { drawWeek, type Line } from './week-picture.ts';

const ZONE = 'Europe/Berlin';
const DAY_MS = 24 * 60 * 60 * 1000;

const stretchSchema = z.object({ start: z.string(), end: z.string() });
const answerSchema = z.object({
  busy: z.array(stretchSchema),
  calendars: z.array(z.object({ id: z.string(), status: z.string() })),
  freshness: z.object({ source: z.string() }),
});
const timesSchema = z.object({ suggestions: z.array(stretchSchema) });
const groupSchema = z.object({ state: z.string(), slots: z.array(z.object({ state: z.string() })) });

/** Somebody whose calendar is connected. */
interface Connected {
  person: Person;
  connectorId: string;
}

const USAGE = `npm run demo [-- OPTIONS]: connects three people, asks for their week through the queue, draws it.

  --verbose   show the runtime's own log
`;
const options = readOptions(USAGE, { verbose: flag });
if (!options.verbose) process.env['WRANGLER_LOG'] = 'error';

const sandbox = await startSandbox();
const now = new Date();
const { ada, grace, linus } = seedWorld(sandbox, { now: now.toISOString() });
const runtime = await startRuntime(sandbox);
const problems: string[] = [];

try {
  say('The worker runs in the local runtime; Google and Microsoft are played by the sandbox.\n');
  const people = await connectAll([ada, grace, linus]);

  say('\nA time that suits all three, an hour within the next two weeks (POST /v1/meeting-times):');
  const meeting = await findTime(people);
  const days = weekOf(meeting.startMs);

  say('\nSending tasks to the queue calendar-tasks, each of them twice (delivery is at least once):');
  const before = await askThroughQueue(people, days);
  say(`\nTheir week, in ${ZONE} (█ busy, · free, half an hour each):\n`);
  say(drawWeek(days, withAll(before), ZONE));

  say('\nHolding that time on all three calendars, or on none (POST /v1/holds), then confirming it:');
  await bookMeeting(people, meeting);

  say('\nReading their calendars anew (sync-calendar), then asking for that week as before:');
  const after = await askMirrors(people, days);
  say('\nThe same week with the meeting (◆):\n');
  say(drawWeek(days, withAll(after.map((line) => ({ ...line, meeting }))), ZONE));
  for (const { name, busy } of after) {
    const isThere = busy.some(({ startMs, endMs }) => startMs <= meeting.startMs && meeting.endMs <= endMs);
    if (!isThere) problems.push(`the meeting is not in the calendar of ${name}`);
  }

  say('\nWhat it cost:');
  for (const { person } of people) tellCost(person);
  const verdict = sandbox.truth.verdict();
  problems.push(...verdict.problems);
  const invitations = sandbox.truth.effects.reduce((sum, { mails }) => sum + mails, 0);
  if (invitations !== 1) problems.push(`${invitations} invitations for one guest`);
  say(
    `\nThe providers' own log: ${sandbox.truth.calls.length} requests, ${invitations} invitation sent, ` +
      `${verdict.ok ? 'nothing to complain about' : 'complaints'}.`,
  );
} finally {
  await runtime.close();
  await sandbox.close();
}
for (const problem of problems) say(`  ! ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;

/** Each through the whole sign-in. */
async function connectAll(all: Person[]): Promise<Connected[]> {
  say('Connecting, each through the whole sign-in (PKCE, consent page, callback, code exchange):');
  const connected: Connected[] = [];
  for (const person of all) {
    const connectorId = await connect(runtime, person, { userId: 'demo' });
    connected.push({ person, connectorId });
    say(`  ${person.name.padEnd(18)} ${describeAccount(person).padEnd(20)} connector ${connectorId}`);
  }
  return connected;
}

/** The soonest hour that suits all of them; Berlin, New York and Tokyo have to agree on hours for it. */
async function findTime(people: Connected[]): Promise<Interval> {
  const [soonest] = await suggestTimes(people);
  say(
    `  within everybody's own working hours   ${soonest === undefined ? 'none' : tellTime(readStretch(soonest))}`,
  );
  const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'];
  const afternoons = weekdays.map((day) => ({ day, start: '13:00', end: '18:00', timeZone: ZONE }));
  const [first] = await suggestTimes(people, { workingHours: afternoons });
  if (first === undefined) throw new Error('no time suits all three');
  say(`  on weekdays, 13:00 to 18:00 in Berlin   ${tellTime(readStretch(first))}`);
  return readStretch(first);
}

async function suggestTimes(people: Connected[], more: object = {}) {
  const answer = await runtime.api('POST', '/v1/meeting-times', {
    connectorIds: people.map(({ connectorId }) => connectorId),
    timeMin: now.toISOString(),
    timeMax: new Date(now.getTime() + 14 * DAY_MS).toISOString(),
    timeZone: ZONE,
    durationMinutes: 60,
    limit: 3,
    ...more,
  });
  return timesSchema.parse(answer.json).suggestions;
}

/** Sends a refresh and a question about the week for each of them, every message twice. */
async function askThroughQueue(people: Connected[], days: number[]): Promise<Line[]> {
  const tasks = people.flatMap(({ connectorId, person }) => [
    { person, message: { id: randomUUID(), type: 'refresh-token', connectorId, payload: {} } },
    {
      person,
      message: { id: randomUUID(), type: 'check-availability', connectorId, payload: questionFor(days) },
    },
  ]);
  await runtime.bindings.Q_TASKS.sendBatch([...tasks, ...tasks].map(({ message }) => ({ body: message })));
  const lines: Line[] = [];
  for (const { person, message } of tasks) {
    const notice = await runtime.notice(({ taskId }) => taskId === message.id);
    say(`  ${message.type.padEnd(18)} ${person.name.padEnd(18)} ${notice.type}`);
    if (notice.type !== 'task-completed')
      problems.push(`${message.type} of ${person.name}: ${notice.error?.message}`);
    else if (message.type === 'check-availability') lines.push(readAnswer(person, notice.result));
  }
  return lines;
}

async function bookMeeting(people: Connected[], { startMs, endMs }: Interval): Promise<void> {
  const holdId = randomUUID();
  const held = await runtime.api('POST', '/v1/holds', {
    holdId,
    slots: people.map(({ connectorId }) => ({ connectorId })),
    start: new Date(startMs).toISOString(),
    end: new Date(endMs).toISOString(),
    timeZone: ZONE,
  });
  tellGroup('held', held.status, held.text);
  const confirmed = await runtime.api('POST', `/v1/holds/${holdId}/confirm`, {
    summary: 'Planning',
    attendees: [{ email: 'guest@example.com' }],
  });
  tellGroup('confirmed', confirmed.status, confirmed.text);
}

function tellGroup(wanted: string, status: number, text: string): void {
  const read = groupSchema.safeParse(JSON.parse(text));
  const states = read.data?.slots.map(({ state }) => state).join(', ') ?? text;
  say(`  ${String(status)} ${(read.data?.state ?? 'refused').padEnd(12)} (${states})`);
  if (read.data?.state !== wanted) problems.push(`the hold is not ${wanted}: ${text}`);
}

/** Brings the mirrors up to date through the queue; what is asked after that asks no provider. */
async function askMirrors(people: Connected[], days: number[]): Promise<Line[]> {
  const tasks = people.map((one) => ({ ...one, id: randomUUID() }));
  await runtime.bindings.Q_TASKS.sendBatch(
    tasks.map(({ id, connectorId }) => ({ body: { id, type: 'sync-calendar', connectorId, payload: {} } })),
  );
  const lines: Line[] = [];
  for (const { id, person, connectorId } of tasks) {
    const { type } = await runtime.notice(({ taskId }) => taskId === id);
    const path = `/v1/connectors/${connectorId}/availability`;
    const { json } = await runtime.api('POST', path, questionFor(days));
    const { source } = answerSchema.parse(json).freshness;
    say(`  sync-calendar      ${person.name.padEnd(18)} ${type}, answered from: ${source}`);
    if (source !== 'mirror') problems.push(`the answer about ${person.name} is not from the mirror`);
    lines.push(readAnswer(person, json));
  }
  return lines;
}

function questionFor(days: number[]): object {
  const timeMin = new Date(days[0] ?? 0).toISOString();
  return { timeMin, timeMax: new Date((days.at(-1) ?? 0) + DAY_MS).toISOString(), timeZone: ZONE };
}

function readAnswer(person: Person, answer: unknown): Line {
  const { busy, calendars } = answerSchema.parse(answer);
  for (const { id, status } of calendars) {
    if (status !== 'ok') problems.push(`calendar ${id} of ${person.name} is ${status}`);
  }
  return { name: person.name, busy: busy.map(readStretch) };
}

function readStretch({ start, end }: { start: string; end: string }): Interval {
  return { startMs: Date.parse(start), endMs: Date.parse(end) };
}

/** The lines, and one for all of them together. */
function withAll(lines: Line[]): Line[] {
  const [first] = lines;
  const together = { name: 'any of them', busy: mergeIntervals(lines.flatMap(({ busy }) => busy)) };
  return [...lines, first?.meeting === undefined ? together : { ...together, meeting: first.meeting }];
}

function tellCost(person: Person): void {
  const calls = sandbox.truth.calls.filter(({ person: who }) => who === person.email);
  const of = (kind: string) => calls.filter((call) => call.kind === kind).length;
  const refreshes = calls.filter(({ grantType }) => grantType === 'refresh_token').length;
  say(
    `  ${person.name.padEnd(18)} ${of('api')} calendar calls (${of('envelope')} batches), ` +
      `${of('token')} token calls of which ${refreshes} refresh, at most ${sandbox.truth.peak(person.email)} at once`,
  );
  if (refreshes !== 1) problems.push(`${person.name}: ${refreshes} refreshes for one refresh-token task`);
}

function tellTime({ startMs, endMs }: Interval): string {
  const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeZone: ZONE }).format(startMs);
  const time = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short', timeZone: ZONE });
  return `${day}, ${time.format(startMs)} to ${time.format(endMs)}`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function describeAccount({ provider, account }: Person): string {
  return provider === 'google' ? 'Google' : `Microsoft, ${account}`;
}

/** The starts of Monday to Sunday of the ISO week that holds `atMs`, in the demo's zone. */
function weekOf(atMs: number): number[] {
  const today = new Intl.DateTimeFormat('en-CA', { timeZone: ZONE }).format(atMs);
  const noon = Date.parse(`${today}T12:00:00Z`);
  const sinceMonday = (new Date(noon).getUTCDay() + 6) % 7;
  return Array.from({ length: 7 }, (_, index) => {
    const date = new Date(noon + (index - sinceMonday) * DAY_MS).toISOString().slice(0, 10);
    return startOfDayMs(date, ZONE);
  });
}
