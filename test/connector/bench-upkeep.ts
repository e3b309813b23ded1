import { Agenda } from '../../src/connector/agenda.ts';
import { ChannelUpkeep } from '../../src/connector/channel-upkeep.ts';
import { Channels } from '../../src/connector/channels.ts';
import { LAST_USE, writeFact } from '../../src/connector/facts.ts';
import type { Lane } from '../../src/connector/gate.ts';
import { Ledger } from '../../src/connector/ledger.ts';
import { Mirror } from '../../src/connector/mirror.ts';
import { MirrorAnswers } from '../../src/connector/mirror-answers.ts';
import { MirrorUpkeep } from '../../src/connector/mirror-upkeep.ts';
import { Notices } from '../../src/connector/notices.ts';
import { OwnWrites } from '../../src/connector/own-writes.ts';
import type { WorkingHours } from '../../src/domain/availability.ts';
import { fail, type Failure, ok, type Outcome } from '../../src/domain/failure.ts';
import type { MirroredCalendar, MirroredEvent, SyncStatus } from '../../src/domain/mirror.ts';
import type { ProviderSync, PushNotice, Watch } from '../../src/providers/provider-sync.ts';
import type { Access } from '../../src/providers/provider.ts';
import { freshId } from '../database.ts';
import { inFreshObject, openStore } from './bench.ts';
import { createWorld, DAY_MS, grantOf, HOUR_MS, settle, START_MS, type World } from './world.ts';

export const MINUTE_MS = 60_000;
/** How long a channel of the double lives. */
export const LIFE_MS = 7 * DAY_MS;

export const DOWN: Failure = { kind: 'unavailable', ambiguous: false };
export const SILENT: Failure = { kind: 'unavailable', ambiguous: true };
export const REVOKED: Failure = { kind: 'grant-revoked', detail: 'invalid_grant' };

/** Access that leads nowhere. */
export const ACCESS: Access = {
  accessToken: 'access-1',
  account: grantOf(1).account,
  now: () => START_MS,
  send: () => Promise.reject(new Error('the double sends nothing')),
};

/** A failure; or one that comes though the call has been carried out. */
type Weather = Failure | { lost: Failure };
/** The call is carried out, and its answer never comes. */
export const HUNG: Weather = { lost: SILENT };

export type SyncCall = 'list' | 'changes' | 'watch' | 'renew' | 'stop';

/** A channel as the provider has it. */
interface OpenChannel extends Watch {
  calendarId: string;
  address: string;
  secret: string;
}

/** A calendar of the account. */
export function calendarOf(id: string, over: Partial<MirroredCalendar> = {}): MirroredCalendar {
  return { id, name: id, isPrimary: false, counts: true, isReadable: true, timeZone: 'UTC', ...over };
}

/** A single event that begins so many hours after the clock does, for an hour. */
export function eventOf(eventId: string, hours: number, over: Partial<MirroredEvent> = {}): MirroredEvent {
  const startMs = START_MS + hours * HOUR_MS;
  return {
    eventId,
    kind: 'single',
    time: { kind: 'timed', startMs, endMs: startMs + HOUR_MS, timeZone: 'UTC' },
    details: { status: 'confirmed', isBusy: true, isPrivate: false, summary: eventId, etag: `"${eventId}"` },
    ...over,
  };
}

