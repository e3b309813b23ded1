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
  /** The ids of tasks that write and have not ended. */
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
  /** When writes ended that no reading has shown yet, by what they were about. */
  readonly #unseen = new Map<string, number>();
  /** Tasks of a former life: what they have written is known when they have ended in this one. */
  readonly #inherited: Set<string>;
  #underWay = 0;
  #lastAtMs: number | undefined;

  constructor(options: OwnWritesOptions) {
    this.#options = options;
    this.#inherited = new Set(options.openTasks());
  }

  /** Whether a mirror of this instant knows of everything that has been written since. */
  areKnownAt(asOfMs: number): boolean {
    this.#lastAtMs ??= this.#options.lastEndedAtMs();
    if (this.#underWay > 0 || this.#hasInherited() || asOfMs <= this.#lastAtMs) return false;
    for (const [id, endedAtMs] of this.#unseen) {
      if (asOfMs <= endedAtMs + LAG_MS) return false;
      this.#unseen.delete(id);
    }
    return true;
  }

  #hasInherited(): boolean {
    if (this.#inherited.size === 0) return false;
    const open = new Set(this.#options.openTasks());
    for (const id of this.#inherited) if (!open.has(id)) this.#inherited.delete(id);
    return this.#inherited.size > 0;
  }

  /** Whether an event, as a reading has it, is as we have written it. */
  recognises({ eventId, details }: MirroredEvent): boolean {
    const isOwn = details?.etag !== undefined && this.#versions.get(eventId) === details.etag;
    if (isOwn) this.#unseen.delete(eventId);
    return isOwn;
  }

  /** Whether we have taken this event away, of which a reading has that it is gone. */
  hasRemoved(eventId: string): boolean {
    const isOwn = this.#removed.has(eventId);
    if (isOwn) this.#unseen.delete(eventId);
    return isOwn;
  }

  /** `provider`, watched: every write is noted while it is under way, and what came of it. */
  watch(provider: Provider): Provider {
    return {
      ...provider,
      createEvent: async (draft, creation, access) =>
        this.#noteVersion(
          await this.#during(creation.key, () => provider.createEvent(draft, creation, access)),
          creation.key,
        ),
      updateEvent: async (change, access) =>
        this.#noteVersion(
          await this.#during(change.eventId, () => provider.updateEvent(change, access)),
          change.eventId,
        ),
      cancelEvent: async (cancellation, access) => {
        const { eventId, occurrence } = cancellation;
        const cancel = () => provider.cancelEvent(cancellation, access);
        return await (occurrence === undefined
          ? this.#removing(eventId, cancel)
          : this.#during(eventId, cancel));
      },
      removeCreated: (removal, access) =>
        this.#removing(removal.key, () => provider.removeCreated(removal, access)),
    };
  }

  /** Noted beforehand, for it may be seen before it is answered; not so what was certainly not carried out. */
  async #removing(id: string, remove: () => Promise<Outcome<void>>): Promise<Outcome<void>> {
    const wasKnown = this.#removed.has(id);
    remember(this.#removed, id, '');
    const outcome = await this.#during(id, remove);
    // What an earlier attempt may have done stays noted.
    if (!outcome.ok && !isUncertain(outcome.failure) && !wasKnown) this.#removed.delete(id);
    return outcome;
  }

  async #during<T>(about: string, write: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    this.#underWay += 1;
    let mayBeDone = true;
    try {
      const outcome = await write();
      mayBeDone = outcome.ok || isUncertain(outcome.failure);
      return outcome;
    } finally {
      this.#underWay -= 1;
      this.#lastAtMs = this.#options.now();
      if (mayBeDone) this.#unseen.set(about, this.#lastAtMs);
    }
  }

  /** What came of a write that was about `about`, which the provider may call something else. */
  #noteVersion(outcome: Outcome<EventRecord>, about: string): Outcome<EventRecord> {
    if (!outcome.ok) return outcome;
    const { eventId, etag } = outcome.value;
    remember(this.#versions, eventId, etag);
    this.#unseen.delete(about);
    this.#unseen.set(eventId, this.#options.now());
    return outcome;
  }
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
