import { bearerOf, jsonAnswer, pageAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { Origin, Route } from '../passage.ts';
import type { ListedCalendar, Person } from '../people.ts';
import type { World } from '../world.ts';
import { authorize, decide, DECISION_PATH } from './authorize.ts';
import { batch } from './batch.ts';
import { getCalendar, getListEntry, getSetting, listCalendars, listSettings } from './calendars.ts';
import { authError, calendarError, insufficientPermissions, oauthError } from './errors.ts';
import { deleteEvent, getEvent, insertEvent, patchEvent, updateEvent } from './event-writes.ts';
import { listEvents } from './events.ts';
import { freeBusy } from './free-busy.ts';
import { listInstances } from './instances.ts';
import { partialReply } from './partial-reply.ts';
import { calendarScope, METHOD_SCOPES } from './scopes.ts';
import { revoke, revokePerson, token, tokenPerson } from './token.ts';
import { stopChannel, watchCalendarList, watchEvents } from './watch.ts';

interface ApiMethod {
  readonly operation: string;
  readonly method: string;
  readonly path: RegExp;
  readonly scopes: readonly string[];
  /** A scope that covers own calendars only is enough for these on own calendars only. */
  readonly writes?: true;
  answer(ask: Ask, person: Person, id: string, more: { world: World; eventId: string }): Answer;
}

const EVENT_PATH = /^\/calendar\/v3\/calendars\/([^/]+)\/events\/([^/]+)$/;

const API: readonly ApiMethod[] = [
  {
    operation: 'google.freeBusy',
    method: 'POST',
    path: /^\/calendar\/v3\/freeBusy$/,
    scopes: METHOD_SCOPES.freeBusy,
    answer: freeBusy,
  },
  {
    operation: 'google.calendarList',
    method: 'GET',
    path: /^\/calendar\/v3\/users\/me\/calendarList$/,
    scopes: METHOD_SCOPES.calendarList,
    answer: listCalendars,
  },
  {
    operation: 'google.calendarListEntry',
    method: 'GET',
    path: /^\/calendar\/v3\/users\/me\/calendarList\/([^/]+)$/,
    scopes: METHOD_SCOPES.calendarList,
    answer: getListEntry,
  },
  {
    operation: 'google.calendar',
    method: 'GET',
    path: /^\/calendar\/v3\/calendars\/([^/]+)$/,
    scopes: METHOD_SCOPES.calendar,
    answer: getCalendar,
  },
  {
    operation: 'google.settings',
    method: 'GET',
    path: /^\/calendar\/v3\/users\/me\/settings$/,
    scopes: METHOD_SCOPES.settings,
    answer: listSettings,
  },
  {
    operation: 'google.setting',
    method: 'GET',
    path: /^\/calendar\/v3\/users\/me\/settings\/([^/]+)$/,
    scopes: METHOD_SCOPES.settings,
    answer: getSetting,
  },
  {
    operation: 'google.events.list',
    method: 'GET',
    path: /^\/calendar\/v3\/calendars\/([^/]+)\/events$/,
    scopes: METHOD_SCOPES.events,
    answer: listEvents,
  },
  {
    operation: 'google.events.insert',
    method: 'POST',
    path: /^\/calendar\/v3\/calendars\/([^/]+)\/events$/,
    scopes: METHOD_SCOPES.writeEvents,
    writes: true,
    answer: insertEvent,
  },
  {
    operation: 'google.events.watch',
    method: 'POST',
    path: /^\/calendar\/v3\/calendars\/([^/]+)\/events\/watch$/,
    scopes: METHOD_SCOPES.events,
    answer: watchEvents,
  },
  {
    operation: 'google.calendarList.watch',
    method: 'POST',
    path: /^\/calendar\/v3\/users\/me\/calendarList\/watch$/,
    scopes: METHOD_SCOPES.calendarList,
    answer: watchCalendarList,
  },
  {
    operation: 'google.channels.stop',
    method: 'POST',
    path: /^\/calendar\/v3\/channels\/stop$/,
    scopes: METHOD_SCOPES.stopChannel,
    answer: stopChannel,
  },
  {
    operation: 'google.events.get',
    method: 'GET',
    path: EVENT_PATH,
    scopes: METHOD_SCOPES.events,
    answer: getEvent,
  },
  {
    operation: 'google.events.instances',
    method: 'GET',
    path: /^\/calendar\/v3\/calendars\/([^/]+)\/events\/([^/]+)\/instances$/,
    scopes: METHOD_SCOPES.events,
    answer: listInstances,
  },
  {
    operation: 'google.events.patch',
    method: 'PATCH',
    path: EVENT_PATH,
    scopes: METHOD_SCOPES.writeEvents,
    writes: true,
    answer: patchEvent,
  },
  {
    operation: 'google.events.update',
    method: 'PUT',
    path: EVENT_PATH,
    scopes: METHOD_SCOPES.writeEvents,
    writes: true,
    answer: updateEvent,
  },
  {
    operation: 'google.events.delete',
    method: 'DELETE',
    path: EVENT_PATH,
    scopes: METHOD_SCOPES.writeEvents,
    writes: true,
    answer: deleteEvent,
  },
];

/** Google: sign-in, tokens and the Calendar API, each request matched to what answers it. */
export function googleOrigin(world: World): Origin {
  const origin: Origin = {
    provider: 'google',
    route: (ask) => signInRoute(world, ask) ?? batchRoute(world, origin, ask) ?? apiRoute(world, ask),
    excess: (why) =>
      why === 'project-quota'
        ? calendarError(403, 'rateLimitExceeded', 'Rate Limit Exceeded', { domain: 'usageLimits' })
        : calendarError(403, 'userRateLimitExceeded', 'User Rate Limit Exceeded', { domain: 'usageLimits' }),
    throttled: (status = 403, kind) => {
      if (kind === 'token') return oauthError(status, 'rate_limit_exceeded', 'Rate Limit Exceeded');
      return status === 503
        ? calendarError(503, 'backendError', 'Backend Error')
        : calendarError(status, 'rateLimitExceeded', 'Rate Limit Exceeded', { domain: 'usageLimits' });
    },
    failed: (status, kind) => {
      const ownFault = status >= 500;
      if (kind === 'token') {
        return oauthError(status, ownFault ? 'internal_failure' : 'invalid_request', 'Scripted failure.');
      }
      return calendarError(
        status,
        ownFault ? 'backendError' : 'badRequest',
        ownFault ? 'Backend Error' : 'Error',
      );
    },
  };
  return origin;
}

function signInRoute(world: World, ask: Ask): Route | undefined {
  const is = (method: string, path: string): boolean => ask.method === method && ask.url.pathname === path;
  if (is('GET', '/o/oauth2/v2/auth')) {
    return { operation: 'google.authorize', kind: 'page', perform: () => authorize(world, ask) };
  }
  if (is('POST', DECISION_PATH)) {
    return { operation: 'google.decide', kind: 'page', perform: () => decide(world, ask) };
  }
  if (is('GET', '/oauth2/v3/certs')) {
    return { operation: 'google.certs', kind: 'page', perform: () => jsonAnswer(200, world.idTokens.keys) };
  }
  if (is('POST', '/token')) {
    return {
      operation: 'google.token',
      kind: 'token',
      person: tokenPerson(world, ask),
      grantType: new URLSearchParams(ask.body).get('grant_type') ?? undefined,
      perform: () => token(world, ask),
    };
  }
  if (is('POST', '/revoke')) {
    return {
      operation: 'google.revoke',
      kind: 'token',
      person: revokePerson(world, ask),
      perform: () => revoke(world, ask),
    };
  }
  return undefined;
}

function batchRoute(world: World, origin: Origin, ask: Ask): Route | undefined {
  if (ask.inBatch || ask.method !== 'POST' || ask.url.pathname !== '/batch/calendar/v3') return undefined;
  return {
    operation: 'google.batch',
    kind: 'envelope',
    person: caller(world, ask)?.grant.person,
    perform: () => batch(ask, (part) => world.passage.carry(part, origin)),
  };
}

function apiRoute(world: World, ask: Ask): Route {
  const path = ask.url.pathname;
  const found = API.find((one) => one.method === ask.method && one.path.test(path));
  const access = caller(world, ask);
  const person = access?.grant.person;
  if (found === undefined || !path.startsWith('/calendar/v3/')) {
    const refusal = `no such method: ${ask.method} ${path}`;
    const lost = path.startsWith('/calendar/')
      ? calendarError(404, 'notFound', 'Not Found', { refusal })
      : pageAnswer(404, '<!doctype html><title>Error 404 (Not Found)</title>', { refusal });
    return { operation: 'google.unknown', kind: 'api', person, perform: () => lost };
  }
  return {
    operation: found.operation,
    kind: 'api',
    person,
    perform: () => {
      if (access === undefined || person === undefined || !world.grants.isLive(access)) return authError();
      const enough = found.scopes.some((scope) => access.scopes.has(calendarScope(scope)));
      if (!enough) return insufficientPermissions();
      const [id = '', eventId = ''] = (found.path.exec(path) ?? []).slice(1).map(decodeSegment);
      if (found.writes === true && !mayWrite(access.scopes, person.calendar(id))) {
        return insufficientPermissions();
      }
      return partialReply(ask, found.answer(ask, person, id, { world, eventId }));
    },
  };
}

// No calendar here was made by the client, so `calendar.app.created` alone covers none.
function mayWrite(scopes: ReadonlySet<string>, entry: ListedCalendar | undefined): boolean {
  const has = (short: string): boolean => scopes.has(calendarScope(short));
  if (has('calendar') || has('calendar.events')) return true;
  return has('calendar.events.owned') && (entry === undefined || entry.accessRole === 'owner');
}

function caller(world: World, ask: Ask): ReturnType<World['grants']['access']> {
  return world.grants.access(bearerOf(ask.headers) ?? '');
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
