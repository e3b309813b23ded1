import { jsonAnswer, Refused } from '../exchange.ts';
import type { Answer } from '../exchange.ts';

/** Where in a request an error is. */
export interface ErrorPlace {
  location: string;
  locationType: 'parameter' | 'header';
}

/** A Calendar API error in Google's shape. */
export function calendarError(
  status: number,
  reason: string,
  message: string,
  more: { domain?: string; place?: ErrorPlace; headers?: Record<string, string>; refusal?: string } = {},
): Answer {
  const { domain = 'global', place, headers, refusal } = more;
  return jsonAnswer(
    status,
    { error: { errors: [{ domain, reason, message, ...place }], code: status, message } },
    { ...(headers === undefined ? {} : { headers }), ...(refusal === undefined ? {} : { refusal }) },
  );
}

/** A request that is wrong in itself, as an exception. */
export function badRequest(reason: string, message: string, parameter?: string, domain = 'global'): Refused {
  const place: { place?: ErrorPlace } =
    parameter === undefined ? {} : { place: { location: parameter, locationType: 'parameter' } };
  return new Refused(calendarError(400, reason, message, { domain, ...place, refusal: message }));
}

/** A calendar or another thing that is not there, or not visible. */
export function notFound(): Refused {
  return new Refused(calendarError(404, 'notFound', 'Not Found'));
}

/** A sync token (or a page of a list) from so long ago that what has changed since is no longer known. */
export function fullSyncRequired(): Refused {
  const message = 'Sync token is no longer valid, a full sync is required.';
  const place: ErrorPlace = { location: 'syncToken', locationType: 'parameter' };
  return new Refused(calendarError(410, 'fullSyncRequired', message, { domain: 'calendar', place }));
}

/** A missing, unknown or expired access token. */
export function authError(): Answer {
  return calendarError(401, 'authError', 'Invalid Credentials', {
    place: { location: 'Authorization', locationType: 'header' },
    headers: { 'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="invalid_token"' },
  });
}

/** A token whose scopes do not cover the method. */
export function insufficientPermissions(): Answer {
  return calendarError(403, 'insufficientPermissions', 'Request had insufficient authentication scopes.', {
    headers: {
      'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="insufficient_scope"',
    },
  });
}

/** An OAuth error reply (RFC 6749, section 5.2). */
export function oauthError(
  status: number,
  error: string,
  description: string,
  more: { refusal?: string } = {},
): Answer {
  return jsonAnswer(status, { error, error_description: description }, more);
}
