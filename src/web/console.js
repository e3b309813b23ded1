import { ApiProblem, createApi } from './api.js';
import { drawConnectors } from './connector-list.js';
import { byId, element, notice } from './dom.js';
import { drawWeek } from './week-view.js';
import { addDays, dateAt, layOutWeek, mondayOf, offsetAt } from './week.js';
import { describeConnector, describeReturn, PROVIDERS, readReturn } from './words.js';

/** Where the sign-in sends people back to: this page, without anything behind it. */
const REDIRECT_URI = `${location.origin}/`;
const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

let api;
let userId = 'demo';
let connectors = [];
let chosenId;
/** Counts the questions: an answer that was overtaken by a newer question is not shown. */
let asked = 0;
let tick = () => {};

function begin() {
  const result = readReturn(location.search);
  // Before anything else: no result stays in the address bar or the history.
  if (location.search !== '' || location.hash !== '') history.replaceState(null, '', '/');
  userId = sessionStorage.getItem('userId') ?? 'demo';
  fillZones();
  listen();
  setInterval(() => tick(Date.now()), 20_000);
  const token = sessionStorage.getItem('token');
  if (token === null) return askForToken(result);
  void open(token, result);
}

function askForToken(result) {
  sessionStorage.removeItem('token');
  byId('sign-in').hidden = false;
  for (const id of ['user-form', 'connectors', 'availability']) byId(id).hidden = true;
  byId('first-user').value = userId;
  byId('token').value = '';
  byId('token').focus();
  if (result !== undefined) say(describeAsNotice(result));
}

/** Shows a user's connectors, and what a sign-in that has just ended came to. */
async function open(token, result) {
  api = createApi(token);
  const isOpen = await load();
  if (!isOpen) return;
  sessionStorage.setItem('token', token);
  sessionStorage.setItem('userId', userId);
  byId('sign-in').hidden = true;
  byId('connectors').hidden = false;
  byId('user-form').hidden = false;
  byId('user').value = userId;
  if (result === undefined) return;
  say(describeAsNotice(result));
  if (result.status === 'connected') chooseById(result.connectorId);
}

function describeAsNotice(result) {
  const connector = connectors.find(({ connectorId }) => connectorId === result.connectorId);
  const { tone, title, text, code } = describeReturn(result, connector);
  return notice(tone, title, text, code === undefined ? '' : element('code', {}, code));
}

/** Reads the connectors anew; false when that failed, which has been said. */
async function load() {
  const user = userId;
  return await attempt(async () => {
    const listed = await api.listConnectors(user);
    if (user !== userId) return;
    connectors = listed;
    showConnectors();
  });
}

function showConnectors() {
  byId('connector-list').replaceChildren(...drawConnectors(connectors, chosenId, act));
  byId('no-connectors').hidden = connectors.length > 0;
  if (connectors.some(({ provider }) => provider === 'microsoft')) byId('admin-consent').hidden = false;
  const chosen = connectors.find(({ connectorId }) => connectorId === chosenId);
  byId('availability').hidden = chosen === undefined;
}

function act(deed, connector) {
  say();
  switch (deed) {
    case 'availability':
      return chooseById(connector.connectorId);
    case 'connect':
      return void connect(connector.provider, connector.connectorId);
    case 'disconnect':
      return void disconnect(connector);
  }
}

async function connect(provider, connectorId) {
  await attempt(async () => {
    const { authorizeUrl } = await api.connect({ userId, provider, redirectUri: REDIRECT_URI, connectorId });
    if (!['https:', 'http:'].includes(new URL(authorizeUrl).protocol)) throw new Error('not a web address');
    location.assign(authorizeUrl);
  });
}

async function disconnect(connector) {
  const name = describeConnector(connector);
  const text =
    'The permission is withdrawn at the provider, and everything that is stored for it here is erased.';
  if (!(await confirm(`Disconnect ${name}?`, text))) return;
  await attempt(async () => {
    await api.disconnect(connector.connectorId);
    if (chosenId === connector.connectorId) chosenId = undefined;
    say(notice('good', `${name} is disconnected.`));
  });
  await load();
}

