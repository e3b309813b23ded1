import type { BusyReport } from '../domain/availability.ts';
import type { ProviderName } from '../domain/connector.ts';
import type { EventCancellation, EventChange, EventDraft, EventRecord } from '../domain/event.ts';
import type { Outcome } from '../domain/failure.ts';
import type { Interval } from '../domain/interval.ts';
import type { OutgoingRequest, Reply, Send } from './http.ts';
import type { ProviderSync } from './provider-sync.ts';

/** The person's account at the provider, as the id token names it. */
export interface Account {
  /** Stable and unique at this provider: Google's `sub`, Microsoft's `oid` (with its tenant). */
  id: string;
  email?: string;
  /** Microsoft: the tenant the account lives in. */
  tenantId?: string;
  /** `personal`: a consumer account, where Graph offers less. */
  kind: 'work' | 'personal';
}

/** What a token endpoint granted. `refreshToken` is absent when the provider sent none. */
export interface Grant {
  accessToken: string;
  /** Epoch milliseconds. */
  expiresAtMs: number;
  refreshToken?: string;
  /** As granted, in the provider's own spelling. */
  scopes: string[];
  account: Account;
  /** The provider library's own serialized cache, opaque to everyone else; it holds tokens. */
  cache?: string;
}

/** What a refresh needs of the grant at hand. */
export interface HeldGrant {
  refreshToken: string;
  scopes: string[];
  account: Account;
  cache?: string;
}

/** What sends the person to the provider's sign-in. */
export interface SignInRequest {
  state: string;
  nonce: string;
  /** RFC 7636, S256. */
  codeChallenge: string;
  /** Our own callback. */
  callbackUrl: string;
  scopes: string[];
  loginHint?: string;
  /** Microsoft: which accounts may sign in. */
  tenant?: string;
  /** A claims challenge to satisfy, decoded JSON. */
  claims?: string;
}

/** What came back from the sign-in. */
export interface SignInReply {
  /** The callback's query, already known to carry our state and no `error`. */
  callback: URLSearchParams;
  state: string;
  nonce: string;
  codeVerifier: string;
  callbackUrl: string;
  scopes: string[];
  tenant?: string;
}

/** How a provider hands out tokens. Nothing here retries; each method makes at most one token call. */
export interface ProviderOAuth {
  /** What a connector asks for when its caller names no scopes. */
  readonly defaultScopes: readonly string[];
  /** The provider's sign-in page for this request. Makes no call. */
  signInUrl(request: SignInRequest): Promise<string>;
  /**
   * Whether a callback may be of this provider at all: false when it carries another issuer
   * (RFC 9207), so that its code must be sent nowhere.
   */
  isOwnCallback(callback: URLSearchParams): boolean;
  /**
   * Redeems the code. Fails with `rejected` (code refused), `consent-missing` (the person or their
   * organisation has yet to allow it), `misconfigured` (our client is refused), `unavailable`,
   * `throttled`, `malformed`.
   */
  exchangeCode(reply: SignInReply, send: Send): Promise<Outcome<Grant>>;
  /**
   * Trades the refresh token for a new access token. The grant returned carries the refresh token
   * to keep: the rotated one, or the old one where the provider sent none.
   * Fails with `grant-revoked` (only on the provider's `invalid_grant` or its kin), `consent-missing`
   * (the grant stands but no longer covers what is asked), `rejected` (the request is refused for
   * another reason, such as `invalid_scope`), `misconfigured` (our client is refused), `unavailable`,
   * `throttled`, `malformed`. `claims`: a claims challenge to satisfy.
   */
  refresh(grant: HeldGrant, send: Send, claims?: string): Promise<Outcome<Grant & { refreshToken: string }>>;
  /** Withdraws the grant where the provider offers it; success where it does not, or where it was gone. */
  revoke(refreshToken: string, send: Send): Promise<Outcome<void>>;
  /** Those of `asked` that `granted` does not cover, whatever their order and spelling. Sign-in scopes never count. */
  missingScopes(asked: readonly string[], granted: readonly string[]): string[];
}

