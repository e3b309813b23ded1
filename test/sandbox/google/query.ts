import { createHash } from 'node:crypto';
import { Temporal } from 'temporal-polyfill';
import type { Ask } from '../exchange.ts';
import { badRequest } from './errors.ts';

// Parameters that every method of the API takes.
const COMMON = ['alt', 'fields', 'key', 'prettyPrint', 'quotaUser', 'userIp'];

/** The query of a call, checked against what its method takes. */
export interface Query {
  text(name: string): string | undefined;
  flag(name: string, fallback: boolean): boolean;
  /** A whole number from 1 up, cut to `most`. */
  count(name: string, fallback: number, most: number): number;
  /** One of `values`. */
  choice<T extends string>(name: string, values: readonly T[]): T | undefined;
  /** An RFC 3339 time with an offset, in epoch milliseconds. */
  time(name: string): number | undefined;
}

/** Reads a query; unknown and repeated parameters are refused. `repeatable` may come more than once. */
export function readQuery(ask: Ask, known: readonly string[], repeatable: readonly string[] = []): Query {
  const values = new Map<string, string>();
  for (const [name, value] of ask.url.searchParams) {
    if (repeatable.includes(name)) continue;
    if (!known.includes(name) && !COMMON.includes(name)) {
      throw badRequest('badRequest', `Unknown name "${name}": Cannot bind query parameter.`, name);
    }
    if (values.has(name)) throw badRequest('invalidParameter', `Parameter given twice: ${name}`, name);
    values.set(name, value);
  }
  if ((values.get('alt') ?? 'json') !== 'json')
    throw badRequest('invalidParameter', 'alt must be json.', 'alt');
  return {
    text: (name) => values.get(name),
    flag: (name, fallback) => {
      const value = values.get(name);
      if (value === undefined) return fallback;
      if (value !== 'true' && value !== 'false') {
        throw badRequest('invalidParameter', `Invalid boolean value: '${value}'.`, name);
      }
      return value === 'true';
    },
    count: (name, fallback, most) => {
      const value = values.get(name);
      if (value === undefined) return fallback;
      if (!/^\d{1,9}$/.test(value) || Number(value) < 1) {
        throw badRequest('invalidParameter', `Invalid value '${value}'. It must be 1 or more.`, name);
      }
      return Math.min(Number(value), most);
    },
    choice: (name, choices) => {
      const value = values.get(name);
      const chosen = choices.find((one) => one === value);
      if (value !== undefined && chosen === undefined) {
        throw badRequest('invalidParameter', `Invalid string value: '${value}'.`, name);
      }
      return chosen;
    },
    time: (name) => {
      const value = values.get(name);
      return value === undefined ? undefined : readTime(value, name);
    },
  };
}

/** An RFC 3339 time with an offset, in epoch milliseconds; anything else is refused. */
export function readTime(value: string, name: string): number {
  if (!/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value)) {
    throw badRequest('badRequest', 'Bad Request', name);
  }
  try {
    return Temporal.Instant.from(value).epochMilliseconds;
  } catch {
    throw badRequest('badRequest', 'Bad Request', name);
  }
}

/** A time zone by its IANA name; anything else is refused. */
export function readZone(value: string, name: string): string {
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(value).timeZoneId;
  } catch {
    throw badRequest('invalid', 'Invalid value for timeZone.', name, 'calendar');
  }
}

/** A moment as Google writes it: RFC 3339, in UTC with Z or with the zone's offset. */
export function writeTime(epochMs: number, timeZone: string): string {
  const instant = Temporal.Instant.fromEpochMilliseconds(epochMs);
  const utc = ['UTC', 'Etc/UTC', 'GMT', 'Etc/GMT'].includes(timeZone);
  // `Z` for UTC, an offset otherwise: that is what tells the two apart on the wire.
  return utc
    ? instant.toString({ smallestUnit: 'second' })
    : instant.toZonedDateTimeISO(timeZone).toString({ smallestUnit: 'second', timeZoneName: 'never' });
}

/** Where a page begins, in the list as it was at a revision. */
export interface Place {
  readonly offset: number;
  readonly revision: number;
}

/** The place that a page token means, or the beginning of the list as it is at `revision`. */
export function readPlace(token: string | undefined, asked: string, revision = 0): Place {
  if (token === undefined) return { offset: 0, revision };
  const [, offset, at, of] =
    /^(\d+) (\d+) (\S+)$/.exec(Buffer.from(token, 'base64url').toString('utf8')) ?? [];
  if (of !== bound(asked)) throw badRequest('invalid', 'Invalid Value', 'pageToken', 'global');
  return { offset: Number(offset), revision: Number(at) };
}

/** One page of `items`; tokens are opaque to the client and bound to what was asked. */
export function page<T>(
  ask: Ask,
  items: readonly T[],
  size: number,
  { offset, revision }: Place,
  asked: string,
): { items: T[]; nextPageToken?: string } {
  if (ask.hollow === true) return { items: [] };
  const next = offset + size;
  const some = items.slice(offset, next);
  if (next >= items.length) return { items: some };
  const token = `${String(next)} ${String(revision)} ${bound(asked)}`;
  return { items: some, nextPageToken: Buffer.from(token).toString('base64url') };
}

function bound(asked: string): string {
  return createHash('sha256').update(asked).digest('base64url').slice(0, 16);
}
