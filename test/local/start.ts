import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts';
import { seedWorld } from '../sandbox/seed.ts';
import { keepDevVars } from './dev-vars.ts';
import { freePort } from './free-port.ts';
import { generateSecrets } from './settings.ts';
import { runWrangler, type Wrangler } from './wrangler.ts';

const USAGE = `npm start [-- OPTIONS]: the worker with a sandbox of Google and Microsoft, for a person with a browser.

  --port PORT             of the worker and its console (8787)
  --google-port PORT      of the sandbox's Google (4010)
  --microsoft-port PORT   of the sandbox's Microsoft (4020)
  --verbose               show everything that the worker logs

A port that is taken is replaced by a free one. Secrets are made on the first start and kept in .dev.vars.
Connectors are forgotten at the end, as the sandbox forgets its people's accounts and consents.
`;

const root = fileURLToPath(new URL('../..', import.meta.url));
const devVarsPath = `${root}.dev.vars`;
/** The longest that the worker may take to answer for the first time. */
const UP_WITHIN_MS = 60_000;

/** What ends the start with a message and no stack. */
class StartProblem extends Error {}

/** Everything that has to be closed at the end, last first. */
const opened: (() => Promise<void>)[] = [];
let closing: Promise<void> | undefined;
const stop = new AbortController();

function close(): Promise<void> {
  stop.abort();
  closing ??= (async () => {
    for (const end of opened.toReversed()) await end();
  })();
  return closing;
}

/** Brings everything up. Returns when it is stopped; throws when something of it ends by itself. */
async function start(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return;
  say('Starting the sandbox and the worker …');
  const statePath = await openState();
  const port = await freePort(options.port);
  const baseUrl = `http://localhost:${port}`;
  const sandbox = await openSandbox(baseUrl, options);
  const secrets = await keepDevVars(devVarsPath, {
    ...generateSecrets(),
    GOOGLE_CLIENT_SECRET: sandbox.clients.google.secret,
    MICROSOFT_CLIENT_SECRET: sandbox.clients.microsoft.secret,
  });
  sandbox.clients.google.secret = secrets.GOOGLE_CLIENT_SECRET;
  sandbox.clients.microsoft.secret = secrets.MICROSOFT_CLIENT_SECRET;

  await migrate(statePath);
  const vars = {
    ...sandbox.vars,
    PUBLIC_BASE_URL: baseUrl,
    // The console sends people back to where they opened it, by either name of this machine.
    ALLOWED_REDIRECT_URIS: `${baseUrl}/,http://127.0.0.1:${port}/`,
  };
  const flags = Object.entries(vars).flatMap(([name, value]) => ['--var', `${name}:${value}`]);
  flags.push('--ip', '127.0.0.1', '--port', String(port), '--persist-to', statePath);
  flags.push('--show-interactive-dev-session=false', '--log-level', options.verbose ? 'log' : 'error');
  const worker = open(['dev', ...flags]);
  await untilUp(worker, `http://127.0.0.1:${port}/healthz`);
  if (stop.signal.aborted) return;
  say(describe(baseUrl, sandbox, secrets.API_TOKENS));
  if (port !== options.port)
    say(`Something else listens on port ${options.port}: what answers there is not this worker.\n`);

  const { how } = await worker.ended;
  if (!stop.signal.aborted) throw new StartProblem(`The worker has ended by itself (wrangler: ${how}).`);
}

/**
 * The worker's state of this start alone. The accounts of the sandbox are new each time, so an older
 * connector could never be connected again; and the state of a plain `wrangler dev` may be real.
 */
async function openState(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'calendar-sync-'));
  opened.push(() => rm(path, { recursive: true, force: true, maxRetries: 3 }));
  return path;
}

async function openSandbox(
  baseUrl: string,
  ports: { googlePort: number; microsoftPort: number },
): Promise<Sandbox> {
  const callbacks = ['google/callback', 'microsoft/callback', 'microsoft/admin-consent/callback'];
  const sandbox = await startSandbox({
    googlePort: await freePort(ports.googlePort),
    microsoftPort: await freePort(ports.microsoftPort),
    redirectUris: callbacks.map((path) => `${baseUrl}/oauth/${path}`),
  });
  opened.push(() => sandbox.close());
  seedWorld(sandbox);
  return sandbox;
}

