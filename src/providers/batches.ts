import { fail, ok, type Outcome } from '../domain/failure.ts';
import type { OutgoingRequest, Reply } from './http.ts';
import type { Access, Throttle } from './provider.ts';

/** How often a part is asked for at most: once, and again while it is throttled. */
const ROUNDS = 3;

/** What a part without an answer is: never a success. */
const UNANSWERED = fail({ kind: 'malformed', at: 'batch' });

/**
 * Asks for all parts in batches of at most `most`, sent at once. The answers come in the order of the
 * parts; one that could not be made into a request keeps its failure. Throttled parts, and only those,
 * are asked for again: `send` knows of the throttle, and sits out a short wait, or answers `throttled`
 * for a long one.
 *
 * @param ask sends one batch by `sendAndRead`: what each of its parts answered, in order, or the failure
 *   of them all, which is final.
 */
export async function askInBatches<P, T>(
  parts: readonly Outcome<P>[],
  most: number,
  ask: (batch: P[]) => Promise<Outcome<Outcome<T>[]>>,
): Promise<Outcome<T>[]> {
  const answers = parts.map((part): Outcome<T> => (part.ok ? UNANSWERED : part));
  let open = parts.flatMap((part, index) => (part.ok ? [{ index, part: part.value }] : []));
  for (let round = 0; open.length > 0 && round < ROUNDS; round++) {
    const asking = splitInto(open, most).map(async (batch) => {
      const reply = await ask(batch.map(({ part }) => part));
      for (const [place, { index }] of batch.entries())
        answers[index] = reply.ok ? (reply.value[place] ?? UNANSWERED) : reply;
      if (!reply.ok) return [];
      return batch.filter((_, place) => isThrottled(reply.value[place]));
    });
    // Each round needs the verdict on the one before it.
    // oxlint-disable-next-line no-await-in-loop
    open = (await Promise.all(asking)).flat();
  }
  return answers;
}

function isThrottled(outcome: Outcome<unknown> | undefined): boolean {
  return outcome?.ok === false && outcome.failure.kind === 'throttled';
}

/**
 * Sends a request, and reads its reply once: within `send`, which learns of a throttle in it before the
 * next call leaves. Fails with what `send` tells; what `read` makes of the reply is the value.
 */
export async function sendAndRead<T>(
  access: Access,
  request: OutgoingRequest,
  read: (reply: Reply) => T,
  readThrottle: (answer: T) => Throttle | undefined,
): Promise<Outcome<T>> {
  const kept: { answer?: { of: Reply; value: T } } = {};
  const sent = await access.send({
    ...request,
    readThrottle(reply) {
      const value = read(reply);
      kept.answer = { of: reply, value };
      return readThrottle(value);
    },
  });
  if (!sent.ok) return sent;
  return ok(kept.answer?.of === sent.value ? kept.answer.value : read(sent.value));
}

/** The throttles of one reply as one, with the longest wait: several would look like several refusals. */
export function throttleIn(outcomes: readonly Outcome<unknown>[]): Throttle | undefined {
  const throttles = outcomes.flatMap((outcome) =>
    !outcome.ok && outcome.failure.kind === 'throttled' ? [outcome.failure] : [],
  );
  if (throttles.length === 0) return undefined;
  const waits = throttles.flatMap(({ retryAtMs }) => retryAtMs ?? []);
  return {
    ...(waits.length > 0 && { retryAtMs: Math.max(...waits) }),
    ...(throttles.some(({ scope }) => scope === 'app') && { scope: 'app' }),
  };
}

/** The same items in order, in groups of at most `most`. */
export function splitInto<T>(items: readonly T[], most: number): T[][] {
  const groups: T[][] = [];
  for (let from = 0; from < items.length; from += most) groups.push(items.slice(from, from + most));
  return groups;
}
