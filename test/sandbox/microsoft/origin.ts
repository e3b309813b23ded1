import { bearerOf, jsonAnswer, pageAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { AccessToken } from '../grants.ts';
import type { Origin, Route } from '../passage.ts';
import type { World } from '../world.ts';
import { adminConsent, decideForTenant } from './admin-consent.ts';
import { authorize, decide } from './authorize.ts';
import { batch } from './batch.ts';
import { discovery, openIdConfiguration } from './discovery.ts';
import { entraError, graphError } from './errors.ts';
import { GRAPH } from './graph-requests.ts';
import { token, tokenPerson } from './token.ts';

const AUTHORIZATION_URI = 'https://login.microsoftonline.com/common/oauth2/authorize';
const GRAPH_APP_ID = '00000003-0000-0000-c000-000000000000';

/** Microsoft: Entra's sign-in and tokens, and Graph, each request matched to what answers it. */
export function microsoftOrigin(world: World, batchWidth: () => number): Origin {
  const origin: Origin = {
    provider: 'microsoft',
    route: (ask) =>
      ask.url.pathname.startsWith('/v1.0/')
        ? (batchRoute(world, origin, ask, batchWidth) ?? graphRoute(world, ask))
        : signInRoute(world, ask),
    excess: (why) =>
      why === 'concurrency'
        ? graphError(429, 'ApplicationThrottled', 'Application is over its MailboxConcurrency limit.')
        : graphError(429, 'ApplicationThrottled', 'Application is over its request limit.', {
            headers: { 'retry-after': '10' },
          }),
    throttled: (status = 429, kind) => {
      if (kind === 'token') return unavailable(world, status);
      return status === 503
        ? graphError(503, 'UnknownError', '')
        : graphError(status, 'ApplicationThrottled', 'Application is over its MailboxConcurrency limit.');
    },
    failed: (status, kind) => {
      if (kind === 'token') return unavailable(world, status);
      return graphError(
        status,
        status >= 500 ? 'ErrorInternalServerTransientError' : 'UnknownError',
        'Scripted.',
      );
    },
  };
  return origin;
}

function unavailable(world: World, status: number): Answer {
  const text = 'A transient error has occurred. Please try again.';
  return entraError({ status, error: 'temporarily_unavailable', number: 90033, text }, world.now());
}

function signInRoute(world: World, ask: Ask): Route {
  const path = ask.url.pathname;
  const [, tenant = '', rest = ''] = /^\/([^/]+)(\/.*)$/.exec(path) ?? [];
  switch (`${ask.method} ${rest}`) {
    case 'GET /oauth2/v2.0/authorize':
      return { operation: 'microsoft.authorize', kind: 'page', perform: () => authorize(world, tenant, ask) };
    case 'POST /oauth2/v2.0/authorize/decision':
      return { operation: 'microsoft.decide', kind: 'page', perform: () => decide(world, tenant, ask) };
    case 'POST /oauth2/v2.0/token':
      return {
        operation: 'microsoft.token',
        kind: 'token',
        person: tokenPerson(world, ask),
        grantType: new URLSearchParams(ask.body).get('grant_type') ?? undefined,
        perform: () => token(world, tenant, ask),
      };
    case 'GET /v2.0/adminconsent':
      return {
        operation: 'microsoft.adminConsent',
        kind: 'page',
        perform: () => adminConsent(world, tenant, ask),
      };
    case 'POST /v2.0/adminconsent/decision':
      return {
        operation: 'microsoft.decide',
        kind: 'page',
        perform: () => decideForTenant(world, tenant, ask),
      };
    case 'GET /v2.0/.well-known/openid-configuration':
      return {
        operation: 'microsoft.openidConfiguration',
        kind: 'page',
        perform: () => openIdConfiguration(world, tenant),
      };
    case 'GET /discovery/v2.0/keys':
      return {
        operation: 'microsoft.keys',
        kind: 'page',
        perform: () => jsonAnswer(200, world.idTokens.keys),
      };
    case 'GET /discovery/instance':
      return { operation: 'microsoft.discovery', kind: 'page', perform: () => discovery() };
    default: {
      const refusal = `no such page: ${ask.method} ${path}`;
      const lost = pageAnswer(404, '<!doctype html><title>404 - Not found</title>', { refusal });
      return { operation: 'microsoft.unknown', kind: 'page', perform: () => lost };
    }
  }
}

function batchRoute(world: World, origin: Origin, ask: Ask, batchWidth: () => number): Route | undefined {
  const isBatch = /^\/v1\.0\/(\$|%24)batch$/i.test(ask.url.pathname) && ask.method === 'POST';
  if (!isBatch || ask.inBatch) return undefined;
  const access = caller(world, ask);
  return {
    operation: 'graph.batch',
    kind: 'envelope',
    person: access?.grant.person,
    perform: () =>
      refusedToken(world, ask, access) ??
      batch(world, ask, batchWidth(), (item) => world.passage.carry(item, origin)),
  };
}

function graphRoute(world: World, ask: Ask): Route {
  const path = ask.url.pathname.slice('/v1.0'.length);
  const found = GRAPH.find((one) => one.method === ask.method && one.path.test(path));
  const access = caller(world, ask);
  const person = access?.grant.person;
  return {
    operation: found?.operation ?? 'graph.unknown',
    kind: 'api',
    person,
    perform: () => {
      const refused = refusedToken(world, ask, access);
      if (refused !== undefined || access === undefined || person === undefined) {
        return refused ?? invalidToken('Access token validation failure.');
      }
      if (found === undefined) {
        const refusal = `no such resource: ${ask.method} ${path}`;
        return graphError(400, 'BadRequest', 'Resource not found for the segment or method.', { refusal });
      }
      const enough = found.scopes.some((scope) => access.scopes.has(scope));
      // A request that personal accounts do not have is refused them like one they may not make.
      if (!enough || (found.workOnly === true && person.account !== 'work')) {
        return graphError(403, 'ErrorAccessDenied', 'Access is denied. Check credentials and try again.');
      }
      const [segment = '', id = ''] = (found.path.exec(path) ?? [])
        .slice(1)
        .map((one: string | undefined) => decodeSegment(one ?? ''));
      return found.answer(world, ask, person, segment, id);
    },
  };
}

function caller(world: World, ask: Ask): AccessToken | undefined {
  return world.grants.access(bearerOf(ask.headers) ?? '');
}

/** The 401 that a token earns: missing, unknown, expired, or under a claims challenge its client can handle. */
function refusedToken(world: World, ask: Ask, access: AccessToken | undefined): Answer | undefined {
  if (bearerOf(ask.headers) === undefined) return invalidToken('Access token is empty.');
  if (access === undefined || access.revoked) return invalidToken('Access token validation failure.');
  if (!world.grants.isLive(access)) return invalidToken('Lifetime validation failed, the token is expired.');
  const challenge = access.grant.person.claimsChallenge;
  const challenged = !access.answersChallenge && challenge !== undefined && access.capabilities.has('cp1');
  if (!challenged) return undefined;
  const claims = Buffer.from(challenge.claims).toString('base64');
  return invalidToken(
    'Continuous access evaluation resulted in challenge.',
    `, error="insufficient_claims", claims="${claims}"`,
  );
}

function invalidToken(message: string, more = ''): Answer {
  const challenge = `Bearer realm="", authorization_uri="${AUTHORIZATION_URI}", client_id="${GRAPH_APP_ID}"${more}`;
  return graphError(401, 'InvalidAuthenticationToken', message, {
    headers: { 'www-authenticate': challenge },
  });
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
