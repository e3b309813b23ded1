import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Failure, fail, ok } from '../../../src/domain/failure.ts';
import type { MirroredCalendar } from '../../../src/domain/mirror.ts';
import {
  createGoogleSync,
  type Place,
  readPosition,
  writePosition,
} from '../../../src/providers/google/sync.ts';
import type { Reply } from '../../../src/providers/http.ts';
import type { ChangesRequest } from '../../../src/providers/provider-sync.ts';
import { API_URL, apiError, batchReply, readSentBatch, reply, scriptAccess } from './scripted.ts';

const google = createGoogleSync(API_URL);
const START = Date.UTC(2031, 6, 1);
const EVENTS = `${API_URL}/calendar/v3/calendars/a%40x.test/events`;

function calendar(id: string, more: Partial<MirroredCalendar> = {}): MirroredCalendar {
  return { id, name: id, isPrimary: false, counts: true, isReadable: true, timeZone: 'Asia/Tokyo', ...more };
}

function asking(more: Partial<ChangesRequest> = {}): ChangesRequest {
  return {
    calendar: calendar('a@x.test'),
    window: { startMs: START + 999, endMs: START + 1_000_000 },
    divisor: 1,
    findSeries: () => undefined,
    ...more,
  };
}

const since = (syncToken: string) => writePosition({ syncToken });

/** An event of an hour, as Google tells it. */
function told(id: string) {
  return {
    id,
    status: 'confirmed',
    start: { dateTime: '2031-07-01T09:00:00Z' },
    end: { dateTime: '2031-07-01T10:00:00Z' },
  };
}

/** Reads one page of one calendar that is answered so. */
async function readOne(answer: Reply, request = asking()) {
  const { access, sent } = scriptAccess(() => answer);
  const [outcome, ...others] = await google.readChanges([request], access);
  expect(others).toEqual([]);
  return { outcome, sent };
}

const queryOf = (url = '') => Object.fromEntries(new URL(url).searchParams);

/** Reads on until everything is told, as whoever keeps a position does. */
async function readAll(pages: readonly unknown[], position?: string) {
  const { access, sent } = scriptAccess((_request, count) => reply(200, pages[count - 1]));
  const ids: string[] = [];
  let at = position;
  for (const _ of pages) {
    // oxlint-disable-next-line no-await-in-loop
    const [page] = await google.readChanges([asking(at === undefined ? {} : { position: at })], access);
    if (page?.ok !== true) throw new Error(JSON.stringify(page));
    ids.push(...page.value.events.map(({ eventId }) => eventId));
    at = page.value.position;
    expect(page.value.isComplete).toBe(sent.length === pages.length);
  }
  return { ids, position: at, queries: sent.map(({ url }) => queryOf(url)) };
}

describe('reading a calendar for the first time', () => {
  it('covers all that ends after the window begins, to the whole second, in one plain call', async () => {
    const { outcome, sent } = await readOne(reply(200, { items: [told('e1')], nextSyncToken: 's1' }));
    expect(sent).toMatchObject([{ method: 'GET' }]);
    expect(sent[0]?.url.split('?')[0]).toBe(EVENTS);
    expect(queryOf(sent[0]?.url)).toEqual({
      singleEvents: 'false',
      maxResults: '500',
      timeMin: '2031-07-01T00:00:00.000Z',
    });
    expect(outcome).toMatchObject(
      ok({ events: [{ eventId: 'e1' }], removed: [], position: since('s1'), isComplete: true }),
    );
  });

  it('is by smaller pages where they are asked for, down to one event', async () => {
    const sizes = async (divisor: number) => {
      const { sent } = await readOne(reply(200, { nextSyncToken: 's1' }), asking({ divisor }));
      return queryOf(sent[0]?.url)['maxResults'];
    };
    expect([await sizes(4), await sizes(512)]).toEqual(['125', '1']);
  });

  it('goes from page to page under the same parameters, over an empty one, to the sync token', async () => {
    const { ids, position, queries } = await readAll([
      { items: [told('e1')], nextPageToken: 'p 2' },
      { nextPageToken: 'p3', items: [] },
      { items: [told('e2')], nextSyncToken: 's1' },
    ]);
    expect(ids).toEqual(['e1', 'e2']);
    expect(position).toBe(since('s1'));
    const constant = { singleEvents: 'false', maxResults: '500', timeMin: '2031-07-01T00:00:00.000Z' };
    expect(queries).toEqual([constant, { ...constant, pageToken: 'p 2' }, { ...constant, pageToken: 'p3' }]);
  });
});

