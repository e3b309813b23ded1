import { consentPage, errorPage } from '../consent-page.ts';
import { pageAnswer, readForm, redirectAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import { isRegistered } from '../world.ts';
import type { World } from '../world.ts';
import { aadsts } from './errors.ts';
import { meaningOf, readScopes } from './scopes.ts';
import { barred, isTenant } from './tenants.ts';

const KNOWN_PARAMETERS = new Set(['client_id', 'redirect_uri', 'scope', 'state']);

interface ConsentRequest {
  readonly redirectUri: string;
  readonly scope: string;
  readonly state: string | undefined;
}

/** GET of /{tenant}/v2.0/adminconsent. The tenant is a GUID or `organizations`, never `common`. */
export function adminConsent(world: World, tenant: string, ask: Ask): Answer {
  const query = ask.url.search.slice(1);
  const request = readRequest(world, tenant, query);
  if ('status' in request) return request;
  return pageAnswer(
    200,
    consentPage({
      brand: 'Microsoft',
      title: 'Permissions requested for your organization',
      people: world.people.at('microsoft').filter(({ account }) => account === 'work'),
      loginHint: undefined,
      scopes: readScopes(request.scope).scopes.map((value) => ({ value, meaning: meaningOf(value) })),
      granular: false,
      action: `/${tenant}/v2.0/adminconsent/decision`,
      request: query,
      allow: 'Accept',
      refuse: 'Cancel',
    }),
  );
}

/** POST of the page. Whoever signs in counts as an administrator of their own tenant. */
export function decideForTenant(world: World, tenant: string, ask: Ask): Answer {
  const form = new URLSearchParams(readForm(ask).isForm ? ask.body : '');
  const request = readRequest(world, tenant, form.get('request') ?? '');
  if ('status' in request) return request;
  const person = world.people.get(form.get('account') ?? '', 'microsoft');
  const bar = person === undefined ? undefined : barred(person, tenant);
  if (person === undefined || bar !== undefined)
    return block(bar?.number ?? 50034, bar?.text ?? 'No such account.');
  const { redirectUri, scope, state } = request;
  // A refusal too says admin_consent=True; only `error` tells it from a success.
  const common = { admin_consent: 'True', tenant: person.tenantId, scope, state };
  if (form.get('decision') !== 'allow') {
    const description = aadsts(65004, 'The resource owner or authorization server denied the request.');
    return redirectAnswer(redirectUri, {
      ...common,
      error: 'consent_required',
      error_description: description,
    });
  }
  world.consentedTenants.add(person.tenantId);
  return redirectAnswer(redirectUri, common);
}

function readRequest(world: World, tenant: string, query: string): ConsentRequest | Answer {
  if (!isTenant(tenant) || tenant === 'common' || tenant === 'consumers') {
    return block(900144, `Admin consent is given in a tenant or in organizations, not in '${tenant}'.`);
  }
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (!KNOWN_PARAMETERS.has(name)) return block(900144, `Parameter not allowed: ${name}`);
  }
  if (parameters.get('client_id') !== world.client.id) return block(700016, 'The application was not found.');
  const redirectUri = parameters.get('redirect_uri');
  if (redirectUri === null || !isRegistered(world.client, redirectUri)) {
    return block(50011, 'The redirect URI is not registered.');
  }
  const scope = parameters.get('scope') ?? '';
  const { scopes, unknown, foreign } = readScopes(scope.replaceAll('.default', 'User.Read'));
  if (scopes.length === 0 || unknown.length > 0 || foreign.length > 0) {
    return block(70011, `The scope ${scope} is not valid.`);
  }
  return { redirectUri, scope, state: parameters.get('state') ?? undefined };
}

function block(number: number, text: string): Answer {
  return pageAnswer(400, errorPage('Microsoft', `AADSTS${String(number)}`, text), {
    refusal: aadsts(number, text),
  });
}
