import { readConfig } from './config.ts';
import { consumeDeadLetters, DEAD_LETTER_QUEUE } from './dead-letter-consumer.ts';
import { describeFailure } from './domain/failure.ts';
import { handleRequest } from './http/router.ts';
import { createRecorder } from './metrics.ts';
import { consumeTasks } from './queue-consumer.ts';
import { sweep } from './scheduled.ts';

export { CalendarService } from './calendar-service.ts';
export { ConnectorDO } from './connector/connector-do.ts';
export { HoldGroupDO } from './hold-group/hold-group-do.ts';
export { ProviderAppDO } from './provider-app/provider-app-do.ts';

const now = () => Date.now();
const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));

export default {
  fetch: (request, env, context) =>
    handleRequest(request, {
      env,
      now,
      randomBytes,
      randomId: () => crypto.randomUUID(),
      record: createRecorder(env.METRICS),
      waitUntil: (work) => context.waitUntil(work),
    }),
  queue: (batch, env) =>
    (batch.queue === DEAD_LETTER_QUEUE ? consumeDeadLetters : consumeTasks)(batch, {
      env,
      now,
      record: createRecorder(env.METRICS),
    }),
  async scheduled(_, env) {
    const record = createRecorder(env.METRICS);
    const config = readConfig(env, randomBytes);
    if (config.ok) await sweep(env, config.value.keyring, { now, record });
    else record({ event: 'error', where: 'cron', detail: describeFailure(config.failure).message });
  },
} satisfies ExportedHandler<Env>;
