import type { Notice } from '../../src/domain/notice.ts';
import type { SimulatedConnector } from './connector.ts';
import { creationKeyOf } from './script.ts';
import { openSealed } from './surroundings.ts';
import type { SeenTask } from './task-watch.ts';
import type { Blame } from './verdicts.ts';

const MINUTE_MS = 60_000;
/** The longest that back-offs of the rain may keep a task that could go on, once it is fair. */
const LONGEST_AFTER_RAIN_MS = 60 * MINUTE_MS;
/** A run that begins at the deadline takes a moment. */
const DEADLINE_SLACK_MS = 5 * MINUTE_MS;

/**
 * Holds what a connector has come to against what it was told to do, once all is still.
 *
 * @param fairSinceMs since when nothing went wrong any more and the grant was good.
 */
export function checkEnd(connector: SimulatedConnector, fairSinceMs: number, blameAny: Blame): void {
  const { tasks, surroundings, name } = connector;
  const blame: Blame = (invariant, detail) => blameAny(invariant, `${name}: ${detail}`);
  for (const { id, state } of tasks.open()) blame('task-lost', `${id} is still ${state}`);
  for (const task of tasks.seen.values()) {
    const { id, sinceMs, endedAtMs, deadline, state } = task;
    if (endedAtMs === undefined) continue;
    const latestMs = Math.min(
      Math.max(fairSinceMs, sinceMs) + LONGEST_AFTER_RAIN_MS,
      Math.max(deadline, fairSinceMs, sinceMs) + DEADLINE_SLACK_MS,
    );
    if (endedAtMs > latestMs) blame('deadline', `${id} ended ${endedAtMs - latestMs} ms too late`);
    const type = state === 'done' ? 'task-completed' : 'task-failed';
    if (!surroundings.sent.some((notice) => notice.taskId === id && notice.type === type))
      blame('told', `${id} is ${state}, and nobody was told`);
    if (state === 'done') checkDone(connector, task, blame);
  }
  checkHolds(connector, blame);
  const { row } = surroundings;
  const stored = connector.storedGrant()?.refreshToken;
  const shown = row?.refreshTokenEnc == null ? undefined : openSealed(row.refreshTokenEnc);
  if (shown !== stored) blame('token-kept', `the database has ${shown}, the store ${stored}`);
  if (row?.status !== 'active') blame('token-kept', `the database says ${row?.status}`);
}

/** What is done has happened at the provider. */
function checkDone({ server, connectorId, orders }: SimulatedConnector, task: SeenTask, blame: Blame): void {
  const key = creationKeyOf(connectorId, task.id);
  const payload = JSON.stringify(orders.find((order) => order.task.id === task.id)?.task.payload ?? {});
  const isMissing = {
    'create-event': () => !server.made.has(key),
    'update-event': () => !server.written.has(`changed by ${task.id}`),
    // One that came before the event it was to remove has found nothing, which is success.
    'cancel-event': () =>
      [...server.events.keys()].some((id) => payload.includes(`"${id}"`) && !server.missed.has(id)),
    'place-hold': () =>
      task.outcome?.includes('"state":"held"') === true && !task.outcome.includes('"eventId"'),
    'confirm-hold': () => ![...server.confirmed].some((eventId) => task.outcome?.includes(eventId) === true),
  };
  const entry = Object.entries(isMissing).find(([type]) => type === task.type);
  if (entry?.[1]() === true) blame('done', `${task.type} ${task.id} is done, and has not happened`);
}

/** In the end every hold is over or an event, and the calendar holds just that. */
function checkHolds({ server, holds, store, surroundings }: SimulatedConnector, blame: Blame): void {
  for (const { hold_id: holdId, state } of holds.read()) {
    if (state === 'placing' || state === 'held' || state === 'confirming')
      blame('hold', `${holdId} is still ${state}`);
  }
  for (const [key, { hold_id: holdId, state, event_id: eventId }] of holds.byKey) {
    const event = server.events.get(eventId ?? key);
    if (state === 'confirmed' && event?.isHold !== false)
      blame('hold', `${holdId} is confirmed, and its event is not there`);
    if (state !== 'confirmed' && event !== undefined)
      blame('left-behind', `the event of ${holdId}, which is ${state}`);
    if (state === 'expired' && !surroundings.sent.some((notice) => isExpiryOf(holdId, notice)))
      blame('told', `${holdId} has run out, and nobody was told`);
  }
  const left = store.query('SELECT key FROM leftover').length;
  if (left > 0) blame('left-behind', `${left} events are still to be removed`);
}

function isExpiryOf(holdId: string, { type, result }: Notice): boolean {
  return (
    type === 'hold-expired' &&
    typeof result === 'object' &&
    result !== null &&
    'holdId' in result &&
    result.holdId === holdId
  );
}
