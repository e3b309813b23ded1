import { describe, expect, it } from 'vitest';
import { fail, ok, type Outcome } from '../../src/domain/failure.ts';
import { TokenUpkeep } from '../../src/connector/token-upkeep.ts';
import { dice } from '../sandbox/dice.ts';
import { inFreshObject, openStore } from './bench.ts';

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2026, 10, 24, 12);

/** The upkeep of one connector after another on the same storage, each with its own chance. */
function withUpkeep(
  body: (parts: {
    clock: { nowMs: number };
    script: { refresh: () => Promise<Outcome<{ expiresAtMs: number }>> };
    upkeep: TokenUpkeep;
    /** When the refresh is due, epoch milliseconds; undefined: it is not on the agenda. */
    dueAtMs: () => number | undefined;
    /** The upkeep of a later life. */
    another: () => TokenUpkeep;
  }) => Promise<void> | void,
) {
  return inFreshObject(async (state) => {
    const clock = { nowMs: START_MS };
    const chance = dice(17);
    const script = {
      refresh: (): Promise<Outcome<{ expiresAtMs: number }>> => Promise.resolve(ok({ expiresAtMs: 0 })),
    };
    let dueAtMs: number | undefined;
    const { store } = openStore(state);
    const another = () =>
      new TokenUpkeep({
        store,
        agenda: {
          schedule: (_, atMs) => (dueAtMs = atMs),
          strike: () => (dueAtMs = undefined),
        },
        account: { refresh: () => script.refresh() },
        now: () => clock.nowMs,
        random: () => chance.roll(),
        obstacle: () => undefined,
        onFailure: () => undefined,
      });
    await body({ clock, script, upkeep: another(), dueAtMs: () => dueAtMs, another });
  });
}

/** How many of these moments fall into the fullest stretch of `lengthMs`. */
function fullest(moments: readonly number[], lengthMs: number): number {
  const counts = new Map<number, number>();
  for (const ms of moments) {
    const part = Math.floor(ms / lengthMs);
    counts.set(part, (counts.get(part) ?? 0) + 1);
  }
  return Math.max(...counts.values());
}

describe('tokens of 10,000 connectors that expire within one minute', () => {
  const COUNT = 10_000;
  const LIFE_MS = 60 * MINUTE_MS;

  it('are refreshed over five minutes, evenly, and each before it expires', () =>
    withUpkeep(({ upkeep, dueAtMs }) => {
      const due: number[] = [];
      for (let index = 0; index < COUNT; index += 1) {
        const expiresAtMs = START_MS + LIFE_MS + (index * MINUTE_MS) / COUNT;
        upkeep.plan({ expiresAtMs });
        due.push(dueAtMs() ?? NaN);
        expect(expiresAtMs - (due.at(-1) ?? NaN)).toBeGreaterThanOrEqual(5 * MINUTE_MS - 1);
      }
      const second = fullest(due, 1000);
      // 33 a second on average; without chance they would be 167.
      expect(second).toBeLessThanOrEqual(66);
      expect(Math.max(...due) - Math.min(...due)).toBeGreaterThan(5 * MINUTE_MS);
    }));

  it('are tried again over half a minute, after a minute, when the provider is down', () =>
    withUpkeep(async ({ upkeep, script, dueAtMs }) => {
      script.refresh = () => Promise.resolve(fail({ kind: 'unavailable', ambiguous: false }));
      upkeep.markUse();
      const due: number[] = [];
      for (let index = 0; index < COUNT; index += 1) {
        // oxlint-disable-next-line no-await-in-loop
        await upkeep.refreshAhead();
        due.push(dueAtMs() ?? NaN);
      }
      expect(Math.min(...due)).toBeGreaterThanOrEqual(START_MS + MINUTE_MS);
      expect(fullest(due, 1000)).toBeLessThanOrEqual(2 * (COUNT / 32));
    }));
});

describe('the token of a connector', () => {
  it('that nobody has used for an hour is left to expire', () =>
    withUpkeep(async ({ clock, upkeep, script, dueAtMs }) => {
      let refreshed = 0;
      script.refresh = () => {
        refreshed += 1;
        return Promise.resolve(ok({ expiresAtMs: 0 }));
      };
      upkeep.markUse();
      upkeep.plan({ expiresAtMs: START_MS + 2 * 60 * MINUTE_MS });
      clock.nowMs += 61 * MINUTE_MS;
      await upkeep.refreshAhead();
      expect([refreshed, dueAtMs()]).toEqual([0, undefined]);
      upkeep.markUse();
      await upkeep.refreshAhead();
      expect(refreshed).toBe(1);
    }));
});

describe('a connector', () => {
  it('is in use when it was used more than once within an hour, in an earlier life too', () =>
    withUpkeep(async ({ clock, upkeep, another }) => {
      upkeep.markUse();
      expect(upkeep.isInUse).toBe(false);
      clock.nowMs += 59 * MINUTE_MS;
      const later = another();
      later.markUse();
      expect(later.isInUse).toBe(true);
      clock.nowMs += 61 * MINUTE_MS;
      later.markUse();
      expect(later.isInUse).toBe(false);
    }));
});
