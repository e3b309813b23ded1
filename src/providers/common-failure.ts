import { describeFailure, type Failure, type Outcome } from '../domain/failure.ts';

/** One call that was made to read calendars. Its answer may still hold failures of single calendars. */
export interface CalendarCall {
  calendars: readonly string[];
  answer: Outcome<unknown>;
}

/**
 * The failure of the whole question, if it has one: a refused token in any call, so that it can be
 * refreshed; or the failure of the calls, when it keeps each of `calendars` from being known and is alike
 * in all: of one kind, or each such that it may pass. Of several, the one to wait for longest.
 */
export function findCommonFailure(
  calendars: readonly string[],
  calls: readonly CalendarCall[],
): Failure | undefined {
  const failures = calls.flatMap(({ answer }) => (answer.ok ? [] : [answer.failure]));
  const refused = failures.find(({ kind }) => kind === 'token-rejected');
  if (refused !== undefined) return refused;
  const [first] = failures;
  if (first === undefined || !failures.every((failure) => isAlike(failure, first))) return undefined;
  const unread = new Set(calls.flatMap((call) => (call.answer.ok ? [] : call.calendars)));
  if (!calendars.every((calendar) => unread.has(calendar))) return undefined;
  return failures.reduce(
    (longest, failure) => (waitOf(failure) > waitOf(longest) ? failure : longest),
    first,
  );
}

function isAlike(one: Failure, other: Failure): boolean {
  return one.kind === other.kind || (describeFailure(one).retryable && describeFailure(other).retryable);
}

function waitOf(failure: Failure): number {
  return 'retryAtMs' in failure ? (failure.retryAtMs ?? 0) : 0;
}
