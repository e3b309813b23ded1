import { CalendarStore } from './calendar-store.ts';
import { churn } from './churn.ts';
import type { ChurnOptions, Edit } from './churn.ts';
import { controlPanel } from './control.ts';
import { dice, secret } from './dice.ts';
import type { NewEffect } from './effects.ts';
import type { Ask, Outcome } from './exchange.ts';
import { Faults } from './faults.ts';
import { Channels } from './google/channels.ts';
import type { OpenChannel } from './google/channels.ts';
import { googleOrigin } from './google/origin.ts';
import { Grants } from './grants.ts';
import { listen } from './http-server.ts';
import { idTokens } from './id-token.ts';
import { Limits } from './limits.ts';
import type { LimitSettings } from './limits.ts';
import type { DeltaHabits } from './microsoft/delta-changes.ts';
import { DeltaRounds } from './microsoft/delta-rounds.ts';
import type { DeltaExpiry } from './microsoft/delta-rounds.ts';
import { microsoftOrigin } from './microsoft/origin.ts';
import { Subscriptions } from './microsoft/subscriptions.ts';
import type { LifecycleEvent, SubscriptionHabits } from './microsoft/subscriptions.ts';
import { passage } from './passage.ts';
import type { Origin } from './passage.ts';
import { People } from './people.ts';
import type { Person } from './people.ts';
import { Pushes } from './pushes.ts';
import { TruthLog } from './truth-log.ts';
import type { Client, World } from './world.ts';

/** How to start a sandbox. */
export interface SandboxOptions {
  /** Left out: any free port. */
  googlePort?: number;
  microsoftPort?: number;
  /** A loopback address; 127.0.0.1 by default. */
  host?: string;
  /** Seed of everything that happens by chance (orders, ids); secrets are never repeatable. */
  seed?: number;
  /** Registered redirect URIs of both clients; left out: any http URL on loopback. */
  redirectUris?: string[];
  accessTokenLifetimeSeconds?: number;
  /** The clock; the system's by default. */
  now?: () => number;
}

/** A running sandbox. */
export interface Sandbox {
  /** Serves /o/oauth2/v2/auth, /token, /revoke, /calendar/v3/* and /batch/calendar/v3. */
  readonly googleUrl: string;
  /** Serves /{tenant}/oauth2/v2.0/{authorize,token}, /{tenant}/v2.0/adminconsent, /v1.0/* and /v1.0/$batch. */
  readonly microsoftUrl: string;
  /** Configuration of a client: endpoints and client ids. */
  readonly vars: Record<string, string>;
  readonly secrets: Record<string, string>;
  readonly people: People;
  /** Everyone's calendars; `onChange` hears of every change of an event. */
  readonly store: CalendarStore;
  readonly clients: { google: Client; microsoft: Client };
  readonly faults: Faults;
  readonly truth: TruthLog;
  /** The providers' quotas, to be made smaller or larger. */
  readonly limits: LimitSettings;
  /** How notifications travel to the clients. */
  readonly pushes: Pushes;
  /** Lets a person (or the one of that address) change things in their calendars, at random by the seed. */
  churn(person: Person | string, options: ChurnOptions): Edit[];
  /** Whoever has read that person's calendars (everyone's by default) has to read all of them again. */
  expireSyncTokens(person?: Person | string): void;
  /** Google's notification channels that are open: one person's, or everyone's. */
  channels(person?: Person | string): OpenChannel[];
  /** Nobody is told any more of that person's changes, nor that it is so; `false` ends it. */
  silence(person: Person | string, silent?: boolean): void;
  /** How Graph's deltas tell what the documentation leaves open. */
  readonly deltaHabits: DeltaHabits;
  /** Graph's delta links that are out are known no more: one person's, or everyone's. 410 `resyncRequired` unless told otherwise. */
  expireDeltaLinks(person?: Person | string, expiry?: Partial<DeltaExpiry>): void;
  /** How Graph's subscriptions behave where documentation and reports disagree. */
  readonly subscriptionHabits: SubscriptionHabits;
  /** Something happens to a Graph subscription (by its id), or to all of a person (or of the one of that address). */
  lifecycle(whose: Person | string, event: LifecycleEvent): void;
  close(): Promise<void>;
}

const ACCESS_TOKEN_LIFETIME_SECONDS = 3600;

