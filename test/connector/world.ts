import type { RunMode } from '../../src/connector/drain.ts';
import type { LedgerTask } from '../../src/connector/ledger.ts';
import type { Showcase } from '../../src/connector/publication.ts';
import type { HeldGrant } from '../../src/connector/tokens.ts';
import { createKeyring } from '../../src/crypto/keyring.ts';
import type { ConnectorState } from '../../src/db/connectors.ts';
import type { BusyReport } from '../../src/domain/availability.ts';
import type { EventCancellation, EventChange, EventDraft, EventRecord } from '../../src/domain/event.ts';
import { fail, ok, type Outcome } from '../../src/domain/failure.ts';
import type { Lease, LeaseRequest } from '../../src/domain/lease.ts';
import type { Notice } from '../../src/domain/notice.ts';
import type { CalendarTask } from '../../src/domain/task.ts';
import type { MetricEvent } from '../../src/metrics.ts';
import type { Send } from '../../src/providers/http.ts';
import type {
  Access,
  BusyQuestion,
  CreatedRemoval,
  Creation,
  Grant,
  Provider,
} from '../../src/providers/provider.ts';
import { MUTE_SYNC } from '../providers/mute-sync.ts';

/** Where every virtual clock starts. */
export const START_MS = Date.UTC(2026, 10, 23, 8);
const MINUTE_MS = 60 * 1000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

export const IDENTITY_OF_TESTS = {
  connectorId: 'connector-1',
  provider: 'google',
  userId: 'user-1',
} as const;

/** Lets everything run that can run without an outside event: one turn of the event loop. */
export function settle(): Promise<void> {
  return scheduler.wait(0);
}

/** A clock that stands still until it is told to move; sleepers wake in order, each at its own instant. */
export function createClock(startMs = START_MS) {
  let nowMs = startMs;
  const sleepers: { atMs: number; wake: () => void }[] = [];
  return {
    now: () => nowMs,
    sleep: (ms: number) =>
      new Promise<void>((wake) => {
        sleepers.push({ atMs: nowMs + ms, wake });
      }),
    async advance(ms: number): Promise<void> {
      const untilMs = nowMs + ms;
      for (;;) {
        sleepers.sort((a, b) => a.atMs - b.atMs);
        if (sleepers[0] === undefined || sleepers[0].atMs > untilMs) break;
        const [next] = sleepers.splice(0, 1);
        nowMs = Math.max(nowMs, next?.atMs ?? nowMs);
        next?.wake();
        // oxlint-disable-next-line no-await-in-loop
        await settle();
      }
      nowMs = untilMs;
      await settle();
    },
  };
}

/** The `n`th grant of the account: its tokens are `access-n` and `refresh-n`, good for an hour of the virtual clock. */
export function grantOf(n: number, over: Partial<HeldGrant> = {}): HeldGrant {
  return {
    accessToken: `access-${n}`,
    expiresAtMs: START_MS + HOUR_MS,
    refreshToken: `refresh-${n}`,
    scopes: ['calendar'],
    account: { id: 'account-1', email: 'ada@example.com', kind: 'work' },
    ...over,
  };
}

/** An event as a provider tells of it. */
export const EVENT: EventRecord = {
  eventId: 'event-1',
  calendarId: 'primary',
  iCalUid: 'event-1@example.com',
  etag: '"1"',
  start: '2026-11-23T09:00:00+00:00',
  end: '2026-11-23T10:00:00+00:00',
  status: 'confirmed',
};

/** The payload of a `create-event`. */
export const CREATE_PAYLOAD = {
  summary: 'Meeting',
  start: '2026-11-23T09:00:00Z',
  end: '2026-11-23T10:00:00Z',
  timeZone: 'UTC',
};

/** A task as it is handed in. */
export function taskOf(id: string, over: Partial<CalendarTask> = {}): CalendarTask & { id: string } {
  return { type: 'refresh-token', connectorId: 'connector-1', payload: {}, ...over, id };
}

/** A sign-in's return that asks for `calendar`. */
export const SIGN_IN = {
  callback: new URLSearchParams({ code: 'code-1', state: 'state-1' }),
  state: 'state-1',
  nonce: 'nonce-1',
  codeVerifier: 'verifier-1',
  callbackUrl: 'https://calendar.example.com/oauth/google/callback',
  scopes: ['calendar'],
};

/**
 * What is outside an actor, and outlives its evictions: a provider that does what `script` says, D1
 * and KV, the queue, the platform's alarm. Each call is noted in `calls` before it is answered.
 */
