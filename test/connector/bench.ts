import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { Agenda } from '../../src/connector/agenda.ts';
import { Connection } from '../../src/connector/connection.ts';
import { Drain } from '../../src/connector/drain.ts';
import { Erasure } from '../../src/connector/erasure.ts';
import { Ledger, type LedgerTask } from '../../src/connector/ledger.ts';
import { Notices } from '../../src/connector/notices.ts';
import { Publication, type Showcase } from '../../src/connector/publication.ts';
import { migrate } from '../../src/connector/schema.ts';
import type { Store } from '../../src/connector/store.ts';
import { type HeldGrant, Tokens } from '../../src/connector/tokens.ts';
import { createKeyring } from '../../src/crypto/keyring.ts';
import type { ConnectorState } from '../../src/db/connectors.ts';
import type { BusyReport } from '../../src/domain/availability.ts';
import { fail, ok, type Outcome } from '../../src/domain/failure.ts';
import type { Notice } from '../../src/domain/notice.ts';
import type { CalendarTask } from '../../src/domain/task.ts';
import type { MetricEvent } from '../../src/metrics.ts';
import type { Send } from '../../src/providers/http.ts';
import type { Access, BusyQuestion, Grant, Provider } from '../../src/providers/provider.ts';
import { freshId } from '../database.ts';

/** Where every virtual clock starts. */
export const START_MS = Date.UTC(2026, 10, 23, 8);
export const HOUR_MS = 60 * 60 * 1000;
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
    run: (_task: LedgerTask): Promise<Outcome<object>> => Promise.resolve(ok({})),
    send: ((request) => Promise.reject(new Error(`unexpected call of ${request.url}`))) as Send,
    /** Before a write to D1 or KV is carried out; a throw makes it fail. */
    beforeWrite: (_what: string): Promise<void> => Promise.resolve(),
    readSealedToken: (): Promise<string | undefined> => Promise.resolve(undefined),
    sendNotices: (_notices: Notice[]): Promise<void> => Promise.resolve(),
    wipe: (): Promise<void> => Promise.resolve(),
    random: () => 0.5,
  };
  const rows: ConnectorState[] = [];
  const kv: { sealed?: string; lifeSeconds?: number } = {};
  const showcase: Showcase = {
    async saveRow(state) {
      calls.push(`row ${state.status}`);
      await script.beforeWrite('row');
      rows.push(state);
    },
    async saveStatus(status) {
      calls.push(`status ${status}`);
      await script.beforeWrite('status');
    },
    readSealedToken: () => script.readSealedToken(),
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
    readBusy: (question, access) => script.readBusy(question, access),
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
    events: [] as MetricEvent[],
    keyring: createKeyring([{ id: 'k1', bytes: new Uint8Array(32).fill(7) }], (length) =>
      crypto.getRandomValues(new Uint8Array(length)),
    ),
  };
}
export type World = ReturnType<typeof createWorld>;

/** A store on a Durable Object's SQLite, migrated, that counts the rows it writes. */
export function openStore({ storage }: DurableObjectState) {
  let rowsWritten = 0;
  const store: Store = {
    query(statement, ...values) {
      const cursor = storage.sql.exec(statement, ...values);
      const rows = cursor.toArray();
      rowsWritten += cursor.rowsWritten;
      return rows;
    },
    transaction: (body) => storage.transactionSync(body),
  };
  migrate(store);
  /** How many rows `body` writes. */
  const countRows = (body: () => void) => {
    const before = rowsWritten;
    body();
    return rowsWritten - before;
  };
  return { store, countRows };
}

/** The parts of an actor, freshly made on what `state` has stored, as after an eviction. */
export function openParts(state: DurableObjectState, world: World) {
  const { clock, script, showcase, provider, alarm, sendNotices, events, keyring } = world;
  const { store, countRows } = openStore(state);
  const shared = {
    identity: IDENTITY_OF_TESTS,
    connectorId: IDENTITY_OF_TESTS.connectorId,
    store,
    keyring,
    showcase,
    provider,
    oauth: provider.oauth,
    send: ((request) => script.send(request)) as Send,
    now: clock.now,
    random: () => script.random(),
    record: (event: MetricEvent) => void events.push(event),
    onError: (where: string, thrown: unknown) =>
      void events.push({ event: 'error', where, detail: String(thrown) }),
  };
  const agenda = new Agenda(store, alarm);
  const ledger = new Ledger(store);
  const notices = new Notices({ ...shared, agenda, ledger, send: sendNotices });
  const stored: { stored: HeldGrant; replaced: HeldGrant | undefined }[] = [];
  const publication = new Publication({ ...shared, agenda, tokens: () => tokens });
  const tokens: Tokens = new Tokens({
    ...shared,
    readElsewhere: (tried) => publication.readElsewhere(tried),
    onStored: (grant, replaced) => void stored.push({ stored: grant, replaced }),
  });
  const connection = new Connection({ ...shared, agenda, ledger, tokens, publication, notices });
  const drain = new Drain({
    ...shared,
    ledger,
    notices,
    run: (task) => script.run(task),
    obstacle: () => connection.obstacle(),
    onFailure: (failure) => connection.notice(failure),
    onEnd: () => Promise.resolve(),
    rearm: () => {},
  });
  const erasure = new Erasure({
    ...shared,
    agenda,
    ledger,
    tokens,
    notices,
    drain,
    publication,
    wipe: () => script.wipe(),
  });
  return {
    store,
    countRows,
    agenda,
    ledger,
    notices,
    publication,
    tokens,
    stored,
    connection,
    drain,
    erasure,
    /** Everything in storage, as text. */
    dump: () =>
      ['fact', 'task', 'duty', 'notice']
        .map((table) => JSON.stringify(store.query(`SELECT * FROM ${table}`)))
        .join('\n'),
  };
}
export type Parts = ReturnType<typeof openParts>;

/** Runs `body` inside a Durable Object that no other test uses. */
export function inFreshObject<T>(body: (state: DurableObjectState) => T | Promise<T>): Promise<T> {
  return runInDurableObject(env.CONNECTOR.getByName(freshId()), (_, state) => body(state));
}

/** Runs `body` with the parts of an actor in a fresh object. */
export function withParts<T>(
  body: (parts: Parts, world: World, state: DurableObjectState) => T | Promise<T>,
): Promise<T> {
  return inFreshObject((state) => {
    const world = createWorld();
    return body(openParts(state, world), world, state);
  });
}

/** Connects the account: afterwards it holds `grantOf(1)` and nothing waits to be written. */
export async function connect({ connection }: Parts, { script, calls, sent }: World): Promise<void> {
  const { exchangeCode } = script;
  script.exchangeCode = () => Promise.resolve(ok(grantOf(1)));
  await connection.connect(SIGN_IN);
  await settle();
  script.exchangeCode = exchangeCode;
  calls.length = 0;
  sent.length = 0;
}

export const REVOKED = fail({ kind: 'grant-revoked', detail: 'invalid_grant' });
export const DARK = fail({ kind: 'unavailable', ambiguous: true });
