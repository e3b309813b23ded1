import { cpus } from 'node:os';
import * as z from 'zod';
import { flag, number, readOptions } from '../local/program-options.ts';
import { drawTable } from '../local/text-table.ts';
import { type Figure, isMet, toRows } from './figures.ts';

const USAGE = `npm run bench [-- OPTIONS]: how near the worker comes to calls without it, in one run.

  --rounds N       of each measurement (3)
  --latency MS     of each provider call (200)
  --connectors N   connected accounts (32)
  --only NAME      one of: one, all, queue, writers, overhead, neighbours, mirror
  --strict         fail when a target is not met
`;

// Read when wrangler is loaded: only then does it keep its own log to itself.
process.env['WRANGLER_LOG'] = 'error';
const { measureNeighbours, measureOverhead } = await import('./latency.ts');
const { measureMirror, openMirrorStage } = await import('./mirror.ts');
const { openBenchStage } = await import('./stage.ts');
const { measureAllConnectors, measureAllWriters, measureOneConnector, measureQueue } =
  await import('./throughput.ts');

/** Here every question is another, and all that is counted is asked for it. */
const WITHOUT_MIRROR = {
  one: measureOneConnector,
  all: measureAllConnectors,
  queue: measureQueue,
  writers: measureAllWriters,
  overhead: measureOverhead,
  neighbours: measureNeighbours,
};
const WITH_MIRROR = { mirror: measureMirror };

const options = readOptions(USAGE, {
  rounds: number(3, 1),
  latency: number(200, 1),
  connectors: number(32, 1),
  only: z.enum([...Object.keys(WITHOUT_MIRROR), ...Object.keys(WITH_MIRROR)]).optional(),
  strict: flag,
});

// A signal alone ends a process without its exit handlers, which take the children along.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
await run();

async function run(): Promise<void> {
  const { rounds, latency: latencyMs, connectors, strict } = options;
  const figures = [
    ...(await measure(WITHOUT_MIRROR, () => openBenchStage(connectors, latencyMs), rounds)),
    ...(await measure(WITH_MIRROR, () => openMirrorStage(latencyMs), rounds)),
  ];
  process.stdout.write(
    `\n${drawTable(toRows(figures))}\n\n${rounds} rounds, ${latencyMs} ms a provider call, ${cpus().length} cores\n`,
  );
  if (strict && figures.some((figure) => isMet(figure) === false)) process.exitCode = 1;
}

/** What was chosen of these, on a stage of their own. */
async function measure<Stage extends { close(): Promise<void> }>(
  measurements: Record<string, (stage: Stage, rounds: number) => Promise<Figure[]>>,
  open: () => Promise<Stage>,
  rounds: number,
): Promise<Figure[]> {
  const chosen = Object.entries(measurements).filter(
    ([name]) => options.only === undefined || options.only === name,
  );
  if (chosen.length === 0) return [];
  process.stderr.write('opening the stage\n');
  const stage = await open();
  const figures: Figure[] = [];
  try {
    for (const [name, take] of chosen) {
      process.stderr.write(`${name}\n`);
      const found = await take(stage, rounds);
      // Told at once: the whole takes a while, and may be cut off.
      process.stderr.write(`${drawTable(toRows(found))}\n`);
      figures.push(...found);
    }
  } finally {
    await stage.close();
  }
  return figures;
}
