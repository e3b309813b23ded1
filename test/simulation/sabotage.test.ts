import { describe, expect, it } from 'vitest';
import type { Climate } from './climate.ts';
import type { Sabotage } from './sabotage.ts';
import { simulate } from './simulation.ts';
import type { Invariant } from './verdicts.ts';

/** A sabotage that is not noticed in so many worlds is not noticed. */
const MOST_WORLDS = 400;

const ROUGH: Partial<Climate> = { rainMs: 120_000, kill: 0.03, loss: 0.15, throttle: 0.15, slowestMs: 20 };

/** In how many worlds which invariant was the first that did not hold, until it was `expected`. */
async function noticed(sabotage: Sabotage, expected: Invariant): Promise<Invariant | undefined> {
  for (let seed = 1; seed <= MOST_WORLDS; seed += 1) {
    // oxlint-disable-next-line no-await-in-loop
    const { violations } = await simulate(seed, { sabotage, climate: ROUGH });
    const found = violations.find(({ invariant }) => invariant === expected);
    if (found !== undefined) return found.invariant;
  }
  return undefined;
}

const CASES: [string, Sabotage, Invariant][] = [
  [
    'a storage that loses a task with its actor',
    { onKill: (store) => void store.query(`DELETE FROM task WHERE state = 'accepted'`) },
    'task-lost',
  ],
  [
    'a storage that loses a finished task with its actor',
    {
      onKill: (store) =>
        void store.query(`UPDATE task SET state = 'accepted', outcome = NULL WHERE state = 'done'`),
    },
    'task-end',
  ],
  [
    'a storage that loses the throttle with its actor',
    { onKill: (store) => void store.query(`DELETE FROM fact WHERE name = 'throttle'`) },
    'throttle',
  ],
  [
    'a storage that loses what is left to be removed with its actor',
    { onKill: (store) => void store.query('DELETE FROM leftover') },
    'left-behind',
  ],
  [
    'a storage that loses a hold with its actor',
    { onKill: (store) => void store.query(`DELETE FROM hold WHERE state = 'held'`) },
    'left-behind',
  ],
  ['an alarm that is not set', { dropsAlarm: (random) => random.chance(0.1) }, 'alarm'],
  ['a provider that ignores keys', { ignoresKeys: true }, 'second-effect'],
  ['a queue that loses notices', { losesNotices: true }, 'told'],
  [
    'a storage that forgets with its actor which calls are open',
    {
      onKill: (store) => {
        store.query(`DELETE FROM fact WHERE name = 'open-calls'`);
        store.query('UPDATE task SET attempts = 1 WHERE attempts = 0');
      },
    },
    'concurrency',
  ],
  [
    'a storage that forgets with its actor which calls were made',
    { onKill: (store) => void store.query(`DELETE FROM fact WHERE name = 'call-window'`) },
    'user-limit',
  ],
  ['an actor that is allowed more calls than the provider', { extraCalls: 3 }, 'concurrency'],
];

describe('the simulation notices', () => {
  it.each(CASES)('%s', async (_, sabotage, invariant) => {
    expect(await noticed(sabotage, invariant)).toBe(invariant);
  });

  it('and in the same rough weather nothing, where nothing is broken', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      // oxlint-disable-next-line no-await-in-loop
      expect((await simulate(seed, { climate: ROUGH })).violations).toEqual([]);
    }
  });
});
