import * as z from 'zod';

/** What is counted, and by which labels, in the order in which a series' key names their values. */
export const COUNTERS = {
  /** Sign-ins that came back: `connected`, `denied`, or the code of the error. */
  connects: ['outcome'],
  /** Calls that renew a token: `refreshed`, or the kind of the failure. */
  tokenRefreshes: ['outcome'],
  /** Throttles: `user` or `app`. */
  rateLimitHits: ['scope'],
  /** Runs of tasks: their type, and how each ended. */
  tasks: ['type', 'outcome'],
  /** Runs that brought a mirror up to date: `done`, or the kind of the failure. */
  syncs: ['outcome'],
  /** Calendars that were read from the start again, or no more, and why. */
  resyncs: ['outcome'],
  /** Permits that connectors were granted; counted by the provider app itself. */
  permitsGranted: [],
  /** Permits that came back unused; counted by the provider app itself. */
  permitsReturned: [],
} as const satisfies Record<string, readonly string[]>;
export type CounterName = keyof typeof COUNTERS;

/** What is timed, by which labels, and the upper bounds of its buckets in milliseconds (inclusive). */
export const HISTOGRAMS = {
  /** One call to a provider, by what came of it (`statusClassOf`). */
  providerCalls: {
    labels: ['status'],
    boundsMs: [25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000],
  },
  /** A task from being accepted to its end, waits and retries included, by its type. */
  taskTimes: {
    labels: ['type'],
    boundsMs: [
      50, 100, 250, 500, 1_000, 2_500, 5_000, 15_000, 60_000, 300_000, 1_800_000, 7_200_000, 86_400_000,
    ],
  },
  /** How long a call stood at the gate, by its lane. */
  gateWaits: { labels: ['lane'], boundsMs: [1, 5, 25, 100, 250, 500, 1_000, 2_000, 5_000, 15_000] },
} as const satisfies Record<string, { labels: readonly string[]; boundsMs: readonly number[] }>;
export type HistogramName = keyof typeof HISTOGRAMS;

type LabelsOf<Labels extends readonly string[]> = Readonly<Record<Labels[number], string>>;

/** A value for each label of a counter. */
export type CounterLabels<Name extends CounterName> = LabelsOf<(typeof COUNTERS)[Name]>;
/** A value for each label of a histogram. */
export type HistogramLabels<Name extends HistogramName> = LabelsOf<(typeof HISTOGRAMS)[Name]['labels']>;

const amountSchema = z.number().nonnegative();
const histogramSchema = z.object({
  /** Observations per bucket, not cumulative; the last is for those above every bound. */
  counts: z.array(amountSchema),
  /** The sum of all that was observed, milliseconds. */
  sumMs: amountSchema,
});
export type Histogram = z.infer<typeof histogramSchema>;

/**
 * Counts and times since some moment, as plain data that crosses RPC and adds up. A key names a series:
 * what is counted, then a value per label, joined by `|`.
 */
export const tallySchema = z.object({
  counters: z.record(z.string(), amountSchema),
  histograms: z.record(z.string(), histogramSchema),
});
export type Tally = z.infer<typeof tallySchema>;

/** A series of a tally, its key read. */
export type Series =
  | { kind: 'counter'; name: CounterName; labels: Record<string, string>; value: number }
  | { kind: 'histogram'; name: HistogramName; labels: Record<string, string>; value: Histogram };

/** The most series that a tally takes up; what comes further is counted under the label values `other`. */
const MOST_SERIES = 1_000;
const LONGEST_LABEL = 64;

/** A tally of nothing. */
export function createTally(): Tally {
  return { counters: {}, histograms: {} };
}

/** True when nothing has been counted. */
export function isEmptyTally({ counters, histograms }: Tally): boolean {
  return Object.keys(counters).length === 0 && Object.keys(histograms).length === 0;
}

/** Counts `by` more in a series of `tally`. */
export function count<Name extends CounterName>(
  tally: Tally,
  name: Name,
  labels: CounterLabels<Name>,
  by = 1,
): void {
  addCount(tally, keyOf(name, COUNTERS[name], labels), by);
}

