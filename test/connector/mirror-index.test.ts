import { describe, expect, it } from 'vitest';
import { MirrorIndex } from '../../src/connector/mirror-index.ts';
import type { EventTime } from '../../src/domain/event.ts';
import type { Interval } from '../../src/domain/interval.ts';
import { type MirroredEvent, slotOf } from '../../src/domain/mirror.ts';
import { BUSY, CANCELLED, FREE, occurrence, series, single, spanAt } from './bench-mirror.ts';
import { DAY_MS, HOUR_MS, START_MS } from './world.ts';

const DAILY = ['RRULE:FREQ=DAILY;COUNT=4'];
const WEEK: Interval = { startMs: START_MS, endMs: START_MS + 7 * DAY_MS };

function indexOf(...events: MirroredEvent[]) {
  const index = new MirrorIndex();
  let seq = 0;
  const put = (event: MirroredEvent) => {
    seq += 1;
    index.set(event.eventId, slotOf(event), seq);
  };
  for (const event of events) put(event);
  return { index, put };
}

/** The hours after `START_MS` at which somebody is busy, in order. */
function busyHours(index: MirrorIndex, range = WEEK): number[] | undefined {
  return index
    .busy(range)
    ?.map(({ startMs }) => (startMs - START_MS) / HOUR_MS)
    .toSorted((a, b) => a - b);
}

