import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventTime } from '../../../src/domain/event.ts';
import { fail } from '../../../src/domain/failure.ts';
import {
  type Attendee,
  eventSchema,
  mergeAttendees,
  readRecord,
} from '../../../src/providers/google/event-resource.ts';

const TOLD = {
  id: 'e1',
  status: 'tentative',
  etag: '"1"',
  iCalUID: 'u1@google.com',
  start: { dateTime: '2031-07-01T09:00:00-04:00', timeZone: 'Europe/Berlin' },
  end: { dateTime: '2031-07-01T14:00:00Z', timeZone: 'America/New_York' },
};
const read = (event: object, asked?: EventTime) => readRecord(eventSchema.parse(event), 'c1', asked);

describe('merging attendees', () => {
  it('keeps who stays with their answer and name, drops who goes, and adds who is new', () => {
    const ada = { email: 'Ada@Example.com', responseStatus: 'accepted', displayName: 'Ada', optional: true };
    const bob = { email: 'bob@example.com', responseStatus: 'declined' };
    expect(mergeAttendees([bob, ada], ['carl@example.com', 'ada@example.COM'])).toEqual([
      { email: 'carl@example.com' },
      ada,
    ]);
  });

  it('keeps the organizer, whom nobody has to invite', () => {
    const organizer = { email: 'me@example.com', organizer: true, self: true, responseStatus: 'accepted' };
    expect(mergeAttendees([organizer], [])).toEqual([organizer]);
    expect(mergeAttendees([organizer], ['bob@example.com', 'ME@example.com'])).toEqual([
      organizer,
      { email: 'bob@example.com' },
    ]);
  });

  // Few names in either case, so that they meet.
  const email = fc.stringMatching(/^[abAB]{1,2}$/).map((name) => `${name}@x.test`);
  const attendee: fc.Arbitrary<Attendee> = fc.record(
    {
      email,
      responseStatus: fc.constantFrom('accepted', 'declined', 'needsAction'),
      organizer: fc.boolean(),
    },
    { requiredKeys: [] },
  );
  const held = fc.array(attendee, { maxLength: 8 });
  const asked = fc.array(email, { maxLength: 8 });
  const name = (one: Attendee) => one.email?.toLowerCase();

  it('names exactly those asked for and the organizer, each once', () => {
    fc.assert(
      fc.property(held, asked, (have, want) => {
        const names = mergeAttendees(have, want).map(name);
        const organizers = have.filter(({ organizer }) => organizer === true).map(name);
        expect(new Set(names)).toEqual(new Set([...organizers, ...want.map((one) => one.toLowerCase())]));
        expect(new Set(names).size).toBe(names.length);
      }),
    );
  });

  it('invents nothing about anyone: an entry is one that was held, or an address alone', () => {
    fc.assert(
      fc.property(held, asked, (have, want) => {
        for (const one of mergeAttendees(have, want)) {
          const known = have.filter((other) => name(other) === name(one));
          expect(known.length === 0 ? [{ email: one.email }] : known).toContainEqual(one);
        }
      }),
    );
  });

  it('changes nothing when it is done twice', () => {
    fc.assert(
      fc.property(held, asked, (have, want) => {
        const once = mergeAttendees(have, want);
        expect(mergeAttendees(once, want)).toEqual(once);
      }),
    );
  });
});

describe('reading an event', () => {
  it('tells each time in the zone that the event names for it, whatever offset Google writes', () => {
    expect(read(TOLD)).toEqual({
      ok: true,
      value: {
        eventId: 'e1',
        calendarId: 'c1',
        iCalUid: 'u1@google.com',
        etag: '"1"',
        status: 'tentative',
        start: '2031-07-01T15:00:00+02:00',
        end: '2031-07-01T10:00:00-04:00',
      },
    });
  });

  it('tells the dates of an all-day event as they are', () => {
    const dates = { start: { date: '2031-07-01' }, end: { date: '2031-07-03' } };
    expect(read({ ...TOLD, ...dates })).toMatchObject({ value: { start: '2031-07-01', end: '2031-07-03' } });
  });

  it('leaves a time as it stands when its zone is unknown or not named', () => {
    const start = { dateTime: '2031-07-01T09:00:00-04:00', timeZone: 'Elsewhere/Nowhere' };
    const end = { dateTime: '2031-07-01T14:00:00Z' };
    expect(read({ ...TOLD, start, end })).toMatchObject({
      value: { start: start.dateTime, end: end.dateTime },
    });
  });

  it('tells the links there are, and confirmed where no status is told', () => {
    const links = { htmlLink: 'https://calendar.test/e1', hangoutLink: 'https://meet.test/e1' };
    expect(read({ ...TOLD, status: undefined, ...links })).toMatchObject({
      value: { status: 'confirmed', webLink: links.htmlLink, conferenceLink: links.hangoutLink },
    });
    expect(read({ ...TOLD, htmlLink: 7, hangoutLink: null })).toMatchObject({ ok: true });
  });

  it('names what a living event lacks', () => {
    for (const place of ['etag', 'iCalUID', 'start', 'end'])
      expect(read({ ...TOLD, [place]: undefined })).toEqual(
        fail({ kind: 'malformed', at: `event.${place}` }),
      );
    for (const start of [
      {},
      { dateTime: 'soon' },
      { dateTime: '2031-07-01T09:00:00' },
      { date: '2031-02-30' },
    ])
      expect(read({ ...TOLD, start })).toEqual(fail({ kind: 'malformed', at: 'event.start' }));
  });

  it('needs no more than the id of a cancelled event: its times are then those asked for', () => {
    const cancelled = { id: 'e1', status: 'cancelled' };
    const startMs = Date.UTC(2031, 6, 1, 9);
    const time = { kind: 'timed', startMs, endMs: startMs + 60_000, timeZone: 'Europe/Berlin' } as const;
    const gone = { eventId: 'e1', calendarId: 'c1', iCalUid: '', etag: '', status: 'cancelled' };
    const times = { start: '2031-07-01T11:00:00+02:00', end: '2031-07-01T11:01:00+02:00' };
    expect(read(cancelled, time)).toEqual({ ok: true, value: { ...gone, ...times } });
    expect(read({ ...TOLD, status: 'cancelled' }, time)).toMatchObject({
      value: { etag: '"1"', iCalUid: 'u1@google.com', start: '2031-07-01T15:00:00+02:00' },
    });
  });
});
