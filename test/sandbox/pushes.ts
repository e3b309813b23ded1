import { setTimeout as sleep } from 'node:timers/promises';
import type { Dice } from './dice.ts';
import type { Provider } from './people.ts';

/** One notification to deliver. */
export interface Push {
  readonly provider: Provider;
  /** Whose calendar it tells of: `silence` goes by it. */
  readonly person: string;
  /** The channel's or subscription's id. */
  readonly watchId: string;
  /** What it says, in the provider's word: `sync`, `exists`, `updated`, `missed`… */
  readonly kind: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * What became of a notification, or of one attempt at it. `status` is the reply's, 0 when there was none. `lost`: never
 * sent, by `chance`, for `silence`, since a later one was sent in its place (`collapsed`), or to an address that is not
 * on loopback (`elsewhere`).
 */
export type PushOutcome = { readonly status: number } | { readonly lost: PushLoss };
export type PushLoss = 'chance' | 'silence' | 'collapsed' | 'elsewhere';

/** A notification as the truth log keeps it. */
export type NewPushRecord = Pick<Push, 'provider' | 'person' | 'watchId' | 'kind'> & PushOutcome;

/** How notifications travel; every one may be changed while the sandbox runs. */
export interface PushSettings {
  /** The share that is not sent at all. */
  lose: number;
  /** The share that is sent twice. */
  duplicate: number;
  /** How long each waits before it is sent, in milliseconds of the machine. */
  delayMs: number;
  /** Whether one that waits is replaced by a later one of the same watch and kind. */
  collapse: boolean;
  /** How often one is sent again that met a 5xx or no reply, and after how long. */
  retries: number;
  retryMs: number;
}

/** A reply to a call of a client's address. */
export interface PushReply {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

const ANSWER_WITHIN_MS = 10_000;

/** Delivers notifications over HTTP, late and not quite reliably, to addresses on loopback only. */
export class Pushes {
  readonly settings: PushSettings = {
    lose: 0,
    duplicate: 0,
    delayMs: 10,
    collapse: false,
    retries: 3,
    retryMs: 50,
  };
  readonly #silenced = new Set<string>();
  readonly #waiting = new Map<string, { push: Push }>();
  readonly #inFlight = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #dice: Dice;
  readonly #note: (record: NewPushRecord) => void;

  constructor(chance: Dice, note: (record: NewPushRecord) => void) {
    this.#dice = chance;
    this.#note = note;
  }

  /** Sends a notification, some time later; what becomes of it is in `truth.pushes`. */
  send(push: Push): void {
    const { lose, duplicate, collapse } = this.settings;
    // Both are rolled for in any case, so that one lever does not shift what the other strikes.
    const isLost = this.#dice.roll() < lose;
    const isTwice = this.#dice.roll() < duplicate;
    if (this.#silenced.has(push.person.toLowerCase())) this.#record(push, { lost: 'silence' });
    else if (isLost) this.#record(push, { lost: 'chance' });
    else if (!isLoopback(push.url)) this.#record(push, { lost: 'elsewhere' });
    else {
      const key = `${push.provider} ${push.watchId} ${push.kind}`;
      const waiting = collapse ? this.#waiting.get(key) : undefined;
      if (waiting === undefined) this.#start(push, key);
      else {
        this.#record(waiting.push, { lost: 'collapsed' });
        waiting.push = push;
      }
      if (isTwice) this.#start(push, undefined);
    }
  }

  /** From now on nobody is told of this person's changes, and nobody is told that; `false` ends it. */
  silence(email: string, silent = true): void {
    if (silent) this.#silenced.add(email.toLowerCase());
    else this.#silenced.delete(email.toLowerCase());
  }

  /** How many notifications are on their way. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Resolves when no notification is on its way, those sent meanwhile included. */
  async settle(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  /**
   * Calls a client's address at once, whatever the levers say: how a provider makes sure of an address. Undefined when
   * it is not on loopback, or does not answer within `withinMs`.
   */
  async call(
    to: Pick<Push, 'url' | 'headers' | 'body'>,
    withinMs = ANSWER_WITHIN_MS,
  ): Promise<PushReply | undefined> {
    if (!isLoopback(to.url)) return undefined;
    try {
      const reply = await fetch(to.url, {
        method: 'POST',
        headers: to.headers,
        body: to.body,
        redirect: 'manual',
        signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(withinMs)]),
      });
      const contentType = reply.headers.get('content-type') ?? '';
      return { status: reply.status, contentType, text: await reply.text() };
    } catch {
      return undefined;
    }
  }

  /** Gives up what is on its way, and waits until that is so. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.settle();
  }

  #start(push: Push, key: string | undefined): void {
    const holder = { push };
    if (key !== undefined) this.#waiting.set(key, holder);
    const delivery = this.#deliver(holder, key).finally(() => this.#inFlight.delete(delivery));
    this.#inFlight.add(delivery);
  }

  async #deliver(holder: { push: Push }, key: string | undefined): Promise<void> {
    await this.#pause(this.settings.delayMs);
    if (key !== undefined && this.#waiting.get(key) === holder) this.#waiting.delete(key);
    for (let attempt = 0; attempt <= this.settings.retries; attempt += 1) {
      if (attempt > 0) await this.#pause(this.settings.retryMs);
      if (this.#closing.signal.aborted) return;
      const status = (await this.call(holder.push))?.status ?? 0;
      this.#record(holder.push, { status });
      if (status !== 0 && status < 500) return;
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }

  #record({ provider, person, watchId, kind }: Push, outcome: PushOutcome): void {
    this.#note({ provider, person, watchId, kind, ...outcome });
  }
}

/** Whether an address is on this machine. Anything else the sandbox never calls. */
export function isLoopback(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  const isWeb = protocol === 'http:' || protocol === 'https:';
  return isWeb && (hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname));
}
