/** Runs acts one at a time, in the order they were asked for: each starts when the one before has settled. */
export class Sequence {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `act` in its turn; settles as it does. */
  run<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#last.then(act);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
