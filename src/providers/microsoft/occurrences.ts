import { Temporal } from 'temporal-polyfill';
import * as z from 'zod';
import type { OriginalStart } from '../../domain/event.ts';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { parseInstant } from '../../domain/time-zone.ts';
import { askGraph, type Graph, type GraphRequest, graphPath, readAs } from './client.ts';
import { readPages } from './pages.ts';
import { graphTimeSchema, toDate, toIanaZone, toInstantMs } from './time-zones.ts';

/** What may be aimed at one occurrence of a series. */
interface Target {
  eventId: string;
  occurrence?: OriginalStart;
}

const DAY_MS = 86_400_000;

/** The longest that the days from one occurrence to the next can be, for one interval of a pattern. */
const DAYS_APART = { day: 1, week: 7, month: 31, year: 366 };
/** How many of its neighbours may have been cancelled, so that an occurrence could be moved beyond their days. */
const NEIGHBOURS = 3;
/** Graph takes windows of up to 1825 days. */
const FARTHEST_DAYS = 900;

const textSchema = z.string().nullish().catch(null);

const seriesSchema = z.object({
  type: textSchema,
  isAllDay: z.boolean().nullish().catch(null),
  start: graphTimeSchema,
  originalStartTimeZone: textSchema,
  recurrence: z
    .object({
      pattern: z.object({ type: textSchema, interval: z.number().nullish().catch(null) }).nullish(),
      range: z.object({ recurrenceTimeZone: textSchema }).nullish(),
    })
    .nullish()
    .catch(null),
  cancelledOccurrences: z.array(z.string()).nullish().catch(null),
});
type Series = z.infer<typeof seriesSchema>;

const instanceSchema = z.object({
  id: z.string().min(1),
  type: textSchema,
  start: graphTimeSchema,
  originalStart: textSchema,
});
type Instance = z.infer<typeof instanceSchema>;

/**
 * Aims at the occurrence that `target` names, by the id that it has as an event of its own; a target that
 * names none stays as it is.
 *
 * Graph lists occurrences by where they are now, and only those in a window. Outlook moves an occurrence neither
 * to the day of one beside it nor past it (graph docs: event-update, ErrorOccurrenceCrossingBoundary), though
 * past the day of one that was cancelled: so the window reaches three intervals of the series to both sides of
 * the original start, which is short for a daily series and long for a yearly one. What was cancelled is not in
 * the list, but the series names its day (`cancelledOccurrences`).
 *
 * @param paths where the event may be, the likeliest first.
 * @returns undefined when the occurrence was cancelled, alone or with its series, or the event is not there at
 *   all. Fails with `not-found` of an `occurrence` when the event has none of that start, or is no series: its
 *   own id is never returned in place of the occurrence's.
 */
export async function aimAtOccurrence<T extends Target>(
  graph: Graph,
  target: T,
  paths: readonly string[],
): Promise<Outcome<T | undefined>> {
  const { occurrence } = target;
  if (occurrence === undefined) return ok(target);
  for (const path of paths) {
    // oxlint-disable-next-line no-await-in-loop
    const series = await readSeries(graph, path);
    if (!series.ok && isGone(series)) continue;
    if (!series.ok) return series;
    const isOfKind = (series.value.isAllDay === true) === (occurrence.kind === 'all-day');
    if (series.value.type !== 'seriesMaster' || !isOfKind) return noOccurrence();
    // oxlint-disable-next-line no-await-in-loop
    const instances = await listInstances(graph, path, occurrence, series.value);
    if (!instances.ok) return isGone(instances) ? ok(undefined) : instances;
    const found = instances.value.find((instance) => isAt(instance, occurrence, series.value));
    if (found !== undefined) return ok({ ...target, eventId: found.id });
    return wasCancelled(series.value, occurrence) ? ok(undefined) : noOccurrence();
  }
  return ok(undefined);
}

function noOccurrence(): ReturnType<typeof fail> {
  return fail({ kind: 'not-found', what: 'occurrence' });
}

/** No cursor was sent that a 410 could speak of. */
function isGone({ failure }: ReturnType<typeof fail>): boolean {
  return failure.kind === 'not-found' || failure.kind === 'cursor-expired';
}

