import { describeFailure, fail, ok, type Outcome } from '../domain/failure.ts';
import { describeThrown, type RecordEvent } from '../metrics.ts';
import type { Send } from '../providers/http.ts';
import type { ProviderOAuth } from '../providers/provider.ts';
import type { Agenda } from './agenda.ts';
import type { Drain } from './drain.ts';
import { CONNECTION, ERASURE, type Identity, readFact, writeFact } from './facts.ts';
import type { Ledger, TaskEnd } from './ledger.ts';
import type { Notices } from './notices.ts';
import type { Publication, Showcase } from './publication.ts';
import type { Store } from './store.ts';
import type { HeldGrant, Tokens } from './tokens.ts';
import { backOffMs } from './verdict.ts';

/** How long the provider is asked to take the grant back before it is erased here all the same. */
const LONGEST_MS = 24 * 60 * 60 * 1000;

/** How long the erasure may take before the agenda goes on with it. */
const WATCH_MS = 30_000;

/** What an erasure is made of. `send` is ungated; `wipe` deletes the actor's storage. */
export interface ErasureOptions {
  identity: Identity;
  store: Store;
  agenda: Agenda;
  ledger: Ledger;
  tokens: Tokens;
  notices: Notices;
  drain: Drain;
  oauth: ProviderOAuth;
  publication: Publication;
  showcase: Showcase;
  send: Send;
  now: () => number;
  random: () => number;
  record: RecordEvent;
  wipe: () => Promise<void>;
}

/** The end of a connection: closed at once, withdrawn at the provider, then nothing is left of it. */
export class Erasure {
  readonly #options: ErasureOptions;
  #running: Promise<void> | undefined;

  constructor(options: ErasureOptions) {
    this.#options = options;
  }

  /**
   * Closes the connection: from here on no call leaves but the withdrawal, and the database holds no
   * token. Fails with `unavailable`, nothing changed for the worse, when the database does not answer.
   */
  async begin(): Promise<Outcome<void>> {
    const { store, agenda, publication, now } = this.#options;
    store.transaction(() => {
      const connection = readFact(store, CONNECTION);
      if (connection !== undefined) writeFact(store, CONNECTION, { ...connection, status: 'disconnected' });
      if (readFact(store, ERASURE) === undefined) writeFact(store, ERASURE, { sinceMs: now(), attempts: 0 });
      publication.note();
      agenda.schedule('erase', now() + WATCH_MS);
    });
    const closed = (await publication.saveRow()) && (await publication.withdraw());
    return closed ? ok(undefined) : fail({ kind: 'unavailable', ambiguous: false });
  }

  /** Withdraws the grant and erases the actor's storage, or puts that off. Never rejects. */
  async proceed(): Promise<void> {
    this.#running ??= this.#proceed()
      .catch((thrown: unknown) => this.#putOff(describeThrown(thrown)))
      .finally(() => {
        this.#running = undefined;
      });
    await this.#running;
  }

  async #proceed(): Promise<void> {
    const { identity, store, ledger, tokens, notices, drain, now, record, wipe } = this.#options;
    const begun = readFact(store, ERASURE);
    if (begun === undefined) return;
    // Whoever connects again meanwhile keeps what they have brought: looked at after every wait.
    const stands = () => readFact(store, ERASURE)?.sinceMs === begun.sinceMs;
    const closed = await this.begin();
    if (!closed.ok) return this.#putOff('the database did not answer');
    const held = await tokens.load();
    if (!stands()) return;
    const patient = now() - begun.sinceMs < LONGEST_MS;
    const revoked = held.ok ? await this.#revoke(held.value.grant) : ok(undefined);
    if (!revoked.ok && describeFailure(revoked.failure).retryable && patient) {
      return this.#putOff(`revoke: ${revoked.failure.kind}`);
    }
    if (!stands()) return;
    // Nobody is left waiting for a task that will not be carried out.
    const error = {
      code: 'reauth_required',
      message: 'The account was disconnected.',
      retryable: false,
    } as const;
    for (const { id, type } of ledger.open()) {
      const end: TaskEnd =
        type === 'disconnect'
          ? { state: 'done', result: { status: 'disconnected' } }
          : { state: 'failed', error };
      ledger.finish(id, end, false, now());
      drain.announce(id, end);
    }
    try {
      await notices.sendLast({ type: 'connector-disconnected' });
    } catch (thrown) {
      // What the person wants erased does not wait for ever for a queue.
      if (patient) throw thrown;
    }
    if (!stands()) return;
    drain.close();
    tokens.forget();
    await wipe();
    record({
      event: 'disconnect',
      connectorId: identity.connectorId,
      provider: identity.provider,
      revoked: revoked.ok,
    });
  }

  /**
   * Withdraws the grant, unless another connector lives on it: a provider withdraws what the person has
   * granted to the app as a whole.
   */
  async #revoke({ account, refreshToken }: HeldGrant): Promise<Outcome<void>> {
    const { showcase, oauth, send } = this.#options;
    return (await showcase.hasSibling(account)) ? ok(undefined) : await oauth.revoke(refreshToken, send);
  }

  #putOff(why: string): void {
    const { identity, store, agenda, now, random, record } = this.#options;
    const erasure = readFact(store, ERASURE);
    if (erasure === undefined) return;
    const attempts = erasure.attempts + 1;
    writeFact(store, ERASURE, { ...erasure, attempts });
    agenda.schedule('erase', now() + 1_000 + backOffMs(attempts, random));
    record({ event: 'error', where: `disconnect of ${identity.connectorId}`, detail: why });
  }
}
