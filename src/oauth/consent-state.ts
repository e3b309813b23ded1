import * as z from 'zod';
import type { Keyring } from '../crypto/keyring.ts';

const consentSchema = z.object({ redirectUri: z.string(), expiresAtMs: z.number() });

/** What an organisation's consent remembers until its administrator comes back. */
export type ConsentState = z.infer<typeof consentSchema>;

/**
 * The `state` of an organisation's consent: what it remembers, sealed and bound to the browser. Nothing
 * is stored for it, because anybody may begin one; what its return does is harmless to repeat.
 */
export function sealConsentState(
  keyring: Keyring,
  sessionHash: string,
  consent: ConsentState,
): Promise<string> {
  return keyring.seal(JSON.stringify(consent), bindingOf(sessionHash));
}

/** Opens it again; undefined when it is not ours, or of another browser. */
export async function openConsentState(
  keyring: Keyring,
  sessionHash: string,
  state: string,
): Promise<ConsentState | undefined> {
  const opened = await keyring.open(state, bindingOf(sessionHash));
  return opened.ok ? consentSchema.parse(JSON.parse(opened.value)) : undefined;
}

function bindingOf(sessionHash: string) {
  return { owner: sessionHash, field: 'admin-consent.state' };
}
