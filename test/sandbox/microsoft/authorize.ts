import { randomUUID } from 'node:crypto';
import { consentPage, errorPage } from '../consent-page.ts';
import { pageAnswer, readForm, redirectAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { Person } from '../people.ts';
import { isRegistered } from '../world.ts';
import type { World } from '../world.ts';
import { answers, readClaims } from './claims.ts';
import type { ReadClaims } from './claims.ts';
import { CLIENT_TELEMETRY } from './client-telemetry.ts';
import { aadsts } from './errors.ts';
import { isGraphScope, meaningOf, readScopes } from './scopes.ts';
import { barred, isTenant } from './tenants.ts';

const KNOWN_PARAMETERS = new Set([
  'client_id',
  'response_type',
  'redirect_uri',
  'response_mode',
  'scope',
  'state',
  'code_challenge',
  'code_challenge_method',
  'nonce',
  'prompt',
  'login_hint',
  'domain_hint',
  'sid',
  'claims',
  'client_info',
  'clidata',
  ...CLIENT_TELEMETRY,
]);

interface AuthorizeRequest {
  readonly redirectUri: string;
  readonly state: string | undefined;
  readonly scopes: readonly string[];
  readonly challenge: { value: string; method: 'S256' | 'plain' } | undefined;
  readonly nonce: string | undefined;
  readonly prompt: string | undefined;
  readonly loginHint: string | undefined;
  readonly wantsClientInfo: boolean;
  readonly claims: ReadClaims;
}

/** GET of /{tenant}/oauth2/v2.0/authorize: the sign-in page, a redirect with an error, or an error page. */
export function authorize(world: World, tenant: string, ask: Ask): Answer {
  const query = ask.url.search.slice(1);
  const request = readRequest(world, tenant, query);
  if ('status' in request) return request;
  if (request.prompt === 'none') return withoutPage(world, tenant, request);
  return pageAnswer(
    200,
    consentPage({
      brand: 'Microsoft',
      title: 'Permissions requested',
      people: world.people.at('microsoft'),
      loginHint: request.loginHint,
      scopes: request.scopes.map((value) => ({ value, meaning: meaningOf(value) })),
      granular: false,
      action: `/${tenant}/oauth2/v2.0/authorize/decision`,
      request: query,
      allow: 'Accept',
      refuse: 'Cancel',
    }),
  );
}

/** POST of the sign-in page: back to the app with a code or an error. */
export function decide(world: World, tenant: string, ask: Ask): Answer {
  const form = new URLSearchParams(readForm(ask).isForm ? ask.body : '');
  const request = readRequest(world, tenant, form.get('request') ?? '');
  if ('status' in request) return request;
  if (form.get('decision') !== 'allow') {
    return back(
      request,
      errorOf('access_denied', 65004, 'User declined to consent to access the app.', 'cancel'),
    );
  }
  const person = world.people.get(form.get('account') ?? '', 'microsoft');
  if (person === undefined) return block(50034, 'The account does not exist.');
  const withheld = form.getAll('withhold').map((scope) => scope.toLowerCase());
  const granted = request.scopes.filter(
    (scope) => !withheld.some((one) => one.endsWith(scope.toLowerCase())),
  );
  return signedIn(world, tenant, request, person, granted);
}

function signedIn(
  world: World,
  tenant: string,
  request: AuthorizeRequest,
  person: Person,
  granted: readonly string[],
): Answer {
  const bar = barred(person, tenant);
  if (bar !== undefined) return back(request, errorOf('access_denied', bar.number, bar.text));
  if (person.adminConsentRequired && !world.consentedTenants.has(person.tenantId)) {
    const text = 'An administrator must grant this application its permissions first.';
    return back(request, errorOf('consent_required', 90094, text));
  }
  const standing = person.claimsChallenge;
  if (standing !== undefined && answers(request.claims, standing)) person.claimsChallenge = undefined;
  const code = world.grants.issueCode(person.account === 'work' ? '1.A' : 'M.C5', {
    grant: world.grants.allow(person, world.client.id, granted),
    scopes: granted,
    redirectUri: request.redirectUri,
    ...(request.challenge === undefined ? {} : { challenge: request.challenge }),
    ...(request.nonce === undefined ? {} : { nonce: request.nonce }),
    offline: granted.includes('offline_access'),
    capabilities: request.claims.capabilities,
    answersChallenge: person.claimsChallenge === undefined,
  });
  return back(
    request,
    {
      code: code.value,
      ...(request.wantsClientInfo ? { client_info: clientInfo(person) } : {}),
      session_state: randomUUID(),
    },
    insecurity(request),
  );
}

/** Who signed in, the way Microsoft's client library asks for it: base64url JSON of account and tenant. */
export function clientInfo(person: Person): string {
  return Buffer.from(JSON.stringify({ uid: person.id, utid: person.tenantId })).toString('base64url');
}

function withoutPage(world: World, tenant: string, request: AuthorizeRequest): Answer {
  const person = world.people.get(request.loginHint ?? '', 'microsoft');
  if (person === undefined) {
    return back(request, errorOf('login_required', 50058, 'A silent sign-in found nobody signed in.'));
  }
  const grant = world.grants.of(person, world.client.id);
  if (!request.scopes.every((scope) => grant?.scopes.has(scope) === true)) {
    return back(
      request,
      errorOf('interaction_required', 65001, 'The user has not consented to the application.'),
    );
  }
  return signedIn(world, tenant, request, person, request.scopes);
}

function errorOf(error: string, number: number, text: string, subcode?: string): Record<string, string> {
  return {
    error,
    error_description: aadsts(number, text),
    ...(subcode === undefined ? {} : { error_subcode: subcode }),
    error_uri: `https://login.microsoftonline.com/error?code=${String(number)}`,
  };
}

function insecurity(request: AuthorizeRequest): string | undefined {
  if (request.challenge === undefined) return 'no PKCE challenge';
  if (request.challenge.method === 'plain') return 'PKCE method plain';
  return request.state === undefined ? 'no state' : undefined;
}

function back(
  { redirectUri, state }: Pick<AuthorizeRequest, 'redirectUri' | 'state'>,
  parameters: Record<string, string>,
  insecure?: string,
  refusal?: string,
): Answer {
  const notes = {
    ...(insecure === undefined ? {} : { insecure }),
    ...(refusal === undefined ? {} : { refusal }),
  };
  return redirectAnswer(redirectUri, { ...parameters, state }, notes);
}

function block(number: number, text: string): Answer {
  const code = aadsts(number, text);
  return pageAnswer(400, errorPage('Microsoft', `AADSTS${String(number)}`, text), { refusal: code });
}

function readRequest(world: World, tenant: string, query: string): AuthorizeRequest | Answer {
  if (!isTenant(tenant)) return block(90002, `Tenant '${tenant}' not found.`);
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!KNOWN_PARAMETERS.has(name)) return block(900144, `Parameter not allowed: ${name}`);
    if (parameters.has(name)) return block(90013, `Parameter given twice: ${name}`);
    parameters.set(name, value);
  }
  const redirectUri = parameters.get('redirect_uri');
  if (parameters.get('client_id') === undefined)
    return block(900144, "The request must contain 'client_id'.");
  if (parameters.get('client_id') !== world.client.id) return block(700016, 'The application was not found.');
  if (redirectUri === undefined) return block(900144, "The request must contain 'redirect_uri'.");
  if (!isRegistered(world.client, redirectUri)) return block(50011, 'The redirect URI is not registered.');
  const state = parameters.get('state');
  // From here on the app itself is told.
  const tell = (error: string, number: number, text: string): Answer =>
    back({ redirectUri, state }, errorOf(error, number, text), undefined, aadsts(number, text));
  if (parameters.get('response_type') !== 'code') {
    return tell('unsupported_response_type', 700054, 'response_type must be code.');
  }
  if ((parameters.get('response_mode') ?? 'query') !== 'query') {
    return tell('invalid_request', 9002312, 'Only response_mode=query is known here.');
  }
  const { scopes, unknown, foreign } = readScopes(parameters.get('scope') ?? '');
  if (foreign.length > 0) return tell('invalid_request', 28000, 'The scope names more than one resource.');
  if (unknown.length > 0) return tell('invalid_scope', 70011, `The scope ${unknown.join(' ')} is not valid.`);
  if (!scopes.some(isGraphScope) && !scopes.includes('openid')) {
    return tell('invalid_request', 900144, "The request must contain 'scope'.");
  }
  const prompt = parameters.get('prompt');
  if (prompt !== undefined && !['login', 'none', 'consent', 'select_account', 'create'].includes(prompt)) {
    return tell('invalid_request', 90023, `Unsupported prompt value '${prompt}'.`);
  }
  const challenge = readChallenge(parameters.get('code_challenge'), parameters.get('code_challenge_method'));
  if (challenge === 'malformed') return tell('invalid_request', 501491, 'The code_challenge is not valid.');
  const claims = readClaims(parameters.get('claims'));
  if (claims === undefined)
    return tell('invalid_request', 9002341, "The 'claims' parameter is not valid JSON.");
  return {
    redirectUri,
    state,
    scopes,
    challenge,
    nonce: parameters.get('nonce'),
    prompt,
    loginHint: parameters.get('login_hint'),
    wantsClientInfo: parameters.get('client_info') === '1',
    claims,
  };
}

function readChallenge(
  value: string | undefined,
  method: string | undefined,
): { value: string; method: 'S256' | 'plain' } | 'malformed' | undefined {
  if (value === undefined) return method === undefined ? undefined : 'malformed';
  if (method !== undefined && method !== 'S256' && method !== 'plain') return 'malformed';
  const shape = method === 'S256' ? /^[A-Za-z0-9\-_]{43}$/ : /^[A-Za-z0-9\-._~]{43,128}$/;
  return shape.test(value) ? { value, method: method ?? 'plain' } : 'malformed';
}
