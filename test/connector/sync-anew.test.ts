import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../src/domain/failure.ts';
import { CALENDAR, occurrence, series, single, TEAM } from './bench-mirror.ts';
import {
  DOUBT_MS,
  DOWN,
  EXPIRED,
  failAt,
  found,
  idsOf,
  named,
  NOTHING,
  type Remote,
  repair,
  withSync,
} from './bench-sync.ts';
import { DAY_MS, START_MS } from './world.ts';

const { id: ID } = CALENDAR;

describe('a cursor that has expired', () => {
  it('leads to one reading from the start within the run, and what has vanished is removed', () =>
    withSync(async ({ sync, mirror, remote, resyncs }) => {
      remote.put(...named('a', 5));
      await sync.request('webhook');
      remote.asked.length = 0;
      remote.remove('a0');
      remote.put(single('a1', 20));
      failAt(remote, EXPIRED, (position) => position === 'since:5');
      expect(await sync.request('webhook')).toEqual(found({ changed: 1, removed: 1 }));
      expect(remote.asked.map(({ position }) => position)).toEqual(['since:5', undefined]);
      expect(idsOf(mirror)).toEqual(['a1', 'a2', 'a3', 'a4']);
      expect(mirror.find(ID)?.position).toBe('since:7');
      expect(resyncs()).toEqual(['cursor-expired']);
    }));

  it('again and again is a failure, not a loop', () =>
    withSync(async ({ sync, mirror, remote, resyncs }) => {
      remote.put(...named('a', 5));
      await sync.request('webhook');
      remote.asked.length = 0;
      failAt(remote, EXPIRED, () => {
        if (remote.asked.length > 9) throw new Error('a loop');
        return true;
      });
      expect(await sync.request('webhook')).toMatchObject({ ok: false, failure: { kind: 'malformed' } });
      expect(remote.asked).toHaveLength(2);
      expect(resyncs()).toEqual(['cursor-expired', 'cursor-expired']);
      expect(idsOf(mirror)).toHaveLength(5);
      repair(remote);
      expect(await sync.request('webhook')).toEqual(ok(NOTHING));
    }));

  it('in the middle of a reading from the start counts only what the fresh one tells', () =>
    withSync(async ({ sync, mirror, remote }) => {
      remote.pageSize = 2;
      remote.put(...named('a', 4));
      let pages = 0;
      remote.answer = () => {
        pages += 1;
        if (pages !== 2) return undefined;
        remote.remove('a0');
        return fail(EXPIRED);
      };
      expect(await sync.request('webhook')).toEqual(ok(NOTHING));
      expect(idsOf(mirror)).toEqual(['a1', 'a2', 'a3']);
    }));
});

