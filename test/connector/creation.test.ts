import { expect, it } from 'vitest';
import { creationKeyOf } from '../../src/connector/creation.ts';

it('a creation key is the same for every run of a task and for no other task, and every provider takes it', async () => {
  const key = await creationKeyOf('connector-1', 'task-1');
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(await creationKeyOf('connector-1', 'task-1')).toBe(key);
  const others = [
    await creationKeyOf('connector-2', 'task-1'),
    await creationKeyOf('connector-1', 'task-2'),
    await creationKeyOf('connector-1","task-1', ''),
    await creationKeyOf('', 'connector-1","task-1'),
  ];
  expect(new Set([key, ...others]).size).toBe(5);
});
