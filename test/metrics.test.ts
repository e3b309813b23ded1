import { afterEach, describe, expect, it, vi } from 'vitest';
import { describeThrown, logEvent } from '../src/metrics.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('logging an event', () => {
  it('writes one line of JSON, errors where errors go', () => {
    const log = vi.spyOn(console, 'log').mockReturnValue();
    const error = vi.spyOn(console, 'error').mockReturnValue();
    const refused = {
      event: 'message-refused',
      messageId: 'm-1',
      taskId: 't-1',
      code: 'not_found',
      detail: 'two\r\nlines',
    } as const;
    const failed = { event: 'error', where: 'here', detail: 'that' } as const;
    logEvent(refused);
    logEvent(failed);
    expect(log.mock.calls).toEqual([[JSON.stringify(refused)]]);
    expect(error.mock.calls).toEqual([[JSON.stringify(failed)]]);
    expect(log.mock.calls[0]?.[0]).not.toMatch(/[\r\n]/);
  });
});

describe('describing what was thrown', () => {
  it('tells its name and message, cut short', () => {
    expect(describeThrown(new TypeError('no'))).toBe('TypeError: no');
    expect(describeThrown('plain')).toBe('plain');
    expect(describeThrown(undefined)).toBe('undefined');
    expect(describeThrown(new Error('x'.repeat(1000)))).toHaveLength(300);
  });
});
