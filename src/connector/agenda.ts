import * as z from 'zod';
import type { Alarm, Store } from './store.ts';

/** What an actor has to do at a certain time, besides its tasks and its holds. */
export const dutySchema = z.enum(['refresh-token', 'publish', 'send-notices', 'sync', 'channels', 'erase']);
export type Duty = z.infer<typeof dutySchema>;

const rowsSchema = z.array(z.object({ name: dutySchema, due_at: z.number() }));

/**
 * One alarm serves many due times. Duties stand in a small table, read once in a life; `arm` sets the alarm to
 * the earliest of them and of the times that others ask for.
 */
export class Agenda {
  readonly #store: Store;
  readonly #alarm: Alarm;
  /** When each duty is due, and how much had been undone in the storage when that was noted. */
  #known: { dueAtMs: Map<Duty, number>; undone: number } | undefined;
  /** What the platform's alarm is set to; undefined: not yet asked. */
  #armedFor: number | null | undefined;

  constructor(store: Store, alarm: Alarm) {
    this.#store = store;
    this.#alarm = alarm;
  }

  /** Enters a duty, or moves it: a row, unless it stands there already. */
  schedule(duty: Duty, dueAtMs: number): void {
    const wholeMs = Math.ceil(dueAtMs);
    if (this.#duties().get(duty) === wholeMs) return;
    this.#store.query('INSERT OR REPLACE INTO duty (name, due_at) VALUES (?, ?)', duty, wholeMs);
    this.#duties().set(duty, wholeMs);
  }

  /** Takes a duty off. */
  strike(duty: Duty): void {
    if (!this.has(duty)) return;
    this.#store.query('DELETE FROM duty WHERE name = ?', duty);
    this.#duties().delete(duty);
  }

  /** The duties that are due, the one that has waited longest first. */
  due(nowMs: number): Duty[] {
    return [...this.#duties()]
      .filter(([, dueAtMs]) => dueAtMs <= nowMs)
      .toSorted(([, a], [, b]) => a - b)
      .map(([duty]) => duty);
  }

  /** True while the duty is entered. */
  has(duty: Duty): boolean {
    return this.#duties().has(duty);
  }

  /** Enters a duty, or moves it to an earlier time; one that is due earlier already is left. */
  hasten(duty: Duty, dueAtMs: number): void {
    if ((this.#duties().get(duty) ?? Infinity) > dueAtMs) this.schedule(duty, dueAtMs);
  }

  /** The alarm has gone off: the platform holds none now. */
  alarmWentOff(): void {
    this.#armedFor = null;
  }

  /**
   * Sets the alarm to the earliest duty or `alsoAtMs`, never at or before `nowMs` (an alarm that is
   * set in its own handler to the present can stall). One row written, and only when it must move.
   * An alarm that comes earlier is left: it finds nothing to do and arms the next.
   */
  async arm(nowMs: number, alsoAtMs: number | undefined): Promise<void> {
    const earliest = Math.min(...this.#duties().values(), alsoAtMs ?? Infinity);
    if (earliest === Infinity) return;
    const wanted = Math.max(Math.ceil(earliest), nowMs + 1);
    if (this.#armedFor === undefined) {
      const current = await this.#alarm.get();
      // Another caller may have armed it meanwhile; from here to the assignment nothing interleaves.
      if (this.#armedFor === undefined) this.#armedFor = current;
    }
    if (this.#armedFor !== null && this.#armedFor <= wanted && this.#armedFor > nowMs) return;
    this.#armedFor = wanted;
    try {
      await this.#alarm.set(wanted);
    } catch (thrown) {
      // Not known to stand: the next arm asks.
      this.#armedFor = undefined;
      throw thrown;
    }
  }
  #duties(): Map<Duty, number> {
    const { undone } = this.#store;
    // What was noted in a transaction that was undone is not so.
    if (this.#known?.undone !== undone) {
      const rows = rowsSchema.parse(this.#store.query('SELECT name, due_at FROM duty'));
      this.#known = { dueAtMs: new Map(rows.map(({ name, due_at: dueAtMs }) => [name, dueAtMs])), undone };
    }
    return this.#known.dueAtMs;
  }
}
