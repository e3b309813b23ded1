/** What must hold in every world, by name. */
export const INVARIANTS = [
  /** No accepted task disappears, or is still open when all has been fair for long. */
  'task-lost',
  /** An end stays what it is. */
  'task-end',
  /** A task ends by its deadline. */
  'deadline',
  /** Every end is told on the queue. */
  'told',
  /** What is done has happened at the provider. */
  'done',
  /** One event for each creation, one confirmation for each hold. */
  'second-effect',
  /** No more calls at once than allowed. */
  'concurrency',
  /** No more calls of a user in any stretch of time than allowed. */
  'user-limit',
  /** Likewise of all connectors together. */
  'app-limit',
  /** No call before a throttle has passed. */
  'throttle',
  /** Holds go their way and no other, and two that may not overlap do not. */
  'hold',
  /** No event stays behind by a hold that is over. */
  'left-behind',
  /** There is an alarm whenever something is due. */
  'alarm',
  /** One token call at a time. */
  'one-refresh',
  /** A token is stored before it is used. */
  'token-stored',
  /** The newest refresh token is in the store, and in the end in the database. */
  'token-kept',
  /** It comes to rest. */
  'rest',
  /** The actor itself reports no bug. */
  'bug',
] as const;
/** The name of an invariant. */
export type Invariant = (typeof INVARIANTS)[number];

/** Tells that an invariant does not hold, and how that shows. */
export type Blame = (invariant: Invariant, detail: string) => void;

/** An invariant that did not hold. */
export interface Violation {
  invariant: Invariant;
  detail: string;
}
