import { type Measurement, MIRRORED_EVENTS } from './measure.ts';
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
    'All but sync-calendar and the answers from the mirror were counted without one (`MIRROR=off`): what keeps it ' +
      'fresh belongs to no single task. It holds ' +
      `${MIRRORED_EVENTS} events of one calendar, a row each to whoever wakes the object. A change that is found is told by a ` +
      'notice of its own.',
    describePrice(measured),
  ].join('\n\n');
}

/** What is told of a type beyond its name, by what was measured. */
const REMARKS: Partial<Record<Measurement['state'], string>> = {
  stream: 'one of ten in a batch',
  full: 'after a thousand tasks that day',
  mirrored: 'from the mirror',
  changed: 'one event changed',
};
const OWN_REMARKS: Partial<Record<Measurement['type'], typeof REMARKS>> = {
  'check-availability': { stream: 'one of ten alike in a batch' },
  'sync-calendar': { warm: 'nothing changed' },
};
/** The states that have lines of their own, with those that are told in brackets. */
const LINES = [
  ['warm', 'cold'],
  ['stream', undefined],
  ['full', undefined],
  ['mirrored', 'mirrored-cold'],
  ['changed', undefined],
] as const;

function listLines(measured: readonly Measurement[]): string[][] {
  const types = [...new Set(measured.map(({ type }) => type))];
  return types.flatMap((type) => {
    const ofType = measured.filter((one) => one.type === type);
    return LINES.flatMap(([state, other]) => {
      const remark = OWN_REMARKS[type]?.[state] ?? REMARKS[state];
      return listProviders(ofType, remark === undefined ? type : `${type}, ${remark}`, state, other);
    });
  });
}

/** One line where all providers are alike, else one for each. */
function listProviders(
  ofType: readonly Measurement[],
  name: string,
  state: Measurement['state'],
  other: Measurement['state'] | undefined,
): string[][] {
  const perProvider = Object.entries(PROVIDER_NAMES).map(([provider, providerName]) => ({
    providerName,
    cells: describe(
      ofType.filter((one) => one.provider === provider),
      state,
      other,
    ),
  }));
  const [first] = perProvider;
  if (first === undefined || first.cells.length === 0) return [];
  const isSame = new Set(perProvider.map(({ cells }) => cells.join())).size === 1;
  return isSame
    ? [[name, ...first.cells]]
    : perProvider.map(({ providerName, cells }) => [`${name}, ${providerName}`, ...cells]);
}

/** The cells of one line: what `state` has cost, and in brackets what `other` has where it differs. */
function describe(
  measured: readonly Measurement[],
  state: Measurement['state'],
  other: Measurement['state'] | undefined,
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
