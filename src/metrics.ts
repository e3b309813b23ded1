import type { ErrorCode } from './domain/failure.ts';

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
      ms: number;
    }
  | { event: 'token-refresh'; connectorId: string; outcome: string }
  | { event: 'connect'; connectorId: string; provider: string; outcome: string }
  | { event: 'suspend'; connectorId: string; provider: string; status: string }
  | { event: 'disconnect'; connectorId: string; provider: string; revoked: boolean }
  | { event: 'message-refused'; messageId: string; taskId: string; code: ErrorCode; detail: string }
  | { event: 'error'; where: string; detail: string };

/** Takes events; never throws. */
export type RecordEvent = (event: MetricEvent) => void;

/** Writes each event as one line of JSON, which Workers observability indexes field by field. */
export const logEvent: RecordEvent = (event) => {
  const line = JSON.stringify(event);
  if (event.event === 'error') console.error(line);
  else console.log(line);
};

/** What may be said of a thrown value in a log: its name and message, cut short. */
export function describeThrown(thrown: unknown): string {
  return (thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)).slice(0, 300);
}
