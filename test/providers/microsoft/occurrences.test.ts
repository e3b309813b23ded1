import { describe, expect, it } from 'vitest';
import type { OriginalStart } from '../../../src/domain/event.ts';
import { fail, ok } from '../../../src/domain/failure.ts';
import { cancelEvent, updateEvent } from '../../../src/providers/microsoft/events.ts';
import { aimAtOccurrence } from '../../../src/providers/microsoft/occurrences.ts';
import { CONFIG, type GraphAnswer, scriptedAccess, scriptedGraph } from './scripted.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 9, 27, 8);
const OCCURRENCE: OriginalStart = { kind: 'timed', startMs: START_MS };
const TARGET = { eventId: 'series', occurrence: OCCURRENCE };
const PATHS = ['/me/events/series'];
const NO_OCCURRENCE = fail({ kind: 'not-found', what: 'occurrence' });
const GONE: GraphAnswer = { status: 404, body: { error: { code: 'ErrorItemNotFound' } } };
const BERLIN = 'W. Europe Standard Time';

const utc = (dateTime: string) => ({ dateTime, timeZone: 'UTC' });
/** Tuesdays at nine in Berlin, from before summer time ends. */
const SERIES = {
  type: 'seriesMaster',
  isAllDay: false,
  start: utc('2026-10-20T07:00:00.0000000'),
  originalStartTimeZone: BERLIN,
  recurrence: { pattern: { type: 'weekly', interval: 1 }, range: { recurrenceTimeZone: BERLIN } },
  cancelledOccurrences: [] as string[],
};
const INSTANCE = {
  id: 'second',
  type: 'occurrence',
  start: utc('2026-10-27T08:00:00.0000000'),
  originalStart: '2026-10-27T08:00:00Z',
};

/** A series and its instances, as Graph answers for them. */
function scriptSeries(series: object, instances: readonly object[] = [INSTANCE]) {
  const { send, asked } = scriptedGraph(({ url }) =>
    url.includes('/instances') ? { body: { value: instances } } : { body: { ...SERIES, ...series } },
  );
  return { graph: { graphUrl: CONFIG.graphUrl, access: scriptedAccess(send).access }, asked };
}

async function aim(
  series: object,
  instances?: readonly object[],
  target: { eventId: string; occurrence?: OriginalStart } = TARGET,
) {
  const { graph, asked } = scriptSeries(series, instances);
  return { outcome: await aimAtOccurrence(graph, target, PATHS), asked };
}

