import { describe, expect, it } from 'vitest';
import { readFact, SYNC, WORKING_HOURS } from '../../src/connector/facts.ts';
import { fail, type Failure, ok } from '../../src/domain/failure.ts';
import { CALENDAR, series, single, TEAM } from './bench-mirror.ts';
import { DOWN, EXPIRED, failAt, found, idsOf, named, NOTHING, repair, withSync } from './bench-sync.ts';
import { DAY_MS, settle, START_MS } from './world.ts';

const { id: ID } = CALENDAR;
const LIST_KEPT_MS = 15 * 60_000;

const TOO_LARGE: Failure = { kind: 'malformed', at: 'body', isTooLarge: true };

describe('a run', () => {
  it('reads all pages of every calendar that counts and can be read, and then what has changed', () =>
    withSync(
      async ({ sync, mirror, remote, lanes }) => {
        remote.pageSize = 2;
        remote.put(...named('a', 5));
        remote.putInto(TEAM.id, ...named('t', 3));
        expect(sync.isBegun).toBe(false);
        expect(await sync.request('webhook')).toEqual(ok(NOTHING));
        expect(sync.isBegun).toBe(true);
        expect([idsOf(mirror), idsOf(mirror, TEAM.id)]).toEqual([
          ['a0', 'a1', 'a2', 'a3', 'a4'],
          ['t0', 't1', 't2'],
        ]);
        expect(remote.asked.map(({ id, position }) => [id, position])).toEqual([
          [ID, undefined],
          [TEAM.id, undefined],
          [ID, 'full:5:2'],
          [TEAM.id, 'full:3:2'],
          [ID, 'full:5:4'],
        ]);
        expect(new Set(lanes)).toEqual(new Set(['webhook']));
        expect(mirror.find('hidden')?.known).toBe(undefined);

        remote.asked.length = 0;
        remote.put(single('a0', 9));
        remote.remove('a1');
        expect(await sync.request('webhook')).toEqual(found({ changed: 1, removed: 1 }));
        expect(remote.asked.map(({ position }) => position)).toEqual(['since:5', 'since:3']);
        expect(mirror.findEvent(ID, 'a0')).toEqual(single('a0', 9));
        expect(mirror.findEvent(ID, 'a1')).toBe(undefined);
      },
      [
        CALENDAR,
        TEAM,
        { ...TEAM, id: 'hidden', counts: false },
        { ...TEAM, id: 'opaque', isReadable: false },
      ],
    ));

  it('costs a row of each calendar where nothing has changed, and one more for each event that has', () =>
    withSync(
      async ({ sync, remote, rowsWritten }) => {
        remote.put(...named('a', 20));
        await sync.request('webhook');
        const before = rowsWritten();
        await sync.request('webhook');
        expect(rowsWritten() - before).toBe(2);
        remote.put(single('a3', 5), single('a4', 4));
        remote.remove('a5');
        await sync.request('webhook');
        // One of them was put as it is.
        expect(rowsWritten() - before).toBe(2 + 2 + 2);
      },
      [CALENDAR, TEAM],
    ));

  it('says what is known as of the instant before its first call, however long its pages take', () =>
    withSync(async ({ sync, mirror, remote, clock }) => {
      remote.pageSize = 2;
      remote.put(...named('a', 5));
      await sync.request('webhook');
      await clock.advance(60_000);
      remote.put(...named('a', 5, 7));
      remote.meanwhile = () => clock.advance(1_000);
      const beganAtMs = clock.now();
      await sync.request('webhook');
      expect(clock.now()).toBe(beganAtMs + 3_000);
      expect(mirror.find(ID)?.known?.asOfMs).toBe(beganAtMs);
    }));

  it('says so of a reading from the start, too, and of one that had to start over', () =>
    withSync(async ({ sync, mirror, remote, clock }) => {
      remote.pageSize = 2;
      remote.put(...named('a', 5));
      remote.meanwhile = () => clock.advance(1_000);
      await sync.request('webhook');
      // The list took the first second.
      expect(mirror.find(ID)?.known?.asOfMs).toBe(START_MS + 1_000);
      const startedAtMs = clock.now();
      failAt(remote, EXPIRED, (position) => position?.startsWith('since') === true);
      await sync.request('webhook');
      expect(mirror.find(ID)?.known?.asOfMs).toBe(startedAtMs + 1_000);
    }));

  it('finds a series for its provider as it is known', () =>
    withSync(async ({ sync, remote }) => {
      remote.put(series('s', 0));
      await sync.request('webhook');
      await sync.request('webhook');
      const { request } = remote.asked.at(-1) ?? {};
      expect([request?.findSeries('s'), request?.findSeries('t')]).toEqual([series('s', 0), undefined]);
    }));

  it('asks nothing where something is in the way', () =>
    withSync(async ({ sync, remote, script, ended }) => {
      const failure: Failure = { kind: 'grant-revoked', detail: 'gone' };
      script.obstacle = () => failure;
      expect(await sync.request('webhook')).toEqual(fail(failure));
      expect([remote.lists, remote.asked, ended.length]).toEqual([0, [], 1]);
    }));

  it('counts how many have failed in a row, and forgets them when one succeeds', () =>
    withSync(async ({ sync, store, remote, recorded }) => {
      await sync.request('webhook');
      failAt(remote, DOWN, () => true);
      await sync.request('webhook');
      await sync.request('webhook');
      expect(readFact(store, SYNC)?.attempts).toBe(2);
      repair(remote);
      await sync.request('webhook');
      expect(readFact(store, SYNC)?.attempts).toBe(0);
      expect(recorded.map((one) => ('outcome' in one ? one.outcome : ''))).toEqual([
        'done',
        'unavailable',
        'unavailable',
        'done',
      ]);
    }));

  it('asks for smaller pages where one is too large to be read, and for the others of that reading too', () =>
    withSync(async ({ sync, remote, mirror }) => {
      remote.put(...named('a', 5));
      remote.pageSize = 2;
      remote.answer = ({ divisor }) => (divisor < 4 ? fail(TOO_LARGE) : undefined);
      expect(await sync.request('webhook')).toMatchObject({ ok: true });
      expect(remote.asked.map(({ position, request }) => [position, request.divisor])).toEqual([
        [undefined, 1],
        [undefined, 2],
        [undefined, 4],
        ['full:5:2', 4],
        ['full:5:4', 4],
      ]);
      expect(idsOf(mirror)).toEqual(['a0', 'a1', 'a2', 'a3', 'a4']);
      remote.asked.length = 0;
      await sync.request('webhook');
      expect(remote.asked[0]?.request.divisor).toBe(1);
    }));

  it('asks for smaller pages no longer than there are any', () =>
    withSync(async ({ sync, remote }) => {
      remote.answer = () => fail(TOO_LARGE);
      expect(await sync.request('webhook')).toEqual(fail(TOO_LARGE));
      expect(remote.asked.map(({ request }) => request.divisor)).toEqual([
        1, 2, 4, 8, 16, 32, 64, 128, 256, 512,
      ]);
    }));

  it('gives up a reading that does not end', () =>
    withSync(async ({ sync, mirror, remote }) => {
      remote.answer = () => ok({ events: [], removed: [], position: 'on', isComplete: false });
      expect(await sync.request('webhook')).toEqual(fail({ kind: 'malformed', at: 'changes' }));
      expect(remote.asked).toHaveLength(2_000);
      expect(mirror.find(ID)?.position).toBe(undefined);
    }));
});

