import { element } from './dom.js';
import { describeConnector, PROVIDERS, STATUSES } from './words.js';

const time = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

/**
 * The connectors as list items; those that were disconnected are folded away.
 *
 * @param act called with `availability`, `connect` or `disconnect`, and the connector.
 */
export function drawConnectors(connectors, chosenId, act) {
  const draw = (connector) => drawConnector(connector, connector.connectorId === chosenId, act);
  const ended = connectors.filter(({ status }) => status === 'disconnected');
  const items = connectors.filter((connector) => !ended.includes(connector)).map(draw);
  if (ended.length === 0) return items;
  const folded = element(
    'details',
    {},
    element('summary', {}, `Disconnected: ${ended.length}`),
    element('ul', { className: 'connectors' }, ...ended.map(draw)),
  );
  return [...items, element('li', { className: 'ended' }, folded)];
}

function drawConnector(connector, isChosen, act) {
  const { connectorId, provider, status, accountEmail } = connector;
  const { text, tone } = STATUSES[status] ?? { text: status, tone: 'info' };
  const button = (label, deed, className) =>
    element(
      'button',
      {
        type: 'button',
        className,
        onclick: () => act(deed, connector),
        'aria-label': `${label}: ${describeConnector(connector)}`,
      },
      label,
    );
  const isConnected = accountEmail !== undefined;
  const buttons = [];
  if (status === 'active') buttons.push(button('Availability', 'availability', 'main'));
  buttons.push(
    !isConnected || status === 'disconnected'
      ? button('Sign in', 'connect', 'plain')
      : button('Reconnect', 'connect', status === 'active' ? 'plain' : 'main'),
  );
  if (status !== 'disconnected')
    buttons.push(button(isConnected ? 'Disconnect' : 'Remove', 'disconnect', 'danger'));
  const item = element(
    'li',
    { className: `connector ${status}` },
    element(
      'div',
      { className: 'who' },
      element('strong', {}, accountEmail ?? `${PROVIDERS[provider] ?? provider} account`),
      element('span', {}, PROVIDERS[provider] ?? provider),
      element('span', { className: `badge ${tone}` }, text),
    ),
    element('div', { className: 'actions' }, ...buttons),
    drawDetails(connector),
  );
  if (isChosen) item.setAttribute('aria-current', 'true');
  item.dataset['connector'] = connectorId;
  return item;
}

function drawDetails({ connectorId, tenantId, scopes, createdAt, updatedAt }) {
  const rows = [
    ['Connector', connectorId],
    ['Organisation', tenantId],
    ['Allowed', scopes.length === 0 ? undefined : scopes.join('\n')],
    ['Created', time.format(Date.parse(createdAt))],
    ['Changed', time.format(Date.parse(updatedAt))],
  ];
  return element(
    'details',
    {},
    element('summary', {}, 'Details'),
    element(
      'dl',
      {},
      ...rows.flatMap(([name, value]) =>
        value === undefined ? [] : [element('dt', {}, name), element('dd', {}, value)],
      ),
    ),
  );
}
