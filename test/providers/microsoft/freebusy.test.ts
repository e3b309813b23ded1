import { describe, expect, it } from 'vitest';
import type { BusyReport } from '../../../src/domain/availability.ts';
import { type Failure, fail, ok, type Outcome } from '../../../src/domain/failure.ts';
import type { Account } from '../../../src/providers/provider.ts';
import { readBusy } from '../../../src/providers/microsoft/freebusy.ts';
import {
  CONFIG,
  type GraphAnswer,
  NOW,
  partsOf,
  PERSON,
  reply,
  scriptedAccess,
  scriptedGraph,
  scriptedSend,
  WORKER,
} from './scripted.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const START = Date.UTC(2026, 10, 23);
const RANGE = { startMs: START, endMs: START + DAY_MS };
const hour = (h: number) => START + h * HOUR_MS;
const at = (h: number) => ({
  dateTime: `${new Date(hour(h)).toISOString().slice(0, 19)}.0000000`,
  timeZone: 'UTC',
});
const busy = (from: number, to: number) => ({ startMs: hour(from), endMs: hour(to) });

const event = (from: number, to: number, more: object = {}) => ({
  start: at(from),
  end: at(to),
  showAs: 'busy',
  ...more,
});
const FREE_VIEW = '0'.repeat(288);
const HOURS = {
  daysOfWeek: ['monday'],
  startTime: '08:00:00',
  endTime: '17:00:00',
  timeZone: { name: 'Tokyo Standard Time' },
};
const TOKYO_HOURS = [{ day: 'monday', start: '08:00', end: '17:00', timeZone: 'Asia/Tokyo' }];

interface Mailbox {
  calendars?: GraphAnswer;
  settings?: GraphAnswer;
  /** Items of getSchedule, by address. */
  schedules?: Record<string, object>;
  /** What a calendar view answers, by the path of its calendar. */
  views?: Record<string, GraphAnswer>;
}

const LIST = [
  { id: 'main', isDefaultCalendar: true, owner: { address: 'Ada@smtp.example' } },
  { id: 'team', isDefaultCalendar: false, owner: { address: 'team@smtp.example' } },
];

function graphOf({ calendars, settings, schedules = {}, views = {} }: Mailbox) {
  return scriptedGraph(({ url, body }) => {
    const path = url.split('?', 1)[0] ?? '';
    if (path === '/me/calendars') return calendars ?? { body: { value: LIST } };
    if (path === '/me/mailboxSettings') {
      return settings ?? { body: { timeZone: 'Tokyo Standard Time', workingHours: HOURS } };
    }
    if (path === '/me/calendar/getSchedule') {
      const asked: { schedules: string[] } = JSON.parse(JSON.stringify(body));
      const value = asked.schedules.flatMap((address) =>
        schedules[address] === undefined ? [] : [{ scheduleId: address, ...schedules[address] }],
      );
      return { body: { value } };
    }
    return views[path.replace('/calendarView', '')] ?? { body: { value: [] } };
  });
}

async function ask(mailbox: Mailbox, calendars?: string[], account: Account = WORKER) {
  const { send, asked } = graphOf(mailbox);
  const { access } = scriptedAccess(send, account);
  const question = { range: RANGE, ...(calendars !== undefined && { calendars }) };
  const paths = () =>
    asked.flatMap((request) =>
      (request.url.endsWith('/$batch') ? partsOf(request) : [request]).map(({ url }) => url),
    );
  return { outcome: await readBusy(CONFIG, question, access), asked, paths };
}

function reportOf(outcome: Outcome<BusyReport>): BusyReport {
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.failure));
  return outcome.value;
}

const FULL: Mailbox = {
  schedules: { 'Ada@smtp.example': { scheduleItems: [{ ...event(9, 10), status: 'busy' }] } },
  views: { '/me/calendars/team': { body: { value: [event(11, 12)] } } },
};

