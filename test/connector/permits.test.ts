import { describe, expect, it } from 'vitest';
import { Permits } from '../../src/connector/permits.ts';
import { Tallies } from '../../src/connector/tallies.ts';
import type { Outcome } from '../../src/domain/failure.ts';
import type { Lease, LeaseRequest } from '../../src/domain/lease.ts';
import { createClock, settle, START_MS } from './world.ts';

/** Permits from an app that answers with `answer`; `asked` is what it was asked. */
function openPermits() {
  const clock = createClock();
  const tallies = new Tallies();
  const asked: LeaseRequest[] = [];
  const errors: string[] = [];
  const quiet: number[] = [];
  const grant = ({ want }: LeaseRequest): Lease => ({
    granted: want,
    untilMs: clock.now() + 60_000,
    breaker: 'closed',
  });
  const app: { answer: (request: LeaseRequest) => Lease } = { answer: grant };
  const permits = new Permits({
    connectorId: 'connector-1',
    ask: async (request) => {
      asked.push(request);
      await Promise.resolve();
      return app.answer(request);
    },
    tallies,
    now: clock.now,
    random: () => 0.5,
    sleep: clock.sleep,
    onError: (where) => void errors.push(where),
    onQuiet: () => void quiet.push(clock.now() - START_MS),
  });
  return { clock, tallies, asked, errors, quiet, grant, app, permits };
}

const GRANTED: Outcome<void> = { ok: true, value: undefined };

/** Takes permits as the gate does. */
async function take(permits: Permits, calls: number): Promise<Outcome<void>> {
  while (!permits.spend(calls)) {
    // oxlint-disable-next-line no-await-in-loop
    const obtained = await permits.obtain(calls);
    if (!obtained.ok) return obtained;
  }
  return GRANTED;
}

