import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../src/domain/failure.ts';
import {
  createSend,
  type Fetch,
  fetchThrough,
  type OutgoingRequest,
  readJson,
  readRetryAfter,
  SendFailed,
} from '../../src/providers/http.ts';

const NOW = Date.UTC(2026, 10, 23, 8);
const REQUEST = { method: 'GET', url: 'https://provider.test/things' };

function sendWith(fetch: Fetch, options: { timeoutMs?: number; maxBodyBytes?: number } = {}) {
  return createSend({ fetch, now: () => NOW, timeoutMs: 1000, maxBodyBytes: 100, ...options });
}

/** A body that yields `chunk` for ever, and tells whether it was cancelled. */
function endless(chunk: string, gapMs: number) {
  const state = { cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => {
        setTimeout(resolve, gapMs);
      });
      controller.enqueue(new TextEncoder().encode(chunk));
    },
    cancel() {
      state.cancelled = true;
    },
  });
  return { state, body };
}

describe('sending a request', () => {
  it('passes method, headers and body on, and reads the reply to its end', async () => {
    const seen: { url: string; init: RequestInit }[] = [];
    const send = sendWith(async (url, init) => {
      seen.push({ url, init });
      return new Response('grüße', { status: 418, headers: { 'X-Kind': 'tea' } });
    });
    const sent = await send({ method: 'POST', url: REQUEST.url, headers: { Accept: 'a/b' }, body: 'x' });
    expect(seen[0]?.url).toBe(REQUEST.url);
    expect(seen[0]?.init).toMatchObject({ method: 'POST', headers: { Accept: 'a/b' }, body: 'x' });
    expect(sent).toMatchObject({ ok: true, value: { status: 418, body: 'grüße', receivedAtMs: NOW } });
    expect(sent.ok && sent.value.headers.get('X-Kind')).toBe('tea');
  });

  it('joins characters that are cut between chunks', async () => {
    const bytes = new TextEncoder().encode('é');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes.slice(0, 1));
        controller.enqueue(bytes.slice(1));
        controller.close();
      },
    });
    expect(await sendWith(async () => new Response(body))(REQUEST)).toMatchObject({ value: { body: 'é' } });
  });

  it('reads a reply without a body as empty', async () => {
    const sent = await sendWith(async () => new Response(null, { status: 204 }))(REQUEST);
    expect(sent).toMatchObject({ ok: true, value: { status: 204, body: '' } });
  });

  it('follows no redirect: a 3xx is a reply', async () => {
    const modes: unknown[] = [];
    const send = sendWith(async (_url, init) => {
      modes.push(init.redirect);
      return new Response(null, { status: 302, headers: { Location: 'https://evil.test/' } });
    });
    expect(await send(REQUEST)).toMatchObject({ ok: true, value: { status: 302 } });
    expect(modes).toEqual(['manual']);
  });

  it('tells a network failure as unavailable, ambiguous unless the request was a GET', async () => {
    const send = sendWith(() => Promise.reject(new TypeError('connection lost')));
    expect(await send(REQUEST)).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
    expect(await send({ ...REQUEST, method: 'POST' })).toEqual(
      fail({ kind: 'unavailable', ambiguous: true }),
    );
  });

  it('rejects what is no request, and sends nothing', async () => {
    const urls: string[] = [];
    const send = sendWith(async (url) => {
      urls.push(url);
      return new Response(null);
    });
    for (const wrong of [
      { url: 'not a url' },
      { url: '/things' },
      { url: 'file:///etc/passwd' },
      { headers: { 'X A': '1' } },
      { headers: { Authorization: 'Bearer a\nb' } },
      { method: 'NO METHOD' },
      { body: 'of a GET' },
    ])
      expect(await send({ ...REQUEST, ...wrong }), JSON.stringify(wrong)).toEqual(
        fail({ kind: 'rejected', status: 400, code: 'invalid_request' }),
      );
    expect(urls).toEqual([]);
  });

  it('gives up on a provider that never answers', async () => {
    const send = sendWith(
      (_url, { signal }) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new Error('aborted')));
        }),
      { timeoutMs: 20 },
    );
    expect(await send(REQUEST)).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
  });

  it('gives up on a body that drips for ever, though the stream itself heeds no signal', async () => {
    const { state, body } = endless('.', 5);
    const send = sendWith(async () => new Response(body), { timeoutMs: 40, maxBodyBytes: 1_000_000 });
    expect(await send(REQUEST)).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
    expect(state.cancelled).toBe(true);
  });

  it('gives up on a body that falls silent', async () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{')),
    });
    const send = sendWith(async () => new Response(body), { timeoutMs: 20 });
    expect(await send(REQUEST)).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
  });

  it('reads a body of just the cap, and stops a larger one without reading it to its end', async () => {
    const fitting = await sendWith(async () => new Response('x'.repeat(100)))(REQUEST);
    expect(fitting).toMatchObject({ ok: true });
    const { state, body } = endless('x'.repeat(60), 0);
    const tooLarge = await sendWith(async () => new Response(body))(REQUEST);
    expect(tooLarge).toEqual(
      fail({ kind: 'malformed', at: 'body of more than 100 bytes', isTooLarge: true }),
    );
    expect(state.cancelled).toBe(true);
  });
});

