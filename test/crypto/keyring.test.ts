import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKeyring, type Keyring, parseRingKeys, type RingKey } from '../../src/crypto/keyring.ts';
import type { Outcome } from '../../src/domain/failure.ts';

const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));
const newKey = (id: string): RingKey => ({ id, bytes: randomBytes(32) });
const BINDING = { owner: 'connector-1', field: 'refresh_token_enc' };

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const OLD = newKey('old');
const NEW = newKey('new');
const before = createKeyring([OLD], randomBytes);
const after = createKeyring([NEW, OLD], randomBytes);

const CLOSED: Outcome<string> = {
  ok: false,
  failure: { kind: 'misconfigured', detail: 'A sealed value does not open with the keys of OAUTH_ENC_KEY.' },
};

describe('sealing', () => {
  it('gives back what was sealed, whatever the text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 60 }), async (secret) => {
        const sealed = await before.seal(secret, BINDING);
        expect(await before.open(sealed, BINDING)).toEqual({ ok: true, value: secret });
      }),
      { seed: 20260408, numRuns: 200, examples: [[''], ['\u{FEFF}mark'], ['x'.repeat(20_000)]] },
    );
  });

  it('shows its version and key and nothing of the secret', async () => {
    const sealed = await before.seal('1//refresh-token', BINDING);
    expect(sealed).toMatch(/^v1\.old\.[A-Za-z0-9_-]+$/);
    expect(sealed).not.toContain(btoa('refresh-token').slice(0, 8));
  });

  it('uses no nonce twice in 100,000 seals', async () => {
    const nonces = new Set<string>();
    for (let round = 0; round < 100; round += 1) {
      const sealed = await Promise.all(Array.from({ length: 1000 }, () => before.seal('x', BINDING)));
      for (const value of sealed) nonces.add(value.slice('v1.old.'.length).slice(0, 16));
    }
    expect(nonces.size).toBe(100_000);
  });
});

/** What any other answer than that is given to: it should be nothing. */
async function findOpen(values: Iterable<string>, binding = BINDING, keyring = before): Promise<string[]> {
  const open: string[] = [];
  for (const value of values) {
    const answer = JSON.stringify(await keyring.open(value, binding));
    if (answer !== JSON.stringify(CLOSED)) open.push(value);
  }
  return open;
}

