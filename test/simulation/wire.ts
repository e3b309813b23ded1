import type { Climate } from './climate.ts';
import type { Random } from './random.ts';
import type { Life, Scheduler } from './scheduler.ts';

/** Something sent to the outside by a life, which waits for its answer. Times in milliseconds. */
export interface Errand<T> {
  life: Life;
  label: string;
  arriveMs: number;
  /** From the arrival to the answer; undefined: none comes. */
  answerMs: number | undefined;
  /** What is done on arrival, whether or not anybody still waits. */
  deed: () => T;
  /** The answer is there: code of the life. */
  answer: (done: T) => void;
  /** Its sender has died; `restMs` is how long the outside is still busy with it. */
  orphaned?: (restMs: number) => void;
}

interface Trip {
  errand: Errand<unknown>;
  endsAtMs: number;
  hasArrived: boolean;
  callOff: () => void;
}

/** A call without an answer keeps the outside busy for so long. */
const LONGEST_WORK_MS = 30_000;

/**
 * What is on its way between actors and the outside. A sender that dies leaves it there: what has not
 * arrived yet may get lost, arrive, or arrive late.
 */
export class Wire {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #climate: Climate;
  readonly #trips = new Set<Trip>();

  constructor(scheduler: Scheduler, random: Random, climate: Climate) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#climate = climate;
  }

  /** Sends something. Returns how its sender stops waiting for it. */
  send<T>(errand: Errand<T>): () => void {
    const { life, label, arriveMs, answerMs = LONGEST_WORK_MS } = errand;
    const trip: Trip = {
      errand: { ...errand, answer: () => undefined },
      endsAtMs: this.#scheduler.now() + arriveMs + answerMs,
      hasArrived: false,
      callOff: () => undefined,
    };
    let callOffAnswer: () => void = () => undefined;
    const arrive = () => {
      trip.hasArrived = true;
      const done = errand.deed();
      // Nobody waits for it any more, or no answer comes.
      if (errand.answerMs === undefined || !this.#trips.has(trip)) return;
      const answer = () => {
        this.#trips.delete(trip);
        errand.answer(done);
      };
      callOffAnswer = this.#scheduler.after(errand.answerMs, `${label} answers`, answer, life);
    };
    trip.callOff = this.#scheduler.after(arriveMs, `${label} arrives`, arrive);
    this.#trips.add(trip);
    return () => {
      this.#trips.delete(trip);
      callOffAnswer();
    };
  }

  /** How many of its errands a life waits for. */
  open(life: Life): number {
    return [...this.#trips].filter(({ errand }) => errand.life === life).length;
  }

  /** This life has ended. */
  bury(life: Life): void {
    for (const trip of this.#trips) {
      if (trip.errand.life !== life) continue;
      this.#trips.delete(trip);
      if (!trip.hasArrived) this.#leave(trip);
      trip.errand.orphaned?.(Math.max(0, trip.endsAtMs - this.#scheduler.now()));
    }
  }

  #leave({ errand, callOff }: Trip): void {
    const fate = this.#random.pick('lost', 'lost', 'arrives', 'late');
    if (fate === 'arrives') return;
    callOff();
    if (fate === 'lost') return;
    const lateMs = this.#random.whole(0, this.#climate.latestMs);
    this.#scheduler.after(lateMs, `${errand.label} arrives after all`, () => void errand.deed());
  }
}
