import { existingConnectorIds } from '../db/connectors.ts';
import type { ConnectorDO } from './connector-do.ts';

/**
 * Ids that were once found in the database. A connector is never un-made (its row outlives a
 * disconnect), so an id once seen needs no second look: a warm isolate asks the database nothing.
 */
const seen = new Set<string>();
const MOST_SEEN = 50_000;
const MOST_PER_QUERY = 100;

/** The actor of a connector that is known to exist. */
export function actorOf(env: Pick<Env, 'CONNECTOR'>, connectorId: string): DurableObjectStub<ConnectorDO> {
  return env.CONNECTOR.getByName(connectorId);
}

/** Those of `ids` that name a connector. An id that is made up must wake no actor. */
export async function knownConnectors(
  env: Pick<Env, 'DB'>,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const known = new Set(ids.filter((id) => seen.has(id)));
  const unseen = [...new Set(ids)].filter((id) => !known.has(id));
  for (let from = 0; from < unseen.length; from += MOST_PER_QUERY) {
    for (const id of await existingConnectorIds(env.DB, unseen.slice(from, from + MOST_PER_QUERY))) {
      if (seen.size >= MOST_SEEN) seen.clear();
      seen.add(id);
      known.add(id);
    }
  }
  return known;
}
