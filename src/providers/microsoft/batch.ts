import * as z from 'zod';
import { fail, ok, type Outcome } from '../../domain/failure.ts';
import { askInBatches, throttleIn } from '../batches.ts';
import type { Reply } from '../http.ts';
import {
  askGraph,
  type Graph,
  graphHeaders,
  type GraphRequest,
  isPlainPath,
  readAs,
  readReply,
  sendGraph,
} from './client.ts';

/** The most that Graph takes in one batch (graph docs: json-batching). */
const MOST_PARTS = 20;

/** How many parts of one batch Graph runs at a time against one mailbox (graph docs: throttling-limits). */
const PARTS_AT_ONCE = 4;

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
 * Throttled parts, and only those, are asked again: `send` sits out a short wait, or answers
 * `throttled` for a long one.
 */
export async function askAll(graph: Graph, requests: readonly GraphRequest[]): Promise<Outcome<unknown>[]> {
  const [only] = requests;
  if (only !== undefined && requests.length === 1) return [await askGraph(graph, only)];

  return askInBatches(
    requests.map((request) =>
      isPlainPath(graph, request) ? ok(request) : fail({ kind: 'not-found', what: request.what }),
    ),
    MOST_PARTS,
    (parts) => askEnvelope(graph, parts),
  );
}

/** What each part of one batch answered, or the failure of the batch. */
async function askEnvelope(
  graph: Graph,
  parts: readonly GraphRequest[],
): Promise<Outcome<Outcome<unknown>[]>> {
  const envelope: GraphRequest = {
    method: 'POST',
    path: '/$batch',
    what: 'batch',
    writes: parts.some(({ writes }) => writes),
    body: {
      requests: parts.map((request, place) => ({
        id: String(place),
        method: request.method,
        url: request.path,
        headers: graphHeaders(request),
        ...(request.body !== undefined && { body: request.body }),
      })),
    },
  };
  const weight = Math.min(parts.length, PARTS_AT_ONCE);
  const sent = await sendGraph(
    graph,
    envelope,
    { weight, calls: parts.length },
    (reply) => readEnvelope(reply, envelope, parts),
    (answers) => throttleIn(answers.ok ? answers.value : [answers]),
  );
  return sent.ok ? sent.value : sent;
}

function readEnvelope(
  reply: Reply,
  envelope: GraphRequest,
  parts: readonly GraphRequest[],
): Outcome<Outcome<unknown>[]> {
  const answer = readAs(readReply(reply, envelope), envelopeSchema, 'batch');
  if (!answer.ok) return answer;
  return ok(
    parts.map((request, place) => {
      const own = answer.value.responses.filter((part) => part?.id === String(place));
      return readPart(own, request, reply.receivedAtMs);
    }),
  );
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
