import * as z from 'zod';
import { fail, type Outcome } from '../../domain/failure.ts';
import {
  askGraph,
  type Graph,
  graphHeaders,
  type GraphRequest,
  isPlainPath,
  readAs,
  readReply,
} from './client.ts';

/** The most that Graph takes in one batch (graph docs: json-batching). */
const MOST_PARTS = 20;

/** How many parts of one batch Graph runs at a time against one mailbox (graph docs: throttling-limits). */
const PARTS_AT_ONCE = 4;

/** How often throttled parts are asked again before their throttle is the answer. */
const MORE_ROUNDS = 2;

const partSchema = z.object({
  id: z.coerce.string(),
  status: z.int(),
  headers: z.record(z.string(), z.coerce.string()).nullish(),
  body: z.unknown().optional(),
});
// An unreadable part counts as missing: the others are still good.
const envelopeSchema = z.object({ responses: z.array(partSchema.nullable().catch(null)) });
type Part = z.infer<typeof partSchema>;

/**
 * Asks all of these: one as it is, several in as few batches as they fit in. The answers come in the
 * order of the requests, each judged by itself; a batch that fails as a whole fails each part alike.
 * Throttled parts, and only those, are asked again: the throttle is reported first, so that `send`
 * sits out a short wait, or answers `throttled` for a long one.
 */
export async function askAll(graph: Graph, requests: readonly GraphRequest[]): Promise<Outcome<unknown>[]> {
  const [only] = requests;
  if (only !== undefined && requests.length === 1) return [await askGraph(graph, only)];

  const answers = requests.map((request): Outcome<unknown> =>
    isPlainPath(graph, request)
      ? fail({ kind: 'malformed', at: `batch: ${request.what}` })
      : fail({ kind: 'not-found', what: request.what }),
  );
  let open = [...requests.entries()].filter(([, request]) => isPlainPath(graph, request));
  for (let round = 0; open.length > 0; round++) {
    const envelopes = splitInto(open, MOST_PARTS);
    const asked = await Promise.all(envelopes.map((parts) => askEnvelope(graph, parts)));
    for (const [index, answer] of asked.flatMap(({ parts }) => [...parts])) answers[index] = answer;
    const throttled = new Set(asked.flatMap((envelope) => envelope.throttled));
    if (throttled.size === 0 || round === MORE_ROUNDS) return answers;
    open = open.filter(([index]) => throttled.has(index));
  }
  return answers;
}

/** What one batch brought, by the position of the request. `throttled`: the parts worth asking again. */
interface EnvelopeAnswer {
  parts: Map<number, Outcome<unknown>>;
  throttled: number[];
}

async function askEnvelope(graph: Graph, parts: [number, GraphRequest][]): Promise<EnvelopeAnswer> {
  const envelope: GraphRequest = {
    method: 'POST',
    path: '/$batch',
    what: 'batch',
    writes: parts.some(([, request]) => request.writes),
    body: {
      requests: parts.map(([index, request]) => ({
        id: String(index),
        method: request.method,
        url: request.path,
        headers: graphHeaders(request),
        ...(request.body !== undefined && { body: request.body }),
      })),
    },
  };
  const weight = Math.min(parts.length, PARTS_AT_ONCE);
  const answer = readAs(await askGraph(graph, envelope, { weight }), envelopeSchema, 'batch');
  if (!answer.ok) return { parts: new Map(parts.map(([index]) => [index, answer])), throttled: [] };

  const { access } = graph;
  const receivedAtMs = access.now();
  const read = new Map(
    parts.map(([index, request]) => {
      const own = answer.value.responses.filter((part) => part?.id === String(index));
      return [index, readPart(own, request, receivedAtMs)];
    }),
  );
  const throttled = [...read].flatMap(([index, outcome]) =>
    !outcome.ok && outcome.failure.kind === 'throttled'
      ? [{ index, retryAtMs: outcome.failure.retryAtMs ?? 0 }]
      : [],
  );
  if (throttled.length > 0) {
    const retryAtMs = Math.max(...throttled.map((part) => part.retryAtMs));
    access.holdBack(retryAtMs === 0 ? {} : { retryAtMs });
  }
  return { parts: read, throttled: throttled.map(({ index }) => index) };
}

/** What one part of a batch answered. No part, or two of the same id, answer nothing. */
function readPart(parts: (Part | null)[], request: GraphRequest, receivedAtMs: number): Outcome<unknown> {
  const [part] = parts;
  if (part === undefined || part === null || parts.length > 1) {
    return fail({ kind: 'malformed', at: `batch: ${request.what}` });
  }
  const { status, headers, body } = part;
  return readReply(
    {
      status,
      headers: readHeaders(headers ?? {}),
      body: body === undefined || body === null ? '' : JSON.stringify(body),
      receivedAtMs,
    },
    request,
  );
}

function readHeaders(record: Record<string, string>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(record)) {
    // Anything else would throw; and no header that is read here holds anything else.
    if (/^[A-Za-z0-9-]+$/.test(name) && /^[\x20-\x7e]*$/.test(value)) headers.set(name, value);
  }
  return headers;
}

/** The same items in order, in groups of at most `most`. */
export function splitInto<T>(items: readonly T[], most: number): T[][] {
  const groups: T[][] = [];
  for (let from = 0; from < items.length; from += most) groups.push(items.slice(from, from + most));
  return groups;
}
