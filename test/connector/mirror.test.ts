import { describe, expect, it } from 'vitest';
import { Mirror } from '../../src/connector/mirror.ts';
import type { Store } from '../../src/connector/store.ts';
import type { Interval } from '../../src/domain/interval.ts';
import type { MirroredCalendar, MirroredEvent } from '../../src/domain/mirror.ts';
import { inFreshObject, openStore } from './bench.ts';
import { BUSY, CALENDAR, FREE, hourAt, occurrence, series, single, spanAt, TEAM } from './bench-mirror.ts';
import { DAY_MS, START_MS } from './world.ts';

const { id: ID } = CALENDAR;
const WEEK: Interval = { startMs: START_MS, endMs: START_MS + 7 * DAY_MS };
const DAILY = ['RRULE:FREQ=DAILY;COUNT=3'];
const KNOWN = { asOfMs: START_MS, window: WEEK };

const withMirror = (
  body: (parts: {
    mirror: Mirror;
    store: Store;
    rows: (act: () => void) => number;
    put: (...events: MirroredEvent[]) => ReturnType<Mirror['apply']>;
    remove: (...ids: string[]) => ReturnType<Mirror['apply']>;
  }) => void,
) =>
  inFreshObject((state) => {
    const { store, countRows } = openStore(state);
    const mirror = new Mirror(store);
    mirror.adoptList([CALENDAR, TEAM], START_MS);
    body({
      mirror,
      store,
      rows: countRows,
      put: (...events) => mirror.apply(ID, { events, removed: [] }, START_MS),
      remove: (...removed) => mirror.apply(ID, { events: [], removed }, START_MS),
    });
  });

describe('a page', () => {
  it('is taken in at a row for each event, and is kept whole', () =>
    withMirror(({ mirror, store, rows, put }) => {
      const events = [
        single('a', 1, { attendees: [{ email: 'bob@example.com', response: 'accepted' }], etag: '"1"' }),
        series('s', 2, DAILY),
        occurrence('o', 's', 30, { originalHours: 26 }),
      ];
      expect(rows(() => put(...events))).toBe(3);
      for (const life of [mirror, new Mirror(store)]) {
        for (const event of events) expect(life.findEvent(ID, event.eventId)).toEqual(event);
        expect(life.sizeOf(ID)).toBe(3);
        expect(life.seriesOf(ID, 'o')).toBe('s');
        expect(life.findEvent(ID, 'other')).toBe(undefined);
        expect(life.findEvent(TEAM.id, 'a')).toBe(undefined);
      }
    }));

  it('costs no row where nothing has changed, in this life and in the next, and one where something has', () =>
    withMirror(({ mirror, store, rows, put }) => {
      const events = [single('a'), series('s', 2, DAILY), occurrence('o', 's', 26)];
      put(...events);
      const { lastSeq } = mirror;
      for (const life of [mirror, new Mirror(store)]) {
        const again = () => {
          expect(life.apply(ID, { events, removed: ['unknown'] }, START_MS)).toEqual({
            changed: [],
            removed: [],
          });
        };
        expect(rows(again)).toBe(0);
        expect(life.lastSeq).toBe(lastSeq);
      }
      expect(rows(() => put(single('a', 0, { summary: 'B' }), ...events.slice(1)))).toBe(1);
      expect(rows(() => put(single('a', 3, { summary: 'B' })))).toBe(1);
      expect(mirror.findEvent(ID, 'a')?.time).toEqual(hourAt(3));
    }));

  it('tells apart an occurrence that says nothing and one that says what its series says', () =>
    withMirror(({ mirror, put }) => {
      put(series('s', 0), occurrence('o', 's', 0, { details: BUSY }));
      expect(put(occurrence('o', 's', 0)).changed).toEqual(['o']);
      expect(mirror.findEvent(ID, 'o')).not.toHaveProperty('details');
      expect(put(occurrence('o', 's', 0, { details: BUSY })).changed).toEqual(['o']);
    }));

  it('takes with a series its occurrences, each once, however often they are named', () =>
    withMirror(({ mirror, rows, put, remove }) => {
      put(series('s', 0), occurrence('o', 's', 0), occurrence('p', 's', 24), single('a'));
      let done: ReturnType<Mirror['apply']> | undefined;
      expect(
        rows(() => {
          done = remove('o', 's', 'p', 's');
        }),
      ).toBe(3);
      expect(done?.removed).toHaveLength(3);
      expect(done?.removed).toEqual(
        expect.arrayContaining([
          { eventId: 's' },
          { eventId: 'o', seriesId: 's' },
          { eventId: 'p', seriesId: 's' },
        ]),
      );
      expect(mirror.idsOf(ID)).toEqual(['a']);
      expect(rows(() => remove('s', 'o'))).toBe(0);
    }));

  it('takes occurrences of a series that was never told', () =>
    withMirror(({ mirror, put, remove }) => {
      put(occurrence('o', 's', 0));
      expect(remove('s').removed).toEqual([{ eventId: 'o', seriesId: 's' }]);
      expect(mirror.idsOf(ID)).toEqual([]);
    }));

  it('does not remove what it tells anew', () =>
    withMirror(({ mirror, rows, put }) => {
      const kept = [series('s', 0), occurrence('o', 's', 0)];
      put(...kept, occurrence('p', 's', 24), single('a'));
      const page = { events: [...kept, single('a', 5)], removed: ['s', 'a'] };
      expect(
        rows(() =>
          expect(mirror.apply(ID, page, START_MS)).toEqual({
            changed: ['a'],
            removed: [{ eventId: 'p', seriesId: 's' }],
          }),
        ),
      ).toBe(2);
      expect(mirror.idsOf(ID).toSorted()).toEqual(['a', 'o', 's']);
    }));

  it('that tells an event twice tells it as it is at last', () =>
    withMirror(({ mirror, rows, put }) => {
      expect(rows(() => expect(put(single('a', 1), single('a', 2)).changed).toEqual(['a']))).toBe(1);
      expect(mirror.findEvent(ID, 'a')?.time).toEqual(hourAt(2));
    }));

  it('changes an occurrence that loses the series that spoke for it', () =>
    withMirror(({ mirror, put }) => {
      put(series('s', 0, undefined, FREE), occurrence('o', 's', 0));
      const { lastSeq } = mirror;
      mirror.apply(ID, { events: [occurrence('o', 's', 0)], removed: ['s'] }, START_MS);
      expect(mirror.changesSince(lastSeq, 10).records.map(({ eventId }) => eventId)).toEqual(['s', 'o']);
    }));

  it('of one calendar touches no other', () =>
    withMirror(({ mirror, put, remove }) => {
      put(single('a', 1));
      mirror.apply(TEAM.id, { events: [single('a', 2)], removed: [] }, START_MS);
      remove('a');
      expect(mirror.busy(TEAM.id, WEEK)).toEqual([spanAt(2)]);
      expect(mirror.busy(ID, WEEK)).toEqual([]);
    }));
});

