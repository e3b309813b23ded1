import { z } from 'zod';
import { escapeHtml, jsonAnswer, pageAnswer } from './exchange.ts';
import type { Answer, Ask } from './exchange.ts';
import type { Faults } from './faults.ts';
import type { LimitSettings } from './limits.ts';
import type { People, PersonInput } from './people.ts';
import type { TruthLog } from './truth-log.ts';
import type { Client } from './world.ts';

/** What can be looked at and changed over HTTP. */
export interface ControlRooms {
  readonly people: People;
  readonly faults: Faults;
  readonly truth: TruthLog;
  readonly clients: { google: Client; microsoft: Client };
  readonly limits: LimitSettings;
  readonly urls: { google: string; microsoft: string };
}

const Providers = z.enum(['google', 'microsoft']);

const NewPerson = z.strictObject({
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
  calendars: z
    .array(
      z.strictObject({
        id: z.string().exactOptional(),
        name: z.string(),
        timeZone: z.string().exactOptional(),
        primary: z.boolean().exactOptional(),
        accessRole: z.enum(['freeBusyReader', 'reader', 'writer', 'owner']).exactOptional(),
        selected: z.boolean().exactOptional(),
        hidden: z.boolean().exactOptional(),
      }),
    )
    .exactOptional(),
  accessTokenLifetimeSeconds: z.number().exactOptional(),
  refreshTokens: z.enum(['as-real', 'rotate-strictly']).exactOptional(),
  timeZoneNames: z.enum(['windows', 'iana']).exactOptional(),
  adminConsentRequired: z.boolean().exactOptional(),
  repeatedTransactionId: z.enum(['existing', 'conflict']).exactOptional(),
}) satisfies z.ZodType<PersonInput>;

const NewEvent = z.strictObject({
  person: z.string(),
  calendar: z.string().default('primary'),
  event: z.strictObject({
    id: z.string().exactOptional(),
    summary: z.string(),
    description: z.string().exactOptional(),
    location: z.string().exactOptional(),
    start: z.string(),
    end: z.string().exactOptional(),
    allDay: z.boolean().exactOptional(),
    timeZone: z.string().exactOptional(),
    status: z.enum(['confirmed', 'tentative', 'cancelled']).exactOptional(),
    showAs: z.enum(['free', 'tentative', 'busy', 'oof', 'workingElsewhere', 'unknown']).exactOptional(),
    transparency: z.enum(['opaque', 'transparent']).exactOptional(),
    declined: z.boolean().exactOptional(),
    isPrivate: z.boolean().exactOptional(),
  }),
});

const Deed = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('expire-access-tokens'), person: z.string() }),
  z.strictObject({ do: z.literal('revoke-grant'), person: z.string() }),
  z.strictObject({
    do: z.literal('challenge-claims'),
    person: z.string(),
    interactive: z.boolean().exactOptional(),
  }),
  z.strictObject({ do: z.literal('require-admin-consent'), person: z.string(), required: z.boolean() }),
  z.strictObject({ do: z.literal('set-lifetime'), person: z.string(), seconds: z.number() }),
  z.strictObject({
    do: z.literal('restrict-calendar'),
    person: z.string(),
    calendar: z.string(),
    reason: z.string(),
  }),
]);

const NewFault = z.strictObject({
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
  ]),
});

const SecretStates = z.partialRecord(Providers, z.enum(['valid', 'expired', 'wrong']));
const Latency = z.strictObject({ provider: Providers, ms: z.number() });
const NewLimits = z.partialRecord(
  z.enum([
    'microsoftConcurrent',
    'microsoftPerTenMinutes',
    'googlePerUserPerMinute',
    'googlePerProjectPerMinute',
  ]),
  z.number(),
);

