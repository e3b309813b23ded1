import { ok, type Outcome } from '../../../src/domain/failure.ts';
import type { OutgoingRequest, Reply, Send } from '../../../src/providers/http.ts';
import type { Access, Account, Throttle } from '../../../src/providers/provider.ts';
import type { MicrosoftConfig } from '../../../src/providers/microsoft/config.ts';
import { heedingSend } from '../heeding-send.ts';

export const CONFIG: MicrosoftConfig = {
  clientId: '11111111-2222-3333-4444-555555555555',
  clientSecret: 'the-client-secret',
  loginUrl: 'https://login.example',
  graphUrl: 'https://graph.example',
};

export const NOW = Date.UTC(2026, 10, 23, 8);

export const WORKER: Account = {
  id: 'oid-ada',
  email: 'ada@upn.example',
  tenantId: 'tenant-1',
  kind: 'work',
};
export const PERSON: Account = { id: 'oid-joe', email: 'joe@outlook.example', kind: 'personal' };

/** A reply, its body given as JSON. */
export function reply(status: number, body?: unknown, headers: Record<string, string> = {}): Outcome<Reply> {
  return ok({
    status,
    headers: new Headers(headers),
    body: body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body),
    receivedAtMs: NOW,
  });
}

/** A `Send` that answers by `respond` and keeps what it was asked. */
export function scriptedSend(respond: (request: OutgoingRequest, index: number) => Outcome<Reply>): {
  send: Send;
  asked: OutgoingRequest[];
} {
  const asked: OutgoingRequest[] = [];
  return {
    asked,
    send: (request) => {
      asked.push(request);
      return Promise.resolve(respond(request, asked.length - 1));
    },
  };
}

/** Access through `send`; the throttles that requests find in their replies are kept in `held`. */
export function scriptedAccess(send: Send, account: Account = WORKER): { access: Access; held: Throttle[] } {
  const held: Throttle[] = [];
  return {
    held,
    access: {
      accessToken: 'the-access-token',
      account,
      send: heedingSend(send, held),
      now: () => NOW,
    },
  };
}

/** One part of a batch, as it is sent. */
export interface SentPart {
  id: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: unknown;
}

/** What a Graph double answers one request. */
export interface GraphAnswer {
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** The parts of a batch request. */
export function partsOf(request: OutgoingRequest): SentPart[] {
  const envelope: { requests: SentPart[] } = JSON.parse(request.body ?? '{}');
  return envelope.requests;
}

/**
 * A `Send` that answers like Graph: `answer` is asked for each request, in a batch or not, by its
 * path below /v1.0. Parts come back in reverse, because order means nothing.
 */
export function scriptedGraph(
  answer: (part: { method: string; url: string; body?: unknown }) => GraphAnswer,
): {
  send: Send;
  asked: OutgoingRequest[];
} {
  return scriptedSend((request) => {
    const path = request.url.slice(`${CONFIG.graphUrl}/v1.0`.length);
    if (path !== '/$batch') {
      const body: unknown = request.body === undefined ? undefined : JSON.parse(request.body);
      const single = answer({ method: request.method, url: path, body });
      return reply(single.status ?? 200, single.body, single.headers);
    }
    const responses = partsOf(request).map((part) => ({ id: part.id, status: 200, ...answer(part) }));
    return reply(200, { responses: responses.toReversed() });
  });
}
