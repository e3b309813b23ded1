import * as z from 'zod';
import type { Shelf } from './shelf.ts';

/** It is looked into again after so long, whatever the provider has named. */
const LONGEST_MS = 60 * 60 * 1000;

const storedSchema = z.object({ version: z.literal(1), untilMs: z.number() });

/** A throttle by which the provider holds the whole app back, as connectors tell of it. Outlives an eviction: a row each. */
export class AppThrottle {
  readonly #shelf: Shelf;
  #untilMs: number;

  constructor(shelf: Shelf) {
    this.#shelf = shelf;
    const stored = shelf.read();
    this.#untilMs = stored === undefined ? -Infinity : storedSchema.parse(stored).untilMs;
  }

  /** A connector was told to wait until `untilMs`, epoch milliseconds. One that ends earlier takes nothing back. */
  note(untilMs: number, nowMs: number): void {
    const heededMs = Math.min(untilMs, nowMs + LONGEST_MS);
    if (!(heededMs > Math.max(this.#untilMs, nowMs))) return;
    this.#untilMs = heededMs;
    this.#shelf.write({ version: 1, untilMs: heededMs });
  }

  /** When it has passed, epoch milliseconds; undefined: there is none now. */
  endsAtMs(nowMs: number): number | undefined {
    // The clock may have gone back meanwhile.
    const untilMs = Math.min(this.#untilMs, nowMs + LONGEST_MS);
    return nowMs < untilMs ? untilMs : undefined;
  }
}
