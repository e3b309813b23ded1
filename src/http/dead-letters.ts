import type { Context } from '../operations/context.ts';
import { listDeadLetters, replayDeadLetter as replay } from '../operations/dead-letters.ts';
import { answer } from './respond.ts';

/** `GET /v1/dead-letters?limit=`: the newest messages that could not be handed over. */
export async function showDeadLetters(request: Request, context: Context): Promise<Response> {
  const limit = new URL(request.url).searchParams.get('limit');
  return answer(await listDeadLetters(limit === null ? undefined : Number(limit), context));
}

/** `POST /v1/dead-letters/:id/replay`: sends one to the queue again, once. */
export async function replayDeadLetter(id: string, context: Context): Promise<Response> {
  return answer(await replay(id, context), 202);
}
