import { describe, expect, it } from 'vitest';
import { availabilityRequestSchema } from '../../src/domain/availability.ts';
import { listFieldErrors } from '../../src/domain/field-error.ts';
import { present } from '../present.ts';

const GOOD = {
  timeMin: '2026-11-23T09:00:00+01:00',
  timeMax: '2026-11-23T17:00:00+01:00',
  timeZone: 'Europe/Berlin',
};

/** The fields that a question is refused for; none when it is good. */
function refusedFields(question: unknown): string[] {
  const read = availabilityRequestSchema.safeParse(question);
  return read.success ? [] : listFieldErrors(read.error).map(({ path }) => path);
}

describe('a good question', () => {
  it('is read into a half-open range of epoch milliseconds', () => {
    expect(availabilityRequestSchema.parse(GOOD)).toEqual({
      question: {
        range: { startMs: Date.UTC(2026, 10, 23, 8), endMs: Date.UTC(2026, 10, 23, 16) },
        timeZone: 'Europe/Berlin',
      },
    });
  });

  it('may leave offsets out: its times are then of its zone', () => {
    const { question } = availabilityRequestSchema.parse({
      timeMin: '2026-11-23T09:00',
      timeMax: '2026-11-23T17:00:00',
      timeZone: 'Asia/Tokyo',
    });
    expect(question.range).toEqual({ startMs: Date.UTC(2026, 10, 23, 0), endMs: Date.UTC(2026, 10, 23, 8) });
  });

  it('keeps maxStalenessMs 0 apart from none at all', () => {
    expect(availabilityRequestSchema.parse({ ...GOOD, maxStalenessMs: 0 }).question.maxStalenessMs).toBe(0);
    expect(availabilityRequestSchema.parse(GOOD).question).not.toHaveProperty('maxStalenessMs');
  });

  it('keeps the connectorId beside the question, and each calendar once', () => {
    expect(
      availabilityRequestSchema.parse({ ...GOOD, connectorId: 'c-1', calendars: ['b', 'a', 'b'] }),
    ).toMatchObject({ connectorId: 'c-1', question: { calendars: ['b', 'a'] } });
  });

  it('may span five years to the day, leap days included, and no more', () => {
    const from = { timeMin: '2023-03-01T00:00:00Z', timeZone: 'UTC' };
    expect(refusedFields({ ...from, timeMax: '2028-03-01T00:00:00Z' })).toEqual([]);
    expect(refusedFields({ ...from, timeMax: '2028-03-01T00:00:00.001Z' })).toEqual(['timeMax']);
    expect(
      refusedFields({ timeMin: '2026-01-01T00:00Z', timeMax: '2031-01-02T00:00Z', timeZone: 'UTC' }),
    ).toEqual(['timeMax']);
  });
});

describe('a bad question names the field', () => {
  it.each<[string, unknown, string[]]>([
    ['that ends before it starts', { ...GOOD, timeMax: '2026-11-23T08:59:59+01:00' }, ['timeMax']],
    ['that ends as it starts', { ...GOOD, timeMax: GOOD.timeMin }, ['timeMax']],
    ['that ends as it starts, spelled otherwise', { ...GOOD, timeMax: '2026-11-23T08:00:00Z' }, ['timeMax']],
    ['of a nonsense zone', { ...GOOD, timeZone: 'Mars/Olympus' }, ['timeZone']],
    ['of an offset for a zone', { ...GOOD, timeZone: '+01:00' }, ['timeZone']],
    [
      'with a local time that clocks skip',
      { ...GOOD, timeMin: '2026-03-29T02:30:00', timeMax: '2026-03-29T04:00:00' },
      ['timeMin'],
    ],
    [
      'with two times that are none',
      { ...GOOD, timeMin: 'now', timeMax: '2026-11-23' },
      ['timeMin', 'timeMax'],
    ],
    ['with a day that does not exist', { ...GOOD, timeMax: '2026-02-30T00:00:00Z' }, ['timeMax']],
    ['with a field nobody knows', { ...GOOD, timezone: 'UTC' }, ['timezone']],
    ['with numbers for times', { ...GOOD, timeMin: 1, timeMax: 2 }, ['timeMin', 'timeMax']],
    ['without times', { timeZone: 'UTC' }, ['timeMin', 'timeMax']],
    ['without a zone', { timeMin: GOOD.timeMin, timeMax: GOOD.timeMax }, ['timeZone']],
    ['with a zone that is no text', { ...GOOD, timeZone: null }, ['timeZone']],
    ['with no calendar in its list', { ...GOOD, calendars: [] }, ['calendars']],
    ['with an empty calendar id', { ...GOOD, calendars: ['a', ''] }, ['calendars.1']],
    ['with an endless calendar id', { ...GOOD, calendars: ['x'.repeat(1025)] }, ['calendars.0']],
    ['with a calendar that is no text', { ...GOOD, calendars: ['a', 'b', 3] }, ['calendars.2']],
    ['with too many calendars', { ...GOOD, calendars: Array.from({ length: 501 }, String) }, ['calendars']],
    ['with a negative staleness', { ...GOOD, maxStalenessMs: -1 }, ['maxStalenessMs']],
    ['with a fraction of a millisecond', { ...GOOD, maxStalenessMs: 0.5 }, ['maxStalenessMs']],
    ['with a staleness of text', { ...GOOD, maxStalenessMs: '0' }, ['maxStalenessMs']],
    ['with a connector id that cannot be one', { ...GOOD, connectorId: 'a b' }, ['connectorId']],
    ['that is no object', [GOOD], ['']],
  ])('of a question %s', (_, question, fields) => {
    expect(refusedFields(question)).toEqual(fields);
  });

  it('and says what is wrong with it', () => {
    const read = availabilityRequestSchema.safeParse({ ...GOOD, timeMin: '2026-03-29T02:30:00' });
    expect(listFieldErrors(present(read.error))).toEqual([
      { path: 'timeMin', message: 'does not exist in this time zone: clocks skip it' },
    ]);
  });
});
