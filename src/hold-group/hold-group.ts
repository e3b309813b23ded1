import type { Performance } from '../connector/actor.ts';
import { Sequence } from '../connector/sequence.ts';
import { backOffMs } from '../connector/verdict.ts';
import { describeFailure, type Failure, type Outcome } from '../domain/failure.ts';
import {
  DEFAULT_TTL_SECONDS,
  type GroupHoldRecord,
  type GroupHoldRequest,
  holdRecordSchema,
} from '../domain/hold.ts';
import type { CalendarTask, TaskType } from '../domain/task.ts';
import {
  beginGroup,
  type Group,
  type GroupConfirmation,
  type GroupError,
  type GroupSlot,
  isSameRequest,
  presentGroup,
} from './group-state.ts';

/** How long one connector may take before the alarm goes on asking. */
const PATIENCE_MS = 20_000;
/** How long the connectors may take to hold a time, and to confirm it, before it counts as refused. */
const PLACE_WITHIN_MS = 60_000;
const CONFIRM_WITHIN_MS = 10 * 60_000;
/** How long a connector is asked to let go; its hold runs out by itself. */
const RELEASE_WITHIN_MS = 24 * 60 * 60_000;
/** How long a group that is over is remembered. */
const KEPT_MS = 24 * 60 * 60_000;
/** While something is going on, the alarm looks after it this often. */
const WATCH_MS = 5_000;

/** What a group touches outside itself. */
export interface HoldGroupParts {
  /** What it keeps; `write` is synchronous and durable. */
  shelf: { read(): Group | undefined; write(group: Group): void };
  /** Erases what it keeps, and its alarm. */
  wipe: () => Promise<void>;
  /** Its one alarm, epoch milliseconds. */
  setAlarm: (atMs: number) => Promise<void>;
  /** Has a connector carry out a task, waiting at most so long for its end; may throw. */
  perform: (task: CalendarTask & { id: string }, waitMs: number) => Promise<Outcome<Performance>>;
  now: () => number;
  random: () => number;
  randomId: () => string;
}

/** What a group answers: how it stands, or what stopped it. `isRepeat`: it stood so before it was asked. */
export type GroupAnswer =
  { ok: true; value: { hold: GroupHoldRecord; isRepeat: boolean } } | { ok: false; error: GroupError };

/** What came of a task of a slot: its result, its error, or nothing yet. */
type Attempt = { end: 'done'; result: unknown } | { end: 'failed'; error: GroupError } | { end: 'pending' };

/**
 * One hold over several connectors, all or nothing: a saga. Each step is written down before it is taken,
 * is a task of the connector under a name of its own, and so may be taken again; the alarm goes on with
 * what a crash or a slow provider has left open. Connectors are asked in the order of their ids, so that of
 * two groups that want the same time one gets it.
 */
export class HoldGroup {
  readonly #parts: HoldGroupParts;
  readonly #turns = new Sequence();

  constructor(parts: HoldGroupParts) {
    this.#parts = parts;
  }