/** Starts both providers on loopback. Nobody has an account yet: see `people.add`. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const host = options.host ?? '127.0.0.1';
  if (!['127.0.0.1', 'localhost', '::1'].includes(host)) throw new Error('the sandbox stays on loopback');
  const now = options.now ?? Date.now;
  const chance = dice(options.seed ?? 1);
  const grants = new Grants(now);
  const store = new CalendarStore(chance, now);
  const people = new People({ store, grants, dice: chance });
  const faults = new Faults(dice(options.seed ?? 1));
  const limits = new Limits();
  const truth = new TruthLog(now, {
    get microsoftPeak() {
      return limits.settings.microsoftConcurrent;
    },
  });
  const pushes = new Pushes(dice(options.seed ?? 1), (record) => {
    truth.push(record);
  });
  const channels = new Channels({ store, pushes, dice: dice(options.seed ?? 1), now });
  const registered = options.redirectUris === undefined ? {} : { redirectUris: options.redirectUris };
  const clients: Sandbox['clients'] = {
    google: {
      id: '000000000000-sandbox.apps.googleusercontent.com',
      secret: `GOCSPX-${secret(21)}`,
      secretState: 'valid',
      ...registered,
    },
    microsoft: { id: chance.guid(), secret: `sbx8Q~${secret(24)}`, secretState: 'valid', ...registered },
  };
  const graph = {
    deltas: new DeltaRounds(dice(options.seed ?? 1)),
    subscriptions: new Subscriptions(pushes, now),
  };
  store.onChange((calendar, changes) => {
    graph.subscriptions.tell(calendar, changes);
  });
  const shared = {
    people,
    store,
    grants,
    faults,
    pushes,
    channels,
    passage: passage({ truth, faults, limits, now }),
    idTokens: await idTokens(),
    dice: chance,
    consentedTenants: new Set<string>(),
    graph,
    now,
    effect: (effect: NewEffect) => {
      truth.effect(effect);
    },
    lifetimeSeconds: (person: { accessTokenLifetimeSeconds: number | undefined }) =>
      person.accessTokenLifetimeSeconds ??
      options.accessTokenLifetimeSeconds ??
      ACCESS_TOKEN_LIFETIME_SECONDS,
  };
  const urls = { google: '', microsoft: '' };
  const google: World = { ...shared, client: clients.google, origin: () => urls.google };
  const microsoft: World = { ...shared, client: clients.microsoft, origin: () => urls.microsoft };
  const personOf = (who: Person | string): Person => {
    if (typeof who !== 'string') return who;
    const person = people.get(who);
    if (person === undefined) throw new Error(`nobody has the address ${who}`);
    return person;
  };
  const levers = {
    churn: (who: Person | string, churning: ChurnOptions) =>
      churn(personOf(who), { now, dice: chance }, churning),
    expireSyncTokens: (who?: Person | string) => {
      for (const person of who === undefined ? people.all() : [personOf(who)]) {
        for (const { calendar } of person.calendars) store.forgetChanges(calendar);
        person.list.forgetChanges();
      }
    },
    channels: (who?: Person | string) => channels.view(who === undefined ? undefined : personOf(who)),
    silence: (who: Person | string, silent = true) => {
      pushes.silence(personOf(who).email, silent);
    },
    expireDeltaLinks: (who?: Person | string, expiry?: Partial<DeltaExpiry>) => {
      graph.deltas.expire(who === undefined ? undefined : personOf(who), expiry);
    },
    lifecycle: (whose: Person | string, event: LifecycleEvent) => {
      const person = typeof whose === 'string' ? people.get(whose, 'microsoft') : whose;
      graph.subscriptions.lifecycle(person ?? whose, event);
    },
  };
  const control = controlPanel({
    people,
    faults,
    truth,
    clients,
    limits: limits.settings,
    pushes,
    graph,
    urls,
    ...levers,
  });
  const serve =
    (origin: Origin) =>
    async (ask: Ask): Promise<Outcome> => {
      if (ask.url.pathname.startsWith('/sandbox/')) return control(ask);
      // A browser on the consent page asks for it by itself; that is no call of the client's.
      if (ask.url.pathname === '/favicon.ico') return { status: 204 };
      return await shared.passage.carry(ask, origin);
    };

  const googleListener = await listen(host, options.googlePort ?? 0, now, serve(googleOrigin(google)));
  const microsoftListener = await listen(
    host,
    options.microsoftPort ?? 0,
    now,
    serve(microsoftOrigin(microsoft, () => limits.settings.microsoftConcurrent)),
  );
  urls.google = googleListener.url;
  urls.microsoft = microsoftListener.url;
  return {
    googleUrl: urls.google,
    microsoftUrl: urls.microsoft,
    vars: {
      GOOGLE_AUTHORIZE_URL: `${urls.google}/o/oauth2/v2/auth`,
      GOOGLE_TOKEN_URL: `${urls.google}/token`,
      GOOGLE_REVOKE_URL: `${urls.google}/revoke`,
      GOOGLE_API_URL: urls.google,
      MICROSOFT_LOGIN_URL: urls.microsoft,
      MICROSOFT_GRAPH_URL: urls.microsoft,
      GOOGLE_CLIENT_ID: clients.google.id,
      MICROSOFT_CLIENT_ID: clients.microsoft.id,
    },
    // Read anew each time: a test may give a client another secret.
    get secrets() {
      return {
        GOOGLE_CLIENT_SECRET: clients.google.secret,
        MICROSOFT_CLIENT_SECRET: clients.microsoft.secret,
      };
    },
    store,
    people,
    clients,
    faults,
    truth,
    limits: limits.settings,
    pushes,
    deltaHabits: graph.deltas.habits,
    subscriptionHabits: graph.subscriptions.habits,
    ...levers,
    async close() {
      await pushes.close();
      await Promise.all([googleListener.close(), microsoftListener.close()]);
    },
  };
}
