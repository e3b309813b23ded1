import { describeFailure, type Failure, type Outcome, type TaskError } from '../domain/failure.ts';
import { type TaskType, WRITING_TASKS } from '../domain/task.ts';
import { describeThrown, type RecordEvent, type TaskOutcome } from '../metrics.ts';
import type { Ledger, LedgerTask, TaskEnd } from './ledger.ts';
import type { Notices } from './notices.ts';
import type { RetryBudget } from './retry-budget.ts';
import { backOffMs, decide, isGuess, retry } from './verdict.ts';

/** Tasks under way at once, a whole batch of the queue among them; the gate limits their calls further. */
const MOST_RUNNING = 16;

/** A task that runs longer than this is looked after by the alarm: only a crash makes it so. */
const WATCH_MS = 5_000;

const MINUTE_MS = 60_000;

/** What a row of the ledger holds, in characters, with room to spare (the platform: 2 MB). */
const LONGEST_RESULT = 1_000_000;
const TOO_LONG: TaskError = {
  code: 'invalid_request',
  message: 'The answer is too long to keep: ask for a shorter range or fewer calendars.',
  retryable: false,
};

/** How a task is run. */
export interface RunMode {
  /** An earlier run may have come through at the provider: in this life of the actor, or before a crash. */
  isRepeat: boolean;
  /** Somebody waits for the end. */
  isAwaited: boolean;
}

/** What the drain is made of. */
export interface DrainOptions {
  ledger: Ledger;
  notices: Notices;
  connectorId: string;
  now: () => number;
  random: () => number;
  budget: RetryBudget;
  record: RecordEvent;
  /** Carries a task out once. */
  run: (task: LedgerTask, how: RunMode) => Promise<Outcome<object>>;
  /** Why this task may not run now, if so: the grant is dead. */
  obstacle: (task: LedgerTask) => Failure | undefined;
  /** A run has failed in a way that may concern the whole connector. */
  onFailure: (failure: Failure) => void;
  /** A task has failed for good: called in the same step of the storage in which the ledger learns it. */
  settle: (taskId: string) => void;
  /** A task has ended. */
  onEnd: (task: { id: string; type: TaskType }, end: TaskEnd) => Promise<void>;
  /** The next due time may have changed. */
  rearm: () => void;
}

/**
 * Works off the ledger: starts what is due, records how it ends, and puts off or parks what the
 * verdict says. What runs is known in memory only; after a crash the ledger still has it as accepted.
 */
