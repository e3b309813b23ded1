const PREFIX = 'https://www.googleapis.com/auth/';

const CALENDAR_SCOPES: Readonly<Record<string, string>> = {
  calendar: 'See, change, share and delete every calendar you can open',
  'calendar.acls': 'See and change who your calendars are shared with',
  'calendar.acls.readonly': 'See who your calendars are shared with',
  'calendar.app.created': 'Make further calendars and manage what is in them',
  'calendar.calendarlist': 'See, add and remove calendars in your list',
  'calendar.calendarlist.readonly': 'See the list of your calendars',
  'calendar.calendars': 'See and change the properties of your calendars, and make new ones',
  'calendar.calendars.readonly': 'See title, description and time zone of your calendars',
  'calendar.events': 'See and change events on all your calendars',
  'calendar.events.freebusy': 'See when you are free on calendars you can open',
  'calendar.events.owned': 'See and change events on calendars you own',
  'calendar.events.owned.readonly': 'See events on calendars you own',
  'calendar.events.public.readonly': 'See events on public calendars',
  'calendar.events.readonly': 'See events on all your calendars',
  'calendar.freebusy': 'See when you are free and when you are busy',
  'calendar.readonly': 'See every calendar you can open',
  'calendar.settings.readonly': 'See your calendar settings',
};

// Google answers the short sign-in scopes in their long form.
const SIGN_IN: Readonly<Record<string, string>> = {
  openid: 'openid',
  email: `${PREFIX}userinfo.email`,
  profile: `${PREFIX}userinfo.profile`,
  [`${PREFIX}userinfo.email`]: `${PREFIX}userinfo.email`,
  [`${PREFIX}userinfo.profile`]: `${PREFIX}userinfo.profile`,
};

/** A calendar scope in full. */
export function calendarScope(short: string): string {
  return PREFIX + short;
}

/** The form in which Google grants a scope, or undefined when it knows none such. */
export function grantedForm(scope: string): string | undefined {
  if (Object.hasOwn(SIGN_IN, scope)) return SIGN_IN[scope];
  return scope.startsWith(PREFIX) && Object.hasOwn(CALENDAR_SCOPES, scope.slice(PREFIX.length))
    ? scope
    : undefined;
}

/** Whether a scope (in its granted form) only tells who the person is. */
export function isSignIn(scope: string): boolean {
  return Object.hasOwn(SIGN_IN, scope);
}

/** What a scope means, for the consent page. */
export function meaningOf(scope: string): string {
  return CALENDAR_SCOPES[scope.slice(PREFIX.length)] ?? 'Know who you are';
}

/** Whether each scope gets a checkbox: two or more beyond sign-in, or sign-in and at least one more. */
export function isGranular(scopes: readonly string[]): boolean {
  const beyond = scopes.filter((scope) => !isSignIn(scope)).length;
  return beyond >= 2 || (beyond === 1 && scopes.length > 1);
}

/** The scopes of which any one is enough, method by method. */
export const METHOD_SCOPES = {
  calendarList: ['calendar', 'calendar.readonly', 'calendar.calendarlist', 'calendar.calendarlist.readonly'],
  calendar: [
    'calendar',
    'calendar.readonly',
    'calendar.app.created',
    'calendar.calendars',
    'calendar.calendars.readonly',
  ],
  settings: ['calendar', 'calendar.readonly', 'calendar.settings.readonly'],
  freeBusy: ['calendar', 'calendar.readonly', 'calendar.freebusy', 'calendar.events.freebusy'],
  events: [
    'calendar',
    'calendar.readonly',
    'calendar.app.created',
    'calendar.events',
    'calendar.events.freebusy',
    'calendar.events.owned',
    'calendar.events.owned.readonly',
    'calendar.events.public.readonly',
    'calendar.events.readonly',
  ],
  stopChannel: [
    'calendar',
    'calendar.acls',
    'calendar.acls.readonly',
    'calendar.app.created',
    'calendar.calendarlist',
    'calendar.calendarlist.readonly',
    'calendar.events',
    'calendar.events.freebusy',
    'calendar.events.owned',
    'calendar.events.owned.readonly',
    'calendar.events.public.readonly',
    'calendar.events.readonly',
    'calendar.readonly',
    'calendar.settings.readonly',
  ],
  writeEvents: ['calendar', 'calendar.app.created', 'calendar.events', 'calendar.events.owned'],
} as const;
