import type { Measurement } from './measure.ts';
import { OBJECT_GIGABYTES, OPERATIONS_PER_MESSAGE, PRICES, READ_ON } from './prices.ts';

/** What a million tasks like this one cost, US dollars, by what is charged for; free allowances left aside. */
export function priceOf(task: Measurement): Record<string, number> {
  const { kvReads, kvWrites, d1RowsRead, d1RowsWritten } = PRICES;
  return {
    'queue operations': task.messages * OPERATIONS_PER_MESSAGE * PRICES.queueOperations.dollarsPerMillion,
    'rows written': (task.rowsWritten + task.rowsLater) * PRICES.rowsWritten.dollarsPerMillion,
    'rows read': task.rowsRead * PRICES.rowsRead.dollarsPerMillion,
    'object requests':
      (task.doCalls + task.otherDoCalls + task.alarms) * PRICES.objectRequests.dollarsPerMillion,
    // A batch is one invocation, and there is one call of the object in each.
    'worker requests': task.doCalls * PRICES.workerRequests.dollarsPerMillion,
    D1: task.d1RowsRead * d1RowsRead.dollarsPerMillion + task.d1RowsWritten * d1RowsWritten.dollarsPerMillion,
    KV: task.kvReads * kvReads.dollarsPerMillion + task.kvWrites * kvWrites.dollarsPerMillion,
  };
}

/** The columns of the table: what each shows of a task. */
const COLUMNS: Record<string, (task: Measurement) => number> = {
  'provider calls': ({ providerCalls, tokenCalls }) => providerCalls + tokenCalls,
  'object calls': ({ doCalls, otherDoCalls }) => doCalls + otherDoCalls,
  alarms: ({ alarms }) => alarms,
  'rows written': ({ rowsWritten }) => rowsWritten,
  'rows read': ({ rowsRead }) => rowsRead,
  'D1 rows': ({ d1RowsRead, d1RowsWritten }) => d1RowsRead + d1RowsWritten,
  'KV operations': ({ kvReads, kvWrites }) => kvReads + kvWrites,
  messages: ({ messages }) => messages,
};

const PROVIDER_NAMES = { google: 'Google', microsoft: 'Microsoft' };

/** The measurements as Markdown: the table, what a million costs, and what is not in it. */
export function describeCosts(measured: readonly Measurement[]): string {
  const header = ['task', ...Object.keys(COLUMNS), '$ a million'];
  const lines = [header, header.map((_, index) => (index === 0 ? '---' : '---:')), ...listLines(measured)];
  const table = lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  return [
    table,
    'Of a connector that was called lately (in brackets, where it differs: of one whose object was evicted, and ' +
      'whose id no isolate had seen). A row written is one of the SQLite of the object; each time its alarm is ' +
      'set is one. Messages are the task and its notice.',
    describePrice(measured),
  ].join('\n\n');
}

function listLines(measured: readonly Measurement[]): string[][] {
  const types = [...new Set(measured.map(({ type }) => type))];
  return types.flatMap((type) => {
    const ofType = measured.filter((one) => one.type === type);
    const perProvider = Object.entries(PROVIDER_NAMES).map(([provider, name]) => {
      const own = ofType.filter((one) => one.provider === provider);
      return { name, cells: describe(own, 'warm', 'cold') };
    });
    const [first] = perProvider;
    const isSame = new Set(perProvider.map(({ cells }) => cells.join())).size === 1;
    const lines =
      isSame && first !== undefined
        ? [[type, ...first.cells]]
        : perProvider.map(({ name, cells }) => [`${type}, ${name}`, ...cells]);
    const stream = describe(ofType, 'stream');
    const alike = type === 'check-availability' ? 'one of ten alike' : 'one of ten';
    const full = describe(ofType, 'full');
    if (stream.length > 0) lines.push([`${type}, ${alike} in a batch`, ...stream]);
    if (full.length > 0) lines.push([`${type}, after a thousand tasks that day`, ...full]);
    return lines;
  });
}

/** The cells of one line: what `state` has cost, and in brackets what `other` has where it differs. */
function describe(
  measured: readonly Measurement[],
  state: Measurement['state'],
  other?: Measurement['state'],
): string[] {
  const task = measured.find((one) => one.state === state);
  if (task === undefined) return [];
  const differing = measured.find((one) => one.state === other) ?? task;
  const figures = [...Object.values(COLUMNS), totalOf];
  return figures.map((figure) => {
    const format = figure === totalOf ? formatDollars : formatCount;
    const [own, others] = [format(figure(task)), format(figure(differing))];
    return own === others ? own : `${own} (${others})`;
  });
}

/** What a million tasks like this one cost in all, US dollars. */
function totalOf(task: Measurement): number {
  return Object.values(priceOf(task)).reduce((sum, dollars) => sum + dollars, 0);
}

function describePrice(measured: readonly Measurement[]): string {
  const task = measured.find(({ type, state }) => type === 'create-event' && state === 'warm');
  if (task === undefined) return '';
  const parts = Object.entries(priceOf(task))
    .filter(([, dollars]) => dollars > 0)
    .map(([name, dollars]) => `${name} $${formatDollars(dollars)}`);
  const second = OBJECT_GIGABYTES * PRICES.objectGigabyteSeconds.dollarsPerMillion;
  return (
    `A million of create-event, each by itself: ${parts.join(', ')}; the row that is deleted a day later is ` +
    `among those written. What depends on machines and providers comes on top: ` +
    `$${formatDollars(second)} a million for each second that an object is awake for a task, ` +
    `$${formatDollars(PRICES.workerCpuMs.dollarsPerMillion)} for each millisecond of CPU. Prices of the plan ` +
    `Workers Paid beyond what a month includes, as published by Cloudflare and read on ${READ_ON} ` +
    '([`test/cost/prices.ts`](test/cost/prices.ts)).'
  );
}

function formatCount(count: number): string {
  return String(Math.round(count * 10) / 10);
}

function formatDollars(dollars: number): string {
  return dollars.toFixed(2);
}
