import type { AvailabilityQuestion, BusyReport } from '../domain/availability.ts';
import type { EventDraft } from '../domain/event.ts';
import { describeFailure, fail, type Failure, ok, type Outcome } from '../domain/failure.ts';
import {
  DEFAULT_TTL_SECONDS,
  type HoldConfirmation,
  type HoldRecord,
  type HoldRequest,
  placeHoldRequestSchema,
} from '../domain/hold.ts';
import { clipIntervals, type Interval, mergeIntervals, overlaps } from '../domain/interval.ts';
import { formatInstant } from '../domain/time-zone.ts';
import type { TaskType } from '../domain/task.ts';
import type { Provider } from '../providers/provider.ts';
import type { Account } from './account.ts';
import type { Agenda } from './agenda.ts';
import { creationKeyOf } from './creation.ts';
import type { Lane } from './gate.ts';
import { type Hold, HoldBook, type Leftover, type Placed } from './hold-book.ts';
import { inTime } from './in-time.ts';
import type { Notices } from './notices.ts';
import { Sequence } from './sequence.ts';
import type { Store } from './store.ts';
import { backOffMs } from './verdict.ts';

/** How long a sweep may take before the agenda begins another. */
const WATCH_MS = 30_000;

/** How long a disconnect waits for the holds' events to go. */
const LONGEST_RELEASE_MS = 10_000;

/** An event that the provider refuses to remove so often, over a day and more, is left where it is. */
const MOST_REMOVALS = 200;

/** What the person reads in their calendar. */
const SUMMARY = 'Hold (not confirmed yet)';

/** What holds are made of. */
export interface HoldsOptions {
  connectorId: string;
  store: Store;
  agenda: Agenda;
  notices: Notices;
  account: Account;
  provider: Provider;
  now: () => number;
  random: () => number;
  onError: (where: string, thrown: unknown) => void;
  /** Why nothing may be asked of the account now, if so. */
  obstacle: () => Failure | undefined;
  /** A call has failed in a way that may concern the whole connector. */
  onFailure: (failure: Failure) => void;
  /** The tasks that came before this one and have not ended. */
  openBefore: (taskId: string) => { id: string; type: TaskType; payload: unknown }[];
  /** The next due time may have changed. */
  rearm: () => void;
}

/**
 * Times that are held: recorded first, then written to the calendar as a tentative, private event. The
 * record decides what is taken; what the provider holds follows it. Acts on the calendar take turns, so
 * that none removes what another is about to write.
 */
export class Holds {
  readonly #options: HoldsOptions;
  readonly #book: HoldBook;
  readonly #turns = new Sequence();
  #isSweeping = false;

  constructor(options: HoldsOptions) {
    this.#options = options;
    this.#book = new HoldBook(options.store);
  }

  /**
   * Holds a time for the task `taskId`. Fails with `conflict`, recording nothing, when other holds or
   * known busy time overlap; with `unknown-busy` when that cannot be known; with `mismatch` when the id
   * holds another time. A hold that was cancelled before it came, or is over by the time its event is
   * there, ends as that. Any other failure leaves it `placing`, to be tried again or settled.
   */
  place(request: HoldRequest, taskId: string, lane: Lane): Promise<Outcome<HoldRecord>> {
    return this.#turns.run(() => this.#place(request, taskId, lane));
  }

  async #place(request: HoldRequest, taskId: string, lane: Lane): Promise<Outcome<HoldRecord>> {
    const { now, store, connectorId } = this.#options;
    this.#expire();
    const { holdId, slot, ttlSeconds } = request;
    const key = await creationKeyOf(connectorId, taskId);
    const standing = await this.#meet(request, { taskId, key }, lane);
    if (standing !== undefined) return standing;
    const free = request.onConflict === 'allow' ? ok(undefined) : await this.#checkFree(request, lane);
    if (!free.ok) return free;
    const begun = store.transaction((): Outcome<Hold> => {
      const taken = request.onConflict === 'allow' ? [] : this.#book.taken(slot, now());
      if (taken.length > 0) return conflict(request, taken);
      return ok(this.#book.place(holdId, taskId, { slot, key }, now() + ttlSeconds * 1000));
    });
    this.#schedule();
    return begun.ok ? await this.#write(begun.value, { slot, key }, false, lane) : begun;
  }

