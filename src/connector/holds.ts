import type { AvailabilityQuestion } from '../domain/availability.ts';
import { describeFailure, fail, type Failure, ok, type Outcome } from '../domain/failure.ts';
import {
  confirmHoldRequestSchema,
  DEFAULT_TTL_SECONDS,
  type HoldConfirmation,
  type HoldRecord,
  type HoldRequest,
} from '../domain/hold.ts';
import { clipIntervals, type Interval, overlaps } from '../domain/interval.ts';
import type { CalendarTask, TaskType } from '../domain/task.ts';
import { creationKeyOf } from './creation.ts';
import type { Lane } from './gate.ts';
import { type Hold, HoldBook, type Placed } from './hold-book.ts';
import { HoldSweep, type HoldSweepOptions } from './hold-sweep.ts';
import { conflict, draftOf, holdIdOf, isOver, isSameSlot, judgeGaps, present } from './hold-terms.ts';
import { inTime } from './in-time.ts';
import { canonicalJson } from './ledger.ts';
import type { Notices } from './notices.ts';
import { Sequence } from './sequence.ts';
import type { Store } from './store.ts';

/** How long a disconnect waits for the holds' events to go. */
const LONGEST_RELEASE_MS = 10_000;

const CLOSED: Failure = { kind: 'grant-revoked', detail: 'the account is being disconnected' };

/** What holds are made of. */
export interface HoldsOptions extends Omit<HoldSweepOptions, 'book' | 'turns'> {
  connectorId: string;
  store: Store;
  notices: Notices;
  /** The tasks of these types that came before this one and have not ended. */
  openBefore: (
    taskId: string,
    types: readonly TaskType[],
  ) => { id: string; type: TaskType; payload: unknown }[];
}

/** A run of a task that concerns a hold. */
export interface HoldRun {
  taskId: string;
  lane: Lane;
  /** Runs of this task that have ended before. */
  attempts: number;
}

/**
 * Times that are held: recorded first, then written to the calendar as a tentative, private event. The
 * record decides what is taken; what the provider holds follows it. A hold's id may be used again once it
 * is over: the key of its creation is what tells one placement from the next. Acts on the calendar take
 * turns, so that none removes what another is about to write.
 */
export class Holds {
  readonly #options: HoldsOptions;
  readonly #book: HoldBook;
  readonly #turns = new Sequence();
  readonly #sweep: HoldSweep;
  /** The account is being given up: nothing is placed or confirmed any more. */
  #isClosing = false;

  constructor(options: HoldsOptions) {
    this.#options = options;
    this.#book = new HoldBook(options.store);
    this.#sweep = new HoldSweep({ ...options, book: this.#book, turns: this.#turns });
  }

  /**
   * Holds a time. Fails with `conflict`, recording nothing, when other holds or known busy time overlap;
   * with `unknown-busy` when that cannot be known; with `mismatch` when the id holds another time, with
   * `hold-over` when it has become an event. A hold that was cancelled before it came, or is over by the
   * time its event is there, ends as that. Any other failure leaves it `placing`, to be tried again or settled.
   */
  place(request: HoldRequest, run: HoldRun): Promise<Outcome<HoldRecord>> {
    return this.#turns.run(() => this.#place(request, run));
  }

