import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { createTestHarness, unstable_readConfig, type Unstable_RawConfig, type WorkerHandle } from 'wrangler';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { generateSecrets, LOCAL_BASE_URL, LOCAL_REDIRECT_URI } from './settings.ts';

const root = new URL('../..', import.meta.url).pathname;

/** What the queue `notify-tasks` brought. */
export interface Notice {
  type: string;
  connectorId: string;
  at: string;
  taskId?: string;
  taskType?: string;
  result?: unknown;
  error?: { code: string; message: string; retryable: boolean };
}

/** The bindings that a test reaches into. */
export interface WorkerBindings {
  Q_TASKS: {
    send(message: unknown): Promise<unknown>;
    sendBatch(messages: { body: unknown }[]): Promise<unknown>;
  };
  DB: {
    prepare(statement: string): {
      bind(...values: unknown[]): {
        all(): Promise<{ results: Record<string, unknown>[] }>;
        run(): Promise<unknown>;
      };
    };
  };
  KV_OAUTH: { get(key: string): Promise<string | null> };
}

/** A request to the worker. */
export interface RequestOfTest {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** The real worker in the real local runtime, with its queues, D1, KV and Durable Objects. */
export interface Runtime {
  worker: WorkerHandle;
  bindings: WorkerBindings;
  /** Calls the HTTP API with a good token. */
  api(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ApiAnswer>;
  /** Requests anything else, as a browser that follows no redirects. */
  fetch(url: string, init?: RequestOfTest): Promise<Answer>;
  /** Calls a method of `CalendarService` from a sibling Worker: what it answered. */
  rpc(method: string, ...args: unknown[]): Promise<unknown>;
  /** Every notice so far. */
  notices: readonly Notice[];
  /** The first notice that matches, waited for. */
  notice(matches: (notice: Notice) => boolean): Promise<Notice>;
  /** Every line the worker has logged so far. */
  logs(): string[];
  close(): Promise<void>;
}

/** An HTTP answer, read to its end. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

/** An answer of the API. */
export interface ApiAnswer extends Answer {
  json: unknown;
}

/** A sibling Worker with a service binding to the worker's `CalendarService`. */
export const CALLER = {
  name: 'caller',
  main: `${root}test/calendar-service/caller.ts`,
  compatibility_date: '2026-04-01',
  services: [{ binding: 'CALENDAR', service: 'huddle-calendar-sync', entrypoint: 'CalendarService' }],
};

/** What of the worker's configuration a test may have otherwise. */
export type ConfigChange = Pick<Unstable_RawConfig, 'main' | 'queues'>;

/** The worker's configuration with all its bindings, as wrangler.toml has it but for `change`. */
function readOwnConfig(change: (own: ConfigChange) => ConfigChange) {
  const own = unstable_readConfig({ config: `${root}wrangler.toml` });
  const { name, compatibility_date, compatibility_flags, main, queues } = own;
  const { d1_databases, kv_namespaces, durable_objects, migrations, analytics_engine_datasets } = own;
  return {
    name,
    compatibility_date,
    compatibility_flags,
    d1_databases,
    kv_namespaces,
    durable_objects,
    migrations,
    analytics_engine_datasets,
    assets: { directory: `${root}src/web` },
    ...change({ queues, ...(main !== undefined && { main }) }),
  };
}

/** Starts the worker against a sandbox; `vars` override its variables, `change` its configuration. */
export async function startRuntime(
  sandbox: Pick<Sandbox, 'vars' | 'secrets'>,
  vars: Record<string, string> = {},
  change?: (own: ConfigChange) => ConfigChange,
): Promise<Runtime> {
  const secrets = { ...generateSecrets(), ...sandbox.secrets };
  const door = await openFrontDoor((request) => server.fetch(request.url, request));
  const ownVars = {
    ...sandbox.vars,
    PUBLIC_BASE_URL: vars['PUBLIC_BASE_URL'] === REACHABLE ? door.origin : LOCAL_BASE_URL,
    ALLOWED_REDIRECT_URIS: LOCAL_REDIRECT_URI,
    ...Object.fromEntries(Object.entries(vars).filter(([, value]) => value !== REACHABLE)),
  };
  const collector = await collectNotices();
  const server = createTestHarness({
    root,
    workers: [
      change === undefined
        ? { configPath: `${root}wrangler.toml`, vars: ownVars, secrets }
        : { config: { ...readOwnConfig(change), vars: { ...ownVars, ...secrets } } },
      { config: collector.workerConfig },
      { config: CALLER },
    ],
  });
  await server.listen();
  const worker = server.getWorker();
  await worker.applyD1Migrations('DB');
  const { Q_TASKS, DB, KV_OAUTH } = await worker.getEnv();
  const bindings: WorkerBindings = { Q_TASKS, DB, KV_OAUTH };

  const request: Runtime['fetch'] = async (url, init = {}) => {
    const response = await server.fetch(new URL(url, LOCAL_BASE_URL).href, { ...init, redirect: 'manual' });
    return {
      status: response.status,
      headers: new Headers([...response.headers]),
      text: await response.text(),
    };
  };
  return {
    worker,
    bindings,
    fetch: request,
    async api(method, path, body, headers = {}) {
      const response = await server.fetch(new URL(path, LOCAL_BASE_URL).href, {
        method,
        headers: {
          Authorization: `Bearer ${secrets.API_TOKENS}`,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const read = await response.text();
      const isJson = response.headers.get('Content-Type')?.includes('json') === true;
      const json: unknown = isJson ? JSON.parse(read) : undefined;
      return { status: response.status, headers: new Headers([...response.headers]), text: read, json };
    },
    async rpc(method, ...args) {
      const body = JSON.stringify({ method, args });
      return await readCall(method, await server.getWorker(CALLER.name).fetch('/', { method: 'POST', body }));
    },
    notices: collector.notices,
    notice: collector.notice,
    logs: () => server.getLogs().map(({ message }) => message),
    async close() {
      await door.close();
      await server.close();
      await collector.close();
    },
  };
}

/** What the sibling Worker's call has come to; throws when it has failed. */
export async function readCall(
  method: string,
  response: Pick<Response, 'ok' | 'status' | 'text'>,
): Promise<unknown> {
  const read = await response.text();
  if (!response.ok) throw new Error(`${method}: ${response.status} ${read}`);
  const answer: unknown = JSON.parse(read);
  return answer;
}

/** As `PUBLIC_BASE_URL`: an address of this machine at which the worker can be called, by the sandbox too. */
export const REACHABLE = 'reachable';

/** What came in at the front door. */
interface ArrivedRequest {
  url: string;
  method: string;
  headers: Record<string, string>;
  body?: string;
}

/** A loopback server that hands everything on to the worker, whose own port is known only once it runs. */
async function openFrontDoor(
  handOn: (
    request: ArrivedRequest,
  ) => Promise<{ status: number; headers: Pick<Headers, 'get'>; text(): Promise<string> }>,
) {
  const server = createServer((request, response) => {
    const relay = async () => {
      const body = await text(request);
      const headers = Object.fromEntries(
        Object.entries(request.headers).flatMap(([name, value]) =>
          typeof value === 'string' && name !== 'host' ? [[name, value]] : [],
        ),
      );
      const { method = 'GET', url = '/' } = request;
      const answer = await handOn({
        url: new URL(url, LOCAL_BASE_URL).href,
        method,
        headers,
        ...(body !== '' && { body }),
      });
      const type = answer.headers.get('Content-Type');
      response.writeHead(answer.status, type === null ? {} : { 'Content-Type': type });
      response.end(await answer.text());
    };
    relay().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** A loopback server that keeps notices, and the worker that brings them there from `notify-tasks`. */
export async function collectNotices() {
  const notices: Notice[] = [];
  const waiting: { matches: (notice: Notice) => boolean; resolve: (notice: Notice) => void }[] = [];
  const server = createServer((request, response) => {
    const take = async () => {
      const arrived: Notice[] = JSON.parse(await text(request));
      for (const notice of arrived) {
        notices.push(notice);
        for (const { matches, resolve } of waiting) if (matches(notice)) resolve(notice);
      }
      response.end();
    };
    // A worker that is killed as it tells takes the rest along.
    take().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    /** The wrangler configuration of that worker. */
    workerConfig: {
      name: 'notice-collector',
      main: `${root}test/local/notice-collector.ts`,
      compatibility_date: '2026-04-01',
      vars: { COLLECTOR_URL: `http://127.0.0.1:${port}/` },
      queues: { consumers: [{ queue: 'notify-tasks', max_batch_size: 10, max_batch_timeout: 0 }] },
    },
    notices,
    notice: (matches: (notice: Notice) => boolean): Promise<Notice> => {
      const there = notices.find(matches);
      if (there !== undefined) return Promise.resolve(there);
      return new Promise((resolve) => {
        waiting.push({ matches, resolve });
      });
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
      }),
  };
}
