import * as z from 'zod';
import type { ChildRuntime } from '../local/child-runtime.ts';
import type { PlannedTask } from './plan.ts';

/** Handed over and not known to have ended: a local queue fails with too many messages in it. */
const MOST_OUT = 800;
/**
 * Of those handed over within the last moments: so many keep every connector busy, and the machine from being
 * so busy itself that nobody can say who was late. One that waits for its retry is out of the way.
 */
const MOST_FRESH = 240;
const FRESH_MS = 8_000;
/** What the worker takes in one call. */
const MOST_IN_BATCH = 100;
/** After a hand-over that failed: the worker is most likely down. */
const REST_MS = 1_000;
/** Questions about tasks at once. */
const MOST_QUESTIONS = 12;
/** A task of which nothing was heard for so long is asked after. */
const SILENCE_MS = 45_000;
/** A task that has to be handed over more often than this counts as lost. */
const MOST_SENDS = 60;

const reportSchema = z.object({
  state: z.enum(['accepted', 'running', 'parked', 'done', 'failed']),
  attempts: z.number(),
  error: z.object({ code: z.string() }).optional(),
});

/** How a task ended: by the worker's own ledger. */
export interface End {
  state: 'done' | 'failed';
  code?: string;
  attempts: number;
  /** When it ended by its last notice; where none has come, when the ledger said so. Epoch milliseconds. */
  atMs: number;
}

interface Progress {
  task: PlannedTask;
  stage: 'waiting' | 'ready' | 'out' | 'told' | 'ended' | 'lost';
  sends: number;
  sentAtMs: number;
  /** When it was handed over or asked after last, epoch milliseconds. */
  heardAtMs: number;
  /** When it ended, by its last notice. */
  toldAtMs?: number;
}

/**
 * Hands tasks over, at least once, so that a kill cannot fake a loss: the local queue forgets its messages
 * with the process, so whatever the worker does not know after a restart is sent again under the same id.
 * The end of a task is what the worker's ledger says; a notice of it only saves asking early.
 */
export class HandOver {
  /** Batches that had to be sent again, for the call failed. */
  httpResends = 0;
  /** Tasks that were sent again, for the worker did not know them. */
  queueResends = 0;
  readonly ends = new Map<string, End>();
  readonly #worker: Pick<ChildRuntime, 'api' | 'notices'>;
  readonly #progress: Map<string, Progress>;
  readonly #dependents: Map<string, Progress[]>;
  readonly #ready: Progress[] = [];
  readonly #out = new Set<Progress>();
  readonly #told = new Set<Progress>();
  #noticesRead = 0;
  #restUntilMs = 0;

