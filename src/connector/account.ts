import pRetry from 'p-retry';
import { fail, type Failure, ok, type Outcome } from '../domain/failure.ts';
import { readRetryAfter, type Reply, type Send } from '../providers/http.ts';
import type { Access, AccountRequest } from '../providers/provider.ts';
import type { Gate, Lane } from './gate.ts';
import type { Permits } from './permits.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { Tallies } from './tallies.ts';
import type { Held, Tokens } from './tokens.ts';
import { decide, type Verdict } from './verdict.ts';

/** A call that only reads is tried again so often within the operation it is part of. */
const MOST_REPEATS = 1;
/** And only when the wait before it is no longer than this: a longer one is for the ledger. */
const LONGEST_WAIT_MS = 1_500;

/** What the way to the provider is made of. `send` is ungated. */
export interface AccountOptions {
  tokens: Tokens;
  gate: Gate;
  permits: Pick<Permits, 'note' | 'noteAppThrottle'>;
  tallies: Pick<Tallies, 'noteCall' | 'noteWait' | 'noteThrottle'>;
  budget: RetryBudget;
  send: Send;
  now: () => number;
  random: () => number;
  sleep: (ms: number) => Promise<void>;
  /** Why nothing may be asked of the account now, if so. */
  obstacle: () => Failure | undefined;
}

/**
 * The way to the account: every operation on the provider goes through `use`, with a valid token and
 * through the gate.
 */
export class Account {
  readonly #options: AccountOptions;

  constructor(options: AccountOptions) {
    this.#options = options;
  }

  /**
   * Runs an operation with access to the account. When the provider rejects the token, or says that a
   * permission is missing, the token is refreshed once (which also brings the scopes up to date) and
   * the operation runs once more.
   */
  async use<T>(lane: Lane, operate: (access: Access) => Promise<Outcome<T>>): Promise<Outcome<T>> {
    const held = await this.#options.tokens.current();
    if (!held.ok) return held;
    const first = await this.#run(lane, held.value, operate);
    if (first.ok || this.#decide(first.failure, 1).act !== 'refresh') return first;
    const claims = first.failure.kind === 'token-rejected' ? first.failure.claims : undefined;
    // A grant that has come meanwhile (a reconnect) is taken as it is: the failure was of the old one.
    const refreshed = await this.#options.tokens.refresh(held.value, claims);
    if (!refreshed.ok) {
      // Only the person can meet this challenge: it is kept for their next sign-in.
      return refreshed.failure.kind === 'grant-revoked' && claims !== undefined ? first : refreshed;
    }
    return await this.#insist(lane, refreshed.value, operate);
  }

  /** Runs an operation, and anew for a grant that came meanwhile: a refusal of the one before says nothing of it. */
  async #insist<T>(
    lane: Lane,
    held: Held,
    operate: (access: Access) => Promise<Outcome<T>>,
  ): Promise<Outcome<T>> {
    const outcome = await this.#run(lane, held, operate);
    if (outcome.ok || !isRefusal(outcome.failure)) return outcome;
    const newest = await this.#options.tokens.load();
    const isReplaced = newest.ok && newest.value.generation > held.generation;
    return isReplaced ? await this.#insist(lane, newest.value, operate) : outcome;
  }

  /** The connector has fallen quiet. */
  settle(): void {
    this.#options.gate.settle();
  }

  /** Makes sure the grant is good by refreshing it now; when the new access token expires, epoch milliseconds. */
  async refresh(): Promise<Outcome<{ expiresAtMs: number }>> {
    const held = await this.#options.tokens.load();
    if (!held.ok) return held;
    const refreshed = await this.#options.tokens.refresh(held.value);
    return refreshed.ok ? ok({ expiresAtMs: refreshed.value.grant.expiresAtMs }) : fail(refreshed.failure);
  }

