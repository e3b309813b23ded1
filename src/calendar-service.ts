import { WorkerEntrypoint } from 'cloudflare:workers';
import type * as z from 'zod';
import { readConfig } from './config.ts';
import {
  type AvailabilityAnswer,
  type JoinedAnswer,
  availabilityOfAllRequestSchema,
  availabilityRequestSchema,
} from './domain/availability.ts';
import { type Connector, connectRequestSchema } from './domain/connector.ts';
import {
  type cancelEventRequestSchema,
  type createEventRequestSchema,
  type EventRecord,
  eventRecordSchema,
  type updateEventRequestSchema,
} from './domain/event.ts';
import {
  type ChangesAnswer,
  changesRequestSchema,
  type EventsAnswer,
  eventsRequestSchema,
} from './domain/event-list.ts';
import {
  confirmationBodySchema,
  groupHoldRequestSchema,
  type HoldRecord,
  holdRecordSchema,
  type placeHoldRequestSchema,
} from './domain/hold.ts';
import {
  type MeetingTimesAnswer,
  meetingTimesOfAllRequestSchema,
  meetingTimesRequestSchema,
} from './domain/meeting-times.ts';
import { type TaskReport, taskSubmissionSchema } from './domain/task.ts';
import { createRecorder, describeThrown } from './metrics.ts';
import { checkAvailability, checkAvailabilityOfAll } from './operations/availability.ts';
import {
  disconnect,
  getConnector,
  listConnectors,
  startConnect,
  type StartedConnect,
} from './operations/connectors.ts';
import type { Context } from './operations/context.ts';
import { listChanges, listEvents } from './operations/event-list.ts';
import {
  cancelGroupHold,
  confirmGroupHold,
  type GroupHoldEnd,
  placeGroupHold,
  showGroupHold,
} from './operations/hold-groups.ts';
import { checkIdempotencyKey } from './operations/idempotency.ts';
import { findMeetingTimes, findMeetingTimesOfAll } from './operations/meeting-times.ts';
import { failed, readInput, type Result } from './operations/result.ts';
import {
  cancelledEventSchema,
  performWrite,
  reportTask,
  submitTasks,
  type WriteEnd,
} from './operations/tasks.ts';

/** How a write is asked for. With `idempotencyKey`, a repeat is the same write. */
export interface WriteOptions {
  idempotencyKey?: string;
}

/**
 * The worker's operations for sibling Workers, over a service binding with the entrypoint
 * `CalendarService`: what the HTTP API does, with the same requests, typed. Every method answers with a
 * value: `{ok: true, value}`, or `{ok: false, problem}` with the API's `code`; none throws. Who holds the
 * binding is trusted: there is no token.
 */
