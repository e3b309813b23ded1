import * as z from 'zod';
import type { OriginalStart } from '../../domain/event.ts';
import { type Failure, fail, ok, type Outcome } from '../../domain/failure.ts';
import { parseInstant } from '../../domain/time-zone.ts';
import type { Access } from '../provider.ts';
import { type ApiCall, callApi } from './client.ts';

/** What may be aimed at one occurrence of a series. */
interface Target {
  eventId: string;
  calendarId?: string;
  occurrence?: OriginalStart;
}

const instanceSchema = z.object({
  id: z.string().min(1),
  status: z.string().optional(),
  originalStartTime: z
    .object({ date: z.string().optional(), dateTime: z.string().optional(), timeZone: z.string().optional() })
    .optional(),
});
type Instance = z.infer<typeof instanceSchema>;

const pageSchema = z.object({
  items: z.array(instanceSchema).optional(),
  nextPageToken: z.string().max(4096).optional(),
});

/** One start has one occurrence, but pages may be empty. */
const MAX_PAGES = 20;

/**
 * Aims at the occurrence that `target` names, by the id that it has as an event of its own
 * (events.instances with `originalStart`); a target that names none stays as it is. Wherever an occurrence was
 * moved, it is found by its original start.
 *
 * @returns undefined when the occurrence was cancelled, alone or with its series, or the event is not there at
 *   all. Fails with `not-found` of an `occurrence` when the event has none of that start, or is no series: its
 *   own id is never returned in place of the occurrence's.
 */
export async function aimAtOccurrence<T extends Target>(
  apiUrl: string,
  target: T,
  access: Access,
): Promise<Outcome<T | undefined>> {
  const { calendarId = 'primary', eventId, occurrence } = target;
  if (occurrence === undefined) return ok(target);
  const path = ['calendars', calendarId, 'events', eventId];
  const found = await listInstances(apiUrl, path, occurrence, access);
  if (!found.ok && !mayBeNoSeries(found.failure)) return found;
  const instances = found.ok ? found.value.filter((instance) => isAt(instance, occurrence)) : [];
  const standing = instances.find(({ status }) => status !== 'cancelled');
  if (standing !== undefined) return ok({ ...target, eventId: standing.id });
  if (instances.length > 0) return ok(undefined);

  const call: ApiCall = { method: 'GET', path, what: 'event', writes: false };
  const series = await callApi(apiUrl, access, call, z.object({ status: z.string().optional() }));
  if (series.ok)
    return series.value.status === 'cancelled'
      ? ok(undefined)
      : fail({ kind: 'not-found', what: 'occurrence' });
  return isGone(series.failure) ? ok(undefined) : series;
}

/** The instances of one original start, a cancelled one too, page by page. */
async function listInstances(
  apiUrl: string,
  path: string[],
  occurrence: OriginalStart,
  access: Access,
): Promise<Outcome<Instance[]>> {
  const instances: Instance[] = [];
  const originalStart =
    occurrence.kind === 'all-day'
      ? occurrence.date
      : new Date(occurrence.startMs).toISOString().replace('.000Z', 'Z');
  let pageToken: string | undefined;
  for (let count = 0; count < MAX_PAGES; count += 1) {
    const call: ApiCall = {
      method: 'GET',
      path: [...path, 'instances'],
      query: { originalStart, showDeleted: 'true', ...(pageToken !== undefined && { pageToken }) },
      what: 'event',
      writes: false,
    };
    // Only a page tells of the next one.
    // oxlint-disable-next-line no-await-in-loop
    const page = await callApi(apiUrl, access, call, pageSchema);
    if (!page.ok) return page;
    instances.push(...(page.value.items ?? []));
    pageToken = page.value.nextPageToken;
    if (pageToken === undefined || pageToken === '') return ok(instances);
  }
  return fail({ kind: 'malformed', at: 'event.nextPageToken' });
}

function isAt({ originalStartTime }: Instance, occurrence: OriginalStart): boolean {
  const { date, dateTime, timeZone } = originalStartTime ?? {};
  if (occurrence.kind === 'all-day') return date === occurrence.date;
  return dateTime !== undefined && parseInstant(dateTime, timeZone) === occurrence.startMs;
}

/** What Google answers for the instances of a single event is not documented: only reading the event tells. */
function mayBeNoSeries(failure: Failure): boolean {
  return isGone(failure) || (failure.kind === 'rejected' && failure.status === 400);
}

/** No cursor was sent that a 410 could speak of. */
function isGone({ kind }: Failure): boolean {
  return kind === 'not-found' || kind === 'cursor-expired';
}
