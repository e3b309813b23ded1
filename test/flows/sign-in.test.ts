import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { beginConnect, connect, finishConnect, openLink, signInUpToCallback } from '../local/connect.ts';
import { adminConsent, signIn } from '../sandbox/person-at-browser.ts';
import { LOCAL_REDIRECT_URI } from '../local/settings.ts';
import type { Person } from '../sandbox/people.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage();

const WEEK = { timeMin: '2026-11-23T00:00:00', timeMax: '2026-11-30T00:00:00', timeZone: 'Europe/Berlin' };

async function rowOf(connectorId: string): Promise<Record<string, unknown>> {
  const { results } = await stage.runtime.bindings.DB.prepare('SELECT * FROM connectors WHERE id = ?')
    .bind(connectorId)
    .all();
  return results[0] ?? {};
}

async function statusOf(connectorId: string): Promise<unknown> {
  return (await stage.runtime.api('GET', `/v1/connectors/${connectorId}`)).json;
}

function tokenCalls(person: { email: string }): number {
  return stage.sandbox.truth.calls.filter(({ kind, person: who }) => kind === 'token' && who === person.email)
    .length;
}

describe.each(ACCOUNTS)('connecting: $label', ({ input }) => {
  it('ends as connected, with the account, its scopes and a notice', async () => {
    const person = stage.person(input);
    const { connectorId, authorizeUrl } = await beginConnect(stage.runtime, {
      userId: 'u1',
      provider: person.provider,
    });
    const end = await finishConnect(stage.runtime, authorizeUrl, { account: person.email });

    expect(end.origin + end.pathname).toBe(LOCAL_REDIRECT_URI);
    expect(Object.fromEntries(end.searchParams)).toEqual({ connectorId, status: 'connected' });
    expect(await statusOf(connectorId)).toMatchObject({
      connectorId,
      userId: 'u1',
      provider: person.provider,
      status: 'active',
      accountEmail: person.email,
    });
    await stage.runtime.notice(
      (notice) => notice.type === 'connector-connected' && notice.connectorId === connectorId,
    );
    expect(tokenCalls(person)).toBe(1);
    expect(stage.sandbox.truth.insecure).toEqual([]);
  });

  it('keeps tokens sealed: the database and KV hold envelopes', async () => {
    const connectorId = await connect(stage.runtime, stage.person(input));
    expect(String((await rowOf(connectorId))['refresh_token_enc'])).toMatch(/^v1\.local\.[\w-]{40,}$/);
    await expect
      .poll(async () => await stage.runtime.bindings.KV_OAUTH.get(`access-token:${connectorId}`))
      .toMatch(/^v1\.local\.[\w-]{40,}$/);
  });

  it('ends as denied when the person refuses, without a token call', async () => {
    const person = stage.person(input);
    const { connectorId, authorizeUrl } = await beginConnect(stage.runtime, {
      userId: 'u',
      provider: person.provider,
    });
    const end = await finishConnect(stage.runtime, authorizeUrl, {
      account: person.email,
      decision: 'refuse',
    });
    expect(Object.fromEntries(end.searchParams)).toEqual({ connectorId, status: 'denied' });
    expect(await statusOf(connectorId)).toMatchObject({ status: 'pending' });
    expect(tokenCalls(person)).toBe(0);
  });

  it('is refused when a needed scope was not granted', async () => {
    const person = stage.person(input);
    const { connectorId, authorizeUrl } = await beginConnect(stage.runtime, {
      userId: 'u',
      provider: person.provider,
    });
    const untick = [person.provider === 'google' ? 'calendar.freebusy' : 'Calendars.ReadWrite'];
    const end = await finishConnect(stage.runtime, authorizeUrl, { account: person.email, untick });
    expect(Object.fromEntries(end.searchParams)).toEqual({
      connectorId,
      status: 'error',
      code: 'consent_missing',
    });
    expect(await statusOf(connectorId)).toMatchObject({ status: 'consent_missing' });
    expect(await rowOf(connectorId)).toMatchObject({ refresh_token_enc: null });
  });

  it('is refused when the provider grants no refresh token', async () => {
    const person = stage.person(input);
    if (person.provider === 'google') await connect(stage.runtime, person);
    const { connectorId, authorizeUrl } = await beginConnect(stage.runtime, {
      userId: 'u',
      provider: person.provider,
    });
    const { location, cookie } = await openLink(stage.runtime, authorizeUrl);
    const signInUrl = new URL(location);
    // Google: a second consent that is not forced brings none. Microsoft: none without offline_access.
    signInUrl.searchParams.delete('prompt');
    const callback = await signIn(signInUrl.href, {
      account: person.email,
      untick: person.provider === 'google' ? [] : ['offline_access'],
    });
    const end = new URL(
      (await stage.runtime.fetch(callback, { headers: { Cookie: cookie } })).headers.get('Location') ?? '',
    );
    expect(Object.fromEntries(end.searchParams)).toEqual({
      connectorId,
      status: 'error',
      code: 'refresh_token_missing',
    });
    expect(await rowOf(connectorId)).toMatchObject({ status: 'pending', refresh_token_enc: null });
  });

  it('takes the same account again and keeps the id', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person, { userId: 'u' });
    expect(await connect(stage.runtime, person, { userId: 'u', connectorId })).toBe(connectorId);
    expect(await statusOf(connectorId)).toMatchObject({ status: 'active', accountEmail: person.email });
  });

  it('refuses another account on reconnect and leaves the old grant working', async () => {
    const person = stage.person(input);
    const other = stage.person(input);
    const connectorId = await connect(stage.runtime, person, { userId: 'u' });
    const before = await rowOf(connectorId);
    const { authorizeUrl } = await beginConnect(stage.runtime, {
      userId: 'u',
      provider: person.provider,
      connectorId,
    });
    const end = await finishConnect(stage.runtime, authorizeUrl, { account: other.email });
    expect(Object.fromEntries(end.searchParams)).toEqual({
      connectorId,
      status: 'error',
      code: 'account_mismatch',
    });
    expect(await rowOf(connectorId)).toEqual(before);
    const answer = await stage.runtime.api('POST', `/v1/connectors/${connectorId}/availability`, WEEK);
    expect(answer.status).toBe(200);
  });

  it('disconnects: nothing is left, the row says so, and it may be connected again', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person, { userId: 'u' });
    const answer = await stage.runtime.api('DELETE', `/v1/connectors/${connectorId}`);
    expect(answer.json).toMatchObject({ connectorId, status: 'disconnected', scopes: [] });
    expect(await rowOf(connectorId)).toMatchObject({
      refresh_token_enc: null,
      account_id: null,
      account_email: null,
    });
    expect(await stage.runtime.bindings.KV_OAUTH.get(`access-token:${connectorId}`)).toBeNull();
    expect(stage.sandbox.truth.count({ operation: 'google.revoke', person: person.email })).toBe(
      person.provider === 'google' ? 1 : 0,
    );
    await stage.runtime.notice(
      (notice) => notice.type === 'connector-disconnected' && notice.connectorId === connectorId,
    );
    expect(
      (await stage.runtime.api('POST', `/v1/connectors/${connectorId}/availability`, WEEK)).json,
    ).toMatchObject({
      code: 'reauth_required',
    });
    expect((await stage.runtime.api('DELETE', `/v1/connectors/${connectorId}`)).status).toBe(200);
    expect(await connect(stage.runtime, person, { userId: 'u', connectorId })).toBe(connectorId);
  });
});

