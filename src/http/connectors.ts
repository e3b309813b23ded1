import { connectRequestSchema } from '../domain/connector.ts';
import { disconnect, getConnector, listConnectors, startConnect } from '../operations/connectors.ts';
import type { Context } from '../operations/context.ts';
import { invalidField } from '../operations/result.ts';
import { readBody } from './body.ts';
import { readIdempotencyKey } from './idempotency.ts';
import { answer, problem } from './respond.ts';

/** `POST /v1/connectors`: makes a connector (or takes the one named) and the address where its person signs in. */
export async function createConnector(request: Request, context: Context): Promise<Response> {
  const body = await readBody(request, connectRequestSchema);
  if (!body.ok) return problem(body.problem);
  const key = readIdempotencyKey(request);
  if (!key.ok) return problem(key.problem);
  return answer(await startConnect(body.value, key.value, context), 201);
}

/** `GET /v1/connectors?userId=`: the connectors of one person. */
export async function listConnectorsOf(request: Request, context: Context): Promise<Response> {
  const userId = new URL(request.url).searchParams.get('userId') ?? '';
  if (userId === '') return answer(invalidField('userId', 'is needed in the query'));
  return answer(await listConnectors(userId, context));
}

/** `GET /v1/connectors/:id`: its state. */
export async function showConnector(connectorId: string, context: Context): Promise<Response> {
  return answer(await getConnector(connectorId, context));
}

/** `DELETE /v1/connectors/:id`: withdraws the grant and erases everything but the row that says so. */
export async function deleteConnector(connectorId: string, context: Context): Promise<Response> {
  return answer(await disconnect(connectorId, context));
}