  async #run<T>(
    lane: Lane,
    { grant }: Held,
    operate: (access: Access) => Promise<Outcome<T>>,
  ): Promise<Outcome<T>> {
    return await operate({
      accessToken: grant.accessToken,
      account: grant.account,
      now: this.#options.now,
      send: (request) => this.#send(lane, request),
    });
  }

  #decide(failure: Failure, attempts: number): Verdict {
    const { now, random } = this.#options;
    return decide(failure, {
      attempts,
      deadlineMs: Infinity,
      nowMs: now(),
      random,
      isRefreshed: false,
      isWithinBudget: true,
    });
  }

  /** One call through the gate; one that only reads is tried again at once where the provider faltered. */
  async #send(lane: Lane, request: AccountRequest): Promise<Outcome<Reply>> {
    const { sleep, budget, now } = this.#options;
    const call = async () => {
      const sent = await this.#pass(lane, request);
      if (request.method === 'GET' && hasFaltered(sent)) throw new Faltered(sent);
      return sent;
    };
    try {
      return await pRetry(call, {
        retries: MOST_REPEATS,
        // The wait is ours, by the clock that is a parameter.
        minTimeout: 0,
        maxTimeout: 0,
        shouldRetry: async ({ error, attemptNumber }) => {
          if (!(error instanceof Faltered)) return false;
          const verdict = this.#decide(error.failure, attemptNumber);
          if (verdict.act !== 'retry') return false;
          const waitMs = verdict.atMs - now();
          if (waitMs > LONGEST_WAIT_MS || !budget.spend()) return false;
          await sleep(waitMs);
          return true;
        },
      });
    } catch (thrown) {
      if (thrown instanceof Faltered) return thrown.sent;
      throw thrown;
    }
  }

  async #pass(lane: Lane, request: AccountRequest): Promise<Outcome<Reply>> {
    const { gate, permits, tallies, budget, send, obstacle, now } = this.#options;
    const cameAtMs = now();
    const load = { weight: request.weight ?? 1, calls: request.calls ?? 1 };
    return await gate.pass(lane, load, async () => {
      // The grant may have died, or been given up, while this call waited or its operation went on.
      const blocked = obstacle();
      if (blocked !== undefined) return fail(blocked);
      const leftAtMs = now();
      tallies.noteWait(lane, leftAtMs - cameAtMs);
      const sent = await send(request);
      tallies.noteCall(sent.ok ? sent.value.status : undefined, now() - leftAtMs);
      const isUp = !hasFaltered(sent);
      permits.note(isUp);
      if (isUp) budget.earn();
      // Before this call's place is given on: the next one would be too early.
      if (sent.ok) this.#heed(request, sent.value);
      return sent;
    });
  }

  /** What a reply says of a throttle holds back what comes next; one that says nothing of it, and succeeds, eases. */
  #heed({ readThrottle }: AccountRequest, reply: Reply): void {
    const { gate, permits, tallies } = this.#options;
    const throttle = readThrottle(reply);
    if (throttle === undefined) {
      if (reply.status < 300) gate.relax();
      return;
    }
    tallies.noteThrottle(throttle.scope ?? 'user');
    gate.holdBack(throttle);
    if (throttle.scope === 'app') permits.noteAppThrottle(throttle);
  }
}

/** Whether it is the grant that was refused. */
function isRefusal({ kind }: Failure): boolean {
  return kind === 'token-rejected' || kind === 'consent-missing' || kind === 'grant-revoked';
}

/** The wait that a reply asks for. */
function readWait({ headers, receivedAtMs }: Reply): { retryAtMs?: number } {
  const retryAtMs = readRetryAfter(headers, receivedAtMs);
  return retryAtMs === undefined ? {} : { retryAtMs };
}

/** A call that came to nothing through the provider's own fault. */
function hasFaltered(sent: Outcome<Reply>): boolean {
  return sent.ok ? sent.value.status >= 500 : sent.failure.kind === 'unavailable';
}

/** Carries what a call came to through a library that only knows exceptions. */
class Faltered extends Error {
  readonly sent: Outcome<Reply>;
  readonly failure: Failure;
  constructor(sent: Outcome<Reply>) {
    super('the provider faltered');
    this.sent = sent;
    this.failure = sent.ok
      ? { kind: 'unavailable', ambiguous: false, ...readWait(sent.value) }
      : sent.failure;
  }
}
