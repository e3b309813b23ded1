import * as z from 'zod';
import type { Keyring } from '../crypto/keyring.ts';
import { fail, type Failure, ok, type Outcome } from '../domain/failure.ts';
import type { RecordEvent } from '../metrics.ts';
import type { Send } from '../providers/http.ts';
import type { Grant, ProviderOAuth } from '../providers/provider.ts';
import { accountSchema, GRANT, readFact, writeFact } from './facts.ts';
import type { Store } from './store.ts';
import { backOffMs } from './verdict.ts';

const heldGrantSchema = z.object({
  accessToken: z.string(),
  expiresAtMs: z.number(),
  refreshToken: z.string(),
  scopes: z.array(z.string()),
  account: accountSchema,
  cache: z.exactOptional(z.string()),
});

/** A grant that can be refreshed: what the actor holds. */
export type HeldGrant = Grant & { refreshToken: string };

/** The grant at hand. `generation` tells it from the grants before and after it. */
export interface Held {
  grant: HeldGrant;
  generation: number;
}

const DISCONNECTED: Failure = { kind: 'grant-revoked', detail: 'no account is connected' };

/** An access token counts as expired this long before it does, or a tenth of its life for short-lived ones. */
const LONGEST_MARGIN_MS = 60_000;

/** What the token store is made of. */
export interface TokensOptions {
  store: Store;
  keyring: Keyring;
  connectorId: string;
  oauth: ProviderOAuth;
  /** Token calls; they do not pass the gate, and there is at most one of them. */
  send: Send;
  now: () => number;
  random: () => number;
  record: RecordEvent;
  /** The refresh token as the database has it, when it is another than the one tried. */
  readElsewhere: (tried: string) => Promise<Outcome<string | undefined>>;
  /** Called when the grant at hand has been sealed with another key: what shows it outside is due too. */
  onResealed: () => void;
  /** Called in the same breath as a grant is stored, with the one it replaces. */
  onStored: (stored: HeldGrant, replaced: HeldGrant | undefined) => void;
}

/**
 * The account's tokens. They live sealed in the actor's storage; the opened grant is kept in memory.
 * A refresh is single-flight: whoever needs a token meanwhile shares its outcome. What a refresh
 * brings is stored before it is used, and dropped when the grant has been replaced meanwhile.
 */
export class Tokens {
  readonly #options: TokensOptions;
  #held: Held | undefined;
  #marginMs = LONGEST_MARGIN_MS;
  #refreshing: Promise<Outcome<Held>> | undefined;
  /** Where the grant at hand comes from. */
  #broughtBy: 'sign-in' | { claims: string | undefined } = { claims: undefined };
  /** A grant that the provider has declared dead: whoever meets it later is told without another call. */
  #dead: { generation: number; failure: Failure } | undefined;
  /** The token endpoint's throttle: nobody calls it before it has passed. */
  #refused: (Extract<Failure, { kind: 'throttled' }> & { retryAtMs: number }) | undefined;
  #strikes = 0;

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /** A grant whose access token has life left: the one at hand, or a refreshed one. */
  async current(): Promise<Outcome<Held>> {
    const held = await this.load();
    if (!held.ok) return held;
    const { expiresAtMs } = held.value.grant;
    return this.#options.now() < expiresAtMs - this.#marginMs ? held : await this.refresh(held.value);
  }

