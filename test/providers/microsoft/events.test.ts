import { describe, expect, it } from 'vitest';
import type { EventChange, EventDraft } from '../../../src/domain/event.ts';
import { fail, ok, type Outcome } from '../../../src/domain/failure.ts';
import type { OutgoingRequest, Reply } from '../../../src/providers/http.ts';
import { cancelEvent, createEvent, updateEvent } from '../../../src/providers/microsoft/events.ts';
import type { Account } from '../../../src/providers/provider.ts';
import { CONFIG, PERSON, reply, scriptedAccess, scriptedSend, WORKER } from './scripted.ts';

const KEY = 'a1'.repeat(32);
const PROPERTY = 'String {7d02d5a8-877c-4cd0-9577-461dc7180c17} Name huddle-key';
const START_MS = Date.UTC(2026, 10, 23, 9);

const DRAFT: EventDraft = {
  summary: 'Planning',
  time: { kind: 'timed', startMs: START_MS, endMs: START_MS + 3_600_000, timeZone: 'Europe/Berlin' },
  attendees: [],
  recurrence: [],
  notify: 'all',
  conference: false,
};
const ALL_DAY = {
  kind: 'all-day',
  startDate: '2026-11-23',
  endDate: '2026-11-25',
  timeZone: 'Europe/Berlin',
} as const;

const at = (dateTime: string) => ({ dateTime, timeZone: 'UTC' });
const EVENT = {
  id: 'AAMk=',
  '@odata.etag': 'W/"v1"',
  iCalUId: 'uid-1',
  webLink: 'https://outlook.example/1',
  isAllDay: false,
  showAs: 'busy',
  start: at('2026-11-23T09:00:00.0000000'),
  end: at('2026-11-23T10:00:00.0000000'),
  onlineMeeting: null,
};
const RECORD = {
  eventId: 'AAMk=',
  calendarId: 'primary',
  iCalUid: 'uid-1',
  etag: 'W/"v1"',
  webLink: 'https://outlook.example/1',
  start: '2026-11-23T10:00:00+01:00',
  end: '2026-11-23T11:00:00+01:00',
  status: 'confirmed',
};
const DUPLICATE = reply(409, { error: { code: 'ErrorDuplicateTransactionId' } });
const GONE = reply(404, { error: { code: 'ErrorItemNotFound' } });
const STALE = reply(412, { error: { code: 'ErrorIrresolvableConflict' } });
const LOST = fail({ kind: 'unavailable', ambiguous: true });

/** Answers in this order; a call too many fails the test. */
function script(answers: Outcome<Reply>[], account: Account = WORKER) {
  const { send, asked } = scriptedSend((request, index) => {
    const answer = answers[index];
    if (answer === undefined)
      throw new Error(`nothing more was to be asked: ${request.method} ${request.url}`);
    return answer;
  });
  const paths = () =>
    asked.map(
      ({ method, url }) => `${method} ${decodeURIComponent(url).replace('https://graph.example/v1.0', '')}`,
    );
  return { access: scriptedAccess(send, account).access, asked, paths };
}

async function create(
  draft: Partial<EventDraft>,
  answers: Outcome<Reply>[] = [reply(201, EVENT)],
  { isRepeat = false, account = WORKER } = {},
) {
  const { access, asked, paths } = script(answers, account);
  const outcome = await createEvent(CONFIG, { ...DRAFT, ...draft }, { key: KEY, isRepeat }, access);
  return { outcome, paths, body: bodyOf(asked.find(({ method }) => method === 'POST')) };
}

async function update(change: Partial<EventChange>, answers: Outcome<Reply>[]) {
  const { access, asked, paths } = script(answers);
  const outcome = await updateEvent(CONFIG, { eventId: 'AAMk=', notify: 'all', ...change }, access);
  const patches = asked.filter(({ method }) => method === 'PATCH');
  const matches = patches.map(({ headers }) => headers?.['If-Match']);
  return { outcome, paths, matches, body: bodyOf(patches.at(-1)) };
}

function bodyOf(request: OutgoingRequest | undefined): Record<string, unknown> {
  const body: Record<string, unknown> = JSON.parse(request?.body ?? '{}');
  return body;
}

const unsupported = (field: string) => ({ ok: false, failure: { kind: 'unsupported', field } });

