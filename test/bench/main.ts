import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { drawTable } from '../local/text-table.ts';
import { type Figure, isMet, toRows } from './figures.ts';
import { measureNeighbours, measureOverhead } from './latency.ts';
import { openBenchStage } from './stage.ts';
import { measureAllConnectors, measureAllWriters, measureOneConnector } from './throughput.ts';

const USAGE = `npm run bench [-- OPTIONS]: how near the worker comes to calls without it, in one run.

  --rounds N       of each measurement (3)
  --latency MS     of each provider call (200)
  --connectors N   connected accounts (32)
  --only NAME      one of: one, all, writers, overhead, neighbours
  --strict         fail when a target is not met
`;

const MEASUREMENTS = {
  one: measureOneConnector,
  all: measureAllConnectors,
  writers: measureAllWriters,
  overhead: measureOverhead,
  neighbours: measureNeighbours,
};

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
  const chosen = Object.entries(MEASUREMENTS).filter(
    ([name]) => values.only === undefined || values.only === name,
  );
  if (chosen.length === 0) throw new Error(USAGE);
  process.stderr.write(`connecting ${connectors} accounts\n`);
  const stage = await openBenchStage(connectors, latencyMs);
  const figures: Figure[] = [];
  try {
    for (const [name, measure] of chosen) {
      process.stderr.write(`${name}\n`);
      figures.push(...(await measure(stage, rounds)));
    }
  } finally {
    await stage.close();
  }
  process.stdout.write(
    `\n${drawTable(toRows(figures))}\n\n${rounds} rounds, ${latencyMs} ms a provider call, ${cpus().length} cores\n`,
  );
  if (values.strict && figures.some((figure) => isMet(figure) === false)) process.exitCode = 1;
}
