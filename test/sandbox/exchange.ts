import type { Hold } from './faults.ts';

/** One request as a handler sees it: a whole HTTP request, or one part of a batch. */
export interface Ask {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: string;
  /** When the carrying HTTP request arrived (parts of a batch share their envelope's arrival). */
  readonly arrivedAtMs: number;
  readonly inBatch: boolean;
  /** The list it asks for is to come out as if nothing were in it. */
  readonly hollow?: true;
  /** Aborts when the client hangs up, or the sandbox closes. */
  readonly clientGone: AbortSignal;
  /** Aborts when the sandbox closes. */
  readonly closing: AbortSignal;
}

/**
 * One reply. `refusal`, `insecure` and `tellsOf` never reach the wire: the first two are what the truth log keeps
 * about it, the last is which holds a client knows of once it has the reply.
 */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Why the request was wrong in itself (not merely unlucky): unknown parameter, bad body, no such path. */
  readonly refusal?: string;
  /** What was accepted although a careful client would not do it. */
  readonly insecure?: string;
  /** The holds that this reply, or a part of it, tells of. */
  readonly tellsOf?: readonly Hold[];
}

/** The client never gets a reply: its connection is destroyed. */
export const CONNECTION_LOST: unique symbol = Symbol('connection lost');

/** What becomes of a request. */
export type Outcome = Answer | typeof CONNECTION_LOST;

/** Thrown inside a handler to answer at once with `answer`. */
export class Refused extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(answer.refusal ?? `answered ${String(answer.status)}`);
    this.answer = answer;
  }
}

/** The holds that the parts of a batch tell of. */
export function holdsIn(parts: readonly Outcome[]): readonly Hold[] {
  return parts.flatMap((part) => (part === CONNECTION_LOST ? [] : (part.tellsOf ?? [])));
}

/** A JSON reply. */
export function jsonAnswer(
  status: number,
  value: unknown,
  more: Pick<Answer, 'headers' | 'refusal' | 'insecure' | 'tellsOf'> = {},
): Answer {
  return {
    ...more,
    status,
    headers: { 'content-type': 'application/json; charset=UTF-8', ...more.headers },
    body: JSON.stringify(value),
  };
}

/** An HTML page; nothing on it may be framed or sniffed, as on the real consent pages. */
export function pageAnswer(status: number, html: string, more: Pick<Answer, 'refusal'> = {}): Answer {
  return {
    ...more,
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
    },
    body: html,
  };
}

/** A redirect to `to` with `parameters` added to whatever query it already has. */
export function redirectAnswer(
  to: string,
  parameters: Record<string, string | undefined>,
  more: Pick<Answer, 'refusal' | 'insecure'> = {},
): Answer {
  const target = new URL(to);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) target.searchParams.append(name, value);
  }
  return { ...more, status: 302, headers: { location: target.href, 'cache-control': 'no-store' } };
}

/** The fields of a form body. `repeated` names a field that came twice, which OAuth forbids. */
export function readForm(ask: Ask): { fields: Map<string, string>; isForm: boolean; repeated?: string } {
  const type = (ask.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  const fields = new Map<string, string>();
  let repeated: string | undefined;
  for (const [name, value] of new URLSearchParams(ask.body)) {
    if (fields.has(name)) repeated = name;
    fields.set(name, value);
  }
  const isForm = type === 'application/x-www-form-urlencoded';
  return repeated === undefined ? { fields, isForm } : { fields, isForm, repeated };
}

/** The bearer token of an Authorization header, or undefined. */
export function bearerOf(headers: Headers): string | undefined {
  return /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1];
}

/** Text made safe for HTML content and quoted attributes. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
