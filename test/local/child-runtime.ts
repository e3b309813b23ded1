import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { freePort } from './free-port.ts';
import type { ApiAnswer, Runtime } from './runtime.ts';
import { generateSecrets, LOCAL_REDIRECT_URI } from './settings.ts';
import { runWrangler, type Wrangler } from './wrangler.ts';

const root = new URL('../..', import.meta.url).pathname;
const UP_WITHIN_MS = 60_000;

/** The worker as a process of its own, whose state outlives it: to be killed and started again. */
export interface ChildRuntime extends Pick<Runtime, 'api' | 'fetch'> {
  /** Kills it at once, with whatever it is doing. */
  kill(): Promise<void>;
  /** Starts it again on the state that is there. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Starts the worker with `wrangler dev` on a fresh state. */
export async function startChildRuntime(sandbox: Sandbox): Promise<ChildRuntime> {
  const statePath = await mkdtemp(join(tmpdir(), 'calendar-sync-'));
  const port = await freePort(8_797);
  const baseUrl = `http://localhost:${port}`;
  const address = `http://127.0.0.1:${port}`;
  const generated = generateSecrets();
  const vars = {
    ...sandbox.vars,
    ...sandbox.secrets,
    ...generated,
    PUBLIC_BASE_URL: baseUrl,
    ALLOWED_REDIRECT_URIS: LOCAL_REDIRECT_URI,
  };
  const migration = runWrangler(
    ['d1', 'migrations', 'apply', 'DB', '--local', '--persist-to', statePath],
    root,
    'keep',
  );
  if (!(await migration.ended).succeeded) throw new Error(migration.output());

  let worker: Wrangler | undefined;
  const start = async () => {
    const flags = Object.entries(vars).flatMap(([name, value]) => ['--var', `${name}:${value}`]);
    worker = runWrangler(
      ['dev', ...flags, '--ip', '127.0.0.1', '--port', String(port), '--persist-to', statePath],
      root,
      'keep',
    );
    const giveUpAtMs = Date.now() + UP_WITHIN_MS;
    while (Date.now() < giveUpAtMs) {
      try {
        const answer = await fetch(`${address}/healthz`);
        await answer.text();
        if (answer.ok) return;
      } catch {
        // Not listening yet.
      }
      await sleep(100);
    }
    throw new Error(`the worker did not start\n${worker.output()}`);
  };
  await start();

  const request: Runtime['fetch'] = async (url, init = {}) => {
    const { pathname, search } = new URL(url, baseUrl);
    const response = await fetch(address + pathname + search, { ...init, redirect: 'manual' });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return {
    fetch: request,
    async api(method, path, body, headers = {}): Promise<ApiAnswer> {
      const response = await fetch(new URL(path, address), {
        method,
        headers: {
          Authorization: `Bearer ${generated.API_TOKENS}`,
          'Content-Type': 'application/json',
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const read = await response.text();
      const json: unknown = read.startsWith('{') ? JSON.parse(read) : undefined;
      return { status: response.status, headers: response.headers, text: read, json };
    },
    kill: async () => await worker?.kill(),
    restart: start,
    async close() {
      await worker?.stop();
      await rm(statePath, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
