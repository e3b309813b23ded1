import { Sequence } from '../connector/sequence.ts';
import { backOffMs } from '../connector/verdict.ts';
import { describeFailure, type ErrorCode, type Failure } from '../domain/failure.ts';
import {
  DEFAULT_TTL_SECONDS,
  LONGEST_TTL_SECONDS,
  type GroupHoldRecord,
  type GroupHoldRequest,
  holdRecordSchema,
} from '../domain/hold.ts';
import { attemptTask, type Perform } from './attempt.ts';
import {
  beginGroup,
  type Group,
  type GroupConfirmation,
  type GroupError,
  type GroupSlot,
  inOrderOfIds,
  isMoving,
  isOver,
  isSameConfirmation,
  isSameRequest,
  ownHoldId,
  presentGroup,
  stop,
  withSlot,
} from './group-state.ts';

/** How long the connectors may take together before the alarm goes on asking. */
const BUDGET_MS = 15_000;
/** How long the connectors may take to hold a time, and to confirm it, before it counts as refused. */
const PLACE_WITHIN_MS = 60_000;
const CONFIRM_WITHIN_MS = 10 * 60_000;
/** How long a connector is asked to take back what it has confirmed. */
const RELEASE_WITHIN_MS = 24 * 60 * 60_000;
/** Connectors hold so much longer than the group, so that none lets go while the group is being confirmed. */
const GRACE_SECONDS = 60;
/** How long a group that is over is remembered. */
const KEPT_MS = 24 * 60 * 60_000;
/** While something is going on, the alarm looks after it this often. */
const WATCH_MS = 5_000;

/** What passes: the operator mends it, the person reconnects, the provider recovers. */
const PASSING: readonly ErrorCode[] = [
  'reauth_required',
  'consent_missing',
  'misconfigured',
  'provider_unavailable',
  'rate_limited',
];

/** What a group touches outside itself. */
export interface HoldGroupParts {
  /** What it keeps; `write` is synchronous and durable. */
  shelf: { read(): Group | undefined; write(group: Group): void };
  /** Erases what it keeps, and its alarm. */
  wipe: () => Promise<void>;
  /** Its one alarm, epoch milliseconds. */
  setAlarm: (atMs: number) => Promise<void>;
  /** Has a connector carry out a task, waiting at most so long for its end; may throw. */
  perform: Perform;
  now: () => number;
  random: () => number;
  randomId: () => string;
}

