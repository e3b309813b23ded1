import type { BusyReport } from '../domain/availability.ts';
import type { EventDraft } from '../domain/event.ts';
import { describeFailure, fail, ok, type Outcome } from '../domain/failure.ts';
import {
  confirmHoldRequestSchema,
  type HoldRecord,
  type HoldRequest,
  placeHoldRequestSchema,
} from '../domain/hold.ts';
import { clipIntervals, type Interval, mergeIntervals } from '../domain/interval.ts';
import type { TaskType } from '../domain/task.ts';
import { formatInstant } from '../domain/time-zone.ts';
import type { Hold, Placed } from './hold-book.ts';

/** What the person reads in their calendar. */
const SUMMARY = 'Hold (not confirmed yet)';

/** The hold that a task is to place or to confirm. */
export function holdIdOf({ type, payload }: { type: TaskType; payload: unknown }): string | undefined {
  if (type === 'place-hold') return placeHoldRequestSchema.parse(payload).request.holdId;
  if (type === 'confirm-hold') return confirmHoldRequestSchema.parse(payload).confirmation.holdId;
  return undefined;
}

/** It is held no more, and has not become an event. */
export function isOver({ state }: Hold): boolean {
  return state === 'cancelled' || state === 'expired';
}

/** The event that stands for a hold: tentative and private at the provider, told to nobody. */
export function draftOf(holdId: string, { slot, groupId }: Placed): EventDraft {
  const { startMs, endMs, timeZone, calendarId } = slot;
  return {
    summary: SUMMARY,
    time: { kind: 'timed', startMs, endMs, timeZone },
    attendees: [],
    recurrence: [],
    notify: 'none',
    conference: false,
    holdId: groupId ?? holdId,
    ...(calendarId !== undefined && { calendarId }),
  };
}

/** Whether both are the same time of the same calendar. */
export function isSameSlot(one: Placed['slot'], other: Placed['slot']): boolean {
  return one.startMs === other.startMs && one.endMs === other.endMs && one.calendarId === other.calendarId;
}

/** The parts of the asked time that are taken, and no more: what else the others hold is not the caller's. */
export function conflict({ slot }: HoldRequest, taken: readonly Interval[]): Outcome<never> {
  const parts = mergeIntervals(clipIntervals(taken, slot));
  return fail({ kind: 'conflict', with: parts, timeZone: slot.timeZone });
}

/** Free only if every calendar could be read: a gap that may close is worth another try, any other is the answer. */
export function judgeGaps({ calendars }: BusyReport, named: readonly string[] = []): Outcome<void> {
  const gaps = calendars.flatMap(({ id, busy }) => (busy.ok ? [] : [{ id, failure: busy.failure }]));
  const passing = gaps.find(({ failure }) => describeFailure(failure).retryable);
  if (passing !== undefined) return fail(passing.failure);
  const absent = gaps.find(({ id, failure }) => failure.kind === 'not-found' && named.includes(id));
  if (absent !== undefined) return fail({ kind: 'not-found', what: `calendar ${absent.id}` });
  return gaps.length === 0
    ? ok(undefined)
    : fail({ kind: 'unknown-busy', calendars: gaps.map(({ id }) => id) });
}

/** A hold as callers are told of it: on its way in either direction it is held. */
export function present({ holdId, state, placed, event, expiresAtMs }: Hold): HoldRecord {
  const shown = state === 'placing' || state === 'confirming' ? 'held' : state;
  if (placed === undefined) return { holdId, state: shown };
  const { startMs, endMs, timeZone } = placed.slot;
  return {
    holdId,
    state: shown,
    ...(placed.groupId !== undefined && { groupId: placed.groupId }),
    ...(placed.eventId !== undefined && { eventId: placed.eventId }),
    start: formatInstant(startMs, timeZone),
    end: formatInstant(endMs, timeZone),
    expiresAt: formatInstant(expiresAtMs, timeZone),
    ...(event !== undefined && { event }),
  };
}
