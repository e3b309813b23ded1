import type { Provider } from '../provider.ts';
import type { MicrosoftConfig } from './config.ts';
import { cancelEvent, createEvent, removeCreated, updateEvent } from './events.ts';
import { readBusy } from './freebusy.ts';
import { suggestTimes } from './meeting-times.ts';
import { createMicrosoftOAuth, type MicrosoftOAuth } from './oauth.ts';
import { createMicrosoftSync } from './sync.ts';

/** Microsoft 365 and Outlook.com as a provider. Its `oauth` also knows the consent of an organisation. */
export function createMicrosoft(config: MicrosoftConfig): Provider & { readonly oauth: MicrosoftOAuth } {
  return {
    name: 'microsoft',
    oauth: createMicrosoftOAuth(config),
    sync: createMicrosoftSync(config),
    readBusy: (question, access) => readBusy(config, question, access),
    suggestTimes: (question, access) => suggestTimes(config, question, access),
    createEvent: (draft, creation, access) => createEvent(config, draft, creation, access),
    updateEvent: (change, access) => updateEvent(config, change, access),
    cancelEvent: (cancellation, access) => cancelEvent(config, cancellation, access),
    removeCreated: (removal, access) => removeCreated(config, removal, access),
  };
}
