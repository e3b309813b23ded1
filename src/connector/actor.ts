import type { AvailabilityAnswer, AvailabilityQuestion } from '../domain/availability.ts';
import type { ChangesAnswer, EventsAnswer, EventsQuestion } from '../domain/event-list.ts';
import { fail, ok, type Outcome } from '../domain/failure.ts';
import type { MeetingTimesAnswer, MeetingTimesQuestion } from '../domain/meeting-times.ts';
import type { CalendarTask, TaskReport } from '../domain/task.ts';
import { describeThrown } from '../metrics.ts';
import type { PushNotice } from '../providers/provider-sync.ts';
import type { Duty } from './agenda.ts';
import type { ConnectRequest, ConnectResult, SignInHints } from './connection.ts';
import { type ActorMeans, type ActorParts, createParts } from './create-parts.ts';
import { CONNECTION, readFact } from './facts.ts';
import type { Lane } from './gate.ts';
import { inTime } from './in-time.ts';
import type { Acceptance, LedgerTask, TaskEnd } from './ledger.ts';
import { Sequence } from './sequence.ts';

const MINUTE_MS = 60_000;
/** How a task that somebody waits for stands. `submission` tells a repeat, and an id that is taken. */
export interface Performance {
  submission: Submission;
  report: TaskReport;
}

/** What became of a submitted task; `not-connected`: there is no account to carry it out on. */
export type Submission = Acceptance | 'not-connected';

const NO_MIRROR = fail({
  kind: 'unsupported',
  field: 'connectorId',
  detail: 'this worker keeps no mirror of calendars (MIRROR is off)',
});

/** One connector: its parts, wired. Every method answers with plain values, fit to cross RPC. */
export class Actor {
  readonly #means: ActorMeans;
  readonly #parts: ActorParts;
  /** Connecting and erasing take turns: neither sees the other half done. */
  readonly #lifecycle = new Sequence();
  /** The storage is gone: nothing may be written or armed any more. */
  #wiped = false;