describe('an index of events', () => {
  it('finds what touches a range, and not what only borders on it', () => {
    const { index } = indexOf(single('before', -1), single('in', 0), single('last', 5), single('after', 6));
    const found = index.within({ startMs: START_MS, endMs: START_MS + 6 * HOUR_MS });
    expect(found?.map(({ eventId }) => eventId)).toEqual(['in', 'last']);
    expect(found?.[0]).toEqual({
      eventId: 'in',
      time: single('in').time,
      span: spanAt(0),
      isBusy: true,
    });
  });

  it('counts whole days as they are in their zone', () => {
    const time: EventTime = {
      kind: 'all-day',
      startDate: '2026-11-24',
      endDate: '2026-11-25',
      timeZone: 'Asia/Tokyo',
    };
    const { index } = indexOf({ eventId: 'day', kind: 'single', time, details: BUSY });
    expect(index.busy(WEEK)).toEqual([
      { startMs: Date.UTC(2026, 10, 23, 15), endMs: Date.UTC(2026, 10, 24, 15) },
    ]);
  });

  it('leaves out what is free, and of what is told what is cancelled', () => {
    const { index } = indexOf(
      single('free', 0, FREE),
      single('cancelled', 1, CANCELLED),
      // A provider may say both.
      single('odd', 2, { status: 'cancelled', isBusy: true }),
    );
    expect(busyHours(index)).toEqual([]);
    expect(index.within(WEEK)?.map(({ eventId }) => eventId)).toEqual(['free']);
  });

  it('moves and cancels single occurrences, and no other', () => {
    const { index } = indexOf(
      series('s', 0, DAILY),
      occurrence('moved', 's', 27, { originalHours: 24, details: BUSY }),
      occurrence('cancelled', 's', 48, { details: CANCELLED }),
    );
    expect(busyHours(index)).toEqual([0, 27, 72]);
    expect(index.within(WEEK)?.map(({ eventId, occurrence: at }) => [eventId, at !== undefined])).toEqual([
      ['s', true],
      ['s', true],
      ['moved', false],
    ]);
  });

  it('does not bring back the place of an occurrence that was moved out of the range', () => {
    const { index, put } = indexOf(series('s', 0, DAILY));
    put(occurrence('moved', 's', 24 * 30, { originalHours: 24, details: BUSY }));
    expect(busyHours(index)).toEqual([0, 48, 72]);
  });

  it('knows the occurrence of a whole day by its date', () => {
    const day = (startDate: string, endDate: string): EventTime => ({
      kind: 'all-day',
      startDate,
      endDate,
      timeZone: 'Europe/Berlin',
    });
    const { index } = indexOf(
      {
        eventId: 's',
        kind: 'series',
        time: day('2026-11-24', '2026-11-25'),
        recurrence: DAILY,
        details: BUSY,
      },
      {
        eventId: 'o',
        kind: 'occurrence',
        seriesId: 's',
        originalStart: { kind: 'all-day', date: '2026-11-25' },
        time: day('2026-11-25', '2026-11-26'),
        details: CANCELLED,
      },
    );
    expect(index.within(WEEK)?.map(({ time }) => (time.kind === 'all-day' ? time.startDate : ''))).toEqual([
      '2026-11-24',
      '2026-11-26',
      '2026-11-27',
    ]);
  });

  it('takes an occurrence that does not say which it is for one more', () => {
    const { index, put } = indexOf(series('s', 0, DAILY));
    const { originalStart: _, ...nameless } = occurrence('o', 's', 30, { details: BUSY });
    put(nameless);
    expect(busyHours(index)).toEqual([0, 24, 30, 48, 72]);
  });

  it('has an occurrence that says nothing of its own be as its series is', () => {
    const { index, put } = indexOf(series('s', 0), occurrence('o', 's', 5));
    expect(busyHours(index)).toEqual([5]);
    put(series('s', 0, undefined, FREE));
    expect(busyHours(index)).toEqual([]);
    expect(index.within(WEEK)).toMatchObject([{ eventId: 'o', isBusy: false }]);
    put(series('s', 0, undefined, CANCELLED));
    expect(index.within(WEEK)).toEqual([]);
    // It is not known what it would say.
    index.delete('s');
    expect(busyHours(index)).toEqual([5]);
  });

  it('lets an occurrence that does say so differ from its series', () => {
    const { index } = indexOf(
      series('s', 0, undefined, FREE),
      occurrence('busy', 's', 5, { details: BUSY }),
      series('t', 0, undefined, BUSY),
      occurrence('free', 't', 6, { details: FREE }),
    );
    expect(busyHours(index)).toEqual([5]);
  });

  it('takes no time for a series without a rule', () => {
    const { index } = indexOf(series('s', 0));
    expect(index.within(WEEK)).toEqual([]);
  });

  it('says nothing at all where a rule cannot be read, until that is mended or gone', () => {
    const { index, put } = indexOf(single('a', 1), series('s', 0, ['RRULE:FREQ=SOMETIMES']));
    expect(index.within(WEEK)).toBe(undefined);
    expect(index.busy(WEEK)).toBe(undefined);
    expect(index.busy(WEEK)).toBe(undefined);
    put(series('s', 0, DAILY));
    expect(busyHours(index)).toEqual([0, 1, 24, 48, 72]);
    put(series('s', 0, ['RRULE:FREQ=SOMETIMES']));
    index.delete('s');
    expect(busyHours(index)).toEqual([1]);
  });

  it('works a series out anew when it has changed, or when more of it is asked for', () => {
    const { index, put } = indexOf(series('s', 0, ['RRULE:FREQ=DAILY']));
    expect(busyHours(index)).toHaveLength(7);
    const later = { startMs: START_MS + 400 * DAY_MS, endMs: START_MS + 402 * DAY_MS };
    expect(busyHours(index, later)).toEqual([9_600, 9_624]);
    const farBack = { startMs: START_MS - 400 * DAY_MS, endMs: START_MS + DAY_MS };
    expect(busyHours(index, farBack)).toEqual([0]);
    put(series('s', 2, ['RRULE:FREQ=DAILY;COUNT=2']));
    expect(busyHours(index)).toEqual([2, 26]);
    put(series('s', 2, ['RRULE:FREQ=DAILY;COUNT=2'], FREE));
    expect(busyHours(index)).toEqual([]);
  });

  it('answers a narrow range from what was worked out for a wide one', () => {
    const { index } = indexOf(series('s', 0, ['RRULE:FREQ=DAILY']));
    busyHours(index, { startMs: START_MS, endMs: START_MS + 60 * DAY_MS });
    const day = { startMs: START_MS + 50 * DAY_MS, endMs: START_MS + 51 * DAY_MS };
    expect(busyHours(index, day)).toEqual([1_200]);
  });

  it('tells which occurrences a series has of its own, whether it is known or not, and follows them', () => {
    const { index, put } = indexOf(occurrence('o', 's', 0), occurrence('p', 's', 24));
    expect(index.occurrencesOf('s')).toEqual(['o', 'p']);
    put(occurrence('o', 't', 0));
    index.delete('p');
    expect([index.occurrencesOf('s'), index.occurrencesOf('t')]).toEqual([[], ['o']]);
    expect(index.size).toBe(1);
    expect(index.ids()).toEqual(['o']);
  });

  it('has an occurrence that says nothing of its own change whenever its series does', () => {
    const { index, put } = indexOf(
      series('s', 0),
      occurrence('inherits', 's', 0),
      occurrence('differs', 's', 24, { details: FREE }),
    );
    expect(index.since(3)).toEqual([]);
    put(series('s', 0, undefined, FREE));
    expect(index.since(3)).toEqual(
      expect.arrayContaining([
        { eventId: 's', seq: 4 },
        { eventId: 'inherits', seq: 4 },
      ]),
    );
    expect(index.since(3)).toHaveLength(2);
    put(occurrence('inherits', 's', 1));
    expect(index.since(4)).toEqual([{ eventId: 'inherits', seq: 5 }]);
  });
});