describe('permits', () => {
  it('are leased in batches that grow with use: at most one lease for twenty calls under load', async () => {
    const { permits, asked } = openPermits();
    for (let call = 0; call < 1_000; call += 1) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await take(permits, 1)).toEqual(GRANTED);
    }
    expect(asked.length).toBeLessThanOrEqual(50);
    expect(asked.slice(0, 4).map(({ want }) => want)).toEqual([1, 2, 4, 8]);
    expect(Math.max(...asked.map(({ want }) => want))).toBe(64);
  });

  it('are asked for once by calls that come at the same time', async () => {
    const { permits, asked } = openPermits();
    await Promise.all([take(permits, 1), take(permits, 1), take(permits, 1)]);
    expect(asked.map(({ want }) => want)).toEqual([1, 2]);
  });

  it('that are refused to calls nobody has asked for are there for the others, but not the other way round', async () => {
    const { permits, asked, app, clock } = openPermits();
    const none = (): Lease => ({
      granted: 0,
      untilMs: clock.now(),
      breaker: 'closed',
      retryAtMs: clock.now() + 60_000,
    });
    app.answer = (request) =>
      request.isUnasked ? none() : { ...none(), granted: 1, untilMs: clock.now() + 60_000 };
    expect(await permits.obtain(1, true)).toMatchObject({ failure: { kind: 'throttled', scope: 'app' } });
    expect(await take(permits, 1)).toEqual(GRANTED);
    // Known from the answer before: nobody is asked again.
    expect(await permits.obtain(1, true)).toMatchObject({ failure: { kind: 'throttled', scope: 'app' } });
    expect(asked.map(({ isUnasked }) => isUnasked)).toEqual([true, false]);
    // What was leased for others is not for them.
    app.answer = (request) => ({ ...none(), granted: request.want, untilMs: clock.now() + 60_000 });
    await permits.obtain(5);
    expect([permits.spend(1, true), permits.spend(1)]).toEqual([false, true]);
    app.answer = none;
    await clock.advance(61_000);
    expect(await permits.obtain(1)).toMatchObject({ failure: { kind: 'throttled' } });
    const before = asked.length;
    expect(await permits.obtain(1, true)).toMatchObject({ failure: { kind: 'throttled' } });
    expect(asked.length).toBe(before);
  });

  it('are asked for as many as a batch of calls needs', async () => {
    const { permits, asked } = openPermits();
    expect(await take(permits, 50)).toEqual(GRANTED);
    expect(asked.map(({ want }) => want)).toEqual([50]);
  });

  it('that are left when the connector falls quiet go back, and the next lease is smaller', async () => {
    const { permits, asked, quiet, clock } = openPermits();
    for (let call = 0; call < 9; call += 1) {
      // oxlint-disable-next-line no-await-in-loop
      await take(permits, 1);
    }
    expect(quiet).toEqual([]);
    await clock.advance(1_000);
    expect(quiet).toEqual([1_000]);
    expect(asked.at(-1)).toMatchObject({ want: 0, giveBack: 6 });
    await take(permits, 1);
    expect(asked.at(-1)).toMatchObject({ want: 4, giveBack: 0 });
    const granted = asked.reduce((sum, { want }) => sum + want, 0);
    const returned = asked.reduce((sum, { giveBack }) => sum + giveBack, 0);
    expect(granted - returned).toBe(10 + 3);
  });

  it('that have lapsed are not used', async () => {
    const { permits, asked, clock, app, grant } = openPermits();
    app.answer = (request) => ({ ...grant(request), untilMs: clock.now() + 500 });
    await take(permits, 1);
    await take(permits, 1);
    await clock.advance(600);
    await take(permits, 1);
    expect(asked.map(({ want, giveBack }) => [want, giveBack])).toEqual([
      [1, 0],
      [2, 0],
      [1, 1],
    ]);
  });

  it('that the app has not got fail the call, until when the app says, and nobody asks before', async () => {
    const { permits, asked, clock, app, grant } = openPermits();
    const retryAtMs = START_MS + 60_000;
    app.answer = (request) => ({ ...grant(request), granted: 0, retryAtMs });
    const refused = {
      ok: false,
      failure: { kind: 'throttled', scope: 'app', retryAtMs: retryAtMs + 500, unsent: true },
    };
    expect(await take(permits, 1)).toEqual(refused);
    expect(await take(permits, 1)).toEqual(refused);
    expect(asked).toHaveLength(1);
    app.answer = grant;
    await clock.advance(60_500);
    expect(await take(permits, 1)).toEqual(GRANTED);
  });

  it('that are too few for a batch of calls go back', async () => {
    const { permits, asked, clock, app, grant } = openPermits();
    app.answer = (request) => ({ ...grant(request), granted: 3, retryAtMs: START_MS + 5_000 });
    expect(await take(permits, 10)).toMatchObject({ failure: { kind: 'throttled', scope: 'app' } });
    app.answer = grant;
    await clock.advance(6_000);
    await take(permits, 1);
    expect(asked.reduce((sum, { giveBack }) => sum + giveBack, 0)).toBe(3);
  });

  it('are not waited for when nobody answers: calls go without for a while, and it is logged', async () => {
    const { permits, asked, errors, clock, app, grant } = openPermits();
    app.answer = () => {
      throw new Error('unreachable');
    };
    for (let call = 0; call < 5; call += 1) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await take(permits, 1)).toEqual(GRANTED);
    }
    expect(asked.filter(({ want }) => want > 0)).toHaveLength(1);
    expect(errors).toEqual(['lease of permits']);
    app.answer = grant;
    await clock.advance(5_000);
    await take(permits, 1);
    expect(asked.filter(({ want }) => want > 0)).toHaveLength(2);
  });
});

