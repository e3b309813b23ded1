const PREFIX = 'https://www.googleapis.com/auth/';

/** Asked for at every sign-in, so that the id token names the account. */
export const SIGN_IN_SCOPES = ['openid', 'email'] as const;

/** What a connector asks for by default: to write events, to read free/busy, and to learn which calendars there are. */
export const DEFAULT_SCOPES = [
  `${PREFIX}calendar.events`,
  `${PREFIX}calendar.freebusy`,
  `${PREFIX}calendar.calendarlist.readonly`,
] as const;

/**
 * The narrower scopes that each scope stands in for (without the common prefix): every method that
 * admits the narrower one admits the broader one, on at least the same calendars. Source: the scope
 * lists of the Calendar v3 discovery document, revision 20260708. What is missing here is missing
 * there: `calendar.events` may not ask free/busy, and `calendar.readonly` may not list ACLs.
 */
const COVERED: Readonly<Record<string, readonly string[]>> = {
  'calendar.readonly': [
    'calendar.calendarlist.readonly',
    'calendar.calendars.readonly',
    'calendar.events.freebusy',
    'calendar.events.owned.readonly',
    'calendar.events.public.readonly',
    'calendar.events.readonly',
    'calendar.freebusy',
    'calendar.settings.readonly',
  ],
  'calendar.events': [
    'calendar.events.owned',
    'calendar.events.owned.readonly',
    'calendar.events.public.readonly',
    'calendar.events.readonly',
  ],
  'calendar.events.readonly': ['calendar.events.owned.readonly', 'calendar.events.public.readonly'],
  'calendar.events.owned': ['calendar.events.owned.readonly'],
  'calendar.events.freebusy': ['calendar.freebusy'],
  'calendar.calendarlist': ['calendar.calendarlist.readonly'],
  'calendar.calendars': ['calendar.calendars.readonly'],
  'calendar.acls': ['calendar.acls.readonly'],
};

/**
 * Those of `asked` that `granted` does not cover, each once, in the order asked. Sign-in scopes
 * (`openid`, `email`, `profile`, `userinfo.*`) never count: no calendar call needs one.
 */
export function missingScopes(asked: readonly string[], granted: readonly string[]): string[] {
  return [...new Set(asked)].filter(
    (scope) => !isSignInScope(scope) && !granted.some((broader) => covers(broader, scope)),
  );
}

/** Reads the `scope` of a token reply: a list parted by spaces (RFC 6749 §3.3). */
export function readScopes(scope: string): string[] {
  return scope.split(' ').filter((one) => one !== '');
}

function isSignInScope(scope: string): boolean {
  return ['openid', 'email', 'profile'].includes(scope) || scope.startsWith(`${PREFIX}userinfo.`);
}

function covers(broader: string, narrower: string): boolean {
  if (broader === narrower) return true;
  if (!broader.startsWith(PREFIX) || !narrower.startsWith(PREFIX)) return false;
  const name = narrower.slice(PREFIX.length);
  if (broader === `${PREFIX}calendar`) return name.startsWith('calendar.');
  return COVERED[broader.slice(PREFIX.length)]?.includes(name) ?? false;
}
