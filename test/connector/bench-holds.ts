import type { Actor } from '../../src/connector/actor.ts';
import type { TaskType } from '../../src/domain/task.ts';
import { freshId } from '../database.ts';
import { ring, withConnected } from './bench-actor.ts';
import { createCalendarDouble } from './calendar-double.ts';
import { settle, taskOf, type World } from './world.ts';

/** The hour that is held. */
export const SLOT = { start: '2026-11-24T09:00:00Z', end: '2026-11-24T10:00:00Z', timeZone: 'UTC' };
/** A question about the day it is in. */
export const DAY = {
  range: { startMs: Date.UTC(2026, 10, 24), endMs: Date.UTC(2026, 10, 25) },
  timeZone: 'UTC',
};

/** More alarms than a test has any use for: whoever sets them again and again is caught. */
const MOST_RINGS = 5_000;

/** Hands a task in and lets it run as far as it gets without the clock; how it stands. */
export async function run(actor: Actor, type: TaskType, payload: object) {
  const id = freshId('task');
  await actor.submit([taskOf(id, { type, payload })]);
  await settle();
  return { id, ...actor.report(id) };
}

/** Has the hour held under this id. */
export const place = (actor: Actor, holdId: string, more: object = {}) =>
  run(actor, 'place-hold', { holdId, ...SLOT, ...more });

/** Lets the clock run, the alarm going off on its way; how often it did. */
export async function pass(actor: Actor, world: World, ms: number): Promise<number> {
  const untilMs = world.clock.now() + ms;
  let rings = 0;
  while (world.alarm.atMs !== null && world.alarm.atMs <= untilMs) {
    rings += 1;
    if (rings > MOST_RINGS) throw new Error('the alarm goes off for ever');
    // oxlint-disable-next-line no-await-in-loop
    await ring(actor, world);
  }
  await world.clock.advance(Math.max(0, untilMs - world.clock.now()));
  return rings;
}

/** With a connected account on a calendar that behaves as it is told. */
export function withHolds(
  body: (
    actor: Actor,
    calendar: ReturnType<typeof createCalendarDouble>,
    world: World,
    state: DurableObjectState,
  ) => Promise<void>,
) {
  return withConnected((actor, world, state) => body(actor, createCalendarDouble(world), world, state));
}
