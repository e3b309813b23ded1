import { actorOf, knownConnectors } from '../connector/stub.ts';
import { availabilityRequestSchema } from '../domain/availability.ts';
import { readBody } from './body.ts';
import { noConnector } from './connectors.ts';
import type { Context } from './context.ts';
import { failureProblem, json, problem } from './respond.ts';

/** `POST /v1/connectors/:id/availability`: when is this account busy. */
export async function checkAvailability(
  request: Request,
  connectorId: string,
  { env, now }: Context,
): Promise<Response> {
  const body = await readBody(request, availabilityRequestSchema);
  if (!body.ok) return body.response;
  if (body.value.connectorId !== undefined && body.value.connectorId !== connectorId) {
    const message = 'must be the connector of the path';
    return problem('invalid_request', `connectorId: ${message}`, {
      errors: [{ path: 'connectorId', message }],
    });
  }
  if (!(await knownConnectors(env, [connectorId])).has(connectorId)) return noConnector(connectorId);
  const answer = await actorOf(env, connectorId).availability(body.value.question);
  return answer.ok ? json(answer.value) : failureProblem(answer.failure, now());
}
