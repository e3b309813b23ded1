import type { EventRecord } from '../domain/event.ts';
import type { Failure, Outcome } from '../domain/failure.ts';
import type { MirroredEvent } from '../domain/mirror.ts';
import type { Provider } from '../providers/provider.ts';

/** So many of the latest are remembered. */
const MOST = 500;
/** What a provider tells so soon after a write may not have it yet. */
const LAG_MS = 5_000;

/** What own writes are made of. */
export interface OwnWritesOptions {
  now: () => number;
  /** When the last task that writes has ended, as far as that is written down; epoch milliseconds. */
  lastEndedAtMs: () => number;
  /** The ids of tasks that may have written and have not ended. */
  openTasks: () => readonly string[];
}

/**
 * What this actor has written to the calendars: so that the mirror is not believed about a time before it, and
 * nobody is told of a change that they have asked for themselves. The versions are in memory: what a crash
 * takes along is told as a change of somebody else.
 */
export class OwnWrites {
  readonly #options: OwnWritesOptions;
  readonly #versions = new Map<string, string>();
  readonly #removed = new Map<string, string>();
  /** Writes that no reading has shown yet, by what they were about. */
  readonly #unseen = new Map<string, { endedAtMs: number; made: Made }>();
  /** Tasks of a former life: what they have written is known when they have ended in this one. */
  readonly #inherited: Set<string>;
  #underWay = 0;
  /** A reading of this instant or an earlier one does not have everything. */
  #unknownUntilMs: number | undefined;

  constructor(options: OwnWritesOptions) {
    this.#options = options;
    this.#inherited = new Set(options.openTasks());
  }

