import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { startChildRuntime } from '../local/child-runtime.ts';
import { connect } from '../local/connect.ts';
import { number, readOptions } from '../local/program-options.ts';
import { type SandboxProcess, startSandboxProcess } from '../local/sandbox-process.ts';
import { drawTable } from '../local/text-table.ts';
import { dice } from '../sandbox/dice.ts';
import type { FaultEffect } from '../sandbox/faults.ts';
import { HandOver } from './hand-over.ts';
import { isGood, judge, type Judgement } from './judge.ts';
import { CROSSING_MS, Kills } from './kills.ts';
import { peopleOf, planTasks, type Target } from './plan.ts';

const USAGE = `npm run test:load [-- OPTIONS]: the worker under load, faults and kills, as real processes.

  --tasks N        tasks in all (10000)
  --connectors N   connected accounts (32)
  --kills N        how often the worker is killed (20)
  --faults SHARE   of the provider calls that go wrong (0.2)
  --seed N         of everything that is left to chance (1)
  --minutes N      the longest the tasks may take (60)
  --keep FILE      writes what the providers saw there, as JSON
`;

/** Every way in which a call can go wrong that ends by itself. */
const FAULTS: FaultEffect[] = [
  { kind: 'reply-lost' },
  { kind: 'reset' },
  { kind: 'status', status: 503 },
  { kind: 'status-after', status: 500 },
  { kind: 'malformed' },
  { kind: 'throttle', retryAfter: 4, holdMs: 4_000, crossingMs: CROSSING_MS },
];
const SLOW: FaultEffect = { kind: 'latency', ms: 600 };
/** What every call takes: the provider is what the worker waits for, not this machine. */
const LATENCY_MS = 50;

/** When so many have ended the storm is over: what is left is in long back-offs, and comes through at its next try. */
const STORM_UNTIL = 0.9;
const DAY_MS = 24 * 60 * 60 * 1000;
/** In the end so long is waited: calls of the dead are carried out, and what they leave is looked for once more (35 s on). */
const LATE_MS = 45_000;
/** The longest window of a provider in which calls are counted here, and a little more. */
const WINDOW_MS = 12 * 60_000;
const REPORT_EVERY_MS = 15_000;

const { tasks, connectors, kills, faults, seed, minutes, keep } = readOptions(USAGE, {
  tasks: number(10_000, 1),
  connectors: number(32, 1),
  kills: number(20),
  faults: number(0.2),
  seed: number(1),
  minutes: number(60, 1),
  keep: z.string().optional(),
});
// A signal alone ends a process without its exit handlers, which take the children along.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
process.exitCode = (await run()) ? 0 : 1;

