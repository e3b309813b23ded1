import { actorOf } from './connector/stub.ts';
import { staleConnectorIds } from './db/connectors.ts';
import { sweepOAuthStates } from './db/oauth-state.ts';
import type { Keyring } from './crypto/keyring.ts';

/** How many connectors one sweep re-seals: each wakes an actor. */
const MOST_RESEALED = 50;

/**
 * The cron sweep: removes sign-ins that nobody finished in their ten minutes, and has connectors whose
 * tokens are still sealed with an old key seal them anew, some at a time, until none is left.
 */
export async function sweep(
  env: Pick<Env, 'DB' | 'CONNECTOR'>,
  keyring: Pick<Keyring, 'currentPrefix'>,
  nowMs: number,
): Promise<void> {
  await sweepOAuthStates(env.DB, nowMs);
  const stale = await staleConnectorIds(env.DB, keyring.currentPrefix, MOST_RESEALED);
  await Promise.all(stale.map((id) => actorOf(env, id).reseal()));
}
