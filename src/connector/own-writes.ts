import type { EventRecord } from '../domain/event.ts';
import type { Failure, Outcome } from '../domain/failure.ts';
import type { MirroredEvent } from '../domain/mirror.ts';
import type { Provider } from '../providers/provider.ts';

/** So many of the latest are remembered. */
const MOST = 500;

/** What own writes are made of. */
export interface OwnWritesOptions {
  now: () => number;
  /** When the last task that writes has ended, as far as that is written down; epoch milliseconds. */
  lastEndedAtMs: () => number;
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
  #underWay = 0;
  #lastAtMs: number | undefined;

  constructor(options: OwnWritesOptions) {
    this.#options = options;
  }

  /** Whether a mirror of this instant knows of everything that has been written since. */
  areKnownAt(asOfMs: number): boolean {
    this.#lastAtMs ??= this.#options.lastEndedAtMs();
    return this.#underWay === 0 && asOfMs > this.#lastAtMs;
  }

  /** Whether an event is as we have written it. */
  recognises({ eventId, details }: MirroredEvent): boolean {
    return details?.etag !== undefined && this.#versions.get(eventId) === details.etag;
  }

  /** Whether we have taken this event away. */
  hasRemoved(eventId: string): boolean {
    return this.#removed.has(eventId);
  }

  /** `provider`, watched: every write is noted while it is under way, and what came of it. */
  watch(provider: Provider): Provider {
    return {
      ...provider,
      createEvent: async (draft, creation, access) =>
        this.#noteVersion(await this.#during(() => provider.createEvent(draft, creation, access))),
      updateEvent: async (change, access) =>
        this.#noteVersion(await this.#during(() => provider.updateEvent(change, access))),
      cancelEvent: async (cancellation, access) => {
        const { eventId, occurrence } = cancellation;
        const cancel = () => provider.cancelEvent(cancellation, access);
        return await (occurrence === undefined ? this.#removing(eventId, cancel) : this.#during(cancel));
      },
      removeCreated: (removal, access) =>
        this.#removing(removal.key, () => provider.removeCreated(removal, access)),
    };
  }

  /** Noted beforehand, for it may be seen before it is answered; not so what was certainly not carried out. */
  async #removing(id: string, remove: () => Promise<Outcome<void>>): Promise<Outcome<void>> {
    const wasKnown = this.#removed.has(id);
    remember(this.#removed, id, '');
    const outcome = await this.#during(remove);
    // What an earlier attempt may have done stays noted.
    if (!outcome.ok && !isUncertain(outcome.failure) && !wasKnown) this.#removed.delete(id);
    return outcome;
  }

  async #during<T>(write: () => Promise<T>): Promise<T> {
    this.#underWay += 1;
    try {
      return await write();
    } finally {
      this.#underWay -= 1;
      // Whatever came of it: it may have been carried out.
      this.#lastAtMs = this.#options.now();
    }
  }

  #noteVersion(outcome: Outcome<EventRecord>): Outcome<EventRecord> {
    if (outcome.ok) remember(this.#versions, outcome.value.eventId, outcome.value.etag);
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
