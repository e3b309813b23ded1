import type { Config } from '../config.ts';
import type { Outcome } from '../domain/failure.ts';
import type { Lease, LeaseRequest } from '../domain/lease.ts';
import type { Notice } from '../domain/notice.ts';
import { describeThrown, type RecordEvent } from '../metrics.ts';
import { createSend, type Fetch } from '../providers/http.ts';
import type { Provider } from '../providers/provider.ts';
import { Agenda } from './agenda.ts';
import { Availability } from './availability.ts';
import type { BackgroundWork } from './background-work.ts';
import { ChannelUpkeep } from './channel-upkeep.ts';
import { Connection } from './connection.ts';
import { callLifeOf, createAccount } from './create-account.ts';
import { type ConnectorMirror, createChannels, createMirror } from './create-mirror.ts';
import { Drain } from './drain.ts';
import { Erasure } from './erasure.ts';
import { CONNECTION, type Identity, readFact, writeFact } from './facts.ts';
import type { Lane } from './gate.ts';
import { Holds } from './holds.ts';
import { Ledger, type LedgerTask } from './ledger.ts';
import { LiveBusy } from './live-busy.ts';
import { MeetingTimes } from './meeting-times.ts';
import { Notices } from './notices.ts';
import { OwnWrites } from './own-writes.ts';
import { Permits } from './permits.ts';
import { Publication, type Showcase } from './publication.ts';
import { RetryBudget } from './retry-budget.ts';
import type { Alarm, Store } from './store.ts';
import { Tallies } from './tallies.ts';
import { TaskRuns } from './task-runs.ts';
import { TokenUpkeep } from './token-upkeep.ts';
import { type HeldGrant, Tokens } from './tokens.ts';

/** Everything an actor touches outside itself. */
export interface ActorMeans {
  identity: Identity;
  config: Config;
  provider: Provider;
  store: Store;
  alarm: Alarm;
  showcase: Showcase;
  fetch: Fetch;
  now: () => number;
  random: () => number;
  /** For names and secrets. */
  randomId: () => string;
  randomBytes: (length: number) => Uint8Array;
  sleep: (ms: number) => Promise<void>;
  sendNotices: (notices: Notice[]) => Promise<void>;
  /** Asks for a share in what the app as a whole may do; throws when nobody answers. */
  askApp: (request: LeaseRequest) => Promise<Lease>;
  record: RecordEvent;
  /** Deletes the actor's storage and its alarm. */
  wipe: () => Promise<void>;
}

/** What the parts of an actor need of the actor itself. */
export interface ActorHooks {
  /** A task has ended. */
  taskEnded: (task: Pick<LedgerTask, 'id' | 'type'>, state: 'done' | 'failed') => Promise<void>;
  syncCalendars: (lane: Lane) => Promise<Outcome<object>>;
  /** Closes the connection; what remains to be done for a disconnect follows when its task has ended. */
  beginDisconnect: () => Promise<Outcome<void>>;
  /** Deletes the storage, in which nothing is written from then on. */
  wipe: () => Promise<void>;
  isWiped: () => boolean;
  /** The next due time may have changed. */
  rearm: () => void;
}

/** The parts of an actor. */
export type ActorParts = ReturnType<typeof createParts>;

