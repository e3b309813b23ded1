import { expect, it } from 'vitest';
import { type Account, simulate } from './simulation.ts';

/** So many worlds in every run of the tests; SEEDS=n asks for more, FROM=n for others, SEED=n for one, with its story. */
const DEFAULT_SEEDS = 200;
/** Of the first world that fails, so many of its last steps are shown. */
const LAST_STEPS = 60;

const { SEED: only, SEEDS: many, FROM: from = '1' } = process.env;
const seeds =
  only === undefined
    ? Array.from({ length: Number(many ?? DEFAULT_SEEDS) }, (_, index) => Number(from) + index)
    : [Number(only)];

/** What is asked for by hand is shown also when all is well. */
function show(text: string): void {
  if (only !== undefined || many !== undefined) process.stdout.write(`${text}\n`);
}

function tell(failed: readonly Account[]): string {
  const [first] = failed;
  const head = failed.flatMap(({ seed, violations }) =>
    violations.map(({ invariant, detail }) => `SEED=${seed} ${invariant}: ${detail}`),
  );
  return [...(first?.story.slice(-LAST_STEPS) ?? []), ...head].join('\n');
}

it(
  'whatever the weather and whenever an actor dies, no task is lost and nothing is done twice',
  async () => {
    const startedMs = performance.now();
    const total = { steps: 0, kills: 0, tasks: 0, contradictions: 0 };
    const failed: Account[] = [];
    for (const seed of seeds) {
      // Worlds share the runtime's timers: one after the other.
      // oxlint-disable-next-line no-await-in-loop
      const account = await simulate(seed);
      if (only !== undefined) show(account.story.join('\n'));
      total.steps += account.steps;
      total.kills += account.kills;
      total.tasks += account.tasks;
      total.contradictions += account.contradictions;
      if (account.violations.length > 0) failed.push(account);
    }
    const perSecond = Math.round((seeds.length * 1000) / (performance.now() - startedMs));
    show(`${seeds.length} worlds, ${perSecond} a second: ${JSON.stringify(total)}`);
    expect(failed.length, tell(failed)).toBe(0);
    // There was something to survive.
    expect(total.kills).toBeGreaterThan(seeds.length < DEFAULT_SEEDS ? -1 : seeds.length);
  },
  // Longer for more worlds.
  60_000 + seeds.length * 500,
);

it('the same seed is the same world, step by step', async () => {
  const first = await simulate(3);
  expect(first.steps).toBeGreaterThan(100);
  expect((await simulate(3)).story).toEqual(first.story);
});
