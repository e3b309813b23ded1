import { connectorIdSchema, type ProviderName } from '../domain/connector.ts';
import type { Keyring } from './keyring.ts';

/** What separates the id from its MAC: stands in no id, and in a URL as it is (RFC 3986, unreserved). */
const SEPARATOR = '~';

/**
 * What stands for a connector in the address that its provider calls: one path segment, `<connector id>~<MAC>`, at most
 * 205 characters. The same each time, until another key is the first of the ring.
 */
export async function writeRef(
  keyring: Keyring,
  { provider, connectorId }: { provider: ProviderName; connectorId: string },
): Promise<string> {
  return connectorId + SEPARATOR + (await keyring.mac(connectorId, purposeOf(provider)));
}

/** The connector of a ref that this worker wrote for `provider`; undefined of any other text. */
export async function readRef(
  keyring: Keyring,
  provider: ProviderName,
  ref: string,
): Promise<string | undefined> {
  const end = ref.indexOf(SEPARATOR);
  const connectorId = connectorIdSchema.safeParse(ref.slice(0, Math.max(end, 0))).data;
  if (connectorId === undefined) return undefined;
  const isOurs = await keyring.verifyMac(connectorId, ref.slice(end + 1), purposeOf(provider));
  return isOurs ? connectorId : undefined;
}

function purposeOf(provider: ProviderName): string {
  return `webhook-ref:${provider}`;
}
