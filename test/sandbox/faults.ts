import { dice } from './dice.ts';
import type { Dice } from './dice.ts';
import type { Provider } from './people.ts';

/** What a scripted fault does to a call. */
export type FaultEffect =
  | { kind: 'status'; status: number; body?: unknown; headers?: Record<string, string> }
  /** Carried out as asked, then answered with this status: a gateway that failed on the way back. */
  | { kind: 'status-after'; status: number; headers?: Record<string, string> }
  | { kind: 'reset' }
  | { kind: 'hang' }
  | { kind: 'latency'; ms: number }
  | { kind: 'reply-lost' }
  /** Carried out as asked, and then nothing until the client gives up. */
  | { kind: 'reply-held' }
  | {
      kind: 'throttle';
      status?: 429 | 403 | 503;
      /** Seconds, or `date` for an HTTP date at the end of the hold; left out: no header. */
      retryAfter?: number | 'date';
      /** How long calls of that person are answered throttled, and noted as too early. */
      holdMs: number;
      /** For how long a call may still cross the first reply that tells of the hold; longer where machines are busy. 50 by default. */
      crossingMs?: number;
    }
  | { kind: 'malformed' }
  | { kind: 'empty' }
  /** A list comes out as if nothing were in it, its sync token included. */
  | { kind: 'hollow' };

/** A fault to script; a field left out matches every call. */
export interface FaultScript {
  provider?: Provider;
  operation?: string;
  person?: string;
  /** Text contained in the path and query, or an expression tested against them. */
  path?: string | RegExp;
  /** How many calls it strikes; 1 by default. */
  times?: number;
  /** How many matching calls it lets pass first. */
  after?: number;
  /** The share of the matching calls that it strikes, by the sandbox's seed; all of them by default. */
  chance?: number;
  effect: FaultEffect;
}

/** The call a fault is looked up for. */
export interface FaultTarget {
  readonly provider: Provider;
  readonly operation: string;
  readonly person: string | undefined;
  readonly path: string;
}

/** A wait the provider has asked of one person. */
export interface Hold {
  readonly sinceMs: number;
  /** When a reply that says so first left; before that nobody can know of it. */
  toldAtMs?: number;
  readonly untilMs: number;
  readonly effect: Extract<FaultEffect, { kind: 'throttle' }>;
}

// A timer may fire a moment early, and a call may cross the first reply that tells of a hold on its way.
const EARLY_TOLERANCE_MS = 5;
const CROSSING_MS = 50;

/** The script of what goes wrong, and the holds that throttling leaves behind. */
export class Faults {
  #scripts: { script: FaultScript; passed: number; struck: number }[] = [];
  readonly #standing = new Map<Provider, number>();
  readonly #holds = new Map<string, Hold>();
  readonly #dice: Dice;

  constructor(chance: Dice = dice(1)) {
    this.#dice = chance;
  }

  /** Adds a fault. Faults are tried in the order they were added. */
  add(script: FaultScript): void {
    this.#scripts.push({ script, passed: 0, struck: 0 });
  }

  /** Lets every call of a provider take at least `ms`; 0 ends it. */
  latency(provider: Provider, ms: number): void {
    this.#standing.set(provider, ms);
  }

  /** Forgets all faults, standing latencies and holds. */
  clear(): void {
    this.#scripts = [];
    this.#standing.clear();
    this.#holds.clear();
  }

  /** Faults that have not struck as often as they were meant to. */
  get pending(): FaultScript[] {
    return this.#scripts
      .filter(({ script, struck }) => struck < (script.times ?? 1))
      .map(({ script }) => script);
  }

  /** The effects for one call: the longest latency that matches, and at most one effect of another kind. */
  take(target: FaultTarget): { delayMs: number; effect?: FaultEffect; kinds: string[] } {
    let delayMs = this.#standing.get(target.provider) ?? 0;
    let effect: FaultEffect | undefined;
    const kinds: string[] = [];
    for (const entry of this.#scripts) {
      const { script } = entry;
      if (entry.struck >= (script.times ?? 1) || !matches(script, target)) continue;
      if (script.effect.kind !== 'latency' && effect !== undefined) continue;
      if (entry.passed < (script.after ?? 0)) {
        entry.passed += 1;
        continue;
      }
      if (script.chance !== undefined && this.#dice.roll() >= script.chance) continue;
      entry.struck += 1;
      kinds.push(script.effect.kind);
      if (script.effect.kind === 'latency') delayMs = Math.max(delayMs, script.effect.ms);
      else effect = script.effect;
    }
    return effect === undefined ? { delayMs, kinds } : { delayMs, effect, kinds };
  }

  /** Starts a hold for everything that shares `key`. */
  hold(key: string, effect: Hold['effect'], nowMs: number): Hold {
    const hold: Hold = { sinceMs: nowMs, untilMs: nowMs + effect.holdMs, effect };
    this.#holds.set(key, hold);
    return hold;
  }

  /** A reply that tells of these holds leaves. */
  tell(holds: readonly Hold[], nowMs: number): void {
    for (const hold of holds) hold.toldAtMs ??= nowMs;
  }

  /** The hold a call runs into, and by how much it is early (0: it cannot have known yet). */
  held(key: string, arrivedAtMs: number): { hold: Hold; earlyByMs: number } | undefined {
    const hold = this.#holds.get(key);
    if (hold === undefined || arrivedAtMs <= hold.sinceMs) return undefined;
    const earlyByMs = hold.untilMs - arrivedAtMs;
    if (earlyByMs <= EARLY_TOLERANCE_MS) return undefined;
    const { toldAtMs, effect } = hold;
    const mayKnow = toldAtMs !== undefined && arrivedAtMs - toldAtMs > (effect.crossingMs ?? CROSSING_MS);
    return { hold, earlyByMs: mayKnow ? earlyByMs : 0 };
  }
}

/** The Retry-After header of a hold, rounded up so that who obeys is never early. */
export function retryAfterHeader(hold: Hold): Record<string, string> {
  const { retryAfter } = hold.effect;
  if (retryAfter === undefined) return {};
  if (retryAfter !== 'date') return { 'retry-after': String(retryAfter) };
  return { 'retry-after': new Date(Math.ceil(hold.untilMs / 1000) * 1000).toUTCString() };
}

function matches(script: FaultScript, target: FaultTarget): boolean {
  if (script.provider !== undefined && script.provider !== target.provider) return false;
  if (script.operation !== undefined && script.operation !== target.operation) return false;
  if (script.person !== undefined && script.person !== target.person) return false;
  if (script.path === undefined) return true;
  // `search` ignores lastIndex, so an expression with the g flag matches every time too.
  return typeof script.path === 'string'
    ? target.path.includes(script.path)
    : target.path.search(script.path) !== -1;
}
