import { DurableObject } from 'cloudflare:workers';
import { readConfig } from '../config.ts';
import { describeFailure } from '../domain/failure.ts';
import type { Lease, LeaseRequest, ShardReport } from '../domain/lease.ts';
import { createRecorder, describeThrown, type RecordEvent } from '../metrics.ts';
import { ProviderApp } from './provider-app.ts';
import { readShardName, shareOf } from './shard.ts';
import type { Shelf } from './shelf.ts';

/** When the worker is not set up, connectors are told to ask again after this long. */
const MISCONFIGURED_WAIT_MS = 60_000;

/**
 * The Durable Object of one app registration's shard: a shell that gives the provider app its storage and
 * its clock. An object that nobody asks for permits stores nothing.
 */
export class ProviderAppDO extends DurableObject {
  readonly #record: RecordEvent;
  #app: ProviderApp | undefined;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#record = createRecorder(env.METRICS);
  }

  /** Takes a connector's report in and grants it permits; none while the worker is not set up. */
  lease(request: LeaseRequest): Lease {
    const app = this.#wake();
    if (app !== undefined) return app.lease(request);
    const nowMs = Date.now();
    return {
      granted: 0,
      untilMs: nowMs,
      breaker: 'closed',
      ...(request.want > 0 && { retryAtMs: nowMs + MISCONFIGURED_WAIT_MS }),
    };
  }

  /** How this shard stands; undefined while the worker is not set up. */
  report(): ShardReport | undefined {
    return this.#wake()?.report();
  }

  #wake(): ProviderApp | undefined {
    if (this.#app !== undefined) return this.#app;
    const { name } = this.ctx.id;
    const shard = readShardName(name);
    if (shard === undefined) throw new Error(`an object of no provider: ${name}`);
    const config = readConfig(this.env, (length) => crypto.getRandomValues(new Uint8Array(length)));
    if (!config.ok) {
      const { message: detail } = describeFailure(config.failure);
      this.#record({ event: 'error', where: `provider app ${name}`, detail });
      return undefined;
    }
    const { app, appShards, breaker } = config.value.limits;
    const { limit, windowMs } = app[shard.provider];
    this.#app = new ProviderApp({
      window: { limit: shareOf(limit, shard.shard, appShards), windowMs },
      breaker,
      shelves: {
        quota: this.#shelf('quota'),
        breaker: this.#shelf('breaker'),
        throttle: this.#shelf('throttle'),
        'roll-up': this.#shelf('roll-up'),
      },
      now: () => Date.now(),
      later: (ms, work) => {
        setTimeout(() => {
          try {
            work();
          } catch (thrown) {
            this.#record({
              event: 'error',
              where: `provider app ${name}`,
              detail: describeThrown(thrown),
            });
          }
        }, ms);
      },
      onBreaker: (state) => this.#record({ event: 'breaker', ...shard, state }),
    });
    return this.#app;
  }

  #shelf(key: string): Shelf {
    const { kv } = this.ctx.storage;
    return {
      read: () => kv.get(key),
      write: (value) => kv.put(key, value),
    };
  }
}
