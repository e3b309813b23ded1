import { meetingTimesOfAllRequestSchema, meetingTimesRequestSchema } from '../domain/meeting-times.ts';
import type { Context } from '../operations/context.ts';
import { findMeetingTimes, findMeetingTimesOfAll } from '../operations/meeting-times.ts';
import { readBody } from './body.ts';
import { answer, problem } from './respond.ts';

/** `POST /v1/connectors/:id/meeting-times`: when would a meeting suit this account. */
export async function suggestMeetingTimes(
  request: Request,
  connectorId: string,
  context: Context,
): Promise<Response> {
  const body = await readBody(request, meetingTimesRequestSchema);
  if (!body.ok) return problem(body.problem);
  return answer(await findMeetingTimes(connectorId, body.value, context));
}

/** `POST /v1/meeting-times`: when would a meeting suit everybody behind several connectors. */
export async function suggestMeetingTimesOfAll(request: Request, context: Context): Promise<Response> {
  const body = await readBody(request, meetingTimesOfAllRequestSchema);
  if (!body.ok) return problem(body.problem);
  const { connectorIds, question } = body.value;
  return answer(await findMeetingTimesOfAll(connectorIds, question, context));
}
