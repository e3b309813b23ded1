import { env } from 'cloudflare:workers';
import { ok } from '../src/domain/failure.ts';

/** A call that an actor got. */
export interface ActorCall {
  connectorId: string;
  method: string;
  args: unknown[];
}

/**
 * Stands in for CONNECTOR: every actor answers a call as `answer` says (a bare `ok` by default), and
 * no Durable Object is made. `calls` are the calls in their order.
 */
export function scriptActors(answer: (call: ActorCall) => unknown = () => ok(undefined)): {
  CONNECTOR: Env['CONNECTOR'];
  calls: ActorCall[];
} {
  const calls: ActorCall[] = [];
  const actor = (connectorId: string) =>
    new Proxy(
      {},
      {
        get:
          (_, method) =>
          async (...args: unknown[]) => {
            const call = { connectorId, method: String(method), args };
            calls.push(call);
            return await answer(call);
          },
      },
    );
  const CONNECTOR = new Proxy(env.CONNECTOR, {
    get: (_, method) => {
      if (method !== 'getByName') throw new Error(`CONNECTOR.${String(method)} is not for the Worker`);
      return actor;
    },
  });
  return { CONNECTOR, calls };
}

/** Stands in for a queue: `sent` are the message bodies it took. It refuses them while `broken`. */
export function scriptQueue<Body>(queue: Queue<Body>): { queue: Queue<Body>; sent: Body[]; broken: boolean } {
  const sent: Body[] = [];
  const take = async (bodies: Body[]) => {
    await Promise.resolve();
    if (scripted.broken) throw new Error('the queue is down');
    sent.push(...bodies);
  };
  const methods: Partial<Record<string | symbol, unknown>> = {
    send: (body: Body) => take([body]),
    sendBatch: (messages: Iterable<MessageSendRequest<Body>>) =>
      take(Array.from(messages, ({ body }) => body)),
  };
  const scripted = { queue: new Proxy(queue, { get: (_, method) => methods[method] }), sent, broken: false };
  return scripted;
}
