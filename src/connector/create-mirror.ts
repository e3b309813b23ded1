import type { Config } from '../config.ts';
import { writeRef } from '../crypto/webhook-ref.ts';
import type { RecordEvent } from '../metrics.ts';
import type { Provider } from '../providers/provider.ts';
import type { Account } from './account.ts';
import type { Agenda } from './agenda.ts';
import type { BackgroundWork } from './background-work.ts';
import type { ChannelUpkeep } from './channel-upkeep.ts';
import { Channels, type ChannelsOptions } from './channels.ts';
import type { Identity } from './facts.ts';
import { Mirror } from './mirror.ts';
import { MirrorAnswers } from './mirror-answers.ts';
import { MirrorUpkeep } from './mirror-upkeep.ts';
import type { Notices } from './notices.ts';
import type { OwnWrites } from './own-writes.ts';
import type { Publication } from './publication.ts';
import type { Store } from './store.ts';

/** What channels are made of. */
export interface ChannelsParts extends Omit<ChannelsOptions, 'connectorId' | 'address'> {
  identity: Identity;
  config: Pick<Config, 'publicBaseUrl' | 'keyring'>;
}

/** What a mirror, what keeps it up and what answers from it are made of. */
export interface MirrorParts extends BackgroundWork {
  identity: Identity;
  channels: Channels;
  channelUpkeep: ChannelUpkeep;
  store: Store;
  agenda: Agenda;
  account: Account;
  provider: Provider;
  notices: Notices;
  ownWrites: OwnWrites;
  publication: Pick<Publication, 'saveSyncStatus'>;
  randomId: () => string;
  record: RecordEvent;
  /** Whether the connector is used more than once in a while. */
  isInUse: () => boolean;
}

/** The channels through which the provider tells of changes, wired: each calls an address of this connector alone. */
export function createChannels({ identity, config, ...parts }: ChannelsParts): Channels {
  const { connectorId, provider: name } = identity;
  const address = async () =>
    `${config.publicBaseUrl}/webhooks/${name}/${await writeRef(config.keyring, { provider: name, connectorId })}`;
  return new Channels({ ...parts, connectorId, address });
}

/** The mirror as an actor has it: what keeps it up to date, and what answers from it. */
export interface ConnectorMirror {
  upkeep: MirrorUpkeep;
  answers: MirrorAnswers;
}

/** The mirror, wired. */
export function createMirror({ identity, publication, ...parts }: MirrorParts): ConnectorMirror {
  const { connectorId } = identity;
  const mirror = new Mirror(parts.store);
  const upkeep = new MirrorUpkeep({
    ...parts,
    connectorId,
    mirror,
    show: (status) => publication.saveSyncStatus(status),
  });
  return { upkeep, answers: new MirrorAnswers({ ...parts, mirror, upkeep }) };
}
