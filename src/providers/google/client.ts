import type * as z from 'zod';
import { type Failure, fail, ok, type Outcome } from '../../domain/failure.ts';
import { askInBatches, sendAndRead, throttleIn } from '../batches.ts';
import { readJson, type Reply } from '../http.ts';
import type { Access } from '../provider.ts';
import { type BatchPart, readBatch, writeBatch } from './batch.ts';
import { type FailedCall, readFailure } from './failure.ts';

/** One call of Calendar v3. */
export interface ApiCall extends FailedCall {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Segments below `/calendar/v3`, not encoded. */
  path: readonly string[];
  query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body?: unknown;
  /** An etag: the call is only carried out on that version, else it fails with `changed`. */
  ifMatch?: string;
}

/** Google takes a thousand; smaller envelopes lose less when one fails. */
const MAX_PARTS = 50;
/** How many parts of one batch Google is taken to run at the same time. */
const MAX_WEIGHT = 4;

/**
 * Makes one call and reads its JSON with `schema` (an empty body reads as undefined). Nothing is
 * retried. Fails with what `readFailure` and `send` tell, and with `malformed` naming the place where the reply leaves its schema.
 *
 * @param apiUrl the origin of Google's APIs, such as https://www.googleapis.com
 */
export async function callApi<T>(
  apiUrl: string,
  access: Access,
  call: ApiCall,
  schema: z.ZodType<T>,
): Promise<Outcome<T>> {
  const part = toPart(call);
  if (!part.ok) return part;
  const { method, path, body, ifMatch } = part.value;
  const sent = await sendAndRead(
    access,
    {
      method,
      url: under(apiUrl, path),
      headers: {
        Authorization: `Bearer ${access.accessToken}`,
        ...(ifMatch !== undefined && { 'If-Match': ifMatch }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body }),
    },
    (reply) => readReply(reply, call, schema),
    (outcome) => throttleIn([outcome]),
  );
  return sent.ok ? sent.value : fail(asMetBy(call, sent.failure));
}

/**
 * Makes many calls in multipart batches of at most 50, all sent at once; each call has its own
 * outcome, at its own place. A batch that fails as a whole fails each of its calls alike. Calls that
 * were throttled are asked again, up to twice, and only they: `send` sits out a wait that is short,
 * and answers `throttled` when it is long. Source: Calendar API guide "Sending batch requests".
 */
export async function callApiInBatch<T>(
  apiUrl: string,
  access: Access,
  calls: readonly ApiCall[],
  schema: z.ZodType<T>,
): Promise<Outcome<T>[]> {
  const outcomes = await askInBatches(
    calls.map((call): Outcome<Asked> => {
      const part = toPart(call);
      return part.ok ? ok({ call, part: part.value }) : part;
    }),
    MAX_PARTS,
    (asked) => sendEnvelope(apiUrl, access, asked, schema),
  );
  return outcomes.map((outcome, index) => {
    const call = calls[index];
    return outcome.ok || call === undefined ? outcome : fail(asMetBy(call, outcome.failure));
  });
}

/** A call on its way in a batch. */
interface Asked {
  call: ApiCall;
  part: BatchPart;
}

/** What each call of one envelope answered, or the failure of the envelope. */
async function sendEnvelope<T>(
  apiUrl: string,
  access: Access,
  asked: readonly Asked[],
  schema: z.ZodType<T>,
): Promise<Outcome<Outcome<T>[]>> {
  const { contentType, body } = writeBatch(asked.map(({ part }) => part));
  const sent = await sendAndRead(
    access,
    {
      method: 'POST',
      url: under(apiUrl, '/batch/calendar/v3'),
      headers: { Authorization: `Bearer ${access.accessToken}`, 'Content-Type': contentType },
      body,
      weight: Math.min(asked.length, MAX_WEIGHT),
      calls: asked.length,
    },
    (reply) => readEnvelope(reply, asked, schema),
    (answers) => throttleIn(answers.ok ? answers.value : [answers]),
  );
  return sent.ok ? sent.value : sent;
}

function readEnvelope<T>(
  envelope: Reply,
  asked: readonly Asked[],
  schema: z.ZodType<T>,
): Outcome<Outcome<T>[]> {
  if (!isSuccess(envelope)) return fail(readFailure(envelope, { what: 'batch', writes: true }));
  const replies = readBatch(envelope, asked.length);
  return ok(
    asked.map(({ call }, place) => {
      const reply = replies[place] ?? fail({ kind: 'malformed', at: `batch part ${place}` });
      return reply.ok ? readReply(reply.value, call, schema) : reply;
    }),
  );
}

/** The request as method, path and JSON; `rejected` when a segment or an etag could not be one at all. */
function toPart({ method, path, query, body, ifMatch }: ApiCall): Outcome<BatchPart> {
  // A URL parser reads dots as a way up, encoded or not, and an encoder throws at half a character.
  if (path.some((segment) => ['', '.', '..'].includes(segment) || !segment.isWellFormed()))
    return fail({ kind: 'rejected', status: 400, code: 'invalid_id' });
  // Inside a batch a line break would begin a header of somebody's making.
  if (ifMatch !== undefined && !/^[\x20-\x7e]+$/.test(ifMatch))
    return fail({ kind: 'rejected', status: 400, code: 'invalid_etag' });
  const encoded = ['', 'calendar', 'v3', ...path.map((segment) => encodeURIComponent(segment))].join('/');
  const search = new URLSearchParams(query).toString();
  return ok({
    method,
    path: search === '' ? encoded : `${encoded}?${search}`,
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(ifMatch !== undefined && { ifMatch }),
  });
}

function readReply<T>(reply: Reply, call: ApiCall, schema: z.ZodType<T>): Outcome<T> {
  if (!isSuccess(reply)) return fail(readFailure(reply, call));
  const json = reply.body === '' ? ok(undefined) : readJson(reply.body, call.what);
  if (!json.ok) return json;
  const parsed = schema.safeParse(json.value);
  return parsed.success
    ? ok(parsed.data)
    : fail({ kind: 'malformed', at: nameIssue(call.what, parsed.error) });
}

/** Names the first place that left its schema. Keys may be the provider's own text: only plain names are repeated. */
function nameIssue(what: string, { issues }: z.ZodError): string {
  const path = (issues[0]?.path ?? []).map((key) =>
    /^[A-Za-z0-9_]{1,64}$/.test(String(key)) ? String(key) : '*',
  );
  return [what, ...path].join('.');
}

/** A call that changes nothing is never ambiguous, though it is sent by POST. */
function asMetBy({ writes }: ApiCall, failure: Failure): Failure {
  return failure.kind === 'unavailable' ? { ...failure, ambiguous: failure.ambiguous && writes } : failure;
}

function isSuccess({ status }: Reply): boolean {
  return status >= 200 && status < 300;
}

function under(apiUrl: string, path: string): string {
  return apiUrl.replace(/\/+$/, '') + path;
}
