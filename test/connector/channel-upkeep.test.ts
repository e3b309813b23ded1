import { describe, expect, it } from 'vitest';
import { Agenda } from '../../src/connector/agenda.ts';
import { ChannelUpkeep } from '../../src/connector/channel-upkeep.ts';
import type { Failure } from '../../src/domain/failure.ts';
import { inFreshObject, openStore } from './bench.ts';
import {
  createSyncDouble,
  DOWN,
  MINUTE_MS,
  openChannels,
  REVOKED,
  SILENT,
  type SyncDouble,
} from './bench-upkeep.ts';
import { createWorld, settle, type World } from './world.ts';

/** The channels of two calendars, whose mirror is kept no more. */
function withLeft(
  body: (parts: {
    left: ChannelUpkeep;
    agenda: Agenda;
    double: SyncDouble;
    world: World;
    control: { obstacle: Failure | undefined; failures: Failure[]; rearmed: number };
    close: () => Promise<void>;
    countRows: (act: () => void) => number;
  }) => Promise<void>,
  calendarIds = ['ada', 'bob'],
  weather?: { lost: Failure },
): Promise<void> {
  return inFreshObject(async (state) => {
    const world = createWorld();
    const double = createSyncDouble(world);
    double.weather = () => weather;
    await openChannels(state, world, double).tend(calendarIds);
    double.weather = () => undefined;
    const { store, countRows } = openStore(state);
    const agenda = new Agenda(store, world.alarm);
    const control = { obstacle: undefined as Failure | undefined, failures: [] as Failure[], rearmed: 0 };
    const { now } = world.clock;
    const channels = openChannels(state, world, double);
    const left = new ChannelUpkeep({
      channels,
      wanted: () => [],
      agenda,
      now,
      random: () => 0.5,
      onError: (where) => expect.fail(where),
      obstacle: () => control.obstacle,
      onFailure: (failure) => void control.failures.push(failure),
      rearm: () => void (control.rearmed += 1),
    });
    const close = async () => {
      left.due();
      await settle();
    };
    await body({ left, close, agenda, double, world, control, countRows });
  });
}

describe('channels that are left when no mirror is kept any more', () => {
  it('are closed when the actor next wakes, and then cost nothing', () =>
    withLeft(async ({ left, close, agenda, double, world, control, countRows }) => {
      left.plan();
      expect(agenda.due(world.clock.now())).toEqual(['channels']);
      await close();
      expect(double.living()).toEqual([]);
      expect(control.rearmed).toBe(1);
      expect(agenda.has('channels')).toBe(false);
      expect(countRows(() => left.plan())).toBe(0);
    }));

  it('are closed later when the provider does not take that now', () =>
    withLeft(async ({ left, close, agenda, double, world, control }) => {
      double.weather = (call, id) => (call === 'stop' && id === 'bob' ? DOWN : undefined);
      left.plan();
      await close();
      expect(double.living().map(({ calendarId }) => calendarId)).toEqual(['bob']);
      expect(control.failures).toEqual([DOWN]);
      // What it tells meanwhile is no reason to hurry.
      left.hear(double.announce('bob'));
      await world.clock.advance(MINUTE_MS);
      expect(agenda.due(world.clock.now())).toEqual([]);
      await world.clock.advance(MINUTE_MS);
      expect(agenda.due(world.clock.now())).toEqual(['channels']);
      double.weather = () => undefined;
      await close();
      expect(double.living()).toEqual([]);
      expect(agenda.has('channels')).toBe(false);
    }));

  it('are let alone while the account cannot be reached', () =>
    withLeft(async ({ left, close, agenda, double, control }) => {
      left.plan();
      control.obstacle = REVOKED;
      double.calls.length = 0;
      await close();
      await left.release();
      expect(double.calls).toEqual([]);
      expect(agenda.has('channels')).toBe(false);
    }));

  it('are closed beside whatever else is due: nothing waits for the provider', () =>
    withLeft(async ({ left, close, agenda, double, world }) => {
      double.before = () => new Promise(() => {});
      left.plan();
      await close();
      expect(double.living()).toHaveLength(2);
      await world.clock.advance(10 * MINUTE_MS);
      expect(agenda.due(world.clock.now())).toEqual(['channels']);
    }));

  it('of which it was not known that they are open are closed when they speak, and waited for until then', () =>
    withLeft(
      async ({ left, close, agenda, double, world }) => {
        const lost = double.living();
        left.plan();
        expect(agenda.due(world.clock.now())).toEqual([]);
        left.hear(lost.map((channel) => double.say(channel, 'changed')));
        expect(agenda.due(world.clock.now())).toEqual(['channels']);
        await close();
        expect(double.living()).toEqual([]);
      },
      undefined,
      { lost: SILENT },
    ));

  it('are closed with the account', () =>
    withLeft(async ({ left, double }) => {
      await left.release();
      expect(double.living()).toEqual([]);
    }));
});