describe('aiming at an occurrence', () => {
  it('asks nothing when none is named', async () => {
    const { outcome, asked } = await aim({}, [], { eventId: 'series' });
    expect(outcome).toEqual(ok({ eventId: 'series' }));
    expect(asked).toEqual([]);
  });

  it('reads the series and its instances, and tells the own id of the one', async () => {
    const other = { ...INSTANCE, id: 'first', originalStart: '2026-10-20T07:00:00Z' };
    const { outcome, asked } = await aim({}, [other, INSTANCE]);
    expect(outcome).toEqual(ok({ ...TARGET, eventId: 'second' }));
    expect(asked.map(({ method, url }) => [method, new URL(url).pathname])).toEqual([
      ['GET', '/v1.0/me/events/series'],
      ['GET', '/v1.0/me/events/series/instances'],
    ]);
  });

  it('finds it where it was moved to, by where it began', async () => {
    const moved = { ...INSTANCE, type: 'exception', start: utc('2026-10-30T12:00:00') };
    const besides = { ...INSTANCE, id: 'other', originalStart: '2026-10-20T07:00:00Z' };
    const { outcome } = await aim({}, [besides, moved]);
    expect(outcome).toMatchObject(ok({ eventId: 'second' }));
    const moveThere = { ...INSTANCE, type: 'exception', originalStart: '2026-10-20T07:00:00Z' };
    expect((await aim({}, [moveThere])).outcome).toEqual(NO_OCCURRENCE);
  });

  it.each([
    ['daily', 1, 4],
    ['weekly', 2, 43],
    ['relativeMonthly', 1, 94],
    ['absoluteYearly', 5, 900],
    ['something new', 1, 22],
  ])('looks as far as one of a series can have been moved: %s, every %i', async (type, interval, days) => {
    const recurrence = { ...SERIES.recurrence, pattern: { type, interval } };
    const { asked } = await aim({ recurrence });
    const query = new URL(asked[1]?.url ?? '').searchParams;
    expect([query.get('startDateTime'), query.get('endDateTime')]).toEqual([
      new Date(START_MS - days * DAY_MS).toISOString(),
      new Date(START_MS + days * DAY_MS).toISOString(),
    ]);
  });

  it('tells what was cancelled by its day, on the clock of the series', async () => {
    const cancelledOccurrences = ['OID.series.2026-10-27'];
    expect((await aim({ cancelledOccurrences }, [])).outcome).toEqual(ok(undefined));
    const otherTime = {
      eventId: 'series',
      occurrence: { kind: 'timed', startMs: START_MS + 60_000 },
    } as const;
    expect((await aim({ cancelledOccurrences }, [], otherTime)).outcome).toEqual(NO_OCCURRENCE);
    const otherDay = {
      eventId: 'series',
      occurrence: { kind: 'timed', startMs: START_MS + DAY_MS },
    } as const;
    expect((await aim({ cancelledOccurrences }, [], otherDay)).outcome).toEqual(NO_OCCURRENCE);
    expect((await aim({ cancelledOccurrences: null }, [])).outcome).toEqual(NO_OCCURRENCE);
  });

  it.each([
    ['a single event', { type: 'singleInstance', recurrence: null }],
    ['an occurrence', { type: 'occurrence', recurrence: null }],
    ['a series of whole days', { isAllDay: true }],
  ])('has none of this start in %s, and asks no further', async (_, series) => {
    const { outcome, asked } = await aim(series);
    expect(outcome).toEqual(NO_OCCURRENCE);
    expect(asked).toHaveLength(1);
  });

  it('looks in the next place when the event is not in this one, and is done when it is in none', async () => {
    const places = ['/me/calendars/c/events/series', '/me/events/series'];
    const { send, asked } = scriptedGraph(({ url }) => {
      if (url.startsWith('/me/calendars')) return GONE;
      return { body: url.includes('/instances') ? { value: [INSTANCE] } : SERIES };
    });
    const graph = { graphUrl: CONFIG.graphUrl, access: scriptedAccess(send).access };
    expect(await aimAtOccurrence(graph, TARGET, places)).toMatchObject(ok({ eventId: 'second' }));
    expect(asked).toHaveLength(3);
    const nowhere = {
      graphUrl: CONFIG.graphUrl,
      access: scriptedAccess(scriptedGraph(() => GONE).send).access,
    };
    expect(await aimAtOccurrence(nowhere, TARGET, places)).toEqual(ok(undefined));
  });

  it('passes on what keeps it from being known', async () => {
    const { send } = scriptedGraph(({ url }) =>
      url.includes('/instances') ? { status: 503, body: {} } : { body: SERIES },
    );
    const graph = { graphUrl: CONFIG.graphUrl, access: scriptedAccess(send).access };
    expect(await aimAtOccurrence(graph, TARGET, PATHS)).toEqual(
      fail({ kind: 'unavailable', ambiguous: false }),
    );
  });
});

