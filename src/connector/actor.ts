import type { Config } from '../config.ts';
import type { AvailabilityAnswer, AvailabilityQuestion } from '../domain/availability.ts';
import { fail, ok, type Outcome } from '../domain/failure.ts';
import type { Lease, LeaseRequest } from '../domain/lease.ts';
import type { MeetingTimesAnswer, MeetingTimesQuestion } from '../domain/meeting-times.ts';
import type { Notice } from '../domain/notice.ts';
import type { CalendarTask, TaskReport } from '../domain/task.ts';
import { describeThrown, type RecordEvent } from '../metrics.ts';
import { createSend, type Fetch } from '../providers/http.ts';
import type { Provider } from '../providers/provider.ts';
import type { Account } from './account.ts';
import { Agenda, type Duty } from './agenda.ts';
import { Availability } from './availability.ts';
import { Connection, type ConnectRequest, type ConnectResult, type SignInHints } from './connection.ts';
import { callLifeOf, createAccount } from './create-account.ts';
import { Drain } from './drain.ts';
import { Erasure } from './erasure.ts';
import { CONNECTION, type Identity, readFact, writeFact } from './facts.ts';
import { Holds } from './holds.ts';
import { inTime } from './in-time.ts';
import { type Acceptance, Ledger, type LedgerTask, type TaskEnd } from './ledger.ts';
import { LiveBusy } from './live-busy.ts';
import { MeetingTimes } from './meeting-times.ts';
import { Notices } from './notices.ts';
import { Permits } from './permits.ts';
import { Publication, type Showcase } from './publication.ts';
import { RetryBudget } from './retry-budget.ts';
import { Sequence } from './sequence.ts';
import type { Alarm, Store } from './store.ts';
import { Tallies } from './tallies.ts';
import { TaskRuns } from './task-runs.ts';
import { TokenUpkeep } from './token-upkeep.ts';
import { type HeldGrant, Tokens } from './tokens.ts';

const MINUTE_MS = 60_000;
/** Everything an actor touches outside itself. */
export interface ActorParts {
  identity: Identity;
  config: Config;
  provider: Provider;
  store: Store;
  alarm: Alarm;
  showcase: Showcase;
  fetch: Fetch;
  now: () => number;
  random: () => number;
  sleep: (ms: number) => Promise<void>;
  sendNotices: (notices: Notice[]) => Promise<void>;
  /** Asks for a share in what the app as a whole may do; throws when nobody answers. */
  askApp: (request: LeaseRequest) => Promise<Lease>;
  record: RecordEvent;
  /** Deletes the actor's storage and its alarm. */
  wipe: () => Promise<void>;
}

/** How a task that somebody waits for stands. `submission` tells a repeat, and an id that is taken. */
export interface Performance {
  submission: Submission;
  report: TaskReport;
}

/** What became of a submitted task; `not-connected`: there is no account to carry it out on. */
export type Submission = Acceptance | 'not-connected';

/** One connector: its parts, wired. Every method answers with plain values, fit to cross RPC. */
export class Actor {
  readonly #parts: ActorParts;
  readonly #agenda: Agenda;
  readonly #ledger: Ledger;
  readonly #notices: Notices;
  readonly #publication: Publication;
  readonly #tokens: Tokens;
  readonly #account: Account;
  readonly #upkeep: TokenUpkeep;
  readonly #availability: Availability;
  readonly #meetingTimes: MeetingTimes;
  readonly #connection: Connection;
  readonly #drain: Drain;
  readonly #holds: Holds;
  readonly #erasure: Erasure;
  /** Connecting and erasing take turns: neither sees the other half done. */
  readonly #lifecycle = new Sequence();
  /** The storage is gone: nothing may be written or armed any more. */
  #wiped = false;

