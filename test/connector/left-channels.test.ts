import { describe, expect, it } from 'vitest';
import { Agenda } from '../../src/connector/agenda.ts';
import { LeftChannels } from '../../src/connector/left-channels.ts';
import type { Failure } from '../../src/domain/failure.ts';
import { inFreshObject, openStore } from './bench.ts';
import { createSyncDouble, DOWN, MINUTE_MS, openChannels, REVOKED, type SyncDouble } from './bench-upkeep.ts';
import { createWorld, type World } from './world.ts';

/** The channels of two calendars, whose mirror is kept no more. */
function withLeft(
  body: (parts: {
    left: LeftChannels;
    agenda: Agenda;
    double: SyncDouble;
    world: World;
    control: { obstacle: Failure | undefined };
    countRows: (act: () => void) => number;
  }) => Promise<void>,
  calendarIds = ['ada', 'bob'],
): Promise<void> {
  return inFreshObject(async (state) => {
    const world = createWorld();
    const double = createSyncDouble(world);
    await openChannels(state, world, double).tend(calendarIds);
    const { store, countRows } = openStore(state);
    const agenda = new Agenda(store, world.alarm);
    const control = { obstacle: undefined as Failure | undefined };
    const { now } = world.clock;
    const channels = openChannels(state, world, double);
    const left = new LeftChannels({ channels, agenda, now, obstacle: () => control.obstacle });
    await body({ left, agenda, double, world, control, countRows });
  });
}

describe('channels that are left when no mirror is kept any more', () => {
  it('are closed when the actor next wakes, and then cost nothing', () =>
    withLeft(async ({ left, agenda, double, world, countRows }) => {
      left.plan();
      expect(agenda.due(world.clock.now())).toEqual(['channels']);
      await left.close();
      expect(double.living()).toEqual([]);
      expect(agenda.has('channels')).toBe(false);
      expect(countRows(() => left.plan())).toBe(0);
    }));

  it('are closed later when the provider does not take that now', () =>
    withLeft(async ({ left, agenda, double, world }) => {
      double.weather = (call, id) => (call === 'stop' && id === 'bob' ? DOWN : undefined);
      left.plan();
      await left.close();
      expect(double.living().map(({ calendarId }) => calendarId)).toEqual(['bob']);
      await world.clock.advance(10 * MINUTE_MS - 1);
      expect(agenda.due(world.clock.now())).toEqual([]);
      await world.clock.advance(1);
      expect(agenda.due(world.clock.now())).toEqual(['channels']);
      double.weather = () => undefined;
      await left.close();
      expect(double.living()).toEqual([]);
      expect(agenda.has('channels')).toBe(false);
    }));

  it('are let alone while the account cannot be reached', () =>
    withLeft(async ({ left, agenda, double, control }) => {
      left.plan();
      control.obstacle = REVOKED;
      double.calls.length = 0;
      await left.close();
      await left.release();
      expect(double.calls).toEqual([]);
      expect(agenda.has('channels')).toBe(false);
    }));

  it('are closed with the account', () =>
    withLeft(async ({ left, double }) => {
      await left.release();
      expect(double.living()).toEqual([]);
    }));
});
