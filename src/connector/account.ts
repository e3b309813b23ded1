import { fail, type Failure, ok, type Outcome } from '../domain/failure.ts';
import type { Send } from '../providers/http.ts';
import type { Access } from '../providers/provider.ts';
import type { Gate, Lane } from './gate.ts';
import type { Held, Tokens } from './tokens.ts';

/** What the way to the provider is made of. `send` is ungated. */
export interface AccountOptions {
  tokens: Tokens;
  gate: Gate;
  send: Send;
  now: () => number;
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
    if (first.ok || !['token-rejected', 'consent-missing'].includes(first.failure.kind)) return first;
    const claims = first.failure.kind === 'token-rejected' ? first.failure.claims : undefined;
    // A grant that has come meanwhile (a reconnect) is taken as it is: the failure was of the old one.
    const refreshed = await this.#options.tokens.refresh(held.value, claims);
    if (!refreshed.ok) {
      // Only the person can meet this challenge: it is kept for their next sign-in.
      return refreshed.failure.kind === 'grant-revoked' && claims !== undefined ? first : refreshed;
    }
    return await this.#run(lane, refreshed.value, operate);
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
    const { gate, send, now, obstacle } = this.#options;
    const met = { success: false, throttle: false };
    const outcome = await operate({
      accessToken: grant.accessToken,
      account: grant.account,
      now,
      holdBack(throttle) {
        met.throttle = true;
        gate.holdBack(throttle);
      },
      send: (request) =>
        gate.pass(lane, request.weight ?? 1, async () => {
          // The grant may have died, or been given up, while this call waited or its operation went on.
          const blocked = obstacle();
          if (blocked !== undefined) return fail(blocked);
          const sent = await send(request);
          if (sent.ok && sent.value.status < 300) met.success = true;
          return sent;
        }),
    });
    // Not at each reply: one that succeeds may carry a throttle inside, and would reset the back-off it adds to.
    if (met.success && !met.throttle) gate.relax();
    return outcome;
  }
}