async function readSeries(graph: Graph, path: string): Promise<Outcome<Series>> {
  const $select = Object.keys(seriesSchema.shape).join();
  const request: GraphRequest = {
    method: 'GET',
    path: path + graphPath([], { $select }),
    what: 'event',
    writes: false,
  };
  return readAs(await askGraph(graph, request), seriesSchema, 'event');
}

/** The occurrences that are, wherever they began, as near to the original start as this one can be. */
async function listInstances(
  graph: Graph,
  path: string,
  occurrence: OriginalStart,
  series: Series,
): Promise<Outcome<Instance[]>> {
  const startMs = occurrence.kind === 'timed' ? occurrence.startMs : Date.parse(occurrence.date);
  const reachMs = reachDays(series) * DAY_MS;
  const query = {
    startDateTime: new Date(startMs - reachMs).toISOString(),
    endDateTime: new Date(startMs + reachMs).toISOString(),
    $select: Object.keys(instanceSchema.shape).join(),
    $top: '100',
  };
  const request: GraphRequest = {
    method: 'GET',
    path: path + graphPath(['instances'], query),
    what: 'event',
    writes: false,
  };
  const answer = await askGraph(graph, request);
  const [list] = await readPages(graph, [{ request, answer }], instanceSchema);
  return list ?? fail({ kind: 'malformed', at: 'event.instances' });
}

function reachDays({ recurrence }: Series): number {
  const type = recurrence?.pattern?.type?.toLowerCase() ?? '';
  const unit = type.endsWith('yearly')
    ? 'year'
    : type.endsWith('monthly')
      ? 'month'
      : type === 'daily'
        ? 'day'
        : 'week';
  const days = DAYS_APART[unit] * (recurrence?.pattern?.interval ?? 1) * NEIGHBOURS;
  // A day more, for the midnights of other zones.
  return Math.min(days + 1, FARTHEST_DAYS);
}

/**
 * Whether the instance began there. All-day ones have their original start at a midnight; of which zone, that
 * of the series or UTC, Graph does not say. One that was never changed is where it began.
 */
function isAt(instance: Instance, occurrence: OriginalStart, series: Series): boolean {
  const isUnchanged = instance.type === 'occurrence';
  const originalMs = parseInstant(instance.originalStart ?? '');
  if (occurrence.kind === 'timed') {
    const startMs = typeof originalMs === 'number' ? originalMs : isUnchanged && toInstantMs(instance.start);
    return startMs === occurrence.startMs;
  }
  if (isUnchanged) return toDate(instance.start) === occurrence.date;
  if (typeof originalMs !== 'number') return false;
  return dateOfMidnight(originalMs, [zoneOf(series), 'UTC']) === occurrence.date;
}

/** The date that begins then, in the first of these zones where one does. */
export function dateOfMidnight(ms: number, zones: readonly string[]): string | undefined {
  return zones
    .map((zone) => localTime(ms, zone))
    .find((local) => local.toPlainTime().equals('00:00'))
    ?.toPlainDate()
    .toString();
}

/** The series names the days of what was cancelled, on its own clock: the time of day must be its own too. */
function wasCancelled(series: Series, occurrence: OriginalStart): boolean {
  const day = occurrence.kind === 'all-day' ? occurrence.date : dayOf(occurrence.startMs, series);
  return (
    day !== undefined &&
    (series.cancelledOccurrences ?? []).some((cancelled) => cancelled.endsWith(`.${day}`))
  );
}

/** The day of a start on the clock of the series; undefined when nothing of it starts at that time of day. */
function dayOf(startMs: number, series: Series): string | undefined {
  const firstMs = toInstantMs(series.start);
  if (firstMs === undefined) return undefined;
  const [first, asked] = [firstMs, startMs].map((ms) => localTime(ms, zoneOf(series)));
  return asked !== undefined && first?.toPlainTime().equals(asked) === true
    ? asked.toPlainDate().toString()
    : undefined;
}

function zoneOf({ recurrence, originalStartTimeZone }: Series): string {
  const own = recurrence?.range?.recurrenceTimeZone ?? '';
  return toIanaZone(own) ?? toIanaZone(originalStartTimeZone ?? '') ?? 'UTC';
}

function localTime(ms: number, timeZone: string): Temporal.PlainDateTime {
  return Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(timeZone).toPlainDateTime();
}
