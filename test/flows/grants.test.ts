import { describe, expect, it } from 'vitest';
import { beginConnect, connect, finishConnect } from '../local/connect.ts';
import type { Person } from '../sandbox/people.ts';
import { ACCOUNTS, openStage } from './stage.ts';

const stage = openStage();

const WEEK = { timeMin: '2026-11-23T00:00:00', timeMax: '2026-11-30T00:00:00', timeZone: 'Europe/Berlin' };

function refreshes(person: Person): number {
  return stage.sandbox.truth.calls.filter(
    ({ grantType, person: who }) => grantType === 'refresh_token' && who === person.email,
  ).length;
}

function ask(connectorId: string) {
  return stage.runtime.api('POST', `/v1/connectors/${connectorId}/availability`, {
    ...WEEK,
    maxStalenessMs: 0,
  });
}

describe.each(ACCOUNTS)('the grant of an account: $label', ({ input }) => {
  it('100 concurrent questions on a token the provider has expired make one token call', async () => {
    const person = stage.person({ ...input, refreshTokens: 'rotate-strictly' });
    const connectorId = await connect(stage.runtime, person);
    person.expireAccessTokens();
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(connectorId)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 100 }, () => 200));
    expect(refreshes(person)).toBe(1);
    expect(stage.sandbox.truth.peak(person.email)).toBeLessThanOrEqual(4);
  });

  it('100 concurrent questions on a token past its time make one token call and no refused one', async () => {
    const person = stage.person({
      ...input,
      refreshTokens: 'rotate-strictly',
      accessTokenLifetimeSeconds: 1,
    });
    const connectorId = await connect(stage.runtime, person);
    const expiredAtMs = Date.now() + 1_000;
    person.setAccessTokenLifetime(3600);
    await expect.poll(() => Date.now(), { timeout: 3_000 }).toBeGreaterThan(expiredAtMs);
    await Promise.all(Array.from({ length: 100 }, () => ask(connectorId)));
    expect(refreshes(person)).toBe(1);
    const refused = stage.sandbox.truth.calls.filter(
      ({ person: who, status }) => who === person.email && status === 401,
    );
    expect(refused).toEqual([]);
  });

  it('a token revoked by the person ends all calls, says so once, and offers a reconnect', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person, { userId: 'u' });
    person.revokeGrant();
    person.expireAccessTokens();
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(connectorId)));
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 409, json: { code: 'reauth_required' } });
    await expect
      .poll(async () => (await stage.runtime.api('GET', `/v1/connectors/${connectorId}`)).json)
      .toMatchObject({ status: 'reauth_required' });
    const calls = stage.sandbox.truth.count({ person: person.email });
    expect(await ask(connectorId)).toMatchObject({ status: 409 });
    expect(stage.sandbox.truth.count({ person: person.email })).toBe(calls);
    expect(refreshes(person)).toBe(1);

    await connect(stage.runtime, person, { userId: 'u', connectorId });
    expect(await ask(connectorId)).toMatchObject({ status: 200 });
    const told = stage.runtime.notices.filter(
      (notice) => notice.connectorId === connectorId && notice.type === 'connector-needs-reauth',
    );
    expect(told).toHaveLength(1);
  });

  it('our own expired secret alerts the operator and does not ask the person to reconnect', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person);
    const client = stage.sandbox.clients[person.provider];
    client.secretState = 'expired';
    try {
      person.expireAccessTokens();
      expect(await ask(connectorId)).toMatchObject({ status: 500, json: { code: 'misconfigured' } });
      const alert = await stage.runtime.notice(
        (notice) => notice.connectorId === connectorId && notice.type === 'operator-alert',
      );
      expect(alert.error?.message).toContain(`${person.provider.toUpperCase()}_CLIENT_SECRET`);
      expect((await stage.runtime.api('GET', `/v1/connectors/${connectorId}`)).json).toMatchObject({
        status: 'active',
      });
    } finally {
      client.secretState = 'valid';
    }
    expect(await ask(connectorId)).toMatchObject({ status: 200 });
  });

  it.each(['reset', 'malformed'] as const)(
    'a token call that fails (%s) is not taken for bad credentials',
    async (kind) => {
      const person = stage.person(input);
      const connectorId = await connect(stage.runtime, person);
      person.expireAccessTokens();
      stage.sandbox.faults.add({
        operation: `${person.provider}.token`,
        person: person.email,
        effect: { kind },
      });
      expect(await ask(connectorId)).toMatchObject({ status: 503, json: { code: 'provider_unavailable' } });
      expect((await stage.runtime.api('GET', `/v1/connectors/${connectorId}`)).json).toMatchObject({
        status: 'active',
      });
      expect(await ask(connectorId)).toMatchObject({ status: 200 });
    },
  );

  it('a refresh that fails because the grant was replaced meanwhile adopts the new one', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person, { userId: 'u' });
    person.expireAccessTokens();
    const operation = `${person.provider}.token`;
    // Held up on its way, until the person has withdrawn the old grant and given a new one.
    stage.sandbox.faults.add({ operation, person: person.email, effect: { kind: 'latency', ms: 1_500 } });
    const answer = ask(connectorId);
    await expect.poll(() => refreshes(person), { interval: 10 }).toBe(1);
    person.revokeGrant();
    await connect(stage.runtime, person, { userId: 'u', connectorId });
    expect(await answer).toMatchObject({ status: 200 });
    expect((await stage.runtime.api('GET', `/v1/connectors/${connectorId}`)).json).toMatchObject({
      status: 'active',
    });
  });

  it('a task that meets a dead grant waits, and goes on after the reconnect', async () => {
    const person = stage.person(input);
    const connectorId = await connect(stage.runtime, person, { userId: 'u' });
    person.revokeGrant();
    person.expireAccessTokens();
    const id = crypto.randomUUID();
    await stage.runtime.bindings.Q_TASKS.send({ id, type: 'check-availability', connectorId, payload: WEEK });
    const state = async () =>
      (await stage.runtime.api('GET', `/v1/connectors/${connectorId}/tasks/${id}`)).json;
    await expect.poll(state, { timeout: 10_000 }).toMatchObject({ state: 'parked' });
    await connect(stage.runtime, person, { userId: 'u', connectorId });
    const notice = await stage.runtime.notice(({ taskId }) => taskId === id);
    expect(notice).toMatchObject({ type: 'task-completed', taskType: 'check-availability' });
    expect(await state()).toMatchObject({ state: 'done' });
  });
});

