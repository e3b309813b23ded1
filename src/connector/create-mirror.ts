import type { Config } from '../config.ts';
import { writeRef } from '../crypto/webhook-ref.ts';
import type { Failure } from '../domain/failure.ts';
import type { RecordEvent } from '../metrics.ts';
import type { Provider } from '../providers/provider.ts';
import type { Account } from './account.ts';
import type { Agenda } from './agenda.ts';
import { Channels } from './channels.ts';
import type { Identity } from './facts.ts';
import { Mirror } from './mirror.ts';
import { MirrorAnswers } from './mirror-answers.ts';
import { MirrorUpkeep } from './mirror-upkeep.ts';
import type { Notices } from './notices.ts';
import type { OwnWrites } from './own-writes.ts';
import type { Publication } from './publication.ts';
import type { Store } from './store.ts';

/** What a mirror, what keeps it up and what answers from it are made of. */
export interface MirrorParts {
  identity: Identity;
  config: Pick<Config, 'publicBaseUrl' | 'keyring'>;
  store: Store;
  agenda: Agenda;
  account: Account;
  provider: Provider;
  notices: Notices;
  ownWrites: OwnWrites;
  publication: Pick<Publication, 'saveSyncStatus'>;
  now: () => number;
  random: () => number;
  randomId: () => string;
  randomBytes: (length: number) => Uint8Array;
  record: RecordEvent;
  onError: (where: string, thrown: unknown) => void;
  /** Why nothing may be asked of the account now, if so. */
  obstacle: () => Failure | undefined;
  /** A run has failed in a way that may concern the whole connector. */
  onFailure: (failure: Failure) => void;
  /** The next due time may have changed. */
  rearm: () => void;
  /** Whether the connector is used more than once in a while. */
  isInUse: () => boolean;
}

/** The mirror, wired: what keeps it up to date, and what answers from it. */
export function createMirror({ identity, config, publication, ...parts }: MirrorParts): {
  upkeep: MirrorUpkeep;
  answers: MirrorAnswers;
} {
  const { connectorId, provider: name } = identity;
  const mirror = new Mirror(parts.store);
  const address = async () =>
    `${config.publicBaseUrl}/webhooks/${name}/${await writeRef(config.keyring, { provider: name, connectorId })}`;
  const channels = new Channels({ ...parts, connectorId, address });
  const upkeep = new MirrorUpkeep({
    ...parts,
    connectorId,
    mirror,
    channels,
    show: (status) => publication.saveSyncStatus(status),
  });
  return { upkeep, answers: new MirrorAnswers({ ...parts, mirror, upkeep }) };
}
