import type { Account } from '../../src/connector/account.ts';
import type { Lane } from '../../src/connector/gate.ts';
import { Mirror } from '../../src/connector/mirror.ts';
import type { SqlValue, Store } from '../../src/connector/store.ts';
import type { SyncReport } from '../../src/connector/sync-findings.ts';
import { Sync } from '../../src/connector/sync.ts';
import { fail, type Failure, ok, type Outcome } from '../../src/domain/failure.ts';
import type { MirroredCalendar, MirroredEvent } from '../../src/domain/mirror.ts';
import type { MetricEvent } from '../../src/metrics.ts';
import type { CalendarList, ChangesPage, ChangesRequest } from '../../src/providers/provider-sync.ts';
import type { Access } from '../../src/providers/provider.ts';
import { MUTE_SYNC } from '../providers/mute-sync.ts';
import { inFreshObject, openStore } from './bench.ts';
import { CALENDAR, single } from './bench-mirror.ts';
import { createClock } from './world.ts';

type Entry = { eventId: string; event?: MirroredEvent };

/** A provider's calendars: what is in them, and all that ever changed, in order. */
export function createRemote(calendars: MirroredCalendar[] = [CALENDAR]) {
  const logs = new Map<string, Entry[]>();
  const logOf = (id: string) => {
    const log = logs.get(id) ?? [];
    logs.set(id, log);
    return log;
  };
  const eventsOf = (id: string) => {
    const events = new Map<string, MirroredEvent>();
    for (const { eventId, event } of logOf(id)) {
      events.delete(eventId);
      if (event !== undefined) events.set(eventId, event);
    }
    return events;
  };
  const remote = {
    calendars,
    workingHours: undefined as CalendarList['workingHours'],
    /** So many entries in a page. */
    pageSize: 100,
    /** Each page that was asked for: of which calendar, and from where. */
    asked: [] as { id: string; position: string | undefined; request: ChangesRequest }[],
    lists: 0,
    /** What a page is answered in place of what is so. Throws or waits as it likes. */
    answer: (_request: ChangesRequest): Outcome<ChangesPage> | undefined => undefined,
    list: (): Outcome<CalendarList> =>
      ok({
        calendars: remote.calendars,
        ...(remote.workingHours !== undefined && { workingHours: remote.workingHours }),
      }),
    /** Before a call is answered. */
    meanwhile: (): Promise<void> => Promise.resolve(),
    put(...events: MirroredEvent[]) {
      remote.putInto(CALENDAR.id, ...events);
    },
    putInto(id: string, ...events: MirroredEvent[]) {
      logOf(id).push(...events.map((event) => ({ eventId: event.eventId, event })));
    },
    remove(...ids: string[]) {
      logOf(CALENDAR.id).push(...ids.map((eventId) => ({ eventId })));
    },
    eventsOf,
  };

  /** A position is `full:<log>:<offset>` within a reading from the start, else `since:<log>`. */
  function read({ calendar: { id }, position = `full:${logOf(id).length}:0` }: ChangesRequest): ChangesPage {
    const [kind, from = 0, offset = 0] = position
      .split(':')
      .map((part, n) => (n === 0 ? part : Number(part)));
    const log = logOf(id);
    if (kind === 'full') {
      const all = [...eventsOf(id).values()];
      const end = Number(offset) + remote.pageSize;
      const isComplete = end >= all.length;
      return {
        events: all.slice(Number(offset), end),
        removed: [],
        position: isComplete ? `since:${from}` : `full:${from}:${end}`,
        isComplete,
      };
    }
    const end = Math.min(Number(from) + remote.pageSize, log.length);
    // Of what changed more than once, the last counts.
    const entries = new Map(log.slice(Number(from), end).map((entry) => [entry.eventId, entry]));
    return {
      events: [...entries.values()].flatMap(({ event }) => event ?? []),
      removed: [...entries.values()].flatMap(({ eventId, event }) => (event === undefined ? [eventId] : [])),
      position: `since:${end}`,
      isComplete: end >= log.length,
    };
  }

  return Object.assign(remote, {
    sync: {
      ...MUTE_SYNC,
      async readCalendars() {
        remote.lists += 1;
        await remote.meanwhile();
        return remote.list();
      },
      async readChanges(requests: readonly ChangesRequest[]) {
        for (const request of requests)
          remote.asked.push({ id: request.calendar.id, position: request.position, request });
        await remote.meanwhile();
        return requests.map((request) => remote.answer(request) ?? ok(read(request)));
      },
    },
  });
}
export type Remote = ReturnType<typeof createRemote>;

