import * as z from 'zod';
import { eventRecordSchema } from '../domain/event.ts';
import { taskErrorSchema } from '../domain/failure.ts';
import { type GroupHoldRecord, type GroupHoldRequest, groupStateSchema } from '../domain/hold.ts';
import { formatInstant, parseInstant } from '../domain/time-zone.ts';

const slotSchema = z.object({
  connectorId: z.string(),
  calendarId: z.exactOptional(z.string()),
  state: z.enum(['waiting', 'held', 'confirmed', 'released', 'stuck']),
  /** Tasks of this slot that have failed and are tried again, each under another name. */
  failures: z.int(),
  /** A task of this slot has been handed to its connector, whatever came of it. */
  isTried: z.boolean(),
  eventId: z.exactOptional(z.string()),
  event: z.exactOptional(eventRecordSchema),
});
export type GroupSlot = z.infer<typeof slotSchema>;

const askedSchema = z.object({
  start: z.string(),
  end: z.string(),
  timeZone: z.string(),
  ttlSeconds: z.number(),
  onConflict: z.enum(['reject', 'allow']),
});

/** What the group is to become, as it is handed on to its connectors. */
const confirmationSchema = z.object({
  summary: z.string(),
  description: z.exactOptional(z.string()),
  location: z.exactOptional(z.string()),
  attendees: z.exactOptional(z.array(z.object({ email: z.string() }))),
  notify: z.exactOptional(z.enum(['all', 'none'])),
});
export type GroupConfirmation = z.infer<typeof confirmationSchema>;

/** Why a group was not held or not confirmed: what its connector said. */
export const groupErrorSchema = taskErrorSchema.extend({ connectorId: z.exactOptional(z.string()) });
export type GroupError = z.infer<typeof groupErrorSchema>;

/**
 * What a group keeps, version 1. `round` names this holding: its tasks, and its holds on the connectors, so
 * that none is ever taken for one of another holding. `slots` stand in the order of the request, the first is
 * the one that invites. Without `asked`: cancelled before it was ever placed.
 * Times are epoch milliseconds.
 */
export const groupSchema = z.object({
  version: z.literal(1),
  holdId: z.string(),
  round: z.string(),
  /** The caller's `Idempotency-Key` of this holding. */
  key: z.exactOptional(z.string()),
  phase: groupStateSchema,
  /** What it is once it has been let go everywhere. */
  endsAs: z.enum(['cancelled', 'expired']),
  asked: z.exactOptional(askedSchema),
  slots: z.array(slotSchema),
  confirmation: z.exactOptional(confirmationSchema),
  /** What stopped it, for those who ask. */
  error: z.exactOptional(groupErrorSchema),
  startedAtMs: z.number(),
  /** When the first of its holds runs out. */
  expiresAtMs: z.exactOptional(z.number()),
  /** Tries in a row that came to nothing. */
  attempts: z.int(),
  /** When nothing of a group that is over is kept any more. */
  forgetAtMs: z.exactOptional(z.number()),
});
export type Group = z.infer<typeof groupSchema>;

/** A group that is about to be placed. */
export function beginGroup(
  request: GroupHoldRequest,
  { round, key }: { round: string; key: string | undefined },
  nowMs: number,
): Group {
  const { holdId, slots, ...asked } = request;
  return {
    version: 1,
    holdId,
    round,
    ...(key !== undefined && { key }),
    phase: 'placing',
    endsAs: 'cancelled',
    asked,
    slots: slots.map((slot) => ({ ...slot, state: 'waiting', isTried: false, failures: 0 })),
    startedAtMs: nowMs,
    attempts: 0,
  };
}

/** The id under which each connector knows its part: of this holding alone. */
export function ownHoldId({ round }: Group): string {
  return `group:${round}`;
}

/** There are steps to take. */
export function isMoving({ phase }: Group): boolean {
  return phase === 'placing' || phase === 'confirming' || phase === 'releasing';
}

/** It has been let go everywhere. */
export function isOver({ phase }: Group): boolean {
  return phase === 'cancelled' || phase === 'expired';
}

/** The order in which connectors are asked, the same in every group: two groups do not take turns in each other's way. */
export function inOrderOfIds(slots: readonly GroupSlot[]): GroupSlot[] {
  return slots.toSorted((a, b) => (a.connectorId < b.connectorId ? -1 : 1));
}

/** The group with this slot as it stands now. */
export function withSlot(group: Group, changed: GroupSlot): Group {
  const { connectorId } = changed;
  return {
    ...group,
    slots: group.slots.map((slot) => (slot.connectorId === connectorId ? changed : slot)),
  };
}

/** One connector has refused: all let go, for what it was asked itself may still have come through. */
export function stop(group: Group, error: GroupError): Group {
  return { ...group, phase: 'releasing', error, attempts: 0 };
}

/** Whether a request asks for what the group is: then it is a repeat. */
export function isSameRequest({ asked, slots }: Group, request: GroupHoldRequest): boolean {
  if (asked === undefined) return false;
  const instants = ({ start, end, timeZone }: { start: string; end: string; timeZone: string }) =>
    [parseInstant(start, timeZone), parseInstant(end, timeZone)].join();
  const places = (list: readonly { connectorId: string; calendarId?: string }[]) =>
    JSON.stringify(list.map(({ connectorId, calendarId }) => [connectorId, calendarId]));
  return instants(asked) === instants(request) && places(slots) === places(request.slots);
}

/** Whether it is, or is about to become, just this. */
export function isSameConfirmation({ confirmation }: Group, asked: GroupConfirmation): boolean {
  const tell = (one: GroupConfirmation | undefined) =>
    JSON.stringify([one?.summary, one?.description, one?.location, one?.attendees, one?.notify]);
  return tell(confirmation) === tell(asked);
}

/** A group as callers are told of it. */
export function presentGroup({ holdId, phase, endsAs, asked, slots, expiresAtMs }: Group): GroupHoldRecord {
  const tell = (text: string, timeZone: string) => {
    const atMs = parseInstant(text, timeZone);
    return typeof atMs === 'number' ? formatInstant(atMs, timeZone) : text;
  };
  return {
    holdId,
    // Its time is over, whether or not every calendar shows it yet.
    state: phase === 'releasing' && endsAs === 'expired' ? 'expired' : phase,
    ...(asked !== undefined && {
      start: tell(asked.start, asked.timeZone),
      end: tell(asked.end, asked.timeZone),
      ...(expiresAtMs !== undefined && { expiresAt: formatInstant(expiresAtMs, asked.timeZone) }),
    }),
    slots: slots.map(({ connectorId, calendarId, state, eventId, event }) => ({
      connectorId,
      state,
      ...(calendarId !== undefined && { calendarId }),
      ...(eventId !== undefined && { eventId }),
      ...(event !== undefined && { event }),
    })),
  };
}
