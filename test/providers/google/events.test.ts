import { describe, expect, it } from 'vitest';
import type { EventChange, EventDraft } from '../../../src/domain/event.ts';
import { type Failure, fail, ok, type Outcome } from '../../../src/domain/failure.ts';
import { cancelEvent, createEvent, updateEvent } from '../../../src/providers/google/events.ts';
import type { OutgoingRequest, Reply } from '../../../src/providers/http.ts';
import { present } from '../../present.ts';
import { API_URL, apiError, NOW, reply, scriptAccess } from './scripted.ts';

const KEY = '0123456789abcdef'.repeat(4);
const FIRST = { key: KEY, isRepeat: false };
const REPEAT = { key: KEY, isRepeat: true };
const START_MS = Date.UTC(2031, 6, 1, 9);

const DRAFT: EventDraft = {
  summary: 'Planning',
  time: { kind: 'timed', startMs: START_MS, endMs: START_MS + 3_600_000, timeZone: 'Europe/Berlin' },
  attendees: [],
  recurrence: [],
  notify: 'all',
  conference: false,
};
const EVENT = {
  kind: 'calendar#event',
  id: KEY,
  status: 'confirmed',
  etag: '"1"',
  iCalUID: `${KEY}@google.com`,
  htmlLink: 'https://calendar.test/e1',
  start: { dateTime: '2031-07-01T09:00:00Z', timeZone: 'Europe/Berlin' },
  end: { dateTime: '2031-07-01T10:00:00Z', timeZone: 'Europe/Berlin' },
};
const RECORD = {
  eventId: KEY,
  calendarId: 'primary',
  iCalUid: `${KEY}@google.com`,
  etag: '"1"',
  webLink: 'https://calendar.test/e1',
  start: '2031-07-01T11:00:00+02:00',
  end: '2031-07-01T12:00:00+02:00',
  status: 'confirmed',
};
const EVENTS = `${API_URL}/calendar/v3/calendars/primary/events`;
const UNSURE = fail({ kind: 'unavailable', ambiguous: true } satisfies Failure);
const NOT_FOUND = fail({ kind: 'not-found', what: 'event' } satisfies Failure);
const CHANGED = fail({ kind: 'changed', what: 'event' } satisfies Failure);
const NETWORK = fail({ kind: 'unavailable', ambiguous: true } satisfies Failure);

type Answer = Reply | Outcome<Reply>;
/** Access that gives these answers, one for each call, and no more. */
const script = (...answers: Answer[]) => scriptAccess((_request, count) => present(answers[count - 1]));
const methods = (sent: readonly OutgoingRequest[]) => sent.map(({ method }) => method);
const bodyOf = (request: OutgoingRequest | undefined): unknown => JSON.parse(present(request?.body));