describe('while the provider is down', () => {
  it('no call is allowed, and each is told when to come again', async () => {
    const { permits, app } = openPermits();
    const retryAtMs = START_MS + 30_000;
    app.answer = () => ({ granted: 0, untilMs: START_MS, breaker: 'open', retryAtMs });
    expect(await take(permits, 1)).toEqual({
      ok: false,
      failure: { kind: 'unavailable', ambiguous: false, retryAtMs: retryAtMs + 500, unsent: true },
    });
  });

  it('what was leased before is not used', async () => {
    const { permits, asked, app, grant } = openPermits();
    await take(permits, 1);
    await take(permits, 1);
    app.answer = (request) => ({
      ...grant(request),
      granted: 0,
      breaker: 'open',
      retryAtMs: START_MS + 9_000,
    });
    permits.note(false);
    await settle();
    expect(await take(permits, 1)).toMatchObject({ failure: { kind: 'unavailable', unsent: true } });
    expect(asked.reduce((sum, { giveBack }) => sum + giveBack, 0)).toBe(1);
  });

  it('the probe is one call, of as many permits as it takes', async () => {
    const { permits, asked, clock, app, grant } = openPermits();
    for (let call = 0; call < 3; call += 1) {
      // oxlint-disable-next-line no-await-in-loop
      await take(permits, 1);
    }
    app.answer = (request) => ({ ...grant(request), granted: request.need, breaker: 'half-open' });
    expect(await take(permits, 3)).toEqual(GRANTED);
    expect(asked.at(-1)).toMatchObject({ want: 4, need: 3 });
    app.answer = (request) => ({ ...grant(request), granted: 0, breaker: 'half-open' });
    expect(await take(permits, 1)).toMatchObject({ failure: { kind: 'unavailable', unsent: true } });
    app.answer = grant;
    permits.note(true);
    await clock.advance(2_000);
    expect(asked.reduce((sum, { giveBack }) => sum + giveBack, 0)).toBe(0);
  });

  it('of a light call leaves nothing for another, where a batch had asked', async () => {
    const { permits, asked, app, grant } = openPermits();
    app.answer = (request) => ({ ...grant(request), granted: request.need, breaker: 'half-open' });
    expect(await permits.obtain(3)).toEqual(GRANTED);
    expect(permits.spend(1)).toBe(true);
    expect(permits.spend(1)).toBe(false);
    permits.note(true);
    await settle();
    expect(asked.at(-1)).toMatchObject({ want: 0, giveBack: 2, health: { successes: 1 } });
  });

  it('what the probe has found is told at once', async () => {
    const { permits, asked, app, grant } = openPermits();
    app.answer = (request) => ({ ...grant(request), breaker: 'half-open' });
    await take(permits, 1);
    permits.note(true);
    await settle();
    expect(asked.at(-1)).toMatchObject({ want: 0, health: { successes: 1, failures: 0 } });
  });
});