/** A throttle. `retryAtMs`: the provider's own minimum, epoch milliseconds; `scope`: of the whole app, not of this account. */
export interface Throttle {
  retryAtMs?: number;
  scope?: 'app';
}

/** A request on an account. */
export interface AccountRequest extends OutgoingRequest {
  /** What its reply says of a throttle. Asked before the place of the call is given on, so that no call slips out first. */
  readThrottle: (reply: Reply) => Throttle | undefined;
}

/**
 * How one operation reaches the provider: with this access token, through these calls.
 * `send` has passed the gate when it resolves; it waits for a slot, so ask for all you need at once
 * and never hold one call open while awaiting another. After a throttle that a request finds in its
 * reply, no call of this connector leaves before that has passed.
 */
export interface Access {
  accessToken: string;
  account: Account;
  send: (request: AccountRequest) => Promise<Outcome<Reply>>;
  now: () => number;
}

/** A question for busy times, in the provider's terms. */
export interface BusyQuestion {
  range: Interval;
  /** Calendar ids (Microsoft: or mail addresses). Absent: every calendar the person shows or owns. */
  calendars?: string[];
}

/** A question for times that suit the person, in the provider's terms. */
export interface TimesQuestion {
  range: Interval;
  durationMs: number;
  /** Only times within the person's working hours, as the provider knows them. */
  withinWorkingHours: boolean;
}

/** A creation, named for good: the same key never makes a second event. */
export interface Creation {
  /** Lower-case hexadecimal, 64 characters; unique to this creation. */
  key: string;
  /** An earlier attempt may have come through: the provider is asked before anything is created. */
  isRepeat: boolean;
}

/** What is to go: the event that a creation of `key` made, or may have made, on a calendar. */
export interface CreatedRemoval {
  key: string;
  calendarId?: string;
  notify: 'all' | 'none';
}

/** One calendar provider. A new provider is a new folder that implements this, and a line in `index.ts`. */
export interface Provider {
  readonly name: ProviderName;
  readonly oauth: ProviderOAuth;
  readonly sync: ProviderSync;
  /**
   * Reads the busy times of `question.range`. Fails closed: the report names every calendar that
   * counts, each with its busy times or its failure. Fails as a whole only when the token is refused,
   * or when nothing could be learnt: which calendars there are, or (the calls failing alike for all of
   * them, see common-failure.ts) what they hold.
   */
  readBusy(question: BusyQuestion, access: Access): Promise<Outcome<BusyReport>>;
  /**
   * Times that the provider itself would choose, in any order; absent where it chooses none. They are
   * hints, each to be held against the busy times before it is told. Undefined: for this account the
   * provider cannot or may not say.
   */
  suggestTimes?(question: TimesQuestion, access: Access): Promise<Outcome<Interval[] | undefined>>;
  /**
   * Creates an event, once per key: a repeat finds the event that is there and returns it as it is
   * now (`cancelled` when it was removed since; Microsoft keeps no trace of what was removed, so there
   * it is `unavailable`). Fails with `unavailable` and `ambiguous` when it is not
   * known whether the event was made, with `unsupported` when the provider cannot say what is asked.
   */
  createEvent(draft: EventDraft, creation: Creation, access: Access): Promise<Outcome<EventRecord>>;
  /**
   * Changes what the change names and leaves the rest. With the caller's `etag`: only that version,
   * else `changed`. Without: the version at hand, read anew when somebody else was faster. A change of one
   * `occurrence` touches no other and not the series; `not-found` when the event has none such, or no more.
   */
  updateEvent(change: EventChange, access: Access): Promise<Outcome<EventRecord>>;
  /**
   * Cancels an event, or one occurrence by its own id or by its series and original start; then nothing else
   * of the series. Success when it is gone already, `not-found` when the event has no such occurrence.
   */
  cancelEvent(cancellation: EventCancellation, access: Access): Promise<Outcome<void>>;
  /** Takes away what a creation of this key has made, if it was ever made. */
  removeCreated(removal: CreatedRemoval, access: Access): Promise<Outcome<void>>;
}