describe('fewer scopes on a reconnect', () => {
  async function reconnectWithout(person: Person, scope: string) {
    const connectorId = await connect(stage.runtime, person, { userId: 'u' });
    const before = await rowOf(connectorId);
    const again = { userId: 'u', provider: person.provider, connectorId };
    const { authorizeUrl } = await beginConnect(stage.runtime, again);
    const end = await finishConnect(stage.runtime, authorizeUrl, { account: person.email, untick: [scope] });
    return { connectorId, before, result: Object.fromEntries(end.searchParams) };
  }

  it('are refused, and leave the old grant untouched', async () => {
    const person = stage.person({ provider: 'microsoft' });
    const { connectorId, before, result } = await reconnectWithout(person, 'Calendars.ReadWrite');
    expect(result).toEqual({ connectorId, status: 'error', code: 'consent_missing' });
    expect(await rowOf(connectorId)).toEqual(before);
  });

  it('take nothing away at Google, which adds up what was granted before', async () => {
    const { connectorId, result } = await reconnectWithout(stage.person(), 'calendar.events');
    expect(result).toEqual({ connectorId, status: 'connected' });
  });
});

describe('two connectors on one account', () => {
  it('are independent: ending one leaves the other working, ending the last withdraws the grant', async () => {
    const person = stage.person();
    const [first, second] = [await connect(stage.runtime, person), await connect(stage.runtime, person)];
    const revocations = () => stage.sandbox.truth.count({ operation: 'google.revoke', person: person.email });
    await stage.runtime.api('DELETE', `/v1/connectors/${first}`);
    expect(revocations()).toBe(0);
    person.expireAccessTokens();
    expect((await stage.runtime.api('POST', `/v1/connectors/${second}/availability`, WEEK)).status).toBe(200);
    await stage.runtime.api('DELETE', `/v1/connectors/${second}`);
    expect(revocations()).toBe(1);
  });
});

