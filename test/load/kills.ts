import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildRuntime } from '../local/child-runtime.ts';
import type { SandboxProcess } from '../local/sandbox-process.ts';
import type { Dice } from '../sandbox/dice.ts';

/**
 * Calls that are held open across a kill, and for how long: the next life of the worker meets them. A batch and
 * its parts can both be held, one after the other: together less than the worker reckons with (35 s).
 */
const LONG_CALLS = 8;
const LONG_CALL_MS = 15_000;
/** Throttles that last across a kill. */
const LONG_THROTTLES = 4;
const LONG_THROTTLE_SECONDS = 12;
/** Between setting these up and the kill, so that the worker has met them. */
const SET_UP_MS = 1_500;
/** Every so many kills comes at once after a restart. */
const SOON_EVERY = 4;
const SOON_MS = 3_000;

/**
 * On a busy machine a call may cross the reply that throttles its account for so long: in either process's queue, or
 * behind the writes that the runtime has confirmed before it lets a call out.
 */
export const CROSSING_MS = 2_000;

/** Kills the worker at moments spread over the run, and starts it again on the same state. */
export class Kills {
  /** When each was, epoch milliseconds. */
  readonly killedAtMs: number[] = [];
  restarts = 0;
  readonly #worker: ChildRuntime;
  readonly #sandbox: SandboxProcess;
  readonly #dice: Dice;
  /** The shares of all tasks that have ended when a kill is due. */
  readonly #moments: number[];
  #underWay: Promise<void> | undefined;
  #failure: unknown;
  #isSoonOver = false;

  constructor(worker: ChildRuntime, sandbox: SandboxProcess, count: number, dice: Dice) {
    this.#worker = worker;
    this.#sandbox = sandbox;
    this.#dice = dice;
    this.#moments = Array.from(
      { length: count },
      (_, index) => (0.92 * (index + 0.1 + 0.8 * dice.roll())) / count,
    );
  }

  /** Begins a kill when one is due; returns at once. */
  proceed(shareEnded: number): void {
    const next = this.#moments[0];
    if (next === undefined || shareEnded < next || this.#underWay !== undefined) return;
    this.#moments.shift();
    this.#underWay = this.#killOnce().catch((thrown: unknown) => {
      this.#failure = thrown;
    });
  }

  /** True while the worker is down or about to be. */
  get isUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  /** True once for each restart that has come to its end. */
  takeRestart(): boolean {
    if (this.#failure !== undefined) throw new Error('a kill went wrong', { cause: this.#failure });
    const over = this.#isSoonOver;
    this.#isSoonOver = false;
    return over;
  }

  async #killOnce(): Promise<void> {
    await this.#sandbox.addFault({ times: LONG_CALLS, effect: { kind: 'latency', ms: LONG_CALL_MS } });
    const retryAfter = LONG_THROTTLE_SECONDS;
    const effect = {
      kind: 'throttle',
      retryAfter,
      holdMs: retryAfter * 1_000,
      crossingMs: CROSSING_MS,
    } as const;
    await this.#sandbox.addFault({ times: LONG_THROTTLES, effect });
    await sleep(SET_UP_MS + 500 * this.#dice.roll());
    await this.#kill();
    if ((this.killedAtMs.length + 1) % SOON_EVERY === 0 && this.#moments.length > 0) {
      this.#moments.shift();
      await sleep(SOON_MS * this.#dice.roll());
      await this.#kill();
    }
    this.#underWay = undefined;
    this.#isSoonOver = true;
  }

  async #kill(): Promise<void> {
    this.killedAtMs.push(Date.now());
    await this.#worker.kill();
    await this.#sandbox.clientDied();
    await this.#worker.restart();
    this.restarts += 1;
  }
}