describe('the last page', () => {
  it('is taken in with its position, or not at all', () =>
    withSync(async ({ sync, script, mirror, remote, open, ended }) => {
      remote.pageSize = 2;
      remote.put(...named('a', 2));
      await sync.request('webhook');
      remote.put(...named('b', 3));
      script.beforeQuery = (_, values) => {
        if (values.includes('since:5')) throw new Error('disk full');
      };
      await expect(sync.request('webhook')).rejects.toThrow('disk full');
      const later = open();
      for (const life of [mirror, later.mirror]) {
        expect(idsOf(life)).toEqual(['a0', 'a1', 'b0', 'b1']);
        expect(life.find(ID)?.position).toBe('since:2');
      }
      script.beforeQuery = () => {};
      // What was found before it failed is told all the same, and once.
      expect(ended.at(-1)?.report.changed).toBe(2);
      expect(await sync.request('webhook')).toEqual(found({ changed: 1 }));
      expect(idsOf(mirror)).toHaveLength(5);
    }));
});

describe('a crash between two pages', () => {
  it.each(['from the start', 'of changes'])('of a reading %s is made good by the next life', (kind) =>
    withSync(async ({ sync, remote, open }) => {
      remote.pageSize = 2;
      remote.put(...named('a', 3));
      if (kind === 'of changes') await sync.request('webhook');
      remote.put(...named('b', 4));
      remote.remove('a0');
      remote.asked.length = 0;
      let pages = 0;
      remote.answer = () => {
        pages += 1;
        if (pages === 2) throw new Error('killed');
        return undefined;
      };
      await expect(sync.request('webhook')).rejects.toThrow('killed');
      repair(remote);
      const life = open();
      const betweenPages = life.mirror.find(ID)?.isMixed;
      await life.sync.request('webhook');
      // From where the last whole reading had come to; what was there in between was of no one instant.
      expect(betweenPages).toBe(true);
      expect(life.mirror.find(ID)?.isMixed).toBe(false);
      expect(remote.asked[2]?.position).toBe(kind === 'of changes' ? 'since:3' : undefined);
      expect(idsOf(life.mirror)).toEqual([...remote.eventsOf(ID).keys()].toSorted());
    }),
  );

  it('does not leave what vanished in the meantime', () =>
    withSync(async ({ sync, remote, open }) => {
      remote.pageSize = 2;
      remote.put(...named('a', 4));
      let pages = 0;
      remote.answer = () => {
        pages += 1;
        if (pages === 2) throw new Error('killed');
        return undefined;
      };
      await expect(sync.request('webhook')).rejects.toThrow('killed');
      repair(remote);
      remote.remove('a0');
      const life = open();
      await life.sync.request('webhook');
      expect(idsOf(life.mirror)).toEqual(['a1', 'a2', 'a3']);
    }));
});

