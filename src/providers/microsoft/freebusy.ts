import type { BusyReport, CalendarReading, WorkingHours } from '../../domain/availability.ts';
import { type Failure, fail, ok, type Outcome } from '../../domain/failure.ts';
import { clipIntervals, type Interval } from '../../domain/interval.ts';
import type { Access, BusyQuestion } from '../provider.ts';
import { askAll } from './batch.ts';
import { type GraphCalendar, type MailboxSettings, readMailbox } from './calendars.ts';
import { readViewEvents, viewEventSchema, viewRequests } from './calendar-view.ts';
import type { Graph } from './client.ts';
import type { MicrosoftConfig } from './config.ts';
import { joinBusy } from './join-busy.ts';
import { readPages } from './pages.ts';
import { readSchedules, type Schedule, scheduleCalls } from './schedule.ts';

/** The default calendar, whatever its id. */
const PRIMARY = 'primary';

/** What a request without an answer is: never free. */
const UNANSWERED = fail({ kind: 'malformed', at: 'batch' });

/** Where the busy times of one calendar are read. */
type Source =
  | { id: string; via: 'schedule'; address: string }
  | { id: string; via: 'view'; calendar: string[] }
  | { id: string; via: 'nowhere'; failure: Failure };

/** What is known of the mailbox beforehand. `listed`: why the list of its calendars is missing, if it is. */
interface Mailbox {
  calendars: GraphCalendar[];
  listFailure?: Failure;
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
 * getSchedule for them. An all-day event blocks its dates in the mailbox's zone.
 *
 * Fails as a whole with `token-rejected` wherever that is met; with the failure of the calendar list
 * when no calendars are named; and when every calendar alike could not be reached, or was refused as
 * their list was.
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

  const read = await readSources(sources, question.range, graph, mailbox.value.settings.timeZone);
  if (!read.ok) return read;
  const { calendars, schedules } = read.value;
  const common = commonFailure(calendars, mailbox.value.listFailure);
  if (common !== undefined) return fail(common);
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
    ...(!calendars.ok && { listFailure: calendars.failure }),
  });
}

/** Every calendar of the list, and in any case the default one. */
function allOf({ calendars }: Mailbox): string[] {
  const ids = calendars.map(({ id }) => id);
  return calendars.some(({ isDefault }) => isDefault) ? ids : [PRIMARY, ...ids];
}

function findSource(id: string, { calendars }: Mailbox, { account }: Access): Source {
  const main = calendars.find(({ isDefault }) => isDefault);
  const ownAddress = main?.ownerAddress;
  const isOwnAddress = isAddress(id) && [ownAddress, account.email].some((own) => sameAddress(own, id));
  if (id === PRIMARY || id === main?.id || (isOwnAddress && account.kind === 'personal')) {
    // Only the address that the mailbox itself names: the sign-in name need not be one.
    return account.kind === 'work' && ownAddress !== undefined
      ? { id, via: 'schedule', address: ownAddress }
      : { id, via: 'view', calendar: ['me', 'calendar'] };
  }
  if (!isAddress(id)) return { id, via: 'view', calendar: ['me', 'calendars', id] };
  return account.kind === 'work'
    ? { id, via: 'schedule', address: id }
    : { id, via: 'nowhere', failure: { kind: 'rejected', status: 400, code: 'NotForPersonalAccounts' } };
}

function isAddress(id: string): boolean {
  return id.includes('@');
}

function sameAddress(a: string | undefined, b: string): boolean {
  return a?.toLowerCase() === b.toLowerCase();
}

interface Readings {
  calendars: CalendarReading[];
  schedules: Map<string, Schedule>;
}

/** Reads all sources at once, each place but once. Fails only with `token-rejected`. */
async function readSources(
  sources: readonly Source[],
  range: Interval,
  graph: Graph,
  timeZone: string | undefined,
): Promise<Outcome<Readings>> {
  const addresses = new Map<string, string>();
  const views = new Map<string, string[]>();
  for (const source of sources) {
    if (source.via === 'schedule') addresses.set(source.address.toLowerCase(), source.address);
    if (source.via === 'view') views.set(source.calendar.join('/'), source.calendar);
  }
  const calls = scheduleCalls([...addresses.values()], range);
  const pieces = [...views].flatMap(([key, calendar]) =>
    viewRequests(calendar, range).map((request) => ({ key, request })),
  );

  const answers = await askAll(
    graph,
    [...calls, ...pieces].map(({ request }) => request),
  );
  const schedules = readSchedules(
    calls.map((call, index) => ({ call, answer: answers[index] ?? UNANSWERED })),
  );
  const lists = await readPages(
    graph,
    pieces.map(({ request }, index) => ({ request, answer: answers[calls.length + index] ?? UNANSWERED })),
    viewEventSchema,
  );
  const rejected = [...answers, ...lists].find(
    (answer) => !answer.ok && answer.failure.kind === 'token-rejected',
  );
  if (rejected?.ok === false) return rejected;

  const viewed = new Map<string, Outcome<Interval[]>>();
  for (const [index, { key }] of pieces.entries()) {
    const list = lists[index] ?? UNANSWERED;
    viewed.set(key, joinBusy(viewed.get(key), list.ok ? readViewEvents(list.value, timeZone) : list));
  }
  const busyIn = (source: Source): Outcome<Interval[]> => {
    if (source.via === 'nowhere') return fail(source.failure);
    const busy =
      source.via === 'view'
        ? viewed.get(source.calendar.join('/'))
        : schedules.get(source.address.toLowerCase())?.busy;
    if (busy === undefined) return UNANSWERED;
    return busy.ok ? ok(clipIntervals(busy.value, range)) : busy;
  };
  return ok({ calendars: sources.map((source) => ({ id: source.id, busy: busyIn(source) })), schedules });
}

/**
 * The failure to report when nothing at all was learnt: every calendar out of reach for the moment, or
 * all refused in the way that their list was. Of several, the one to wait for longest.
 */
function commonFailure(
  calendars: readonly CalendarReading[],
  listFailure: Failure | undefined,
): Failure | undefined {
  const failures = calendars.flatMap(({ busy }) => (busy.ok ? [] : [busy.failure]));
  const isCommon = ({ kind }: Failure) =>
    kind === 'throttled' || kind === 'unavailable' || kind === listFailure?.kind;
  if (failures.length < calendars.length || !failures.every(isCommon)) return undefined;
  return failures.toSorted((a, b) => retryOf(b) - retryOf(a))[0];
}

function retryOf(failure: Failure): number {
  return (
    (failure.kind === 'throttled' || failure.kind === 'unavailable' ? failure.retryAtMs : undefined) ?? 0
  );
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