  async #place(request: HoldRequest, { taskId, lane }: HoldRun): Promise<Outcome<HoldRecord>> {
    const { now, store, connectorId } = this.#options;
    if (this.#isClosing) return fail(CLOSED);
    this.#expire();
    const { holdId, groupId, slot, ttlSeconds } = request;
    const key = await creationKeyOf(connectorId, taskId);
    const standing = await this.#meet(request, { taskId, key }, lane);
    if (standing !== undefined) return standing;
    const free = request.onConflict === 'allow' ? ok(undefined) : await this.#checkFree(request, lane);
    if (!free.ok) return free;
    const placed: Placed = { slot, key, ...(groupId !== undefined && { groupId }) };
    const begun = store.transaction((): Outcome<Hold> => {
      const taken = request.onConflict === 'allow' ? [] : this.#book.taken(slot, now());
      if (taken.length > 0) return conflict(request, taken);
      return ok(this.#book.place(holdId, taskId, placed, now() + ttlSeconds * 1000));
    });
    this.#sweep.schedule();
    return begun.ok ? await this.#write(begun.value, placed, false, lane) : begun;
  }

  /** What a place comes to by what is known of its id; undefined: to a new hold. */
  async #meet(
    { holdId, slot }: HoldRequest,
    { taskId, key }: { taskId: string; key: string },
    lane: Lane,
  ): Promise<Outcome<HoldRecord> | undefined> {
    const known = this.#book.find(holdId);
    const isOvertaken = this.#book.isOvertaken(taskId);
    if (known === undefined || isOvertaken || isOver(known)) {
      if (known?.placed?.key === key) {
        // This very task has placed what is over: its event may have come through after it was looked for.
        this.#book.leave(known.placed, 'none', this.#options.now());
        await this.#clear(known, lane);
        return ok(present(known));
      }
      const left = this.#book.leftovers().find((leftover) => leftover.key === key);
      if (left !== undefined) {
        // What this task placed is over too, though another has had the id since: it is not made again.
        await this.#sweep.remove(left, lane);
        this.#sweep.schedule();
        return ok({ holdId, state: 'expired' });
      }
      const isForestalled =
        known?.state === 'cancelled' && known.placed === undefined && this.#options.now() < known.expiresAtMs;
      return isOvertaken || isForestalled ? ok({ holdId, state: 'cancelled' }) : undefined;
    }
    const { placed } = known;
    // Whoever asks for what has become an event is told so, but for the task that began it.
    if (known.state === 'confirmed')
      return placed?.key === key ? ok(present(known)) : fail({ kind: 'hold-over', state: 'confirmed' });
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
    // What is left of holds that are over looks like busy time.
    let left: Outcome<void> = ok(undefined);
    for (const leftover of this.#book.leftovers()) {
      if (!overlaps(leftover.slot, slot)) continue;
      // oxlint-disable-next-line no-await-in-loop
      const removed = await this.#sweep.remove(leftover, lane);
      if (!removed.ok) left = removed;
    }
    // What was put off is told to the agenda, whatever comes of this.
    if (!left.ok) this.#sweep.schedule();
    const range = { startMs: slot.startMs, endMs: slot.endMs };
    const read = await account.use(lane, (access) =>
      provider.readBusy({ range, ...(calendars !== undefined && { calendars }) }, access),
    );
    if (!read.ok) return read;
    const busy = read.value.calendars.flatMap((calendar) => (calendar.busy.ok ? calendar.busy.value : []));
    if (clipIntervals(busy, slot).length > 0) {
      // It may be our own that is in the way: known when it is gone.
      const mayPass = !left.ok && describeFailure(left.failure).retryable;
      return mayPass ? left : conflict(request, busy);
    }
    return judgeGaps(read.value, calendars);
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
    const over = this.#book.find(hold.holdId) ?? hold;
    await this.#clear(over, lane);
    return ok(present(over));
  }

