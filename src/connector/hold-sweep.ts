import { describeFailure, type Outcome } from '../domain/failure.ts';
import type { Provider } from '../providers/provider.ts';
import type { Account } from './account.ts';
import type { BackgroundWork } from './background-work.ts';
import type { Lane } from './gate.ts';
import type { HoldBook, Leftover } from './hold-book.ts';
import type { Sequence } from './sequence.ts';
import { backOffMs } from './verdict.ts';

/** How long a sweep may take before another is begun. */
const WATCH_MS = 30_000;

/** An event that could not be removed is left alone for so long at least. */
const SHORTEST_REST_MS = 1_000;

/** An event that the provider refuses to remove is left where it is after so long. */
const LONGEST_REFUSAL_MS = 24 * 60 * 60 * 1000;

/** What the sweep is made of. */
export interface HoldSweepOptions extends BackgroundWork {
  book: HoldBook;
  /** Acts on the calendar take turns, so that nothing is removed that another act is about to write. */
  turns: Sequence;
  account: Account;
  provider: Provider;
  /** The longest a call may stay open at the provider after it began here, milliseconds. */
  callLifeMs: number;
}

/** Takes the events of holds that are over out of the calendar, for as long as it takes. */
export class HoldSweep {
  readonly #options: HoldSweepOptions;
  #isRunning = false;
  #isClosed = false;
  /** When to look next; undefined: not known in this life yet. It follows from the book, and costs no row of its own. */
  #next: { atMs: number | undefined } | undefined;

  constructor(options: HoldSweepOptions) {
    this.#options = options;
  }

  /** Removes what is due, one event in a turn, so that what a caller waits for comes in between. Returns at once. */
  run(): void {
    const { now, onError } = this.#options;
    this.#next = { atMs: now() + WATCH_MS };
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#sweep().catch((thrown: unknown) => onError('sweep of holds', thrown));
  }

  async #sweep(): Promise<void> {
    try {
      await this.#removeDue();
    } finally {
      this.#isRunning = false;
    }
    if (this.#isClosed) return;
    this.schedule();
    this.#options.rearm();
  }

  async #removeDue(): Promise<void> {
    const { book, turns, now, obstacle } = this.#options;
    const seen = new Set<string>();
    for (;;) {
      if (this.#isClosed) return;
      const leftover = book.leftovers(now()).find(({ key }) => !seen.has(key));
      if (leftover === undefined) return;
      seen.add(leftover.key);
      // Kept for when the account can be reached again.
      if (obstacle() !== undefined) this.#postpone(leftover);
      // oxlint-disable-next-line no-await-in-loop
      else await turns.run(() => this.remove(leftover, 'background'));
    }
  }

  /**
   * Removes one event, within a turn of the caller's; puts it off when that fails. Never throws. One that was
   * never seen is looked for once more when no call that was to make it can be open any longer: a call goes on
   * at the provider though its sender has died, and may arrive after what was to take its event away.
   */
  async remove(leftover: Leftover, lane: Lane): Promise<Outcome<void>> {
    const { book, account, provider, callLifeMs, now, onFailure, onError } = this.#options;
    const { key, eventId, notify, slot, sinceMs } = leftover;
    const where = slot.calendarId === undefined ? {} : { calendarId: slot.calendarId };
    let removed: Outcome<void>;
    try {
      removed = await account.use(lane, (access) =>
        eventId === undefined
          ? provider.removeCreated({ key, notify, ...where }, access)
          : provider.cancelEvent({ eventId, notify, ...where }, access),
      );
    } catch (thrown) {
      onError('removal of a hold', thrown);
      removed = { ok: false, failure: { kind: 'unavailable', ambiguous: true } };
    }
    if (this.#isClosed) return removed;
    if (removed.ok) {
      const surelyMadeAtMs = sinceMs + callLifeMs;
      if (eventId === undefined && now() <= surelyMadeAtMs) book.lookAgain(key, surelyMadeAtMs + 1);
      else book.removed(key);
      return removed;
    }
    onFailure(removed.failure);
    // The provider may come to another mind, or the person may reconnect; but it is not refused for ever.
    const { code, retryable } = describeFailure(removed.failure);
    const mayChange = retryable || code === 'reauth_required' || code === 'misconfigured';
    if ('unsent' in removed.failure && removed.failure.retryAtMs !== undefined) {
      // Foreseen, and nobody was asked: no reason to ask ever more rarely.
      book.lookAgain(key, Math.max(removed.failure.retryAtMs, now() + SHORTEST_REST_MS));
    } else if (mayChange || now() - sinceMs < LONGEST_REFUSAL_MS) this.#postpone(leftover);
    else book.removed(key);
    return removed;
  }

  #postpone({ key, attempts }: Leftover): void {
    const { book, now, random } = this.#options;
    book.putOff(key, now() + SHORTEST_REST_MS + backOffMs(attempts + 1, random));
  }

  /** When to look again, epoch milliseconds. */
  nextAt(): number | undefined {
    this.#next ??= { atMs: this.#options.book.nextDueAt() };
    return this.#next.atMs;
  }

  /** Looks again when the next is due: a hold that runs out, or an event that must go. */
  schedule(): void {
    this.#next = { atMs: this.#options.book.nextDueAt() };
  }

  /** Everything that waits is due now: the account can be reached again. */
  hasten(): void {
    this.#options.book.hasten(this.#options.now());
    this.schedule();
  }

  /** The storage is about to go: nothing is written any more. */
  close(): void {
    this.#isClosed = true;
  }

  /** The storage stayed after all. */
  reopen(): void {
    this.#isClosed = false;
  }
}
