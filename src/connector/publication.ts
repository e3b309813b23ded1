import type { Keyring } from '../crypto/keyring.ts';
import type { ConnectorState } from '../db/connectors.ts';
import { fail, ok, type Outcome } from '../domain/failure.ts';
import type { SyncStatus } from '../domain/mirror.ts';
import type { Account } from '../providers/provider.ts';
import type { Agenda } from './agenda.ts';
import { CONNECTION, readFact } from './facts.ts';
import { Sequence } from './sequence.ts';
import type { Store } from './store.ts';
import type { Tokens } from './tokens.ts';
import { backOffMs } from './verdict.ts';

/** How long a write may take before the agenda makes it again. */
const WATCH_MS = 30_000;

/** Workers KV keeps nothing for less than this. */
const SHORTEST_KV_LIFE_S = 60;

/** What an actor's state is shown in outside the actor; every method throws when it cannot. */
export interface Showcase {
  /** The connector's row in the database. */
  saveRow(state: ConnectorState): Promise<void>;
  /** The sealed refresh token of the row. */
  readSealedToken(): Promise<string | undefined>;
  /** The sealed access token for sibling Workers, until it expires. */
  putAccessToken(sealed: string, lifeSeconds: number): Promise<void>;
  deleteAccessToken(): Promise<void>;
  /** Removes the sign-ins under way, so that none connects again what is being disconnected. */
  dropSignIns(): Promise<void>;
  /** How the mirror stands, for whoever looks at the database. */
  saveSyncStatus(status: SyncStatus): Promise<void>;
  dropSyncStatus(): Promise<void>;
  /** Whether another connector is connected to the same account. */
  hasSibling(account: Account): Promise<boolean>;
}

const NOTHING_HELD: ConnectorState = {
  status: 'disconnected',
  accountId: null,
  accountEmail: null,
  tenantId: null,
  scopes: [],
  refreshTokenEnc: null,
};

/** What the publication is made of. */
export interface PublicationOptions {
  store: Store;
  agenda: Agenda;
  keyring: Keyring;
  showcase: Showcase;
  /** The tokens, which in turn report here when they change. */
  tokens: () => Tokens;
  connectorId: string;
  now: () => number;
  random: () => number;
  onError: (where: string, thrown: unknown) => void;
  /** The next due time may have changed. */
  rearm: () => void;
}

/**
 * Shows the actor's state outside: its row in D1, and a sealed copy of the access token in KV. The
 * actor's own storage is the truth and comes first; a row that could not be written stays on the
 * agenda until it is, so a rotated refresh token is never lost. Writes go out one after the other,
 * each from what the actor knows by then, so an older state never lands on a newer one.
 */
export class Publication {
  readonly #options: PublicationOptions;
  /** Rises with each change, so that a write under way does not settle a later one. */
  #wanted = 0;
  #attempts = 0;
  readonly #writes = new Sequence();

  constructor(options: PublicationOptions) {
    this.#options = options;
  }

  /** The state has changed: notes (in the caller's transaction) that the row is due. */
  note(): void {
    this.#wanted += 1;
    // Written at once by whoever notes it; the agenda looks after it when that does not come to its end.
    this.#options.agenda.schedule('publish', this.#options.now() + WATCH_MS);
  }

  /** Writes the row. Never rejects; false: it did not work, and is retried from the agenda. */
  saveRow(): Promise<boolean> {
    return this.#writes.run(async () => {
      const { agenda, showcase, now, random, onError, rearm } = this.#options;
      const wanted = this.#wanted;
      try {
        await showcase.saveRow(await this.#compose());
        this.#attempts = 0;
        if (wanted === this.#wanted) agenda.strike('publish');
        return true;
      } catch (thrown) {
        onError('save connector row', thrown);
        this.#attempts += 1;
        agenda.schedule('publish', now() + 1_000 + backOffMs(this.#attempts, random));
        // It is due before the alarm that looks after the write; whoever began it may be done already.
        rearm();
        return false;
      }
    });
  }

  async #compose(): Promise<ConnectorState> {
    const { store, tokens, keyring } = this.#options;
    const connection = readFact(store, CONNECTION);
    if (connection === undefined || connection.status === 'disconnected') return NOTHING_HELD;
    const held = await tokens().load();
    // The keys of the ring may be wrong for a while: no reason to empty the row.
    if (!held.ok) throw new Error(`the grant does not open: ${held.failure.kind}`);
    const { account, scopes, status } = connection;
    return {
      status,
      accountId: account.id,
      accountEmail: account.email ?? null,
      tenantId: account.tenantId ?? null,
      scopes,
      refreshTokenEnc: await keyring.seal(held.value.grant.refreshToken, this.#rowBinding()),
    };
  }

  /** Puts the access token into KV, once per grant; siblings fall back to asking the actor, so a failure is let go. */
  putAccessToken({ accessToken, expiresAtMs }: { accessToken: string; expiresAtMs: number }): Promise<void> {
    return this.#writes.run(async () => {
      const { store, keyring, showcase, now, onError, connectorId } = this.#options;
      const lifeSeconds = Math.floor((expiresAtMs - now()) / 1000);
      if (lifeSeconds < SHORTEST_KV_LIFE_S || readFact(store, CONNECTION)?.status === 'disconnected') return;
      try {
        const binding = { owner: connectorId, field: 'kv.access_token' };
        const sealed = await keyring.seal(JSON.stringify({ accessToken, expiresAtMs }), binding);
        await showcase.putAccessToken(sealed, lifeSeconds);
      } catch (thrown) {
        onError('put access token', thrown);
      }
    });
  }

  /** Shows how the mirror stands, unless the account has been given up meanwhile: what is withdrawn stays so. */
  saveSyncStatus(status: SyncStatus): Promise<void> {
    return this.#writes.run(async () => {
      const { store, showcase } = this.#options;
      if (readFact(store, CONNECTION)?.status !== 'disconnected') await showcase.saveSyncStatus(status);
    });
  }

  /** Removes the access token from KV, and the sign-ins under way. Never rejects; false: it did not work. */
  withdraw(): Promise<boolean> {
    return this.#writes.run(async () => {
      const { showcase, onError } = this.#options;
      try {
        await Promise.all([showcase.deleteAccessToken(), showcase.dropSignIns(), showcase.dropSyncStatus()]);
        return true;
      } catch (thrown) {
        onError('withdraw', thrown);
        return false;
      }
    });
  }

  /**
   * The refresh token of the row, when the row is not behind and holds another than `tried`. Fails
   * with `unavailable` when the database does not answer.
   */
  async readElsewhere(tried: string): Promise<Outcome<string | undefined>> {
    const { agenda, keyring, showcase, onError } = this.#options;
    if (agenda.has('publish')) return ok(undefined);
    try {
      const sealed = await showcase.readSealedToken();
      if (sealed === undefined) return ok(undefined);
      const opened = await keyring.open(sealed, this.#rowBinding());
      return ok(opened.ok && opened.value !== tried ? opened.value : undefined);
    } catch (thrown) {
      onError('read connector row', thrown);
      return fail({ kind: 'unavailable', ambiguous: false });
    }
  }

  #rowBinding() {
    return { owner: this.#options.connectorId, field: 'connectors.refresh_token_enc' };
  }
}
