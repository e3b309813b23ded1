import type * as z from 'zod';
import { type Failure, fail, ok, type Outcome } from '../../domain/failure.ts';
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
}

/** Google takes a thousand; smaller envelopes lose less when one fails. */
const MAX_PARTS = 50;
/** How many parts of one batch Google is taken to run at the same time. */
const MAX_WEIGHT = 4;
/** The first round, and two more for parts that were throttled. */
const ROUNDS = 3;

/**
 * Makes one call and reads its JSON with `schema` (an empty body reads as undefined). A throttle in
 * the reply is reported to `access.holdBack`; nothing is retried. Fails with what `readFailure` and
 * `send` tell, and with `malformed` naming the place where the reply leaves its schema.
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
  const { method, path, body } = part.value;
  const sent = await access.send({
    method,
    url: under(apiUrl, path),
    headers: {
      Authorization: `Bearer ${access.accessToken}`,
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
    },
    ...(body !== undefined && { body }),
  });
  // A throttle that `send` tells of itself is known to it: only one met in a reply is news.
  if (!sent.ok) return fail(asMetBy(call, sent.failure));
  const outcome = readReply(sent.value, call, schema);
  reportThrottle(access, [outcome]);
  return outcome;
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
  const outcomes = new Map<number, Outcome<T>>();
  let pending: Asked[] = [];
  for (const [index, call] of calls.entries()) {
    const part = toPart(call);
    if (part.ok) pending.push({ index, call, part: part.value });
    else outcomes.set(index, part);
  }
  for (let round = 0; round < ROUNDS && pending.length > 0; round += 1) {
    const envelopes = chunk(pending, MAX_PARTS).map((asked) => sendEnvelope(apiUrl, access, asked, schema));
    // Each round needs the verdict on the one before it.
    // oxlint-disable-next-line no-await-in-loop
    const answers = (await Promise.all(envelopes)).flat();
    for (const { asked, outcome } of answers) outcomes.set(asked.index, outcome);
    pending = answers.filter(({ askAgain }) => askAgain).map(({ asked }) => asked);
  }
  return calls.map(
    (_, index) => outcomes.get(index) ?? fail({ kind: 'malformed', at: `batch part ${index}` }),
  );
}

/** A call on its way in a batch; `index` is its place among the caller's. */
interface Asked {
  index: number;
  call: ApiCall;
  part: BatchPart;
}

interface Answer<T> {
  asked: Asked;
  outcome: Outcome<T>;
  askAgain: boolean;
}

async function sendEnvelope<T>(
  apiUrl: string,
  access: Access,
  asked: readonly Asked[],
  schema: z.ZodType<T>,
): Promise<Answer<T>[]> {
  const { contentType, body } = writeBatch(asked.map(({ part }) => part));
  const sent = await access.send({
    method: 'POST',
    url: under(apiUrl, '/batch/calendar/v3'),
    headers: { Authorization: `Bearer ${access.accessToken}`, 'Content-Type': contentType },
    body,
    weight: Math.min(asked.length, MAX_WEIGHT),
  });
  const failAll = (failure: Failure) =>
    asked.map((one) => ({ asked: one, outcome: fail(asMetBy(one.call, failure)), askAgain: false }));
  if (!sent.ok) return failAll(sent.failure);
  if (!isSuccess(sent.value)) {
    const failure = readFailure(sent.value, { what: 'batch', writes: true });
    reportThrottle(access, [fail(failure)]);
    return failAll(failure);
  }
  const replies = readBatch(sent.value, asked.length);
  const answers = asked.map((one, place) => {
    const reply = replies[place] ?? fail({ kind: 'malformed', at: `batch part ${place}` });
    const outcome = reply.ok ? readReply(reply.value, one.call, schema) : reply;
    return { asked: one, outcome, askAgain: !outcome.ok && outcome.failure.kind === 'throttled' };
  });
  reportThrottle(
    access,
    answers.map(({ outcome }) => outcome),
  );
  return answers;
}

/** The request as method, path and JSON; `rejected` when a segment could not be a name at all. */
function toPart({ method, path, query, body }: ApiCall): Outcome<BatchPart> {
  // A URL parser reads dots as a way up, encoded or not, and an encoder throws at half a character.
  if (path.some((segment) => ['', '.', '..'].includes(segment) || !segment.isWellFormed()))
    return fail({ kind: 'rejected', status: 400, code: 'invalid_id' });
  const encoded = ['', 'calendar', 'v3', ...path.map((segment) => encodeURIComponent(segment))].join('/');
  const search = new URLSearchParams(query).toString();
  return ok({
    method,
    path: search === '' ? encoded : `${encoded}?${search}`,
    ...(body !== undefined && { body: JSON.stringify(body) }),
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

/** Reports the throttles of one reply as one, with the longest wait: several would look like several refusals. */
function reportThrottle(access: Access, outcomes: readonly Outcome<unknown>[]): void {
  const throttles = outcomes.flatMap((outcome) =>
    !outcome.ok && outcome.failure.kind === 'throttled' ? [outcome.failure] : [],
  );
  if (throttles.length === 0) return;
  const waits = throttles.flatMap(({ retryAtMs }) => retryAtMs ?? []);
  access.holdBack(waits.length === 0 ? {} : { retryAtMs: Math.max(...waits) });
}

function isSuccess({ status }: Reply): boolean {
  return status >= 200 && status < 300;
}

function under(apiUrl: string, path: string): string {
  return apiUrl.replace(/\/+$/, '') + path;
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) =>
    items.slice(n * size, (n + 1) * size),
  );
}
