import { number, readOptions } from '../local/program-options.ts';
import { drawTable } from '../local/text-table.ts';
import { startSandbox } from '../sandbox/sandbox.ts';

const USAGE = `npm run soak [-- OPTIONS]: mirrors of calendars that change, with faults and lost notifications.

  --connectors N   connected accounts (20)
  --minutes N      for so long (3)
  --faults SHARE   of the provider calls that go wrong (0.1)
  --lost SHARE     of the notifications that never come (0.3)
  --seed N         of everything that is left to chance (1)
`;

const { connectors, minutes, faults, lost, seed } = readOptions(USAGE, {
  connectors: number(20, 1),
  minutes: number(3, 0.1),
  faults: number(0.1),
  lost: number(0.3),
  seed: number(1),
});

// Read when wrangler is loaded: only then does it keep its own log to itself.
process.env['WRANGLER_LOG'] = 'error';
const { REACHABLE, startRuntime } = await import('../local/runtime.ts');
const { soak } = await import('./soak.ts');

// A signal alone ends a process without its exit handlers, which take the children along.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
process.exitCode = (await run()) ? 0 : 1;

/** The whole run; true when nothing was wrong, stale or unequal. */
async function run(): Promise<boolean> {
  const sandbox = await startSandbox({ seed });
  const runtime = await startRuntime(sandbox, { PUBLIC_BASE_URL: REACHABLE, MICROSOFT_APP_LIMIT: '1000000' });
  try {
    const result = await soak(
      { runtime, sandbox },
      { connectors, forMs: minutes * 60_000, seed, faults, lost },
    );
    const { bySource, notifications, wrong, stale, unequal } = result;
    process.stdout.write(
      `\n${drawTable([
        ['figure', 'value'],
        ['connectors', connectors],
        ['changes of calendars', result.edits],
        ['answers from the mirror', bySource['mirror'] ?? 0],
        ['answers for which the provider was asked', bySource['live'] ?? 0],
        ['questions without a whole answer', result.unanswered],
        ['answers that could not be judged', result.undecided],
        ['answers that were never so since the instant they name', wrong.length],
        ['answers older than allowed', stale.length],
        ['rows in which mirror and calendar differ in the end', unequal.length],
        ['notifications delivered', notifications.delivered],
        ['notifications lost', notifications.lost],
        ['provider calls', sandbox.truth.calls.length],
      ])}\n`,
    );
    for (const line of [...wrong, ...stale, ...unequal].slice(0, 20)) process.stdout.write(`${line}\n`);
    return wrong.length + stale.length + unequal.length === 0;
  } finally {
    await runtime.close();
    await sandbox.close();
  }
}
