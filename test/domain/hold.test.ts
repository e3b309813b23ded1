import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { listFieldErrors } from '../../src/domain/field-error.ts';
import {
  confirmHoldRequestSchema,
  groupHoldRequestSchema,
  placeHoldRequestSchema,
} from '../../src/domain/hold.ts';

const SLOT = {
  holdId: 'h',
  start: '2026-11-24T09:00:00',
  end: '2026-11-24T10:00:00',
  timeZone: 'Europe/Berlin',
};

/** The fields that are wrong with an input. */
function wrongIn(schema: z.ZodType, input: object): string[] {
  const read = schema.safeParse(input);
  return read.success ? [] : listFieldErrors(read.error).map(({ path }) => path);
}

describe('a request to hold a time', () => {
  it('is read with what it leaves out: a quarter of an hour, only where it is free', () => {
    expect(placeHoldRequestSchema.parse(SLOT)).toEqual({
      request: {
        holdId: 'h',
        slot: {
          startMs: Date.UTC(2026, 10, 24, 8),
          endMs: Date.UTC(2026, 10, 24, 9),
          timeZone: 'Europe/Berlin',
        },
        ttlSeconds: 900,
        onConflict: 'reject',
      },
    });
  });

  it('keeps all that it says', () => {
    const more = { ttlSeconds: 60, onConflict: 'allow', calendarId: 'team', calendars: ['a', 'b', 'a'] };
    expect(placeHoldRequestSchema.parse({ connectorId: 'c', ...SLOT, ...more })).toMatchObject({
      connectorId: 'c',
      request: {
        slot: { calendarId: 'team' },
        ttlSeconds: 60,
        onConflict: 'allow',
        calendars: ['a', 'b'],
      },
    });
  });

  it.each([
    ['holdId', { holdId: '' }],
    ['holdId', { holdId: 'x'.repeat(257) }],
    ['holdId', { holdId: 'a\r\nb' }],
    ['end', { end: SLOT.start }],
    ['end', { end: '2028-11-24T10:00:00' }],
    ['start', { start: '2026-03-29T02:30:00' }],
    ['start', { start: '2026-11-24', end: '2026-11-25' }],
    ['timeZone', { timeZone: 'Nowhere' }],
    ['ttlSeconds', { ttlSeconds: 0 }],
    ['ttlSeconds', { ttlSeconds: 700_000 }],
    ['ttlSeconds', { ttlSeconds: 0.5 }],
    ['onConflict', { onConflict: 'maybe' }],
    ['calendars', { calendars: [] }],
    ['colour', { colour: 'red' }],
  ])('is refused by the field that is wrong: %s', (path, change) => {
    expect(wrongIn(placeHoldRequestSchema, { ...SLOT, ...change })).toEqual([path]);
  });
});

describe('a request to confirm a hold', () => {
  it('is held to the rules of an event', () => {
    const wish = { holdId: 'h', summary: 'Planning', attendees: [{ email: 'a@example.com' }] };
    expect(confirmHoldRequestSchema.parse(wish)).toEqual({
      confirmation: { holdId: 'h', summary: 'Planning', notify: 'all', attendees: ['a@example.com'] },
    });
    expect(wrongIn(confirmHoldRequestSchema, { ...wish, summary: 'a\nb' })).toEqual(['summary']);
    expect(wrongIn(confirmHoldRequestSchema, { ...wish, attendees: [{ email: 'a' }] })).toEqual([
      'attendees.0.email',
    ]);
    expect(wrongIn(confirmHoldRequestSchema, { holdId: 'h' })).toEqual(['summary']);
  });
});

describe('a request to hold a time on several connectors', () => {
  const group = (slots: object[]) => ({ ...SLOT, slots });

  it('keeps its slots in their order and its times as they came', () => {
    const slots = [{ connectorId: 'b', calendarId: 'team' }, { connectorId: 'a' }];
    expect(groupHoldRequestSchema.parse(group(slots))).toEqual({
      ...SLOT,
      slots,
      ttlSeconds: 900,
      onConflict: 'reject',
    });
  });

  it.each([
    ['slots', []],
    ['slots', [{ connectorId: 'a' }, { connectorId: 'a', calendarId: 'x' }]],
    ['slots', Array.from({ length: 21 }, (_, n) => ({ connectorId: `c${n}` }))],
    ['slots.1.connectorId', [{ connectorId: 'a' }, { connectorId: 'b c' }]],
    ['slots.0.colour', [{ connectorId: 'a', colour: 'red' }]],
  ])('is refused by the field that is wrong: %s', (path, slots) => {
    expect(wrongIn(groupHoldRequestSchema, group(slots))).toEqual([path]);
  });
});
