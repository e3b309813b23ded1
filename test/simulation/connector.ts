import * as z from 'zod';
import type { Config } from '../../src/config.ts';
import type { WindowLimit } from '../../src/domain/lease.ts';
import type { SimulatedApp } from './app.ts';
import { CalendarServer } from './calendar-server.ts';
import { CallCount } from './call-count.ts';
import type { Climate } from './climate.ts';
import { HoldWatch } from './hold-watch.ts';
import { Host } from './host.ts';
import { Meter } from './meter.ts';
import { Network } from './network.ts';
import type { Random } from './random.ts';
import type { Sabotage } from './sabotage.ts';
import type { Scheduler } from './scheduler.ts';
import { creationKeyOf, type Order, writeScript } from './script.ts';
import { SqliteStore } from './sqlite-store.ts';
import { openSealed, Surroundings } from './surroundings.ts';
import { TaskWatch } from './task-watch.ts';
import type { Blame } from './verdicts.ts';
import { Wire } from './wire.ts';

/** What the connectors of one world have in common. */
export interface WorldParts {
  config: Config;
  scheduler: Scheduler;
  random: Random;
  climate: Climate;
  startMs: number;
  isFair: () => boolean;
  note: (label: string) => void;
  blame: Blame;
  sabotage: Sabotage;
  app: SimulatedApp;
  /** How long an access token lives; the dice decide where it is not given. */
  tokenLifeMs?: number;
}

const grantRowSchema = z.tuple([z.object({ value: z.string() })]);
const storedGrantSchema = z.object({ sealed: z.string() });
const grantSchema = z.object({ accessToken: z.string(), refreshToken: z.string() });
const dueSchema = z.array(z.object({ what: z.string(), at: z.number() }));

/** The alarm may be so much later than what is due: what ran when its actor died is looked after within 5 s. */
const SLACK_MS = 6_000;
/** A sweep of holds looks after itself: one that its actor's death has cut off is begun anew after so long. */
const SWEEP_WATCH_MS = 30_000;

/** A task that a limit leaves no room for waits in memory until there is: at most as long as the longest window and a lease. */
const LONGEST_WAIT_MS = 15 * 60_000;

/** What is due earliest, of each kind of thing, and how much later its alarm may be. */
const EARLIEST_DUE = [
  {
    slackMs: LONGEST_WAIT_MS,
    query: `SELECT id AS what, due_at AS at FROM task WHERE state IN ('accepted', 'parked') ORDER BY at LIMIT 1`,
  },
  { slackMs: SLACK_MS, query: `SELECT name AS what, due_at AS at FROM duty ORDER BY at LIMIT 1` },
  {
    slackMs: SLACK_MS + SWEEP_WATCH_MS,
    query: `SELECT what, at FROM (
      SELECT 'leftover' AS what, due_at AS at FROM leftover
      UNION ALL SELECT hold_id, expires_at FROM hold WHERE state IN ('placing', 'held')) ORDER BY at LIMIT 1`,
  },
];

/** One connector of a world: its actor's platform, the account at the provider, and who watches them. */
export class SimulatedConnector {
  readonly #parts: WorldParts;
  readonly connectorId: string;
  readonly name: string;
  readonly store = new SqliteStore();
  readonly server: CalendarServer;
  readonly network: Network;
  readonly surroundings: Surroundings;
  readonly host: Host;
  readonly tasks: TaskWatch;
  readonly holds: HoldWatch;
  readonly orders: Order[];
  /** When its person has connected last. */
  reconnectedAtMs = 0;
  /** Its person has been called to connect again. */
  isWaitedFor = false;
  #noticesRead = 0;
  /** Ends that callers were told who waited. */
  readonly toldEnds: { id: string; end: string }[] = [];
  #lookedAt = '';

