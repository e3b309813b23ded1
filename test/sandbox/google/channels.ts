import { createHash } from 'node:crypto';
import type { CalendarStore } from '../calendar-store.ts';
import type { Dice } from '../dice.ts';
import type { Person } from '../people.ts';
import type { Pushes } from '../pushes.ts';

/** What a client wants to be told, and where. */
export interface ChannelInput {
  readonly id: string;
  readonly address: string;
  readonly token?: string;
  readonly expiresAtMs: number;
  readonly person: Person;
  /** Whose events are watched; left out: the calendar list. */
  readonly calendarId?: string;
  /** Where the watched resource is read. */
  readonly resourceUri: string;
}

/** A channel that is open. */
export interface OpenChannel {
  readonly id: string;
  readonly resourceId: string;
  readonly resourceUri: string;
  readonly person: string;
  readonly calendarId?: string;
  readonly address: string;
  readonly expiresAtMs: number;
}

interface Held extends ChannelInput {
  readonly resourceId: string;
  lastNumber: number;
  close(): void;
}

/** The channels through which Google tells of changes. None tells what has changed. */
export class Channels {
  readonly #open = new Map<string, Held>();
  /** Ids are spent for good. */
  readonly #spent = new Set<string>();
  readonly #rooms: { store: CalendarStore; pushes: Pushes; dice: Dice; now: () => number };

  constructor(rooms: { store: CalendarStore; pushes: Pushes; dice: Dice; now: () => number }) {
    this.#rooms = rooms;
  }

  /** Opens a channel and greets its address. Undefined when there has been one of that id. */
  open(input: ChannelInput): OpenChannel | undefined {
    if (this.#spent.has(input.id)) return undefined;
    this.#spent.add(input.id);
    const { person, calendarId } = input;
    // The same for everyone who watches the same calendar.
    const resource = calendarId ?? `calendarList of ${person.id}`;
    const held: Held = {
      ...input,
      resourceId: createHash('sha256').update(resource).digest('base64url').slice(0, 27),
      lastNumber: 0,
      close: this.#listen(input, () => {
        this.#tell(held, 'exists');
      }),
    };
    this.#open.set(input.id, held);
    this.#tell(held, 'sync');
    return viewOf(held);
  }

  /** Closes a channel of that person; false when there is none such. */
  stop(person: Person, id: string, resourceId: string): boolean {
    const held = this.#living().find((one) => one.id === id);
    if (held?.resourceId !== resourceId || held.person !== person) return false;
    this.#close(held);
    return true;
  }

  /** The channels that are open: one person's, or everyone's. */
  view(person?: Person): OpenChannel[] {
    return this.#living()
      .filter((held) => person === undefined || held.person === person)
      .map(viewOf);
  }

  #listen({ person, calendarId }: ChannelInput, tell: () => void): () => void {
    if (calendarId === undefined) return person.list.onChange(tell);
    return this.#rooms.store.onChange((calendar) => {
      const entry = calendar.id === calendarId ? person.calendar(calendarId) : undefined;
      if (entry !== undefined && entry.accessRole !== 'freeBusyReader') tell();
    });
  }

  #tell(held: Held, state: 'sync' | 'exists'): void {
    if (!this.#living().includes(held)) return;
    const { id, token, person, address, expiresAtMs, resourceId, resourceUri } = held;
    // The first has the number 1; later ones leave gaps.
    held.lastNumber += held.lastNumber === 0 ? 1 : 1 + Math.floor(this.#rooms.dice.roll() * 1000);
    this.#rooms.pushes.send({
      provider: 'google',
      person: person.email,
      watchId: id,
      kind: state,
      url: address,
      headers: {
        'content-type': 'application/json; utf-8',
        'user-agent': 'APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)',
        'x-goog-channel-id': id,
        ...(token === undefined ? {} : { 'x-goog-channel-token': token }),
        'x-goog-channel-expiration': new Date(expiresAtMs).toUTCString(),
        'x-goog-resource-id': resourceId,
        'x-goog-resource-uri': resourceUri,
        'x-goog-resource-state': state,
        'x-goog-message-number': String(held.lastNumber),
      },
      body: '',
    });
  }

  // Those that have expired are closed on the way.
  #living(): Held[] {
    for (const held of Array.from(this.#open.values())) {
      if (held.expiresAtMs <= this.#rooms.now()) this.#close(held);
    }
    return [...this.#open.values()];
  }

  #close(held: Held): void {
    held.close();
    this.#open.delete(held.id);
  }
}

function viewOf({
  id,
  resourceId,
  resourceUri,
  person,
  calendarId,
  address,
  expiresAtMs,
}: Held): OpenChannel {
  return {
    id,
    resourceId,
    resourceUri,
    person: person.email,
    ...(calendarId === undefined ? {} : { calendarId }),
    address,
    expiresAtMs,
  };
}
