import { describeFailure, type ErrorCode, type Failure, type TaskError } from '../domain/failure.ts';
import type { RecordEvent } from '../metrics.ts';
import type { Send } from '../providers/http.ts';
import type { Account as AccountIdentity, Provider, SignInReply } from '../providers/provider.ts';
import type { Agenda } from './agenda.ts';
import {
  CONNECTION,
  type Connection as ConnectionState,
  ERASURE,
  forgetFact,
  IDENTITY,
  type Identity,
  readFact,
  writeFact,
} from './facts.ts';
import type { Ledger } from './ledger.ts';
import type { Notices } from './notices.ts';
import type { Publication } from './publication.ts';
import type { Store } from './store.ts';
import type { HeldGrant, Tokens } from './tokens.ts';

/** What the person came back with from the sign-in, and what it is held against. */
export interface ConnectRequest extends SignInReply {
  /** The account of an earlier connect, if the database knows one. */
  knownAccount?: { id: string; tenantId?: string };
}

/** How a connect ended. `code` goes to the caller's redirect. */
export type ConnectResult =
  | { status: 'connected' }
  | { status: 'error'; code: 'refresh_token_missing' | 'account_mismatch' | ErrorCode };

/** What a reconnect takes over: the scopes that were asked for, and a claims challenge (decoded JSON) to satisfy. */
export interface SignInHints {
  scopes?: string[];
  claims?: string;
}

/** An alert about the same trouble is not repeated within this time. */
const ALERT_PAUSE_MS = 60 * 60 * 1000;

const OVERTAKEN: TaskError = {
  code: 'conflict',
  message: 'The account was connected again.',
  retryable: false,
};

/** What the connection is made of. `send` is ungated. */
export interface ConnectionOptions {
  identity: Identity;
  store: Store;
  agenda: Agenda;
  ledger: Ledger;
  tokens: Tokens;
  publication: Publication;
  notices: Notices;
  provider: Provider;
  send: Send;
  now: () => number;
  record: RecordEvent;
}

