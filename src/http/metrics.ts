import type { ShardReport } from '../domain/lease.ts';
import { type CounterName, HISTOGRAMS, type HistogramName, listSeries } from '../domain/tally.ts';
import type { Context } from '../operations/context.ts';
import { readFigures, type ShardFigures } from '../operations/metrics.ts';
import { type Family, OPEN_METRICS_TYPE, renderOpenMetrics } from './open-metrics.ts';

const COUNTER_FAMILIES = {
  connects: ['calendar_connects', 'Sign-ins that came back, by outcome.'],
  tokenRefreshes: ['calendar_token_refreshes', 'Calls that renew a token, by outcome.'],
  rateLimitHits: ['calendar_rate_limit_hits', 'Throttles by the provider, of one user or of the app.'],
  tasks: ['calendar_tasks', 'Runs of tasks, by type and outcome.'],
  syncs: ['calendar_syncs', 'Runs that brought a mirror up to date, by outcome.'],
  resyncs: ['calendar_resyncs', 'Calendars that were read from the start again, or no more, by reason.'],
  permitsGranted: ['calendar_permits_granted', 'Permits to call the provider that connectors were granted.'],
  permitsReturned: ['calendar_permits_returned', 'Permits that came back unused.'],
} satisfies Record<CounterName, [string, string]>;

const HISTOGRAM_FAMILIES = {
  providerCalls: [
    'calendar_provider_call_seconds',
    'Calls to the provider, by class of status.',
    HISTOGRAMS.providerCalls.boundsMs,
  ],
  taskTimes: [
    'calendar_task_seconds',
    'Tasks, from being accepted to their end, by type.',
    HISTOGRAMS.taskTimes.boundsMs,
  ],
  gateWaits: [
    'calendar_gate_wait_seconds',
    'How long calls stood at the gate of their connector, by lane.',
    HISTOGRAMS.gateWaits.boundsMs,
  ],
} satisfies Record<HistogramName, [string, string, readonly number[]]>;

const GAUGE_FAMILIES: readonly [string, string, (report: ShardReport) => number][] = [
  ['calendar_permits_limit', 'Permits of one window.', ({ limit }) => limit],
  ['calendar_permits_remaining', 'Permits that could be granted now.', ({ remaining }) => remaining],
];

const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;

/** `GET /metrics`: the figures of every shard as OpenMetrics text; a shard that does not answer is `up` 0. */
export async function showMetrics(_: Request, context: Context): Promise<Response> {
  return new Response(renderOpenMetrics(describeFigures(await readFigures(context))), {
    headers: { 'Content-Type': OPEN_METRICS_TYPE, 'Cache-Control': 'no-store' },
  });
}

/** The shards' figures as metric families; every series names its provider and shard. */
export function describeFigures(figures: readonly ShardFigures[]): Family[] {
  const shards = figures.map(({ provider, shard, report }) => ({
    labels: { provider, shard: String(shard) },
    report,
    series: report === undefined ? [] : listSeries(report.tally),
  }));
  return [
    {
      name: 'calendar_shard_up',
      help: 'Whether the shard of the provider app answered.',
      type: 'gauge',
      series: shards.map(({ labels, report }) => ({ labels, value: report === undefined ? 0 : 1 })),
    },
    {
      name: 'calendar_breaker_state',
      help: 'The state in which the circuit breaker is: 1, the others 0.',
      type: 'gauge',
      series: shards.flatMap(({ labels, report }) =>
        report === undefined
          ? []
          : BREAKER_STATES.map((state) => ({
              labels: { ...labels, state },
              value: report.breaker === state ? 1 : 0,
            })),
      ),
    },
    ...GAUGE_FAMILIES.map(([name, help, read]): Family => ({
      name,
      help,
      type: 'gauge',
      series: shards.flatMap(({ labels, report }) =>
        report === undefined ? [] : [{ labels, value: read(report) }],
      ),
    })),
    ...Object.entries(COUNTER_FAMILIES).map(([counter, [name, help]]): Family => ({
      name,
      help,
      type: 'counter',
      series: shards.flatMap(({ labels, series }) =>
        series.flatMap((one) =>
          one.kind === 'counter' && one.name === counter
            ? [{ labels: { ...labels, ...one.labels }, value: one.value }]
            : [],
        ),
      ),
    })),
    ...Object.entries(HISTOGRAM_FAMILIES).map(([histogram, [name, help, boundsMs]]): Family => ({
      name,
      help,
      type: 'histogram',
      unit: 'seconds',
      bounds: boundsMs.map((ms) => ms / 1_000),
      series: shards.flatMap(({ labels, series }) =>
        series.flatMap((one) =>
          one.kind === 'histogram' && one.name === histogram
            ? [
                {
                  labels: { ...labels, ...one.labels },
                  counts: one.value.counts,
                  sum: one.value.sumMs / 1_000,
                },
              ]
            : [],
        ),
      ),
    })),
  ];
}
