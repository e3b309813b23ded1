import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../../src/domain/failure.ts';
import { listCalendars, pickCounting, readCalendars } from '../../../src/providers/google/calendars.ts';
import { API_URL, apiError, reply, scriptAccess } from './scripted.ts';

function pageTokenOf(url: string): string {
  return new URL(url).searchParams.get('pageToken') ?? '';
}

describe('reading the calendar list', () => {
  it('reads every page, short and empty ones too', async () => {
    const pages = new Map<string, unknown>([
      ['', { items: [{ id: 'a', primary: true, summary: 'A' }], nextPageToken: 'p 2' }],
      ['p 2', { nextPageToken: 'p3' }],
      ['p3', { items: [{ id: 'b', accessRole: 'reader' }] }],
    ]);
    const { access, sent } = scriptAccess(({ url }) => reply(200, pages.get(pageTokenOf(url))));
    expect(await listCalendars(API_URL, access)).toEqual(
      ok([
        { id: 'a', primary: true, summary: 'A' },
        { id: 'b', accessRole: 'reader' },
      ]),
    );
    expect(sent.map(({ url }) => url)).toEqual([
      `${API_URL}/calendar/v3/users/me/calendarList?maxResults=250&showHidden=true`,
      `${API_URL}/calendar/v3/users/me/calendarList?maxResults=250&showHidden=true&pageToken=p+2`,
      `${API_URL}/calendar/v3/users/me/calendarList?maxResults=250&showHidden=true&pageToken=p3`,
    ]);
  });

  it('is all or nothing: a failing page fails the list', async () => {
    const { access } = scriptAccess((_request, count) =>
      count === 1
        ? reply(200, { items: [{ id: 'a' }], nextPageToken: 'p2' })
        : apiError(403, 'insufficientPermissions'),
    );
    expect(await listCalendars(API_URL, access)).toEqual(fail({ kind: 'consent-missing', scopes: [] }));
  });

  it('stops at pages that go round', async () => {
    const { access, sent } = scriptAccess(() => reply(200, { nextPageToken: 'again' }));
    expect(await listCalendars(API_URL, access)).toMatchObject({ failure: { kind: 'malformed' } });
    expect(sent).toHaveLength(2);
  });

  it('stops at pages that never end', async () => {
    const { access, sent } = scriptAccess((_request, count) => reply(200, { nextPageToken: `p${count}` }));
    expect(await listCalendars(API_URL, access)).toMatchObject({ failure: { kind: 'malformed' } });
    expect(sent).toHaveLength(20);
  });

  it('refuses a list it cannot read, so that no calendar goes unseen', async () => {
    const { access } = scriptAccess(() => reply(200, { items: [{ id: 'a' }, { name: 'b' }] }));
    expect(await listCalendars(API_URL, access)).toEqual(
      fail({ kind: 'malformed', at: 'calendar list.items.1.id' }),
    );
  });
});

describe('picking the calendars that count', () => {
  it('takes those the person owns or shows, and the primary one', () => {
    expect(
      pickCounting([
        { id: 'me', primary: true },
        { id: 'own', accessRole: 'owner' },
        { id: 'shown', accessRole: 'reader', selected: true },
        { id: 'unshown', accessRole: 'writer' },
        { id: 'own and hidden', accessRole: 'owner', hidden: true },
        { id: 'hidden', accessRole: 'reader', selected: true, hidden: true },
        { id: 'gone', accessRole: 'owner', selected: true, deleted: true },
        { id: 'own', accessRole: 'owner' },
      ]),
    ).toEqual(['me', 'own', 'shown', 'own and hidden']);
  });

  it('counts the primary one under its alias when the list does not tell which it is', () => {
    expect(pickCounting([])).toEqual(['primary']);
    expect(pickCounting([{ id: 'own', accessRole: 'owner' }])).toEqual(['primary', 'own']);
  });
});

describe('reading the calendars of an account', () => {
  const readListed = async (items: object[]) => {
    const { access } = scriptAccess(() => reply(200, { items }));
    const read = await readCalendars(API_URL, access);
    return read.ok ? read.value.calendars : [];
  };

  it('tells each once, with its name, its zone, whether it counts and whether it can be read', async () => {
    expect(
      await readListed([
        { id: 'me', primary: true, accessRole: 'owner', summary: 'Me', timeZone: 'Europe/Berlin' },
        { id: 'team', accessRole: 'reader', selected: true, summary: 'T', summaryOverride: 'My team' },
        { id: 'unshown', accessRole: 'writer', summary: 1, timeZone: 'Nowhere' },
        { id: 'gone', accessRole: 'owner', deleted: true },
        { id: 'me', primary: true, accessRole: 'owner', summary: 'Me', timeZone: 'Europe/Berlin' },
      ]),
    ).toEqual([
      {
        id: 'me',
        name: 'Me',
        isPrimary: true,
        counts: true,
        isReadable: true,
        timeZone: 'Europe/Berlin',
      },
      { id: 'team', name: 'My team', isPrimary: false, counts: true, isReadable: true },
      { id: 'unshown', name: 'unshown', isPrimary: false, counts: false, isReadable: true },
    ]);
  });

  it('can read the events of those alone that show more than when they are busy', async () => {
    const roles = ['owner', 'writer', 'writerWithoutPrivateAccess', 'reader', 'freeBusyReader', 'none'];
    const calendars = await readListed([
      ...roles.map((accessRole) => ({ id: accessRole, accessRole })),
      { id: 'unsaid', primary: true },
    ]);
    expect(calendars.filter(({ isReadable }) => isReadable).map(({ id }) => id)).toEqual(roles.slice(0, 4));
  });

  it('counts those that count where busy times are read, the primary one under its alias too', async () => {
    const items = [{ id: 'own', accessRole: 'owner' }, { id: 'other' }];
    const calendars = await readListed(items);
    expect(calendars[0]).toEqual({
      id: 'primary',
      name: 'primary',
      isPrimary: true,
      counts: true,
      isReadable: true,
    });
    expect(calendars.filter(({ counts }) => counts).map(({ id }) => id)).toEqual(pickCounting(items));
  });

  it('is all or nothing', async () => {
    const { access } = scriptAccess(() => apiError(500, 'backendError'));
    expect(await readCalendars(API_URL, access)).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
  });
});
