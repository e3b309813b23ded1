import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { ChurnOptions } from '../sandbox/churn.ts';
import type { EventChanges, EventInput } from '../sandbox/event-input.ts';
import type { FaultScript } from '../sandbox/faults.ts';
import type { PersonInput, Provider } from '../sandbox/people.ts';
import type { PushSettings } from '../sandbox/pushes.ts';
import type { Client } from '../sandbox/world.ts';

const program = new URL('../sandbox/main.ts', import.meta.url).pathname;
/** The longest a start, and an answer, may take on a machine that does much else. */
const UP_WITHIN_MS = 60_000;
const ANSWER_WITHIN_MS = 60_000;
const STOP_MS = 5_000;
const SETTLE_POLL_MS = 20;

const readySchema = z.object({
  googleUrl: z.string(),
  microsoftUrl: z.string(),
  vars: z.record(z.string(), z.string()),
  secrets: z.record(z.string(), z.string()),
});

const instantSchema = z.string().transform((text) => Date.parse(text));

const callSchema = z.object({
  at: instantSchema,
  operation: z.string(),
  kind: z.string(),
  person: z.string().optional(),
  provider: z.enum(['google', 'microsoft']),
  inBatch: z.boolean().optional(),
  ms: z.number(),
  status: z.number(),
  faults: z.array(z.string()).optional(),
});

const peaksSchema = z.record(z.string(), z.number());

const truthSchema = z.object({
  calls: z.array(callSchema),
  peaks: peaksSchema,
  peaksAlive: peaksSchema,
  tooEarly: z.array(
    z.object({
      at: instantSchema,
      operation: z.string(),
      person: z.string().optional(),
      earlyByMs: z.number(),
    }),
  ),
  refusals: z.array(z.object({ operation: z.string(), status: z.number(), reason: z.string() })),
  pushes: z.array(
    z.object({
      at: instantSchema,
      provider: z.enum(['google', 'microsoft']),
      person: z.string(),
      watchId: z.string(),
      kind: z.string(),
      status: z.number().optional(),
      lost: z.string().optional(),
    }),
  ),
  effects: z.array(z.object({ deed: z.string(), person: z.string(), key: z.string().optional() })),
});

/** What the providers saw, as the sandbox tells it over HTTP; `at` in epoch milliseconds. */
export type Truth = z.infer<typeof truthSchema>;

/** One call of it. `ms` is -1 while it is open. */
export type SeenCall = Truth['calls'][number];

const inFlightSchema = z.object({ inFlight: z.number() });

const addedSchema = z.object({ id: z.string() });

const channelsSchema = z.array(
  z.object({
    id: z.string(),
    resourceId: z.string(),
    person: z.string(),
    calendarId: z.string().optional(),
    address: z.string(),
    expiresAtMs: z.number(),
  }),
);

/** A notification channel that is open. */
export type ChannelSeen = z.infer<typeof channelsSchema>[number];

const peopleSchema = z.array(
  z.object({
    email: z.string(),
    calendars: z.array(
      z.object({
        events: z.array(
          z.object({
            summary: z.string(),
            status: z.string(),
            createdMs: z.number(),
            marks: z.array(z.object({ id: z.string(), value: z.string() })).optional(),
          }),
        ),
      }),
    ),
  }),
);

/** A person with what is in their calendars, deleted events as `cancelled`. */
export type PersonSeen = z.infer<typeof peopleSchema>[number];

