import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  answerQuestion,
  joinAnswers,
  type CalendarReading,
  type WorkingHours,
} from '../../src/domain/availability.ts';
import { fail, ok } from '../../src/domain/failure.ts';
import type { Interval } from '../../src/domain/interval.ts';
import { anyIntervals, CELLS, coveredCells, properInterval, SEEDED } from './calendars.ts';

const MINUTE_MS = 60_000;
/** Minute 0 of the grid: half an hour before clocks in Berlin go back. */
const ORIGIN_MS = Date.UTC(2026, 9, 25, 0, 30);
const AS_OF_MS = Date.UTC(2026, 9, 24, 12);

const onGrid = ({ startMs, endMs }: Interval): Interval => ({
  startMs: ORIGIN_MS + startMs * MINUTE_MS,
  endMs: ORIGIN_MS + endMs * MINUTE_MS,
});
const offGrid = (time: string) => (Date.parse(time) - ORIGIN_MS) / MINUTE_MS;

function ask(range: Interval, calendars: CalendarReading[], timeZone = 'Europe/Berlin') {
  return answerQuestion({ range: onGrid(range), timeZone }, { calendars }, AS_OF_MS);
}

describe('answering a question', () => {
  it('is busy in just the minutes in which some calendar is, within the range, on any calendars', () => {
    const zones = fc.constantFrom('Europe/Berlin', 'Asia/Kathmandu', 'America/New_York', 'UTC');
    const manyCalendars = fc.array(anyIntervals, { maxLength: 4 });
    fc.assert(
      fc.property(manyCalendars, properInterval, zones, (calendars, range, timeZone) => {
        const readings = calendars.map((busy, place) => ({
          id: `calendar-${place}`,
          busy: ok(busy.map(onGrid)),
        }));
        const answered = ask(range, readings, timeZone).busy.map(({ start, end }) => ({
          startMs: offGrid(start),
          endMs: offGrid(end),
        }));
        const asked = coveredCells([range]);
        expect(coveredCells(answered)).toEqual(
          coveredCells(calendars.flat()).map((busy, minute) => busy && asked[minute] === true),
        );
        const edges = answered.flatMap(({ startMs, endMs }) => [startMs, endMs]);
        // Sorted, none empty, none touching.
        expect(edges).toEqual([...new Set(edges)].toSorted((a, b) => a - b));
      }),
      SEEDED,
    );
  });

  it('writes each time with the offset that the asked zone has then', () => {
    const busy = ok([onGrid({ startMs: 0, endMs: 45 })]);
    expect(ask({ startMs: 0, endMs: CELLS }, [{ id: 'a', busy }]).busy).toEqual([
      { start: '2026-10-25T02:30:00+02:00', end: '2026-10-25T02:15:00+01:00' },
    ]);
    expect(ask({ startMs: 0, endMs: CELLS }, [{ id: 'a', busy }], 'Asia/Kathmandu').busy).toEqual([
      { start: '2026-10-25T06:15:00+05:45', end: '2026-10-25T07:00:00+05:45' },
    ]);
  });

  it('does not count an event that ends as the range starts, or starts as it ends', () => {
    const busy = ok(
      [
        { startMs: 0, endMs: 10 },
        { startMs: 20, endMs: 30 },
      ].map(onGrid),
    );
    expect(ask({ startMs: 10, endMs: 20 }, [{ id: 'a', busy }]).busy).toEqual([]);
  });

  it('joins the times of several calendars', () => {
    const first = ok([{ startMs: 30, endMs: 40 }].map(onGrid));
    const second = ok([{ startMs: 10, endMs: 30 }].map(onGrid));
    const answer = ask(
      { startMs: 0, endMs: CELLS },
      [
        { id: 'a', busy: first },
        { id: 'b', busy: second },
      ],
      'UTC',
    );
    expect(answer.busy).toEqual([{ start: '2026-10-25T00:40:00+00:00', end: '2026-10-25T01:10:00+00:00' }]);
    expect(answer.calendars).toEqual([
      { id: 'a', status: 'ok' },
      { id: 'b', status: 'ok' },
    ]);
  });

  it('says of a calendar that cannot be read that it is unavailable, and why, beside the others', () => {
    const answer = ask({ startMs: 0, endMs: CELLS }, [
      { id: 'a', busy: ok([{ startMs: 0, endMs: 10 }].map(onGrid)) },
      { id: 'b', busy: fail({ kind: 'not-found', what: 'calendar b' }) },
    ]);
    expect(answer.busy).toHaveLength(1);
    expect(answer.calendars).toEqual([
      { id: 'a', status: 'ok' },
      { id: 'b', status: 'unavailable', error: { code: 'not_found', message: 'Not found: calendar b' } },
    ]);
  });

  it('names its source and the instant it is true of, in the asked zone', () => {
    expect(ask({ startMs: 0, endMs: 1 }, []).freshness).toEqual({
      source: 'live',
      asOf: '2026-10-24T14:00:00+02:00',
    });
  });

  it('passes working hours on, and names none where the provider has none', () => {
    const workingHours: WorkingHours[] = [
      { day: 'monday', start: '09:00', end: '17:00', timeZone: 'Europe/Berlin' },
    ];
    const question = { range: onGrid({ startMs: 0, endMs: 1 }), timeZone: 'UTC' };
    expect(answerQuestion(question, { calendars: [], workingHours }, AS_OF_MS).workingHours).toEqual(
      workingHours,
    );
    expect(answerQuestion(question, { calendars: [] }, AS_OF_MS)).not.toHaveProperty('workingHours');
  });
});

