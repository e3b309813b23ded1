import { CONNECTION_LOST, holdsIn, Refused } from './exchange.ts';
import type { Answer, Ask, Outcome } from './exchange.ts';
import { retryAfterHeader } from './faults.ts';
import type { Faults, Hold } from './faults.ts';
import type { Excess, Limits } from './limits.ts';
import type { Person, Provider } from './people.ts';
import type { CallKind, OpenCall, TruthLog } from './truth-log.ts';

/** A request matched to what will answer it. */
export interface Route {
  /** Stable name, such as `google.freeBusy`; faults and the truth log go by it. */
  readonly operation: string;
  readonly kind: CallKind;
  /** Whose call it is, as far as its token, code or grant tells. */
  readonly person?: Person | undefined;
  readonly grantType?: string | undefined;
  perform(): Answer | Promise<Answer>;
}

/** One provider: its routes, and its way of saying no. */
export interface Origin {
  readonly provider: Provider;
  route(ask: Ask): Route;
  excess(why: Excess): Answer;
  throttled(status: 429 | 403 | 503 | undefined, kind: CallKind): Answer;
  failed(status: number, kind: CallKind): Answer;
}

/** What every call passes on its way to its handler. */
export interface Passage {
  carry(ask: Ask, origin: Origin): Promise<Outcome>;
}

/**
 * The way from a request to its reply, the same for both providers and for the parts of a batch: note it,
 * hold it to the limits, let it meet its scripted faults, perform it, note how it ended.
 */
export function passage(rooms: {
  truth: TruthLog;
  faults: Faults;
  limits: Limits;
  now: () => number;
}): Passage {
  const { truth, faults, limits, now } = rooms;

  async function answer(
    ask: Ask,
    origin: Origin,
    route: Route,
    call: OpenCall,
    excess?: Excess,
  ): Promise<Outcome> {
    const holdKey = `${origin.provider} ${route.person?.email ?? 'anyone'} ${route.kind === 'token' ? 'token' : 'api'}`;
    const waits = route.kind === 'api' || route.kind === 'token';
    const held = waits ? faults.held(holdKey, ask.arrivedAtMs) : undefined;
    if (held !== undefined) {
      if (held.earlyByMs > 0) call.tooEarly(held.earlyByMs);
      return throttledAnswer(origin, route, held.hold);
    }
    if (excess !== undefined) return origin.excess(excess);

    const struck = faults.take({
      provider: origin.provider,
      operation: route.operation,
      person: route.person?.email,
      path: ask.url.pathname + ask.url.search,
    });
    for (const kind of struck.kinds) call.meets(kind);
    // A provider goes on working on a call whose client has gone: the call stays open for its whole time.
    if (struck.delayMs > 0) await pause(struck.delayMs, ask.closing);
    const effect = struck.effect;
    switch (effect?.kind) {
      case 'reset':
        return CONNECTION_LOST;
      case 'hang':
        await pause(undefined, ask.clientGone);
        return CONNECTION_LOST;
      case 'status':
        return scriptedAnswer(origin, route, effect);
      case 'status-after':
        await perform(route);
        return scriptedAnswer(origin, route, effect);
      case 'throttle':
        return throttledAnswer(origin, route, faults.hold(holdKey, effect, now()));
      case 'reply-lost':
        await perform(route);
        return CONNECTION_LOST;
      case 'reply-held':
        await perform(route);
        await pause(undefined, ask.clientGone);
        return CONNECTION_LOST;
      case 'malformed': {
        const { tellsOf: _cutOff, ...whole } = await perform(route);
        const text = whole.body ?? '{}';
        return { ...whole, body: text.slice(0, Math.max(1, Math.floor(text.length / 2))) };
      }
      case 'empty': {
        const { body: _dropped, tellsOf: _too, ...rest } = await perform(route);
        return rest;
      }
      case 'hollow':
        return await perform(origin.route({ ...ask, hollow: true }));
      // Latency has been served above.
      case 'latency':
      case undefined:
        return await perform(route);
    }
  }

  return {
    async carry(ask, origin) {
      const route = origin.route(ask);
      const call = truth.begin({
        provider: origin.provider,
        operation: route.operation,
        kind: route.kind,
        person: route.person?.email,
        inBatch: ask.inBatch,
        grantType: route.grantType,
      });
      const counted = route.kind === 'api' && route.person !== undefined;
      const entry = counted ? limits.enter(origin.provider, route.person.email, now()) : undefined;
      let outcome: Outcome = CONNECTION_LOST;
      try {
        outcome = await answer(ask, origin, route, call, entry?.excess);
        // What a part of a batch says is only known once the batch is answered.
        if (!ask.inBatch) faults.tell(holdsIn([outcome]), now());
        return outcome;
      } finally {
        entry?.leave();
        if (outcome === CONNECTION_LOST) call.end(0);
        else call.end(outcome.status, { refusal: outcome.refusal, insecure: outcome.insecure });
      }
    },
  };
}

async function perform(route: Route): Promise<Answer> {
  try {
    return await route.perform();
  } catch (thrown) {
    if (thrown instanceof Refused) return thrown.answer;
    throw thrown;
  }
}

function throttledAnswer(origin: Origin, route: Route, hold: Hold): Answer {
  const plain = origin.throttled(hold.effect.status, route.kind);
  return { ...plain, headers: { ...plain.headers, ...retryAfterHeader(hold) }, tellsOf: [hold] };
}

function scriptedAnswer(
  origin: Origin,
  route: Route,
  effect: { status: number; body?: unknown; headers?: Record<string, string> },
): Answer {
  const usual = origin.failed(effect.status, route.kind);
  const headers = { ...usual.headers, ...effect.headers };
  if (effect.body === undefined) return { ...usual, headers };
  const body = typeof effect.body === 'string' ? effect.body : JSON.stringify(effect.body);
  return { status: effect.status, headers, body };
}

/** Waits `ms` (for ever when undefined), or until `over`. */
async function pause(ms: number | undefined, over: AbortSignal): Promise<void> {
  if (over.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = ms === undefined ? undefined : setTimeout(finish, ms);
    function finish(): void {
      clearTimeout(timer);
      over.removeEventListener('abort', finish);
      resolve();
    }
    over.addEventListener('abort', finish);
  });
}
