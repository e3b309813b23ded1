import type { Limits } from '../config.ts';
import { Account, type AccountOptions } from './account.ts';
import { CallWindow } from './call-window.ts';
import type { Identity } from './facts.ts';
import { Gate } from './gate.ts';
import type { Ledger } from './ledger.ts';
import { OpenCalls } from './open-calls.ts';
import type { Permits } from './permits.ts';
import type { Store } from './store.ts';

/** How long a call may go on at the provider, as a multiple of its time-out here: the reply may be on its way. */
const CALL_LIFE = 7 / 6;
/** For how much of its time-out one row remembers open calls. */
const CALL_GRAIN = 1 / 3;

/** The longest a call may stay open at the provider after it began here, milliseconds. */
export function callLifeOf({ providerTimeoutMs }: Limits): number {
  return providerTimeoutMs * CALL_LIFE;
}

/** What the way to the account, its gate and the memory of its calls are made of. */
export interface AccountParts extends Omit<AccountOptions, 'gate'> {
  identity: Identity;
  limits: Limits;
  store: Store;
  ledger: Pick<Ledger, 'freshSince'>;
  permits: Permits;
  /** How many tasks are in their first run that were accepted since then. */
  firstRunsSince: (sinceMs: number) => number;
}

/** The way to the account, wired: every limit of its provider stands before it. */
export function createAccount({ identity, limits, ledger, firstRunsSince, ...parts }: AccountParts): Account {
  const { now } = parts;
  const { provider } = identity;
  const callLifeMs = callLifeOf(limits);
  const grainMs = limits.providerTimeoutMs * CALL_GRAIN;
  const maxConcurrent = limits.maxConcurrent[provider];
  const openCalls = new OpenCalls({
    ...parts,
    maxConcurrent,
    callLifeMs,
    grainMs,
    freshTasks: () => ledger.freshSince(now() - callLifeMs - grainMs),
    covered: () => firstRunsSince(now() - grainMs),
  });
  const window = new CallWindow({ ...parts, limit: limits.user[provider] });
  const gate = new Gate({ ...parts, maxConcurrent, openCalls, window });
  return new Account({ ...parts, gate });
}