describe('a calendar that fails', () => {
  it.each<Failure>([
    { kind: 'unsupported', field: 'calendarId', detail: 'only busy times' },
    { kind: 'not-found', what: 'calendar' },
    { kind: 'consent-missing', scopes: [] },
  ])('for good (%o) is not mirrored any more, and the others are', (failure) =>
    withSync(
      async ({ sync, mirror, remote, resyncs, clock }) => {
        remote.put(single('a'));
        await sync.request('webhook');
        remote.putInto(TEAM.id, single('t'));
        remote.answer = ({ calendar }) => (calendar.id === ID ? fail(failure) : undefined);
        expect(await sync.request('webhook')).toEqual(ok({ ...NOTHING, calendarIds: [TEAM.id], changed: 1 }));
        expect(mirror.find(ID)).toEqual({
          calendar: { ...CALENDAR, isReadable: false },
          place: 0,
          isDoubted: false,
          isMixed: false,
        });
        expect(resyncs()).toEqual([failure.kind]);
        remote.asked.length = 0;
        await sync.request('webhook');
        expect(remote.asked.map(({ id }) => id)).toEqual([TEAM.id]);
        // Until the list is read again.
        repair(remote);
        await clock.advance(LIST_KEPT_MS);
        await sync.request('interactive');
        expect(mirror.find(ID)?.known).toBeDefined();
      },
      [CALENDAR, TEAM],
    ),
  );

  it('fails the run, but does not keep the others from being taken in to their end, and told', () =>
    withSync(
      async ({ sync, mirror, remote, ended }) => {
        await sync.request('webhook');
        remote.pageSize = 2;
        remote.putInto(TEAM.id, ...named('t', 5));
        remote.answer = ({ calendar }) => (calendar.id === ID ? fail(DOWN) : undefined);
        expect(await sync.request('webhook')).toEqual(fail(DOWN));
        expect(idsOf(mirror, TEAM.id)).toHaveLength(5);
        expect(mirror.find(TEAM.id)?.position).toBe('since:5');
        expect(mirror.find(ID)?.position).toBe('since:0');
        expect(ended.at(-1)?.report).toEqual({ ...NOTHING, calendarIds: [TEAM.id], changed: 5 });
      },
      [CALENDAR, TEAM],
    ));

  it('because the token is refused has it refreshed, and nothing is lost', () =>
    withSync(
      async ({ sync, mirror, remote, script }) => {
        await sync.request('webhook');
        remote.put(single('a'));
        remote.putInto(TEAM.id, single('t'));
        remote.answer = ({ calendar }) =>
          calendar.id === TEAM.id && script.refreshes === 0 ? fail({ kind: 'token-rejected' }) : undefined;
        expect(await sync.request('webhook')).toMatchObject({ ok: true, value: { changed: 2 } });
        expect([script.refreshes, idsOf(mirror), idsOf(mirror, TEAM.id)]).toEqual([1, ['a'], ['t']]);
      },
      [CALENDAR, TEAM],
    ));

  it('because the token stays refused fails the run as that', () =>
    withSync(async ({ sync, remote }) => {
      await sync.request('webhook');
      failAt(remote, { kind: 'token-rejected' }, () => true);
      expect(await sync.request('webhook')).toEqual(fail({ kind: 'token-rejected' }));
    }));
});

