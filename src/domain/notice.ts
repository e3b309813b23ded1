import type { TaskError } from './failure.ts';

/** What the queue `notify-tasks` carries. `at` is RFC 3339, UTC. Delivery is at least once; `taskId` tells repeats. */
export interface Notice {
  type:
    | 'task-completed'
    | 'task-failed'
    | 'connector-connected'
    | 'connector-needs-reauth'
    | 'connector-disconnected'
    | 'hold-expired'
    | 'calendar-changed'
    | 'operator-alert';
  connectorId: string;
  at: string;
  taskId?: string;
  taskType?: string;
  result?: unknown;
  error?: TaskError;
}
