import { createHash, timingSafeEqual } from 'node:crypto';

/** The S256 challenge of a verifier (RFC 7636, section 4.2). */
export function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier, 'ascii').digest('base64url');
}

/** Whether a verifier is well formed and fits the challenge. */
export function verifies(verifier: string, challenge: { value: string; method: 'S256' | 'plain' }): boolean {
  if (!/^[A-Za-z0-9\-._~]{43,128}$/.test(verifier)) return false;
  return sameText(challenge.method === 'S256' ? challengeOf(verifier) : verifier, challenge.value);
}

/** Whether two texts are equal, in time that does not tell where they differ. */
export function sameText(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
