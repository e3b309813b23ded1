import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../../src/domain/failure.ts';
import {
  readPush,
  renewWatch,
  stopWatch,
  watch,
  WATCH_LIFETIME_MS,
} from '../../../src/providers/microsoft/subscription.ts';
import { CONFIG, type GraphAnswer, NOW, scriptedAccess, scriptedGraph } from './scripted.ts';

const LIFETIME_MS = 3 * 24 * 60 * 60 * 1000;
const WATCH = { watchId: 'sub/1', expiresAtMs: NOW };
const REQUEST = {
  calendarId: 'AAMk_-==',
  channelId: 'channel-1',
  address: 'https://sync.example/push/microsoft',
  secret: 'secret1',
  lifetimeMs: LIFETIME_MS,
};
const MADE = { id: 'sub-1', expirationDateTime: '2026-11-26T08:00:00.0000000Z' };

function graphThat(answer: GraphAnswer) {
  const { send, asked } = scriptedGraph(() => answer);
  return { access: scriptedAccess(send).access, asked };
}
const refusal = (status: number, code: string): GraphAnswer => ({ status, body: { error: { code } } });

describe('watching a calendar of Microsoft', () => {
  it('subscribes to its events, by immutable ids, at one address for everything', async () => {
    const { access, asked } = graphThat({ status: 201, body: MADE });
    expect(await watch(CONFIG, REQUEST, access)).toEqual(
      ok({ watchId: 'sub-1', expiresAtMs: NOW + LIFETIME_MS }),
    );
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ method: 'POST', url: `${CONFIG.graphUrl}/v1.0/subscriptions` });
    expect(asked[0]?.headers?.['Prefer']).toContain('IdType="ImmutableId"');
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({
      changeType: 'created,updated,deleted',
      notificationUrl: REQUEST.address,
      lifecycleNotificationUrl: REQUEST.address,
      resource: '/me/calendars/AAMk_-==/events',
      expirationDateTime: new Date(NOW + LIFETIME_MS).toISOString(),
      clientState: 'secret1',
    });
  });

  it('asks for no longer a life than there is', async () => {
    const { access, asked } = graphThat({ status: 201, body: MADE });
    await watch(CONFIG, { ...REQUEST, calendarId: 'primary', lifetimeMs: 10 * LIFETIME_MS }, access);
    expect(JSON.parse(asked[0]?.body ?? '')).toMatchObject({
      resource: '/me/events',
      expirationDateTime: new Date(NOW + WATCH_LIFETIME_MS).toISOString(),
    });
    expect(WATCH_LIFETIME_MS).toBeLessThan(10_080 * 60_000);
  });

  it('is unsupported where the address was not validated or nothing can be subscribed to', async () => {
    for (const code of ['ValidationError', 'InvalidRequest', 'ExtensionError']) {
      const { access } = graphThat(refusal(400, code));
      expect(await watch(CONFIG, REQUEST, access)).toMatchObject({
        failure: { kind: 'unsupported', field: 'watch' },
      });
    }
  });

  it('fails with what is wrong in every other case', async () => {
    const duplicate = graphThat(refusal(409, 'ExtensionError'));
    expect(await watch(CONFIG, REQUEST, duplicate.access)).toEqual(
      fail({ kind: 'rejected', status: 409, code: 'ExtensionError' }),
    );
    const down = graphThat(refusal(503, 'ServiceUnavailable'));
    expect(await watch(CONFIG, REQUEST, down.access)).toEqual(fail({ kind: 'unavailable', ambiguous: true }));
    const odd = graphThat({ status: 201, body: { ...MADE, expirationDateTime: 'soon' } });
    expect(await watch(CONFIG, REQUEST, odd.access)).toEqual(
      fail({ kind: 'malformed', at: 'subscription.expirationDateTime' }),
    );
  });
});

describe('a watch', () => {
  it('is renewed from now on', async () => {
    const { access, asked } = graphThat({ body: { ...MADE, id: 'sub/1' } });
    expect(await renewWatch(CONFIG, WATCH, LIFETIME_MS, access)).toEqual(
      ok({ watchId: 'sub/1', expiresAtMs: NOW + LIFETIME_MS }),
    );
    expect(asked[0]).toMatchObject({
      method: 'PATCH',
      url: `${CONFIG.graphUrl}/v1.0/subscriptions/sub%2F1`,
      body: JSON.stringify({ expirationDateTime: new Date(NOW + LIFETIME_MS).toISOString() }),
    });
  });

  it('that is gone cannot be renewed, and need not be stopped', async () => {
    for (const status of [404, 410]) {
      const { access } = graphThat(refusal(status, 'ResourceNotFound'));
      expect(await renewWatch(CONFIG, WATCH, LIFETIME_MS, access)).toEqual(
        fail({ kind: 'not-found', what: 'watch' }),
      );
      expect(await stopWatch(CONFIG, WATCH, access)).toEqual(ok(undefined));
    }
  });

  it('is stopped by name', async () => {
    const { access, asked } = graphThat({ status: 204 });
    expect(await stopWatch(CONFIG, WATCH, access)).toEqual(ok(undefined));
    expect(asked[0]).toMatchObject({
      method: 'DELETE',
      url: `${CONFIG.graphUrl}/v1.0/subscriptions/sub%2F1`,
    });
    const down = graphThat(refusal(503, ''));
    expect(await stopWatch(CONFIG, WATCH, down.access)).toEqual(
      fail({ kind: 'unavailable', ambiguous: true }),
    );
  });
});

describe('a call of the webhook', () => {
  const push = (body: unknown, query = '') =>
    readPush({
      headers: new Map(),
      query: new URLSearchParams(query),
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const entry = (more: object = {}) => ({ subscriptionId: 'sub-1', clientState: 's', ...more });

  it('that asks whether the address is ours is answered with what it asks with, decoded', () => {
    expect(push('', 'validationToken=Validation%3A+a%2Fb%20%3Cc%3E')).toEqual({
      answer: 'Validation: a/b <c>',
    });
  });

  it('tells of changes, and of what becomes of the watch', () => {
    const value = [
      entry({ changeType: 'updated', resource: 'Users/1/Events/2' }),
      entry({ lifecycleEvent: 'reauthorizationRequired' }),
      entry({ lifecycleEvent: 'subscriptionRemoved' }),
      entry({ lifecycleEvent: 'missed' }),
      entry({ lifecycleEvent: 'brandNew' }),
    ];
    expect(push({ value })).toEqual({
      notices: ['changed', 'renew', 'ended', 'missed', 'changed'].map((kind) => ({
        watchId: 'sub-1',
        secret: 's',
        kind,
      })),
    });
  });

  it('tells nothing of what is out of shape', () => {
    const value = [7, null, {}, { subscriptionId: 'sub-1' }, entry({ clientState: 1 }), entry()];
    expect(push({ value })).toEqual({ notices: [{ watchId: 'sub-1', secret: 's', kind: 'changed' }] });
    expect(push({ value: [] })).toEqual({ notices: [] });
  });

  it('is read no further than it could reasonably go', () => {
    const reading = push({ value: Array.from({ length: 1500 }, () => entry()) });
    expect(reading !== undefined && 'notices' in reading ? reading.notices : []).toHaveLength(1000);
  });

  it('that is something else is none of this provider', () => {
    for (const body of ['', 'text', '[]', '{"value":7}', 'null']) expect(push(body)).toBeUndefined();
  });
});