describe('while the whole app is throttled', () => {
  const UNTIL_MS = START_MS + 90_000;
  const refusedUntil = (retryAtMs: number) => ({
    ok: false,
    failure: { kind: 'throttled', scope: 'app', retryAtMs },
  });

  it('no call is made, what was leased goes back at once, and nobody asks before it has passed', async () => {
    const { permits, asked, clock } = openPermits();
    for (let call = 0; call < 4; call += 1) {
      // oxlint-disable-next-line no-await-in-loop
      await take(permits, 1);
    }
    // Leased were one, two and four: three are left.
    permits.noteAppThrottle({ retryAtMs: UNTIL_MS });
    expect(permits.spend(1)).toBe(false);
    await settle();
    expect(asked.at(-1)).toMatchObject({ want: 0, giveBack: 3, throttledUntilMs: UNTIL_MS });
    const soFar = asked.length;
    await clock.advance(90_000 - 1);
    expect(await take(permits, 1)).toMatchObject(refusedUntil(UNTIL_MS));
    expect(asked.slice(soFar).filter(({ want }) => want > 0)).toEqual([]);
    await clock.advance(1);
    expect(await take(permits, 1)).toEqual(GRANTED);
    expect(asked.at(-1)?.throttledUntilMs).toBeUndefined();
  });

  it('what was under way when it came is not used', async () => {
    const { permits } = openPermits();
    const obtaining = permits.obtain(1);
    permits.noteAppThrottle({ retryAtMs: UNTIL_MS });
    expect(await obtaining).toMatchObject(refusedUntil(UNTIL_MS));
    expect(permits.spend(1)).toBe(false);
  });

  it('no call goes without a permit, though nobody answers who could give them; it is told once somebody does', async () => {
    const { permits, asked, app, grant, clock } = openPermits();
    app.answer = () => {
      throw new Error('unreachable');
    };
    await take(permits, 1);
    permits.noteAppThrottle({ retryAtMs: UNTIL_MS });
    // A shorter one takes nothing back.
    permits.noteAppThrottle({});
    await settle();
    expect(permits.spend(1)).toBe(false);
    expect(await permits.obtain(1)).toMatchObject(refusedUntil(UNTIL_MS));
    app.answer = grant;
    await clock.advance(2_000);
    const told = asked.flatMap(({ throttledUntilMs }) => throttledUntilMs ?? []);
    expect(told).toEqual([UNTIL_MS, START_MS + 30_000, UNTIL_MS]);
  });

  it('another connector that hears of it gives back what it has, and begins again a moment later', async () => {
    const { permits, asked, app, clock } = openPermits();
    for (let call = 0; call < 4; call += 1) {
      // oxlint-disable-next-line no-await-in-loop
      await take(permits, 1);
    }
    app.answer = () => ({
      granted: 0,
      untilMs: clock.now(),
      breaker: 'closed',
      throttledUntilMs: UNTIL_MS,
      retryAtMs: UNTIL_MS,
    });
    permits.note(false);
    await settle();
    expect(await take(permits, 1)).toMatchObject(refusedUntil(UNTIL_MS + 500));
    await clock.advance(2_000);
    expect(asked.at(-1)).toMatchObject({ giveBack: 3 });
    expect(asked.flatMap(({ throttledUntilMs }) => throttledUntilMs ?? [])).toEqual([]);
  });

  it.each([
    ['half a minute', 'where the provider names no time', {}, 30_000],
    ['a second', 'where it names one that has passed', { retryAtMs: START_MS - 1 }, 1_000],
  ])('is waited out %s, %s', async (_, __, throttle, ms) => {
    const { permits, asked } = openPermits();
    permits.noteAppThrottle(throttle);
    await settle();
    expect(asked.map(({ throttledUntilMs }) => throttledUntilMs)).toEqual([START_MS + ms]);
    expect(permits.spend(1)).toBe(false);
  });
});

describe('what is reported', () => {
  it('of trouble goes at once, and then in pauses', async () => {
    const { permits, asked, clock } = openPermits();
    await take(permits, 4);
    for (let call = 0; call < 4; call += 1) permits.note(false);
    await settle();
    expect(asked.slice(1)).toMatchObject([{ want: 0, health: { failures: 1 } }]);
    await clock.advance(5_000);
    const failures = asked.reduce((sum, { health }) => sum + health.failures, 0);
    expect(failures).toBe(4);
    expect(asked).toHaveLength(3);
  });

  it('of figures goes along, and nothing of it is lost when nobody takes it', async () => {
    const { permits, tallies, asked, clock, app, grant } = openPermits();
    tallies.noteCall(200, 30);
    app.answer = () => {
      throw new Error('unreachable');
    };
    await take(permits, 1);
    await clock.advance(10_000);
    app.answer = grant;
    const refused = asked.length;
    permits.touch();
    await clock.advance(1_000);
    expect(asked).toHaveLength(refused + 1);
    expect(asked.at(-1)?.tally.histograms['providerCalls|2xx']?.counts).toContain(1);
    expect(tallies.isEmpty).toBe(true);
  });

  it('is nothing when there is nothing new', async () => {
    const { permits, asked, clock } = openPermits();
    permits.touch();
    await clock.advance(10_000);
    expect(asked).toEqual([]);
  });
});