async function migrate(statePath: string): Promise<void> {
  const migration = runWrangler(
    ['d1', 'migrations', 'apply', 'DB', '--local', '--persist-to', statePath],
    root,
    'keep',
  );
  opened.push(() => migration.stop());
  const { succeeded, how } = await migration.ended;
  if (succeeded || stop.signal.aborted) return;
  throw new StartProblem(`The database could not be prepared (wrangler: ${how}).\n\n${migration.output()}`);
}

/** Starts the worker unless everything is being closed already. */
function open(args: string[]): Wrangler {
  if (stop.signal.aborted) throw new StartProblem('Stopped.');
  const worker = runWrangler(args, root, 'show');
  opened.push(() => worker.stop());
  return worker;
}

async function untilUp(worker: Wrangler, healthUrl: string): Promise<void> {
  const giveUpAtMs = Date.now() + UP_WITHIN_MS;
  while (!stop.signal.aborted) {
    const answer = await ask(healthUrl);
    if (answer?.ok === true) return;
    if (answer !== undefined) throw new StartProblem(`The worker is up but not well: ${answer.text}`);
    const end = await Promise.race([worker.ended, sleep(150)]);
    if (end !== undefined) throw new StartProblem(`The worker did not start (wrangler: ${end.how}).`);
    if (Date.now() > giveUpAtMs)
      throw new StartProblem('The worker did not answer within a minute. Try npm start -- --verbose.');
  }
}

/** The answer of an address; undefined while nobody listens there. */
async function ask(url: string): Promise<{ ok: boolean; text: string } | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    return { ok: answer.ok, text: await answer.text() };
  } catch {
    return undefined;
  }
}

function describe(baseUrl: string, sandbox: Sandbox, tokens: string): string {
  const accounts = (provider: string): string =>
    sandbox.people
      .all()
      .filter((person) => person.provider === provider)
      .map(({ email }) => email)
      .join(', ');
  return `
Calendar sync is up, with a sandbox in the place of Google and Microsoft.

  Console    ${baseUrl}/
  API token  ${tokens.split(',')[0]?.trim()}
  Sandbox    ${sandbox.googleUrl}/sandbox/   people, events, and what the providers saw

Open the console, paste the token and connect an account:
  Google     ${accounts('google')}
  Microsoft  ${accounts('microsoft')}

Ctrl-C stops everything. What was connected is forgotten then, here and in the sandbox;
the API token stays the same.
`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '8787' },
        'google-port': { type: 'string', default: '4010' },
        'microsoft-port': { type: 'string', default: '4020' },
        verbose: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (!values.help) {
      return {
        port: portOf(values.port),
        googlePort: portOf(values['google-port']),
        microsoftPort: portOf(values['microsoft-port']),
        verbose: values.verbose,
      };
    }
    say(USAGE);
    return undefined;
  } catch (thrown) {
    throw new StartProblem(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${USAGE}`);
  }
}

function portOf(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`Not a port: ${text}`);
  return port;
}

function stopAndExit(): void {
  // Whoever asks a second time does not want to wait; the exit kills what is left.
  if (stop.signal.aborted) process.exit(1);
  say('\nStopping …');
  void close().then(() => process.exit(0));
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stopAndExit);

// A npm that is ended takes its shell with it and tells nobody else.
if (process.env['npm_lifecycle_event'] !== undefined) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    stopAndExit();
  }, 500);
  watch.unref();
}

try {
  await start();
  await close();
} catch (thrown) {
  if (!stop.signal.aborted) {
    process.exitCode = 1;
    const shown = thrown instanceof Error && !(thrown instanceof StartProblem) ? thrown.stack : thrown;
    process.stderr.write(`\n${shown instanceof Error ? shown.message : String(shown)}\n`);
  }
  await close();
}
