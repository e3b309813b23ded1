import { invalidField } from './respond.ts';

/**
 * The caller's own name for a write, so that a repeat is the same write: the header `Idempotency-Key`,
 * undefined when there is none, a 400 when it is not usable.
 */
export function readIdempotencyKey(request: Request): string | undefined | Response {
  const key = request.headers.get('Idempotency-Key');
  if (key === null) return undefined;
  if (/^[A-Za-z0-9_.:-]{1,100}$/.test(key)) return key;
  return invalidField('Idempotency-Key', 'must be 1 to 100 letters, digits or _ . : -');
}

/** The id that a key of this user always leads to: 128 bits of SHA-256, in hex. */
export async function idOfKey(userId: string, key: string): Promise<string> {
  const digest = await crypto.subtle.digest(
    'SHA-256',
    new TextEncoder().encode(JSON.stringify([userId, key])),
  );
  return [...new Uint8Array(digest, 0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
