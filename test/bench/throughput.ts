import { askSchedule, createEvent, runLoops } from './bare-loop.ts';
import type { Figure } from './figures.ts';
import { askAsSibling, type BenchStage, carryOut, nextHour, questionFor, type Target } from './stage.ts';

/** Work that is one provider call each time. */
interface Work {
  name: string;
  targets: readonly Target[];
  /** Calls of each connector that go side by side. */
  wide: number;
  /** Calls of each connector in a round. */
  calls: number;
  operation: string;
  kind: 'read' | 'write';
  /** Asked by as many loops of a sibling Worker as go side by side, or handed over through the queue. */
  by: 'sibling' | 'queue';
  /** What share of the bare loop's throughput the worker should reach, percent. */
  target?: number;
}

/** One connector with four calls at once, against the ideal and against a bare loop that does the same. */
export async function measureOneConnector(stage: BenchStage, rounds: number): Promise<Figure[]> {
  return await compare(stage, rounds, {
    name: '1 connector, 4 wide',
    targets: stage.targets.slice(0, 1),
    wide: 4,
    calls: 200,
    operation: 'graph.getSchedule',
    kind: 'read',
    by: 'queue',
    target: 95,
  });
}

/** All connectors with four calls at once each, asked by a sibling Worker. */
export async function measureAllConnectors(stage: BenchStage, rounds: number): Promise<Figure[]> {
  const { targets } = stage;
  return await compare(stage, rounds, {
    name: `${targets.length} connectors, 4 wide`,
    targets,
    wide: 4,
    calls: 100,
    operation: 'graph.getSchedule',
    kind: 'read',
    by: 'sibling',
    target: 90,
  });
}

/** The same through the queue, of which the local runtime has its own, on the thread of the worker. */
export async function measureQueue(stage: BenchStage, rounds: number): Promise<Figure[]> {
  const { targets } = stage;
  return await compare(stage, rounds, {
    name: `${targets.length} connectors, 4 wide, through the queue`,
    targets,
    wide: 4,
    calls: 100,
    operation: 'graph.getSchedule',
    kind: 'read',
    by: 'queue',
  });
}

/** All connectors with one write at a time each. */
export async function measureAllWriters(stage: BenchStage, rounds: number): Promise<Figure[]> {
  const { targets } = stage;
  return await compare(stage, rounds, {
    name: `${targets.length} connectors, writes, 1 at a time`,
    targets,
    wide: 1,
    calls: 30,
    operation: 'graph.events.create',
    kind: 'write',
    by: 'queue',
    target: 90,
  });
}

async function compare(stage: BenchStage, rounds: number, work: Work): Promise<Figure[]> {
  const { targets, wide, calls, name, target, by } = work;
  const call = work.kind === 'read' ? askSchedule : createEvent;
  await runLoops(stage, targets, { wide, calls: wide, call });
  const throughWorker = (each: number) =>
    by === 'queue'
      ? carryOut(stage, tasksOf(work, each))
      : askAsSibling(stage, targets, { wide, calls: each });
  await throughWorker(wide);
  const figures: Record<'bare' | 'worker' | 'ratio' | 'rate', number[]> = {
    bare: [],
    worker: [],
    ratio: [],
    rate: [],
  };
  for (let round = 0; round < rounds; round += 1) {
    const bare = await rateOf(stage, work, () => runLoops(stage, targets, { wide, calls, call }));
    const worker = await rateOf(stage, work, () => throughWorker(calls));
    const ideal = (1000 * targets.length * wide) / stage.latencyMs;
    figures.bare.push((100 * bare) / ideal);
    figures.worker.push((100 * worker) / ideal);
    figures.ratio.push((100 * worker) / bare);
    figures.rate.push(worker);
  }
  return [
    { name: `${name}: bare loop, of the ideal`, unit: '%', rounds: figures.bare },
    { name: `${name}: worker, of the ideal`, unit: '%', rounds: figures.worker },
    { name: `${name}: worker, calls`, unit: '/s', rounds: figures.rate },
    {
      name: `${name}: worker, of the bare loop`,
      unit: '%',
      rounds: figures.ratio,
      ...(target !== undefined && { target: { is: 'at least', value: target } }),
    },
  ];
}

/** A connector's tasks come together, those of several in turn, as many callers would send them. */
function tasksOf({ targets, kind }: Work, each: number) {
  return Array.from({ length: each }, () =>
    targets.map((target) => ({
      connectorId: target.connectorId,
      type: kind === 'read' ? 'check-availability' : 'create-event',
      payload: kind === 'read' ? questionFor(target) : { summary: 'Bench', ...nextHour(), timeZone: 'UTC' },
    })),
  ).flat();
}

/** Calls a second as the provider saw them: from the first that came to the last that was answered. */
async function rateOf({ sandbox }: BenchStage, work: Work, run: () => Promise<unknown>): Promise<number> {
  await sandbox.forgetTruth();
  await run();
  const { calls } = await sandbox.truth();
  const own = calls.filter(({ operation }) => operation === work.operation);
  const wanted = work.targets.length * work.calls;
  if (own.length !== wanted || calls.length !== wanted)
    throw new Error(`${calls.length} calls instead of ${wanted}`);
  const firstMs = Math.min(...own.map(({ at }) => at));
  const lastMs = Math.max(...own.map(({ at, ms }) => at + ms));
  return (1000 * own.length) / (lastMs - firstMs);
}
