import * as z from 'zod';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import type { MirroredCalendar } from '../../domain/mirror.ts';
import { isTimeZone } from '../../domain/time-zone.ts';
import type { CalendarList } from '../provider-sync.ts';
import type { Access } from '../provider.ts';
import { callApi } from './client.ts';

const entrySchema = z.object({
  id: z.string().min(1),
  summary: z.string().optional().catch(undefined),
  summaryOverride: z.string().optional().catch(undefined),
  timeZone: z.string().optional().catch(undefined),
  primary: z.boolean().optional(),
  selected: z.boolean().optional(),
  hidden: z.boolean().optional(),
  deleted: z.boolean().optional(),
  accessRole: z.string().optional(),
});

/** A calendar of the person's list, as far as it matters here (discovery document: CalendarListEntry). */
export type CalendarEntry = z.infer<typeof entrySchema>;

const pageSchema = z.object({
  items: z.array(entrySchema).optional(),
  nextPageToken: z.string().max(4096).optional(),
});

/** 250 calendars each: far beyond what Google lets a person have. */
const MAX_PAGES = 20;

/**
 * Reads the person's whole calendar list, hidden entries too, page by page (discovery document:
 * calendarList.list).
 * All or nothing: a failing page fails the list, and pages that go round or never end are `malformed`.
 */
export async function listCalendars(apiUrl: string, access: Access): Promise<Outcome<CalendarEntry[]>> {
  const entries: CalendarEntry[] = [];
  const seen = new Set<string>();
  let pageToken: string | undefined;
  for (let count = 0; count < MAX_PAGES; count += 1) {
    const call = {
      method: 'GET',
      path: ['users', 'me', 'calendarList'],
      query: { maxResults: '250', showHidden: 'true', ...(pageToken !== undefined && { pageToken }) },
      what: 'calendar list',
      writes: false,
    } as const;
    // Only a page tells of the next one.
    // oxlint-disable-next-line no-await-in-loop
    const page = await callApi(apiUrl, access, call, pageSchema);
    if (!page.ok) return page;
    entries.push(...(page.value.items ?? []));
    pageToken = page.value.nextPageToken;
    if (pageToken === undefined || pageToken === '') return ok(entries);
    if (seen.has(pageToken)) return fail({ kind: 'malformed', at: 'calendar list.nextPageToken' });
    seen.add(pageToken);
  }
  return fail({ kind: 'malformed', at: 'calendar list.nextPageToken' });
}

/** Google's name for the account's own calendar. */
const PRIMARY = 'primary';
/** Who may list events (discovery document: CalendarListEntry.accessRole); a freeBusyReader may not. */
const READING_ROLES = ['reader', 'writerWithoutPrivateAccess', 'writer', 'owner'];

/**
 * Reads the account's calendars, each once, with those that do not count. A primary one that the list does not
 * tell stands first, under its alias, as it does in `pickCounting`. Fails as `listCalendars` does. Google
 * tells no working hours.
 */
export async function readCalendars(apiUrl: string, access: Access): Promise<Outcome<CalendarList>> {
  const entries = await listCalendars(apiUrl, access);
  return entries.ok ? ok({ calendars: mirrorCalendars(entries.value) }) : entries;
}

function mirrorCalendars(entries: readonly CalendarEntry[]): MirroredCalendar[] {
  const counting = new Set(pickCounting(entries));
  const calendars = new Map<string, MirroredCalendar>();
  if (counting.has(PRIMARY))
    calendars.set(PRIMARY, { id: PRIMARY, name: PRIMARY, isPrimary: true, counts: true, isReadable: true });
  for (const { id, deleted, summary, summaryOverride, timeZone, primary, accessRole = '' } of entries) {
    if (deleted === true) continue;
    calendars.set(id, {
      id,
      // What the person calls it, or else what its owner does.
      name: summaryOverride ?? summary ?? id,
      isPrimary: primary === true,
      counts: counting.has(id),
      isReadable: READING_ROLES.includes(accessRole),
      ...(timeZone !== undefined && isTimeZone(timeZone) && { timeZone }),
    });
  }
  return [...calendars.values()];
}

/**
 * The ids of the calendars that count when nobody names any: those the person owns, hidden or not, and
 * those the person shows. The primary one always counts, under its alias when the list does not tell which it is.
 */
export function pickCounting(entries: readonly CalendarEntry[]): string[] {
  const present = entries.filter(({ deleted }) => deleted !== true);
  const counting = present.filter(
    ({ primary, selected, hidden, accessRole }) =>
      primary === true || accessRole === 'owner' || (selected === true && hidden !== true),
  );
  const ids = counting.map(({ id }) => id);
  return [...new Set(counting.some(({ primary }) => primary === true) ? ids : [PRIMARY, ...ids])];
}
