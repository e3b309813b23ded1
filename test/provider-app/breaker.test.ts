import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BreakerSettings, BreakerState } from '../../src/domain/lease.ts';
import { Breaker } from '../../src/provider-app/breaker.ts';
import { createShelf } from './memory-shelf.ts';

const START_MS = Date.UTC(2026, 10, 24, 9);
const SETTINGS: BreakerSettings = {
  windowMs: 60_000,
  failingConnectors: 3,
  failingShare: 0.5,
  openMs: 30_000,
  maxOpenMs: 300_000,
  probeMs: 60_000,
};
const FAILED = { successes: 0, failures: 1 };
const ANSWERED = { successes: 1, failures: 0 };
const NOTHING = { successes: 0, failures: 0 };

/** A breaker that three connectors have opened at `START_MS`. */
function openedBreaker(shelf = createShelf()) {
  const breaker = new Breaker(SETTINGS, shelf);
  for (const connectorId of ['a', 'b', 'c']) breaker.report(connectorId, FAILED, 0, START_MS);
  expect(breaker.state(START_MS)).toBe('open');
  return breaker;
}

/** Lets `connectorId` have the probe; fails when none may go. */
function sendProbe(breaker: Breaker, connectorId: string, nowMs: number) {
  const admission = breaker.admit(nowMs);
  if (admission.most !== 'one') throw new Error(`admitted: ${admission.most}`);
  breaker.probe(connectorId, admission.lapsesAtMs, nowMs);
}

describe('a closed breaker', () => {
  it('opens when enough connectors fail, and half of the calls', () => {
    const breaker = new Breaker(SETTINGS, createShelf());
    breaker.report('healthy', { successes: 2, failures: 0 }, 0, START_MS);
    breaker.report('a', FAILED, 0, START_MS);
    breaker.report('b', FAILED, 0, START_MS);
    expect(breaker.admit(START_MS)).toEqual({ most: 'any' });
    breaker.report('c', FAILED, 0, START_MS);
    expect(breaker.admit(START_MS)).toEqual({ most: 'none', retryAtMs: START_MS + 30_000 });
  });

  it('is not opened by one broken connector, however loud, nor with a few that failed once', () => {
    const breaker = new Breaker(SETTINGS, createShelf());
    breaker.report('broken', { successes: 0, failures: 1_000 }, 0, START_MS);
    breaker.report('healthy', { successes: 10, failures: 0 }, 0, START_MS);
    for (const connectorId of ['a', 'b', 'c', 'd']) breaker.report(connectorId, FAILED, 0, START_MS);
    breaker.report('broken', { successes: 0, failures: 1_000 }, 0, START_MS);
    expect(breaker.state(START_MS)).toBe('closed');
  });

  it('does not count what is older than the window', () => {
    const breaker = new Breaker(SETTINGS, createShelf());
    breaker.report('a', FAILED, 0, START_MS);
    breaker.report('b', FAILED, 0, START_MS);
    breaker.report('c', FAILED, 0, START_MS + 66_000);
    expect(breaker.state(START_MS + 66_000)).toBe('closed');
  });

  it('writes nothing', () => {
    const shelf = createShelf();
    const breaker = new Breaker(SETTINGS, shelf);
    breaker.report('a', FAILED, 0, START_MS);
    breaker.report('a', ANSWERED, 0, START_MS);
    breaker.admit(START_MS);
    expect(shelf.rows).toBe(0);
  });
});

describe('an open breaker', () => {
  it('lets nothing pass, whatever calls of before bring, and stays so over an eviction', () => {
    const shelf = createShelf();
    openedBreaker(shelf).report('a', ANSWERED, 0, START_MS + 1_000);
    expect(shelf.rows).toBe(1);
    const again = new Breaker(SETTINGS, shelf);
    expect(again.admit(START_MS + 29_999)).toEqual({ most: 'none', retryAtMs: START_MS + 30_000 });
    expect(again.state(START_MS + 30_000)).toBe('half-open');
  });

  it('is open for longer each time that a probe fails: from half a minute to five', () => {
    const breaker = openedBreaker();
    let nowMs = START_MS;
    const lengths = [];
    for (let probes = 0; probes < 6; probes++) {
      const admission = breaker.admit(nowMs);
      if (admission.most !== 'none') throw new Error('it is not open');
      lengths.push((admission.retryAtMs - nowMs) / 1_000);
      nowMs = admission.retryAtMs;
      sendProbe(breaker, 'a', nowMs);
      breaker.report('a', FAILED, 0, nowMs);
    }
    expect(lengths).toEqual([30, 60, 120, 240, 300, 300]);
  });
});

