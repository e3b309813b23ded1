import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Actor } from '../../src/connector/actor.ts';
import { ok } from '../../src/domain/failure.ts';
import type { TaskReport } from '../../src/domain/task.ts';
import { openActor, ring, withConnected } from './bench-actor.ts';
import { CREATE_PAYLOAD, EVENT, HOUR_MS, settle, taskOf, type World } from './world.ts';

const CREATE = taskOf('c1', { type: 'create-event', payload: CREATE_PAYLOAD });

/** What an actor asks of the world outside it: between two of these it cannot be interrupted. */
const TOUCHES = ['refresh', 'create', 'notices', 'alarm get', 'alarm set', 'row', 'kv'] as const;
type Touch = (typeof TOUCHES)[number];

/** Where an actor dies: at its nth touch of a kind, before it reaches the world or before its answer is back. */
interface Death {
  touch: Touch;
  nth: number;
  when: 'before' | 'after';
}

/** The world as an actor sees it that dies at `death`: from then on nothing it asks for is done or answered. */
function mortal(world: World, death: Death | undefined): World {
  const { provider, showcase, alarm, sendNotices } = world;
  const counts = new Map<Touch, number>();
  let isDead = false;
  const never = () => new Promise<never>(() => {});
  const pass = async <T>(touch: Touch, deed: () => Promise<T>): Promise<T> => {
    if (isDead) return await never();
    const nth = (counts.get(touch) ?? 0) + 1;
    counts.set(touch, nth);
    const isLast = death?.touch === touch && death.nth === nth;
    if (isLast && death.when === 'before') {
      isDead = true;
      return await never();
    }
    const answer = await deed();
    if (isLast) isDead = true;
    return isDead ? await never() : answer;
  };
  return {
    ...world,
    provider: {
      ...provider,
      oauth: {
        ...provider.oauth,
        refresh: (...asked) => pass('refresh', () => provider.oauth.refresh(...asked)),
      },
      createEvent: (...asked) => pass('create', () => provider.createEvent(...asked)),
    },
    showcase: {
      ...showcase,
      saveRow: (state) => pass('row', () => showcase.saveRow(state)),
      putAccessToken: (...put) => pass('kv', () => showcase.putAccessToken(...put)),
    },
    alarm: {
      ...alarm,
      get: () => pass('alarm get', alarm.get),
      set: (atMs) => pass('alarm set', () => alarm.set(atMs)),
    },
    sendNotices: (notices) => pass('notices', () => sendNotices(notices)),
  };
}

/** Whether something comes to its end when nothing further happens outside. */
async function ends(deed: Promise<unknown>): Promise<boolean> {
  let hasEnded = false;
  const note = async () => {
    await deed;
    hasEnded = true;
  };
  void note();
  for (let turn = 0; turn < 5; turn += 1) {
    // oxlint-disable-next-line no-await-in-loop
    await settle();
  }
  return hasEnded;
}

/**
 * Lets the alarm go off; one that is not seen through goes off again, as the platform has it. There is one
 * as long as there is something to do.
 */
async function wake(actor: Actor, { alarm, clock }: World): Promise<void> {
  const { atMs } = alarm;
  if (atMs === null) {
    expect(actor.report('c1')).toMatchObject({ state: 'done' });
    return;
  }
  alarm.atMs = null;
  await clock.advance(Math.max(0, atMs - clock.now()));
  if (!(await ends(actor.alarm())) && alarm.atMs === null) alarm.atMs = atMs;
}

/** The ids of the events at the provider, and what is told of them by the task, to a repeat, and in notices. */
const ONCE = {
  made: ['event-1'],
  task: 'done event-1',
  repeat: 'done event-1',
  notices: new Set(['task-completed event-1']),
};

const resultSchema = z.object({ eventId: z.string() });
const eventIn = (result: unknown) => resultSchema.safeParse(result).data?.eventId;

/**
 * A booking, with an actor that dies at each of `deaths`, one life after the other, and then lives. Its
 * caller asks again until there is an answer, as the queue and a good client do, and then leaves it alone.
 */
async function bookThrough(deaths: readonly Death[]): Promise<typeof ONCE> {
  const outcome: typeof ONCE = { made: [], task: '', repeat: '', notices: new Set() };
  await withConnected(async (idle, world, state) => {
    const { script, clock, alarm, sent } = world;
    // This provider makes a second one whenever it is told to: it is for the actor to know that there may be one.
    const known = new Map<string, string>();
    script.createEvent = ({ key, isRepeat }) => {
      const found = isRepeat ? known.get(key) : undefined;
      const eventId = found ?? `event-${outcome.made.length + 1}`;
      if (found === undefined) outcome.made.push(eventId);
      known.set(key, eventId);
      return Promise.resolve(ok({ ...EVENT, eventId }));
    };
    // Nobody has used the account for hours: its token is past its time, and no alarm is set.
    await ring(idle, world);
    await clock.advance(2 * HOUR_MS);
    expect(alarm.atMs).toBe(null);

    let isAnswered = false;
    for (const death of [...deaths, undefined]) {
      const actor = openActor(state, mortal(world, death));
      // oxlint-disable-next-line no-await-in-loop
      if (isAnswered) await wake(actor, world);
      // oxlint-disable-next-line no-await-in-loop
      else isAnswered = await ends(actor.submit([CREATE]));
    }
    const survivor = openActor(state, world);
    const isDone = () => survivor.report('c1')?.state === 'done';
    // oxlint-disable-next-line no-await-in-loop
    for (let rings = 0; rings < 20 && !isDone(); rings += 1) await wake(survivor, world);

    const tell = (report: TaskReport | undefined) => `${report?.state} ${eventIn(report?.result)}`;
    outcome.task = tell(survivor.report('c1'));
    const repeat = await survivor.perform(CREATE, 1_000);
    outcome.repeat = tell(repeat.ok ? repeat.value.report : undefined);
    outcome.notices = new Set(sent.map(({ type, result }) => `${type} ${eventIn(result)}`));
  });
  return outcome;
}

const STEPS: [string, Death][] = [
  ['before its alarm is looked at', { touch: 'alarm get', nth: 1, when: 'before' }],
  ['before its alarm is set', { touch: 'alarm set', nth: 1, when: 'before' }],
  ['as its alarm is set', { touch: 'alarm set', nth: 1, when: 'after' }],
  ['before its token is refreshed', { touch: 'refresh', nth: 1, when: 'before' }],
  ['before the new token is here', { touch: 'refresh', nth: 1, when: 'after' }],
  ['before the event is made', { touch: 'create', nth: 1, when: 'before' }],
  ['after the event was made, before the reply', { touch: 'create', nth: 1, when: 'after' }],
  ['after the reply, before the notice', { touch: 'notices', nth: 1, when: 'before' }],
  ['after the notice, before the end is recorded', { touch: 'notices', nth: 1, when: 'after' }],
];

describe('a booking is one event, one result and told, though its actor dies', () => {
  it.each(STEPS)('%s', async (_, death) => {
    expect(await bookThrough([death])).toEqual(ONCE);
  });

  it.each(STEPS)('%s, three times over', async (_, death) => {
    expect(await bookThrough([death, death, death])).toEqual(ONCE);
  });

  it('anywhere, again and again', async () => {
    const death = fc.record<Death>({
      touch: fc.constantFrom(...TOUCHES),
      nth: fc.integer({ min: 1, max: 3 }),
      when: fc.constantFrom('before', 'after'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(death, { maxLength: 6 }), async (deaths) => {
        expect(await bookThrough(deaths)).toEqual(ONCE);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
