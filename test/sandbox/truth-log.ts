import { creations } from './effects.ts';
import type { Effect, NewEffect } from './effects.ts';
import type { Provider } from './people.ts';
import type { NewPushRecord } from './pushes.ts';

/** What sort of call it is: only `api` calls count for the peak of simultaneous calls. */
export type CallKind = 'page' | 'token' | 'api' | 'envelope';

/** One call as the provider saw it. Carries no token, code, query or body. */
export interface CallRecord {
  readonly seq: number;
  /** Arrival, RFC 3339. */
  readonly at: string;
  readonly provider: Provider;
  readonly operation: string;
  readonly kind: CallKind;
  readonly person?: string;
  readonly inBatch?: true;
  readonly grantType?: string;
  /** Time until the reply; -1 while the call is still open. */
  ms: number;
  /** HTTP status of the reply; 0 when none was sent (open, hung or lost). */
  status: number;
  /** Kinds of the scripted faults it met. */
  faults?: string[];
}

/** A call that came although the provider had asked to wait. */
export interface TooEarly {
  readonly at: string;
  readonly provider: Provider;
  readonly operation: string;
  readonly person?: string;
  readonly earlyByMs: number;
}

/** A request refused because it was wrong in itself, or accepted although it was insecure. */
export interface Complaint {
  readonly at: string;
  readonly provider: Provider;
  readonly operation: string;
  readonly person?: string;
  readonly status: number;
  readonly reason: string;
}

/** A notification that was sent or lost; one that was tried again is there once for each attempt. */
export type PushRecord = { readonly at: string } & NewPushRecord;

/** A call being answered. */
export interface OpenCall {
  readonly record: CallRecord;
  meets(fault: string): void;
  tooEarly(byMs: number): void;
  /** Closes the call with its status (0: no reply) and what was wrong with it. */
  end(status: number, complaint?: { refusal?: string | undefined; insecure?: string | undefined }): void;
}

/** Limits that the verdict judges by. */
export interface Judgement {
  readonly microsoftPeak: number;
}

/** What the providers really saw: the tests' witness. */
export class TruthLog {
  readonly calls: CallRecord[] = [];
  readonly tooEarly: TooEarly[] = [];
  readonly refusals: Complaint[] = [];
  readonly insecure: Complaint[] = [];
  /** What clients really changed, in order. */
  readonly effects: Effect[] = [];
  /** What clients were told of changes. */
  readonly pushes: PushRecord[] = [];
  readonly #inFlight = new Map<string, number>();
  /** Of those, the calls of the client that lives now. */
  readonly #inFlightAlive = new Map<string, number>();
  readonly #peaks = new Map<
    string,
    { provider: Provider; person: string; peak: number; peakAlive: number }
  >();
  /** How often the client has died. */
  #deaths = 0;
  readonly #now: () => number;
  readonly #judgement: Judgement;
  readonly #listeners = new Set<(record: CallRecord) => void>();
  #seq = 0;

  constructor(now: () => number, judgement: Judgement) {
    this.#now = now;
    this.#judgement = judgement;
  }

