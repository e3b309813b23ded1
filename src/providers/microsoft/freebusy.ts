import type { BusyReport, CalendarReading, WorkingHours } from '../../domain/availability.ts';
import { type Failure, fail, ok, type Outcome } from '../../domain/failure.ts';
import { clipIntervals, type Interval } from '../../domain/interval.ts';
import { type CalendarCall, findCommonFailure } from '../common-failure.ts';
import { joinBusy } from '../join-busy.ts';
import type { Access, BusyQuestion } from '../provider.ts';
import { askAll } from './batch.ts';
import { type GraphCalendar, isOwnAddress, type MailboxSettings, readMailbox } from './calendars.ts';
import { readViewEvents, viewEventSchema, viewRequests } from './calendar-view.ts';
import type { Graph } from './client.ts';
import type { MicrosoftConfig } from './config.ts';
import { readPages } from './pages.ts';
import { readScheduleReply, readSchedules, type Schedule, scheduleCalls } from './schedule.ts';

/** The default calendar, whatever its id. */
const PRIMARY = 'primary';

/** What a request without an answer is: never free. */
const UNANSWERED = fail({ kind: 'malformed', at: 'batch' });

/** Where the busy times of one calendar are read. `timeZone`: where its all-day events block their dates, if known. */
type Source =
  | { id: string; via: 'schedule'; address: string }
  | { id: string; via: 'view'; calendar: string[]; timeZone?: string }
  | { id: string; via: 'nowhere'; failure: Failure };

/** What is known of the mailbox beforehand. */
interface Mailbox {
  calendars: GraphCalendar[];
  settings: MailboxSettings;
}

/**
 * Reads busy times from Microsoft 365 and Outlook.com.
 *
 * Which calendars count when the question names none: all in the person's calendar list, those that
 * others share with them included. Graph does not say which of them the person has switched off, so
 * none is left out; whoever wants fewer names them. A name is a calendar's id, `primary` for the
 * default calendar, or, for accounts of organisations, anybody's mail address.
 *
 * What counts as busy: `busy`, `tentative`, `oof` (out of office), and any status not known here.
 * `free` and `workingElsewhere` are not, nor are cancelled and declined events.
 *
 * Accounts of organisations: the default calendar and mail addresses through getSchedule, other
 * calendars event by event. Personal accounts: everything event by event, because Graph has no
 * getSchedule for them. An all-day event blocks its dates in the mailbox's zone; in a calendar of
 * somebody else, in the zone that the event was made in, or else wherever on earth it is that day.
 *
 * Fails as a whole with `token-rejected` wherever that is met; with the failure of the calendar list
 * when no calendars are named; and when the calls fail alike for every calendar.
 */
export async function readBusy(
  config: MicrosoftConfig,
  question: BusyQuestion,
  access: Access,
): Promise<Outcome<BusyReport>> {
  const graph: Graph = { graphUrl: config.graphUrl, access };
  const mailbox = await readMailboxFor(question, graph);
  if (!mailbox.ok) return mailbox;
  const sources = (question.calendars ?? allOf(mailbox.value)).map((id) =>
    findSource(id, mailbox.value, access),
  );

  const read = await readSources(sources, question.range, graph);
  if (!read.ok) return read;
  const { calendars, schedules } = read.value;
  const workingHours = mailbox.value.settings.workingHours ?? ownHours(schedules, mailbox.value, access);
  return ok({ calendars, ...(workingHours !== undefined && { workingHours }) });
}

/** The calendar list and the settings, unless the question is about mail addresses only. */
async function readMailboxFor({ calendars: asked }: BusyQuestion, graph: Graph): Promise<Outcome<Mailbox>> {
  const needsList =
    graph.access.account.kind === 'personal' || asked === undefined || !asked.every(isAddress);
  if (!needsList) return ok({ calendars: [], settings: {} });
  const { calendars, settings } = await readMailbox(graph);
  for (const part of [calendars, settings]) {
    if (!part.ok && part.failure.kind === 'token-rejected') return part;
  }
  if (!calendars.ok && asked === undefined) return calendars;
  return ok({
    calendars: calendars.ok ? calendars.value : [],
    settings: settings.ok ? settings.value : {},
  });
}

/** Every calendar of the list, and in any case the default one. */
function allOf({ calendars }: Mailbox): string[] {
  const ids = calendars.map(({ id }) => id);
  return calendars.some(({ isDefault }) => isDefault) ? ids : [PRIMARY, ...ids];
}

