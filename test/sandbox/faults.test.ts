import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { connectGoogle, connectMicrosoft, googleToken } from './client-journey.ts';
import type { FaultEffect } from './faults.ts';
import { startSandbox } from './sandbox.ts';
import type { Sandbox } from './sandbox.ts';

const ADA = 'ada@example.com';
const GRACE = 'grace@contoso.example';
let sandbox: Sandbox;
let nowMs: number;
let token: string;

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 25, 12);
  sandbox = await startSandbox({ now: () => nowMs });
  sandbox.people.add({ provider: 'google', email: ADA, name: 'Ada', timeZone: 'UTC' });
  sandbox.people.add({ provider: 'microsoft', email: GRACE, name: 'Grace', timeZone: 'UTC' });
  token = (await connectGoogle(sandbox, ADA)).access_token;
  sandbox.truth.reset();
});
afterEach(async () => {
  await sandbox.close();
});

const list = async (signal?: AbortSignal): Promise<Response> =>
  await fetch(`${sandbox.googleUrl}/calendar/v3/users/me/calendarList`, {
    headers: { authorization: `Bearer ${token}` },
    ...(signal === undefined ? {} : { signal }),
  });
const script = (effect: FaultEffect, more: object = {}): void => {
  sandbox.faults.add({ operation: 'google.calendarList', effect, ...more });
};

/** The same question to Graph by itself and as the one part of a batch; what each is answered. */
const graphAs = (accessToken: string) => {
  const ask = async (path: string, body?: object): Promise<number> => {
    const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
    const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
    return await fetch(`${sandbox.microsoftUrl}/v1.0${path}`, init).then(
      ({ status }) => status,
      () => 0,
    );
  };
  return {
    plain: async () => await ask('/me'),
    batch: async () => await ask('/$batch', { requests: [{ id: '1', method: 'GET', url: '/me' }] }),
  };
};

