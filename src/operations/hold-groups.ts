import * as z from 'zod';
import {
  type confirmationBodySchema,
  type GroupHoldRecord,
  type GroupHoldRequest,
  holdIdSchema,
} from '../domain/hold.ts';
import { ok } from '../domain/failure.ts';
import type { GroupAnswer } from '../hold-group/hold-group.ts';
import { groupOf } from '../hold-group/stub.ts';
import type { Context } from './context.ts';
import { refuseUnknown } from './known.ts';
import { endedIn, readInput, type Result } from './result.ts';

const namedSchema = z.object({ holdId: holdIdSchema });

/** How a hold over several connectors stands; `isRepeat`: it stood so before it was asked for. */
export interface GroupHoldEnd {
  hold: GroupHoldRecord;
  isRepeat: boolean;
}

/** Holds one time on several connectors of several people, all or nothing. With `key`, a repeat is the same hold for good. */
export async function placeGroupHold(
  request: GroupHoldRequest,
  key: string | undefined,
  context: Pick<Context, 'env'>,
): Promise<Result<GroupHoldEnd>> {
  const ids = request.slots.map(({ connectorId }) => connectorId);
  const unknown = await refuseUnknown(ids, context);
  return unknown ?? read(await groupOf(context.env, request.holdId).place(request, key));
}

/** How it stands. */
export async function showGroupHold(
  holdId: string,
  { env }: Pick<Context, 'env'>,
): Promise<Result<GroupHoldEnd>> {
  const named = readInput(namedSchema, { holdId });
  return named.ok ? read(await groupOf(env, holdId).show()) : named;
}

/** Lets it go on every connector; what was never placed is remembered, and a place that is late does nothing. */
export async function cancelGroupHold(
  holdId: string,
  { env }: Pick<Context, 'env'>,
): Promise<Result<GroupHoldEnd>> {
  const named = readInput(namedSchema, { holdId });
  return named.ok ? read(await groupOf(env, holdId).cancel(holdId)) : named;
}

/** Turns it into the event on every connector, or lets it go on all of them. */
export async function confirmGroupHold(
  holdId: string,
  confirmation: z.infer<typeof confirmationBodySchema>,
  { env }: Pick<Context, 'env'>,
): Promise<Result<GroupHoldEnd>> {
  const named = readInput(namedSchema, { holdId });
  if (!named.ok) return named;
  const { summary, description, location, attendees, notify } = confirmation;
  const wire = {
    summary,
    ...(description !== undefined && { description }),
    ...(location !== undefined && { location }),
    ...(attendees !== undefined && { attendees: attendees.map((email) => ({ email })) }),
    ...(notify !== undefined && { notify }),
  };
  return read(await groupOf(env, holdId).confirm(wire));
}

function read(answer: GroupAnswer): Result<GroupHoldEnd> {
  if (answer.ok) return ok(answer.value);
  const { connectorId, conflicts, message, ...error } = answer.error;
  return endedIn({
    ...error,
    message: connectorId === undefined ? message : `${connectorId}: ${message}`,
    ...(conflicts !== undefined && {
      conflicts: conflicts.map((one) => ({ ...one, ...(connectorId !== undefined && { connectorId }) })),
    }),
  });
}