export class Drain {
  readonly #options: DrainOptions;
  readonly #running = new Set<string>();
  /** Of those, the ones in their first run, with when they were accepted. */
  readonly #firstRuns = new Map<string, number>();
  /** Accepted in this life of the actor and not run yet: these alone are sure to have left no trace. */
  readonly #fresh = new Set<string>();
  /** Put off until then, epoch milliseconds, since a limit leaves no room: in memory only. */
  readonly #held = new Map<string, number>();
  readonly #waiting = new Map<string, ((end: TaskEnd) => void)[]>();
  /** How tasks have ended whose notice is on its way: the ledger does not have it yet. */
  readonly #ending = new Map<string, TaskEnd>();
  /** The write under way, if any: a connector's writes go one at a time. */
  #writing: string | undefined;
  #closed = false;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** How many tasks are in their first run that were accepted since then: the ledger tells a next life of them. */
  firstRunsSince(sinceMs: number): number {
    return [...this.#firstRuns.values()].filter((acceptedAtMs) => acceptedAtMs >= sinceMs).length;
  }

  /** The ids of the tasks under way. */
  get running(): ReadonlySet<string> {
    return this.#running;
  }

  /** When to look again, epoch milliseconds: the next due task, and the watch over those under way. */
  nextAt(): number | undefined {
    const { ledger, now } = this.#options;
    // While there is no room a due task waits for one that ends, not for the clock.
    const hasRoom = this.#running.size < MOST_RUNNING;
    const known = this.#known();
    const times = [
      hasRoom ? ledger.nextDueAt(known, 'read') : undefined,
      hasRoom && this.#writing === undefined ? ledger.nextDueAt(known, 'write') : undefined,
      ...(hasRoom ? this.#held.values() : []),
      this.#running.size > 0 ? now() + WATCH_MS : undefined,
    ];
    const earliest = Math.min(...times.map((time) => time ?? Infinity));
    return earliest === Infinity ? undefined : earliest;
  }

  /** These have just been accepted. */
  welcome(ids: readonly string[]): void {
    for (const id of ids) this.#fresh.add(id);
  }

  /**
   * Waits for a task to end. Ask before it can have started, or while the ledger has it as open.
   *
   * @returns the end to wait for, and how to stop waiting.
   */
  awaitEnd(id: string): { ended: Promise<TaskEnd>; giveUp: () => void } {
    const { promise, resolve } = Promise.withResolvers<TaskEnd>();
    const known = this.#ending.get(id);
    if (known !== undefined) resolve(known);
    this.#waiting.set(id, [...(this.#waiting.get(id) ?? []), resolve]);
    const giveUp = () => {
      const others = (this.#waiting.get(id) ?? []).filter((one) => one !== resolve);
      if (others.length > 0) this.#waiting.set(id, others);
      else this.#waiting.delete(id);
    };
    return { ended: promise, giveUp };
  }

  /** Tells whoever waits for a task how it has ended. */
  announce(id: string, end: TaskEnd): void {
    for (const resolve of this.#waiting.get(id) ?? []) resolve(end);
    this.#waiting.delete(id);
  }

  /** The storage is about to go: nothing is started or written any more. */
  close(): void {
    this.#closed = true;
  }

  /** The storage stayed after all. */
  reopen(): void {
    this.#closed = false;
  }

  /** Starts every due task there is room for, of the writes one. Returns at once. */
  start(): void {
    if (this.#closed) return;
    const { ledger, now } = this.#options;
    const room = MOST_RUNNING - this.#running.size;
    if (room <= 0) return;
    for (const [id, untilMs] of this.#held) if (untilMs <= now()) this.#held.delete(id);
    const known = this.#known();
    const writes = this.#writing === undefined ? ledger.due(now(), known, 'write', 1) : [];
    const reads = ledger.due(now(), known, 'read', room - writes.length);
    for (const { id } of writes) this.#writing = id;
    for (const task of [...writes, ...reads]) {
      this.#running.add(task.id);
      if (task.attempts === 0) this.#firstRuns.set(task.id, task.acceptedAtMs);
      void this.#carryOut(task);
    }
  }

  /**
   * A limit leaves no room until then: whatever else were started would use up what the one before needs to
   * come to its end. Not worth a row: a next life finds out as cheaply. A disconnect needs no room.
   */
  #holdAll(untilMs: number): void {
    for (const { id, type, deadlineMs } of this.#options.ledger.open()) {
      if (type === 'disconnect' || this.#running.has(id)) continue;
      this.#held.set(id, Math.min(untilMs, deadlineMs));
    }
  }

  /** The tasks that the ledger has as due and that are not to be started. */
  #known(): Set<string> {
    return new Set([...this.#running, ...this.#held.keys()]);
  }

  /** Never rejects: a bug in a task must not stop the others. */
  async #carryOut(task: LedgerTask): Promise<void> {
    const { record, rearm, ledger, now, random, connectorId } = this.#options;
    try {
      await this.#attempt(task);
    } catch (thrown) {
      record({
        event: 'error',
        where: `task ${task.type} of ${connectorId}`,
        detail: describeThrown(thrown),
      });
      const attempts = task.attempts + 1;
      if (this.#closed) return;
      // A bug may be of the moment: tried again, ever more rarely, until the deadline.
      if (now() < task.deadlineMs)
        ledger.postpone(task.id, attempts, now() + MINUTE_MS + backOffMs(attempts, random));
      else if (ledger.isOpen(task.id)) await this.#end(task, overdue(), now());
    } finally {
      this.#running.delete(task.id);
      this.#firstRuns.delete(task.id);
      this.#ending.delete(task.id);
      if (this.#writing === task.id) this.#writing = undefined;
      this.start();
      if (!this.#closed) rearm();
    }
  }

  async #attempt(task: LedgerTask): Promise<void> {
    const { ledger, now, run, obstacle, onFailure } = this.#options;
    const startedAtMs = now();
    const blocked = obstacle(task);
    const isRepeat = !this.#fresh.has(task.id);
    const isOverdue = startedAtMs >= task.deadlineMs;
    // What an earlier run has written, and told perhaps, is not to be called failed: one more run finds it.
    const isLastLook = isOverdue && isRepeat && WRITING_TASKS.includes(task.type) && blocked === undefined;
    if (isOverdue && !isLastLook) {
      await this.#end(task, overdue(blocked), startedAtMs);
      return;
    }
    if (blocked !== undefined) {
      ledger.park(task.id, task.attempts);
      return;
    }
    this.#fresh.delete(task.id);
    const outcome = await run(task, { isRepeat, isAwaited: this.#waiting.has(task.id) });
    // Ended meanwhile by a disconnect or a reconnect: whoever waited has been told.
    if (this.#closed || !ledger.isOpen(task.id)) return;
    if (outcome.ok && JSON.stringify(outcome.value).length > LONGEST_RESULT) {
      await this.#end(task, { state: 'failed', error: TOO_LONG }, startedAtMs);
      return;
    }
    if (outcome.ok) {
      await this.#end(task, { state: 'done', result: { ...outcome.value } }, startedAtMs);
      return;
    }
    onFailure(outcome.failure);
    await this.#judge(task, outcome.failure, startedAtMs);
  }

  /** What the failure of a run leads to. */
  async #judge(task: LedgerTask, failure: Failure, startedAtMs: number): Promise<void> {
    const { ledger, now, random, budget, obstacle } = this.#options;
    const attempts = task.attempts + 1;
    const giveUp = () => this.#end(task, { state: 'failed', error: describeFailure(failure) }, startedAtMs);
    const isOverdue = startedAtMs >= task.deadlineMs;
    const isRetried = describeFailure(failure).retryable;
    const standing = {
      attempts,
      deadlineMs: task.deadlineMs,
      nowMs: now(),
      random,
      // The run has refreshed the token already, where that was called for.
      isRefreshed: true,
      isWithinBudget: !isGuess(failure) || budget.spend(),
    };
    const verdict = decide(failure, standing);
    // That was its last look: nothing is waited for any more.
    if (isOverdue && (isRetried || verdict.act !== 'give-up'))
      return await this.#end(task, overdue(isRetried ? undefined : failure), startedAtMs);
    switch (verdict.act) {
      case 'retry':
        if ('unsent' in failure) {
          this.#running.delete(task.id);
          this.#holdAll(verdict.atMs);
          return;
        }
        ledger.postpone(task.id, attempts, verdict.atMs);
        this.#note(task, 'retry', startedAtMs);
        return;
      case 'refresh':
      case 'resync': {
        // Both are for those who read and sign in; to the task they are a failure like any other that passes.
        const later = retry(undefined, standing);
        if (later.act !== 'retry') return await giveUp();
        ledger.postpone(task.id, attempts, later.atMs);
        this.#note(task, 'retry', startedAtMs);
        return;
      }
      case 'park':
        // Where nothing stands in the way of the connection, no reconnect would ever wake the task: the
        // permission that is missing is this task's own matter.
        if (failure.kind === 'consent-missing' && obstacle(task) === undefined) return await giveUp();
        ledger.park(task.id, attempts);
        this.#note(task, 'parked', startedAtMs);
        return;
      case 'give-up':
        return await giveUp();
    }
  }

  /**
   * Of a success the notice goes first and the ledger second, which saves a row: a crash in between runs
   * the task again, past its deadline too, and tells again what it finds. (Where the account cannot be looked
   * at by then, throttled or without a grant, that is a failure after a success.) A failure is recorded before anybody is
   * told: run again, what was refused could succeed.
   */
  async #end(task: LedgerTask, end: TaskEnd, startedAtMs: number): Promise<void> {
    const { ledger, notices, now, onEnd, settle } = this.#options;
    this.#ending.set(task.id, end);
    if (end.state === 'failed') {
      ledger.finish(task.id, end, false, now());
      settle(task.id);
      notices.noteEnds();
      this.announce(task.id, end);
      await notices.flush();
    } else {
      this.announce(task.id, end);
      const told = await notices.tellEnd(task.id, task.type, end);
      if (!this.#closed) ledger.finish(task.id, end, told, now());
    }
    if (this.#closed) return;
    this.#note(task, end.state === 'done' ? 'done' : end.error.code, startedAtMs);
    await onEnd(task, end);
  }

  #note(task: LedgerTask, outcome: TaskOutcome, startedAtMs: number): void {
    const { record, connectorId, now } = this.#options;
    record({
      event: 'task',
      connectorId,
      taskId: task.id,
      taskType: task.type,
      outcome,
      attempts: task.attempts + 1,
      ms: now() - startedAtMs,
      ...(outcome !== 'retry' && outcome !== 'parked' && { sinceAcceptedMs: now() - task.acceptedAtMs }),
    });
  }
}

/** How a task ends that has not been done by its deadline; `why`: what has kept it. */
function overdue(why?: Failure): TaskEnd {
  const { code, message } = describeFailure(why ?? { kind: 'unavailable', ambiguous: false });
  const reason = why === undefined ? '' : ` ${message}`;
  return { state: 'failed', error: { code, message: `The deadline has passed.${reason}`, retryable: false } };
}
