import { describe, expect, it } from 'vitest';
import { fail, type Failure, ok } from '../../src/domain/failure.ts';
import type { Reply } from '../../src/providers/http.ts';
import type { Access } from '../../src/providers/provider.ts';
import { openAccount, withParts } from './bench.ts';
import { DARK, grantOf, REVOKED, settle, START_MS } from './world.ts';

const REQUEST = {
  method: 'GET',
  url: 'https://google.invalid/calendars',
  readThrottle: () => undefined,
};
const REJECTED = fail({ kind: 'token-rejected' });

function reply(status: number): Reply {
  return { status, headers: new Headers(), body: '', receivedAtMs: START_MS };
}

describe('an operation on the account', () => {
  it('makes no further call once the grant has died or been given up', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      let blocked: Failure | undefined;
      const sent: string[] = [];
      world.script.send = ({ url }) => {
        sent.push(url);
        return Promise.resolve(ok(reply(200)));
      };
      const account = openAccount(parts, world, () => blocked);
      const outcome = await account.use('interactive', async (access) => {
        await access.send(REQUEST);
        blocked = REVOKED.failure;
        return await access.send(REQUEST);
      });
      expect(outcome).toEqual(REVOKED);
      expect(sent).toHaveLength(1);
    }));

  it('gets a token that has life left', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      const used = await openAccount(parts, world).use('interactive', ({ accessToken, account }) =>
        Promise.resolve(ok([accessToken, account.id])),
      );
      expect(used).toEqual(ok(['access-1', 'account-1']));
      expect(world.calls).toEqual([]);
    }));

  it('is not even tried when no account is connected', () =>
    withParts(async (parts, world) => {
      const used = await openAccount(parts, world).use('interactive', () =>
        Promise.reject(new Error('tried')),
      );
      expect(used).toMatchObject({ ok: false, failure: { kind: 'grant-revoked' } });
    }));

  it('runs once more with a refreshed token when the provider rejects the one it had, and not a third time', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      const tried: string[] = [];
      const used = await openAccount(parts, world).use('interactive', ({ accessToken }) => {
        tried.push(accessToken);
        return Promise.resolve(REJECTED);
      });
      expect(used).toEqual(REJECTED);
      expect(tried).toEqual(['access-1', 'access-2']);
      expect(world.calls).toEqual(['refresh refresh-1']);
    }));

  it('does not take a refusal of the grant before for one of the grant that the person has given meanwhile', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      const tried: string[] = [];
      const used = await openAccount(parts, world).use('interactive', async ({ accessToken }) => {
        tried.push(accessToken);
        // The person connects again while the second call is under way.
        if (tried.length === 2) await parts.tokens.adopt(grantOf(9));
        return accessToken === 'access-9' ? ok('done') : REJECTED;
      });
      expect(used).toEqual(ok('done'));
      expect(tried).toEqual(['access-1', 'access-2', 'access-9']);
    }));

  it('shares one refresh among all whose token was rejected', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      const account = openAccount(parts, world);
      const operate = ({ accessToken }: Access) =>
        Promise.resolve(accessToken === 'access-1' ? REJECTED : ok(accessToken));
      const used = await Promise.all(Array.from({ length: 20 }, () => account.use('background', operate)));
      expect(used).toEqual(Array.from({ length: 20 }, () => ok('access-2')));
      expect(world.calls).toEqual(['refresh refresh-1']);
    }));

  it('tells why the refresh failed, and keeps a challenge that only the person can meet', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      const account = openAccount(parts, world);
      const challenged = fail({ kind: 'token-rejected', claims: '{"access_token":{}}' });
      world.script.refresh = () => Promise.resolve(DARK);
      expect(await account.use('interactive', () => Promise.resolve(challenged))).toEqual(DARK);
      world.script.refresh = () => Promise.resolve(REVOKED);
      expect(await account.use('interactive', () => Promise.resolve(challenged))).toEqual(challenged);
    }));
});