  /**
   * Lets a hold go. Idempotent; what was never placed is remembered, so that a place that is late does
   * nothing. It is let go when the record says so: its event is taken away now, or as soon as that works.
   */
  cancel(holdId: string, hasExpired: boolean, { taskId, lane }: HoldRun): Promise<Outcome<HoldRecord>> {
    return this.#turns.run(async () => {
      const { now, notices } = this.#options;
      this.#expire();
      const known = this.#book.find(holdId);
      if (known?.state === 'confirmed') return fail({ kind: 'hold-over', state: 'confirmed' });
      this.#book.overtake(this.#tasksBefore(holdId, taskId), now());
      if (known?.placed === undefined) {
        this.#book.rememberCancelled(holdId, now() + DEFAULT_TTL_SECONDS * 1000, now());
        return ok({ holdId, state: 'cancelled' });
      }
      const over: Hold = isOver(known) ? known : { ...known, state: hasExpired ? 'expired' : 'cancelled' };
      if (!isOver(known)) {
        this.#book.end(known, hasExpired ? 'expired' : 'cancelled', now());
        if (hasExpired) notices.post({ type: 'hold-expired', result: present(over) });
      }
      await this.#clear(known, lane);
      return ok(present(over));
    });
  }

  /** The tasks that came before this one and are still to place or to confirm a hold of this id. */
  #tasksBefore(holdId: string, taskId: string): string[] {
    return this.#options
      .openBefore(taskId, ['place-hold', 'confirm-hold'])
      .filter((task) => holdIdOf(task) === holdId)
      .map(({ id }) => id);
  }

  /**
   * Keeps a hold from running out, in the same step of the storage in which the task that is to confirm it
   * is accepted: it was asked in time, however long it waits for its turn.
   */
  reserve(task: Pick<CalendarTask, 'type' | 'payload'> & { id: string }): void {
    if (task.type !== 'confirm-hold') return;
    const hold = this.#book.find(confirmHoldRequestSchema.parse(task.payload).confirmation.holdId);
    if (hold?.state === 'held' && hold.expiresAtMs > this.#options.now())
      this.#book.confirming(hold.holdId, task.id);
  }

  /**
   * Turns a hold into the event it was held for, at the time it was held for: the same entry of the
   * calendar. Fails with `hold-over` when it is over, with `not-found` when there is none, with
   * `unavailable` while it is still being placed.
   */
  confirm(confirmation: HoldConfirmation, run: HoldRun): Promise<Outcome<HoldRecord>> {
    return this.#turns.run(async () => {
      if (this.#isClosing) return fail(CLOSED);
      this.#expire();
      const { holdId } = confirmation;
      if (this.#book.isOvertaken(run.taskId)) return fail({ kind: 'hold-over', state: 'cancelled' });
      const known = this.#book.find(holdId);
      switch (known?.state) {
        case undefined:
          return fail({ kind: 'not-found', what: `hold ${holdId}` });
        case 'cancelled':
        case 'expired':
          return fail({ kind: 'hold-over', state: known.state });
        case 'confirmed':
          return known.confirmation === undefined || known.confirmation === canonicalJson(confirmation)
            ? ok(present(known))
            : fail({ kind: 'mismatch', what: `hold ${holdId}, which is confirmed already` });
        case 'placing':
          return fail({ kind: 'unavailable', ambiguous: false });
        case 'held':
        case 'confirming':
          return await this.#confirm(known, confirmation, run);
      }
    });
  }

  async #confirm(
    hold: Hold,
    confirmation: HoldConfirmation,
    { taskId, lane, attempts }: HoldRun,
  ): Promise<Outcome<HoldRecord>> {
    const { account, provider, now } = this.#options;
    const { holdId, placed } = hold;
    const { summary, description, location, attendees, notify } = confirmation;
    const eventId = placed?.eventId;
    if (placed === undefined || eventId === undefined)
      return fail({ kind: 'not-found', what: `hold ${holdId}` });
    this.#book.tell(holdId, taskId);
    this.#sweep.schedule();
    const { calendarId, timeZone, startMs, endMs } = placed.slot;
    const change = {
      eventId,
      summary,
      notify,
      time: { kind: 'timed', startMs, endMs, timeZone } as const,
      confirms: true,
      ...(description !== undefined && { description }),
      ...(location !== undefined && { location }),
      ...(attendees !== undefined && { attendees }),
      ...(calendarId !== undefined && { calendarId }),
    };
    const changed = await account.use(lane, (access) => provider.updateEvent(change, access));
    if (changed.ok) {
      this.#book.confirmed(
        holdId,
        { event: changed.value, confirmation: canonicalJson(confirmation) },
        now(),
      );
      return ok(present({ ...hold, state: 'confirmed', event: changed.value }));
    }
    if (changed.failure.kind !== 'not-found') return changed;
    // What was written a moment ago may not be seen yet: looked at once more before it is believed.
    if (attempts === 0) return fail({ kind: 'unavailable', ambiguous: false });
    // The person has taken it out of their calendar.
    this.#book.end(hold, 'cancelled', now());
    this.#sweep.schedule();
    return fail({ kind: 'hold-over', state: 'cancelled' });
  }

  /** An event is gone: whatever was held or confirmed as it is over. */
  eventCancelled(eventId: string): void {
    this.#book.eventCancelled(eventId, this.#options.now());
    this.#sweep.schedule();
  }

  /** A task has failed for good: what it drove comes to rest. Synchronous, so that no crash parts the two. */
  settle(taskId: string): void {
    this.#book.settle(taskId, this.#options.now());
    this.#sweep.schedule();
  }

  /** What live holds take of a question's range; a hold on another calendar than the ones asked for does not count. */
  taken({ range, calendars }: Pick<AvailabilityQuestion, 'range' | 'calendars'>): Interval[] {
    return this.#book
      .live(this.#options.now())
      .map(({ placed }) => placed.slot)
      .filter(({ calendarId }) => {
        // The primary calendar goes by more than one name: a hold on it always counts.
        const isPrimary = calendarId === undefined || calendarId === 'primary';
        return isPrimary || calendars === undefined || calendars.includes(calendarId);
      })
      .filter((slot) => overlaps(slot, range));
  }

  /** When a hold runs out or something is left to be taken away, epoch milliseconds: then `sweep`. */
  nextAt(): number | undefined {
    return this.#sweep.nextAt();
  }

  /** Ends what has run out and takes away what is left of holds that are over. Returns at once. */
  sweep(): void {
    this.#expire();
    this.#sweep.run();
  }

  /** The account is about to be given up: takes the holds' events away while that is possible, for a little while. */
  async releaseAll(): Promise<void> {
    const { now, obstacle } = this.#options;
    this.#isClosing = true;
    const release = this.#turns.run(async () => {
      for (const hold of this.#book.live(now())) this.#book.end(hold, 'cancelled', now());
      const left = this.#book.leftovers();
      if (obstacle() !== undefined) return;
      await Promise.all(left.map((one) => this.#sweep.remove(one, 'interactive')));
    });
    await inTime(release, LONGEST_RELEASE_MS, () => undefined);
  }

  /** The account is connected, anew perhaps: events of holds that are over are tried again now. */
  open(): void {
    this.#isClosing = false;
    this.#sweep.hasten();
  }

  /** The storage is about to go: nothing is written any more. */
  close(): void {
    this.#sweep.close();
  }

  /** The storage stayed after all. */
  reopen(): void {
    this.#sweep.reopen();
  }

  /** Takes away what is left of a hold that is over, or leaves that to the sweep. */
  async #clear(hold: Hold, lane: Lane): Promise<void> {
    const left = this.#book.leftovers().find(({ key }) => key === hold.placed?.key);
    if (left !== undefined) await this.#sweep.remove(left, lane);
    this.#sweep.schedule();
  }

  /** Ends what has run out, and tells it. */
  #expire(): void {
    const { store, notices, now } = this.#options;
    const over = store.transaction(() => this.#book.expireDue(now()));
    for (const hold of over) notices.post({ type: 'hold-expired', result: present(hold) });
    if (over.length > 0) this.#sweep.schedule();
  }
}
