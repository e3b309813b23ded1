import { randomBytes } from 'node:crypto';

/** Repeatable chance: the same seed gives the same sequence. */
export interface Dice {
  /** A number in [0, 1). */
  roll(): number;
  /** A copy in another order. */
  shuffle<T>(items: readonly T[]): T[];
  /** `length` letters and digits from `alphabet`. */
  text(length: number, alphabet?: string): string;
  /** A GUID-shaped identifier. */
  guid(): string;
}

/** Dice from a seed (mulberry32). Not for secrets: tokens come from {@link secret}. */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  const roll = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const text = (length: number, alphabet = 'abcdefghijklmnopqrstuv0123456789'): string =>
    Array.from({ length }, () => alphabet[Math.floor(roll() * alphabet.length)] ?? 'a').join('');
  return {
    roll,
    text,
    shuffle(items) {
      const order = items.map((item) => ({ item, at: roll() }));
      return order.toSorted((left, right) => left.at - right.at).map(({ item }) => item);
    },
    guid() {
      const hex = (length: number): string => text(length, '0123456789abcdef');
      return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
    },
  };
}

/** A secret of `bytes` random bytes in base64url: never repeatable, so that no test relies on its value. */
export function secret(bytes = 48): string {
  return randomBytes(bytes).toString('base64url');
}
