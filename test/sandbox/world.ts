import type { CalendarStore } from './calendar-store.ts';
import type { Dice } from './dice.ts';
import type { NewEffect } from './effects.ts';
import type { Faults } from './faults.ts';
import type { Channels } from './google/channels.ts';
import type { Grants } from './grants.ts';
import type { IdTokens } from './id-token.ts';
import type { DeltaRounds } from './microsoft/delta-rounds.ts';
import type { Subscriptions } from './microsoft/subscriptions.ts';
import type { Passage } from './passage.ts';
import type { People, Person } from './people.ts';
import type { Pushes } from './pushes.ts';

/** A registered OAuth client. Mutable, so that a test can let its secret expire. */
export interface Client {
  id: string;
  secret: string;
  /** Registered redirect URIs, compared exactly; left out: any http URL on loopback. */
  redirectUris?: string[];
  secretState: 'valid' | 'expired' | 'wrong';
}

/** What the handlers of one provider work with. */
export interface World {
  readonly people: People;
  readonly store: CalendarStore;
  readonly grants: Grants;
  readonly client: Client;
  readonly faults: Faults;
  readonly passage: Passage;
  readonly pushes: Pushes;
  /** Google's notification channels. */
  readonly channels: Channels;
  readonly idTokens: IdTokens;
  readonly dice: Dice;
  /** Tenants whose administrator has consented to the client. */
  readonly consentedTenants: Set<string>;
  /** What Graph remembers for its clients. */
  readonly graph: { readonly deltas: DeltaRounds; readonly subscriptions: Subscriptions };
  /** This provider's own origin, known once it listens. */
  origin(): string;
  now(): number;
  /** Tells the truth log of a change that was made. */
  effect(effect: NewEffect): void;
  lifetimeSeconds(person: Person): number;
}

/** Whether `uri` is registered for the client. */
export function isRegistered(client: Client, uri: string): boolean {
  if (client.redirectUris !== undefined) return client.redirectUris.includes(uri);
  if (!URL.canParse(uri)) return false;
  const { protocol, hostname, hash, username, password } = new URL(uri);
  const loopback = ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
  return protocol === 'http:' && loopback && hash === '' && username === '' && password === '';
}
