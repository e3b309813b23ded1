import { type Failure, ok, type Outcome } from '../domain/failure.ts';
import type { PushNotice } from '../providers/provider-sync.ts';
import type { Provider } from '../providers/provider.ts';
import type { Account } from './account.ts';
import { type Channel, ChannelBook } from './channel-book.ts';
import { Sequence } from './sequence.ts';
import type { Store } from './store.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** A calendar of which no notifications can be had is tried again after so long. */
const REFUSED_MS = DAY_MS;
/** A change that was read is to be told of within so long, else its channel is taken for silent. */
const GRACE_MS = 3 * MINUTE_MS;
/** How long a channel may take to be opened; only a crash makes it longer. */
const OPENING_MS = 2 * MINUTE_MS;
/** However short its life, a channel is not renewed at once. */
const SHORTEST_MS = MINUTE_MS;
const SECRET_ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const SECRET_LENGTH = 43;
/** So many openings of one calendar that have not been answered are remembered. */
const MOST_UNANSWERED = 5;

/** What channels are made of. */
export interface ChannelsOptions {
  connectorId: string;
  store: Store;
  account: Pick<Account, 'use'>;
  provider: Pick<Provider, 'sync'>;
  /** The address that the provider is to call. */
  address: () => Promise<string>;
  now: () => number;
  randomId: () => string;
  randomBytes: (length: number) => Uint8Array;
}

/** What a notification asks for: which calendar it is about, and what to do. */
export interface Announcement {
  calendarId: string;
  /** The calendar may have changed. */
  mayHaveChanged: boolean;
}

/**
 * The channels through which the provider tells that a calendar has changed: one for each calendar that is
 * mirrored, opened anew before it ends, the old one closed only when the new one stands (but where the provider
 * allows no second one). They are a hint and not to be relied on: what goes silent is noticed by what the sync
 * reads, and replaced.
 */
export class Channels {
  readonly #options: ChannelsOptions;
  readonly #book: ChannelBook;
  /** Two at once would both open what is missing. */
  readonly #turns = new Sequence();
  /** How often everything has been closed. */
  #closings = 0;
  /** The highest number that each channel has told in this life. */
  readonly #lastNumbers = new Map<string, number>();
  #isClosed = false;

  constructor(options: ChannelsOptions) {
    this.#options = options;
    this.#book = new ChannelBook(options.store);
  }

  /**
   * Whether each of these calendars has a channel that is believed to tell of changes. Beside one that has, those do
   * no harm for which there is none to be had: nearly every account shows holidays, which Google tells no changes of.
   */
  areHealthy(calendarIds: readonly string[]): boolean {
    const channels = this.#book.all();
    const are = (...states: Channel['state'][]) =>
      new Set(channels.flatMap((one) => (states.includes(one.state) ? [one.calendarId] : [])));
    const [open, settled] = [are('open'), are('open', 'refused')];
    return (
      calendarIds.length === 0 ||
      (calendarIds.some((id) => open.has(id)) && calendarIds.every((id) => settled.has(id)))
    );
  }

  /** Whether each of these calendars has a channel, or can have none for now, and no other calendar has one. */
  cover(calendarIds: readonly string[]): boolean {
    const known = this.#book.covered();
    return known.size === new Set(calendarIds).size && calendarIds.every((id) => known.has(id));
  }

  /** When something is to be done about a channel, epoch milliseconds. */
  nextDueAt(): number | undefined {
    return this.#book.nextDueAt();
  }

