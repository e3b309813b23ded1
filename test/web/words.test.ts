import { expect, it } from 'vitest';
import { describeReturn, readReturn } from '../../src/web/words.js';

it('takes nothing but known statuses and well-formed codes and ids from the address', () => {
  expect(readReturn('')).toBeUndefined();
  expect(readReturn('?status=connected&connectorId=abc-1')).toEqual({
    status: 'connected',
    connectorId: 'abc-1',
  });
  expect(readReturn('?status=<b>&code=Call 555-0100&connectorId=../../x')).toEqual({ status: 'unknown' });
});

it('says that a calendar is connected only when the API says so', () => {
  const result = { status: 'connected', connectorId: 'abc-1' };
  const account = { provider: 'google', accountEmail: 'ada@example.com' };
  expect(describeReturn(result, { ...account, status: 'active' })).toMatchObject({ tone: 'good' });
  expect(describeReturn(result, { ...account, status: 'pending' })).toMatchObject({ tone: 'info' });
  expect(describeReturn(result)).toMatchObject({ tone: 'info' });
});
