import { jsonAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { AccessRole, ListedCalendar, Person } from '../people.ts';
import { badRequest, fullSyncRequired, notFound } from './errors.ts';
import { page, readPlace, readQuery } from './query.ts';
import type { Query } from './query.ts';
import { readListToken, writeListToken } from './sync-token.ts';

const ROLES: readonly AccessRole[] = ['freeBusyReader', 'reader', 'writer', 'owner'];

// With a sync token these may not come, and these may only be true.
const NO_SYNC = ['minAccessRole', 'showOwnOrganizationOnly'];
const ONLY_TRUE = ['showDeleted', 'showHidden'];

/**
 * GET users/me/calendarList. With `syncToken` the entries whose own properties have changed since, hidden ones and
 * those off the list included; what else changes of a calendar is not told.
 */
export function listCalendars(ask: Ask, person: Person): Answer {
  const query = readCalendarListQuery(ask);
  const least = query.choice('minAccessRole', ROLES);
  const showHidden = query.flag('showHidden', false);
  const token = query.text('syncToken');
  const asked = `calendarList ${least ?? ''} ${String(showHidden)} ${token ?? ''}`;
  const place = readPlace(query.text('pageToken'), asked, person.list.revision);
  const now = person.list.at(place.revision);
  if (now === undefined) throw fullSyncRequired();
  const all =
    token === undefined
      ? now
          .filter(({ hidden }) => showHidden || !hidden)
          .filter(
            ({ accessRole }) => least === undefined || ROLES.indexOf(accessRole) >= ROLES.indexOf(least),
          )
          .map(listEntry)
      : changedEntries(now, listThen(person, token));
  const { items, ...more } = page(ask, all, query.count('maxResults', 100, 250), place, asked);
  const tellsToken = NO_SYNC.every((name) => query.text(name) === undefined);
  const nextSyncToken = writeListToken(person.id, place.revision);
  return jsonAnswer(200, {
    kind: 'calendar#calendarList',
    etag: `"p${String(place.revision)}"`,
    ...(more.nextPageToken === undefined && tellsToken ? { nextSyncToken } : more),
    items,
  });
}

/** The query of the calendar list, as it is taken by the list and by its watch. */
export function readCalendarListQuery(ask: Ask): Query {
  const query = readQuery(ask, [...NO_SYNC, ...ONLY_TRUE, 'maxResults', 'pageToken', 'syncToken']);
  for (const name of ONLY_TRUE) query.flag(name, false);
  if (query.text('syncToken') === undefined) return query;
  const forbidden =
    NO_SYNC.find((name) => query.text(name) !== undefined) ??
    ONLY_TRUE.find((name) => !query.flag(name, true));
  if (forbidden === undefined) return query;
  throw badRequest('invalid', `Sync token cannot be used with ${forbidden}.`, forbidden);
}

function listThen(person: Person, token: string): readonly ListedCalendar[] {
  const revision = readListToken(token, person.id);
  const then = revision === undefined ? undefined : person.list.at(revision);
  if (then === undefined) throw fullSyncRequired();
  return then;
}

function changedEntries(now: readonly ListedCalendar[], then: readonly ListedCalendar[]): object[] {
  const of = (list: readonly ListedCalendar[], id: string): ListedCalendar | undefined =>
    list.find((entry) => entry.id === id);
  const changed = now.filter((entry) => {
    const before = of(then, entry.id);
    return before?.selected !== entry.selected || before.hidden !== entry.hidden;
  });
  const gone = then.filter(({ id }) => of(now, id) === undefined);
  return [...changed.map(listEntry), ...gone.map((entry) => ({ ...listEntry(entry), deleted: true }))];
}

/** GET users/me/calendarList/{id}. */
export function getListEntry(ask: Ask, person: Person, id: string): Answer {
  readQuery(ask, []);
  const entry = person.calendar(id);
  if (entry === undefined) throw notFound();
  return jsonAnswer(200, listEntry(entry));
}

/** GET calendars/{id}. */
export function getCalendar(ask: Ask, person: Person, id: string): Answer {
  readQuery(ask, []);
  const entry = person.calendar(id);
  // Someone who may only see free and busy does not get to see the calendar itself.
  if (entry === undefined || entry.accessRole === 'freeBusyReader') throw notFound();
  return jsonAnswer(200, {
    kind: 'calendar#calendar',
    etag: etagOf(entry),
    id: entry.id,
    summary: entry.name,
    timeZone: entry.timeZone,
    conferenceProperties: { allowedConferenceSolutionTypes: ['hangoutsMeet'] },
  });
}

/** GET users/me/settings. Settings that stand at their default are left out, as Google may do. */
export function listSettings(ask: Ask, person: Person): Answer {
  const query = readQuery(ask, ['maxResults', 'pageToken']);
  const size = query.count('maxResults', 100, 250);
  const place = readPlace(query.text('pageToken'), 'settings');
  const { items, ...more } = page(ask, settingsOf(person), size, place, 'settings');
  return jsonAnswer(200, { kind: 'calendar#settings', etag: '"p1"', ...more, items });
}

/** GET users/me/settings/{setting}. */
export function getSetting(ask: Ask, person: Person, id: string): Answer {
  readQuery(ask, []);
  const setting = settingsOf(person).find((one) => one.id === id);
  if (setting === undefined) throw notFound();
  return jsonAnswer(200, setting);
}

function settingsOf(person: Person): { kind: string; etag: string; id: string; value: string }[] {
  const values = { timezone: person.timeZone, locale: 'en', weekStart: '1' };
  return Object.entries(values).map(([id, value]) => ({
    kind: 'calendar#setting',
    etag: `"s-${id}"`,
    id,
    value,
  }));
}

function listEntry(entry: ListedCalendar): object {
  return {
    kind: 'calendar#calendarListEntry',
    etag: etagOf(entry),
    id: entry.id,
    summary: entry.name,
    timeZone: entry.timeZone,
    colorId: '14',
    backgroundColor: '#9fe1e7',
    foregroundColor: '#000000',
    ...(entry.hidden ? { hidden: true } : {}),
    ...(entry.selected ? { selected: true } : {}),
    accessRole: entry.accessRole,
    defaultReminders: entry.primary ? [{ method: 'popup', minutes: 10 }] : [],
    ...(entry.primary ? { primary: true } : {}),
    conferenceProperties: { allowedConferenceSolutionTypes: ['hangoutsMeet'] },
  };
}

function etagOf(entry: ListedCalendar): string {
  return `"${Buffer.from(`${entry.id} ${entry.name}`).toString('base64url').slice(0, 16)}"`;
}
