import type * as z from 'zod';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { sendAndRead, throttleIn } from '../batches.ts';
import { type OutgoingRequest, readJson, type Reply } from '../http.ts';
import type { Access, Throttle } from '../provider.ts';
import { type FailedRequest, readFailure } from './failure.ts';

/** Graph as one operation reaches it. */
export interface Graph {
  graphUrl: string;
  access: Access;
}

/** One request to Graph v1.0. */
export interface GraphRequest extends FailedRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/v1.0`, beginning with a slash: made by `graphPath`, or checked by `ownPath`. */
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  /** The only version (its etag) to act upon: Graph answers 412 where there is another by now. */
  ifMatch?: string;
  /** Preferences beyond those that every request states (RFC 7240). */
  prefer?: readonly string[];
}

/** A path below `/v1.0`: every segment and query value encoded, the names of query parameters as given. */
export function graphPath(segments: readonly string[], query: Record<string, string> = {}): string {
  const path = segments.map((segment) => `/${encodeURIComponent(segment)}`).join('');
  const search = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return search.length === 0 ? path : `${path}?${search.join('&')}`;
}

/**
 * The path of a link that Graph handed out; undefined when it leads anywhere but to Graph v1.0 itself,
 * where no token of ours may go.
 */
export function ownPath({ graphUrl }: Graph, link: string): string | undefined {
  if (!URL.canParse(link)) return undefined;
  const { href } = new URL(link);
  const base = versionUrl(graphUrl);
  // Compared as parsed, so that no `..`, backslash or user info hides another place.
  return href.startsWith(`${base}/`) ? href.slice(base.length) : undefined;
}

/**
 * The headers that each request needs, inside a batch too: ids that survive a move to another folder,
 * and times in UTC.
 */
export function graphHeaders({ body, ifMatch, prefer = [] }: GraphRequest): Record<string, string> {
  return {
    Prefer: ['IdType="ImmutableId"', 'outlook.timezone="UTC"', ...prefer].join(', '),
    ...(body !== undefined && { 'Content-Type': 'application/json' }),
    ...(ifMatch !== undefined && { 'If-Match': ifMatch }),
  };
}

/**
 * Whether the URL parser would leave the path as it is. An id such as `..` would climb out of its
 * segment, however it is encoded; there is nothing that has it.
 */
export function isPlainPath({ graphUrl }: Graph, { path }: GraphRequest): boolean {
  const written = `${versionUrl(graphUrl)}${path}`;
  return new URL(written).href.split('?', 1)[0] === written.split('?', 1)[0];
}

function versionUrl(graphUrl: string): string {
  return `${new URL(graphUrl).href.replace(/\/$/, '')}/v1.0`;
}

/** Sends one request: the JSON of a 2xx (undefined for an empty one), else the failure, told by `readFailure`. */
export async function askGraph(graph: Graph, request: GraphRequest): Promise<Outcome<unknown>> {
  const sent = await sendGraph(
    graph,
    request,
    {},
    (reply) => readReply(reply, request),
    (answer) => throttleIn([answer]),
  );
  return sent.ok ? sent.value : sent;
}

/** Sends one request, of which `load` says what it amounts to; `read` and `readThrottle` as for `sendAndRead`. */
export async function sendGraph<T>(
  graph: Graph,
  request: GraphRequest,
  load: Pick<OutgoingRequest, 'weight' | 'calls'>,
  read: (reply: Reply) => T,
  readThrottle: (answer: T) => Throttle | undefined,
): Promise<Outcome<T>> {
  if (!isPlainPath(graph, request)) return fail({ kind: 'not-found', what: request.what });
  const { access, graphUrl } = graph;
  const sent = await sendAndRead(
    access,
    {
      method: request.method,
      url: `${versionUrl(graphUrl)}${request.path}`,
      headers: { Authorization: `Bearer ${access.accessToken}`, ...graphHeaders(request) },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
      ...load,
    },
    read,
    readThrottle,
  );
  // The verb alone does not say whether something may have changed: some reads are POSTs.
  return !sent.ok && sent.failure.kind === 'unavailable'
    ? fail({ ...sent.failure, ambiguous: sent.failure.ambiguous && request.writes })
    : sent;
}

/** The JSON of a reply, or of a part of a batch: undefined for an empty body, a failure for anything but 2xx. */
export function readReply(reply: Reply, request: GraphRequest): Outcome<unknown> {
  if (reply.status < 200 || reply.status >= 300) return fail(readFailure(reply, request));
  return reply.body === '' ? ok(undefined) : readJson(reply.body, request.what);
}

/** What Graph answered, as `schema` promises it; `malformed` names `what` and the place in it. */
export function readAs<T>(answer: Outcome<unknown>, schema: z.ZodType<T>, what: string): Outcome<T> {
  if (!answer.ok) return answer;
  const read = schema.safeParse(answer.value);
  if (read.success) return ok(read.data);
  return fail({ kind: 'malformed', at: [what, ...(read.error.issues[0]?.path ?? [])].join('.') });
}
