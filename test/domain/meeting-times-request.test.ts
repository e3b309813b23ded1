import { describe, expect, it } from 'vitest';
import { listFieldErrors } from '../../src/domain/field-error.ts';
import { meetingTimesOfAllRequestSchema, meetingTimesRequestSchema } from '../../src/domain/meeting-times.ts';

const GOOD = {
  timeMin: '2026-11-23T09:00:00',
  timeMax: '2026-11-23T17:00:00',
  timeZone: 'Europe/Berlin',
  durationMinutes: 45,
};

/** The fields that a question is refused for; none when it is good. */
function refusedFields(question: unknown, schema = meetingTimesRequestSchema): string[] {
  const read = schema.safeParse(question);
  return read.success ? [] : listFieldErrors(read.error).map(({ path }) => path);
}

describe('a good question for meeting times', () => {
  it('is read into milliseconds, ten times wanted unless it says otherwise', () => {
    expect(meetingTimesRequestSchema.parse(GOOD)).toEqual({
      question: {
        range: { startMs: Date.UTC(2026, 10, 23, 8), endMs: Date.UTC(2026, 10, 23, 16) },
        timeZone: 'Europe/Berlin',
        durationMs: 45 * 60_000,
        limit: 10,
      },
    });
  });

  it('keeps the connectorId beside the question, and each calendar once', () => {
    expect(
      meetingTimesRequestSchema.parse({ ...GOOD, connectorId: 'c-1', calendars: ['b', 'a', 'b'], limit: 3 }),
    ).toMatchObject({ connectorId: 'c-1', question: { calendars: ['b', 'a'], limit: 3 } });
  });

  it('has working hours in its own zone where they name none, or ignores them', () => {
    const hours = { day: 'monday', start: '22:00', end: '06:00' };
    const workingHours = [hours, { ...hours, timeZone: 'Asia/Tokyo' }];
    expect(meetingTimesRequestSchema.parse({ ...GOOD, workingHours }).question.workingHours).toEqual([
      { ...hours, timeZone: 'Europe/Berlin' },
      { ...hours, timeZone: 'Asia/Tokyo' },
    ]);
    expect(meetingTimesRequestSchema.parse({ ...GOOD, workingHours: 'ignore' }).question.workingHours).toBe(
      'ignore',
    );
  });

  it('may span 62 days of the local clock, an hour more when clocks go back, and no more', () => {
    const from = { ...GOOD, timeMin: '2026-09-01T00:00:00' };
    expect(refusedFields({ ...from, timeMax: '2026-11-02T00:00:00' })).toEqual([]);
    expect(refusedFields({ ...from, timeMax: '2026-11-02T00:00:01' })).toEqual(['timeMax']);
  });

  it('may fill its whole range, and no more', () => {
    const hour = { ...GOOD, timeMax: '2026-11-23T10:00:00' };
    expect(refusedFields({ ...hour, durationMinutes: 60 })).toEqual([]);
    expect(refusedFields({ ...hour, durationMinutes: 61 })).toEqual(['durationMinutes']);
  });

  it('may be about several connectors, which then name no calendars', () => {
    expect(meetingTimesOfAllRequestSchema.parse({ ...GOOD, connectorIds: ['a', 'b'] })).toMatchObject({
      connectorIds: ['a', 'b'],
      question: { durationMs: 45 * 60_000 },
    });
    const named = { ...GOOD, connectorIds: ['a'], calendars: ['main'] };
    expect(meetingTimesOfAllRequestSchema.safeParse(named).success).toBe(false);
    expect(meetingTimesOfAllRequestSchema.safeParse({ ...GOOD, connectorIds: [] }).success).toBe(false);
  });
});

describe('a bad question for meeting times', () => {
  const hours = { day: 'monday', start: '09:00', end: '17:00' };
  it.each<[string, object, string]>([
    ['that ends as it begins', { timeMax: GOOD.timeMin }, 'timeMax'],
    ['of an unknown zone', { timeZone: 'Mars/Olympus' }, 'timeZone'],
    ['of a time that clocks skip', { timeMin: '2026-03-29T02:30:00' }, 'timeMin'],
    ['without a duration', { durationMinutes: undefined }, 'durationMinutes'],
    ['of less than five minutes', { durationMinutes: 4 }, 'durationMinutes'],
    ['of more than a day', { durationMinutes: 1441 }, 'durationMinutes'],
    ['of half a minute', { durationMinutes: 30.5 }, 'durationMinutes'],
    ['for no suggestion', { limit: 0 }, 'limit'],
    ['for too many suggestions', { limit: 101 }, 'limit'],
    ['about no calendars', { calendars: [] }, 'calendars'],
    ['with empty working hours', { workingHours: [] }, 'workingHours'],
    ['with working hours of no length', { workingHours: [{ ...hours, end: '09:00' }] }, 'workingHours.0.end'],
    ['with working hours of no day', { workingHours: [{ ...hours, day: 'noday' }] }, 'workingHours'],
    ['with a word for working hours', { workingHours: 'none' }, 'workingHours'],
    ['with a field that is not known', { duration: 30 }, 'duration'],
  ])('%s is refused by its field', (_, change, field) => {
    expect(refusedFields({ ...GOOD, ...change })).toEqual([field]);
  });

  it('may name a whole day as working hours', () => {
    expect(
      refusedFields({ ...GOOD, workingHours: [{ day: 'monday', start: '00:00', end: '24:00' }] }),
    ).toEqual([]);
  });
});