describe('creating an event', () => {
  it('posts it in UTC with its key, and tells it in the zone of the draft', async () => {
    const { outcome, body, paths } = await create({
      description: 'What next?\n<b>',
      location: 'Room 1',
      attendees: ['bob@example.com'],
    });
    expect(outcome).toEqual(ok(RECORD));
    expect(paths()).toEqual(['POST /me/calendar/events']);
    expect(body).toEqual({
      subject: 'Planning',
      isAllDay: false,
      start: at('2026-11-23T09:00:00.000'),
      end: at('2026-11-23T10:00:00.000'),
      showAs: 'busy',
      body: { contentType: 'text', content: 'What next?\n<b>' },
      location: { displayName: 'Room 1' },
      attendees: [{ emailAddress: { address: 'bob@example.com' }, type: 'required' }],
      transactionId: 'a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1',
      singleValueExtendedProperties: [{ id: PROPERTY, value: KEY }],
    });
  });

  it('goes to the calendar that is named', async () => {
    const { outcome, paths } = await create({ calendarId: 'a/b=' });
    expect(outcome).toMatchObject({ value: { calendarId: 'a/b=' } });
    expect(paths()).toEqual(['POST /me/calendars/a/b=/events']);
  });

  it('makes an all-day event of the midnights of its own zone', async () => {
    const midnights = { start: at('2026-11-23T00:00:00.0000000'), end: at('2026-11-25T00:00:00.0000000') };
    const { outcome, body } = await create({ time: ALL_DAY }, [
      reply(201, { ...EVENT, ...midnights, isAllDay: true }),
    ]);
    expect(body).toMatchObject({
      isAllDay: true,
      start: { dateTime: '2026-11-23T00:00:00', timeZone: 'W. Europe Standard Time' },
      end: { dateTime: '2026-11-25T00:00:00', timeZone: 'W. Europe Standard Time' },
    });
    expect(outcome).toMatchObject({ value: { start: '2026-11-23', end: '2026-11-25' } });
  });

  it('lets a series recur in its own zone', async () => {
    const { body } = await create({ recurrence: ['RRULE:FREQ=WEEKLY;COUNT=3'] });
    const zone = 'W. Europe Standard Time';
    expect(body).toMatchObject({
      start: { dateTime: '2026-11-23T10:00:00', timeZone: zone },
      end: { dateTime: '2026-11-23T11:00:00', timeZone: zone },
      recurrence: {
        pattern: { type: 'weekly', daysOfWeek: ['monday'] },
        range: { type: 'numbered', startDate: '2026-11-23', recurrenceTimeZone: zone },
      },
    });
  });

  it('asks for Teams, and tells the link', async () => {
    const online = { ...EVENT, onlineMeeting: { joinUrl: 'https://teams.example/1' } };
    const { outcome, body } = await create({ conference: true }, [reply(201, online)]);
    expect(body).toMatchObject({ isOnlineMeeting: true, onlineMeetingProvider: 'teamsForBusiness' });
    expect(outcome).toMatchObject({ value: { conferenceLink: 'https://teams.example/1' } });
  });

  it('refuses, before any call, what Graph cannot say', async () => {
    const refused = async (draft: Partial<EventDraft>, account: Account = WORKER) =>
      (await create(draft, [], { account })).outcome;
    expect(await refused({ notify: 'none', attendees: ['bob@example.com'] })).toMatchObject(
      unsupported('notify'),
    );
    expect(await refused({ conference: true }, PERSON)).toMatchObject(unsupported('conference'));
    expect(await refused({ recurrence: ['RRULE:FREQ=HOURLY'] })).toMatchObject(unsupported('recurrence'));
    const troll = { ...ALL_DAY, timeZone: 'Antarctica/Troll' };
    expect(await refused({ time: troll })).toMatchObject(unsupported('timeZone'));
    const secondHour = Date.UTC(2026, 9, 25, 1, 30);
    const time = {
      kind: 'timed',
      startMs: secondHour,
      endMs: secondHour + 3_600_000,
      timeZone: 'Europe/Berlin',
    } as const;
    expect(await refused({ time, recurrence: ['RRULE:FREQ=DAILY'] })).toMatchObject(unsupported('start'));
  });

  it('may be silent when nobody is invited', async () => {
    expect((await create({ notify: 'none' })).outcome).toEqual(ok(RECORD));
  });

  it('leaves in doubt what became of a creation whose reply is lost', async () => {
    for (const answer of [LOST, reply(503), reply(504), reply(408)])
      expect((await create({}, [answer])).outcome).toEqual(LOST);
    expect((await create({}, [reply(429)])).outcome).toMatchObject({ failure: { kind: 'throttled' } });
    expect((await create({}, [reply(401)])).outcome).toEqual(fail({ kind: 'token-rejected' }));
    expect((await create({}, [GONE])).outcome).toEqual(fail({ kind: 'not-found', what: 'calendar' }));
  });
});