describe('who asks', () => {
  it('during a run waits for one more, which all who ask then share, in the most urgent of their lanes', () =>
    withSync(async ({ sync, remote, lanes }) => {
      let go: () => void = () => {};
      const held = new Promise<void>((resolve) => {
        go = resolve;
      });
      remote.meanwhile = () => held;
      const first = sync.request('background');
      const others = (['background', 'webhook', 'interactive', 'background'] as const).map((lane) =>
        sync.request(lane),
      );
      expect(new Set(others).size).toBe(1);
      remote.put(single('a'));
      go();
      expect(await first).toEqual(ok(NOTHING));
      await Promise.all(others);
      expect(remote.lists).toBe(1);
      expect(remote.asked).toHaveLength(2);
      expect(lanes).toEqual(['background', 'background', 'interactive']);
      expect(sync.isRunning).toBe(false);
    }));

  it('for a webhook, after one without hurry, does not wait as if for nobody', () =>
    withSync(async ({ sync, lanes }) => {
      const first = sync.request('background');
      await Promise.all([first, sync.request('background'), sync.request('webhook')]);
      expect(lanes.at(-1)).toBe('webhook');
    }));

  it('the moment that a run ends shares the one to come: there are never two at once', () =>
    withSync(async ({ sync, remote }) => {
      let open = 0;
      let most = 0;
      remote.meanwhile = async () => {
        open += 1;
        most = Math.max(most, open);
        await settle();
        open -= 1;
      };
      const first = sync.request('background');
      const again = first.then(() => {
        expect(sync.isRunning).toBe(true);
        return sync.request('background');
      });
      const second = sync.request('background');
      await Promise.all([first, second, again]);
      expect(most).toBe(1);
      expect(remote.asked.length).toBeLessThanOrEqual(3);
    }));

  it('for the list during a run has it read, though another has asked before without', () =>
    withSync(async ({ sync, remote }) => {
      await sync.request('webhook');
      const runs = [sync.request('webhook'), sync.request('webhook'), sync.request('webhook', true)];
      await Promise.all(runs);
      expect(remote.lists).toBe(2);
    }));

  it('during a run that throws is served by the next', () =>
    withSync(async ({ sync, remote, mirror }) => {
      remote.answer = () => {
        repair(remote);
        throw new Error('killed');
      };
      const first = sync.request('webhook');
      const second = sync.request('webhook');
      await expect(first).rejects.toThrow('killed');
      expect(await second).toEqual(ok(NOTHING));
      remote.put(single('a'));
      const [third, fourth] = [sync.request('webhook'), sync.request('webhook')];
      expect([await third, await fourth]).toEqual([found({ changed: 1 }), ok(NOTHING)]);
      expect(idsOf(mirror)).toEqual(['a']);
    }));
});

