import { describe, expect, it } from 'vitest';
import { type Failure, fail, ok } from '../../../src/domain/failure.ts';
import { createGoogleSync } from '../../../src/providers/google/sync.ts';
import type { PushCall } from '../../../src/providers/provider-sync.ts';
import { API_URL, apiError, NOW, reply, scriptAccess } from './scripted.ts';

const google = createGoogleSync(API_URL);
const HOUR = 3_600_000;
const REQUEST = {
  calendarId: 'a@x.test',
  channelId: 'channel-1',
  address: 'https://worker.test/push',
  secret: 'secret1',
  lifetimeMs: 5 * HOUR,
};
const WATCH = { watchId: 'channel-1', resourceId: 'r1', expiresAtMs: NOW + HOUR };

describe('opening a channel', () => {
  it('says where to, under which secret and for how long, and lasts as long as Google says', async () => {
    const { access, sent } = scriptAccess(() =>
      reply(200, {
        kind: 'api#channel',
        id: 'channel-1',
        resourceId: 'r1',
        expiration: String(NOW + HOUR),
      }),
    );
    expect(await google.watch(REQUEST, access)).toEqual(ok(WATCH));
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({
      method: 'POST',
      url: `${API_URL}/calendar/v3/calendars/a%40x.test/events/watch`,
    });
    expect(JSON.parse(sent[0]?.body ?? '')).toEqual({
      id: 'channel-1',
      type: 'web_hook',
      address: 'https://worker.test/push',
      token: 'secret1',
      expiration: String(NOW + 5 * HOUR),
    });
  });

  it('lasts as asked where Google does not say', async () => {
    const { access } = scriptAccess(() => reply(200, { id: 'channel-1', resourceId: 'r1' }));
    expect(await google.watch(REQUEST, access)).toEqual(ok({ ...WATCH, expiresAtMs: NOW + 5 * HOUR }));
  });

  it('is not offered of some calendars, nor to some addresses; no token is to blame', async () => {
    for (const answer of [
      apiError(400, 'pushNotSupportedForRequestedResource'),
      apiError(400, 'push.webhookUrlNotHttps'),
      apiError(400, 'push.webhookUrlUnauthorized'),
      apiError(401, 'push.webhookUrlUnauthorized'),
      apiError(401, 'webhookUrlUnauthorized'),
      apiError(403, 'requiredAccessLevel'),
    ]) {
      const { access } = scriptAccess(() => answer);
      expect(await google.watch(REQUEST, access)).toMatchObject({
        failure: { kind: 'unsupported', field: 'watch' },
      });
    }
  });

  it('fails as any call does', async () => {
    const failures: [ReturnType<typeof reply>, Failure][] = [
      [apiError(401, 'authError'), { kind: 'token-rejected' }],
      [apiError(400, 'channelIdNotUnique'), { kind: 'rejected', status: 400, code: 'channelIdNotUnique' }],
      [apiError(404, 'notFound'), { kind: 'not-found', what: 'calendar' }],
      [apiError(503, 'backendError'), { kind: 'unavailable', ambiguous: true }],
      [reply(200, {}), { kind: 'malformed', at: 'calendar.resourceId' }],
      [
        reply(200, { resourceId: 'r1', expiration: 'soon' }),
        { kind: 'malformed', at: 'calendar.expiration' },
      ],
    ];
    for (const [answer, failure] of failures) {
      const { access } = scriptAccess(() => answer);
      expect(await google.watch(REQUEST, access)).toEqual(fail(failure));
    }
  });

  it('is worth asking for a week, and no channel is renewed', () => {
    expect(google.watchLifetimeMs).toBe(7 * 24 * HOUR);
    expect(google).not.toHaveProperty('renewWatch');
  });
});

describe('closing a channel', () => {
  it('names it and what it watches', async () => {
    const { access, sent } = scriptAccess(() => reply(204, ''));
    expect(await google.stopWatch(WATCH, access)).toEqual(ok(undefined));
    expect(sent[0]).toMatchObject({
      method: 'POST',
      url: `${API_URL}/calendar/v3/channels/stop`,
      body: '{"id":"channel-1","resourceId":"r1"}',
    });
  });

  it('succeeds when it was gone', async () => {
    for (const answer of [apiError(404, 'notFound'), apiError(410, 'deleted'), reply(410, '')]) {
      const { access } = scriptAccess(() => answer);
      expect(await google.stopWatch(WATCH, access)).toEqual(ok(undefined));
    }
  });

  it('fails when Google does not say so', async () => {
    const { access } = scriptAccess(() => apiError(500, 'backendError'));
    expect(await google.stopWatch(WATCH, access)).toEqual(fail({ kind: 'unavailable', ambiguous: true }));
  });
});

describe('reading a call of the webhook', () => {
  const headers = {
    'x-goog-channel-id': 'channel-1',
    'x-goog-channel-token': 'secret1',
    'x-goog-resource-state': 'exists',
    'x-goog-message-number': '10',
  };
  const call = (changed: Record<string, string>, body = ''): PushCall => ({
    headers: new Map(Object.entries({ ...headers, ...changed })),
    query: new URLSearchParams(),
    body,
  });

  it('tells a beginning from a change, and takes what it does not know for a change', () => {
    for (const [state, kind] of [
      ['sync', 'hello'],
      ['exists', 'changed'],
      ['not_exists', 'changed'],
      ['something_new', 'changed'],
    ] as const)
      expect(google.readPush(call({ 'x-goog-resource-state': state }, 'whatever'))).toEqual({
        notices: [{ watchId: 'channel-1', secret: 'secret1', kind, number: 10 }],
      });
  });

  it('has the number of the message where that is one', () => {
    const numberOf = (text: string) => {
      const read = google.readPush(call({ 'x-goog-message-number': text }));
      return read !== undefined && 'notices' in read ? read.notices[0]?.number : undefined;
    };
    expect(['1', '987654321', '', '-1', 'ten', '1e3', '9'.repeat(20)].map(numberOf)).toEqual([
      1,
      987_654_321,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('is none of Google without a channel, its secret or a state', () => {
    for (const name of ['x-goog-channel-id', 'x-goog-channel-token', 'x-goog-resource-state']) {
      const { headers: all } = call({});
      const without = new Map([...all].filter(([other]) => other !== name));
      expect(google.readPush({ ...call({}), headers: without })).toBeUndefined();
      expect(google.readPush(call({ [name]: '' }))).toBeUndefined();
    }
  });
});
