import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { type Failure, fail, ok } from '../../../src/domain/failure.ts';
import { type ApiCall, callApi, callApiInBatch } from '../../../src/providers/google/client.ts';
import { API_URL, apiError, batchReply, NOW, readSentBatch, reply, scriptAccess } from './scripted.ts';

const schema = z.object({ n: z.number() });
const READ: ApiCall = { method: 'GET', path: ['things'], what: 'thing', writes: false };
const WRITE: ApiCall = { method: 'POST', path: ['things'], body: { a: 1 }, what: 'thing', writes: true };

describe('one call', () => {
  it('carries the token, the path with its segments encoded, the query and JSON', async () => {
    const { access, sent } = scriptAccess(() => reply(200, { n: 1, extra: true }));
    const call: ApiCall = { ...WRITE, path: ['calendars', 'a/b?c#d@e', 'events'], query: { q: 'x&y' } };
    expect(await callApi(`${API_URL}/`, access, call, schema)).toEqual(ok({ n: 1 }));
    expect(sent).toEqual([
      {
        method: 'POST',
        url: `${API_URL}/calendar/v3/calendars/a%2Fb%3Fc%23d%40e/events?q=x%26y`,
        headers: { Authorization: 'Bearer access-1', 'Content-Type': 'application/json' },
        body: '{"a":1}',
      },
    ]);
  });

  it('sends no body and no content type where there is none', async () => {
    const { access, sent } = scriptAccess(() => reply(200, { n: 1 }));
    await callApi(API_URL, access, READ, schema);
    expect(sent).toEqual([
      {
        method: 'GET',
        url: `${API_URL}/calendar/v3/things`,
        headers: { Authorization: 'Bearer access-1' },
      },
    ]);
  });

  it('sends nothing for a name that would lead elsewhere', async () => {
    const { access, sent } = scriptAccess(() => reply(200, { n: 1 }));
    for (const segment of ['', '.', '..', '\uD800'])
      expect(await callApi(API_URL, access, { ...READ, path: ['calendars', segment] }, schema)).toMatchObject(
        {
          failure: { kind: 'rejected', code: 'invalid_id' },
        },
      );
    expect(sent).toEqual([]);
  });

  it('binds itself to a version, and fails when another is there', async () => {
    const { access, sent } = scriptAccess(() => apiError(412, 'conditionNotMet'));
    expect(await callApi(API_URL, access, { ...WRITE, ifMatch: '"1"' }, schema)).toEqual(
      fail({ kind: 'changed', what: 'thing' }),
    );
    expect(sent[0]?.headers).toEqual({
      Authorization: 'Bearer access-1',
      'If-Match': '"1"',
      'Content-Type': 'application/json',
    });
  });

  it('sends nothing for a version that could be no header, alone or in a batch', async () => {
    const { access, sent } = scriptAccess(() => reply(200, { n: 1 }));
    const refused = fail({ kind: 'rejected', status: 400, code: 'invalid_etag' });
    for (const ifMatch of ['', '"1"\r\nX: y', '"é"']) {
      const call = { ...WRITE, ifMatch };
      expect(await callApi(API_URL, access, call, schema)).toEqual(refused);
      expect(await callApiInBatch(API_URL, access, [call], schema)).toEqual([refused]);
    }
    expect(sent).toEqual([]);
  });

  it('reads an empty reply as undefined', async () => {
    const { access } = scriptAccess(() => reply(204, ''));
    expect(await callApi(API_URL, access, WRITE, z.undefined())).toEqual(ok(undefined));
  });

  it('names the place where a reply leaves its schema, without repeating the provider', async () => {
    const places: [unknown, string][] = [
      [{ n: 'x' }, 'thing.n'],
      ['<html>', 'thing'],
      ['', 'thing'],
    ];
    for (const [body, at] of places) {
      const { access } = scriptAccess(() => reply(200, body));
      expect(await callApi(API_URL, access, READ, schema)).toEqual(fail({ kind: 'malformed', at }));
    }
    const { access } = scriptAccess(() => reply(200, { 'ada@example.com': { n: 'x' } }));
    expect(await callApi(API_URL, access, READ, z.record(z.string(), schema))).toEqual(
      fail({ kind: 'malformed', at: 'thing.*.n' }),
    );
  });

  it('reports a throttle it meets, with the wait when there is one, and asks no more', async () => {
    for (const [headers, wait] of [
      [{ 'Retry-After': '9' }, { retryAtMs: NOW + 9000 }],
      [{}, {}],
    ] as const) {
      const { access, sent, heldBack } = scriptAccess(() => apiError(403, 'rateLimitExceeded', headers));
      const outcome = await callApi(API_URL, access, READ, schema);
      expect(outcome).toEqual(fail({ kind: 'throttled', scope: 'user', ...wait }));
      expect(heldBack).toEqual([wait]);
      expect(sent).toHaveLength(1);
    }
  });

  it('reports no throttle that it was told of, and none for other failures', async () => {
    const throttled = fail({ kind: 'throttled', scope: 'app' } satisfies Failure);
    for (const answer of [throttled, apiError(500, 'backendError')]) {
      const { access, heldBack } = scriptAccess(() => answer);
      await callApi(API_URL, access, READ, schema);
      expect(heldBack).toEqual([]);
    }
  });

  it('is never ambiguous when it changes nothing, though it is sent by POST', async () => {
    for (const writes of [true, false])
      for (const answer of [fail({ kind: 'unavailable', ambiguous: true }), reply(503, '')]) {
        const { access } = scriptAccess(() => answer);
        expect(await callApi(API_URL, access, { ...WRITE, writes }, schema)).toEqual(
          fail({ kind: 'unavailable', ambiguous: writes }),
        );
      }
  });
});