describe('opening', () => {
  it('refuses a value in which any one character is another', async () => {
    for (const secret of ['secret', 'secret!', 'secret!!']) {
      const sealed = await before.seal(secret, BINDING);
      const tampered = Array.from(sealed).flatMap((character, place) =>
        // All of the alphabet: in the last place some characters differ only in bits that count for nothing.
        Array.from(place === sealed.length - 1 ? `${ALPHABET}.= ` : 'A_.= ')
          .filter((other) => other !== character)
          .map((other) => sealed.slice(0, place) + other + sealed.slice(place + 1)),
      );
      expect(tampered.length).toBeGreaterThan(sealed.length * 4);
      expect(await findOpen(tampered)).toEqual([]);
    }
  });

  it('refuses a value with any one bit flipped', async () => {
    const [version, id, encoded = ''] = (await before.seal('secret', BINDING)).split('.');
    const bytes = Uint8Array.from(
      atob(encoded.replaceAll('-', '+').replaceAll('_', '/')),
      (character) => character.codePointAt(0) ?? 0,
    );
    const flipped = Array.from({ length: bytes.length * 8 }, (_, bit) => {
      const other = bytes.map((byte, place) => (place === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      const text = btoa(String.fromCodePoint(...other));
      return `${version}.${id}.${text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
    });
    expect(flipped).toHaveLength((12 + 6 + 16) * 8);
    expect(await findOpen(flipped)).toEqual([]);
  });

  it('refuses a value cut short anywhere', async () => {
    const sealed = await before.seal('secret', BINDING);
    expect(await findOpen(Array.from(sealed, (_, place) => sealed.slice(0, place)))).toEqual([]);
  });

  it('refuses a value of another owner or field, also when the two run into one another', async () => {
    const sealed = await before.seal('secret', { owner: 'ab', field: 'c' });
    for (const binding of [
      { owner: 'ac', field: 'c' },
      { owner: 'ab', field: 'd' },
      { owner: 'a', field: 'bc' },
      { owner: 'c', field: 'ab' },
      { owner: 'ab","c', field: '' },
    ]) {
      expect(await before.open(sealed, binding)).toEqual(CLOSED);
    }
  });

  it('refuses another version, an unknown key, a key of another name, and more or fewer parts', async () => {
    const sealed = await before.seal('secret', BINDING);
    const encoded = sealed.split('.')[2] ?? '';
    const renamed = createKeyring([{ ...OLD, id: 'other' }], randomBytes);
    expect(await findOpen([`v1.other.${encoded}`], BINDING, renamed)).toEqual([]);
    const values = [
      `v2.old.${encoded}`,
      `v0.old.${encoded}`,
      `.old.${encoded}`,
      `v1.unknown.${encoded}`,
      `v1..${encoded}`,
      `${sealed}.`,
      `${sealed}.${encoded}`,
      `v1.old`,
      `v1.old.`,
      ` ${sealed}`,
      `${sealed}\n`,
      `v1.old.${encoded}==`,
      '',
      'secret',
    ];
    expect(await findOpen(values)).toEqual([]);
  });
});

describe('rotation', () => {
  it('opens what the old key sealed, and seals with the first key', async () => {
    const old = await before.seal('secret', BINDING);
    expect(await after.open(old, BINDING)).toEqual({ ok: true, value: 'secret' });
    const fresh = await after.seal('secret', BINDING);
    expect(fresh).toMatch(/^v1\.new\./);
    expect(await createKeyring([NEW], randomBytes).open(fresh, BINDING)).toEqual({
      ok: true,
      value: 'secret',
    });
    expect(await before.open(fresh, BINDING)).toEqual(CLOSED);
  });

  it('tells which values are due for sealing anew', async () => {
    const isCurrent = (ring: Keyring, sealed: string) => sealed.startsWith(ring.currentPrefix);
    expect(isCurrent(after, await before.seal('secret', BINDING))).toBe(false);
    expect(isCurrent(after, await after.seal('secret', BINDING))).toBe(true);
    expect(isCurrent(createKeyring([newKey('ne')], randomBytes), await after.seal('x', BINDING))).toBe(false);
  });
});

describe('vouching for a text', () => {
  it('holds for the text and purpose it was made for, again and again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 60 }), async (text) => {
        const mac = await before.mac(text, 'door');
        expect(await before.mac(text, 'door')).toBe(mac);
        expect(await before.verifyMac(text, mac, 'door')).toBe(true);
      }),
      { seed: 20260408, numRuns: 100, examples: [[''], ['x'.repeat(20_000)]] },
    );
  });

  it('is HMAC-SHA-256 with a key that HKDF-SHA-256 makes of the ring key and the purpose', async () => {
    const ring = createKeyring([{ id: 'k1', bytes: new Uint8Array(32).fill(7) }], randomBytes);
    // Computed with Python's hmac: extract with 32 zero bytes, expand with the purpose.
    expect(await ring.mac('connector-1', 'webhook-ref:google')).toBe(
      'k1~qbUzmJuG1xLqTcalGcAG_0yW-ItDlusDWmot3DGI4ko',
    );
  });

  it('holds for no other text, no other purpose, and not where the two run into one another', async () => {
    const mac = await before.mac('connector-1', 'webhook');
    for (const [text, purpose] of [
      ['connector-2', 'webhook'],
      ['connector-1', 'other'],
      ['connector-', '1webhook'],
      ['connector-1webhook', ''],
      ['', 'webhook'],
      ['Connector-1', 'webhook'],
    ] as const) {
      expect(await before.verifyMac(text, mac, purpose)).toBe(false);
    }
  });

  it('is refused when any one character of it is another, is gone, or is one more', async () => {
    const mac = await before.mac('connector-1', 'webhook');
    const forged = Array.from(mac).flatMap((character, place) => [
      ...Array.from(place === mac.length - 1 ? `${ALPHABET}~= ` : 'A_~= ')
        .filter((other) => other !== character)
        .map((other) => mac.slice(0, place) + other + mac.slice(place + 1)),
      mac.slice(0, place),
      mac.slice(place + 1),
    ]);
    for (const other of [...forged, `${mac}A`, `${mac}=`, `${mac}~`, `~${mac}`, ` ${mac}`, `${mac}\n`, '~']) {
      expect([other, await before.verifyMac('connector-1', other, 'webhook')]).toEqual([other, false]);
    }
  });

  it('outlives a rotation for as long as its key is in the ring', async () => {
    const old = await before.mac('connector-1', 'webhook');
    expect(old).toMatch(/^old~/);
    expect(await after.verifyMac('connector-1', old, 'webhook')).toBe(true);
    const fresh = await after.mac('connector-1', 'webhook');
    expect(fresh).toMatch(/^new~/);
    const rotated = createKeyring([NEW], randomBytes);
    expect(await rotated.verifyMac('connector-1', fresh, 'webhook')).toBe(true);
    expect(await rotated.verifyMac('connector-1', old, 'webhook')).toBe(false);
    // Under the name of another key it is worth nothing.
    const renamed = old.replace('old', 'new');
    expect(await after.verifyMac('connector-1', renamed, 'webhook')).toBe(false);
  });
});

describe('reading the keys of a ring', () => {
  const base64 = (bytes: Uint8Array) => btoa(String.fromCodePoint(...bytes));

  it('takes named keys in their order, and a bare key as key 0', () => {
    const text = `new:${base64(NEW.bytes)}, old:${base64(OLD.bytes)}`;
    expect(parseRingKeys(text)).toEqual([NEW, OLD]);
    expect(parseRingKeys(base64(OLD.bytes))).toEqual([{ id: '0', bytes: OLD.bytes }]);
  });

  it('says which key is wrong and how, without a word of it', () => {
    const good = base64(NEW.bytes);
    const secret = 'Z9'.repeat(10);
    for (const [text, problem] of [
      ['', 'key 1: must be 32 bytes, is 0'],
      [`a:${good},`, 'key 2: must be 32 bytes, is 0'],
      [`a:${good},b:${secret}`, 'key 2: must be 32 bytes, is 15'],
      [`a:${secret}!`, 'key 1: not base64'],
      [`a:${good},a:${good}`, 'key 2: the key id a is there twice'],
      [`${good},0:${good}`, 'key 2: the key id 0 is there twice'],
      [`:${good}`, 'key 1: the key id must be 1 to 32 letters, digits, _ or -'],
      [`a.b:${good}`, 'key 1: the key id must be 1 to 32 letters, digits, _ or -'],
      [`${good}:a`, 'key 1: the key id must be 1 to 32 letters, digits, _ or -'],
    ] as const) {
      expect(parseRingKeys(text)).toBe(problem);
    }
  });

  it('makes no ring without a key', () => {
    expect(() => createKeyring([], randomBytes)).toThrow('a keyring needs a key');
  });
});
