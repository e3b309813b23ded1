import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { CONNECTION_LOST } from './exchange.ts';
import type { Answer, Ask, Outcome } from './exchange.ts';

/** A listening origin. */
export interface Listener {
  readonly url: string;
  close(): Promise<void>;
}

// More than any request either provider would take; what is larger is cut off with 413.
const BODY_CAP_BYTES = 8 * 1024 * 1024;

/** Serves `answer` over HTTP on `host:port` (port 0: any free one). Failures inside become a bare 500. */
export async function listen(
  host: string,
  port: number,
  now: () => number,
  answer: (ask: Ask) => Promise<Outcome>,
): Promise<Listener> {
  const closing = new AbortController();
  const server = createServer({ keepAliveTimeout: 30_000 }, (request, response) => {
    void serve(request, response, now, closing.signal, answer);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const bound = portOf(server);
  return {
    url: `http://${host}:${String(bound)}`,
    async close() {
      closing.abort();
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      });
    },
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  now: () => number,
  closing: AbortSignal,
  answer: (ask: Ask) => Promise<Outcome>,
): Promise<void> {
  const gone = new AbortController();
  const hangUp = (): void => {
    gone.abort();
  };
  response.once('close', hangUp);
  closing.addEventListener('abort', hangUp);
  const arrivedAtMs = now();
  try {
    const body = await readBody(request);
    if (body === undefined) {
      write(response, { status: 413, body: 'Request Entity Too Large' });
      return;
    }
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers)) {
      for (const one of Array.isArray(value) ? value : [value])
        if (one !== undefined) headers.append(name, one);
    }
    const url = new URL(`http://${request.headers.host ?? '127.0.0.1'}${request.url ?? '/'}`);
    const method = request.method ?? 'GET';
    const outcome = await answer({
      method,
      url,
      headers,
      body,
      arrivedAtMs,
      inBatch: false,
      clientGone: gone.signal,
      closing,
    });
    if (outcome === CONNECTION_LOST) request.socket.destroy();
    else write(response, outcome);
  } catch (thrown) {
    // A defect of the sandbox must show in the tests' output, not look like a provider's bad day.
    if (!gone.signal.aborted) process.stderr.write(`sandbox defect: ${describe(thrown)}\n`);
    if (!response.headersSent) write(response, { status: 500, body: 'sandbox defect' });
  } finally {
    closing.removeEventListener('abort', hangUp);
  }
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size > BODY_CAP_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function write(response: ServerResponse, answer: Answer): void {
  if (response.destroyed) return;
  if (answer.status === 204) {
    // No content has no length either.
    response.writeHead(204, answer.headers);
    response.end();
    return;
  }
  const body = Buffer.from(answer.body ?? '', 'utf8');
  response.writeHead(answer.status, { ...answer.headers, 'content-length': String(body.length) });
  response.end(body);
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server is not on a TCP port');
  return address.port;
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
