import { availabilityOfAllRequestSchema, availabilityRequestSchema } from '../domain/availability.ts';
import { checkAvailability, checkAvailabilityOfAll } from '../operations/availability.ts';
import type { Context } from '../operations/context.ts';
import { readBody } from './body.ts';
import { answer, problem } from './respond.ts';

/** `POST /v1/connectors/:id/availability`: when is this account busy. */
export async function showAvailability(
  request: Request,
  connectorId: string,
  context: Context,
): Promise<Response> {
  const body = await readBody(request, availabilityRequestSchema);
  if (!body.ok) return problem(body.problem);
  return answer(await checkAvailability(connectorId, body.value, context));
}

/** `POST /v1/availability`: when is the person behind several connectors busy. */
export async function showAvailabilityOfAll(request: Request, context: Context): Promise<Response> {
  const body = await readBody(request, availabilityOfAllRequestSchema);
  if (!body.ok) return problem(body.problem);
  const { connectorIds, question } = body.value;
  return answer(await checkAvailabilityOfAll(connectorIds, question, context));
}
