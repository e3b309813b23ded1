import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const LOAD = fileURLToPath(new URL('../load/main.ts', import.meta.url));

/** Calls a program; what it said, and how it ended. */
const call = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [LOAD, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });

it('ends a program that is asked for help with its usage', async () => {
  const { code, stdout, stderr } = await call('--help');
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('--kills N');
});

it.each([
  ['Unknown option', ['--wrong']],
  ['--tasks: must be a number', ['--tasks', 'many']],
  ['--tasks: must be a number', ['--tasks', '']],
  ['--tasks: must be at least 1', ['--tasks', '0']],
  ['--kills: must be at least 0', ['--kills=-1']],
])('names what it cannot understand: %s (%j)', async (problem, args) => {
  const { code, stdout, stderr } = await call(...args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr.startsWith(problem)).toBe(true);
  expect(stderr).toContain('--kills N');
});
