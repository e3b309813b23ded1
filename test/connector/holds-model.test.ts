import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Actor } from '../../src/connector/actor.ts';
import { HoldBook } from '../../src/connector/hold-book.ts';
import type { CalendarTask, TaskReport } from '../../src/domain/task.ts';
import { openStore } from './bench.ts';
import { openActor, ring, withConnected } from './bench-actor.ts';
import { createCalendarDouble, type Weather } from './calendar-double.ts';
import { settle, taskOf, type World } from './world.ts';

const MINUTE_MS = 60_000;
const DAY_START_MS = Date.UTC(2026, 10, 24);
const HOLD_IDS = ['a', 'b', 'c', 'd'];

type Act =
  | { act: 'place'; holdId: string; hour: number; hours: number; ttlSeconds: number; force: boolean }
  | { act: 'cancel'; holdId: string }
  | { act: 'confirm'; holdId: string };
type Step = { together: Act[] } | { passMs: number } | { evict: true };

const anyHoldId = fc.constantFrom(...HOLD_IDS);
const anyAct: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant('place' as const),
      holdId: anyHoldId,
      hour: fc.integer({ min: 0, max: 4 }),
      hours: fc.integer({ min: 1, max: 2 }),
      ttlSeconds: fc.constantFrom(30, 90, 600),
      force: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('cancel' as const), holdId: anyHoldId }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('confirm' as const), holdId: anyHoldId }) },
);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ together: fc.array(anyAct, { minLength: 1, maxLength: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ passMs: fc.constantFrom(10_000, MINUTE_MS, 10 * MINUTE_MS) }) },
  { weight: 1, arbitrary: fc.record({ evict: fc.constant(true as const) }) },
);
const anyStory = fc.array(anyStep, { minLength: 1, maxLength: 14 });

/** What holds are, in as few words as possible: the oracle. */
class Model {
  readonly holds = new Map<
    string,
    {
      state: 'held' | 'confirmed' | 'cancelled' | 'expired';
      slot?: { startMs: number; endMs: number };
      untilMs: number;
    }
  >();
  readonly events: { startMs: number; endMs: number }[] = [];

  expire(nowMs: number): void {
    for (const hold of this.holds.values()) {
      if (hold.state === 'held' && hold.untilMs <= nowMs) hold.state = 'expired';
    }
  }

  perform(act: Act, nowMs: number): string {
    this.expire(nowMs);
    const known = this.holds.get(act.holdId);
    switch (act.act) {
      case 'place': {
        const slot = slotOf(act);
        if (known?.state === 'confirmed') return 'conflict';
        if (known?.state === 'held') {
          const isSame = known.slot?.startMs === slot.startMs && known.slot.endMs === slot.endMs;
          return isSame ? known.state : 'idempotency_mismatch';
        }
        if (known?.slot === undefined && known !== undefined && nowMs < known.untilMs) return 'cancelled';
        const taken = [...this.holds.values()].flatMap((one) =>
          (one.state === 'held' || one.state === 'confirmed') && one.slot !== undefined ? [one.slot] : [],
        );
        const isTaken = [...taken, ...this.events].some(
          ({ startMs, endMs }) => startMs < slot.endMs && slot.startMs < endMs,
        );
        if (isTaken && !act.force) return 'conflict';
        this.holds.set(act.holdId, { state: 'held', slot, untilMs: nowMs + act.ttlSeconds * 1000 });
        return 'held';
      }
      case 'cancel':
        if (known?.slot === undefined) {
          this.holds.set(act.holdId, { state: 'cancelled', untilMs: nowMs + 15 * MINUTE_MS });
          return 'cancelled';
        }
        if (known.state === 'confirmed') return 'conflict';
        if (known.state === 'held') known.state = 'cancelled';
        return known.state;
      case 'confirm':
        if (known === undefined) return 'not_found';
        if (known.state === 'held') known.state = 'confirmed';
        return known.state === 'confirmed' ? 'confirmed' : 'conflict';
    }
  }

  /** The events that stand: `[startMs, whether it is still a hold]`. */
  standing(): [number, boolean][] {
    return [...this.holds.values()]
      .flatMap(({ state, slot }): [number, boolean][] =>
        slot !== undefined && (state === 'held' || state === 'confirmed')
          ? [[slot.startMs, state === 'held']]
          : [],
      )
      .toSorted(byStart);
  }
}

function slotOf({ hour, hours }: { hour: number; hours: number }) {
  const startMs = DAY_START_MS + hour * 60 * MINUTE_MS;
  return { startMs, endMs: startMs + hours * 60 * MINUTE_MS };
}

function byStart([a, isHold]: [number, boolean], [b, isOther]: [number, boolean]): number {
  return a - b || Number(isHold) - Number(isOther);
}