/** Puts a duration, in milliseconds, into a series of `tally`. */
export function observe<Name extends HistogramName>(
  tally: Tally,
  name: Name,
  labels: HistogramLabels<Name>,
  ms: number,
): void {
  const { boundsMs, labels: labelNames } = HISTOGRAMS[name];
  const tookMs = Math.max(0, ms);
  const reached = boundsMs.findIndex((boundMs) => tookMs <= boundMs);
  const counts = [...boundsMs, Infinity].map(() => 0);
  counts[reached === -1 ? boundsMs.length : reached] = 1;
  addHistogram(tally, keyOf(name, labelNames, labels), { counts, sumMs: tookMs });
}

/**
 * Adds what `more` counted to `total`. What this version of the worker does not know (a series of another
 * version's, buckets of another number, an amount that is none) is left out.
 */
export function addTally(total: Tally, more: Tally): void {
  for (const series of listSeries(more)) {
    const key = [series.name, ...Object.values(series.labels)].join('|');
    if (series.kind === 'counter') addCount(total, key, series.value);
    else addHistogram(total, key, series.value);
  }
}

/** The series of a tally, their keys read; a key that no known counter or histogram has is left out. */
export function listSeries({ counters, histograms }: Tally): Series[] {
  return [
    ...Object.entries(counters).flatMap(([key, value]): Series[] => {
      const [name = '', ...values] = key.split('|');
      if (!isCounter(name) || !isAmount(value)) return [];
      const labels = readLabels(COUNTERS[name], values);
      return labels === undefined ? [] : [{ kind: 'counter', name, labels, value }];
    }),
    ...Object.entries(histograms).flatMap(([key, value]): Series[] => {
      const [name = '', ...values] = key.split('|');
      if (!isHistogram(name) || value.counts.length !== HISTOGRAMS[name].boundsMs.length + 1) return [];
      if (![...value.counts, value.sumMs].every(isAmount)) return [];
      const labels = readLabels(HISTOGRAMS[name].labels, values);
      return labels === undefined ? [] : [{ kind: 'histogram', name, labels, value }];
    }),
  ];
}

/** What came of a provider call, for its series: `2xx` to `5xx`, `none` where no reply came. */
export function statusClassOf(status: number | undefined): string {
  return status === undefined || !(status >= 100 && status < 600) ? 'none' : `${Math.floor(status / 100)}xx`;
}

function addCount({ counters }: Tally, key: string, by: number): void {
  const place = roomFor(counters, key);
  counters[place] = (counters[place] ?? 0) + by;
}

function addHistogram({ histograms }: Tally, key: string, { counts, sumMs }: Histogram): void {
  const place = roomFor(histograms, key);
  const known = histograms[place];
  histograms[place] = {
    counts: counts.map((amount, bucket) => amount + (known?.counts[bucket] ?? 0)),
    sumMs: sumMs + (known?.sumMs ?? 0),
  };
}

/** The key itself while there is room for its series, else the one that gathers the rest. */
function roomFor(series: Record<string, unknown>, key: string): string {
  if (Object.hasOwn(series, key) || Object.keys(series).length < MOST_SERIES) return key;
  const [name = '', ...values] = key.split('|');
  return [name, ...values.map(() => 'other')].join('|');
}

function keyOf(
  name: string,
  labelNames: readonly string[],
  labels: Readonly<Record<string, string>>,
): string {
  const values = labelNames.map((label) => labels[label] ?? '');
  return [name, ...values.map((value) => value.replaceAll('|', '_').slice(0, LONGEST_LABEL))].join('|');
}

function readLabels(names: readonly string[], values: readonly string[]): Record<string, string> | undefined {
  if (names.length !== values.length) return undefined;
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
}

function isCounter(name: string): name is CounterName {
  return Object.hasOwn(COUNTERS, name);
}

function isHistogram(name: string): name is HistogramName {
  return Object.hasOwn(HISTOGRAMS, name);
}

function isAmount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}
