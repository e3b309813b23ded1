import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { Agenda } from '../../src/connector/agenda.ts';
import { Connection } from '../../src/connector/connection.ts';
import { Drain } from '../../src/connector/drain.ts';
import { Account } from '../../src/connector/account.ts';
import { CallWindow } from '../../src/connector/call-window.ts';
import { Erasure } from '../../src/connector/erasure.ts';
import { Gate, type GateOptions } from '../../src/connector/gate.ts';
import { Ledger } from '../../src/connector/ledger.ts';
import { Notices } from '../../src/connector/notices.ts';
import { OpenCalls } from '../../src/connector/open-calls.ts';
import { Permits } from '../../src/connector/permits.ts';
import { Publication } from '../../src/connector/publication.ts';
import { RetryBudget } from '../../src/connector/retry-budget.ts';
import { migrate } from '../../src/connector/schema.ts';
import { createStore, type Store } from '../../src/connector/store.ts';
import { Tallies } from '../../src/connector/tallies.ts';
import { type HeldGrant, Tokens } from '../../src/connector/tokens.ts';
import { type Failure, ok } from '../../src/domain/failure.ts';
import type { MetricEvent } from '../../src/metrics.ts';
import type { Send } from '../../src/providers/http.ts';
import { freshId } from '../database.ts';
import { createWorld, grantOf, IDENTITY_OF_TESTS, settle, SIGN_IN, type World } from './world.ts';

/** A store on a Durable Object's SQLite, migrated, that counts the rows it writes. */
export function openStore({ storage }: DurableObjectState) {
  let rowsWritten = 0;
  const store = createStore({
    query(statement, ...values) {
      const cursor = storage.sql.exec(statement, ...values);
      const rows = cursor.toArray();
      rowsWritten += cursor.rowsWritten;
      return rows;
    },
    transaction: (body) => storage.transactionSync(body),
  });
  migrate(store);
  /** How many rows `body` writes. */
  const countRows = (body: () => void) => {
    const before = rowsWritten;
    body();
    return rowsWritten - before;
  };
  return { store, countRows, rowsWritten: () => rowsWritten };
}

/** A gate on this store, as after an eviction: four places, ample limits, a back-off of half the ceiling. */
export function openGate(
  store: Store,
  clock: Pick<World['clock'], 'now' | 'sleep'>,
  over: Partial<GateOptions> = {},
): Gate {
  const { now, sleep } = clock;
  return new Gate({
    store,
    maxConcurrent: 4,
    openCalls: new OpenCalls({
      store,
      maxConcurrent: 4,
      callLifeMs: 35_000,
      grainMs: 10_000,
      freshTasks: () => [],
      covered: () => 0,
      now,
    }),
    window: new CallWindow({ store, limit: { limit: 10_000, windowMs: 600_000 }, now }),
    permits: { spend: () => true, obtain: () => Promise.resolve(ok(undefined)) },
    now,
    random: () => 0.5,
    sleep,
    ...over,
  });
}

/** The way to the account, through a gate of its own. */
export function openAccount(
  { store, tokens }: Pick<Parts, 'store' | 'tokens'>,
  { clock, script, app }: World,
  obstacle: () => Failure | undefined = () => undefined,
): Account {
  const { now, sleep } = clock;
  const tallies = new Tallies();
  const permits = new Permits({
    connectorId: IDENTITY_OF_TESTS.connectorId,
    ask: (request) => app.lease(request),
    tallies,
    now,
    random: () => 0.5,
    sleep,
    onQuiet: () => {},
    onError: () => {},
  });
  return new Account({
    tokens,
    gate: openGate(store, clock, { permits }),
    permits,
    tallies,
    budget: new RetryBudget(),
    send: (request) => script.send(request),
    now,
    random: () => 0.5,
    sleep,
    obstacle,
  });
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
  const publication = new Publication({ ...shared, agenda, tokens: () => tokens, rearm: () => {} });
  const tokens: Tokens = new Tokens({
    ...shared,
    readElsewhere: (tried) => publication.readElsewhere(tried),
    onResealed: () => publication.note(),
    onStored: (grant, replaced) => void stored.push({ stored: grant, replaced }),
  });
  const connection = new Connection({ ...shared, agenda, ledger, tokens, publication, notices });
  const drain = new Drain({
    ...shared,
    ledger,
    notices,
    budget: new RetryBudget(),
    run: (task, how) => script.run(task, how),
    obstacle: () => connection.obstacle(),
    onFailure: (failure) => connection.notice(failure),
    settle: () => {},
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
