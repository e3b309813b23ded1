export const PROVIDERS = { google: 'Google', microsoft: 'Microsoft' };

/** What a connector's status means, in a few words, and how well that is. */
export const STATUSES = {
  active: { text: 'connected', tone: 'good' },
  pending: { text: 'not signed in yet', tone: 'info' },
  reauth_required: { text: 'needs reconnecting', tone: 'bad' },
  consent_missing: { text: 'permission missing', tone: 'bad' },
  disconnected: { text: 'disconnected', tone: 'info' },
};

const SIGN_IN_CODES = {
  consent_missing:
    'Not everything that is needed was allowed. Connect again and leave every permission ticked; in an organisation an administrator may have to consent first.',
  refresh_token_missing:
    'The provider gave no lasting permission. Remove this app in the account’s security settings, then connect again.',
  account_mismatch:
    'You signed in with another account than the one connected before. Nothing was changed; reconnect with the same account.',
  reauth_required: 'The sign-in was not accepted or took too long. Connect again.',
  provider_unavailable: 'The provider did not answer. Try again in a while.',
  rate_limited: 'The provider is limiting this account for now. Try again in a while.',
  provider_rejected: 'The provider refused the sign-in.',
  misconfigured: 'This worker is not set up correctly with the provider. Its operator has been told.',
  not_found: 'This connector does not exist any more.',
  invalid_request: 'The provider came back with something that is not a sign-in.',
};

/**
 * What a sign-in left in this page's address. It comes from outside and proves nothing: only known
 * statuses, and codes and ids of the right shape, are taken from it.
 *
 * @returns undefined when the address carries no result.
 */
export function readReturn(search) {
  const query = new URLSearchParams(search);
  const status = query.get('status');
  if (status === null) return undefined;
  const code = query.get('code') ?? '';
  const connectorId = query.get('connectorId') ?? '';
  return {
    status: ['connected', 'denied', 'error', 'granted'].includes(status) ? status : 'unknown',
    ...(/^[a-z_]{1,40}$/.test(code) && { code }),
    ...(/^[A-Za-z0-9_.:-]{1,128}$/.test(connectorId) && { connectorId }),
  };
}

/**
 * A sign-in's result in plain words. That it succeeded is said only when the API says so too.
 *
 * @param connector what the API knows of the connector that the result names, if it knows it.
 */
export function describeReturn({ status, code, connectorId }, connector) {
  const name = connector === undefined ? 'The calendar' : describeConnector(connector);
  switch (status) {
    case 'connected':
      return connector?.status === 'active'
        ? { tone: 'good', title: `${name} is connected.` }
        : {
            tone: 'info',
            title: 'The sign-in is said to have succeeded.',
            text: 'The worker does not show it for this user, though.',
          };
    case 'denied':
      return {
        tone: 'info',
        title: 'You refused at the provider.',
        text:
          connector?.status === 'active'
            ? `${name} stays connected as it was.`
            : 'Nothing was connected. You can connect at any time.',
      };
    case 'granted':
      return {
        tone: 'good',
        title: 'The organisation’s consent was given.',
        text: 'People of it can connect their calendars now.',
      };
    case 'error':
      return {
        tone: 'bad',
        title: connectorId === undefined ? 'The consent failed.' : 'The calendar was not connected.',
        text: SIGN_IN_CODES[code ?? ''] ?? 'The reason is not known here.',
        code,
      };
    default:
      return { tone: 'info', title: 'This page was opened with a result that it does not know.' };
  }
}

/** Which account a connector is, for people. */
export function describeConnector({ provider, accountEmail }) {
  const brand = PROVIDERS[provider] ?? provider;
  return accountEmail === undefined ? brand : `${accountEmail} (${brand})`;
}
