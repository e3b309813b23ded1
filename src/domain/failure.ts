import * as z from 'zod';
import type { Interval } from './interval.ts';
import { formatInstant } from './time-zone.ts';

/**
 * Everything that can go wrong between this worker and a calendar provider, as plain data.
 * Thrown errors lose their fields across Durable Object RPC; values survive. No token and no
 * provider body is ever inside one. `*Ms` are epoch milliseconds.
 */
export type Failure =
  /**
   * 429, or Google's 403 rate-limit reasons. `retryAtMs` is the provider's minimum wait, if it named one.
   * `unsent`: it was foreseen, and no call was made.
   */
  | { kind: 'throttled'; scope: 'user' | 'app'; retryAtMs?: number; unsent?: true }
  /**
   * 5xx, network, time-out. `ambiguous`: the provider may have carried the request out. `unsent`: the
   * provider is known to be down, and no call was made.
   */
  | { kind: 'unavailable'; retryAtMs?: number; ambiguous: boolean; unsent?: true }
  /** 401: refresh once, then ask the person. `claims`: a claims challenge to replay at sign-in. */
  | { kind: 'token-rejected'; claims?: string }
  /** The grant is dead (`invalid_grant`, or never given): the person must connect again. */
  | { kind: 'grant-revoked'; detail: string }
  /** The person or the organisation has not allowed `scopes` (empty when the provider does not say which). */
  | { kind: 'consent-missing'; scopes: string[] }
  | { kind: 'not-found'; what: string }
  /** The time is taken, by these. `timeZone` is the zone in which the caller is told of them. */
  | { kind: 'conflict'; with: Interval[]; timeZone: string }
  /** It is not known whether the time is free: these calendars cannot be read, and asking again changes nothing. */
  | { kind: 'unknown-busy'; calendars: string[] }
  /** The hold is not what the caller takes it for: it has ended, or become an event. */
  | { kind: 'hold-over'; state: 'cancelled' | 'expired' | 'confirmed' }
  /** The caller's name for something, such as a hold's id, is taken by something else. */
  | { kind: 'mismatch'; what: string }
  /** Somebody else has changed the thing since the caller saw it. */
  | { kind: 'changed'; what: string }
  /** The provider has no way to say what the request's `field` asks for. */
  | { kind: 'unsupported'; field: string; detail: string }
  /** The sync cursor is no longer known to the provider. */
  | { kind: 'cursor-expired' }
  /** Our request was wrong; asking again changes nothing. */
  | { kind: 'rejected'; status: number; code: string }
  /** The reply did not have the promised shape, or more bytes than are read. `at` names the place in it. */
  | { kind: 'malformed'; at: string; isTooLarge?: true }
  /** Our own registration or configuration is wrong: alarm the operator, not the person. */
  | { kind: 'misconfigured'; detail: string };

/** A value, or the reason there is none. */
export type Outcome<T> = { ok: true; value: T } | { ok: false; failure: Failure };

/** Wraps a value as a successful outcome. */
export function ok<T>(value: T): { ok: true; value: T } {
  return { ok: true, value };
}

/** Wraps a failure as an unsuccessful outcome. */
export function fail(failure: Failure): { ok: false; failure: Failure } {
  return { ok: false, failure };
}

/** The error codes of this worker's HTTP API and notices. */
export const errorCodeSchema = z.enum([
  'invalid_request',
  'unauthorized',
  'forbidden',
  'not_found',
  'conflict',
  'reauth_required',
  'consent_missing',
  'idempotency_mismatch',
  'cursor_expired',
  'rate_limited',
  'provider_unavailable',
  'provider_rejected',
  'misconfigured',
]);
export type ErrorCode = z.infer<typeof errorCodeSchema>;

/** A part of the asked time that is taken, RFC 3339. */
export const conflictSchema = z.object({
  start: z.string(),
  end: z.string(),
  /** Whose time it is, where several were asked for. */
  connectorId: z.exactOptional(z.string()),
});
export type Conflict = z.infer<typeof conflictSchema>;

/** An error as tasks and notices carry it. `retryable`: the same request may succeed later without anyone acting. */
export const taskErrorSchema = z.object({
  code: errorCodeSchema,
  message: z.string(),
  retryable: z.boolean(),
  conflicts: z.exactOptional(z.array(conflictSchema)),
  /** The fields of the request that the provider cannot do as asked. */
  errors: z.exactOptional(z.array(z.object({ path: z.string(), message: z.string() }))),
});
export type TaskError = z.infer<typeof taskErrorSchema>;

/** What a caller is told about a failure. */
export function describeFailure(failure: Failure): TaskError {
  switch (failure.kind) {
    case 'throttled':
      return error('rate_limited', 'The provider is limiting this account; try again later.', true);
    case 'unavailable':
      return error('provider_unavailable', 'The provider did not answer; try again later.', true);
    case 'malformed':
      return error(
        'provider_unavailable',
        `The provider's reply could not be read (${failure.at}); try again later.`,
        true,
      );
    case 'token-rejected':
      return error(
        'reauth_required',
        'The provider refuses the token; the person must connect again.',
        false,
      );
    case 'grant-revoked':
      return error('reauth_required', `The person must connect again: ${failure.detail}`, false);
    case 'consent-missing':
      return error(
        'consent_missing',
        failure.scopes.length === 0
          ? 'A permission that this call needs was not granted.'
          : `Permissions not granted: ${failure.scopes.join(', ')}`,
        false,
      );
    case 'not-found':
      return error('not_found', `Not found: ${failure.what}`, false);
    case 'conflict':
      return {
        ...error('conflict', 'The time is already taken.', false),
        conflicts: failure.with.map(({ startMs, endMs }) => ({
          start: formatInstant(startMs, failure.timeZone),
          end: formatInstant(endMs, failure.timeZone),
        })),
      };
    case 'unknown-busy':
      return error(
        'provider_unavailable',
        `It is not known whether the time is free; these calendars cannot be read: ${failure.calendars.join(', ')}`,
        false,
      );
    case 'hold-over':
      return error('conflict', `The hold is ${failure.state}.`, false);
    case 'mismatch':
      return error('idempotency_mismatch', `Taken by something else: ${failure.what}`, false);
    case 'changed':
      return error('conflict', `Changed by somebody else in the meantime: ${failure.what}`, false);
    case 'unsupported':
      return {
        ...error('invalid_request', `${failure.field}: ${failure.detail}`, false),
        errors: [{ path: failure.field, message: failure.detail }],
      };
    case 'cursor-expired':
      return error('provider_unavailable', 'The calendar is being read anew; try again later.', true);
    case 'rejected':
      return error(
        'provider_rejected',
        `The provider refused the request (${failure.status} ${failure.code}).`,
        false,
      );
    case 'misconfigured':
      return error('misconfigured', failure.detail, false);
  }
}

function error(code: ErrorCode, message: string, retryable: boolean): TaskError {
  return { code, message, retryable };
}
