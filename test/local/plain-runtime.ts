import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { unstable_getMiniflareWorkerOptions, unstable_splitSqlQuery } from 'wrangler';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { createCaller } from './caller.ts';
import { prepare } from './preparation.ts';
import { CALLER, readCall, type Runtime } from './runtime.ts';
import { runWrangler } from './wrangler.ts';

const root = new URL('../..', import.meta.url).pathname;
const NAME = 'huddle-calendar-sync';
const LOOPBACK = { host: '127.0.0.1', port: 0 };

/** The worker by itself in the local runtime. */
export interface PlainRuntime extends Pick<Runtime, 'api' | 'fetch' | 'rpc' | 'notices' | 'notice'> {
  close(): Promise<void>;
}

/**
 * Starts the worker as it is deployed in a process of the local runtime, called at its own socket: without what
 * `wrangler dev` puts in front of it and traces of it, which takes as long as the worker itself. On a fresh state,
 * with a second worker that collects its notices, and a sibling that calls its `CalendarService`.
 */
export async function startPlainRuntime(
  sandbox: Pick<Sandbox, 'vars' | 'secrets'>,
  moreVars: Record<string, string> = {},
): Promise<PlainRuntime> {
  const { statePath, collector, apiToken, vars, tidy } = await prepare(sandbox, moreVars);
  const written = async (config: { name: string }) => {
    const file = join(statePath, `${config.name}.json`);
    await writeFile(file, JSON.stringify(config));
    return await build(file, join(statePath, config.name));
  };
  const [worker, second, sibling] = await Promise.all([
    build(join(root, 'wrangler.toml'), join(statePath, NAME)),
    written(collector.workerConfig),
    written(CALLER),
  ]);
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      ...LOOPBACK,
      defaultPersistRoot: statePath,
      // One line for each task: they are not what is looked at here.
      handleStructuredLogs: () => undefined,
      workers: [
        { ...worker, name: NAME, bindings: vars, unsafeDirectSockets: [LOOPBACK] },
        { ...second, name: collector.workerConfig.name },
        { ...sibling, name: CALLER.name, unsafeDirectSockets: [LOOPBACK] },
      ],
    }),
  );
  await runtime.ready;
  await migrate(runtime);
  const { origin } = await runtime.unsafeGetDirectURL(NAME);
  const caller = await runtime.unsafeGetDirectURL(CALLER.name);
  return {
    ...createCaller(() => origin, apiToken),
    async rpc(method, ...args) {
      return await readCall(
        method,
        await fetch(caller, { method: 'POST', body: JSON.stringify({ method, args }) }),
      );
    },
    notices: collector.notices,
    notice: collector.notice,
    async close() {
      await runtime.dispose();
      await tidy();
    },
  };
}

/** Bundles a worker as a deployment does, into `directory`; with its bindings. */
async function build(config: string, directory: string) {
  const bundling = runWrangler(['deploy', '--dry-run', '-c', config, '--outdir', directory], root, 'keep');
  if (!(await bundling.ended).succeeded) throw new Error(bundling.output());
  const script = (await readdir(directory)).find((file) => file.endsWith('.js'));
  if (script === undefined) throw new Error(`no script in ${directory}`);
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config);
  return {
    ...workerOptions,
    modulesRoot: directory,
    modules: [{ type: 'ESModule' as const, path: join(directory, script) }],
  };
}

async function migrate(runtime: Miniflare): Promise<void> {
  const database = await runtime.getD1Database('DB', NAME);
  const files = (await readdir(join(root, 'migrations'))).toSorted();
  for (const file of files) {
    const statements = unstable_splitSqlQuery(await readFile(join(root, 'migrations', file), 'utf8'));
    for (const statement of statements) await database.prepare(statement).run();
  }
}