  constructor(parts: WorldParts, index: number) {
    this.#parts = parts;
    const { scheduler, random, climate, startMs, blame, sabotage, config } = parts;
    this.name = `c${index}`;
    this.connectorId = `connector-${index}`;
    const blameHere: Blame = (invariant, detail) => blame(invariant, `${this.name}: ${detail}`);
    // Only where no reply is lost can an account be as strict as that: else it is the provider that ends grants.
    const losesReplies = climate.kill + climate.fault + climate.loss + climate.hang > 0;
    const rotates = random.chance(0.7);
    this.server = new CalendarServer({
      now: scheduler.now,
      tokenLifeMs: parts.tokenLifeMs ?? random.pick(120_000, 3_600_000),
      rotates,
      isStrict: rotates && !losesReplies,
      keepsKeys: sabotage.ignoresKeys !== true,
      blame: blameHere,
    });
    const busyFromMs = startMs + 24 * 3_600_000 + random.whole(0, 5) * 3_600_000;
    if (random.chance(0.3)) this.server.busy.push({ startMs: busyFromMs, endMs: busyFromMs + 1_800_000 });
    const limit = random.whole(1, 4);
    const meter = new Meter(limit);
    const user: WindowLimit = {
      // Several operations at once need what is left of it to come to their end.
      limit: random.pick(1_000, 1_000, 100, 20),
      windowMs: random.pick(10_000, 100_000),
    };
    const shared = { ...parts, name: this.name, wire: new Wire(scheduler, random, climate) };
    this.network = new Network({
      ...shared,
      server: this.server,
      meter,
      userCalls: new CallCount(user, scheduler.now),
      blame: blameHere,
      storedAccessToken: () => this.storedGrant()?.accessToken,
    });
    this.surroundings = new Surroundings({ ...shared, losesNotices: sabotage.losesNotices === true });
    const allowed = Math.min(4, limit + (sabotage.extraCalls ?? 0));
    this.host = new Host({
      ...shared,
      connectorId: this.connectorId,
      config: {
        ...config,
        limits: {
          ...config.limits,
          maxConcurrent: { google: allowed, microsoft: allowed },
          user: { google: user, microsoft: user },
        },
      },
      store: this.store,
      network: this.network,
      surroundings: this.surroundings,
      blame: blameHere,
    });
    this.tasks = new TaskWatch(this.store, blameHere, scheduler.now);
    this.holds = new HoldWatch(this.store, this.server, blameHere, scheduler.now);
    this.orders = writeScript(this.connectorId, startMs, climate, random);
    for (const { task } of this.orders) {
      const { payload } = task;
      const isForced =
        typeof payload === 'object' &&
        payload !== null &&
        'onConflict' in payload &&
        payload.onConflict === 'allow';
      if (isForced) this.holds.forced.add(creationKeyOf(this.connectorId, task.id));
    }
  }

  /** The grant in the actor's storage. */
  storedGrant(): z.infer<typeof grantSchema> | undefined {
    const rows = this.store.query(`SELECT value FROM fact WHERE name = 'grant'`);
    if (rows.length === 0) return undefined;
    const [{ value }] = grantRowSchema.parse(rows);
    return grantSchema.parse(JSON.parse(openSealed(storedGrantSchema.parse(JSON.parse(value)).sealed)));
  }

  /** True once for each time that its person is called to connect again. */
  needsPerson(): boolean {
    const news = this.surroundings.sent.slice(this.#noticesRead);
    this.#noticesRead += news.length;
    return news.some(({ type }) => type === 'connector-needs-reauth');
  }

  /** Looks at everything after a step, where something can have changed. */
  look(): void {
    const { host, store } = this;
    const state = [store.changes, host.alarmAtMs, host.isIdle, host.isAlive, host.isRinging].join(' ');
    if (state === this.#lookedAt) return;
    this.#lookedAt = state;
    this.tasks.look();
    this.holds.look();
    if (!host.isAlive) this.#lookAtDead();
    else if (host.isIdle && !host.isRinging) this.#lookAtIdle();
  }

  /** An actor with nothing under way: whatever is due, an alarm stands for it. */
  #lookAtIdle(): void {
    this.holds.lookAtRest();
    for (const { query, slackMs } of EARLIEST_DUE) {
      const [due] = dueSchema.parse(this.store.query(query));
      if (due !== undefined) this.#expectAlarm(due.what, due.at, slackMs);
    }
    const received = this.network.newestReceived;
    const stored = this.storedGrant()?.refreshToken;
    if (received !== undefined && received !== stored)
      this.#parts.blame('token-kept', `${this.name}: ${received} has come, ${stored} is stored`);
  }

  /** A dead one: an alarm resumes what it has taken on. Its alarm may be for the next look at what ran. */
  #lookAtDead(): void {
    if (this.tasks.open().length > 0) this.#expectAlarm('a task', Infinity, 0);
  }

  /** Tasks of which somebody was told another end than the one that is recorded, and what they were told. */
  contradictions(): string[] {
    const told = new Map<string, string>();
    for (const { taskId, type, error } of this.surroundings.sent) {
      const seen = this.tasks.seen.get(taskId ?? '');
      if (taskId === undefined || seen?.endedAtMs === undefined) continue;
      const isSame = type === (seen.state === 'done' ? 'task-completed' : 'task-failed');
      if (!isSame) told.set(taskId, `by a notice, ${type} ${error?.code ?? ''}`);
    }
    for (const { id, end } of this.toldEnds) {
      const seen = this.tasks.seen.get(id);
      // What is only read may read otherwise the second time.
      const isRead = seen?.type === 'check-availability' || seen?.type === 'refresh-token';
      if (seen?.endedAtMs !== undefined && !isRead && seen.outcome !== end)
        told.set(id, `its caller, ${end}`);
    }
    return [...told].map(([id, what]) => {
      const { type, outcome } = this.tasks.seen.get(id) ?? {};
      return `${this.name}: of ${type} ${id} was told, ${what}; recorded is ${outcome}`;
    });
  }

  #expectAlarm(what: string, dueMs: number, slackMs: number): void {
    const { blame, scheduler } = this.#parts;
    const { alarmAtMs } = this.host;
    if (alarmAtMs !== null && alarmAtMs <= Math.max(dueMs, scheduler.now()) + slackMs) return;
    const stands = alarmAtMs === null ? 'no alarm' : `the alarm only in ${alarmAtMs - scheduler.now()} ms`;
    blame('alarm', `${this.name}: ${what} is due in ${dueMs - scheduler.now()} ms, ${stands}`);
  }
}
