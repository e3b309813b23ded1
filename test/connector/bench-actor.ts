import { env } from 'cloudflare:workers';
import { expect } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { Actor } from '../../src/connector/actor.ts';
import { freshId } from '../database.ts';
import { inFreshObject, openStore } from './bench.ts';
import { createWorld, IDENTITY_OF_TESTS, settle, SIGN_IN, type World } from './world.ts';

/** The actor of this storage, as after an eviction. */
export function openActor(state: DurableObjectState, world: World): Actor {
  const { clock, script, showcase, provider, alarm, sendNotices, events, app } = world;
  const config = readConfig(env, (length) => crypto.getRandomValues(new Uint8Array(length)));
  if (!config.ok) throw new Error('the tests have no configuration');
  return new Actor({
    identity: IDENTITY_OF_TESTS,
    config: { ...config.value, hasMirror: false },
    provider,
    store: openStore(state).store,
    alarm,
    showcase,
    fetch: () => Promise.reject(new Error('no network')),
    now: clock.now,
    random: () => script.random(),
    randomId: () => freshId('id'),
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    sleep: clock.sleep,
    sendNotices,
    askApp: (request) => app.lease(request),
    record: (event) => void events.push(event),
    wipe: async () => {
      await script.wipe();
      alarm.atMs = null;
      await state.storage.deleteAll();
    },
  });
}

export function withActor(body: (actor: Actor, world: World, state: DurableObjectState) => Promise<void>) {
  return inFreshObject((state) => {
    const world = createWorld();
    return body(openActor(state, world), world, state);
  });
}

/** With a connected account, whose calls and notices so far are forgotten. */
export function withConnected(
  body: (actor: Actor, world: World, state: DurableObjectState) => Promise<void>,
) {
  return withActor(async (actor, world, state) => {
    expect(await actor.connect(SIGN_IN)).toEqual({ status: 'connected' });
    await settle();
    world.calls.length = 0;
    world.sent.length = 0;
    await body(actor, world, state);
  });
}

/** Lets the clock run to the alarm, and the alarm go off. */
export async function ring(actor: Actor, { alarm, clock }: World): Promise<void> {
  if (alarm.atMs === null) throw new Error('no alarm is set');
  const { atMs } = alarm;
  alarm.atMs = null;
  await clock.advance(Math.max(0, atMs - clock.now()));
  await actor.alarm();
  await settle();
}