describe('a calendar that is suddenly empty', () => {
  /** Everything is gone at the provider, or so it says. */
  const empty = (remote: Remote, how: string) => {
    if (how === 'in what has changed') remote.remove(...remote.eventsOf(ID).keys());
    else
      remote.answer = ({ position }) =>
        position === undefined
          ? ok({ events: [], removed: [], position: 'since:0', isComplete: true })
          : fail(EXPIRED);
  };

  it.each(['in what has changed', 'in a reading from the start'])(
    'is kept and doubted when %s says so, and believed when a later one does',
    (how) =>
      withSync(async ({ sync, mirror, remote, resyncs, clock, recorded, ended }) => {
        remote.put(...named('a', 5));
        await sync.request('webhook');
        const { known } = mirror.find(ID) ?? {};
        empty(remote, how);
        await clock.advance(1_000);
        expect(await sync.request('webhook')).toEqual(
          fail({ kind: 'unavailable', ambiguous: false, retryAtMs: clock.now() + DOUBT_MS }),
        );
        expect(mirror.find(ID)).toEqual({
          calendar: CALENDAR,
          place: 0,
          known,
          isDoubted: true,
          isMixed: false,
        });
        expect(idsOf(mirror)).toHaveLength(5);
        expect(resyncs()).toContain('doubted');
        expect(recorded).toContainEqual({
          event: 'resync',
          connectorId: 'connector-1',
          outcome: 'doubted',
          events: 5,
        });
        expect(ended.at(-1)?.report).toEqual(NOTHING);

        await clock.advance(DOUBT_MS);
        expect(await sync.request('webhook')).toEqual(found({ removed: 5 }));
        expect(idsOf(mirror)).toEqual([]);
        expect(mirror.find(ID)?.isDoubted).toBe(false);
      }),
  );

  it('is not believed of a reading that comes at once', () =>
    withSync(async ({ sync, mirror, remote, clock, open }) => {
      remote.put(...named('a', 5));
      await sync.request('webhook');
      empty(remote, 'in what has changed');
      await Promise.all([sync.request('webhook'), sync.request('webhook')]);
      expect(idsOf(mirror)).toHaveLength(5);
      await clock.advance(DOUBT_MS - 1);
      await sync.request('webhook');
      expect(idsOf(mirror)).toHaveLength(5);
      await clock.advance(1);
      await sync.request('webhook');
      expect(idsOf(open().mirror)).toEqual([]);
    }));

  it('is as it was when the next reading says so', () =>
    withSync(async ({ sync, mirror, remote, clock }) => {
      remote.put(...named('a', 5));
      await sync.request('webhook');
      empty(remote, 'in a reading from the start');
      await sync.request('webhook');
      repair(remote);
      await clock.advance(DOUBT_MS);
      expect(await sync.request('webhook')).toEqual(ok(NOTHING));
      expect([idsOf(mirror).length, mirror.find(ID)?.isDoubted]).toEqual([5, false]);
      // And is doubted anew, for all the time that has passed.
      empty(remote, 'in what has changed');
      await sync.request('webhook');
      expect(idsOf(mirror)).toHaveLength(5);
    }));

  it('is doubted across a crash, and believed in the next life', () =>
    withSync(async ({ sync, remote, clock, open }) => {
      remote.put(...named('a', 5));
      await sync.request('webhook');
      empty(remote, 'in what has changed');
      await sync.request('webhook');
      const life = open();
      expect([idsOf(life.mirror).length, life.mirror.find(ID)?.isDoubted]).toEqual([5, true]);
      await clock.advance(DOUBT_MS);
      await life.sync.request('webhook');
      expect(idsOf(life.mirror)).toEqual([]);
    }));

  it('is never believed because of a reading that breaks off', () =>
    withSync(async ({ sync, mirror, remote, clock }) => {
      remote.pageSize = 2;
      remote.put(...named('a', 5));
      await sync.request('webhook');
      empty(remote, 'in a reading from the start');
      await sync.request('webhook');
      let pages = 0;
      remote.answer = () => {
        pages += 1;
        return pages === 1
          ? ok({ events: [], removed: [], position: 'full:5:2', isComplete: false })
          : fail(DOWN);
      };
      await clock.advance(DOUBT_MS);
      expect(await sync.request('webhook')).toEqual(fail(DOWN));
      expect([idsOf(mirror).length, mirror.find(ID)?.isDoubted]).toEqual([5, true]);
    }));

  it('is doubted when only most of it is gone, or a series with all that belonged to it', () =>
    withSync(
      async ({ sync, mirror, remote }) => {
        remote.put(...named('a', 25));
        remote.putInto(TEAM.id, series('s', 0), occurrence('o', 's', 0), occurrence('p', 's', 24));
        await sync.request('webhook');
        remote.answer = ({ calendar, position }) => {
          if (calendar.id === TEAM.id)
            return ok({ events: [], removed: ['s'], position: 'x', isComplete: true });
          return position === undefined
            ? ok({ events: named('a', 12), removed: [], position: 'since:25', isComplete: true })
            : fail(EXPIRED);
        };
        await sync.request('webhook');
        expect([mirror.sizeOf(ID), mirror.sizeOf(TEAM.id)]).toEqual([25, 3]);
        expect([mirror.find(ID)?.isDoubted, mirror.find(TEAM.id)?.isDoubted]).toEqual([true, true]);
      },
      [CALENDAR, TEAM],
    ));

  it('is believed where there was little, one by one', () =>
    withSync(async ({ sync, mirror, remote }) => {
      remote.put(...named('a', 3));
      await sync.request('webhook');
      remote.remove('a0');
      expect(await sync.request('webhook')).toEqual(found({ removed: 1 }));
      remote.remove('a1', 'a2');
      expect(await sync.request('webhook')).toEqual(found({ removed: 2 }));
      expect(idsOf(mirror)).toEqual([]);
    }));

  it('does not hold up the others', () =>
    withSync(
      async ({ sync, mirror, remote, ended }) => {
        remote.put(...named('a', 5));
        await sync.request('webhook');
        empty(remote, 'in what has changed');
        remote.putInto(TEAM.id, single('t'));
        expect((await sync.request('webhook')).ok).toBe(false);
        expect(idsOf(mirror, TEAM.id)).toEqual(['t']);
        expect(ended.at(-1)?.report).toEqual({ ...NOTHING, calendarIds: [TEAM.id], changed: 1 });
      },
      [CALENDAR, TEAM],
    ));
});

