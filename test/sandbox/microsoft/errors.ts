import { randomUUID } from 'node:crypto';
import { jsonAnswer, Refused } from '../exchange.ts';
import type { Answer } from '../exchange.ts';

/** The meaning of an Entra error number. */
export interface EntraError {
  readonly status: number;
  readonly error: string;
  readonly number: number;
  readonly text: string;
}

/** An error of the token address, in Entra's shape. */
export function entraError(
  { status, error, number, text }: EntraError,
  nowMs: number,
  more: { refusal?: string; claims?: string; suberror?: string } = {},
): Answer {
  const trace = randomUUID();
  const correlation = randomUUID();
  const timestamp = `${new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ')}Z`;
  const { refusal, claims, suberror } = more;
  return jsonAnswer(
    status,
    {
      error,
      error_description: `${aadsts(number, text)} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
      error_codes: [number],
      timestamp,
      trace_id: trace,
      correlation_id: correlation,
      error_uri: `https://login.microsoftonline.com/error?code=${String(number)}`,
      ...(suberror === undefined ? {} : { suberror }),
      ...(claims === undefined ? {} : { claims }),
    },
    {
      headers: { 'cache-control': 'no-store, no-cache', pragma: 'no-cache', 'x-ms-request-id': trace },
      ...(refusal === undefined ? {} : { refusal }),
    },
  );
}

/** How Entra begins an error's text. */
export function aadsts(number: number, text: string): string {
  return `AADSTS${String(number)}: ${text}`;
}

/** A Graph error in its shape. */
export function graphError(
  status: number,
  code: string,
  message: string,
  more: { refusal?: string; headers?: Record<string, string> } = {},
): Answer {
  const requestId = randomUUID();
  const date = new Date().toISOString().slice(0, 19);
  return jsonAnswer(
    status,
    {
      error: { code, message, innerError: { date, 'request-id': requestId, 'client-request-id': requestId } },
    },
    { ...more, headers: { 'request-id': requestId, 'client-request-id': requestId, ...more.headers } },
  );
}

/** A Graph request that is wrong in itself, as an exception. */
export function badRequest(code: string, message: string): Refused {
  return new Refused(graphError(400, code, message, { refusal: `${code}: ${message}` }));
}

/** An item that is not there, or is there no more. */
export function itemNotFound(): Refused {
  return new Refused(
    graphError(404, 'ErrorItemNotFound', 'The specified object was not found in the store.'),
  );
}

/** A zone name that Outlook does not know. */
export function unknownZone(name: string): Refused {
  return badRequest(
    'TimeZoneNotSupportedException',
    `A valid TimeZone value must be specified. The following TimeZone value is not supported: '${name}'.`,
  );
}
