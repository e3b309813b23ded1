import { actorOf } from '../connector/stub.ts';
import {
  type AnswerOfOne,
  type AvailabilityAnswer,
  type AvailabilityQuestion,
  joinAnswers,
  type JoinedAnswer,
} from '../domain/availability.ts';
import { describeFailure, ok } from '../domain/failure.ts';
import type { Context } from './context.ts';
import { refuseOther, refuseUnknown } from './known.ts';
import { failed, type Result } from './result.ts';

/** When is this account busy? */
export async function checkAvailability(
  connectorId: string,
  { connectorId: named, question }: { connectorId?: string; question: AvailabilityQuestion },
  context: Pick<Context, 'env' | 'now'>,
): Promise<Result<AvailabilityAnswer>> {
  const refused = refuseOther(named, connectorId) ?? (await refuseUnknown([connectorId], context));
  if (refused !== undefined) return refused;
  const answer = await actorOf(context.env, connectorId).availability(question);
  return answer.ok ? answer : failed(answer.failure, context.now());
}

/**
 * When are the people behind these connectors busy, whichever calendar keeps them so? A connector that
 * cannot be read is in the answer as an `unavailable` calendar of its name, like any other that is unknown.
 */
export async function checkAvailabilityOfAll(
  connectorIds: readonly string[],
  question: AvailabilityQuestion,
  context: Pick<Context, 'env' | 'now'>,
): Promise<Result<JoinedAnswer>> {
  const unknown = await refuseUnknown(connectorIds, context);
  if (unknown !== undefined) return unknown;
  const startedAtMs = context.now();
  return ok(joinAnswers(question, await askEach(connectorIds, question, context), startedAtMs));
}

/** What each of these known connectors answers, asked at once: one that does not answer fails no other. */
export async function askEach(
  connectorIds: readonly string[],
  question: AvailabilityQuestion,
  context: Pick<Context, 'env'>,
): Promise<AnswerOfOne[]> {
  return await Promise.all(
    connectorIds.map(async (connectorId) => {
      const answer = await askOne(connectorId, question, context);
      if (answer.ok) return { connectorId, answer: answer.value };
      const { code, message } = describeFailure(answer.failure);
      return { connectorId, error: { code, message } };
    }),
  );
}

/** An actor that cannot even be reached leaves its connector unknown; it does not fail the others. */
async function askOne(connectorId: string, question: AvailabilityQuestion, { env }: Pick<Context, 'env'>) {
  try {
    return await actorOf(env, connectorId).availability(question);
  } catch {
    return { ok: false, failure: { kind: 'unavailable', ambiguous: false } } as const;
  }
}
