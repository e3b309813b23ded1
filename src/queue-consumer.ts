import { actorOf, knownConnectors } from './connector/stub.ts';
import { describeFailure, type ErrorCode } from './domain/failure.ts';
import { listFieldErrors, summarizeFieldErrors } from './domain/field-error.ts';
import type { Notice } from './domain/notice.ts';
import { type CalendarTask, calendarTaskSchema, nameTask } from './domain/task.ts';
import { describeThrown, type RecordEvent } from './metrics.ts';

/** A message whose task is well formed. */
interface Delivery {
  message: Message;
  task: CalendarTask & { id: string };
}

/** What the consumer is made of. */
export interface ConsumerOptions {
  env: Pick<Env, 'DB' | 'CONNECTOR' | 'Q_NOTIFY'>;
  now: () => number;
  record: RecordEvent;
}

/**
 * Hands a batch of `calendar-tasks` to the actors: one call per connector (and one for each message that comes again). A message that cannot be
 * a task is acknowledged and reported; it hurts no other. The queue retries only a hand-off that
 * failed; once an actor has taken a task, its ledger answers for it.
 */
export async function consumeTasks(batch: MessageBatch, options: ConsumerOptions): Promise<void> {
  const deliveries: Delivery[] = [];
  for (const message of batch.messages) {
    const read = calendarTaskSchema.safeParse(message.body);
    if (read.success) deliveries.push({ message, task: { ...read.data, id: read.data.id ?? message.id } });
    else await refuse(message, 'invalid_request', summarizeFieldErrors(listFieldErrors(read.error)), options);
  }
  const known = await tryHandOff(deliveries, options, () =>
    knownConnectors(
      options.env,
      deliveries.map(({ task }) => task.connectorId),
    ),
  );
  if (known === undefined) return;
  // What comes again goes by itself: should it be what no actor can take, the others do not die with it.
  const groups = Map.groupBy(deliveries, ({ message, task }) =>
    message.attempts === 1 ? task.connectorId : message,
  );
  await Promise.all(
    [...groups.values()].map(async (group) => {
      const connectorId = group[0]?.task.connectorId ?? '';
      if (known.has(connectorId)) return await handOver(connectorId, group, options);
      for (const { message } of group) {
        await refuse(message, 'not_found', `connectorId: no connector ${connectorId}`, options);
      }
    }),
  );
}

async function handOver(connectorId: string, group: Delivery[], options: ConsumerOptions): Promise<void> {
  const outcome = await tryHandOff(
    group,
    options,
    async () => await actorOf(options.env, connectorId).submit(group.map(({ task }) => task)),
  );
  if (outcome === undefined) return;
  if (!outcome.ok) {
    // The actor could not even look at them (its configuration is broken): nothing is lost by waiting.
    const { message } = describeFailure(outcome.failure);
    options.record({ event: 'error', where: `hand-off to ${connectorId}`, detail: message });
    for (const delivery of group) retryLater(delivery.message);
    return;
  }
  for (const [index, { message, task }] of group.entries()) {
    switch (outcome.value[index]) {
      case 'mismatch':
        await refuse(message, 'idempotency_mismatch', `id: ${task.id} is the id of another task`, options);
        break;
      case 'not-connected':
        // What is wanted is so already: a redelivery after the end must not look like a failure.
        if (task.type === 'disconnect') await tell(message, disconnected(task, options), options);
        else {
          const detail = `connectorId: ${connectorId} has no account connected`;
          await refuse(message, 'reauth_required', detail, options);
        }
        break;
      case 'accepted':
      case 'repeat':
        message.ack();
        break;
      case undefined:
        // Nobody answers for this one: acknowledging it would lose it.
        retryLater(message);
    }
  }
}

/** Runs one step of the hand-off; when it throws, its messages are delivered again later. */
async function tryHandOff<T>(
  group: Delivery[],
  { record }: ConsumerOptions,
  step: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await step();
  } catch (thrown) {
    record({ event: 'error', where: 'hand-off of tasks', detail: describeThrown(thrown) });
    for (const { message } of group) retryLater(message);
    return undefined;
  }
}

/** Reports a message that will never be a task, and acknowledges it once the report is out. */
async function refuse(
  message: Message,
  code: ErrorCode,
  detail: string,
  options: ConsumerOptions,
): Promise<void> {
  const { now, record } = options;
  const { id, type, connectorId } = nameTask(message.body);
  record({ event: 'message-refused', messageId: message.id, taskId: id ?? message.id, code, detail });
  const notice: Notice = {
    type: 'task-failed',
    connectorId: connectorId ?? '',
    at: new Date(now()).toISOString(),
    taskId: id ?? message.id,
    ...(type !== undefined && { taskType: type }),
    error: { code, message: detail, retryable: false },
  };
  await tell(message, notice, options);
}

function disconnected({ id, type, connectorId }: Delivery['task'], { now }: ConsumerOptions): Notice {
  const at = new Date(now()).toISOString();
  return {
    type: 'task-completed',
    connectorId,
    at,
    taskId: id,
    taskType: type,
    result: { status: 'disconnected' },
  };
}

/** Has a message delivered again, ever later: a fault may last, and deliveries are few. */
function retryLater(message: Message): void {
  message.retry({ delaySeconds: Math.min(3_600, 10 * 4 ** (message.attempts - 1)) });
}

/** Sends the notice that a message ends in, and acknowledges the message once it is out. */
async function tell(message: Message, notice: Notice, { env, record }: ConsumerOptions): Promise<void> {
  try {
    await env.Q_NOTIFY.send(notice);
    message.ack();
  } catch (thrown) {
    record({ event: 'error', where: 'report of a message', detail: describeThrown(thrown) });
    retryLater(message);
  }
}
