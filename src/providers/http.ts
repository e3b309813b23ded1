import { readBounded } from '../bounded-text.ts';
import { fail, ok, type Outcome } from '../domain/failure.ts';

/** A request to a provider. */
export interface OutgoingRequest {
  method: string;
  url: string;
  headers?: Record<string, string>;
  body?: string;
  /** How many calls it amounts to at the provider: a batch runs several of its parts at once. Default 1. */
  weight?: number;
  /** As how many calls the provider counts it toward its quotas: a batch counts as all its parts. Default 1. */
  calls?: number;
}

/** A provider's reply, read to its end. `receivedAtMs` is what its relative waits count from. */
export interface Reply {
  status: number;
  headers: Headers;
  body: string;
  receivedAtMs: number;
}

/**
 * Sends one request and reads the whole reply. Any HTTP status is a reply; a failure is
 * `unavailable` (network, time-out), `malformed` (larger than the cap), `throttled` (a wait that is
 * too long to sit out stands before it) or `rejected` (it is no request that could be sent at all).
 */
export type Send = (request: OutgoingRequest) => Promise<Outcome<Reply>>;

/** The standard `fetch`, as a parameter. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What a `Send` is made of. */
export interface HttpOptions {
  fetch: Fetch;
  now: () => number;
  timeoutMs: number;
  /** The largest reply body that is read, in bytes. */
  maxBodyBytes: number;
}

/** A `Send` with a time-out, a size cap and no redirects: a 3xx is a reply like any other, so no token follows one. */
export function createSend({ fetch, now, timeoutMs, maxBodyBytes }: HttpOptions): Send {
  return async ({ method, url, headers = {}, body }) => {
    if (!isSendable({ method, url, headers, ...(body !== undefined && { body }) }))
      return fail({ kind: 'rejected', status: 400, code: 'invalid_request' });
    // Covers the body too: a reply that never ends is a time-out like any other. Not AbortSignal.timeout:
    // its timer would outlive the call and keep the object that made it in memory until it fires.
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), timeoutMs);
    const { signal } = controller;
    try {
      const response = await fetch(url, {
        method,
        headers,
        redirect: 'manual',
        signal,
        ...(body !== undefined && { body }),
      });
      const read = await readBounded(response, maxBodyBytes, signal);
      if (read === undefined)
        return fail({ kind: 'malformed', at: `body of more than ${maxBodyBytes} bytes`, isTooLarge: true });
      return ok({ status: response.status, headers: response.headers, body: read, receivedAtMs: now() });
    } catch {
      return fail({ kind: 'unavailable', ambiguous: method !== 'GET' });
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Whether fetch would take this at all: its own refusal could not be told from a lost connection. */
function isSendable({ url, ...init }: OutgoingRequest): boolean {
  try {
    const { protocol } = new URL(new Request(url, init).url);
    return protocol === 'https:' || protocol === 'http:';
  } catch {
    return false;
  }
}

/** No provider means more than a year; what is beyond would not even be a date. */
const LONGEST_WAIT_MS = 366 * 24 * 60 * 60 * 1000;

/**
 * The instant before which the provider asks not to be called again (RFC 9110 §10.2.3: seconds or a
 * date), epoch milliseconds, at most a year ahead; undefined when it names none that can be read.
 */
export function readRetryAfter(headers: Headers, nowMs: number): number | undefined {
  const value = headers.get('Retry-After')?.trim();
  if (value === undefined || value === '') return undefined;
  const latest = nowMs + LONGEST_WAIT_MS;
  if (/^\d+(\.\d+)?$/.test(value)) return Math.min(nowMs + Math.ceil(Number(value) * 1000), latest);
  const date = Date.parse(value);
  // A date has whole seconds: count to the end of the named one, so as never to be early.
  return Number.isNaN(date) ? undefined : Math.min(date + 999, latest);
}

/** Parses a JSON body; `malformed` names `what` could not be read. */
export function readJson(body: string, what: string): Outcome<unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return ok(value);
  } catch {
    return fail({ kind: 'malformed', at: what });
  }
}

/**
 * `send` in the shape of the standard fetch, for libraries that take one. A failure is thrown as
 * `SendFailed`, to be caught where the library is called.
 */
export function fetchThrough(send: Send): (url: string, init?: RequestInit) => Promise<Response> {
  return async (url, init) => {
    const request = new Request(url, init);
    // Not `text()`: the runtime warns of that for a form.
    const text = new TextDecoder().decode(await request.arrayBuffer());
    const sent = await send({
      method: request.method,
      url,
      headers: Object.fromEntries(request.headers),
      ...(text !== '' && { body: text }),
    });
    if (!sent.ok) throw new SendFailed(sent);
    const { status, headers, body } = sent.value;
    return new Response(body === '' ? null : body, { status, headers });
  };
}

/** Carries a failure of `send` through a library that only knows exceptions. */
export class SendFailed extends Error {
  readonly outcome: ReturnType<typeof fail>;
  constructor(outcome: ReturnType<typeof fail>) {
    super(outcome.failure.kind);
    this.outcome = outcome;
  }
}