describe('creating an event', () => {
  const create = async (draft: EventDraft, creation = FIRST, ...answers: Answer[]) => {
    const { access, sent, heldBack } = script(...answers);
    return { outcome: await createEvent(API_URL, draft, creation, access), sent, heldBack };
  };

  it('posts it once under the key, marked as ours, and tells of it', async () => {
    const { outcome, sent } = await create(DRAFT, FIRST, reply(200, EVENT));
    expect(outcome).toEqual(ok(RECORD));
    expect(sent).toMatchObject([
      { method: 'POST', url: `${EVENTS}?sendUpdates=all&conferenceDataVersion=0` },
    ]);
    expect(bodyOf(sent[0])).toEqual({
      id: KEY,
      summary: 'Planning',
      start: { dateTime: '2031-07-01T09:00:00.000Z', timeZone: 'Europe/Berlin' },
      end: { dateTime: '2031-07-01T10:00:00.000Z', timeZone: 'Europe/Berlin' },
      extendedProperties: { private: { huddleKey: KEY } },
    });
  });

  it('carries everything the draft says, on the calendar it names, in silence when asked to', async () => {
    const draft: EventDraft = {
      ...DRAFT,
      description: 'About\nthings',
      location: 'Here',
      time: { kind: 'all-day', startDate: '2031-07-01', endDate: '2031-07-02', timeZone: 'Europe/Berlin' },
      attendees: ['Bob@example.com', 'bob@example.com', 'carl@example.com'],
      recurrence: ['RRULE:FREQ=DAILY;COUNT=3', 'EXDATE;VALUE=DATE:20310702'],
      calendarId: 'team@group.test',
      notify: 'none',
      conference: true,
    };
    const { outcome, sent } = await create(
      draft,
      FIRST,
      reply(200, { ...EVENT, hangoutLink: 'https://meet.test/x' }),
    );
    expect(outcome).toEqual(
      ok({ ...RECORD, calendarId: 'team@group.test', conferenceLink: 'https://meet.test/x' }),
    );
    expect(sent[0]?.url).toBe(
      `${API_URL}/calendar/v3/calendars/team%40group.test/events?sendUpdates=none&conferenceDataVersion=1`,
    );
    expect(bodyOf(sent[0])).toEqual({
      id: KEY,
      summary: 'Planning',
      description: 'About\nthings',
      location: 'Here',
      start: { date: '2031-07-01', timeZone: 'Europe/Berlin' },
      end: { date: '2031-07-02', timeZone: 'Europe/Berlin' },
      attendees: [{ email: 'Bob@example.com' }, { email: 'carl@example.com' }],
      recurrence: draft.recurrence,
      conferenceData: {
        createRequest: { requestId: KEY, conferenceSolutionKey: { type: 'hangoutsMeet' } },
      },
      extendedProperties: { private: { huddleKey: KEY } },
    });
  });

  it('asks first when it is a repeat, and makes no second event of one that is there', async () => {
    const moved = { ...EVENT, etag: '"2"', end: { ...EVENT.end, dateTime: '2031-07-01T11:00:00Z' } };
    const { outcome, sent } = await create(DRAFT, REPEAT, reply(200, moved));
    expect(outcome).toEqual(ok({ ...RECORD, etag: '"2"', end: '2031-07-01T13:00:00+02:00' }));
    expect(sent).toMatchObject([{ method: 'GET', url: `${EVENTS}/${KEY}` }]);
  });

  it('tells a repeat that its event was removed since, and does not bring it back', async () => {
    const { outcome, sent } = await create(DRAFT, REPEAT, reply(200, { id: KEY, status: 'cancelled' }));
    expect(outcome).toMatchObject(ok({ eventId: KEY, status: 'cancelled', start: RECORD.start }));
    expect(methods(sent)).toEqual(['GET']);
  });

  it('creates what a repeat does not find', async () => {
    const { outcome, sent } = await create(DRAFT, REPEAT, apiError(404, 'notFound'), reply(200, EVENT));
    expect(outcome).toEqual(ok(RECORD));
    expect(methods(sent)).toEqual(['GET', 'POST']);
  });

  it('creates nothing when a repeat cannot learn whether the event is there', async () => {
    const answers: [Answer, Failure][] = [
      [
        reply(503, '', { 'Retry-After': '3' }),
        { kind: 'unavailable', ambiguous: true, retryAtMs: NOW + 3000 },
      ],
      [NETWORK, UNSURE.failure],
      [reply(200, '<html>'), UNSURE.failure],
      [reply(200, { ...EVENT, start: {} }), UNSURE.failure],
      [apiError(401, 'authError'), { kind: 'token-rejected' }],
      [apiError(403, 'rateLimitExceeded'), { kind: 'throttled', scope: 'user' }],
      [apiError(403, 'forbidden'), { kind: 'rejected', status: 403, code: 'forbidden' }],
    ];
    for (const [answer, failure] of answers) {
      const { outcome, sent } = await create(DRAFT, REPEAT, answer);
      expect(outcome).toEqual(fail(failure));
      expect(methods(sent)).toEqual(['GET']);
    }
  });

  it('reads the event that already has its id', async () => {
    for (const status of ['confirmed', 'cancelled']) {
      const { outcome, sent } = await create(
        DRAFT,
        FIRST,
        apiError(409, 'duplicate'),
        reply(200, { ...EVENT, status }),
      );
      expect(outcome).toEqual(ok({ ...RECORD, status }));
      expect(methods(sent)).toEqual(['POST', 'GET']);
      expect(sent[1]?.url).toBe(`${EVENTS}/${KEY}`);
    }
  });

  it('stays unsure of an event whose id is taken but which cannot be read', async () => {
    for (const answer of [
      apiError(404, 'notFound'),
      apiError(410, 'deleted'),
      reply(500, ''),
      reply(200, '<html>'),
    ]) {
      const { outcome, sent } = await create(DRAFT, FIRST, apiError(409, 'duplicate'), answer);
      expect(outcome).toEqual(UNSURE);
      expect(sent).toHaveLength(2);
    }
  });

  it('is ambiguous when the outcome of the POST is unknown, even for a reply that cannot be read', async () => {
    const { etag: _, ...lacking } = EVENT;
    for (const answer of [
      NETWORK,
      reply(503, ''),
      reply(200, '<html>'),
      reply(200, lacking),
      fail({ kind: 'malformed', at: 'body of more than 5 bytes' } satisfies Failure),
    ]) {
      const { outcome, sent } = await create(DRAFT, FIRST, answer);
      expect(outcome).toEqual(UNSURE);
      expect(sent).toHaveLength(1);
    }
  });

  it('is not ambiguous when the POST was refused or never left', async () => {
    const refusals: [Answer, Failure][] = [
      [fail({ kind: 'unavailable', ambiguous: false }), { kind: 'unavailable', ambiguous: false }],
      [apiError(404, 'notFound'), { kind: 'not-found', what: 'calendar' }],
      [
        apiError(403, 'requiredAccessLevel'),
        { kind: 'unsupported', field: 'calendarId', detail: 'this account may only read that calendar' },
      ],
      [apiError(403, 'insufficientPermissions'), { kind: 'consent-missing', scopes: [] }],
      [apiError(400, 'invalid'), { kind: 'rejected', status: 400, code: 'invalid' }],
    ];
    for (const [answer, failure] of refusals) {
      const { outcome, sent } = await create(DRAFT, FIRST, answer);
      expect(outcome).toEqual(fail(failure));
      expect(sent).toHaveLength(1);
    }
  });

  it('reports a throttle and asks no more', async () => {
    const { outcome, sent, heldBack } = await create(
      DRAFT,
      FIRST,
      apiError(403, 'rateLimitExceeded', { 'Retry-After': '2' }),
    );
    expect(outcome).toMatchObject({ failure: { kind: 'throttled' } });
    expect(heldBack).toEqual([{ retryAtMs: NOW + 2000 }]);
    expect(sent).toHaveLength(1);
  });
});

