import type { SeenCall, Truth } from '../local/sandbox-process.ts';
import { CROSSING_MS } from './kills.ts';

/** The parts of a batch begin so soon after it, and long before a worker that is started anew makes a call. */
const PARTS_WITHIN_MS = 500;

/** With tens of calls a second a pause this long between any two is a machine that stands still. */
const STILL_MS = 250;

type EarlyCall = Truth['tooEarly'][number];

/** Calls that came before a throttle had passed, by whether the worker could have known of it. */
export interface EarlyCalls {
  /** It could. */
  knowing: EarlyCall[];
  /** The process that was told of the throttle was dead, or died within a moment. */
  toldToTheDead: EarlyCall[];
  /** It crossed the throttled reply on its way, while nothing moved at all. */
  crossing: EarlyCall[];
}

/** Sorts the calls that the sandbox found too early. */
export function sortEarly({ calls, tooEarly }: Truth, killedAtMs: readonly number[]): EarlyCalls {
  const sorted: EarlyCalls = { knowing: [], toldToTheDead: [], crossing: [] };
  if (tooEarly.length === 0) return sorted;
  const pauses = pausesOf(calls);
  const throttles = calls.filter(({ faults = [] }) => faults.includes('throttle'));
  const envelopes = calls.filter(({ kind }) => kind === 'envelope');
  for (const early of tooEarly) {
    const own = throttles.filter(({ person, at, ms }) => person === early.person && at + ms <= early.at);
    const last = own.toSorted((a, b) => endOf(a) - endOf(b)).at(-1);
    if (last === undefined) {
      sorted.knowing.push(early);
      continue;
    }
    const toldMs = toldAt(last, envelopes);
    const [fromMs, toMs] = [last.at - PARTS_WITHIN_MS, toldMs + CROSSING_MS];
    const stoodStillMs = pauses.reduce(
      (sum, pause) => sum + Math.max(0, Math.min(pause.toMs, early.at) - Math.max(pause.fromMs, toldMs)),
      0,
    );
    if (killedAtMs.some((ms) => fromMs <= ms && ms <= toMs)) sorted.toldToTheDead.push(early);
    else if (early.at - toldMs - stoodStillMs <= CROSSING_MS) sorted.crossing.push(early);
    else sorted.knowing.push(early);
  }
  return sorted;
}

/** When the client was told how a call had ended: of a part of a batch, when the batch was answered. */
function toldAt(call: SeenCall, envelopes: readonly SeenCall[]): number {
  if (call.inBatch !== true) return endOf(call);
  const around = envelopes.filter(
    (one) => one.person === call.person && one.at <= call.at && endOf(one) >= endOf(call),
  );
  return Math.max(endOf(call), Math.min(...around.map(endOf)));
}

function endOf({ at, ms }: SeenCall): number {
  return at + ms;
}

/** The stretches in which no call of anybody came. */
function pausesOf(calls: readonly SeenCall[]): { fromMs: number; toMs: number }[] {
  const times = calls.map(({ at }) => at).toSorted((a, b) => a - b);
  return times.flatMap((toMs, index) => {
    const fromMs = times[index - 1] ?? toMs;
    return toMs - fromMs >= STILL_MS ? [{ fromMs, toMs }] : [];
  });
}