describe('a scripted fault', () => {
  test('strikes as often as it was told, after as many calls as it was told', async () => {
    script({ kind: 'status', status: 500 }, { times: 2, after: 1 });
    const statuses = [];
    for (let call = 0; call < 5; call += 1) statuses.push((await list()).status);
    expect(statuses).toEqual([200, 500, 500, 200, 200]);
    expect(sandbox.faults.pending).toEqual([]);
  });

  test('strikes only what it names', async () => {
    script({ kind: 'status', status: 500 }, { person: 'someone@else.example' });
    script({ kind: 'status', status: 500 }, { path: /settings/g });
    script({ kind: 'status', status: 500 }, { provider: 'microsoft' });
    expect((await list()).status).toBe(200);
    script(
      { kind: 'status', status: 418, body: { odd: true }, headers: { 'x-odd': '1' } },
      { path: 'calendarList' },
    );
    const odd = await list();
    expect([odd.status, odd.headers.get('x-odd'), await odd.json()]).toEqual([418, '1', { odd: true }]);
  });

  test('can make a list come out as if nothing were in it', async () => {
    script({ kind: 'hollow' });
    const items = async (): Promise<unknown> =>
      z.looseObject({ items: z.array(z.unknown()) }).parse(await (await list()).json()).items.length;
    expect([await items(), await items()]).toEqual([0, 1]);
  });

  test('can reset, truncate and empty a reply', async () => {
    script({ kind: 'reset' });
    await expect(list()).rejects.toThrow('fetch failed');
    script({ kind: 'malformed' });
    await expect((await list()).json()).rejects.toThrow('JSON');
    script({ kind: 'empty' });
    expect(await (await list()).text()).toBe('');
    expect(sandbox.truth.calls.map(({ status, faults }) => [status, faults])).toEqual([
      [0, ['reset']],
      [200, ['malformed']],
      [200, ['empty']],
    ]);
  });

  test('can carry out a call and lose the reply', async () => {
    sandbox.people.add({
      provider: 'google',
      email: 'strict@example.com',
      name: 'Strict',
      timeZone: 'UTC',
      refreshTokens: 'rotate-strictly',
    });
    const { refresh_token: first = '' } = await connectGoogle(sandbox, 'strict@example.com');
    const fields = { grant_type: 'refresh_token', refresh_token: first };
    sandbox.faults.add({
      operation: 'google.token',
      person: 'strict@example.com',
      effect: { kind: 'reply-lost' },
    });
    await expect(googleToken(sandbox, fields)).rejects.toThrow('fetch failed');
    expect((await googleToken(sandbox, fields)).status).toBe(400);
  });

  test('can carry out a call and keep the reply until the client gives up', async () => {
    sandbox.faults.add({ operation: 'google.events.insert', effect: { kind: 'reply-held' } });
    const patience = new AbortController();
    const waiting = fetch(`${sandbox.googleUrl}/calendar/v3/calendars/primary/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        start: { dateTime: '2026-11-25T12:00:00Z' },
        end: { dateTime: '2026-11-25T13:00:00Z' },
      }),
      signal: patience.signal,
    });
    await vi.waitFor(() => {
      expect(sandbox.truth.effects).toMatchObject([{ deed: 'created', person: ADA }]);
    });
    expect(sandbox.truth.calls).toMatchObject([{ ms: -1, status: 0 }]);
    patience.abort();
    await expect(waiting).rejects.toThrow('abort');
    await vi.waitFor(() => {
      expect(sandbox.truth.calls[0]?.ms).not.toBe(-1);
    });
  });

  test('can hang until the client gives up, and the call stays open that long', async () => {
    script({ kind: 'hang' });
    const patience = new AbortController();
    const hanging = list(patience.signal);
    await vi.waitFor(() => {
      expect(sandbox.truth.calls).toMatchObject([{ ms: -1, status: 0 }]);
    });
    patience.abort();
    await expect(hanging).rejects.toThrow('abort');
    await vi.waitFor(() => {
      expect(sandbox.truth.calls[0]?.ms).not.toBe(-1);
    });
  });

  test('keeps a slow call open at the provider when its client has gone', async () => {
    const bearer = (await connectMicrosoft(sandbox, GRACE)).access_token;
    const me = async (signal?: AbortSignal): Promise<Response> =>
      await fetch(`${sandbox.microsoftUrl}/v1.0/me`, {
        headers: { authorization: `Bearer ${bearer}` },
        ...(signal === undefined ? {} : { signal }),
      });
    sandbox.faults.add({ operation: 'graph.me', times: 4, effect: { kind: 'latency', ms: 400 } });
    const crash = new AbortController();
    const lost = Promise.allSettled([1, 2, 3, 4].map(async () => await me(crash.signal)));
    await vi.waitFor(() => {
      expect(sandbox.truth.count({ operation: 'graph.me' })).toBe(4);
    });
    crash.abort();
    await lost;
    expect((await me()).status).toBe(429);
    expect(sandbox.truth.peak(GRACE)).toBe(5);
  });

  test('adds latencies to other effects', async () => {
    script({ kind: 'latency', ms: 5 });
    script({ kind: 'status', status: 503 });
    expect((await list()).status).toBe(503);
    expect(sandbox.truth.calls[0]?.faults).toEqual(['latency', 'status']);
  });
});

describe('a fault by chance', () => {
  test('strikes its share of the calls', async () => {
    sandbox.faults.add({ effect: { kind: 'status', status: 503 }, times: 1_000, chance: 0.25 });
    let struck = 0;
    for (let call = 0; call < 200; call += 1) if ((await list()).status === 503) struck += 1;
    expect(struck).toBeGreaterThan(25);
    expect(struck).toBeLessThan(80);
  });
});

describe('throttling', () => {
  test('holds the person off until the time is over and notes who comes early', async () => {
    script({ kind: 'throttle', status: 429, retryAfter: 10, holdMs: 10_000 });
    const first = await list();
    expect([first.status, first.headers.get('retry-after')]).toEqual([429, '10']);
    nowMs += 4000;
    expect((await list()).status).toBe(429);
    expect(sandbox.truth.tooEarly).toMatchObject([
      { person: ADA, operation: 'google.calendarList', earlyByMs: 6000 },
    ]);
    nowMs += 6000;
    expect((await list()).status).toBe(200);
    expect(sandbox.truth.verdict().ok).toBe(false);
  });

  test('forgives calls that cross the refusal on its way', async () => {
    script({ kind: 'throttle', holdMs: 10_000 });
    const first = await list();
    expect([first.status, first.headers.get('retry-after')]).toEqual([403, null]);
    nowMs += 20;
    expect((await list()).status).toBe(403);
    expect(sandbox.truth.tooEarly).toEqual([]);
  });

  test.each<FaultEffect>([
    { kind: 'reply-lost' },
    { kind: 'malformed' },
    { kind: 'empty' },
    { kind: 'status-after', status: 502 },
  ])(
    'blames nobody for a hold that only a part of a batch told of, whose reply was spoilt: $kind',
    async (effect) => {
      const me = graphAs((await connectMicrosoft(sandbox, GRACE)).access_token);
      sandbox.faults.add({
        operation: 'graph.me',
        effect: { kind: 'throttle', retryAfter: 10, holdMs: 10_000 },
      });
      sandbox.faults.add({ operation: 'graph.batch', effect });
      await me.batch();
      nowMs += 4_000;
      expect(await me.plain()).toBe(429);
      expect(sandbox.truth.tooEarly).toEqual([]);
      nowMs += 1_000;
      // That refusal was told of.
      expect(await me.plain()).toBe(429);
      expect(sandbox.truth.tooEarly).toMatchObject([{ operation: 'graph.me', earlyByMs: 5_000 }]);
    },
  );

  test('knows from when a part of a batch told of a hold', async () => {
    const me = graphAs((await connectMicrosoft(sandbox, GRACE)).access_token);
    sandbox.faults.add({
      operation: 'graph.me',
      effect: { kind: 'throttle', retryAfter: 10, holdMs: 10_000 },
    });
    await me.batch();
    nowMs += 4_000;
    await me.batch();
    expect(sandbox.truth.tooEarly).toMatchObject([{ operation: 'graph.me', earlyByMs: 6_000 }]);
  });

  test('names the end of the hold as a date that is never early', async () => {
    nowMs += 1;
    script({ kind: 'throttle', status: 429, retryAfter: 'date', holdMs: 2000 });
    const until = Date.parse((await list()).headers.get('retry-after') ?? '');
    expect(until).toBeGreaterThanOrEqual(nowMs + 2000);
    nowMs = until;
    expect((await list()).status).toBe(200);
  });

  test('leaves other people and token calls alone', async () => {
    const { refresh_token: refresh = '' } = await connectGoogle(sandbox, ADA);
    script({ kind: 'throttle', holdMs: 10_000 });
    await list();
    nowMs += 1000;
    expect((await googleToken(sandbox, { grant_type: 'refresh_token', refresh_token: refresh })).status).toBe(
      200,
    );
    const other = (await connectMicrosoft(sandbox, GRACE)).access_token;
    const headers = { authorization: `Bearer ${other}` };
    expect((await fetch(`${sandbox.microsoftUrl}/v1.0/me`, { headers })).status).toBe(200);
  });
});

describe('the truth log', () => {
  test('holds no secret of any kind', async () => {
    const { refresh_token: refresh = '' } = await connectGoogle(sandbox, ADA);
    await googleToken(sandbox, { grant_type: 'refresh_token', refresh_token: refresh });
    await list();
    const log = await (await fetch(`${sandbox.googleUrl}/sandbox/truth`)).text();
    expect(log).toContain('google.token');
    for (const secret of [token, refresh, sandbox.clients.google.secret, 'ya29.', '4/0A']) {
      expect(log).not.toContain(secret);
    }
  });

  test('counts by operation, person and provider, and forgets on request', async () => {
    await list();
    await list();
    expect(sandbox.truth.count({ operation: 'google.calendarList', person: ADA })).toBe(2);
    expect(sandbox.truth.count({ provider: 'microsoft' })).toBe(0);
    expect(sandbox.truth.peak(ADA)).toBe(1);
    sandbox.truth.reset();
    expect(sandbox.truth.count()).toBe(0);
    expect(sandbox.truth.peak(ADA)).toBe(0);
  });

  test('tells the calls that a dead client has left open from those of the living', async () => {
    sandbox.faults.add({ effect: { kind: 'latency', ms: 400 } });
    const left = list();
    await expect.poll(() => sandbox.truth.count()).toBe(1);
    await fetch(`${sandbox.googleUrl}/sandbox/client-died`, { method: 'POST' });
    await list();
    expect(sandbox.truth.toJSON()).toMatchObject({ peaks: { [ADA]: 2 }, peaksAlive: { [ADA]: 1 } });
    await left;
    await list();
    expect(sandbox.truth.toJSON()).toMatchObject({ peaksAlive: { [ADA]: 1 } });
  });
});

describe('control over HTTP', () => {
  const post = async (path: string, body: unknown): Promise<Response> =>
    await fetch(`${sandbox.microsoftUrl}/sandbox/${path}`, { method: 'POST', body: JSON.stringify(body) });

  test('adds people, events and faults, and shows them', async () => {
    const person = { provider: 'google', email: 'new@example.com', name: '<b>New</b>', timeZone: 'UTC' };
    expect((await post('people', person)).status).toBe(201);
    const event = { summary: 'x', start: '2026-11-25T10:00Z', end: '2026-11-25T11:00Z' };
    expect((await post('events', { person: 'new@example.com', event })).status).toBe(201);
    expect(
      (await post('faults', { operation: 'google.calendarList', effect: { kind: 'status', status: 502 } }))
        .status,
    ).toBe(201);
    expect((await list()).status).toBe(502);
    const page = await (await fetch(`${sandbox.googleUrl}/sandbox/`)).text();
    expect(page).toContain('&lt;b&gt;New&lt;/b&gt;');
    const people = z.array(z.looseObject({ email: z.string() }));
    const all = people.parse(await (await fetch(`${sandbox.googleUrl}/sandbox/people`)).json());
    expect(all.map(({ email }) => email)).toContain('new@example.com');
  });

  test('refuses what it does not know', async () => {
    expect((await post('people', { provider: 'google', wat: 1 })).status).toBe(400);
    expect((await post('deeds', { do: 'revoke-grant', person: 'nobody@example.com' })).status).toBe(400);
    expect((await post('nonsense', {})).status).toBe(404);
  });

  test('does a person’s deeds', async () => {
    expect((await post('deeds', { do: 'expire-access-tokens', person: ADA })).status).toBe(200);
    expect((await list()).status).toBe(401);
  });
});
