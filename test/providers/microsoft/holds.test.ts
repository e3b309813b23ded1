import { describe, expect, it } from 'vitest';
import type { EventChange, EventDraft } from '../../../src/domain/event.ts';
import { fail, ok, type Outcome } from '../../../src/domain/failure.ts';
import type { Reply } from '../../../src/providers/http.ts';
import { createEvent, removeCreated, updateEvent } from '../../../src/providers/microsoft/events.ts';
import { present } from '../../present.ts';
import { CONFIG, reply, scriptedAccess, scriptedSend, WORKER } from './scripted.ts';

const KEY = 'a1'.repeat(32);
const SET = 'String {7d02d5a8-877c-4cd0-9577-461dc7180c17} Name';
const START_MS = Date.UTC(2026, 10, 23, 9);

const HOLD: EventDraft = {
  summary: 'Hold',
  time: { kind: 'timed', startMs: START_MS, endMs: START_MS + 3_600_000, timeZone: 'UTC' },
  attendees: [],
  recurrence: [],
  notify: 'none',
  conference: false,
  holdId: 'order/17',
};
const at = (dateTime: string) => ({ dateTime, timeZone: 'UTC' });
const HELD = {
  id: 'AAMk=',
  '@odata.etag': 'W/"v1"',
  subject: 'Hold',
  showAs: 'tentative',
  start: at('2026-11-23T09:00:00.0000000'),
  end: at('2026-11-23T10:00:00.0000000'),
};
const CONFIRMED = {
  ...HELD,
  '@odata.etag': 'W/"v2"',
  subject: 'Planning',
  showAs: 'busy',
  attendees: [{ emailAddress: { address: 'guest@example.com' } }],
};
const CONFIRM: EventChange = {
  eventId: 'AAMk=',
  summary: 'Planning',
  attendees: ['Guest@example.com'],
  notify: 'all',
  confirms: true,
  time: { kind: 'timed', startMs: START_MS, endMs: START_MS + 3_600_000, timeZone: 'Europe/Berlin' },
};
const GONE = reply(404, { error: { code: 'ErrorItemNotFound' } });

/** Answers in this order; a call too many fails the test. */
function script(...answers: Outcome<Reply>[]) {
  const { send, asked } = scriptedSend((_request, index) => present(answers[index]));
  return { access: scriptedAccess(send, WORKER).access, asked };
}

const bodyOf = (request: { body?: string } | undefined): unknown => JSON.parse(present(request?.body));

describe('a hold at Microsoft', () => {
  it('is tentative, private, reminds nobody, and carries its id where it can be searched for', async () => {
    const { access, asked } = script(reply(201, HELD));
    const made = await createEvent(CONFIG, HOLD, { key: KEY, isRepeat: false }, access);
    expect(made).toMatchObject(ok({ eventId: 'AAMk=', status: 'tentative' }));
    expect(bodyOf(asked[0])).toMatchObject({
      subject: 'Hold',
      showAs: 'tentative',
      sensitivity: 'private',
      isReminderOn: false,
      attendees: [],
      singleValueExtendedProperties: [
        { id: `${SET} huddle-key`, value: KEY },
        { id: `${SET} huddle-hold`, value: 'order/17' },
      ],
    });
  });

  it('is confirmed as the version that was read, and told in the zone of the hold', async () => {
    const { access, asked } = script(reply(200, HELD), reply(200, CONFIRMED));
    expect(await updateEvent(CONFIG, CONFIRM, access)).toMatchObject(
      ok({ status: 'confirmed', etag: 'W/"v2"', start: '2026-11-23T10:00:00+01:00' }),
    );
    expect(asked[1]).toMatchObject({ method: 'PATCH', headers: { 'If-Match': 'W/"v1"' } });
    expect(bodyOf(asked[1])).toEqual({
      isAllDay: false,
      start: { dateTime: '2026-11-23T09:00:00.000', timeZone: 'UTC' },
      end: { dateTime: '2026-11-23T10:00:00.000', timeZone: 'UTC' },
      showAs: 'busy',
      sensitivity: 'normal',
      isReminderOn: true,
      subject: 'Planning',
      attendees: [{ emailAddress: { address: 'Guest@example.com' }, type: 'required' }],
    });
  });

  it('that an earlier attempt has confirmed is not written again, so that nobody is told twice', async () => {
    const { access, asked } = script(reply(200, CONFIRMED));
    expect(await updateEvent(CONFIG, CONFIRM, access)).toMatchObject(ok({ etag: 'W/"v2"' }));
    expect(asked).toHaveLength(1);
  });

  it.each([
    ['another subject', { subject: 'Other' }],
    ['a guest who is missing', { attendees: [] }],
    ['a time that is still tentative', { showAs: 'tentative' }],
  ])('that shows %s is written', async (_, difference) => {
    const { access, asked } = script(reply(200, { ...CONFIRMED, ...difference }), reply(200, CONFIRMED));
    await updateEvent(CONFIG, CONFIRM, access);
    expect(asked.map(({ method }) => method)).toEqual(['GET', 'PATCH']);
  });

  it('is found by its key to be removed, and is gone when it was never made', async () => {
    const there = script(reply(200, { value: [HELD] }), reply(204, ''));
    expect(await removeCreated(CONFIG, { key: KEY, notify: 'none' }, there.access)).toEqual(ok(undefined));
    expect(decodeURIComponent(there.asked[0]?.url ?? '')).toContain(`ep/value eq '${KEY}'`);
    expect(there.asked[1]).toMatchObject({ method: 'DELETE' });
    for (const answer of [reply(200, { value: [] }), GONE]) {
      const { access, asked } = script(answer);
      expect(await removeCreated(CONFIG, { key: KEY, notify: 'none' }, access)).toEqual(ok(undefined));
      expect(asked).toHaveLength(1);
    }
  });

  it('that cannot be looked for is not known to be gone', async () => {
    const { access } = script(fail({ kind: 'unavailable', ambiguous: false }));
    expect(await removeCreated(CONFIG, { key: KEY, notify: 'none' }, access)).toMatchObject({ ok: false });
  });
});