describe('aiming at a day of a series of whole days', () => {
  const series = { isAllDay: true, start: utc('2026-10-20T00:00:00.0000000') };
  const target = { eventId: 'series', occurrence: { kind: 'all-day', date: '2026-10-27' } } as const;
  const day = { ...INSTANCE, start: utc('2026-10-27T00:00:00.0000000') };
  const moved = { ...day, type: 'exception', start: utc('2026-10-29T00:00:00.0000000') };

  it.each([
    ['never moved, whatever its original start', { ...day, originalStart: '2026-10-26T20:00:00Z' }],
    [
      'moved, its original start at midnight of the series',
      { ...moved, originalStart: '2026-10-26T23:00:00Z' },
    ],
    ['moved, its original start at midnight of UTC', { ...moved, originalStart: '2026-10-27T00:00:00Z' }],
  ])('finds the one %s', async (_, instance) => {
    expect((await aim(series, [instance], target)).outcome).toMatchObject(ok({ eventId: 'second' }));
  });

  it.each([
    ['another day', { ...day, start: utc('2026-10-28T00:00:00') }],
    ['a day that was moved there', { ...moved, start: day.start, originalStart: '2026-10-25T23:00:00Z' }],
    ['an original start at no midnight', { ...moved, originalStart: '2026-10-27T05:00:00Z' }],
    ['no original start', { ...moved, originalStart: null }],
  ])('does not take %s', async (_, instance) => {
    expect((await aim(series, [instance], target)).outcome).toEqual(NO_OCCURRENCE);
  });

  it('tells what was cancelled by its date', async () => {
    const cancelledOccurrences = ['OID.series.2026-10-27'];
    expect((await aim({ ...series, cancelledOccurrences }, [], target)).outcome).toEqual(ok(undefined));
  });
});

const EVENT = {
  ...INSTANCE,
  '@odata.etag': 'W/"1"',
  iCalUId: 'uid',
  end: utc('2026-10-27T09:00:00.0000000'),
};
const CHANGE = { ...TARGET, summary: 'New', notify: 'all' } as const;
const CANCELLATION = { ...TARGET, notify: 'all' } as const;

/** An account in which there is a series and its one occurrence. */
function openAccount(series: object = {}, instances: readonly object[] = [INSTANCE]) {
  const { send, asked } = scriptedGraph(({ method, url }) => {
    if (method === 'DELETE') return { status: 204 };
    if (url.startsWith('/me/events/second')) return { body: EVENT };
    return url.includes('/instances') ? { body: { value: instances } } : { body: { ...SERIES, ...series } };
  });
  const { access } = scriptedAccess(send);
  const writes = () =>
    asked.filter(({ method }) => method !== 'GET').map(({ method, url }) => [method, new URL(url).pathname]);
  return { access, writes };
}

describe('a write to one occurrence', () => {
  it('changes that event and no other', async () => {
    const { access, writes } = openAccount();
    expect(await updateEvent(CONFIG, CHANGE, access)).toMatchObject(ok({ eventId: 'second' }));
    expect(writes()).toEqual([['PATCH', '/v1.0/me/events/second']]);
  });

  it('cancels that event and no other', async () => {
    const { access, writes } = openAccount();
    expect(await cancelEvent(CONFIG, CANCELLATION, access)).toEqual(ok(undefined));
    expect(writes()).toEqual([['DELETE', '/v1.0/me/events/second']]);
  });

  it('writes nothing where the occurrence was cancelled: that is success only for cancelling', async () => {
    const { access, writes } = openAccount({ cancelledOccurrences: ['OID.series.2026-10-27'] }, []);
    expect(await updateEvent(CONFIG, CHANGE, access)).toEqual(NO_OCCURRENCE);
    expect(await cancelEvent(CONFIG, CANCELLATION, access)).toEqual(ok(undefined));
    expect(writes()).toEqual([]);
  });

  it('writes nothing where there is none, least of all to the series', async () => {
    const { access, writes } = openAccount({}, []);
    expect(await updateEvent(CONFIG, CHANGE, access)).toEqual(NO_OCCURRENCE);
    expect(await cancelEvent(CONFIG, CANCELLATION, access)).toEqual(NO_OCCURRENCE);
    expect(writes()).toEqual([]);
  });
});