  /** Whether a mirror of this instant knows of everything that has been written since. */
  areKnownAt(asOfMs: number): boolean {
    const hasInherited = this.#hasInherited();
    this.#settle();
    if (this.#underWay > 0 || hasInherited || asOfMs <= this.#until()) return false;
    return [...this.#unseen.values()].every(({ endedAtMs }) => asOfMs > endedAtMs + LAG_MS);
  }

  /** Whether something was written that no reading of this instant can have: the next is likely to have it. */
  areUnreadAt(asOfMs: number): boolean {
    return [...this.#unseen.values()].some(({ endedAtMs }) => asOfMs <= endedAtMs);
  }

  /** Whether it is of no use to read again now, one reading being of this instant: what it misses, the next would. */
  arePending(asOfMs: number): boolean {
    if (this.#underWay > 0 || this.#hasInherited()) return true;
    const nowMs = this.#options.now();
    const wasMissed = [...this.#unseen.values()].some(({ endedAtMs }) => asOfMs > endedAtMs);
    return wasMissed && !this.areKnownAt(nowMs);
  }

  #until(): number {
    this.#unknownUntilMs ??= this.#options.lastEndedAtMs() + LAG_MS;
    return this.#unknownUntilMs;
  }

  #raise(untilMs: number): void {
    this.#unknownUntilMs = Math.max(this.#until(), untilMs);
  }

  /** What is so long ago that no reading of now can miss it needs no entry of its own. */
  #settle(): void {
    for (const [id, { endedAtMs }] of this.#unseen) {
      if (this.#options.now() <= endedAtMs + LAG_MS) continue;
      this.#raise(endedAtMs + LAG_MS);
      this.#unseen.delete(id);
    }
  }

  #hasInherited(): boolean {
    if (this.#inherited.size === 0) return false;
    const open = new Set(this.#options.openTasks());
    for (const id of this.#inherited) {
      if (open.has(id)) continue;
      this.#inherited.delete(id);
      // It may have ended without a call in this life.
      this.#raise(this.#options.now() + LAG_MS);
    }
    return this.#inherited.size > 0;
  }

  /** Whether an event, as a reading has it, is as we have written it. */
  recognises({ eventId, details }: MirroredEvent): boolean {
    const etag = details?.etag;
    if (etag === undefined || this.#versions.get(eventId) !== etag) return false;
    this.#show(eventId, { etag });
    return true;
  }

  /** Whether we have taken this event away, of which a reading has that it is gone. */
  hasRemoved(eventId: string): boolean {
    const isOwn = this.#removed.has(eventId);
    if (isOwn) this.#show(eventId, 'gone');
    return isOwn;
  }

  /** A reading has this of an event: it may be of before the write that came last. */
  #show(eventId: string, shown: Made): void {
    const write = this.#unseen.get(eventId);
    if (write === undefined || !isSame(write.made, shown)) return;
    this.#raise(write.endedAtMs);
    this.#unseen.delete(eventId);
  }

  /** `provider`, watched: every write is noted while it is under way, and what came of it. */
  watch(provider: Provider): Provider {
    return {
      ...provider,
      createEvent: async (draft, creation, access) =>
        await this.#writing(creation.key, () => provider.createEvent(draft, creation, access)),
      updateEvent: async (change, access) =>
        await this.#writing(change.eventId, () => provider.updateEvent(change, access)),
      cancelEvent: async (cancellation, access) => {
        const { eventId, occurrence } = cancellation;
        const cancel = () => provider.cancelEvent(cancellation, access);
        return await (occurrence === undefined
          ? this.#removing(eventId, cancel)
          : this.#during(eventId, cancel, () => unsaid(eventId)));
      },
      removeCreated: (removal, access) =>
        this.#removing(removal.key, () => provider.removeCreated(removal, access)),
    };
  }

  /** Noted beforehand, for it may be seen before it is answered; not so what was certainly not carried out. */
  async #removing(id: string, remove: () => Promise<Outcome<void>>): Promise<Outcome<void>> {
    const wasKnown = this.#removed.has(id);
    remember(this.#removed, id, '');
    const outcome = await this.#during(id, remove, () => ({ id, made: 'gone' }));
    // What an earlier attempt may have done stays noted.
    if (!outcome.ok && !isUncertain(outcome.failure) && !wasKnown) this.#removed.delete(id);
    return outcome;
  }

  async #writing(about: string, write: () => Promise<Outcome<EventRecord>>): Promise<Outcome<EventRecord>> {
    const outcome = await this.#during(about, write, ({ eventId, etag }) => ({
      id: eventId,
      made: { etag },
    }));
    if (outcome.ok) remember(this.#versions, outcome.value.eventId, outcome.value.etag);
    return outcome;
  }

  /** Runs a write that is about `about`; `readMade` says what it has made of what, where it succeeds. */
  async #during<T>(
    about: string,
    write: () => Promise<Outcome<T>>,
    readMade: (value: T) => { id: string; made: Made },
  ): Promise<Outcome<T>> {
    this.#underWay += 1;
    // Whatever comes of it: it may be carried out.
    let unseen: { id: string; made: Made } | undefined = unsaid(about);
    try {
      const outcome = await write();
      if (outcome.ok) unseen = readMade(outcome.value);
      else if (!isUncertain(outcome.failure)) unseen = undefined;
      return outcome;
    } finally {
      this.#underWay -= 1;
      const endedAtMs = this.#options.now();
      this.#raise(endedAtMs);
      this.#settle();
      if (unseen !== undefined) this.#unseen.set(unseen.id, { endedAtMs, made: unseen.made });
    }
  }
}

/** What a write has made of an event: a version of it, nothing, or what is not known. */
type Made = { etag: string } | 'gone' | undefined;

function unsaid(id: string): { id: string; made: Made } {
  return { id, made: undefined };
}

function isSame(made: Made, shown: Made): boolean {
  return typeof made === 'object' && typeof shown === 'object'
    ? made.etag === shown.etag
    : made !== undefined && made === shown;
}

/** Whether a write that has failed so may have been carried out all the same. */
function isUncertain(failure: Failure): boolean {
  return failure.kind === 'malformed' || (failure.kind === 'unavailable' && failure.ambiguous);
}

function remember(known: Map<string, string>, key: string, value: string): void {
  known.delete(key);
  known.set(key, value);
  const [oldest] = known.keys();
  if (known.size > MOST && oldest !== undefined) known.delete(oldest);
}
