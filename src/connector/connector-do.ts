import { DurableObject } from 'cloudflare:workers';
import { type Config, readConfig } from '../config.ts';
import { findConnector, hasSibling, saveConnectorState } from '../db/connectors.ts';
import { dropOAuthStates } from '../db/oauth-state.ts';
import { deleteSyncState, saveSyncState } from '../db/sync-state.ts';
import type { AvailabilityAnswer, AvailabilityQuestion } from '../domain/availability.ts';
import type { ChangesAnswer, EventsAnswer, EventsQuestion } from '../domain/event-list.ts';
import { type Failure, fail, ok, type Outcome } from '../domain/failure.ts';
import type { MeetingTimesAnswer, MeetingTimesQuestion } from '../domain/meeting-times.ts';
import type { CalendarTask, TaskReport } from '../domain/task.ts';
import { createRecorder } from '../metrics.ts';
import { providerAppOf } from '../provider-app/stub.ts';
import { createProvider } from '../providers/index.ts';
import type { PushNotice } from '../providers/provider-sync.ts';
import type { SignInReply } from '../providers/provider.ts';
import { Actor, type Performance, type Submission } from './actor.ts';
import type { ConnectResult, SignInHints } from './connection.ts';
import { IDENTITY, type Identity, readFact } from './facts.ts';
import { inTime } from './in-time.ts';
import type { Showcase } from './publication.ts';
import { hasSchema, migrate } from './schema.ts';
import { createStore, type Store } from './store.ts';

const NOT_CONNECTED: Failure = { kind: 'grant-revoked', detail: 'no account is connected' };

/** The longest a database or a queue may keep an actor waiting. */
const PATIENCE_MS = 15_000;
/** The longest a call waits for the object that all connectors of an app share, before it goes without. */
const LEASE_PATIENCE_MS = 2_000;

/** A sign-in's return as it crosses RPC: the callback's query is text. */
export interface SignInCall extends Omit<SignInReply, 'callback'> {
  identity: Identity;
  callback: string;
  knownAccount?: { id: string; tenantId?: string };
}

/**
 * The Durable Object of one connector: a shell that gives the actor its storage, its alarm and its
 * bindings. An object that is woken for an id nobody has begun to connect stores nothing.
 */
