import * as z from 'zod';
import type { Failure } from '../../domain/failure.ts';
import { readJson, readRetryAfter, type Reply } from '../http.ts';

/** What a failure must know of the request that met it. */
export interface FailedRequest {
  /** What was asked for, in words of this worker: a missing one is `not-found: what`. */
  what: string;
  /** True for a request that changes something: an unclear end of it may have changed that. */
  writes: boolean;
  /** Set where Graph may not offer at all what is asked for: a refusal that says so is `unsupported`, in these words. */
  ifNotOffered?: { field: string; detail: string };
}

/** Codes by which Graph says that a sync cursor is gone, whatever the status (graph docs: errors, delta query). */
const CURSOR_CODES = [
  'resyncRequired',
  'syncStateNotFound',
  'syncStateInvalid',
  'fullSyncRequired',
  'ErrorInvalidSyncStateData',
];

/** The account has no mailbox that Graph can reach: no permission would change that. */
const NO_MAILBOX_CODES = ['MailboxNotEnabledForRESTAPI', 'MailboxNotSupportedForRESTAPI'];

/** An occurrence would no longer stand between its neighbours (graph docs: event-update). */
const CROSSING_CODES = ['ErrorOccurrenceCrossingBoundary'];

/** An id in the path that is none: there is nothing that has it. */
const NO_ID_CODES = ['ErrorInvalidIdMalformed'];

/** A 404 that is about the thing named in the path, not about the path itself. */
const GONE_CODES = ['ErrorItemNotFound', 'ErrorFolderNotFound'];

/**
 * Turns a Graph reply that is no success into the neutral failure. Decides by status and error codes,
 * never by a message (graph docs: errors): codes may be nested, and may be empty.
 *
 * A 409 or 412 is `rejected` here: what the clash means, only the caller knows.
 */
export function readFailure(reply: Reply, { what, writes, ifNotOffered }: FailedRequest): Failure {
  const { status, headers, receivedAtMs } = reply;
  const codes = readCodes(reply.body);
  const has = (names: string[]) =>
    names.some((name) => codes.some((code) => code.toLowerCase() === name.toLowerCase()));
  const code = codes.find((one) => /^[A-Za-z0-9_.-]{1,64}$/.test(one)) ?? 'unknown';
  const retryAtMs = readRetryAfter(headers, receivedAtMs);
  const retry = retryAtMs === undefined ? {} : { retryAtMs };

  if (status >= 300 && status < 400) return { kind: 'rejected', status, code: 'redirect' };
  if (status === 401) {
    const claims = readClaimsChallenge(headers);
    return claims === undefined ? { kind: 'token-rejected' } : { kind: 'token-rejected', claims };
  }
  if (status === 429 || status === 509) return { kind: 'throttled', scope: 'user', ...retry };
  if (status === 410 || (status < 500 && has(CURSOR_CODES))) return { kind: 'cursor-expired' };
  if (status < 500 && has(NO_MAILBOX_CODES)) return { kind: 'rejected', status, code };
  if (status === 400 && has(NO_ID_CODES)) return { kind: 'not-found', what };
  // Which of its codes means so, Graph does not say: any refusal that is not about the thing itself.
  const isRefused = [400, 405, 501].includes(status) || (status === 404 && !has(GONE_CODES));
  if (ifNotOffered !== undefined && isRefused) return { kind: 'unsupported', ...ifNotOffered };
  if (status === 400 && has(CROSSING_CODES)) {
    const detail = 'Microsoft moves an occurrence neither to the day of one beside it nor past it';
    return { kind: 'unsupported', field: 'start', detail };
  }
  switch (status) {
    case 403:
      return { kind: 'consent-missing', scopes: [] };
    case 404:
      return { kind: 'not-found', what };
    case 412:
      return { kind: 'rejected', status, code: 'resourceModified' };
    case 423: // locked
    case 424: // the request of a batch that this one depends on failed
      return { kind: 'unavailable', ambiguous: false, ...retry };
    case 408:
      return { kind: 'unavailable', ambiguous: writes, ...retry };
  }
  if (status >= 500) return { kind: 'unavailable', ambiguous: writes, ...retry };
  return { kind: 'rejected', status, code };
}

const errorSchema = z.object({ error: z.record(z.string(), z.unknown()) });
const innerSchema = z.record(z.string(), z.unknown());

/** The codes of an error body from the outermost in; empty when it holds none or is no JSON. */
function readCodes(body: string): string[] {
  const json = readJson(body, 'error');
  const read = errorSchema.safeParse(json.ok ? json.value : undefined);
  const codes: string[] = [];
  let level = read.success ? read.data.error : undefined;
  for (let depth = 0; level !== undefined && depth < 10; depth++) {
    if (typeof level['code'] === 'string' && level['code'] !== '') codes.push(level['code']);
    // Both spellings occur.
    const inner = innerSchema.safeParse(level['innerError'] ?? level['innererror']);
    level = inner.success ? inner.data : undefined;
  }
  return codes;
}

/**
 * The claims that a 401 challenges us to present, as JSON text to be replayed at sign-in; undefined
 * when there is no such challenge or it cannot be read (entra-docs: claims-challenge).
 */
function readClaimsChallenge(headers: Headers): string | undefined {
  const challenge = headers.get('WWW-Authenticate') ?? '';
  if (!/\berror="insufficient_claims"/i.test(challenge)) return undefined;
  const base64 = /\bclaims="([A-Za-z0-9+/_-]+={0,2})"/i.exec(challenge)?.[1];
  if (base64 === undefined || base64.length > 16_384) return undefined;
  try {
    const bytes = Uint8Array.from(atob(base64.replaceAll('-', '+').replaceAll('_', '/')), (char) =>
      char.charCodeAt(0),
    );
    const claims = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
    return innerSchema.safeParse(JSON.parse(claims)).success ? claims : undefined;
  } catch {
    return undefined;
  }
}