describe('the answers of several connectors as one', () => {
  const question = {
    range: { startMs: Date.UTC(2026, 10, 23), endMs: Date.UTC(2026, 10, 24) },
    timeZone: 'Europe/Berlin',
  };
  const answerOf = (hour: number, asOfMs: number) =>
    answerQuestion(
      question,
      {
        calendars: [
          {
            id: 'main',
            busy: {
              ok: true,
              value: [{ startMs: Date.UTC(2026, 10, 23, hour), endMs: Date.UTC(2026, 10, 23, hour + 1) }],
            },
          },
        ],
      },
      asOfMs,
    );

  it('is busy where any is, names each calendar with its connector, and is as old as the oldest', () => {
    const joined = joinAnswers(
      question,
      [
        { connectorId: 'a', answer: answerOf(9, Date.UTC(2026, 10, 22, 12)) },
        { connectorId: 'b', answer: answerOf(8, Date.UTC(2026, 10, 22, 11)) },
      ],
      Date.UTC(2026, 10, 22, 13),
    );
    expect(joined).toEqual({
      busy: [{ start: '2026-11-23T09:00:00+01:00', end: '2026-11-23T11:00:00+01:00' }],
      calendars: [
        { connectorId: 'a', id: 'main', status: 'ok' },
        { connectorId: 'b', id: 'main', status: 'ok' },
      ],
      freshness: { source: 'live', asOf: '2026-11-22T12:00:00+01:00' },
    });
  });

  it('has the working hours of each, with its connector', () => {
    const hours = { day: 'monday', start: '09:00', end: '17:00', timeZone: 'UTC' } as const;
    const answer = answerOf(9, 0);
    const late = { ...hours, start: '11:00' };
    const joined = joinAnswers(
      question,
      [
        { connectorId: 'a', answer: { ...answer, workingHours: [hours] } },
        { connectorId: 'b', answer },
        { connectorId: 'c', answer: { ...answer, workingHours: [late] } },
      ],
      0,
    );
    expect(joined.workingHours).toEqual([
      { ...hours, connectorId: 'a' },
      { ...late, connectorId: 'c' },
    ]);
  });

  it('says of a connector that did not answer that it is not known', () => {
    const error = { code: 'reauth_required', message: 'gone' } as const;
    const joined = joinAnswers(question, [{ connectorId: 'a', error }], Date.UTC(2026, 10, 22, 13));
    expect(joined.calendars).toEqual([{ connectorId: 'a', id: 'a', status: 'unavailable', error }]);
  });
});

describe('time that is held', () => {
  it('is busy whatever the provider says, within the question', () => {
    const range = { startMs: Date.UTC(2026, 10, 23, 9), endMs: Date.UTC(2026, 10, 23, 12) };
    const held = [{ startMs: Date.UTC(2026, 10, 23, 8), endMs: Date.UTC(2026, 10, 23, 10) }];
    const answer = answerQuestion({ range, timeZone: 'UTC' }, { calendars: [] }, 0, held);
    expect(answer.busy).toEqual([{ start: '2026-11-23T09:00:00+00:00', end: '2026-11-23T10:00:00+00:00' }]);
  });
});
