import type { Calendar, StoredEvent } from './calendar-store.ts';

/** What a change did to one event. `before` is missing when it was new, `after` when it was forgotten. */
export interface Change {
  readonly id: string;
  readonly before: StoredEvent | undefined;
  readonly after: StoredEvent | undefined;
}

/** A change as a calendar's journal keeps it: after it the calendar had this revision. */
export interface JournalEntry extends Change {
  readonly revision: number;
}

/**
 * What a calendar's changes after `revision` come to: each event that changed once, by its id, as it was then and as
 * it is now, in the order of the last changes. An event that came and was forgotten again has neither. Undefined:
 * the journal does not reach back so far, or such a revision has not been.
 */
export function changesSince(calendar: Calendar, revision: number): Map<string, Change> | undefined {
  if (!reachesBack(calendar, revision)) return undefined;
  const changes = new Map<string, Change>();
  for (const { id, before, after } of entriesAfter(calendar.journal, revision)) {
    const first = changes.get(id);
    changes.delete(id);
    changes.set(id, { id, before: first === undefined ? before : first.before, after });
  }
  return changes;
}

/** Whether the journal reaches back to that revision. */
export function reachesBack(calendar: Calendar, revision: number): boolean {
  return revision >= calendar.oldestRevision && revision <= calendar.revision;
}

/** The calendar as it was at a revision that its journal reaches back to, with what it knew of its past then. */
export function calendarAt(calendar: Calendar, revision: number): Calendar {
  if (revision === calendar.revision) return calendar;
  const events = new Map(calendar.events);
  for (const { id, before } of changesSince(calendar, revision)?.values() ?? []) {
    if (before === undefined) events.delete(id);
    else events.set(id, before);
  }
  const journal = calendar.journal.filter((entry) => entry.revision <= revision);
  return { ...calendar, revision, events, journal };
}

// Revisions rise along the journal, so what came after is at its end.
function entriesAfter(journal: readonly JournalEntry[], revision: number): readonly JournalEntry[] {
  let from = journal.length;
  while (from > 0 && (journal[from - 1]?.revision ?? 0) > revision) from -= 1;
  return journal.slice(from);
}