/** A sandbox in a process of its own, driven over its HTTP control. */
export interface SandboxProcess {
  readonly googleUrl: string;
  readonly microsoftUrl: string;
  readonly vars: Record<string, string>;
  readonly secrets: Record<string, string>;
  readonly clients: { google: Client; microsoft: Client };
  addPerson(person: PersonInput): Promise<void>;
  addFault(fault: FaultScript): Promise<void>;
  clearFaults(): Promise<void>;
  latency(provider: Provider, ms: number): Promise<void>;
  /** Raises or lowers the providers' quotas. */
  limit(limits: Record<string, number>): Promise<void>;
  /** Puts an event into a person's primary calendar; returns its id. */
  addEvent(person: string, event: EventInput): Promise<string>;
  /** Changes an event in it, or by its own id an occurrence. */
  changeEvent(person: string, id: string, changes: EventChanges): Promise<void>;
  removeEvent(person: string, id: string): Promise<void>;
  /** Google's notification channels that are open. */
  channels(): Promise<ChannelSeen[]>;
  /** How notifications travel from now on. */
  pushes(settings: Partial<PushSettings>): Promise<void>;
  /** Resolves when no notification is on its way. */
  settlePushes(): Promise<void>;
  /** Lets a person change things in their calendars, at random by the seed. */
  churn(person: string, options: ChurnOptions): Promise<void>;
  /** Whoever has read that person's calendars has to read all of them again. */
  expireSyncTokens(person: string): Promise<void>;
  /** Nobody is told any more of that person's changes, nor that it is so. */
  silence(person: string, silent?: boolean): Promise<void>;
  /** The client was killed: what it has left open is no call of its next life. */
  clientDied(): Promise<void>;
  truth(): Promise<Truth>;
  forgetTruth(): Promise<void>;
  people(): Promise<PersonSeen[]>;
  close(): Promise<void>;
}

/** Starts `test/sandbox/main.ts` as a child on free ports. */
export async function startSandboxProcess(seed: number): Promise<SandboxProcess> {
  const child = spawn(process.execPath, [program, '--quiet', '--seed', String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const killLeft = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', killLeft);
  const ended = once(child, 'close');
  const lines = createInterface({ input: child.stdout });
  const patience = new AbortController();
  const first = await Promise.race([
    once(lines, 'line').then(([line]) => String(line)),
    ended.then(() => undefined),
    sleep(UP_WITHIN_MS, undefined, { signal: patience.signal }).catch(() => undefined),
  ]);
  patience.abort();
  if (first === undefined) {
    killLeft();
    throw new Error('the sandbox did not start');
  }
  const ready = readySchema.parse(JSON.parse(first));

  const call = async (method: string, lever: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${ready.googleUrl}/sandbox/${lever}`, {
      method,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const read = await response.text();
    if (!response.ok) throw new Error(`${method} /sandbox/${lever}: ${response.status} ${read}`);
    const answer: unknown = JSON.parse(read);
    return answer;
  };
  const clientOf = (name: string): Client => ({
    id: ready.vars[`${name}_CLIENT_ID`] ?? '',
    secret: ready.secrets[`${name}_CLIENT_SECRET`] ?? '',
    secretState: 'valid',
  });
  return {
    ...ready,
    clients: { google: clientOf('GOOGLE'), microsoft: clientOf('MICROSOFT') },
    addPerson: async (person) => void (await call('POST', 'people', person)),
    addFault: async (fault) => void (await call('POST', 'faults', fault)),
    clearFaults: async () => void (await call('DELETE', 'faults')),
    latency: async (provider, ms) => void (await call('POST', 'latency', { provider, ms })),
    limit: async (limits) => void (await call('POST', 'limits', limits)),
    addEvent: async (person, event) => addedSchema.parse(await call('POST', 'events', { person, event })).id,
    changeEvent: async (person, id, changes) => void (await call('PATCH', 'events', { person, id, changes })),
    removeEvent: async (person, id) => void (await call('DELETE', 'events', { person, id })),
    channels: async () => channelsSchema.parse(await call('GET', 'channels')),
    pushes: async (settings) => void (await call('POST', 'pushes', settings)),
    async settlePushes() {
      const onTheWay = async (): Promise<boolean> =>
        inFlightSchema.parse(await call('GET', 'pushes')).inFlight > 0;
      while (await onTheWay()) await sleep(SETTLE_POLL_MS);
    },
    churn: async (person, options) => void (await call('POST', 'churn', { person, ...options })),
    expireSyncTokens: async (person) =>
      void (await call('POST', 'deeds', { do: 'expire-sync-tokens', person })),
    silence: async (person, silent = true) =>
      void (await call('POST', 'deeds', { do: 'silence', person, silent })),
    clientDied: async () => void (await call('POST', 'client-died', {})),
    truth: async () => truthSchema.parse(await call('GET', 'truth')),
    forgetTruth: async () => void (await call('DELETE', 'truth')),
    people: async () => peopleSchema.parse(await call('GET', 'people')),
    async close() {
      child.kill('SIGTERM');
      const over = await Promise.race([ended, sleep(STOP_MS)]);
      if (over === undefined) killLeft();
      await ended;
      process.off('exit', killLeft);
    },
  };
}