/** The parts of an actor, wired: who needs whom is to be seen here. */
export function createParts(means: ActorMeans, hooks: ActorHooks) {
  const { identity, config, store, alarm, showcase, now, random, sleep } = means;
  const { connectorId } = identity;
  const { keyring, limits } = config;
  const tallies = new Tallies();
  const record: RecordEvent = (event) => {
    means.record(event);
    tallies.note(event);
    // Not for an error: it may be that nobody takes the report.
    if (event.event !== 'error' && !tallies.isEmpty) permits.touch();
  };
  const onError = (where: string, thrown: unknown) =>
    record({ event: 'error', where: `${where} of ${connectorId}`, detail: describeThrown(thrown) });
  const permits = new Permits({
    connectorId,
    ask: means.askApp,
    tallies,
    now,
    random,
    sleep,
    onError,
    onQuiet: () => {
      if (!hooks.isWiped()) account.settle();
    },
  });
  const send = createSend({
    fetch: means.fetch,
    now,
    timeoutMs: limits.providerTimeoutMs,
    maxBodyBytes: limits.maxReplyBytes,
  });
  const shared = { identity, connectorId, store, keyring, showcase, send, now, random, record };

  const agenda = new Agenda(store, alarm);
  const ledger = new Ledger(store);
  const ownWrites = new OwnWrites({
    now,
    lastEndedAtMs: () => ledger.lastWriteEndedAt(),
    openTasks: () => ledger.openWrites(),
  });
  const provider = ownWrites.watch(means.provider);
  const notices = new Notices({ ...shared, agenda, ledger, onError, send: means.sendNotices });
  const publication = new Publication({
    ...shared,
    agenda,
    onError,
    tokens: () => tokens,
    rearm: () => hooks.rearm(),
  });
  const tokens: Tokens = new Tokens({
    ...shared,
    oauth: provider.oauth,
    readElsewhere: (tried) => publication.readElsewhere(tried),
    onStored: (stored, replaced) => grantStored(stored, replaced),
    onResealed: () => publish(),
  });
  const obstacle = () => connection.obstacle();
  const background: BackgroundWork = {
    now,
    random,
    onError,
    obstacle,
    onFailure: (failure) => connection.notice(failure),
    rearm: () => hooks.rearm(),
  };
  const budget = new RetryBudget();
  const account = createAccount({
    ...shared,
    limits,
    ledger,
    tokens,
    permits,
    tallies,
    budget,
    sleep,
    obstacle,
    firstRunsSince: (sinceMs) => drain.firstRunsSince(sinceMs),
  });
  const upkeep = new TokenUpkeep({ ...background, store, agenda, account });
  const connection: Connection = new Connection({
    ...shared,
    agenda,
    ledger,
    tokens,
    publication,
    notices,
    provider,
  });
  const holds = new Holds({
    ...background,
    connectorId,
    store,
    notices,
    account,
    provider,
    callLifeMs: callLifeOf(limits),
    openBefore: (taskId, types) => ledger.openBefore(taskId, types),
  });
  const channels = createChannels({
    ...shared,
    config,
    account,
    provider,
    randomId: means.randomId,
    randomBytes: means.randomBytes,
  });
  const channelUpkeep = new ChannelUpkeep({
    ...background,
    channels,
    agenda,
    wanted: () => mirror?.upkeep.calendarsToWatch() ?? [],
  });
  const mirror: ConnectorMirror | undefined = config.hasMirror
    ? createMirror({
        ...background,
        identity,
        store,
        record,
        channels,
        channelUpkeep,
        publication,
        agenda,
        account,
        provider,
        notices,
        ownWrites,
        randomId: means.randomId,
        isInUse: () => upkeep.isInUse,
      })
    : undefined;
  const availability = new Availability({
    ...(mirror !== undefined && { mirror: mirror.answers }),
    live: new LiveBusy({ account, provider, isCurrent: (asOfMs) => ownWrites.areKnownAt(asOfMs), now }),
    held: (question) => holds.taken(question),
    now,
  });
  const meetingTimes = new MeetingTimes({
    connectorId,
    account,
    availability,
    provider,
    now,
    onFailure: (failure) => connection.notice(failure),
  });
  const runs = new TaskRuns({
    connectorId,
    provider,
    account,
    availability,
    holds,
    syncCalendars: (lane) => hooks.syncCalendars(lane),
    beginDisconnect: () => hooks.beginDisconnect(),
  });
  const drain: Drain = new Drain({
    ...shared,
    ledger,
    notices,
    budget,
    run: (task, how) => runs.run(task, how),
    // A dead grant does not keep anybody from disconnecting; it needs no call on the account.
    obstacle: ({ type }) => (type === 'disconnect' ? undefined : obstacle()),
    onFailure: (failure) => connection.notice(failure),
    settle: (taskId) => holds.settle(taskId),
    onEnd: (task, end) => hooks.taskEnded(task, end.state),
    rearm: () => hooks.rearm(),
  });
  const erasure = new Erasure({
    ...shared,
    agenda,
    ledger,
    tokens,
    notices,
    drain,
    publication,
    oauth: provider.oauth,
    wipe: () => hooks.wipe(),
  });

  /** In the same breath as the grant is stored: what else must follow from it. */
  function grantStored(stored: HeldGrant, replaced: HeldGrant | undefined): void {
    const known = readFact(store, CONNECTION);
    const spell = (scopes: readonly string[]) => scopes.toSorted().join(' ');
    if (known !== undefined && spell(known.scopes) !== spell(stored.scopes)) {
      writeFact(store, CONNECTION, { ...known, scopes: stored.scopes });
    }
    upkeep.plan(stored);
    if (replaced !== undefined && replaced.refreshToken !== stored.refreshToken) publish();
    void publication.putAccessToken(stored);
  }

  function publish(): void {
    publication.note();
    void publication.saveRow();
  }

  return {
    agenda,
    ledger,
    notices,
    publication,
    tokens,
    upkeep,
    availability,
    meetingTimes,
    connection,
    drain,
    holds,
    erasure,
    /** Absent: no mirror is kept. */
    mirror,
    /** Also where no mirror is kept: what one has left is closed. */
    channelUpkeep,
  };
}