describe('a sign-in that was started before a disconnect', () => {
  it('does not connect again what was ended', async () => {
    const person = stage.person();
    const connectorId = await connect(stage.runtime, person, { userId: 'u' });
    const again = { userId: 'u', provider: 'google', connectorId };
    const { authorizeUrl } = await beginConnect(stage.runtime, again);
    const { callback, cookie } = await signInUpToCallback(stage.runtime, authorizeUrl, {
      account: person.email,
    });
    const task = { id: crypto.randomUUID(), type: 'disconnect', connectorId };
    await stage.runtime.bindings.Q_TASKS.send(task);
    await stage.runtime.notice(
      ({ type, connectorId: id }) => type === 'connector-disconnected' && id === connectorId,
    );
    expect((await stage.runtime.fetch(callback, { headers: { Cookie: cookie } })).status).toBe(400);
    expect(await statusOf(connectorId)).toMatchObject({ status: 'disconnected' });
  });
});

describe('a reconnect', () => {
  it('asks again for what was asked for, not for all that the account has granted', async () => {
    const person = stage.person();
    const calendar = 'https://www.googleapis.com/auth/calendar';
    await connect(stage.runtime, person, { userId: 'other', scopes: [calendar] });
    const connectorId = await connect(stage.runtime, person, { userId: 'u' });
    const { authorizeUrl } = await beginConnect(stage.runtime, {
      userId: 'u',
      provider: 'google',
      connectorId,
    });
    const { location } = await openLink(stage.runtime, authorizeUrl);
    const asked = new URL(location).searchParams.get('scope')?.split(' ') ?? [];
    expect(asked).toContain(`${calendar}.freebusy`);
    expect(asked).not.toContain(calendar);
  });
});

describe('a repeated POST /v1/connectors', () => {
  const wanted = { userId: 'u', provider: 'google', redirectUri: LOCAL_REDIRECT_URI };
  const post = (body: object, key: string) =>
    stage.runtime.api('POST', '/v1/connectors', body, { 'Idempotency-Key': key });
  const idSchema = z.object({ connectorId: z.string() });

  it('with the same Idempotency-Key is the same connector, for this user only', async () => {
    const key = crypto.randomUUID();
    const first = idSchema.parse((await post(wanted, key)).json);
    expect((await post(wanted, key)).json).toMatchObject(first);
    expect(idSchema.parse((await post({ ...wanted, userId: 'other' }, key)).json)).not.toEqual(first);
  });

  it('with the same key and another provider is refused, as is a key that is none', async () => {
    const key = crypto.randomUUID();
    await post(wanted, key);
    expect(await post({ ...wanted, provider: 'microsoft' }, key)).toMatchObject({
      status: 422,
      json: { code: 'idempotency_mismatch' },
    });
    expect(await post(wanted, 'a b')).toMatchObject({
      status: 400,
      json: { errors: [{ path: 'Idempotency-Key' }] },
    });
  });
});

