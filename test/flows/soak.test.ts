import { expect, it } from 'vitest';
import { REACHABLE } from '../local/runtime.ts';
import { soak } from '../soak/soak.ts';
import { openStage } from './stage.ts';

const stage = openStage({ PUBLIC_BASE_URL: REACHABLE });

/** `npm run soak` does the same for minutes, with more of them. */
const SHORT = { connectors: 6, forMs: 12_000, seed: 3, faults: 0.1, lost: 0.3 };

it(
  'mirrors of calendars that change, with faults and lost notifications, never say what was not so',
  { timeout: 150_000 },
  async () => {
    const result = await soak(stage, SHORT);
    expect({ wrong: result.wrong, stale: result.stale, unequal: result.unequal }).toEqual({
      wrong: [],
      stale: [],
      unequal: [],
    });
    // There was something to be wrong about.
    expect(result.edits).toBeGreaterThan(20);
    expect(result.bySource['mirror']).toBeGreaterThan(20);
    expect(result.notifications.lost).toBeGreaterThan(0);
  },
);
