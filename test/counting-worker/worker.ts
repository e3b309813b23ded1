import worker, { ConnectorDO as OwnConnectorDO } from '../../src/index.ts';
import type { CalendarTask } from '../../src/domain/task.ts';
import { type AlarmSlot, countEnv, countStorage, isQuiet, pause } from './counting.ts';
import { type Counts, noCounts } from './counts.ts';

export { CalendarService, HoldGroupDO, ProviderAppDO } from '../../src/index.ts';

/** The counts of each connector. The Worker and its objects share one isolate of the local runtime. */
const book = new Map<string, Counts>();

function countsOf(connectorId: string): Counts {
  const counts = book.get(connectorId) ?? noCounts();
  book.set(connectorId, counts);
  return counts;
}

/** The alarm of each connector, which outlives an eviction. */
const alarms = new Map<string, AlarmSlot>();

function alarmOf(connectorId: string): AlarmSlot {
  const alarm = alarms.get(connectorId) ?? { atMs: null };
  alarms.set(connectorId, alarm);
  return alarm;
}

/** Those connectors that these values name. */
function namedIn(values: readonly unknown[]): Counts[] {
  return values.flatMap((value) => {
    const counts = typeof value === 'string' ? book.get(value) : undefined;
    return counts === undefined ? [] : [counts];
  });
}

/** The connector's object, its operations counted. */
export class ConnectorDO extends OwnConnectorDO {
  readonly #counts: Counts;
  readonly #alarm: AlarmSlot;
  readonly #openTasks: () => number;

  constructor(state: DurableObjectState, env: Env) {
    const name = state.id.name ?? '';
    const counts = countsOf(name);
    const alarm = alarmOf(name);
    const { sql } = state.storage;
    const exec = sql.exec.bind(sql);
    countStorage(state.storage, counts, alarm);
    super(
      state,
      countEnv(env, () => [counts]),
    );
    this.#counts = counts;
    this.#alarm = alarm;
    this.#openTasks = () =>
      exec(`SELECT id FROM task WHERE state IN ('accepted', 'parked')`).toArray().length;
  }

  override async alarm(): Promise<void> {
    this.#counts.alarms += 1;
    await super.alarm();
  }

  /** Has the alarm go off now, instead of when it is set to. */
  async ring(): Promise<void> {
    this.#alarm.atMs = null;
    await this.alarm();
  }

  /** Comes back once every task has ended and nothing is under way. */
  async rest(): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      // oxlint-disable-next-line no-await-in-loop
      await pause(5);
      quiet = isQuiet() && this.#openTasks() === 0 ? quiet + 1 : 0;
    }
  }
}

interface CountingEnv extends Omit<Env, 'CONNECTOR'> {
  CONNECTOR: DurableObjectNamespace<ConnectorDO>;
}

/** What a test asks of the counting itself; `task`: one to carry out beside what is counted. */
interface Ask {
  connectorId: string;
  task?: CalendarTask & { id: string };
}

async function control(what: string, { connectorId, task }: Ask, env: CountingEnv): Promise<object> {
  const actor = env.CONNECTOR.getByName(connectorId);
  if (what === 'ring') await actor.ring();
  if (what === 'rest') await actor.rest();
  if (what === 'perform' && task !== undefined) return await actor.perform(task, 25_000);
  const taken = structuredClone(countsOf(connectorId));
  if (what === 'take') Object.assign(countsOf(connectorId), noCounts());
  return taken;
}

/** The worker, its operations counted, with levers under `/counting/`. */
export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith('/counting/'))
      return await worker.fetch(request, countEnv(env, namedIn), context);
    const ask: Ask = await request.json();
    return Response.json(await control(pathname.slice('/counting/'.length), ask, env));
  },
  queue: (batch, env) => worker.queue(batch, countEnv(env, namedIn)),
} satisfies ExportedHandler<CountingEnv>;