export class ConnectorDO extends DurableObject {
  #store: Store;
  #actor: Actor | undefined;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#store = openStore(state);
  }

  /** Takes tasks on; the answers are in the order of the tasks. */
  async submit(tasks: (CalendarTask & { id: string })[]): Promise<Outcome<Submission[]>> {
    const actor = this.#wake();
    if (!actor.ok) return actor;
    return ok(
      actor.value === undefined ? tasks.map(() => 'not-connected' as const) : await actor.value.submit(tasks),
    );
  }

  /** Takes a task on and waits, at most `waitMs`, for its end. */
  async perform(task: CalendarTask & { id: string }, waitMs: number): Promise<Outcome<Performance>> {
    const actor = this.#wake();
    if (!actor.ok) return actor;
    return (await actor.value?.perform(task, waitMs)) ?? fail(NOT_CONNECTED);
  }

  /** Where a task stands. */
  report(taskId: string): Outcome<TaskReport> {
    const actor = this.#wake();
    if (!actor.ok) return actor;
    const report = actor.value?.report(taskId);
    return report === undefined ? fail({ kind: 'not-found', what: `task ${taskId}` }) : ok(report);
  }

  /** When is the account busy, asked now. */
  async availability(question: AvailabilityQuestion): Promise<Outcome<AvailabilityAnswer>> {
    const actor = this.#wake();
    if (!actor.ok) return actor;
    return (await actor.value?.availability(question)) ?? fail(NOT_CONNECTED);
  }

  /** When would a meeting suit, asked now. */
  async meetingTimes(question: MeetingTimesQuestion): Promise<Outcome<MeetingTimesAnswer>> {
    const actor = this.#wake();
    if (!actor.ok) return actor;
    return (await actor.value?.meetingTimes(question)) ?? fail(NOT_CONNECTED);
  }

  /** Which events are in the calendars. */
  async events(question: EventsQuestion): Promise<Outcome<EventsAnswer>> {
    const actor = this.#wake();
    if (!actor.ok) return actor;
    return (await actor.value?.events(question)) ?? fail(NOT_CONNECTED);
  }

  /** What has changed since `cursor`; without one, everything. */
  async changes(cursor?: string): Promise<Outcome<ChangesAnswer>> {
    const actor = this.#wake();
    if (!actor.ok) return actor;
    return (await actor.value?.changes(cursor)) ?? fail(NOT_CONNECTED);
  }

  /** Takes on what the provider tells of changes; of an account that is not connected, nothing is to be done. */
  async notified(notices: PushNotice[]): Promise<Outcome<void>> {
    const actor = this.#wake();
    if (!actor.ok) return actor;
    await actor.value?.notified(notices);
    return ok(undefined);
  }

  /** Completes a sign-in: redeems the code and takes the grant over, or says why not. */
  async completeSignIn({ identity, callback, ...reply }: SignInCall): Promise<Outcome<ConnectResult>> {
    for (;;) {
      const actor = this.#wakeFor(identity);
      if (!actor.ok) return actor;
      const result = await actor.value.connect({ ...reply, callback: new URLSearchParams(callback) });
      // Undefined: it was being erased; the next actor of this object starts from nothing.
      if (result !== undefined) return ok(result);
    }
  }

  /** Makes sure that what is sealed here is sealed with the current key; opening it is enough. */
  async reseal(): Promise<void> {
    const actor = this.#wake();
    if (actor.ok) await actor.value?.reseal();
  }

  /** Sees to it that an alarm stands for what is to be done. */
  async tend(): Promise<void> {
    const actor = this.#wake();
    if (actor.ok) await actor.value?.tend();
  }

  /** What the next sign-in should ask for, and must satisfy. */
  signInHints(): Outcome<SignInHints> {
    const actor = this.#wake();
    return actor.ok ? ok(actor.value?.signInHints() ?? {}) : actor;
  }

  /** Ends the connection: withdrawn at the provider, and nothing left here. */
  async disconnect(identity: Identity): Promise<Outcome<void>> {
    const actor = this.#wakeFor(identity);
    return actor.ok ? await actor.value.disconnect() : actor;
  }

  /** Does what is due. */
  override async alarm(): Promise<void> {
    const actor = this.#wake();
    if (actor.ok) return await actor.value?.alarm();
    createRecorder(this.env.METRICS)({
      event: 'error',
      where: `alarm of ${this.ctx.id.name ?? 'a connector'}`,
      detail: 'misconfigured',
    });
    // The work is kept for when the configuration has been mended.
    await this.ctx.storage.setAlarm(Date.now() + 60_000);
  }

  /** The actor of this storage; undefined when nobody has connected it. */
  #wake(): Outcome<Actor | undefined> {
    if (this.#actor !== undefined) return ok(this.#actor);
    if (!hasSchema(this.#store)) return ok(undefined);
    const config = this.#config();
    if (!config.ok) return config;
    migrate(this.#store);
    const identity = readFact(this.#store, IDENTITY);
    if (identity !== undefined) this.#actor = this.#createActor(identity, config.value);
    return ok(this.#actor);
  }

  /** The actor of this storage, made for `identity` where there is none yet. */
  #wakeFor(identity: Identity): Outcome<Actor> {
    const woken = this.#wake();
    if (!woken.ok) return woken;
    if (woken.value !== undefined) return ok(woken.value);
    const config = this.#config();
    if (!config.ok) return config;
    migrate(this.#store);
    this.#actor = this.#createActor(identity, config.value);
    return ok(this.#actor);
  }

  #config(): Outcome<Config> {
    return readConfig(this.env, (length) => crypto.getRandomValues(new Uint8Array(length)));
  }

  #createActor(identity: Identity, config: Config): Actor {
    const { storage } = this.ctx;
    return new Actor({
      identity,
      config,
      provider: createProvider(identity.provider, config),
      store: this.#store,
      alarm: { get: () => storage.getAlarm(), set: (atMs) => storage.setAlarm(atMs) },
      showcase: this.#showcase(identity),
      fetch: (url, init) => fetch(url, init),
      now: () => Date.now(),
      random: () => Math.random(),
      randomId: () => crypto.randomUUID(),
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
      sleep: (ms) => scheduler.wait(ms),
      sendNotices: async (notices) => {
        await answerOf(this.env.Q_NOTIFY.sendBatch(notices.map((body) => ({ body }))));
      },
      askApp: (request) =>
        answerOf(
          providerAppOf(this.env, identity, config.limits.appShards).lease(request),
          LEASE_PATIENCE_MS,
        ),
      record: createRecorder(this.env.METRICS, identity.provider),
      wipe: async () => {
        await storage.deleteAlarm();
        await storage.deleteAll();
        // Nothing that was known of the old one is so.
        this.#store = openStore(this.ctx);
        this.#actor = undefined;
      },
    });
  }

  #showcase({ connectorId, provider }: Identity): Showcase {
    const { DB, KV_OAUTH } = this.env;
    const key = accessTokenKey(connectorId);
    return {
      saveRow: (state) => answerOf(saveConnectorState(DB, connectorId, state, Date.now())),
      readSealedToken: async () =>
        (await answerOf(findConnector(DB, connectorId)))?.refresh_token_enc ?? undefined,
      putAccessToken: (sealed, lifeSeconds) =>
        answerOf(KV_OAUTH.put(key, sealed, { expirationTtl: lifeSeconds })),
      deleteAccessToken: () => answerOf(KV_OAUTH.delete(key)),
      dropSignIns: () => answerOf(dropOAuthStates(DB, connectorId)),
      saveSyncStatus: (status) => answerOf(saveSyncState(DB, connectorId, status, Date.now())),
      dropSyncStatus: () => answerOf(deleteSyncState(DB, connectorId)),
      hasSibling: ({ id, tenantId }) => answerOf(hasSibling(DB, connectorId, { provider, id, tenantId })),
    };
  }
}

function openStore({ storage }: DurableObjectState): Store {
  return createStore({
    query: (statement, ...values) => storage.sql.exec(statement, ...values).toArray(),
    transaction: (body) => storage.transactionSync(body),
  });
}

/** What a database, a queue or another object answers; a throw when it keeps the actor waiting for too long. */
function answerOf<T>(outcome: Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  return inTime(outcome, patienceMs, () => {
    throw new Error(`no answer within ${patienceMs} ms`);
  });
}

/** Where KV_OAUTH keeps a connector's sealed access token. */
export function accessTokenKey(connectorId: string): string {
  return `access-token:${connectorId}`;
}
