const GRAPH = 'https://graph.microsoft.com/';

const GRAPH_SCOPES: Readonly<Record<string, string>> = {
  'User.Read': 'Sign you in and read your profile',
  'Calendars.Read': 'Read your calendars',
  'Calendars.ReadBasic': 'Read the basic details of your calendars',
  'Calendars.ReadWrite': 'Have full access to your calendars',
  'Calendars.Read.Shared': 'Read calendars you can access',
  'Calendars.ReadWrite.Shared': 'Read and write calendars you can access',
  'MailboxSettings.Read': 'Read your mailbox settings',
  'MailboxSettings.ReadWrite': 'Read and write your mailbox settings',
};

const SIGN_IN: Readonly<Record<string, string>> = {
  openid: 'Sign you in',
  profile: 'See your name',
  email: 'See your email address',
  offline_access: 'Keep access to what you have given it access to',
};

/** A scope string read: short names in their canonical spelling, and what could not be read. */
export interface ReadScopes {
  readonly scopes: string[];
  readonly unknown: string[];
  /** Scopes of resources other than Graph. */
  readonly foreign: string[];
}

/** Reads a scope string; Graph's scopes may come short or with the Graph address before them. */
export function readScopes(text: string): ReadScopes {
  const read: ReadScopes = { scopes: [], unknown: [], foreign: [] };
  for (const asked of text.split(' ').filter((scope) => scope !== '')) {
    const lower = asked.toLowerCase();
    const short = lower.startsWith(GRAPH) ? lower.slice(GRAPH.length) : lower;
    const known = [...Object.keys(GRAPH_SCOPES), ...Object.keys(SIGN_IN)].find(
      (one) => one.toLowerCase() === short,
    );
    if (known !== undefined) {
      if (!read.scopes.includes(known)) read.scopes.push(known);
    } else if (/^[a-z]+:\/\//.test(lower) && !lower.startsWith(GRAPH)) read.foreign.push(asked);
    else read.unknown.push(asked);
  }
  return read;
}

/** Whether a scope is one of Graph's. */
export function isGraphScope(scope: string): boolean {
  return Object.hasOwn(GRAPH_SCOPES, scope);
}

/** A Graph scope with the Graph address before it; the sign-in scopes have no other form. */
export function longForm(scope: string): string {
  return isGraphScope(scope) ? GRAPH + scope : scope;
}

/** What a scope means, for the consent page. */
export function meaningOf(scope: string): string {
  return GRAPH_SCOPES[scope] ?? SIGN_IN[scope] ?? scope;
}

/** The scopes of which any one is enough, request by request. */
export const REQUEST_SCOPES = {
  me: ['User.Read'],
  calendars: ['Calendars.ReadBasic', 'Calendars.Read', 'Calendars.ReadWrite'],
  changes: ['Calendars.Read', 'Calendars.ReadWrite'],
  writeEvents: ['Calendars.ReadWrite'],
  findMeetingTimes: ['Calendars.Read.Shared', 'Calendars.ReadWrite.Shared'],
  mailboxSettings: ['MailboxSettings.Read', 'MailboxSettings.ReadWrite'],
} as const;
