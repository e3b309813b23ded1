import * as z from 'zod';
import { addTally, createTally, isEmptyTally, type Tally, tallySchema } from '../domain/tally.ts';
import type { Shelf } from './shelf.ts';

const storedSchema = z.object({ version: z.literal(1), tally: tallySchema });

/**
 * All that was counted since the object exists. What is added is written down some time later, many reports
 * in one row; a kill loses the reports in between. Only what is written down is shown, so that a total
 * that somebody has read never decreases.
 */
export class RollUp {
  readonly #shelf: Shelf;
  #written: Tally;
  #added = createTally();

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
    const stored = shelf.read();
    this.#written = stored === undefined ? createTally() : storedSchema.parse(stored).tally;
  }

  /** Adds to the totals. */
  add(tally: Tally): void {
    addTally(this.#added, tally);
  }

  /** True when something was added that is not written down. */
  get isBehind(): boolean {
    return !isEmptyTally(this.#added);
  }

  /** Writes down what was added: one row, if anything was. */
  flush(): void {
    if (!this.isBehind) return;
    const tally = structuredClone(this.#written);
    addTally(tally, this.#added);
    this.#shelf.write({ version: 1, tally });
    this.#written = tally;
    this.#added = createTally();
  }

  /** The totals, as they are written down. */
  get totals(): Tally {
    return this.#written;
  }
}
