import type { Provider } from '../provider.ts';
import { readBusy } from './freebusy.ts';
import { createGoogleOAuth, type GoogleConfig } from './oauth.ts';

/** Google Calendar as a provider. */
export function createGoogle(config: GoogleConfig): Provider {
  return {
    name: 'google',
    oauth: createGoogleOAuth(config),
    readBusy: (question, access) => readBusy(config.apiUrl, question, access),
  };
}