export function createWorld() {
  const clock = createClock();
  const calls: string[] = [];
  const script = {
    refresh: (grant: { refreshToken: string }): Promise<Outcome<HeldGrant>> =>
      Promise.resolve(
        ok(
          grantOf(Number(grant.refreshToken.split('-')[1]) + 1, {
            expiresAtMs: clock.now() + HOUR_MS,
          }),
        ),
      ),
    revoke: (): Promise<Outcome<void>> => Promise.resolve(ok(undefined)),
    exchangeCode: (): Promise<Outcome<Grant>> => Promise.resolve(ok(grantOf(1))),
    readBusy: (_question: BusyQuestion, _access: Access): Promise<Outcome<BusyReport>> =>
      Promise.resolve(ok({ calendars: [] })),
    run: (_task: LedgerTask, _how: RunMode): Promise<Outcome<object>> => Promise.resolve(ok({})),
    createEvent: (_creation: Creation, _draft: EventDraft): Promise<Outcome<EventRecord>> =>
      Promise.resolve(ok(EVENT)),
    updateEvent: (_change: EventChange): Promise<Outcome<EventRecord>> => Promise.resolve(ok(EVENT)),
    cancelEvent: (_cancellation: EventCancellation): Promise<Outcome<void>> => Promise.resolve(ok(undefined)),
    removeCreated: (_removal: CreatedRemoval): Promise<Outcome<void>> => Promise.resolve(ok(undefined)),
    send: ((request) => Promise.reject(new Error(`unexpected call of ${request.url}`))) as Send,
    /** Before a write to D1 or KV is carried out; a throw makes it fail. */
    beforeWrite: (_what: string): Promise<void> => Promise.resolve(),
    readSealedToken: (): Promise<string | undefined> => Promise.resolve(undefined),
    sendNotices: (_notices: Notice[]): Promise<void> => Promise.resolve(),
    hasSibling: (): Promise<boolean> => Promise.resolve(false),
    wipe: (): Promise<void> => Promise.resolve(),
    random: () => 0.5,
    lease: ({ want }: LeaseRequest): Promise<Lease> =>
      Promise.resolve({ granted: want, untilMs: clock.now() + MINUTE_MS, breaker: 'closed' }),
  };
  const rows: ConnectorState[] = [];
  const kv: { sealed?: string; lifeSeconds?: number } = {};
  const showcase: Showcase = {
    async saveRow(state) {
      calls.push(`row ${state.status}`);
      await script.beforeWrite('row');
      rows.push(state);
    },
    readSealedToken: () => script.readSealedToken(),
    async dropSignIns() {
      await script.beforeWrite('sign-ins');
    },
    async saveSyncStatus(status) {
      calls.push(`sync ${status.status}`);
      await script.beforeWrite('sync');
    },
    async dropSyncStatus() {
      await script.beforeWrite('sync');
    },
    hasSibling: () => script.hasSibling(),
    async putAccessToken(sealed, lifeSeconds) {
      calls.push('kv put');
      await script.beforeWrite('kv put');
      Object.assign(kv, { sealed, lifeSeconds });
    },
    async deleteAccessToken() {
      calls.push('kv delete');
      await script.beforeWrite('kv delete');
      delete kv.sealed;
    },
  };
  const provider: Provider = {
    name: 'google',
    oauth: {
      defaultScopes: ['calendar'],
      signInUrl: () => Promise.resolve('https://google.invalid/authorize'),
      isOwnCallback: () => true,
      exchangeCode(reply) {
        calls.push(`exchange ${reply.callback.get('code')}`);
        return script.exchangeCode();
      },
      refresh(grant) {
        calls.push(`refresh ${grant.refreshToken}`);
        return script.refresh(grant);
      },
      revoke(refreshToken) {
        calls.push(`revoke ${refreshToken}`);
        return script.revoke();
      },
      missingScopes: (asked, granted) => asked.filter((scope) => !granted.includes(scope)),
    },
    sync: MUTE_SYNC,
    readBusy: (question, access) => script.readBusy(question, access),
    createEvent(draft, creation) {
      calls.push(`create ${draft.summary}`);
      return script.createEvent(creation, draft);
    },
    updateEvent(change) {
      calls.push(`update ${change.eventId}`);
      return script.updateEvent(change);
    },
    cancelEvent(cancellation) {
      calls.push(`cancel ${cancellation.eventId}`);
      return script.cancelEvent(cancellation);
    },
    removeCreated(removal) {
      calls.push('remove created');
      return script.removeCreated(removal);
    },
  };
  const alarm = {
    atMs: null as number | null,
    sets: [] as number[],
    get: () => Promise.resolve(alarm.atMs),
    set(atMs: number) {
      alarm.atMs = atMs;
      alarm.sets.push(atMs);
      return Promise.resolve();
    },
  };
  const sent: Notice[] = [];
  const leases: LeaseRequest[] = [];
  return {
    clock,
    calls,
    script,
    rows,
    kv,
    showcase,
    provider,
    alarm,
    /** What the queue has taken, in order. */
    sent,
    sendNotices: async (notices: Notice[]) => {
      await script.sendNotices(notices);
      sent.push(...notices);
    },
    /** What all connectors of an app share; `leases` is what it was asked. */
    app: {
      leases,
      lease: (request: LeaseRequest) => {
        leases.push(request);
        return script.lease(request);
      },
    },
    events: [] as MetricEvent[],
    keyring: createKeyring([{ id: 'k1', bytes: new Uint8Array(32).fill(7) }], (length) =>
      crypto.getRandomValues(new Uint8Array(length)),
    ),
  };
}
export type World = ReturnType<typeof createWorld>;

export const REVOKED = fail({ kind: 'grant-revoked', detail: 'invalid_grant' });
export const DARK = fail({ kind: 'unavailable', ambiguous: true });
