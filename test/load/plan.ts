import type { Dice } from '../sandbox/dice.ts';
import type { PersonInput } from '../sandbox/people.ts';

/** The person behind a connector of the load. */
export interface Target {
  person: PersonInput;
  connectorId: string;
}

/** One task of the load. */
export interface PlannedTask {
  id: string;
  type: string;
  connectorId: string;
  payload: object;
  /** Handed over only when the task of this id is done. */
  after?: string;
}

/** What must be true in a calendar when every task has ended. */
export type Expectation =
  /** One event of that summary stands there, if its task is done. */
  | { kind: 'event'; email: string; taskId: string; summary: string }
  /** One entry stands there that is marked with the hold. */
  | { kind: 'hold'; email: string; taskId: string; holdId: string }
  /** No entry of the hold is left. */
  | { kind: 'gone'; email: string; taskId: string; holdId: string }
  /** Of the two one is done, and holds the time; the other has failed with `conflict`. */
  | { kind: 'rivals'; email: string; taskIds: [string, string]; holdIds: [string, string] };

/** Everything that is asked of the worker, in the order it is handed over, and what must come of it. */
export interface Plan {
  tasks: PlannedTask[];
  expectations: Expectation[];
}

const HALF_HOUR_MS = 30 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Longer than the longest run: no hold runs out in it. */
const TTL_SECONDS = 6 * 60 * 60;
const ZONES = ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'UTC'];

/** People of all three kinds of account, in turn. Some tokens live so short that they are refreshed under way. */
export function peopleOf(count: number): PersonInput[] {
  return Array.from({ length: count }, (_, index) => ({
    provider: index % 3 === 0 ? 'google' : 'microsoft',
    ...(index % 3 !== 0 && { account: index % 3 === 1 ? 'work' : 'personal' }),
    email: `load-${index}@${index % 3 === 1 ? 'contoso.example' : 'example.com'}`,
    name: `Person ${index}`,
    timeZone: ZONES[index % ZONES.length] ?? 'UTC',
    ...(index % 4 === 0 && { accessTokenLifetimeSeconds: 240 }),
    ...(index % 5 === 0 && { repeatedTransactionId: 'conflict' }),
  }));
}

/**
 * Plans `count` tasks, shared out evenly: events, questions, holds that stay, that are let go (before or after
 * they came) and that are confirmed, and pairs of holds on one time. All on times of their own, from
 * `fromMs` on, so that nothing but a rival is ever refused.
 */
export function planTasks(count: number, targets: readonly Target[], fromMs: number, dice: Dice): Plan {
  const plan: Plan = { tasks: [], expectations: [] };
  const perTarget: PlannedTask[][] = targets.map((target, index) => {
    const share = Math.floor(count / targets.length) + (index < count % targets.length ? 1 : 0);
    const planned = planFor(target, share, fromMs, dice);
    plan.expectations.push(...planned.expectations);
    return planned.tasks;
  });
  // Side by side, as many callers would send them; a connector's own in their order.
  for (let round = 0; plan.tasks.length < count; round += 1) {
    for (const tasks of perTarget) plan.tasks.push(...tasks.slice(round * 5, round * 5 + 5));
  }
  return plan;
}

function planFor({ person, connectorId }: Target, count: number, fromMs: number, dice: Dice): Plan {
  const plan: Plan = { tasks: [], expectations: [] };
  const { email } = person;
  const add = (type: string, payload: object, after?: string): string => {
    const id = `${email.split('@')[0] ?? ''}.${plan.tasks.length}`;
    plan.tasks.push({ id, type, connectorId, payload, ...(after !== undefined && { after }) });
    return id;
  };
  for (let slot = 0; plan.tasks.length < count; slot += 1) {
    const startMs = fromMs + slot * HALF_HOUR_MS;
    const time = { start: iso(startMs), end: iso(startMs + HALF_HOUR_MS), timeZone: person.timeZone };
    const name = `${email.split('@')[0] ?? ''}-${slot}`;
    const place = (holdId: string) => add('place-hold', { holdId, ttlSeconds: TTL_SECONDS, ...time });
    const roll = plan.tasks.length === count - 1 ? 0 : dice.roll();
    if (roll < 0.45) {
      const summary = `Booking ${name}`;
      plan.expectations.push({
        kind: 'event',
        email,
        taskId: add('create-event', { summary, ...time }),
        summary,
      });
    } else if (roll < 0.7) {
      add('check-availability', {
        timeMin: iso(startMs),
        timeMax: iso(startMs + DAY_MS),
        timeZone: person.timeZone,
      });
    } else if (roll < 0.78) {
      plan.expectations.push({ kind: 'hold', email, taskId: place(name), holdId: name });
    } else if (roll < 0.88) {
      const placed = place(name);
      const taskId = add('cancel-hold', { holdId: name }, dice.roll() < 0.5 ? placed : undefined);
      plan.expectations.push({ kind: 'gone', email, taskId, holdId: name });
    } else if (roll < 0.97) {
      const summary = `Confirmed ${name}`;
      const taskId = add('confirm-hold', { holdId: name, summary }, place(name));
      plan.expectations.push({ kind: 'event', email, taskId, summary });
    } else {
      const holdIds: [string, string] = [`${name}-a`, `${name}-b`];
      const taskIds: [string, string] = [place(holdIds[0]), place(holdIds[1])];
      plan.expectations.push({ kind: 'rivals', email, taskIds, holdIds });
    }
  }
  return plan;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
