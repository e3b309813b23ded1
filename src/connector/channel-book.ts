import * as z from 'zod';
import type { Store } from './store.ts';

const watchSchema = z.object({
  watchId: z.string(),
  resourceId: z.exactOptional(z.string()),
  expiresAtMs: z.number(),
  /** Where it calls: a renewal does not change that, and another key of the keyring makes another address. */
  address: z.exactOptional(z.string()),
});
const rowsSchema = z.array(
  z.object({
    id: z.string(),
    calendar_id: z.string(),
    watch: z.string().nullable(),
    secret: z.string(),
    state: z.enum(['opening', 'open', 'suspect', 'unproven', 'retiring', 'refused']),
    due_at: z.number(),
  }),
);

/**
 * A channel. `opening`: asked for, the answer is not here yet. `suspect`: something has changed that it has not
 * told of. `unproven`: it stands in for one that went silent, and has told nothing yet. `retiring`: to be closed.
 * `refused`: there is none to be had, for now. `dueAtMs`: when something is to be done about it, epoch milliseconds.
 */
export interface Channel {
  id: string;
  calendarId: string;
  watch?: z.infer<typeof watchSchema>;
  secret: string;
  state: z.infer<typeof rowsSchema>[number]['state'];
  dueAtMs: number;
}

/** The channels of one connector, as they are recorded. Nothing here calls anybody. */
export class ChannelBook {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** All of them, those that are to be closed included. */
  all(): Channel[] {
    return rowsSchema.parse(this.#store.query('SELECT * FROM channel')).map((row) => ({
      id: row.id,
      calendarId: row.calendar_id,
      secret: row.secret,
      state: row.state,
      dueAtMs: row.due_at,
      ...(row.watch !== null && { watch: watchSchema.parse(JSON.parse(row.watch)) }),
    }));
  }

  /** The channel of this id, as it is by now. */
  find(id: string): Channel | undefined {
    return this.all().find((one) => one.id === id);
  }

  /** The calendars that need no channel: they have one, or can have none for now. */
  covered(): Set<string> {
    return new Set(this.all().flatMap((one) => (one.state === 'retiring' ? [] : [one.calendarId])));
  }

  /** When something is to be done about a channel, epoch milliseconds. */
  nextDueAt(): number | undefined {
    const next = Math.min(...this.all().map(({ dueAtMs }) => dueAtMs));
    return next === Infinity ? undefined : next;
  }

  /** Enters a channel, or what has become of it: a row. */
  write({ id, calendarId, watch, secret, state, dueAtMs }: Channel): void {
    this.#store.query(
      `INSERT OR REPLACE INTO channel (id, calendar_id, watch, secret, state, due_at) VALUES (?, ?, ?, ?, ?, ?)`,
      id,
      calendarId,
      watch === undefined ? null : JSON.stringify(watch),
      secret,
      state,
      Math.ceil(dueAtMs),
    );
  }

  /** Takes a channel off. */
  forget(id: string): void {
    this.#store.query('DELETE FROM channel WHERE id = ?', id);
  }
}