  /**
   * What a notification is about; undefined when it is of no channel of ours, or of one that has been replaced:
   * that is closed then, should the provider still have it. Also for one that comes again, or after a later one:
   * what it tells of was there to be read when that came.
   */
  hear({ secret, kind, watchId, resourceId, number }: PushNotice): Announcement | undefined {
    const { now } = this.#options;
    const channel = this.#book.all().find((one) => one.secret === secret);
    // Whoever has the secret and knows neither the channel nor what it is of is not the provider.
    if (channel === undefined || !isOf(channel.watch, { watchId, resourceId })) return undefined;
    const { calendarId, state } = channel;
    const isCutOff = state === 'opening' && channel.dueAtMs <= now();
    const isCurrent = state !== 'retiring' && state !== 'refused' && !isCutOff;
    if (kind === 'ended') {
      this.#book.forget(channel.id);
      return isCurrent ? { calendarId, mayHaveChanged: true } : undefined;
    }
    if (!isCurrent) {
      // The answer to its opening was lost with a crash: what it is called is known only now.
      const watch = channel.watch ?? {
        watchId,
        ...(resourceId !== undefined && { resourceId }),
        expiresAtMs: now() + this.#options.provider.sync.watchLifetimeMs,
      };
      this.#book.write({ ...channel, watch, state: 'retiring', dueAtMs: now() });
      return undefined;
    }
    if (number !== undefined) {
      if (number <= (this.#lastNumbers.get(channel.id) ?? -Infinity)) return undefined;
      this.#lastNumbers.set(channel.id, number);
    }
    switch (kind) {
      case 'hello':
        return { calendarId, mayHaveChanged: false };
      case 'changed':
        if (state === 'unproven') this.#book.write({ ...channel, state: 'open' });
        if (state === 'suspect')
          this.#book.write({ ...channel, state: 'open', dueAtMs: this.#renewalOf(channel) });
        return { calendarId, mayHaveChanged: true };
      case 'renew':
        this.#book.write({ ...channel, dueAtMs: now() });
        return { calendarId, mayHaveChanged: true };
      case 'missed':
        return { calendarId, mayHaveChanged: true };
    }
  }

  /** A reading has found a change in this calendar that nobody has told of: its channel may have gone silent. */
  suspect(calendarId: string): void {
    const { now } = this.#options;
    const channel = this.#book.all().find((one) => one.calendarId === calendarId && one.state === 'open');
    if (channel === undefined) return;
    this.#book.write({ ...channel, state: 'suspect', dueAtMs: Math.min(channel.dueAtMs, now() + GRACE_MS) });
  }

  /**
   * Sees to it that each of these calendars has a channel, and no other: opens, renews, replaces and closes what is due.
   *
   * @returns the first failure that may pass; what it has kept from being done is still due.
   */
  async tend(calendarIds: readonly string[]): Promise<Failure | undefined> {
    const closings = this.#closings;
    const isOver = () => this.#isClosed || this.#closings !== closings;
    return await this.#turns.run(() => this.#tend(calendarIds, isOver));
  }

  async #tend(calendarIds: readonly string[], isOver: () => boolean): Promise<Failure | undefined> {
    const { now } = this.#options;
    if (isOver()) return undefined;
    let failure: Failure | undefined;
    const wanted = new Set(calendarIds);
    for (const channel of this.#book.all()) {
      if (wanted.has(channel.calendarId) || channel.state === 'retiring') continue;
      if (channel.state === 'refused') this.#book.forget(channel.id);
      else if (channel.watch === undefined) this.#keepForItsWord(channel);
      else this.#book.write({ ...channel, state: 'retiring', dueAtMs: now() });
    }
    const due = this.#book.all().filter(({ dueAtMs }) => dueAtMs <= now());
    const known = this.#book.covered();
    const acts = [
      ...due.map(({ id }) => async () => {
        // As it is by now: it may have spoken, or ended, while another was tended to.
        const channel = this.#book.find(id);
        return channel !== undefined && channel.dueAtMs <= now() ? await this.#tendOne(channel) : DONE;
      }),
      ...calendarIds.filter((id) => !known.has(id)).map((id) => () => this.#open(id, 'open')),
    ];
    for (const act of acts) {
      if (isOver()) return failure;
      // One call after the other: nobody waits for a channel.
      // oxlint-disable-next-line no-await-in-loop
      const done = await act();
      if (!done.ok) failure ??= done.failure;
    }
    return failure;
  }

  /** Closes every channel, as far as that works. */
  async closeAll(): Promise<void> {
    // What is under way goes no further, and is closed with the others.
    this.#closings += 1;
    await this.#turns.run(async () => {
      const standing = this.#book.all().filter(({ watch }) => watch !== undefined);
      await Promise.all(standing.map((channel) => this.#close(channel)));
    });
  }

  /** The storage is about to go: nothing is written any more. */
  close(): void {
    this.#isClosed = true;
  }

  /** The storage stayed after all. */
  reopen(): void {
    this.#isClosed = false;
  }

  async #tendOne(channel: Channel): Promise<Outcome<unknown>> {
    switch (channel.state) {
      case 'opening':
        // Cut off by a crash. Where it was to follow another, that one is still there.
        this.#keepForItsWord(channel);
        return this.#book.covered().has(channel.calendarId)
          ? DONE
          : await this.#open(channel.calendarId, 'open');
      case 'refused':
        this.#book.forget(channel.id);
        return await this.#open(channel.calendarId, 'open');
      case 'retiring':
        return await this.#close(channel);
      case 'suspect':
        return await this.#replace(channel, 'unproven');
      case 'open':
      case 'unproven':
        return await this.#renew(channel);
    }
  }

  async #renew(channel: Channel): Promise<Outcome<unknown>> {
    const { account, provider, address } = this.#options;
    const { watch, state } = channel;
    const { sync } = provider;
    const next = state === 'unproven' ? 'unproven' : 'open';
    const isRenewable = sync.renewWatch !== undefined && watch?.address === (await address());
    if (!isRenewable) return await this.#replace(channel, next);
    const renewed = await account.use(
      'upkeep',
      async (access) =>
        (await sync.renewWatch?.(watch, sync.watchLifetimeMs, access)) ??
        ({ ok: false, failure: { kind: 'not-found', what: 'channel' } } as const),
    );
    if (this.#isClosed) return renewed;
    if (!renewed.ok) return isLasting(renewed.failure) ? await this.#replace(channel, next) : renewed;
    const kept = this.#book.find(channel.id);
    // It may have ended meanwhile.
    if (kept === undefined) return renewed;
    const longer = { ...kept, watch: { ...watch, ...renewed.value } };
    this.#book.write({ ...longer, dueAtMs: this.#renewalOf(longer) });
    return renewed;
  }

  /** Opens a new one, and lets the old one go only then, where there may be two: in between none tells of a change. */
  async #replace(channel: Channel, state: 'open' | 'unproven'): Promise<Outcome<unknown>> {
    const opened = await this.#open(channel.calendarId, state, channel);
    if (!opened.ok || this.#isClosed) return opened;
    const left = this.#book.find(channel.id);
    return left?.state === 'retiring' ? await this.#close(left) : opened;
  }

  /** Opens a channel; from when it stands, `before` is to be closed. */
  async #open(calendarId: string, state: 'open' | 'unproven', before?: Channel): Promise<Outcome<unknown>> {
    const { account, provider, address, now, randomId } = this.#options;
    const callAt = await address();
    const id = randomId();
    const secret = this.#makeSecret();
    const channel: Channel = { id, calendarId, secret, state: 'opening', dueAtMs: now() + OPENING_MS };
    // Before it is asked for: its first word may come before the answer.
    this.#book.write(channel);
    const opened = await account.use('upkeep', (access) =>
      provider.sync.watch(
        {
          calendarId,
          channelId: id,
          address: callAt,
          secret,
          lifetimeMs: provider.sync.watchLifetimeMs,
        },
        access,
      ),
    );
    if (this.#isClosed) return opened;
    if (opened.ok) {
      const standing: Channel = { ...channel, watch: { ...opened.value, address: callAt }, state };
      this.#book.write({ ...standing, dueAtMs: this.#renewalOf(standing) });
      if (before !== undefined) this.#book.write({ ...before, state: 'retiring', dueAtMs: now() });
      return DONE;
    }
    if (before !== undefined && isTaken(opened.failure)) {
      // The provider has one of a kind for an address: the old one goes first.
      this.#book.forget(id);
      const closed = await this.#close(before);
      return closed.ok && !this.#isClosed ? await this.#open(calendarId, state) : closed;
    }
    if (isLasting(opened.failure)) {
      const againAtMs = now() + REFUSED_MS;
      const endsAtMs = before?.watch?.expiresAtMs ?? -Infinity;
      if (before !== undefined && endsAtMs > now()) {
        // There is no other to be had: this one is kept for as long as it lasts.
        this.#book.forget(id);
        this.#book.write({ ...before, dueAtMs: Math.min(endsAtMs, againAtMs) });
      } else {
        if (before !== undefined) this.#book.forget(before.id);
        this.#book.write({ ...channel, state: 'refused', dueAtMs: againAtMs });
      }
      return DONE;
    }
    if (mayHaveHappened(opened.failure)) this.#keepForItsWord(channel);
    else this.#book.forget(id);
    return opened;
  }

  /**
   * It may be open, or not: it is known by its secret for as long as it could live, should it speak up. Of those of one
   * calendar the latest few are: in a long outage there is one after the other.
   */
  #keepForItsWord(channel: Channel): void {
    const { now, provider } = this.#options;
    this.#book.write({ ...channel, state: 'retiring', dueAtMs: now() + provider.sync.watchLifetimeMs });
    const unanswered = this.#book
      .all()
      .filter(
        (one) => one.calendarId === channel.calendarId && one.watch === undefined && one.state === 'retiring',
      )
      .toSorted((a, b) => b.dueAtMs - a.dueAtMs);
    for (const { id } of unanswered.slice(MOST_UNANSWERED)) this.#book.forget(id);
  }

