import type * as z from 'zod';
import {
  type Conflict,
  describeFailure,
  type ErrorCode,
  type Failure,
  type TaskError,
} from '../domain/failure.ts';
import { type FieldError, listFieldErrors, summarizeFieldErrors } from '../domain/field-error.ts';

/**
 * Why a caller does not get what they asked for, as plain data that survives RPC. `errors` name the
 * fields of a bad request; `retryAfterSeconds` is there where waiting helps.
 */
export interface Problem {
  code: ErrorCode;
  detail: string;
  errors?: FieldError[];
  /** The parts of the asked time that are taken. */
  conflicts?: Conflict[];
  retryAfterSeconds?: number;
}

/** What a caller gets: the value, or the problem. */
export type Result<T> = { ok: true; value: T } | { ok: false; problem: Problem };

/** What a caller is asked to wait when the provider named no time. */
const DEFAULT_RETRY_AFTER_S = 5;

/** Wraps a problem as an unsuccessful result. */
export function refuse(
  code: ErrorCode,
  detail: string,
  more: Omit<Problem, 'code' | 'detail'> = {},
): { ok: false; problem: Problem } {
  return { ok: false, problem: { code, detail, ...more } };
}

/** The refusal of one field that no schema could judge. */
export function invalidField(path: string, message: string): { ok: false; problem: Problem } {
  return invalidFields([{ path, message }]);
}

/** The refusal of these fields. */
export function invalidFields(errors: FieldError[]): { ok: false; problem: Problem } {
  return refuse('invalid_request', summarizeFieldErrors(errors), { errors });
}

/** The refusal that a failure is to a caller. */
export function failed(failure: Failure, nowMs: number): { ok: false; problem: Problem } {
  const retryAtMs = 'retryAtMs' in failure ? failure.retryAtMs : undefined;
  return endedIn(describeFailure(failure), retryAtMs === undefined ? undefined : retryAtMs - nowMs);
}

/** The refusal that a task's error is to a caller. `waitMs`: the wait that the provider asks for, if it does. */
export function endedIn(
  { code, message, retryable, conflicts, errors }: TaskError,
  waitMs?: number,
): { ok: false; problem: Problem } {
  const waits = retryable && (code === 'rate_limited' || code === 'provider_unavailable');
  return refuse(code, message, {
    ...(waits && {
      retryAfterSeconds: waitMs === undefined ? DEFAULT_RETRY_AFTER_S : Math.max(1, Math.ceil(waitMs / 1000)),
    }),
    ...(conflicts !== undefined && { conflicts }),
    ...(errors !== undefined && { errors }),
  });
}

/** An input as `schema` reads it, or the refusal that names each bad field. */
export function readInput<T>(schema: z.ZodType<T>, input: unknown): Result<T> {
  const read = schema.safeParse(input);
  return read.success ? { ok: true, value: read.data } : invalidFields(listFieldErrors(read.error));
}
