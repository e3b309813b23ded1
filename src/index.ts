import { handleRequest } from './http/router.ts';
import { logEvent } from './metrics.ts';
import { consumeTasks } from './queue-consumer.ts';
import { sweep } from './scheduled.ts';

export { ConnectorDO } from './connector/connector-do.ts';

const now = () => Date.now();

export default {
  fetch: (request, env) =>
    handleRequest(request, {
      env,
      now,
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
      randomId: () => crypto.randomUUID(),
      record: logEvent,
    }),
  queue: (batch, env) => consumeTasks(batch, { env, now, record: logEvent }),
  scheduled: (_, env) => sweep(env, now()),
} satisfies ExportedHandler<Env>;