  async #close(channel: Channel): Promise<Outcome<unknown>> {
    const { account, provider, now } = this.#options;
    const { watch } = channel;
    if (watch === undefined || watch.expiresAtMs <= now()) {
      this.#book.forget(channel.id);
      return DONE;
    }
    const stopped = await account.use('background', (access) => provider.sync.stopWatch(watch, access));
    if (this.#isClosed) return stopped;
    if (!stopped.ok && !isLasting(stopped.failure)) return stopped;
    this.#book.forget(channel.id);
    return DONE;
  }

  /** When a fifth of its life is left, a little earlier for some, so that not all are renewed at once. */
  #renewalOf({ id, watch }: Channel): number {
    const { now, provider } = this.#options;
    const endsAtMs = watch?.expiresAtMs ?? now();
    const leftMs = Math.min(endsAtMs - now(), provider.sync.watchLifetimeMs);
    return Math.max(endsAtMs - (leftMs / 5) * (1 + 0.5 * spreadOf(id)), now() + SHORTEST_MS);
  }

  #makeSecret(): string {
    return [...this.#options.randomBytes(SECRET_LENGTH)]
      .map((byte) => SECRET_ALPHABET[byte % SECRET_ALPHABET.length])
      .join('');
  }
}

/** Whether a notification names the channel that it brings the secret of, as far as that is known. */
function isOf(
  watch: Channel['watch'],
  { watchId, resourceId }: { watchId: string; resourceId: string | undefined },
): boolean {
  if (watch === undefined) return true;
  const isSameResource =
    [watch.resourceId, resourceId].includes(undefined) || watch.resourceId === resourceId;
  return watch.watchId === watchId && isSameResource;
}

/** Nothing was to be done. */
const DONE = ok(undefined);

/** Whether there is such a channel already: Graph refuses a second one for the same calendar and address. */
function isTaken(failure: Failure): boolean {
  return failure.kind === 'rejected' && failure.status === 409;
}

/** Whether asking again changes nothing for a long time. */
function isLasting({ kind }: Failure): boolean {
  return kind === 'unsupported' || kind === 'not-found' || kind === 'rejected' || kind === 'consent-missing';
}

/** Whether it is not known if the provider has carried out what failed. */
function mayHaveHappened(failure: Failure): boolean {
  return failure.kind === 'malformed' || (failure.kind === 'unavailable' && failure.ambiguous);
}

/** A number in [0, 1) that a name always has. */
function spreadOf(name: string): number {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 1_000_003;
  return hash / 1_000_003;
}
