import { describe, expect, it } from 'vitest';
import type { OriginalStart } from '../../../src/domain/event.ts';
import { fail, ok } from '../../../src/domain/failure.ts';
import { cancelEvent, updateEvent } from '../../../src/providers/google/events.ts';
import { aimAtOccurrence } from '../../../src/providers/google/occurrences.ts';
import type { Reply } from '../../../src/providers/http.ts';
import { API_URL, apiError, reply, scriptAccess } from './scripted.ts';

const SERIES = 'series1';
const EVENTS = `${API_URL}/calendar/v3/calendars/primary/events`;
const INSTANCES = `${EVENTS}/${SERIES}/instances?originalStart=2031-07-08T09%3A00%3A00Z&showDeleted=true`;
const OCCURRENCE: OriginalStart = { kind: 'timed', startMs: Date.UTC(2031, 6, 8, 9) };
const TARGET = { eventId: SERIES, occurrence: OCCURRENCE };
const ID = 'series1_20310708T090000Z';
const INSTANCE = {
  id: ID,
  status: 'confirmed',
  originalStartTime: { dateTime: '2031-07-08T11:00:00+02:00', timeZone: 'Europe/Berlin' },
};
const NO_OCCURRENCE = fail({ kind: 'not-found', what: 'occurrence' });

/** Answers in this order; a call too many fails the test. */
function script(...answers: Reply[]) {
  return scriptAccess((request, count) => {
    const answer = answers[count - 1];
    if (answer === undefined) throw new Error(`nothing more was to be asked: ${request.url}`);
    return answer;
  });
}

async function aim(target: Parameters<typeof aimAtOccurrence>[1], ...answers: Reply[]) {
  const { access, sent } = script(...answers);
  return { outcome: await aimAtOccurrence(API_URL, target, access), sent };
}
const list = (...items: object[]) => reply(200, { items });
const series = reply(200, { id: SERIES, status: 'confirmed' });

describe('aiming at an occurrence', () => {
  it('asks nothing when none is named', async () => {
    const { outcome, sent } = await aim({ eventId: SERIES });
    expect(outcome).toEqual(ok({ eventId: SERIES }));
    expect(sent).toEqual([]);
  });

  it('asks by the original start, and tells its own id', async () => {
    const { outcome, sent } = await aim(TARGET, list(INSTANCE));
    expect(outcome).toEqual(ok({ ...TARGET, eventId: ID }));
    expect(sent).toMatchObject([{ method: 'GET', url: INSTANCES }]);
  });

  it('asks on the calendar named, and by date for whole days', async () => {
    const occurrence: OriginalStart = { kind: 'all-day', date: '2031-07-08' };
    const { outcome, sent } = await aim(
      { eventId: SERIES, calendarId: 'team@group.test', occurrence },
      list({ id: 'series1_20310708', originalStartTime: { date: '2031-07-08' } }),
    );
    expect(outcome).toMatchObject(ok({ eventId: 'series1_20310708', calendarId: 'team@group.test' }));
    expect(sent[0]?.url).toBe(
      `${API_URL}/calendar/v3/calendars/team%40group.test/events/${SERIES}/instances?originalStart=2031-07-08&showDeleted=true`,
    );
  });

  it('goes on to the next page, and not round and round', async () => {
    const { outcome, sent } = await aim(TARGET, reply(200, { nextPageToken: 'p2' }), list(INSTANCE));
    expect(outcome).toMatchObject(ok({ eventId: ID }));
    expect(sent[1]?.url).toBe(`${INSTANCES}&pageToken=p2`);
    const endless = scriptAccess(() => reply(200, { nextPageToken: 'again' }));
    expect(await aimAtOccurrence(API_URL, TARGET, endless.access)).toMatchObject({
      failure: { kind: 'malformed' },
    });
  });

  it.each([
    ['of another start', { ...INSTANCE, originalStartTime: { dateTime: '2031-07-15T11:00:00+02:00' } }],
    ['of a date', { ...INSTANCE, originalStartTime: { date: '2031-07-08' } }],
    ['of no start', { id: SERIES, status: 'confirmed' }],
  ])('never takes an instance %s', async (_, instance) => {
    expect((await aim(TARGET, list(instance), series)).outcome).toEqual(NO_OCCURRENCE);
  });

  it('tells that the occurrence was cancelled', async () => {
    expect((await aim(TARGET, list({ ...INSTANCE, status: 'cancelled' }))).outcome).toEqual(ok(undefined));
  });

  it.each([
    ['is there', series, NO_OCCURRENCE],
    ['was cancelled', reply(200, { id: SERIES, status: 'cancelled' }), ok(undefined)],
    ['is not there', apiError(404, 'notFound'), ok(undefined)],
    ['was deleted', apiError(410, 'deleted'), ok(undefined)],
    ['cannot be read', apiError(503, 'backendError'), fail({ kind: 'unavailable', ambiguous: false })],
  ])('asks, when there is no such occurrence, for the event, which %s', async (_, answer, expected) => {
    for (const none of [list(), apiError(404, 'notFound'), apiError(400, 'badRequest')]) {
      // oxlint-disable-next-line no-await-in-loop
      const { outcome, sent } = await aim(TARGET, none, answer);
      expect(outcome).toEqual(expected);
      expect(sent[1]).toMatchObject({ method: 'GET', url: `${EVENTS}/${SERIES}` });
    }
  });

  it('passes on what keeps it from being known', async () => {
    const { outcome } = await aim(TARGET, apiError(503, 'backendError'));
    expect(outcome).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
  });
});

