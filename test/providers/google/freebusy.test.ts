import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { type Failure, fail, ok } from '../../../src/domain/failure.ts';
import { mergeIntervals } from '../../../src/domain/interval.ts';
import type { OutgoingRequest, Reply } from '../../../src/providers/http.ts';
import { readBusy, splitQuestion } from '../../../src/providers/google/freebusy.ts';
import { API_URL, apiError, batchReply, readSentBatch, reply, scriptAccess } from './scripted.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const START = Date.UTC(2031, 5, 1);
const RANGE = { startMs: START, endMs: START + DAY_MS };
/** Three pieces. */
const LONG_RANGE = { startMs: START, endMs: START + 150 * DAY_MS };

const bodySchema = z.object({
  timeMin: z.string(),
  timeMax: z.string(),
  timeZone: z.string(),
  calendarExpansionMax: z.number(),
  items: z.array(z.object({ id: z.string() })),
});
type Body = z.infer<typeof bodySchema>;

function readQuery(request: OutgoingRequest | undefined): Body {
  return bodySchema.parse(JSON.parse(request?.body ?? 'null'));
}

/** Answers a free/busy query or a batch of them with what `calendars` says. */
function answerQueries(answer: (query: Body, place: number) => unknown): (request: OutgoingRequest) => Reply {
  const answerOne = (query: Body, place: number): Reply => {
    const given = answer(query, place);
    return given instanceof Object && 'status' in given && 'receivedAtMs' in given
      ? reply(Number(given.status), 'body' in given ? given.body : '')
      : reply(200, given);
  };
  return (request) =>
    request.url.endsWith('/batch/calendar/v3')
      ? batchReply(
          readSentBatch(request).map(({ id, body }, place) => ({
            id,
            ...answerOne(bodySchema.parse(body), place),
          })),
        )
      : answerOne(readQuery(request), 0);
}

function allFree({ items }: Body) {
  return { calendars: Object.fromEntries(items.map(({ id }) => [id, { busy: [] }])) };
}

/** Reads the busy times of calendar `a` alone, given what the reply says under `calendars`. */
async function readWith(calendars: unknown, more: Record<string, unknown> = {}, ids = ['a']) {
  const { access } = scriptAccess(() => reply(200, { calendars, ...more }));
  return readBusy(API_URL, { range: RANGE, calendars: ids }, access);
}

const malformed = (place: string) => fail({ kind: 'malformed', at: `free/busy.${place}` } satisfies Failure);

