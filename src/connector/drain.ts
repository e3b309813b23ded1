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

/** What the drain is made of. */
export interface DrainOptions {
  ledger: Ledger;
  notices: Notices;
  connectorId: string;
  now: () => number;
  random: () => number;
  record: RecordEvent;
  /** Carries a task out once. */
  run: (task: LedgerTask) => Promise<Outcome<object>>;
  /** Why this task may not run now, if so: the grant is dead. */
  obstacle: (task: LedgerTask) => Failure | undefined;
  /** A run has failed in a way that may concern the whole connector. */
  onFailure: (failure: Failure) => void;
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
    // While there is no room a due task waits for one that ends, not for the clock.
    const hasRoom = this.#running.size < MOST_RUNNING;
    const next = (hasRoom ? this.#options.ledger.nextDueAt(this.#running) : undefined) ?? Infinity;
    const watch = this.#running.size > 0 ? this.#options.now() + WATCH_MS : Infinity;
    const earliest = Math.min(next, watch);
    return earliest === Infinity ? undefined : earliest;
  }

  /** The storage is about to go: nothing is started or written any more. */
  close(): void {
    this.#closed = true;
  }

  /** The storage stayed after all. */
  reopen(): void {
    this.#closed = false;
  }

  /** Starts every due task there is room for. Returns at once. */
  start(): void {
    if (this.#closed) return;
    const room = MOST_RUNNING - this.#running.size;
    if (room <= 0) return;
    for (const task of this.#options.ledger.due(this.#options.now(), this.#running, room)) {
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
      const error = { code, message: `The deadline has passed. ${message}`, retryable: false };
      await this.#end(task, { state: 'failed', error }, startedAtMs);
      return;
    }
    if (blocked !== undefined) {
      ledger.park(task.id, task.attempts);
      return;
    }
    const outcome = await run(task);
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
   * The notice goes first and the ledger second, which saves a row: a crash in between runs the task
   * again and tells again, both of which are harmless.
   */
  async #end(task: LedgerTask, end: TaskEnd, startedAtMs: number): Promise<void> {
    const { ledger, notices, now, onEnd } = this.#options;
    const told = await notices.tellEnd(task.id, task.type, end);
    if (this.#closed) return;
    ledger.finish(task.id, end, told, now());
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
