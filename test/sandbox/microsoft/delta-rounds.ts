import type { Stretch } from '../calendar-store.ts';
import { secret } from '../dice.ts';
import type { Dice } from '../dice.ts';
import type { Person } from '../people.ts';
import type { DeltaHabits, DeltaItem, WindowState } from './delta-changes.ts';

/** How a delta link that is known no more is answered. */
export interface DeltaExpiry {
  /** 410 comes with the address of a fresh delta in its Location header. */
  readonly status: 410 | 404 | 400;
  readonly code: 'resyncRequired' | 'syncStateNotFound';
}

/** One round of deltas: what its pages tell, and what the next round begins from. */
export interface DeltaRound {
  readonly key: string;
  readonly person: Person;
  readonly calendarId: string;
  readonly window: Stretch;
  readonly blocks: readonly DeltaItem[][];
  readonly state: WindowState;
  expiry?: DeltaExpiry;
}

// More than any client needs that goes on from its latest link.
const ROUNDS_KEPT = 64;

/** The rounds that delta links stand for. */
export class DeltaRounds {
  readonly habits: DeltaHabits = { twice: 0.05, strangers: 0.25, goneOccurrences: 'told' };
  readonly dice: Dice;
  readonly #rounds = new Map<string, DeltaRound>();

  constructor(chance: Dice) {
    this.dice = chance;
  }

  /** Begins a round. Of one person's calendar the oldest rounds are forgotten: their links have expired. */
  begin(round: Omit<DeltaRound, 'key' | 'expiry'>): DeltaRound {
    const begun = { ...round, key: secret(24) };
    this.#rounds.set(begun.key, begun);
    const siblings = [...this.#rounds.values()].filter(
      ({ person, calendarId }) => person === round.person && calendarId === round.calendarId,
    );
    for (const { key } of siblings.slice(0, Math.max(0, siblings.length - ROUNDS_KEPT))) {
      this.#rounds.delete(key);
    }
    return begun;
  }

  find(key: string): DeltaRound | undefined {
    return this.#rounds.get(key);
  }

  /** Lets the links that are out expire: one person's, or everyone's. */
  expire(person: Person | undefined, expiry: Partial<DeltaExpiry> = {}): void {
    const status = expiry.status ?? 410;
    const code = expiry.code ?? (status === 410 ? 'resyncRequired' : 'syncStateNotFound');
    for (const round of this.#rounds.values()) {
      if (person === undefined || round.person === person) round.expiry = { status, code };
    }
  }
}
