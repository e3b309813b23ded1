import type { Failure } from '../domain/failure.ts';

/** What to do about a failed run of a task. */
export type Verdict =
  | { act: 'retry'; atMs: number }
  /** Wait for the person: the task goes on when they have connected again. */
  | { act: 'park' }
  | { act: 'give-up' };

const BASE_MS = 1_000;
const LONGEST_MS = 15 * 60 * 1000;

/** Where a task stands when its run has failed. `attempts`: runs so far, this one included. */
export interface Standing {
  attempts: number;
  deadlineMs: number;
  nowMs: number;
  /** Uniform in [0, 1). */
  random: () => number;
}

/**
 * Decides what a failure leads to: the one place that does. A wait that the provider names is a
 * minimum; our own back-off stands on top of it. A retry that could only start after the deadline is not made.
 */
export function decide(failure: Failure, standing: Standing): Verdict {
  switch (failure.kind) {
    case 'throttled':
    case 'unavailable':
      return retry(failure.retryAtMs, standing);
    case 'malformed':
    case 'cursor-expired':
      return retry(undefined, standing);
    // Ours to mend, not the person's: the task waits for the operator, within its deadline.
    case 'misconfigured':
      return retry(undefined, standing);
    case 'token-rejected':
    case 'grant-revoked':
    case 'consent-missing':
      return { act: 'park' };
    case 'not-found':
    case 'conflict':
    case 'unknown-busy':
    case 'hold-over':
    case 'mismatch':
    case 'changed':
    case 'unsupported':
    case 'rejected':
      return { act: 'give-up' };
  }
}

function retry(notBeforeMs: number | undefined, { attempts, deadlineMs, nowMs, random }: Standing): Verdict {
  const atMs = Math.max(notBeforeMs ?? nowMs, nowMs) + backOffMs(attempts, random);
  return atMs < deadlineMs ? { act: 'retry', atMs } : { act: 'give-up' };
}

/**
 * Exponential back-off with full jitter, milliseconds: uniform between nothing and a ceiling that
 * doubles with each attempt (1 s, 2 s, … 15 min).
 */
export function backOffMs(attempts: number, random: () => number): number {
  const ceiling = Math.min(LONGEST_MS, BASE_MS * 2 ** Math.min(attempts - 1, 30));
  return Math.ceil(ceiling * random());
}
