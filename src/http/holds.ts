import * as z from 'zod';
import { confirmationBodySchema, groupHoldRequestSchema } from '../domain/hold.ts';
import type { Context } from '../operations/context.ts';
import {
  cancelGroupHold,
  confirmGroupHold,
  type GroupHoldEnd,
  placeGroupHold,
  showGroupHold,
} from '../operations/hold-groups.ts';
import type { Result } from '../operations/result.ts';
import { readBody } from './body.ts';
import { readIdempotencyKey } from './idempotency.ts';
import { json, problem } from './respond.ts';
import { readSegment, write } from './write.ts';

const bodySchema = z.looseObject({});

/** `POST /v1/connectors/:id/holds`: holds a time; 201, or 200 for a repeat. */
export async function placeHold(request: Request, connectorId: string, context: Context): Promise<Response> {
  const body = await readBody(request, bodySchema);
  if (!body.ok) return problem(body.problem);
  // One that was cancelled before it came holds nothing.
  const statusOf = ({ state }: Record<string, unknown>) => (state === 'held' ? 201 : 200);
  return await write({ type: 'place-hold', connectorId, payload: body.value }, request, context, statusOf);
}

/** `DELETE /v1/connectors/:id/holds/:holdId`: lets a hold go; also one that has yet to come. */
export async function cancelHold(
  request: Request,
  { id, holdId }: { id: string; holdId: string },
  context: Context,
): Promise<Response> {
  const payload = { holdId: readSegment(holdId) };
  return await write({ type: 'cancel-hold', connectorId: id, payload }, request, context);
}

/** `POST /v1/connectors/:id/holds/:holdId/confirm`: turns a hold into the event. */
export async function confirmHold(
  request: Request,
  { id, holdId }: { id: string; holdId: string },
  context: Context,
): Promise<Response> {
  const body = await readBody(request, bodySchema);
  if (!body.ok) return problem(body.problem);
  const payload = { ...body.value, holdId: readSegment(holdId) };
  return await write({ type: 'confirm-hold', connectorId: id, payload }, request, context);
}

/** `POST /v1/holds`: one hold over several connectors, all or nothing; 201, or 200 for a repeat. */
export async function placeHoldOnAll(request: Request, context: Context): Promise<Response> {
  const body = await readBody(request, groupHoldRequestSchema);
  if (!body.ok) return problem(body.problem);
  const key = readIdempotencyKey(request);
  if (!key.ok) return problem(key.problem);
  return tell(await placeGroupHold(body.value, key.value, context), 201);
}

/** `GET /v1/holds/:holdId`: how it stands. */
export async function showHoldOnAll(holdId: string, context: Context): Promise<Response> {
  return tell(await showGroupHold(readSegment(holdId), context));
}

/** `DELETE /v1/holds/:holdId`: lets it go on every connector. */
export async function cancelHoldOnAll(holdId: string, context: Context): Promise<Response> {
  return tell(await cancelGroupHold(readSegment(holdId), context));
}

/** `POST /v1/holds/:holdId/confirm`: turns it into the event on every connector. */
export async function confirmHoldOnAll(
  request: Request,
  holdId: string,
  context: Context,
): Promise<Response> {
  const body = await readBody(request, confirmationBodySchema);
  if (!body.ok) return problem(body.problem);
  return tell(await confirmGroupHold(readSegment(holdId), body.value, context));
}

/** 202 with where to look while it goes on by itself. */
function tell(result: Result<GroupHoldEnd>, fresh = 200): Response {
  if (!result.ok) return problem(result.problem);
  const { hold, isRepeat } = result.value;
  const goesOn = ['placing', 'confirming', 'releasing'].includes(hold.state);
  const answer = json(hold, goesOn ? 202 : isRepeat ? 200 : fresh);
  if (goesOn) answer.headers.set('Location', `/v1/holds/${encodeURIComponent(hold.holdId)}`);
  return answer;
}