/** What a group answers: how it stands, or what stopped it. `isRepeat`: it stood so before it was asked. */
export type GroupAnswer =
  { ok: true; value: { hold: GroupHoldRecord; isRepeat: boolean } } | { ok: false; error: GroupError };

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

  /**
   * Holds the time on every connector, or on none. The same request again is the same hold while it lasts;
   * with the same `key` also when it is over.
   */
  place(request: GroupHoldRequest, key?: string): Promise<GroupAnswer> {
    return this.#turns.run(async () => {
      const { now, randomId, shelf } = this.#parts;
      const known = await this.#advance();
      if (known !== undefined) {
        const isRepeat = isSameRequest(known, request);
        const isSameKey = key !== undefined && known.key === key;
        if (!isOver(known) || isSameKey) {
          return isRepeat
            ? this.#answer(known, true)
            : refuse({ kind: 'mismatch', what: `hold ${request.holdId}` });
        }
        const isForestalled = known.asked === undefined && now() < (known.forgetAtMs ?? 0);
        if (isForestalled) return tell(known, true);
      }
      shelf.write(beginGroup(request, { round: randomId(), key }, now()));
      return this.#answer(await this.#advance(), false);
    });
  }

  /** How the hold stands. Waits for nothing that is under way. */
  show(): GroupAnswer {
    const known = this.#parts.shelf.read();
    if (known === undefined) return unknown();
    return tell(this.#hasRunOut(known) ? { ...known, phase: 'expired' } : known, true);
  }

  /** Lets go on every connector. Idempotent; what was never placed is remembered for a while. */
  cancel(holdId: string): Promise<GroupAnswer> {
    return this.#turns.run(async () => {
      const { shelf, now, randomId, setAlarm } = this.#parts;
      const known = this.#lapse();
      if (known === undefined || (known.asked === undefined && isOver(known))) {
        const forgetAtMs = now() + DEFAULT_TTL_SECONDS * 1000;
        const cancelled: Group = {
          version: 1,
          holdId,
          round: randomId(),
          phase: 'cancelled',
          endsAs: 'cancelled',
          slots: [],
          startedAtMs: now(),
          attempts: 0,
          forgetAtMs,
        };
        shelf.write(cancelled);
        await setAlarm(forgetAtMs);
        return tell(cancelled, true);
      }
      if (known.phase === 'confirmed') return refuse({ kind: 'hold-over', state: 'confirmed' });
      if (isOver(known)) return tell(known, true);
      if (known.phase !== 'releasing') {
        const { error: _, ...rest } = known;
        shelf.write({ ...rest, phase: 'releasing', startedAtMs: now(), attempts: 0 });
      }
      return tell((await this.#advance()) ?? known, false);
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
          return isSameConfirmation(known, confirmation)
            ? tell(known, true)
            : refuse({ kind: 'mismatch', what: 'the hold, which is confirmed already' });
        case 'releasing':
        case 'cancelled':
          return refuse({ kind: 'hold-over', state: 'cancelled' });
        case 'expired':
          return refuse({ kind: 'hold-over', state: 'expired' });
        case 'held':
          shelf.write({ ...known, phase: 'confirming', confirmation, startedAtMs: now(), attempts: 0 });
          return this.#answer(await this.#advance(), false);
        case 'confirming':
          return isSameConfirmation(known, confirmation)
            ? this.#answer(await this.#advance(), false)
            : refuse({ kind: 'mismatch', what: 'the hold, which is being confirmed' });
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

  #hasRunOut({ phase, expiresAtMs }: Group): boolean {
    return phase === 'held' && expiresAtMs !== undefined && this.#parts.now() >= expiresAtMs;
  }

  /** The group as it stands now: one whose time has run out is let go on every connector. */
  #lapse(): Group | undefined {
    const { shelf, now } = this.#parts;
    const group = shelf.read();
    if (group === undefined || !this.#hasRunOut(group)) return group;
    const over: Group = { ...group, phase: 'releasing', endsAs: 'expired', startedAtMs: now(), attempts: 0 };
    shelf.write(over);
    return over;
  }

  /** Takes the steps that are open, as far as the connectors answer in time, and sets the alarm for the rest. */
  async #advance(): Promise<Group | undefined> {
    const { shelf, now, random, setAlarm } = this.#parts;
    const untilMs = now() + BUDGET_MS;
    let group = this.#lapse();
    if (group === undefined) return undefined;
    if (isMoving(group)) await setAlarm(now() + WATCH_MS);
    while (isMoving(group) && now() < untilMs) {
      // Each step needs what came of the one before it.
      // oxlint-disable-next-line no-await-in-loop
      const next = await this.#step(group);
      group = next.isStuck ? { ...next.group, attempts: next.group.attempts + 1 } : next.group;
      shelf.write(group);
      if (next.isStuck) break;
    }
    const wakeAtMs = isMoving(group)
      ? now() + 1_000 + backOffMs(group.attempts, random)
      : (group.forgetAtMs ?? group.expiresAtMs);
    if (wakeAtMs !== undefined) await setAlarm(Math.max(wakeAtMs, now() + 1));
    return group;
  }

  /** The group after one more step; stuck when a connector has not come to an end with its part yet. */
  async #step(group: Group): Promise<Step> {
    switch (group.phase) {
      case 'placing':
        return await this.#placeNext(group);
      case 'confirming':
        return await this.#confirmNext(group);
      case 'releasing':
        return await this.#release(group);
      case 'held':
      case 'confirmed':
      case 'cancelled':
      case 'expired':
        return moved(group);
    }
  }

  async #placeNext(group: Group): Promise<Step> {
    const { asked, holdId, startedAtMs } = group;
    const slot = inOrderOfIds(group.slots).find(({ state }) => state === 'waiting');
    if (slot === undefined || asked === undefined) return moved({ ...group, phase: 'held' });
    // Written down before it is asked: after a crash nobody could tell whether it was.
    if (!slot.isTried) return moved(withSlot(group, { ...slot, isTried: true }));
    const { connectorId, calendarId } = slot;
    const ttlSeconds = Math.min(asked.ttlSeconds + GRACE_SECONDS, LONGEST_TTL_SECONDS);
    const payload = {
      ...asked,
      ttlSeconds,
      holdId: ownHoldId(group),
      groupId: holdId,
      ...(calendarId !== undefined && { calendarId }),
    };
    const placed = await attemptTask(
      this.#parts,
      group,
      slot,
      'place-hold',
      payload,
      startedAtMs + PLACE_WITHIN_MS,
    );
    if (placed.end === 'pending') return stuck(group);
    if (placed.end === 'failed') return moved(stop(group, placed.error));
    const { state, eventId, expiresAt } = holdRecordSchema.parse(placed.result);
    if (state !== 'held') {
      const error = describeFailure({ kind: 'hold-over', state });
      return moved(stop(group, { ...error, connectorId }));
    }
    const graceMs = (ttlSeconds - asked.ttlSeconds) * 1000;
    const expiresAtMs = Math.min(group.expiresAtMs ?? Infinity, Date.parse(expiresAt ?? '') - graceMs);
    const held = withSlot(group, {
      ...slot,
      state: 'held',
      ...(eventId !== undefined && { eventId }),
    });
    return moved({ ...held, attempts: 0, ...(Number.isFinite(expiresAtMs) && { expiresAtMs }) });
  }

  async #confirmNext(group: Group): Promise<Step> {
    const { confirmation, startedAtMs } = group;
    const [first, ...others] = group.slots;
    const slot = [...inOrderOfIds(others), ...(first === undefined ? [] : [first])].find(
      ({ state }) => state === 'held',
    );
    if (slot === undefined || confirmation === undefined) {
      return moved({ ...group, phase: 'confirmed', forgetAtMs: this.#parts.now() + KEPT_MS });
    }
    // Who is invited is invited once: by the first.
    const { attendees: _, ...withoutGuests } = confirmation;
    const wish = slot.connectorId === first?.connectorId ? confirmation : withoutGuests;
    const payload = { ...wish, holdId: ownHoldId(group) };
    const deadlineMs = startedAtMs + CONFIRM_WITHIN_MS;
    const confirmed = await attemptTask(this.#parts, group, slot, 'confirm-hold', payload, deadlineMs);
    if (confirmed.end === 'pending') return stuck(group);
    if (confirmed.end === 'failed') return moved(stop(group, confirmed.error));
    const { event } = holdRecordSchema.parse(confirmed.result);
    const after = withSlot(group, { ...slot, state: 'confirmed', ...(event !== undefined && { event }) });
    return moved({ ...after, attempts: 0 });
  }

  /** Asks every connector to let go that has not yet; one that does not answer keeps no other from it. */
  async #release(group: Group): Promise<Step> {
    let after = group;
    for (const slot of group.slots) {
      if (slot.state === 'released' || slot.state === 'stuck') continue;
      // One after the other, so that what has been let go is written down.
      // oxlint-disable-next-line no-await-in-loop
      after = withSlot(after, await this.#letGo(after, slot));
      this.#parts.shelf.write(after);
    }
    const isDone = after.slots.every(({ state }) => state === 'released' || state === 'stuck');
    if (!isDone) return stuck(after);
    return moved({ ...after, phase: after.endsAs, forgetAtMs: this.#parts.now() + KEPT_MS });
  }

  /** The slot as it stands after its connector was asked to let go. What it was never asked for needs no letting go. */
  async #letGo(group: Group, slot: GroupSlot): Promise<GroupSlot> {
    const { startedAtMs, endsAs } = group;
    if (!slot.isTried) return { ...slot, state: 'released' };
    const payload = { holdId: ownHoldId(group), ...(endsAs === 'expired' && { hasExpired: true }) };
    const deadlineMs = startedAtMs + RELEASE_WITHIN_MS;
    let undone = await attemptTask(this.#parts, group, slot, 'cancel-hold', payload, deadlineMs);
    let isEvent = slot.state === 'confirmed';
    if (undone.end === 'failed' && undone.error.code === 'conflict' && slot.eventId !== undefined) {
      // It has become an event, whether or not its connector said so in time.
      isEvent = true;
      const { eventId, calendarId } = slot;
      const event = { eventId, ...(calendarId !== undefined && { calendarId }) };
      undone = await attemptTask(this.#parts, group, slot, 'cancel-event', event, deadlineMs);
    }
    if (undone.end === 'pending') return slot;
    if (undone.end === 'done' || undone.error.code === 'not_found') return { ...slot, state: 'released' };
    const mayPass = PASSING.includes(undone.error.code);
    const giveUpAtMs = isEvent ? deadlineMs : this.#runsOutAt(group);
    if (mayPass && this.#parts.now() < giveUpAtMs) return { ...slot, failures: slot.failures + 1 };
    // A hold has run out by itself by then.
    return { ...slot, state: isEvent || !mayPass ? 'stuck' : 'released' };
  }

  /** When the last of its holds has run out by itself. */
  #runsOutAt({ startedAtMs, expiresAtMs, asked }: Group): number {
    const untilMs = expiresAtMs ?? startedAtMs + PLACE_WITHIN_MS + (asked?.ttlSeconds ?? 0) * 1000;
    return untilMs + PLACE_WITHIN_MS + GRACE_SECONDS * 1000;
  }
}

/** A step that was taken: the group after it. */
interface Step {
  group: Group;
  isStuck: boolean;
}

function moved(group: Group): Step {
  return { group, isStuck: false };
}

function stuck(group: Group): Step {
  return { group, isStuck: true };
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
