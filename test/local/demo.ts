/**
 * The main job from end to end, on this machine alone: the real worker in the local runtime, the
 * providers played by the sandbox. Connects three people, sends tasks to the queue, draws their
 * week, and says what it cost. Exits 0 when everything went as promised.
 */
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { type Interval, mergeIntervals } from '../../src/domain/interval.ts';
import { startOfDayMs } from '../../src/domain/time-zone.ts';
import type { Person } from '../sandbox/people.ts';
import { startSandbox } from '../sandbox/sandbox.ts';
import { seedWorld } from '../sandbox/seed.ts';
import { connect } from './connect.ts';
import { startRuntime } from './runtime.ts';
import { drawWeek } from './week-picture.ts';

const ZONE = 'Europe/Berlin';

const answerSchema = z.object({
  busy: z.array(z.object({ start: z.string(), end: z.string() })),
  calendars: z.array(z.object({ id: z.string(), status: z.string() })),
});

const { values: options } = parseArgs({ options: { verbose: { type: 'boolean', default: false } } });
if (!options.verbose) process.env['WRANGLER_LOG'] = 'error';

const sandbox = await startSandbox();
const now = new Date();
const { ada, grace, linus } = seedWorld(sandbox, { now: now.toISOString() });
const runtime = await startRuntime(sandbox);
const problems: string[] = [];

try {
  say('The worker runs in the local runtime; Google and Microsoft are played by the sandbox.\n');

  say('Connecting, each through the whole sign-in (PKCE, consent page, callback, code exchange):');
  const people: { person: Person; connectorId: string }[] = [];
  for (const person of [ada, grace, linus]) {
    const connectorId = await connect(runtime, person, { userId: 'demo' });
    people.push({ person, connectorId });
    say(`  ${person.name.padEnd(18)} ${describeAccount(person).padEnd(20)} connector ${connectorId}`);
  }

  const days = weekOf(now);
  const timeMin = new Date(days[0] ?? 0).toISOString();
  const timeMax = new Date((days.at(-1) ?? 0) + 24 * 60 * 60 * 1000).toISOString();
  say('\nSending tasks to the queue calendar-tasks, each of them twice (delivery is at least once):');
  const tasks = people.flatMap(({ connectorId, person }) => [
    { person, message: { id: randomUUID(), type: 'refresh-token', connectorId, payload: {} } },
    {
      person,
      message: {
        id: randomUUID(),
        type: 'check-availability',
        connectorId,
        payload: { connectorId, timeMin, timeMax, timeZone: ZONE },
      },
    },
  ]);
  await runtime.bindings.Q_TASKS.sendBatch([...tasks, ...tasks].map(({ message }) => ({ body: message })));

  const busy = new Map<Person, Interval[]>();
  for (const { person, message } of tasks) {
    const notice = await runtime.notice(({ taskId }) => taskId === message.id);
    say(`  ${message.type.padEnd(18)} ${person.name.padEnd(18)} ${notice.type}`);
    if (notice.type !== 'task-completed')
      problems.push(`${message.type} of ${person.name}: ${notice.error?.message}`);
    else if (message.type === 'check-availability') {
      const answer = answerSchema.parse(notice.result);
      for (const { id, status } of answer.calendars) {
        if (status !== 'ok') problems.push(`calendar ${id} of ${person.name} is ${status}`);
      }
      busy.set(
        person,
        answer.busy.map(({ start, end }) => ({ startMs: Date.parse(start), endMs: Date.parse(end) })),
      );
    }
  }

  say(`\nThe week of the three, in ${ZONE} (█ busy, · free, half an hour each):\n`);
  const lines = [...busy].map(([{ name }, intervals]) => ({ name, busy: intervals }));
  const together = { name: 'any of them', busy: mergeIntervals(lines.flatMap((line) => line.busy)) };
  say(drawWeek(days, [...lines, together], ZONE));

  say('\nWhat it cost:');
  for (const { person } of people) {
    const calls = sandbox.truth.calls.filter(({ person: who }) => who === person.email);
    const of = (kind: string) => calls.filter((call) => call.kind === kind).length;
    const refreshes = calls.filter(({ grantType }) => grantType === 'refresh_token').length;
    say(
      `  ${person.name.padEnd(18)} ${of('api')} calendar calls (${of('envelope')} batches), ` +
        `${of('token')} token calls of which ${refreshes} refresh, at most ${sandbox.truth.peak(person.email)} at once`,
    );
    if (refreshes !== 1) problems.push(`${person.name}: ${refreshes} refreshes for one refresh-token task`);
  }

  const verdict = sandbox.truth.verdict();
  problems.push(...verdict.problems);
  say(
    `\nThe providers' own log: ${sandbox.truth.calls.length} requests, ${verdict.ok ? 'nothing to complain about' : 'complaints'}.`,
  );
} finally {
  await runtime.close();
  await sandbox.close();
}
for (const problem of problems) say(`  ! ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function describeAccount({ provider, account }: Person): string {
  return provider === 'google' ? 'Google' : `Microsoft, ${account}`;
}

/** The starts of Monday to Sunday of the ISO week that holds `at`, in the demo's zone. */
function weekOf(at: Date): number[] {
  const today = new Intl.DateTimeFormat('en-CA', { timeZone: ZONE }).format(at);
  const noon = Date.parse(`${today}T12:00:00Z`);
  const sinceMonday = (new Date(noon).getUTCDay() + 6) % 7;
  return Array.from({ length: 7 }, (_, index) => {
    const date = new Date(noon + (index - sinceMonday) * 24 * 60 * 60 * 1000).toISOString().slice(0, 10);
    return startOfDayMs(date, ZONE);
  });
}
