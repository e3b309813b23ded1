import { readConfig } from '../../src/config.ts';
import type { Submission } from '../../src/connector/actor.ts';
import { TEST_VARIABLES } from '../variables.ts';
import { SimulatedApp } from './app.ts';
import { type Climate, drawClimate } from './climate.ts';
import { SimulatedConnector, type WorldParts } from './connector.ts';
import { checkEnd } from './final-check.ts';
import { Random } from './random.ts';
import { takeOverRuntime } from './runtime.ts';
import type { Sabotage } from './sabotage.ts';
import { Scheduler } from './scheduler.ts';
import type { Order } from './script.ts';
import { signInReturn } from './sign-in.ts';
import type { Blame, Violation } from './verdicts.ts';

const START_MS = Date.UTC(2026, 10, 23, 8);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** After so many steps it stops raining: a world stays small. */
const RAINY_STEPS = 2_500;
/** A world that takes more steps never comes to rest. */
const MOST_STEPS = 25_000;
/** A world is left alone for so long. */
const HORIZON_MS = 60 * HOUR_MS;
/** A caller that waits does so for this long. */
const PATIENCE_MS = 25_000;

/** What may be asked of a simulation beyond its seed. */
export interface SimulationOptions {
  sabotage?: Sabotage;
  /** Instead of the climate that the seed draws. */
  climate?: Partial<Climate>;
}

/** How a world went. `story` tells every step. */
export interface Account {
  seed: number;
  violations: Violation[];
  steps: number;
  kills: number;
  tasks: number;
  /** Tasks of which another end was told than is recorded: a crash came in between. Counted, and held against nobody. */
  contradictions: number;
  story: string[];
}

/**
 * Lets one small world run: some connectors, what they are asked for, and all the weather that its seed
 * draws; the real actors on a real SQLite, every wait of theirs ordered by the dice. The same seed is the
 * same world. It ends with the first step after which something does not hold, or when all is still.
 */
export async function simulate(
  seed: number,
  { sabotage = {}, climate: imposed = {} }: SimulationOptions = {},
): Promise<Account> {
  const world = new World(seed, sabotage, imposed);
  return await world.run();
}

class World {
  readonly #seed: number;
  readonly #random: Random;
  readonly #climate: Climate;
  readonly #scheduler: Scheduler;
  readonly #app: SimulatedApp;
  readonly #connectors: SimulatedConnector[] = [];
  readonly #violations: Violation[] = [];
  readonly #story: string[] = [];
  #steps = 0;
  #kills = 0;
  #isConnected = false;
  #fairSinceMs: number | undefined;

