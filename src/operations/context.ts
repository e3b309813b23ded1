import type { Config } from '../config.ts';
import type { RandomBytes } from '../crypto/keyring.ts';
import type { RecordEvent } from '../metrics.ts';

/** What every operation is given besides what is asked. */
export interface Context {
  env: Env;
  config: Config;
  now: () => number;
  randomBytes: RandomBytes;
  randomId: () => string;
  record: RecordEvent;
  /** Has work go on after the answer; nobody waits for it, and it must not fail. */
  waitUntil: (work: Promise<void>) => void;
}
