/** A message of `calendar-tasks` that could not be handed over, as the API shows it. Times are RFC 3339, UTC. */
export interface DeadLetter {
  id: string;
  taskId: string;
  taskType?: string;
  connectorId?: string;
  /** The message as it came. */
  message: unknown;
  failedAt: string;
  replayedAt?: string;
}
