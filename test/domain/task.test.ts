import { describe, expect, it } from 'vitest';
import { listFieldErrors } from '../../src/domain/field-error.ts';
import { calendarTaskSchema, taskIdSchema } from '../../src/domain/task.ts';
import { present } from '../present.ts';

const QUESTION = {
  timeMin: '2026-11-23T09:00:00+01:00',
  timeMax: '2026-11-23T17:00:00+01:00',
  timeZone: 'Europe/Berlin',
};
const CHECK = { id: 't-1', type: 'check-availability', connectorId: 'c-1', payload: QUESTION };
const REFRESH = { type: 'refresh-token', connectorId: 'c-1' };

function refusedFields(task: unknown): string[] {
  const read = calendarTaskSchema.safeParse(task);
  return read.success ? [] : listFieldErrors(read.error).map(({ path }) => path);
}

describe('a well-formed task', () => {
  it('keeps its payload as it came', () => {
    expect(calendarTaskSchema.parse(CHECK)).toEqual(CHECK);
  });

  it('of a type that needs no payload has an empty one, whether none, null or {} was sent', () => {
    for (const more of [{}, { payload: null }, { payload: {} }]) {
      expect(calendarTaskSchema.parse({ ...REFRESH, ...more })).toEqual({ ...REFRESH, payload: {} });
    }
    expect(refusedFields({ type: 'disconnect', connectorId: 'c-1' })).toEqual([]);
  });

  it('may repeat its connector inside the payload', () => {
    expect(refusedFields({ ...CHECK, payload: { ...QUESTION, connectorId: 'c-1' } })).toEqual([]);
    expect(refusedFields({ ...REFRESH, payload: { connectorId: 'c-1' } })).toEqual([]);
  });

  it('may carry the retry count of its sender, which counts for nothing', () => {
    expect(calendarTaskSchema.parse({ ...REFRESH, retryCount: 3 })).toEqual({ ...REFRESH, payload: {} });
  });

  it('has a deadline as a time with an offset or as epoch milliseconds', () => {
    const deadlineMs = Date.UTC(2026, 10, 23, 8);
    for (const deadline of ['2026-11-23T09:00:00+01:00', deadlineMs]) {
      expect(calendarTaskSchema.parse({ ...REFRESH, deadline })).toMatchObject({ deadlineMs });
    }
  });
});

describe('a malformed task names the field', () => {
  it.each<[string, unknown, string[]]>([
    ['no object', 'refresh', ['']],
    ['null', null, ['']],
    ['empty', {}, ['type', 'connectorId']],
    ['of an unknown type', { ...REFRESH, type: 'explode' }, ['type']],
    ['of a type every object has', { ...REFRESH, type: 'constructor' }, ['type']],
    ['of an impossible connector', { ...REFRESH, connectorId: 'a/b' }, ['connectorId']],
    ['with an impossible id', { ...REFRESH, id: '' }, ['id']],
    ['with a field nobody knows', { ...REFRESH, priority: 1 }, ['priority']],
    ['with a negative retry count', { ...REFRESH, retryCount: -1 }, ['retryCount']],
    ['with a deadline without an offset', { ...REFRESH, deadline: '2026-11-23T09:00:00' }, ['deadline']],
    ['with a deadline before all time', { ...REFRESH, deadline: -5 }, ['deadline']],
    ['with a deadline of another kind', { ...REFRESH, deadline: true }, ['deadline']],
    ['without the payload it needs', { ...CHECK, payload: undefined }, ['payload']],
    ['with text for a payload', { ...REFRESH, payload: '{}' }, ['payload']],
    ['with a payload it has no use for', { ...REFRESH, payload: { force: true } }, ['payload.force']],
    ['with a bad payload', { ...CHECK, payload: { ...QUESTION, timeZone: 'Mars' } }, ['payload.timeZone']],
    [
      'with a bad place deep in its payload',
      { ...CHECK, payload: { ...QUESTION, calendars: ['a', 1] } },
      ['payload.calendars.1'],
    ],
    [
      'whose payload is of another connector',
      { ...CHECK, payload: { ...QUESTION, connectorId: 'c-2' } },
      ['payload.connectorId'],
    ],
    [
      'without payload use, of another connector',
      { ...REFRESH, payload: { connectorId: 'c-2' } },
      ['payload.connectorId'],
    ],
  ])('of a task %s', (_, task, fields) => {
    expect(refusedFields(task)).toEqual(fields);
  });

  it('and never quotes the value', () => {
    const canary = 'canary-5f2e';
    const read = calendarTaskSchema.safeParse({
      id: `${canary} `,
      type: canary,
      connectorId: `${canary}/`,
      deadline: canary,
      payload: canary,
    });
    expect(JSON.stringify(listFieldErrors(present(read.error)))).not.toContain(canary);
  });
});

describe('a task id', () => {
  it('is 1 to 128 letters, digits or _ . : -', () => {
    expect(taskIdSchema.safeParse('a_B.9:-').success).toBe(true);
    const bad = ['', ' ', 'a\n', 'x'.repeat(129)];
    expect(bad.filter((id) => taskIdSchema.safeParse(id).success)).toEqual([]);
  });
});