/** A sync of `remote` on a store, as after an eviction each time `open` is called. */
export function openSync(storage: Store, remote: Remote) {
  const clock = createClock();
  const recorded: MetricEvent[] = [];
  const ended: { outcome: Outcome<SyncReport>; report: SyncReport }[] = [];
  const lanes: Lane[] = [];
  const own = { versions: new Set<string>(), removals: new Set<string>() };
  const script = {
    obstacle: (): Failure | undefined => undefined,
    /** Before a statement runs; a throw makes it fail. */
    beforeQuery: (_statement: string, _values: readonly SqlValue[]): void => {},
    /** What a run has found until now, as it is to be told. */
    onFound: (_changed: number, _removed: number): void => {},
    refreshes: 0,
    /** Whether a refused token is refreshed to good effect. */
    refresh: (): Failure | undefined => undefined,
  };
  const store: Store = {
    query(statement, ...values) {
      script.beforeQuery(statement, values);
      return storage.query(statement, ...values);
    },
    transaction: (body) => storage.transaction(body),
    get undone() {
      return storage.undone;
    },
  };
  const access: Access = {
    accessToken: 'access-1',
    account: { id: 'account-1', kind: 'work' },
    send: () => Promise.reject(new Error('unexpected call')),
    now: clock.now,
  };
  const account: Pick<Account, 'use'> = {
    async use(lane, operate) {
      lanes.push(lane);
      const first = await operate(access);
      if (first.ok || first.failure.kind !== 'token-rejected') return first;
      script.refreshes += 1;
      const failure = script.refresh();
      return failure === undefined ? await operate(access) : fail(failure);
    },
  };
  let names = 0;
  const open = () => {
    const mirror = new Mirror(store);
    const sync = new Sync({
      connectorId: 'connector-1',
      store,
      mirror,
      account,
      provider: { sync: remote.sync },
      now: clock.now,
      record: (event) => void recorded.push(event),
      randomId: () => {
        names += 1;
        return `epoch-${names}`;
      },
      obstacle: () => script.obstacle(),
      isOwn: ({ details }) => own.versions.has(details?.etag ?? ''),
      isOwnRemoval: (eventId) => own.removals.has(eventId),
      onFound: ({ changed, removed }) => script.onFound(changed, removed),
      onEnd: (outcome, report) => void ended.push({ outcome, report }),
    });
    return { mirror, sync };
  };
  const resyncs = () => recorded.flatMap((one) => (one.event === 'resync' ? [one.outcome] : []));
  return { store, remote, clock, recorded, resyncs, ended, lanes, own, script, open, ...open() };
}
export type SyncBench = ReturnType<typeof openSync>;

/** Runs `body` with a sync in a fresh object. */
export function withSync(
  body: (bench: SyncBench & { rowsWritten: () => number }) => void | Promise<void>,
  calendars: MirroredCalendar[] = [CALENDAR],
): Promise<void> {
  return inFreshObject(async (state) => {
    const { store, rowsWritten } = openStore(state);
    await body({ ...openSync(store, createRemote(calendars)), rowsWritten });
  });
}

/** What a run came to that found nothing. */
export const NOTHING: SyncReport = { calendarIds: [], changed: 0, removed: 0, goneCalendarIds: [] };
export const DOWN: Failure = { kind: 'unavailable', ambiguous: false };
export const EXPIRED: Failure = { kind: 'cursor-expired' };
/** A doubted reading is not believed of one that comes earlier. */
export const DOUBT_MS = 5_000;

/** What a run came to that found this in the primary calendar. */
export function found(over: Partial<SyncReport>): Outcome<SyncReport> {
  return ok({ ...NOTHING, calendarIds: [CALENDAR.id], ...over });
}

/** The ids of a calendar's events, sorted. */
export function idsOf(mirror: Mirror, id = CALENDAR.id): string[] {
  return mirror.idsOf(id).toSorted();
}

/** So many events, an hour apart, `prefix0` the first. */
export function named(prefix: string, many: number, at = 0): MirroredEvent[] {
  return Array.from({ length: many }, (_, n) => single(`${prefix}${n}`, at + n));
}

/** Has every page fail that is asked for from a position which fits. */
export function failAt(
  remote: Remote,
  failure: Failure,
  fits: (position: string | undefined) => boolean,
): void {
  remote.answer = ({ position }) => (fits(position) ? fail(failure) : undefined);
}

/** Has every page be answered as it is. */
export function repair(remote: Remote): void {
  remote.answer = () => undefined;
}
