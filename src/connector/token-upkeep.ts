import { describeFailure } from '../domain/failure.ts';
import type { Account } from './account.ts';
import type { Agenda } from './agenda.ts';
import type { BackgroundWork } from './background-work.ts';
import { LAST_USE, readFact, writeFact } from './facts.ts';
import type { Store } from './store.ts';
import type { HeldGrant } from './tokens.ts';
import { backOffMs } from './verdict.ts';

const MINUTE_MS = 60_000;
/** A connector is in use for so long after its last use; only then is its token refreshed ahead of time. */
const IN_USE_MS = 60 * MINUTE_MS;
/** The last use is written no more often than this. */
const USE_GRAIN_MS = 10 * MINUTE_MS;
/** A token is refreshed ahead of time by this much, or by a tenth of its life. */
const LONGEST_LEAD_MS = 5 * MINUTE_MS;

/** What the upkeep of a token is made of. */
export interface TokenUpkeepOptions extends Pick<
  BackgroundWork,
  'now' | 'random' | 'obstacle' | 'onFailure'
> {
  store: Store;
  agenda: Pick<Agenda, 'schedule' | 'strike'>;
  account: Pick<Account, 'refresh'>;
}

/** Keeps the token of a connector in use from expiring; one that is not in use is refreshed on demand. */
export class TokenUpkeep {
  readonly #options: TokenUpkeepOptions;
  /** When it was used before its latest use. */
  #usedBeforeAtMs: number | undefined;
  #usedAtMs: number | undefined;

  constructor(options: TokenUpkeepOptions) {
    this.#options = options;
  }

  /** The connector is doing something for somebody: a row in a while. */
  markUse(): void {
    const { store, now } = this.#options;
    const lastUse = readFact(store, LAST_USE);
    this.#usedBeforeAtMs = this.#usedAtMs ?? lastUse?.atMs;
    this.#usedAtMs = now();
    if (lastUse === undefined || now() - lastUse.atMs > USE_GRAIN_MS)
      writeFact(store, LAST_USE, { atMs: now() });
  }

  /** Whether its latest use was not the only one within an hour. */
  get isInUse(): boolean {
    const before = this.#usedBeforeAtMs;
    return before !== undefined && this.#options.now() - before <= IN_USE_MS;
  }

  /** A grant has been stored: says when its token is to be refreshed. */
  plan({ expiresAtMs }: Pick<HeldGrant, 'expiresAtMs'>): void {
    const { agenda, now, random } = this.#options;
    const leadMs = Math.min(LONGEST_LEAD_MS, (expiresAtMs - now()) / 10);
    // Spread, so that connectors made together are not refreshed together.
    // Never at once: a token that lives for seconds is refreshed on demand.
    agenda.schedule('refresh-token', Math.max(expiresAtMs - leadMs * (1 + random()), now() + MINUTE_MS));
  }

  /** Refreshes the token ahead of time, where the connector is in use; what may pass is tried again. */
  async refreshAhead(): Promise<void> {
    const { store, agenda, account, now, random, obstacle, onFailure } = this.#options;
    agenda.strike('refresh-token');
    const lastUse = readFact(store, LAST_USE);
    if (lastUse === undefined || now() - lastUse.atMs > IN_USE_MS) return;
    if (obstacle() !== undefined) return;
    const refreshed = await account.refresh();
    if (refreshed.ok) return;
    onFailure(refreshed.failure);
    if (describeFailure(refreshed.failure).retryable) {
      agenda.schedule('refresh-token', now() + MINUTE_MS + backOffMs(6, random));
    }
  }
}