function taskFor(id: string, act: Act): CalendarTask & { id: string } {
  switch (act.act) {
    case 'place': {
      const { startMs, endMs } = slotOf(act);
      return taskOf(id, {
        type: 'place-hold',
        payload: {
          holdId: act.holdId,
          start: new Date(startMs).toISOString(),
          end: new Date(endMs).toISOString(),
          timeZone: 'UTC',
          ttlSeconds: act.ttlSeconds,
          onConflict: act.force ? 'allow' : 'reject',
        },
      });
    }
    case 'cancel':
      return taskOf(id, { type: 'cancel-hold', payload: { holdId: act.holdId } });
    case 'confirm':
      return taskOf(id, { type: 'confirm-hold', payload: { holdId: act.holdId, summary: 'Meeting' } });
  }
}

function wordFor(report: TaskReport | undefined): unknown {
  if (report?.state === 'failed') return report.error?.code;
  return report?.state === 'done' && report.result !== undefined && 'state' in report.result
    ? report.result.state
    : report?.state;
}

/** Lets the clock run, the alarm going off on its way. */
async function pass(actor: Actor, world: World, ms: number): Promise<void> {
  const untilMs = world.clock.now() + ms;
  while (world.alarm.atMs !== null && world.alarm.atMs <= untilMs) {
    // oxlint-disable-next-line no-await-in-loop
    await ring(actor, world);
  }
  await world.clock.advance(Math.max(0, untilMs - world.clock.now()));
}

it('holds are what the model says, in whatever order they are placed, let go, confirmed and run out', async () => {
  await fc.assert(
    fc.asyncProperty(anyStory, async (story) => {
      await withConnected(async (first, world, state) => {
        const calendar = createCalendarDouble(world);
        const model = new Model();
        let actor = first;
        let tasks = 0;
        const told: unknown[] = [];
        const foretold: string[] = [];
        for (const step of story) {
          if ('evict' in step) actor = openActor(state, world);
          else if ('passMs' in step) {
            // Far less than a token's life: nothing but holds has the clock's attention.
            await pass(actor, world, step.passMs);
          } else {
            const acts = step.together.map((act) => ({ act, id: `t${(tasks += 1)}` }));
            await actor.submit(acts.map(({ act, id }) => taskFor(id, act)));
            for (let turn = 0; turn < acts.length; turn += 1) await settle();
            const nowMs = world.clock.now();
            told.push(...acts.map(({ id }) => wordFor(actor.report(id))));
            foretold.push(...acts.map(({ act }) => model.perform(act, nowMs)));
          }
          model.expire(world.clock.now());
        }
        expect(told).toEqual(foretold);
        // What has just run out is taken away by an alarm that is due now.
        await pass(actor, world, 1);
        model.expire(world.clock.now());
        const standing = [...calendar.events.values()].map(({ startMs, isHold }): [number, boolean] => [
          startMs,
          isHold,
        ]);
        expect(standing.toSorted(byStart)).toEqual(model.standing());
      });
    }),
    { numRuns: 60, seed: 20_261_124 },
  );
}, 60_000);

it('whatever goes wrong, the calendar ends as the holds are, and nothing stands twice or stays behind', async () => {
  const anyWeather = fc.infiniteStream(
    fc.constantFrom<Weather>('fair', 'fair', 'fair', 'down', 'lost', 'refused'),
  );
  await fc.assert(
    fc.asyncProperty(anyStory, anyWeather, async (story, weather) => {
      await withConnected(async (first, world, state) => {
        const calendar = createCalendarDouble(world);
        calendar.weather = () => weather.next().value ?? 'fair';
        const book = new HoldBook(openStore(state).store);
        let actor = first;
        const ids: string[] = [];
        for (const step of story) {
          if ('evict' in step) actor = openActor(state, world);
          else if ('passMs' in step) await pass(actor, world, step.passMs);
          else {
            const acts = step.together.map((act) => ({ act, id: `t${ids.push('')}` }));
            for (const [index, { id }] of acts.entries()) ids[ids.length - acts.length + index] = id;
            await actor.submit(acts.map(({ act, id }) => taskFor(id, act)));
            await settle();
          }
        }
        calendar.weather = () => 'fair';
        await pass(actor, world, 60 * MINUTE_MS);
        expect(
          ids.map((id) => actor.report(id)?.state).filter((one) => one !== 'done' && one !== 'failed'),
        ).toEqual([]);
        expect(book.leftovers()).toEqual([]);
        // An hour on, every hold has run out or is an event.
        const confirmed = HOLD_IDS.flatMap((holdId) => {
          const hold = book.find(holdId);
          expect(hold?.state).not.toBe('placing');
          expect(hold?.state).not.toBe('confirming');
          expect(hold?.state).not.toBe('held');
          return hold?.state === 'confirmed' ? [hold.placed?.key] : [];
        });
        expect(new Set(calendar.events.keys())).toEqual(new Set(confirmed));
        expect([...calendar.events.values()].every(({ isHold }) => !isHold)).toBe(true);
        expect(new Set(calendar.log).size).toBe(calendar.log.length);
      });
    }),
    { numRuns: 60, seed: 20_261_124 },
  );
}, 60_000);
