import type { CalendarStore, OriginalStart, StoredEvent } from './calendar-store.ts';
import { instantMs, readChanges, readInput } from './event-input.ts';
import type { EventChanges, EventInput } from './event-input.ts';
import { dropStrays, eventById, occurrenceId } from './occurrences.ts';
import type { ListedCalendar, Provider } from './people.ts';
import { followStart, readRepeats } from './series-input.ts';

/** Puts a person's event into a calendar. */
export function addEvent(
  store: CalendarStore,
  { calendar }: ListedCalendar,
  provider: Provider,
  input: EventInput,
): StoredEvent {
  const content = readInput(input, calendar.timeZone);
  const series = input.repeats === undefined ? {} : readRepeats(input.repeats, content.span, provider);
  return store.insert(calendar, input.id === undefined ? {} : { id: input.id }, { ...content, ...series });
}

/** Changes an event, or one occurrence by its own id. Exceptions that its series no longer has are forgotten. */
export function changeEvent(
  store: CalendarStore,
  entry: ListedCalendar,
  eventId: string,
  changes: EventChanges,
): StoredEvent {
  const event = known(entry, eventId);
  const content = readChanges(event, changes, entry.calendar.timeZone);
  const moved = JSON.stringify(content.span) !== JSON.stringify(event.span);
  const changed = store.replace(entry.calendar, event, moved ? followStart(content) : content);
  dropStrays(store, entry.calendar, changed);
  return changed;
}

/** Deletes an event, a whole series, or one occurrence by its own id. */
export function removeEvent(store: CalendarStore, entry: ListedCalendar, eventId: string): StoredEvent {
  return store.remove(entry.calendar, known(entry, eventId));
}

/** The occurrence of a series that starts there by its rule; throws when there is none. */
export function occurrenceOf(entry: ListedCalendar, seriesId: string, original: string): StoredEvent {
  const { span } = known(entry, seriesId);
  const start: OriginalStart =
    span.kind === 'all-day'
      ? { kind: 'all-day', date: original }
      : { kind: 'timed', startMs: instantMs(original, span.timeZone) };
  return known(entry, occurrenceId(seriesId, start));
}

function known({ calendar, id }: ListedCalendar, eventId: string): StoredEvent {
  const event = eventById(calendar, eventId);
  if (event === undefined) throw new Error(`calendar ${id} has no event ${eventId}`);
  return event;
}
