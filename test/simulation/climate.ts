import type { Random } from './random.ts';

/** How rough a world is: each number is the chance of that trouble, per call or step, while it rains. */
export interface Climate {
  /** Until when it rains, milliseconds from the start; then everything goes well. */
  rainMs: number;
  kill: number;
  /** A call is refused with 429. */
  throttle: number;
  /** 5xx, the call carried out or not. */
  fault: number;
  /** The connection breaks, before the call has arrived or after. */
  loss: number;
  /** No answer until the caller gives up. */
  hang: number;
  /** 401 for a token that is good. */
  denial: number;
  /** The queue that takes notices does not, or takes them and does not say so. */
  queueFault: number;
  /** Likewise D1 and KV. */
  databaseFault: number;
  /** Likewise the provider app; not where its limit could be met. */
  appFault: number;
  /** A message is delivered again. */
  repeat: number;
  /** The longest that a call is on its way in one direction, milliseconds. */
  slowestMs: number;
  /** How long after its actor's death a call may still be carried out, milliseconds. */
  latestMs: number;
  /** Sealing, opening and hashing take turns with everything else, as any wait may. */
  slowCrypto: boolean;
}

/** One that has about half of all troubles, each as bad as it pleases. */
export function drawClimate(random: Random): Climate {
  const trouble = (...strengths: [number, ...number[]]) =>
    random.chance(0.5) ? 0 : random.pick(...strengths);
  return {
    rainMs: random.pick(20_000, 120_000, 600_000, 1_800_000),
    kill: trouble(0.003, 0.01, 0.03, 0.1),
    throttle: trouble(0.03, 0.15, 0.4),
    fault: trouble(0.03, 0.15, 0.4),
    loss: trouble(0.03, 0.15, 0.3),
    hang: trouble(0.01, 0.05),
    denial: trouble(0.03, 0.1),
    queueFault: trouble(0.05, 0.3),
    databaseFault: trouble(0.05, 0.3),
    appFault: trouble(0.05, 0.3),
    repeat: trouble(0.2, 0.6),
    slowestMs: random.pick(2, 20, 400, 4_000),
    latestMs: random.pick(0, 20, 1_000, 20_000),
    slowCrypto: random.chance(0.5),
  };
}

/** One in which everything goes well, and fast. */
export const CALM: Climate = {
  rainMs: 0,
  kill: 0,
  throttle: 0,
  fault: 0,
  loss: 0,
  hang: 0,
  denial: 0,
  queueFault: 0,
  databaseFault: 0,
  appFault: 0,
  repeat: 0,
  slowestMs: 200,
  latestMs: 0,
  slowCrypto: false,
};
