import { z } from 'zod';
import type { EventChanges } from './event-input.ts';
import { graphDeeds } from './microsoft/graph-deeds.ts';
import type { PersonInput } from './people.ts';
import type { PushSettings } from './pushes.ts';

const Providers = z.enum(['google', 'microsoft']);

const Role = z.enum(['freeBusyReader', 'reader', 'writer', 'owner']);

const NewCalendar = z.strictObject({
  id: z.string().exactOptional(),
  name: z.string(),
  timeZone: z.string().exactOptional(),
  primary: z.boolean().exactOptional(),
  accessRole: Role.exactOptional(),
  selected: z.boolean().exactOptional(),
  hidden: z.boolean().exactOptional(),
});

/** A person to add. */
export const NewPerson = z.strictObject({
  provider: Providers,
  account: z.enum(['work', 'personal']).exactOptional(),
  email: z.string(),
  name: z.string(),
  timeZone: z.string(),
  tenantId: z.string().exactOptional(),
  workingHours: z
    .strictObject({
      days: z.array(z.string()),
      start: z.string(),
      end: z.string(),
      timeZone: z.string().exactOptional(),
      customTimeZone: z.boolean().exactOptional(),
    })
    .exactOptional(),
  calendars: z.array(NewCalendar).exactOptional(),
  accessTokenLifetimeSeconds: z.number().exactOptional(),
  refreshTokens: z.enum(['as-real', 'rotate-strictly']).exactOptional(),
  timeZoneNames: z.enum(['windows', 'iana']).exactOptional(),
  adminConsentRequired: z.boolean().exactOptional(),
  repeatedTransactionId: z.enum(['existing', 'conflict']).exactOptional(),
}) satisfies z.ZodType<PersonInput>;

const eventFields = {
  summary: z.string().exactOptional(),
  description: z.string().exactOptional(),
  location: z.string().exactOptional(),
  start: z.string().exactOptional(),
  end: z.string().exactOptional(),
  allDay: z.boolean().exactOptional(),
  timeZone: z.string().exactOptional(),
  status: z.enum(['confirmed', 'tentative', 'cancelled']).exactOptional(),
  showAs: z.enum(['free', 'tentative', 'busy', 'oof', 'workingElsewhere', 'unknown']).exactOptional(),
  transparency: z.enum(['opaque', 'transparent']).exactOptional(),
  declined: z.boolean().exactOptional(),
  response: z.enum(['organizer', 'accepted', 'declined', 'tentative', 'none']).exactOptional(),
  isPrivate: z.boolean().exactOptional(),
};

/** An event to put into a person's calendar. */
export const NewEvent = z.strictObject({
  person: z.string(),
  calendar: z.string().default('primary'),
  event: z.strictObject({
    ...eventFields,
    id: z.string().exactOptional(),
    summary: z.string(),
    start: z.string(),
    repeats: z
      .strictObject({
        frequency: z.enum(['daily', 'weekly']),
        interval: z.int().min(1).exactOptional(),
        times: z.int().min(1),
      })
      .exactOptional(),
  }),
});
/** A change that a person makes to an event of theirs; an occurrence is meant by its own id. */
export const EventChange = z.strictObject({
  person: z.string(),
  calendar: z.string().default('primary'),
  id: z.string(),
  changes: z.strictObject(eventFields),
}) satisfies z.ZodType<{ changes: EventChanges }>;

/** An event, series or occurrence that a person deletes. */
export const EventRemoval = EventChange.omit({ changes: true });

/** Something that happens to a person. */
export const Deed = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('expire-access-tokens'), person: z.string() }),
  z.strictObject({ do: z.literal('revoke-grant'), person: z.string() }),
  z.strictObject({
    do: z.literal('challenge-claims'),
    person: z.string(),
    interactive: z.boolean().exactOptional(),
  }),
  z.strictObject({ do: z.literal('require-admin-consent'), person: z.string(), required: z.boolean() }),
  z.strictObject({ do: z.literal('expire-sync-tokens'), person: z.string() }),
  z.strictObject({ do: z.literal('silence'), person: z.string(), silent: z.boolean().default(true) }),
  z.strictObject({ do: z.literal('add-calendar'), person: z.string(), calendar: NewCalendar }),
  z.strictObject({ do: z.literal('remove-calendar'), person: z.string(), calendar: z.string() }),
  z.strictObject({
    do: z.literal('change-calendar'),
    person: z.string(),
    calendar: z.string(),
    changes: z.strictObject({
      accessRole: Role.exactOptional(),
      selected: z.boolean().exactOptional(),
      hidden: z.boolean().exactOptional(),
    }),
  }),
  z.strictObject({ do: z.literal('set-lifetime'), person: z.string(), seconds: z.number() }),
  z.strictObject({
    do: z.literal('restrict-calendar'),
    person: z.string(),
    calendar: z.string(),
    reason: z.string(),
  }),
  ...graphDeeds,
]);

/** A fault to script. */
export const NewFault = z.strictObject({
  provider: Providers.exactOptional(),
  operation: z.string().exactOptional(),
  person: z.string().exactOptional(),
  path: z.string().exactOptional(),
  times: z.number().exactOptional(),
  after: z.number().exactOptional(),
  chance: z.number().min(0).max(1).exactOptional(),
  effect: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('status'),
      status: z.number(),
      body: z.unknown().optional(),
      headers: z.record(z.string(), z.string()).exactOptional(),
    }),
    z.strictObject({
      kind: z.literal('status-after'),
      status: z.number(),
      headers: z.record(z.string(), z.string()).exactOptional(),
    }),
    z.strictObject({ kind: z.literal('reset') }),
    z.strictObject({ kind: z.literal('hang') }),
    z.strictObject({ kind: z.literal('latency'), ms: z.number() }),
    z.strictObject({ kind: z.literal('reply-lost') }),
    z.strictObject({ kind: z.literal('reply-held') }),
    z.strictObject({
      kind: z.literal('throttle'),
      status: z.union([z.literal(429), z.literal(403), z.literal(503)]).exactOptional(),
      retryAfter: z.union([z.number(), z.literal('date')]).exactOptional(),
      holdMs: z.number(),
      crossingMs: z.number().exactOptional(),
    }),
    z.strictObject({ kind: z.literal('malformed') }),
    z.strictObject({ kind: z.literal('empty') }),
    z.strictObject({ kind: z.literal('hollow') }),
  ]),
});

/** The state of the clients' secrets. */
export const SecretStates = z.partialRecord(Providers, z.enum(['valid', 'expired', 'wrong']));
/** How slow a provider is. */
export const Latency = z.strictObject({ provider: Providers, ms: z.number() });
/** Quotas to change. */
export const NewLimits = z.partialRecord(
  z.enum([
    'microsoftConcurrent',
    'microsoftPerTenMinutes',
    'googlePerUserPerMinute',
    'googlePerProjectPerMinute',
  ]),
  z.number(),
);

/** How notifications travel. */
export const NewPushSettings = z.strictObject({
  lose: z.number().min(0).max(1).exactOptional(),
  duplicate: z.number().min(0).max(1).exactOptional(),
  delayMs: z.number().min(0).exactOptional(),
  collapse: z.boolean().exactOptional(),
  retries: z.int().min(0).exactOptional(),
  retryMs: z.number().min(0).exactOptional(),
}) satisfies z.ZodType<Partial<PushSettings>>;

/** How much a person is to do in their calendars. */
export const NewChurn = z.strictObject({
  person: z.string(),
  seed: z.int().exactOptional(),
  edits: z.int().min(1),
});
