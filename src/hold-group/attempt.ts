import type { Performance } from '../connector/actor.ts';
import { describeFailure, type Outcome } from '../domain/failure.ts';
import type { CalendarTask, TaskType } from '../domain/task.ts';
import type { Group, GroupError, GroupSlot } from './group-state.ts';

/** How long one connector may take before the alarm goes on asking. */
const PATIENCE_MS = 8_000;

/** Has a connector carry out a task, waiting at most so long for its end; may throw. */
export type Perform = (task: CalendarTask & { id: string }, waitMs: number) => Promise<Outcome<Performance>>;

/** What came of a task of a slot: its result, its error, or nothing yet. */
export type Attempt =
  { end: 'done'; result: unknown } | { end: 'failed'; error: GroupError } | { end: 'pending' };

/**
 * Has the slot's connector carry a task out, under a name that makes a repeat the same task. What cannot be
 * handed over is pending until the deadline, and failed from then on.
 */
export async function attemptTask(
  { perform, now }: { perform: Perform; now: () => number },
  { round }: Group,
  { connectorId, failures }: GroupSlot,
  type: TaskType,
  payload: object,
  deadlineMs: number,
): Promise<Attempt> {
  const name = failures === 0 ? type : `${type}:${failures}`;
  const task = { id: `${round}:${name}`, type, connectorId, payload, deadlineMs };
  try {
    const performed = await perform(task, PATIENCE_MS);
    if (!performed.ok) {
      // A deploy that went wrong for a minute is no answer of the connector's.
      if (performed.failure.kind === 'misconfigured' && now() < deadlineMs) return { end: 'pending' };
      return { end: 'failed', error: { ...describeFailure(performed.failure), connectorId } };
    }
    const { state, result, error } = performed.value.report;
    if (state === 'done') return { end: 'done', result };
    if (state === 'failed' && error !== undefined) return { end: 'failed', error: { ...error, connectorId } };
    return { end: 'pending' };
  } catch {
    // Not reached, or not known whether it was: asked again under the same name.
    if (now() < deadlineMs) return { end: 'pending' };
    const error = describeFailure({ kind: 'unavailable', ambiguous: true });
    return { end: 'failed', error: { ...error, connectorId } };
  }
}
