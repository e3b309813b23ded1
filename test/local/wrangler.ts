import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const packageFile = createRequire(import.meta.url).resolve('wrangler/package.json');
const program = join(dirname(packageFile), 'bin', 'wrangler.js');

/** How long a wrangler that was asked to stop may take before it is killed. */
const STOP_MS = 5000;

/** A running wrangler with whatever it has started. */
export interface Wrangler {
  /** How it ended; never rejects. */
  readonly ended: Promise<{ succeeded: boolean; how: string }>;
  /** What it has written so far, when its output is kept. */
  output(): string;
  /** Kills it and everything it has started at once, as a crash does. */
  kill(): Promise<void>;
  /** Ends it and everything it has started; resolves when nothing of it is left. */
  stop(): Promise<void>;
}

/**
 * Runs wrangler as the head of a process group of its own: the runtime that it starts outlives it
 * when only wrangler is killed. It asks nothing, reports nothing to anyone and looks nothing up.
 *
 * @param output `keep` gathers what it writes, `show` lets it through.
 * @param variables further ones of its environment.
 */
export function runWrangler(
  args: string[],
  cwd: string,
  output: 'keep' | 'show',
  variables: Record<string, string> = {},
): Wrangler {
  const child = spawn(process.execPath, [program, ...args], {
    cwd,
    detached: true,
    stdio: output === 'keep' ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      CI: '1',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_SEND_ERROR_REPORTS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      WRANGLER_WRITE_LOGS: 'false',
      WRANGLER_NO_SKILLS_UPDATE_PROMPTS: 'true',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      ...variables,
    },
  });
  let written = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8');
    stream?.on('data', (text: string) => {
      written += text;
    });
  }
  const ended = new Promise<{ succeeded: boolean; how: string }>((resolve) => {
    child.once('error', (error) => resolve({ succeeded: false, how: error.message }));
    child.once('close', (code, signal) => {
      resolve({ succeeded: code === 0, how: signal === null ? `exit code ${code}` : `signal ${signal}` });
    });
  });
  const group = child.pid;
  // The last resort, when this process ends without having stopped it.
  const killLeft = (): void => {
    if (group !== undefined) signalGroup(group, 'SIGKILL');
  };
  process.once('exit', killLeft);

  return {
    ended,
    output: () => written,
    async kill() {
      killLeft();
      await ended;
      process.off('exit', killLeft);
    },
    async stop() {
      if (group === undefined) return;
      signalGroup(group, 'SIGTERM');
      const killAtMs = Date.now() + STOP_MS;
      while (signalGroup(group, 0) && Date.now() < killAtMs) await sleep(50);
      signalGroup(group, 'SIGKILL');
      await ended;
      process.off('exit', killLeft);
    },
  };
}

/** Sends a signal to a process group (0: only asks); false when nothing of it is left. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}