const calls = (count: number): ApiCall[] =>
  Array.from({ length: count }, (_, n) => ({ ...WRITE, body: { n }, writes: false }));
const echo = (id: string, body: unknown) => ({ id, ...reply(200, body) });

describe('a batch of calls', () => {
  it('goes out as one weighted request with path-only URLs and the token outside', async () => {
    const { access, sent } = scriptAccess((request) =>
      batchReply(readSentBatch(request).map(({ id, body }) => echo(id, body))),
    );
    expect(await callApiInBatch(API_URL, access, calls(3), schema)).toEqual([
      ok({ n: 0 }),
      ok({ n: 1 }),
      ok({ n: 2 }),
    ]);
    expect(sent).toMatchObject([
      {
        method: 'POST',
        url: `${API_URL}/batch/calendar/v3`,
        headers: { Authorization: 'Bearer access-1' },
        weight: 3,
      },
    ]);
    expect(sent[0]?.body).not.toContain('access-1');
    expect(readSentBatch(sent[0])).toEqual(
      [0, 1, 2].map((n) => ({ id: `item-${n}`, method: 'POST', path: '/calendar/v3/things', body: { n } })),
    );
  });

  it('holds at most 50 calls and weighs at most 4, and every call gets its own answer', async () => {
    const { access, sent } = scriptAccess((request) =>
      batchReply(readSentBatch(request).map(({ id, body }) => echo(id, body))),
    );
    const outcomes = await callApiInBatch(API_URL, access, calls(101), schema);
    expect(outcomes).toEqual(calls(101).map((_, n) => ok({ n })));
    expect(sent.map((request) => readSentBatch(request).length)).toEqual([50, 50, 1]);
    expect(sent.map(({ weight }) => weight)).toEqual([4, 4, 1]);
  });

  it('asks only the throttled parts again, and reports one throttle per reply with the longest wait', async () => {
    const { access, sent, heldBack } = scriptAccess((request, round) =>
      batchReply(
        readSentBatch(request).map(({ id, body }, place) =>
          round === 1 && place > 0
            ? { id, ...apiError(429, 'rateLimitExceeded', { 'Retry-After': String(place) }) }
            : echo(id, body),
        ),
      ),
    );
    expect(await callApiInBatch(API_URL, access, calls(3), schema)).toEqual([
      ok({ n: 0 }),
      ok({ n: 1 }),
      ok({ n: 2 }),
    ]);
    expect(sent.map((request) => readSentBatch(request).map(({ body }) => body))).toEqual([
      [{ n: 0 }, { n: 1 }, { n: 2 }],
      [{ n: 1 }, { n: 2 }],
    ]);
    expect(heldBack).toEqual([{ retryAtMs: NOW + 2000 }]);
  });

  it('gives up on a part after two more rounds', async () => {
    const { access, sent, heldBack } = scriptAccess(() =>
      batchReply([{ id: 'item-0', ...apiError(403, 'userRateLimitExceeded') }]),
    );
    expect(await callApiInBatch(API_URL, access, calls(1), schema)).toEqual([
      fail({ kind: 'throttled', scope: 'user' }),
    ]);
    expect(sent).toHaveLength(3);
    expect(heldBack).toEqual([{}, {}, {}]);
  });

  it('fails the throttled parts with the long wait that stands before the next round', async () => {
    const throttled = fail({ kind: 'throttled', scope: 'user', retryAtMs: NOW + 60_000 } satisfies Failure);
    const { access, heldBack } = scriptAccess((_request, round) =>
      round === 1
        ? batchReply([echo('item-0', { n: 0 }), { id: 'item-1', ...apiError(429, 'rateLimitExceeded') }])
        : throttled,
    );
    expect(await callApiInBatch(API_URL, access, calls(2), schema)).toEqual([ok({ n: 0 }), throttled]);
    expect(heldBack).toEqual([{}]);
  });

  it('asks no part again that failed otherwise', async () => {
    const { access, sent, heldBack } = scriptAccess(() =>
      batchReply([
        { id: 'item-0', ...apiError(500, 'backendError') },
        { id: 'item-1', ...apiError(401, 'authError') },
        echo('item-2', { n: 'x' }),
      ]),
    );
    expect(await callApiInBatch(API_URL, access, calls(4), schema)).toEqual([
      fail({ kind: 'unavailable', ambiguous: false }),
      fail({ kind: 'token-rejected' }),
      fail({ kind: 'malformed', at: 'thing.n' }),
      fail({ kind: 'malformed', at: 'batch part 3' }),
    ]);
    expect(sent).toHaveLength(1);
    expect(heldBack).toEqual([]);
  });

  it('fails every part alike when the envelope fails, and asks none again', async () => {
    const envelopes = [
      [apiError(401, 'authError'), { kind: 'token-rejected' }],
      [apiError(403, 'rateLimitExceeded'), { kind: 'throttled', scope: 'user' }],
      [reply(503, ''), { kind: 'unavailable', ambiguous: false }],
      [fail({ kind: 'unavailable', ambiguous: true }), { kind: 'unavailable', ambiguous: false }],
    ] as const;
    for (const [envelope, failure] of envelopes) {
      const { access, sent, heldBack } = scriptAccess(() => envelope);
      expect(await callApiInBatch(API_URL, access, calls(2), schema)).toEqual([fail(failure), fail(failure)]);
      expect(sent).toHaveLength(1);
      expect(heldBack).toHaveLength(failure.kind === 'throttled' ? 1 : 0);
    }
  });

  it('leaves out a call that could not be sent, and keeps the places of the others', async () => {
    const { access } = scriptAccess((request) =>
      batchReply(readSentBatch(request).map(({ id, body }) => echo(id, body))),
    );
    const [first, second] = calls(2);
    const mixed = [{ ...READ, path: ['..'] }, first, second].filter((call) => call !== undefined);
    expect(await callApiInBatch(API_URL, access, mixed, schema)).toMatchObject([
      { failure: { kind: 'rejected', code: 'invalid_id' } },
      ok({ n: 0 }),
      ok({ n: 1 }),
    ]);
  });
});