export class CalendarService extends WorkerEntrypoint {
  /** Makes a connector (or takes the one named) and the address where its person signs in. */
  startConnect(
    request: z.input<typeof connectRequestSchema>,
    options?: WriteOptions,
  ): Promise<Result<StartedConnect>> {
    return this.#answer(connectRequestSchema, request, async (read, context) => {
      const key = readKey(options);
      return key.ok ? await startConnect(read, key.value, context) : key;
    });
  }

  /** The connectors of one person. */
  listConnectors(userId: string): Promise<Result<{ connectors: Connector[] }>> {
    return this.#run((context) => listConnectors(userId, context));
  }

  /** The state of a connector. */
  getConnector(connectorId: string): Promise<Result<Connector>> {
    return this.#run((context) => getConnector(connectorId, context));
  }

  /** Withdraws the grant and erases everything but the row that says so. */
  disconnect(connectorId: string): Promise<Result<Connector>> {
    return this.#run((context) => disconnect(connectorId, context));
  }

  /** When is this account busy? */
  availability(
    connectorId: string,
    request: z.input<typeof availabilityRequestSchema>,
  ): Promise<Result<AvailabilityAnswer>> {
    return this.#answer(availabilityRequestSchema, request, (read, context) =>
      checkAvailability(connectorId, read, context),
    );
  }

  /** When is the person behind several connectors busy? */
  availabilityOfAll(request: z.input<typeof availabilityOfAllRequestSchema>): Promise<Result<JoinedAnswer>> {
    return this.#answer(availabilityOfAllRequestSchema, request, ({ connectorIds, question }, context) =>
      checkAvailabilityOfAll(connectorIds, question, context),
    );
  }

  /** When would a meeting suit this account? */
  meetingTimes(
    connectorId: string,
    request: z.input<typeof meetingTimesRequestSchema>,
  ): Promise<Result<MeetingTimesAnswer>> {
    return this.#answer(meetingTimesRequestSchema, request, (read, context) =>
      findMeetingTimes(connectorId, read, context),
    );
  }

  /** When would a meeting suit everybody behind several connectors? */
  meetingTimesOfAll(
    request: z.input<typeof meetingTimesOfAllRequestSchema>,
  ): Promise<Result<MeetingTimesAnswer>> {
    return this.#answer(meetingTimesOfAllRequestSchema, request, ({ connectorIds, question }, context) =>
      findMeetingTimesOfAll(connectorIds, question, context),
    );
  }

  /** Which events are in the calendars of this account? */
  listEvents(
    connectorId: string,
    request: z.input<typeof eventsRequestSchema>,
  ): Promise<Result<EventsAnswer>> {
    return this.#answer(eventsRequestSchema, request, (read, context) =>
      listEvents(connectorId, read, context),
    );
  }

  /** What has changed since an earlier answer gave `cursor`; without one, everything there is. */
  listChanges(connectorId: string, cursor?: string): Promise<Result<ChangesAnswer>> {
    const request = cursor === undefined ? {} : { cursor };
    return this.#answer(changesRequestSchema, request, (read, context) =>
      listChanges(connectorId, read.cursor, context),
    );
  }

  /** Creates an event. */
  createEvent(
    connectorId: string,
    request: z.input<typeof createEventRequestSchema>,
    options?: WriteOptions,
  ): Promise<Result<WriteEnd<EventRecord>>> {
    return this.#write('create-event', connectorId, request, eventRecordSchema, options);
  }

  /** Changes what the request names of an event; `etag` is the version that the caller has seen. */
  updateEvent(
    connectorId: string,
    request: z.input<typeof updateEventRequestSchema>,
    options?: WriteOptions,
  ): Promise<Result<WriteEnd<EventRecord>>> {
    return this.#write('update-event', connectorId, request, eventRecordSchema, options);
  }

  /** Cancels an event, or one occurrence; what is gone already is success. */
  cancelEvent(
    connectorId: string,
    request: z.input<typeof cancelEventRequestSchema>,
    options?: WriteOptions,
  ): Promise<Result<WriteEnd<z.infer<typeof cancelledEventSchema>>>> {
    return this.#write('cancel-event', connectorId, request, cancelledEventSchema, options);
  }

  /** Holds a time. */
  placeHold(
    connectorId: string,
    request: z.input<typeof placeHoldRequestSchema>,
    options?: WriteOptions,
  ): Promise<Result<WriteEnd<HoldRecord>>> {
    return this.#write('place-hold', connectorId, request, holdRecordSchema, options);
  }

  /** Lets a hold go, also one that has yet to come. */
  cancelHold(
    connectorId: string,
    holdId: string,
    options?: WriteOptions,
  ): Promise<Result<WriteEnd<HoldRecord>>> {
    return this.#write('cancel-hold', connectorId, { holdId }, holdRecordSchema, options);
  }

  /** Turns a hold into the event it was held for. */
  confirmHold(
    connectorId: string,
    holdId: string,
    confirmation: z.input<typeof confirmationBodySchema>,
    options?: WriteOptions,
  ): Promise<Result<WriteEnd<HoldRecord>>> {
    return this.#write('confirm-hold', connectorId, { ...confirmation, holdId }, holdRecordSchema, options);
  }

  /** Holds one time on several connectors, all or nothing. */
  placeGroupHold(
    request: z.input<typeof groupHoldRequestSchema>,
    options?: WriteOptions,
  ): Promise<Result<GroupHoldEnd>> {
    return this.#answer(groupHoldRequestSchema, request, async (read, context) => {
      const key = readKey(options);
      return key.ok ? await placeGroupHold(read, key.value, context) : key;
    });
  }

  /** How a hold over several connectors stands. */
  showGroupHold(holdId: string): Promise<Result<GroupHoldEnd>> {
    return this.#run((context) => showGroupHold(holdId, context));
  }

  /** Lets it go on every connector. */
  cancelGroupHold(holdId: string): Promise<Result<GroupHoldEnd>> {
    return this.#run((context) => cancelGroupHold(holdId, context));
  }

  /** Turns it into the event on every connector, or lets it go on all of them. */
  confirmGroupHold(
    holdId: string,
    confirmation: z.input<typeof confirmationBodySchema>,
  ): Promise<Result<GroupHoldEnd>> {
    return this.#answer(confirmationBodySchema, confirmation, (read, context) =>
      confirmGroupHold(holdId, read, context),
    );
  }

  /** Sends tasks to the queue, all or none; their ids, in order. */
  submitTasks(
    tasks: z.input<typeof taskSubmissionSchema>['tasks'],
    options?: WriteOptions,
  ): Promise<Result<{ ids: string[] }>> {
    return this.#answer(taskSubmissionSchema, { tasks }, async (read, context) => {
      const key = readKey(options);
      return key.ok ? await submitTasks(read.tasks, key.value, context) : key;
    });
  }

  /** Where a task stands. */
  getTask(connectorId: string, taskId: string): Promise<Result<TaskReport>> {
    return this.#run((context) => reportTask(connectorId, taskId, context));
  }

  #write<T>(
    type: Parameters<typeof performWrite>[0]['type'],
    connectorId: string,
    payload: object,
    resultSchema: z.ZodType<T>,
    options?: WriteOptions,
  ): Promise<Result<WriteEnd<T>>> {
    return this.#run(async (context) => {
      const key = readKey(options);
      if (!key.ok) return key;
      return await performWrite({ type, connectorId, payload, key: key.value }, resultSchema, context);
    });
  }

  #answer<Read, T>(
    schema: z.ZodType<Read>,
    input: unknown,
    operate: (read: Read, context: Context) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    return this.#run(async (context) => {
      const read = readInput(schema, input);
      return read.ok ? await operate(read.value, context) : read;
    });
  }

  /** An operation with a context; what it throws is a problem like any other: errors do not survive RPC whole. */
  async #run<T>(operate: (context: Context) => Promise<Result<T>>): Promise<Result<T>> {
    const now = () => Date.now();
    const record = createRecorder(this.env.METRICS);
    try {
      const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));
      const config = readConfig(this.env, randomBytes);
      if (!config.ok) return failed(config.failure, now());
      return await operate({
        env: this.env,
        config: config.value,
        now,
        randomBytes,
        randomId: () => crypto.randomUUID(),
        record,
        waitUntil: (work) => this.ctx.waitUntil(work),
      });
    } catch (thrown) {
      record({ event: 'error', where: 'CalendarService', detail: describeThrown(thrown) });
      return failed({ kind: 'unavailable', ambiguous: true }, now());
    }
  }
}

function readKey({ idempotencyKey }: WriteOptions = {}): Result<string | undefined> {
  return checkIdempotencyKey(idempotencyKey, 'idempotencyKey');
}
