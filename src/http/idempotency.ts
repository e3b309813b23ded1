import { checkIdempotencyKey } from '../operations/idempotency.ts';
import type { Result } from '../operations/result.ts';

/** The header `Idempotency-Key`: undefined when there is none, refused when it is not usable. */
export function readIdempotencyKey(request: Request): Result<string | undefined> {
  const key = request.headers.get('Idempotency-Key') ?? undefined;
  return checkIdempotencyKey(key, 'Idempotency-Key');
}
