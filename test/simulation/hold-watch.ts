import * as z from 'zod';
import { overlaps } from '../../src/domain/interval.ts';
import type { CalendarServer } from './calendar-server.ts';
import type { SqliteStore } from './sqlite-store.ts';
import type { Blame } from './verdicts.ts';

const rowsSchema = z.array(
  z.object({
    hold_id: z.string(),
    state: z.enum(['placing', 'held', 'confirming', 'confirmed', 'cancelled', 'expired']),
    key: z.string().nullable(),
    event_id: z.string().nullable(),
    start_at: z.number().nullable(),
    end_at: z.number().nullable(),
    expires_at: z.number(),
  }),
);
/** A hold as the book has it. */
export type SeenHold = z.infer<typeof rowsSchema>[number];

/** Where a hold may go from where it is; one that is over begins anew under another key. */
const WAYS: Record<SeenHold['state'], SeenHold['state'][]> = {
  placing: ['held', 'cancelled', 'expired'],
  held: ['confirming', 'cancelled', 'expired'],
  // Held again when its confirm is given up, it may run out in the same step.
  confirming: ['confirmed', 'held', 'cancelled', 'expired'],
  confirmed: [],
  cancelled: [],
  expired: [],
};

/** Watches one book of holds against the model of what a hold may become. */
export class HoldWatch {
  readonly #store: SqliteStore;
  readonly #server: CalendarServer;
  readonly #blame: Blame;
  readonly #now: () => number;
  #before = new Map<string, SeenHold>();
  /** Keys of holds that took their time whatever else was there. */
  readonly forced = new Set<string>();
  /** Keys of holds, by what was seen of them last. */
  readonly byKey = new Map<string, SeenHold>();

  constructor(store: SqliteStore, server: CalendarServer, blame: Blame, now: () => number) {
    this.#store = store;
    this.#server = server;
    this.#blame = blame;
    this.#now = now;
  }

  /** The book as it is. */
  read(): SeenHold[] {
    return rowsSchema.parse(
      this.#store.query(
        'SELECT hold_id, state, key, event_id, start_at, end_at, expires_at FROM hold ORDER BY hold_id',
      ),
    );
  }

  /** Looks at the book after a step. */
  look(): void {
    const holds = this.read();
    for (const hold of holds) {
      const before = this.#before.get(hold.hold_id);
      if (before === undefined || before.key !== hold.key) this.#begun(hold, before, holds);
      else if (before.state !== hold.state) this.#moved(hold, before);
      if (hold.key !== null) this.byKey.set(hold.key, hold);
    }
    this.#before = new Map(holds.map((hold) => [hold.hold_id, hold]));
  }

  /** While nothing is under way: what is held is in the calendar. */
  lookAtRest(): void {
    for (const { hold_id: holdId, state, event_id: eventId } of this.#before.values()) {
      if (state === 'held' && !this.#server.events.has(eventId ?? ''))
        this.#blame('hold', `${holdId} is held, and its event is not there`);
    }
  }

  #begun(hold: SeenHold, before: SeenHold | undefined, holds: readonly SeenHold[]): void {
    // One that ran out or was let go in this very step may begin anew in it: its event is then noted as one that must go.
    const isOver = before === undefined || !this.#isLive(before) || this.#isLeftOver(before);
    if (!isOver || before?.state === 'confirmed')
      this.#blame('hold', `${hold.hold_id} was ${before?.state} and begins anew`);
    if (hold.key === null) return;
    // Where a call fails at once, a cancel may follow in the same step.
    if (hold.state !== 'placing' && hold.state !== 'cancelled')
      this.#blame('hold', `${hold.hold_id} begins as ${hold.state}`);
    if (this.forced.has(hold.key)) return;
    for (const other of holds) {
      if (other === hold || !this.#isLive(other) || !isTogether(hold, other)) continue;
      this.#blame('hold', `${hold.hold_id} takes the time of ${other.hold_id}, which is ${other.state}`);
    }
  }

  #moved(hold: SeenHold, before: SeenHold): void {
    if (!WAYS[before.state].includes(hold.state))
      this.#blame('hold', `${hold.hold_id} goes from ${before.state} to ${hold.state}`);
    if (hold.state === 'expired' && hold.expires_at > this.#now())
      this.#blame('hold', `${hold.hold_id} runs out ${hold.expires_at - this.#now()} ms early`);
  }

  #isLeftOver({ key }: SeenHold): boolean {
    return this.#store.query('SELECT key FROM leftover WHERE key = ?', key).length > 0;
  }

  #isLive({ state, expires_at: expiresAtMs }: SeenHold): boolean {
    return state === 'confirming' || ((state === 'placing' || state === 'held') && expiresAtMs > this.#now());
  }
}

function isTogether(one: SeenHold, other: SeenHold): boolean {
  return overlaps(toInterval(one), toInterval(other));
}

function toInterval({ start_at: startMs, end_at: endMs }: SeenHold) {
  return { startMs: startMs ?? 0, endMs: endMs ?? 0 };
}