const read = (value?: string) =>
  readRetryAfter(new Headers(value === undefined ? {} : { 'Retry-After': value }), NOW);

describe('Retry-After', () => {
  it('is read as seconds, fractions rounded up', () => {
    expect(read('7')).toBe(NOW + 7000);
    expect(read('0.0001')).toBe(NOW + 1);
  });

  it('is read as a date, never early by the fraction that a date cannot say', () => {
    expect(read('Mon, 23 Nov 2026 08:00:30 GMT')).toBe(NOW + 30_999);
  });

  it('is unknown when absent or unreadable', () => {
    for (const value of [undefined, '', 'soon']) expect(read(value)).toBeUndefined();
  });

  it('stays an instant, however absurd the wait', () => {
    const year = 366 * 24 * 60 * 60 * 1000;
    for (const value of ['9'.repeat(400), '99999999999999', 'Fri, 31 Dec 9999 23:59:59 GMT'])
      expect(read(value)).toBe(NOW + year);
  });
});

describe('reading JSON', () => {
  it('names what could not be read, and nothing of it', () => {
    expect(readJson('{"a":1}', 'thing')).toEqual(ok({ a: 1 }));
    expect(readJson('<secret>', 'thing')).toEqual(fail({ kind: 'malformed', at: 'thing' }));
  });
});

describe('a Send in the shape of fetch', () => {
  it('carries request and reply', async () => {
    const seen: OutgoingRequest[] = [];
    const fetch = fetchThrough(async (request) => {
      seen.push(request);
      return ok({ status: 201, headers: new Headers({ 'X-A': '1' }), body: 'made', receivedAtMs: NOW });
    });
    const response = await fetch(REQUEST.url, { method: 'POST', headers: { 'X-B': '2' }, body: 'b=2' });
    expect(seen).toMatchObject([{ method: 'POST', url: REQUEST.url, headers: { 'x-b': '2' }, body: 'b=2' }]);
    expect(response.status).toBe(201);
    expect(response.headers.get('X-A')).toBe('1');
    expect(await response.text()).toBe('made');
  });

  it('carries a reply whose status allows no body', async () => {
    const fetch = fetchThrough(async () =>
      ok({ status: 204, headers: new Headers(), body: '', receivedAtMs: NOW }),
    );
    expect((await fetch(REQUEST.url)).status).toBe(204);
  });

  it('throws a failure as SendFailed, with the failure in it', async () => {
    const failure = fail({ kind: 'throttled', scope: 'user', retryAtMs: NOW });
    const thrown: unknown = await fetchThrough(async () => failure)(REQUEST.url).catch(
      (error: unknown) => error,
    );
    expect(thrown).toBeInstanceOf(SendFailed);
    expect(thrown).toMatchObject({ outcome: failure });
  });
});