describe('tenants of Microsoft', () => {
  it('remembers the tenant of the account, and tells personal accounts apart', async () => {
    const work = stage.person({ provider: 'microsoft', account: 'work' });
    const personal = stage.person({ provider: 'microsoft', account: 'personal' });
    expect(await statusOf(await connect(stage.runtime, work, { tenant: 'organizations' }))).toMatchObject({
      tenantId: work.tenantId,
    });
    expect(await statusOf(await connect(stage.runtime, personal, { tenant: 'consumers' }))).toMatchObject({
      tenantId: personal.tenantId,
    });
    expect(await statusOf(await connect(stage.runtime, work, { tenant: work.tenantId }))).toMatchObject({
      status: 'active',
    });
  });

  it('refuses a tenant that is none, naming the field', async () => {
    const answer = await stage.runtime.api('POST', '/v1/connectors', {
      userId: 'u',
      provider: 'microsoft',
      redirectUri: LOCAL_REDIRECT_URI,
      tenant: '../common',
    });
    expect(answer).toMatchObject({ status: 400, json: { errors: [{ path: 'tenant' }] } });
  });

  it('needs an administrator where the organisation says so, and connects after their consent', async () => {
    const person = stage.person({
      provider: 'microsoft',
      tenantId: crypto.randomUUID(),
      adminConsentRequired: true,
    });
    const { connectorId, authorizeUrl } = await beginConnect(stage.runtime, {
      userId: 'u',
      provider: 'microsoft',
    });
    const refused = await finishConnect(stage.runtime, authorizeUrl, { account: person.email });
    expect(refused.searchParams.get('status')).toBe('error');
    expect(refused.searchParams.get('code')).toBe('consent_missing');
    expect(await statusOf(connectorId)).toMatchObject({ status: 'consent_missing' });

    const start = `/oauth/microsoft/admin-consent/start?redirectUri=${encodeURIComponent(LOCAL_REDIRECT_URI)}&tenant=${person.tenantId}`;
    for (const decision of ['refuse', 'allow'] as const) {
      const { location, cookie } = await openLink(stage.runtime, start);
      const callback = await adminConsent(location, { account: person.email, decision });
      const stranger = await stage.runtime.fetch(callback);
      expect([stranger.status, stranger.headers.get('Location')]).toEqual([400, null]);
      const end = await stage.runtime.fetch(callback, { headers: { Cookie: cookie } });
      expect(new URL(end.headers.get('Location') ?? '').searchParams.get('status')).toBe(
        decision === 'allow' ? 'granted' : 'denied',
      );
    }
    await connect(stage.runtime, person);
  });
});

describe('a claims challenge', () => {
  it('that a refresh can meet is met without the person', async () => {
    const person = stage.person({ provider: 'microsoft' });
    const connectorId = await connect(stage.runtime, person);
    person.challengeClaims({ interactive: false });
    const answer = await stage.runtime.api('POST', `/v1/connectors/${connectorId}/availability`, WEEK);
    expect(answer.status).toBe(200);
  });

  it('that only the person can meet asks them to connect again, and is replayed to the sign-in', async () => {
    const person = stage.person({ provider: 'microsoft' });
    const connectorId = await connect(stage.runtime, person, { userId: 'u' });
    person.challengeClaims({ interactive: true });
    const answer = await stage.runtime.api('POST', `/v1/connectors/${connectorId}/availability`, WEEK);
    expect(answer).toMatchObject({ status: 409, json: { code: 'reauth_required' } });
    await expect.poll(async () => await statusOf(connectorId)).toMatchObject({ status: 'reauth_required' });

    const { authorizeUrl } = await beginConnect(stage.runtime, {
      userId: 'u',
      provider: 'microsoft',
      connectorId,
    });
    const { location } = await openLink(stage.runtime, authorizeUrl);
    expect(new URL(location).searchParams.get('claims')).toContain('access_token');
    await connect(stage.runtime, person, { userId: 'u', connectorId });
    expect((await stage.runtime.api('POST', `/v1/connectors/${connectorId}/availability`, WEEK)).status).toBe(
      200,
    );
  });
});
