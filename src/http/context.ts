import type { Config } from '../config.ts';
import type { RandomBytes } from '../crypto/keyring.ts';
import type { RecordEvent } from '../metrics.ts';

/** What every handler is given besides the request. */
export interface Context {
  env: Env;
  config: Config;
  now: () => number;
  randomBytes: RandomBytes;
  randomId: () => string;
  record: RecordEvent;
}