describe('the way to the provider', () => {
  it('leads through the gate, by weight', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      const sent: string[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      world.script.send = async ({ url }) => {
        sent.push(url);
        await promise;
        return ok(reply(200));
      };
      const used = openAccount(parts, world).use('interactive', async ({ send }) => {
        await Promise.all([
          send({ ...REQUEST, url: 'a', weight: 3 }),
          send({ ...REQUEST, url: 'b', weight: 2 }),
        ]);
        return ok(undefined);
      });
      await settle();
      expect(sent).toEqual(['a']);
      resolve();
      await used;
      expect(sent).toEqual(['a', 'b']);
    }));

  it.each([429, 200])(
    'is held back before the place of a call is given on whose reply, of %i, tells of a throttle: for one strike',
    (status) =>
      withParts(async (parts, world) => {
        await parts.tokens.adopt(grantOf(1));
        const account = openAccount(parts, world);
        world.script.send = () => Promise.resolve(ok(reply(200)));
        // Permits are left: the next call need not ask for any, and leaves at once.
        for (let n = 0; n < 4; n += 1) {
          // oxlint-disable-next-line no-await-in-loop
          await account.use('background', ({ send }) => send(REQUEST));
        }
        const { promise, resolve } = Promise.withResolvers<void>();
        const sent: string[] = [];
        world.script.send = async ({ url }) => {
          sent.push(url);
          await promise;
          return ok(reply(status));
        };
        const throttle = { retryAtMs: START_MS + 20_000 };
        const used = account.use('background', async ({ send }) => {
          const ask = (url: string) => send({ ...REQUEST, url, weight: 4, readThrottle: () => throttle });
          return ok(await Promise.all([ask('a'), ask('b')]));
        });
        await settle();
        resolve();
        const throttled = { ok: false, failure: { kind: 'throttled' } };
        expect(await used).toMatchObject({ value: [{ ok: true }, throttled] });
        expect(sent).toEqual(['a']);
        const [row] = parts.store.query(`SELECT value FROM fact WHERE name = 'throttle'`);
        expect(row).toEqual({ value: JSON.stringify({ blockedUntilMs: START_MS + 20_500, strikes: 1 }) });
      }),
  );

  it('is held back longer each time while replies that succeed carry throttles inside', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      const account = openAccount(parts, world);
      world.script.send = () => Promise.resolve(ok(reply(200)));
      const readThrottle = () => ({ retryAtMs: world.clock.now() + 10_000 });
      const waits: number[] = [];
      for (let n = 0; n < 3; n += 1) {
        // oxlint-disable-next-line no-await-in-loop
        await account.use('background', ({ send }) => send({ ...REQUEST, readThrottle }));
        // oxlint-disable-next-line no-await-in-loop
        const held = await account.use('background', ({ send }) => send(REQUEST));
        const untilMs = !held.ok && held.failure.kind === 'throttled' ? (held.failure.retryAtMs ?? 0) : 0;
        waits.push(untilMs - world.clock.now());
        // oxlint-disable-next-line no-await-in-loop
        await world.clock.advance(untilMs - world.clock.now());
      }
      expect(waits).toEqual([10_500, 11_000, 12_000]);
    }));

  it('tries a call that only reads again at once, where the provider faltered, and no other', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      const account = openAccount(parts, world);
      const sent: string[] = [];
      world.script.send = ({ method }) => {
        sent.push(method);
        return Promise.resolve(sent.length % 2 === 1 ? ok(reply(503)) : ok(reply(200)));
      };
      const read = account.use('interactive', ({ send }) => send(REQUEST));
      await settle();
      await world.clock.advance(1_000);
      expect(await read).toMatchObject({ ok: true, value: { status: 200 } });
      const written = await account.use('interactive', ({ send }) => send({ ...REQUEST, method: 'POST' }));
      expect(written).toMatchObject({ ok: true, value: { status: 503 } });
      expect(sent).toEqual(['GET', 'GET', 'POST']);
    }));

  it('leaves a wait that is longer than a moment to the ledger', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      let sent = 0;
      world.script.send = () => {
        sent += 1;
        return Promise.resolve(ok({ ...reply(503), headers: new Headers({ 'retry-after': '30' }) }));
      };
      const read = await openAccount(parts, world).use('interactive', ({ send }) => send(REQUEST));
      expect(read).toMatchObject({ ok: true, value: { status: 503 } });
      expect(sent).toBe(1);
    }));

  it('makes no more retries in an outage than its budget has', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      const account = openAccount(parts, world);
      let sent = 0;
      world.script.send = () => {
        sent += 1;
        return Promise.resolve(DARK);
      };
      for (let n = 0; n < 20; n += 1) {
        const read = account.use('interactive', ({ send }) => send(REQUEST));
        // oxlint-disable-next-line no-await-in-loop
        await settle();
        // oxlint-disable-next-line no-await-in-loop
        await world.clock.advance(1_500);
        // oxlint-disable-next-line no-await-in-loop
        expect(await read).toEqual(DARK);
      }
      expect(sent).toBe(20 + 3);
      // A tenth of those that go well: eleven pay for one more.
      world.script.send = () => Promise.resolve(ok(reply(200)));
      for (let n = 0; n < 11; n += 1) {
        // oxlint-disable-next-line no-await-in-loop
        await account.use('interactive', ({ send }) => send(REQUEST));
      }
      sent = 0;
      world.script.send = () => {
        sent += 1;
        return Promise.resolve(DARK);
      };
      for (let n = 0; n < 2; n += 1) {
        const read = account.use('interactive', ({ send }) => send(REQUEST));
        // oxlint-disable-next-line no-await-in-loop
        await settle();
        // oxlint-disable-next-line no-await-in-loop
        await world.clock.advance(1_500);
        // oxlint-disable-next-line no-await-in-loop
        await read;
      }
      expect(sent).toBe(2 + 1);
    }));

  it('reports how the provider answers, how long calls take and what stands in their way', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      world.script.send = () => Promise.resolve(ok(reply(429)));
      const readThrottle = () => ({});
      await openAccount(parts, world).use('interactive', ({ send }) => send({ ...REQUEST, readThrottle }));
      await world.clock.advance(1_000);
      const told = world.app.leases.at(-1);
      expect(told).toMatchObject({ want: 0, health: { successes: 1, failures: 0 } });
      expect(told?.tally.counters).toEqual({ 'rateLimitHits|user': 1 });
      expect(Object.keys(told?.tally.histograms ?? {})).toEqual([
        'gateWaits|interactive',
        'providerCalls|4xx',
      ]);
    }));

  it('tells of a throttle of the whole app, and only of such a one', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      const account = openAccount(parts, world);
      world.script.send = () => Promise.resolve(ok(reply(403)));
      for (const scope of [{}, { scope: 'app' }] as const) {
        const readThrottle = () => ({ retryAtMs: world.clock.now() + 1_000, ...scope });
        // oxlint-disable-next-line no-await-in-loop
        await account.use('background', ({ send }) => send({ ...REQUEST, readThrottle }));
        // oxlint-disable-next-line no-await-in-loop
        await world.clock.advance(3_000);
      }
      const told = world.app.leases.filter(({ throttledUntilMs }) => throttledUntilMs !== undefined);
      // With how the provider has answered: it may have been a probe.
      expect(told).toMatchObject([
        { throttledUntilMs: START_MS + 3_000 + 1_000, health: { successes: 1, failures: 0 } },
      ]);
    }));

  it('is eased by a reply that succeeds once the throttle has passed, and not by an error', () =>
    withParts(async (parts, world) => {
      await parts.tokens.adopt(grantOf(1));
      const account = openAccount(parts, world);
      const strikes = () =>
        parts.store.query(`SELECT value ->> 'strikes' AS strikes FROM fact WHERE name = 'throttle'`);
      world.script.send = () => Promise.resolve(ok(reply(429)));
      const readThrottle = () => ({});
      await account.use('background', ({ send }) => send({ ...REQUEST, readThrottle }));
      await world.clock.advance(1_000);
      world.script.send = () => Promise.resolve(ok(reply(500)));
      await account.use('background', ({ send }) => send({ ...REQUEST, method: 'POST' }));
      expect(strikes()).toEqual([{ strikes: 1 }]);
      world.script.send = () => Promise.resolve(ok(reply(204)));
      await account.use('background', ({ send }) => send(REQUEST));
      expect(strikes()).toEqual([{ strikes: 0 }]);
    }));
});
