import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { fail, ok } from '../../../src/domain/failure.ts';
import type { Graph, GraphRequest } from '../../../src/providers/microsoft/client.ts';
import { readPages } from '../../../src/providers/microsoft/pages.ts';
import { CONFIG, type GraphAnswer, partsOf, scriptedAccess, scriptedGraph } from './scripted.ts';

const BASE = `${CONFIG.graphUrl}/v1.0`;
const list = (name: string): GraphRequest => ({ method: 'GET', path: `/${name}`, what: name, writes: false });
const page = (items: unknown[], next?: string) => ({
  value: items,
  ...(next !== undefined && { '@odata.nextLink': next }),
});

function read(names: string[], first: (name: string) => unknown, answer: (url: string) => GraphAnswer) {
  const { send, asked } = scriptedGraph(({ url }) => answer(url));
  const { access } = scriptedAccess(send);
  const graph: Graph = { graphUrl: CONFIG.graphUrl, access };
  const firsts = names.map((name) => ({ request: list(name), answer: ok(first(name)) }));
  return { outcome: readPages(graph, firsts, z.number()), asked };
}

describe('reading a paged list', () => {
  it('reads every page, an empty one in the middle too', async () => {
    const { outcome, asked } = read(
      ['a'],
      () => page([1], `${BASE}/a?skip=1`),
      (url) => ({ body: url === '/a?skip=1' ? page([], `${BASE}/a?skip=2`) : page([2, 3]) }),
    );
    expect(await outcome).toEqual([ok([1, 2, 3])]);
    expect(asked.map(({ url }) => url)).toEqual([`${BASE}/a?skip=1`, `${BASE}/a?skip=2`]);
  });

  it('reads the next pages of several lists in one batch', async () => {
    const { outcome, asked } = read(
      ['a', 'b', 'c'],
      (name) => (name === 'c' ? page([9]) : page([1], `${BASE}/${name}?skip=1`)),
      (url) => ({ body: page([url.startsWith('/a') ? 2 : 3]) }),
    );
    expect(await outcome).toEqual([ok([1, 2]), ok([1, 3]), ok([9])]);
    expect(asked).toHaveLength(1);
    expect(asked[0] === undefined ? [] : partsOf(asked[0]).map(({ url }) => url)).toEqual([
      '/a?skip=1',
      '/b?skip=1',
    ]);
  });

  it('is a failure, never a part, when a later page fails', async () => {
    const { outcome } = read(
      ['a', 'b'],
      (name) => page([1], `${BASE}/${name}?skip=1`),
      (url) => (url.startsWith('/a') ? { status: 503 } : { body: page([2]) }),
    );
    expect(await outcome).toEqual([fail({ kind: 'unavailable', ambiguous: false }), ok([1, 2])]);
  });

  it('follows no link to another place', async () => {
    for (const link of ['https://evil.example/v1.0/a', `${CONFIG.graphUrl}/beta/a`, 'nonsense']) {
      const { outcome, asked } = read(
        ['a'],
        () => page([1], link),
        () => ({ body: page([]) }),
      );
      expect(await outcome).toEqual([fail({ kind: 'malformed', at: 'a.@odata.nextLink' })]);
      expect(asked).toHaveLength(0);
    }
  });

  it('notices links that lead back', async () => {
    const { outcome, asked } = read(
      ['a'],
      () => page([1], `${BASE}/a?n=1`),
      () => ({ body: page([1], `${BASE}/a?n=1`) }),
    );
    expect(await outcome).toEqual([fail({ kind: 'malformed', at: 'a.@odata.nextLink' })]);
    expect(asked).toHaveLength(1);
  });

  it('ends a list that does not end', async () => {
    let pages = 0;
    const { outcome, asked } = read(
      ['a'],
      () => page([1], `${BASE}/a?n=0`),
      () => ({ body: page([1], `${BASE}/a?n=${(pages += 1)}`) }),
    );
    expect(await outcome).toEqual([fail({ kind: 'malformed', at: 'a.@odata.nextLink' })]);
    expect(asked).toHaveLength(199);
  });

  it('names the item that is not as promised', async () => {
    const { outcome } = read(
      ['a'],
      () => page([1, 'two']),
      () => ({}),
    );
    expect(await outcome).toEqual([fail({ kind: 'malformed', at: 'a.value.1' })]);
  });
});
