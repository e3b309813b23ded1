import { actorOf } from '../connector/stub.ts';
import { ok } from '../domain/failure.ts';
import {
  answerMeetingTimes,
  availabilityBehind,
  type MeetingTimesAnswer,
  type MeetingTimesQuestion,
} from '../domain/meeting-times.ts';
import { askEach } from './availability.ts';
import type { Context } from './context.ts';
import { refuseOther, refuseUnknown } from './known.ts';
import { failed, type Result } from './result.ts';

/** When would a meeting suit the person behind this connector? */
export async function findMeetingTimes(
  connectorId: string,
  { connectorId: named, question }: { connectorId?: string; question: MeetingTimesQuestion },
  context: Pick<Context, 'env' | 'now'>,
): Promise<Result<MeetingTimesAnswer>> {
  const refused = refuseOther(named, connectorId) ?? (await refuseUnknown([connectorId], context));
  if (refused !== undefined) return refused;
  const answer = await actorOf(context.env, connectorId).meetingTimes(question);
  return answer.ok ? answer : failed(answer.failure, context.now());
}

/**
 * When would a meeting suit everybody behind these connectors? A connector that cannot be read is in the
 * answer as an `unavailable` calendar of its name, and nothing is suggested: it is not known whether its
 * person is free.
 */
export async function findMeetingTimesOfAll(
  connectorIds: readonly string[],
  question: MeetingTimesQuestion,
  context: Pick<Context, 'env' | 'now'>,
): Promise<Result<MeetingTimesAnswer>> {
  const unknown = await refuseUnknown(connectorIds, context);
  if (unknown !== undefined) return unknown;
  const startedAtMs = context.now();
  const answers = await askEach(connectorIds, availabilityBehind(question), context);
  return ok(answerMeetingTimes(question, answers, { startedAtMs, nowMs: context.now() }));
}