describe('the busy times of an account of an organisation', () => {
  it('are those of every calendar in the list, the default one through its schedule', async () => {
    const { outcome, asked, paths } = await ask(FULL);
    expect(reportOf(outcome)).toEqual({
      calendars: [
        { id: 'main', busy: ok([busy(9, 10)]) },
        { id: 'team', busy: ok([busy(11, 12)]) },
      ],
      workingHours: TOKYO_HOURS,
    });
    expect(asked.map(({ url }) => url.slice(-7))).toEqual(['/$batch', '/$batch']);
    expect(paths().filter((path) => path.includes('getSchedule'))).toHaveLength(1);
  });

  it('are asked for by the address of the mailbox, never by the sign-in name', async () => {
    const { asked } = await ask(FULL);
    expect(asked.map(({ body }) => body).join('')).toContain('Ada@smtp.example');
    expect(asked.map(({ body }) => body).join('')).not.toContain('ada@upn.example');
    const nameless = await ask({ calendars: { body: { value: [{ id: 'main', isDefaultCalendar: true }] } } });
    expect(nameless.paths().some((path) => path.includes('/me/calendar/calendarView'))).toBe(true);
  });

  it('can be those of the default calendar alone, whatever it is called', async () => {
    for (const id of ['primary', 'main', 'ada@smtp.example']) {
      const { outcome, paths } = await ask(
        { schedules: { ...FULL.schedules, 'ada@smtp.example': FULL.schedules?.['Ada@smtp.example'] ?? {} } },
        [id],
      );
      expect(reportOf(outcome).calendars).toEqual([{ id, busy: ok([busy(9, 10)]) }]);
      expect(paths().filter((path) => path.includes('calendarView'))).toEqual([]);
    }
  });

  it('are read once for a calendar that is named in several ways', async () => {
    const { outcome, asked } = await ask(FULL, ['primary', 'main', 'team']);
    expect(reportOf(outcome).calendars.map(({ id, busy: times }) => [id, times.ok])).toEqual([
      ['primary', true],
      ['main', true],
      ['team', true],
    ]);
    const [, second] = asked;
    expect(second === undefined ? [] : partsOf(second)).toHaveLength(2);
  });

  it('can be those of other people, by their addresses and in one call', async () => {
    const schedules = {
      'bob@example.com': { scheduleItems: [{ ...event(9, 10), status: 'tentative' }], workingHours: HOURS },
      'eve@example.com': { error: { responseCode: 'ErrorNoFreeBusyAccess' } },
    };
    const { outcome, asked } = await ask({ schedules }, [
      'bob@example.com',
      'eve@example.com',
      'lost@example.com',
    ]);
    expect(reportOf(outcome)).toEqual({
      calendars: [
        { id: 'bob@example.com', busy: ok([busy(9, 10)]) },
        {
          id: 'eve@example.com',
          busy: fail({ kind: 'rejected', status: 200, code: 'ErrorNoFreeBusyAccess' }),
        },
        {
          id: 'lost@example.com',
          busy: fail({ kind: 'malformed', at: 'getSchedule: an address is missing' }),
        },
      ],
    });
    expect(asked).toHaveLength(1);
  });

  it('come with the working hours of the schedule where the settings have none', async () => {
    const nothing = { scheduleItems: [], availabilityView: FREE_VIEW };
    const schedules = { 'Ada@smtp.example': { ...nothing, workingHours: HOURS } };
    const refused: GraphAnswer = { status: 403, body: { error: { code: 'ErrorAccessDenied' } } };
    expect(reportOf((await ask({ schedules, settings: refused }, ['primary'])).outcome).workingHours).toEqual(
      TOKYO_HOURS,
    );
    const none = await ask({ schedules: { 'Ada@smtp.example': nothing }, settings: refused }, ['primary']);
    expect(reportOf(none.outcome)).toEqual({ calendars: [{ id: 'primary', busy: ok([]) }] });
  });
});