describe('a reading from the start', () => {
  const restart = (remote: Remote) => failAt(remote, EXPIRED, (at) => at?.startsWith('since') === true);

  it('keeps a series whose occurrences it tells, though it does not tell the series', () =>
    withSync(async ({ sync, mirror, remote }) => {
      remote.put(series('s', 0), occurrence('o', 's', 0), occurrence('p', 's', 24));
      await sync.request('webhook');
      const pages = [occurrence('o', 's', 0), occurrence('p', 's', 24)];
      remote.answer = ({ position }) => {
        if (position?.startsWith('since') === true) return fail(EXPIRED);
        const event = pages.shift();
        return ok({
          events: event === undefined ? [] : [event],
          removed: [],
          position: 'on',
          isComplete: pages.length === 0,
        });
      };
      expect(await sync.request('webhook')).toEqual(ok(NOTHING));
      expect(idsOf(mirror)).toEqual(['o', 'p', 's']);
    }));

  it('does not take what is over, and so is not told any more, for something that somebody has removed', () =>
    withSync(async ({ sync, mirror, remote, clock }) => {
      remote.put(...named('old', 20), single('later', 24 * 100), single('removed', 24 * 90));
      await sync.request('webhook');
      await clock.advance(40 * DAY_MS);
      // As a provider that tells only what the window holds.
      remote.remove('removed', ...named('old', 20).map(({ eventId }) => eventId));
      restart(remote);
      expect(await sync.request('webhook')).toEqual(found({ removed: 1 }));
      expect(idsOf(mirror)).toEqual(['later']);
    }));

  it('is made when less than half a year is left ahead, and covers it again', () =>
    withSync(async ({ sync, mirror, remote, clock }) => {
      remote.put(single('a', 24 * 60));
      await sync.request('webhook');
      const first = mirror.find(ID)?.known?.window;
      expect(first).toEqual({ startMs: START_MS - 32 * DAY_MS, endMs: START_MS + 201 * DAY_MS });
      await clock.advance(21 * DAY_MS);
      remote.asked.length = 0;
      await sync.request('webhook');
      expect(remote.asked.map(({ position }) => position)).toEqual(['since:1']);
      expect(mirror.find(ID)?.known?.window).toEqual(first);

      await clock.advance(1);
      expect(await sync.request('webhook')).toEqual(ok(NOTHING));
      expect(remote.asked.at(-1)?.position).toBe(undefined);
      const window = { startMs: clock.now() - 32 * DAY_MS, endMs: clock.now() + 201 * DAY_MS };
      expect(remote.asked.at(-1)?.request.window).toEqual(window);
      expect(mirror.find(ID)?.known).toEqual({ asOfMs: clock.now(), window });
    }));
});
