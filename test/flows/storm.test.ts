import { expect, it } from 'vitest';
import type { Notice } from '../local/runtime.ts';
import { connect } from '../local/connect.ts';
import { dice } from '../sandbox/dice.ts';
import type { FaultEffect } from '../sandbox/faults.ts';
import type { Person } from '../sandbox/people.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage();

const CONNECTORS = 20;
const BOOKINGS = 20;
/** Of the holds some are kept, some let go again, and two want the same time. */
const KEPT = 8;
const LET_GO = 10;
const MOST_CALLS = 250;

/** Every way in which a call can go wrong that ends by itself. */
const FAULTS: FaultEffect[] = [
  { kind: 'reply-lost' },
  { kind: 'reset' },
  { kind: 'status', status: 503 },
  { kind: 'status-after', status: 500 },
  { kind: 'malformed' },
  { kind: 'throttle', retryAfter: 1, holdMs: 1_000 },
];

/** A person in the storm, and what is asked of their calendar. */
interface Target {
  person: Person;
  kept: string[];
  letGo: string[];
  rivals: string[];
  tasks: { id: string; type: string; connectorId: string; payload: object }[];
}

function at(hour: number) {
  const start = new Date(Date.UTC(2026, 10, 23, hour)).toISOString();
  const end = new Date(Date.UTC(2026, 10, 23, hour, 30)).toISOString();
  return { start, end, timeZone: 'UTC' };
}

/** Fifty tasks: bookings, holds on times of their own, two on one time, and cancels of some of the holds. */
function planFor(person: Person, connectorId: string): Target {
  const ids = (count: number) => Array.from({ length: count }, () => crypto.randomUUID());
  const [kept, letGo, rivals] = [ids(KEPT), ids(LET_GO), ids(2)];
  const task = (type: string, payload: object) => ({ id: crypto.randomUUID(), type, connectorId, payload });
  const hold = (holdId: string, hour: number) =>
    task('place-hold', { holdId, ttlSeconds: 3_600, ...at(BOOKINGS + hour) });
  return {
    person,
    kept,
    letGo,
    rivals,
    tasks: [
      ...ids(BOOKINGS).map((_, hour) => task('create-event', { summary: `Booking ${hour}`, ...at(hour) })),
      ...[...kept, ...letGo].map(hold),
      ...rivals.map((holdId) => hold(holdId, KEPT + LET_GO)),
      ...letGo.map((holdId) => task('cancel-hold', { holdId })),
    ],
  };
}

/** What stands in a person's calendar, by the hold it is marked with, bookings under no name. */
function standing({ person }: Target): string[] {
  return [...(person.calendar('primary')?.calendar.events.values() ?? [])]
    .filter(({ status }) => status !== 'cancelled')
    .map(({ marks = [] }) => marks.find(({ id }) => /hold$/i.test(id))?.value ?? '');
}

it(
  'a thousand bookings and holds, all delivered twice, while a fifth of the calls fails: each is there once, or gone',
  { timeout: 300_000 },
  async () => {
    const chance = dice(20_261_122);
    const pick = (sides: number) => Math.floor(chance.roll() * sides);
    const targets: Target[] = [];
    for (let n = 0; n < CONNECTORS; n += 1) {
      const person = stage.person(ACCOUNTS[n % ACCOUNTS.length]?.input);
      targets.push(planFor(person, await connect(stage.runtime, person)));
      for (let call = 0; call < MOST_CALLS; call += 1) {
        const effect = FAULTS[pick(FAULTS.length * 5)];
        if (effect !== undefined) stage.sandbox.faults.add({ person: person.email, after: call, effect });
      }
    }
    const tasks = targets.flatMap((target) => target.tasks);
    expect(tasks).toHaveLength(1_000);
    const deliveries = chance.shuffle([...tasks, ...tasks]);
    for (let from = 0; from < deliveries.length; from += 100) {
      await stage.runtime.bindings.Q_TASKS.sendBatch(
        deliveries.slice(from, from + 100).map((body) => ({ body })),
      );
    }

    const ends = new Map<string, Notice>();
    for (const { id } of tasks) ends.set(id, await stage.runtime.notice(({ taskId }) => taskId === id));
    const rivals = new Set(targets.flatMap((target) => target.rivals));
    const failed = tasks.filter(({ id }) => ends.get(id)?.type !== 'task-completed');
    // Of two holds on one time exactly one is refused; nothing else fails.
    expect(failed).toHaveLength(CONNECTORS);
    expect(
      failed.map(({ payload }) => 'holdId' in payload && rivals.has(String(payload.holdId))),
    ).not.toContain(false);
    expect(failed.map(({ id }) => ends.get(id)?.error?.code)).toEqual(failed.map(() => 'conflict'));

    const lost = new Set(failed.flatMap(({ payload }) => ('holdId' in payload ? [payload.holdId] : [])));
    for (const target of targets) {
      const holds = [...target.kept, ...target.rivals.filter((holdId) => !lost.has(holdId))];
      const bookings = Array.from({ length: BOOKINGS }, () => '');
      await expect
        .poll(() => standing(target).toSorted(), { timeout: 30_000 })
        .toEqual([...bookings, ...holds].toSorted());
    }
    const emails = targets.map(({ person }) => person.email);
    const created = stage.sandbox.truth.effects.filter(
      ({ deed, person }) => deed === 'created' && emails.includes(person),
    );
    expect(new Set(created.map(({ key }) => key)).size).toBe(created.length);
    const { ok, problems } = stage.sandbox.truth.verdict();
    expect({ ok, problems }).toEqual({ ok: true, problems: [] });
    const faulty = stage.sandbox.truth.calls.filter(({ faults = [] }) => faults.length > 0);
    expect(faulty.length, 'the storm was one').toBeGreaterThan(stage.sandbox.truth.calls.length / 10);
  },
);
