import { addTo, type Counts } from './counts.ts';

/** Whose counts an operation belongs to, told by the values that it names. */
export type OwnersOf = (values: readonly unknown[]) => readonly Counts[];

/** Operations that have begun and not ended. */
let open = 0;

/** True while nothing that is counted is under way. */
export function isQuiet(): boolean {
  return open === 0;
}

/** Waits, which counts as nothing. */
export const pause = scheduler.wait.bind(scheduler);

// An object that waits to report what it has counted is not at rest.
Object.defineProperty(scheduler, 'wait', { value: (ms: number) => watch(() => pause(ms)) });
// Nor is one that waits for a provider, behind which nobody may stand.
const ownFetch = globalThis.fetch;
globalThis.fetch = (...request) => watch(() => ownFetch(...request));

async function watch<T>(operation: () => Promise<T>): Promise<T> {
  open += 1;
  try {
    return await operation();
  } finally {
    open -= 1;
  }
}

/** A stand-in for `target` whose `replaced` methods are these, and whose others are its own. */
function standIn<T extends object>(target: T, replaced: Record<string, unknown>): T {
  return new Proxy(target, {
    get(_, name) {
      const replacement = typeof name === 'string' ? replaced[name] : undefined;
      if (replacement !== undefined) return replacement;
      const own: unknown = Reflect.get(target, name, target);
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}

function countStatement(
  statement: D1PreparedStatement,
  values: readonly unknown[],
  ownersOf: OwnersOf,
): D1PreparedStatement {
  const run = () =>
    watch(async () => {
      const result = await statement.all();
      const owners = ownersOf(values);
      for (const owner of owners) {
        owner.d1RowsRead += result.meta.rows_read / owners.length;
        owner.d1RowsWritten += result.meta.rows_written / owners.length;
      }
      return result;
    });
  return standIn(statement, {
    bind: (...bound: unknown[]) => countStatement(statement.bind(...bound), bound, ownersOf),
    all: run,
    run,
    first: async () => (await run()).results[0] ?? null,
  });
}

/** The bindings, each operation of them counted. Of what can stand in a list, an even share is counted. */
export function countEnv(env: Env, ownersOf: OwnersOf): Env {
  const countKv = (name: 'get' | 'put' | 'delete', field: 'kvReads' | 'kvWrites') => {
    const own: unknown = Reflect.get(env.KV_OAUTH, name);
    return (...args: unknown[]) =>
      watch(async () => {
        for (const owner of ownersOf(args)) owner[field] += 1;
        const done: unknown =
          typeof own === 'function' ? await Reflect.apply(own, env.KV_OAUTH, args) : undefined;
        return done;
      });
  };
  const countNotices = async (bodies: { connectorId: string }[]) => {
    await watch(() => env.Q_NOTIFY.sendBatch(bodies.map((body) => ({ body: Object(body) }))));
    for (const { connectorId } of bodies) for (const owner of ownersOf([connectorId])) owner.notices += 1;
  };
  const counted: Record<string, unknown> = {
    DB: standIn(env.DB, {
      prepare: (sql: string) => countStatement(env.DB.prepare(sql), [], ownersOf),
    }),
    KV_OAUTH: standIn(env.KV_OAUTH, {
      get: countKv('get', 'kvReads'),
      put: countKv('put', 'kvWrites'),
      delete: countKv('delete', 'kvWrites'),
    }),
    Q_NOTIFY: standIn(env.Q_NOTIFY, {
      send: (body: { connectorId: string }) => countNotices([body]),
      sendBatch: (messages: { body: { connectorId: string } }[]) =>
        countNotices(messages.map(({ body }) => body)),
    }),
  };
  for (const [binding, value] of Object.entries(env)) {
    if (isNamespace(value)) counted[binding] = countNamespace(binding, value, ownersOf);
  }
  return standIn(env, counted);
}

interface Namespace {
  getByName(name: string): object;
}

function isNamespace(binding: unknown): binding is Namespace {
  return typeof binding === 'object' && binding !== null && 'getByName' in binding;
}

function countNamespace(binding: string, namespace: Namespace, ownersOf: OwnersOf): Namespace {
  return standIn(namespace, {
    getByName(name: string) {
      const stub = namespace.getByName(name);
      return new Proxy(stub, {
        get: (_, method) => {
          const own: unknown = Reflect.get(stub, method);
          if (typeof own !== 'function') return own;
          return (...args: unknown[]) => {
            for (const owner of ownersOf([name])) {
              if (binding === 'CONNECTOR') addTo(owner.calls, String(method));
              else addTo(owner.callsOfOthers, `${binding}.${String(method)}`);
            }
            return watch(async () => {
              const answer: unknown = await Reflect.apply(own, stub, args);
              return answer;
            });
          };
        },
      });
    },
  });
}

/** What a statement writes, in two words: `INSERT task`. */
function labelOf(statement: string): string {
  const [, verb = '', table = ''] =
    /(INSERT|UPDATE|DELETE|CREATE)\s+(?:OR\s+\w+\s+)?(?:(?:INTO|FROM|TABLE)\s+)?(\w+)/.exec(statement) ?? [];
  return `${verb} ${table}`;
}

/** What an object's alarm is set to, if it is; epoch milliseconds. */
export interface AlarmSlot {
  atMs: number | null;
}

/**
 * Has every row that this storage reads and writes counted from now on; each `setAlarm` is one. The alarm
 * is kept in `alarm` and goes off only when it is rung, however slow the machine is.
 */
export function countStorage(storage: DurableObjectStorage, counts: Counts, alarm: AlarmSlot): void {
  const { sql } = storage;
  const exec = sql.exec.bind(sql);
  Object.defineProperty(sql, 'exec', {
    value: (statement: string, ...values: unknown[]) => {
      const cursor = exec(statement, ...values);
      return standIn(cursor, {
        toArray: () => {
          const rows = cursor.toArray();
          counts.rowsRead += cursor.rowsRead;
          addTo(counts.rowsWritten, labelOf(statement), cursor.rowsWritten);
          return rows;
        },
      });
    },
  });
  Object.defineProperty(storage, 'getAlarm', { value: () => Promise.resolve(alarm.atMs) });
  Object.defineProperty(storage, 'setAlarm', {
    value: (atMs: number) => {
      addTo(counts.rowsWritten, 'setAlarm');
      alarm.atMs = atMs;
      return Promise.resolve();
    },
  });
}