describe('the busy times of a personal account', () => {
  it('are read event by event, because Graph has no schedules for it', async () => {
    const views = {
      '/me/calendar': { body: { value: [event(9, 10)] } },
      '/me/calendars/team': { body: { value: [event(11, 12)] } },
    };
    const { outcome, paths } = await ask({ views }, undefined, PERSON);
    expect(reportOf(outcome).calendars).toEqual([
      { id: 'main', busy: ok([busy(9, 10)]) },
      { id: 'team', busy: ok([busy(11, 12)]) },
    ]);
    expect(paths().some((path) => path.includes('getSchedule'))).toBe(false);
  });

  it('include its own address, but nobody else’s', async () => {
    const views = { '/me/calendar': { body: { value: [event(9, 10)] } } };
    const { outcome } = await ask({ views }, ['JOE@outlook.example', 'bob@example.com'], PERSON);
    expect(reportOf(outcome).calendars).toEqual([
      { id: 'JOE@outlook.example', busy: ok([busy(9, 10)]) },
      {
        id: 'bob@example.com',
        busy: fail({ kind: 'rejected', status: 400, code: 'NotForPersonalAccounts' }),
      },
    ]);
  });
});

describe('busy times read event by event', () => {
  it('take in every page', async () => {
    const views = {
      '/me/calendars/team': {
        body: { value: [event(1, 2)], '@odata.nextLink': `${CONFIG.graphUrl}/v1.0/page2/calendarView` },
      },
      '/page2': { body: { value: [event(3, 4)] } },
    };
    const { outcome } = await ask({ ...FULL, views }, ['team']);
    expect(reportOf(outcome).calendars).toEqual([{ id: 'team', busy: ok([busy(1, 2), busy(3, 4)]) }]);
  });

  it('are a failure when a page leads to another host', async () => {
    const views = {
      '/me/calendars/team': {
        body: { value: [event(1, 2)], '@odata.nextLink': 'https://evil.example/v1.0/me/events' },
      },
    };
    const { outcome, asked } = await ask({ ...FULL, views });
    expect(reportOf(outcome).calendars[1]?.busy).toMatchObject({ ok: false, failure: { kind: 'malformed' } });
    expect(asked.every(({ url }) => url.startsWith('https://graph.example/'))).toBe(true);
  });

  const day = (date: number, originalStartTimeZone = 'Pacific Standard Time') =>
    event(date * 24, (date + 1) * 24, { isAllDay: true, originalStartTimeZone });
  const viewOf = (...value: object[]) => ({ '/me/calendars/x': { body: { value } } });
  const listWith = (owner?: string): GraphAnswer => ({
    body: { value: [...LIST, { id: 'x', ...(owner !== undefined && { owner: { address: owner } }) }] },
  });
  const unset: GraphAnswer = { body: {} };

  it('put an all-day event of an own calendar in the zone of the mailbox, and keep to what was asked', async () => {
    const views = viewOf(day(-1), day(0), day(1), day(2));
    for (const owner of ['ada@SMTP.example', 'ADA@upn.example', undefined]) {
      const calendars = listWith(owner);
      const inTokyo = await ask({ views, calendars }, ['x']);
      // The 23rd and the 24th of Tokyo reach into the 23rd of UTC; the 22nd ended before, the 25th comes after.
      expect(reportOf(inTokyo.outcome).calendars[0]?.busy).toEqual(ok([busy(0, 15), busy(15, 24)]));
      const inSeattle = await ask({ views, calendars, settings: unset }, ['x']);
      expect(reportOf(inSeattle.outcome).calendars[0]?.busy).toEqual(ok([busy(0, 8), busy(8, 24)]));
    }
  });

  it('put an all-day event of somebody else’s calendar where it was made, else wherever it is that day', async () => {
    for (const [account, settings] of [
      [WORKER, undefined],
      [WORKER, unset],
      [PERSON, undefined],
    ] as const) {
      const mailbox = { calendars: listWith('bob@smtp.example'), ...(settings && { settings }) };
      const inSeattle = await ask({ ...mailbox, views: viewOf(day(-1), day(0)) }, ['x'], account);
      expect(reportOf(inSeattle.outcome).calendars[0]?.busy).toEqual(ok([busy(0, 8), busy(8, 24)]));
      const views = viewOf(day(-1, 'tzone://Microsoft/Custom'), day(1, ''));
      const anywhere = await ask({ ...mailbox, views }, ['x'], account);
      expect(reportOf(anywhere.outcome).calendars[0]?.busy).toEqual(ok([busy(0, 12), busy(10, 24)]));
    }
  });

  it('stay whole without the permission to read the settings', async () => {
    const refused: GraphAnswer = { status: 403, body: { error: { code: 'ErrorAccessDenied' } } };
    const { outcome } = await ask({ ...FULL, settings: refused });
    expect(reportOf(outcome).calendars.map(({ busy: times }) => times.ok)).toEqual([true, true]);
  });
});

