import * as z from 'zod';
import { type EventRecord, eventRecordSchema } from '../domain/event.ts';
import type { Slot } from '../domain/hold.ts';
import { type Interval, overlaps } from '../domain/interval.ts';
import type { Store } from './store.ts';

/** How long a hold that is over is remembered for callers who ask again. */
const KEPT_MS = 24 * 60 * 60 * 1000;

const rowSchema = z.object({
  hold_id: z.string(),
  state: z.enum(['placing', 'held', 'confirming', 'confirmed', 'cancelled', 'expired']),
  task_id: z.string().nullable(),
  key: z.string().nullable(),
  start_at: z.number().nullable(),
  end_at: z.number().nullable(),
  time_zone: z.string().nullable(),
  calendar_id: z.string().nullable(),
  group_id: z.string().nullable(),
  event_id: z.string().nullable(),
  event: z.string().nullable(),
  confirmation: z.string().nullable(),
  is_told: z.number(),
  expires_at: z.number(),
});
const rowsSchema = z.array(rowSchema);

const leftoverRowsSchema = z.array(
  z.object({
    key: z.string(),
    calendar_id: z.string().nullable(),
    event_id: z.string().nullable(),
    notify: z.enum(['all', 'none']),
    start_at: z.number(),
    end_at: z.number(),
    attempts: z.number(),
    since: z.number(),
  }),
);
const nextSchema = z.tuple([z.object({ next: z.number().nullable() })]);

/** What a hold was placed as: the slot, and the key that names its event for good. */
export interface Placed {
  slot: Slot;
  key: string;
  /** The hold over several connectors that it is part of. */
  groupId?: string;
  /** As the provider calls it, once it is known to be there. */
  eventId?: string;
}

/**
 * A hold. `placing` and `confirming`: recorded, the calendar is being written by the task `taskId`. One
 * without `placed` was cancelled before it was ever placed. Times are epoch milliseconds.
 */
export interface Hold {
  holdId: string;
  state: z.infer<typeof rowSchema>['state'];
  taskId?: string;
  placed?: Placed;
  /** What a confirmed hold has become. */
  event?: EventRecord;
  /** What it was confirmed as: canonical JSON of the request. */
  confirmation?: string;
  /** A confirm was tried: guests may have been told of it. */
  isTold: boolean;
  expiresAtMs: number;
}

/** An event that may be at the provider and must go, since then; `attempts` to remove it have failed. */
export interface Leftover extends Placed {
  notify: 'all' | 'none';
  attempts: number;
  sinceMs: number;
}

const IS_LIVE = `(state = 'confirming' OR (state IN ('placing', 'held') AND expires_at > ?))`;

/**
 * The holds of one connector, as they are recorded. Nothing here calls anybody: every change is one step
 * of the storage. A hold whose time has run out is not live, whether or not anybody has noticed yet; one
 * that is being confirmed does not run out.
 */
export class HoldBook {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The hold of this id, if it is known. */
  find(holdId: string): Hold | undefined {
    return this.#read('SELECT * FROM hold WHERE hold_id = ?', holdId)[0];
  }

