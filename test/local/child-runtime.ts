import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { apiHeaders, createCaller } from './caller.ts';
import { prepare } from './preparation.ts';
import type { Runtime } from './runtime.ts';
import { runWrangler, type Wrangler } from './wrangler.ts';

const root = new URL('../..', import.meta.url).pathname;
/** The longest a start may take, on a machine that does much else. */
const UP_WITHIN_MS = 120_000;

/** The worker as a process of its own, whose state outlives it: to be killed and started again. */
export interface ChildRuntime extends Pick<Runtime, 'api' | 'fetch' | 'notices' | 'notice'> {
  /** Begins a POST whose body never comes to its end; resolves when all but the end is on its way. */
  beginCall(path: string, body: unknown, headers?: Record<string, string>): Promise<void>;
  /** Kills it at once, with whatever it is doing. */
  kill(): Promise<void>;
  /** Starts it again on the state that is there. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Starts the worker with `wrangler dev` on a fresh state, with a second one that collects its notices. */
export async function startChildRuntime(
  sandbox: Pick<Sandbox, 'vars' | 'secrets'>,
  moreVars: Record<string, string> = {},
): Promise<ChildRuntime> {
  const { statePath, collector, apiToken, vars, tidy } = await prepare(sandbox, moreVars);
  const collectorConfig = join(statePath, 'notice-collector.json');
  await writeFile(collectorConfig, JSON.stringify(collector.workerConfig));
  const migration = runWrangler(
    ['d1', 'migrations', 'apply', 'DB', '--local', '--persist-to', statePath],
    root,
    'keep',
  );
  if (!(await migration.ended).succeeded) throw new Error(migration.output());

  let worker: Wrangler | undefined;
  let address = '';
  const restart = async () => {
    const flags = Object.entries(vars).flatMap(([name, value]) => ['--var', `${name}:${value}`]);
    // Any free port, and another at each start: no other checkout's worker answers in its place, and no
    // connection of Node's pool leads to the one that was killed.
    flags.push('--ip', '127.0.0.1', '--port', '0', '--inspector-port', '0', '--persist-to', statePath);
    worker = runWrangler(['dev', '-c', 'wrangler.toml', '-c', collectorConfig, ...flags], root, 'keep', {
      WRANGLER_REGISTRY_PATH: join(statePath, 'registry'),
      // It says where it answers, whatever this process keeps to itself.
      WRANGLER_LOG: 'log',
    });
    try {
      address = await addressOf(worker);
    } catch (thrown) {
      await worker.stop();
      throw thrown;
    }
  };
  await restart();

  return {
    ...createCaller(() => address, apiToken),
    notices: collector.notices,
    notice: collector.notice,
    async beginCall(path, body, more = {}) {
      const text = JSON.stringify(body);
      const length = { 'Content-Length': String(Buffer.byteLength(text)) };
      const headers = { ...apiHeaders(apiToken), ...more, ...length };
      const begun = request(address + path, { method: 'POST', headers });
      // It dies with the worker.
      begun.on('error', () => undefined);
      await new Promise<void>((resolve, reject) => {
        begun.write(text.slice(0, -1), (error) => (error ? reject(error) : resolve()));
      });
    },
    kill: async () => await worker?.kill(),
    restart,
    async close() {
      await worker?.stop();
      await tidy();
    },
  };
}

/** Where a starting worker answers, once it does: it says so itself. */
async function addressOf(worker: Wrangler): Promise<string> {
  const patience = new AbortController();
  const over = Promise.race([
    worker.ended.then(({ how }) => how),
    sleep(UP_WITHIN_MS, 'it takes too long', { signal: patience.signal }),
  ]);
  try {
    for (;;) {
      const address = /Ready on (http:\/\/127\.0\.0\.1:\d+)/.exec(worker.output())?.[1];
      if (address !== undefined) return address;
      // oxlint-disable-next-line no-await-in-loop
      const why = await Promise.race([over, sleep(50)]);
      if (why !== undefined) throw new Error(`the worker did not start (${why})\n${worker.output()}`);
    }
  } finally {
    over.catch(() => undefined);
    patience.abort();
  }
}