  /**
   * A grant newer than `stale`: one that somebody else has brought meanwhile, or a refreshed one.
   *
   * @param claims a claims challenge that the new access token must satisfy.
   */
  async refresh(stale: Held, claims?: string): Promise<Outcome<Held>> {
    if (this.#refreshing !== undefined) {
      const shared = await this.#refreshing;
      return shared.ok ? await this.refresh(stale, claims) : shared;
    }
    const held = this.#held;
    if (held !== undefined && held.generation > stale.generation) {
      // A challenge is met by the person, or by a refresh that carried it; by no other newer grant.
      const isMet =
        claims === undefined || this.#broughtBy === 'sign-in' || this.#broughtBy.claims === claims;
      return isMet ? ok(held) : await this.refresh(held, claims);
    }
    if (this.#dead?.generation === stale.generation) return fail(this.#dead.failure);
    if (this.#refused !== undefined && this.#options.now() < this.#refused.retryAtMs)
      return fail(this.#refused);
    this.#refreshing = this.#refresh(stale, claims).finally(() => {
      this.#refreshing = undefined;
    });
    return await this.#refreshing;
  }

  /** Stores a grant in place of whatever was there, in one transaction with what `alongside` writes. */
  async adopt(grant: HeldGrant, alongside: () => void = () => undefined): Promise<Held> {
    const sealed = await this.#seal(grant);
    return this.#options.store.transaction(() => {
      alongside();
      return this.#commit(grant, sealed, 'sign-in');
    });
  }

  /** The grant at hand, opened. Fails with `grant-revoked` when there is none. */
  async load(): Promise<Outcome<Held>> {
    if (this.#held !== undefined) return ok(this.#held);
    const { store, keyring } = this.#options;
    const stored = readFact(store, GRANT);
    if (stored === undefined) return fail(DISCONNECTED);
    const opened = await keyring.open(stored.sealed, this.#binding());
    if (!opened.ok) return opened;
    const grant = heldGrantSchema.parse(JSON.parse(opened.value));
    // A grant that was committed while this one was being opened is the newer one.
    this.#held ??= { grant, generation: stored.generation };
    if (!stored.sealed.startsWith(keyring.currentPrefix)) await this.#reseal(this.#held);
    return ok(this.#held);
  }

  /** Seals the grant with the current key; its generation stays, for it is the same grant. */
  async #reseal(held: Held): Promise<void> {
    const { store, onResealed } = this.#options;
    const sealed = await this.#seal(held.grant);
    if (this.#held?.generation !== held.generation) return;
    writeFact(store, GRANT, { version: 1, generation: held.generation, sealed });
    onResealed();
  }

  async #refresh(stale: Held, claims: string | undefined): Promise<Outcome<Held>> {
    const { oauth, send, readElsewhere, record, connectorId } = this.#options;
    const startedWith = stale.generation;
    let refreshed = await oauth.refresh(stale.grant, send, claims);
    if (!refreshed.ok && refreshed.failure.kind === 'grant-revoked') {
      // The token may have been replaced where we did not see it: then the grant is alive.
      const replacement = await readElsewhere(stale.grant.refreshToken);
      if (!replacement.ok) {
        // Not known to be dead: told when the database answers.
        refreshed = replacement;
      } else if (replacement.value !== undefined) {
        // The library's cache knows only the old token.
        const { cache: _, ...grant } = stale.grant;
        refreshed = await oauth.refresh({ ...grant, refreshToken: replacement.value }, send, claims);
      }
    }
    const sealed = refreshed.ok ? await this.#seal(refreshed.value) : '';
    // No await from here to the commit: what is compared is what is replaced.
    const current = this.#held;
    if (current === undefined) return fail(DISCONNECTED);
    if (current.generation !== startedWith) return ok(current);
    this.#noteThrottle(refreshed);
    record({
      event: 'token-refresh',
      connectorId,
      outcome: refreshed.ok ? 'refreshed' : refreshed.failure.kind,
    });
    if (refreshed.ok) return ok(this.#commit(refreshed.value, sealed, { claims }));
    if (refreshed.failure.kind === 'grant-revoked') {
      this.#dead = { generation: startedWith, failure: refreshed.failure };
    }
    return refreshed;
  }

  #noteThrottle(refreshed: Outcome<unknown>): void {
    if (refreshed.ok) this.#strikes = 0;
    else if (refreshed.failure.kind === 'throttled') {
      const { now, random } = this.#options;
      this.#strikes += 1;
      const retryAtMs = Math.max(refreshed.failure.retryAtMs ?? 0, now()) + backOffMs(this.#strikes, random);
      this.#refused = { ...refreshed.failure, retryAtMs };
    }
  }

  /** Forgets the grant in memory; what a refresh under way brings is dropped. */
  forget(): void {
    this.#held = undefined;
  }

  #commit(grant: HeldGrant, sealed: string, broughtBy: 'sign-in' | { claims: string | undefined }): Held {
    const { store, now, onStored } = this.#options;
    const generation = (readFact(store, GRANT)?.generation ?? 0) + 1;
    writeFact(store, GRANT, { version: 1, generation, sealed });
    const replaced = this.#held?.grant;
    this.#held = { grant, generation };
    this.#broughtBy = broughtBy;
    this.#marginMs = Math.min(LONGEST_MARGIN_MS, (grant.expiresAtMs - now()) / 10);
    onStored(grant, replaced);
    return this.#held;
  }

  #seal(grant: HeldGrant): Promise<string> {
    return this.#options.keyring.seal(JSON.stringify(grant), this.#binding());
  }

  #binding() {
    return { owner: this.#options.connectorId, field: 'grant' };
  }
}
