import { fail, ok, type Outcome } from '../domain/failure.ts';

/**
 * Seals and opens secrets with AES-256-GCM (NIST SP 800-38D), and vouches for open texts with HMAC-SHA-256
 * (RFC 2104), through WebCrypto.
 *
 * A sealed value is `v1.<key id>.<base64url(12-byte nonce ‖ ciphertext ‖ tag)>`. What it is bound to
 * (envelope version, key id, owner, field) is authenticated with it, so a value copied to another
 * row, column or key does not open. Nonces are random: a key should seal at most 2^32 values.
 *
 * A MAC is `<key id>~<base64url(32 bytes)>`, made with a key that HKDF (RFC 5869) derives from the ring's for one purpose.
 */
export interface Keyring {
  /** Seals with the first key of the ring. */
  seal(plaintext: string, binding: SealBinding): Promise<string>;
  /** Opens a value sealed with any key of the ring. One generic failure, whatever is wrong with it. */
  open(sealed: string, binding: SealBinding): Promise<Outcome<string>>;
  /** What every value sealed with the current key begins with; one that begins otherwise is due for re-sealing. */
  readonly currentPrefix: string;
  /**
   * Vouches with the first key of the ring for `text`, the same each time. Purposes are constants of the code: what is
   * vouched for as one of them counts for no other.
   */
  mac(text: string, purpose: string): Promise<string>;
  /** Whether `mac` is of this text and purpose, by any key of the ring. Compared in constant time. */
  verifyMac(text: string, mac: string, purpose: string): Promise<boolean>;
}

/** What a sealed value belongs to: the connector (or other owner) and the field it is stored in. */
export interface SealBinding {
  owner: string;
  field: string;
}

/** A source of random bytes; `crypto.getRandomValues` in production. */
export type RandomBytes = (length: number) => Uint8Array<ArrayBuffer>;

const VERSION = 'v1';
const NONCE_BYTES = 12;
const KEY_BYTES = 32;

/** One key of a ring: its id and its 32 bytes. */
export interface RingKey {
  id: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Reads `kid:base64,kid:base64,…` (a bare base64 key has kid `0`).
 *
 * @returns the keys, current one first, or what is wrong with the text (never quoting a key).
 */
export function parseRingKeys(text: string): RingKey[] | string {
  const keys: RingKey[] = [];
  for (const [index, entry] of text.split(',').entries()) {
    const place = `key ${index + 1}`;
    const colon = entry.indexOf(':');
    const id = colon === -1 ? '0' : entry.slice(0, colon).trim();
    if (!/^[A-Za-z0-9_-]{1,32}$/.test(id))
      return `${place}: the key id must be 1 to 32 letters, digits, _ or -`;
    const bytes = decodeBase64(entry.slice(colon + 1).trim());
    if (bytes === undefined) return `${place}: not base64`;
    if (bytes.length !== KEY_BYTES) return `${place}: must be ${KEY_BYTES} bytes, is ${bytes.length}`;
    if (keys.some((key) => key.id === id)) return `${place}: the key id ${id} is there twice`;
    keys.push({ id, bytes });
  }
  return keys;
}

/** Makes a keyring of `keys` (at least one, the current one first). */
export function createKeyring(keys: readonly RingKey[], randomBytes: RandomBytes): Keyring {
  const [current] = keys;
  if (current === undefined) throw new Error('a keyring needs a key');
  const imported = new Map<string, Promise<CryptoKey>>();
  const importKey = ({ id, bytes }: RingKey): Promise<CryptoKey> => {
    const known = imported.get(id);
    if (known !== undefined) return known;
    const key = crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
    imported.set(id, key);
    return key;
  };

  const derived = new Map<string, Promise<CryptoKey>>();
  const deriveKey = ({ id, bytes }: RingKey, purpose: string): Promise<CryptoKey> => {
    // A purpose may hold any character; no id of a key holds a tilde.
    const name = `${id}~${purpose}`;
    const known = derived.get(name);
    if (known !== undefined) return known;
    const key = deriveMacKey(bytes, purpose);
    derived.set(name, key);
    return key;
  };

  return {
    async seal(plaintext, binding) {
      const nonce = randomBytes(NONCE_BYTES);
      const ciphertext = await crypto.subtle.encrypt(
        { name: 'AES-GCM', iv: nonce, additionalData: associatedData(current.id, binding) },
        await importKey(current),
        new TextEncoder().encode(plaintext),
      );
      const bytes = new Uint8Array(NONCE_BYTES + ciphertext.byteLength);
      bytes.set(nonce);
      bytes.set(new Uint8Array(ciphertext), NONCE_BYTES);
      return `${VERSION}.${current.id}.${encodeBase64Url(bytes)}`;
    },

    async open(sealed, binding) {
      const [version, id = '', encoded = '', ...rest] = sealed.split('.');
      const key = keys.find((candidate) => candidate.id === id);
      const bytes = decodeBase64Url(encoded);
      if (version !== VERSION || key === undefined || bytes === undefined || rest.length > 0)
        return unopenable();
      try {
        const plaintext = await crypto.subtle.decrypt(
          {
            name: 'AES-GCM',
            iv: bytes.subarray(0, NONCE_BYTES),
            additionalData: associatedData(key.id, binding),
          },
          await importKey(key),
          bytes.subarray(NONCE_BYTES),
        );
        return ok(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(plaintext));
      } catch {
        return unopenable();
      }
    },

    currentPrefix: `${VERSION}.${current.id}.`,

    async mac(text, purpose) {
      const key = await deriveKey(current, purpose);
      const code = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(text));
      return `${current.id}~${encodeBase64Url(new Uint8Array(code))}`;
    },

    async verifyMac(text, mac, purpose) {
      const [id = '', encoded = '', ...rest] = mac.split('~');
      const key = keys.find((candidate) => candidate.id === id);
      const code = decodeBase64Url(encoded);
      if (key === undefined || code === undefined || rest.length > 0) return false;
      const bytes = new TextEncoder().encode(text);
      return await crypto.subtle.verify('HMAC', await deriveKey(key, purpose), code, bytes);
    },
  };
}

/** A key for one purpose alone. The ring's own bytes make AES keys: HKDF keeps the two apart. */
async function deriveMacKey(bytes: Uint8Array<ArrayBuffer>, purpose: string): Promise<CryptoKey> {
  const root = await crypto.subtle.importKey('raw', bytes, 'HKDF', false, ['deriveKey']);
  const info = new TextEncoder().encode(purpose);
  return await crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info },
    root,
    { name: 'HMAC', hash: 'SHA-256', length: 256 },
    false,
    ['sign', 'verify'],
  );
}

function unopenable(): Outcome<never> {
  return fail({
    kind: 'misconfigured',
    detail: 'A sealed value does not open with the keys of OAUTH_ENC_KEY.',
  });
}

function associatedData(keyId: string, { owner, field }: SealBinding): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([VERSION, keyId, owner, field]));
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** Reads just what `encodeBase64Url` writes: no padding, blanks or spare bits, so that a value has one spelling. */
function decodeBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = decodeBase64(text.replaceAll('-', '+').replaceAll('_', '/'));
  return bytes !== undefined && encodeBase64Url(bytes) === text ? bytes : undefined;
}

function encodeBase64Url(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