describe('a rotated refresh token', () => {
  const row = async (connectorId: string) => {
    const { results } = await stage.runtime.bindings.DB.prepare('SELECT * FROM connectors WHERE id = ?')
      .bind(connectorId)
      .all();
    return results[0]?.['refresh_token_enc'];
  };
  const rename = (from: string, to: string) =>
    stage.runtime.bindings.DB.prepare(`ALTER TABLE ${from} RENAME TO ${to}`).bind().run();

  it('is not lost when the database does not take it: it is used, and written later', async () => {
    const person = stage.person({ provider: 'microsoft', refreshTokens: 'rotate-strictly' });
    const connectorId = await connect(stage.runtime, person);
    await ask(connectorId);
    const before = await row(connectorId);
    await rename('connectors', 'connectors_away');
    try {
      person.expireAccessTokens();
      expect(await ask(connectorId)).toMatchObject({ status: 200 });
    } finally {
      await rename('connectors_away', 'connectors');
    }
    await expect.poll(async () => await row(connectorId), { timeout: 20_000 }).not.toBe(before);
    await stage.runtime.worker.evictDurableObject('CONNECTOR', { name: connectorId });
    person.expireAccessTokens();
    expect(await ask(connectorId)).toMatchObject({ status: 200 });
    expect(refreshes(person)).toBe(2);
  });
});

describe('granted scopes', () => {
  it('count whatever their order and spelling', async () => {
    // Entra answers with scopes in URL form and Google with its own names, in an order of their own.
    for (const { input } of ACCOUNTS) {
      const person = stage.person(input);
      const { authorizeUrl } = await beginConnect(stage.runtime, {
        userId: 'u',
        provider: person.provider,
        scopes:
          person.provider === 'google'
            ? ['https://www.googleapis.com/auth/calendar']
            : ['https://graph.microsoft.com/calendars.readwrite', 'MailboxSettings.Read'],
      });
      const end = await finishConnect(stage.runtime, authorizeUrl, { account: person.email });
      expect(end.searchParams.get('status')).toBe('connected');
    }
  });
});
