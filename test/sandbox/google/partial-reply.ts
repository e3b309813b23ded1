import { z } from 'zod';
import type { Answer, Ask } from '../exchange.ts';
import { badRequest } from './errors.ts';

/** The fields a mask keeps, each with what it keeps inside; an empty map keeps all. */
interface Mask extends Map<string, Mask> {}

const JsonObject = z.record(z.string(), z.unknown());

/** What the `fields` parameter leaves of a reply: `items(id,summary),nextPageToken`, or with `/` and `*`. */
export function partialReply(ask: Ask, answer: Answer): Answer {
  const fields = ask.url.searchParams.get('fields');
  if (fields === null || answer.status !== 200 || answer.body === undefined) return answer;
  const mask = readMask(fields);
  const whole: unknown = JSON.parse(answer.body);
  return { ...answer, body: JSON.stringify(reduce(whole, mask)) };
}

function readMask(text: string): Mask {
  let at = 0;
  function list(closing: boolean): Mask {
    const mask: Mask = new Map();
    for (;;) {
      path(mask);
      const next = text[at];
      if (next === ',') at += 1;
      else if (closing ? next === ')' : next === undefined) return mask;
      else throw badRequest('invalidParameter', `Invalid field selection ${text}`, 'fields');
    }
  }
  function path(into: Mask): void {
    const name = /^[A-Za-z0-9_*@.-]+/.exec(text.slice(at))?.[0];
    if (name === undefined) throw badRequest('invalidParameter', `Invalid field selection ${text}`, 'fields');
    at += name.length;
    const inner: Mask = into.get(name) ?? new Map();
    into.set(name, inner);
    if (text[at] === '/') {
      at += 1;
      path(inner);
    } else if (text[at] === '(') {
      at += 1;
      for (const [key, value] of list(true)) inner.set(key, value);
      at += 1;
    }
  }
  return list(false);
}

function reduce(value: unknown, mask: Mask): unknown {
  if (mask.size === 0) return value;
  if (Array.isArray(value)) return value.map((one: unknown) => reduce(one, mask));
  const object = JsonObject.safeParse(value);
  if (!object.success) return value;
  const kept = Object.entries(object.data).flatMap(([name, inner]) => {
    const rest = mask.get(name) ?? mask.get('*');
    return rest === undefined ? [] : [[name, reduce(inner, rest)] as const];
  });
  return Object.fromEntries(kept);
}
