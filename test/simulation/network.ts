import * as z from 'zod';
import type { Fetch } from '../../src/providers/http.ts';
import type { ArrivedCall, CalendarServer, ServerReply } from './calendar-server.ts';
import type { Climate } from './climate.ts';
import type { SimulatedApp } from './app.ts';
import type { CallCount } from './call-count.ts';
import type { Meter } from './meter.ts';
import type { Random } from './random.ts';
import type { Life, Scheduler } from './scheduler.ts';
import type { Blame } from './verdicts.ts';
import type { Wire } from './wire.ts';

/** What a network is made of. */
export interface NetworkOptions {
  name: string;
  scheduler: Scheduler;
  wire: Wire;
  random: Random;
  climate: Climate;
  isFair: () => boolean;
  server: CalendarServer;
  meter: Meter;
  /** The calls of this user against its limit. */
  userCalls: CallCount;
  app: SimulatedApp;
  blame: Blame;
  /** The access token in the actor's storage, as it stands. */
  storedAccessToken: () => string | undefined;
}

const grantedSchema = z.object({ refreshToken: z.string() });

/** What becomes of a call. */
interface Fate {
  isCarriedOut: boolean;
  /** What the caller gets in place of the provider's answer. */
  instead?: ServerReply | 'broken' | 'nothing';
}

/**
 * The way from an actor to its provider, with its weather. It watches the rules of the road: how many
 * calls at once, none before a throttle has passed, one token call at a time, no token that is not stored.
 */
export class Network {
  readonly #options: NetworkOptions;
  #blockedUntilMs = 0;
  #tokenCalls = new Set<Life>();
  #tokensBlocked: { life: Life; untilMs: number } | undefined;
  #received: { life: Life; refreshToken: string } | undefined;
  /** How many calls have left, token calls included, and how many of those were token calls. */
  readonly count = { calls: 0, tokenCalls: 0 };

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /** The newest refresh token that the actor at work was given, as far as it is still alive. */
  get newestReceived(): string | undefined {
    return this.#received?.life.isOver === false ? this.#received.refreshToken : undefined;
  }

  /** The `fetch` of one life. */
  fetchOf(life: Life): Fetch {
    return (url, init) => {
      const { random, climate, scheduler, wire, server, name } = this.#options;
      const arrived = readCall(url, init);
      const leave =
        arrived.path === '/token' ? this.#enterToken(life, isSignIn(arrived)) : this.#enter(arrived);
      const fate = this.#draw(arrived);
      const { promise, resolve, reject } = Promise.withResolvers<Response>();
      const label = `${name} ${arrived.method} ${arrived.path.slice(0, 16)}`;
      const callOff = wire.send<ServerReply | undefined>({
        life,
        label,
        arriveMs: random.whole(0, climate.slowestMs),
        answerMs: fate.instead === 'nothing' ? undefined : random.whole(0, climate.slowestMs),
        deed: () => (fate.isCarriedOut ? server.handle(arrived) : undefined),
        answer: (done) => {
          leave();
          const reply = fate.instead ?? done ?? 'broken';
          if (reply === 'broken' || reply === 'nothing') reject(new Error('connection lost'));
          else resolve(this.#respond(life, arrived, reply));
        },
        orphaned: (restMs) => {
          scheduler.after(restMs, '', leave);
        },
      });
      init.signal?.addEventListener('abort', () => {
        callOff();
        leave();
        reject(new Error('aborted'));
      });
      return promise;
    };
  }

  #enter({ method, path, token, body }: ArrivedCall): () => void {
    const { meter, userCalls, app, blame, scheduler, storedAccessToken } = this.#options;
    this.count.calls += 1;
    const early = this.#blockedUntilMs - scheduler.now();
    if (early > 0) blame('throttle', `${method} ${path} leaves ${early} ms before the throttle has passed`);
    if (token !== storedAccessToken()) {
      // A call may have waited while a newer grant came: only a token that is newer than the store is wrong.
      const isNewer = numberOf(token) > numberOf(storedAccessToken());
      if (isNewer) blame('token-stored', `${token} is used before it is stored`);
    }
    const { excess, leave } = meter.enter(Math.min(weightOf(body), meter.limit));
    if (excess !== undefined) blame('concurrency', excess);
    const tooMany = userCalls.add(weightOf(body));
    if (tooMany !== undefined) blame('user-limit', tooMany);
    app.noteCall(weightOf(body));
    return leave;
  }

