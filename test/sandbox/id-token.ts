import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { CryptoKey, JWK } from 'jose';

/** Signs id tokens with a key made for this run. */
export interface IdTokens {
  /** A signed RS256 token, good for an hour. */
  sign(
    claims: { iss: string; aud: string; sub: string } & Record<string, unknown>,
    nowMs: number,
  ): Promise<string>;
  /** The public key set that verifies them. */
  readonly keys: { keys: JWK[] };
}

// Making an RSA key is slow; every sandbox of a process may share one.
let pair: Promise<{ privateKey: CryptoKey; publicKey: CryptoKey }> | undefined;

/** A signer of id tokens. */
export async function idTokens(): Promise<IdTokens> {
  pair ??= generateKeyPair('RS256');
  const { privateKey, publicKey } = await pair;
  const kid = 'sandbox-1';
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' };
  return {
    keys: { keys: [jwk] },
    sign: (claims, nowMs) => {
      const issuedAt = Math.floor(nowMs / 1000);
      return new SignJWT({ ...claims, iat: issuedAt, exp: issuedAt + 3600 })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid })
        .sign(privateKey);
    },
  };
}
