import { CONNECTION_LOST, holdsIn } from '../exchange.ts';
import type { Answer, Ask, Outcome } from '../exchange.ts';
import { secret } from '../dice.ts';
import { badRequest, calendarError } from './errors.ts';

const PARTS_CAP = 1000;

interface Part {
  readonly contentId: string | undefined;
  readonly ask: Ask;
}

/**
 * POST batch/calendar/v3: a multipart/mixed body of `application/http` parts. The parts run side by side and
 * are answered in the order they were asked; each has a status of its own.
 */
export async function batch(ask: Ask, carry: (part: Ask) => Promise<Outcome>): Promise<Answer> {
  const parts = readParts(ask);
  const replies = await Promise.all(
    parts.map(async (part): Promise<{ part: Part; outcome: Outcome }> => {
      return { part, outcome: await carry(part.ask) };
    }),
  );
  const boundary = `batch_${secret(18)}`;
  const body = replies
    .map(({ part, outcome }) => {
      const id = part.contentId === undefined ? '' : `Content-ID: ${answeringId(part.contentId)}\r\n`;
      return `--${boundary}\r\nContent-Type: application/http\r\n${id}\r\n${innerReply(outcome)}\r\n`;
    })
    .join('');
  return {
    status: 200,
    headers: { 'content-type': `multipart/mixed; boundary=${boundary}` },
    body: `${body}--${boundary}--\r\n`,
    tellsOf: holdsIn(replies.map(({ outcome }) => outcome)),
  };
}

function readParts(ask: Ask): Part[] {
  const type = ask.headers.get('content-type') ?? '';
  const boundary = /^multipart\/mixed\s*;.*\bboundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type);
  const mark = boundary?.[1] ?? boundary?.[2];
  if (mark === undefined) throw badRequest('badRequest', 'A batch needs multipart/mixed with a boundary.');
  if (ask.url.search !== '') throw badRequest('badRequest', 'A batch takes no query parameters.');
  const text = `\r\n${ask.body.replace(/\r?\n/g, '\r\n')}`;
  const pieces = text.split(`\r\n--${mark}`);
  const closed = pieces.at(-1)?.startsWith('--') === true;
  if (pieces.length < 3 || !closed) throw badRequest('badRequest', 'Failed to parse batch request.');
  const inner = pieces.slice(1, -1);
  if (inner.length > PARTS_CAP) {
    throw badRequest(
      'badRequest',
      `The batch holds ${String(inner.length)} calls; ${String(PARTS_CAP)} are allowed.`,
    );
  }
  return inner.map((piece) => readPart(ask, piece.replace(/^\r\n/, '')));
}

function readPart(ask: Ask, piece: string): Part {
  const [outer, request] = cut(piece, '\r\n\r\n');
  const partHeaders = readHeaders(outer);
  if (!(partHeaders.get('content-type') ?? '').toLowerCase().startsWith('application/http')) {
    throw badRequest('badRequest', 'Every part of a batch must be application/http.');
  }
  const [head, body] = cut(request, '\r\n\r\n');
  const [line, fields] = cut(head, '\r\n');
  const words = /^([A-Z]+) (\/\S*)(?: HTTP\/1\.[01])?$/.exec(line.trim());
  if (words === null) throw badRequest('badRequest', 'A part must name a method and a path.');
  const headers = readHeaders(fields);
  // What the envelope says counts for every part that does not say otherwise; its content does not.
  for (const [name, value] of ask.headers) {
    if (!headers.has(name) && !name.startsWith('content-')) headers.set(name, value);
  }
  return {
    contentId: partHeaders.get('content-id') ?? undefined,
    ask: {
      ...ask,
      method: words[1] ?? 'GET',
      url: new URL(words[2] ?? '/', ask.url.origin),
      headers,
      body: body.replace(/\r\n$/, ''),
      inBatch: true,
    },
  };
}

function readHeaders(text: string): Headers {
  const headers = new Headers();
  for (const line of text.split('\r\n')) {
    const [name, value] = cut(line, ':');
    if (name.trim() === '') continue;
    try {
      headers.append(name.trim(), value.trim());
    } catch {
      throw badRequest('badRequest', 'Failed to parse batch request.');
    }
  }
  return headers;
}

function cut(text: string, at: string): [string, string] {
  const index = text.indexOf(at);
  return index === -1 ? [text, ''] : [text.slice(0, index), text.slice(index + at.length)];
}

function answeringId(contentId: string): string {
  return contentId.startsWith('<') ? `<response-${contentId.slice(1)}` : `response-${contentId}`;
}

function innerReply(outcome: Outcome): string {
  // One part cannot lose its connection: the front end answers for it.
  const answer = outcome === CONNECTION_LOST ? calendarError(500, 'backendError', 'Backend Error') : outcome;
  const headers = Object.entries(answer.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = Buffer.byteLength(answer.body ?? '');
  return `HTTP/1.1 ${String(answer.status)} ${answer.status < 400 ? 'OK' : 'Error'}\r\n${headers.join('')}Content-Length: ${String(length)}\r\n\r\n${answer.body ?? ''}`;
}
