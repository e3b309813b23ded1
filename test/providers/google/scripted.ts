import { ok, type Outcome } from '../../../src/domain/failure.ts';
import type { OutgoingRequest, Reply, Send } from '../../../src/providers/http.ts';
import type { Access, Throttle } from '../../../src/providers/provider.ts';
import { heedingSend } from '../heeding-send.ts';

/** The instant at which every scripted reply arrives: far from the machine's own clock. */
export const NOW = Date.UTC(2031, 4, 5, 6, 7, 8);

export const API_URL = 'https://google.test';

/** A reply with `body` as JSON, or as it is when it is text. */
export function reply(status: number, body: unknown, headers: Record<string, string> = {}): Reply {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers: new Headers(headers), body: text, receivedAtMs: NOW };
}

/** An error reply in Google's form. */
export function apiError(status: number, reason: string, headers: Record<string, string> = {}): Reply {
  const message = 'Some text of the provider.';
  const error = { code: status, message, errors: [{ domain: 'global', reason, message }] };
  return reply(status, { error }, headers);
}

/** Answers as `answer` says, and keeps what was sent. */
export function scriptSend(answer: (request: OutgoingRequest, count: number) => Reply | Outcome<Reply>): {
  send: Send;
  sent: OutgoingRequest[];
} {
  const sent: OutgoingRequest[] = [];
  return {
    sent,
    send: async (request) => {
      sent.push(request);
      const answered = answer(request, sent.length);
      return 'ok' in answered ? answered : ok(answered);
    },
  };
}

/** Access through a scripted `send`; `heldBack` are the throttles that requests found in their replies. */
export function scriptAccess(answer: Parameters<typeof scriptSend>[0]): {
  access: Access;
  sent: OutgoingRequest[];
  heldBack: Throttle[];
} {
  const { send, sent } = scriptSend(answer);
  const heldBack: Throttle[] = [];
  const access: Access = {
    accessToken: 'access-1',
    account: { id: '1', email: 'Ada@example.com', kind: 'personal' },
    send: heedingSend(send, heldBack),
    now: () => NOW,
  };
  return { access, sent, heldBack };
}

/** A part of a batch as it was sent. */
export interface SentPart {
  id: string;
  method: string;
  path: string;
  body: unknown;
}

/** Reads a batch request the way a server does, apart from the code under test. */
export function readSentBatch(request: OutgoingRequest | undefined): SentPart[] {
  const boundary = /boundary=(\S+)$/.exec(request?.headers?.['Content-Type'] ?? '')?.[1] ?? 'none';
  const pieces = `\r\n${request?.body ?? ''}`.split(`\r\n--${boundary}`).slice(1, -1);
  return pieces.map((piece) => {
    const [outer = '', head = '', body = ''] = piece.split('\r\n\r\n');
    const [, method = '', path = ''] = /^(\S+) (\S+)/.exec(head) ?? [];
    const json: unknown = body === '' ? undefined : JSON.parse(body);
    return { id: /Content-ID: <(.*)>/.exec(outer)?.[1] ?? '', method, path, body: json };
  });
}

/** A batch reply holding `replies`, each under the id of the part it answers (none: no id at all). */
export function batchReply(replies: readonly (Reply & { id?: string })[], eol = '\r\n'): Reply {
  const parts = replies.map(({ id, status, headers, body }) =>
    [
      '--batch_of_google',
      'Content-Type: application/http',
      ...(id === undefined ? [] : [`Content-ID: <response-${id}>`]),
      '',
      `HTTP/1.1 ${status} Some Reason`,
      ...[...headers].map(([name, value]) => `${name}: ${value}`),
      '',
      body,
    ].join(eol),
  );
  return reply(200, [...parts, '--batch_of_google--', ''].join(eol), {
    'Content-Type': 'multipart/mixed; boundary=batch_of_google',
  });
}
