import { difference, RealConnector } from './real-connector.ts';
import { addCost, type Cost, type Errand, ERRANDS, noCost } from './usage.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const START_MS = Date.UTC(2026, 10, 23);
/** No token of this life is refreshed while something else is measured. */
const LONG_LIFE_MS = 10 * 24 * HOUR_MS;
const SHORT_LIFE_MS = 2 * MINUTE_MS;
const SAMPLES = 12;

/** What the real actor was measured to cost, and when it refreshes. */
export interface Calibration {
  errands: Record<Errand, Cost>;
  /** A refresh ahead of time, its alarm included. */
  refreshAhead: Cost;
  /** What an errand costs more when it meets an expired token. */
  refreshOnDemand: Cost;
  /** The alarm that finds a connector no longer in use, and leaves its token alone. */
  lapse: Cost;
  /** How long after its last use a connector still has its token refreshed. */
  inUseMs: number;
  /** When tokens of a day's usage are refreshed, milliseconds after they were granted: a sample. */
  refreshAfterMs: number[];
}

/** Measures the real actor, one piece at a time. `tokenLifeMs`: of the tokens on the day to be modelled. */
export async function calibrate(tokenLifeMs: number): Promise<Calibration> {
  const errands = {
    look: await measureErrand('look'),
    book: await measureErrand('book'),
    move: await measureErrand('move'),
    cancel: await measureErrand('cancel'),
    'hold-and-confirm': await measureErrand('hold-and-confirm'),
    'hold-and-let-go': await measureErrand('hold-and-let-go'),
  } satisfies Record<(typeof ERRANDS)[number], Cost>;
  return { errands, ...(await measureRefreshes(errands.look, tokenLifeMs)) };
}

/** One errand by itself, its alarms and expiries included. */
async function measureErrand(errand: Errand): Promise<Cost> {
  const real = await RealConnector.open(1, START_MS, LONG_LIFE_MS);
  real.plan('book');
  await real.run(30 * MINUTE_MS);
  const before = real.cost();
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    real.plan(errand);
    // oxlint-disable-next-line no-await-in-loop
    await real.run(30 * MINUTE_MS);
  }
  const mean = noCost();
  addCost(mean, difference(real.cost(), before), 1 / SAMPLES);
  real.close();
  return mean;
}

async function measureRefreshes(look: Cost, tokenLifeMs: number): Promise<Omit<Calibration, 'errands'>> {
  const refreshAfterMs: number[] = [];
  const refreshAhead = noCost();
  const refreshOnDemand = noCost();
  const lapse = noCost();
  for (let seed = 1; seed <= SAMPLES; seed += 1) {
    // oxlint-disable-next-line no-await-in-loop
    const one = await measureRefresh(seed, look, tokenLifeMs);
    refreshAfterMs.push(one.refreshAfterMs);
    addCost(refreshAhead, one.refreshAhead, 1 / SAMPLES);
    addCost(refreshOnDemand, one.refreshOnDemand, 1 / SAMPLES);
    addCost(lapse, one.lapse, 1 / SAMPLES);
  }
  return { refreshAfterMs, refreshAhead, refreshOnDemand, lapse, inUseMs: await measureInUse() };
}

/** Tokens that live for minutes are refreshed so often that the last refresh tells when the use was over. */
async function measureInUse(): Promise<number> {
  const real = await RealConnector.open(1, START_MS, SHORT_LIFE_MS);
  real.plan('look');
  let lastMs = 0;
  for (let seen = real.cost().tokenCalls; real.elapsedMs < 3 * HOUR_MS; seen = real.cost().tokenCalls) {
    // oxlint-disable-next-line no-await-in-loop
    await real.run(MINUTE_MS / 2);
    if (real.cost().tokenCalls > seen) lastMs = real.elapsedMs;
  }
  real.close();
  return lastMs;
}

async function measureRefresh(seed: number, look: Cost, tokenLifeMs: number) {
  const real = await RealConnector.open(seed, START_MS, tokenLifeMs);
  const passRefresh = async () => {
    const before = real.cost();
    await real.run((real.refreshInMs() ?? 0) + MINUTE_MS);
    return difference(real.cost(), before);
  };
  const refreshAfterMs = (real.refreshInMs() ?? 0) + real.elapsedMs;
  real.plan('look');
  await real.run(MINUTE_MS);
  const refreshAhead = await passRefresh();
  // Nobody uses it any more: sooner or later its token is left alone.
  let lapse = refreshAhead;
  // oxlint-disable-next-line no-await-in-loop
  while (lapse.tokenCalls > 0) lapse = await passRefresh();
  await real.run(2 * tokenLifeMs);
  const before = real.cost();
  real.plan('look');
  await real.run(MINUTE_MS);
  const refreshOnDemand = difference(difference(real.cost(), before), look);
  real.close();
  return { refreshAfterMs, refreshAhead, refreshOnDemand, lapse };
}
