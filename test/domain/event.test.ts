import { describe, expect, it } from 'vitest';
import {
  cancelEventRequestSchema,
  createEventRequestSchema,
  presentTime,
  updateEventRequestSchema,
} from '../../src/domain/event.ts';
import { listFieldErrors } from '../../src/domain/field-error.ts';

const MEETING = {
  summary: 'Planning',
  start: '2026-11-23T09:00:00',
  end: '2026-11-23T10:00:00',
  timeZone: 'Europe/Berlin',
};

/** The first thing wrong with it, as `field: message`. */
function problemOf(change: Record<string, unknown>): string {
  const read = createEventRequestSchema.safeParse({ ...MEETING, ...change });
  if (read.success) return 'nothing';
  const [first] = listFieldErrors(read.error);
  return `${first?.path}: ${first?.message}`;
}

describe('a request to create an event', () => {
  it('is read with what it leaves out: no attendees, no recurrence, invitations sent, no conference', () => {
    expect(createEventRequestSchema.parse(MEETING)).toEqual({
      draft: {
        summary: 'Planning',
        time: {
          kind: 'timed',
          startMs: Date.UTC(2026, 10, 23, 8),
          endMs: Date.UTC(2026, 10, 23, 9),
          timeZone: 'Europe/Berlin',
        },
        attendees: [],
        recurrence: [],
        notify: 'all',
        conference: false,
      },
    });
  });

  it('keeps all that it says', () => {
    const { draft } = createEventRequestSchema.parse({
      ...MEETING,
      description: 'One\nTwo\tThree',
      location: 'Room 1',
      attendees: [{ email: 'ada@example.com' }, { email: 'ada@example.com' }, { email: 'bob@example.com' }],
      recurrence: ['RRULE:FREQ=WEEKLY;COUNT=3', 'EXDATE:20261130T080000Z'],
      calendarId: 'team',
      notify: 'none',
      conference: true,
    });
    expect(draft).toMatchObject({
      description: 'One\nTwo\tThree',
      location: 'Room 1',
      attendees: ['ada@example.com', 'bob@example.com'],
      recurrence: ['RRULE:FREQ=WEEKLY;COUNT=3', 'EXDATE:20261130T080000Z'],
      calendarId: 'team',
      notify: 'none',
      conference: true,
    });
  });

  it('is of whole days when it names two dates', () => {
    const { draft } = createEventRequestSchema.parse({ ...MEETING, start: '2026-11-23', end: '2026-11-25' });
    expect(draft.time).toEqual({
      kind: 'all-day',
      startDate: '2026-11-23',
      endDate: '2026-11-25',
      timeZone: 'Europe/Berlin',
    });
  });

  it.each<[string, Record<string, unknown>]>([
    ['end: must be after start', { end: MEETING.start }],
    ['end: must be a later date than start', { start: '2026-11-23', end: '2026-11-23' }],
    ['start: must be a date', { end: '2026-11-24' }],
    ['end: must be a date', { start: '2026-11-23' }],
    ['start: must be a date', { start: '2026-02-30', end: '2026-03-02' }],
    ['end: must be within a year', { end: '2028-01-01T00:00:00Z' }],
    ['start: does not exist', { start: '2026-03-29T02:30:00', end: '2026-03-29T04:00:00' }],
    ['timeZone: ', { timeZone: 'Mars/Olympus' }],
    ['summary: must have at most', { summary: 'x'.repeat(1_048_576) }],
    ['summary: must not be empty', { summary: '' }],
    ['summary: must hold no line break', { summary: 'a\r\nATTENDEE:mailto:x@y.example' }],
    ['location: must hold no line break', { location: 'a\nb' }],
    ['description: must hold no control', { description: 'a\r\nb' }],
    ['calendarId: must hold no line break', { calendarId: 'a\r\nb' }],
    ['attendees.0.email: must be a mail address', { attendees: [{ email: 'nobody' }] }],
    [
      'attendees.0.email: must be a mail address',
      { attendees: [{ email: 'a@b.example\r\nBcc: c@d.example' }] },
    ],
    [
      'attendees: must name at most 200',
      { attendees: Array.from({ length: 5_000 }, (_, n) => ({ email: `p${n}@example.com` })) },
    ],
    ['recurrence.0: must be an RRULE', { recurrence: ['FREQ=DAILY'] }],
    ['recurrence.0: must be an RRULE', { recurrence: ['RRULE:FREQ=DAILY\r\nDTSTART:20260101'] }],
    ['recurrence: must hold exactly one RRULE', { recurrence: ['EXDATE:20261130T080000Z'] }],
    ['recurrence: must hold exactly one RRULE', { recurrence: ['RRULE:FREQ=DAILY', 'RRULE:FREQ=WEEKLY'] }],
    ['notify: ', { notify: 'some' }],
    ['colour: is not a known field', { colour: 'red' }],
  ])('is refused with %s', (problem, change) => {
    expect(problemOf(change).slice(0, problem.length)).toBe(problem);
  });

  it('has all that is wrong with it named at once: times that are none, too', () => {
    const read = createEventRequestSchema.safeParse({ start: 'x', end: 'y', timeZone: 'Mars/Base', foo: 1 });
    const paths = read.error?.issues.flatMap(({ path, ...issue }) =>
      'keys' in issue ? issue.keys : path.join('.'),
    );
    expect(paths?.toSorted()).toEqual(['end', 'foo', 'start', 'summary', 'timeZone']);
  });
});

