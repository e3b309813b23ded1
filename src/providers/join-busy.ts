import { ok, type Outcome } from '../domain/failure.ts';
import type { Interval } from '../domain/interval.ts';

/**
 * The busy times of one calendar that was read in pieces, a further piece added. It is read only if
 * every piece is: the first failure stands for all.
 */
export function joinBusy(
  before: Outcome<Interval[]> | undefined,
  next: Outcome<Interval[]>,
): Outcome<Interval[]> {
  if (before === undefined) return next;
  if (!before.ok) return before;
  return next.ok ? ok([...before.value, ...next.value]) : next;
}
