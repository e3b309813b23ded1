import { jsonAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { AccessRole, ListedCalendar, Person } from '../people.ts';
import { notFound } from './errors.ts';
import { page, readQuery } from './query.ts';

const ROLES: readonly AccessRole[] = ['freeBusyReader', 'reader', 'writer', 'owner'];

/** GET users/me/calendarList. */
export function listCalendars(ask: Ask, person: Person): Answer {
  const query = readQuery(ask, [
    'maxResults',
    'minAccessRole',
    'pageToken',
    'showDeleted',
    'showHidden',
    'showOwnOrganizationOnly',
  ]);
  const least = query.choice('minAccessRole', ROLES);
  const showHidden = query.flag('showHidden', false);
  query.flag('showDeleted', false);
  const all = person.calendars
    .filter(({ hidden }) => showHidden || !hidden)
    .filter(({ accessRole }) => least === undefined || ROLES.indexOf(accessRole) >= ROLES.indexOf(least));
  const asked = `calendarList ${least ?? ''} ${String(showHidden)}`;
  const { items, ...more } = page(all, query.count('maxResults', 100, 250), query.text('pageToken'), asked);
  return jsonAnswer(200, {
    kind: 'calendar#calendarList',
    etag: `"p${String(all.length)}"`,
    ...more,
    items: items.map(listEntry),
  });
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
  const { items, ...more } = page(settingsOf(person), size, query.text('pageToken'), 'settings');
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
