import { createHash } from 'node:crypto';
import type { Life, Scheduler } from './scheduler.ts';

/** Something the runtime does for a life that takes a turn. */
export type TakeTurn = <T>(life: Life, label: string, deed: () => T) => Promise<T>;

function replace(target: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { value, configurable: true, writable: true });
  return () => {
    if (before === undefined) Reflect.deleteProperty(target, name);
    else Object.defineProperty(target, name, before);
  };
}

/**
 * Puts the timers and the digest that actors take from the runtime under the scheduler: they would bring
 * in real time and threads. Code that runs outside a simulated life keeps the real ones. Returns how to
 * give them back.
 */
export function takeOverRuntime(scheduler: Scheduler, takeTurn: TakeTurn): () => void {
  const realSetTimeout = globalThis.setTimeout;
  const realClearTimeout = globalThis.clearTimeout;
  const realDigest = crypto.subtle.digest.bind(crypto.subtle);
  const timers = new Map<number, () => void>();
  let timersMade = 0;
  const restore = [
    replace(globalThis, 'setTimeout', (act: () => void, ms = 0): unknown => {
      const { life } = scheduler;
      if (life === undefined) return realSetTimeout(act, ms);
      timersMade += 1;
      timers.set(timersMade, scheduler.after(ms, '', act, life));
      return timersMade;
    }),
    replace(globalThis, 'clearTimeout', (timer: NodeJS.Timeout | number | undefined): void => {
      if (typeof timer !== 'number') return realClearTimeout(timer);
      timers.get(timer)?.();
      timers.delete(timer);
      return undefined;
    }),
    replace(crypto.subtle, 'digest', (algorithm: string, data: Uint8Array<ArrayBuffer>) => {
      const { life } = scheduler;
      if (life === undefined) return realDigest(algorithm, data);
      return takeTurn(life, 'digest', () => {
        const digest = createHash('sha256').update(data).digest();
        return new Uint8Array(digest).buffer;
      });
    }),
  ];
  return () => {
    for (const giveBack of restore) giveBack();
  };
}
