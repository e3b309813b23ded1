import { readConfig } from '../../../src/config.ts';
import type { CalendarTask } from '../../../src/domain/task.ts';
import { TEST_VARIABLES } from '../../variables.ts';
import { SimulatedApp } from '../app.ts';
import { CALM } from '../climate.ts';
import { SimulatedConnector } from '../connector.ts';
import { Random } from '../random.ts';
import { takeOverRuntime } from '../runtime.ts';
import { Scheduler } from '../scheduler.ts';
import { creationKeyOf } from '../script.ts';
import { signInReturn } from '../sign-in.ts';
import { addCost, type Cost, type Errand, noCost } from './usage.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Two tasks of one errand come so far apart. */
const PAUSE_MS = 20_000;

/** A real actor in fair weather, whose operations are counted. */
export class RealConnector {
  readonly #scheduler: Scheduler;
  readonly #connector: SimulatedConnector;
  readonly #startMs: number;
  readonly #giveBack: () => void;
  #errands = 0;
  #lastEvent = 'none';

  private constructor(seed: number, startMs: number, tokenLifeMs: number) {
    const config = readConfig(TEST_VARIABLES, (length) => new Uint8Array(length));
    if (!config.ok) throw new Error('the tests have no configuration');
    this.#startMs = startMs;
    const random = new Random(seed);
    const note = () => undefined;
    const blame = (invariant: string, detail: string) => {
      throw new Error(`${invariant}: ${detail}`);
    };
    this.#scheduler = new Scheduler({ random, startMs, note });
    this.#connector = new SimulatedConnector(
      {
        config: config.value,
        scheduler: this.#scheduler,
        random,
        climate: CALM,
        startMs,
        isFair: () => true,
        note,
        blame,
        sabotage: {},
        app: new SimulatedApp({
          breaker: config.value.limits.breaker,
          scheduler: this.#scheduler,
          note,
          blame,
        }),
        tokenLifeMs,
      },
      seed,
    );
    this.#giveBack = takeOverRuntime(this.#scheduler, (_life, _label, deed) => Promise.resolve(deed()));
  }

  /** One that has just been connected. Only one can be open at a time: it borrows the runtime's timers. */
  static async open(seed: number, startMs: number, tokenLifeMs: number): Promise<RealConnector> {
    const real = new RealConnector(seed, startMs, tokenLifeMs);
    real.#scheduler.after(0, '', () => {
      real.#connector.host.call('connect', (actor) => actor.connect(signInReturn()), {
        answered: () => undefined,
        broken: () => undefined,
      });
    });
    await real.run(5_000);
    return real;
  }

  /** Milliseconds since it was opened. */
  get elapsedMs(): number {
    return this.#scheduler.now() - this.#startMs;
  }

  /** What has happened so far. */
  cost(): Cost {
    const { host, store, network, surroundings } = this.#connector;
    const { alarms, alarmsSet, calls } = host.count;
    return {
      requests: calls - alarms,
      alarms,
      // Setting an alarm is a row written, as the platform bills it.
      rows: store.rowsWritten + alarmsSet,
      providerCalls: network.count.calls - network.count.tokenCalls,
      tokenCalls: network.count.tokenCalls,
      databaseCalls: surroundings.count.database,
      keyValueCalls: surroundings.count.keyValue,
      notices: surroundings.count.notices,
    };
  }

  /** When the token is to be refreshed ahead of time, milliseconds from now; undefined: it is not. */
  refreshInMs(): number | undefined {
    const [row] = this.#connector.store.query(`SELECT due_at FROM duty WHERE name = 'refresh-token'`);
    return typeof row === 'object' && row !== null && 'due_at' in row
      ? Number(row.due_at) - this.#scheduler.now()
      : undefined;
  }

  /** Hands in the tasks of an errand, the first `delayMs` from now. */
  plan(errand: Errand, delayMs = 0): void {
    for (const [index, task] of this.#tasksOf(errand).entries()) {
      this.#scheduler.after(delayMs + index * PAUSE_MS, '', () => {
        this.#connector.host.call('submit', (actor) => actor.submit([task]), {
          answered: () => undefined,
          broken: () => undefined,
        });
      });
    }
  }

  /** Lets time pass. */
  async run(ms: number): Promise<void> {
    const untilMs = this.#scheduler.now() + ms;
    // The clock goes from step to step: there is one at the end.
    this.#scheduler.after(ms, '', () => undefined);
    // oxlint-disable-next-line no-await-in-loop
    while (this.#scheduler.now() < untilMs) await this.#scheduler.next(untilMs);
  }

  /** Ends it. */
  close(): void {
    this.#giveBack();
    this.#connector.store.close();
  }

  #tasksOf(errand: Errand): (CalendarTask & { id: string })[] {
    this.#errands += 1;
    const { connectorId } = this.#connector;
    const id = `e${this.#errands}`;
    const fromMs = this.#startMs + 48 * HOUR_MS + this.#errands * HOUR_MS;
    const slot = {
      start: new Date(fromMs).toISOString(),
      end: new Date(fromMs + HOUR_MS).toISOString(),
      timeZone: 'UTC',
    };
    const task = (part: string, type: CalendarTask['type'], payload: object) => ({
      id: `${id}${part}`,
      type,
      connectorId,
      payload,
    });
    const place = () => task('a', 'place-hold', { holdId: id, ...slot });
    switch (errand) {
      case 'look':
        return [task('', 'check-availability', { timeMin: slot.start, timeMax: slot.end, timeZone: 'UTC' })];
      case 'book':
        this.#lastEvent = creationKeyOf(connectorId, id);
        return [task('', 'create-event', { summary: 'Meeting', ...slot })];
      case 'move':
        return [task('', 'update-event', { eventId: this.#lastEvent, ...slot })];
      case 'cancel':
        return [task('', 'cancel-event', { eventId: this.#lastEvent })];
      case 'hold-and-confirm':
        return [place(), task('b', 'confirm-hold', { holdId: id, summary: 'Meeting' })];
      case 'hold-and-let-go':
        return [place(), task('b', 'cancel-hold', { holdId: id })];
    }
  }
}

/** What has been added from `before` to `after`. */
export function difference(after: Cost, before: Cost): Cost {
  const added = noCost();
  addCost(added, after);
  addCost(added, before, -1);
  return added;
}
