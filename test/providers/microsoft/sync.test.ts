import { describe, expect, it } from 'vitest';
import { type Failure, fail, ok, type Outcome } from '../../../src/domain/failure.ts';
import type { MirroredCalendar, MirroredEvent } from '../../../src/domain/mirror.ts';
import type { ChangesPage, ChangesRequest } from '../../../src/providers/provider-sync.ts';
import { createMicrosoftSync } from '../../../src/providers/microsoft/sync.ts';
import { CONFIG, type GraphAnswer, partsOf, scriptedAccess, scriptedGraph } from './scripted.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const START = Date.UTC(2026, 10, 23);
const WINDOW = { startMs: START, endMs: START + 30 * DAY_MS };
const BASE = `${CONFIG.graphUrl}/v1.0`;

const MAIN: MirroredCalendar = {
  id: 'main',
  name: 'Calendar',
  isPrimary: true,
  counts: true,
  isReadable: true,
  timeZone: 'Asia/Tokyo',
};
const TEAM: MirroredCalendar = { ...MAIN, id: 'team', isPrimary: false };

const at = (hour: number) => ({
  dateTime: `${new Date(START + hour * HOUR_MS).toISOString().slice(0, 19)}.0000000`,
  timeZone: 'UTC',
});
const single = (id: string, more: object = {}) => ({
  id,
  type: 'singleInstance',
  start: at(9),
  end: at(10),
  isAllDay: false,
  showAs: 'busy',
  ...more,
});
const master = (id: string, more: object = {}) => single(id, { type: 'seriesMaster', subject: id, ...more });
const occurrence = (id: string, seriesMasterId: string, hour = 9) => ({
  id,
  type: 'occurrence',
  seriesMasterId,
  start: at(hour),
  end: at(hour + 1),
});
const removed = (id: string) => ({ id, '@removed': { reason: 'deleted' } });
const last = (value: object[], link = `${BASE}/me/calendarView/delta?$deltatoken=d1`): GraphAnswer => ({
  body: { value, '@odata.deltaLink': link },
});
const more = (value: object[], link = `${BASE}/me/calendarView/delta?$skiptoken=s1`): GraphAnswer => ({
  body: { value, '@odata.nextLink': link },
});
const refusal = (status: number, code: string): GraphAnswer => ({ status, body: { error: { code } } });

interface Asking {
  calendar?: MirroredCalendar;
  position?: string;
  divisor?: number;
  known?: MirroredEvent[];
}

/** Asks for pages from a Graph that answers by path; what it is not asked for is not there. */
async function ask(asking: Asking | Asking[], answer: (path: string) => GraphAnswer | undefined) {
  const { send, asked } = scriptedGraph(({ url }) => answer(url) ?? refusal(404, 'ErrorItemNotFound'));
  const { access } = scriptedAccess(send);
  const requests = [asking]
    .flat()
    .map(({ calendar = MAIN, position, divisor = 1, known = [] }): ChangesRequest => ({
      calendar,
      divisor,
      window: WINDOW,
      findSeries: (id) => known.find(({ eventId }) => eventId === id),
      ...(position !== undefined && { position }),
    }));
  const outcomes = await createMicrosoftSync(CONFIG).readChanges(requests, access);
  const parts = asked.flatMap((request) =>
    request.url.endsWith('/$batch')
      ? partsOf(request)
      : [{ url: request.url.slice(BASE.length), headers: request.headers ?? {} }],
  );
  return { outcomes, asked, parts, paths: parts.map(({ url }) => url.split('?', 1)[0]) };
}

function pageOf(outcome: Outcome<ChangesPage> | undefined): ChangesPage {
  if (outcome?.ok !== true) throw new Error(JSON.stringify(outcome?.failure));
  return outcome.value;
}
const idsOf = ({ events }: ChangesPage) => events.map(({ eventId }) => eventId);

/** Where a first reading that found nothing ends. */
async function afterFirst(calendar = MAIN): Promise<string> {
  return pageOf((await ask({ calendar }, () => last([]))).outcomes[0]).position;
}

