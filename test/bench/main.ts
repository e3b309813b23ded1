import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
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

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    latency: { type: 'string', default: '200' },
    connectors: { type: 'string', default: '32' },
    only: { type: 'string' },
    strict: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
// A signal alone ends a process without its exit handlers, which take the children along.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
if (values.help) process.stdout.write(USAGE);
else await run();

async function run(): Promise<void> {
  const [rounds, latencyMs, connectors] = [values.rounds, values.latency, values.connectors].map(Number);
  if (!rounds || !latencyMs || !connectors) throw new Error(USAGE);
  const figures = [
    ...(await measure(WITHOUT_MIRROR, () => openBenchStage(connectors, latencyMs), rounds)),
    ...(await measure(WITH_MIRROR, () => openMirrorStage(latencyMs), rounds)),
  ];
  if (figures.length === 0) throw new Error(USAGE);
  process.stdout.write(
    `\n${drawTable(toRows(figures))}\n\n${rounds} rounds, ${latencyMs} ms a provider call, ${cpus().length} cores\n`,
  );
  if (values.strict && figures.some((figure) => isMet(figure) === false)) process.exitCode = 1;
}

/** What was chosen of these, on a stage of their own. */
async function measure<Stage extends { close(): Promise<void> }>(
  measurements: Record<string, (stage: Stage, rounds: number) => Promise<Figure[]>>,
  open: () => Promise<Stage>,
  rounds: number,
): Promise<Figure[]> {
  const chosen = Object.entries(measurements).filter(
    ([name]) => values.only === undefined || values.only === name,
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