const EVENT = {
  ...INSTANCE,
  etag: '"1"',
  iCalUID: 'uid',
  start: { dateTime: '2031-07-08T11:00:00+02:00' },
  end: { dateTime: '2031-07-08T12:00:00+02:00' },
};
const CHANGE = { ...TARGET, summary: 'New', notify: 'all' } as const;
const CANCELLATION = { ...TARGET, notify: 'none' } as const;

describe('a write to one occurrence', () => {
  it('changes that event and no other', async () => {
    const { access, sent } = script(list(INSTANCE), reply(200, EVENT), reply(200, { ...EVENT, etag: '"2"' }));
    expect(await updateEvent(API_URL, CHANGE, access)).toMatchObject(ok({ eventId: ID, etag: '"2"' }));
    expect(sent.slice(1)).toMatchObject([
      { method: 'GET', url: `${EVENTS}/${ID}` },
      { method: 'PATCH', url: `${EVENTS}/${ID}?sendUpdates=all`, headers: { 'If-Match': '"1"' } },
    ]);
    expect(JSON.parse(sent[2]?.body ?? '')).toEqual({ summary: 'New' });
  });

  it('cancels that event and no other', async () => {
    const { access, sent } = script(list(INSTANCE), reply(204, ''));
    expect(await cancelEvent(API_URL, CANCELLATION, access)).toEqual(ok(undefined));
    expect(sent[1]).toMatchObject({ method: 'DELETE', url: `${EVENTS}/${ID}?sendUpdates=none` });
  });

  it('writes nothing where the occurrence was cancelled: that is success only for cancelling', async () => {
    const gone = list({ ...INSTANCE, status: 'cancelled' });
    expect(await updateEvent(API_URL, CHANGE, script(gone).access)).toEqual(NO_OCCURRENCE);
    expect(await cancelEvent(API_URL, CANCELLATION, script(gone).access)).toEqual(ok(undefined));
  });

  it('writes nothing where there is none, least of all to the series', async () => {
    expect(await updateEvent(API_URL, CHANGE, script(list(), series).access)).toEqual(NO_OCCURRENCE);
    expect(await cancelEvent(API_URL, CANCELLATION, script(list(), series).access)).toEqual(NO_OCCURRENCE);
  });
});