describe('the list of calendars', () => {
  it.each([
    ['interactive', LIST_KEPT_MS],
    ['webhook', 24 * LIST_KEPT_MS],
    ['background', 24 * LIST_KEPT_MS],
  ] as const)('is read again after a while (%s), or when that is asked for', (lane, keptMs) =>
    withSync(async ({ sync, remote, clock }) => {
      const lists = async (mustList = false) => {
        await sync.request(lane, mustList);
        return remote.lists;
      };
      expect(await lists()).toBe(1);
      await clock.advance(keptMs - 1);
      expect(await lists()).toBe(1);
      await clock.advance(1);
      expect(await lists()).toBe(2);
      expect(await lists(true)).toBe(3);
    }),
  );

  it('fails the run where it cannot be read, and nothing is lost', () =>
    withSync(async ({ sync, mirror, remote, ended }) => {
      const { list } = remote;
      remote.list = () => fail(DOWN);
      expect(await sync.request('webhook')).toEqual(fail(DOWN));
      expect([sync.isBegun, remote.asked, ended.length]).toEqual([false, [], 1]);
      remote.list = list;
      remote.put(single('a'));
      await sync.request('webhook');
      remote.list = () => fail(DOWN);
      expect(await sync.request('webhook', true)).toEqual(fail(DOWN));
      expect(idsOf(mirror)).toEqual(['a']);
    }));

  it('that is suddenly empty is not believed', () =>
    withSync(async ({ sync, mirror, remote }) => {
      remote.put(single('a'));
      await sync.request('webhook');
      remote.calendars = [];
      expect(await sync.request('webhook', true)).toEqual(fail({ kind: 'malformed', at: 'calendars' }));
      expect(idsOf(mirror)).toEqual(['a']);
    }));

  it('tells which calendars are gone, and the events with them', () =>
    withSync(
      async ({ sync, mirror, remote, store }) => {
        remote.workingHours = [{ day: 'monday', start: '09:00', end: '17:00', timeZone: 'UTC' }];
        remote.putInto(TEAM.id, single('t'));
        await sync.request('webhook');
        expect(readFact(store, WORKING_HOURS)).toHaveLength(1);
        remote.calendars = [CALENDAR];
        remote.workingHours = undefined;
        expect(await sync.request('webhook', true)).toEqual(ok({ ...NOTHING, goneCalendarIds: [TEAM.id] }));
        expect(await sync.request('webhook', true)).toEqual(ok(NOTHING));
        expect(mirror.find(TEAM.id)).toBe(undefined);
        expect(readFact(store, WORKING_HOURS)).toBe(undefined);
      },
      [CALENDAR, TEAM],
    ));

  it('has a calendar read from the start whose zone has changed', () =>
    withSync(async ({ sync, remote }) => {
      remote.put(single('a'));
      await sync.request('webhook');
      remote.calendars = [{ ...CALENDAR, timeZone: 'Asia/Tokyo' }];
      await sync.request('webhook', true);
      expect(remote.asked.map(({ position }) => position)).toEqual([undefined, undefined]);
    }));

  it('is an occasion to forget what has been gone for long, and to note that it is', () =>
    withSync(async ({ sync, mirror, remote, store, clock }) => {
      remote.put(single('a'), single('b'), single('c'));
      await sync.request('webhook');
      remote.remove('a');
      await sync.request('webhook');
      remote.put(single('b', 1));
      await clock.advance(15 * DAY_MS);
      await sync.request('webhook');
      await clock.advance(15 * DAY_MS + 1);
      await sync.request('webhook');
      expect(readFact(store, SYNC)).toMatchObject({ epoch: 'epoch-1', forgottenSeq: 4 });
      expect(mirror.changesSince(0, 10).records.map(({ eventId }) => eventId)).not.toContain('a');
      await sync.request('webhook', true);
      expect(readFact(store, SYNC)).toMatchObject({ epoch: 'epoch-1', forgottenSeq: 4 });
    }));
});

describe('a sync that is closed', () => {
  it.each(['the list', 'a page'])('while it waits for %s writes nothing any more', (what) =>
    withSync(async ({ sync, store, remote, ended, recorded }) => {
      await sync.request('webhook');
      const dump = () =>
        JSON.stringify(
          ['fact', 'mirrored_calendar', 'mirrored_event'].map((table) =>
            store.query(`SELECT * FROM ${table}`),
          ),
        );
      const before = dump();
      remote.put(single('a'));
      remote.calendars = [CALENDAR, TEAM];
      remote.meanwhile = () => {
        sync.close();
        return Promise.resolve();
      };
      const done = await sync.request('webhook', what === 'the list');
      expect(done).toMatchObject({ ok: false, failure: { kind: 'grant-revoked' } });
      expect(dump()).toBe(before);
      expect([ended.length, recorded.length]).toEqual([1, 1]);
      remote.meanwhile = () => Promise.resolve();
      sync.reopen();
      expect(await sync.request('webhook')).toEqual(found({ changed: 1 }));
    }),
  );
});
