import { jsonAnswer } from '../exchange.ts';
import type { Answer, Ask } from '../exchange.ts';
import type { ListedCalendar, Person } from '../people.ts';
import type { World } from '../world.ts';
import { pageOf, readOptions, select } from './odata.ts';
import { workingHoursResource, zoneName } from './working-hours.ts';

/** GET /me. */
export function getMe(world: World, ask: Ask, person: Person): Answer {
  const options = readOptions(ask, ['$select']);
  const [givenName = '', ...rest] = person.name.split(' ');
  const me = {
    '@odata.context': `${world.origin()}/v1.0/$metadata#users/$entity`,
    id: person.id,
    displayName: person.name,
    givenName,
    surname: rest.join(' '),
    mail: person.email,
    userPrincipalName: person.email,
    businessPhones: [],
    jobTitle: null,
    mobilePhone: null,
    officeLocation: null,
    preferredLanguage: 'en-US',
  };
  return jsonAnswer(200, select(me, options.text('$select'), 'user'));
}

/** GET /me/calendars. */
export function listCalendars(world: World, ask: Ask, person: Person): Answer {
  const options = readOptions(ask, ['$top', '$skip', '$select']);
  const at = {
    top: options.count('$top', 10, { least: 1, most: 999 }),
    skip: options.count('$skip', 0, { least: 0, most: 999_999 }),
  };
  const { value, ...more } = pageOf(person.calendars, ask, world.origin(), at);
  return jsonAnswer(200, {
    '@odata.context': `${world.origin()}/v1.0/$metadata#users('${person.id}')/calendars`,
    ...more,
    value: value.map((entry) => select(calendarResource(entry, person), options.text('$select'), 'calendar')),
  });
}

/** GET /me/calendar or /me/calendars/{id}. */
export function getCalendar(world: World, ask: Ask, person: Person, entry: ListedCalendar): Answer {
  const options = readOptions(ask, ['$select']);
  const context = `${world.origin()}/v1.0/$metadata#users('${person.id}')/calendars/$entity`;
  return jsonAnswer(200, {
    '@odata.context': context,
    ...select(calendarResource(entry, person), options.text('$select'), 'calendar'),
  });
}

/** GET /me/mailboxSettings, or one of its properties. */
export function getMailboxSettings(world: World, ask: Ask, person: Person, property: string): Answer {
  const options = readOptions(ask, ['$select']);
  const settings = {
    '@odata.context': `${world.origin()}/v1.0/$metadata#users('${person.id}')/mailboxSettings`,
    archiveFolder: null,
    timeZone: zoneName(person, person.timeZone),
    delegateMeetingMessageDeliveryOptions: 'sendToDelegateOnly',
    dateFormat: 'M/d/yyyy',
    timeFormat: 'h:mm tt',
    userPurpose: 'user',
    automaticRepliesSetting: { status: 'disabled', externalAudience: 'all' },
    language: { locale: 'en-US', displayName: 'English (United States)' },
    workingHours: workingHoursResource(person),
  };
  if (property === '') return jsonAnswer(200, select(settings, options.text('$select'), 'mailboxSettings'));
  const context = `${settings['@odata.context']}/${property}`;
  return property.toLowerCase() === 'timezone'
    ? jsonAnswer(200, { '@odata.context': context, value: settings.timeZone })
    : jsonAnswer(200, { '@odata.context': context, ...settings.workingHours });
}

function calendarResource(entry: ListedCalendar, person: Person): Record<string, unknown> {
  const own = entry.accessRole === 'owner';
  const canEdit = own || entry.accessRole === 'writer';
  return {
    id: entry.id,
    name: entry.name,
    color: 'auto',
    hexColor: '',
    isDefaultCalendar: entry.primary,
    changeKey: Buffer.from(`${entry.id.slice(-12)} ${entry.name}`).toString('base64'),
    canShare: own,
    canViewPrivateItems: own,
    canEdit,
    allowedOnlineMeetingProviders: person.account === 'work' ? ['teamsForBusiness'] : [],
    defaultOnlineMeetingProvider: person.account === 'work' ? 'teamsForBusiness' : 'unknown',
    isTallyingResponses: entry.primary,
    isRemovable: !entry.primary,
    owner: { name: entry.calendar.ownerName, address: entry.calendar.ownerEmail },
  };
}