describe('a transaction that is undone', () => {
  it('leaves nothing behind, in memory either', () =>
    withMirror(({ mirror, store, put }) => {
      put(single('a', 1), single('b', 2));
      mirror.settle(ID, 'p1', KNOWN);
      const { lastSeq } = mirror;
      const act = () =>
        store.transaction(() => {
          mirror.apply(ID, { events: [single('a', 5), single('c', 6)], removed: ['b'] }, START_MS);
          mirror.settle(ID, 'p2', KNOWN);
          mirror.adoptList([CALENDAR], START_MS);
          throw new Error('full');
        });
      expect(act).toThrow('full');
      expect(mirror.busy(ID, WEEK)).toEqual([spanAt(1), spanAt(2)]);
      expect(mirror.find(ID)?.position).toBe('p1');
      expect(mirror.find(TEAM.id)).toBeDefined();
      expect(mirror.lastSeq).toBe(lastSeq);
    }));
});

describe('how far a calendar is read', () => {
  it('is a row, and known in the next life', () =>
    withMirror(({ mirror, store, rows }) => {
      expect(rows(() => mirror.settle(ID, 'p1', KNOWN))).toBe(1);
      const state = {
        calendar: CALENDAR,
        place: 0,
        position: 'p1',
        known: KNOWN,
        isDoubted: false,
        isMixed: false,
      };
      expect([mirror.find(ID), new Mirror(store).find(ID)]).toEqual([state, state]);
      mirror.startOver(ID, true);
      const doubted = { calendar: CALENDAR, place: 0, known: KNOWN, isDoubted: true, isMixed: false };
      expect([mirror.find(ID), new Mirror(store).find(ID)]).toEqual([doubted, doubted]);
      mirror.settle(ID, 'p2', KNOWN);
      expect(mirror.find(ID)).toEqual({ ...state, position: 'p2' });
    }));

  it('is not written of a calendar that is not there', () =>
    withMirror(({ mirror, rows }) => {
      const act = () => {
        mirror.settle('other', 'p1', KNOWN);
        mirror.startOver('other', true);
        mirror.markUnreadable('other', START_MS);
      };
      expect(rows(act)).toBe(0);
      expect(mirror.calendars()).toHaveLength(2);
    }));

  it('is not known of a calendar that cannot be read, until the list says that it can', () =>
    withMirror(({ mirror, rows, put }) => {
      put(single('a'));
      mirror.settle(ID, 'p1', KNOWN);
      // Its one event goes, too: it is told to nobody any more.
      expect(rows(() => mirror.markUnreadable(ID, START_MS))).toBe(2);
      expect(rows(() => mirror.markUnreadable(ID, START_MS))).toBe(0);
      expect(mirror.sizeOf(ID)).toBe(0);
      expect(mirror.find(ID)).toEqual({
        calendar: { ...CALENDAR, isReadable: false },
        place: 0,
        isDoubted: false,
        isMixed: false,
      });
      mirror.adoptList([CALENDAR, TEAM], START_MS);
      expect(mirror.find(ID)).toEqual({ calendar: CALENDAR, place: 0, isDoubted: false, isMixed: false });
    }));
});

