import { invalidField, type Result } from './result.ts';

/**
 * The caller's own name for a write, so that a repeat is the same write; refused under `path` when it is
 * not usable.
 */
export function checkIdempotencyKey(key: string | undefined, path: string): Result<string | undefined> {
  if (key === undefined || /^[A-Za-z0-9_.:-]{1,100}$/.test(key)) return { ok: true, value: key };
  return invalidField(path, 'must be 1 to 100 letters, digits or _ . : -');
}
