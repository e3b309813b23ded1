import { describe, expect, it } from 'vitest';
import { HoldBook } from '../../src/connector/hold-book.ts';
import { inFreshObject, openStore } from './bench.ts';
import { DAY_MS, EVENT, HOUR_MS, START_MS } from './world.ts';

const SLOT = { startMs: START_MS + DAY_MS, endMs: START_MS + DAY_MS + HOUR_MS, timeZone: 'UTC' };
const LATER = { ...SLOT, startMs: SLOT.endMs, endMs: SLOT.endMs + HOUR_MS, calendarId: 'team' };
const UNTIL_MS = START_MS + HOUR_MS;

const withBook = (body: (book: HoldBook, rows: (act: () => void) => number) => void) =>
  inFreshObject((state) => {
    const { store, countRows } = openStore(state);
    body(new HoldBook(store), countRows);
  });

describe('the book of holds', () => {
  it('keeps a hold through its life, a row for each step', () =>
    withBook((book, rows) => {
      expect(rows(() => book.place('h', 't1', { slot: LATER, key: 'k1' }, UNTIL_MS))).toBe(1);
      expect(book.find('h')).toEqual({
        holdId: 'h',
        state: 'placing',
        taskId: 't1',
        placed: { slot: LATER, key: 'k1' },
        isTold: false,
        expiresAtMs: UNTIL_MS,
      });
      expect(rows(() => book.held('h', 'e1'))).toBe(1);
      expect(book.find('h')).toMatchObject({ state: 'held', placed: { eventId: 'e1' } });
      expect(book.find('h')?.taskId).toBeUndefined();
      book.confirming('h', 't2');
      book.confirmed('h', { event: EVENT, confirmation: '{}' }, START_MS);
      expect(book.find('h')).toMatchObject({ state: 'confirmed', event: EVENT });
      expect(book.find('other')).toBeUndefined();
    }));

  it('says what is taken: by what is live now, and only where it overlaps', () =>
    withBook((book) => {
      book.place('placing', 't1', { slot: SLOT, key: 'k1' }, UNTIL_MS);
      expect(book.taken(SLOT, START_MS)).toMatchObject([SLOT]);
      expect(book.taken(LATER, START_MS)).toEqual([]);
      // Nobody has noticed that it has run out.
      expect(book.taken(SLOT, UNTIL_MS)).toEqual([]);
      book.held('placing', 'e1');
      book.confirming('placing', 't2');
      expect(book.taken(SLOT, UNTIL_MS + DAY_MS)).toMatchObject([SLOT]);
    }));

  it('ends what has run out, once, and leaves its event to be removed', () =>
    withBook((book) => {
      book.place('h', 't1', { slot: SLOT, key: 'k1' }, UNTIL_MS);
      expect(book.nextDueAt()).toBe(UNTIL_MS);
      expect(book.expireDue(UNTIL_MS - 1)).toEqual([]);
      expect(book.expireDue(UNTIL_MS)).toMatchObject([{ holdId: 'h', state: 'expired' }]);
      expect(book.expireDue(UNTIL_MS)).toEqual([]);
      expect(book.leftovers(UNTIL_MS)).toMatchObject([
        { key: 'k1', notify: 'none', attempts: 0, sinceMs: UNTIL_MS },
      ]);
    }));

  it('removes what is left over when it is due, later after a failure, at once when asked to', () =>
    withBook((book) => {
      book.leave({ slot: LATER, key: 'k1', eventId: 'e1' }, 'all', START_MS);
      book.putOff('k1', START_MS + 500.5);
      expect(book.leftovers(START_MS + 500)).toEqual([]);
      expect(book.nextDueAt()).toBe(START_MS + 501);
      book.hasten(START_MS);
      expect(book.leftovers(START_MS)).toMatchObject([
        { key: 'k1', eventId: 'e1', notify: 'all', attempts: 1, slot: { calendarId: 'team' } },
      ]);
      book.removed('k1');
      expect(book.leftovers()).toEqual([]);
      expect(book.nextDueAt()).toBeUndefined();
    }));

  it('lets a task that has failed go: what it placed is cancelled, what it confirmed is held', () =>
    withBook((book) => {
      book.place('a', 't1', { slot: SLOT, key: 'k1' }, UNTIL_MS);
      book.place('b', 't2', { slot: LATER, key: 'k2' }, UNTIL_MS);
      book.held('b', 'e2');
      book.confirming('b', 't3');
      book.settle('t1', START_MS);
      book.settle('t3', START_MS);
      expect([book.find('a')?.state, book.find('b')?.state]).toEqual(['cancelled', 'held']);
      expect(book.leftovers().map(({ key }) => key)).toEqual(['k1']);
    }));

  it('tells the guests when what a confirm was tried of is cancelled', () =>
    withBook((book) => {
      book.place('h', 't1', { slot: SLOT, key: 'k1' }, UNTIL_MS);
      book.held('h', 'e1');
      book.tell('h', 't2');
      // The confirm has failed for good, as far as is known.
      book.settle('t2', START_MS);
      const hold = book.find('h');
      if (hold !== undefined) book.end(hold, 'cancelled', START_MS);
      expect(book.leftovers()).toMatchObject([{ eventId: 'e1', notify: 'all' }]);
    }));

  it('forgets what was over a day ago, and no live hold', () =>
    withBook((book) => {
      book.place('live', 't1', { slot: SLOT, key: 'k1' }, START_MS + 3 * DAY_MS);
      book.rememberCancelled('never', START_MS + HOUR_MS, START_MS);
      book.overtake(['t9'], START_MS);
      book.expireDue(START_MS + DAY_MS);
      expect(book.find('never')?.placed).toBeUndefined();
      expect(book.find('never')?.state).toBe('cancelled');
      expect(book.isOvertaken('t9')).toBe(true);
      book.expireDue(START_MS + DAY_MS + 1);
      expect(book.find('never')).toBeUndefined();
      expect(book.isOvertaken('t9')).toBe(false);
      expect(book.find('live')?.state).toBe('placing');
    }));
});