describe('reading what has changed since', () => {
  it('names the sync token on every page, and no window', async () => {
    const { ids, position, queries } = await readAll(
      [
        { items: [told('e1')], nextPageToken: 'p2' },
        { nextPageToken: 'p3' },
        { items: [], nextSyncToken: 's2' },
      ],
      since('s1'),
    );
    expect(ids).toEqual(['e1']);
    expect(position).toBe(since('s2'));
    const constant = { singleEvents: 'false', maxResults: '500', syncToken: 's1' };
    expect(queries).toEqual([constant, { ...constant, pageToken: 'p2' }, { ...constant, pageToken: 'p3' }]);
  });

  it('tells what is gone apart from what has changed, cancelled occurrences among the latter', async () => {
    const items = [
      { id: 'e1', status: 'cancelled' },
      {
        id: 's1_x',
        status: 'cancelled',
        recurringEventId: 's1',
        originalStartTime: { dateTime: '2031-07-01T09:00:00Z' },
      },
      { id: 's2', status: 'cancelled' },
      told('e2'),
    ];
    const { outcome } = await readOne(reply(200, { items, nextSyncToken: 's2' }));
    expect(outcome).toMatchObject(
      ok({
        events: [{ eventId: 's1_x', details: { status: 'cancelled', isBusy: false } }, { eventId: 'e2' }],
        removed: ['e1', 's2'],
      }),
    );
  });

  it('blocks a day in the zone of the calendar: as listed, or as the page says, or else in UTC', async () => {
    const day = { id: 'e1', start: { date: '2031-07-01' }, end: { date: '2031-07-02' } };
    const zones: [string | undefined, string | undefined, string][] = [
      ['Asia/Tokyo', 'Europe/Berlin', 'Asia/Tokyo'],
      [undefined, 'Europe/Berlin', 'Europe/Berlin'],
      [undefined, 'Nowhere', 'UTC'],
      [undefined, undefined, 'UTC'],
    ];
    for (const [listed, timeZone, zone] of zones) {
      const { timeZone: _, ...bare } = calendar('a');
      const request = asking({ calendar: { ...bare, ...(listed !== undefined && { timeZone: listed }) } });
      const { outcome } = await readOne(reply(200, { timeZone, items: [day], nextSyncToken: 's' }), request);
      expect(outcome).toMatchObject({ value: { events: [{ time: { kind: 'all-day', timeZone: zone } }] } });
    }
  });
});

describe('a position', () => {
  it('says where the reading is, whatever the tokens hold', () => {
    const token = fc.string({ minLength: 1, maxLength: 80, unit: 'grapheme' });
    const from = fc.oneof(fc.record({ syncToken: token }), fc.record({ timeMin: token }));
    const place: fc.Arbitrary<Place> = fc
      .tuple(from, fc.option(token, { nil: undefined }))
      .map(([start, pageToken]) => ({ ...start, ...(pageToken !== undefined && { pageToken }) }));
    fc.assert(
      fc.property(place, (one) => {
        expect(readPosition(writePosition(one))).toEqual(one);
      }),
    );
  });

  it('is none that is not written so', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => readPosition(text) === undefined));
    for (const other of [{ v: 2, syncToken: 's' }, { v: 1 }, { v: 1, syncToken: 's', timeMin: 't' }])
      expect(readPosition(JSON.stringify(other))).toBeUndefined();
  });

  it('of another version has expired, without a call', async () => {
    const { outcome, sent } = await readOne(reply(200, {}), asking({ position: '{"v":2}' }));
    expect(outcome).toEqual(fail({ kind: 'cursor-expired' }));
    expect(sent).toEqual([]);
  });

  it('has expired when Google says that it is gone, or cannot read it at all', async () => {
    for (const position of [since('s1'), writePosition({ timeMin: 't', pageToken: 'p2' })])
      for (const answer of [
        apiError(410, 'fullSyncRequired'),
        apiError(410, 'updatedMinTooLongAgo'),
        reply(410, ''),
        apiError(400, 'invalid'),
      ]) {
        const { outcome } = await readOne(answer, asking({ position }));
        expect(outcome).toEqual(fail({ kind: 'cursor-expired' }));
      }
  });

  it('that was not sent cannot have expired', async () => {
    const gone: Failure = { kind: 'not-found', what: 'calendar' };
    expect((await readOne(reply(410, ''))).outcome).toEqual(fail(gone));
    const wrong: Failure = { kind: 'rejected', status: 400, code: 'invalid' };
    expect((await readOne(apiError(400, 'invalid'))).outcome).toEqual(fail(wrong));
  });
});

