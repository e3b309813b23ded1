import { setTimeout as sleep } from 'node:timers/promises';
import { type Figure, quantile } from './figures.ts';
import { type BenchStage, carryOut, questionFor, type Target } from './stage.ts';

const CALLS = 150;
/** How long the quiet connectors are watched, and how often each of them is asked. */
const WATCH_MS = 15_000;
const ASK_EVERY_MS = 1_000;
/** More than the hot connector can do meanwhile: it is busy all the time. */
const HOT_TASKS = 400;

/** What a call through the warm worker takes beyond what the provider itself takes for it. */
export async function measureOverhead(stage: BenchStage, rounds: number): Promise<Figure[]> {
  const { sandbox, worker, targets } = stage;
  const [target] = targets;
  if (target === undefined) throw new Error('nobody is connected');
  const [medians, tails, bare, actor]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let call = 0; call < 20; call += 1) await ask(stage, target);
  for (let round = 0; round < rounds; round += 1) {
    await sandbox.forgetTruth();
    const walls: number[] = [];
    for (let call = 0; call < CALLS; call += 1) walls.push(await ask(stage, target));
    const { calls } = await sandbox.truth();
    if (calls.length !== CALLS) throw new Error(`${calls.length} calls instead of ${CALLS}`);
    const beyond = walls.map((wall, index) => wall - (calls[index]?.ms ?? NaN));
    medians.push(quantile(beyond, 0.5));
    tails.push(quantile(beyond, 0.99));
    bare.push(await medianOf(() => worker.fetch('/healthz')));
    const unknown = `/v1/connectors/${target.connectorId}/tasks/unknown`;
    actor.push(await medianOf(() => worker.api('GET', unknown)));
  }
  return [
    {
      name: 'overhead of a call, p50',
      unit: 'ms',
      rounds: medians,
      target: { is: 'at most', value: 5 },
    },
    { name: 'overhead of a call, p99', unit: 'ms', rounds: tails, target: { is: 'at most', value: 25 } },
    { name: 'of it to the worker and back (GET /healthz), p50', unit: 'ms', rounds: bare },
    { name: 'of it to the actor and back (GET of no task), p50', unit: 'ms', rounds: actor },
  ];
}

/** What a call that asks no provider takes, milliseconds. */
async function medianOf(call: () => Promise<unknown>): Promise<number> {
  const walls: number[] = [];
  for (let index = 0; index < CALLS; index += 1) {
    const startedAtMs = performance.now();
    await call();
    walls.push(performance.now() - startedAtMs);
  }
  return quantile(walls, 0.5);
}

/** What the quiet connectors feel of one that is hot. */
export async function measureNeighbours(stage: BenchStage, rounds: number): Promise<Figure[]> {
  const [hot, ...quiet] = stage.targets;
  if (hot === undefined) throw new Error('nobody is connected');
  await watch(stage, quiet, 3_000);
  const [alone, beside, ratio]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round += 1) {
    const baseline = quantile(await watch(stage, quiet, WATCH_MS), 0.99);
    const heat = carryOut(
      stage,
      Array.from({ length: HOT_TASKS }, () => ({
        type: 'check-availability',
        connectorId: hot.connectorId,
        payload: questionFor(hot),
      })),
    );
    const felt = quantile(await watch(stage, quiet, WATCH_MS), 0.99);
    await heat;
    alone.push(baseline);
    beside.push(felt);
    ratio.push(felt / baseline);
  }
  return [
    { name: `${quiet.length} quiet connectors by themselves, p99`, unit: 'ms', rounds: alone },
    { name: `${quiet.length} quiet connectors beside a hot one, p99`, unit: 'ms', rounds: beside },
    {
      name: 'quiet connectors beside a hot one, p99 against their own',
      unit: 'x',
      rounds: ratio,
      target: { is: 'at most', value: 2 },
    },
  ];
}

/** What each answer took while all of them are asked once in a while, evenly spread. */
async function watch(stage: BenchStage, targets: readonly Target[], forMs: number): Promise<number[]> {
  const walls: number[] = [];
  const untilMs = Date.now() + forMs;
  await Promise.all(
    targets.map(async (target, index) => {
      await sleep((index * ASK_EVERY_MS) / targets.length);
      while (Date.now() < untilMs) {
        const nextAtMs = Date.now() + ASK_EVERY_MS;
        walls.push(await ask(stage, target));
        await sleep(Math.max(0, nextAtMs - Date.now()));
      }
    }),
  );
  return walls;
}

/** Asks over HTTP; how long the answer took, milliseconds. */
async function ask({ worker }: BenchStage, target: Target): Promise<number> {
  const question = questionFor(target);
  const startedAtMs = performance.now();
  const path = `/v1/connectors/${target.connectorId}/availability`;
  const { status, text } = await worker.api('POST', path, question);
  const wall = performance.now() - startedAtMs;
  if (status !== 200 || !text.includes('"ok"')) throw new Error(`availability: ${status} ${text}`);
  return wall;
}
