import { describe, expect, it } from 'vitest';
import type { EventChange, EventDraft } from '../../../src/domain/event.ts';
import { ok } from '../../../src/domain/failure.ts';
import { createEvent, removeCreated, updateEvent } from '../../../src/providers/google/events.ts';
import type { Reply } from '../../../src/providers/http.ts';
import { present } from '../../present.ts';
import { API_URL, apiError, reply, scriptAccess } from './scripted.ts';

const KEY = '0123456789abcdef'.repeat(4);
const START_MS = Date.UTC(2031, 6, 1, 9);
const EVENTS = `${API_URL}/calendar/v3/calendars/primary/events`;

const HOLD: EventDraft = {
  summary: 'Hold',
  time: { kind: 'timed', startMs: START_MS, endMs: START_MS + 3_600_000, timeZone: 'UTC' },
  attendees: [],
  recurrence: [],
  notify: 'none',
  conference: false,
  holdId: 'order/17',
};
const HELD = {
  id: KEY,
  status: 'tentative',
  summary: 'Hold',
  etag: '"1"',
  iCalUID: `${KEY}@google.com`,
  start: { dateTime: '2031-07-01T09:00:00Z', timeZone: 'UTC' },
  end: { dateTime: '2031-07-01T10:00:00Z', timeZone: 'UTC' },
};
const CONFIRM: EventChange = {
  eventId: KEY,
  summary: 'Planning',
  attendees: ['Guest@example.com'],
  notify: 'all',
  confirms: true,
};
const CONFIRMED = {
  ...HELD,
  status: 'confirmed',
  summary: 'Planning',
  etag: '"2"',
  attendees: [{ email: 'guest@example.com' }],
};

const script = (...answers: Reply[]) => scriptAccess((_request, count) => present(answers[count - 1]));
const bodyOf = (request: { body?: string } | undefined): unknown => JSON.parse(present(request?.body));

describe('a hold at Google', () => {
  it('is tentative, private, silent, and carries its id where it can be searched for', async () => {
    const { access, sent } = script(reply(200, HELD));
    const made = await createEvent(API_URL, HOLD, { key: KEY, isRepeat: false }, access);
    expect(made).toMatchObject(ok({ eventId: KEY, status: 'tentative' }));
    expect(sent[0]?.url).toBe(`${EVENTS}?sendUpdates=none&conferenceDataVersion=0`);
    expect(bodyOf(sent[0])).toMatchObject({
      id: KEY,
      summary: 'Hold',
      status: 'tentative',
      visibility: 'private',
      reminders: { useDefault: false },
      extendedProperties: { private: { huddleKey: KEY, huddleHold: 'order/17' } },
    });
  });

  it('is confirmed as the version that was read, no longer private', async () => {
    const { access, sent } = script(reply(200, HELD), reply(200, CONFIRMED));
    expect(await updateEvent(API_URL, CONFIRM, access)).toMatchObject(
      ok({ status: 'confirmed', etag: '"2"' }),
    );
    expect(sent[1]).toMatchObject({ method: 'PATCH', url: `${EVENTS}/${KEY}?sendUpdates=all` });
    expect(sent[1]?.headers).toMatchObject({ 'If-Match': '"1"' });
    expect(bodyOf(sent[1])).toEqual({
      status: 'confirmed',
      visibility: 'default',
      reminders: { useDefault: true },
      summary: 'Planning',
      attendees: [{ email: 'Guest@example.com' }],
    });
  });

  it('that an earlier attempt has confirmed is not written again, so that nobody is told twice', async () => {
    const { access, sent } = script(reply(200, CONFIRMED));
    expect(await updateEvent(API_URL, CONFIRM, access)).toMatchObject(ok({ etag: '"2"' }));
    expect(sent).toHaveLength(1);
  });

  it.each([
    ['another summary', { summary: 'Other' }],
    ['a guest who is missing', { attendees: [] }],
    ['a status that is still tentative', { status: 'tentative' }],
  ])('that shows %s is written', async (_, difference) => {
    const { access, sent } = script(reply(200, { ...CONFIRMED, ...difference }), reply(200, CONFIRMED));
    await updateEvent(API_URL, CONFIRM, access);
    expect(sent.map(({ method }) => method)).toEqual(['GET', 'PATCH']);
  });

  it('is removed by its key, and is gone when it was never made', async () => {
    for (const answer of [reply(204, ''), apiError(404, 'notFound'), apiError(410, 'deleted')]) {
      const { access, sent } = script(answer);
      expect(await removeCreated(API_URL, { key: KEY, notify: 'none' }, access)).toEqual(ok(undefined));
      expect(sent).toMatchObject([{ method: 'DELETE', url: `${EVENTS}/${KEY}?sendUpdates=none` }]);
    }
  });
});
