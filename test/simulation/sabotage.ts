import type { Random } from './random.ts';
import type { SqliteStore } from './sqlite-store.ts';

/** What is broken on purpose in the surroundings of actors, to see that the simulation notices. */
export interface Sabotage {
  /** The storage loses something with its actor. */
  onKill?: (store: SqliteStore, random: Random) => void;
  /** The platform does not set the alarm, and does not say so. */
  dropsAlarm?: (random: Random) => boolean;
  /** The provider finds no event by its key, and makes a second one under it. */
  ignoresKeys?: boolean;
  /** The queue says that it has taken notices, and has not. */
  losesNotices?: boolean;
  /** The actor is configured with more calls at once than the provider allows. */
  extraCalls?: number;
}
