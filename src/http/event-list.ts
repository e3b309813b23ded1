import { changesRequestSchema, eventsRequestSchema } from '../domain/event-list.ts';
import type { Context } from '../operations/context.ts';
import { listChanges, listEvents } from '../operations/event-list.ts';
import { readQuery } from './query.ts';
import { answer, problem } from './respond.ts';

/** `GET /v1/connectors/:id/events?timeMin=&timeMax=&timeZone=&calendars=&maxStalenessMs=`: what is in the calendars. */
export async function showEvents(request: Request, connectorId: string, context: Context): Promise<Response> {
  const question = readQuery(request, eventsRequestSchema, {
    lists: ['calendars'],
    numbers: ['maxStalenessMs'],
    spaceless: ['timeMin', 'timeMax', 'timeZone'],
  });
  if (!question.ok) return problem(question.problem);
  return answer(await listEvents(connectorId, question.value, context));
}

/** `GET /v1/connectors/:id/changes?cursor=`: what has changed since the answer that gave the cursor. */
export async function showChanges(
  request: Request,
  connectorId: string,
  context: Context,
): Promise<Response> {
  const asked = readQuery(request, changesRequestSchema);
  if (!asked.ok) return problem(asked.problem);
  return answer(await listChanges(connectorId, asked.value.cursor, context));
}
