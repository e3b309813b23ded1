import { knownConnectors } from '../connector/stub.ts';
import type { Context } from './context.ts';
import { invalidField, type Problem, refuse } from './result.ts';

/** The refusal of the first of these ids that names no connector; undefined when all do. No actor is woken. */
export async function refuseUnknown(
  connectorIds: readonly string[],
  { env }: Pick<Context, 'env'>,
): Promise<{ ok: false; problem: Problem } | undefined> {
  const known = await knownConnectors(env, connectorIds);
  const unknown = connectorIds.find((id) => !known.has(id));
  return unknown === undefined ? undefined : noConnector(unknown);
}

/** The refusal of a request that names another connector than the one it is sent to; undefined when it does not. */
export function refuseOther(
  named: string | undefined,
  connectorId: string,
): { ok: false; problem: Problem } | undefined {
  if (named === undefined || named === connectorId) return undefined;
  return invalidField('connectorId', 'must be the connector that is asked');
}

/** The refusal of an id that names no connector. */
export function noConnector(connectorId: string): { ok: false; problem: Problem } {
  return refuse('not_found', `No connector ${connectorId.slice(0, 128)}`);
}
