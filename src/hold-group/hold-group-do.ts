import { DurableObject } from 'cloudflare:workers';
import { actorOf } from '../connector/stub.ts';
import type { GroupHoldRequest } from '../domain/hold.ts';
import { createRecorder, describeThrown, type RecordEvent } from '../metrics.ts';
import { type Group, type GroupConfirmation, groupSchema } from './group-state.ts';
import { type GroupAnswer, HoldGroup } from './hold-group.ts';

/** Where a group stands in its object's storage. */
const KEY = 'group';

/** The Durable Object of one hold over several connectors: a shell that gives the saga its storage and its alarm. */
export class HoldGroupDO extends DurableObject {
  readonly #group: HoldGroup;
  readonly #record: RecordEvent;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    const { storage } = state;
    this.#record = createRecorder(env.METRICS);
    this.#group = new HoldGroup({
      shelf: {
        read() {
          const stored = storage.kv.get(KEY);
          return stored === undefined ? undefined : groupSchema.parse(stored);
        },
        write: (group: Group) => storage.kv.put(KEY, group),
      },
      wipe: async () => {
        await storage.deleteAlarm();
        await storage.deleteAll();
      },
      setAlarm: (atMs) => storage.setAlarm(atMs),
      perform: async (task, waitMs) => await actorOf(env, task.connectorId).perform(task, waitMs),
      now: () => Date.now(),
      random: () => Math.random(),
      randomId: () => crypto.randomUUID(),
    });
  }

  /** Holds the time on every connector, or on none. */
  place(request: GroupHoldRequest, key?: string): Promise<GroupAnswer> {
    return this.#group.place(request, key);
  }

  /** How the hold stands. */
  show(): GroupAnswer {
    return this.#group.show();
  }

  /** Lets go on every connector. */
  cancel(holdId: string): Promise<GroupAnswer> {
    return this.#group.cancel(holdId);
  }

  /** Turns the hold into the event on every connector. */
  confirm(confirmation: GroupConfirmation): Promise<GroupAnswer> {
    return this.#group.confirm(confirmation);
  }

  /** Goes on with what is open. A fault does not fail the alarm: the platform gives one up that keeps failing. */
  override async alarm(): Promise<void> {
    try {
      await this.#group.alarm();
    } catch (thrown) {
      const where = `alarm of the hold ${this.ctx.id.name ?? ''}`;
      this.#record({ event: 'error', where, detail: describeThrown(thrown) });
      await this.ctx.storage.setAlarm(Date.now() + 60_000);
    }
  }
}