describe('a calendar that cannot be read', () => {
  it('is a failure of its own', async () => {
    const views = { '/me/calendars/team': { status: 404, body: { error: { code: 'ErrorItemNotFound' } } } };
    const { outcome } = await ask({ ...FULL, views });
    expect(reportOf(outcome).calendars).toEqual([
      { id: 'main', busy: ok([busy(9, 10)]) },
      { id: 'team', busy: fail({ kind: 'not-found', what: 'calendarView' }) },
    ]);
    const alone = await ask({ views }, ['team']);
    expect(reportOf(alone.outcome).calendars).toHaveLength(1);
  });

  it('is not asked for when its id would lead elsewhere', async () => {
    const { outcome, paths } = await ask(FULL, ['..', 'team']);
    expect(reportOf(outcome).calendars[0]?.busy).toEqual(fail({ kind: 'not-found', what: 'calendarView' }));
    expect(reportOf(outcome).calendars[1]?.busy).toEqual(ok([busy(11, 12)]));
    expect(paths().some((path) => path.includes('..'))).toBe(false);
  });

  it('does not keep named calendars from being read when it is the list', async () => {
    const { outcome } = await ask({ ...FULL, calendars: { status: 503 } }, ['team']);
    expect(reportOf(outcome).calendars).toEqual([{ id: 'team', busy: ok([busy(11, 12)]) }]);
  });

  it('is never missing from the answer, not even the default one from the list', async () => {
    const empty = await ask({
      calendars: { body: { value: [] } },
      views: { '/me/calendar': { body: { value: [event(1, 2)] } } },
    });
    expect(reportOf(empty.outcome).calendars).toEqual([{ id: 'primary', busy: ok([busy(1, 2)]) }]);
  });
});

