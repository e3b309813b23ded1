import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKeyring } from '../../src/crypto/keyring.ts';
import { readRef, writeRef } from '../../src/crypto/webhook-ref.ts';

const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));
const keyring = createKeyring([{ id: 'k1', bytes: randomBytes(32) }], randomBytes);
const GOOGLE = { provider: 'google', connectorId: 'connector-1' } as const;

describe('a ref', () => {
  it('is one segment of a path, as it is, and leads back to its connector', async () => {
    const id = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,128}$/);
    await fc.assert(
      fc.asyncProperty(id, fc.constantFrom('google', 'microsoft'), async (connectorId, provider) => {
        const ref = await writeRef(keyring, { provider, connectorId });
        expect(new URL(`https://x.example/webhooks/${ref}`).pathname).toBe(`/webhooks/${ref}`);
        expect(ref.length).toBeLessThanOrEqual(205);
        expect(await readRef(keyring, provider, ref)).toBe(connectorId);
      }),
      {
        seed: 20260408,
        numRuns: 100,
        examples: [
          ['..', 'google'],
          ['.', 'microsoft'],
        ],
      },
    );
  });

  it('is worth nothing for another provider, connector or ring', async () => {
    const ref = await writeRef(keyring, GOOGLE);
    expect(await readRef(keyring, 'microsoft', ref)).toBeUndefined();
    const foreign = createKeyring([{ id: 'k1', bytes: randomBytes(32) }], randomBytes);
    expect(await readRef(foreign, 'google', ref)).toBeUndefined();
    for (const connectorId of ['connector-2', 'connector-', 'connector-11', 'CONNECTOR-1', '']) {
      expect(await readRef(keyring, 'google', ref.replace('connector-1', connectorId))).toBeUndefined();
    }
  });

  it.each([
    '',
    '~',
    '~~',
    'connector-1',
    'connector-1~',
    'connector-1~k1~',
    '~k1~AAAA',
    'a/b~k1~AAAA',
    'é~k1~AAAA',
  ])('is none: %j', async (text) => {
    expect(await readRef(keyring, 'google', text)).toBeUndefined();
  });
});
