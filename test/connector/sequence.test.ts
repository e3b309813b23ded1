import { expect, it } from 'vitest';
import { Sequence } from '../../src/connector/sequence.ts';

it('acts run one at a time, in the order they were asked for, whatever became of those before', async () => {
  const sequence = new Sequence();
  const log: string[] = [];
  const act = (name: string, fails = false) =>
    sequence.run(async () => {
      log.push(`${name} begins`);
      await scheduler.wait(0);
      log.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const settled = await Promise.allSettled([act('a'), act('b', true), act('c')]);
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});
