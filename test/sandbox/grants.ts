import { secret } from './dice.ts';
import type { Person } from './people.ts';

/** What a person has allowed one client. */
export interface Grant {
  readonly person: Person;
  readonly clientId: string;
  readonly scopes: Set<string>;
  /** Whether a refresh token was ever given for it: Google gives only the first one unasked. */
  refreshGiven: boolean;
}

/** An authorization code on its way. */
export interface AuthorizationCode {
  readonly value: string;
  readonly grant: Grant;
  readonly scopes: readonly string[];
  readonly redirectUri: string;
  readonly challenge?: { readonly value: string; readonly method: 'S256' | 'plain' };
  readonly nonce?: string;
  /** Whether redeeming it yields a refresh token. */
  readonly offline: boolean;
  readonly capabilities: ReadonlySet<string>;
  /** Whether the person answered a claims challenge on the way. */
  readonly answersChallenge: boolean;
  readonly expiresAtMs: number;
  redeemed: boolean;
}

/** An access token. */
export interface AccessToken {
  readonly value: string;
  readonly grant: Grant;
  readonly scopes: ReadonlySet<string>;
  readonly code?: AuthorizationCode;
  readonly capabilities: ReadonlySet<string>;
  /** False from the moment a claims challenge was put to the person, until it was answered. */
  answersChallenge: boolean;
  expiresAtMs: number;
  revoked: boolean;
}

/** Why a refresh token no longer works. */
export type RefreshDeath = 'revoked' | 'rotated' | 'expired';

/** A refresh token. */
export interface RefreshToken {
  readonly value: string;
  readonly grant: Grant;
  readonly scopes: readonly string[];
  readonly code?: AuthorizationCode;
  readonly capabilities: ReadonlySet<string>;
  dead?: RefreshDeath;
}

const CODE_LIFETIME_MS = 10 * 60_000;
/** Live refresh tokens that Google keeps per account and client; the oldest goes first. */
export const REFRESH_TOKEN_CAP = 100;

/** The book of everything both providers have given out. */
export class Grants {
  readonly #grants = new Map<string, Grant>();
  readonly #codes = new Map<string, AuthorizationCode>();
  readonly #access = new Map<string, AccessToken>();
  readonly #refresh = new Map<string, RefreshToken>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** What this person has allowed this client so far. */
  of(person: Person, clientId: string): Grant | undefined {
    return this.#grants.get(grantKey(person, clientId));
  }

  /** Adds scopes to what a person allows a client. */
  allow(person: Person, clientId: string, scopes: Iterable<string>): Grant {
    const key = grantKey(person, clientId);
    const grant = this.#grants.get(key) ?? {
      person,
      clientId,
      scopes: new Set<string>(),
      refreshGiven: false,
    };
    for (const scope of scopes) grant.scopes.add(scope);
    this.#grants.set(key, grant);
    return grant;
  }

  /** A fresh code, good for ten minutes and one use. */
  issueCode(
    prefix: string,
    details: Omit<AuthorizationCode, 'value' | 'expiresAtMs' | 'redeemed'>,
  ): AuthorizationCode {
    const code = {
      ...details,
      value: prefix + secret(48),
      expiresAtMs: this.#now() + CODE_LIFETIME_MS,
      redeemed: false,
    };
    this.#codes.set(code.value, code);
    return code;
  }

  code(value: string): AuthorizationCode | undefined {
    return this.#codes.get(value);
  }

  /** A fresh access token. */
  issueAccess(
    prefix: string,
    lifetimeSeconds: number,
    details: Omit<AccessToken, 'value' | 'expiresAtMs' | 'revoked'>,
  ): AccessToken {
    const expiresAtMs = this.#now() + lifetimeSeconds * 1000;
    const token = { ...details, value: prefix + secret(96), expiresAtMs, revoked: false };
    this.#access.set(token.value, token);
    return token;
  }

  access(value: string): AccessToken | undefined {
    return this.#access.get(value);
  }

  /** Whether an access token is known, unrevoked and unexpired. */
  isLive(token: AccessToken): boolean {
    return !token.revoked && token.expiresAtMs > this.#now();
  }

  /** A fresh refresh token; the oldest live one of the same grant gives way past the cap. */
  issueRefresh(prefix: string, details: Omit<RefreshToken, 'value' | 'dead'>): RefreshToken {
    const token: RefreshToken = { ...details, value: prefix + secret(64) };
    this.#refresh.set(token.value, token);
    details.grant.refreshGiven = true;
    const live = [...this.#refresh.values()].filter(
      (one) => one.grant === details.grant && one.dead === undefined,
    );
    for (const oldest of live.slice(0, Math.max(0, live.length - REFRESH_TOKEN_CAP))) oldest.dead = 'expired';
    return token;
  }

  refresh(value: string): RefreshToken | undefined {
    return this.#refresh.get(value);
  }

  /** Lets every access token of a person expire now. */
  expireAccess(person: Person): void {
    for (const token of this.#access.values()) {
      if (token.grant.person === person) token.expiresAtMs = Math.min(token.expiresAtMs, this.#now());
    }
  }

  /** Puts every access token of a person under the claims challenge that now stands. */
  challenge(person: Person): void {
    for (const token of this.#access.values())
      if (token.grant.person === person) token.answersChallenge = false;
  }

  /** Kills everything that came out of one code, as a replay of it must. */
  revokeFrom(code: AuthorizationCode): void {
    for (const token of this.#access.values()) if (token.code === code) token.revoked = true;
    for (const token of this.#refresh.values()) if (token.code === code) token.dead ??= 'revoked';
  }

  /**
   * Takes a person's consent back, from one client or from all. Refresh tokens die at once; access tokens
   * too at Google, while at Microsoft they live until they expire.
   */
  revoke(person: Person, clientId?: string): void {
    const concerns = (grant: Grant): boolean =>
      grant.person === person && (clientId === undefined || grant.clientId === clientId);
    for (const token of this.#refresh.values()) if (concerns(token.grant)) token.dead ??= 'revoked';
    for (const token of this.#access.values()) {
      if (concerns(token.grant) && person.provider === 'google') token.revoked = true;
    }
    for (const code of this.#codes.values()) if (concerns(code.grant)) code.redeemed = true;
    for (const [key, grant] of this.#grants) if (concerns(grant)) this.#grants.delete(key);
  }
}

function grantKey(person: Person, clientId: string): string {
  return `${person.id} ${clientId}`;
}