describe('asking free/busy', () => {
  it('asks one plain query, in UTC, and reads the busy times', async () => {
    const busy = [
      { start: '2031-06-01T08:00:00Z', end: '2031-06-01T09:00:00Z' },
      { start: '2031-06-01T12:00:00+02:00', end: '2031-06-01T12:30:00.5+02:00' },
      { start: '2031-06-01T15:00:00Z', end: '2031-06-01T15:00:00Z' },
    ];
    const { access, sent } = scriptAccess(() =>
      reply(200, { kind: 'x', calendars: { a: { busy }, b: { busy: [], errors: [] } } }),
    );
    const hour = START + 8 * 3_600_000;
    expect(await readBusy(API_URL, { range: RANGE, calendars: ['a', 'b', 'a'] }, access)).toEqual(
      ok({
        calendars: [
          {
            id: 'a',
            busy: ok([
              { startMs: hour, endMs: hour + 3_600_000 },
              { startMs: hour + 2 * 3_600_000, endMs: hour + 2.5 * 3_600_000 + 500 },
            ]),
          },
          { id: 'b', busy: ok([]) },
        ],
      }),
    );
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ method: 'POST', url: `${API_URL}/calendar/v3/freeBusy` });
    expect(readQuery(sent[0])).toEqual({
      timeMin: '2031-06-01T00:00:00.000Z',
      timeMax: '2031-06-02T00:00:00.000Z',
      timeZone: 'UTC',
      calendarExpansionMax: 50,
      items: [{ id: 'a' }, { id: 'b' }],
    });
  });

  it('asks several queries in one batch, and joins what they say of a calendar', async () => {
    const ids = Array.from({ length: 51 }, (_, n) => `c${n}`);
    const { access, sent } = scriptAccess(
      answerQueries(({ timeMin, items }) => ({
        calendars: Object.fromEntries(
          items.map(({ id }) => [
            id,
            {
              busy: [{ start: timeMin, end: new Date(Date.parse(timeMin) + 1000).toISOString() }],
            },
          ]),
        ),
      })),
    );
    const read = await readBusy(API_URL, { range: LONG_RANGE, calendars: ids }, access);
    expect(sent.map(({ url, weight }) => [url, weight])).toEqual([[`${API_URL}/batch/calendar/v3`, 4]]);
    expect(readSentBatch(sent[0])).toHaveLength(6);
    const starts = [0, 60, 120].map((day) => START + day * DAY_MS);
    expect(read).toEqual(
      ok({
        calendars: ids.map((id) => ({
          id,
          busy: ok(starts.map((startMs) => ({ startMs, endMs: startMs + 1000 }))),
        })),
      }),
    );
  });

  it('covers every calendar and every instant exactly once, within the caps', () => {
    const range = fc
      .tuple(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: 1, max: 5 * 366 * DAY_MS }))
      .map(([startMs, length]) => ({ startMs, endMs: startMs + length }));
    const ids = fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 120 });
    fc.assert(
      fc.property(range, ids, (asked, names) => {
        const pieces = splitQuestion(asked, names).map(({ ids: group, call }) => {
          const body = bodySchema.parse(call.body);
          expect(body.items.map(({ id }) => id)).toEqual(group);
          return { group, startMs: Date.parse(body.timeMin), endMs: Date.parse(body.timeMax) };
        });
        for (const { group, startMs, endMs } of pieces) {
          expect(group.length).toBeLessThanOrEqual(50);
          expect(endMs - startMs).toBeLessThanOrEqual(60 * DAY_MS);
          expect(startMs % 1000 === 0 && endMs % 1000 === 0).toBe(true);
        }
        for (const name of names) {
          const own = pieces.filter(({ group }) => group.includes(name));
          const [whole, ...apart] = mergeIntervals(own);
          expect(apart).toEqual([]);
          // No overlap: the pieces are together as long as their union.
          const length = own.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
          expect(length).toBe((whole?.endMs ?? 0) - (whole?.startMs ?? 0));
          // Nothing lost at either end, and no more than a second won.
          expect(asked.startMs - (whole?.startMs ?? Number.NaN)).toSatisfy((n: number) => n >= 0 && n < 1000);
          expect((whole?.endMs ?? Number.NaN) - asked.endMs).toSatisfy((n: number) => n >= 0 && n < 1000);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('finds out which calendars count when none is named', async () => {
    for (const calendars of [undefined, []]) {
      const items = [{ id: 'me', primary: true }, { id: 'own', accessRole: 'owner' }, { id: 'other' }];
      const { access, sent } = scriptAccess((request) =>
        request.url.includes('calendarList') ? reply(200, { items }) : answerQueries(allFree)(request),
      );
      const question = { range: RANGE, ...(calendars !== undefined && { calendars }) };
      expect(await readBusy(API_URL, question, access)).toEqual(
        ok({
          calendars: [
            { id: 'me', busy: ok([]) },
            { id: 'own', busy: ok([]) },
          ],
        }),
      );
      expect(sent).toHaveLength(2);
    }
  });

  it('fails when it cannot find out which calendars count', async () => {
    const { access, sent } = scriptAccess(() => apiError(500, 'backendError'));
    expect(await readBusy(API_URL, { range: RANGE }, access)).toEqual(
      fail({ kind: 'unavailable', ambiguous: false }),
    );
    expect(sent).toHaveLength(1);
  });
});

describe('a calendar that cannot be read', () => {
  it('carries the failure that Google names in a 200, never an empty list', async () => {
    const failures: [string, Failure][] = [
      ['notFound', { kind: 'not-found', what: 'calendar' }],
      ['groupTooBig', { kind: 'rejected', status: 200, code: 'groupTooBig' }],
      ['tooManyCalendarsRequested', { kind: 'rejected', status: 200, code: 'tooManyCalendarsRequested' }],
      ['internalError', { kind: 'unavailable', ambiguous: false }],
      ['somethingNew', { kind: 'unavailable', ambiguous: false }],
    ];
    for (const [reason, failure] of failures) {
      const read = await readWith(
        { a: { errors: [{ domain: 'global', reason }], busy: [] }, b: { busy: [] } },
        {},
        ['a', 'b'],
      );
      expect(read).toEqual(
        ok({
          calendars: [
            { id: 'a', busy: fail(failure) },
            { id: 'b', busy: ok([]) },
          ],
        }),
      );
    }
  });

  it('does not fail the whole, even as the only one', async () => {
    expect(await readWith({ a: { errors: [{ reason: 'notFound' }] } })).toMatchObject({
      ok: true,
      value: { calendars: [{ busy: { ok: false } }] },
    });
  });

  it('is malformed when the reply is silent about it, whatever its name', async () => {
    for (const id of ['a', 'toString', '__proto__', 'constructor'])
      expect(await readWith({ z: { busy: [] } }, {}, [id])).toEqual(
        ok({ calendars: [{ id, busy: malformed('calendars') }] }),
      );
  });

  it('is malformed when a busy time is unreadable, has no offset or is inverted', async () => {
    const good = { start: '2031-06-01T08:00:00Z', end: '2031-06-01T09:00:00Z' };
    for (const bad of [
      { ...good, start: 'noon' },
      { ...good, end: '2031-06-01T09:00:00' },
      { start: good.end, end: good.start },
      { ...good, start: '2031-02-30T08:00:00Z' },
    ])
      expect(await readWith({ a: { busy: [good, bad] } })).toEqual(
        ok({ calendars: [{ id: 'a', busy: malformed('busy') }] }),
      );
  });

  it('is malformed when its entry has another shape, and costs no other calendar its answer', async () => {
    const places: [unknown, string][] = [
      [{}, 'busy'],
      [null, 'calendars'],
      ['free', 'calendars'],
      [{ busy: 'none' }, 'calendars'],
      [{ busy: [{}] }, 'calendars'],
      [{ busy: [], errors: 'x' }, 'calendars'],
    ];
    for (const [entry, place] of places)
      expect(await readWith({ a: entry, b: { busy: [] } }, {}, ['a', 'b'])).toEqual(
        ok({
          calendars: [
            { id: 'a', busy: malformed(place) },
            { id: 'b', busy: ok([]) },
          ],
        }),
      );
  });

  it('is not known when any piece of the range is not', async () => {
    const ids = Array.from({ length: 51 }, (_, n) => `c${n}`);
    const { access } = scriptAccess(
      answerQueries((query, place) => (place === 1 ? apiError(500, 'backendError') : allFree(query))),
    );
    const read = await readBusy(API_URL, { range: LONG_RANGE, calendars: ids }, access);
    expect(read.ok && read.value.calendars.map(({ busy }) => busy)).toEqual([
      ...Array.from({ length: 50 }, () => fail({ kind: 'unavailable', ambiguous: false })),
      ok([]),
    ]);
  });
});

describe('the primary calendar', () => {
  it('is found under its alias, under the address of the account, or as the one name nobody asked for', async () => {
    const block = { busy: [{ start: '2031-06-01T08:00:00Z', end: '2031-06-01T09:00:00Z' }] };
    const busy = ok([{ startMs: START + 8 * 3_600_000, endMs: START + 9 * 3_600_000 }]);
    for (const name of ['primary', 'ada@example.com', 'alias@example.com']) {
      const read = await readWith({ [name]: block, b: { busy: [] } }, {}, ['primary', 'b']);
      expect(read).toEqual(
        ok({
          calendars: [
            { id: 'primary', busy },
            { id: 'b', busy: ok([]) },
          ],
        }),
      );
    }
    const both = await readWith({ 'ada@example.com': block }, {}, ['primary', 'ada@example.com']);
    expect(both).toEqual(
      ok({
        calendars: [
          { id: 'primary', busy },
          { id: 'ada@example.com', busy },
        ],
      }),
    );
  });

  it('is malformed when it cannot be told which name it has', async () => {
    const unknown = ok({ calendars: [{ id: 'primary', busy: malformed('calendars') }] });
    expect(await readWith({ x: { busy: [] }, y: { busy: [] } }, {}, ['primary'])).toEqual(unknown);
    expect(await readWith({}, {}, ['primary'])).toEqual(unknown);
    const groups = { g: { calendars: ['x'] } };
    expect(await readWith({ x: { busy: [] } }, { groups }, ['primary'])).toEqual(unknown);
  });
});

describe('a group', () => {
  const block = { busy: [{ start: '2031-06-01T08:00:00Z', end: '2031-06-01T09:00:00Z' }] };

  it('is busy when any of its members is', async () => {
    const read = await readWith({ x: block, y: { busy: [] } }, { groups: { a: { calendars: ['x', 'y'] } } });
    expect(read).toMatchObject({ value: { calendars: [{ id: 'a', busy: { ok: true, value: [{}] } }] } });
  });

  it('is not known when it has an error, or when a member is not known', async () => {
    const groups: [unknown, Failure['kind']][] = [
      [{ errors: [{ reason: 'groupTooBig' }] }, 'rejected'],
      [{ calendars: ['x', 'absent'] }, 'malformed'],
      [{ calendars: ['x', 'broken'] }, 'not-found'],
      [{}, 'malformed'],
    ];
    for (const [group, kind] of groups)
      expect(
        await readWith({ x: block, broken: { errors: [{ reason: 'notFound' }] } }, { groups: { a: group } }),
      ).toMatchObject({ value: { calendars: [{ busy: { failure: { kind } } }] } });
  });
});

describe('failing as a whole', () => {
  it('happens when the only query fails', async () => {
    const failures: [Reply, Failure['kind']][] = [
      [apiError(401, 'authError'), 'token-rejected'],
      [apiError(403, 'rateLimitExceeded'), 'throttled'],
      [apiError(403, 'insufficientPermissions'), 'consent-missing'],
      [apiError(400, 'timeRangeEmpty'), 'rejected'],
      [apiError(503, 'backendError'), 'unavailable'],
      [reply(200, '<html>'), 'malformed'],
      [reply(200, { calendars: [] }), 'malformed'],
    ];
    for (const [answer, kind] of failures) {
      const { access } = scriptAccess(() => answer);
      expect(await readBusy(API_URL, { range: RANGE, calendars: ['a', 'b'] }, access)).toMatchObject({
        ok: false,
        failure: { kind },
      });
    }
  });

  it('happens when every query of a batch fails alike, with the longest wait', async () => {
    const { access } = scriptAccess((request) =>
      batchReply(
        readSentBatch(request).map(({ id }, place) => ({
          id,
          ...apiError(503, 'backendError', { 'Retry-After': String(place === 1 ? 30 : place) }),
        })),
      ),
    );
    const read = await readBusy(API_URL, { range: LONG_RANGE, calendars: ['a'] }, access);
    expect(read).toMatchObject({
      failure: { kind: 'unavailable', retryAtMs: Date.UTC(2031, 4, 5, 6, 7, 38) },
    });
  });

  it('happens when any query of a batch meets a refused token, so that it can be refreshed', async () => {
    const ids = Array.from({ length: 51 }, (_, n) => `c${n}`);
    const { access } = scriptAccess(
      answerQueries((query, place) => (place === 1 ? apiError(401, 'authError') : allFree(query))),
    );
    expect(await readBusy(API_URL, { range: RANGE, calendars: ids }, access)).toEqual(
      fail({ kind: 'token-rejected' }),
    );
  });

  it('happens when queries fail alike for every calendar, though some pieces could be read', async () => {
    const { access } = scriptAccess(
      answerQueries((query, place) => (place === 1 ? apiError(500, 'backendError') : allFree(query))),
    );
    expect(await readBusy(API_URL, { range: LONG_RANGE, calendars: ['a', 'b'] }, access)).toEqual(
      fail({ kind: 'unavailable', ambiguous: false }),
    );
  });

  it('does not happen when calendars fail for different reasons', async () => {
    const ids = Array.from({ length: 51 }, (_, n) => `c${n}`);
    const { access } = scriptAccess(
      answerQueries((_query, place) => apiError(place === 0 ? 500 : 400, 'someReason')),
    );
    const read = await readBusy(API_URL, { range: RANGE, calendars: ids }, access);
    expect(read.ok && read.value.calendars.at(0)).toMatchObject({
      busy: { failure: { kind: 'unavailable' } },
    });
    expect(read.ok && read.value.calendars.at(50)).toMatchObject({ busy: { failure: { kind: 'rejected' } } });
  });

  it('does not happen while some calendar could be read', async () => {
    const ids = Array.from({ length: 51 }, (_, n) => `c${n}`);
    const { access } = scriptAccess(
      answerQueries((query, place) => (place === 1 ? apiError(503, 'backendError') : allFree(query))),
    );
    const read = await readBusy(API_URL, { range: RANGE, calendars: ids }, access);
    expect(read.ok && read.value.calendars.map(({ busy }) => busy.ok)).toEqual([
      ...Array.from({ length: 50 }, () => true),
      false,
    ]);
  });
});
