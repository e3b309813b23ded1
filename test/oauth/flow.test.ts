import { describe, expect, it } from 'vitest';
import { createKeyring } from '../../src/crypto/keyring.ts';
import {
  codeChallengeOf,
  FLOW_LIFE_MS,
  newFlowSecrets,
  newState,
  openFlow,
  sealFlow,
} from '../../src/oauth/flow.ts';

const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));
const keyring = createKeyring([{ id: 'k', bytes: randomBytes(32) }], randomBytes);

describe('a flow', () => {
  it('lives ten minutes', () => {
    expect(FLOW_LIFE_MS).toBe(600_000);
  });

  it('has a state, a verifier and a nonce of 256 random bits each, new every time', () => {
    const drawn = Array.from({ length: 100 }, () => {
      const { codeVerifier, nonce } = newFlowSecrets({});
      return [newState(), codeVerifier, nonce];
    }).flat();
    for (const value of drawn) expect(value).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(new Set(drawn).size).toBe(300);
  });

  it('keeps the hints it is given and no others', () => {
    expect(Object.keys(newFlowSecrets({})).toSorted()).toEqual(['codeVerifier', 'nonce']);
    expect(newFlowSecrets({ loginHint: 'ada@example.com', tenant: 'common', claims: '{}' })).toMatchObject({
      loginHint: 'ada@example.com',
      tenant: 'common',
      claims: '{}',
    });
  });

  it('has the challenge of RFC 7636, appendix B', async () => {
    expect(await codeChallengeOf('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk')).toBe(
      'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    );
  });
});

describe('the secrets of a flow', () => {
  it('come back as they were, for their own state', async () => {
    const state = newState();
    const secrets = newFlowSecrets({ loginHint: 'ada@example.com', tenant: 'common', claims: '{"a":1}' });
    const sealed = await sealFlow(keyring, state, secrets);
    expect(await openFlow(keyring, state, sealed)).toEqual({ ok: true, value: secrets });
    expect(sealed).not.toContain(secrets.codeVerifier);
  });

  it('do not open for another state, nor from another field of it', async () => {
    const state = newState();
    const secrets = newFlowSecrets({});
    const sealed = await sealFlow(keyring, state, secrets);
    expect((await openFlow(keyring, newState(), sealed)).ok).toBe(false);
    const elsewhere = await keyring.seal(JSON.stringify(secrets), { owner: state, field: 'nonce' });
    expect((await openFlow(keyring, state, elsewhere)).ok).toBe(false);
  });
});