describe('the first reading of a calendar', () => {
  it('is by smaller pages where they are asked for, down to one event', async () => {
    const sizes = async (divisor: number) =>
      (await ask({ divisor }, () => last([]))).parts[0]?.headers['Prefer'];
    expect(await sizes(4)).toContain('odata.maxpagesize=50');
    expect(await sizes(512)).toContain('odata.maxpagesize=1,');
  });

  it('asks for the view of the default calendar, a day further on both sides, and selects nothing', async () => {
    const { parts } = await ask({}, () => last([]));
    const url = new URL(`https://graph.example${parts[0]?.url}`);
    expect(url.pathname).toBe('/me/calendarView/delta');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      startDateTime: '2026-11-22T00:00:00.000Z',
      endDateTime: '2026-12-24T00:00:00.000Z',
    });
    expect(parts[0]?.headers['Prefer']).toContain('odata.maxpagesize=200');
    expect(parts[0]?.headers['Prefer']).toContain('IdType="ImmutableId"');
  });

  it('goes from page to page, then to what has changed', async () => {
    const first = pageOf((await ask({}, () => more([single('a')]))).outcomes[0]);
    expect({ ids: idsOf(first), isComplete: first.isComplete }).toEqual({ ids: ['a'], isComplete: false });

    const second = await ask({ position: first.position }, () => last([single('b')]));
    expect(second.parts.map(({ url }) => url)).toEqual(['/me/calendarView/delta?$skiptoken=s1']);
    const page = pageOf(second.outcomes[0]);
    expect({ ids: idsOf(page), isComplete: page.isComplete }).toEqual({ ids: ['b'], isComplete: true });

    const third = await ask({ position: page.position }, () => last([removed('a')]));
    expect(third.parts.map(({ url }) => url)).toEqual(['/me/calendarView/delta?$deltatoken=d1']);
    expect(pageOf(third.outcomes[0])).toMatchObject({ events: [], removed: ['a'], isComplete: true });
  });

  it('is read for several calendars in one batch, each with its own outcome, in pages that share the reply', async () => {
    const { outcomes, asked, parts } = await ask([{}, { calendar: TEAM }, { position: 'nonsense' }], (url) =>
      url.startsWith('/me/calendarView') ? last([single('a')]) : refusal(503, ''),
    );
    expect(outcomes.map((outcome) => (outcome.ok ? idsOf(outcome.value) : outcome.failure.kind))).toEqual([
      ['a'],
      'unavailable',
      'cursor-expired',
    ]);
    expect(asked).toHaveLength(1);
    expect(parts[1]?.url).toMatch(/^\/me\/calendars\/team\/calendarView\/delta\?/);
    for (const { headers } of parts) expect(headers['Prefer']).toContain('odata.maxpagesize=66');
  });

  it('is unsupported where Graph offers none of a further calendar, and never of the default one', async () => {
    for (const [status, code] of [
      [400, 'BadRequest'],
      [404, 'UnknownError'],
      [501, 'notSupported'],
    ] as const) {
      const { outcomes } = await ask([{ calendar: TEAM }, {}], () => refusal(status, code));
      const kinds = outcomes.map((outcome) => !outcome.ok && outcome.failure.kind);
      expect(kinds[0]).toBe('unsupported');
      expect(kinds[1]).not.toBe('unsupported');
    }
    const gone = await ask({ calendar: TEAM }, () => undefined);
    expect(gone.outcomes).toEqual([fail({ kind: 'not-found', what: 'calendar' })]);
  });
});

