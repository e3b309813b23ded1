import { setTimeout as sleep } from 'node:timers/promises';
import { askSchedule } from './bare-loop.ts';
import { type Figure, quantile } from './figures.ts';
import { ask, askAsSibling, type BenchStage, carryOut, questionFor, type Target } from './stage.ts';

const CALLS = 150;
/** How long the quiet connectors are watched, and how often each of them is asked. */
const WATCH_MS = 15_000;
const ASK_EVERY_MS = 1_000;
/** More than the hot connector can do meanwhile: it is busy all the time. */
const HOT_TASKS = 400;

/** What a call through the warm worker takes beyond the same call past it, made in turn. */
export async function measureOverhead(stage: BenchStage, rounds: number): Promise<Figure[]> {
  const { sandbox, worker, targets, latencyMs } = stage;
  const [target] = targets;
  if (target === undefined) throw new Error('nobody is connected');
  const slow = await measureBeyond(stage, target, rounds);
  // Without waits in between: what a machine takes to wake up, several times a call, is left out.
  await sandbox.latency('microsoft', 0);
  const fast = await measureBeyond(stage, target, rounds);
  await sandbox.latency('microsoft', latencyMs);
  const [bare, actor]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await medianOf(() => worker.fetch('/healthz')));
    const unknown = `/v1/connectors/${target.connectorId}/tasks/unknown`;
    actor.push(await medianOf(() => worker.api('GET', unknown)));
  }
  const atMost = (value: number) => ({ target: { is: 'at most' as const, value } });
  const name = `a provider call of ${latencyMs} ms`;
  return [
    { name: `sibling Worker, beyond ${name}, p50`, unit: 'ms', rounds: slow.sibling.p50, ...atMost(5) },
    { name: `sibling Worker, beyond ${name}, p99`, unit: 'ms', rounds: slow.sibling.p99, ...atMost(25) },
    { name: `HTTP, beyond ${name}, p50`, unit: 'ms', rounds: slow.http.p50 },
    { name: `HTTP, beyond ${name}, p99`, unit: 'ms', rounds: slow.http.p99 },
    { name: 'HTTP, beyond one that is answered at once, p50', unit: 'ms', rounds: fast.http.p50 },
    { name: 'HTTP, beyond one that is answered at once, p99', unit: 'ms', rounds: fast.http.p99 },
    { name: 'to the worker and back (GET /healthz), p50', unit: 'ms', rounds: bare },
    { name: 'to the actor and back (GET of no task), p50', unit: 'ms', rounds: actor },
  ];
}

/** By how much a call that a sibling Worker makes, and one over HTTP, take longer than one past the worker. */
async function measureBeyond(stage: BenchStage, target: Target, rounds: number) {
  const beyond = {
    sibling: { p50: [] as number[], p99: [] as number[] },
    http: { p50: [] as number[], p99: [] as number[] },
  };
  await askAsSibling(stage, [target], { wide: 1, calls: 20 });
  for (let round = 0; round < rounds; round += 1) {
    const [past, http]: [number[], number[]] = [[], []];
    for (let call = 0; call < CALLS; call += 1) {
      past.push(await wallOf(() => askSchedule(stage, target)));
      http.push(await wallOf(() => ask(stage, target)));
    }
    const sibling = await askAsSibling(stage, [target], { wide: 1, calls: CALLS });
    const ideal = quantile(past, 0.5);
    for (const [way, walls] of [
      ['sibling', sibling],
      ['http', http],
    ] as const) {
      beyond[way].p50.push(quantile(walls, 0.5) - ideal);
      beyond[way].p99.push(quantile(walls, 0.99) - ideal);
    }
  }
  return beyond;
}

/** What a call that asks no provider takes, milliseconds. */
async function medianOf(call: () => Promise<unknown>): Promise<number> {
  const walls: number[] = [];
  for (let index = 0; index < CALLS; index += 1) {
    walls.push(await wallOf(call));
  }
  return quantile(walls, 0.5);
}

/** How long it takes, milliseconds. */
async function wallOf(call: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  await call();
  return performance.now() - startedAtMs;
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
        walls.push(await wallOf(() => ask(stage, target)));
        await sleep(Math.max(0, nextAtMs - Date.now()));
      }
    }),
  );
  return walls;
}