/** Answers `/sandbox/…` on both origins: the same levers as in code, for a person or another program. */
export function controlPanel(rooms: ControlRooms): (ask: Ask) => Answer {
  const { people, faults, truth, clients, limits } = rooms;
  const personOf = (email: string): NonNullable<ReturnType<People['get']>> => {
    const person = people.get(email);
    if (person === undefined) throw new Error(`nobody has the address ${email}`);
    return person;
  };
  const levers: Record<string, (ask: Ask) => Answer> = {
    'GET /sandbox/': () => pageAnswer(200, indexPage(rooms)),
    'GET /sandbox/truth': () => jsonAnswer(200, truth),
    'DELETE /sandbox/truth': () => {
      truth.reset();
      return jsonAnswer(200, {});
    },
    'POST /sandbox/client-died': () => {
      truth.clientDied();
      return jsonAnswer(200, {});
    },
    'GET /sandbox/people': () => jsonAnswer(200, people.all()),
    'POST /sandbox/people': (ask) => jsonAnswer(201, people.add(read(ask, NewPerson))),
    'POST /sandbox/events': (ask) => {
      const { person, calendar, event } = read(ask, NewEvent);
      return jsonAnswer(201, personOf(person).addEvent(calendar, event));
    },
    'POST /sandbox/deeds': (ask) => {
      const deed = read(ask, Deed);
      const person = personOf(deed.person);
      switch (deed.do) {
        case 'expire-access-tokens':
          person.expireAccessTokens();
          break;
        case 'revoke-grant':
          person.revokeGrant();
          break;
        case 'challenge-claims':
          person.challengeClaims(deed.interactive === undefined ? {} : { interactive: deed.interactive });
          break;
        case 'require-admin-consent':
          person.adminConsentRequired = deed.required;
          break;
        case 'set-lifetime':
          person.setAccessTokenLifetime(deed.seconds);
          break;
        case 'restrict-calendar':
          person.restrictCalendar(deed.calendar, deed.reason);
          break;
      }
      return jsonAnswer(200, {});
    },
    'POST /sandbox/faults': (ask) => {
      faults.add(read(ask, NewFault));
      return jsonAnswer(201, {});
    },
    'DELETE /sandbox/faults': () => {
      faults.clear();
      return jsonAnswer(200, {});
    },
    'POST /sandbox/latency': (ask) => {
      const { provider, ms } = read(ask, Latency);
      faults.latency(provider, ms);
      return jsonAnswer(200, {});
    },
    'POST /sandbox/clients': (ask) => {
      const states = read(ask, SecretStates);
      if (states.google !== undefined) clients.google.secretState = states.google;
      if (states.microsoft !== undefined) clients.microsoft.secretState = states.microsoft;
      return jsonAnswer(200, {});
    },
    'POST /sandbox/limits': (ask) => jsonAnswer(200, Object.assign(limits, read(ask, NewLimits))),
  };
  return (ask) => {
    const lever = levers[`${ask.method} ${ask.url.pathname}`];
    if (lever === undefined) return jsonAnswer(404, { error: 'no such lever', levers: Object.keys(levers) });
    try {
      return lever(ask);
    } catch (thrown) {
      return jsonAnswer(400, { error: thrown instanceof Error ? thrown.message : String(thrown) });
    }
  };
}

function read<T>(ask: Ask, shape: z.ZodType<T>): T {
  return shape.parse(JSON.parse(ask.body));
}

function indexPage({ people, truth, urls }: ControlRooms): string {
  const rows = people
    .all()
    .map(({ name, email, provider, account, timeZone, calendars }) => {
      const count = calendars.reduce((sum, { calendar }) => sum + calendar.events.size, 0);
      const kind = provider === 'microsoft' ? `${provider} (${account})` : provider;
      const cells = [name, email, kind, timeZone, String(calendars.length), String(count)];
      return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`;
    })
    .join('\n');
  const { ok, problems } = truth.verdict();
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Calendar sandbox</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1f2733}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d8dee6}</style>
<h1>Calendar sandbox</h1>
<p>Google at <code>${escapeHtml(urls.google)}</code>, Microsoft at <code>${escapeHtml(urls.microsoft)}</code>.
See <a href="/sandbox/people">people and events</a> and <a href="/sandbox/truth">what the providers saw</a>.</p>
<table><tr><th>Name</th><th>Address</th><th>Account</th><th>Zone</th><th>Calendars</th><th>Events</th></tr>${rows}</table>
<h2>Verdict on the client: ${ok ? 'fine' : 'not fine'}</h2>
<ul>${problems.map((problem) => `<li>${escapeHtml(problem)}</li>`).join('')}</ul></html>`;
}