describe('a calendar that cannot be read', () => {
  it('is not found when it is gone', async () => {
    for (const answer of [apiError(404, 'notFound'), apiError(410, 'deleted')]) {
      const { outcome } = await readOne(answer, asking({ position: since('s1') }));
      expect(outcome).toEqual(fail({ kind: 'not-found', what: 'calendar' }));
    }
  });

  it('tells no changes where only its busy times are shown', async () => {
    for (const reason of ['requiredAccessLevel', 'forbidden']) {
      const { outcome } = await readOne(apiError(403, reason));
      expect(outcome).toMatchObject({ failure: { kind: 'unsupported', field: 'calendarId' } });
    }
    const listed = asking({ calendar: calendar('a', { isReadable: false }) });
    const { outcome, sent } = await readOne(reply(200, {}), listed);
    expect(outcome).toMatchObject({ failure: { kind: 'unsupported', field: 'calendarId' } });
    expect(sent).toEqual([]);
  });

  it('fails otherwise as any call does', async () => {
    const failures: [Reply, Failure['kind']][] = [
      [apiError(401, 'authError'), 'token-rejected'],
      [apiError(403, 'rateLimitExceeded'), 'throttled'],
      [apiError(403, 'insufficientPermissions'), 'consent-missing'],
      [apiError(403, 'somethingElse'), 'rejected'],
      [apiError(503, 'backendError'), 'unavailable'],
    ];
    for (const [answer, kind] of failures)
      expect((await readOne(answer)).outcome).toMatchObject({ failure: { kind } });
  });

  it('is malformed as a whole where one event has no time that can be read', async () => {
    const places: [object, string][] = [
      [{ items: [told('e1'), { ...told('e2'), start: { dateTime: 'noon' } }] }, 'items.1.start'],
      [{ items: [told('e1'), { id: 'e2', status: 'odd' }] }, 'items.1.status'],
      [{ items: [{ ...told('e1'), id: '' }] }, 'items.0.id'],
      [{ items: [{ ...told('e1'), recurrence: 'daily' }] }, 'items.0.recurrence'],
      [{ items: {} }, 'items'],
    ];
    for (const [page, place] of places) {
      const { outcome } = await readOne(reply(200, { ...page, nextSyncToken: 's1' }));
      expect(outcome).toEqual(fail({ kind: 'malformed', at: `calendar.${place}` }));
    }
  });

  it('is malformed where a page leads nowhere, or to itself', async () => {
    for (const page of [{ items: [] }, { nextPageToken: '', nextSyncToken: '' }]) {
      const { outcome } = await readOne(reply(200, page));
      expect(outcome).toEqual(fail({ kind: 'malformed', at: 'calendar.nextSyncToken' }));
    }
    const position = writePosition({ syncToken: 's1', pageToken: 'p2' });
    const { outcome } = await readOne(reply(200, { nextPageToken: 'p2' }), asking({ position }));
    expect(outcome).toEqual(fail({ kind: 'malformed', at: 'calendar.nextPageToken' }));
  });
});

describe('reading several calendars', () => {
  /** Answers each part by the calendar that it asks for. */
  const answerParts = (answer: (id: string) => Reply) =>
    scriptAccess((request) => {
      const idOf = (path: string) => /calendars\/([^/]+)\/events/.exec(path)?.[1] ?? '';
      return request.url.endsWith('/batch/calendar/v3')
        ? batchReply(readSentBatch(request).map(({ id, path }) => ({ id, ...answer(idOf(path)) })))
        : answer(idOf(request.url));
    });

  it('has one batch for a few, in which each has its own outcome', async () => {
    const { access, sent } = answerParts((id) =>
      id === 'b' ? apiError(410, 'fullSyncRequired') : reply(200, { items: [told(id)], nextSyncToken: id }),
    );
    const position = since('s1');
    const requests = ['a', 'b', 'c', 'd'].map((id) =>
      asking({ calendar: calendar(id, { isReadable: id !== 'c' }), ...(id !== 'a' && { position }) }),
    );
    expect(await google.readChanges(requests, access)).toMatchObject([
      ok({ events: [{ eventId: 'a' }], position: since('a') }),
      fail({ kind: 'cursor-expired' }),
      { failure: { kind: 'unsupported' } },
      ok({ events: [{ eventId: 'd' }], position: since('d') }),
    ]);
    expect(sent).toMatchObject([{ url: `${API_URL}/batch/calendar/v3`, weight: 3, calls: 3 }]);
    expect(readSentBatch(sent[0]).map(({ method, path }) => [method, queryOf(`${API_URL}${path}`)])).toEqual([
      ['GET', { singleEvents: 'false', maxResults: '500', timeMin: '2031-07-01T00:00:00.000Z' }],
      ['GET', { singleEvents: 'false', maxResults: '500', syncToken: 's1' }],
      ['GET', { singleEvents: 'false', maxResults: '500', syncToken: 's1' }],
    ]);
  });

  it('has batches of four, so that a reply stays short enough, and answers in order', async () => {
    const ids = Array.from({ length: 9 }, (_, n) => `c${n}`);
    const { access, sent } = answerParts((id) => reply(200, { items: [told(id)], nextSyncToken: 's' }));
    const pages = await google.readChanges(
      ids.map((id) => asking({ calendar: calendar(id) })),
      access,
    );
    expect(pages.map((page) => page.ok && page.value.events[0]?.eventId)).toEqual(ids);
    expect(sent.map(({ calls }) => calls)).toEqual([4, 4, undefined]);
  });

  it('fails each alike when their batch fails, and none of another', async () => {
    const { access } = scriptAccess((request) =>
      request.url.endsWith('/batch/calendar/v3')
        ? apiError(503, 'backendError')
        : reply(200, { nextSyncToken: 's' }),
    );
    const requests = Array.from({ length: 5 }, (_, n) => asking({ calendar: calendar(`c${n}`) }));
    const down = fail({ kind: 'unavailable', ambiguous: false });
    expect(await google.readChanges(requests, access)).toMatchObject([down, down, down, down, { ok: true }]);
  });

  it('asks nothing for none', async () => {
    const { access, sent } = scriptAccess(() => reply(200, {}));
    expect(await google.readChanges([], access)).toEqual([]);
    expect(sent).toEqual([]);
  });
});
