import { describe, expect, it } from 'vitest';
import { findRuleProblem, frequencyOf } from '../../src/domain/recurrence.ts';

describe('a recurrence rule', () => {
  it.each([
    'RRULE:FREQ=DAILY',
    'RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10;WKST=SU',
    'RRULE:FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20271231T000000Z',
    'RRULE:freq=yearly;bymonth=2;bymonthday=29',
    'RRULE:FREQ=HOURLY;INTERVAL=2;BYHOUR=9,10',
  ])('can be read: %s', (line) => {
    expect(findRuleProblem(line)).toBeUndefined();
  });

  it.each([
    ['RRULE:FREQ=FOO', 'FREQ'],
    ['RRULE:COUNT=3', 'FREQ'],
    ['RRULE:FREQ=DAILY;COUNT=0', 'COUNT'],
    ['RRULE:FREQ=DAILY;COUNT=2;UNTIL=20271231', 'both'],
    ['RRULE:FREQ=DAILY;FREQ=WEEKLY', 'two parts'],
    ['RRULE:FREQ=WEEKLY;BYDAY=XX', 'BYDAY'],
    ['RRULE:FREQ=DAILY;COLOUR=RED', 'COLOUR'],
    ['RRULE:FREQ=DAILY;', 'empty'],
  ])('is refused in words that tell what is wrong: %s', (line, word) => {
    expect(findRuleProblem(line)).toContain(word);
  });

  it('tells how often it repeats', () => {
    expect(frequencyOf(['EXDATE:20271231T000000Z', 'RRULE:COUNT=2;FREQ=weekly'])).toBe('WEEKLY');
    expect(frequencyOf([])).toBe('');
  });
});