describe('creating an event again', () => {
  const search = `GET /me/calendars/team/events?$filter=singleValueExtendedProperties/Any(ep: ep/id eq '${PROPERTY}' and ep/value eq '${KEY}')&$top=1`;
  const again = (answers: Outcome<Reply>[]) => create({ calendarId: 'team' }, answers, { isRepeat: true });

  it('returns the event that is there, as it is now, and posts nothing', async () => {
    const { outcome, paths } = await again([reply(200, { value: [{ ...EVENT, isCancelled: true }] })]);
    expect(outcome).toEqual(ok({ ...RECORD, calendarId: 'team', status: 'cancelled' }));
    expect(paths()).toEqual([search]);
  });

  it('creates it where there is none', async () => {
    const { outcome, paths } = await again([reply(200, { value: [] }), reply(201, EVENT)]);
    expect(outcome).toMatchObject({ ok: true });
    expect(paths()).toEqual([search, 'POST /me/calendars/team/events']);
  });

  it('creates nothing while it is not known whether there is one', async () => {
    for (const answer of [reply(503), reply(200, { value: [{}] }), reply(401), reply(200, {})]) {
      const { outcome, paths } = await again([answer]);
      expect(outcome.ok).toBe(false);
      expect(paths()).toEqual([search]);
    }
  });

  it('finds the event that Graph says it has made before', async () => {
    const { outcome, paths } = await create({ calendarId: 'team' }, [
      DUPLICATE,
      reply(200, { value: [EVENT] }),
    ]);
    expect(outcome).toMatchObject({ value: { eventId: 'AAMk=' } });
    expect(paths()).toEqual(['POST /me/calendars/team/events', search]);
  });

  it('stays in doubt when that event is nowhere', async () => {
    const none = reply(200, { value: [] });
    expect((await again([none, DUPLICATE, none])).outcome).toEqual(LOST);
    expect((await create({}, [DUPLICATE, reply(503)])).outcome).toEqual(LOST);
  });

  it('passes another clash on as it is', async () => {
    const clash = reply(409, { error: { code: 'ErrorOther' } });
    expect((await create({}, [clash, reply(200, { value: [] })])).outcome).toEqual(
      fail({ kind: 'rejected', status: 409, code: 'ErrorOther' }),
    );
  });

  it('looks for an event that was made, but told illegibly', async () => {
    for (const illegible of [reply(201, 'ok'), reply(201, { id: 'AAMk=' }), reply(201)]) {
      expect((await create({}, [illegible, reply(200, { value: [EVENT] })])).outcome).toEqual(ok(RECORD));
      expect((await create({}, [illegible, reply(200, { value: [] })])).outcome).toEqual(LOST);
    }
  });
});

describe('what is told of an event', () => {
  const told = async (event: object) => {
    const { outcome } = await update({ summary: 'x' }, [reply(200, EVENT), reply(200, event)]);
    return outcome.ok ? outcome.value : outcome.failure;
  };

  it('is whether it stands', async () => {
    expect(await told({ ...EVENT, showAs: 'tentative' })).toMatchObject({ status: 'tentative' });
    expect(await told({ ...EVENT, showAs: 'tentative', isCancelled: true })).toMatchObject({
      status: 'cancelled',
    });
  });

  it('leaves out what Graph does not say', async () => {
    const { id, '@odata.etag': etag, start, end } = EVENT;
    expect(await told({ id, '@odata.etag': etag, start, end, webLink: '', showAs: 7 })).toEqual({
      eventId: 'AAMk=',
      calendarId: 'primary',
      iCalUid: '',
      etag: 'W/"v1"',
      start: '2026-11-23T09:00:00+00:00',
      end: '2026-11-23T10:00:00+00:00',
      status: 'confirmed',
    });
  });

  it('is in the zone of its making where the caller names none', async () => {
    expect(await told({ ...EVENT, originalStartTimeZone: 'Tokyo Standard Time' })).toMatchObject({
      start: '2026-11-23T18:00:00+09:00',
    });
  });

  it('is nothing when its times cannot be read', async () => {
    expect(await told({ ...EVENT, end: at('soon') })).toEqual({ kind: 'malformed', at: 'event.start' });
  });
});