  /** What a place comes to by what is known of its id; undefined: to a new hold. */
  async #meet(
    { holdId, slot }: HoldRequest,
    { taskId, key }: { taskId: string; key: string },
    lane: Lane,
  ): Promise<Outcome<HoldRecord> | undefined> {
    const known = this.#book.find(holdId);
    const isOvertaken = this.#book.isOvertaken(taskId);
    if (known === undefined || isOvertaken || known.state === 'cancelled' || known.state === 'expired') {
      if (known?.placed?.key === key) {
        // This very task has placed what is over: its event may have come through after it was looked for.
        this.#book.leave(known.placed, 'none', this.#options.now());
        return await this.#clear(known, lane);
      }
      const isForestalled =
        known?.state === 'cancelled' && known.placed === undefined && this.#options.now() < known.expiresAtMs;
      return isOvertaken || isForestalled ? ok({ holdId, state: 'cancelled' }) : undefined;
    }
    const { placed } = known;
    if (placed === undefined || !isSameSlot(placed.slot, slot))
      return fail({ kind: 'mismatch', what: `hold ${holdId}` });
    if (known.state !== 'placing') return ok(present(known));
    this.#book.adopt(holdId, taskId);
    return await this.#write(known, placed, true, lane);
  }

  /** Whether the asked time is free, as far as the provider knows; own holds are looked at first, for nothing. */
  async #checkFree(request: HoldRequest, lane: Lane): Promise<Outcome<void>> {
    const { account, provider, now } = this.#options;
    const { slot, calendars } = request;
    const held = this.#book.taken(slot, now());
    if (held.length > 0) return conflict(request, held);
    // What is left of holds that are over would look like busy time.
    for (const leftover of this.#book.leftovers()) {
      if (!overlaps(leftover.slot, slot)) continue;
      // oxlint-disable-next-line no-await-in-loop
      const removed = await this.#remove(leftover, lane);
      if (!removed.ok) return removed;
    }
    const range = { startMs: slot.startMs, endMs: slot.endMs };
    const read = await account.use(lane, (access) =>
      provider.readBusy({ range, ...(calendars !== undefined && { calendars }) }, access),
    );
    if (!read.ok) return read;
    const busy = read.value.calendars.flatMap((calendar) => (calendar.busy.ok ? calendar.busy.value : []));
    if (clipIntervals(busy, slot).length > 0) return conflict(request, busy);
    return judgeGaps(read.value);
  }

  /** Writes a hold's event, and records that it is there: unless the hold is over by then. */
  async #write(hold: Hold, placed: Placed, isRepeat: boolean, lane: Lane): Promise<Outcome<HoldRecord>> {
    const { account, provider, now } = this.#options;
    const { key } = placed;
    const made = await account.use(lane, (access) =>
      provider.createEvent(draftOf(hold.holdId, placed), { key, isRepeat }, access),
    );
    if (!made.ok) return made;
    const { eventId, status } = made.value;
    const current = this.#book.find(hold.holdId) ?? hold;
    const isStanding = current.state === 'placing' && current.placed?.key === key;
    if (isStanding && status !== 'cancelled') {
      this.#book.held(hold.holdId, eventId);
      return ok(present({ ...current, state: 'held', placed: { ...placed, eventId } }));
    }
    if (isStanding) this.#book.end(current, 'cancelled', now());
    this.#book.leave({ ...placed, eventId }, 'none', now());
    return await this.#clear(this.#book.find(hold.holdId) ?? hold, lane);
  }

  /** Lets a hold go. Idempotent; what was never placed is remembered, so that a place that is late does nothing. */
  cancel(holdId: string, taskId: string, lane: Lane): Promise<Outcome<HoldRecord>> {
    return this.#turns.run(async () => {
      const { now } = this.#options;
      this.#expire();
      const known = this.#book.find(holdId);
      if (known?.state === 'confirmed') return fail({ kind: 'hold-over', state: 'confirmed' });
      this.#book.overtake(this.#placesBefore(holdId, taskId), now());
      if (known?.placed === undefined) {
        this.#book.rememberCancelled(holdId, now() + DEFAULT_TTL_SECONDS * 1000, now());
        return ok({ holdId, state: 'cancelled' });
      }
      if (known.state === 'cancelled' || known.state === 'expired') return await this.#clear(known, lane);
      this.#book.end(known, 'cancelled', now());
      this.#schedule();
      return await this.#clear({ ...known, state: 'cancelled' }, lane);
    });
  }

  /** The tasks that came before this one and are still to place a hold of this id. */
  #placesBefore(holdId: string, taskId: string): string[] {
    return this.#options
      .openBefore(taskId)
      .filter(
        ({ type, payload }) =>
          type === 'place-hold' && placeHoldRequestSchema.parse(payload).request.holdId === holdId,
      )
      .map(({ id }) => id);
  }

  /**
   * Turns a hold into the event it was held for: the same entry of the calendar. Fails with `hold-over`
   * when it is over, with `not-found` when there is none, with `unavailable` while it is still being placed.
   */
  confirm(confirmation: HoldConfirmation, taskId: string, lane: Lane): Promise<Outcome<HoldRecord>> {
    return this.#turns.run(async () => {
      this.#expire();
      const { holdId, ...details } = confirmation;
      const known = this.#book.find(holdId);
      switch (known?.state) {
        case undefined:
          return fail({ kind: 'not-found', what: `hold ${holdId}` });
        case 'cancelled':
        case 'expired':
          return fail({ kind: 'hold-over', state: known.state });
        case 'confirmed':
          return ok(present(known));
        case 'placing':
          return fail({ kind: 'unavailable', ambiguous: false });
        case 'held':
        case 'confirming':
          return await this.#confirm(known, details, taskId, lane);
      }
    });
  }

  async #confirm(
    hold: Hold,
    details: Omit<HoldConfirmation, 'holdId'>,
    taskId: string,
    lane: Lane,
  ): Promise<Outcome<HoldRecord>> {
    const { account, provider, now } = this.#options;
    const { holdId, placed } = hold;
    const eventId = placed?.eventId;
    if (placed === undefined || eventId === undefined)
      return fail({ kind: 'not-found', what: `hold ${holdId}` });
    this.#book.confirming(holdId, taskId);
    this.#schedule();
    const { calendarId, timeZone } = placed.slot;
    const change = {
      ...details,
      eventId,
      timeZone,
      confirms: true,
      ...(calendarId !== undefined && { calendarId }),
    };
    const changed = await account.use(lane, (access) => provider.updateEvent(change, access));
    if (changed.ok) {
      this.#book.confirmed(holdId, changed.value, now());
      return ok(present({ ...hold, state: 'confirmed', event: changed.value }));
    }
    if (changed.failure.kind !== 'not-found') return changed;
    // The person has taken it out of their calendar.
    this.#book.end(hold, 'cancelled', now());
    this.#schedule();
    return fail({ kind: 'hold-over', state: 'cancelled' });
  }

  /** A task has failed for good: what it drove comes to rest. Synchronous, so that no crash parts the two. */
  settle(taskId: string): void {
    this.#book.settle(taskId, this.#options.now());
    this.#schedule();
  }

  /** What live holds take of a question's range; a hold on another calendar than the ones asked for does not count. */
  taken({ range, calendars }: Pick<AvailabilityQuestion, 'range' | 'calendars'>): Interval[] {
    return this.#book
      .live(this.#options.now())
      .map(({ placed }) => placed.slot)
      .filter(({ calendarId }) => {
        // The primary calendar goes by more than one name: a hold on it always counts.
        return calendarId === undefined || calendars === undefined || calendars.includes(calendarId);
      })
      .filter((slot) => overlaps(slot, range));
  }

  /** Ends what has run out and takes away what is left of holds that are over. Returns at once. */
  sweep(): void {
    const { agenda, now, rearm, obstacle, onError } = this.#options;
    agenda.schedule('holds', now() + WATCH_MS);
    this.#expire();
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    const removeAll = async () => {
      for (const leftover of this.#book.leftovers(now())) {
        // Kept for when the account can be reached again.
        if (obstacle() !== undefined) this.#postpone(leftover);
        // One at a time: none of them is urgent.
        // oxlint-disable-next-line no-await-in-loop
        else await this.#remove(leftover, 'background');
      }
    };
    void this.#turns
      .run(removeAll)
      .catch((thrown: unknown) => onError('sweep of holds', thrown))
      .finally(() => {
        this.#isSweeping = false;
        this.#schedule();
        rearm();
      });
  }

  /** The account is about to be given up: takes the holds' events away while that is possible, for a little while. */
  async releaseAll(): Promise<void> {
    const { now, obstacle } = this.#options;
    const live = this.#book.live(now());
    for (const hold of live) this.#book.end(hold, 'cancelled', now());
    const left = this.#book.leftovers();
    if (left.length === 0 || obstacle() !== undefined) return;
    const removed = this.#turns.run(() => Promise.all(left.map((one) => this.#remove(one, 'interactive'))));
    await inTime(removed, LONGEST_RELEASE_MS, () => undefined);
  }

  /** The events of holds that are over are tried again now: the account can be reached again. */
  wake(): void {
    this.#book.hasten(this.#options.now());
    this.#schedule();
  }

  /** Makes sure that nothing is left of a hold that is over. */
  async #clear(hold: Hold, lane: Lane): Promise<Outcome<HoldRecord>> {
    const left = this.#book.leftovers().find(({ key }) => key === hold.placed?.key);
    const removed = left === undefined ? ok(undefined) : await this.#remove(left, lane);
    this.#schedule();
    return removed.ok ? ok(present(hold)) : removed;
  }

  async #remove(leftover: Leftover, lane: Lane): Promise<Outcome<void>> {
    const { account, provider, onFailure } = this.#options;
    const { key, eventId, notify, slot } = leftover;
    const where = slot.calendarId === undefined ? {} : { calendarId: slot.calendarId };
    const removed = await account.use(lane, (access) =>
      eventId === undefined
        ? provider.removeCreated({ key, notify, ...where }, access)
        : provider.cancelEvent({ eventId, notify, ...where }, access),
    );
    if (removed.ok) {
      this.#book.removed(key);
      return removed;
    }
    onFailure(removed.failure);
    // The provider may come to another mind, or the person may reconnect; but not for ever.
    const isFinal = removed.failure.kind === 'rejected' && leftover.attempts >= MOST_REMOVALS;
    if (isFinal) this.#book.removed(key);
    else this.#postpone(leftover);
    return removed;
  }

  #postpone({ key, attempts }: Leftover): void {
    const { now, random } = this.#options;
    this.#book.putOff(key, now() + 1_000 + backOffMs(attempts + 1, random));
  }

  /** Ends what has run out, and tells it. */
  #expire(): void {
    const { store, notices, now } = this.#options;
    const over = store.transaction(() => this.#book.expireDue(now()));
    for (const hold of over) notices.post({ type: 'hold-expired', result: present(hold) });
    if (over.length > 0) this.#schedule();
  }

  #schedule(): void {
    const { agenda } = this.#options;
    const next = this.#book.nextDueAt();
    if (next !== undefined) agenda.schedule('holds', next);
    else if (agenda.has('holds')) agenda.strike('holds');
  }
}