  /** Holds the time on every connector, or on none. The same request again is the same hold while it lasts. */
  place(request: GroupHoldRequest): Promise<GroupAnswer> {
    return this.#turns.run(async () => {
      const { now, randomId, shelf } = this.#parts;
      const known = await this.#advance();
      if (known !== undefined && !isOver(known)) {
        return isSameRequest(known, request)
          ? this.#answer(known, true)
          : refuse({ kind: 'mismatch', what: `hold ${request.holdId}` });
      }
      if (known?.asked === undefined && known?.forgetAtMs !== undefined && now() < known.forgetAtMs) {
        return tell(known, true);
      }
      shelf.write(beginGroup(request, randomId(), now()));
      return this.#answer(await this.#advance(), false);
    });
  }

  /** How the hold stands. */
  show(): Promise<GroupAnswer> {
    return this.#turns.run(async () => {
      const known = this.#lapse();
      return known === undefined ? unknown() : tell(known, true);
    });
  }

  /** Lets go on every connector. Idempotent; what was never placed is remembered for a while. */
  cancel(holdId: string): Promise<GroupAnswer> {
    return this.#turns.run(async () => {
      const { shelf, now, randomId } = this.#parts;
      const known = this.#lapse();
      if (known === undefined || (known.asked === undefined && isOver(known))) {
        const forgetAtMs = now() + DEFAULT_TTL_SECONDS * 1000;
        const cancelled: Group = {
          version: 1,
          holdId,
          round: randomId(),
          phase: 'cancelled',
          slots: [],
          startedAtMs: now(),
          attempts: 0,
          forgetAtMs,
        };
        shelf.write(cancelled);
        await this.#parts.setAlarm(forgetAtMs);
        return tell(cancelled, true);
      }
      if (known.phase === 'confirmed') return refuse({ kind: 'hold-over', state: 'confirmed' });
      if (isOver(known)) return tell(known, true);
      const { error: _, ...rest } = known;
      shelf.write({ ...rest, phase: 'releasing', startedAtMs: now(), attempts: 0 });
      const released = await this.#advance();
      return tell(released ?? known, false);
    });
  }

  /**
   * Turns the hold into the event on every connector, or lets it go on all of them. The entry of the first
   * slot invites the attendees, and is confirmed last; the others are the people's own.
   */
  confirm(confirmation: GroupConfirmation): Promise<GroupAnswer> {
    return this.#turns.run(async () => {
      const { shelf, now } = this.#parts;
      const known = this.#lapse();
      switch (known?.phase) {
        case undefined:
          return unknown();
        case 'placing':
          return refuse({ kind: 'unavailable', ambiguous: false });
        case 'confirmed':
          return tell(known, true);
        case 'releasing':
        case 'cancelled':
          return refuse({ kind: 'hold-over', state: 'cancelled' });
        case 'expired':
          return refuse({ kind: 'hold-over', state: 'expired' });
        case 'held':
          shelf.write({ ...known, phase: 'confirming', confirmation, startedAtMs: now(), attempts: 0 });
          return this.#answer(await this.#advance(), false);
        case 'confirming':
          return this.#answer(await this.#advance(), false);
      }
    });
  }

  /** Goes on with what is open; erases what was over long ago. */
  async alarm(): Promise<void> {
    await this.#turns.run(async () => {
      const group = await this.#advance();
      if (group?.forgetAtMs !== undefined && this.#parts.now() >= group.forgetAtMs) await this.#parts.wipe();
    });
  }

  #answer(group: Group | undefined, isRepeat: boolean): GroupAnswer {
    if (group === undefined) return unknown();
    const isStopped = group.phase === 'releasing' || group.phase === 'cancelled';
    return isStopped && group.error !== undefined ? { ok: false, error: group.error } : tell(group, isRepeat);
  }

  /** The group as it stands now: one whose time has run out has expired, as its holds have by themselves. */
  #lapse(): Group | undefined {
    const { shelf, now } = this.#parts;
    const group = shelf.read();
    if (group?.phase !== 'held' || group.expiresAtMs === undefined || now() < group.expiresAtMs) return group;
    const expired: Group = { ...group, phase: 'expired', forgetAtMs: now() + KEPT_MS };
    shelf.write(expired);
    return expired;
  }

  /** Takes the steps that are open, as far as the connectors answer, and sets the alarm for the rest. */
  async #advance(): Promise<Group | undefined> {
    const { shelf, now, random, setAlarm } = this.#parts;
    let group = this.#lapse();
    if (group === undefined) return undefined;
    if (isMoving(group)) await setAlarm(now() + WATCH_MS);
    while (isMoving(group)) {
      // Each step needs what came of the one before it.
      // oxlint-disable-next-line no-await-in-loop
      const next = await this.#step(group);
      const isStuck = next === undefined;
      group = next ?? { ...group, attempts: group.attempts + 1 };
      shelf.write(group);
      if (isStuck) break;
    }
    const wakeAtMs = isMoving(group)
      ? now() + 1_000 + backOffMs(group.attempts, random)
      : (group.forgetAtMs ?? group.expiresAtMs);
    if (wakeAtMs !== undefined) await setAlarm(Math.max(wakeAtMs, now() + 1));
    return group;
  }

  /** The group after one more step; undefined when a connector has not come to an end with its part yet. */
  async #step(group: Group): Promise<Group | undefined> {
    switch (group.phase) {
      case 'placing':
        return await this.#placeNext(group);
      case 'confirming':
        return await this.#confirmNext(group);
      case 'releasing':
        return await this.#releaseNext(group);
      case 'held':
      case 'confirmed':
      case 'cancelled':
      case 'expired':
        return group;
    }
  }

  async #placeNext(group: Group): Promise<Group | undefined> {
    const { asked, holdId, startedAtMs } = group;
    const slot = inOrderOfIds(group.slots).find(({ state }) => state === 'waiting');
    if (slot === undefined || asked === undefined) return { ...group, phase: 'held' };
    // Written down before it is asked: after a crash nobody could tell whether it was.
    if (!slot.isTried) return withSlot(group, { ...slot, isTried: true });
    const { connectorId, calendarId } = slot;
    const payload = { holdId, ...asked, ...(calendarId !== undefined && { calendarId }) };
    const placed = await this.#attempt(group, slot, 'place-hold', payload, startedAtMs + PLACE_WITHIN_MS);
    if (placed.end === 'pending') return undefined;
    if (placed.end === 'failed') return stop(group, placed.error);
    const { state, eventId, expiresAt } = holdRecordSchema.parse(placed.result);
    if (state !== 'held' && state !== 'confirmed') {
      const error = describeFailure({ kind: 'hold-over', state });
      return stop(group, { ...error, connectorId });
    }
    const expiresAtMs = Math.min(group.expiresAtMs ?? Infinity, Date.parse(expiresAt ?? ''));
    const held = withSlot(group, {
      ...slot,
      state: 'held',
      ...(eventId !== undefined && { eventId }),
    });
    return { ...held, attempts: 0, ...(Number.isFinite(expiresAtMs) && { expiresAtMs }) };
  }

  async #confirmNext(group: Group): Promise<Group | undefined> {
    const { confirmation, holdId, startedAtMs } = group;
    const [first, ...others] = group.slots;
    const slot = [...inOrderOfIds(others), ...(first === undefined ? [] : [first])].find(
      ({ state }) => state === 'held',
    );
    if (slot === undefined || confirmation === undefined) {
      return { ...group, phase: 'confirmed', forgetAtMs: this.#parts.now() + KEPT_MS };
    }
    // Who is invited is invited once: by the first.
    const { attendees: _, ...withoutGuests } = confirmation;
    const payload = { holdId, ...(slot.connectorId === first?.connectorId ? confirmation : withoutGuests) };
    const deadlineMs = startedAtMs + CONFIRM_WITHIN_MS;
    const confirmed = await this.#attempt(group, slot, 'confirm-hold', payload, deadlineMs);
    if (confirmed.end === 'pending') return undefined;
    if (confirmed.end === 'failed') return stop(group, confirmed.error);
    const { event } = holdRecordSchema.parse(confirmed.result);
    const after = withSlot(group, { ...slot, state: 'confirmed', ...(event !== undefined && { event }) });
    return { ...after, attempts: 0 };
  }

  /** What was never handed to a connector needs no letting go. */
  async #releaseNext(group: Group): Promise<Group | undefined> {
    const { holdId, startedAtMs } = group;
    const slot = group.slots.find(({ state }) => state !== 'released');
    if (slot === undefined) {
      return { ...group, phase: 'cancelled', forgetAtMs: this.#parts.now() + KEPT_MS };
    }
    const released = { ...withSlot(group, { ...slot, state: 'released' }), attempts: 0 };
    if (!slot.isTried) return released;
    const deadlineMs = startedAtMs + RELEASE_WITHIN_MS;
    const cancelled = await this.#attempt(group, slot, 'cancel-hold', { holdId }, deadlineMs);
    if (cancelled.end === 'pending') return undefined;
    const isConfirmed = cancelled.end === 'failed' && cancelled.error.code === 'conflict';
    if (!isConfirmed || slot.eventId === undefined) return released;
    // It has become an event, though its connector did not say so in time.
    const { eventId, calendarId } = slot;
    const payload = { eventId, ...(calendarId !== undefined && { calendarId }) };
    const undone = await this.#attempt(group, slot, 'cancel-event', payload, deadlineMs);
    return undone.end === 'pending' ? undefined : released;
  }

  /** Has the slot's connector carry a task out, under a name that makes a repeat the same task. */
  async #attempt(
    { round }: Group,
    { connectorId }: GroupSlot,
    type: TaskType,
    payload: object,
    deadlineMs: number,
  ): Promise<Attempt> {
    const task = { id: `${round}:${type}`, type, connectorId, payload, deadlineMs };
    try {
      const performed = await this.#parts.perform(task, PATIENCE_MS);
      if (!performed.ok)
        return { end: 'failed', error: { ...describeFailure(performed.failure), connectorId } };
      const { state, result, error } = performed.value.report;
      if (state === 'done') return { end: 'done', result };
      if (state === 'failed' && error !== undefined)
        return { end: 'failed', error: { ...error, connectorId } };
      return { end: 'pending' };
    } catch {
      // Not reached, or not known whether it was: asked again under the same name, until its deadline.
      if (this.#parts.now() < deadlineMs) return { end: 'pending' };
      const error = describeFailure({ kind: 'unavailable', ambiguous: true });
      return { end: 'failed', error: { ...error, connectorId } };
    }
  }
}

function isMoving({ phase }: Group): boolean {
  return phase === 'placing' || phase === 'confirming' || phase === 'releasing';
}

function isOver({ phase }: Group): boolean {
  return phase === 'cancelled' || phase === 'expired';
}

function inOrderOfIds(slots: readonly GroupSlot[]): GroupSlot[] {
  return slots.toSorted((a, b) => (a.connectorId < b.connectorId ? -1 : 1));
}

function withSlot(group: Group, changed: GroupSlot): Group {
  const { connectorId } = changed;
  return {
    ...group,
    slots: group.slots.map((slot) => (slot.connectorId === connectorId ? changed : slot)),
  };
}

/** One connector has refused: all let go, for what it was asked itself may still have come through. */
function stop(group: Group, error: GroupError): Group {
  return { ...group, phase: 'releasing', error, attempts: 0 };
}

function tell(group: Group, isRepeat: boolean): GroupAnswer {
  return { ok: true, value: { hold: presentGroup(group), isRepeat } };
}

function refuse(failure: Failure): GroupAnswer {
  return { ok: false, error: describeFailure(failure) };
}

function unknown(): GroupAnswer {
  return refuse({ kind: 'not-found', what: 'hold' });
}