describe('the list of calendars', () => {
  it('costs no row where it says nothing new', () =>
    withMirror(({ mirror, store, rows }) => {
      expect(rows(() => expect(mirror.adoptList([CALENDAR, TEAM], START_MS)).toEqual([]))).toBe(0);
      const later = new Mirror(store);
      expect(rows(() => later.adoptList([CALENDAR, TEAM], START_MS))).toBe(0);
    }));

  it('is told in the order of the account, in the next life too', () =>
    withMirror(({ mirror, store }) => {
      mirror.adoptList([TEAM, CALENDAR], START_MS);
      for (const life of [mirror, new Mirror(store)])
        expect(life.calendars().map(({ calendar }) => calendar.id)).toEqual([TEAM.id, ID]);
      mirror.adoptList([CALENDAR, TEAM], START_MS);
      expect(new Mirror(store).calendars().map(({ calendar }) => calendar.id)).toEqual([ID, TEAM.id]);
    }));

  it('takes with a calendar its events, and they are told as gone', () =>
    withMirror(({ mirror, store, put }) => {
      put(single('a'), series('s', 2, DAILY), occurrence('o', 's', 26));
      mirror.apply(TEAM.id, { events: [single('a')], removed: [] }, START_MS);
      const { lastSeq } = mirror;
      expect(mirror.adoptList([TEAM], START_MS)).toEqual([ID]);
      for (const life of [mirror, new Mirror(store)]) {
        expect(life.calendars().map(({ calendar }) => calendar.id)).toEqual([TEAM.id]);
        const { records } = life.changesSince(lastSeq, 10);
        expect(records.map(({ calendarId, eventId, event }) => [calendarId, eventId, event])).toEqual([
          [ID, 'a', undefined],
          [ID, 's', undefined],
          [ID, 'o', undefined],
        ]);
        expect(life.busy(ID, WEEK)).toEqual([]);
        expect(life.sizeOf(TEAM.id)).toBe(1);
      }
    }));

  it.each([{ counts: false }, { isReadable: false }])(
    'takes what it holds from one that is now %o',
    (change) =>
      withMirror(({ mirror, store, put }) => {
        put(single('a'), single('b'));
        mirror.settle(ID, 'p1', KNOWN);
        const { lastSeq } = mirror;
        const changed = { ...CALENDAR, ...change };
        expect(mirror.adoptList([changed, TEAM], START_MS)).toEqual([]);
        for (const life of [mirror, new Mirror(store)]) {
          expect(life.find(ID)).toEqual({ calendar: changed, place: 0, isDoubted: false, isMixed: false });
          expect(life.sizeOf(ID)).toBe(0);
          const { records } = life.changesSince(lastSeq, 10);
          expect(records.map(({ eventId, event }) => [eventId, event])).toEqual([
            ['a', undefined],
            ['b', undefined],
          ]);
        }
      }),
  );

  it('has a calendar read anew whose zone has changed, and keeps what is known of any other', () =>
    withMirror(({ mirror, rows, put }) => {
      put(single('a'));
      mirror.settle(ID, 'p1', KNOWN);
      const renamed: MirroredCalendar = { ...CALENDAR, name: 'Other' };
      expect(rows(() => mirror.adoptList([renamed, TEAM], START_MS))).toBe(1);
      expect(mirror.find(ID)).toMatchObject({ calendar: renamed, position: 'p1', known: KNOWN });
      const moved: MirroredCalendar = { ...renamed, timeZone: 'Asia/Tokyo' };
      mirror.adoptList([moved, TEAM], START_MS);
      expect(mirror.find(ID)).toEqual({ calendar: moved, place: 0, isDoubted: false, isMixed: false });
      expect(mirror.idsOf(ID)).toEqual(['a']);
    }));
});

