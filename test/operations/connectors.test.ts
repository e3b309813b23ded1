import { expect, it } from 'vitest';
import { idOfKey } from '../../src/operations/connectors.ts';

it('a key leads one user to one id, and another user to another', async () => {
  const id = await idOfKey('ada', 'key');
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(await idOfKey('ada', 'key')).toBe(id);
  for (const [user, key] of [
    ['bob', 'key'],
    ['ada', 'other'],
    ['ada","key', ''],
  ] as const) {
    expect(await idOfKey(user, key)).not.toBe(id);
  }
});