  constructor(seed: number, sabotage: Sabotage, imposed: Partial<Climate>) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#climate = { ...drawClimate(this.#random), ...imposed };
    const note = (label: string) => this.#note(label);
    this.#scheduler = new Scheduler({ random: this.#random, startMs: START_MS, note });
    const config = readConfig(TEST_VARIABLES, (length) => new Uint8Array(length));
    if (!config.ok) throw new Error('the tests have no configuration');
    const isLimited = this.#random.chance(0.3);
    this.#app = new SimulatedApp({
      ...(isLimited && {
        limit: this.#random.pick(
          // Several connectors at once need what is left of it to come to their end.
          { limit: 20, windowMs: MINUTE_MS },
          { limit: 40, windowMs: MINUTE_MS },
          { limit: 200, windowMs: 10 * MINUTE_MS },
        ),
      }),
      // Two connectors are enough, so that small worlds see it open.
      breaker: { ...config.value.limits.breaker, failingConnectors: 2 },
      scheduler: this.#scheduler,
      note,
      blame: this.#blame,
    });
    const parts: WorldParts = {
      config: config.value,
      scheduler: this.#scheduler,
      random: this.#random,
      climate: this.#climate,
      startMs: START_MS,
      isFair: () => !this.#isConnected || this.#fairSinceMs !== undefined,
      note,
      blame: this.#blame,
      sabotage,
      app: this.#app,
    };
    const count = this.#random.pick(1, 1, 2, 3);
    for (let index = 1; index <= count; index += 1)
      this.#connectors.push(new SimulatedConnector(parts, index));
    this.#note(`climate ${JSON.stringify(this.#climate)}`);
  }

  async run(): Promise<Account> {
    const [first] = this.#connectors;
    const giveBack = takeOverRuntime(this.#scheduler, (life, label, deed) =>
      first === undefined ? Promise.resolve(deed()) : first.surroundings.takeTurn(life, label, deed),
    );
    try {
      await this.#begin();
      const horizonMs = this.#scheduler.now() + HORIZON_MS;
      while (this.#violations.length === 0 && (await this.#step(horizonMs)));
      if (this.#violations.length === 0) {
        const clearedMs = this.#fairSinceMs ?? this.#scheduler.now();
        for (const connector of this.#connectors)
          checkEnd(connector, Math.max(clearedMs, connector.reconnectedAtMs), this.#blame);
      }
    } finally {
      giveBack();
      for (const { store } of this.#connectors) store.close();
    }
    return this.#account();
  }

  /** Everybody connects, in fair weather; then it all begins. */
  async #begin(): Promise<void> {
    for (const connector of this.#connectors) this.#scheduler.after(0, '', () => this.#connect(connector));
    while (await this.#scheduler.next(START_MS + MINUTE_MS));
    this.#isConnected = true;
    for (const connector of this.#connectors) {
      for (const order of connector.orders) {
        for (const atMs of [order.atMs, ...order.repeatsAtMs])
          this.#scheduler.after(atMs, '', () => this.#deliver(connector, order));
      }
      this.#drawRevocation(connector);
    }
    this.#scheduler.after(this.#climate.rainMs, 'the weather is fair', () => this.#clearUp());
  }

  async #step(horizonMs: number): Promise<boolean> {
    this.#steps += 1;
    const isFair = this.#fairSinceMs !== undefined;
    if (!isFair && this.#steps > RAINY_STEPS) this.#clearUp();
    if (!isFair && this.#random.chance(this.#climate.kill)) {
      const alive = this.#connectors.filter(({ host }) => host.isAlive);
      const victim = alive[this.#random.whole(0, alive.length - 1)];
      if (victim !== undefined) this.#kills += 1;
      victim?.host.kill();
      victim?.look();
    }
    if (!isFair && this.#random.chance(this.#climate.kill / 2)) this.#app.evict();
    if (this.#steps > MOST_STEPS) {
      this.#blame('rest', `still at work after ${MOST_STEPS} steps`);
      return false;
    }
    const hasStepped = await this.#scheduler.next(horizonMs);
    for (const connector of this.#connectors) {
      connector.look();
      this.#callBack(connector);
    }
    return hasStepped;
  }

  #clearUp(): void {
    this.#fairSinceMs ??= this.#scheduler.now();
  }

  /** In some worlds a grant dies. */
  #drawRevocation({ server, name }: SimulatedConnector): void {
    const { rainMs } = this.#climate;
    if (!this.#random.chance(0.15)) return;
    this.#scheduler.after(this.#random.whole(0, rainMs), `${name} is revoked`, () => server.revokeAll());
  }

  /** A person who is told to connect again comes back, soon or late. */
  #callBack(connector: SimulatedConnector): void {
    const isCalled = connector.needsPerson();
    if (!isCalled || connector.isWaitedFor) return;
    connector.isWaitedFor = true;
    const awayMs = this.#random.pick(5_000, 10 * MINUTE_MS, 10 * MINUTE_MS, 26 * HOUR_MS);
    this.#scheduler.after(awayMs, '', () => this.#connect(connector));
  }

  /** The person signs in, again and again until it has worked. */
  #connect(connector: SimulatedConnector): void {
    const again = () =>
      void this.#scheduler.after(this.#random.whole(1_000, 10_000), '', () => this.#connect(connector));
    connector.host.call('connect', (actor) => actor.connect(signInReturn()), {
      answered: (result) => {
        if (result?.status !== 'connected') return again();
        connector.isWaitedFor = false;
        connector.reconnectedAtMs = this.#scheduler.now();
        return undefined;
      },
      broken: again,
    });
  }

  /** A message is delivered until its connector has taken it. */
  #deliver(connector: SimulatedConnector, order: Order): void {
    const { task, isAwaited } = order;
    const after = (ms: number) => this.#scheduler.after(ms, '', () => this.#deliver(connector, order));
    const again = () => void after(this.#random.whole(0, 5_000));
    const label = `is handed ${task.id} ${task.type}`;
    const taken = (submission: Submission | undefined) => {
      if (submission === 'mismatch' || submission === undefined || submission === 'not-connected')
        this.#blame('task-lost', `${connector.name}: ${task.id} is answered with ${submission}`);
      else connector.tasks.taken.add(task.id);
    };
    if (!isAwaited) {
      const answered = ([submission]: Submission[]) => taken(submission);
      connector.host.call(label, (actor) => actor.submit([task]), { answered, broken: again });
      return;
    }
    connector.host.call(`${label} and waits`, (actor) => actor.perform(task, PATIENCE_MS), {
      answered: (performed) => {
        // While the grant is dead nobody is kept waiting: the caller comes back later.
        if (!performed.ok) return void after(this.#random.whole(HOUR_MS, 2 * HOUR_MS));
        taken(performed.value.submission);
        const { state, result, error } = performed.value.report;
        if (state === 'done' || state === 'failed')
          connector.toldEnds.push({ id: task.id, end: JSON.stringify({ state, result, error }) });
        return undefined;
      },
      broken: again,
    });
  }

  readonly #blame: Blame = (invariant, detail) => {
    this.#note(`VIOLATION ${invariant}: ${detail}`);
    this.#violations.push({ invariant, detail });
  };

  #note(label: string): void {
    this.#story.push(`${String(this.#scheduler.now() - START_MS).padStart(9)} ms  ${label}`);
  }

  #account(): Account {
    const contradictions = this.#connectors.flatMap((one) => one.contradictions());
    for (const contradiction of contradictions) this.#note(`CONTRADICTION ${contradiction}`);
    return {
      seed: this.#seed,
      violations: this.#violations,
      steps: this.#steps,
      kills: this.#kills,
      tasks: this.#connectors.reduce((sum, { tasks }) => sum + tasks.seen.size, 0),
      contradictions: contradictions.length,
      story: this.#story,
    };
  }
}
