/**
 * Counts the calls of one user that are open at the provider, those that a dead actor has left behind
 * included. A batch weighs as much as it has parts.
 */
export class Meter {
  /** How many calls are allowed at once. */
  readonly limit: number;
  readonly #open = new Set<{ weight: number }>();

  constructor(limit: number) {
    this.limit = limit;
  }

  /** How many calls are open. */
  get open(): number {
    return [...this.#open].reduce((sum, { weight }) => sum + weight, 0);
  }

  /** A call begins: what is wrong with that, if anything, and how it ends. */
  enter(weight: number): { excess: string | undefined; leave: () => void } {
    const entry = { weight };
    this.#open.add(entry);
    return {
      excess: this.open > this.limit ? `${this.open} calls at once, ${this.limit} allowed` : undefined,
      leave: () => void this.#open.delete(entry),
    };
  }
}
