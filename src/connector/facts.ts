import * as z from 'zod';
import { WEEKDAYS } from '../domain/availability.ts';
import { connectorStatusSchema, providerNameSchema } from '../domain/connector.ts';
import type { Store } from './store.ts';

/** As `providers/provider.ts` defines it. */
export const accountSchema = z.object({
  id: z.string(),
  email: z.exactOptional(z.string()),
  tenantId: z.exactOptional(z.string()),
  kind: z.enum(['work', 'personal']),
});

/** Something an actor knows of itself: a name and the shape of its JSON value. */
export interface Fact<T> {
  name: string;
  schema: z.ZodType<T>;
  /** What each store is known to hold of it, and how much had been undone there when that was noted. */
  known: WeakMap<Store, { value: T | undefined; undone: number }>;
}

function defineFact<T>(name: string, schema: z.ZodType<T>): Fact<T> {
  return { name, schema, known: new WeakMap() };
}

const identitySchema = z.object({
  connectorId: z.string(),
  provider: providerNameSchema,
  userId: z.string(),
});
export type Identity = z.infer<typeof identitySchema>;
/** Who this actor is for. Written once, at the first connect. */
export const IDENTITY: Fact<Identity> = defineFact('identity', identitySchema);

const connectionSchema = z.object({
  status: connectorStatusSchema,
  account: accountSchema,
  /** As granted, in the provider's spelling. */
  scopes: z.array(z.string()),
  /** As asked for at the sign-in. */
  askedScopes: z.array(z.string()),
  /** A claims challenge to satisfy at the next sign-in. */
  claims: z.exactOptional(z.string()),
});
export type Connection = z.infer<typeof connectionSchema>;
/** The account it owns, and where that stands. */
export const CONNECTION: Fact<Connection> = defineFact('connection', connectionSchema);

const storedGrantSchema = z.object({ version: z.literal(1), generation: z.int(), sealed: z.string() });
/** The grant, sealed. `generation` rises with each change, so that a late reply about an old grant is told apart. */
export const GRANT: Fact<z.infer<typeof storedGrantSchema>> = defineFact('grant', storedGrantSchema);

const throttleSchema = z.object({ blockedUntilMs: z.number(), strikes: z.int() });
/** No call leaves before this instant, epoch milliseconds; `strikes` throttles came in a row. */
export const THROTTLE: Fact<z.infer<typeof throttleSchema>> = defineFact('throttle', throttleSchema);

const openCallsSchema = z.object({ count: z.int(), untilMs: z.number() });
/** So many calls may be open at the provider until then, epoch milliseconds. */
export const OPEN_CALLS: Fact<z.infer<typeof openCallsSchema>> = defineFact('open-calls', openCallsSchema);

const callWindowPartsSchema = z.array(z.object({ startMs: z.number(), calls: z.int() }));
const callWindowSchema = z.object({ parts: callWindowPartsSchema, reserve: z.int() });
/**
 * The calls of the last while, counted by the part of the window they began in (epoch milliseconds), and how
 * many more may have been made since this was written. An earlier version wrote the parts alone.
 */
export const CALL_WINDOW: Fact<z.infer<typeof callWindowSchema> | z.infer<typeof callWindowPartsSchema>> =
  defineFact('call-window', z.union([callWindowSchema, callWindowPartsSchema]));

const lastUseSchema = z.object({ atMs: z.number() });
/** When the connector last did something for somebody, epoch milliseconds; coarse. */
export const LAST_USE: Fact<z.infer<typeof lastUseSchema>> = defineFact('last-use', lastUseSchema);

const syncSchema = z.object({
  /** Names this mirror among those that this connector has had: the number of a change means nothing in another. */
  epoch: z.string(),
  /** When the calendar list was last read. */
  listedAtMs: z.number(),
  /** Runs that have failed in a row. */
  attempts: z.int(),
  /** Up to this number of the mirror's changes, not all are known any more. */
  forgottenSeq: z.int(),
});
/** How the mirror is kept; unknown: nobody has asked for it yet. Times are epoch milliseconds. */
export const SYNC: Fact<z.infer<typeof syncSchema>> = defineFact('sync', syncSchema);

const announcedSchema = z.object({ atMs: z.number() });
/** A change was told of at this instant, epoch milliseconds, and waits to be read. */
export const ANNOUNCED: Fact<z.infer<typeof announcedSchema>> = defineFact('announced', announcedSchema);

const firstSyncSchema = z.object({ attempts: z.int() });
/** How many runs in a row have failed before any has come as far as `SYNC`. */
export const FIRST_SYNC: Fact<z.infer<typeof firstSyncSchema>> = defineFact('first-sync', firstSyncSchema);

const workingHoursSchema = z.array(
  z.object({ day: z.enum(WEEKDAYS), start: z.string(), end: z.string(), timeZone: z.string() }),
);
/** The person's working hours, as the provider told them with the calendar list. */
export const WORKING_HOURS: Fact<z.infer<typeof workingHoursSchema>> = defineFact(
  'working-hours',
  workingHoursSchema,
);

const erasureSchema = z.object({ sinceMs: z.number(), attempts: z.int() });
/** The person has disconnected at `sinceMs` (epoch milliseconds); the provider has not taken the grant back yet. */
export const ERASURE: Fact<z.infer<typeof erasureSchema>> = defineFact('erasure', erasureSchema);

const rowsSchema = z.array(z.object({ value: z.string() }));

/** Reads a fact, if it is known: from the storage the first time, then from memory. Not to be changed by who reads it. */
export function readFact<T>(store: Store, fact: Fact<T>): T | undefined {
  const remembered = fact.known.get(store);
  // What was noted in a transaction that was undone is not so.
  if (remembered?.undone === store.undone) return remembered.value;
  const [row] = rowsSchema.parse(store.query('SELECT value FROM fact WHERE name = ?', fact.name));
  return remember(store, fact, row === undefined ? undefined : fact.schema.parse(JSON.parse(row.value)));
}

/** Writes a fact: one row. */
export function writeFact<T>(store: Store, fact: Fact<T>, value: T): void {
  store.query('INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)', fact.name, JSON.stringify(value));
  remember(store, fact, value);
}

/** Forgets a fact. */
export function forgetFact<T>(store: Store, fact: Fact<T>): void {
  store.query('DELETE FROM fact WHERE name = ?', fact.name);
  remember(store, fact, undefined);
}

function remember<T>(store: Store, fact: Fact<T>, value: T | undefined): T | undefined {
  fact.known.set(store, { value, undone: store.undone });
  return value;
}
