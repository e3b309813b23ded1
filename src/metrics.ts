import type { ProviderName } from './domain/connector.ts';
import type { ErrorCode } from './domain/failure.ts';
import type { BreakerState } from './domain/lease.ts';
import { count, observe, type Tally } from './domain/tally.ts';

/** How a task's run ended, in a word. */
export type TaskOutcome = 'done' | 'retry' | 'parked' | ErrorCode;

/** What an operator wants to know, as it happens. Nothing in an event authenticates anyone. */
export type MetricEvent =
  | {
      event: 'task';
      connectorId: string;
      taskId: string;
      taskType: string;
      outcome: TaskOutcome;
      attempts: number;
      /** How long this run took. */
      ms: number;
      /** From the task's acceptance to its end; only where it has ended. */
      sinceAcceptedMs?: number;
    }
  | { event: 'token-refresh'; connectorId: string; outcome: string }
  | { event: 'connect'; connectorId: string; provider: string; outcome: string }
  | { event: 'suspend'; connectorId: string; provider: string; status: string }
  | { event: 'disconnect'; connectorId: string; provider: string; revoked: boolean }
  /** The mirror has been brought up to date, or has not. */
  | {
      event: 'sync';
      connectorId: string;
      outcome: string;
      pages: number;
      changed: number;
      removed: number;
      ms: number;
    }
  /** A calendar is read from the start again, or no more: why, and how many events it had. */
  | { event: 'resync'; connectorId: string; outcome: string; events: number }
  | { event: 'message-refused'; messageId: string; taskId: string; code: ErrorCode; detail: string }
  | { event: 'breaker'; provider: ProviderName; shard: number; state: BreakerState }
  | { event: 'error'; where: string; detail: string };

/** Takes events; never throws. */
export type RecordEvent = (event: MetricEvent) => void;

/** Writes each event as one line of JSON, which Workers observability indexes field by field. */
export const logEvent: RecordEvent = (event) => {
  const line = JSON.stringify(event);
  if (event.event === 'error') console.error(line);
  else console.log(line);
};

/**
 * Records each event as a log line and as a data point of Analytics Engine, where the worker has it. An
 * event that does not name its provider is of `provider`.
 */
export function createRecorder(dataset?: AnalyticsEngineDataset, provider?: ProviderName): RecordEvent {
  return (event) => {
    logEvent(event);
    try {
      dataset?.writeDataPoint(toDataPoint(event, provider));
    } catch (thrown) {
      logEvent({ event: 'error', where: 'Analytics Engine', detail: describeThrown(thrown) });
    }
  };
}

/** The platform's limit on an index, in bytes. */
const LONGEST_INDEX = 96;
const LONGEST_BLOB = 300;

/**
 * An event as a data point. Its columns, empty or 0 where the event has nothing to say:
 *
 * - `index1`: the connector, else the event's name (what is sampled together)
 * - `blob1`: the event's name; `blob2`: provider; `blob3`: connector
 * - `blob4`: how it ended: outcome, status, code or state; of a disconnect `revoked` or `unrevoked`
 * - `blob5`: what it was about: the task's type, the breaker's shard, the place of an error
 * - `blob6`: the task; `blob7`: the detail of a refusal or an error
 * - `double1`: milliseconds of the run; `double2`: attempts, of a sync pages, of a resync events; `double3`:
 *   milliseconds since acceptance, of a sync events changed
 */
export function toDataPoint(event: MetricEvent, provider?: ProviderName): AnalyticsEngineDataPoint {
  const connectorId = 'connectorId' in event ? event.connectorId : '';
  const { ending, about = '', taskId = '', detail = '', doubles = [0, 0, 0] } = describeEvent(event);
  const ownProvider = 'provider' in event ? event.provider : (provider ?? '');
  return {
    indexes: [(connectorId === '' ? event.event : connectorId).slice(0, LONGEST_INDEX)],
    blobs: [event.event, ownProvider, connectorId, ending, about, taskId, detail].map((text) =>
      text.slice(0, LONGEST_BLOB),
    ),
    doubles,
  };
}

interface Description {
  ending: string;
  about?: string;
  taskId?: string;
  detail?: string;
  doubles?: [number, number, number];
}

function describeEvent(event: MetricEvent): Description {
  switch (event.event) {
    case 'task': {
      const { outcome, taskType, taskId, ms, attempts, sinceAcceptedMs = 0 } = event;
      return { ending: outcome, about: taskType, taskId, doubles: [ms, attempts, sinceAcceptedMs] };
    }
    case 'token-refresh':
    case 'connect':
      return { ending: event.outcome };
    case 'suspend':
      return { ending: event.status };
    case 'disconnect':
      return { ending: event.revoked ? 'revoked' : 'unrevoked' };
    case 'sync':
      return { ending: event.outcome, doubles: [event.ms, event.pages, event.changed] };
    case 'resync':
      return { ending: event.outcome, doubles: [0, event.events, 0] };
    case 'message-refused':
      return { ending: event.code, taskId: event.taskId, detail: event.detail };
    case 'breaker':
      return { ending: event.state, about: String(event.shard) };
    case 'error':
      return { ending: 'error', about: event.where, detail: event.detail };
  }
}

/** Counts an event of a connector in `tally`, which rides to its provider app; most events leave it as it is. */
export function tallyEvent(tally: Tally, event: MetricEvent): void {
  switch (event.event) {
    case 'task':
      count(tally, 'tasks', { type: event.taskType, outcome: event.outcome });
      if (event.sinceAcceptedMs !== undefined) {
        observe(tally, 'taskTimes', { type: event.taskType }, event.sinceAcceptedMs);
      }
      return;
    case 'token-refresh':
      count(tally, 'tokenRefreshes', { outcome: event.outcome });
      return;
    case 'connect':
      count(tally, 'connects', { outcome: event.outcome });
      return;
    case 'sync':
      count(tally, 'syncs', { outcome: event.outcome });
      return;
    case 'resync':
      count(tally, 'resyncs', { outcome: event.outcome });
      return;
    case 'suspend':
    case 'disconnect':
    case 'message-refused':
    case 'breaker':
    case 'error':
  }
}

/** What may be said of a thrown value in a log: its name and message, cut short. */
export function describeThrown(thrown: unknown): string {
  return (thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)).slice(0, 300);
}