/** The life of the connection to the account: made, found dead, made again, ended. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #alertedAtMs = new Map<string, number>();

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Why nothing can be asked of the account now, if so. */
  obstacle(): Failure | undefined {
    const connection = readFact(this.#options.store, CONNECTION);
    switch (connection?.status) {
      case 'active':
        return undefined;
      case 'consent_missing':
        return { kind: 'consent-missing', scopes: this.#missingScopes(connection) };
      case 'reauth_required':
        return { kind: 'grant-revoked', detail: 'the provider no longer accepts the grant' };
      case 'pending':
      case 'disconnected':
      case undefined:
        return { kind: 'grant-revoked', detail: 'no account is connected' };
    }
  }

  /**
   * Redeems the code and takes the grant over. A grant that is short of what was asked, or is of
   * another account, changes nothing: whatever was stored stays.
   */
  async connect(request: ConnectRequest): Promise<ConnectResult> {
    const { provider, send, record, identity } = this.#options;
    const exchanged = await provider.oauth.exchangeCode(request, send);
    const result = await this.#take(request, exchanged);
    record({
      event: 'connect',
      connectorId: identity.connectorId,
      provider: identity.provider,
      outcome: result.status === 'connected' ? 'connected' : result.code,
    });
    return result;
  }

  async #take(
    request: ConnectRequest,
    exchanged: Awaited<ReturnType<Provider['oauth']['exchangeCode']>>,
  ): Promise<ConnectResult> {
    const { provider, store } = this.#options;
    if (!exchanged.ok) {
      if (exchanged.failure.kind === 'misconfigured') this.#alert(exchanged.failure);
      return { status: 'error', code: describeFailure(exchanged.failure).code };
    }
    const grant = exchanged.value;
    const known = readFact(store, CONNECTION)?.account ?? request.knownAccount;
    if (known !== undefined && !isSameAccount(known, grant.account)) {
      return { status: 'error', code: 'account_mismatch' };
    }
    if (provider.oauth.missingScopes(request.scopes, grant.scopes).length > 0) {
      return { status: 'error', code: 'consent_missing' };
    }
    const { refreshToken } = grant;
    if (refreshToken === undefined) return { status: 'error', code: 'refresh_token_missing' };
    await this.#establish({ ...grant, refreshToken }, request.scopes);
    return { status: 'connected' };
  }

  async #establish(grant: HeldGrant, askedScopes: string[]): Promise<void> {
    const { store, identity, tokens, ledger, agenda, publication, notices, now } = this.#options;
    await tokens.adopt(grant, () => {
      writeFact(store, IDENTITY, identity);
      const { account, scopes } = grant;
      writeFact(store, CONNECTION, { status: 'active', account, scopes, askedScopes });
      forgetFact(store, ERASURE);
      agenda.strike('erase');
      // A disconnect that was not carried out is overtaken: it must not end what has just begun.
      for (const { id, type } of ledger.open()) {
        if (type === 'disconnect') ledger.finish(id, { state: 'failed', error: OVERTAKEN }, false, now());
      }
      ledger.resumeParked(now());
      publication.note();
    });
    notices.post({ type: 'connector-connected' });
    await publication.saveRow();
  }

  /** Takes note of a failure that concerns the whole connection, or the operator. Each is told once. */
  notice(failure: Failure): void {
    switch (failure.kind) {
      case 'grant-revoked':
      case 'token-rejected':
        this.#suspend('reauth_required', failure);
        return;
      case 'consent-missing':
        this.#noticeMissingConsent();
        return;
      case 'misconfigured':
      case 'rejected':
        this.#alert(failure);
        return;
      case 'throttled':
      case 'unavailable':
      case 'not-found':
      case 'conflict':
      case 'unknown-busy':
      case 'hold-over':
      case 'mismatch':
      case 'changed':
      case 'unsupported':
      case 'cursor-expired':
      case 'malformed':
        return;
    }
  }

  /**
   * A 403 for a permission: the scopes are checked. What was asked for and is no longer granted
   * suspends the connection; a call that needs more than was ever asked for, or a calendar that the
   * person may not read, is no fault of the grant: its caller is told, and nobody else.
   */
  #noticeMissingConsent(): void {
    const connection = readFact(this.#options.store, CONNECTION);
    if (connection?.status !== 'active') return;
    const failure = { kind: 'consent-missing', scopes: this.#missingScopes(connection) } as const;
    if (failure.scopes.length > 0) this.#suspend('consent_missing', failure);
  }

  #missingScopes({ askedScopes, scopes }: ConnectionState): string[] {
    return this.#options.provider.oauth.missingScopes(askedScopes, scopes);
  }

  /** No further calls until the person has connected again. */
  #suspend(status: 'reauth_required' | 'consent_missing', failure: Failure): void {
    const { store, agenda, publication, notices, record, identity } = this.#options;
    const connection = readFact(store, CONNECTION);
    if (connection?.status !== 'active') return;
    const claims = failure.kind === 'token-rejected' ? failure.claims : undefined;
    const suspended: ConnectionState = { ...connection, status, ...(claims !== undefined && { claims }) };
    store.transaction(() => {
      writeFact(store, CONNECTION, suspended);
      agenda.strike('refresh-token');
      publication.note();
    });
    notices.post({ type: 'connector-needs-reauth', error: describeFailure(failure) });
    record({ event: 'suspend', connectorId: identity.connectorId, provider: identity.provider, status });
    void publication.saveRow();
  }

  /** Tells the operator of a failure, unless the same was told lately. */
  #alert(failure: Failure): void {
    const { notices, now } = this.#options;
    const error = describeFailure(failure);
    const last = this.#alertedAtMs.get(error.message);
    if (last !== undefined && now() - last < ALERT_PAUSE_MS) return;
    this.#alertedAtMs.set(error.message, now());
    notices.post({ type: 'operator-alert', error });
  }

  /** What the next sign-in should ask for, and must satisfy. */
  signInHints(): SignInHints {
    const connection = readFact(this.#options.store, CONNECTION);
    return {
      ...(connection !== undefined && { scopes: connection.askedScopes }),
      ...(connection?.claims !== undefined && { claims: connection.claims }),
    };
  }
}

function isSameAccount(known: Pick<AccountIdentity, 'id' | 'tenantId'>, found: AccountIdentity): boolean {
  return known.id === found.id && (known.tenantId === undefined || known.tenantId === found.tenantId);
}
