import {
  calculatePKCECodeChallenge,
  generateRandomCodeVerifier,
  generateRandomNonce,
  generateRandomState,
} from 'oauth4webapi';
import * as z from 'zod';
import type { Keyring } from '../crypto/keyring.ts';
import { tenantSchema } from '../domain/connector.ts';
import { ok, type Outcome } from '../domain/failure.ts';

/** How long a person has to come back from the sign-in. */
export const FLOW_LIFE_MS = 10 * 60 * 1000;

const secretsSchema = z.object({
  codeVerifier: z.string(),
  nonce: z.string(),
  loginHint: z.exactOptional(z.string()),
  tenant: z.exactOptional(tenantSchema),
  claims: z.exactOptional(z.string()),
});

/** What a sign-in remembers between its start and its callback, sealed in the database. */
export type FlowSecrets = z.infer<typeof secretsSchema>;

/** A new state (RFC 6749 §10.12): 256 random bits, the flow's key. */
export function newState(): string {
  return generateRandomState();
}

/** New secrets of a flow: the PKCE verifier (RFC 7636) and the nonce of the id token. */
export function newFlowSecrets(hints: Pick<FlowSecrets, 'loginHint' | 'tenant' | 'claims'>): FlowSecrets {
  return { codeVerifier: generateRandomCodeVerifier(), nonce: generateRandomNonce(), ...hints };
}

/** The S256 challenge of a verifier. */
export function codeChallengeOf(codeVerifier: string): Promise<string> {
  return calculatePKCECodeChallenge(codeVerifier);
}

/** Seals a flow's secrets, bound to its state. */
export function sealFlow(keyring: Keyring, state: string, secrets: FlowSecrets): Promise<string> {
  return keyring.seal(JSON.stringify(secrets), bindingOf(state));
}

/** Opens them again. */
export async function openFlow(
  keyring: Keyring,
  state: string,
  sealed: string,
): Promise<Outcome<FlowSecrets>> {
  const opened = await keyring.open(sealed, bindingOf(state));
  return opened.ok ? ok(secretsSchema.parse(JSON.parse(opened.value))) : opened;
}

function bindingOf(state: string) {
  return { owner: state, field: 'oauth_state.flow_enc' };
}
