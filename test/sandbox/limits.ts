import type { Provider } from './people.ts';

/** The providers' own limits; every one may be changed while the sandbox runs. */
export interface LimitSettings {
  /** Graph requests of one mailbox that may be open at once. */
  microsoftConcurrent: number;
  /** Graph requests of one mailbox in ten minutes. */
  microsoftPerTenMinutes: number;
  /** Google calls of one user in a minute. */
  googlePerUserPerMinute: number;
  /** Google calls of the whole project in a minute. */
  googlePerProjectPerMinute: number;
}

/** The published limits of both providers. */
export const PUBLISHED_LIMITS: Readonly<LimitSettings> = {
  microsoftConcurrent: 4,
  microsoftPerTenMinutes: 10_000,
  googlePerUserPerMinute: 600,
  googlePerProjectPerMinute: 10_000,
};

/** Why a call is over a limit. */
export type Excess = 'concurrency' | 'user-quota' | 'project-quota';

const MINUTE_MS = 60_000;

/** Counts API calls against the limits. */
export class Limits {
  readonly settings: LimitSettings = { ...PUBLISHED_LIMITS };
  readonly #open = new Map<string, number>();
  readonly #windows = new Map<string, number[]>();

  /** Lets a call in: what it exceeds, if anything, and how to leave again. */
  enter(provider: Provider, person: string, nowMs: number): { excess?: Excess; leave: () => void } {
    const key = `${provider} ${person}`;
    const open = (this.#open.get(key) ?? 0) + 1;
    this.#open.set(key, open);
    const excess = this.#excess(provider, key, open, nowMs);
    const leave = (): void => {
      this.#open.set(key, (this.#open.get(key) ?? 1) - 1);
    };
    return excess === undefined ? { leave } : { excess, leave };
  }

  #excess(provider: Provider, key: string, open: number, nowMs: number): Excess | undefined {
    const { settings } = this;
    if (provider === 'microsoft') {
      if (open > settings.microsoftConcurrent) return 'concurrency';
      return this.#overfull(key, 10 * MINUTE_MS, settings.microsoftPerTenMinutes, nowMs)
        ? 'user-quota'
        : undefined;
    }
    if (this.#overfull(key, MINUTE_MS, settings.googlePerUserPerMinute, nowMs)) return 'user-quota';
    const overProject = this.#overfull('project', MINUTE_MS, settings.googlePerProjectPerMinute, nowMs);
    return overProject ? 'project-quota' : undefined;
  }

  #overfull(key: string, windowMs: number, limit: number, nowMs: number): boolean {
    const recent = this.#windows.get(key) ?? [];
    this.#windows.set(key, recent);
    while (recent[0] !== undefined && recent[0] <= nowMs - windowMs) recent.shift();
    if (recent.length >= limit) return true;
    recent.push(nowMs);
    return false;
  }
}
