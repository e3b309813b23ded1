import { readOptions } from '../../local/program-options.ts';
import { Random } from '../random.ts';
import { calibrate } from './calibration.ts';
import { addConnector, type Day, emptyDay, modelDay, planDay } from './model.ts';
import { difference, RealConnector } from './real-connector.ts';
import { addCost, COSTS, noCost, type Usage } from './usage.ts';

/*
 * One day of a hundred thousand connectors, in seconds: what it costs and what it asks of others. The
 * real actor is measured first, piece by piece; a few real connectors then live through a whole day, to
 * see whether the pieces add up; the rest is counting.
 */

const USAGE: Usage = {
  shareInUse: 0.3,
  errandsPerHour: 2,
  fromHour: 8,
  toHour: 18,
  mix: { look: 5, book: 2, move: 0.5, cancel: 0.5, 'hold-and-confirm': 1, 'hold-and-let-go': 1 },
  tokenLifeMs: 3_600_000,
  leaseCalls: 20,
  leaseLifeMs: 10 * 60_000,
};
const CONNECTORS = [1_000, 10_000, 100_000];
/** Real connectors that live through the day. */
const REAL_CONNECTORS = 20;
const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 10, 23);

readOptions(
  'npm run simulate:day: what a day of 100,000 connectors costs and asks of others. Takes no options.\n',
  {},
);

const calibration = await calibrate(USAGE.tokenLifeMs);

console.log('Measured on the real actor, operations each:\n');
const { errands, refreshAhead, refreshOnDemand, lapse } = calibration;
const measured = { ...errands, 'refresh ahead': refreshAhead, 'refresh on demand': refreshOnDemand, lapse };
printTable(
  ['', ...COSTS],
  Object.entries(measured).map(([name, cost]) => [name, ...COSTS.map((one) => cost[one].toFixed(1))]),
);
const earliest = Math.min(...calibration.refreshAfterMs) / 60_000;
const latest = Math.max(...calibration.refreshAfterMs) / 60_000;
console.log(
  `\nA token is refreshed ${earliest.toFixed(1)} to ${latest.toFixed(1)} minutes after it was granted, ` +
    `while its connector was used within ${Math.round(calibration.inUseMs / 60_000)} minutes.`,
);

console.log(`\n${REAL_CONNECTORS} connectors in use for a day, real and by the model:\n`);
const { real, modelled } = await compare();
printTable(
  ['', ...COSTS],
  [
    ['real', ...COSTS.map((one) => whole(real[one]))],
    ['model', ...COSTS.map((one) => whole(modelled.total[one]))],
  ],
);

console.log(
  `\nA day by the model, ${USAGE.shareInUse * 100} % of the connectors in use, each with ` +
    `${USAGE.errandsPerHour} errands an hour from ${USAGE.fromHour} to ${USAGE.toHour} o'clock:\n`,
);
const days = CONNECTORS.map((connectors) => ({
  connectors,
  day: modelDay(connectors, USAGE, calibration, new Random(connectors)),
}));
printTable(
  ['connectors', ...days.map(({ connectors }) => whole(connectors)), 'of the last, per connector'],
  [...COSTS.map((one) => row(one, ({ total }) => total[one])), row('errands', (day) => day.errands)].map(
    (cells) => cells,
  ),
);
console.log('\nWhat is shared by all connectors:\n');
const share = (name: string, of: (day: Day) => number) => [
  name,
  ...days.map(({ day }) => of(day).toFixed(2)),
];
printTable(
  ['connectors', ...days.map(({ connectors }) => whole(connectors))],
  [
    share('lease calls a second, mean of the working day', (day) => meanOf(day.leasesBySecond)),
    share('lease calls a second, peak', (day) => Math.max(...day.leasesBySecond)),
    share('token calls a minute, mean of the working day', (day) => meanOf(day.refreshesByMinute)),
    share('token calls a minute, peak', (day) => Math.max(...day.refreshesByMinute)),
  ],
);

function row(name: string, of: (day: Day) => number): string[] {
  const last = days.at(-1);
  const each = last === undefined ? 0 : of(last.day) / last.connectors;
  return [name, ...days.map(({ day }) => whole(of(day))), each.toFixed(2)];
}

/** The same plans, lived through by real actors and counted by the model. */
async function compare() {
  const lived = noCost();
  const counted = emptyDay();
  const random = new Random(1);
  for (let seed = 1; seed <= REAL_CONNECTORS; seed += 1) {
    const plan = planDay(USAGE, random);
    const one = await RealConnector.open(seed, START_MS - DAY_MS, USAGE.tokenLifeMs);
    await one.run(DAY_MS - one.elapsedMs);
    const before = one.cost();
    for (const { atMs, errand } of plan) one.plan(errand, atMs);
    await one.run(DAY_MS);
    addCost(lived, difference(one.cost(), before));
    one.close();
    addConnector(counted, plan, USAGE, calibration, random);
  }
  return { real: lived, modelled: counted };
}

function meanOf(counts: Float64Array): number {
  const perHour = counts.length / 24;
  const working = counts.subarray(USAGE.fromHour * perHour, USAGE.toHour * perHour);
  return working.reduce((sum, count) => sum + count, 0) / working.length;
}

function whole(count: number): string {
  return Math.round(count).toLocaleString('en');
}

function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  for (const cells of [head, ...rows]) {
    const padded = cells.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    console.log(padded.join('  '));
  }
}
