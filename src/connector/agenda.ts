import * as z from 'zod';
import type { Alarm, Store } from './store.ts';

/** What an actor has to do at a certain time, besides its tasks and its holds. */
export const dutySchema = z.enum(['refresh-token', 'publish', 'send-notices', 'sync', 'channels', 'erase']);
export type Duty = z.infer<typeof dutySchema>;

const dutiesSchema = z.array(z.object({ name: dutySchema }));
const nextSchema = z.tuple([z.object({ next: z.number().nullable() })]);

/**
 * One alarm serves many due times. Duties stand in a small table; `arm` sets the alarm to the
 * earliest of them and of the times that others ask for.
 */
export class Agenda {
  readonly #store: Store;
  readonly #alarm: Alarm;
  /** What the platform's alarm is set to; undefined: not yet asked. */
  #armedFor: number | null | undefined;

  constructor(store: Store, alarm: Alarm) {
    this.#store = store;
    this.#alarm = alarm;
  }

  /** Enters a duty, or moves it. */
  schedule(duty: Duty, dueAtMs: number): void {
    this.#store.query('INSERT OR REPLACE INTO duty (name, due_at) VALUES (?, ?)', duty, Math.ceil(dueAtMs));
  }

  /** Takes a duty off. */
  strike(duty: Duty): void {
    this.#store.query('DELETE FROM duty WHERE name = ?', duty);
  }

  /** The duties that are due. */
  due(nowMs: number): Duty[] {
    return dutiesSchema
      .parse(this.#store.query('SELECT name FROM duty WHERE due_at <= ? ORDER BY due_at', nowMs))
      .map(({ name }) => name);
  }

  /** True while the duty is entered. */
  has(duty: Duty): boolean {
    return this.#store.query('SELECT name FROM duty WHERE name = ?', duty).length > 0;
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
    const [{ next }] = nextSchema.parse(this.#store.query('SELECT MIN(due_at) AS next FROM duty'));
    const earliest = Math.min(next ?? Infinity, alsoAtMs ?? Infinity);
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
}
