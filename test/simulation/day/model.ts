import type { Random } from '../random.ts';
import type { Calibration } from './calibration.ts';
import { addCost, type Cost, type Errand, ERRANDS, noCost, type Usage } from './usage.ts';

const HOUR_MS = 3_600_000;
const DAY_S = 86_400;
const DAY_MS = DAY_S * 1000;

/** A day of many connectors: what it costs in all, and what it asks of others per second. */
export interface Day {
  total: Cost;
  errands: number;
  /** Calls to the one object that grants app-wide quota, for each second of the day. */
  leasesBySecond: Float64Array;
  /** Token calls for each minute of the day. */
  refreshesByMinute: Float64Array;
}

/** When a connector has something to do on one day: errands and their times, in order. */
export function planDay(usage: Usage, random: Random): { atMs: number; errand: Errand }[] {
  const hours = usage.toHour - usage.fromHour;
  const count = poisson(usage.errandsPerHour * hours, random);
  const plan = Array.from({ length: count }, () => ({
    atMs: Math.floor((usage.fromHour + random.next() * hours) * HOUR_MS),
    errand: drawErrand(usage, random),
  }));
  return plan.toSorted((one, other) => one.atMs - other.atMs);
}

/** Adds one connector's day. Its token, from another day, has expired. */
export function addConnector(
  day: Day,
  plan: readonly { atMs: number; errand: Errand }[],
  usage: Usage,
  { errands, refreshAhead, refreshOnDemand, lapse, inUseMs, refreshAfterMs }: Calibration,
  random: Random,
): void {
  let expiresAtMs = -1;
  let refreshAtMs = Infinity;
  let usedAtMs = -Infinity;
  let lease = { calls: 0, untilMs: 0 };
  const granted = (atMs: number) => {
    countIn(day.refreshesByMinute, atMs / 60_000);
    expiresAtMs = atMs + usage.tokenLifeMs;
    refreshAtMs = atMs + (refreshAfterMs[random.whole(0, refreshAfterMs.length - 1)] ?? 0);
  };
  /** What the agenda does until then. */
  const passUntil = (untilMs: number) => {
    while (refreshAtMs <= untilMs) {
      const atMs = refreshAtMs;
      refreshAtMs = Infinity;
      if (atMs - usedAtMs > inUseMs) addCost(day.total, lapse);
      else {
        addCost(day.total, refreshAhead);
        granted(atMs);
      }
    }
  };
  for (const { atMs, errand } of plan) {
    passUntil(atMs);
    usedAtMs = atMs;
    if (atMs >= expiresAtMs) {
      addCost(day.total, refreshOnDemand);
      granted(atMs);
    }
    addCost(day.total, errands[errand]);
    day.errands += 1;
    for (let calls = errands[errand].providerCalls; calls > 0;) {
      if (lease.calls <= 0 || lease.untilMs <= atMs) {
        lease = { calls: usage.leaseCalls, untilMs: atMs + usage.leaseLifeMs };
        countIn(day.leasesBySecond, atMs / 1000);
      }
      const taken = Math.min(calls, lease.calls);
      lease.calls -= taken;
      calls -= taken;
    }
  }
  passUntil(DAY_MS);
}

/** A day on which nothing has happened yet. */
export function emptyDay(): Day {
  return {
    total: noCost(),
    errands: 0,
    leasesBySecond: new Float64Array(DAY_S),
    refreshesByMinute: new Float64Array(DAY_S / 60),
  };
}

/** A day of so many connectors. */
export function modelDay(connectors: number, usage: Usage, calibration: Calibration, random: Random): Day {
  const day = emptyDay();
  for (let index = 0; index < connectors; index += 1) {
    if (random.chance(usage.shareInUse))
      addConnector(day, planDay(usage, random), usage, calibration, random);
  }
  return day;
}

function countIn(counts: Float64Array, place: number): void {
  const index = Math.min(counts.length - 1, Math.floor(place));
  counts[index] = (counts[index] ?? 0) + 1;
}

function drawErrand({ mix }: Usage, random: Random): Errand {
  let place = random.next() * ERRANDS.reduce((sum, errand) => sum + mix[errand], 0);
  return ERRANDS.find((errand) => (place -= mix[errand]) < 0) ?? 'look';
}

function poisson(mean: number, random: Random): number {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.next(); product > limit; product *= random.next()) count += 1;
  return count;
}
