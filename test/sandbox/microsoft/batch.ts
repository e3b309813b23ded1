import { z } from 'zod';
import { CONNECTION_LOST, holdsIn, jsonAnswer } from '../exchange.ts';
import type { Answer, Ask, Outcome } from '../exchange.ts';
import type { World } from '../world.ts';
import { badRequest, graphError } from './errors.ts';
import { readJson } from './json-body.ts';
import { readOptions } from './odata.ts';

const ITEMS_CAP = 20;

const Envelope = z.strictObject({
  requests: z.array(
    z.strictObject({
      id: z.string().min(1),
      method: z.enum(['GET', 'POST', 'PATCH', 'PUT', 'DELETE']),
      url: z.string(),
      headers: z.record(z.string(), z.string()).optional(),
      body: z.unknown().optional(),
      dependsOn: z.array(z.string()).optional(),
    }),
  ),
});

type Item = z.infer<typeof Envelope>['requests'][number];

/**
 * POST /v1.0/$batch: up to twenty requests, at most `width` of them at work at once, answered in any order. The
 * envelope's own 200 says nothing about them.
 */
export async function batch(
  world: World,
  ask: Ask,
  width: number,
  carry: (item: Ask) => Promise<Outcome>,
): Promise<Answer> {
  readOptions(ask, []);
  const { requests } = readJson(ask, Envelope);
  check(requests);
  const done = new Map<string, { item: Item; answer: Answer }>();
  const waiting = [...requests];
  const running = new Set<Promise<void>>();
  while (waiting.length > 0 || running.size > 0) {
    const index = waiting.findIndex(({ dependsOn = [] }) =>
      dependsOn.every((id) => done.has(id.toLowerCase())),
    );
    const next = running.size < width && index !== -1 ? waiting.splice(index, 1)[0] : undefined;
    if (next === undefined) {
      await Promise.race(running);
      continue;
    }
    const work = run(next).finally(() => running.delete(work));
    running.add(work);
  }
  const responses = [...done.values()].map(({ item, answer }) => itemResponse(item, answer));
  const tellsOf = holdsIn([...done.values()].map(({ answer }) => answer));
  return jsonAnswer(200, { responses: world.dice.shuffle(responses) }, { tellsOf });

  async function run(item: Item): Promise<void> {
    const failed = (item.dependsOn ?? []).some(
      (id) => (done.get(id.toLowerCase())?.answer.status ?? 0) >= 400,
    );
    const outcome = failed
      ? graphError(424, 'FailedDependency', 'A request this one depends on has failed.')
      : await carry(itemAsk(ask, item));
    // One item cannot lose its connection: the gateway answers for it.
    const answer = outcome === CONNECTION_LOST ? graphError(504, 'GatewayTimeout', '') : outcome;
    done.set(item.id.toLowerCase(), { item, answer });
  }
}

function check(requests: readonly Item[]): void {
  if (requests.length === 0) throw badRequest('BadRequest', 'The batch holds no requests.');
  if (requests.length > ITEMS_CAP) {
    throw badRequest(
      'MaximumValueExceeded',
      `Number of batch request steps exceeds the maximum value of ${String(ITEMS_CAP)}.`,
    );
  }
  const seen = new Set<string>();
  for (const { id, url, method, headers, body, dependsOn = [] } of requests) {
    const key = id.toLowerCase();
    if (seen.has(key)) throw badRequest('BadRequest', `The id ${id} is used by several requests.`);
    if (/^[a-z]+:\/\//i.test(url) || url.startsWith('//')) {
      throw badRequest('BadRequest', `The url of request ${id} must be relative.`);
    }
    const typed = Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'content-type');
    if (body !== undefined && !typed)
      throw badRequest('BadRequest', `Request ${id} has a body and no Content-Type.`);
    if (method === 'GET' && body !== undefined)
      throw badRequest('BadRequest', `Request ${id} is a GET with a body.`);
    // Naming only earlier requests keeps circles out.
    if (!dependsOn.every((other) => seen.has(other.toLowerCase()))) {
      throw badRequest('BadRequest', `Request ${id} depends on a request that does not come before it.`);
    }
    seen.add(key);
  }
}

function itemAsk(ask: Ask, item: Item): Ask {
  let headers: Headers;
  try {
    headers = new Headers(item.headers);
  } catch {
    throw badRequest('BadRequest', `Request ${item.id} has malformed headers.`);
  }
  const authorization = ask.headers.get('authorization');
  if (authorization !== null && !headers.has('authorization')) headers.set('authorization', authorization);
  const url = new URL(`${ask.url.origin}/v1.0/${item.url.replace(/^\//, '')}`);
  const body = item.body === undefined ? '' : JSON.stringify(item.body);
  return { ...ask, method: item.method, url, headers, body, inBatch: true };
}

function itemResponse(item: Item, answer: Answer): object {
  let body: unknown = answer.body ?? null;
  try {
    body = answer.body === undefined ? null : JSON.parse(answer.body);
  } catch {
    // A reply cut short inside a batch stays text.
  }
  const headers = Object.entries(answer.headers ?? {}).map(([name, value]) => [headerName(name), value]);
  return { id: item.id, status: answer.status, headers: Object.fromEntries(headers), body };
}

function headerName(lower: string): string {
  return lower.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
