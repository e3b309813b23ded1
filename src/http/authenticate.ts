import { problem } from './respond.ts';

/**
 * Lets a request with one of the API's bearer tokens (RFC 6750) pass. Digests are compared, in
 * constant time and with every token, so timing tells neither a token nor its length.
 *
 * @returns nothing when it may pass, else the 401.
 */
export async function authenticate(
  request: Request,
  tokens: readonly string[],
): Promise<Response | undefined> {
  const [, given] = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(request.headers.get('Authorization') ?? '') ?? [];
  if (given !== undefined) {
    const [digest, known] = await Promise.all([digestOf(given), digestsOf(tokens)]);
    const matches = known.map((one) => crypto.subtle.timingSafeEqual(one, digest));
    if (matches.includes(true)) return undefined;
  }
  const refusal = { code: 'unauthorized', detail: 'Send a valid token: Authorization: Bearer …' } as const;
  return problem(refusal, { 'WWW-Authenticate': 'Bearer' });
}

/** Those of the worker's own tokens, which are the same for every request. */
const ownDigests = new WeakMap<readonly string[], ArrayBuffer[]>();

async function digestsOf(tokens: readonly string[]): Promise<ArrayBuffer[]> {
  // What is kept is no promise: one that belongs to another request may never settle.
  const digests = ownDigests.get(tokens) ?? (await Promise.all(tokens.map(digestOf)));
  ownDigests.set(tokens, digests);
  return digests;
}

function digestOf(token: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', new TextEncoder().encode(token));
}