  /** The holds that take time now. */
  live(nowMs: number): (Hold & { placed: Placed })[] {
    return this.#read(`SELECT * FROM hold WHERE ${IS_LIVE}`, nowMs).flatMap((hold) =>
      hold.placed === undefined ? [] : [{ ...hold, placed: hold.placed }],
    );
  }

  /** What live holds take of a slot. */
  taken(slot: Interval, nowMs: number): Interval[] {
    return this.live(nowMs)
      .map(({ placed }) => placed.slot)
      .filter((other) => overlaps(other, slot));
  }

  /** Records a hold that is about to be written to the calendar, in place of one of this id that is over. */
  place(holdId: string, taskId: string, placed: Placed, expiresAtMs: number): Hold {
    const { slot, key, groupId } = placed;
    this.#store.query(
      `INSERT OR REPLACE INTO hold
         (hold_id, state, task_id, key, start_at, end_at, time_zone, calendar_id, group_id, is_told, expires_at)
       VALUES (?, 'placing', ?, ?, ?, ?, ?, ?, ?, 0, ?)`,
      holdId,
      taskId,
      key,
      slot.startMs,
      slot.endMs,
      slot.timeZone,
      slot.calendarId ?? null,
      groupId ?? null,
      expiresAtMs,
    );
    return { holdId, state: 'placing', taskId, placed, isTold: false, expiresAtMs };
  }

  /** Another task goes on with what a hold is going through. */
  adopt(holdId: string, taskId: string): void {
    this.#store.query('UPDATE hold SET task_id = ? WHERE hold_id = ?', taskId, holdId);
  }

  /** The event of a hold is there. */
  held(holdId: string, eventId: string): void {
    this.#store.query(
      `UPDATE hold SET state = 'held', task_id = NULL, event_id = ? WHERE hold_id = ?`,
      eventId,
      holdId,
    );
  }

  /** A hold is being confirmed: it does not run out meanwhile. */
  confirming(holdId: string, taskId: string): void {
    this.#store.query(`UPDATE hold SET state = 'confirming', task_id = ? WHERE hold_id = ?`, taskId, holdId);
  }

  /** The confirm is about to be written by this task: from here on guests may know of it. */
  tell(holdId: string, taskId: string): void {
    this.#store.query(
      `UPDATE hold SET state = 'confirming', task_id = ?, is_told = 1
       WHERE hold_id = ? AND NOT (state = 'confirming' AND task_id IS ? AND is_told = 1)`,
      taskId,
      holdId,
      taskId,
    );
  }

  /** Whatever is held or confirmed as this event is over: the event is gone. */
  eventCancelled(eventId: string, nowMs: number): void {
    this.#store.query(
      `UPDATE hold SET state = 'cancelled', ended_at = ?
       WHERE event_id = ? AND state IN ('held', 'confirming', 'confirmed')`,
      nowMs,
      eventId,
    );
  }

  /** A hold has become this event. */
  confirmed(
    holdId: string,
    { event, confirmation }: { event: EventRecord; confirmation: string },
    nowMs: number,
  ): void {
    this.#store.query(
      `UPDATE hold SET state = 'confirmed', task_id = NULL, event_id = ?, event = ?, confirmation = ?, ended_at = ?
       WHERE hold_id = ?`,
      event.eventId,
      JSON.stringify(event),
      confirmation,
      nowMs,
      holdId,
    );
  }

  /** A hold is over; its event, which may be there, must go. The task that drove it stays named. */
  end(hold: Hold, state: 'cancelled' | 'expired', nowMs: number): void {
    this.#store.query('UPDATE hold SET state = ?, ended_at = ? WHERE hold_id = ?', state, nowMs, hold.holdId);
    if (hold.placed !== undefined) this.leave(hold.placed, hold.isTold ? 'all' : 'none', nowMs);
  }

  /** Remembers until `untilMs` that a hold was cancelled before it was placed. */
  rememberCancelled(holdId: string, untilMs: number, nowMs: number): void {
    this.#store.query(
      `INSERT OR REPLACE INTO hold (hold_id, state, is_told, expires_at, ended_at)
       VALUES (?, 'cancelled', 0, ?, ?)`,
      holdId,
      untilMs,
      nowMs,
    );
  }

  /** Ends the holds whose time has run out, and forgets those that were over long ago; the ones that ended now. */
  expireDue(nowMs: number): Hold[] {
    const due = this.#read(
      `SELECT * FROM hold WHERE state IN ('placing', 'held') AND expires_at <= ?`,
      nowMs,
    );
    for (const hold of due) this.end(hold, 'expired', nowMs);
    this.#store.query('DELETE FROM hold WHERE ended_at < ?', nowMs - KEPT_MS);
    this.#store.query('DELETE FROM overtaken WHERE at < ?', nowMs - KEPT_MS);
    return due.map((hold) => ({ ...hold, state: 'expired' }));
  }

  /** These tasks were to place a hold that is cancelled now: when they come to run, they place nothing. */
  overtake(taskIds: readonly string[], nowMs: number): void {
    for (const taskId of taskIds)
      this.#store.query('INSERT OR REPLACE INTO overtaken (task_id, at) VALUES (?, ?)', taskId, nowMs);
  }

  /** Whether a cancel has overtaken this task. */
  isOvertaken(taskId: string): boolean {
    return this.#store.query('SELECT task_id FROM overtaken WHERE task_id = ?', taskId).length > 0;
  }

  /**
   * The task that drove a hold has failed for good: what it was placing is cancelled, what it was
   * confirming is held as before.
   */
  settle(taskId: string, nowMs: number): void {
    for (const hold of this.#read('SELECT * FROM hold WHERE task_id = ?', taskId)) {
      if (hold.state === 'placing') this.end(hold, 'cancelled', nowMs);
      if (hold.state === 'confirming' && hold.placed?.eventId !== undefined)
        this.held(hold.holdId, hold.placed.eventId);
    }
  }

  /** Notes an event that must go, due at once. */
  leave({ slot, key, eventId }: Placed, notify: 'all' | 'none', nowMs: number): void {
    this.#store.query(
      `INSERT OR REPLACE INTO leftover
         (key, calendar_id, event_id, notify, start_at, end_at, attempts, due_at, since)
       VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)`,
      key,
      slot.calendarId ?? null,
      eventId ?? null,
      notify,
      slot.startMs,
      slot.endMs,
      nowMs,
      nowMs,
    );
  }

  /** The event is gone. */
  removed(key: string): void {
    this.#store.query('DELETE FROM leftover WHERE key = ?', key);
  }

  /** The event is to be looked for at that time. */
  lookAgain(key: string, dueAtMs: number): void {
    this.#store.query('UPDATE leftover SET due_at = ? WHERE key = ?', Math.ceil(dueAtMs), key);
  }

  /** The event could not be removed: later. */
  putOff(key: string, dueAtMs: number): void {
    this.#store.query(
      'UPDATE leftover SET attempts = attempts + 1, due_at = ? WHERE key = ?',
      Math.ceil(dueAtMs),
      key,
    );
  }

  /** All events that must go are due now. */
  hasten(nowMs: number): void {
    this.#store.query('UPDATE leftover SET due_at = ? WHERE due_at > ?', nowMs, nowMs);
  }

  /** The events that must go, those that are due by `untilMs`. */
  leftovers(untilMs = Number.MAX_SAFE_INTEGER): Leftover[] {
    return leftoverRowsSchema
      .parse(this.#store.query('SELECT * FROM leftover WHERE due_at <= ? ORDER BY due_at', untilMs))
      .map((row) => ({
        key: row.key,
        notify: row.notify,
        attempts: row.attempts,
        sinceMs: row.since,
        slot: {
          startMs: row.start_at,
          endMs: row.end_at,
          timeZone: 'UTC',
          ...(row.calendar_id !== null && { calendarId: row.calendar_id }),
        },
        ...(row.event_id !== null && { eventId: row.event_id }),
      }));
  }

  /** When a hold runs out or an event must go next, epoch milliseconds. */
  nextDueAt(): number | undefined {
    const [{ next }] = nextSchema.parse(
      this.#store.query(
        `SELECT MIN(at) AS next FROM (
           SELECT MIN(expires_at) AS at FROM hold WHERE state IN ('placing', 'held')
           UNION ALL SELECT MIN(due_at) AS at FROM leftover)`,
      ),
    );
    return next ?? undefined;
  }

  #read(statement: string, ...values: (string | number)[]): Hold[] {
    return rowsSchema.parse(this.#store.query(statement, ...values)).map(toHold);
  }
}

function toHold(row: z.infer<typeof rowSchema>): Hold {
  const { key, start_at: startMs, end_at: endMs, time_zone: timeZone } = row;
  return {
    holdId: row.hold_id,
    state: row.state,
    isTold: row.is_told === 1,
    expiresAtMs: row.expires_at,
    ...(row.task_id !== null && { taskId: row.task_id }),
    ...(row.confirmation !== null && { confirmation: row.confirmation }),
    ...(row.event !== null && { event: eventRecordSchema.parse(JSON.parse(row.event)) }),
    ...(key !== null &&
      startMs !== null &&
      endMs !== null &&
      timeZone !== null && {
        placed: {
          key,
          slot: {
            startMs,
            endMs,
            timeZone,
            ...(row.calendar_id !== null && { calendarId: row.calendar_id }),
          },
          ...(row.group_id !== null && { groupId: row.group_id }),
          ...(row.event_id !== null && { eventId: row.event_id }),
        },
      }),
  };
}
