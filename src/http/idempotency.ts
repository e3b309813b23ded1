import { invalidField, type Result } from '../operations/result.ts';

/**
 * The caller's own name for a write, so that a repeat is the same write: the header `Idempotency-Key`,
 * undefined when there is none, refused when it is not usable.
 */
export function readIdempotencyKey(request: Request): Result<string | undefined> {
  const key = request.headers.get('Idempotency-Key') ?? undefined;
  if (key === undefined || /^[A-Za-z0-9_.:-]{1,100}$/.test(key)) return { ok: true, value: key };
  return invalidField('Idempotency-Key', 'must be 1 to 100 letters, digits or _ . : -');
}
