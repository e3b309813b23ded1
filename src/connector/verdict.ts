import type { Failure } from '../domain/failure.ts';

/** What to do about a call, or a run of a task, that has failed. */
export type Verdict =
  | { act: 'retry'; atMs: number }
  /** Get a new access token and try once more: it also brings the scopes up to date. */
  | { act: 'refresh' }
  /** Read everything anew: the provider no longer knows where we were. */
  | { act: 'resync' }
  /** Wait for the person: the task goes on when they have connected again. */
  | { act: 'park' }
  | { act: 'give-up' };

const BASE_MS = 1_000;
const LONGEST_MS = 15 * 60 * 1000;
/** Beyond its budget a connector tries again as if so many attempts had failed already. */
const ATTEMPTS_BEYOND_BUDGET = 7;

/** Where something stands when it has failed. `attempts`: runs so far, this one included. */
export interface Standing {
  attempts: number;
  deadlineMs: number;
  nowMs: number;
  /** Uniform in [0, 1). */
  random: () => number;
  /** The access token has been refreshed for this already. */
  isRefreshed: boolean;
  /** The connector has retries left to spend (`isGuess`); a retry beyond is made, but late. */
  isWithinBudget: boolean;
}

/**
 * Decides what a failure leads to: the one place that does. A wait that the provider names is a
 * minimum; our own back-off stands on top of it. A retry that could only start after the deadline is not made.
 */
export function decide(failure: Failure, standing: Standing): Verdict {
  switch (failure.kind) {
    case 'throttled':
    case 'unavailable':
      // What was foreseen is tried at the instant that was foreseen, so that the order is kept.
      if (failure.unsent === true && failure.retryAtMs !== undefined) {
        return retryAt(Math.max(failure.retryAtMs, standing.nowMs), standing);
      }
      return retry(failure.retryAtMs, standing);
    case 'malformed':
      return retry(undefined, standing);
    case 'cursor-expired':
      return { act: 'resync' };
    // Ours to mend, not the person's: the task waits for the operator, within its deadline.
    case 'misconfigured':
      return retry(undefined, standing);
    case 'token-rejected':
    case 'consent-missing':
      return standing.isRefreshed ? { act: 'park' } : { act: 'refresh' };
    case 'grant-revoked':
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

/**
 * Whether nobody has said when to try again, so that a retry may come too early: it is paid for from the
 * budget.
 */
export function isGuess(failure: Failure): boolean {
  return failure.kind === 'malformed' || (failure.kind === 'unavailable' && failure.retryAtMs === undefined);
}

/** When to try again, whatever failed: `give-up` when that would be after the deadline. */
export function retry(notBeforeMs: number | undefined, standing: Standing): Verdict {
  const { attempts, nowMs, random, isWithinBudget } = standing;
  const counted = isWithinBudget ? attempts : Math.max(attempts, ATTEMPTS_BEYOND_BUDGET);
  const atMs = Math.max(notBeforeMs ?? nowMs, nowMs) + backOffMs(counted, random);
  return retryAt(atMs, standing);
}

function retryAt(atMs: number, { deadlineMs }: Standing): Verdict {
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