describe('a request to update an event', () => {
  it('keeps what it names and nothing else', () => {
    expect(updateEventRequestSchema.parse({ eventId: 'e', summary: 'New', attendees: [] })).toEqual({
      change: { eventId: 'e', summary: 'New', attendees: [], notify: 'all' },
    });
  });

  it('changes start, end and timeZone together or not at all', () => {
    const read = updateEventRequestSchema.safeParse({ eventId: 'e', start: MEETING.start });
    expect(read.success ? [] : listFieldErrors(read.error).map(({ path }) => path)).toEqual([
      'end',
      'timeZone',
    ]);
    const { summary: _, ...time } = MEETING;
    expect(updateEventRequestSchema.parse({ eventId: 'e', ...time }).change.time).toMatchObject({
      kind: 'timed',
    });
  });
});

describe('what any request may say', () => {
  it('is well-formed text, addresses that are some, and a rule that can be read', () => {
    expect(problemOf({ summary: 'half \ud800' })).toBe('summary: must be well-formed Unicode');
    expect(problemOf({ description: 'half \udc00' })).toBe('description: must be well-formed Unicode');
    expect(problemOf({ attendees: [{ email: 'tom&jerry@example.com' }] })).toBe('nothing');
    expect(problemOf({ recurrence: ['RRULE:FREQ=FOO'] })).toBe(
      'recurrence.0: has a FREQ that cannot be read',
    );
    const twice = { attendees: [{ email: 'a@example.com' }, { email: 'A@example.com' }] };
    expect(createEventRequestSchema.parse({ ...MEETING, ...twice }).draft.attendees).toHaveLength(1);
  });

  it('changes something', () => {
    const read = updateEventRequestSchema.safeParse({ eventId: 'e', notify: 'none' });
    expect(read.error?.issues[0]?.message).toBe('must change something');
  });
});

describe('a request to cancel an event', () => {
  it('names the event', () => {
    expect(cancelEventRequestSchema.parse({ eventId: 'e', calendarId: 'c' })).toEqual({
      cancellation: { eventId: 'e', calendarId: 'c', notify: 'all' },
    });
    expect(cancelEventRequestSchema.safeParse({}).success).toBe(false);
  });
});

describe('the occurrence that a request names', () => {
  const timed = { kind: 'timed', startMs: Date.UTC(2026, 9, 27, 8) };
  const zone = { timeZone: 'Europe/Berlin' };
  const update = (wire: object) =>
    updateEventRequestSchema.safeParse({ eventId: 'e', summary: 'x', ...wire });
  const cancel = (wire: object) => cancelEventRequestSchema.safeParse({ eventId: 'e', ...wire });

  it('is a time with an offset, or the date of whole days', () => {
    for (const [occurrence, expected] of [
      ['2026-10-27T09:00:00+01:00', timed],
      ['2026-10-27T08:00:00Z', timed],
      ['2026-10-27', { kind: 'all-day', date: '2026-10-27' }],
    ] as const) {
      expect(update({ occurrence }).data?.change.occurrence).toEqual(expected);
      expect(cancel({ occurrence }).data?.cancellation.occurrence).toEqual(expected);
    }
    expect(update({ summary: 'x' }).data?.change).not.toHaveProperty('occurrence');
    expect(cancel({}).data?.cancellation).not.toHaveProperty('occurrence');
  });

  it('is a local time where the change names its zone, with new times or without', () => {
    const local = { occurrence: '2026-10-27T09:00:00', ...zone };
    expect(update(local).data?.change).toEqual({
      eventId: 'e',
      notify: 'all',
      summary: 'x',
      occurrence: timed,
    });
    const moved = update({ ...local, start: '2026-10-28T09:00:00', end: '2026-10-28T10:00:00' });
    expect(moved.data?.change).toMatchObject({ occurrence: timed, time: zone });
  });

  it.each([
    ['next week', {}, /RFC 3339 date-time.*, or a date$/],
    ['2026-02-30', {}, /RFC 3339/],
    ['2026-10-27T09:00:00', {}, /needs an offset/],
    ['2026-03-29T02:30:00', zone, /does not exist/],
  ])('is refused by its field: %s', (occurrence, more, message) => {
    const reads = [update({ occurrence, ...more }), ...('timeZone' in more ? [] : [cancel({ occurrence })])];
    for (const { error } of reads) {
      expect(error === undefined ? [] : listFieldErrors(error)).toEqual([
        { path: 'occurrence', message: expect.stringMatching(message) },
      ]);
    }
  });
});

describe('the times of an event', () => {
  it('are told with the offset of their zone, or as dates', () => {
    const { draft } = createEventRequestSchema.parse(MEETING);
    expect(presentTime(draft.time)).toEqual({
      start: '2026-11-23T09:00:00+01:00',
      end: '2026-11-23T10:00:00+01:00',
    });
    const days = {
      kind: 'all-day',
      startDate: '2026-11-23',
      endDate: '2026-11-24',
      timeZone: 'UTC',
    } as const;
    expect(presentTime(days)).toEqual({ start: '2026-11-23', end: '2026-11-24' });
  });
});