function confirm(title, text) {
  const dialog = byId('confirm');
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

function chooseById(connectorId) {
  const chosen = connectors.find((connector) => connector.connectorId === connectorId);
  if (chosen?.status !== 'active') return;
  chosenId = connectorId;
  showConnectors();
  byId('availability-title').textContent =
    `Availability of ${chosen.accountEmail ?? PROVIDERS[chosen.provider]}`;
  byId('availability-title').focus({ preventScroll: true });
  byId('availability').scrollIntoView({ block: 'start' });
  void ask();
}

async function ask() {
  const zone = byId('zone').value.trim();
  const day = byId('day').value;
  asked += 1;
  const question = asked;
  if (!isZone(zone)) {
    const text = 'Give an IANA name, such as Europe/Berlin.';
    return showWeek(notice('bad', 'This time zone is not known.', text));
  }
  const week = layOutWeek(mondayOf(day), zone);
  byId('week').setAttribute('aria-busy', 'true');
  const connectorId = chosenId;
  try {
    const answer = await api.availability(connectorId, {
      timeMin: new Date(week.startMs).toISOString(),
      timeMax: new Date(week.endMs).toISOString(),
      timeZone: zone,
      ...(byId('ask-now').checked && { maxStalenessMs: 0 }),
    });
    if (question !== asked) return;
    const drawn = drawWeek(week, answer, Date.now());
    showWeek(drawn.shown, drawn.tick);
  } catch (thrown) {
    if (question !== asked) return;
    if (isUnauthorized(thrown)) return fail(thrown);
    showWeek(noticeOf(thrown, connectorId));
    // The status may be the reason, and the list shows an old one.
    void load();
  }
}

function showWeek(shown, newTick = () => {}) {
  tick = newTick;
  byId('week').removeAttribute('aria-busy');
  byId('week').replaceChildren(shown);
}

/** Does something and says what went wrong with it; true when nothing did. */
async function attempt(deed) {
  try {
    await deed();
    return true;
  } catch (thrown) {
    fail(thrown);
    return false;
  }
}

function fail(thrown) {
  if (isUnauthorized(thrown)) askForToken();
  say(noticeOf(thrown));
}

function isUnauthorized(thrown) {
  return thrown instanceof ApiProblem && thrown.code === 'unauthorized';
}

function noticeOf(thrown, connectorId) {
  if (!(thrown instanceof ApiProblem)) {
    console.error(thrown);
    return notice('bad', 'This page has failed.', String(thrown));
  }
  const { code, message, retryAfter, errors } = thrown;
  const title = code === 'unauthorized' ? 'The worker does not take this token.' : 'That did not work.';
  const wait = retryAfter === undefined ? '' : ` It may work again in ${retryAfter} s.`;
  const fields = errors.map(({ path, message: text }) => element('li', {}, `${path}: ${text}`));
  const connector = connectors.find((one) => one.connectorId === connectorId);
  const mends = ['reauth_required', 'consent_missing'].includes(code) && connector !== undefined;
  return notice(
    'bad',
    title,
    `${message}${wait}`,
    element('code', {}, code),
    fields.length > 1 ? element('ul', {}, ...fields) : '',
    mends
      ? element(
          'p',
          {},
          element(
            'button',
            { className: 'main', type: 'button', onclick: () => act('connect', connector) },
            'Reconnect',
          ),
        )
      : '',
  );
}

/** Shows a message in place of the one before; without one, none. */
function say(...shown) {
  byId('notices').replaceChildren(...shown);
}

function isZone(zone) {
  try {
    offsetAt(Date.now(), zone);
    return zone !== '';
  } catch {
    return false;
  }
}

function fillZones() {
  const zones = Intl.supportedValuesOf?.('timeZone') ?? [];
  const all = [...new Set([browserZone, 'UTC', ...zones])];
  byId('zones').replaceChildren(...all.map((value) => element('option', { value })));
  byId('zone').value = browserZone;
  byId('day').value = dateAt(Date.now(), browserZone);
}

function goToWeek(day) {
  byId('day').value = day;
  void ask();
}

function listen() {
  const onSubmit = (id, deed) =>
    byId(id).addEventListener('submit', (event) => {
      event.preventDefault();
      deed();
    });
  onSubmit('sign-in-form', () => {
    say();
    userId = byId('first-user').value.trim();
    void open(byId('token').value.trim());
  });
  onSubmit('user-form', () => {
    say();
    userId = byId('user').value.trim();
    sessionStorage.setItem('userId', userId);
    chosenId = undefined;
    void load();
  });
  onSubmit('week-form', () => void ask());
  byId('forget').addEventListener('click', () => {
    say();
    askForToken();
  });
  byId('connect-google').addEventListener('click', () => act('connect', { provider: 'google' }));
  byId('connect-microsoft').addEventListener('click', () => act('connect', { provider: 'microsoft' }));
  byId('admin-consent').href =
    `/oauth/microsoft/admin-consent/start?redirectUri=${encodeURIComponent(REDIRECT_URI)}`;
  byId('week-before').addEventListener('click', () => goToWeek(addDays(byId('day').value, -7)));
  byId('week-after').addEventListener('click', () => goToWeek(addDays(byId('day').value, 7)));
  byId('week-now').addEventListener('click', () =>
    goToWeek(dateAt(Date.now(), isZone(byId('zone').value) ? byId('zone').value : browserZone)),
  );
  byId('confirm-no').addEventListener('click', () => byId('confirm').close('no'));
  byId('confirm-yes').addEventListener('click', () => byId('confirm').close('yes'));
}

begin();
