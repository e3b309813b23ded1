import { type DeadLetterDraft, keepDeadLetters, markDeadLettersReported } from './db/dead-letters.ts';
import type { Notice } from './domain/notice.ts';
import { nameTask } from './domain/task.ts';
import { describeThrown, type RecordEvent } from './metrics.ts';

/** The queue of the messages of `calendar-tasks` that could not be handed over. */
export const DEAD_LETTER_QUEUE = 'calendar-tasks-dlq';

/** What the consumer is made of. */
export interface DeadLetterOptions {
  env: Pick<Env, 'DB' | 'Q_NOTIFY'>;
  now: () => number;
  record: RecordEvent;
}

/**
 * Takes in a batch of dead messages: kept first, so that each can be replayed, then told on `notify-tasks`
 * (a `task-failed` each, one `operator-alert` for the batch), then acknowledged. A message that is delivered
 * again is neither kept nor told twice. While the database or the queue is down they are delivered again.
 */
export async function consumeDeadLetters(batch: MessageBatch, options: DeadLetterOptions): Promise<void> {
  const { env, now, record } = options;
  try {
    const letters = batch.messages.map(describeLetter);
    const unreported = await keepDeadLetters(env.DB, letters, now());
    const news = letters.filter(({ id }) => unreported.has(id));
    if (news.length > 0) {
      const at = new Date(now()).toISOString();
      const notices = [...news.map((letter) => describeFailed(letter, at)), describeAlert(news, at)];
      await env.Q_NOTIFY.sendBatch(notices.map((body) => ({ body })));
      await markDeadLettersReported(
        env.DB,
        news.map(({ id }) => id),
        now(),
      );
    }
    for (const { id, taskId, taskType, connectorId } of news) {
      const detail = `${taskType ?? 'a message'} ${taskId} of ${connectorId ?? 'nobody'} is kept as ${id}`;
      record({ event: 'error', where: DEAD_LETTER_QUEUE, detail });
    }
    for (const message of batch.messages) message.ack();
  } catch (thrown) {
    record({ event: 'error', where: DEAD_LETTER_QUEUE, detail: describeThrown(thrown) });
    // Deliveries are few, and behind this queue there is none: the fault is given an hour each time.
    for (const message of batch.messages) {
      message.retry({ delaySeconds: Math.min(3_600, 10 * 4 ** (message.attempts - 1)) });
    }
  }
}

function describeLetter({ id, body }: Message): DeadLetterDraft {
  const { id: taskId = id, type: taskType, connectorId } = nameTask(body);
  return { id, taskId, taskType, connectorId, body: toJson(body) };
}

/** A body as JSON; what JSON cannot say is no task either, and is kept as `null`. */
function toJson(body: unknown): string {
  try {
    return JSON.stringify(body) ?? 'null';
  } catch {
    return 'null';
  }
}

function describeFailed({ id, taskId, taskType, connectorId }: DeadLetterDraft, at: string): Notice {
  const message = `The task could not be handed over; it is kept as the dead letter ${id} and can be replayed.`;
  return {
    type: 'task-failed',
    connectorId: connectorId ?? '',
    at,
    taskId,
    ...(taskType !== undefined && { taskType }),
    error: { code: 'provider_unavailable', message, retryable: true },
  };
}

function describeAlert(letters: readonly DeadLetterDraft[], at: string): Notice {
  const connectors = new Set(letters.map(({ connectorId }) => connectorId));
  const [only] = connectors.size === 1 ? connectors : [];
  const message =
    `Tasks that could not be handed over: ${letters.length}. ` +
    'GET /v1/dead-letters lists them; once the fault is mended, each can be replayed.';
  return {
    type: 'operator-alert',
    connectorId: only ?? '',
    at,
    error: { code: 'provider_unavailable', message, retryable: false },
  };
}