/** A provider that tells changes as `weather` has it. Nothing is asked of it that is not in `calls`. */
export function createSyncDouble({ clock }: World, { renews = false } = {}) {
  const open = new Map<string, OpenChannel>();
  const logs = new Map<string, { eventId: string; event?: MirroredEvent }[]>();
  const logOf = (calendarId: string) => {
    const log = logs.get(calendarId) ?? [];
    logs.set(calendarId, log);
    return log;
  };
  const double = {
    calendars: [calendarOf('ada', { isPrimary: true })],
    workingHours: undefined as WorkingHours[] | undefined,
    calls: [] as string[],
    lanes: [] as Lane[],
    /** What becomes of a call that is about `subject`. */
    weather: (_call: SyncCall, _subject: string): Weather | undefined => undefined,
    /** Awaited before a call is carried out. */
    before: (_call: SyncCall, _subject: string): Promise<void> => Promise.resolve(),
    /** Called when a call has been carried out, before its answer is here. */
    after: (_call: SyncCall, _subject: string): void => {},
    lifeMs: LIFE_MS,
    /** So many changes are told at once. */
    pageSize: Infinity,
    /** The channels that live, of one calendar or of all. */
    living: (calendarId?: string) =>
      [...open.values()].filter(
        (one) => one.expiresAtMs > clock.now() && (calendarId === undefined || one.calendarId === calendarId),
      ),
    /** Something of a channel of the provider, as its notification. */
    say: ({ watchId, resourceId, secret }: OpenChannel, kind: PushNotice['kind']): PushNotice => ({
      watchId,
      secret,
      kind,
      ...(resourceId !== undefined && { resourceId }),
    }),
    /** All living channels of a calendar tell of a change. */
    announce: (calendarId: string): PushNotice[] =>
      double.living(calendarId).map((channel) => double.say(channel, 'changed')),
    /** The channel is no more, and nobody says so. */
    drop: (watchId: string) => open.delete(watchId),
    put: (calendarId: string, event: MirroredEvent) =>
      void logOf(calendarId).push({ eventId: event.eventId, event }),
    remove: (calendarId: string, eventId: string) => void logOf(calendarId).push({ eventId }),
    countOf: (call: SyncCall) => double.calls.filter((one) => one.startsWith(call)).length,
  };
  const act = async <T>(call: SyncCall, subject: string, body: () => Outcome<T>): Promise<Outcome<T>> => {
    double.calls.push(`${call} ${subject}`.trim());
    await double.before(call, subject);
    const weather = double.weather(call, subject);
    if (weather !== undefined && 'kind' in weather) return fail(weather);
    const outcome = body();
    double.after(call, subject);
    if (weather === HUNG) return await new Promise(() => {});
    return weather === undefined ? outcome : fail(weather.lost);
  };
  const sync: ProviderSync = {
    watchLifetimeMs: LIFE_MS,
    readPush: () => undefined,
    readCalendars: () =>
      act('list', '', () =>
        ok({
          calendars: double.calendars,
          ...(double.workingHours !== undefined && { workingHours: double.workingHours }),
        }),
      ),
    readChanges: (requests) =>
      Promise.all(
        requests.map(({ calendar: { id }, position }) =>
          act('changes', id, () => {
            const log = logOf(id);
            const told = new Map<string, MirroredEvent | undefined>();
            const from = Number(position ?? 0);
            const to = Math.min(log.length, from + double.pageSize);
            for (const { eventId, event } of log.slice(from, to)) told.set(eventId, event);
            const events = [...told.values()].filter((event) => event !== undefined);
            const removed =
              position === undefined
                ? []
                : [...told].filter(([, event]) => event === undefined).map(([gone]) => gone);
            return ok({ events, removed, position: String(to), isComplete: to === log.length });
          }),
        ),
      ),
    watch: ({ calendarId, channelId, address, secret, lifetimeMs }) =>
      act('watch', calendarId, () => {
        const watch = {
          watchId: `w-${channelId}`,
          resourceId: `r-${calendarId}`,
          expiresAtMs: clock.now() + Math.min(lifetimeMs, double.lifeMs),
        };
        open.set(watch.watchId, { ...watch, calendarId, address, secret });
        return ok(watch);
      }),
    ...(renews && {
      renewWatch: (watch, lifetimeMs) =>
        act('renew', open.get(watch.watchId)?.calendarId ?? '', () => {
          const known = open.get(watch.watchId);
          if (known === undefined || known.expiresAtMs <= clock.now())
            return fail({ kind: 'not-found', what: 'watch' });
          const longer = { ...watch, expiresAtMs: clock.now() + lifetimeMs };
          open.set(watch.watchId, { ...known, ...longer });
          return ok(longer);
        }),
    }),
    stopWatch: ({ watchId }) =>
      act('stop', open.get(watchId)?.calendarId ?? '', () => {
        open.delete(watchId);
        return ok(undefined);
      }),
  };
  return Object.assign(double, { sync });
}
export type SyncDouble = ReturnType<typeof createSyncDouble>;

function accountOf(double: SyncDouble) {
  return {
    use: async <T>(lane: Lane, operate: (access: Access) => Promise<Outcome<T>>) => {
      double.lanes.push(lane);
      return await operate(ACCESS);
    },
  };
}

/** Channels on this storage, as after an eviction. */
export function openChannels(
  state: DurableObjectState,
  { clock }: World,
  double: SyncDouble,
  ref = 'ref',
): Channels {
  return new Channels({
    connectorId: 'connector-1',
    store: openStore(state).store,
    account: accountOf(double),
    provider: double,
    address: () => Promise.resolve(`https://calendar.example.com/webhooks/google/${ref}`),
    now: clock.now,
    randomId: () => freshId('id'),
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  });
}

