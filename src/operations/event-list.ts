import { actorOf } from '../connector/stub.ts';
import type { ChangesAnswer, EventsAnswer, EventsQuestion } from '../domain/event-list.ts';
import type { Context } from './context.ts';
import { refuseUnknown } from './known.ts';
import { failed, invalidField, refuse, type Result } from './result.ts';

/** Which events are in the calendars of this account? */
export async function listEvents(
  connectorId: string,
  question: EventsQuestion,
  context: Pick<Context, 'env' | 'now'>,
): Promise<Result<EventsAnswer>> {
  const unknown = await refuseUnknown([connectorId], context);
  if (unknown !== undefined) return unknown;
  const answer = await actorOf(context.env, connectorId).events(question);
  return answer.ok ? answer : failed(answer.failure, context.now());
}

/** What has changed since `cursor` was given; without one, everything there is. */
export async function listChanges(
  connectorId: string,
  cursor: string | undefined,
  context: Pick<Context, 'env' | 'now'>,
): Promise<Result<ChangesAnswer>> {
  const unknown = await refuseUnknown([connectorId], context);
  if (unknown !== undefined) return unknown;
  const answer = await actorOf(context.env, connectorId).changes(cursor);
  if (answer.ok) return answer;
  const { failure } = answer;
  // Here the cursor is the caller's own; anywhere else these failures speak of the provider's, or of a caller's id.
  if (failure.kind === 'cursor-expired') {
    return refuse('cursor_expired', 'This cursor has expired: begin anew without one.');
  }
  if (failure.kind === 'mismatch' && failure.what === 'cursor') {
    return invalidField('cursor', 'is none that this connector has given');
  }
  return failed(failure, context.now());
}
