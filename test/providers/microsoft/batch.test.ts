import { describe, expect, it } from 'vitest';
import { fail, ok, type Outcome } from '../../../src/domain/failure.ts';
import type { OutgoingRequest, Reply } from '../../../src/providers/http.ts';
import { askAll } from '../../../src/providers/microsoft/batch.ts';
import type { Graph, GraphRequest } from '../../../src/providers/microsoft/client.ts';
import {
  CONFIG,
  type GraphAnswer,
  NOW,
  partsOf,
  reply,
  scriptedAccess,
  scriptedGraph,
  scriptedSend,
} from './scripted.ts';

const get = (name: string): GraphRequest => ({
  method: 'GET',
  path: `/me/${name}`,
  what: name,
  writes: false,
});
const named = (count: number) => Array.from({ length: count }, (_, index) => get(`r${index}`));

function graphOver({ send, asked }: ReturnType<typeof scriptedSend>) {
  const { access, held } = scriptedAccess(send);
  const graph: Graph = { graphUrl: CONFIG.graphUrl, access };
  return { graph, asked, held };
}
const graphThat = (answer: (url: string, asking: number) => GraphAnswer) => {
  const times = new Map<string, number>();
  return graphOver(
    scriptedGraph(({ url }) => {
      times.set(url, (times.get(url) ?? 0) + 1);
      return answer(url, times.get(url) ?? 0);
    }),
  );
};
const enveloped = (respond: (request: OutgoingRequest) => Outcome<Reply>) => graphOver(scriptedSend(respond));
const throttle = (seconds?: number): GraphAnswer => ({
  status: 429,
  ...(seconds !== undefined && { headers: { 'retry-after': String(seconds) } }),
});

describe('asking Graph for several things', () => {
  it('sends a single one as it is', async () => {
    const { graph, asked } = graphThat((url) => ({ body: { url } }));
    expect(await askAll(graph, [get('a')])).toEqual([ok({ url: '/me/a' })]);
    expect(asked.map(({ url }) => url)).toEqual(['https://graph.example/v1.0/me/a']);
    expect(await askAll(graph, [])).toEqual([]);
    expect(asked).toHaveLength(1);
  });

  it('puts several in one batch, which counts as the four that run at once', async () => {
    const { graph, asked } = graphThat((url) => ({ body: { url } }));
    const post: GraphRequest = { method: 'POST', path: '/me/b', body: { x: 1 }, what: 'b', writes: false };
    expect(await askAll(graph, [get('a'), post])).toEqual([ok({ url: '/me/a' }), ok({ url: '/me/b' })]);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ method: 'POST', url: 'https://graph.example/v1.0/$batch', weight: 2 });
    const [first, second] = asked[0] === undefined ? [] : partsOf(asked[0]);
    expect(first).toMatchObject({ method: 'GET', url: '/me/a' });
    expect(first?.headers['Prefer']).toContain('ImmutableId');
    expect(second).toMatchObject({ method: 'POST', url: '/me/b', body: { x: 1 } });
    expect(second?.headers['Content-Type']).toBe('application/json');
    expect(first?.id).not.toBe(second?.id);
    expect(JSON.stringify(first)).not.toContain('the-access-token');
    await askAll(graph, named(6));
    expect(asked[1]?.weight).toBe(4);
  });

  it('keeps to twenty parts, and matches the answers by id in whatever order they come', async () => {
    const { graph, asked } = graphThat((url) => ({ body: { url } }));
    const answers = await askAll(graph, named(45));
    expect(asked.map((request) => partsOf(request).length)).toEqual([20, 20, 5]);
    expect(answers).toEqual(named(45).map(({ path }) => ok({ url: path })));
  });

  it('judges every part by itself, though the batch is a 200', async () => {
    const { graph } = graphThat((url) => {
      if (url === '/me/r1') return { status: 404, body: { error: { code: 'ErrorItemNotFound' } } };
      return url === '/me/r2' ? { status: 424 } : { body: { url } };
    });
    expect(await askAll(graph, named(4))).toEqual([
      ok({ url: '/me/r0' }),
      fail({ kind: 'not-found', what: 'r1' }),
      fail({ kind: 'unavailable', ambiguous: false }),
      ok({ url: '/me/r3' }),
    ]);
  });

  it('reads a claims challenge in a part', async () => {
    const header = `Bearer error="insufficient_claims", claims="${btoa('{"a":{}}')}"`;
    const { graph } = graphThat(() => ({
      status: 401,
      headers: { 'WWW-Authenticate': header, 'bad name': '\n' },
    }));
    expect((await askAll(graph, named(2)))[0]).toEqual(fail({ kind: 'token-rejected', claims: '{"a":{}}' }));
  });

  it('calls a part malformed that is missing, unreadable or answered twice', async () => {
    const { graph } = enveloped((request) => {
      const [first, second, third] = partsOf(request);
      return reply(200, {
        responses: [
          { id: first?.id, status: 200, body: {} },
          { id: second?.id, status: 'fine' },
          { id: third?.id, status: 200, body: { a: 1 } },
          { id: third?.id, status: 200, body: { a: 2 } },
          null,
        ],
      });
    });
    expect(await askAll(graph, named(4))).toEqual([
      ok({}),
      ...['r1', 'r2', 'r3'].map((name) => fail({ kind: 'malformed', at: `batch: ${name}` })),
    ]);
  });

  it('lets a batch that fails as a whole fail every part alike, once', async () => {
    for (const [answer, failure] of [
      [fail({ kind: 'unavailable', ambiguous: true }), { kind: 'unavailable', ambiguous: false }],
      [reply(401), { kind: 'token-rejected' }],
      [
        reply(429, '', { 'Retry-After': '60' }),
        { kind: 'throttled', scope: 'user', retryAtMs: NOW + 60_000 },
      ],
      [reply(200, { responses: 'none' }), { kind: 'malformed', at: 'batch.responses' }],
    ] as const) {
      const { graph, asked } = enveloped(() => answer);
      expect(await askAll(graph, named(2))).toEqual([fail(failure), fail(failure)]);
      expect(asked).toHaveLength(1);
    }
  });

  it('refuses an id that would leave its place, and asks for the rest', async () => {
    const { graph, asked } = graphThat((url) => ({ body: { url } }));
    const answers = await askAll(graph, [get('a'), { ...get('b'), path: '/me/calendars/../b' }, get('c')]);
    expect(answers).toEqual([
      ok({ url: '/me/a' }),
      fail({ kind: 'not-found', what: 'b' }),
      ok({ url: '/me/c' }),
    ]);
    expect(asked[0] === undefined ? [] : partsOf(asked[0])).toHaveLength(2);
  });
});

