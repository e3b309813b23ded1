import type { Calendar, StoredEvent, Stretch } from '../calendar-store.ts';
import type { Dice } from '../dice.ts';
import { eventsWithin, isMaster } from '../occurrences.ts';

/** One thing that a delta tells: an event as it was when the round began, or an id that is no more. */
export type DeltaItem =
  | { readonly kind: 'event'; readonly event: StoredEvent; readonly as: 'whole' | 'exception' | 'bare' }
  | { readonly kind: 'removed'; readonly id: string };

/** What a window held at one moment, by the ids inside the sandbox: events, and the masters of its occurrences. */
export interface WindowState {
  readonly events: ReadonlyMap<string, StoredEvent>;
  /** The calendar's revision at that moment. */
  readonly revision: number;
}

/** How deltas tell what the documentation leaves open. All of it may be changed while the sandbox runs. */
export interface DeltaHabits {
  /** The share of the items that are told twice in a round. */
  twice: number;
  /** The share of changed or deleted events outside the window that are told as removed. */
  strangers: number;
  /**
   * `told`: a change of one occurrence is told alone, and one that is no more by its id. `untold`: any change of a
   * series is told by its master and all occurrences that are left, together on one page; those that are missing
   * are no more.
   */
  goneOccurrences: 'told' | 'untold';
}

/** Everything in the window as it is now. */
export function stateOf(calendar: Calendar, window: Stretch, timeZone: string): WindowState {
  const events = new Map<string, StoredEvent>();
  for (const event of eventsWithin(calendar, window, timeZone)) {
    const master = calendar.events.get(event.occurrence?.masterId ?? '');
    if (master !== undefined) events.set(master.id, master);
    events.set(event.id, event);
  }
  return { events, revision: calendar.revision };
}

/**
 * What leads from `before` (undefined: from nothing) to `now`, in the order in which it is told: a master before
 * its occurrences. The items of one block are never on different pages.
 */
export function changesBetween(
  calendar: Calendar,
  before: WindowState | undefined,
  now: WindowState,
  habits: DeltaHabits,
  chance: Dice,
): DeltaItem[][] {
  const isChanged = ({ id, revision }: StoredEvent): boolean => before?.events.get(id)?.revision !== revision;
  const gone = [...(before?.events.values() ?? [])].filter(({ id }) => !now.events.has(id));
  const isUntold = habits.goneOccurrences === 'untold';
  const anew = new Set<string>();
  for (const event of now.events.values()) {
    if (isChanged(event) && isMaster(event)) anew.add(event.id);
    if (isChanged(event) && isUntold && event.occurrence !== undefined) anew.add(event.occurrence.masterId);
  }
  for (const { occurrence } of isUntold ? gone : []) {
    const master = now.events.get(occurrence?.masterId ?? '');
    if (master !== undefined && isMaster(master)) anew.add(master.id);
  }

  const series = new Map<string, DeltaItem[]>();
  const blocks: DeltaItem[][] = [];
  for (const event of now.events.values()) {
    const owner = event.occurrence?.masterId ?? event.id;
    if (!isChanged(event) && !anew.has(owner)) continue;
    const together = isUntold && anew.has(owner) ? series.get(owner) : undefined;
    if (together !== undefined) {
      together.push(itemOf(calendar, event));
      continue;
    }
    const block = [itemOf(calendar, event)];
    if (isMaster(event)) series.set(owner, block);
    blocks.push(block);
  }
  for (const { id, occurrence } of gone) {
    const isImplied =
      occurrence !== undefined &&
      (isDeleted(calendar, occurrence.masterId) || (isUntold && anew.has(occurrence.masterId)));
    if (!isImplied) blocks.push([{ kind: 'removed', id }]);
  }
  if (before !== undefined) {
    for (const id of strangersOf(calendar, before, now)) {
      if (chance.roll() < habits.strangers) blocks.push([{ kind: 'removed', id }]);
    }
  }
  return withRepeats(blocks, habits.twice, chance);
}

function itemOf(calendar: Calendar, event: StoredEvent): DeltaItem {
  const isKept = calendar.events.has(event.id);
  return {
    kind: 'event',
    event,
    as: event.occurrence === undefined ? 'whole' : isKept ? 'exception' : 'bare',
  };
}

// With a series go its occurrences, without a word of their own.
function isDeleted(calendar: Calendar, id: string): boolean {
  return (calendar.events.get(id)?.status ?? 'cancelled') === 'cancelled';
}

// Changed since, and in the window neither then nor now.
function strangersOf(calendar: Calendar, before: WindowState, now: WindowState): string[] {
  return [...calendar.events.values()]
    .filter(({ revision, occurrence }) => revision > before.revision && occurrence === undefined)
    .map(({ id }) => id)
    .filter((id) => !before.events.has(id) && !now.events.has(id));
}

function withRepeats(blocks: readonly DeltaItem[][], share: number, chance: Dice): DeltaItem[][] {
  const told: DeltaItem[][] = [];
  const again: DeltaItem[][] = [];
  for (const block of blocks) {
    told.push(block);
    if (chance.roll() < share) again.push(block);
  }
  return [...told, ...again];
}
