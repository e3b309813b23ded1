import { describe, expect, it } from 'vitest';
import { Agenda } from '../../src/connector/agenda.ts';
import { openParts, withParts } from './bench.ts';
import { START_MS } from './world.ts';

describe('the agenda', () => {
  it('tells which duties are due, earliest first, until they are struck', () =>
    withParts(({ agenda }) => {
      agenda.schedule('publish', START_MS + 20);
      agenda.schedule('erase', START_MS + 10);
      agenda.schedule('send-notices', START_MS + 21);
      expect(agenda.due(START_MS + 20)).toEqual(['erase', 'publish']);
      agenda.strike('erase');
      expect(agenda.due(START_MS + 20)).toEqual(['publish']);
      expect(agenda.has('erase')).toBe(false);
      expect(agenda.has('publish')).toBe(true);
    }));

  it('moves a duty that is entered again, in one row', () =>
    withParts(({ agenda, countRows }) => {
      agenda.schedule('publish', START_MS);
      expect(countRows(() => agenda.schedule('publish', START_MS + 50.5))).toBe(1);
      expect(agenda.due(START_MS + 50)).toEqual([]);
      expect(agenda.due(START_MS + 51)).toEqual(['publish']);
    }));
});

describe('the agenda, as it is recorded,', () => {
  it('is written only where it changes', () =>
    withParts(({ agenda, countRows }) => {
      agenda.schedule('publish', START_MS + 0.5);
      expect(countRows(() => agenda.schedule('publish', START_MS + 1))).toBe(0);
      expect(countRows(() => agenda.strike('erase'))).toBe(0);
      expect(countRows(() => agenda.strike('publish'))).toBe(1);
    }));

  it('is what the next life finds, and without what was undone', () =>
    withParts(({ agenda, store }, world, state) => {
      agenda.schedule('publish', START_MS);
      const undone = () =>
        store.transaction(() => {
          agenda.strike('publish');
          agenda.schedule('erase', START_MS);
          throw new Error('undone');
        });
      expect(undone).toThrow('undone');
      expect([agenda.has('publish'), agenda.has('erase')]).toEqual([true, false]);
      expect(openParts(state, world).agenda.due(START_MS)).toEqual(['publish']);
    }));
});

describe('arming the alarm', () => {
  it('sets it to the earliest duty or other time, and not at all when there is none', () =>
    withParts(async ({ agenda }, { alarm }) => {
      await agenda.arm(START_MS, undefined);
      expect(alarm.sets).toEqual([]);
      agenda.schedule('publish', START_MS + 500);
      agenda.schedule('erase', START_MS + 900);
      await agenda.arm(START_MS, START_MS + 700);
      await agenda.arm(START_MS, START_MS + 300);
      expect(alarm.sets).toEqual([START_MS + 500, START_MS + 300]);
    }));

  it('never sets it at or before now', () =>
    withParts(async ({ agenda }, { alarm }) => {
      agenda.schedule('publish', START_MS - 5000);
      await agenda.arm(START_MS, undefined);
      expect(alarm.sets).toEqual([START_MS + 1]);
    }));

  it('writes only when it must move: an earlier alarm is left', () =>
    withParts(async ({ agenda }, { alarm }) => {
      agenda.schedule('publish', START_MS + 500);
      await agenda.arm(START_MS, undefined);
      await agenda.arm(START_MS + 1, undefined);
      await agenda.arm(START_MS + 2, START_MS + 800);
      agenda.schedule('publish', START_MS + 5000);
      await agenda.arm(START_MS + 3, undefined);
      expect(alarm.sets).toEqual([START_MS + 500]);
    }));

  it('sets an alarm anew that should have gone off and has not', () =>
    withParts(async ({ agenda }, { alarm }) => {
      agenda.schedule('publish', START_MS + 500);
      await agenda.arm(START_MS, undefined);
      await agenda.arm(START_MS + 600, undefined);
      expect(alarm.sets).toEqual([START_MS + 500, START_MS + 601]);
    }));

  it('takes over the alarm that an earlier life has set', () =>
    withParts(async ({ agenda }, world, state) => {
      agenda.schedule('publish', START_MS + 500);
      await agenda.arm(START_MS, undefined);
      const reopened = openParts(state, world).agenda;
      await reopened.arm(START_MS + 1, undefined);
      expect(world.alarm.sets).toEqual([START_MS + 500]);
      await reopened.arm(START_MS + 1, START_MS + 100);
      expect(world.alarm.sets).toEqual([START_MS + 500, START_MS + 100]);
    }));

  it('ends at the earliest of several that are armed at once', () =>
    withParts(async ({ agenda }, { alarm }) => {
      await Promise.all([300, 100, 200].map((ms) => agenda.arm(START_MS, START_MS + ms)));
      expect(alarm.atMs).toBe(START_MS + 100);
    }));

  it('sets the next one after it went off', () =>
    withParts(async ({ agenda }, { alarm }) => {
      await agenda.arm(START_MS, START_MS + 500);
      agenda.alarmWentOff();
      // The platform's clock may be behind the time the alarm was set to.
      await agenda.arm(START_MS + 499, START_MS + 900);
      expect(alarm.sets).toEqual([START_MS + 500, START_MS + 900]);
    }));

  it('does not believe in an alarm that could not be set', () =>
    withParts(async ({ store }) => {
      const sets: number[] = [];
      let broken = true;
      const agenda = new Agenda(store, {
        get: () => Promise.resolve(null),
        set: (atMs) =>
          broken ? Promise.reject(new Error('storage')) : Promise.resolve(void sets.push(atMs)),
      });
      await expect(agenda.arm(START_MS, START_MS + 500)).rejects.toThrow('storage');
      broken = false;
      await agenda.arm(START_MS, START_MS + 500);
      expect(sets).toEqual([START_MS + 500]);
    }));
});