describe('changing an event', () => {
  const CHANGE: EventChange = { eventId: KEY, summary: 'New', notify: 'all' };
  const update = async (change: EventChange, ...answers: Answer[]) => {
    const { access, sent } = script(...answers);
    return { outcome: await updateEvent(API_URL, change, access), sent };
  };
  const conditionNotMet = apiError(412, 'conditionNotMet');
  const version = (etag: string, more: object = {}) => reply(200, { ...EVENT, etag, ...more });

  it('reads the version at hand and patches only that, with only what is named', async () => {
    const { outcome, sent } = await update(CHANGE, version('"1"'), version('"2"'));
    expect(outcome).toEqual(ok({ ...RECORD, etag: '"2"' }));
    expect(sent).toMatchObject([
      { method: 'GET', url: `${EVENTS}/${KEY}` },
      { method: 'PATCH', url: `${EVENTS}/${KEY}?sendUpdates=all`, headers: { 'If-Match': '"1"' } },
    ]);
    expect(bodyOf(sent[1])).toEqual({ summary: 'New' });
  });

  it('sends every field that is named, also to empty it, on the calendar named, in silence when asked to', async () => {
    const change: EventChange = {
      ...CHANGE,
      calendarId: 'team@group.test',
      description: '',
      location: '',
      time: DRAFT.time,
      attendees: [],
      notify: 'none',
    };
    const { outcome, sent } = await update(change, version('"1"'), version('"2"'));
    expect(outcome).toMatchObject(ok({ calendarId: 'team@group.test' }));
    expect(sent[1]?.url).toBe(
      `${API_URL}/calendar/v3/calendars/team%40group.test/events/${KEY}?sendUpdates=none`,
    );
    expect(bodyOf(sent[1])).toEqual({
      summary: 'New',
      description: '',
      location: '',
      start: { date: null, dateTime: '2031-07-01T09:00:00.000Z', timeZone: 'Europe/Berlin' },
      end: { date: null, dateTime: '2031-07-01T10:00:00.000Z', timeZone: 'Europe/Berlin' },
      attendees: [],
    });
  });

  it('makes a timed event all-day, leaving no hour behind', async () => {
    const time = {
      kind: 'all-day',
      startDate: '2031-07-01',
      endDate: '2031-07-02',
      timeZone: 'Europe/Berlin',
    } as const;
    const { sent } = await update({ eventId: KEY, time, notify: 'all' }, version('"1"'), version('"2"'));
    expect(bodyOf(sent[1])).toEqual({
      start: { dateTime: null, date: '2031-07-01', timeZone: 'Europe/Berlin' },
      end: { dateTime: null, date: '2031-07-02', timeZone: 'Europe/Berlin' },
    });
  });

  it('keeps the answers of the attendees who stay', async () => {
    const ada = { email: 'Ada@example.com', responseStatus: 'accepted', comment: 'Yes' };
    const held = version('"1"', { attendees: [ada, { email: 'bob@example.com' }] });
    const change = { ...CHANGE, attendees: ['carl@example.com', 'ada@example.com'] };
    const { sent } = await update(change, held, version('"2"'));
    expect(bodyOf(sent[1])).toEqual({ summary: 'New', attendees: [{ email: 'carl@example.com' }, ada] });
  });

  it('does not replace attendees whom Google withholds, but changes the rest', async () => {
    const held = version('"1"', { attendeesOmitted: true });
    const { outcome, sent } = await update({ ...CHANGE, attendees: ['a@example.com'] }, held);
    expect(outcome).toMatchObject({ failure: { kind: 'unsupported', field: 'attendees' } });
    expect(methods(sent)).toEqual(['GET']);
    expect((await update(CHANGE, held, version('"2"'))).outcome).toMatchObject({ ok: true });
  });

  it('applies itself anew to what somebody else wrote meanwhile', async () => {
    const bob = { email: 'bob@example.com', responseStatus: 'accepted' };
    const { outcome, sent } = await update(
      { ...CHANGE, attendees: ['bob@example.com'] },
      version('"1"'),
      conditionNotMet,
      version('"2"', { attendees: [bob] }),
      version('"3"'),
    );
    expect(outcome).toEqual(ok({ ...RECORD, etag: '"3"' }));
    expect(methods(sent)).toEqual(['GET', 'PATCH', 'GET', 'PATCH']);
    expect(sent[3]?.headers).toMatchObject({ 'If-Match': '"2"' });
    expect(bodyOf(sent[3])).toEqual({ summary: 'New', attendees: [bob] });
  });

  it('gives up after three rounds', async () => {
    const round = [version('"1"'), conditionNotMet];
    const { outcome, sent } = await update(CHANGE, ...round, ...round, ...round);
    expect(outcome).toEqual(CHANGED);
    expect(sent).toHaveLength(6);
  });

  it('writes the version that the caller insists on', async () => {
    const { outcome, sent } = await update({ ...CHANGE, etag: '"1"' }, version('"1"'), version('"2"'));
    expect(outcome).toMatchObject({ ok: true });
    expect(sent[1]?.headers).toMatchObject({ 'If-Match': '"1"' });
  });

  it('writes no other version than the one the caller insists on, not even when any is said to do', async () => {
    for (const etag of ['"0"', '*', '"0", "1"']) {
      const { outcome, sent } = await update({ ...CHANGE, etag }, version('"1"'));
      expect(outcome).toEqual(CHANGED);
      expect(methods(sent)).toEqual(['GET']);
    }
  });

  it('does not apply itself anew when the caller insists on a version', async () => {
    const { outcome, sent } = await update(
      { ...CHANGE, etag: '"1"' },
      version('"1"'),
      conditionNotMet,
      version('"2"'),
    );
    expect(outcome).toEqual(CHANGED);
    expect(methods(sent)).toEqual(['GET', 'PATCH', 'GET']);
  });

  it('does not find an event that is cancelled or gone', async () => {
    const gone = [
      version('"1"', { status: 'cancelled' }),
      apiError(404, 'notFound'),
      apiError(410, 'deleted'),
      reply(410, ''),
    ];
    for (const answer of gone) {
      const { outcome, sent } = await update(CHANGE, answer);
      expect(outcome).toEqual(NOT_FOUND);
      expect(methods(sent)).toEqual(['GET']);
    }
    for (const answer of gone.slice(1))
      expect((await update(CHANGE, version('"1"'), answer)).outcome).toEqual(NOT_FOUND);
  });

  it('writes nothing over an event that tells no version', async () => {
    const { outcome, sent } = await update(CHANGE, reply(200, { ...EVENT, etag: undefined }));
    expect(outcome).toEqual(fail({ kind: 'malformed', at: 'event.etag' }));
    expect(methods(sent)).toEqual(['GET']);
  });

  it('is refused with the reason of the provider', async () => {
    for (const code of ['forbiddenForNonOrganizer', 'requiredAccessLevel', 'forbidden']) {
      const { outcome, sent } = await update(CHANGE, version('"1"'), apiError(403, code));
      expect(outcome).toEqual(fail({ kind: 'rejected', status: 403, code }));
      expect(sent).toHaveLength(2);
    }
  });

  it('is ambiguous when the outcome of the PATCH is unknown, and not when that of the GET is', async () => {
    expect((await update(CHANGE, version('"1"'), NETWORK)).outcome).toEqual(UNSURE);
    expect((await update(CHANGE, reply(503, ''))).outcome).toEqual(
      fail({ kind: 'unavailable', ambiguous: false }),
    );
  });
});