  constructor(parts: ActorParts) {
    this.#parts = parts;
    const { identity, config, provider, store, alarm, showcase, now, random, sleep } = parts;
    const { connectorId } = identity;
    const { keyring, limits } = config;
    const tallies = new Tallies();
    const record: RecordEvent = (event) => {
      parts.record(event);
      tallies.note(event);
      // Not for an error: it may be that nobody takes the report.
      if (event.event !== 'error' && !tallies.isEmpty) permits.touch();
    };
    const onError = (where: string, thrown: unknown) =>
      record({ event: 'error', where: `${where} of ${connectorId}`, detail: describeThrown(thrown) });
    const permits = new Permits({ connectorId, ask: parts.askApp, tallies, now, random, sleep, onError });
    const send = createSend({
      fetch: parts.fetch,
      now,
      timeoutMs: limits.providerTimeoutMs,
      maxBodyBytes: limits.maxReplyBytes,
    });
    const shared = { identity, connectorId, store, keyring, showcase, send, now, random, record };

    this.#agenda = new Agenda(store, alarm);
    const agenda = this.#agenda;
    this.#ledger = new Ledger(store);
    const ledger = this.#ledger;
    this.#notices = new Notices({ ...shared, agenda, ledger, onError, send: parts.sendNotices });
    const notices = this.#notices;
    this.#publication = new Publication({
      ...shared,
      agenda,
      onError,
      tokens: () => this.#tokens,
      rearm: () => this.#rearm(),
    });
    const publication = this.#publication;
    this.#tokens = new Tokens({
      ...shared,
      oauth: provider.oauth,
      readElsewhere: (tried) => publication.readElsewhere(tried),
      onStored: (stored, replaced) => this.#grantStored(stored, replaced),
      onResealed: () => this.#publish(),
    });
    const tokens = this.#tokens;
    const obstacle = () => this.#connection.obstacle();
    const budget = new RetryBudget();
    this.#account = createAccount({
      ...shared,
      limits,
      ledger,
      tokens,
      permits,
      tallies,
      budget,
      sleep,
      obstacle,
      firstRunsSince: (sinceMs) => this.#drain.firstRunsSince(sinceMs),
    });
    this.#upkeep = new TokenUpkeep({
      ...shared,
      agenda,
      account: this.#account,
      obstacle,
      onFailure: (failure) => this.#connection.notice(failure),
    });
    this.#connection = new Connection({ ...shared, agenda, ledger, tokens, publication, notices, provider });
    this.#holds = new Holds({
      ...shared,
      notices,
      account: this.#account,
      provider,
      callLifeMs: callLifeOf(limits),
      onError,
      obstacle,
      onFailure: (failure) => this.#connection.notice(failure),
      openBefore: (taskId, types) => ledger.openBefore(taskId, types),
      rearm: () => this.#rearm(),
    });
    this.#availability = new Availability({
      live: new LiveBusy({ account: this.#account, provider, now }),
      held: (question) => this.#holds.taken(question),
      now,
    });
    this.#meetingTimes = new MeetingTimes({
      connectorId,
      account: this.#account,
      availability: this.#availability,
      provider,
      now,
      onFailure: (failure) => this.#connection.notice(failure),
    });
    const runs = new TaskRuns({
      connectorId,
      provider,
      account: this.#account,
      availability: this.#availability,
      holds: this.#holds,
      beginDisconnect: () =>
        this.#lifecycle.run(async () => {
          await this.#holds.releaseAll();
          return await this.#erasure.begin();
        }),
    });
    this.#drain = new Drain({
      ...shared,
      ledger,
      notices,
      budget,
      run: (task, how) => runs.run(task, how),
      // A dead grant does not keep anybody from disconnecting; it needs no call on the account.
      obstacle: ({ type }) => (type === 'disconnect' ? undefined : obstacle()),
      onFailure: (failure) => this.#connection.notice(failure),
      settle: (taskId) => this.#holds.settle(taskId),
      onEnd: (task, end) => this.#taskEnded(task, end.state),
      rearm: () => this.#rearm(),
    });
    this.#erasure = new Erasure({
      ...shared,
      agenda,
      ledger,
      tokens,
      notices,
      drain: this.#drain,
      publication,
      oauth: provider.oauth,
      wipe: async () => {
        this.#wiped = true;
        this.#holds.close();
        try {
          await parts.wipe();
        } catch (thrown) {
          // Tried again from the agenda; whether the alarm still stands is not known.
          this.#wiped = false;
          this.#drain.reopen();
          this.#holds.reopen();
          this.#agenda.alarmWentOff();
          throw thrown;
        }
      },
    });
  }

  /** Takes tasks on, all written before any is started; the answers are in the order of the tasks. */
  async submit(tasks: readonly (CalendarTask & { id: string })[]): Promise<Submission[]> {
    const { store, now } = this.#parts;
    const status = readFact(store, CONNECTION)?.status;
    if (status === undefined || status === 'disconnected') return tasks.map(() => 'not-connected');
    const submissions = store.transaction(() =>
      tasks.map((task) => {
        const acceptance = this.#ledger.accept(task, now());
        if (acceptance === 'accepted') this.#holds.reserve(task);
        return acceptance;
      }),
    );
    this.#drain.welcome(tasks.filter((_, index) => submissions[index] === 'accepted').map(({ id }) => id));
    this.#upkeep.markUse();
    this.#drain.start();
    // Awaited: once the caller is told, the alarm stands that resumes the tasks after a crash.
    await this.#arm();
    return submissions;
  }

  /**
   * Takes a task on for a caller who waits, at most `waitMs`, for its end. A task that is known is not
   * carried out again: its caller is told where it stands. While the grant is dead none is taken on.
   */
  async perform(task: CalendarTask & { id: string }, waitMs: number): Promise<Outcome<Performance>> {
    const obstacle = this.#connection.obstacle();
    if (obstacle !== undefined && this.report(task.id) === undefined) return fail(obstacle);
    const { ended, giveUp } = this.#drain.awaitEnd(task.id);
    const [submission = 'not-connected'] = await this.submit([task]);
    const state = this.report(task.id)?.state;
    let end: TaskEnd | undefined;
    if (submission !== 'mismatch' && state !== 'done' && state !== 'failed') {
      end = await inTime(ended, waitMs, () => undefined);
    }
    giveUp();
    // The ledger may have gone with the connection meanwhile; the end was told before that.
    const kept = this.report(task.id);
    const { id, type } = task;
    const report = kept ?? (end === undefined ? undefined : { id, type, attempts: 1, ...end });
    if (report === undefined) return fail({ kind: 'not-found', what: `task ${task.id}` });
    // The end is told as soon as it is known; the ledger has it, and the run counted, a moment later.
    const isRecorded = end === undefined || report.state === end.state;
    const attempts = report.attempts + (isRecorded ? 0 : 1);
    return ok({ submission, report: { ...report, ...end, attempts } });
  }

  /** Where a task stands. */
  report(taskId: string): TaskReport | undefined {
    return this.#wiped ? undefined : this.#ledger.report(taskId, this.#drain.running);
  }

  /** When is the account busy, asked now for a caller who waits. */
  async availability(question: AvailabilityQuestion): Promise<Outcome<AvailabilityAnswer>> {
    return await this.#answer(() => this.#availability.answer(question));
  }

  /** When would a meeting suit, asked now for a caller who waits. */
  async meetingTimes(question: MeetingTimesQuestion): Promise<Outcome<MeetingTimesAnswer>> {
    return await this.#answer(() => this.#meetingTimes.answer(question));
  }

  /** Asks something of the account for a caller who waits. */
  async #answer<T>(ask: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    const obstacle = this.#connection.obstacle();
    if (obstacle !== undefined) return fail(obstacle);
    this.#upkeep.markUse();
    const answer = await ask();
    if (!answer.ok) this.#connection.notice(answer.failure);
    await this.#arm();
    return answer;
  }

  /** Completes a sign-in. Undefined: this actor has been erased meanwhile, and another must take it. */
  async connect(request: ConnectRequest): Promise<ConnectResult | undefined> {
    const result = await this.#lifecycle.run(async () =>
      this.#wiped ? undefined : await this.#connection.connect(request),
    );
    if (result === undefined) return undefined;
    this.#holds.open();
    this.#drain.start();
    await this.#arm();
    return result;
  }

  /** Makes sure that what is sealed is sealed with the current key. */
  async reseal(): Promise<void> {
    await this.#tokens.load();
    await this.#arm();
  }

  /**
   * Sees to it that an alarm stands for what is to be done: the platform abandons one that has kept
   * failing. Writes nothing while one stands.
   */
  async tend(): Promise<void> {
    await this.#arm();
  }

  /** What the next sign-in should ask for, and must satisfy. */
  signInHints(): SignInHints {
    return this.#connection.signInHints();
  }

  /** Ends the connection: withdrawn at the provider and erased here. */
  async disconnect(): Promise<Outcome<void>> {
    const begun = await this.#lifecycle.run(async () => {
      if (this.#wiped) return ok(undefined);
      await this.#holds.releaseAll();
      const closed = await this.#erasure.begin();
      if (closed.ok) await this.#erasure.proceed();
      return closed;
    });
    await this.#arm();
    return begun;
  }

  /**
   * Does what is due and sets the next alarm. A fault in what is due does not fail the alarm (the
   * platform gives one up that keeps failing); only a storage that takes no alarm does.
   */
  async alarm(): Promise<void> {
    const { now, record, identity } = this.#parts;
    let restMs = 0;
    try {
      this.#agenda.alarmWentOff();
      this.#ledger.purge(now());
      this.#drain.start();
      if ((this.#holds.nextAt() ?? Infinity) <= now()) this.#holds.sweep();
      const due = this.#agenda.due(now());
      await Promise.all(due.filter((duty) => duty !== 'erase').map((duty) => this.#perform(duty)));
      // Last and alone: nothing can be written after it.
      if (due.includes('erase')) await this.#erase();
    } catch (thrown) {
      record({ event: 'error', where: `alarm of ${identity.connectorId}`, detail: describeThrown(thrown) });
      // What is due stays due: without a rest the alarm would go off again at once, for ever.
      restMs = MINUTE_MS;
    } finally {
      await this.#arm(restMs);
    }
  }

  async #perform(duty: Exclude<Duty, 'erase'>): Promise<void> {
    switch (duty) {
      case 'refresh-token':
        return await this.#upkeep.refreshAhead();
      case 'publish':
        await this.#publication.saveRow();
        return;
      case 'send-notices':
        return await this.#notices.flush();
    }
  }

  async #taskEnded(task: Pick<LedgerTask, 'id' | 'type'>, state: 'done' | 'failed'): Promise<void> {
    this.#availability.forget(task.id);
    if (task.type === 'disconnect' && state === 'done') await this.#erase();
  }

  async #erase(): Promise<void> {
    await this.#lifecycle.run(async () => {
      if (!this.#wiped) await this.#erasure.proceed();
    });
  }

  /** In the same breath as the grant is stored: what else must follow from it. */
  #grantStored(stored: HeldGrant, replaced: HeldGrant | undefined): void {
    const { store } = this.#parts;
    const connection = readFact(store, CONNECTION);
    const spell = (scopes: readonly string[]) => scopes.toSorted().join(' ');
    if (connection !== undefined && spell(connection.scopes) !== spell(stored.scopes)) {
      writeFact(store, CONNECTION, { ...connection, scopes: stored.scopes });
    }
    this.#upkeep.plan(stored);
    if (replaced !== undefined && replaced.refreshToken !== stored.refreshToken) {
      this.#publish();
    }
    void this.#publication.putAccessToken(stored);
  }

  #publish(): void {
    this.#publication.note();
    void this.#publication.saveRow();
  }

  #rearm(): void {
    const { record, identity } = this.#parts;
    this.#arm().catch((thrown: unknown) =>
      record({ event: 'error', where: `arm ${identity.connectorId}`, detail: describeThrown(thrown) }),
    );
  }

  async #arm(restMs = 0): Promise<void> {
    if (this.#wiped) return;
    const earliest = Math.min(this.#drain.nextAt() ?? Infinity, this.#holds.nextAt() ?? Infinity);
    await this.#agenda.arm(this.#parts.now() + restMs, earliest);
  }
}
