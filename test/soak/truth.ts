import { mergeStretches, stretchOf, type Calendar, type Stretch } from '../sandbox/calendar-store.ts';
import { eventsWithin } from '../sandbox/occurrences.ts';
import type { ListedCalendar, Person } from '../sandbox/people.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

/** So many pasts of a person's calendars together are looked at for one answer; beyond, nothing is said of it. */
const MOST_PASTS = 4_000;
/** Clocks of two processes are read a moment apart. */
const SLACK_MS = 5;

/** What a calendar was from when on. The sandbox forgets its journal when cursors expire: copies are kept here. */
type History = { atMs: number; calendar: Calendar }[];

/** What the calendars have been at each moment, from what the sandbox tells of every change. */
export class Truth {
  readonly #histories = new Map<string, History>();

  constructor({ store }: Pick<Sandbox, 'store'>) {
    store.onChange((calendar) => {
      const history = this.#histories.get(calendar.id) ?? [];
      history.push({ atMs: Date.now(), calendar: copyOf(calendar) });
      this.#histories.set(calendar.id, history);
    });
  }

  /**
   * Whether a person's busy time was ever just `busy` from `fromMs` to `untilMs`; undefined when there were too many
   * changes meanwhile to tell.
   */
  hasBeen(
    person: Person,
    range: Stretch,
    busy: readonly Stretch[],
    fromMs: number,
    untilMs: number,
  ): boolean | undefined {
    const wanted = JSON.stringify(busy);
    const pasts = person.calendars.map((entry) =>
      this.#pastsWithin(entry.calendar, fromMs, untilMs).map((calendar) =>
        busyIn(person, entry, calendar, range),
      ),
    );
    if (pasts.reduce((count, { length }) => count * length, 1) > MOST_PASTS) return undefined;
    const together = pasts.reduce<Stretch[][]>(
      (combined, one) => combined.flatMap((sofar) => one.map((more) => [...sofar, ...more])),
      [[]],
    );
    return together.some((stretches) => JSON.stringify(mergeStretches(stretches)) === wanted);
  }

  /** What of an answer is other than it was at a moment: for whoever has to find out why. */
  explain(person: Person, range: Stretch, busy: readonly Stretch[], atMs: number): string {
    const real = mergeStretches(
      person.calendars.flatMap((entry) => {
        const [calendar = entry.calendar] = this.#pastsWithin(entry.calendar, atMs, atMs).slice(-1);
        return busyIn(person, entry, calendar, range);
      }),
    );
    const tell = (stretches: readonly Stretch[], others: readonly Stretch[]) =>
      stretches
        .filter((one) => !others.some((other) => JSON.stringify(other) === JSON.stringify(one)))
        .map(({ startMs, endMs }) => `${new Date(startMs).toISOString()}/${new Date(endMs).toISOString()}`)
        .join(' ');
    return `answered besides: ${tell(busy, real)}; not answered: ${tell(real, busy)}`;
  }

  /** What a calendar was at any moment of that time. */
  #pastsWithin(calendar: Calendar, fromMs: number, untilMs: number): Calendar[] {
    const history = this.#histories.get(calendar.id) ?? [];
    const first = history.findLastIndex(({ atMs }) => atMs <= fromMs - SLACK_MS);
    const last = history.findLastIndex(({ atMs }) => atMs <= untilMs + SLACK_MS);
    const pasts = history.slice(Math.max(0, first), last + 1).map((one) => one.calendar);
    // Before its first change it was empty.
    return first === -1 ? [{ ...calendar, events: new Map() }, ...pasts] : pasts;
  }
}

function copyOf(calendar: Calendar): Calendar {
  return { ...calendar, events: new Map(calendar.events) };
}

/** When a calendar keeps its person busy, clipped to `range`. */
function busyIn(person: Person, entry: ListedCalendar, calendar: Calendar, range: Stretch): Stretch[] {
  const timeZone = zoneOf(person, entry);
  return mergeStretches(
    eventsWithin(calendar, range, timeZone)
      .filter(
        ({ showAs, response }) => !['free', 'workingElsewhere'].includes(showAs) && response !== 'declined',
      )
      .map(({ span }) => stretchOf(span, timeZone))
      .map(({ startMs, endMs }) => ({
        startMs: Math.max(startMs, range.startMs),
        endMs: Math.min(endMs, range.endMs),
      }))
      .filter(({ startMs, endMs }) => endMs > startMs),
  );
}

/** Every event and occurrence of a person's calendars that touches `range`, each as a line. */
export function rowsOf(person: Person, range: Stretch): string[] {
  return person.calendars
    .flatMap((entry) =>
      eventsWithin(entry.calendar, range, zoneOf(person, entry)).map(({ span, summary }) =>
        span.kind === 'timed'
          ? row(entry.id, new Date(span.startMs).toISOString(), new Date(span.endMs).toISOString(), summary)
          : row(entry.id, span.startDate, span.endDate, summary),
      ),
    )
    .toSorted();
}

/** A line of `rowsOf`. */
export function row(calendarId: string, start: string, end: string, summary: string): string {
  return [calendarId, start, end, summary].join(' | ');
}

/** Where whole days of a calendar are: Google has a zone for each, Graph one for the mailbox. */
function zoneOf(person: Person, entry: ListedCalendar): string {
  return person.provider === 'google' ? entry.timeZone : person.timeZone;
}