describe('a position', () => {
  it('that Graph no longer knows, or takes for a bad request, has expired', async () => {
    const position = await afterFirst();
    for (const [status, code] of [
      [410, 'syncStateNotFound'],
      [410, ''],
      [400, 'SyncStateNotFound'],
      [404, 'resyncRequired'],
      [400, 'SyncStateInvalid'],
      [400, 'BadRequest'],
    ] as const) {
      const { outcomes } = await ask({ position }, () => refusal(status, code));
      expect(outcomes).toEqual([fail({ kind: 'cursor-expired' })]);
    }
    const { outcomes } = await ask({ position }, () => refusal(401, 'InvalidAuthenticationToken'));
    expect(outcomes).toEqual([fail({ kind: 'token-rejected' })]);
  });

  it('that cannot be read has expired too, and nothing is asked for', async () => {
    for (const position of ['', '{}', '{"version":2}', '{"version":1,"path":"https://evil.example/"}']) {
      const { outcomes, asked } = await ask({ position }, () => last([]));
      expect(outcomes).toEqual([fail({ kind: 'cursor-expired' })]);
      expect(asked).toEqual([]);
    }
  });

  it('leads nowhere but to Graph itself, and not back', async () => {
    const nowhere = fail({ kind: 'malformed', at: 'calendarView.@odata.nextLink' });
    for (const link of ['https://evil.example/v1.0/me/x', `${CONFIG.graphUrl}/beta/me/x`, 'nonsense']) {
      expect((await ask({}, () => last([], link))).outcomes).toEqual([nowhere]);
      expect((await ask({}, () => more([], link))).outcomes).toEqual([nowhere]);
    }
    expect((await ask({}, () => ({ body: { value: [] } }))).outcomes).toEqual([nowhere]);
    const { position } = pageOf((await ask({}, () => more([]))).outcomes[0]);
    expect((await ask({ position }, () => more([]))).outcomes).toEqual([nowhere]);
  });
});

describe('a page', () => {
  it('is nothing when one of its events cannot be read', async () => {
    const malformed = async (event: object): Promise<Failure | undefined> => {
      const [outcome] = (await ask({}, () => last([single('a'), event]))).outcomes;
      return outcome?.ok === false ? outcome.failure : undefined;
    };
    expect(await malformed({ id: 'b' })).toEqual({ kind: 'malformed', at: 'calendarView.value.1' });
    expect(await malformed(single(''))).toMatchObject({ kind: 'malformed' });
    expect(await malformed(single('b', { start: { dateTime: 'soon' } }))).toEqual({
      kind: 'malformed',
      at: 'calendarView.start',
    });
  });

  it('that tells something twice means the last of it', async () => {
    const { outcomes } = await ask({}, () =>
      last([
        single('a', { subject: 'old' }),
        single('b'),
        single('a', { subject: 'new' }),
        removed('b'),
        removed('c'),
        single('c'),
      ]),
    );
    const { events, removed: gone } = pageOf(outcomes[0]);
    expect(events.map(({ eventId, details }) => [eventId, details?.summary])).toEqual([
      ['a', 'new'],
      ['c', undefined],
    ]);
    expect(gone).toEqual(['b', 'c']);
  });

  it('tells no occurrences of a series that it then removes', async () => {
    const { outcomes, parts } = await ask({}, () =>
      last([master('s'), occurrence('o1', 's'), single('a'), removed('s')]),
    );
    expect(pageOf(outcomes[0])).toMatchObject({ events: [{ eventId: 'a' }], removed: ['s'] });
    expect(parts).toHaveLength(1);
  });
});

