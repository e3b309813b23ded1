import * as z from 'zod';
import type { Interval } from '../../src/domain/interval.ts';
import { overlaps } from '../../src/domain/interval.ts';
import type { Blame } from './verdicts.ts';

/** A call as it arrives at the provider. `token`: the access token it carries. */
export interface ArrivedCall {
  method: string;
  path: string;
  token?: string;
  body?: unknown;
}

/** What the provider answers. `retryAfterSeconds` becomes the header. */
export interface ServerReply {
  status: number;
  body?: unknown;
  retryAfterSeconds?: number;
}

/** An event at the provider. */
export interface ServerEvent extends Interval {
  id: string;
  summary: string;
  isHold: boolean;
}

/** How an account behaves. */
export interface CalendarServerOptions {
  now: () => number;
  tokenLifeMs: number;
  /** A refresh brings a new refresh token. */
  rotates: boolean;
  /** The refresh token that was traded in is dead from then on. */
  isStrict: boolean;
  /** False: it finds no event by its key, and makes a second one under it. */
  keepsKeys: boolean;
  blame: Blame;
}

const eventBodySchema = z.object({
  id: z.string(),
  startMs: z.number(),
  endMs: z.number(),
  summary: z.string(),
  isHold: z.boolean(),
});
const changeBodySchema = z.object({ summary: z.string().optional(), confirms: z.boolean() });
const batchBodySchema = z.object({
  calendars: z.array(z.string()),
  startMs: z.number(),
  endMs: z.number(),
});
const tokenBodySchema = z.object({ refreshToken: z.string().optional(), code: z.string().optional() });

/** The calendars of every account. Events are in the first. */
export const CALENDARS = ['primary', 'team', 'travel', 'family'];

/**
 * One person's account at a provider: tokens, events, busy times. It does at once what it is told; what
 * goes wrong on the way is the network's affair. What was done for good is counted, so that a second
 * effect can be told from a first.
 */
export class CalendarServer {
  readonly #options: CalendarServerOptions;
  readonly events = new Map<string, ServerEvent>();
  readonly busy: Interval[] = [];
  /** How many events were ever made under a key. */
  readonly made = new Map<string, number>();
  /** The entries that became events from holds. */
  readonly confirmed = new Set<string>();
  /** Ids that were to be removed when nothing was there. */
  readonly missed = new Set<string>();
  /** The summaries that were ever written. */
  readonly written = new Set<string>();
  readonly #refreshTokens = new Set<string>();
  readonly #accessTokens = new Map<string, number>();
  #grants = 0;

  constructor(options: CalendarServerOptions) {
    this.#options = options;
  }

  /** The person, or their organisation, withdraws all that was granted. */
  revokeAll(): void {
    this.#refreshTokens.clear();
    this.#accessTokens.clear();
  }

  /** Carries a call out. */
  handle(call: ArrivedCall): ServerReply {
    if (call.path === '/token') return this.#token(tokenBodySchema.parse(call.body));
    const expiresAtMs = this.#accessTokens.get(call.token ?? '') ?? 0;
    if (this.#options.now() >= expiresAtMs) return { status: 401 };
    if (call.path === '/calendars') return { status: 200, body: { calendars: CALENDARS } };
    if (call.path === '/batch') return this.#readBusy(batchBodySchema.parse(call.body));
    if (call.method === 'POST') return this.#create(eventBodySchema.parse(call.body));
    const id = call.path.split('/').at(-1) ?? '';
    const event = this.events.get(id);
    if (event === undefined && call.method === 'DELETE') this.missed.add(id);
    if (call.method === 'GET' && !this.#options.keepsKeys) return { status: 404 };
    if (event === undefined) return { status: this.made.has(id) ? 410 : 404 };
    if (call.method === 'DELETE') {
      this.events.delete(id);
      return { status: 204 };
    }
    return call.method === 'PATCH'
      ? this.#change(event, changeBodySchema.parse(call.body))
      : { status: 200, body: event };
  }

  #token({ refreshToken, code }: z.infer<typeof tokenBodySchema>): ServerReply {
    const { now, tokenLifeMs, rotates, isStrict } = this.#options;
    if (code === undefined && !this.#refreshTokens.has(refreshToken ?? '')) {
      return { status: 400, body: { error: 'invalid_grant' } };
    }
    const isNew = code !== undefined || rotates;
    this.#grants += 1;
    const kept = isNew || refreshToken === undefined ? `refresh-${this.#grants}` : refreshToken;
    if (isStrict && isNew) this.#refreshTokens.clear();
    this.#refreshTokens.add(kept);
    const accessToken = `access-${this.#grants}`;
    this.#accessTokens.set(accessToken, now() + tokenLifeMs);
    return {
      status: 200,
      body: { accessToken, lifeMs: tokenLifeMs, ...(isNew && { refreshToken: kept }) },
    };
  }

  #readBusy({ calendars, ...range }: z.infer<typeof batchBodySchema>): ServerReply {
    const taken = [...this.busy, ...this.events.values()]
      .filter((one) => overlaps(one, range))
      .map(({ startMs, endMs }) => ({ startMs, endMs }));
    const parts = calendars.map((id) => ({ id, busy: id === CALENDARS[0] ? taken : [] }));
    return { status: 200, body: { parts } };
  }

  #create(event: ServerEvent): ServerReply {
    const made = this.made.get(event.id) ?? 0;
    if (made > 0 && this.#options.keepsKeys) return { status: 409 };
    if (made > 0) this.#options.blame('second-effect', `a second event for ${event.summary}`);
    this.made.set(event.id, made + 1);
    this.written.add(event.summary);
    const id = made === 0 ? event.id : `${event.id}-${made + 1}`;
    this.events.set(id, { ...event, id });
    return { status: 200, body: { ...event, id } };
  }

  #change(event: ServerEvent, { summary, confirms }: z.infer<typeof changeBodySchema>): ServerReply {
    // A hold that has become an event already is left as it is.
    if (confirms && !event.isHold) return { status: 200, body: event };
    if (confirms) {
      if (this.confirmed.has(event.id))
        this.#options.blame('second-effect', `${event.id} is confirmed again`);
      this.confirmed.add(event.id);
    }
    if (summary !== undefined) this.written.add(summary);
    const changed = { ...event, isHold: event.isHold && !confirms, summary: summary ?? event.summary };
    this.events.set(event.id, changed);
    return { status: 200, body: changed };
  }
}
