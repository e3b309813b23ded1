import type { Provider } from '../provider.ts';
import { cancelEvent, createEvent, removeCreated, updateEvent } from './events.ts';
import { readBusy } from './freebusy.ts';
import { createGoogleOAuth, type GoogleConfig } from './oauth.ts';
import { createGoogleSync } from './sync.ts';

/** Google Calendar as a provider. */
export function createGoogle(config: GoogleConfig): Provider {
  return {
    name: 'google',
    oauth: createGoogleOAuth(config),
    sync: createGoogleSync(config.apiUrl),
    readBusy: (question, access) => readBusy(config.apiUrl, question, access),
    createEvent: (draft, creation, access) => createEvent(config.apiUrl, draft, creation, access),
    updateEvent: (change, access) => updateEvent(config.apiUrl, change, access),
    cancelEvent: (cancellation, access) => cancelEvent(config.apiUrl, cancellation, access),
    removeCreated: (removal, access) => removeCreated(config.apiUrl, removal, access),
  };
}
