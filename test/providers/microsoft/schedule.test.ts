import { describe, expect, it } from 'vitest';
import { fail, ok } from '../../../src/domain/failure.ts';
import type { Interval } from '../../../src/domain/interval.ts';
import {
  readScheduleReply,
  readSchedules,
  type Schedule,
  scheduleCalls,
} from '../../../src/providers/microsoft/schedule.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const START = Date.UTC(2026, 10, 23);
const RANGE = { startMs: START, endMs: START + DAY_MS };
const hour = (h: number) => START + h * 60 * 60 * 1000;
const at = (h: number) => ({ dateTime: new Date(hour(h)).toISOString().slice(0, 19), timeZone: 'UTC' });
const item = (from: number, to: number, status?: string) => ({ start: at(from), end: at(to), status });

function bodyOf(call: ReturnType<typeof scheduleCalls>[number] | undefined): {
  schedules: string[];
  startTime: { dateTime: string; timeZone: string };
  endTime: { dateTime: string; timeZone: string };
  availabilityViewInterval: number;
} {
  return JSON.parse(JSON.stringify(call?.request.body));
}

/** What one call said of `ada@example.com`, its entry given. */
function readOne(entry: object, range: Interval = RANGE): Schedule | undefined {
  const [call] = scheduleCalls(['ada@example.com'], range);
  if (call === undefined) return undefined;
  const reply = readScheduleReply(ok({ value: [{ scheduleId: 'ADA@example.com', ...entry }] }));
  return readSchedules([{ call, reply }]).get('ada@example.com');
}
const busyOf = (entry: object, range?: Interval) => readOne(entry, range)?.busy;

describe('asking for schedules', () => {
  it('asks in UTC for all addresses, in slots of five minutes where there is room', () => {
    const calls = scheduleCalls(['a@example.com', 'b@example.com'], RANGE);
    expect(calls).toHaveLength(1);
    expect(calls[0]?.request).toMatchObject({
      method: 'POST',
      path: '/me/calendar/getSchedule',
      writes: false,
    });
    expect(bodyOf(calls[0])).toEqual({
      schedules: ['a@example.com', 'b@example.com'],
      startTime: { dateTime: '2026-11-23T00:00:00', timeZone: 'UTC' },
      endTime: { dateTime: '2026-11-24T00:00:00', timeZone: 'UTC' },
      availabilityViewInterval: 5,
    });
  });

  it('asks for at most twenty addresses at a time', () => {
    const addresses = Array.from({ length: 45 }, (_, index) => `p${index}@example.com`);
    const calls = scheduleCalls(addresses, RANGE);
    expect(calls.map((call) => call.addresses.length)).toEqual([20, 20, 5]);
    expect(calls.flatMap((call) => call.addresses)).toEqual(addresses);
    expect(scheduleCalls([], RANGE)).toEqual([]);
  });

  it('splits a long range with no gap, into windows of at most 62 days and 1000 slots', () => {
    for (const days of [1, 62, 62.0007, 63, 124.5, 400, 1825]) {
      const range = { startMs: START + 1, endMs: START + days * DAY_MS + 1 };
      const calls = scheduleCalls(['a@example.com'], range);
      let reached = range.startMs;
      for (const { window, slotMinutes } of calls) {
        const minutes = (window.endMs - window.startMs) / 60_000;
        expect(window.startMs).toBeLessThanOrEqual(reached);
        expect(minutes).toBeLessThanOrEqual(62 * 24 * 60);
        expect(minutes / slotMinutes).toBeLessThanOrEqual(1000);
        expect(minutes).toBeGreaterThanOrEqual(slotMinutes);
        expect(slotMinutes).toBeGreaterThanOrEqual(5);
        expect(slotMinutes).toBeLessThanOrEqual(1440);
        // Whole slots: nobody says whether a part of one would get its digit.
        expect(minutes % slotMinutes).toBe(0);
        reached = window.endMs;
      }
      expect(reached).toBeGreaterThanOrEqual(range.endMs);
      expect(calls.length).toBeLessThanOrEqual(Math.ceil(days / 62) + 1);
    }
  });

  it('never asks for a window shorter than a slot', () => {
    const [call] = scheduleCalls(['a@example.com'], { startMs: START + 61_500, endMs: START + 62_000 });
    expect(call?.window).toEqual({ startMs: START + 60_000, endMs: START + 6 * 60_000 });
  });
});

