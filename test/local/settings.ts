import { randomBytes } from 'node:crypto';

/** Where the worker believes it is reached when it runs inside a test or the demo. */
export const LOCAL_BASE_URL = 'http://localhost:8787';
/** Where people are sent back to; nothing listens there. */
export const LOCAL_REDIRECT_URI = 'http://localhost:8787/connected';

/** Fresh secrets of a local worker. */
export function generateSecrets(): { OAUTH_ENC_KEY: string; API_TOKENS: string } {
  return {
    OAUTH_ENC_KEY: `local:${randomBytes(32).toString('base64')}`,
    API_TOKENS: randomBytes(24).toString('base64url'),
  };
}