  constructor(worker: Pick<ChildRuntime, 'api' | 'notices'>, tasks: readonly PlannedTask[]) {
    this.#worker = worker;
    const all = tasks.map((task): Progress => ({
      task,
      stage: 'waiting',
      sends: 0,
      sentAtMs: 0,
      heardAtMs: 0,
    }));
    this.#progress = new Map(all.map((one) => [one.task.id, one]));
    this.#dependents = Map.groupBy(
      all.filter(({ task }) => task.after !== undefined),
      ({ task }) => task.after ?? '',
    );
    for (const one of all) if (one.task.after === undefined) this.#makeReady(one);
  }

  /** How many have ended, as far as notices and the ledger have told. */
  get ended(): number {
    return this.#told.size + this.ends.size;
  }

  /** True when nothing is left to do: each has ended by the ledger, or is lost. */
  get isOver(): boolean {
    return [...this.#progress.values()].every(({ stage }) => stage === 'ended' || stage === 'lost');
  }

  /** The tasks that have not ended by the ledger. */
  get open(): string[] {
    return [...this.#progress.values()]
      .filter(({ stage }) => stage !== 'ended')
      .map(({ task, stage, sends }) => `${task.id} (${task.type}): ${stage}, sent ${sends} times`);
  }

  /** One round: hears notices, hands over what there is room for, asks after what has been silent. */
  async step(): Promise<void> {
    this.#hear();
    await this.#send();
    const silentSince = Date.now() - SILENCE_MS;
    const silent = [...this.#out].filter(({ heardAtMs }) => heardAtMs < silentSince);
    await this.#ask(silent.length > 0 ? silent : this.#lastStretch());
  }

  /** Once everything has been told, the ledger is asked about each. */
  #lastStretch(): Progress[] {
    if (this.#ready.length > 0 || this.#out.size > 0) return [];
    return [...this.#told].slice(0, 500);
  }

  /** The worker has been started anew, its queues are empty: asks after all that was on its way. */
  async afterRestart(): Promise<void> {
    this.#hear();
    await this.#ask([...this.#out]);
  }

  #hear(): void {
    const { notices } = this.#worker;
    for (; this.#noticesRead < notices.length; this.#noticesRead += 1) {
      const notice = notices[this.#noticesRead];
      const one = notice?.taskId === undefined ? undefined : this.#progress.get(notice.taskId);
      if (one === undefined || notice === undefined) continue;
      one.toldAtMs = Math.max(one.toldAtMs ?? 0, Date.parse(notice.at));
      if (one.stage === 'ended' || one.stage === 'told') continue;
      this.#out.delete(one);
      one.stage = 'told';
      this.#told.add(one);
      this.#release(one);
    }
  }

  #makeReady(one: Progress): void {
    one.stage = 'ready';
    this.#ready.push(one);
  }

  #release({ task }: Progress): void {
    for (const dependent of this.#dependents.get(task.id) ?? []) {
      if (dependent.stage === 'waiting') this.#makeReady(dependent);
    }
  }

  async #send(): Promise<void> {
    if (Date.now() < this.#restUntilMs) return;
    for (;;) {
      const freshSince = Date.now() - FRESH_MS;
      const fresh = [...this.#out].filter(({ sentAtMs }) => sentAtMs > freshSince).length;
      const room = Math.min(MOST_IN_BATCH, MOST_OUT - this.#out.size, MOST_FRESH - fresh);
      if (this.#ready.length === 0 || room <= 0) return;
      const batch = this.#ready.splice(0, room);
      for (const one of batch) {
        one.sends += 1;
        one.sentAtMs = Date.now();
        one.heardAtMs = Date.now();
        one.stage = 'out';
        this.#out.add(one);
      }
      const tasks = batch.map(({ task: { after: _after, ...task } }) => task);
      // One batch at a time: the worker's pace is the driver's.
      const status = await this.#statusOf(() => this.#worker.api('POST', '/v1/tasks', { tasks }));
      if (status === 202) continue;
      if (status !== undefined && status < 500) throw new Error(`POST /v1/tasks answers ${status}`);
      // It may have come through all the same: the ids are the same.
      this.httpResends += 1;
      this.#restUntilMs = Date.now() + REST_MS;
      for (const one of batch) this.#again(one);
      return;
    }
  }

  async #statusOf(call: () => Promise<{ status: number }>): Promise<number | undefined> {
    try {
      return (await call()).status;
    } catch {
      return undefined;
    }
  }

  #again(one: Progress): void {
    this.#out.delete(one);
    if (one.sends >= MOST_SENDS) one.stage = 'lost';
    else this.#makeReady(one);
  }

  async #ask(about: Progress[]): Promise<void> {
    const queue = [...about];
    const askNext = async (): Promise<void> => {
      for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
        await this.#askOne(one);
      }
    };
    await Promise.all(Array.from({ length: MOST_QUESTIONS }, askNext));
  }

  async #askOne(one: Progress): Promise<void> {
    const { id, connectorId } = one.task;
    let answer;
    try {
      answer = await this.#worker.api('GET', `/v1/connectors/${connectorId}/tasks/${id}`);
    } catch {
      // It is down: asked again after the restart.
      return;
    }
    one.heardAtMs = Date.now();
    if (answer.status === 404) {
      // Told of its end, and then forgotten: that is a loss, whatever would come of sending it again.
      if (one.stage === 'told') {
        this.#told.delete(one);
        one.stage = 'lost';
        return;
      }
      if (one.stage !== 'out') return;
      this.queueResends += 1;
      this.#again(one);
      return;
    }
    if (answer.status !== 200) return;
    const { state, attempts, error } = reportSchema.parse(answer.json);
    if (state !== 'done' && state !== 'failed') {
      // The notice comes first and the ledger second: a kill in between has it run again.
      if (one.stage === 'told') {
        this.#told.delete(one);
        one.stage = 'out';
        this.#out.add(one);
      }
      return;
    }
    this.#out.delete(one);
    this.#told.delete(one);
    one.stage = 'ended';
    this.ends.set(id, {
      state,
      attempts,
      atMs: one.toldAtMs ?? Date.now(),
      ...(error !== undefined && { code: error.code }),
    });
    this.#release(one);
  }
}
