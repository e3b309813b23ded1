import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createTally } from '../src/domain/tally.ts';
import {
  createRecorder,
  describeThrown,
  logEvent,
  type MetricEvent,
  tallyEvent,
  toDataPoint,
} from '../src/metrics.ts';

const TASK = {
  event: 'task',
  connectorId: 'c-1',
  taskId: 't-1',
  taskType: 'create-event',
  outcome: 'done',
  attempts: 2,
  ms: 310,
  sinceAcceptedMs: 1_700,
} as const;

afterEach(() => {
  vi.restoreAllMocks();
});

describe('logging an event', () => {
  it('writes one line of JSON, errors where errors go', () => {
    const log = vi.spyOn(console, 'log').mockReturnValue();
    const error = vi.spyOn(console, 'error').mockReturnValue();
    const refused = {
      event: 'message-refused',
      messageId: 'm-1',
      taskId: 't-1',
      code: 'not_found',
      detail: 'two\r\nlines',
    } as const;
    const failed = { event: 'error', where: 'here', detail: 'that' } as const;
    logEvent(refused);
    logEvent(failed);
    expect(log.mock.calls).toEqual([[JSON.stringify(refused)]]);
    expect(error.mock.calls).toEqual([[JSON.stringify(failed)]]);
    expect(log.mock.calls[0]?.[0]).not.toMatch(/[\r\n]/);
  });
});

describe('recording an event', () => {
  it('writes it to Analytics Engine as well, of the provider that the recorder is for', () => {
    const log = vi.spyOn(console, 'log').mockReturnValue();
    const points: unknown[] = [];
    createRecorder({ writeDataPoint: (point) => points.push(point) }, 'google')(TASK);
    expect(log.mock.calls).toEqual([[JSON.stringify(TASK)]]);
    expect(points).toEqual([
      {
        indexes: ['c-1'],
        blobs: ['task', 'google', 'c-1', 'done', 'create-event', 't-1', ''],
        doubles: [310, 2, 1_700],
      },
    ]);
  });

  it('never throws, with or without the binding', () => {
    vi.spyOn(console, 'log').mockReturnValue();
    const error = vi.spyOn(console, 'error').mockReturnValue();
    createRecorder()(TASK);
    const broken = () => {
      throw new TypeError('too large');
    };
    createRecorder({ writeDataPoint: broken })(TASK);
    expect(error.mock.calls).toEqual([
      [JSON.stringify({ event: 'error', where: 'Analytics Engine', detail: 'TypeError: too large' })],
    ]);
  });

  it('is taken by the binding of the local runtime', () => {
    vi.spyOn(console, 'log').mockReturnValue();
    const error = vi.spyOn(console, 'error').mockReturnValue();
    expect(env.METRICS).toBeDefined();
    createRecorder(env.METRICS)(TASK);
    expect(error).not.toHaveBeenCalled();
  });
});

describe('an event as a data point', () => {
  it.each<[MetricEvent, string, string[]]>([
    [
      { event: 'token-refresh', connectorId: 'c-1', outcome: 'refreshed' },
      'c-1',
      ['token-refresh', '', 'c-1', 'refreshed', '', '', ''],
    ],
    [
      { event: 'connect', connectorId: 'c-1', provider: 'microsoft', outcome: 'denied' },
      'c-1',
      ['connect', 'microsoft', 'c-1', 'denied', '', '', ''],
    ],
    [
      { event: 'suspend', connectorId: 'c-1', provider: 'google', status: 'reauth_required' },
      'c-1',
      ['suspend', 'google', 'c-1', 'reauth_required', '', '', ''],
    ],
    [
      { event: 'disconnect', connectorId: 'c-1', provider: 'google', revoked: false },
      'c-1',
      ['disconnect', 'google', 'c-1', 'unrevoked', '', '', ''],
    ],
    [
      { event: 'message-refused', messageId: 'm', taskId: 't-1', code: 'not_found', detail: 'why' },
      'message-refused',
      ['message-refused', '', '', 'not_found', '', 't-1', 'why'],
    ],
    [
      { event: 'breaker', provider: 'google', shard: 3, state: 'open' },
      'breaker',
      ['breaker', 'google', '', 'open', '3', '', ''],
    ],
    [
      { event: 'error', where: 'here', detail: 'that' },
      'error',
      ['error', '', '', 'error', 'here', '', 'that'],
    ],
  ])('%j has its columns', (event, index, blobs) => {
    expect(toDataPoint(event)).toEqual({ indexes: [index], blobs, doubles: [0, 0, 0] });
  });

  it('stays within the limits of the platform', () => {
    const long = 'x'.repeat(10_000);
    const { indexes, blobs } = toDataPoint({ ...TASK, connectorId: long, taskId: long, taskType: long });
    expect(indexes).toEqual([long.slice(0, 96)]);
    expect(blobs).toEqual([
      'task',
      '',
      long.slice(0, 300),
      'done',
      long.slice(0, 300),
      long.slice(0, 300),
      '',
    ]);
  });
});

describe('counting an event', () => {
  it('counts tasks, refreshes and connects, and times tasks that have ended', () => {
    const tally = createTally();
    const { sinceAcceptedMs: _, ...unended } = TASK;
    const events: MetricEvent[] = [
      TASK,
      { ...unended, outcome: 'retry' },
      { event: 'token-refresh', connectorId: 'c-1', outcome: 'refreshed' },
      { event: 'connect', connectorId: 'c-1', provider: 'google', outcome: 'connected' },
      { event: 'error', where: 'here', detail: 'that' },
    ];
    for (const event of events) tallyEvent(tally, event);
    expect(tally.counters).toEqual({
      'tasks|create-event|done': 1,
      'tasks|create-event|retry': 1,
      'tokenRefreshes|refreshed': 1,
      'connects|connected': 1,
    });
    expect(tally.histograms['taskTimes|create-event']?.sumMs).toBe(1_700);
  });
});

describe('describing what was thrown', () => {
  it('tells its name and message, cut short', () => {
    expect(describeThrown(new TypeError('no'))).toBe('TypeError: no');
    expect(describeThrown('plain')).toBe('plain');
    expect(describeThrown(undefined)).toBe('undefined');
    expect(describeThrown(new Error('x'.repeat(1000)))).toHaveLength(300);
  });
});
