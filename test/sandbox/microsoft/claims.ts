import { z } from 'zod';
import type { ClaimsChallenge } from '../people.ts';

const ClaimsRequest = z.looseObject({
  access_token: z
    .looseObject({ xms_cc: z.looseObject({ values: z.array(z.string()) }).optional() })
    .optional(),
});

/** A `claims` parameter read: what the client can handle, and the claims asked for. */
export interface ReadClaims {
  /** Lower-case capabilities; `cp1` means that the client can handle claims challenges. */
  readonly capabilities: Set<string>;
  readonly asked: ReadonlyMap<string, unknown>;
}

/** Reads a `claims` parameter; undefined when it is not the JSON it should be. */
export function readClaims(text: string | undefined): ReadClaims | undefined {
  if (text === undefined || text === '') return { capabilities: new Set(), asked: new Map() };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const read = ClaimsRequest.safeParse(value);
  if (!read.success) return undefined;
  const token = read.data.access_token ?? {};
  const capabilities = new Set((token.xms_cc?.values ?? []).map((one) => one.toLowerCase()));
  return { capabilities, asked: new Map(Object.entries(token)) };
}

/** Whether the claims asked for hold everything that the challenge demands. */
export function answers(claims: ReadClaims, challenge: ClaimsChallenge): boolean {
  const demanded = readClaims(challenge.claims)?.asked ?? new Map<string, unknown>();
  return [...demanded].every(
    ([name, value]) => JSON.stringify(claims.asked.get(name)) === JSON.stringify(value),
  );
}
