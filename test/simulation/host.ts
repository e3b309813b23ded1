import type { Config } from '../../src/config.ts';
import { Actor } from '../../src/connector/actor.ts';
import { migrate } from '../../src/connector/schema.ts';
import type { Network } from './network.ts';
import { createProviderDouble } from './provider-double.ts';
import type { Random } from './random.ts';
import type { Sabotage } from './sabotage.ts';
import type { Life, Scheduler } from './scheduler.ts';
import { createStore } from '../../src/connector/store.ts';
import type { SqliteStore } from './sqlite-store.ts';
import type { Surroundings } from './surroundings.ts';
import type { Blame } from './verdicts.ts';
import type { Wire } from './wire.ts';

/** What the host of one connector is made of. */
export interface HostOptions {
  name: string;
  connectorId: string;
  config: Config;
  scheduler: Scheduler;
  random: Random;
  wire: Wire;
  store: SqliteStore;
  network: Network;
  surroundings: Surroundings;
  blame: Blame;
  note: (label: string) => void;
  sabotage: Sabotage;
}

/** An alarm that was cut off goes off again after so long. */
const ALARM_RETRY_MS = 2_000;

/** Names of errors that no weather explains. */
const BUG =
  /^(TypeError|RangeError|ReferenceError|SyntaxError|ZodError|\$ZodError|Error: (?!no answer|connection))/;

/**
 * The platform under one connector: it opens the actor when it is called, keeps its storage and its
 * alarm, and may end it at any time. What a step has written is kept, as the platform commits it.
 */
export class Host {
  readonly #options: HostOptions;
  #life: Life | undefined;
  #actor: Actor | undefined;
  #lives = 0;
  #alarmAtMs: number | null = null;
  #callOffAlarm: () => void = () => undefined;
  #isRinging = false;
  #callers = new Set<() => void>();
  /** What the platform was asked for. */
  readonly count = { alarms: 0, alarmsSet: 0, calls: 0 };

  constructor(options: HostOptions) {
    this.#options = options;
    migrate(options.store);
  }

  get name(): string {
    return this.#options.name;
  }

  get connectorId(): string {
    return this.#options.connectorId;
  }

  /** When the alarm goes off; an alarm that is going off is not counted, as the platform has it. */
  get alarmAtMs(): number | null {
    return this.#alarmAtMs;
  }

  get isAlive(): boolean {
    return this.#life !== undefined;
  }

  get isRinging(): boolean {
    return this.#isRinging;
  }

  /** True while nothing that it waits for is on its way. */
  get isIdle(): boolean {
    return this.#life === undefined || (this.#life.steps === 0 && this.#options.wire.open(this.#life) === 0);
  }

  /** Calls the actor, opening it where there is none. `broken`: it died, or threw, before it answered. */
  call<T>(
    label: string,
    act: (actor: Actor) => Promise<T>,
    { answered, broken }: { answered: (value: T) => void; broken: () => void },
  ): void {
    const { scheduler, note, name } = this.#options;
    this.count.calls += 1;
    const { life, actor } = this.#open();
    note(`${name} ${label}`);
    scheduler.enter(life);
    this.#callers.add(broken);
    const settle = async () => {
      try {
        const value = await act(actor);
        if (this.#callers.delete(broken)) answered(value);
      } catch (thrown) {
        note(`${name} ${label} throws ${String(thrown)}`);
        if (this.#callers.delete(broken)) broken();
      }
    };
    void settle();
  }

  /** Ends the actor where it stands: nothing of it runs any more. */
  kill(): void {
    const life = this.#life;
    if (life === undefined) return;
    const { wire, note, store, sabotage, random } = this.#options;
    note(`${life.name} is killed`);
    life.isOver = true;
    this.#life = undefined;
    this.#actor = undefined;
    wire.bury(life);
    const callers = [...this.#callers];
    this.#callers.clear();
    if (this.#isRinging) {
      this.#isRinging = false;
      this.#goOffAgain();
    }
    for (const broken of callers) broken();
    sabotage.onKill?.(store, random);
  }

  #open(): { life: Life; actor: Actor } {
    if (this.#life !== undefined && this.#actor !== undefined)
      return { life: this.#life, actor: this.#actor };
    this.#lives += 1;
    const life: Life = { name: `${this.#options.name}.${this.#lives}`, isOver: false, steps: 0 };
    const actor = this.#createActor(life);
    this.#life = life;
    this.#actor = actor;
    return { life, actor };
  }

  #createActor(life: Life): Actor {
    const { connectorId, config, scheduler, random, network, surroundings, store, blame, note, name } =
      this.#options;
    return new Actor({
      identity: { connectorId, provider: 'google', userId: 'user' },
      // What the mirror does is not in these worlds yet.
      config: { ...config, keyring: surroundings.keyringOf(life), hasMirror: false },
      provider: createProviderDouble(scheduler.now),
      // A life remembers nothing of what the one before it has read.
      store: createStore({
        query: (statement, ...values) => store.query(statement, ...values),
        transaction: (body) => store.transaction(body),
      }),
      alarm: {
        get: () => {
          const atMs = this.#alarmAtMs;
          return scheduler.tell(life, 0, `${name} alarm is read`, () => atMs);
        },
        set: (atMs) => {
          this.#setAlarm(atMs);
          return scheduler.tell(life, random.whole(0, 1), `${name} alarm is set`, () => undefined);
        },
      },
      showcase: surroundings.showcaseOf(life),
      fetch: network.fetchOf(life),
      now: scheduler.now,
      random: random.next,
      randomId: () => `id-${random.whole(0, 1_000_000_000)}`,
      randomBytes: (length) => Uint8Array.from({ length }, () => random.whole(0, 255)),
      sleep: (ms) => scheduler.tell(life, ms + random.whole(0, 2), `${name} wakes`, () => undefined),
      sendNotices: surroundings.queueOf(life),
      askApp: surroundings.askAppOf(life),
      record: (event) => {
        note(`${name} records ${JSON.stringify(event)}`);
        if (event.event === 'error' && BUG.test(event.detail))
          blame('bug', `${event.where}: ${event.detail}`);
      },
      wipe: () => Promise.reject(new Error('no simulated connector is erased')),
    });
  }

  /** Part of the storage: what is set stands with what was written in the same step. */
  #setAlarm(atMs: number): void {
    const { scheduler, random, sabotage, note, name } = this.#options;
    this.count.alarmsSet += 1;
    if (sabotage.dropsAlarm?.(random) === true) return;
    note(`${name} sets its alarm, in ${atMs - scheduler.now()} ms`);
    this.#alarmAtMs = atMs;
    this.#callOffAlarm();
    // Never early; sometimes late.
    const lateMs = random.chance(0.2) ? random.whole(0, 500) : 0;
    this.#callOffAlarm = scheduler.after(Math.max(0, atMs - scheduler.now()) + lateMs, '', () =>
      this.#ring(),
    );
  }

  #ring(): void {
    if (this.#isRinging) {
      // The platform runs one alarm of an object at a time.
      this.#callOffAlarm = this.#options.scheduler.after(100, '', () => this.#ring());
      return;
    }
    this.#alarmAtMs = null;
    this.#isRinging = true;
    this.count.alarms += 1;
    this.call('alarm goes off', (actor) => actor.alarm(), {
      answered: () => {
        this.#isRinging = false;
      },
      broken: () => {
        if (!this.#isRinging) return;
        this.#isRinging = false;
        this.#goOffAgain();
      },
    });
  }

  #goOffAgain(): void {
    if (this.#alarmAtMs === null) this.#setAlarm(this.#options.scheduler.now() + ALARM_RETRY_MS);
  }
}
