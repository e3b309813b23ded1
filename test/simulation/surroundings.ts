import type { Showcase } from '../../src/connector/publication.ts';
import type { Keyring, SealBinding } from '../../src/crypto/keyring.ts';
import type { ConnectorState } from '../../src/db/connectors.ts';
import { fail, ok } from '../../src/domain/failure.ts';
import type { Lease, LeaseRequest } from '../../src/domain/lease.ts';
import type { Notice } from '../../src/domain/notice.ts';
import type { SimulatedApp } from './app.ts';
import type { Climate } from './climate.ts';
import type { Random } from './random.ts';
import type { Life, Scheduler } from './scheduler.ts';
import type { Wire } from './wire.ts';

/** What the surroundings of an actor are made of. */
export interface SurroundingsOptions {
  name: string;
  scheduler: Scheduler;
  wire: Wire;
  random: Random;
  climate: Climate;
  isFair: () => boolean;
  app: SimulatedApp;
  /** The queue says that it has taken notices, and has not. */
  losesNotices: boolean;
}

const SEAL_PREFIX = 'v1.sim.';

/** What a sealed value of a simulation holds. */
export function openSealed(sealed: string): string {
  const { plaintext }: { plaintext: string } = JSON.parse(sealed.slice(SEAL_PREFIX.length));
  return plaintext;
}

/** The queue of notices, D1, KV and the provider app as one connector uses them. */
export class Surroundings {
  readonly #options: SurroundingsOptions;
  /** What the queue has taken. */
  readonly sent: Notice[] = [];
  /** How often each was called. */
  readonly count = { notices: 0, database: 0, keyValue: 0, leases: 0 };
  /** The connector's row in D1. */
  row: ConnectorState | undefined;
  /** What KV holds. */
  sealedAccessToken: string | undefined;

  constructor(options: SurroundingsOptions) {
    this.#options = options;
  }

  /** The queue as a life uses it. */
  queueOf(life: Life): (notices: Notice[]) => Promise<void> {
    const { climate, losesNotices } = this.#options;
    return (notices) => {
      this.count.notices += 1;
      const label = `notices ${notices.map(({ type, taskId }) => `${type} ${taskId ?? ''}`).join(', ')}`;
      return this.#ask(life, label, climate.queueFault, () => {
        if (!losesNotices) this.sent.push(...notices);
      });
    };
  }

  /** The provider app as a life reaches it: always, where it has a limit that could be met. */
  askAppOf(life: Life): (request: LeaseRequest) => Promise<Lease> {
    const { app, climate } = this.#options;
    return (request) => {
      this.count.leases += 1;
      return this.#ask(life, 'lease', app.isLimited ? 0 : climate.appFault, () => app.lease(request));
    };
  }

  /** D1 and KV as a life uses them. */
  showcaseOf(life: Life): Showcase {
    const { databaseFault } = this.#options.climate;
    const ask = <T>(label: string, deed: () => T) => {
      if (label.endsWith('token')) this.count.keyValue += 1;
      else this.count.database += 1;
      return this.#ask(life, label, databaseFault, deed);
    };
    return {
      saveRow: (state) =>
        ask(`row ${state.status}`, () => {
          this.row = state;
        }),
      readSealedToken: () => ask('read row', () => this.row?.refreshTokenEnc ?? undefined),
      putAccessToken: (sealed) =>
        ask('put token', () => {
          this.sealedAccessToken = sealed;
        }),
      deleteAccessToken: () =>
        ask('delete token', () => {
          this.sealedAccessToken = undefined;
        }),
      dropSignIns: () => ask('drop sign-ins', () => undefined),
      saveSyncStatus: () => ask('sync status', () => undefined),
      dropSyncStatus: () => ask('drop sync status', () => undefined),
      hasSibling: () => ask('look for siblings', () => false),
    };
  }

  /** A keyring that hides nothing, so that the simulation can look into the store; it takes its turns like any. */
  keyringOf(life: Life): Keyring {
    const turn = <T>(label: string, deed: () => T): Promise<T> => this.takeTurn(life, label, deed);
    const spell = ({ owner, field }: SealBinding) => `${owner} ${field}`;
    const spellMac = (text: string, purpose: string) => `sim~${encodeURIComponent(`${purpose} ${text}`)}`;
    return {
      currentPrefix: SEAL_PREFIX,
      seal: (plaintext, binding) =>
        turn('seal', () => `${SEAL_PREFIX}${JSON.stringify({ plaintext, binding: spell(binding) })}`),
      open: (sealed, binding) =>
        turn('open', () =>
          sealed.startsWith(SEAL_PREFIX) && sealed.includes(spell(binding))
            ? ok(openSealed(sealed))
            : fail({ kind: 'misconfigured', detail: 'does not open' }),
        ),
      mac: (text, purpose) => turn('mac', () => spellMac(text, purpose)),
      verifyMac: (text, mac, purpose) => turn('verify', () => mac === spellMac(text, purpose)),
    };
  }

  /** Something that the runtime itself does: at once, or as one wait among others. */
  takeTurn<T>(life: Life, label: string, deed: () => T): Promise<T> {
    const { scheduler, climate, name } = this.#options;
    if (!climate.slowCrypto) return Promise.resolve(deed());
    return scheduler.tell(life, 0, `${name} ${label}`, deed);
  }

  #ask<T>(life: Life, label: string, fault: number, deed: () => T): Promise<T> {
    const { wire, random, climate, isFair, name } = this.#options;
    const isDone = isFair() || !random.chance(fault) || random.chance(0.5);
    const isTold = isFair() || !random.chance(fault);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    wire.send({
      life,
      label: `${name} ${label}`,
      arriveMs: random.whole(0, climate.slowestMs),
      answerMs: random.whole(0, climate.slowestMs),
      deed: () => (isDone ? { value: deed() } : undefined),
      answer: (done) => {
        if (done !== undefined && isTold) resolve(done.value);
        else reject(new Error('no answer'));
      },
    });
    return promise;
  }
}
