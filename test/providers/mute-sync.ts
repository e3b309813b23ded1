import { fail, ok } from '../../src/domain/failure.ts';
import type { ProviderSync } from '../../src/providers/provider-sync.ts';

const refusal = fail({ kind: 'unsupported', field: 'sync', detail: 'this double tells no changes' });

/** A provider that tells nothing of what changes, and says so. */
export const MUTE_SYNC: ProviderSync = {
  readCalendars: () => Promise.resolve(refusal),
  readChanges: (requests) => Promise.resolve(requests.map(() => refusal)),
  watch: () => Promise.resolve(refusal),
  stopWatch: () => Promise.resolve(ok(undefined)),
  watchLifetimeMs: 1,
  readPush: () => undefined,
};