describe('a half-open breaker', () => {
  const HALF_OPEN_MS = START_MS + 30_000;

  it('lets one probe out, and the others ask again soon', () => {
    const breaker = openedBreaker();
    sendProbe(breaker, 'a', HALF_OPEN_MS);
    expect(breaker.admit(HALF_OPEN_MS)).toEqual({ most: 'none', retryAtMs: HALF_OPEN_MS + 5_000 });
    breaker.report('b', ANSWERED, 0, HALF_OPEN_MS);
    breaker.report('b', FAILED, 0, HALF_OPEN_MS);
    breaker.report('a', NOTHING, 0, HALF_OPEN_MS);
    expect(breaker.state(HALF_OPEN_MS)).toBe('half-open');
    breaker.report('a', { successes: 1, failures: 1 }, 0, HALF_OPEN_MS + 1_000);
    expect(breaker.admit(HALF_OPEN_MS + 1_000)).toEqual({ most: 'any' });
  });

  it('needs the evidence of an outage to open again once it was closed', () => {
    const breaker = openedBreaker();
    sendProbe(breaker, 'a', HALF_OPEN_MS);
    breaker.report('a', ANSWERED, 0, HALF_OPEN_MS);
    breaker.report('b', FAILED, 0, HALF_OPEN_MS);
    breaker.report('c', FAILED, 0, HALF_OPEN_MS);
    expect(breaker.state(HALF_OPEN_MS)).toBe('closed');
    breaker.report('d', FAILED, 0, HALF_OPEN_MS);
    expect(breaker.admit(HALF_OPEN_MS)).toEqual({ most: 'none', retryAtMs: HALF_OPEN_MS + 30_000 });
  });

  it('sends the next probe when one is given back, or was never heard of, also after an eviction', () => {
    const shelf = createShelf();
    const breaker = openedBreaker(shelf);
    sendProbe(breaker, 'a', HALF_OPEN_MS);
    breaker.report('a', NOTHING, 1, HALF_OPEN_MS + 1_000);
    sendProbe(breaker, 'b', HALF_OPEN_MS + 1_000);
    const again = new Breaker(SETTINGS, shelf);
    expect(again.admit(HALF_OPEN_MS + 60_999)).toEqual({ most: 'none', retryAtMs: HALF_OPEN_MS + 61_000 });
    sendProbe(again, 'c', HALF_OPEN_MS + 61_000);
    again.report('b', FAILED, 0, HALF_OPEN_MS + 62_000);
    expect(again.state(HALF_OPEN_MS + 62_000)).toBe('half-open');
    again.report('c', ANSWERED, 0, HALF_OPEN_MS + 62_000);
    expect(again.state(HALF_OPEN_MS + 62_000)).toBe('closed');
  });
});

/** Slices of the window: with times that are multiples of it, the breaker's window is exact. */
const SLICE_MS = 5_000;
type Step =
  | { report: string; successes: number; failures: number; returned: number }
  | { ask: string }
  | { passSlices: number }
  | 'evict';
const anyConnector = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      report: anyConnector,
      successes: fc.nat({ max: 2 }),
      failures: fc.nat({ max: 3 }),
      returned: fc.nat({ max: 1 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ ask: anyConnector }) },
  { weight: 3, arbitrary: fc.record({ passSlices: fc.integer({ min: 1, max: 15 }) }) },
  { weight: 1, arbitrary: fc.constant('evict' as const) },
);

/** What a breaker is, told by all that was ever reported to it: the oracle. */
class Model {
  #reports: { atMs: number; by: string; successes: number; failures: number }[] = [];
  #openUntilMs: number | undefined;
  #openMs = 0;
  #probe: { by: string; lapsesAtMs: number } | undefined;

