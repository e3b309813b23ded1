import { Temporal } from 'temporal-polyfill';
import type { Ask } from '../exchange.ts';
import { badRequest, unknownZone } from './errors.ts';
import { ianaZone } from './time-zones.ts';

/** What the Prefer header asks for. */
export interface Preferences {
  /** The zone of times in the reply: the name as given, and the IANA zone it means. */
  readonly zone: { readonly name: string; readonly iana: string };
  readonly immutableIds: boolean;
  readonly pageSize: number | undefined;
  /** Headers that say which preferences were followed. */
  readonly applied: Record<string, string>;
}

/** Reads the Prefer header. Preferences that are not known are passed over, as HTTP wants it. */
export function readPreferences(ask: Ask): Preferences {
  const header = ask.headers.get('prefer') ?? '';
  const preference = (name: string): string | undefined => {
    const found = new RegExp(
      `(?:^|[,;\\s])${name.replaceAll('.', '\\.')}\\s*=\\s*(?:"([^"]*)"|([^,;\\s]+))`,
      'i',
    ).exec(header);
    return found?.[1] ?? found?.[2];
  };
  const asked = preference('outlook.timezone');
  const iana = asked === undefined ? 'UTC' : ianaZone(asked);
  if (asked !== undefined && iana === undefined) throw unknownZone(asked);
  const size = preference('odata.maxpagesize');
  const immutableIds = preference('IdType') === 'ImmutableId';
  const followed = [
    ...(asked === undefined ? [] : [`outlook.timezone="${asked}"`]),
    ...(immutableIds ? ['IdType="ImmutableId"'] : []),
  ];
  return {
    zone: { name: asked ?? 'UTC', iana: iana ?? 'UTC' },
    immutableIds,
    pageSize: size !== undefined && /^[1-9]\d{0,3}$/.test(size) ? Number(size) : undefined,
    applied: followed.length === 0 ? {} : { 'preference-applied': followed.join(', ') },
  };
}

/** The query options of a call. Names are told apart without regard to case. */
export interface QueryOptions {
  text(name: string): string | undefined;
  count(name: string, fallback: number, range: { least: number; most: number }): number;
}

/** Reads the query; options outside `known` are refused. */
export function readOptions(ask: Ask, known: readonly string[]): QueryOptions {
  const values = new Map<string, string>();
  for (const [name, value] of ask.url.searchParams) {
    const canonical = known.find((one) => one.toLowerCase() === name.toLowerCase());
    if (canonical === undefined)
      throw badRequest('BadRequest', `The query parameter '${name}' is not supported.`);
    if (values.has(canonical)) {
      throw badRequest('BadRequest', `Query option '${name}' was specified more than once.`);
    }
    values.set(canonical, value);
  }
  return {
    text: (name) => values.get(name),
    count: (name, fallback, { least, most }) => {
      const value = values.get(name);
      if (value === undefined) return fallback;
      if (!/^\d{1,9}$/.test(value) || Number(value) < least || Number(value) > most) {
        throw badRequest(
          'ErrorInvalidParameter',
          `Invalid value '${value}' for ${name} query option found. It must be from ${String(least)} to ${String(most)}.`,
        );
      }
      return Number(value);
    },
  };
}

/** A moment in the query: with an offset, or in UTC when it has none. */
export function readMoment(value: string, name: string): number {
  try {
    return /(Z|[+-]\d\d:\d\d)$/i.test(value)
      ? Temporal.Instant.from(value).epochMilliseconds
      : Temporal.PlainDateTime.from(value).toZonedDateTime('UTC').epochMilliseconds;
  } catch {
    throw badRequest('ErrorInvalidParameter', `The value '${value}' of parameter '${name}' is invalid.`);
  }
}

/** One page of a list, and the whole address of the next. */
export function pageOf<T>(
  items: readonly T[],
  ask: Ask,
  origin: string,
  at: { skip: number; top: number },
): { value: T[]; '@odata.nextLink'?: string } {
  if (ask.hollow === true) return { value: [] };
  const next = at.skip + at.top;
  const value = items.slice(at.skip, next);
  if (next >= items.length) return { value };
  const link = new URL(ask.url.pathname + ask.url.search, origin);
  for (const name of Array.from(link.searchParams.keys())) {
    if (name.toLowerCase() === '$skip') link.searchParams.delete(name);
  }
  link.searchParams.set('$skip', String(next));
  return { value, '@odata.nextLink': link.href.replaceAll('%24', '$') };
}

/** The properties that $select leaves; ids and ETags always stay. */
export function select(
  value: Record<string, unknown>,
  selected: string | undefined,
  type: string,
): Record<string, unknown> {
  if (selected === undefined || selected === '') return value;
  const names = selected.split(',').map((name) => name.trim());
  const unknown = names.find(
    (name) => !Object.keys(value).some((key) => key.toLowerCase() === name.toLowerCase()),
  );
  if (unknown !== undefined) {
    throw badRequest(
      'RequestBroker--ParseUri',
      `Could not find a property named '${unknown}' on type 'microsoft.graph.${type}'.`,
    );
  }
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  return Object.fromEntries(
    Object.entries(value).filter(
      ([key]) => key === 'id' || key.startsWith('@odata.') || wanted.has(key.toLowerCase()),
    ),
  );
}