describe('a schedule', () => {
  it('is busy by the status of its items, an unknown one included', () => {
    expect(
      busyOf({
        availabilityView: '0',
        scheduleItems: [
          item(1, 2, 'busy'),
          item(2, 3, 'tentative'),
          item(3, 4, 'oof'),
          item(4, 5, 'free'),
          item(5, 6, 'workingElsewhere'),
          item(6, 7, 'unknown'),
          item(7, 8, 'brandNew'),
          item(8, 9),
        ],
      }),
    ).toEqual(
      ok(
        [
          [1, 2],
          [2, 3],
          [3, 4],
          [6, 7],
          [7, 8],
          [8, 9],
        ].map(([from = 0, to = 0]) => ({ startMs: hour(from), endMs: hour(to) })),
      ),
    );
  });

  it('does not go by the digits where there are items', () => {
    const view = '2'.repeat(288);
    expect(busyOf({ availabilityView: view, scheduleItems: [item(4, 5, 'free')] })).toEqual(ok([]));
  });

  it('goes by the digits where the items are withheld, of which only 0 is free', () => {
    const view = `${'0'.repeat(12)}1234${'0'.repeat(272)}`;
    const busy = [0, 1, 2, 3].map((slot) => ({
      startMs: hour(1) + slot * 300_000,
      endMs: hour(1) + (slot + 1) * 300_000,
    }));
    expect(busyOf({ availabilityView: view })).toEqual(ok(busy));
    expect(busyOf({ availabilityView: view, scheduleItems: null })).toEqual(ok(busy));
    expect(busyOf({ availabilityView: view, scheduleItems: [] })).toEqual(ok(busy));
    expect(busyOf({ availabilityView: '0'.repeat(288) })).toEqual(ok([]));
  });

  it('is unknown, not free, without items and a view of the whole window', () => {
    const malformed = fail({ kind: 'malformed', at: 'getSchedule.availabilityView' });
    expect(busyOf({})).toEqual(malformed);
    expect(busyOf({ availabilityView: '0'.repeat(287) })).toEqual(malformed);
    expect(busyOf({ availabilityView: '' })).toEqual(malformed);
    expect(busyOf({ scheduleItems: [] })).toEqual(malformed);
    expect(busyOf({ scheduleItems: [], availabilityView: null })).toEqual(malformed);
    expect(busyOf({ scheduleItems: [], availabilityView: '0'.repeat(287) })).toEqual(malformed);
  });

  it('is free where it says that there is nothing', () => {
    expect(busyOf({ availabilityView: '0'.repeat(288), scheduleItems: [] })).toEqual(ok([]));
    expect(busyOf({ availabilityView: '0'.repeat(288), scheduleItems: [item(4, 5, 'free')] })).toEqual(
      ok([]),
    );
  });

  it('fails as a whole when one time cannot be read', () => {
    const items = [item(1, 2, 'busy'), { status: 'busy', start: { dateTime: 'soon' }, end: at(3) }];
    expect(busyOf({ scheduleItems: items })).toMatchObject({ ok: false, failure: { kind: 'malformed' } });
    expect(busyOf({ scheduleItems: 'many' })).toMatchObject({ ok: false, failure: { kind: 'malformed' } });
  });

  it('fails by its own error, whatever the message says', () => {
    const error = (responseCode: unknown) => busyOf({ error: { responseCode, message: 'ErrorServerBusy' } });
    expect(error('ErrorMailRecipientNotFound')).toEqual(fail({ kind: 'not-found', what: 'schedule' }));
    expect(error('ErrorServerBusy')).toEqual(fail({ kind: 'unavailable', ambiguous: false }));
    expect(error('ErrorNoFreeBusyAccess')).toEqual(
      fail({ kind: 'rejected', status: 200, code: 'ErrorNoFreeBusyAccess' }),
    );
    expect(error('')).toEqual(fail({ kind: 'rejected', status: 200, code: 'unknown' }));
    expect(busyOf({ error: {} })).toEqual(fail({ kind: 'rejected', status: 200, code: 'unknown' }));
  });

  it('brings working hours where they can be read', () => {
    const workingHours = {
      daysOfWeek: ['monday'],
      startTime: '08:00:00',
      endTime: '17:00:00',
      timeZone: { name: 'UTC' },
    };
    const hours = [{ day: 'monday', start: '08:00', end: '17:00', timeZone: 'UTC' }];
    const availabilityView = '0'.repeat(288);
    expect(readOne({ scheduleItems: [], workingHours })?.workingHours).toEqual(hours);
    expect(readOne({ availabilityView, workingHours: null })).toEqual({ busy: ok([]) });
  });
});

describe('several schedules', () => {
  it('are told apart by address, and a missing one is no free one', () => {
    const [call] = scheduleCalls(['a@example.com', 'b@example.com', 'c@example.com'], RANGE);
    if (call === undefined) throw new Error('no call');
    const reply = ok({
      value: [
        { scheduleId: 'b@example.com', error: { responseCode: 'ErrorMailRecipientNotFound' } },
        { scheduleId: 'A@EXAMPLE.com', scheduleItems: [item(1, 2, 'busy')] },
      ],
    });
    const schedules = readSchedules([{ call, reply }]);
    expect(schedules.get('a@example.com')?.busy).toEqual(ok([{ startMs: hour(1), endMs: hour(2) }]));
    expect(schedules.get('b@example.com')?.busy).toEqual(fail({ kind: 'not-found', what: 'schedule' }));
    expect(schedules.get('c@example.com')?.busy).toMatchObject({ ok: false, failure: { kind: 'malformed' } });
  });

  it('are put together from all windows, and are unknown when one window is', () => {
    const calls = scheduleCalls(['a@example.com'], { startMs: START, endMs: START + 100 * DAY_MS });
    expect(calls).toHaveLength(2);
    const answers = [item(1, 2, 'busy'), item(3, 4, 'busy')].map((one) =>
      ok({ value: [{ scheduleId: 'a@example.com', scheduleItems: [one] }] }),
    );
    const read = (last = answers[1]) =>
      readSchedules(
        calls.map((call, index) => ({
          call,
          reply: (index === 0 ? answers[0] : last) ?? fail({ kind: 'cursor-expired' }),
        })),
      ).get('a@example.com')?.busy;
    expect(read()).toEqual(
      ok([
        { startMs: hour(1), endMs: hour(2) },
        { startMs: hour(3), endMs: hour(4) },
      ]),
    );
    const lost = fail({ kind: 'unavailable', ambiguous: false });
    expect(
      readSchedules(
        calls.map((call, index) => ({ call, reply: index === 0 ? lost : (answers[1] ?? lost) })),
      ).get('a@example.com')?.busy,
    ).toEqual(lost);
  });
});