/** The mirror, what keeps it up and what answers from it, on this storage, as after an eviction. */
export function openMirror(state: DurableObjectState, world: World, double: SyncDouble) {
  const { clock, alarm, script, events } = world;
  const { store, countRows } = openStore(state);
  const shown: SyncStatus[] = [];
  const control = {
    obstacle: undefined as Failure | undefined,
    onFailure: (_failure: Failure): void => {},
    isInUse: true,
    show: (_status: SyncStatus): Promise<void> => Promise.resolve(),
  };
  const shared = {
    connectorId: 'connector-1',
    store,
    provider: double,
    account: accountOf(double),
    now: clock.now,
    random: () => script.random(),
    randomId: () => freshId('id'),
    onError: (where: string, thrown: unknown) =>
      void events.push({ event: 'error', where, detail: String(thrown) }),
  };
  const agenda = new Agenda(store, alarm);
  const notices = new Notices({ ...shared, agenda, ledger: new Ledger(store), send: world.sendNotices });
  const mirror = new Mirror(store);
  const channels = openChannels(state, world, double);
  const ownWrites = new OwnWrites({
    now: clock.now,
    lastEndedAtMs: () => -Infinity,
    openTasks: () => [],
  });
  const channelUpkeep = new ChannelUpkeep({
    ...shared,
    channels,
    agenda,
    wanted: () => upkeep.calendarsToWatch(),
    obstacle: () => control.obstacle,
    onFailure: (failure) => control.onFailure(failure),
    rearm: () => {},
  });
  const upkeep: MirrorUpkeep = new MirrorUpkeep({
    ...shared,
    mirror,
    channels,
    channelUpkeep,
    ownWrites,
    agenda,
    notices,
    record: (event) => void events.push(event),
    obstacle: () => control.obstacle,
    onFailure: (failure) => control.onFailure(failure),
    show: async (status) => {
      shown.push(status);
      await control.show(status);
    },
    rearm: () => {},
  });
  const dueAt = (name: string): number | undefined =>
    state.storage.sql.exec<{ due_at: number }>('SELECT due_at FROM duty WHERE name = ?', name).toArray().at(0)
      ?.due_at;
  return {
    store,
    countRows,
    agenda,
    notices,
    mirror,
    channels,
    channelUpkeep,
    ownWrites,
    upkeep,
    answers: new MirrorAnswers({ store, mirror, upkeep, now: clock.now, isInUse: () => control.isInUse }),
    control,
    /** Each status that was to be shown outside. */
    shown,
    /** When a duty is due; undefined: it is not on the agenda. */
    dueAt,
    /** In how many milliseconds. */
    dueIn: (name: string) => (dueAt(name) ?? NaN) - clock.now(),
    /** Somebody uses the connector. */
    markUse: () => writeFact(store, LAST_USE, { atMs: clock.now() }),
    /** Lets time go by, and does what is due as it becomes so. */
    async pass(ms: number): Promise<void> {
      const untilMs = clock.now() + ms;
      for (;;) {
        const nextMs = Math.min(dueAt('sync') ?? Infinity, dueAt('channels') ?? Infinity);
        if (nextMs > untilMs) break;
        // oxlint-disable-next-line no-await-in-loop
        await clock.advance(Math.max(0, nextMs - clock.now()));
        const due = agenda.due(clock.now());
        if (due.includes('sync')) upkeep.syncDue();
        if (due.includes('channels')) channelUpkeep.due();
        // oxlint-disable-next-line no-await-in-loop
        await settle();
      }
      await clock.advance(untilMs - clock.now());
    },
  };
}
export type MirrorBench = ReturnType<typeof openMirror>;

/** Runs `body` with a mirror in a fresh object that nobody has asked for anything yet. */
export function withMirror(
  body: (bench: MirrorBench, double: SyncDouble, world: World, state: DurableObjectState) => Promise<void>,
): Promise<void> {
  return inFreshObject(async (state) => {
    const world = createWorld();
    const double = createSyncDouble(world);
    await body(openMirror(state, world, double), double, world, state);
  });
}

/** The same with one that has been filled, whose channels are open. What it took is forgotten. */
export function withFilledMirror(
  body: (bench: MirrorBench, double: SyncDouble, world: World, state: DurableObjectState) => Promise<void>,
  prepare: (double: SyncDouble) => void = () => {},
): Promise<void> {
  return withMirror(async (bench, double, world, state) => {
    prepare(double);
    await fill(bench, double);
    await body(bench, double, world, state);
  });
}

/** Somebody asks, the mirror is filled, and its channels are opened. */
export async function fill(bench: MirrorBench, double: SyncDouble): Promise<void> {
  bench.markUse();
  const filled = await bench.upkeep.bringUpToDate('interactive');
  if (!filled.ok) throw new Error(`the mirror was not filled: ${filled.failure.kind}`);
  // The first poll is at the pace of one whose channels are not open yet.
  await bench.pass(6 * MINUTE_MS);
  double.calls.length = 0;
  double.lanes.length = 0;
  bench.shown.length = 0;
}

/** This worker makes an event. */
export function createOwn({ ownWrites }: MirrorBench, { provider }: World) {
  const { time } = eventOf('own', 1);
  const draft = {
    summary: 'own',
    time,
    attendees: [],
    recurrence: [],
    notify: 'none',
    conference: false,
  } as const;
  return ownWrites
    .watch(provider)
    .createEvent({ ...draft, attendees: [], recurrence: [] }, { key: 'k', isRepeat: false }, ACCESS);
}
