import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { connectGoogle, connectMicrosoft } from './client-journey.ts';
import { startSandbox } from './sandbox.ts';
import { seedWorld } from './seed.ts';

test('a seeded world has a believable week for everyone, and everyone can sign in', async () => {
  const sandbox = await startSandbox();
  try {
    const { ada, grace, linus } = seedWorld(sandbox, { now: '2026-11-25T12:00:00Z' });
    for (const person of [ada, grace, linus]) {
      const events = person.calendars.flatMap(({ calendar }) => [...calendar.events.values()]);
      expect(events.length).toBeGreaterThanOrEqual(8);
      expect(events.some(({ span }) => span.kind === 'all-day')).toBe(true);
      expect(events.some(({ response }) => response === 'declined')).toBe(true);
      expect(new Set(events.map(({ showAs }) => showAs))).toEqual(
        new Set(['busy', 'free', 'tentative', 'oof', 'workingElsewhere']),
      );
    }
    expect((await connectGoogle(sandbox, ada.email)).refresh_token).toBeDefined();
    expect((await connectMicrosoft(sandbox, grace.email)).refresh_token).toBeDefined();
    expect((await connectMicrosoft(sandbox, linus.email)).refresh_token).toBeDefined();
    expect(sandbox.truth.verdict()).toEqual({ ok: true, problems: [] });
  } finally {
    await sandbox.close();
  }
});

test('the program prints one line of addresses and ends on SIGTERM', async () => {
  const program = new URL('main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [line] = z.tuple([z.instanceof(Buffer)]).parse(await once(child.stdout, 'data'));
  const started = z.looseObject({ googleUrl: z.string(), vars: z.record(z.string(), z.string()) });
  const { googleUrl, vars } = started.parse(JSON.parse(line.toString()));
  expect(vars['GOOGLE_API_URL']).toBe(googleUrl);
  expect((await fetch(`${googleUrl}/sandbox/`)).status).toBe(200);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});
