import { fail, ok, type Outcome } from '../../domain/failure.ts';
import type { Reply } from '../http.ts';

/** One request inside a batch: `path` starts at the root of the API and carries the query. */
export interface BatchPart {
  method: string;
  path: string;
  /** JSON text. */
  body?: string;
  /** Sent as If-Match. */
  ifMatch?: string;
}

const CRLF = '\r\n';
const MAX_HEADER_LINES = 100;

/**
 * Writes requests as one multipart/mixed body (Calendar API guide "Sending batch requests"; RFC 2046
 * §5.1). The n-th part has the Content-ID `<item-n>`. `path`, `body` and `ifMatch` must hold no line breaks.
 */
export function writeBatch(parts: readonly BatchPart[]): { contentType: string; body: string } {
  const written = parts.map(writePart);
  // Counting up ends: text of finite length holds finitely many of the candidates.
  let count = 0;
  while (written.some((part) => part.includes(`batch_${count}`))) count += 1;
  const boundary = `batch_${count}`;
  const lines = written.flatMap((part) => [`--${boundary}`, part]);
  return {
    contentType: `multipart/mixed; boundary=${boundary}`,
    body: [...lines, `--${boundary}--`, ''].join(CRLF),
  };
}

function writePart({ method, path, body, ifMatch }: BatchPart, index: number): string {
  const head = [
    'Content-Type: application/http',
    `Content-ID: <item-${index}>`,
    '',
    `${method} ${path} HTTP/1.1`,
    ...(ifMatch === undefined ? [] : [`If-Match: ${ifMatch}`]),
  ];
  if (body === undefined) return [...head, '', ''].join(CRLF);
  const length = new TextEncoder().encode(body).byteLength;
  return [...head, 'Content-Type: application/json', `Content-Length: ${length}`, '', body].join(CRLF);
}

/**
 * Reads the reply to a batch of `count` requests: a reply per request, in the order of the requests.
 * Parts are told apart by Content-ID `response-item-n`; by their order only when none has an id and
 * none is missing, since otherwise an answer might be credited to another question. What is missing,
 * doubled or cut off is `malformed`. Lines may end in CRLF or LF.
 */
export function readBatch(reply: Reply, count: number): Outcome<Reply>[] {
  const parts = splitParts(reply).map((lines) => readPart(lines, reply.receivedAtMs));
  const inOrder = parts.length === count && parts.every(({ id }) => id === undefined);
  return Array.from({ length: count }, (_, index) => {
    const own = inOrder
      ? parts.slice(index, index + 1)
      : parts.filter(({ id }) => id === `response-item-${index}`);
    const [only] = own;
    return own.length === 1 && only?.reply !== undefined
      ? ok(only.reply)
      : fail({ kind: 'malformed', at: `batch part ${index}` });
  });
}

/** The lines of each part that is closed by a delimiter; none when this is no multipart at all. */
function splitParts({ headers, body }: Reply): string[][] {
  const boundary = readBoundary(headers.get('Content-Type') ?? '');
  if (boundary === undefined) return [];
  const parts: string[][] = [];
  let current: string[] | undefined;
  for (const line of body.split(/\r?\n/)) {
    // Most lines are payload; RFC 2046 allows blanks after a delimiter.
    const delimiter = line.startsWith(`--${boundary}`) ? line.slice(boundary.length + 2).trim() : undefined;
    if (delimiter === '' || delimiter === '--') {
      if (current !== undefined) parts.push(current);
      if (delimiter === '--') return parts;
      current = [];
    } else {
      current?.push(line);
    }
  }
  return parts;
}

function readBoundary(contentType: string): string | undefined {
  if (!/^multipart\/mixed\s*;/i.test(contentType)) return undefined;
  const match = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType);
  return match?.[1] ?? match?.[2];
}

interface ReadPart {
  /** The Content-ID without its brackets. */
  id?: string;
  /** Absent when the part holds no HTTP reply. */
  reply?: Reply;
}

function readPart(lines: readonly string[], receivedAtMs: number): ReadPart {
  const outer = readHeaders(lines, 0);
  const id = outer.headers.get('Content-ID')?.replaceAll(/^<|>$/g, '');
  const named = id === undefined ? {} : { id };
  const status = Number(/^HTTP\/\d(?:\.\d)? ([2-5]\d\d)(?: |$)/.exec(lines[outer.end] ?? '')?.[1]);
  if (Number.isNaN(status)) return named;
  const inner = readHeaders(lines, outer.end + 1);
  const body = lines.slice(inner.end).join('\n');
  return { ...named, reply: { status, headers: inner.headers, body, receivedAtMs } };
}

/** Reads header lines up to and over the blank line that ends them; lines that are none are skipped. */
function readHeaders(lines: readonly string[], from: number): { headers: Headers; end: number } {
  const headers = new Headers();
  let at = from;
  for (; at < lines.length && lines[at] !== ''; at += 1) {
    const [, name, value] = /^([A-Za-z0-9-]{1,64}):[ \t]*([\t\x20-\x7e]*)$/.exec(lines[at] ?? '') ?? [];
    if (name !== undefined && value !== undefined && at - from < MAX_HEADER_LINES)
      headers.append(name, value);
  }
  return { headers, end: at + 1 };
}
