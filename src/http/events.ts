import * as z from 'zod';
import type { Context } from '../operations/context.ts';
import { readBody } from './body.ts';
import { problem } from './respond.ts';
import { readSegment, write } from './write.ts';

const bodySchema = z.looseObject({});

/** `POST /v1/connectors/:id/events`: creates an event; 201, or 200 for a repeat of the same `Idempotency-Key`. */
export async function createEvent(
  request: Request,
  connectorId: string,
  context: Context,
): Promise<Response> {
  const body = await readBody(request, bodySchema);
  if (!body.ok) return problem(body.problem);
  return await write({ type: 'create-event', connectorId, payload: body.value }, request, context, () => 201);
}

/** `PATCH /v1/connectors/:id/events/:eventId`: changes an event; `If-Match` holds the version the caller has seen. */
export async function updateEvent(
  request: Request,
  { id, eventId }: { id: string; eventId: string },
  context: Context,
): Promise<Response> {
  const body = await readBody(request, bodySchema);
  if (!body.ok) return problem(body.problem);
  const payload = { ...body.value, ...readVersion(request), eventId: readSegment(eventId) };
  return await write({ type: 'update-event', connectorId: id, payload }, request, context);
}

/**
 * `DELETE /v1/connectors/:id/events/:eventId?calendarId=&occurrence=&notify=`: cancels an event, a series, or one
 * occurrence of it; what is gone is success.
 */
export async function cancelEvent(
  request: Request,
  { id, eventId }: { id: string; eventId: string },
  context: Context,
): Promise<Response> {
  const { occurrence, ...query } = Object.fromEntries(new URL(request.url).searchParams);
  const payload = {
    ...query,
    // A plus that was not escaped comes as a space.
    ...(occurrence !== undefined && { occurrence: occurrence.replace(' ', '+') }),
    ...readVersion(request),
    eventId: readSegment(eventId),
  };
  return await write({ type: 'cancel-event', connectorId: id, payload }, request, context);
}

/** The version that `If-Match` (RFC 9110 §13.1.1) names; `*` is met by any. */
function readVersion(request: Request): { etag?: string } {
  const etag = request.headers.get('If-Match');
  return etag === null || etag === '*' ? {} : { etag };
}