describe('a throttled part of a batch', () => {
  it('is asked again, and nothing else is, after the throttle was reported', async () => {
    const { graph, asked, held } = graphThat((url, asking) =>
      url === '/me/r1' && asking === 1 ? throttle(1) : { body: { url } },
    );
    expect(await askAll(graph, named(3))).toEqual(named(3).map(({ path }) => ok({ url: path })));
    expect(asked.map((request) => partsOf(request).map(({ url }) => url))).toEqual([
      ['/me/r0', '/me/r1', '/me/r2'],
      ['/me/r1'],
    ]);
    expect(asked[1]?.weight).toBe(1);
    expect(held).toEqual([{ retryAtMs: NOW + 1000 }]);
  });

  it('is reported with the longest wait of its batch, or with none', async () => {
    const { graph, held } = graphThat((url, asking) => {
      if (asking > 1) return { body: {} };
      return throttle(url === '/me/r0' ? 2 : 5);
    });
    await askAll(graph, named(2));
    expect(held).toEqual([{ retryAtMs: NOW + 5000 }]);
    const without = graphThat((_, asking) => (asking > 1 ? { body: {} } : throttle()));
    await askAll(without.graph, named(2));
    expect(without.held).toEqual([{}]);
  });

  it('is given up after two more rounds', async () => {
    const { graph, asked } = graphThat((url) => (url === '/me/r0' ? throttle(1) : { body: {} }));
    expect(await askAll(graph, named(2))).toEqual([
      fail({ kind: 'throttled', scope: 'user', retryAtMs: NOW + 1000 }),
      ok({}),
    ]);
    expect(asked).toHaveLength(3);
  });

  it('is given up at once when the wait is too long to sit out', async () => {
    let calls = 0;
    const double = scriptedGraph((part) => (part.url === '/me/r0' ? throttle(600) : { body: {} }));
    const { access } = scriptedAccess((request) => {
      calls += 1;
      const long = fail({ kind: 'throttled', scope: 'user', retryAtMs: NOW + 600_000 });
      return calls === 1 ? double.send(request) : Promise.resolve(long);
    });
    expect(await askAll({ graphUrl: CONFIG.graphUrl, access }, named(2))).toEqual([
      fail({ kind: 'throttled', scope: 'user', retryAtMs: NOW + 600_000 }),
      ok({}),
    ]);
    expect(calls).toBe(2);
  });

  it('is not asked again for any other reason', async () => {
    const { graph, asked } = graphThat(() => ({ status: 503, headers: { 'Retry-After': '1' } }));
    await askAll(graph, named(2));
    expect(asked).toHaveLength(1);
  });
});