  constructor(means: ActorMeans) {
    this.#means = means;
    this.#parts = createParts(means, {
      taskEnded: (task, state) => this.#taskEnded(task, state),
      syncCalendars: (lane) => this.#syncCalendars(lane),
      beginDisconnect: () =>
        this.#lifecycle.run(async () => {
          await this.#release();
          return await this.#parts.erasure.begin();
        }),
      wipe: () => this.#wipe(),
      isWiped: () => this.#wiped,
      rearm: () => this.#rearm(),
    });
    if (this.#parts.mirror === undefined) this.#parts.channelUpkeep.plan();
  }

  /** Takes tasks on, all written before any is started; the answers are in the order of the tasks. */
  async submit(tasks: readonly (CalendarTask & { id: string })[]): Promise<Submission[]> {
    const { store, now } = this.#means;
    const status = readFact(store, CONNECTION)?.status;
    if (status === undefined || status === 'disconnected') return tasks.map(() => 'not-connected');
    const submissions = store.transaction(() =>
      tasks.map((task) => {
        const acceptance = this.#parts.ledger.accept(task, now());
        if (acceptance === 'accepted') this.#parts.holds.reserve(task);
        return acceptance;
      }),
    );
    this.#parts.drain.welcome(
      tasks.filter((_, index) => submissions[index] === 'accepted').map(({ id }) => id),
    );
    this.#parts.upkeep.markUse();
    this.#parts.drain.start();
    // Awaited: once the caller is told, the alarm stands that resumes the tasks after a crash.
    await this.#arm();
    return submissions;
  }

  /**
   * Takes a task on for a caller who waits, at most `waitMs`, for its end. A task that is known is not
   * carried out again: its caller is told where it stands. While the grant is dead none is taken on.
   */
  async perform(task: CalendarTask & { id: string }, waitMs: number): Promise<Outcome<Performance>> {
    const obstacle = this.#parts.connection.obstacle();
    if (obstacle !== undefined && this.report(task.id) === undefined) return fail(obstacle);
    const { ended, giveUp } = this.#parts.drain.awaitEnd(task.id);
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
    return this.#wiped ? undefined : this.#parts.ledger.report(taskId, this.#parts.drain.running);
  }

  /** When is the account busy, asked now for a caller who waits. */
  async availability(question: AvailabilityQuestion): Promise<Outcome<AvailabilityAnswer>> {
    return await this.#answer(() => this.#parts.availability.answer(question));
  }

  /** When would a meeting suit, asked now for a caller who waits. */
  async meetingTimes(question: MeetingTimesQuestion): Promise<Outcome<MeetingTimesAnswer>> {
    return await this.#answer(() => this.#parts.meetingTimes.answer(question));
  }

  /** The events within a range, from the mirror. */
  async events(question: EventsQuestion): Promise<Outcome<EventsAnswer>> {
    return await this.#answer(async () => (await this.#parts.mirror?.answers.events(question)) ?? NO_MIRROR);
  }

  /** What has changed since, from the mirror. */
  async changes(cursor?: string): Promise<Outcome<ChangesAnswer>> {
    return await this.#answer(async () => (await this.#parts.mirror?.answers.changes(cursor)) ?? NO_MIRROR);
  }

  /** The provider tells that something has changed. Returns before that has been looked at. */
  async notified(notices: readonly PushNotice[]): Promise<void> {
    if (this.#wiped || this.#parts.connection.obstacle() !== undefined) return;
    const { mirror, channelUpkeep } = this.#parts;
    if (mirror === undefined) channelUpkeep.hear(notices);
    else mirror.upkeep.hear(notices);
    await this.#arm();
  }

  async #syncCalendars(lane: Lane): Promise<Outcome<object>> {
    return (await this.#parts.mirror?.upkeep.bringUpToDate(lane, true)) ?? NO_MIRROR;
  }

  /** What the account has at the provider because of us is taken back, as far as that works. */
  async #release(): Promise<void> {
    const { holds, channelUpkeep } = this.#parts;
    await Promise.all([holds.releaseAll(), channelUpkeep.release()]);
  }

  /** Asks something of the account for a caller who waits. */
  async #answer<T>(ask: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    const obstacle = this.#parts.connection.obstacle();
    if (obstacle !== undefined) return fail(obstacle);
    this.#parts.upkeep.markUse();
    const answer = await ask();
    if (!answer.ok) this.#parts.connection.notice(answer.failure);
    await this.#arm();
    return answer;
  }

  /** Completes a sign-in. Undefined: this actor has been erased meanwhile, and another must take it. */
  async connect(request: ConnectRequest): Promise<ConnectResult | undefined> {
    const result = await this.#lifecycle.run(async () =>
      this.#wiped ? undefined : await this.#parts.connection.connect(request),
    );
    if (result === undefined) return undefined;
    this.#parts.holds.open();
    if (this.#parts.mirror === undefined) this.#parts.channelUpkeep.plan();
    else this.#parts.mirror.upkeep.resume();
    this.#parts.drain.start();
    await this.#arm();
    return result;
  }

  /** Makes sure that what is sealed is sealed with the current key. */
  async reseal(): Promise<void> {
    await this.#parts.tokens.load();
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
    return this.#parts.connection.signInHints();
  }

  /** Ends the connection: withdrawn at the provider and erased here. */
  async disconnect(): Promise<Outcome<void>> {
    const begun = await this.#lifecycle.run(async () => {
      if (this.#wiped) return ok(undefined);
      await this.#release();
      const closed = await this.#parts.erasure.begin();
      if (closed.ok) await this.#parts.erasure.proceed();
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
    const { now, record, identity } = this.#means;
    let restMs = 0;
    try {
      this.#parts.agenda.alarmWentOff();
      this.#parts.ledger.purge(now());
      this.#parts.drain.start();
      if ((this.#parts.holds.nextAt() ?? Infinity) <= now()) this.#parts.holds.sweep();
      const due = this.#parts.agenda.due(now());
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
        return await this.#parts.upkeep.refreshAhead();
      case 'publish':
        await this.#parts.publication.saveRow();
        return;
      case 'send-notices':
        return await this.#parts.notices.flush();
      case 'sync':
        return this.#parts.mirror === undefined
          ? this.#parts.agenda.strike('sync')
          : this.#parts.mirror.upkeep.syncDue();
      case 'channels':
        return this.#parts.channelUpkeep.due();
    }
  }

  async #taskEnded(task: Pick<LedgerTask, 'id' | 'type'>, state: 'done' | 'failed'): Promise<void> {
    this.#parts.availability.forget(task.id);
    if (task.type === 'disconnect' && state === 'done') await this.#erase();
  }

  async #erase(): Promise<void> {
    await this.#lifecycle.run(async () => {
      if (!this.#wiped) await this.#parts.erasure.proceed();
    });
  }

  /** Deletes the storage: from here on nothing may write to it. */
  async #wipe(): Promise<void> {
    const { agenda, drain, holds, mirror, channelUpkeep } = this.#parts;
    this.#wiped = true;
    holds.close();
    mirror?.upkeep.close();
    channelUpkeep.shut();
    try {
      await this.#means.wipe();
    } catch (thrown) {
      // Tried again from the agenda; whether the alarm still stands is not known.
      this.#wiped = false;
      drain.reopen();
      holds.reopen();
      channelUpkeep.reopen();
      mirror?.upkeep.reopen();
      agenda.alarmWentOff();
      throw thrown;
    }
  }

  #rearm(): void {
    const { record, identity } = this.#means;
    this.#arm().catch((thrown: unknown) =>
      record({ event: 'error', where: `arm ${identity.connectorId}`, detail: describeThrown(thrown) }),
    );
  }

  async #arm(restMs = 0): Promise<void> {
    if (this.#wiped) return;
    const earliest = Math.min(this.#parts.drain.nextAt() ?? Infinity, this.#parts.holds.nextAt() ?? Infinity);
    await this.#parts.agenda.arm(this.#means.now() + restMs, earliest);
  }
}