describe('cancelling an event', () => {
  const cancel = async (answer: Answer, more: { calendarId?: string; notify?: 'none' } = {}) => {
    const { access, sent } = script(answer);
    const cancellation = { eventId: 'series_20310701T090000Z', notify: 'all', ...more } as const;
    return { outcome: await cancelEvent(API_URL, cancellation, access), sent };
  };

  it('deletes it, or the occurrence that the id names, and tells the attendees or not', async () => {
    const { outcome, sent } = await cancel(reply(204, ''));
    expect(outcome).toEqual(ok(undefined));
    expect(sent).toEqual([
      {
        method: 'DELETE',
        url: `${EVENTS}/series_20310701T090000Z?sendUpdates=all`,
        headers: { Authorization: 'Bearer access-1' },
      },
    ]);
    const quiet = await cancel(reply(204, ''), { calendarId: 'team', notify: 'none' });
    expect(quiet.sent[0]?.url).toBe(
      `${API_URL}/calendar/v3/calendars/team/events/series_20310701T090000Z?sendUpdates=none`,
    );
  });

  it('succeeds when the event is gone already', async () => {
    for (const answer of [apiError(404, 'notFound'), apiError(410, 'deleted'), reply(410, '')])
      expect((await cancel(answer)).outcome).toEqual(ok(undefined));
  });

  it('fails when it is refused, or its outcome unknown', async () => {
    expect((await cancel(apiError(403, 'forbidden'))).outcome).toEqual(
      fail({ kind: 'rejected', status: 403, code: 'forbidden' }),
    );
    for (const answer of [reply(500, ''), NETWORK]) expect((await cancel(answer)).outcome).toEqual(UNSURE);
  });
});