describe('changing an event', () => {
  const read = reply(200, EVENT);
  const changed = reply(200, { ...EVENT, '@odata.etag': 'W/"v2"' });

  it('sends only what changes, for the version at hand', async () => {
    const { outcome, paths, matches, body } = await update({ summary: 'Review', location: '' }, [
      read,
      changed,
    ]);
    expect(outcome).toMatchObject({ value: { etag: 'W/"v2"', eventId: 'AAMk=' } });
    expect(paths()).toEqual(['GET /me/events/AAMk=', 'PATCH /me/events/AAMk=']);
    expect(matches).toEqual(['W/"v1"']);
    expect(body).toEqual({ subject: 'Review', location: { displayName: '' } });
  });

  it('is for the version of the caller, or is refused', async () => {
    const fine = await update({ summary: 'Review', etag: 'W/"v0"' }, [read, changed]);
    expect(fine.matches).toEqual(['W/"v0"']);
    const stale = await update({ summary: 'Review', etag: 'W/"v0"' }, [read, STALE]);
    expect(stale.outcome).toEqual(fail({ kind: 'changed', what: 'event' }));
  });

  it('is applied anew to a newer version, three times at most', async () => {
    const newer = reply(200, { ...EVENT, '@odata.etag': 'W/"v9"' });
    const { outcome, matches } = await update({ summary: 'Review' }, [read, STALE, newer, changed]);
    expect(outcome.ok).toBe(true);
    expect(matches).toEqual(['W/"v1"', 'W/"v9"']);
    const never = await update({ summary: 'Review' }, [read, STALE, read, STALE, read, STALE]);
    expect(never.outcome).toEqual(fail({ kind: 'changed', what: 'event' }));
    const conflict = reply(409, { error: { code: 'ErrorIrresolvableConflict' } });
    expect((await update({ summary: 'Review' }, [read, conflict, read, changed])).outcome.ok).toBe(true);
  });

  it('keeps the attendees who stay as they are', async () => {
    const bob = {
      type: 'optional',
      status: { response: 'accepted' },
      emailAddress: { name: 'Bob', address: 'Bob@Example.com' },
    };
    const eve = { type: 'required', emailAddress: { address: 'eve@example.com' } };
    const { body } = await update({ attendees: ['bob@example.com', 'new@example.com'] }, [
      reply(200, { ...EVENT, attendees: [bob, eve] }),
      changed,
    ]);
    expect(body).toEqual({
      attendees: [bob, { type: 'required', emailAddress: { address: 'new@example.com' } }],
    });
    expect((await update({ attendees: [] }, [read, changed])).body).toEqual({ attendees: [] });
  });

  it('moves it, to whole days too', async () => {
    const moved = await update({ time: DRAFT.time }, [read, changed]);
    expect(moved.body).toEqual({
      isAllDay: false,
      start: at('2026-11-23T09:00:00.000'),
      end: at('2026-11-23T10:00:00.000'),
    });
    expect(moved.outcome).toMatchObject({ value: { start: '2026-11-23T10:00:00+01:00' } });
    expect((await update({ time: ALL_DAY }, [read, changed])).body).toMatchObject({ isAllDay: true });
  });

  it('moves a series within its days, in its own zone only', async () => {
    const series = (startDate: string, originalStartTimeZone = 'W. Europe Standard Time') =>
      reply(200, {
        ...EVENT,
        type: 'seriesMaster',
        originalStartTimeZone,
        recurrence: { pattern: { type: 'weekly' }, range: { startDate } },
      });
    const { body } = await update({ time: DRAFT.time }, [series('2026-11-23'), changed]);
    expect(body).toMatchObject({
      start: { dateTime: '2026-11-23T10:00:00', timeZone: 'W. Europe Standard Time' },
    });
    expect((await update({ time: DRAFT.time }, [series('2026-11-16')])).outcome).toMatchObject(
      unsupported('start'),
    );
    expect((await update({ time: DRAFT.time }, [series('2026-11-23', 'UTC')])).outcome).toMatchObject(
      unsupported('timeZone'),
    );
  });

  it('refuses to be silent towards attendees, of old or of now', async () => {
    const withBob = { ...EVENT, attendees: [{ emailAddress: { address: 'bob@example.com' } }] };
    const silent = { notify: 'none', summary: 'x' } as const;
    expect((await update(silent, [reply(200, withBob)])).outcome).toMatchObject(unsupported('notify'));
    expect((await update({ notify: 'none', attendees: ['a@b.example'] }, [read])).outcome).toMatchObject(
      unsupported('notify'),
    );
    expect((await update(silent, [read, changed])).outcome.ok).toBe(true);
    // Nobody hears of a change to an invited person's own copy.
    expect((await update(silent, [reply(200, { ...withBob, isOrganizer: false }), changed])).outcome.ok).toBe(
      true,
    );
  });

  it('leaves the description of an online meeting alone', async () => {
    const online = reply(200, { ...EVENT, isOnlineMeeting: true });
    expect((await update({ description: 'x' }, [online])).outcome).toMatchObject(unsupported('description'));
    expect((await update({ description: 'x' }, [read, changed])).body).toEqual({
      body: { contentType: 'text', content: 'x' },
    });
  });

  it('reads the event anew where Graph does not show it', async () => {
    const { outcome } = await update({ summary: 'x' }, [read, reply(204), changed]);
    expect(outcome).toMatchObject({ value: { etag: 'W/"v2"' } });
  });

  it('finds nothing that is gone, at whatever step', async () => {
    const notFound = fail({ kind: 'not-found', what: 'event' });
    for (const gone of [GONE, reply(410)]) {
      expect((await update({ summary: 'x' }, [gone])).outcome).toEqual(notFound);
      expect((await update({ summary: 'x' }, [read, gone])).outcome).toEqual(notFound);
    }
  });

  it('follows an event that has moved to another calendar', async () => {
    const { outcome, paths } = await update({ summary: 'x', calendarId: 'team' }, [GONE, read, changed]);
    expect(outcome).toMatchObject({ value: { calendarId: 'team' } });
    expect(paths()).toEqual([
      'GET /me/calendars/team/events/AAMk=',
      'GET /me/events/AAMk=',
      'PATCH /me/events/AAMk=',
    ]);
  });

  it('leaves in doubt what became of a change whose reply is lost', async () => {
    expect((await update({ summary: 'x' }, [read, LOST])).outcome).toEqual(LOST);
    expect((await update({ summary: 'x' }, [LOST])).outcome).toEqual(
      fail({ kind: 'unavailable', ambiguous: false }),
    );
  });
});