describe('what has changed', () => {
  it('is told in order, in pages, of each event only what has become of it', () =>
    withMirror(({ mirror, put, remove }) => {
      put(single('a'), single('b'), single('c'));
      put(single('a', 1));
      remove('b');
      const { records, hasMore } = mirror.changesSince(0, 2);
      expect([records, hasMore]).toEqual([
        [
          { seq: 3, calendarId: ID, eventId: 'c', event: single('c') },
          { seq: 4, calendarId: ID, eventId: 'a', event: single('a', 1) },
        ],
        true,
      ]);
      expect(mirror.changesSince(4, 1)).toEqual({
        records: [{ seq: 5, calendarId: ID, eventId: 'b' }],
        hasMore: false,
      });
      expect(mirror.changesSince(5, 1)).toEqual({ records: [], hasMore: false });
    }));

  it('is told with its series of an occurrence that says nothing of its own, in one page', () =>
    withMirror(({ mirror, put }) => {
      put(series('s', 0), occurrence('o', 's', 0), occurrence('p', 's', 24), single('a'));
      const { lastSeq } = mirror;
      put(series('s', 0, undefined, FREE));
      const page = mirror.changesSince(lastSeq, 1);
      expect(page.records.map(({ eventId }) => eventId).toSorted()).toEqual(['o', 'p', 's']);
      expect(page.hasMore).toBe(false);
    }));

  it('is told anew of what was gone and is there again', () =>
    withMirror(({ mirror, put, remove }) => {
      put(single('a'));
      remove('a');
      const { lastSeq } = mirror;
      put(single('a'));
      expect(mirror.changesSince(lastSeq, 5).records).toMatchObject([{ eventId: 'a', event: single('a') }]);
      expect(mirror.changesSince(0, 5).records).toHaveLength(1);
    }));
});

describe('what has been gone for a month', () => {
  const MONTH_MS = 30 * DAY_MS;

  it('is forgotten, and said to be', () =>
    withMirror(({ mirror, store, put, remove }) => {
      put(single('a'), single('b'), single('c'));
      remove('a');
      remove('b');
      put(single('d'));
      expect(mirror.forgetGone(START_MS + MONTH_MS)).toBe(undefined);
      expect(mirror.forgetGone(START_MS + MONTH_MS + 1)).toBe(5);
      expect(mirror.changesSince(0, 10).records.map(({ eventId }) => eventId)).toEqual(['c', 'd']);
      expect(mirror.forgetGone(START_MS + MONTH_MS + 1)).toBe(undefined);
      expect(new Mirror(store).lastSeq).toBe(6);
    }));

  it('keeps its number from being given again, even where nothing else is left', () =>
    withMirror(({ mirror, store, put, remove }) => {
      put(single('a'), single('b'));
      remove('a', 'b');
      expect(mirror.forgetGone(START_MS + 2 * MONTH_MS)).toBe(3);
      const later = new Mirror(store);
      expect(later.lastSeq).toBe(4);
      later.apply(ID, { events: [single('c')], removed: [] }, START_MS);
      expect(later.changesSince(4, 5).records).toMatchObject([{ seq: 5, eventId: 'c' }]);
      expect(later.forgetGone(START_MS + 2 * MONTH_MS)).toBe(4);
    }));

  it('is not what has come back since', () =>
    withMirror(({ mirror, put, remove }) => {
      put(single('a'));
      remove('a');
      put(single('a'), single('b'));
      expect(mirror.forgetGone(START_MS + 2 * MONTH_MS)).toBe(undefined);
      expect(mirror.idsOf(ID)).toEqual(['a', 'b']);
    }));
});