describe('the whole answer fails', () => {
  const whole = async (mailbox: Mailbox, calendars?: string[]) => (await ask(mailbox, calendars)).outcome;

  it('when nobody says which calendars there are', async () => {
    expect(await whole({ calendars: { status: 503 } })).toEqual(
      fail({ kind: 'unavailable', ambiguous: false }),
    );
    expect(await whole({ calendars: { body: {} } })).toMatchObject({
      ok: false,
      failure: { kind: 'malformed' },
    });
    expect(await whole({ calendars: { status: 403 } })).toEqual(
      fail({ kind: 'consent-missing', scopes: [] }),
    );
  });

  it('when the token is rejected anywhere', async () => {
    const rejected = { status: 401 };
    const failure = fail({ kind: 'token-rejected' });
    expect(await whole({ settings: rejected })).toEqual(failure);
    expect(await whole({ calendars: rejected }, ['team'])).toEqual(failure);
    expect(await whole({ ...FULL, views: { '/me/calendars/team': rejected } })).toEqual(failure);
    const later = {
      '/me/calendars/team': {
        body: { value: [], '@odata.nextLink': `${CONFIG.graphUrl}/v1.0/page2/calendarView` },
      },
      '/page2': rejected,
    };
    expect(await whole({ ...FULL, views: later })).toEqual(failure);
  });

  it('when no calendar can be reached, with the longest wait', async () => {
    const throttled = (seconds: string) => ({ status: 429, headers: { 'Retry-After': seconds } });
    const views = {
      '/me/calendars/a': throttled('3'),
      '/me/calendars/b': throttled('9'),
      '/me/calendars/c': { status: 503 },
    };
    expect(await whole({ views }, ['a', 'b', 'c'])).toEqual(
      fail({ kind: 'throttled', scope: 'user', retryAtMs: NOW + 9000 }),
    );
    expect(await whole({ views: { '/me/calendars/a': { status: 503 } } }, ['a'])).toEqual(
      fail({ kind: 'unavailable', ambiguous: false }),
    );
    expect(reportOf(await whole({ ...FULL, views }, ['a', 'primary'])).calendars).toHaveLength(2);
  });

  it('when every call is refused alike, for then it is not the calendars', async () => {
    const code = { error: { code: 'ErrorSomething' } };
    const refusals: [GraphAnswer, Failure][] = [
      [
        { status: 400, body: code },
        { kind: 'rejected', status: 400, code: 'ErrorSomething' },
      ],
      [
        { status: 403, body: code },
        { kind: 'consent-missing', scopes: [] },
      ],
      [{ body: { value: 'all' } }, { kind: 'malformed', at: 'calendarView.value' }],
      [{ status: 500 }, { kind: 'unavailable', ambiguous: false }],
    ];
    for (const [answer, failure] of refusals) {
      const views = { '/me/calendars/a': answer, '/me/calendars/b': answer };
      expect(await whole({ views }, ['a', 'b'])).toEqual(fail(failure));
      expect(
        reportOf(await whole({ views: { ...FULL.views, ...views } }, ['a', 'team', 'b'])).calendars,
      ).toEqual([
        { id: 'a', busy: fail(failure) },
        { id: 'team', busy: ok([busy(11, 12)]) },
        { id: 'b', busy: fail(failure) },
      ]);
    }
  });

  it('when getSchedule fails for everybody who was asked for', async () => {
    for (const [answer, kind] of [
      [reply(400, { error: { code: 'ErrorInvalidTimeInterval' } }), 'rejected'],
      [reply(200, { value: [{ address: 'b@example.com' }] }), 'malformed'],
      [reply(403), 'consent-missing'],
    ] as const) {
      const { access } = scriptedAccess(scriptedSend(() => answer).send);
      const question = { range: RANGE, calendars: ['b@example.com', 'c@example.com'] };
      expect(await readBusy(CONFIG, question, access)).toMatchObject({ ok: false, failure: { kind } });
    }
  });

  it('but not for what is said of each calendar by itself', async () => {
    const error = { responseCode: 'ErrorNoFreeBusyAccess' };
    const mailbox: Mailbox = {
      schedules: { 'b@example.com': { error }, 'c@example.com': { error } },
      views: {
        '/me/calendars/gone': { status: 404, body: { error: { code: 'ErrorItemNotFound' } } },
        '/me/calendars/garbage': { status: 400, body: { error: { code: 'ErrorInvalidIdMalformed' } } },
        '/me/calendars/odd': {
          body: { value: [{ start: { dateTime: 'soon' }, end: { dateTime: 'later' } }] },
        },
      },
    };
    for (const [ids, kind] of [
      [['b@example.com', 'c@example.com'], 'rejected'],
      [['gone', 'garbage'], 'not-found'],
      [['gone'], 'not-found'],
      [['odd'], 'malformed'],
    ] as const) {
      const { calendars } = reportOf(await whole(mailbox, [...ids]));
      expect(calendars).toMatchObject(ids.map((id) => ({ id, busy: { ok: false, failure: { kind } } })));
    }
  });

  it('when nothing can be sent', async () => {
    for (const failure of [
      { kind: 'throttled', scope: 'user', retryAtMs: NOW + 600_000 },
      { kind: 'unavailable', ambiguous: false },
    ] as const) {
      const { send, asked } = scriptedSend(() => fail(failure));
      const { access } = scriptedAccess(send);
      expect(await readBusy(CONFIG, { range: RANGE }, access)).toEqual(fail(failure));
      expect(asked).toHaveLength(1);
      expect(await readBusy(CONFIG, { range: RANGE, calendars: ['a', 'b@example.com'] }, access)).toEqual(
        fail(failure),
      );
    }
  });

  it('without an exception, whatever comes back', async () => {
    for (const body of [
      '',
      'text',
      '[]',
      'null',
      '{"responses":{}}',
      '{"responses":[1,null]}',
      '{"value":null}',
    ]) {
      const { send } = scriptedSend(() => reply(200, body));
      const { access } = scriptedAccess(send);
      expect((await readBusy(CONFIG, { range: RANGE }, access)).ok).toBe(false);
      const named = await readBusy(CONFIG, { range: RANGE, calendars: ['b@example.com', 'a'] }, access);
      expect(named.ok && named.value.calendars.some((calendar) => calendar.busy.ok)).toBe(false);
    }
  });
});