function findSource(id: string, { calendars, settings }: Mailbox, { account }: Access): Source {
  const main = calendars.find(({ isDefault }) => isDefault);
  const ownAddress = main?.ownerAddress;
  const isOwn = (address: string) => isOwnAddress(address, calendars, account);
  const ownZone = settings.timeZone === undefined ? {} : { timeZone: settings.timeZone };
  if (id === PRIMARY || id === main?.id || (isAddress(id) && isOwn(id) && account.kind === 'personal')) {
    // Only the address that the mailbox itself names: the sign-in name need not be one.
    return account.kind === 'work' && ownAddress !== undefined
      ? { id, via: 'schedule', address: ownAddress }
      : { id, via: 'view', calendar: ['me', 'calendar'], ...ownZone };
  }
  if (!isAddress(id)) {
    const owner = calendars.find((calendar) => calendar.id === id)?.ownerAddress;
    const zone = owner === undefined || isOwn(owner) ? ownZone : {};
    return { id, via: 'view', calendar: ['me', 'calendars', id], ...zone };
  }
  return account.kind === 'work'
    ? { id, via: 'schedule', address: id }
    : { id, via: 'nowhere', failure: { kind: 'rejected', status: 400, code: 'NotForPersonalAccounts' } };
}

function isAddress(id: string): boolean {
  return id.includes('@');
}

interface Readings {
  calendars: CalendarReading[];
  schedules: Map<string, Schedule>;
}

/** Reads all sources at once, each place but once. Fails when the calls fail alike for every one. */
async function readSources(
  sources: readonly Source[],
  range: Interval,
  graph: Graph,
): Promise<Outcome<Readings>> {
  const addresses = new Map<string, string>();
  const views = new Map<string, Extract<Source, { via: 'view' }>>();
  for (const source of sources) {
    if (source.via === 'schedule') addresses.set(placeOf(source), source.address);
    if (source.via === 'view') views.set(placeOf(source), source);
  }
  const calls = scheduleCalls([...addresses.values()], range);
  const pieces = [...views].flatMap(([place, { calendar, timeZone }]) =>
    viewRequests(calendar, range).map((request) => ({ place, timeZone, request })),
  );

  const answers = await askAll(
    graph,
    [...calls, ...pieces].map(({ request }) => request),
  );
  const replies = calls.map((call, index) => ({
    call,
    reply: readScheduleReply(answers[index] ?? UNANSWERED),
  }));
  const lists = await readPages(
    graph,
    pieces.map(({ request }, index) => ({ request, answer: answers[calls.length + index] ?? UNANSWERED })),
    viewEventSchema,
  );
  const failure = findCommonFailure(sources.map(placeOf), [
    ...replies.map(({ call, reply }) => ({ calendars: call.addresses.map(addressPlace), answer: reply })),
    ...pieces.map(({ place }, index) => viewCall(place, lists[index] ?? UNANSWERED)),
  ]);
  if (failure !== undefined) return fail(failure);

  const schedules = readSchedules(replies);
  const viewed = new Map<string, Outcome<Interval[]>>();
  for (const [index, { place, timeZone }] of pieces.entries()) {
    const list = lists[index] ?? UNANSWERED;
    viewed.set(place, joinBusy(viewed.get(place), list.ok ? readViewEvents(list.value, timeZone) : list));
  }
  const busyIn = (source: Source): Outcome<Interval[]> => {
    if (source.via === 'nowhere') return fail(source.failure);
    const busy =
      source.via === 'view' ? viewed.get(placeOf(source)) : schedules.get(addressPlace(source.address))?.busy;
    if (busy === undefined) return UNANSWERED;
    return busy.ok ? ok(clipIntervals(busy.value, range)) : busy;
  };
  return ok({ calendars: sources.map((source) => ({ id: source.id, busy: busyIn(source) })), schedules });
}

/** The same for sources that are read in the same place. */
function placeOf(source: Source): string {
  switch (source.via) {
    case 'schedule':
      return addressPlace(source.address);
    case 'view':
      return source.calendar.join('/');
    case 'nowhere':
      return source.id;
  }
}

function addressPlace(address: string): string {
  return address.toLowerCase();
}

/** How the call for one view ended. A calendar that is not there is an answer about that calendar. */
function viewCall(place: string, list: Outcome<unknown>): CalendarCall {
  const isAbsent = !list.ok && list.failure.kind === 'not-found';
  return { calendars: [place], answer: isAbsent ? ok(undefined) : list };
}

/** Working hours that came with the person's own schedule; those of anybody else are not theirs. */
function ownHours(
  schedules: Map<string, Schedule>,
  { calendars }: Mailbox,
  { account }: Access,
): WorkingHours[] | undefined {
  const own = calendars.find(({ isDefault }) => isDefault)?.ownerAddress ?? account.email;
  return own === undefined ? undefined : schedules.get(own.toLowerCase())?.workingHours;
}
