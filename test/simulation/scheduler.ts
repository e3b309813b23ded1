import type { Random } from './random.ts';

/** One actor object, from its opening until it is abandoned. `steps`: what it waits for. */
export interface Life {
  readonly name: string;
  isOver: boolean;
  steps: number;
}

interface Step {
  atMs: number;
  /** Among steps of one instant the dice decide. */
  order: number;
  label: string;
  life: Life | undefined;
  act: () => void;
}

/** What a scheduler is made of. `note` is told each step before it happens. */
export interface SchedulerOptions {
  random: Random;
  startMs: number;
  note: (label: string) => void;
}

/**
 * A virtual clock and all that is still to happen, one step at a time: every answer that an actor waits
 * for is a step, and between two of them nothing of it runs. The steps of a life that is over never
 * happen.
 */
export class Scheduler {
  readonly #random: Random;
  readonly #note: (label: string) => void;
  readonly #steps = new Set<Step>();
  #nowMs: number;
  #life: Life | undefined;
  #count = 0;

  constructor({ random, startMs, note }: SchedulerOptions) {
    this.#random = random;
    this.#nowMs = startMs;
    this.#note = note;
  }

  /** The virtual time, epoch milliseconds. */
  readonly now = (): number => this.#nowMs;

  /** How many steps there have been, this one included. */
  get count(): number {
    return this.#count;
  }

  /** Whose code runs in this step. */
  get life(): Life | undefined {
    return this.#life;
  }

  /** From here to the end of the step it is this life's code that runs. */
  enter(life: Life): void {
    this.#life = life;
  }

  /** Lets something happen later, as code of `life` where one is given. Returns how to call it off. */
  after(delayMs: number, label: string, act: () => void, life?: Life): () => void {
    const step = { atMs: this.#nowMs + delayMs, order: this.#random.next(), label, life, act };
    this.#steps.add(step);
    if (life !== undefined) life.steps += 1;
    return () => {
      if (this.#steps.delete(step) && life !== undefined) life.steps -= 1;
    };
  }

  /** What `answer` gives, or throws, told to `life` after this time. */
  tell<T>(life: Life, delayMs: number, label: string, answer: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const act = () => {
        try {
          resolve(answer());
        } catch (thrown) {
          reject(thrown);
        }
      };
      this.after(delayMs, label, act, life);
    });
  }

  /** The next step happens, and all that follows from it without a further one. False: there is none by `untilMs`. */
  async next(untilMs: number): Promise<boolean> {
    const step = this.#earliest();
    if (step === undefined || step.atMs > untilMs) return false;
    this.#steps.delete(step);
    this.#count += 1;
    this.#nowMs = Math.max(this.#nowMs, step.atMs);
    if (step.life !== undefined) step.life.steps -= 1;
    if (step.label !== '') this.#note(step.label);
    this.#life = step.life;
    step.act();
    await turnOfTheEventLoop();
    this.#life = undefined;
    return true;
  }

  #earliest(): Step | undefined {
    let earliest: Step | undefined;
    for (const step of this.#steps) {
      if (step.life?.isOver === true) this.#steps.delete(step);
      else if (earliest === undefined || isBefore(step, earliest)) earliest = step;
    }
    return earliest;
  }
}

function isBefore(one: Step, other: Step): boolean {
  return one.atMs === other.atMs ? one.order < other.order : one.atMs < other.atMs;
}

/** Every promise reaction that can run has run when this resolves: nothing in a simulation waits for the real world. */
function turnOfTheEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