  /** Opens a call. Every call opened must be ended. */
  begin(call: {
    provider: Provider;
    operation: string;
    kind: CallKind;
    person?: string | undefined;
    inBatch: boolean;
    grantType?: string | undefined;
  }): OpenCall {
    const startedAtMs = this.#now();
    const at = new Date(startedAtMs).toISOString();
    const { provider, operation, kind, person } = call;
    const who = person === undefined ? {} : { person };
    const record: CallRecord = {
      seq: (this.#seq += 1),
      at,
      provider,
      operation,
      kind,
      ...who,
      ...(call.inBatch ? { inBatch: true as const } : {}),
      ...(call.grantType === undefined ? {} : { grantType: call.grantType }),
      ms: -1,
      status: 0,
    };
    this.calls.push(record);
    const key = kind === 'api' && person !== undefined ? `${provider} ${person}` : undefined;
    if (key !== undefined && person !== undefined) {
      const running = (this.#inFlight.get(key) ?? 0) + 1;
      this.#inFlight.set(key, running);
      const alive = (this.#inFlightAlive.get(key) ?? 0) + 1;
      this.#inFlightAlive.set(key, alive);
      const before = this.#peaks.get(key);
      const peak = Math.max(running, before?.peak ?? 0);
      const peakAlive = Math.max(alive, before?.peakAlive ?? 0);
      this.#peaks.set(key, { provider, person, peak, peakAlive });
    }
    const life = this.#deaths;
    return {
      record,
      meets: (fault) => {
        record.faults = [...(record.faults ?? []), fault];
      },
      tooEarly: (byMs) => {
        this.tooEarly.push({ at, provider, operation, ...who, earlyByMs: Math.round(byMs) });
      },
      end: (status, complaint) => {
        record.status = status;
        record.ms = this.#now() - startedAtMs;
        if (key !== undefined) {
          this.#inFlight.set(key, (this.#inFlight.get(key) ?? 1) - 1);
          if (life === this.#deaths) {
            this.#inFlightAlive.set(key, (this.#inFlightAlive.get(key) ?? 1) - 1);
          }
        }
        const entry = { at, provider, operation, ...who, status };
        if (complaint?.refusal !== undefined) this.refusals.push({ ...entry, reason: complaint.refusal });
        if (complaint?.insecure !== undefined) this.insecure.push({ ...entry, reason: complaint.insecure });
        for (const listener of this.#listeners) listener(record);
      },
    };
  }

  /**
   * The client was killed: its open calls go on at the provider and count for the peak, but no longer for the
   * peak of the living.
   */
  clientDied(): void {
    this.#deaths += 1;
    this.#inFlightAlive.clear();
  }

  /** Notes a change that was made. */
  effect(effect: NewEffect): void {
    this.effects.push({ at: new Date(this.#now()).toISOString(), ...effect });
  }

  /** Notes what became of a notification. */
  push(record: NewPushRecord): void {
    this.pushes.push({ at: new Date(this.#now()).toISOString(), ...record });
  }

  /** How many events were created under a logical key, by anyone. */
  created(key: string): number {
    return this.effects.filter((effect) => effect.deed === 'created' && effect.key === key).length;
  }

  /** How many calls match; a field left out matches all. */
  count(filter: { operation?: string; person?: string; provider?: Provider } = {}): number {
    return this.calls.filter(
      (call) =>
        (filter.operation === undefined || call.operation === filter.operation) &&
        (filter.person === undefined || call.person === filter.person) &&
        (filter.provider === undefined || call.provider === filter.provider),
    ).length;
  }

  /** The most API calls of one person that were ever open at once (token calls and batch envelopes apart). */
  peak(personEmail: string): number {
    const peaks = [...this.#peaks.values()].filter(({ person }) => person === personEmail);
    return Math.max(0, ...peaks.map(({ peak }) => peak));
  }

  /** Whether the client behaved, and if not, in what. */
  verdict(): { ok: boolean; problems: string[] } {
    const problems: string[] = [];
    for (const { provider, person, peak } of this.#peaks.values()) {
      if (provider === 'microsoft' && peak > this.#judgement.microsoftPeak) {
        problems.push(
          `${person}: ${String(peak)} calls at once, ${String(this.#judgement.microsoftPeak)} allowed`,
        );
      }
    }
    for (const early of this.tooEarly) {
      problems.push(
        `${early.person ?? 'someone'}: ${early.operation} came ${String(early.earlyByMs)} ms too early`,
      );
    }
    for (const refused of this.refusals) {
      problems.push(`${refused.operation} refused with ${String(refused.status)}: ${refused.reason}`);
    }
    for (const accepted of this.insecure) problems.push(`${accepted.operation} insecure: ${accepted.reason}`);
    for (const [key, count] of creations(this.effects)) {
      if (count > 1) problems.push(`${String(count)} events created under the key ${key}`);
    }
    return { ok: problems.length === 0, problems };
  }

  /** Forgets everything but the calls still running, which keep counting for the peak. */
  reset(): void {
    this.calls.length = 0;
    this.tooEarly.length = 0;
    this.refusals.length = 0;
    this.insecure.length = 0;
    this.effects.length = 0;
    this.pushes.length = 0;
    for (const [key, entry] of this.#peaks) {
      const peak = this.#inFlight.get(key) ?? 0;
      this.#peaks.set(key, { ...entry, peak, peakAlive: this.#inFlightAlive.get(key) ?? 0 });
    }
  }

  /** Tells `listener` of every call when it ends; returns how to stop. */
  onCall(listener: (record: CallRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  toJSON(): object {
    const all = [...this.#peaks.values()];
    const peaks = Object.fromEntries(all.map(({ person, peak }) => [person, peak]));
    const peaksAlive = Object.fromEntries(all.map(({ person, peakAlive }) => [person, peakAlive]));
    const { calls, tooEarly, refusals, insecure, effects, pushes } = this;
    const verdict = this.verdict();
    return { calls, peaks, peaksAlive, tooEarly, refusals, insecure, effects, pushes, verdict };
  }
}
