import { describeFailure, type Failure, type Outcome, type TaskError } from '../domain/failure.ts';
import type { TaskType } from '../domain/task.ts';
import { describeThrown, type RecordEvent, type TaskOutcome } from '../metrics.ts';
import type { Ledger, LedgerTask, TaskEnd } from './ledger.ts';
import type { Notices } from './notices.ts';
import { backOffMs, decide } from './verdict.ts';

/** Tasks under way at once; the gate limits their calls further. */
const MOST_RUNNING = 8;

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
  /** Accepted in this life of the actor and not run yet: these alone are sure to have left no trace. */
  readonly #fresh = new Set<string>();
  readonly #waiting = new Map<string, ((end: TaskEnd) => void)[]>();
  /** How tasks have ended whose notice is on its way: the ledger does not have it yet. */
  readonly #ending = new Map<string, TaskEnd>();
  /** The write under way, if any: a connector's writes go one at a time. */
  #writing: string | undefined;
  #closed = false;

  constructor(options: DrainOptions) {
    this.#options = options;
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
    const times = [
      hasRoom ? ledger.nextDueAt(this.#running, 'read') : undefined,
      hasRoom && this.#writing === undefined ? ledger.nextDueAt(this.#running, 'write') : undefined,
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
    const writes = this.#writing === undefined ? ledger.due(now(), this.#running, 'write', 1) : [];
    const reads = ledger.due(now(), this.#running, 'read', room - writes.length);
    for (const { id } of writes) this.#writing = id;
    for (const task of [...writes, ...reads]) {
      this.#running.add(task.id);
      void this.#carryOut(task);
    }
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
      // A bug may be of the moment: tried again, ever more rarely, until the deadline.
      if (!this.#closed) ledger.postpone(task.id, attempts, now() + MINUTE_MS + backOffMs(attempts, random));
    } finally {
      this.#running.delete(task.id);
      this.#ending.delete(task.id);
      if (this.#writing === task.id) this.#writing = undefined;
      this.start();
      if (!this.#closed) rearm();
    }
  }

  async #attempt(task: LedgerTask): Promise<void> {
    const { ledger, now, random, run, obstacle, onFailure } = this.#options;
    const startedAtMs = now();
    const blocked = obstacle(task);
    const attempts = task.attempts + 1;
    if (startedAtMs >= task.deadlineMs) {
      const { code, message } = describeFailure(blocked ?? { kind: 'unavailable', ambiguous: false });
      const why = blocked === undefined ? '' : ` ${message}`;
      const error = { code, message: `The deadline has passed.${why}`, retryable: false };
      await this.#end(task, { state: 'failed', error }, startedAtMs);
      return;
    }
    if (blocked !== undefined) {
      ledger.park(task.id, task.attempts);
      return;
    }
    const outcome = await run(task, {
      isRepeat: !this.#fresh.delete(task.id),
      isAwaited: this.#waiting.has(task.id),
    });
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
    const verdict = decide(outcome.failure, { attempts, deadlineMs: task.deadlineMs, nowMs: now(), random });
    switch (verdict.act) {
      case 'retry':
        ledger.postpone(task.id, attempts, verdict.atMs);
        this.#note(task, 'retry', startedAtMs);
        return;
      case 'park':
        // Where nothing stands in the way of the connection, no reconnect would ever wake the task: the
        // permission that is missing is this task's own matter.
        if (outcome.failure.kind === 'consent-missing' && obstacle(task) === undefined) {
          await this.#end(task, { state: 'failed', error: describeFailure(outcome.failure) }, startedAtMs);
          return;
        }
        ledger.park(task.id, attempts);
        this.#note(task, 'parked', startedAtMs);
        return;
      case 'give-up':
        await this.#end(task, { state: 'failed', error: describeFailure(outcome.failure) }, startedAtMs);
    }
  }

  /**
   * Of a success the notice goes first and the ledger second, which saves a row: a crash in between runs
   * the task again and tells again, both of which are harmless. A failure is recorded before anybody is
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
    });
  }
}
