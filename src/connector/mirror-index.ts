import type { OriginalStart } from '../domain/event.ts';
import { type Interval, overlaps } from '../domain/interval.ts';
import type { EventSlot } from '../domain/mirror.ts';
import { expandSeries, keyOfStart, type Occurrence, spanOf } from '../domain/series.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** A series is worked out for this much around what is asked for, so that the next question need not. */
const REACH_BEFORE_MS = 31 * DAY_MS;
const REACH_AFTER_MS = 200 * DAY_MS;

/** An event as it is kept in memory. */
interface Entry extends EventSlot {
  eventId: string;
  seq: number;
  span: Interval;
  /** Of an occurrence that stands for itself: the start that its series has for it. */
  key?: string;
}

/** An occurrence, a single event, or an occurrence as its series has it. */
export interface Placed {
  eventId: string;
  /** Of an occurrence that only the rule of its series tells: its start by that rule. */
  occurrence?: OriginalStart;
  time: Occurrence['time'];
  span: Interval;
  isBusy: boolean;
}

/** When the events of one calendar are, in memory: what a question is answered from. */
export class MirrorIndex {
  readonly #entries = new Map<string, Entry>();
  /** The occurrences that are told for themselves, by series. */
  readonly #told = new Map<string, Map<string, Entry>>();
  readonly #expanded = new Map<string, { range: Interval; occurrences: Occurrence[] | undefined }>();

  /** How many events there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** The ids of all events. */
  ids(): string[] {
    return [...this.#entries.keys()];
  }

  /** What is known of an event. */
  find(eventId: string): (EventSlot & { seq: number }) | undefined {
    return this.#entries.get(eventId);
  }

  /** The ids of the occurrences of a series that are told for themselves. */
  occurrencesOf(seriesId: string): string[] {
    return [...(this.#told.get(seriesId)?.keys() ?? [])];
  }

  /** Takes an event in, or what has become of it. */
  set(eventId: string, slot: EventSlot, seq: number): void {
    this.delete(eventId);
    const { seriesId, originalStart } = slot;
    const entry: Entry = {
      ...slot,
      eventId,
      seq,
      span: spanOf(slot.time),
      ...(originalStart !== undefined && { key: keyOfStart(originalStart) }),
    };
    this.#entries.set(eventId, entry);
    if (seriesId === undefined) return;
    const told = this.#told.get(seriesId) ?? new Map<string, Entry>();
    told.set(eventId, entry);
    this.#told.set(seriesId, told);
  }

  /** Forgets an event. */
  delete(eventId: string): void {
    const entry = this.#entries.get(eventId);
    if (entry === undefined) return;
    this.#entries.delete(eventId);
    this.#expanded.delete(eventId);
    if (entry.seriesId !== undefined) this.#told.get(entry.seriesId)?.delete(eventId);
  }

  /** What changed after `seq`: an occurrence that says nothing of its own has changed with its series. */
  since(seq: number): { eventId: string; seq: number }[] {
    return [...this.#entries.values()].flatMap(({ eventId, isBusy, seriesId = '', seq: own }) => {
      const inherited = isBusy === undefined ? (this.#entries.get(seriesId)?.seq ?? 0) : 0;
      const last = Math.max(own, inherited);
      return last > seq ? [{ eventId, seq: last }] : [];
    });
  }

  /**
   * Everything that touches `range`, what is cancelled left out, in no order; undefined when a series
   * cannot be worked out: then it is not known what does.
   */
  within(range: Interval): Placed[] | undefined {
    const found: Placed[] = [];
    for (const entry of this.#entries.values()) {
      const { eventId, kind, time, span, recurrence } = entry;
      const { isBusy = true, isCancelled = false } = this.#sayerOf(entry) ?? {};
      if (isCancelled) continue;
      if (kind !== 'series') {
        if (overlaps(span, range)) found.push({ eventId, time, span, isBusy });
      } else if (recurrence !== undefined) {
        const occurrences = this.#expand(entry, range);
        if (occurrences === undefined) return undefined;
        found.push(...occurrences);
      }
    }
    return found;
  }

  /** When the person is busy within `range`; undefined when that is not known. */
  busy(range: Interval): Interval[] | undefined {
    return this.within(range)
      ?.filter(({ isBusy }) => isBusy)
      .map(({ span }) => span);
  }

  /** What says how an event is: itself or, of an occurrence that says nothing of its own, its series where that is known. */
  #sayerOf(entry: Entry): Entry | undefined {
    const { isBusy, seriesId } = entry;
    return isBusy === undefined && seriesId !== undefined ? this.#entries.get(seriesId) : entry;
  }

  /** The occurrences of a series that its rule alone tells. */
  #expand({ eventId, time, recurrence = [], isBusy = true }: Entry, range: Interval): Placed[] | undefined {
    let known = this.#expanded.get(eventId);
    if (known === undefined || known.range.startMs > range.startMs || known.range.endMs < range.endMs) {
      const reach = { startMs: range.startMs - REACH_BEFORE_MS, endMs: range.endMs + REACH_AFTER_MS };
      known = { range: reach, occurrences: expandSeries({ time, recurrence }, reach) };
      this.#expanded.set(eventId, known);
    }
    if (known.occurrences === undefined) return undefined;
    const own = new Set([...(this.#told.get(eventId)?.values() ?? [])].map(({ key }) => key));
    return known.occurrences
      .filter(({ key, span }) => !own.has(key) && overlaps(span, range))
      .map(({ start, time: at, span }) => ({ eventId, occurrence: start, time: at, span, isBusy }));
  }
}