describe('an occurrence', () => {
  const ALL_DAY = { isAllDay: true, start: at(0), end: at(24) };
  const day = (id: string, seriesMasterId: string) => ({
    ...occurrence(id, seriesMasterId),
    start: at(24),
    end: at(48),
  });
  const allDay = { kind: 'all-day', startDate: '2026-11-24', endDate: '2026-11-25', timeZone: 'Asia/Tokyo' };

  it('takes what it does not say from a series of the same page, which comes first', async () => {
    const { outcomes, asked } = await ask({}, () =>
      last([day('o1', 's'), single('a'), master('s', ALL_DAY)]),
    );
    const { events } = pageOf(outcomes[0]);
    expect(events.map(({ eventId, kind }) => [eventId, kind])).toEqual([
      ['s', 'series'],
      ['o1', 'occurrence'],
      ['a', 'single'],
    ]);
    expect(events[1]).toEqual({
      eventId: 'o1',
      kind: 'occurrence',
      seriesId: 's',
      originalStart: { kind: 'all-day', date: '2026-11-24' },
      time: allDay,
    });
    expect(asked).toHaveLength(1);
  });

  it('takes it from a series that is known from before', async () => {
    const before = pageOf((await ask({}, () => last([master('s', ALL_DAY)]))).outcomes[0]);
    const { outcomes, asked } = await ask({ position: before.position, known: before.events }, () =>
      last([day('o1', 's')]),
    );
    expect(pageOf(outcomes[0]).events).toMatchObject([{ eventId: 'o1', time: allDay }]);
    expect(asked).toHaveLength(1);
  });

  it('asks for the series that nobody knows, once for all of them, where the calendar is', async () => {
    const { outcomes, asked, paths } = await ask([{}, { calendar: TEAM }], (url) => {
      if (url.startsWith('/me/calendarView')) return last([day('o1', 's'), day('o2', 's')]);
      if (url.startsWith('/me/calendars/team/calendarView')) return last([day('o3', 't')]);
      return url.includes('/events/s?') ? { body: master('s', ALL_DAY) } : { body: master('t', ALL_DAY) };
    });
    expect(outcomes.map((outcome) => idsOf(pageOf(outcome)))).toEqual([
      ['s', 'o1', 'o2'],
      ['t', 'o3'],
    ]);
    expect(pageOf(outcomes[1]).events[1]).toMatchObject({ time: allDay });
    expect(paths.slice(2)).toEqual(['/me/events/s', '/me/calendars/team/events/t']);
    expect(asked).toHaveLength(2);
  });

  it('takes nothing from a series that the same page removes', async () => {
    const before = pageOf((await ask({}, () => last([master('s', ALL_DAY)]))).outcomes[0]);
    const { outcomes, paths } = await ask({ position: before.position, known: before.events }, (url) =>
      url.startsWith('/me/calendarView') ? last([removed('s'), occurrence('o1', 's')]) : undefined,
    );
    expect(pageOf(outcomes[0])).toMatchObject({ events: [{ details: { isBusy: true } }], removed: ['s'] });
    expect(paths).toEqual(['/me/calendarView/delta', '/me/events/s']);
  });

  it('of a series that is gone keeps the person busy', async () => {
    const { outcomes } = await ask({}, (url) =>
      url.startsWith('/me/calendarView') ? last([occurrence('o1', 's')]) : undefined,
    );
    expect(pageOf(outcomes[0]).events).toMatchObject([
      {
        eventId: 'o1',
        time: { kind: 'timed', startMs: START + 9 * HOUR_MS },
        details: { status: 'confirmed', isBusy: true },
      },
    ]);
  });

  it('is not told while its series cannot be read', async () => {
    const { outcomes } = await ask([{}, { calendar: TEAM }], (url) => {
      if (url.startsWith('/me/calendarView')) return last([occurrence('o1', 's')]);
      return url.startsWith('/me/calendars') ? last([single('a')]) : refusal(503, '');
    });
    expect(outcomes[0]).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
    expect(outcomes[1]?.ok).toBe(true);
  });
});

describe('a series that is told anew', () => {
  it('brings the occurrences that it has now in the place of all that it had', async () => {
    const { outcomes, paths, parts } = await ask({ position: await afterFirst() }, (url) => {
      if (url.startsWith('/me/calendarView')) return last([occurrence('o1', 's'), master('s'), single('a')]);
      if (url.includes('$skip=2')) return { body: { value: [occurrence('o3', 's', 57)] } };
      if (url.startsWith('/me/events/s/instances')) {
        const next = `${BASE}/me/events/s/instances?$skip=2`;
        return more([occurrence('o1', 's'), { ...occurrence('x2', 's', 33), type: 'exception' }], next);
      }
      return url.startsWith('/me/events/x2')
        ? { body: single('x2', { type: 'exception', seriesMasterId: 's', start: at(30), subject: 'Moved' }) }
        : undefined;
    });
    const page = pageOf(outcomes[0]);
    expect(page.removed).toEqual(['s']);
    expect(page.events.map(({ eventId, kind }) => [eventId, kind])).toEqual([
      ['s', 'series'],
      ['o1', 'occurrence'],
      ['a', 'single'],
      ['x2', 'occurrence'],
      ['o3', 'occurrence'],
    ]);
    expect(page.events.map(({ details }) => details?.summary)).toEqual([
      's',
      undefined,
      undefined,
      'Moved',
      undefined,
    ]);
    expect(paths).toEqual([
      '/me/calendarView/delta',
      '/me/events/s/instances',
      '/me/events/s/instances',
      '/me/events/x2',
    ]);
    const query = new URL(`https://graph.example${parts[1]?.url}`).searchParams;
    expect([query.get('startDateTime'), query.get('endDateTime')]).toEqual([
      '2026-11-22T00:00:00.000Z',
      '2026-12-24T00:00:00.000Z',
    ]);
  });

  it('is not asked for its occurrences while everything is read for the first time', async () => {
    const first = await ask({}, () => more([master('s'), occurrence('o1', 's')]));
    const { position, removed: gone } = pageOf(first.outcomes[0]);
    expect(gone).toEqual([]);
    const second = await ask({ position }, () => last([master('t'), occurrence('o2', 't')]));
    expect(pageOf(second.outcomes[0]).removed).toEqual([]);
    expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
  });

  it('fails the page when its occurrences cannot be read, and not when it is gone by then', async () => {
    const position = await afterFirst();
    const read = async (answer: GraphAnswer | undefined) =>
      (
        await ask({ position }, (url) =>
          url.startsWith('/me/calendarView') ? last([master('s'), occurrence('o1', 's')]) : answer,
        )
      ).outcomes[0];
    expect(await read(refusal(503, ''))).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
    expect(await read({ body: { value: [{ id: 'o1' }] } })).toMatchObject({ failure: { kind: 'malformed' } });
    const page = pageOf(await read(undefined));
    expect({ ids: idsOf(page), removed: page.removed }).toEqual({ ids: ['s', 'o1'], removed: [] });
  });
});