  #enterToken(life: Life, isFree: boolean): () => void {
    const { blame, scheduler } = this.#options;
    this.count.calls += 1;
    this.count.tokenCalls += 1;
    // A person who signs in is not kept waiting by what refreshes meet.
    if (isFree) return () => undefined;
    if (this.#tokenCalls.has(life)) blame('one-refresh', 'a second token call at once');
    const blocked = this.#tokensBlocked;
    if (blocked?.life === life && scheduler.now() < blocked.untilMs)
      blame('throttle', 'the token endpoint is called before its throttle has passed');
    this.#tokenCalls.add(life);
    return () => void this.#tokenCalls.delete(life);
  }

  #respond(life: Life, call: ArrivedCall, { status, body, retryAfterSeconds }: ServerReply): Response {
    const { scheduler } = this.#options;
    if (status === 429 && retryAfterSeconds !== undefined) {
      const untilMs = scheduler.now() + retryAfterSeconds * 1000;
      if (call.path === '/token') {
        if (!isSignIn(call)) this.#tokensBlocked = { life, untilMs };
      } else this.#blockedUntilMs = Math.max(this.#blockedUntilMs, untilMs);
    }
    const granted = grantedSchema.safeParse(body);
    if (granted.success) this.#received = { life, refreshToken: granted.data.refreshToken };
    return new Response(body === undefined ? null : JSON.stringify(body), {
      status,
      headers: retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) },
    });
  }

  #draw({ path }: ArrivedCall): Fate {
    const { random, climate, isFair } = this.#options;
    const isCarriedOut = random.chance(0.5);
    const wait = random.chance(0.5) ? { retryAfterSeconds: random.pick(1, 2, 10, 60) } : {};
    if (isFair()) return { isCarriedOut: true };
    if (random.chance(climate.throttle)) return { isCarriedOut: false, instead: { status: 429, ...wait } };
    if (random.chance(climate.fault)) {
      // Only a call that was not carried out is told to come again.
      return isCarriedOut
        ? { isCarriedOut, instead: { status: 502 } }
        : { isCarriedOut, instead: { status: 503, ...wait } };
    }
    if (random.chance(climate.loss)) return { isCarriedOut, instead: 'broken' };
    if (random.chance(climate.hang)) return { isCarriedOut, instead: 'nothing' };
    if (path !== '/token' && random.chance(climate.denial))
      return { isCarriedOut: false, instead: { status: 401 } };
    return { isCarriedOut: true };
  }
}

function readCall(url: string, { method = 'GET', headers, body }: RequestInit): ArrivedCall {
  const token = new Headers(headers).get('Authorization')?.slice('Bearer '.length);
  const read: unknown = typeof body === 'string' ? JSON.parse(body) : undefined;
  return {
    method,
    path: new URL(url).pathname,
    ...(token !== undefined && { token }),
    ...(read !== undefined && { body: read }),
  };
}

function isSignIn({ body }: ArrivedCall): boolean {
  return typeof body === 'object' && body !== null && 'code' in body;
}

/** A batch weighs as many calls as it has parts. */
function weightOf(body: unknown): number {
  return typeof body === 'object' && body !== null && 'calendars' in body && Array.isArray(body.calendars)
    ? body.calendars.length
    : 1;
}

/** Tokens are numbered in the order they are made. */
function numberOf(token: string | undefined): number {
  return Number(token?.split('-')[1] ?? 0);
}
