import { Temporal } from 'temporal-polyfill';
import type { EventContent, EventSpan } from './calendar-store.ts';
import type { Repeats } from './event-input.ts';
import { PatternedRecurrence, ruleOf } from './microsoft/patterned-recurrence.ts';
import type { Provider } from './people.ts';

/** What makes a person's event a series, in the words of its provider. */
export function readRepeats(
  { frequency, interval = 1, times }: Repeats,
  span: EventSpan,
  provider: Provider,
): Pick<EventContent, 'recurrence' | 'own'> {
  const timeZone = span.kind === 'timed' ? span.timeZone : 'UTC';
  if (provider === 'google') {
    const rule = `FREQ=${frequency.toUpperCase()};INTERVAL=${String(interval)};COUNT=${String(times)}`;
    return { recurrence: { lines: [`RRULE:${rule}`], timeZone, startsWithEvent: true } };
  }
  const pattern: PatternedRecurrence = {
    // What does not count is told as well, with these values.
    pattern: { type: frequency, interval, month: 0, dayOfMonth: 0, firstDayOfWeek: 'sunday', index: 'first' },
    range: {
      type: 'numbered',
      startDate: firstDay(span).toString(),
      endDate: '0001-01-01',
      recurrenceTimeZone: timeZone,
      numberOfOccurrences: times,
    },
  };
  return outlookSeries(onItsDay(pattern, span), timeZone);
}

/** A series whose times a person has changed: in Outlook it begins on its new day. */
export function followStart(content: EventContent): EventContent {
  const { recurrence, own, span } = content;
  if (recurrence === undefined) return content;
  const timeZone = span.kind === 'timed' ? span.timeZone : recurrence.timeZone;
  const outlook = PatternedRecurrence.safeParse(own?.['recurrence']);
  if (!outlook.success) return { ...content, recurrence: { ...recurrence, timeZone } };
  const series = outlookSeries(onItsDay(outlook.data, span), timeZone);
  return { ...content, ...series, own: { ...own, ...series.own } };
}

function outlookSeries(
  recurrence: PatternedRecurrence,
  timeZone: string,
): Required<Pick<EventContent, 'recurrence' | 'own'>> {
  return {
    recurrence: { lines: [ruleOf(recurrence)], timeZone, startsWithEvent: false },
    own: { recurrence, type: 'seriesMaster' },
  };
}

// On one day of the week it is on that of its start; other patterns keep their days.
function onItsDay({ pattern, range }: PatternedRecurrence, span: EventSpan): PatternedRecurrence {
  const day = firstDay(span);
  const days = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;
  const name = days[day.dayOfWeek - 1] ?? 'monday';
  const isOnOneDay = pattern.type === 'weekly' && (pattern.daysOfWeek ?? []).length < 2;
  return {
    pattern: { ...pattern, ...(isOnOneDay ? { daysOfWeek: [name] } : {}) },
    range: { ...range, startDate: day.toString() },
  };
}

function firstDay(span: EventSpan): Temporal.PlainDate {
  if (span.kind === 'all-day') return Temporal.PlainDate.from(span.startDate);
  return Temporal.Instant.fromEpochMilliseconds(span.startMs).toZonedDateTimeISO(span.timeZone).toPlainDate();
}
