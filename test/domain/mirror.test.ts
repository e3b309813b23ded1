import { describe, expect, it } from 'vitest';
import { type EventSlot, eventSlotSchema, type MirroredEvent, slotOf } from '../../src/domain/mirror.ts';

const TIME = { kind: 'timed', startMs: 0, endMs: 3_600_000, timeZone: 'Europe/Berlin' } as const;
const DETAILS = {
  status: 'confirmed',
  isBusy: true,
  isPrivate: true,
  summary: 'Secret',
  description: 'Nobody is to know',
  attendees: [{ email: 'bob@example.com', response: 'none' }],
  etag: '"1"',
} satisfies MirroredEvent['details'];

describe('the slot of an event', () => {
  it.each<[string, MirroredEvent, EventSlot]>([
    [
      'single',
      { eventId: 'a', kind: 'single', time: TIME, details: DETAILS },
      { kind: 'single', time: TIME, isBusy: true },
    ],
    [
      'free series',
      {
        eventId: 's',
        kind: 'series',
        time: TIME,
        recurrence: ['RRULE:FREQ=DAILY'],
        details: { ...DETAILS, isBusy: false },
      },
      { kind: 'series', time: TIME, recurrence: ['RRULE:FREQ=DAILY'], isBusy: false },
    ],
    [
      'occurrence that says nothing of its own',
      {
        eventId: 'o',
        kind: 'occurrence',
        seriesId: 's',
        originalStart: { kind: 'timed', startMs: 0 },
        time: TIME,
      },
      { kind: 'occurrence', time: TIME, seriesId: 's', originalStart: { kind: 'timed', startMs: 0 } },
    ],
    [
      'occurrence that was taken out',
      {
        eventId: 'o',
        kind: 'occurrence',
        seriesId: 's',
        time: TIME,
        details: { ...DETAILS, status: 'cancelled', isBusy: false },
      },
      { kind: 'occurrence', time: TIME, seriesId: 's', isBusy: false, isCancelled: true },
    ],
  ])('that is a %s has what questions for busy times need, and none of what it says', (_, event, slot) => {
    expect(slotOf(event)).toEqual(slot);
    expect(eventSlotSchema.parse(JSON.parse(JSON.stringify(slotOf(event))))).toEqual(slot);
  });

  it('is written alike whatever the order in which an event was put together', () => {
    const event: MirroredEvent = {
      eventId: 'o',
      kind: 'occurrence',
      seriesId: 's',
      time: TIME,
      details: DETAILS,
    };
    const other: MirroredEvent = {
      details: DETAILS,
      time: TIME,
      seriesId: 's',
      kind: 'occurrence',
      eventId: 'o',
    };
    expect(JSON.stringify(slotOf(other))).toBe(JSON.stringify(slotOf(event)));
  });
});