describe('cancelling an event', () => {
  async function cancel(answers: Outcome<Reply>[], calendarId?: string) {
    const { access, paths } = script(answers);
    const named = {
      eventId: 'AAMk=',
      notify: 'none',
      ...(calendarId !== undefined && { calendarId }),
    } as const;
    return { outcome: await cancelEvent(CONFIG, named, access), paths };
  }

  it('deletes it', async () => {
    const { outcome, paths } = await cancel([reply(204)]);
    expect(outcome).toEqual(ok(undefined));
    expect(paths()).toEqual(['DELETE /me/events/AAMk=']);
  });

  it('succeeds when it is gone already', async () => {
    for (const gone of [GONE, reply(410), reply(410, { error: { code: 'resyncRequired' } })])
      expect((await cancel([gone])).outcome).toEqual(ok(undefined));
  });

  it('looks for it everywhere before it believes so', async () => {
    const { outcome, paths } = await cancel([GONE, reply(204)], 'team');
    expect(outcome).toEqual(ok(undefined));
    expect(paths()).toEqual(['DELETE /me/calendars/team/events/AAMk=', 'DELETE /me/events/AAMk=']);
    expect((await cancel([reply(204)], 'team')).paths()).toHaveLength(1);
  });

  it('passes on any other failure', async () => {
    expect((await cancel([LOST])).outcome).toEqual(LOST);
    expect((await cancel([reply(403)])).outcome).toEqual(fail({ kind: 'consent-missing', scopes: [] }));
    expect((await cancel([reply(423)], 'team')).outcome).toMatchObject({ ok: false });
  });
});