function draftOf(holdId: string, { slot }: Placed): EventDraft {
  const { startMs, endMs, timeZone, calendarId } = slot;
  return {
    summary: SUMMARY,
    time: { kind: 'timed', startMs, endMs, timeZone },
    attendees: [],
    recurrence: [],
    notify: 'none',
    conference: false,
    holdId,
    ...(calendarId !== undefined && { calendarId }),
  };
}

function isSameSlot(one: Placed['slot'], other: Placed['slot']): boolean {
  return one.startMs === other.startMs && one.endMs === other.endMs && one.calendarId === other.calendarId;
}

/** The parts of the asked time that are taken, and no more: what else the others hold is not the caller's. */
function conflict({ slot }: HoldRequest, taken: readonly Interval[]): Outcome<never> {
  const parts = mergeIntervals(clipIntervals(taken, slot));
  return fail({ kind: 'conflict', with: parts, timeZone: slot.timeZone });
}

/** Free only if every calendar could be read: a gap that may close is worth another try, any other is the answer. */
function judgeGaps({ calendars }: BusyReport): Outcome<void> {
  const gaps = calendars.flatMap(({ id, busy }) => (busy.ok ? [] : [{ id, failure: busy.failure }]));
  const passing = gaps.find(({ failure }) => describeFailure(failure).retryable);
  if (passing !== undefined) return fail(passing.failure);
  return gaps.length === 0
    ? ok(undefined)
    : fail({ kind: 'unknown-busy', calendars: gaps.map(({ id }) => id) });
}

function present({ holdId, state, placed, event, expiresAtMs }: Hold): HoldRecord {
  const shown = state === 'placing' || state === 'confirming' ? 'held' : state;
  if (placed === undefined) return { holdId, state: shown };
  const { startMs, endMs, timeZone } = placed.slot;
  return {
    holdId,
    state: shown,
    ...(placed.eventId !== undefined && { eventId: placed.eventId }),
    start: formatInstant(startMs, timeZone),
    end: formatInstant(endMs, timeZone),
    expiresAt: formatInstant(expiresAtMs, timeZone),
    ...(event !== undefined && { event }),
  };
}
