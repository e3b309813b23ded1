import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { fail, ok } from '../../../src/domain/failure.ts';
import {
  askGraph,
  type Graph,
  graphPath,
  type GraphRequest,
  ownPath,
  readAs,
} from '../../../src/providers/microsoft/client.ts';
import { CONFIG, NOW, reply, scriptedAccess, scriptedSend } from './scripted.ts';

const GET: GraphRequest = {
  method: 'GET',
  path: graphPath(['me', 'calendar']),
  what: 'calendar',
  writes: false,
};

function graphThat(respond: Parameters<typeof scriptedSend>[0]) {
  const { send, asked } = scriptedSend(respond);
  const { access, held } = scriptedAccess(send);
  const graph: Graph = { graphUrl: CONFIG.graphUrl, access };
  return { graph, asked, held };
}

describe('asking Graph', () => {
  it('sends the token, and asks for immutable ids and UTC', async () => {
    const { graph, asked } = graphThat(() => reply(200, { id: '1' }));
    expect(await askGraph(graph, GET)).toEqual(ok({ id: '1' }));
    expect(asked).toEqual([
      {
        method: 'GET',
        url: 'https://graph.example/v1.0/me/calendar',
        headers: {
          Authorization: 'Bearer the-access-token',
          Prefer: 'IdType="ImmutableId", outlook.timezone="UTC"',
        },
      },
    ]);
  });

  it('sends a body as JSON, and takes an empty reply', async () => {
    const { graph, asked } = graphThat(() => reply(204));
    expect(await askGraph(graph, { ...GET, method: 'POST', body: { a: 1 } })).toEqual(ok(undefined));
    expect(asked[0]).toMatchObject({ body: '{"a":1}', headers: { 'Content-Type': 'application/json' } });
  });

  it('binds a request to a version, where one is named', async () => {
    const { graph, asked } = graphThat(() => reply(204));
    await askGraph(graph, { ...GET, method: 'DELETE', ifMatch: 'W/"1"' });
    await askGraph(graph, { ...GET, method: 'DELETE' });
    expect(asked.map(({ headers }) => headers?.['If-Match'])).toEqual(['W/"1"', undefined]);
  });

  it('states what a request prefers beside what every request does', async () => {
    const { graph, asked } = graphThat(() => reply(200, {}));
    await askGraph(graph, { ...GET, prefer: ['odata.maxpagesize=10'] });
    expect(asked[0]?.headers?.['Prefer']).toBe(
      'IdType="ImmutableId", outlook.timezone="UTC", odata.maxpagesize=10',
    );
  });

  it('keeps an id within its segment, however it is made', async () => {
    const { graph, asked } = graphThat(() => reply(200, {}));
    await askGraph(graph, { ...GET, path: graphPath(['me', 'calendars', 'a/b?c#d=='], { q: "x'&y" }) });
    expect(asked[0]?.url).toBe("https://graph.example/v1.0/me/calendars/a%2Fb%3Fc%23d%3D%3D?q=x'%26y");
    await askGraph(graph, { ...GET, path: graphPath(['me', 'calendars', '%2e%2e', 'events']) });
    expect(asked[1]?.url).toBe('https://graph.example/v1.0/me/calendars/%252e%252e/events');
    for (const id of ['..', '.']) {
      const path = graphPath(['me', 'calendars', id, 'events']);
      expect(await askGraph(graph, { ...GET, path })).toEqual(fail({ kind: 'not-found', what: 'calendar' }));
    }
    expect(asked).toHaveLength(2);
  });

  it('holds calls back on a throttle in the reply, and only then', async () => {
    const throttled = graphThat(() => reply(429, '', { 'Retry-After': '4' }));
    expect(await askGraph(throttled.graph, GET)).toEqual(
      fail({ kind: 'throttled', scope: 'user', retryAtMs: NOW + 4000 }),
    );
    expect(throttled.held).toEqual([{ retryAtMs: NOW + 4000 }]);
    const without = graphThat(() => reply(429));
    await askGraph(without.graph, GET);
    expect(without.held).toEqual([{}]);
    const broken = graphThat(() => reply(500));
    await askGraph(broken.graph, GET);
    expect(broken.held).toEqual([]);
  });

  it('leaves only a write in doubt when the reply is lost, whatever the verb', async () => {
    const { graph } = graphThat(() => fail({ kind: 'unavailable', ambiguous: true }));
    const post: GraphRequest = { ...GET, method: 'POST' };
    expect(await askGraph(graph, post)).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
    expect(await askGraph(graph, { ...post, writes: true })).toEqual(
      fail({ kind: 'unavailable', ambiguous: true }),
    );
  });

  it('calls what is no JSON, or not as promised, malformed and names the place', async () => {
    const { graph } = graphThat(() => reply(200, '<html>'));
    expect(await askGraph(graph, GET)).toEqual(fail({ kind: 'malformed', at: 'calendar' }));
    const schema = z.object({ value: z.array(z.object({ id: z.string() })) });
    expect(readAs(ok({ value: [{ id: 7 }] }), schema, 'calendars')).toEqual(
      fail({ kind: 'malformed', at: 'calendars.value.0.id' }),
    );
    expect(readAs(ok({ value: [{ id: '7', more: 1 }], other: 2 }), schema, 'calendars')).toEqual(
      ok({ value: [{ id: '7' }] }),
    );
  });
});

describe('a link that Graph hands out', () => {
  const { graph } = graphThat(() => reply(200));

  it('is followed below Graph v1.0', () => {
    expect(ownPath(graph, 'https://graph.example/v1.0/me/events?$skip=10')).toBe('/me/events?$skip=10');
  });

  it('is not followed anywhere else', () => {
    for (const link of [
      'https://evil.example/v1.0/me/events',
      'https://graph.example.evil.example/v1.0/me',
      'https://graph.example@evil.example/v1.0/me',
      'https://user@graph.example/v1.0/me',
      'http://graph.example/v1.0/me',
      'https://graph.example:8443/v1.0/me',
      'https://graph.example/beta/me',
      'https://graph.example/v1.0/../beta/me',
      'https://graph.example/v1.0x/me',
      '/v1.0/me',
      '//evil.example/v1.0/me',
      'javascript:alert(1)',
      '',
    ]) {
      expect(ownPath(graph, link)).toBeUndefined();
    }
  });
});