/** The whole run; true when all is well. */
async function run(): Promise<boolean> {
  const startedAtMs = Date.now();
  const chance = dice(seed);
  const sandbox = await startSandboxProcess(seed);
  const opened: { close(): Promise<void> }[] = [sandbox];
  try {
    say(`connecting ${connectors} accounts`);
    const worker = await startChildRuntime(sandbox);
    opened.unshift(worker);
    const targets: Target[] = [];
    for (const person of peopleOf(connectors)) {
      await sandbox.addPerson(person);
      targets.push({ person, connectorId: await connect(worker, person) });
    }
    const fromMs = Math.ceil(Date.now() / DAY_MS) * DAY_MS + 7 * DAY_MS;
    const plan = planTasks(tasks, targets, fromMs, chance);
    await raiseStorm(sandbox, faults);
    const handOver = new HandOver(worker, plan.tasks);
    const killer = new Kills(worker, sandbox, kills, chance);
    const giveUpAtMs = Date.now() + minutes * 60_000;
    let toldAtMs = 0;
    let isStorm = true;
    while (!handOver.isOver && Date.now() < giveUpAtMs) {
      killer.proceed(handOver.ended / tasks);
      if (killer.takeRestart()) await handOver.afterRestart();
      else await handOver.step();
      if (isStorm && !killer.isUnderWay && handOver.ended >= tasks * STORM_UNTIL) {
        isStorm = false;
        await sandbox.clearFaults();
        say('the storm is over');
      }
      if (Date.now() - toldAtMs > REPORT_EVERY_MS) {
        toldAtMs = Date.now();
        say(`${handOver.ended} of ${tasks} ended, ${killer.killedAtMs.length} kills`);
      }
      await sleep(100);
    }
    while (killer.isUnderWay) await sleep(100);
    killer.takeRestart();
    for (const line of handOver.open.slice(0, 20)) say(line);
    say(`waiting ${LATE_MS / 1000} s for what may come late`);
    await sleep(LATE_MS);
    const lookAround = async () => ({ truth: await sandbox.truth(), people: await sandbox.people() });
    let seen = await lookAround();
    let judgement = judge(plan, handOver.ends, seen, killer.killedAtMs);
    // What is to be taken away waits its turn where the app's window is used up: it is late, not forgotten.
    const patientUntilMs = Date.now() + WINDOW_MS;
    while (judgement.leftOver.length > 0 && Date.now() < patientUntilMs) {
      say(`${judgement.leftOver.length} entries are yet to be taken away`);
      await sleep(REPORT_EVERY_MS);
      seen = await lookAround();
      judgement = judge(plan, handOver.ends, seen, killer.killedAtMs);
    }
    if (keep !== undefined) await writeFile(keep, JSON.stringify({ ...seen, kills: killer.killedAtMs }));
    const seconds = Math.round((Date.now() - startedAtMs) / 1000);
    print(judgement, [
      ['tasks', tasks],
      ['connectors', connectors],
      ['kills', killer.killedAtMs.length],
      ['restarts', killer.restarts],
      ['HTTP re-sends (batches)', handOver.httpResends],
      ['queue re-sends (tasks)', handOver.queueResends],
      ['time (s)', seconds],
    ]);
    return isGood(judgement) && killer.killedAtMs.length >= kills;
  } finally {
    for (const one of opened) await one.close();
  }
}

/** Has `share` of the calls go wrong, each kind as often as the others. */
async function raiseStorm(sandbox: SandboxProcess, share: number): Promise<void> {
  for (const provider of ['google', 'microsoft'] as const) await sandbox.latency(provider, LATENCY_MS);
  const each = share / (FAULTS.length + 1);
  for (const [index, effect] of FAULTS.entries()) {
    // They are tried one after the other: each strikes its part of what those before it have left.
    await sandbox.addFault({ effect, chance: each / (1 - index * each), times: 1e9 });
  }
  const chance = each / (1 - FAULTS.length * each);
  await sandbox.addFault({ effect: SLOW, chance, times: 1e9 });
}

function print(judgement: Judgement, facts: [string, number][]): void {
  const { lost, duplicated, leftOver, failedUnexpectedly, early, refused, calls, faultyCalls } = judgement;
  const faulty = calls === 0 ? 0 : (100 * faultyCalls) / calls;
  const table = drawTable([
    ['figure', 'value'],
    ...facts.slice(0, 2),
    ['lost', lost.length],
    ['duplicated', duplicated.length],
    ['left over of cancelled holds', leftOver.length],
    ['failed unexpectedly', failedUnexpectedly.length],
    ['early calls', early.length],
    ['early calls whose throttle was told to the dead', judgement.earlyToldToTheDead],
    ['early calls that crossed it while all stood still', judgement.earlyCrossing],
    ['peak', judgement.peak],
    ['peak, calls of the dead process included', judgement.peakWithDead],
    ['over-limit user windows', judgement.overfullWindows],
    ['requests refused as wrong', refused.length],
    ...facts.slice(2, -1),
    ['provider calls', calls],
    ['of them struck by a fault (%)', faulty.toFixed(1)],
    ...facts.slice(-1),
  ]);
  process.stdout.write(`\n${table}\n`);
  for (const [name, list] of Object.entries({
    lost,
    duplicated,
    leftOver,
    failedUnexpectedly,
    early,
    refused,
  })) {
    for (const line of list.slice(0, 10)) process.stdout.write(`${name}: ${line}\n`);
  }
}

function say(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}
