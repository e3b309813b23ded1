import { consentPage, errorPage } from '../consent-page.ts';
import { pageAnswer, readForm, redirectAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { Person } from '../people.ts';
import { isRegistered } from '../world.ts';
import type { World } from '../world.ts';
import { grantedForm, isGranular, isSignIn, meaningOf } from './scopes.ts';

const ISSUER = 'https://accounts.google.com';

/** Where the consent form is sent. */
export const DECISION_PATH = '/o/oauth2/v2/auth/decision';

const KNOWN_PARAMETERS = new Set([
  'client_id',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'state',
  'access_type',
  'prompt',
  'include_granted_scopes',
  'enable_granular_consent',
  'login_hint',
  'code_challenge',
  'code_challenge_method',
  'nonce',
  'hd',
  'hl',
  'display',
]);

interface AuthorizeRequest {
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly state: string | undefined;
  readonly offline: boolean;
  readonly prompts: ReadonlySet<string>;
  readonly includeGranted: boolean;
  readonly loginHint: string | undefined;
  readonly nonce: string | undefined;
  readonly challenge: { value: string; method: 'S256' | 'plain' } | undefined;
}

/** GET of the authorize address: the consent page, or an error page that redirects nowhere. */
export function authorize(world: World, ask: Ask): Answer {
  const query = ask.url.search.slice(1);
  const request = readRequest(world, query);
  if ('status' in request) return request;
  if (request.prompts.has('none')) return withoutPage(world, request);
  return pageAnswer(
    200,
    consentPage({
      brand: 'Google',
      title: 'An app wants access to your Google Account',
      people: world.people.at('google'),
      loginHint: request.loginHint,
      scopes: request.scopes.map((value) => ({ value, meaning: meaningOf(value) })),
      granular: isGranular(request.scopes),
      action: DECISION_PATH,
      request: query,
      allow: 'Allow',
      refuse: 'Cancel',
    }),
  );
}

/** POST of the consent form: back to the app with a code, or with access_denied. */
export function decide(world: World, ask: Ask): Answer {
  const form = new URLSearchParams(readForm(ask).isForm ? ask.body : '');
  const request = readRequest(world, form.get('request') ?? '');
  if ('status' in request) return request;
  if (form.get('decision') !== 'allow') return back(request, { error: 'access_denied' });
  const person = world.people.get(form.get('account') ?? '', 'google');
  if (person === undefined) return block('invalid_request', 'No such account.');
  const ticked = new Set(form.getAll('scope'));
  const allowed = isGranular(request.scopes)
    ? // Sign-in scopes are shown ticked and cannot really be taken away.
      request.scopes.filter((scope) => ticked.has(scope) || isSignIn(scope))
    : request.scopes;
  if (allowed.length === 0) return back(request, { error: 'access_denied' });
  return grantCode(world, request, person, allowed);
}

function withoutPage(world: World, request: AuthorizeRequest): Answer {
  const hint = request.loginHint ?? '';
  const person = world.people.get(hint, 'google') ?? world.people.at('google').find(({ id }) => id === hint);
  if (person === undefined) return back(request, { error: 'interaction_required' });
  const grant = world.grants.of(person, world.client.id);
  const allGranted = request.scopes.every((scope) => grant?.scopes.has(scope) === true);
  return allGranted
    ? grantCode(world, request, person, request.scopes)
    : back(request, { error: 'consent_required' });
}

function grantCode(
  world: World,
  request: AuthorizeRequest,
  person: Person,
  allowed: readonly string[],
): Answer {
  const grant = world.grants.allow(person, world.client.id, allowed);
  const scopes = request.includeGranted ? [...grant.scopes] : [...allowed];
  const code = world.grants.issueCode('4/0A', {
    grant,
    scopes,
    redirectUri: request.redirectUri,
    ...(request.challenge === undefined ? {} : { challenge: request.challenge }),
    ...(request.nonce === undefined ? {} : { nonce: request.nonce }),
    offline: request.offline && (!grant.refreshGiven || request.prompts.has('consent')),
    capabilities: new Set(),
    answersChallenge: true,
  });
  const insecure = insecurity(request);
  return back(
    request,
    {
      code: code.value,
      scope: world.dice.shuffle(scopes).join(' '),
      authuser: '0',
      prompt: request.prompts.has('consent') ? 'consent' : 'none',
    },
    insecure,
  );
}

function insecurity(request: AuthorizeRequest): string | undefined {
  if (request.challenge === undefined) return 'no PKCE challenge';
  if (request.challenge.method === 'plain') return 'PKCE method plain';
  return request.state === undefined ? 'no state' : undefined;
}

function back(request: AuthorizeRequest, parameters: Record<string, string>, insecure?: string): Answer {
  return redirectAnswer(
    request.redirectUri,
    { state: request.state, iss: ISSUER, ...parameters },
    insecure === undefined ? {} : { insecure },
  );
}

function block(code: string, explanation: string): Answer {
  return pageAnswer(400, errorPage('Google', `Error 400: ${code}`, explanation), {
    refusal: `${code}: ${explanation}`,
  });
}

function readRequest(world: World, query: string): AuthorizeRequest | Answer {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    if (!KNOWN_PARAMETERS.has(name)) return block('invalid_request', `Parameter not allowed: ${name}`);
    if (parameters.has(name)) return block('invalid_request', `Parameter given twice: ${name}`);
    parameters.set(name, value);
  }
  const redirectUri = parameters.get('redirect_uri');
  if (parameters.get('client_id') === undefined)
    return block('invalid_request', 'Missing parameter: client_id');
  if (parameters.get('client_id') !== world.client.id) {
    return block('invalid_client', 'The OAuth client was not found.');
  }
  if (redirectUri === undefined) return block('invalid_request', 'Missing parameter: redirect_uri');
  if (!isRegistered(world.client, redirectUri)) {
    return block('redirect_uri_mismatch', 'This redirect URI is not registered for the client.');
  }
  if (parameters.get('response_type') !== 'code') {
    return block('unsupported_response_type', 'response_type must be code.');
  }
  if ((parameters.get('response_mode') ?? 'query') !== 'query') {
    return block('invalid_request', 'Only response_mode=query is known here.');
  }
  const accessType = parameters.get('access_type') ?? 'online';
  if (accessType !== 'online' && accessType !== 'offline') {
    return block('invalid_request', `Invalid parameter value for access_type: ${accessType}`);
  }
  const prompts = new Set((parameters.get('prompt') ?? '').split(' ').filter((prompt) => prompt !== ''));
  for (const prompt of prompts) {
    if (!['none', 'consent', 'select_account'].includes(prompt)) {
      return block('invalid_request', `Invalid prompt: ${prompt}`);
    }
  }
  if (prompts.has('none') && prompts.size > 1) return block('invalid_request', 'prompt=none stands alone.');
  const scopes = readScopes(parameters.get('scope') ?? '');
  if (!Array.isArray(scopes)) return scopes;
  const challenge = readChallenge(parameters.get('code_challenge'), parameters.get('code_challenge_method'));
  if (challenge !== undefined && 'status' in challenge) return challenge;
  return {
    redirectUri,
    scopes,
    state: parameters.get('state'),
    offline: accessType === 'offline',
    prompts,
    includeGranted: parameters.get('include_granted_scopes') === 'true',
    loginHint: parameters.get('login_hint'),
    nonce: parameters.get('nonce'),
    challenge,
  };
}

function readScopes(text: string): string[] | Answer {
  const asked = text.split(' ').filter((scope) => scope !== '');
  if (asked.length === 0) return block('invalid_request', 'Missing parameter: scope');
  const granted = asked.map(grantedForm);
  const unknown = asked.filter((_, index) => granted[index] === undefined);
  if (unknown.length > 0)
    return block('invalid_scope', `Some requested scopes are invalid: ${unknown.join(' ')}`);
  return [...new Set(granted.filter((scope) => scope !== undefined))];
}

function readChallenge(
  value: string | undefined,
  method: string | undefined,
): { value: string; method: 'S256' | 'plain' } | Answer | undefined {
  if (value === undefined) {
    return method === undefined ? undefined : block('invalid_request', 'code_challenge is missing.');
  }
  if (method !== undefined && method !== 'S256' && method !== 'plain') {
    return block('invalid_request', `Invalid code_challenge_method: ${method}`);
  }
  // RFC 7636 lets the method default to plain.
  const shape = method === 'S256' ? /^[A-Za-z0-9\-_]{43}$/ : /^[A-Za-z0-9\-._~]{43,128}$/;
  if (!shape.test(value)) return block('invalid_request', 'code_challenge is malformed.');
  return { value, method: method ?? 'plain' };
}
