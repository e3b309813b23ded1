import * as z from 'zod';
import type { BreakerSettings, BreakerState, Health } from '../domain/lease.ts';
import { Evidence } from './evidence.ts';
import type { Shelf } from './shelf.ts';

/** While a probe is out, the others ask again after this long at the latest. */
const LOOK_AGAIN_MS = 5_000;

const phaseSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('closed') }),
  z.object({
    state: z.literal('open'),
    untilMs: z.number(),
    /** How many probes have failed since it was last closed. */
    failedProbes: z.int(),
  }),
  z.object({
    state: z.literal('half-open'),
    failedProbes: z.int(),
    /** The connector that may make the one call; none: the next to ask may. */
    probe: z.exactOptional(z.object({ connectorId: z.string(), lapsesAtMs: z.number() })),
  }),
]);
type Phase = z.infer<typeof phaseSchema>;

const storedSchema = z.object({ version: z.literal(1), phase: phaseSchema });

/** What may be granted: any number of permits; those of one call, as a probe; or none before `retryAtMs`. */
export type Admission =
  | { most: 'any' }
  | { most: 'one'; lapsesAtMs: number; retryAtMs: number }
  | { most: 'none'; retryAtMs: number };

/**
 * Holds all calls of an app back while its provider is down. Opened by what many connectors report, never by
 * one alone; open for a while, longer each time that a probe fails; then one connector at a time may make one
 * call, and the first that the provider answers closes it. A probe that is never reported lapses.
 *
 * Its phase outlives an eviction: one row per change. Reports about calls that were allowed before it opened
 * change nothing.
 */
export class Breaker {
  readonly #settings: BreakerSettings;
  readonly #shelf: Shelf;
  readonly #evidence: Evidence;
  #phase: Phase;

  constructor(settings: BreakerSettings, shelf: Shelf) {
    this.#settings = settings;
    this.#shelf = shelf;
    this.#evidence = new Evidence(settings);
    const stored = shelf.read();
    this.#phase = stored === undefined ? { state: 'closed' } : storedSchema.parse(stored).phase;
  }

  /** Its state now; an open one whose time is over is half-open, also before anyone asks. */
  state(nowMs: number): BreakerState {
    return this.#current(nowMs).state;
  }

  /** Takes in what a connector's calls showed, and how many of its permits it has `returned` unused. */
  report(connectorId: string, health: Health, returned: number, nowMs: number): void {
    const phase = this.#current(nowMs);
    switch (phase.state) {
      case 'closed':
        this.#evidence.add(connectorId, health, nowMs);
        if (health.failures > 0 && this.#evidence.tellsOutage(nowMs)) this.#open(0, nowMs);
        return;
      case 'open':
        return;
      case 'half-open':
        if (phase.probe?.connectorId !== connectorId) return;
        if (health.successes > 0) this.#enter({ state: 'closed' });
        else if (health.failures > 0) this.#open(phase.failedProbes + 1, nowMs);
        else if (returned > 0) this.#enter({ state: 'half-open', failedProbes: phase.failedProbes });
    }
  }

  /** How many permits may be granted now. `probe` is to be told when one is granted as a probe. */
  admit(nowMs: number): Admission {
    const phase = this.#current(nowMs);
    switch (phase.state) {
      case 'closed':
        return { most: 'any' };
      case 'open':
        return { most: 'none', retryAtMs: phase.untilMs };
      case 'half-open': {
        const { probe } = phase;
        if (probe !== undefined && nowMs < probe.lapsesAtMs) {
          return { most: 'none', retryAtMs: Math.min(probe.lapsesAtMs, nowMs + LOOK_AGAIN_MS) };
        }
        const lapsesAtMs = nowMs + this.#settings.probeMs;
        return { most: 'one', lapsesAtMs, retryAtMs: Math.min(lapsesAtMs, nowMs + LOOK_AGAIN_MS) };
      }
    }
  }

  /** A connector got the one call that `admit` allowed; it is out until `lapsesAtMs`. */
  probe(connectorId: string, lapsesAtMs: number, nowMs: number): void {
    const phase = this.#current(nowMs);
    if (phase.state !== 'half-open') return;
    const { failedProbes } = phase;
    this.#enter({ state: 'half-open', failedProbes, probe: { connectorId, lapsesAtMs } });
  }

  #current(nowMs: number): Phase {
    const phase = this.#phase;
    return phase.state === 'open' && nowMs >= phase.untilMs
      ? { state: 'half-open', failedProbes: phase.failedProbes }
      : phase;
  }

  #open(failedProbes: number, nowMs: number): void {
    const { openMs, maxOpenMs } = this.#settings;
    this.#enter({
      state: 'open',
      untilMs: nowMs + Math.min(openMs * 2 ** failedProbes, maxOpenMs),
      failedProbes,
    });
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#evidence.clear();
    this.#shelf.write({ version: 1, phase });
  }
}
