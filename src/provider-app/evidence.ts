import type { BreakerSettings, Health } from '../domain/lease.ts';

/** A window is this many slices long. */
const SLICES = 12;

interface Slice {
  startMs: number;
  successes: number;
  /** By connector. */
  failures: Map<string, number>;
}

/**
 * What connectors reported within the last `windowMs` (the whole oldest slice counts). Kept in memory only:
 * an object that is reported to is not evicted.
 */
export class Evidence {
  readonly #settings: BreakerSettings;
  readonly #sliceMs: number;
  #slices: Slice[] = [];

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
    this.#sliceMs = Math.max(1, Math.ceil(settings.windowMs / SLICES));
  }

  /** Takes a report in. */
  add(connectorId: string, { successes, failures }: Health, nowMs: number): void {
    if (successes === 0 && failures === 0) return;
    const startMs = Math.floor(nowMs / this.#sliceMs) * this.#sliceMs;
    let slice = this.#slices.find((one) => one.startMs === startMs);
    if (slice === undefined) {
      slice = { startMs, successes: 0, failures: new Map() };
      this.#slices.push(slice);
    }
    slice.successes += successes;
    if (failures > 0) slice.failures.set(connectorId, (slice.failures.get(connectorId) ?? 0) + failures);
  }

  /**
   * True when the provider itself seems to fail: enough connectors failed, and so did at least the set share
   * of all calls, also without those of the connector that failed most.
   */
  tellsOutage(nowMs: number): boolean {
    const { windowMs, failingConnectors, failingShare } = this.#settings;
    this.#slices = this.#slices.filter(
      ({ startMs }) => startMs + this.#sliceMs + windowMs > nowMs && startMs <= nowMs,
    );
    const failures = new Map<string, number>();
    for (const [connectorId, amount] of this.#slices.flatMap((slice) => [...slice.failures])) {
      failures.set(connectorId, (failures.get(connectorId) ?? 0) + amount);
    }
    if (failures.size < failingConnectors) return false;
    let failed = 0;
    let loudest = 0;
    for (const amount of failures.values()) {
      failed += amount;
      loudest = Math.max(loudest, amount);
    }
    const succeeded = this.#slices.reduce((sum, { successes }) => sum + successes, 0);
    const others = failed - loudest;
    return others > 0 && others >= failingShare * (others + succeeded);
  }

  /** Forgets everything. */
  clear(): void {
    this.#slices = [];
  }
}