describe('the calendars to mirror', () => {
  const LIST = [
    { id: 'main', name: 'Calendar', isDefaultCalendar: true, owner: { address: 'Ada@smtp.example' } },
    { id: 'own', name: 'Own', owner: { address: 'ada@SMTP.example' } },
    { id: 'upn', name: 'Upn', owner: { address: 'ada@upn.example' } },
    { id: 'nobody', name: 'Holidays' },
    { id: 'team', name: 'Team', owner: { address: 'team@smtp.example' } },
  ];
  const HOURS = {
    daysOfWeek: ['monday'],
    startTime: '08:00:00',
    endTime: '17:00:00',
    timeZone: { name: 'Tokyo Standard Time' },
  };
  const SETTINGS = { body: { timeZone: 'Tokyo Standard Time', workingHours: HOURS } };
  async function read(settings: GraphAnswer, list: GraphAnswer = { body: { value: LIST } }) {
    const { send } = scriptedGraph(({ url }) => (url.startsWith('/me/calendars') ? list : settings));
    return await createMicrosoftSync(CONFIG).readCalendars(scriptedAccess(send).access);
  }

  it('are all of the list; those of the person are in the zone of the mailbox', async () => {
    const outcome = await read(SETTINGS);
    expect(outcome).toMatchObject(
      ok({ workingHours: [{ day: 'monday', start: '08:00', end: '17:00', timeZone: 'Asia/Tokyo' }] }),
    );
    const { calendars } = outcome.ok ? outcome.value : { calendars: [] };
    expect(calendars[0]).toEqual({ ...MAIN, id: 'main' });
    expect(calendars.map(({ id, isPrimary, timeZone }) => [id, isPrimary, timeZone])).toEqual([
      ['main', true, 'Asia/Tokyo'],
      ['own', false, 'Asia/Tokyo'],
      ['upn', false, 'Asia/Tokyo'],
      ['nobody', false, 'Asia/Tokyo'],
      ['team', false, undefined],
    ]);
    expect(calendars.every(({ counts, isReadable }) => counts && isReadable)).toBe(true);
  });

  it('do without settings that are refused, and wait for those that fail', async () => {
    const refused = await read(refusal(403, 'ErrorAccessDenied'));
    expect(refused.ok && refused.value.calendars.every((one) => !('timeZone' in one))).toBe(true);
    expect(await read(refusal(503, ''))).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
    expect(await read(refusal(401, ''))).toEqual(fail({ kind: 'token-rejected' }));
    expect(await read(SETTINGS, refusal(403, 'ErrorAccessDenied'))).toEqual(
      fail({ kind: 'consent-missing', scopes: [] }),
    );
  });
});