  state(nowMs: number): BreakerState {
    if (this.#openUntilMs === undefined) return 'closed';
    return nowMs < this.#openUntilMs ? 'open' : 'half-open';
  }

  evict(): void {
    this.#reports = [];
  }

  report(by: string, successes: number, failures: number, returned: number, nowMs: number): void {
    const state = this.state(nowMs);
    if (state === 'half-open' && this.#probe?.by === by) {
      if (successes > 0) {
        this.#openUntilMs = undefined;
        this.#probe = undefined;
      } else if (failures > 0) this.#open(Math.min(this.#openMs * 2, SETTINGS.maxOpenMs), nowMs);
      else if (returned > 0) this.#probe = undefined;
    }
    if (state !== 'closed') return;
    this.#reports.push({ atMs: nowMs, by, successes, failures });
    const recent = this.#reports.filter(({ atMs }) => nowMs - atMs <= SETTINGS.windowMs);
    const failing = Map.groupBy(
      recent.filter((one) => one.failures > 0),
      (one) => one.by,
    );
    const isEnough = [...failing.keys()].every((leftOut) => {
      const rest = recent.map((one) => (one.by === leftOut ? { ...one, failures: 0 } : one));
      const failed = rest.reduce((sum, one) => sum + one.failures, 0);
      const all = rest.reduce((sum, one) => sum + one.failures + one.successes, 0);
      return failed > 0 && failed / all >= SETTINGS.failingShare;
    });
    if (failures > 0 && failing.size >= SETTINGS.failingConnectors && isEnough)
      this.#open(SETTINGS.openMs, nowMs);
  }

  /** True when permits may be granted; a half-open breaker has then sent `by` as its probe. */
  ask(by: string, nowMs: number): 'any' | 'one' | 'none' {
    const state = this.state(nowMs);
    if (state !== 'half-open') return state === 'closed' ? 'any' : 'none';
    if (this.#probe !== undefined && nowMs < this.#probe.lapsesAtMs) return 'none';
    this.#probe = { by, lapsesAtMs: nowMs + SETTINGS.probeMs };
    return 'one';
  }

  #open(forMs: number, nowMs: number): void {
    this.#reports = [];
    this.#probe = undefined;
    this.#openMs = forMs;
    this.#openUntilMs = nowMs + forMs;
  }
}

it('whatever is reported and asked, and whenever it is evicted, is as the model says', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 1, maxLength: 80 }), (steps) => {
      const shelf = createShelf();
      let breaker = new Breaker(SETTINGS, shelf);
      const model = new Model();
      const admissions: [string, string][] = [];
      const states: [string, string][] = [];
      const waits: number[] = [];
      let nowMs = START_MS;
      for (const step of steps) {
        if (step === 'evict') {
          breaker = new Breaker(SETTINGS, shelf);
          model.evict();
        } else if ('passSlices' in step) nowMs += step.passSlices * SLICE_MS;
        else if ('report' in step) {
          const { report, successes, failures, returned } = step;
          breaker.report(report, { successes, failures }, returned, nowMs);
          model.report(report, successes, failures, returned, nowMs);
        } else {
          const admission = breaker.admit(nowMs);
          if (admission.most === 'one') breaker.probe(step.ask, admission.lapsesAtMs, nowMs);
          admissions.push([admission.most, model.ask(step.ask, nowMs)]);
          if (admission.most !== 'any') waits.push(admission.retryAtMs - nowMs);
        }
        states.push([breaker.state(nowMs), model.state(nowMs)]);
      }
      expect(admissions.map(([is]) => is)).toEqual(admissions.map(([, should]) => should));
      expect(states.map(([is]) => is)).toEqual(states.map(([, should]) => should));
      expect(Math.min(1, ...waits)).toBeGreaterThan(0);
      for (const [one] of [...admissions, ...states]) seen.add(one);
    }),
    { numRuns: 1_000 },
  );
  expect([...seen].toSorted()).toEqual(['any', 'closed', 'half-open', 'none', 'one', 'open']);
});
