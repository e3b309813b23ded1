import { actorOf } from './connector/stub.ts';
import type { Keyring } from './crypto/keyring.ts';
import { livelyConnectorIds, staleConnectorIds } from './db/connectors.ts';
import { sweepDeadLetters } from './db/dead-letters.ts';
import { sweepOAuthStates } from './db/oauth-state.ts';
import { readSweepCursor, saveSweepCursor } from './db/sweep-cursor.ts';
import { describeThrown, type RecordEvent } from './metrics.ts';

/** How many connectors one sweep re-seals, and how many it tends: each wakes an actor. */
const MOST_RESEALED = 50;
const MOST_TENDED = 200;

/** A connector that is not connected has nothing left to do after so long. */
const AT_REST_MS = 30 * 24 * 60 * 60 * 1000;

/** What a sweep is made of besides the bindings. */
export interface SweepOptions {
  now: () => number;
  record: RecordEvent;
}

/**
 * The cron sweep. Removes sign-ins that nobody finished in their ten minutes, and dead letters of a month
 * ago; has connectors whose tokens are still sealed with an old key seal them anew, and has connectors see
 * to their alarms, each some at a time. A step that fails is recorded and hinders none of the others.
 */
export async function sweep(
  env: Pick<Env, 'DB' | 'CONNECTOR'>,
  keyring: Pick<Keyring, 'currentPrefix'>,
  { now, record }: SweepOptions,
): Promise<void> {
  const steps = {
    'sign-ins': () => sweepOAuthStates(env.DB, now()),
    'dead letters': () => sweepDeadLetters(env.DB, now()),
    're-sealing': async () => {
      const stale = await staleConnectorIds(env.DB, keyring.currentPrefix, MOST_RESEALED);
      return await Promise.all(stale.map((id) => actorOf(env, id).reseal()));
    },
    tending: () => tend(env, now(), MOST_TENDED),
  };
  await Promise.all(
    Object.entries(steps).map(async ([name, step]) => {
      try {
        await step();
      } catch (thrown) {
        record({ event: 'error', where: `cron, ${name}`, detail: describeThrown(thrown) });
      }
    }),
  );
}

/**
 * Has the next `most` connectors, in the order of their ids, see to it that their alarm stands. The platform
 * abandons an alarm after some failures, and then nothing but a call would wake its actor again. A
 * connector that cannot be tended now has its turn in the next round.
 *
 * @returns how many had a turn.
 */
export async function tend(env: Pick<Env, 'DB' | 'CONNECTOR'>, nowMs: number, most: number): Promise<number> {
  const position = await readSweepCursor(env.DB, 'tending');
  const ids = await livelyConnectorIds(env.DB, position, nowMs - AT_REST_MS, most);
  const tended = await Promise.allSettled(ids.map((id) => actorOf(env, id).tend()));
  await saveSweepCursor(env.DB, 'tending', ids.length < most ? '' : (ids.at(-1) ?? ''));
  const failed = tended.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return ids.length;
}
